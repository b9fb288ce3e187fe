#include "node/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
datadir_make(struct datadir *datadir, struct keeper *keeper, const char *parent, uid_t uid, gid_t gid,
	     struct diag *diag)
{
	*datadir = (struct datadir){.fd = -1};
	if (!parent || !*parent)
		parent = "/tmp";
	char *parent_path = realpath(parent, NULL);
	if (!parent_path)
		return diag_fail(
			diag, -errno,
			"node: failed to make a datadir in '%s': %s; set TMPDIR to choose another place",
			parent, strerror(errno));
	int err = folder_make(&datadir->folder, keeper, parent_path, "tpcheck-node-", FOLDER_HOME, diag);
	free(parent_path);
	if (err)
		return diag_prefix(diag, err, "node");
	datadir->path = datadir->folder.path;
	datadir->fd = open(datadir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (datadir->fd >= 0 && (uid == geteuid() || !fchown(datadir->fd, uid, gid)))
		return 0;
	err = diag_fail(diag, -errno, "node: failed to hand over the datadir '%s': %s", datadir->path,
			strerror(errno));
	datadir_remove_all(datadir, NULL);
	return err;
}

int
datadir_remove_all(struct datadir *datadir, struct diag *diag)
{
	if (datadir->fd >= 0)
		close(datadir->fd);
	int err = folder_remove(&datadir->folder, diag);
	*datadir = (struct datadir){.fd = -1};
	return err;
}

static int
open_dir(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int
datadir_open(const struct datadir *datadir, const char *dir, const char *name, int flags)
{
	int dir_fd = dir ? open_dir(datadir->fd, dir) : datadir->fd;
	struct stat st;

	if (dir_fd < 0)
		return -errno;
	/* O_NONBLOCK: a FIFO in its place must not block us. */
	int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : 0;
	if (dir)
		close(dir_fd);
	if (!err && (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1)) {
		close(fd);
		err = -EINVAL;
	}
	return err ? err : fd;
}

int
datadir_open_dir(const struct datadir *datadir, const char *dir)
{
	int fd = open_dir(datadir->fd, dir ? dir : ".");

	return fd < 0 ? -errno : fd;
}

void
datadir_remove(const struct datadir *datadir, const char *dir, const char *name)
{
	int dir_fd = dir ? open_dir(datadir->fd, dir) : datadir->fd;

	if (dir_fd < 0)
		return;
	unlinkat(dir_fd, name, 0);
	if (dir)
		close(dir_fd);
}
