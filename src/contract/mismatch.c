/* Findings about events that are missing, wrong or unexpected. */
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

/* The events around one of a lane, with their times; unless is_marked, around the gap before it. */
static char *
format_context(const struct lane_events *events, size_t at, bool is_marked)
{
	struct buf out;
	size_t from = at > CONTEXT_BEFORE ? at - CONTEXT_BEFORE : 0;
	size_t to = at + CONTEXT_AFTER + 1 < events->cnt ? at + CONTEXT_AFTER + 1 : events->cnt;

	buf_init(&out, 1 << 16);
	for (size_t i = from; i < to || (!is_marked && i == at && i <= events->cnt); i++) {
		if (!is_marked && i == at)
			buf_puts(&out, ">            (here)\n");
		if (i >= to)
			break;
		const struct event *event = events->items[i];
		buf_printf(&out, "%c %+10.3f ms #%zu ", is_marked && i == at ? '>' : ' ',
			   (double)(event->time_ns - events->items[0]->time_ns) / 1e6, i + 1);
		contract_format_event(event, &out);
		buf_putc(&out, '\n');
	}
	return buf_take(&out);
}

void
mismatch_wrong_args(const struct expected *e, const struct lane_events *events, size_t at,
		    struct findings *findings)
{
	const struct contract_tracepoint *row = e->row;
	const struct event *event = events->items[at];

	for (unsigned i = 0; i < row->args_cnt; i++) {
		const struct contract_arg *arg = &row->args[i];
		struct buf want, got, message;

		if (i < event->args_cnt && want_fits(&e->wants[i], &event->args[i]))
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
		finding->context = format_context(events, at, true);
		buf_fini(&want);
		buf_fini(&got);
		buf_fini(&message);
	}
}

void
mismatch_missing(const struct expected *e, const struct lane_events *events, size_t at, bool is_elsewhere,
		 struct findings *findings)
{
	const char *how = is_elsewhere ? "fired out of order" : "did not fire";
	/* The document says when a tracepoint fires, but nothing about the order of several. */
	enum finding_kind kind = is_elsewhere ? FINDING_DETAIL : e->kind;
	struct buf want, message;

	buf_init(&want, 1 << 16);
	buf_init(&message, 1 << 18);
	format_expected(e, &want);
	buf_printf(&message, "%s %s: %s", contract_get(e->tracepoint)->full_name, how, e->what);
	struct finding *finding = findings_add(
		findings, kind, contract_get(e->tracepoint)->full_name, 0, NULL, want.data,
		is_elsewhere ? "the event in another place" : "no such event", e->source, message.data);
	finding->context = format_context(events, at, false);
	buf_fini(&want);
	buf_fini(&message);
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
	finding->context = format_context(events, at, true);
	buf_fini(&got);
	buf_fini(&message);
}
