/* A module that makes a program and what it forks see kernel.yama.ptrace_scope 1: PTRACE_SEIZE by syscall() is refused,
 * except for the process that was the last to allow it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static long (*real_syscall)(long number, ...);
static pid_t *allowing; /* shared with what is forked */

/* Other constructors may call what is below before this one runs. */
__attribute__((constructor)) static void
set_up(void)
{
	if (real_syscall)
		return;
	allowing = mmap(NULL, sizeof(*allowing), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	real_syscall = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
}

/* A thread of the process that allows it. */
static bool
is_allowed(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)*allowing, (int)tid);
	return !access(path, F_OK);
}

int
prctl(int option, ...)
{
	unsigned long args[4];
	va_list ap;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		args[i] = va_arg(ap, unsigned long);
	va_end(ap);
	set_up();
	if (option != PR_SET_PTRACER)
		return (int)real_syscall(SYS_prctl, option, args[0], args[1], args[2], args[3]);
	*allowing = getpid();
	return 0;
}

long
syscall(long number, ...)
{
	long args[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	set_up();
	if (number == SYS_ptrace && args[0] == PTRACE_SEIZE && !is_allowed((pid_t)args[1])) {
		errno = EPERM;
		return -1;
	}
	return real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
