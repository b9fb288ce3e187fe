#include "probe/bpf/kernel_tree.h"

#include "base/xmem.h"
#include "probe/bpf/embedded.h"

#include <errno.h>
#include <fcntl.h>
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
	if (!err && fd < 0)
		err = -errno;
	/* A short write is followed by one that fails with the reason. */
	for (size_t len = strlen(text); !err && len;) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			err = -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	free(path);
	return err;
}

int
kernel_tree_write(struct folder *folder, struct keeper *keeper, const char *tmpdir, struct diag *diag)
{
	int err =
		folder_make(folder, keeper, tmpdir ? tmpdir : "/tmp", "tpcheck-headers-", FOLDER_PLAIN, diag);

	if (err)
		return diag_prefix(diag, err, "probe");
	for (const struct embedded_file *file = embedded_files; file->path; file++) {
		if (strncmp(file->path, prefix, sizeof(prefix) - 1))
			continue;
		err = write_file(folder->path, file->path + sizeof(prefix) - 1, file->text);
		if (err) {
			diag_fail(diag, err, "probe: failed to write '%s' below '%s': %s%s", file->path,
				  folder->path, strerror(-err),
				  err == -ENOSPC || err == -EDQUOT
					  ? "; make room there, or set TMPDIR to another directory"
					  : "");
			kernel_tree_remove(folder);
			return err;
		}
	}
	return 0;
}

void
kernel_tree_remove(struct folder *folder)
{
	struct diag diag;

	if (folder_remove(folder, &diag))
		fprintf(stderr, "tpcheck: %s\n", diag.text);
}
