/* A module that makes a program see an older kernel, by what bpf() and uname() answer. OLD_KERNEL=5.10: maps count as
 * locked memory, programs of uprobes may not sleep, and the kernel is not preemptible. OLD_KERNEL=5.19: it is, and maps
 * do not count. OLD_KERNEL=6.1: programs may sleep, but there is no uprobe_multi link. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { UPROBE_MULTI = 48 }; /* BPF_TRACE_UPROBE_MULTI, in linux/bpf.h since 6.6 */
static bool is_5_10, is_6_1;
static long (*real_syscall)(long number, ...);

__attribute__((constructor)) static void
find_syscall(void)
{
	const char *release = getenv("OLD_KERNEL");

	is_5_10 = release && !strcmp(release, "5.10");
	is_6_1 = release && !strcmp(release, "6.1");
	real_syscall = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
}

/* The error for a bpf() call; 0 if there is none. */
static int
refuse(long command, const union bpf_attr *attr)
{
	uint64_t bytes = (uint64_t)attr->value_size * attr->max_entries;
	struct rlimit limit;

	if (command == BPF_PROG_LOAD && !is_6_1 && (attr->prog_flags & BPF_F_SLEEPABLE))
		return EINVAL;
	if (command == BPF_LINK_CREATE && attr->link_create.attach_type == UPROBE_MULTI)
		return EINVAL;
	if (command == BPF_MAP_CREATE && is_5_10 && !getrlimit(RLIMIT_MEMLOCK, &limit) &&
	    bytes > limit.rlim_cur)
		return EPERM;
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
	int error = number == SYS_bpf ? refuse(args[0], (const union bpf_attr *)(uintptr_t)args[1]) : 0;
	if (error) {
		errno = error;
		return -1;
	}
	return real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

int
uname(struct utsname *un)
{
	if (real_syscall(SYS_uname, un))
		return -1;
	snprintf(un->release, sizeof(un->release), "%s", is_5_10 ? "5.10.0" : is_6_1 ? "6.1.0" : "5.19.0");
	snprintf(un->version, sizeof(un->version), "#1 SMP%s", is_5_10 ? "" : " PREEMPT");
	return 0;
}
