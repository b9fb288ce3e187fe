#include "run/tracer.h"

#include "base/xmem.h"
#include "node/pid_file.h"
#include "notes/absence.h"
#include "notes/notes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAUSE_MS = 50,
	FINISH_MS = 5000,
	LOSS_MS = 1000,        /* losses are reported this often, if there are any */
	EVENTS_AT_ONCE = 4096, /* between two calls of on_pause */
};

struct tracer {
	struct tracer_opts opts;
	struct notes *notes;
	struct selection selection;
	struct probe_set *set;
	struct probe_counts counts;         /* since tracer_new */
	struct probe_counts earlier_counts; /* those of the sets before this one */
	uint64_t reported_lost, reported_at_ns;
};

struct tracer *
tracer_new(const struct tracer_opts *opts)
{
	struct tracer *tracer = xcalloc(1, sizeof(*tracer));

	tracer->opts = *opts;
	tracer->opts.probe.streams = true;
	return tracer;
}

static void
unload(struct tracer *tracer)
{
	tracer->earlier_counts = tracer->counts;
	probe_set_free(tracer->set);
	tracer->set = NULL;
	selection_fini(&tracer->selection);
	notes_free(tracer->notes);
	tracer->notes = NULL;
}

void
tracer_free(struct tracer *tracer)
{
	if (!tracer)
		return;
	unload(tracer);
	free(tracer);
}

int
tracer_load(struct tracer *tracer, const char *path, unsigned release, struct diag *diag)
{
	struct selection_opts opts = {
		.release = release,
		.patterns = tracer->opts.patterns,
		.patterns_cnt = tracer->opts.patterns_cnt,
		.payload_bytes = tracer->opts.payload_bytes,
		.where = tracer->opts.where,
		.where_cnt = tracer->opts.where_cnt,
		.by = tracer->opts.by,
		.of = tracer->opts.of,
	};
	char reason[600];
	struct diag absence;

	unload(tracer);
	int err = notes_open(&tracer->notes, path, diag);
	if (err)
		return err;
	if (!notes_is_native(tracer->notes))
		return diag_fail(diag, -ENOEXEC, "'%s' is for another machine (%s)", path,
				 notes_machine(tracer->notes));
	err = selection_make(&tracer->selection, notes_sites(tracer->notes), notes_cnt(tracer->notes), &opts,
			     diag);
	if (err == -ENODATA && notes_find_absence(tracer->notes, path, NULL, &absence))
		diag_fail(diag, err, "%s", absence.text);
	if (err)
		return err;
	tracer->opts.by = tracer->opts.of = (struct argument_names){0};
	if (probe_find_early_obstacle(tracer->opts.probe.method, reason, sizeof(reason)))
		return diag_fail(diag, -EOPNOTSUPP, "%s", reason);
	return probe_set_new(&tracer->set, tracer->selection.points, tracer->selection.points_cnt,
			     &tracer->opts.probe, diag);
}

const struct selection *
tracer_selection(const struct tracer *tracer)
{
	return &tracer->selection;
}

enum probe_method
tracer_method(const struct tracer *tracer)
{
	return probe_set_method(tracer->set);
}

const char *
tracer_why(const struct tracer *tracer)
{
	return probe_set_why(tracer->set);
}

int
tracer_attach(struct tracer *tracer, pid_t pid, struct diag *diag)
{
	int err = probe_set_attach(tracer->set, pid, diag);

	return err ? err : probe_set_arm(tracer->set, UINT64_MAX, diag);
}

void
tracer_detach(struct tracer *tracer)
{
	if (tracer->set)
		probe_set_detach(tracer->set);
}

void
tracer_counts(const struct tracer *tracer, struct probe_counts *counts)
{
	*counts = tracer->counts;
}

static void
update_counts(struct tracer *tracer, const struct probe_counts *of_set)
{
	tracer->counts = tracer->earlier_counts;
	probe_counts_add(&tracer->counts, of_set);
}

/* The first loss at once, others every LOSS_MS. */
static void
report_loss(struct tracer *tracer, bool is_last)
{
	const struct tracer_sink *sink = &tracer->opts.sink;
	uint64_t lost = probe_counts_lost(&tracer->counts), now_ns = clock_now_ns();

	if (lost <= tracer->reported_lost ||
	    (!is_last && now_ns - tracer->reported_at_ns < LOSS_MS * UINT64_C(1000000)))
		return;
	sink->on_loss(sink->cookie, &tracer->counts, lost - tracer->reported_lost);
	tracer->reported_lost = lost;
	tracer->reported_at_ns = now_ns;
}

static bool
pause_sink(struct tracer *tracer)
{
	return tracer->opts.sink.on_pause(tracer->opts.sink.cookie);
}

static int
hand_over(struct tracer *tracer, const struct record_list *records, bool *enough, struct diag *diag)
{
	const struct tracer_sink *sink = &tracer->opts.sink;
	struct event event;

	for (size_t i = 0; i < records->cnt && !*enough; i++) {
		const struct record *record = records->items[i];
		int err = selection_decode(&tracer->selection, record, record->head.size, &event);

		if (err)
			return diag_fail(
				diag, err,
				"record %zu of %zu (probe point %u, %u bytes) does not fit its probe point",
				i + 1, records->cnt, record->head.point, record->head.size);
		*enough = !sink->on_event(sink->cookie, selection_row(&tracer->selection, event.tracepoint),
					  &event);
		if (i % EVENTS_AT_ONCE == EVENTS_AT_ONCE - 1 && !*enough)
			*enough = !pause_sink(tracer);
	}
	return 0;
}

static bool
must_end(const struct tracer *tracer)
{
	return tracer->opts.sink.must_end(tracer->opts.sink.cookie);
}

int
tracer_take(struct tracer *tracer, struct record_list *records, uint64_t *until_ns, struct diag *diag)
{
	struct probe_counts counts;
	int err = probe_set_take_now(tracer->set, records, until_ns, &counts, diag);

	update_counts(tracer, &counts);
	report_loss(tracer, false);
	return err;
}

int
tracer_finish(struct tracer *tracer, struct record_list *records, struct diag *diag)
{
	struct probe_counts counts;
	int err = probe_set_finish(tracer->set, deadline_in_ms(FINISH_MS), records, &counts, diag);

	update_counts(tracer, &counts);
	report_loss(tracer, true);
	return err == -ETIMEDOUT ? 0 : err; /* counts.missing reports it */
}

int
tracer_follow(struct tracer *tracer, int pidfd, enum tracer_end *end, struct diag *diag)
{
	bool enough = false, ended = false;
	struct record_list records;
	struct probe_counts counts;
	int err = 0;

	while (!err && !enough && !ended && !must_end(tracer)) {
		/* Before the take: all events until its end are in this take or in the finish. */
		ended = pidfd_has_ended(pidfd);
		err = probe_set_take(tracer->set, deadline_in_ms(PAUSE_MS), &records, &counts, diag);
		if (!err)
			err = hand_over(tracer, &records, &enough, diag);
		update_counts(tracer, &counts);
		report_loss(tracer, false);
		enough |= !pause_sink(tracer);
	}
	*end = enough ? TRACER_ENOUGH : ended ? TRACER_PROCESS_ENDED : TRACER_TIME_OVER;
	if (err)
		return err;
	/* A sink that has had enough gets no more events, but a report of earlier losses. */
	err = probe_set_finish(tracer->set, deadline_in_ms(FINISH_MS), &records, &counts, diag);
	if (err == -ETIMEDOUT)
		err = 0; /* counts.missing reports it */
	if (!enough)
		update_counts(tracer, &counts);
	if (!err && !enough)
		err = hand_over(tracer, &records, &enough, diag);
	report_loss(tracer, true);
	pause_sink(tracer);
	return err;
}
