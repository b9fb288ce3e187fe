#include "run/tracer.h"

#include "base/xmem.h"
#include "node/pid_file.h"
#include "notes/notes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAUSE_MS = 50,
	FINISH_MS = 5000,
	TELL_MS = 1000,        /* how often losses are told, if there are any */
	EVENTS_AT_ONCE = 4096, /* until the sink is asked whether something is to be shown */
};

struct tracer {
	struct tracer_opts opts;
	struct notes *notes;
	struct selection selection;
	struct probe_set *set;
	struct probe_counts counts, before; /* of all; of the sets that are gone */
	uint64_t told_lost, told_at_ns;
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
	tracer->before = tracer->counts;
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
	};

	unload(tracer);
	int code = notes_open(&tracer->notes, path, diag);
	if (code)
		return code;
	if (!notes_is_native(tracer->notes))
		return diag_fail(diag, -ENOEXEC, "'%s' is for another machine (%s)", path,
				 notes_machine(tracer->notes));
	code = selection_make(&tracer->selection, notes_sites(tracer->notes), notes_cnt(tracer->notes), &opts,
			      diag);
	if (code == -ENODATA)
		diag_fail(
			diag, code,
			"'%s' has no tracepoints: it was built without USDT; build it with -DWITH_USDT=ON (before v29 with --enable-usdt)",
			path);
	if (code)
		return code;
	return probe_set_new(&tracer->set, tracer->selection.points, tracer->selection.points_cnt,
			     &tracer->opts.probe, diag);
}

const struct selection *
tracer_selection(const struct tracer *tracer)
{
	return &tracer->selection;
}

int
tracer_attach(struct tracer *tracer, pid_t pid, struct diag *diag)
{
	int code = probe_set_attach(tracer->set, pid, diag);

	return code ? code : probe_set_arm(tracer->set, UINT64_MAX, diag);
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
add_counts(struct tracer *tracer, const struct probe_counts *of_set)
{
	const struct probe_counts *before = &tracer->before;

	tracer->counts = (struct probe_counts){
		.attempts = before->attempts + of_set->attempts,
		.delivered = before->delivered + of_set->delivered,
		.failed = before->failed + of_set->failed,
		.no_memory = before->no_memory + of_set->no_memory,
		.gaps = before->gaps + of_set->gaps,
		.dropped = before->dropped + of_set->dropped,
		.late = before->late + of_set->late,
		.missing = before->missing + of_set->missing,
	};
}

/* When there is one that was not told: at once, and then every second. */
static void
tell_loss(struct tracer *tracer, bool is_last)
{
	uint64_t lost = probe_counts_lost(&tracer->counts), now = clock_now_ns();

	if (lost <= tracer->told_lost || (!is_last && now - tracer->told_at_ns < TELL_MS * UINT64_C(1000000)))
		return;
	tracer->opts.sink.on_loss(tracer->opts.sink.cookie, &tracer->counts, lost - tracer->told_lost);
	tracer->told_lost = lost;
	tracer->told_at_ns = now;
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
		int code = selection_decode(&tracer->selection, record, record->head.size, &event);

		if (code)
			return diag_fail(diag, code,
					 "record %zu of %zu (probe point %u, %u bytes) is not as planned",
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
tracer_follow(struct tracer *tracer, int pidfd, enum tracer_end *end, struct diag *diag)
{
	bool enough = false, ended = false;
	struct record_list records;
	struct probe_counts counts;
	int code = 0;

	while (!code && !enough && !ended && !must_end(tracer)) {
		/* Asked before the take: what it did until its end is in there or in the finish. */
		ended = pidfd_has_ended(pidfd);
		code = probe_set_take(tracer->set, deadline_in_ms(PAUSE_MS), &records, &counts, diag);
		if (!code)
			code = hand_over(tracer, &records, &enough, diag);
		add_counts(tracer, &counts);
		tell_loss(tracer, false);
		enough |= !pause_sink(tracer);
	}
	*end = enough ? TRACER_ENOUGH : ended ? TRACER_PROCESS_ENDED : TRACER_TIME_OVER;
	if (code)
		return code;
	/* Whoever has had enough gets no more, but what was lost before counts. */
	code = probe_set_finish(tracer->set, deadline_in_ms(FINISH_MS), &records, &counts, diag);
	if (code == -ETIMEDOUT)
		code = 0; /* told as missing */
	if (!enough)
		add_counts(tracer, &counts);
	if (!code && !enough)
		code = hand_over(tracer, &records, &enough, diag);
	tell_loss(tracer, true);
	pause_sink(tracer);
	return code;
}
