/* A probe set: its states, and the thread that empties the backend's buffers.
 *
 *   new -> attached to a process -> armed -> collected -> armed -> ... -> detached -> attached -> ...
 *
 * Who does what. The backend (backend.h) sees hits, counts them and delivers records. store.c keeps the records,
 * threads.c knows the threads they came from, and counts.c compares what arrived with what was counted. collect.c and
 * stream.c prove with these that nothing is missing: for a recording that has ended, and for one that goes on.
 *
 * Draining. A thread of the set drains the backend every few milliseconds while armed, so that a burst of any length
 * passes. Nobody is woken up for a single record: a wake-up for each costs the traced thread 8 us. Records are copied
 * during drain, under the set's lock, into memory that never moves.
 *
 * Stale records. Each arming has a generation that travels with the record. A record of an earlier arming counts as
 * delivered, but is not kept. */
#include "probe/set.h"

#include "base/xmem.h"
#include "probe/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	DRAIN_TICK_MS = 4,
	STREAM_TICK_MS = 20, /* enough to follow events live; a fuller buffer wakes the thread up earlier */
};
/* More than this in one arming is a mistake of the scenario, and no reason to fill the memory. */
#define STORE_BYTES_MAX (UINT64_C(4) << 30)
/* When streaming, this much may wait for a slow reader. */
#define STREAM_BYTES_MAX (UINT64_C(256) << 20)

enum probe_method
probe_set_method(const struct probe_set *set)
{
	return set->source->method;
}

const char *
probe_set_why(const struct probe_set *set)
{
	return set->why;
}

const char *
probe_set_text(const struct probe_set *set)
{
	return set->source->text;
}

static void *
drain(void *arg)
{
	struct probe_set *set = arg;

	/* On a busy machine the buffers should not fill up because this thread is starved; best effort. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -10);
	set->backend->settle(set->source);
	pthread_mutex_lock(&set->lock);
	while (!set->stop) {
		if (!set->draining) {
			pthread_cond_wait(&set->wake, &set->lock);
			continue;
		}
		set->backend->drain(set->source);
		if (set->records_cnt)
			pthread_cond_signal(&set->arrived);
		pthread_mutex_unlock(&set->lock);
		set->backend->wait(set->source, set->streams ? STREAM_TICK_MS : DRAIN_TICK_MS);
		pthread_mutex_lock(&set->lock);
	}
	pthread_mutex_unlock(&set->lock);
	return NULL;
}

static int
start_drainer(struct probe_set *set, struct diag *diag)
{
	int err = -pthread_create(&set->drainer, NULL, drain, set);

	if (err)
		return diag_fail(diag, err, "probe: failed to start a thread: %s", strerror(-err));
	set->drainer_runs = true;
	return 0;
}

static void
stop_drainer(struct probe_set *set)
{
	if (!set->drainer_runs)
		return;
	pthread_mutex_lock(&set->lock);
	set->stop = true;
	pthread_cond_signal(&set->wake);
	pthread_mutex_unlock(&set->lock);
	pthread_join(set->drainer, NULL);
	set->drainer_runs = false;
}

static void
init_lock(struct probe_set *set)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->wake, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&set->arrived, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* model: see backend.h. */
static int
make_set(struct probe_set **out, const struct probe_backend *backend, struct probe_source *model,
	 const struct probe_point *points, size_t points_cnt, const struct probe_opts *opts,
	 struct diag *diag)
{
	*out = NULL;
	if (!points_cnt)
		return diag_fail(diag, -EINVAL, "probe: no probe points to attach to");
	struct probe_set *set = xcalloc(1, sizeof(*set));
	const struct record_sink sink = {.on_record = store_on_record, .cookie = set};
	set->backend = backend;
	set->points = points;
	set->points_cnt = points_cnt;
	set->opts = *opts;
	set->streams = opts->streams;
	set->store_max = opts->store_bytes ? opts->store_bytes
			 : opts->streams   ? STREAM_BYTES_MAX
					   : STORE_BYTES_MAX;
	init_lock(set);
	if (opts->filters_late) {
		set->bare_points = xcalloc(points_cnt, sizeof(*points));
		for (size_t i = 0; i < points_cnt; i++) {
			set->bare_points[i] = points[i];
			set->bare_points[i].conditions_cnt = 0;
		}
		points = set->bare_points;
	}
	int err = backend->open(&set->source, model, points, points_cnt, opts, &sink, diag);
	if (!err) {
		thread_table_init(&set->threads, set->source->threads_max);
		err = start_drainer(set, diag);
	}
	if (err) {
		probe_set_free(set);
		return err;
	}
	*out = set;
	return 0;
}

int
set_new(struct probe_set **out, const struct probe_backend *backend, const struct probe_point *points,
	size_t points_cnt, const struct probe_opts *opts, struct diag *diag)
{
	return make_set(out, backend, NULL, points, points_cnt, opts, diag);
}

int
probe_set_copy(struct probe_set **out, const struct probe_set *model, struct diag *diag)
{
	int err = make_set(out, model->backend, model->source, model->points, model->points_cnt, &model->opts,
			   diag);

	if (!err)
		(*out)->why = xstrdup_or_null(model->why);
	return err;
}

void
probe_set_free(struct probe_set *set)
{
	if (!set)
		return;
	if (set->source)
		probe_set_detach(set);
	stop_drainer(set);
	if (set->source)
		set->backend->close(set->source);
	store_free(set);
	thread_table_fini(&set->threads);
	free(set->held);
	free(set->bare_points);
	free(set->why);
	pthread_cond_destroy(&set->wake);
	pthread_cond_destroy(&set->arrived);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

int
probe_set_attach(struct probe_set *set, pid_t pid, struct diag *diag)
{
	return probe_set_attach_some(set, pid, UINT64_MAX, diag);
}

int
probe_set_attach_some(struct probe_set *set, pid_t pid, uint64_t tracepoint_mask, struct diag *diag)
{
	struct probe_point *points = xcalloc(set->points_cnt, sizeof(*points));
	size_t cnt = 0;

	for (size_t i = 0; i < set->points_cnt; i++)
		if (probe_point_is_in(&set->points[i], tracepoint_mask))
			points[cnt++] = set->points[i];
	probe_set_detach(set);
	int err = cnt ? process_check_program(pid, set->points, set->points_cnt, diag)
		      : diag_fail(diag, -EINVAL, "probe: no probe points to attach to");
	if (!err)
		err = counts_retire_all(set, diag);
	if (!err)
		err = set->backend->attach(set->source, pid, tracepoint_mask, diag);
	if (!err)
		err = process_check_probes(pid, points, cnt, set->source->semaphore_hint, diag);
	if (err)
		probe_set_detach(set);
	free(points);
	return err;
}

static void
stop_recording(struct probe_set *set)
{
	set->backend->disarm(set->source, NULL);
	pthread_mutex_lock(&set->lock);
	set->draining = false;
	pthread_mutex_unlock(&set->lock);
}

void
probe_set_detach_begin(struct probe_set *set)
{
	stop_recording(set);
	set->backend->detach_begin(set->source);
}

void
probe_set_detach(struct probe_set *set)
{
	stop_recording(set);
	set->backend->detach(set->source);
}

int
probe_set_arm(struct probe_set *set, uint64_t tracepoint_mask, struct diag *diag)
{
	struct probe_counts counts = {0};
	int err = set->backend->disarm(set->source, diag);

	if (!err)
		err = counts_read(set, &counts, diag);
	if (err)
		return err;
	pthread_mutex_lock(&set->lock);
	set->backend->drain(set->source);
	store_clear(set);
	stream_reset(set);
	set->malformed = 0;
	set->generation++;
	set->armed_at = counts;
	set->armed_at.dropped = set->dropped;
	set->draining = true;
	pthread_cond_signal(&set->wake);
	pthread_mutex_unlock(&set->lock);
	return set->backend->arm(set->source, tracepoint_mask, set->generation, diag);
}
