/* Findings about events that are missing, wrong or unexpected. */
#include "base/xmem.h"
#include "contract/expect_private.h"

#include <stdlib.h>

enum {
	CONTEXT_BEFORE = 3,
	CONTEXT_AFTER = 2,
};

static void
format_expected(const struct expected *e, struct buf *out)
{
	const struct contract_tracepoint *row = e->row;

	buf_printf(out, "%s(", row->full_name);
	for (unsigned i = 0; i < row->args_cnt; i++) {
		buf_printf(out, "%s%s=", i ? ", " : "", row->args[i].name);
		want_format(&row->args[i], &e->wants[i], out);
	}
	buf_putc(out, ')');
}

/* The arguments that do not fit, bit 1 << index. */
static uint64_t
find_wrong_args(const struct expected *e, const struct event *event)
{
	uint64_t wrong = 0;

	for (unsigned i = 0; i < e->row->args_cnt; i++)
		if (i >= event->args_cnt || !want_fits(&e->wants[i], &event->args[i]))
			wrong |= UINT64_C(1) << i;
	return wrong;
}

static void
format_line(const struct lane_events *events, size_t idx, bool is_marked, uint64_t wrong_args,
	    struct buf *out)
{
	const struct event *event = events->items[idx];

	buf_printf(out, "%c %+10.3f ms #%zu ", is_marked ? '>' : ' ',
		   (double)(event->time_ns - events->items[0]->time_ns) / 1e6, idx + 1);
	contract_format_event_marked(event, wrong_args, out);
	buf_putc(out, '\n');
}

/* Which events are shown around a place of a lane. */
static size_t
first_shown(size_t at)
{
	return at > CONTEXT_BEFORE ? at - CONTEXT_BEFORE : 0;
}

static size_t
end_shown(const struct lane_events *events, size_t at)
{
	return at + CONTEXT_AFTER + 1 < events->cnt ? at + CONTEXT_AFTER + 1 : events->cnt;
}

/* An event, marked, and those around it, with their times. */
static char *
format_context(const struct lane_events *events, size_t at, uint64_t wrong_args)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	for (size_t i = first_shown(at); i < end_shown(events, at); i++)
		format_line(events, i, i == at, i == at ? wrong_args : 0, &out);
	return buf_take(&out);
}

/* The gap before an event, marked, and what is around it; and the event that should be there, if it came. */
static char *
format_gap(const struct lane_events *events, size_t place, size_t event, uint64_t wrong_args)
{
	size_t first = first_shown(place), end = end_shown(events, place);
	struct buf out;

	buf_init(&out, 1 << 16);
	if (event < first) {
		format_line(events, event, true, wrong_args, &out);
		buf_puts(&out, "             ...\n");
	}
	for (size_t i = first; i < end || i == place; i++) {
		if (i == place)
			buf_puts(&out, ">            (here)\n");
		if (i < end)
			format_line(events, i, i == event, i == event ? wrong_args : 0, &out);
	}
	if (event >= end && event < events->cnt) {
		buf_puts(&out, "             ...\n");
		format_line(events, event, true, wrong_args, &out);
	}
	return buf_take(&out);
}

void
mismatch_wrong_args(const struct expected *e, const struct lane_events *events, size_t at,
		    struct findings *findings)
{
	const struct contract_tracepoint *row = e->row;
	const struct event *event = events->items[at];
	uint64_t wrong_args = find_wrong_args(e, event);

	for (unsigned i = 0; i < row->args_cnt; i++) {
		const struct contract_arg *arg = &row->args[i];
		struct buf want, got, message;

		if (!(wrong_args >> i & 1))
			continue;
		buf_init(&want, 1 << 16);
		buf_init(&got, 1 << 16);
		buf_init(&message, 1 << 18);
		want_format(arg, &e->wants[i], &want);
		if (i < event->args_cnt)
			contract_format_value(arg, &event->args[i], &got);
		else
			buf_puts(&got, "no such argument");
		buf_printf(&message, "argument %u (%s) of %s, %s: want %s, got %s", i + 1, arg->name,
			   row->full_name, e->what, want.data, got.data);
		struct finding *finding =
			findings_add(findings, e->wants[i].kind, row->full_name, i + 1, arg->name, want.data,
				     got.data, e->wants[i].source, message.data);
		finding->context = format_context(events, at, wrong_args);
		buf_fini(&want);
		buf_fini(&got);
		buf_fini(&message);
	}
}

/* An expected event that is not where it should be. */
static struct finding *
add_absence(const struct expected *e, enum finding_kind kind, const char *how, const char *got,
	    struct findings *findings)
{
	const char *name = contract_get(e->tracepoint)->full_name;
	struct buf want, message;

	buf_init(&want, 1 << 16);
	buf_init(&message, 1 << 18);
	format_expected(e, &want);
	buf_printf(&message, "%s %s: %s", name, how, e->what);
	struct finding *finding =
		findings_add(findings, kind, name, 0, NULL, want.data, got, e->source, message.data);
	buf_fini(&want);
	buf_fini(&message);
	return finding;
}

void
mismatch_missing(const struct expected *e, const struct lane_events *events, size_t place,
		 struct findings *findings)
{
	struct finding *finding = add_absence(e, e->kind, "did not fire", "no such event", findings);

	finding->context = format_gap(events, place, SIZE_MAX, 0);
}

void
mismatch_moved(const struct expected *e, const struct lane_events *events, size_t place, size_t event,
	       struct findings *findings)
{
	char *got = xasprintf("the event in another place, as #%zu", event + 1);
	/* The document says when a tracepoint fires, but nothing about the order of several. */
	struct finding *finding = add_absence(e, FINDING_DETAIL, "fired out of order", got, findings);

	finding->context = format_gap(events, place, event, find_wrong_args(e, events->items[event]));
	free(got);
}

void
mismatch_extra(const struct lane *lane, const struct lane_events *events, size_t at,
	       struct findings *findings)
{
	const struct event *event = events->items[at];
	const char *name = contract_get(event->tracepoint)->full_name;
	struct buf got, message;

	buf_init(&got, 1 << 16);
	buf_init(&message, 1 << 18);
	contract_format_event(event, &got);
	buf_printf(&message, "%s fired unexpectedly: %s", name, got.data);
	struct finding *finding = findings_add(findings, lane->extra_kind, name, 0, NULL, "no such event",
					       got.data, NULL, message.data);
	finding->context = format_context(events, at, 0);
	buf_fini(&got);
	buf_fini(&message);
}
