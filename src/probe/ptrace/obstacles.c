/* One trial: a child process is traced as a bitcoind would be. Nothing but a trial shows what a security module or a
 * container's seccomp profile allows. */
#include "probe/ptrace/obstacles.h"

#include "base/machine.h"
#include "base/privileges.h"
#include "base/signals.h"
#include "probe/process.h"
#include "probe/ptrace/regs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum step { STEP_NONE, STEP_FORK, STEP_SEIZE, STEP_STOP, STEP_REGISTERS, STEP_READ, STEP_OPEN, STEP_WRITE };

static const char *const step_names[] = {
	[STEP_NONE] = "nothing",
	[STEP_FORK] = "fork",
	[STEP_SEIZE] = "ptrace(PTRACE_SEIZE)",
	[STEP_STOP] = "ptrace(PTRACE_INTERRUPT)",
	[STEP_REGISTERS] = "ptrace(PTRACE_GETREGSET)",
	[STEP_READ] = "process_vm_readv",
	[STEP_OPEN] = "opening /proc/PID/mem",
	[STEP_WRITE] = "writing to /proc/PID/mem",
};

struct failure {
	enum step step;
	int errno_value;
};

static struct failure
fail(enum step step)
{
	return (struct failure){.step = step, .errno_value = errno};
}

/* In a process of its own, as ptrace changes how children are waited for. */
static struct failure
try_child(pid_t child)
{
	static uint64_t word = 1;
	uint64_t found = 0;
	struct iovec local = {.iov_base = &found, .iov_len = sizeof(found)};
	struct iovec remote = {.iov_base = &word, .iov_len = sizeof(word)};
	struct regs regs;
	char path[64];
	int status;

	if (ptrace(PTRACE_SEIZE, child, NULL, (void *)(intptr_t)PTRACE_O_EXITKILL))
		return fail(STEP_SEIZE);
	if (ptrace(PTRACE_INTERRUPT, child, NULL, NULL) || waitpid(child, &status, __WALL) != child)
		return fail(STEP_STOP);
	if (regs_read(child, &regs))
		return fail(STEP_REGISTERS);
	if (process_vm_readv(child, &local, 1, &remote, 1, 0) != sizeof(found) || found != word)
		return fail(STEP_READ);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)child);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(STEP_OPEN);
	/* As for a trap: into a page that the process itself may only read. */
	if (pwrite(fd, step_names, 1, (off_t)(uintptr_t)step_names) != 1)
		return fail(STEP_WRITE);
	return (struct failure){STEP_NONE, 0};
}

/* As bitcoind: without privileges, and therefore open to whoever has as few. A tpcheck whose file has capabilities is
 * not, and neither are processes that it forks. */
static _Noreturn void
be_traced(int ready_fd, pid_t parent)
{
	bool is_ready =
		!signals_end_with(parent) && !privileges_drop() && !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (write(ready_fd, &is_ready, sizeof(is_ready)) != sizeof(is_ready))
		_exit(1);
	for (;;)
		pause();
}

static _Noreturn void
try_in_child(int report_fd)
{
	struct failure failure;
	bool is_ready;
	int fds[2];
	pid_t parent = getpid(), child = pipe2(fds, O_CLOEXEC) ? -1 : fork();

	if (!child)
		be_traced(fds[1], parent);
	failure = child < 0 ? fail(STEP_FORK) : (struct failure){STEP_NONE, 0};
	if (child > 0)
		close(fds[1]);
	if (child > 0 && read(fds[0], &is_ready, sizeof(is_ready)) != sizeof(is_ready))
		failure = (struct failure){STEP_FORK, EIO};
	if (failure.step == STEP_NONE)
		failure = try_child(child);
	if (child > 0)
		kill(child, SIGKILL);
	_exit(write(report_fd, &failure, sizeof(failure)) != sizeof(failure));
}

static struct failure
try_all(void)
{
	struct failure failure = {STEP_FORK, EIO};
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return fail(STEP_FORK);
	pid_t pid = fork();
	if (!pid)
		try_in_child(fds[1]);
	close(fds[1]);
	if (pid < 0)
		failure = fail(STEP_FORK);
	else if (read(fds[0], &failure, sizeof(failure)) != sizeof(failure))
		failure = (struct failure){STEP_FORK, EIO};
	close(fds[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return failure;
}

/* kernel.yama.ptrace_scope; -1: the kernel has no yama. */
static int
yama_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (file) {
		if (fscanf(file, "%d", &scope) != 1)
			scope = -1;
		fclose(file);
	}
	return scope;
}

static void
explain(const struct failure *failure, struct probe_feature *feature)
{
	int scope = yama_scope(), tracer = process_tracer(getpid());
	char traced[128];
	const char *remedy =
		"a security module or the container's seccomp profile forbids it: allow it (the default profiles of docker and podman do)";

	snprintf(traced, sizeof(traced),
		 "process %d traces tpcheck and what it starts: run tpcheck without that", tracer);
	bool lacks_files = failure->errno_value == EMFILE || failure->errno_value == ENFILE;

	feature->needs_boot = !lacks_files && (scope == 3 || failure->step == STEP_WRITE);
	if (lacks_files)
		remedy = "raise the limit of open files (ulimit -n, RLIMIT_NOFILE)";
	else if (scope == 3)
		remedy =
			"kernel.yama.ptrace_scope is 3, which forbids ptrace until the next boot: boot with 0 or 1";
	else if (scope == 2 && !privileges_has(CAP_SYS_PTRACE))
		remedy =
			"kernel.yama.ptrace_scope is 2: set it to 1 or 0 (sysctl), or give tpcheck CAP_SYS_PTRACE";
	else if (failure->step == STEP_FORK)
		remedy = "raise the limit of processes (ulimit -u)";
	else if (failure->step == STEP_WRITE)
		remedy =
			"the kernel was built or booted so that traps cannot be set (proc_mem.force_override)";
	else if (tracer)
		remedy = traced;
	snprintf(feature->detail, sizeof(feature->detail), "%s: %s; %s", step_names[failure->step],
		 strerror(failure->errno_value), remedy);
}

bool
ptrace_find_early_obstacle(enum probe_method method, char *reason, size_t reason_sz)
{
	struct utsname un;

	(void)method;
	uname(&un);
	if (access("/proc/self/exe", F_OK))
		snprintf(reason, reason_sz, "proc: /proc is not mounted; mount it: mount -t proc proc /proc");
	else if (!process_has_probes(un.machine))
		snprintf(
			reason, reason_sz,
			"machine: Linux on %s; the probes read arguments on %s only: run tpcheck on such a machine",
			un.machine, machine_names());
	else if (process_is_under_valgrind())
		snprintf(
			reason, reason_sz,
			"valgrind: running under it: it does not execute traps; run tpcheck and bitcoind without it");
	else
		return false;
	return true;
}

bool
ptrace_find_obstacle(enum probe_method method, char *reason, size_t reason_sz)
{
	struct probe_feature feature;

	if (ptrace_find_early_obstacle(method, reason, reason_sz))
		return true;
	ptrace_try_features(&feature, NULL);
	if (!feature.ok)
		snprintf(reason, reason_sz, "%s: %s", feature.name, feature.detail);
	return !feature.ok;
}

/* Fills one. */
size_t
ptrace_try_features(struct probe_feature features[], const char *kernel_source)
{
	struct failure failure = try_all();
	struct probe_feature *feature = &features[0];

	(void)kernel_source;
	*feature = (struct probe_feature){.name = "attach: ptrace", .ok = failure.step == STEP_NONE};
	if (feature->ok)
		snprintf(feature->detail, sizeof(feature->detail),
			 "traps in the process: no privilege is required");
	else
		explain(&failure, feature);
	return 1;
}
