#include "node/datadir.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 64,
	REMOVE_ROUNDS = 20, /* a child of bitcoind may end a little later, and write until then */
	ROUND_MS = 5,
};

static void
close_and_free(struct datadir *datadir)
{
	if (datadir->fd >= 0)
		close(datadir->fd);
	if (datadir->parent_fd >= 0)
		close(datadir->parent_fd);
	free(datadir->path);
	*datadir = (struct datadir){.parent_fd = -1, .fd = -1};
}

int
datadir_make(struct datadir *datadir, const char *parent, uid_t uid, gid_t gid, struct diag *diag)
{
	int err;

	*datadir = (struct datadir){.parent_fd = -1, .fd = -1};
	if (!parent || !*parent)
		parent = "/tmp";
	char *parent_path = realpath(parent, NULL);
	if (!parent_path)
		return diag_fail(
			diag, -errno,
			"node: failed to make a datadir in '%s': %s; set TMPDIR to choose another place",
			parent, strerror(errno));

	char *path = xasprintf("%s/tpcheck-node-XXXXXX", strcmp(parent_path, "/") ? parent_path : "");
	if (!mkdtemp(path)) {
		err = diag_fail(
			diag, -errno,
			"node: failed to make a datadir in '%s': %s; set TMPDIR to choose another place",
			parent_path, strerror(errno));
		free(path);
		goto out;
	}
	datadir->path = path;
	datadir->name = strrchr(path, '/') + 1;
	datadir->parent_fd = open(parent_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (datadir->parent_fd >= 0)
		datadir->fd = openat(datadir->parent_fd, datadir->name,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (datadir->fd < 0 || (uid != geteuid() && fchown(datadir->fd, uid, gid))) {
		err = diag_fail(diag, -errno, "node: failed to hand over the datadir '%s': %s", path,
				strerror(errno));
		rmdir(path);
		close_and_free(datadir);
		goto out;
	}
	err = 0;
out:
	free(parent_path);
	return err;
}

static int
open_dir(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Empties the directory; takes over fd. */
static void
remove_content(int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, "..") || unlinkat(fd, name, 0) == 0)
			continue;
		int sub_fd = depth < DEPTH_MAX ? open_dir(fd, name) : -1;
		if (sub_fd >= 0)
			remove_content(sub_fd, depth + 1);
		unlinkat(fd, name, AT_REMOVEDIR);
	}
	closedir(dir);
}

void
datadir_remove_all(struct datadir *datadir)
{
	for (int round = 0; datadir->fd >= 0 && round < REMOVE_ROUNDS; round++) {
		int fd = open_dir(datadir->fd, ".");

		if (fd >= 0)
			remove_content(fd, 0);
		if (!unlinkat(datadir->parent_fd, datadir->name, AT_REMOVEDIR) || errno == ENOENT)
			break;
		clock_pause_ms(ROUND_MS, deadline_in_ms(ROUND_MS));
	}
	close_and_free(datadir);
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
