/* A module for LD_PRELOAD: the call of vasprintf with the number $STARVE_AT, counted from 1, runs out of memory. With
 * $STARVE_BY_ABORT it does what LLVM does then, and the process gets no more memory than it has. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int vasprintf(char **out, const char *fmt, va_list ap);
int __vasprintf_chk(char **out, int flag, const char *fmt, va_list ap);

static unsigned long calls, starve_at;
static int by_abort;

/* Programs may drop the variable. */
__attribute__((constructor)) static void
prepare(void)
{
	const char *value = getenv("STARVE_AT");

	by_abort = getenv("STARVE_BY_ABORT") != NULL;
	starve_at = value ? strtoul(value, NULL, 10) : 0;
}

static void
get_no_more(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file || fscanf(file, "%lu", &pages) != 1)
		_exit(98);
	fclose(file);
	struct rlimit limit = {pages * (unsigned long)getpagesize(), RLIM_INFINITY};
	setrlimit(RLIMIT_AS, &limit);
}

static int
starves(void)
{
	return __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == starve_at;
}

__attribute__((format(printf, 2, 0))) int
vasprintf(char **out, const char *fmt, va_list ap)
{
	int (*real)(char **, const char *, va_list);

	*(void **)&real = dlsym(RTLD_NEXT, "vasprintf");
	if (!starves())
		return real(out, fmt, ap);
	if (by_abort) {
		get_no_more();
		abort();
	}
	errno = ENOMEM;
	return -1;
}

/* What the compiler makes of it with -D_FORTIFY_SOURCE. */
__attribute__((format(printf, 3, 0))) int
__vasprintf_chk(char **out, int flag, const char *fmt, va_list ap)
{
	(void)flag;
	return vasprintf(out, fmt, ap);
}
