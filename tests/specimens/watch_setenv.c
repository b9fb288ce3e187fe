/* To be preloaded: ends the program where it adds a variable to its environment, unless at its start. To add one may
 * move all of them, while another thread reads them. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
setenv(const char *name, const char *value, int overwrite)
{
	int (*next)(const char *, const char *, int);

	*(void **)&next = dlsym(RTLD_NEXT, "setenv");
	if (!getenv(name) && *value && strcmp(name, "TMPDIR") != 0) {
		fprintf(stderr, "setenv adds %s\n", name);
		_exit(88);
	}
	return next(name, value, overwrite);
}
