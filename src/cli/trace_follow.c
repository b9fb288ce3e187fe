#include "cli/trace_follow.h"

#include "base/clock.h"
#include "cli/binary.h"
#include "cli/bitcoind.h"
#include "cli/trace_child.h"
#include "cli/trace_target.h"
#include "node/node.h"
#include "node/pid_file.h"
#include "run/sanitizer.h"
#include "run/tracer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	POLL_MS = 100,       /* how often a PID file is read */
	ENDING_MS = 5000,    /* how long a process may take to end */
	DIFFERENCES_MAX = 3, /* how many are printed in full */
	REPORTS_MAX = 5,     /* likewise */
};

bool
trace_is_over(const struct trace_session *session)
{
	uint64_t started_ns = session->display.started_ns, duration_ns = session->options->duration_ns;

	return *session->interrupted ||
	       (duration_ns && started_ns && clock_now_ns() - started_ns >= duration_ns);
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void
trace_say_differences(struct trace_session *session, const struct tracer *tracer, const struct stat *binary)
{
	const struct findings *differences = &tracer_selection(tracer)->differences;

	if (is_same_file(&session->binary, binary))
		return;
	session->binary = *binary;
	for (size_t i = 0; i < differences->cnt && i < DIFFERENCES_MAX; i++)
		trace_display_say(&session->display, "note: %s; it is shown as found in the binary",
				  differences->items[i].message);
	if (differences->cnt > DIFFERENCES_MAX)
		trace_display_say(&session->display,
				  "note: and %zu more differences; 'tpcheck abi' lists them all",
				  differences->cnt - DIFFERENCES_MAX);
}

/* Makes the probes for a binary, unless they have been made for it already. */
static int
load(struct trace_session *session, const char *path, struct diag *diag)
{
	struct stat st;

	if (stat(path, &st))
		return diag_fail(
			diag, -errno, "failed to look at '%s': %s%s", path, strerror(errno),
			errno == EACCES
				? "; a process of another user, or one that may not be dumped, requires CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: run tpcheck as its user, with these two, or as root"
				: "");
	if (is_same_file(&session->binary, &st))
		return 0;
	session->binary = (struct stat){0};
	int err = tracer_load(session->tracer, path, binary_find_release(path, session->options->release),
			      diag);
	session->is_usage_error = trace_is_usage_error(err, path);
	if (!err)
		trace_say_differences(session, session->tracer, &st);
	return err;
}

bool
trace_is_usage_error(int err, const char *path)
{
	struct stat st;

	return (err == -ENOENT || err == -E2BIG || err == -EDOM) && !stat(path, &st);
}

void
trace_say_attached(struct trace_session *session, const struct tracer *tracer, pid_t pid)
{
	const struct selection *selection = tracer_selection(tracer);
	const char *why = tracer_why(tracer);
	bool is_ptrace = tracer_method(tracer) == PROBE_METHOD_PTRACE;
	unsigned cnt = 0;

	/* The reason is given once. */
	if (session->display.started_ns)
		why = NULL;
	trace_display_start(&session->display);
	for (size_t i = 0; i < SELECTION_MAX; i++)
		cnt += selection->rows[i] != NULL;
	trace_display_say(&session->display, "attached to %u tracepoint%s of process %d%s%s%s", cnt,
			  cnt == 1 ? "" : "s", (int)pid, is_ptrace ? " by ptrace" : "",
			  why ? ", because BPF cannot be used here: " : "", why ? why : "");
}

static int
attach(struct trace_session *session, pid_t pid, struct diag *diag)
{
	int err = tracer_attach(session->tracer, pid, diag);

	if (err)
		return err;
	session->pid = pid;
	trace_say_attached(session, session->tracer, pid);
	return 0;
}

static int
follow_process(struct trace_session *session, pid_t pid, int pidfd, enum tracer_end *end, struct diag *diag)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	session->is_attached = false;
	int err = load(session, path, diag);
	if (!err)
		err = attach(session, pid, diag);
	session->is_attached = !err;
	if (!err)
		err = tracer_follow(session->tracer, pidfd, end, diag);
	tracer_detach(session->tracer);
	return err;
}

/* Opens the process that was meant by a number. */
static int
open_given(struct trace_session *session, pid_t *pid, int *pidfd, struct diag *diag)
{
	pid_t given = session->options->pids[0];
	int err = trace_target_find(given, pid, diag);

	if (!err)
		err = pid_open(*pid, pidfd, diag);
	session->is_usage_error = err != 0;
	if (!err && *pid != given)
		trace_display_say(&session->display, "%d is a thread of process %d", (int)given, (int)*pid);
	return err;
}

/* Follows the process or, if its program has no tracepoints, the one that it started: a shell's, an init's or a
 * wrapper's child. *pid and *pidfd become its. */
static int
follow_family(struct trace_session *session, pid_t *pid, int *pidfd, enum tracer_end *end, struct diag *diag)
{
	int child_pidfd, err = trace_target_is_loader(*pid)
				       ? diag_fail(diag, -ENODATA, "it is the loader")
				       : follow_process(session, *pid, *pidfd, end, diag);

	if ((err != -ENODATA && err != -ENOENT && err != -ENOEXEC) || pidfd_has_ended(*pidfd))
		return err;
	bool is_pattern = session->is_usage_error;
	struct diag first = *diag;
	pid_t child = trace_target_explain(*pid, err, diag);
	if (err == -ENOENT && !is_pattern)
		err = -ENODATA; /* there is no program */
	if (is_pattern && !child)
		*diag = first;
	if (!child || pid_open(child, &child_pidfd, NULL))
		return err;
	trace_display_say(&session->display, "%s", diag->text);
	session->is_usage_error = false;
	close(*pidfd);
	*pid = child;
	*pidfd = child_pidfd;
	return follow_process(session, child, child_pidfd, end, diag);
}

static int
follow_pid(struct trace_session *session, struct diag *diag)
{
	enum tracer_end end = TRACER_TIME_OVER;
	pid_t pid;
	int pidfd, err = open_given(session, &pid, &pidfd, diag);

	if (err)
		return err;
	err = follow_family(session, &pid, &pidfd, &end, diag);
	if (err && !session->display.started_ns && pidfd_has_ended(pidfd))
		diag_fail(diag, err, "process %d ended before it could be traced", (int)pid);
	close(pidfd);
	if (!err && end == TRACER_PROCESS_ENDED)
		trace_display_say(&session->display, "process %d ended", (int)pid);
	return err;
}

/* Waits until the file names a process that runs. -EINTR when it is time to end. */
static int
wait_for_pid(struct trace_session *session, pid_t *pid, int *pidfd, struct diag *diag)
{
	const char *file = session->options->pid_file;

	for (;;) {
		int err = pid_file_open(file, pid, pidfd, diag);

		session->is_usage_error = err && err != -EAGAIN;
		if (err != -EAGAIN)
			return err;
		if (!session->is_waiting_announced)
			trace_display_say(&session->display, "%s; waiting for a PID there", diag->text);
		session->is_waiting_announced = true;
		if (!trace_display_pause(&session->display) || trace_is_over(session))
			return -EINTR;
		clock_pause_ms(POLL_MS, deadline_in_ms(POLL_MS));
	}
}

/* A process that is exiting has no program any more: its end is waited for. Returns whether it has ended. */
static bool
wait_if_ending(pid_t pid, int pidfd)
{
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};
	char path[64], target[2];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (readlink(path, target, sizeof(target)) >= 0 || errno != ENOENT)
		return pidfd_has_ended(pidfd);
	return poll(&pollfd, 1, ENDING_MS) == 1;
}

/* Waits for the end of a process that cannot be traced. */
static void
wait_for_end(struct trace_session *session, int pidfd)
{
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

	while (!pidfd_has_ended(pidfd) && trace_display_pause(&session->display) && !trace_is_over(session))
		poll(&pollfd, 1, POLL_MS);
}

static int
follow_pid_file(struct trace_session *session, struct diag *diag)
{
	while (!trace_is_over(session)) {
		enum tracer_end end = TRACER_PROCESS_ENDED;
		pid_t pid;
		int pidfd, err = wait_for_pid(session, &pid, &pidfd, diag);

		if (err)
			return err == -EINTR ? 0 : err;
		err = follow_family(session, &pid, &pidfd, &end, diag);
		/* That a process ended before tpcheck could attach is not a failure. */
		if (err && (session->is_attached || !wait_if_ending(pid, pidfd))) {
			if (!session->display.started_ns) {
				close(pidfd);
				return err;
			}
			session->was_process_untraced = true;
			trace_display_say(&session->display, "process %d cannot be traced: %s", (int)pid,
					  diag->text);
			wait_for_end(session, pidfd);
		}
		close(pidfd);
		if (end != TRACER_PROCESS_ENDED)
			return 0;
		trace_display_say(&session->display, "process %d ended; waiting for a new PID in '%s'",
				  (int)pid, session->options->pid_file);
		session->is_waiting_announced = true;
	}
	return 0;
}

/* Attaches to the child and follows it. The child has run for some microseconds since its exec; it is stopped until the
 * probes are in place. */
static int
follow_child(struct trace_session *session, struct trace_child *child, struct diag *diag)
{
	enum tracer_end end = TRACER_TIME_OVER;
	int pidfd, err;

	trace_child_signal(child, SIGSTOP);
	if (child->node)
		trace_display_say(
			&session->display,
			"started bitcoind on a private regtest; to reach it: bitcoin-cli -regtest -datadir=%s -rpcport=%u",
			node_datadir(child->node), node_rpc_port(child->node));
	err = pid_open(trace_child_pid(child), &pidfd, diag);
	if (err) {
		trace_child_signal(child, SIGCONT);
		return err;
	}
	err = attach(session, trace_child_pid(child), diag);
	trace_child_signal(child, SIGCONT);
	/* How it ended is the reason why it could not be traced. */
	if (err)
		wait_if_ending(trace_child_pid(child), pidfd);
	else
		err = tracer_follow(session->tracer, pidfd, &end, diag);
	tracer_detach(session->tracer);
	close(pidfd);
	return err;
}

/* Prints what sanitizers reported of a child that has ended. */
static int
print_reports(struct trace_session *session, struct trace_child *child, int err, struct diag *diag)
{
	const struct findings *reports = trace_child_reports(child);

	for (size_t i = 0; i < reports->cnt && i < REPORTS_MAX; i++) {
		const struct finding *report = &reports->items[i];

		trace_display_say(&session->display, "%s\n%s", report->message,
				  report->context ? report->context : "");
	}
	if (reports->cnt > REPORTS_MAX)
		trace_display_say(&session->display, "and %zu more reports of sanitizers",
				  reports->cnt - REPORTS_MAX);
	const char *obstacle = sanitizer_scan_take_obstacle(child->scan);
	if (obstacle)
		trace_display_say(&session->display, "%s", obstacle);
	return err || !reports->cnt
		       ? err
		       : diag_fail(diag, -ECHILD, "a sanitizer reported a fault of bitcoind: see above");
}

/* Stops the child, or reports how it ended by itself. If it failed, that explains any earlier error. */
static int
end_child(struct trace_session *session, struct trace_child *child, int err, struct diag *diag)
{
	struct diag how;

	if (trace_child_is_alive(child)) {
		if (!trace_child_stop(child))
			trace_display_say(&session->display,
					  "bitcoind did not end within %d s of SIGTERM, and is killed",
					  TRACE_CHILD_STOP_MS / 1000);
		return err;
	}
	if (trace_child_end(child, &how)) {
		*diag = how;
		return -ECHILD;
	}
	trace_display_say(&session->display, "%s", how.text);
	if (!session->display.started_ns)
		return diag_fail(diag, -ECHILD, "bitcoind ended before it could be traced");
	return err;
}

static int
follow_bitcoind(struct trace_session *session, struct diag *diag)
{
	struct trace_child child = {0};
	char *bitcoind = NULL;
	int err = bitcoind_find(session->options->bitcoind, &bitcoind, diag);

	session->is_usage_error = err != 0;
	if (err)
		return err;
	/* The probes are made before the start, because that takes long. */
	err = load(session, bitcoind, diag);
	if (!err)
		err = trace_child_start(&child, bitcoind, session->options, session->interrupted, diag);
	if (!err) {
		err = follow_child(session, &child, diag);
		err = end_child(session, &child, err, diag);
		if (!trace_child_is_alive(&child))
			err = print_reports(session, &child, err, diag);
	}
	int remains_err = trace_child_fini(&child);
	if (!err && remains_err)
		err = diag_fail(diag, remains_err, "the private regtest could not be removed");
	free(bitcoind);
	return err;
}

int
trace_follow(struct trace_session *session, struct diag *diag)
{
	if (session->options->pids_cnt)
		return follow_pid(session, diag);
	if (session->options->pid_file)
		return follow_pid_file(session, diag);
	return follow_bitcoind(session, diag);
}
