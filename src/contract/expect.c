/* Matching: how the blame is found.
 *
 * Within an ordered lane the wanted and the events that came are two sequences, and the question is which
 * edits turn one into the other: an event missing, an event too many, or an event of the right tracepoint
 * with other values. The cheapest alignment answers it: missing and extra cost GAP each, a wrong argument costs
 * 1, so one event with a wrong argument is never told as one missing and one extra. Equal beginnings and ends
 * are cut off first, which leaves nothing in the usual case. Afterwards a missing event that is among the
 * extra ones is told as one that came out of order.
 *
 * In a lane without order, equal ones are paired first, then those of one tracepoint with the fewest wrong
 * arguments. */
#include "contract/expect.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/xmem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	GAP = 16,             /* more than any number of wrong arguments */
	MISFIT = 2 * GAP + 1, /* more than a missing one and an extra one */
	ALIGN_CELLS_MAX = 16 << 20,
	CONTEXT_BEFORE = 3,
	CONTEXT_AFTER = 2,
};

enum want_op {
	WANT_NOTHING, /* not given yet */
	WANT_INT,
	WANT_UINT,
	WANT_BOOL,
	WANT_HASH,
	WANT_STRING,
	WANT_CUT_STRING,
	WANT_BYTES,
	WANT_RANGE,
	WANT_STRING_OF,
	WANT_UINT_OF,
};

struct want {
	enum want_op op;
	enum finding_kind kind;
	const char *source; /* belongs to the expect */
	int64_t lo, hi;     /* WANT_INT: lo */
	uint64_t u;
	uint8_t *bytes; /* hash, string, payload */
	size_t len;
	char **strings;
	uint64_t *numbers;
	size_t choices_cnt;
};

struct expected {
	struct expect *owner;
	enum tracepoint_id tracepoint;
	const struct contract_tracepoint *row; /* of the release */
	enum finding_kind kind;
	unsigned lane;
	char *what;
	const char *source;
	unsigned last; /* index of the argument wanted last; args_cnt: none yet */
	unsigned args_cnt;
	struct want wants[]; /* args_cnt, and a spare one for mistakes */
};

struct lane {
	char *name;
	enum lane_order order;
	enum finding_kind extra_kind;
	struct lane_select select; /* strings owned */
};

struct expect {
	struct expected **items;
	size_t cnt, cap;
	struct lane *lanes; /* 0 is the main lane */
	unsigned lanes_cnt, lane;
	char **sources; /* kept: wants point at them */
	size_t sources_cnt;
	unsigned release;
	uint64_t dropped;
	char *broken; /* the first mistake in building it */
};

struct expect *
expect_new(void)
{
	struct expect *x = xcalloc(1, sizeof(*x));

	x->lanes = xcalloc(1, sizeof(*x->lanes));
	x->lanes_cnt = 1;
	x->release = RELEASE_MASTER;
	return x;
}

void
expect_release(struct expect *x, unsigned release)
{
	x->release = release;
}

void
expect_free(struct expect *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->cnt; i++) {
		for (unsigned a = 0; a <= x->items[i]->args_cnt; a++) {
			struct want *want = &x->items[i]->wants[a];

			for (size_t c = 0; want->strings && c < want->choices_cnt; c++)
				free(want->strings[c]);
			free(want->strings);
			free(want->numbers);
			free(want->bytes);
		}
		free(x->items[i]->what);
		free(x->items[i]);
	}
	for (unsigned i = 0; i < x->lanes_cnt; i++) {
		free(x->lanes[i].name);
		free((char *)(uintptr_t)x->lanes[i].select.int_argument);
		free((char *)(uintptr_t)x->lanes[i].select.string_argument);
		free((char *)(uintptr_t)x->lanes[i].select.string_value);
	}
	for (size_t i = 0; i < x->sources_cnt; i++)
		free(x->sources[i]);
	free(x->sources);
	free(x->items);
	free(x->lanes);
	free(x->broken);
	free(x);
}

static void __attribute__((format(printf, 2, 3))) set_broken(struct expect *x, const char *fmt, ...)
{
	va_list ap;

	if (x->broken)
		return;
	va_start(ap, fmt);
	x->broken = xvasprintf(fmt, ap);
	va_end(ap);
}

void
expect_source(struct expect *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	x->sources = xreallocarray(x->sources, x->sources_cnt + 1, sizeof(*x->sources));
	x->sources[x->sources_cnt++] = xvasprintf(fmt, ap);
	va_end(ap);
}

static const char *
current_source(const struct expect *x)
{
	return x->sources_cnt ? x->sources[x->sources_cnt - 1] : NULL;
}

struct expected *
expect_event(struct expect *x, enum tracepoint_id tracepoint, enum finding_kind kind, const char *what, ...)
{
	const struct contract_tracepoint *row = contract_at(tracepoint, x->release);

	/* What the release does not have is dropped before anything is compared. */
	if (!row)
		row = contract_get(tracepoint);
	unsigned args_cnt = row->args_cnt;
	struct expected *e = xcalloc(1, sizeof(*e) + (args_cnt + 1) * sizeof(*e->wants));
	va_list ap;

	va_start(ap, what);
	e->owner = x;
	e->tracepoint = tracepoint;
	e->row = row;
	e->kind = kind;
	e->lane = x->lane;
	e->what = xvasprintf(what, ap);
	e->source = current_source(x);
	e->last = e->args_cnt = args_cnt;
	va_end(ap);
	if (x->lanes[x->lane].order == LANE_IGNORED)
		set_broken(x, "%s is expected in the ignored lane '%s'", contract_get(tracepoint)->full_name,
			   x->lanes[x->lane].name);
	if (x->cnt == x->cap) {
		x->cap = x->cap ? 2 * x->cap : 64;
		x->items = xreallocarray(x->items, x->cap, sizeof(*x->items));
	}
	x->items[x->cnt++] = e;
	return e;
}

static bool
op_fits_type(enum want_op op, enum arg_type type)
{
	switch (op) {
	case WANT_INT:
		return type == ARG_INT64 || type == ARG_INT32;
	case WANT_UINT:
	case WANT_UINT_OF:
		return type == ARG_UINT64 || type == ARG_UINT32;
	case WANT_RANGE:
		return type == ARG_UINT64 || type == ARG_UINT32 || type == ARG_INT64 || type == ARG_INT32;
	case WANT_BOOL:
		return type == ARG_BOOL;
	case WANT_HASH:
		return type == ARG_HASH;
	case WANT_STRING:
	case WANT_CUT_STRING:
	case WANT_STRING_OF:
		return type == ARG_STRING;
	case WANT_BYTES:
		return type == ARG_BYTES;
	case WANT_NOTHING:
		break;
	}
	return false;
}

/* The want of an argument, ready to be filled; a spare one after a mistake, and for an argument that came with a later
 * release. Scenarios are written for master's rows; an argument keeps its place. */
static struct want *
begin_want(struct expected *e, const char *argument, enum want_op op)
{
	const struct contract_tracepoint *row = contract_get(e->tracepoint);
	unsigned i = 0;

	while (i < row->args_cnt && strcmp(row->args[i].name, argument))
		i++;
	if (i == row->args_cnt) {
		set_broken(e->owner, "%s has no argument '%s'", row->full_name, argument);
	} else if (i < e->args_cnt && e->wants[i].op != WANT_NOTHING) {
		set_broken(e->owner, "argument '%s' of %s is wanted twice", argument, row->full_name);
		i = row->args_cnt;
	} else if (!op_fits_type(op, row->args[i].type)) {
		set_broken(e->owner, "argument '%s' of %s is %s; something else is wanted of it", argument,
			   row->full_name, arg_type_name(row->args[i].type));
	}
	if (i > e->args_cnt)
		i = e->args_cnt;
	e->last = i;
	struct want *want = &e->wants[i];
	for (size_t c = 0; want->strings && c < want->choices_cnt; c++)
		free(want->strings[c]);
	free(want->strings);
	free(want->numbers);
	free(want->bytes);
	*want = (struct want){.op = op, .kind = e->kind, .source = current_source(e->owner)};
	return want;
}

void
want_int(struct expected *e, const char *argument, int64_t value)
{
	begin_want(e, argument, WANT_INT)->lo = value;
}

void
want_uint(struct expected *e, const char *argument, uint64_t value)
{
	begin_want(e, argument, WANT_UINT)->u = value;
}

void
want_bool(struct expected *e, const char *argument, bool value)
{
	begin_want(e, argument, WANT_BOOL)->u = value;
}

static void
set_bytes(struct want *want, const void *bytes, size_t len)
{
	want->bytes = xmalloc(len);
	if (len)
		memcpy(want->bytes, bytes, len);
	want->len = len;
}

void
want_hash(struct expected *e, const char *argument, const uint8_t hash_wire[32])
{
	set_bytes(begin_want(e, argument, WANT_HASH), hash_wire, 32);
}

void
want_string(struct expected *e, const char *argument, const char *value)
{
	set_bytes(begin_want(e, argument, WANT_STRING), value, strlen(value));
}

void
want_cut_string(struct expected *e, const char *argument, const char *value)
{
	set_bytes(begin_want(e, argument, WANT_CUT_STRING), value, strlen(value));
}

void
want_bytes(struct expected *e, const char *argument, const void *bytes, size_t len)
{
	set_bytes(begin_want(e, argument, WANT_BYTES), bytes, len);
}

static const char *
unit_of(const struct contract_arg *arg)
{
	return arg->unit ? arg->unit : "";
}

void
want_range(struct expected *e, const char *argument, int64_t lo, int64_t hi)
{
	struct want *want = begin_want(e, argument, WANT_RANGE);

	if (lo > hi)
		set_broken(e->owner, "argument '%s' of %s is wanted between %" PRId64 " and %" PRId64,
			   argument, e->row->full_name, lo, hi);
	want->lo = lo;
	want->hi = hi;
	/* The only unit that ever changed: block_connected's duration was in microseconds once. */
	if (e->last < e->args_cnt && !strcmp(unit_of(&e->row->args[e->last]), "us") &&
	    !strcmp(unit_of(&contract_get(e->tracepoint)->args[e->last]), "ns")) {
		want->lo = lo / 1000;
		want->hi = hi / 1000 + 1;
	}
}

void
want_string_of(struct expected *e, const char *argument, const char *const *values, size_t cnt)
{
	struct want *want = begin_want(e, argument, WANT_STRING_OF);

	want->strings = xcalloc(cnt, sizeof(*want->strings));
	for (size_t i = 0; i < cnt; i++)
		want->strings[i] = xstrdup(values[i]);
	want->choices_cnt = cnt;
}

void
want_uint_of(struct expected *e, const char *argument, const uint64_t *values, size_t cnt)
{
	struct want *want = begin_want(e, argument, WANT_UINT_OF);

	want->numbers = xcalloc(cnt, sizeof(*want->numbers));
	if (cnt)
		memcpy(want->numbers, values, cnt * sizeof(*values));
	want->choices_cnt = cnt;
}

void
want_kind(struct expected *e, enum finding_kind kind)
{
	/* The spare one, after a mistake or a want that this release does not have, may have any kind. */
	if (e->last < e->args_cnt || e->wants[e->args_cnt].op != WANT_NOTHING)
		e->wants[e->last].kind = kind;
	else
		set_broken(e->owner, "want_kind of %s comes before any argument",
			   contract_get(e->tracepoint)->full_name);
}

static char *
dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void
expect_lane(struct expect *x, const char *name, enum lane_order order, const struct lane_select *select)
{
	x->lanes = xreallocarray(x->lanes, x->lanes_cnt + 1, sizeof(*x->lanes));
	x->lane = x->lanes_cnt++;
	x->lanes[x->lane] = (struct lane){.name = xstrdup(name), .order = order, .select = *select};
	struct lane_select *own = &x->lanes[x->lane].select;
	own->int_argument = dup_or_null(select->int_argument);
	own->string_argument = dup_or_null(select->string_argument);
	own->string_value = dup_or_null(select->string_value);
}

void
expect_main_lane(struct expect *x)
{
	x->lane = 0;
}

void
expect_extra_kind(struct expect *x, enum finding_kind kind)
{
	x->lanes[x->lane].extra_kind = kind;
}

void
expect_drop(struct expect *x, uint64_t tracepoints)
{
	x->dropped |= tracepoints;
}

/* Comparing one value */

static bool
value_fits(const struct want *want, const struct value *value)
{
	if (value->state == VALUE_BAD_OPERAND || value->state == VALUE_BAD_POINTER)
		return false;
	if (value->state == VALUE_CUT && want->op != WANT_BYTES && want->op != WANT_CUT_STRING)
		return false;
	switch (want->op) {
	case WANT_INT:
		return value->i == want->lo;
	case WANT_UINT:
	case WANT_BOOL:
		return value->u == want->u;
	case WANT_RANGE:
		/* An unsigned one that no signed one can hold is above any range. */
		if (value->type != VALUE_INT && value->u > INT64_MAX)
			return false;
		return value->i >= want->lo && value->i <= want->hi;
	case WANT_HASH:
	case WANT_STRING:
		return value->len == want->len &&
		       (!want->len || !memcmp(value->bytes, want->bytes, want->len));
	case WANT_CUT_STRING:
		return value->state == VALUE_CUT && value->len < want->len &&
		       !memcmp(value->bytes, want->bytes, value->len);
	case WANT_BYTES:
		if (value->full_len != want->len || value->len > want->len)
			return false;
		if (value->len < want->len &&
		    (value->state != VALUE_CUT || value->len < RECORD_PAYLOAD_BYTES))
			return false;
		return !value->len || !memcmp(value->bytes, want->bytes, value->len);
	case WANT_STRING_OF:
		for (size_t i = 0; i < want->choices_cnt; i++)
			if (strlen(want->strings[i]) == value->len &&
			    !memcmp(want->strings[i], value->bytes, value->len))
				return true;
		return false;
	case WANT_UINT_OF:
		for (size_t i = 0; i < want->choices_cnt; i++)
			if (want->numbers[i] == value->u)
				return true;
		return false;
	case WANT_NOTHING:
		break;
	}
	return false;
}

/* How many arguments are wrong; the arguments that the event lacks count too. */
static unsigned
wrong_args(const struct expected *e, const struct event *event)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < e->row->args_cnt; i++)
		if (i >= event->args_cnt || !value_fits(&e->wants[i], &event->args[i]))
			wrong++;
	return wrong;
}

static bool
fits(const struct expected *e, const struct event *event)
{
	return e->tracepoint == event->tracepoint && !wrong_args(e, event);
}

/* Telling */

static void
format_want(const struct contract_arg *arg, const struct want *want, struct buf *out)
{
	struct value value = {
		.u = want->u, .i = want->lo, .bytes = want->bytes, .len = want->len, .full_len = want->len};

	switch (want->op) {
	case WANT_INT:
		value.type = VALUE_INT;
		break;
	case WANT_UINT:
		value.type = VALUE_UINT;
		break;
	case WANT_BOOL:
		value.type = VALUE_BOOL;
		break;
	case WANT_HASH:
		value.type = VALUE_HASH;
		break;
	case WANT_STRING:
	case WANT_CUT_STRING:
		value.type = VALUE_STRING;
		break;
	case WANT_BYTES:
		value.type = VALUE_BYTES;
		break;
	case WANT_RANGE:
		buf_printf(out, "%" PRId64 " to %" PRId64 "%s%s", want->lo, want->hi, arg->unit ? " " : "",
			   arg->unit ? arg->unit : "");
		return;
	case WANT_STRING_OF:
		for (size_t i = 0; i < want->choices_cnt; i++)
			buf_printf(out, "%s'%s'", i ? " or " : "", want->strings[i]);
		return;
	case WANT_UINT_OF:
		for (size_t i = 0; i < want->choices_cnt; i++)
			buf_printf(out, "%s%" PRIu64, i ? " or " : "", want->numbers[i]);
		return;
	case WANT_NOTHING:
		buf_puts(out, "anything");
		return;
	}
	contract_format_value(arg, &value, out);
}

static void
format_expected(const struct expected *e, struct buf *out)
{
	const struct contract_tracepoint *row = e->row;

	buf_printf(out, "%s(", row->full_name);
	for (unsigned i = 0; i < row->args_cnt; i++) {
		buf_printf(out, "%s%s=", i ? ", " : "", row->args[i].name);
		format_want(&row->args[i], &e->wants[i], out);
	}
	buf_putc(out, ')');
}

struct lane_events {
	const struct event **items;
	size_t cnt;
};

/* The events around one of a lane (or around the gap before it), with their times. */
static char *
format_context(const struct lane_events *events, size_t at, bool mark)
{
	struct buf out;
	size_t from = at > CONTEXT_BEFORE ? at - CONTEXT_BEFORE : 0;
	size_t to = at + CONTEXT_AFTER + 1 < events->cnt ? at + CONTEXT_AFTER + 1 : events->cnt;

	buf_init(&out, 1 << 16);
	for (size_t i = from; i < to || (!mark && i == at && i <= events->cnt); i++) {
		if (!mark && i == at)
			buf_puts(&out, ">            (here)\n");
		if (i >= to)
			break;
		const struct event *event = events->items[i];
		buf_printf(&out, "%c %+10.3f ms #%zu ", mark && i == at ? '>' : ' ',
			   (double)(event->time_ns - events->items[0]->time_ns) / 1e6, i + 1);
		contract_format_event(event, &out);
		buf_putc(&out, '\n');
	}
	return buf_take(&out);
}

static void
tell_wrong_args(const struct expected *e, const struct lane_events *events, size_t at,
		struct findings *findings)
{
	const struct contract_tracepoint *row = e->row;
	const struct event *event = events->items[at];

	for (unsigned i = 0; i < row->args_cnt; i++) {
		const struct contract_arg *arg = &row->args[i];
		struct buf want, got, message;

		if (i < event->args_cnt && value_fits(&e->wants[i], &event->args[i]))
			continue;
		buf_init(&want, 1 << 16);
		buf_init(&got, 1 << 16);
		buf_init(&message, 1 << 18);
		format_want(arg, &e->wants[i], &want);
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

static void
tell_missing(const struct expected *e, const struct lane_events *events, size_t at, bool elsewhere,
	     struct findings *findings)
{
	const char *how = elsewhere ? "came out of order" : "did not come";
	/* The document promises when a tracepoint fires, and no order between several. */
	enum finding_kind kind = elsewhere ? FINDING_DETAIL : e->kind;
	struct buf want, message;

	buf_init(&want, 1 << 16);
	buf_init(&message, 1 << 18);
	format_expected(e, &want);
	buf_printf(&message, "%s %s: %s", contract_get(e->tracepoint)->full_name, how, e->what);
	struct finding *finding =
		findings_add(findings, kind, contract_get(e->tracepoint)->full_name, 0, NULL, want.data,
			     elsewhere ? "it at another place" : "no such event", e->source, message.data);
	finding->context = format_context(events, at, false);
	buf_fini(&want);
	buf_fini(&message);
}

static void
tell_extra(const struct lane *lane, const struct lane_events *events, size_t at, struct findings *findings)
{
	const struct event *event = events->items[at];
	const char *name = contract_get(event->tracepoint)->full_name;
	struct buf got, message;

	buf_init(&got, 1 << 16);
	buf_init(&message, 1 << 18);
	contract_format_event(event, &got);
	buf_printf(&message, "%s came although it was not expected: %s", name, got.data);
	struct finding *finding = findings_add(findings, lane->extra_kind, name, 0, NULL, "no such event",
					       got.data, NULL, message.data);
	finding->context = format_context(events, at, true);
	buf_fini(&got);
	buf_fini(&message);
}

/* Pairs the wanted and the events of one lane: pair_of[w] is the index of an event, or NO_PAIR. */
#define NO_PAIR SIZE_MAX

static void
pair_any_order(struct expected *const *wants, size_t wants_cnt, const struct lane_events *events,
	       size_t *pair_of, bool *taken)
{
	for (size_t w = 0; w < wants_cnt; w++)
		for (size_t g = 0; g < events->cnt && pair_of[w] == NO_PAIR; g++)
			if (!taken[g] && fits(wants[w], events->items[g])) {
				pair_of[w] = g;
				taken[g] = true;
			}
	for (size_t w = 0; w < wants_cnt; w++) {
		unsigned best = GAP;

		if (pair_of[w] != NO_PAIR)
			continue;
		for (size_t g = 0; g < events->cnt; g++) {
			if (taken[g] || events->items[g]->tracepoint != wants[w]->tracepoint)
				continue;
			unsigned wrong = wrong_args(wants[w], events->items[g]);
			if (wrong < best) {
				best = wrong;
				pair_of[w] = g;
			}
		}
		if (pair_of[w] != NO_PAIR)
			taken[pair_of[w]] = true;
	}
}

static uint32_t
pair_cost(const struct expected *e, const struct event *event, bool both_fit_others)
{
	uint32_t wrong = wrong_args(e, event);

	return wrong && both_fit_others ? MISFIT : wrong;
}

static void
pair_in_order(struct expected *const *wants, size_t wants_cnt, const struct lane_events *events,
	      size_t *pair_of, bool *taken)
{
	size_t head = 0, w_end = wants_cnt, g_end = events->cnt;

	while (head < w_end && head < g_end && fits(wants[head], events->items[head])) {
		pair_of[head] = head;
		taken[head++] = true;
	}
	while (w_end > head && g_end > head && fits(wants[w_end - 1], events->items[g_end - 1])) {
		pair_of[--w_end] = --g_end;
		taken[g_end] = true;
	}
	size_t n = w_end - head, m = g_end - head;
	if (!n || !m)
		return;
	if ((n + 1) * (m + 1) > ALIGN_CELLS_MAX) {
		/* Too far apart to align in reasonable memory: side by side, where the tracepoints agree. */
		for (size_t i = 0; i < n && i < m; i++)
			if (wants[head + i]->tracepoint == events->items[head + i]->tracepoint) {
				pair_of[head + i] = head + i;
				taken[head + i] = true;
			}
		return;
	}
	/* Which of them have their like on the other side, wherever it is? */
	bool *want_came = xcalloc(n, sizeof(*want_came)), *event_wanted = xcalloc(m, sizeof(*event_wanted));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < m; j++)
			if ((!want_came[i] || !event_wanted[j]) &&
			    fits(wants[head + i], events->items[head + j]))
				want_came[i] = event_wanted[j] = true;
	/* cost[i][j]: the cheapest way to have dealt with the first i wanted and the first j that came. */
	uint32_t *cost = xcalloc((n + 1) * (m + 1), sizeof(*cost));
#define COST(i, j) cost[(i) * (m + 1) + (j)]
#define PAIR_COST(i, j)                                                                                      \
	pair_cost(wants[head + (i)], events->items[head + (j)], want_came[i] && event_wanted[j])
	for (size_t i = 0; i <= n; i++)
		for (size_t j = 0; j <= m; j++) {
			uint32_t best = UINT32_MAX;

			if (i && COST(i - 1, j) + GAP < best)
				best = COST(i - 1, j) + GAP;
			if (j && COST(i, j - 1) + GAP < best)
				best = COST(i, j - 1) + GAP;
			if (i && j &&
			    wants[head + i - 1]->tracepoint == events->items[head + j - 1]->tracepoint) {
				uint32_t both = COST(i - 1, j - 1) + PAIR_COST(i - 1, j - 1);
				if (both < best)
					best = both;
			}
			COST(i, j) = i || j ? best : 0;
		}
	for (size_t i = n, j = m; i && j;) {
		bool same = wants[head + i - 1]->tracepoint == events->items[head + j - 1]->tracepoint;

		if (same && COST(i, j) == COST(i - 1, j - 1) + PAIR_COST(i - 1, j - 1)) {
			i--, j--;
			pair_of[head + i] = head + j;
			taken[head + j] = true;
		} else if (COST(i, j) == COST(i, j - 1) + GAP) {
			j--;
		} else {
			i--;
		}
	}
#undef PAIR_COST
#undef COST
	free(cost);
	free(want_came);
	free(event_wanted);
}

static void
match_lane(const struct lane *lane, struct expected *const *wants, size_t wants_cnt,
	   const struct lane_events *events, struct findings *findings)
{
	size_t *pair_of = xmalloc(wants_cnt * sizeof(*pair_of));
	bool *taken = xcalloc(events->cnt, sizeof(*taken));
	size_t at = 0; /* where in what came the next wanted one would be */

	for (size_t w = 0; w < wants_cnt; w++)
		pair_of[w] = NO_PAIR;
	if (lane->order == LANE_ANY_ORDER)
		pair_any_order(wants, wants_cnt, events, pair_of, taken);
	else
		pair_in_order(wants, wants_cnt, events, pair_of, taken);
	for (size_t w = 0; w < wants_cnt; w++) {
		bool elsewhere = false;

		if (pair_of[w] != NO_PAIR) {
			at = pair_of[w] + 1;
			if (!fits(wants[w], events->items[pair_of[w]]))
				tell_wrong_args(wants[w], events, pair_of[w], findings);
			continue;
		}
		for (size_t g = 0; g < events->cnt && !elsewhere; g++)
			if (!taken[g] && fits(wants[w], events->items[g]))
				taken[g] = elsewhere = true;
		tell_missing(wants[w], events, at, elsewhere, findings);
	}
	for (size_t g = 0; g < events->cnt; g++)
		if (!taken[g])
			tell_extra(lane, events, g, findings);
	free(pair_of);
	free(taken);
}

static const struct value *
argument_by_name(const struct event *event, const char *name)
{
	const struct contract_tracepoint *row = contract_of_event(event);

	for (unsigned i = 0; i < row->args_cnt && i < event->args_cnt; i++)
		if (!strcmp(row->args[i].name, name))
			return &event->args[i];
	return NULL;
}

static bool
lane_selects(const struct lane_select *select, const struct event *event)
{
	if (select->tracepoints && !(select->tracepoints & TP_BIT(event->tracepoint)))
		return false;
	if (select->int_argument) {
		const struct value *value = argument_by_name(event, select->int_argument);

		if (!value || value->state != VALUE_READ || value->i != select->int_value)
			return false;
	}
	if (select->string_argument) {
		const struct value *value = argument_by_name(event, select->string_argument);

		if (!value || value->state != VALUE_READ || value->len != strlen(select->string_value) ||
		    memcmp(value->bytes, select->string_value, value->len))
			return false;
	}
	return true;
}

static int
check_sound(const struct expect *x, enum tracepoint_id subject, struct diag *diag)
{
	bool control = false;

	if (x->broken)
		return diag_fail(diag, -EINVAL, "expect: %s", x->broken);
	for (size_t i = 0; i < x->cnt; i++) {
		const struct expected *e = x->items[i];
		const struct contract_tracepoint *row = e->row;

		for (unsigned a = 0; a < row->args_cnt && !(x->dropped & TP_BIT(e->tracepoint)); a++)
			if (e->wants[a].op == WANT_NOTHING)
				return diag_fail(diag, -EINVAL,
						 "expect: argument %u (%s) of %s is left unchecked (%s)",
						 a + 1, row->args[a].name, row->full_name, e->what);
		control |= e->tracepoint == subject && !(x->dropped & TP_BIT(e->tracepoint));
	}
	if (!control)
		return diag_fail(diag, -EINVAL,
				 "expect: no event of %s is expected; without one, silence proves nothing",
				 contract_get(subject)->full_name);
	return 0;
}

int
expect_match(const struct expect *x, enum tracepoint_id subject, const struct event *events,
	     size_t events_cnt, struct findings *findings, struct diag *diag)
{
	int code = check_sound(x, subject, diag);

	if (code)
		return code;
	struct lane_events of_lane = {.items = xcalloc(events_cnt, sizeof(*of_lane.items))};
	struct expected **wants = xcalloc(x->cnt, sizeof(*wants));
	unsigned *lane_of = xcalloc(events_cnt, sizeof(*lane_of));

	for (size_t g = 0; g < events_cnt; g++)
		for (unsigned lane = 1; lane < x->lanes_cnt && !lane_of[g]; lane++)
			if (lane_selects(&x->lanes[lane].select, &events[g]))
				lane_of[g] = lane;
	for (unsigned lane = 0; lane < x->lanes_cnt; lane++) {
		size_t wants_cnt = 0;

		of_lane.cnt = 0;
		for (size_t g = 0; g < events_cnt; g++)
			if (lane_of[g] == lane && !(x->dropped & TP_BIT(events[g].tracepoint)))
				of_lane.items[of_lane.cnt++] = &events[g];
		for (size_t w = 0; w < x->cnt; w++)
			if (x->items[w]->lane == lane && !(x->dropped & TP_BIT(x->items[w]->tracepoint)))
				wants[wants_cnt++] = x->items[w];
		if (x->lanes[lane].order != LANE_IGNORED)
			match_lane(&x->lanes[lane], wants, wants_cnt, &of_lane, findings);
	}
	free(lane_of);
	free(wants);
	free(of_lane.items);
	return 0;
}
