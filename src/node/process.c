#include "node/process.h"

#include "base/privileges.h"
#include "base/text.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum step {
	STEP_SESSION,
	STEP_OUTPUT,
	STEP_NETWORK,
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
	[STEP_NETWORK] = "setns",
	[STEP_GROUPS] = "setgroups",
	[STEP_GID] = "setresgid",
	[STEP_UID] = "setresuid",
	[STEP_PRIVILEGES] = "giving up privileges",
	[STEP_DEATH_SIGNAL] = "prctl(PR_SET_PDEATHSIG)",
	[STEP_DIR] = "chdir",
	[STEP_EXEC] = "execve",
};

struct failure {
	enum step step;
	int error;
};

/* What the child needs; all of it is ready before the fork. */
struct plan {
	const struct process_opts *opts;
	pid_t parent;
	int program_fd, null_fd, output_fd, report_fd, network_fd; /* all above 2 and close-on-exec, or -1 */
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

int
process_find_user(struct process_user *user, const char *name, struct diag *diag)
{
	struct passwd entry, *found = NULL;
	char strings[16384];
	uint32_t uid;

	*user = (struct process_user){0};
	if (name) {
		if (parse_id(name, &uid)) {
			getpwuid_r(uid, &entry, strings, sizeof(strings), &found);
			fill_user(user, found, uid, uid);
		} else {
			getpwnam_r(name, &entry, strings, sizeof(strings), &found);
			if (!found)
				return diag_fail(
					diag, -ENOENT,
					"node: failed to find user '%s'; choose one that getent passwd lists",
					name);
			fill_user(user, found, 0, 0);
		}
		if (geteuid() != 0 && user->uid != geteuid())
			return diag_fail(diag, -EPERM,
					 "node: failed to run as user '%s': only root can choose a user",
					 name);
	} else if (geteuid() != 0) {
		getpwuid_r(geteuid(), &entry, strings, sizeof(strings), &found);
		fill_user(user, found, geteuid(), getegid());
	} else if (parse_id(getenv("SUDO_UID"), &uid) && uid &&
		   !getpwuid_r(uid, &entry, strings, sizeof(strings), &found) && found && found->pw_gid) {
		/* Not SUDO_GID: a variable shall not give a user another's group. */
		fill_user(user, found, uid, 0);
	} else {
		getpwnam_r("nobody", &entry, strings, sizeof(strings), &found);
		fill_user(user, found, 65534, 65534);
	}
	user->change = geteuid() == 0 && user->uid != 0;
	return 0;
}

/* In the child only async-signal-safe calls are allowed: another thread may have held any lock at the
 * fork.
 * */

static void
reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	for (int signo = 1; signo < _NSIG; signo++)
		sigaction(signo, &action, NULL); /* fails for the few that cannot be set; these are default */
}

static void
mark_close_on_exec(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0)
		return;
#endif
	struct rlimit limit; /* before Linux 5.11 */
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

/* The raw calls: glibc's would tell the other threads, which a fork leaves behind. */
static int
change_user(const struct plan *plan, enum step *step)
{
	const struct process_user *user = plan->opts->user;

	*step = STEP_GROUPS;
	if (syscall(SYS_setgroups, 0, NULL))
		return -1;
	*step = STEP_GID;
	if (syscall(SYS_setresgid, user->gid, user->gid, user->gid))
		return -1;
	*step = STEP_UID;
	return (int)syscall(SYS_setresuid, user->uid, user->uid, user->uid);
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
	if (plan->network_fd >= 0 && setns(plan->network_fd, CLONE_NEWNET))
		fail_child(plan, STEP_NETWORK);
	privileges_empty_bounds();
	if (opts->user->change && change_user(plan, &step))
		fail_child(plan, step);
	if (privileges_drop())
		fail_child(plan, STEP_PRIVILEGES);
	/* Changing the user clears it, so it comes after; and the parent may have ended before it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		fail_child(plan, STEP_DEATH_SIGNAL);
	if (getppid() != plan->parent)
		_exit(126);
	if (chdir(opts->dir))
		fail_child(plan, STEP_DIR);
	mark_close_on_exec();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* By its path first, which gives it its name in ps and lets scripts run; by the open file when the
	 * user cannot get to that path. */
	execve(opts->program, opts->argv, opts->envp);
	if (errno == EACCES) {
		syscall(SYS_execveat, plan->program_fd, "", opts->argv, opts->envp, AT_EMPTY_PATH);
		if (errno == ENOENT || errno == ENOSYS)
			errno = EACCES; /* a script: its interpreter would have to open the path */
	}
	fail_child(plan, STEP_EXEC);
}

static int
explain(const struct process_opts *opts, struct failure failure, struct diag *diag)
{
	const char *user = opts->user->name, *help = "";
	int error = failure.error;

	if (failure.step == STEP_DIR && error == EACCES)
		return diag_fail(
			diag, -EACCES,
			"node: failed to start '%s': user '%s' cannot enter '%s'; choose another place with TMPDIR, or let the user pass every directory above it (chmod o+x)",
			opts->program, user, opts->dir);
	if (failure.step == STEP_GROUPS || failure.step == STEP_GID || failure.step == STEP_UID)
		help = "; this container or user namespace does not let root become that user: choose another one";
	if (failure.step == STEP_EXEC && error == EACCES)
		help = "; the user must be able to execute it (chmod a+rx, a file system without noexec) and, for a script, to read it and pass the directories above it";
	if (failure.step == STEP_EXEC && error == EPERM)
		help = "; if it has file capabilities (getcap), give it none: bitcoind needs none here";
	if (failure.step == STEP_EXEC && error == ENOENT)
		help = "; the file is there, but the loader or interpreter that it names is not";
	if (failure.step == STEP_EXEC && error == ENOEXEC)
		help = "; it is no program for this machine";
	return diag_fail(diag, -error, "node: failed to start '%s' as user '%s': %s: %s%s", opts->program,
			 user, step_names[failure.step], strerror(error), help);
}

static int
open_high(const char *path, int flags)
{
	int low = open(path, flags | O_CLOEXEC);
	int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 3);

	if (low >= 0)
		close(low);
	return fd;
}

static void
close_all(int *fds, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int
process_start(struct process *process, const struct process_opts *opts, struct diag *diag)
{
	/* program, null, output, both ends of the report pipe as made, its writing end moved up, network */
	int fds[7] = {-1, -1, -1, -1, -1, -1, -1};
	sigset_t all, old;
	int err;

	*process = (struct process){.fd = -1};
	if (opts->user->change && !privileges_has(CAP_KILL)) {
		err = diag_fail(
			diag, -EPERM,
			"node: failed to start '%s' as user '%s': it could not be ended without CAP_KILL; start the container with --cap-add=KILL, or choose --user=root",
			opts->program, opts->user->name);
		goto out;
	}
	fds[0] = open_high(opts->program, O_PATH);
	if (fds[0] < 0) {
		err = diag_fail(diag, -errno, "node: failed to open '%s': %s", opts->program,
				strerror(errno));
		goto out;
	}
	fds[1] = open_high("/dev/null", O_RDWR);
	fds[2] = fcntl(opts->output_fd, F_DUPFD_CLOEXEC, 3);
	if (opts->network_fd >= 0)
		fds[6] = fcntl(opts->network_fd, F_DUPFD_CLOEXEC, 3);
	if (fds[1] < 0 || fds[2] < 0 || (opts->network_fd >= 0 && fds[6] < 0) || pipe2(&fds[3], O_CLOEXEC) ||
	    (fds[5] = fcntl(fds[4], F_DUPFD_CLOEXEC, 3)) < 0) {
		err = diag_fail(diag, -errno, "node: failed to prepare the start of '%s': %s", opts->program,
				strerror(errno));
		goto out;
	}
	struct plan plan = {opts, getpid(), fds[0], fds[1], fds[2], fds[5], fds[6]};

	/* No handler of ours shall run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid_t pid = fork();
	if (pid == 0)
		run_child(&plan);
	err = pid < 0 ? -errno : 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		diag_fail(diag, err, "node: failed to start '%s': fork: %s", opts->program, strerror(-err));
		goto out;
	}
	process->pid = pid;
	process->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	close(fds[4]);
	close(fds[5]);
	fds[4] = fds[5] = -1;

	struct failure failure;
	ssize_t n;
	do
		n = read(fds[3], &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (n == sizeof(failure)) {
		process_kill(process);
		err = explain(opts, failure, diag);
		*process = (struct process){.fd = -1};
	}
out:
	close_all(fds, sizeof(fds) / sizeof(fds[0]));
	return err;
}

bool
process_has_ended(struct process *process)
{
	siginfo_t info = {0};

	if (process->ended || !process->pid)
		return true;
	/* While it is not reaped its id cannot mean anyone else. */
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
process_wait(struct process *process, struct deadline deadline, const volatile sig_atomic_t *interrupted)
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

void
process_kill(struct process *process)
{
	if (!process_has_ended(process)) {
		kill(process->pid, SIGKILL);
		while (!process_has_ended(process))
			wait_a_little(process, 50);
	}
	if (process->fd >= 0)
		close(process->fd);
	process->fd = -1;
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
	} else {
		buf_printf(out, "exited with status %d", WEXITSTATUS(process->status));
	}
}
