#include "base/module.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
module_find(const char *name, char *path, size_t path_sz)
{
	size_t name_sz = strlen(name) + 1;
	ssize_t n = path_sz > name_sz ? readlink("/proc/self/exe", path, path_sz - name_sz) : -1;
	int err = n < 0 ? -errno : -ENOENT;

	path[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(path, '/');
	if (n <= 0 || *path != '/' || (size_t)(slash + 1 - path) + name_sz > path_sz) {
		snprintf(path, path_sz, "/proc/self/exe: %s",
			 n < 0 ? strerror(-err) : "it is not the path of this program");
		return err;
	}
	memcpy(slash + 1, name, name_sz);
	return 0;
}
