#include "probe/bpf/kernel_tree.h"

#include "base/xmem.h"
#include "probe/bpf/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char prefix[] = "kernel/";

static int
write_file(const char *root, const char *relative, const char *text)
{
	char *path = xasprintf("%s/%s", root, relative);
	int err = 0;

	for (char *slash = strchr(path + strlen(root) + 1, '/'); slash && !err;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			err = -errno;
		*slash = '/';
	}
	int fd = err ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t len = strlen(text);
	if (!err && fd < 0)
		err = -errno;
	ssize_t n = fd < 0 ? -1 : write(fd, text, len);
	if (!err && n != (ssize_t)len)
		err = n < 0 ? -errno : -ENOSPC;
	if (fd >= 0)
		close(fd);
	free(path);
	return err;
}

int
kernel_tree_write(char **path, const char *tmpdir, struct diag *diag)
{
	char *root = xasprintf("%s/tpcheck-headers-XXXXXX", tmpdir ? tmpdir : "/tmp");

	*path = NULL;
	if (!mkdtemp(root)) {
		int err = diag_fail(
			diag, -errno,
			"probe: failed to create directory '%s': %s; set TMPDIR to a directory that can be written to",
			root, strerror(errno));
		free(root);
		return err;
	}
	for (const struct embedded_file *file = embedded_files; file->path; file++) {
		if (strncmp(file->path, prefix, sizeof(prefix) - 1))
			continue;
		int err = write_file(root, file->path + sizeof(prefix) - 1, file->text);
		if (err) {
			diag_fail(diag, err, "probe: failed to write '%s' below '%s': %s", file->path, root,
				  strerror(-err));
			kernel_tree_remove(root);
			return err;
		}
	}
	*path = root;
	return 0;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void
kernel_tree_remove(char *path)
{
	if (path)
		nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(path);
}
