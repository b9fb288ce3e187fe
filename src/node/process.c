/* Between fork and exec only async-signal-safe calls are allowed, as another thread may have held any lock at the fork;
 * so everything that the child needs is in struct plan before. A step that fails in the child goes to the parent by a
 * pipe, which the exec closes. */
#include "node/process.h"

#include "base/limits.h"
#include "base/privileges.h"
#include "base/signals.h"
#include "base/text.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum step {
	STEP_SESSION,
	STEP_OUTPUT,
	STEP_NETWORK,
	STEP_USER_NAMESPACE,
	STEP_GROUPS,
	STEP_GID,
	STEP_UID,
	STEP_PRIVILEGES,
	STEP_DEATH_SIGNAL,
	STEP_DIR,
	STEP_EXEC,
};

static const char *const step_names[] = {
	[STEP_SESSION] = "setsid",
	[STEP_OUTPUT] = "dup2",
	[STEP_NETWORK] = "setns (network)",
	[STEP_USER_NAMESPACE] = "setns (user)",
	[STEP_GROUPS] = "setgroups",
	[STEP_GID] = "setresgid",
	[STEP_UID] = "setresuid",
	[STEP_PRIVILEGES] = "giving up privileges",
	[STEP_DEATH_SIGNAL] = "prctl(PR_SET_PDEATHSIG)",
	[STEP_DIR] = "chdir",
	[STEP_EXEC] = "execve",
};

enum { KILL_MS = 5000 };

struct failure {
	enum step step;
	int errno_value;
};

struct plan {
	const struct process_opts *opts;
	pid_t parent;
	/* All above 2 and close-on-exec, or -1. */
	int program_fd, null_fd, output_fd, report_fd, network_fd, user_ns_fd;
};

static void
fill_user(struct process_user *user, const struct passwd *entry, uid_t uid, gid_t gid)
{
	user->uid = entry ? entry->pw_uid : uid;
	user->gid = entry ? entry->pw_gid : gid;
	if (entry)
		snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
	else
		snprintf(user->name, sizeof(user->name), "%u", (unsigned)uid);
}

static bool
parse_id(const char *s, uint32_t *id)
{
	uint64_t n;

	if (!s || !parse_u64(s, &n) || n >= UINT32_MAX)
		return false;
	*id = (uint32_t)n;
	return true;
}

static int
find_named_user(struct process_user *user, const char *name, struct diag *diag)
{
	struct passwd entry, *found = NULL;
	char strings[16384];
	uint32_t uid;

	if (parse_id(name, &uid)) {
		getpwuid_r(uid, &entry, strings, sizeof(strings), &found);
		fill_user(user, found, uid, uid);
	} else {
		getpwnam_r(name, &entry, strings, sizeof(strings), &found);
		if (!found)
			return diag_fail(
				diag, -ENOENT,
				"node: failed to find user '%s'; choose one that getent passwd lists", name);
		fill_user(user, found, 0, 0);
	}
	if (geteuid() != 0 && user->uid != geteuid())
		return diag_fail(diag, -EPERM,
				 "node: failed to run as user '%s': only root can choose a user", name);
	return 0;
}

static void
find_default_user(struct process_user *user, const char *sudo_uid)
{
	struct passwd entry, *found = NULL;
	char strings[16384];
	uint32_t uid;

	if (geteuid() != 0) {
		getpwuid_r(geteuid(), &entry, strings, sizeof(strings), &found);
		fill_user(user, found, geteuid(), getegid());
	} else if (parse_id(sudo_uid, &uid) && uid &&
		   !getpwuid_r(uid, &entry, strings, sizeof(strings), &found) && found && found->pw_gid) {
		/* Not SUDO_GID: a variable must not give a user another group. */
		fill_user(user, found, uid, 0);
	} else {
		getpwnam_r("nobody", &entry, strings, sizeof(strings), &found);
		fill_user(user, found, 65534, 65534);
	}
}

/* Ourselves, as root. */
static void
find_root(struct process_user *user)
{
	struct passwd entry, *found = NULL;
	char strings[16384];

	getpwuid_r(0, &entry, strings, sizeof(strings), &found);
	fill_user(user, found, 0, getegid());
	user->gid = getegid();
	user->change = false;
}

/* In the child. */

static void
reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	for (int signo = 1; signo < _NSIG; signo++)
		sigaction(signo, &action, NULL); /* fails for those that always have the default */
}

static void
mark_close_on_exec(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0)
		return;
#endif
	/* Before Linux 5.11. */
	struct rlimit limit;
	int end =
		getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
	for (int fd = 3; fd < end; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static _Noreturn void
fail_child(const struct plan *plan, enum step step)
{
	struct failure failure = {step, errno};
	ssize_t n = write(plan->report_fd, &failure, sizeof(failure));

	_exit(n == sizeof(failure) ? 127 : 126);
}

/* The raw calls: glibc's signal all threads of the process, of which the fork left only this one. */
static int
change_user(const struct process_user *user, enum step *step)
{
	*step = STEP_GROUPS;
	if (syscall(SYS_setgroups, 0, NULL))
		return -1;
	*step = STEP_GID;
	if (syscall(SYS_setresgid, user->gid, user->gid, user->gid))
		return -1;
	*step = STEP_UID;
	return (int)syscall(SYS_setresuid, user->uid, user->uid, user->uid);
}

int
process_become(const struct process_user *user)
{
	enum step step;

	return user->change ? change_user(user, &step) : 0;
}

/* Becomes the user and enters the network. Whoever made a user namespace has all capabilities in it; whoever did not
 * needs its own to enter the network, and loses them with the user. */
static int
change_user_and_network(const struct plan *plan, enum step *step)
{
	const struct process_user *user = plan->opts->user;
	bool is_inside = plan->user_ns_fd >= 0;

	*step = STEP_NETWORK;
	if (plan->network_fd >= 0 && !is_inside && setns(plan->network_fd, CLONE_NEWNET))
		return -1;
	privileges_empty_bounds();
	if (user->change && change_user(user, step))
		return -1;
	if (!is_inside)
		return 0;
	*step = STEP_USER_NAMESPACE;
	if (setns(plan->user_ns_fd, CLONE_NEWUSER))
		return -1;
	*step = STEP_NETWORK;
	if (setns(plan->network_fd, CLONE_NEWNET))
		return -1;
	privileges_empty_bounds(); /* which are full again */
	return 0;
}

static _Noreturn void
run_child(const struct plan *plan)
{
	const struct process_opts *opts = plan->opts;
	enum step step = STEP_SESSION;
	sigset_t none;

	reset_signals();
	if (setsid() < 0)
		fail_child(plan, step);
	umask(077);
	if (dup2(plan->null_fd, 0) < 0 || dup2(plan->output_fd, 1) < 0 || dup2(plan->output_fd, 2) < 0)
		fail_child(plan, STEP_OUTPUT);
	limits_restore_memory();
	if (change_user_and_network(plan, &step))
		fail_child(plan, step);
	if (privileges_drop())
		fail_child(plan, STEP_PRIVILEGES);
	/* After the user, as changing it clears this. */
	if (signals_end_with(plan->parent))
		fail_child(plan, STEP_DEATH_SIGNAL);
	if (opts->dir && chdir(opts->dir))
		fail_child(plan, STEP_DIR);
	/* With kernel.yama.ptrace_scope 1 only its ancestors may trace it, and whom it names: us, with our descendants.
	 * This outlasts the exec. Without yama it fails. */
	prctl(PR_SET_PTRACER, (unsigned long)plan->parent, 0, 0, 0);
	mark_close_on_exec();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* By its path first, which gives it its name in ps and lets scripts run; by the open file when the user cannot
	 * reach that path. */
	execve(opts->program, opts->argv, opts->envp);
	if (errno == EACCES) {
		syscall(SYS_execveat, plan->program_fd, "", opts->argv, opts->envp, AT_EMPTY_PATH);
		if (errno == ENOENT || errno == ENOSYS)
			errno = EACCES; /* a script: its interpreter would have to open the path */
	}
	fail_child(plan, STEP_EXEC);
}

/* Choosing the user. */

/* Whether a child could become that user: 0 or a negative errno value. Success is remembered, as a fork for each node
 * costs milliseconds; what forbids it later is an error of the start. */
static int
try_user(const struct process_user *user)
{
	static _Atomic uint64_t tried = UINT64_MAX;
	uint64_t ids = (uint64_t)user->uid << 32 | user->gid;
	int status;

	if (tried == ids)
		return 0;
	pid_t pid = fork();
	if (pid == 0)
		_exit(process_become(user) ? errno : 0);
	if (pid < 0)
		return 0; /* the start reports it */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	if (!WIFEXITED(status))
		return 0;
	if (!WEXITSTATUS(status))
		tried = ids;
	return -WEXITSTATUS(status);
}

/* Why a process of that user could not be started, ended, or looked into; NULL if it can. The caller frees it. */
static char *
find_user_obstacle(const struct process_user *user, bool same_user)
{
	static const struct {
		unsigned capability;
		const char *text;
	} required[] = {
		{CAP_KILL, "without CAP_KILL it could not be ended"},
		{CAP_CHOWN, "without CAP_CHOWN it could not be given a datadir"},
		{CAP_DAC_OVERRIDE, "without CAP_DAC_OVERRIDE its datadir could not be used"},
		{CAP_SETUID, "this needs CAP_SETUID"},
		{CAP_SETGID, "this needs CAP_SETGID"},
	};

	if (same_user)
		return xstrdup("without CAP_SYS_PTRACE the memory of its process could not be read");
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
		if (!privileges_has(required[i].capability))
			return xstrdup(required[i].text);
	int err = try_user(user);
	return err ? xasprintf("changing to it is refused: %s", strerror(-err)) : NULL;
}

/* Stays root where the default user is impossible. */
static void
fall_back(struct process_user *user, bool same_user)
{
	char *obstacle = find_user_obstacle(user, same_user);
	char name[sizeof(user->name)];

	if (!obstacle)
		return;
	memcpy(name, user->name, sizeof(name));
	find_root(user);
	snprintf(user->note, sizeof(user->note), "bitcoind runs as '%s', like tpcheck, and not as '%s': %s",
		 user->name, name, obstacle);
	free(obstacle);
}

int
process_find_user(struct process_user *user, const struct process_user_opts *opts, struct diag *diag)
{
	int err = 0;

	*user = (struct process_user){0};
	if (opts->name)
		err = find_named_user(user, opts->name, diag);
	else
		find_default_user(user, opts->sudo_uid);
	user->change = geteuid() == 0 && user->uid != 0;
	if (!err && user->change && !opts->name)
		fall_back(user, opts->same_user);
	return err;
}

/* Starting. */

static int
explain(const struct process_opts *opts, struct failure failure, struct diag *diag)
{
	const char *user = opts->user->name, *help = "";
	int err = -failure.errno_value;
	struct statvfs fs;

	if (failure.step == STEP_DIR && err == -EACCES)
		return diag_fail(
			diag, -EACCES,
			"node: failed to start '%s': user '%s' cannot enter '%s'; set TMPDIR to choose another place, or let the user pass every directory above it (chmod o+x)",
			opts->program, user, opts->dir);
	if (failure.step == STEP_GROUPS || failure.step == STEP_GID || failure.step == STEP_UID)
		help = "; this container or user namespace does not let root become that user: choose another one";
	if (failure.step == STEP_EXEC && err == -EACCES)
		help = "; the user must be able to execute it (chmod a+rx, a file system without noexec) and, for a script, to read it and pass the directories above it";
	if (failure.step == STEP_EXEC && err == -EACCES && !statvfs(opts->program, &fs) &&
	    (fs.f_flag & ST_NOEXEC))
		help = "; its file system is mounted with noexec: copy it to one that is not";
	if (failure.step == STEP_EXEC && err == -EPERM)
		help = "; if it has file capabilities (getcap), remove them: bitcoind needs none here";
	if (failure.step == STEP_EXEC && err == -ENOENT)
		help = "; the file is there, but the loader or interpreter that it names is not";
	if (failure.step == STEP_EXEC && err == -ENOEXEC)
		help = "; it is not a program for this machine";
	return diag_fail(diag, err, "node: failed to start '%s' as user '%s': %s: %s%s", opts->program, user,
			 step_names[failure.step], strerror(-err), help);
}

/* An inherited descriptor 0, 1 or 2 may be closed, so that open could return one of these. */
static int
move_high(int low)
{
	int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 3);
	int errno_value = errno;

	if (low >= 0)
		close(low);
	errno = errno_value;
	return fd;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_plan(struct plan *plan)
{
	close_fd(&plan->program_fd);
	close_fd(&plan->null_fd);
	close_fd(&plan->output_fd);
	close_fd(&plan->network_fd);
	close_fd(&plan->user_ns_fd);
	close_fd(&plan->report_fd);
}

/* Opens what the child needs. *result_fd is the reading end of report_fd. */
static int
open_plan(struct plan *plan, int *result_fd, const struct process_opts *opts, struct diag *diag)
{
	int report[2] = {-1, -1};

	*plan = (struct plan){opts, getpid(), -1, -1, -1, -1, -1, -1};
	*result_fd = -1;
	plan->program_fd = move_high(open(opts->program, O_PATH | O_CLOEXEC));
	if (plan->program_fd < 0)
		return diag_fail(diag, -errno, "node: failed to open '%s': %s", opts->program,
				 strerror(errno));
	plan->null_fd = move_high(open("/dev/null", O_RDWR | O_CLOEXEC));
	bool ok = plan->null_fd >= 0;
	if (ok) {
		plan->output_fd = fcntl(opts->output_fd, F_DUPFD_CLOEXEC, 3);
		ok = plan->output_fd >= 0;
	}
	if (ok && opts->network_fd >= 0) {
		plan->network_fd = fcntl(opts->network_fd, F_DUPFD_CLOEXEC, 3);
		ok = plan->network_fd >= 0;
	}
	if (ok && opts->user_ns_fd >= 0) {
		plan->user_ns_fd = fcntl(opts->user_ns_fd, F_DUPFD_CLOEXEC, 3);
		ok = plan->user_ns_fd >= 0;
	}
	if (ok && !pipe2(report, O_CLOEXEC)) {
		*result_fd = report[0];
		plan->report_fd = move_high(report[1]);
	}
	if (plan->report_fd < 0)
		return diag_fail(diag, -errno, "node: failed to prepare the start of '%s': %s", opts->program,
				 strerror(errno));
	return 0;
}

/* Forks with all signals blocked: no handler of ours may run in the child. */
static pid_t
fork_child(const struct plan *plan)
{
	sigset_t before;

	signals_block(&before);
	pid_t pid = fork();
	if (pid == 0)
		run_child(plan);
	signals_restore(&before);
	return pid;
}

/* Waits until the child's end of the pipe is closed, by the exec or by its end; true if a step failed. */
static bool
read_failure(int result_fd, struct failure *failure)
{
	ssize_t n;

	do
		n = read(result_fd, failure, sizeof(*failure));
	while (n < 0 && errno == EINTR);
	return n == sizeof(*failure);
}

int
process_start(struct process *process, const struct process_opts *opts, struct diag *diag)
{
	struct failure failure;
	struct plan plan;
	int result_fd;

	*process = (struct process){.fd = -1};
	if (opts->user->change && !privileges_has(CAP_KILL))
		return diag_fail(
			diag, -EPERM,
			"node: failed to start '%s' as user '%s': it could not be ended without CAP_KILL; start the container with --cap-add=KILL, or choose --user=root",
			opts->program, opts->user->name);
	int err = open_plan(&plan, &result_fd, opts, diag);
	if (!err) {
		pid_t pid = fork_child(&plan);

		if (pid < 0)
			err = diag_fail(diag, -errno, "node: failed to start '%s': fork: %s", opts->program,
					strerror(errno));
		else
			*process = (struct process){.pid = pid, .fd = (int)syscall(SYS_pidfd_open, pid, 0)};
	}
	close_plan(&plan);
	if (!err && read_failure(result_fd, &failure)) {
		process_kill(process, NULL);
		err = explain(opts, failure, diag);
		*process = (struct process){.fd = -1};
	}
	close_fd(&result_fd);
	return err;
}

bool
process_has_ended(struct process *process)
{
	siginfo_t info = {0};

	if (process->ended || !process->pid)
		return true;
	/* As long as it is not reaped its pid belongs to no other process. */
	int rc = waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT);
	if (rc == 0 && info.si_pid == 0)
		return false;
	if (rc == 0) {
		kill(-process->pid, SIGKILL);
		process->status_known = waitpid(process->pid, &process->status, 0) == process->pid;
	} else if (errno != ECHILD) {
		return false;
	}
	process->ended = true;
	return true;
}

/* Waits up to ms for the end or a signal to us. */
static void
wait_a_little(struct process *process, unsigned ms)
{
	struct pollfd pollfd = {.fd = process->fd, .events = POLLIN};

	poll(&pollfd, 1, process->fd >= 0 ? (int)ms : 1);
}

bool
process_wait(struct process *process, struct deadline deadline, const atomic_int *interrupted)
{
	while (!process_has_ended(process)) {
		uint64_t left = deadline_left_ms(deadline);

		if (!left || (interrupted && *interrupted))
			return false;
		wait_a_little(process, left < 50 ? (unsigned)left : 50);
	}
	return true;
}

int
process_signal(struct process *process, int signo)
{
	if (process_has_ended(process))
		return -ESRCH;
	return kill(process->pid, signo) ? -errno : 0;
}

int
process_kill(struct process *process, struct diag *diag)
{
	struct deadline deadline = deadline_in_ms(KILL_MS);
	int err = 0;

	if (!process_has_ended(process)) {
		int kill_err = kill(process->pid, SIGKILL) ? -errno : -ETIMEDOUT;

		if (!process_wait(process, deadline, NULL))
			err = diag_fail(
				diag, kill_err,
				"node: failed to end process %d: %s; it still runs after %d s: end it yourself",
				(int)process->pid, strerror(-kill_err), KILL_MS / 1000);
	}
	if (process->fd >= 0)
		close(process->fd);
	process->fd = -1;
	return err;
}

void
process_describe_end(const struct process *process, const char *name, struct buf *out)
{
	buf_printf(out, "%s (pid %d) ", name, (int)process->pid);
	if (!process->status_known) {
		buf_puts(out, "ended in an unknown way");
	} else if (WIFSIGNALED(process->status)) {
		const char *signal_name = sigabbrev_np(WTERMSIG(process->status));

		buf_printf(out, "was killed by signal %d", WTERMSIG(process->status));
		if (signal_name)
			buf_printf(out, " (SIG%s)", signal_name);
		if (WCOREDUMP(process->status))
			buf_puts(out, " and dumped core");
		if (WTERMSIG(process->status) == SIGXFSZ)
			buf_puts(out, ": its files were too large for the limit (ulimit -f, RLIMIT_FSIZE)");
	} else {
		buf_printf(out, "exited with status %d", WEXITSTATUS(process->status));
	}
}
