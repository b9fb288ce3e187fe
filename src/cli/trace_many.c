#include "cli/trace_many.h"

#include "base/clock.h"
#include "base/xmem.h"
#include "cli/binary.h"
#include "cli/trace_target.h"
#include "node/pid_file.h"
#include "node/pid_look.h"
#include "run/tracer_group.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ROUND_MS = 25,
	SCAN_MS = 250, /* how often processes are looked for */
};

static bool
on_event(void *cookie, pid_t pid, const struct contract_tracepoint *row, const struct event *event)
{
	struct trace_session *session = cookie;

	return trace_display_event(&session->display, pid, row, event);
}

static void
on_loss(void *cookie, pid_t pid, const struct probe_counts *counts, uint64_t lost)
{
	struct trace_session *session = cookie;

	trace_display_loss(&session->display, pid, counts, lost);
}

static void
on_end(void *cookie, pid_t pid, const struct probe_counts *counts, int err, const struct diag *diag)
{
	struct trace_session *session = cookie;
	uint64_t lost = probe_counts_lost(counts);
	char losses[64] = "none lost";
	const char *how = session->is_ending ? "" : err ? " is no longer traced" : " ended";

	if (err) {
		session->was_process_untraced = true;
		trace_display_say(&session->display, "process %d cannot be traced any longer: %s", (int)pid,
				  diag->text);
	}
	if (lost)
		snprintf(losses, sizeof(losses), "%" PRIu64 " lost", lost);
	trace_display_say(&session->display, "process %d%s: %" PRIu64 " event%s, %s", (int)pid, how,
			  counts->delivered, counts->delivered == 1 ? "" : "s", losses);
}

struct tracer_group *
trace_many_new(struct trace_session *session, const struct tracer_opts *opts)
{
	return tracer_group_new(&(struct tracer_group_opts){.tracer = *opts,
							    .on_event = on_event,
							    .on_loss = on_loss,
							    .on_end = on_end,
							    .cookie = session});
}

/* pidfd is taken over. */
static int
add_open(struct trace_session *session, pid_t pid, int pidfd, struct diag *diag)
{
	const struct tracer *tracer;
	struct stat st = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st)) {
		int err = -errno;

		close(pidfd);
		return diag_fail(diag, err, "failed to look at '%s': %s%s", path, strerror(-err),
				 err == -EACCES ? "; run tpcheck as its user, or as root" : "");
	}
	int err = tracer_group_add(session->group, pid, pidfd, path,
				   binary_find_release(path, session->options->release), &tracer, diag);
	session->is_usage_error = trace_is_usage_error(err, path);
	if (err)
		return err;
	trace_say_differences(session, tracer, &st);
	trace_say_attached(session, tracer, pid);
	return 0;
}

/* A process that was named by its PID; or, if that has no tracepoints, the one that it started. */
static int
add_given(struct trace_session *session, pid_t given, struct diag *diag)
{
	pid_t pid = given;
	int pidfd, err = trace_target_find(given, &pid, diag);

	if (!err)
		err = pid_open(pid, &pidfd, diag);
	session->is_usage_error = err != 0;
	if (err || tracer_group_has(session->group, pid)) {
		if (!err)
			close(pidfd);
		return err;
	}
	err = add_open(session, pid, pidfd, diag);
	if (err != -ENODATA && err != -ENOEXEC)
		return err;
	pid_t child = trace_target_explain(pid, err, diag);
	if (!child || pid_open(child, &pidfd, NULL))
		return err;
	trace_display_say(&session->display, "%s", diag->text);
	if (!tracer_group_has(session->group, child))
		return add_open(session, child, pidfd, diag);
	close(pidfd);
	return 0;
}

static int
add_all_given(struct trace_session *session, struct diag *diag)
{
	int err = 0;

	for (size_t i = 0; i < session->options->pids_cnt && !err; i++)
		err = add_given(session, session->options->pids[i], diag);
	return err;
}

/* Processes that were found, but are not traced: seen only once, because a process may be about to execute another
 * program; or of no interest, as long as they run this one. */
struct sighting {
	pid_t pid;
	dev_t dev;
	ino_t ino;
	bool is_refused, is_present;
};
struct watch {
	struct sighting *items;
	size_t cnt, cap;
	size_t last; /* the one that was looked for last: the next one is probably beside it */
	uint64_t scanned_ns;
};

static struct sighting *
sight(struct watch *watch, pid_t pid, const struct stat *exe, bool *is_new)
{
	*is_new = false;
	for (size_t n = 1; n <= watch->cnt; n++) {
		size_t i = (watch->last + n) % watch->cnt;
		struct sighting *seen = &watch->items[i];

		if (seen->pid == pid && seen->dev == exe->st_dev && seen->ino == exe->st_ino) {
			watch->last = i;
			return seen;
		}
	}
	*is_new = true;
	if (watch->cnt == watch->cap) {
		watch->cap = watch->cap ? 2 * watch->cap : 64;
		watch->items = xreallocarray(watch->items, watch->cap, sizeof(*watch->items));
	}
	watch->items[watch->cnt] = (struct sighting){.pid = pid, .dev = exe->st_dev, .ino = exe->st_ino};
	return &watch->items[watch->cnt++];
}

static void
forget_absent(struct watch *watch)
{
	size_t kept = 0;

	for (size_t i = 0; i < watch->cnt; i++)
		if (watch->items[i].is_present)
			watch->items[kept++] = watch->items[i];
	watch->cnt = kept;
	for (size_t i = 0; i < watch->cnt; i++)
		watch->items[i].is_present = false;
}

/* Adds a process that was found. Only the first one's failure is an error. */
static int
add_found(struct trace_session *session, pid_t pid, struct sighting *seen, struct diag *diag)
{
	int pidfd;

	seen->is_refused = true;
	/* Most processes of a container are no nodes. */
	if (session->options->cgroup && !trace_target_has_tracepoints(pid))
		return 0;
	if (pid_open(pid, &pidfd, NULL))
		return 0;
	int kept_fd = dup(pidfd);
	int err = add_open(session, pid, pidfd, diag);
	/* That it ended before tpcheck could attach is not a failure. */
	bool has_ended = kept_fd >= 0 && pidfd_has_ended(kept_fd);
	close(kept_fd);
	if (!err || has_ended)
		return 0;
	if (!session->display.started_ns)
		return err;
	session->was_process_untraced = true;
	trace_display_say(&session->display, "process %d cannot be traced: %s", (int)pid, diag->text);
	return 0;
}

static int
scan(struct trace_session *session, struct watch *watch, struct diag *diag)
{
	struct pids found = {.cnt = 0};
	int err = 0;

	watch->scanned_ns = clock_now_ns();
	if (session->options->name)
		pid_named(session->options->name, &found);
	else
		pid_in_cgroup(session->options->cgroup, &found, NULL);
	for (size_t i = 0; i < found.cnt && !err; i++) {
		struct stat exe;
		char path[64];
		bool is_new;

		snprintf(path, sizeof(path), "/proc/%d/exe", (int)found.items[i]);
		if (tracer_group_has(session->group, found.items[i]) || found.items[i] == getpid() ||
		    stat(path, &exe))
			continue;
		struct sighting *seen = sight(watch, found.items[i], &exe, &is_new);
		seen->is_present = true;
		if (!is_new && !seen->is_refused)
			err = add_found(session, found.items[i], seen, diag);
	}
	pids_fini(&found);
	forget_absent(watch);
	return err;
}

static void
say_waiting(struct trace_session *session)
{
	const struct trace_options *options = session->options;

	if (tracer_group_cnt(session->group)) {
		session->is_waiting_announced = false;
		return;
	}
	if (!session->is_waiting_announced)
		trace_display_say(&session->display, "no process of %s '%s' has tracepoints; waiting for one",
				  options->name ? "the name" : "the control group",
				  options->name ? options->name : options->cgroup);
	session->is_waiting_announced = true;
}

/* Waits for what is next: a round, and now and then new processes. */
static int
follow(struct trace_session *session, struct diag *diag)
{
	struct watch watch = {.cnt = 0};
	bool watches = !session->options->pids_cnt, enough = false;
	unsigned scans = 0;
	int err = 0;

	while (!err && !enough && !trace_is_over(session)) {
		if (watches && clock_now_ns() - watch.scanned_ns >= SCAN_MS * UINT64_C(1000000)) {
			err = scan(session, &watch, diag);
			/* A process is attached to when it is seen for the second time. */
			if (++scans > 2)
				say_waiting(session);
		}
		tracer_group_step(session->group, &enough);
		if (!watches && !tracer_group_cnt(session->group))
			break;
		enough |= !trace_display_pause(&session->display);
		if (!enough)
			clock_pause_ms(ROUND_MS, deadline_in_ms(ROUND_MS));
	}
	free(watch.items);
	return err;
}

int
trace_many_follow(struct trace_session *session, struct diag *diag)
{
	int err = session->options->pids_cnt ? add_all_given(session, diag) : 0;

	if (!err)
		err = follow(session, diag);
	session->is_ending = true;
	tracer_group_finish(session->group);
	return err;
}
