/* Compares what is expected with what came: sorts the events into lanes, pairs those of each lane (pairing.h), and
 * reports what does not fit in the order of time, so that the first finding is the one nearest to the cause. */
#include "base/xmem.h"
#include "contract/expect_private.h"
#include "contract/pairing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Something that does not fit, before it is reported. */
struct fault {
	enum { FAULT_WRONG, FAULT_MOVED, FAULT_MISSING, FAULT_EXTRA } kind;
	const struct lane *lane;
	const struct lane_events *events;
	const struct expected *want; /* NULL: FAULT_EXTRA */
	size_t event;                /* in the lane; NO_PAIR: FAULT_MISSING */
	size_t place;                /* the event before which it should have been: FAULT_MOVED, _MISSING */
	uint64_t noticed_ns, before_ns; /* the time of the event that shows it; of the one before that */
	size_t number;                  /* in order of their creation */
};

struct faults {
	struct fault *items;
	size_t cnt;
};

static uint64_t
time_of(const struct lane_events *events, size_t idx)
{
	return idx < events->cnt ? events->items[idx]->time_ns : UINT64_MAX;
}

static void
add_fault(struct faults *faults, const struct fault *fault)
{
	const struct lane_events *events = fault->events;
	size_t at = fault->want && fault->kind != FAULT_WRONG ? fault->place : fault->event;

	if (fault->kind == FAULT_MOVED && fault->event < at)
		at = fault->event;
	/* Without order, only the end of the lane shows what is missing or too many. */
	if (fault->lane->order == LANE_ANY_ORDER && fault->kind != FAULT_WRONG)
		at = events->cnt;
	/* Room for the next power of 2. */
	if (!(faults->cnt & (faults->cnt - 1)))
		faults->items = xreallocarray(faults->items, faults->cnt ? 2 * faults->cnt : 1,
					      sizeof(*faults->items));
	struct fault *added = &faults->items[faults->cnt];
	*added = *fault;
	added->noticed_ns = time_of(events, at);
	added->before_ns = at ? time_of(events, at - 1) : 0;
	added->number = faults->cnt++;
}

static int
compare_faults(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;

	if (x->noticed_ns != y->noticed_ns)
		return x->noticed_ns < y->noticed_ns ? -1 : 1;
	if (x->before_ns != y->before_ns)
		return x->before_ns < y->before_ns ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static void
report_faults(struct faults *faults, struct findings *findings)
{
	if (faults->cnt)
		qsort(faults->items, faults->cnt, sizeof(*faults->items), compare_faults);
	for (size_t i = 0; i < faults->cnt; i++) {
		const struct fault *fault = &faults->items[i];

		switch (fault->kind) {
		case FAULT_MOVED:
			/* Its arguments first: they may be more than a detail. */
			mismatch_wrong_args(fault->want, fault->events, fault->event, findings);
			mismatch_moved(fault->want, fault->events, fault->place, fault->event, findings);
			break;
		case FAULT_WRONG:
			mismatch_wrong_args(fault->want, fault->events, fault->event, findings);
			break;
		case FAULT_MISSING:
			mismatch_missing(fault->want, fault->events, fault->place, findings);
			break;
		case FAULT_EXTRA:
			mismatch_extra(fault->lane, fault->events, fault->event, findings);
			break;
		}
	}
}

static void
match_lane(const struct lane *lane, struct expected *const *wants, size_t wants_cnt,
	   const struct lane_events *events, struct faults *faults)
{
	struct pairing pairing;
	size_t place = 0; /* where the next expected event should be */

	pairing_init(&pairing, wants, wants_cnt, events);
	if (lane->order == LANE_ANY_ORDER) {
		pairing_any_order(&pairing);
	} else {
		pairing_in_order(&pairing);
		pairing_moved(&pairing, lane->extra_kind);
	}
	for (size_t w = 0; w < wants_cnt; w++) {
		size_t mate = pairing.pair_of[w];
		struct fault fault = {
			.lane = lane, .events = events, .want = wants[w], .event = mate, .place = place};

		if (mate == NO_PAIR) {
			fault.kind = FAULT_MISSING;
			add_fault(faults, &fault);
		} else if (pairing.is_moved[w]) {
			fault.kind = FAULT_MOVED;
			add_fault(faults, &fault);
		} else {
			place = mate + 1;
			fault.kind = FAULT_WRONG;
			if (!pairing_fits(&pairing, w, mate))
				add_fault(faults, &fault);
		}
	}
	for (size_t g = 0; g < events->cnt; g++) {
		const struct fault fault = {.kind = FAULT_EXTRA, .lane = lane, .events = events, .event = g};

		if (!pairing.taken[g])
			add_fault(faults, &fault);
	}
	pairing_fini(&pairing);
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

/* The events of a lane, in order. */
static void
collect_lane(const struct expect *x, unsigned lane, const unsigned *lane_of, const struct event *events,
	     size_t events_cnt, struct lane_events *of_lane)
{
	of_lane->items = xcalloc(events_cnt, sizeof(*of_lane->items));
	for (size_t g = 0; g < events_cnt; g++)
		if (lane_of[g] == lane && !(x->dropped & TP_BIT(events[g].tracepoint)))
			of_lane->items[of_lane->cnt++] = &events[g];
}

static unsigned *
find_lanes(const struct expect *x, const struct event *events, size_t events_cnt)
{
	unsigned *lane_of = xcalloc(events_cnt, sizeof(*lane_of));

	for (size_t g = 0; g < events_cnt; g++)
		for (unsigned lane = 1; lane < x->lanes_cnt && !lane_of[g]; lane++)
			if (lane_selects(&x->lanes[lane].select, &events[g]))
				lane_of[g] = lane;
	return lane_of;
}

int
expect_match(const struct expect *x, enum tracepoint_id subject, const struct event *events,
	     size_t events_cnt, struct findings *findings, struct diag *diag)
{
	int err = expect_check(x, subject, diag);

	if (err)
		return err;
	struct lane_events *of_lanes = xcalloc(x->lanes_cnt, sizeof(*of_lanes));
	struct expected **wants = xcalloc(x->cnt, sizeof(*wants));
	unsigned *lane_of = find_lanes(x, events, events_cnt);
	struct faults faults = {0};

	for (unsigned lane = 0; lane < x->lanes_cnt; lane++) {
		size_t wants_cnt = 0;

		if (x->lanes[lane].order == LANE_IGNORED)
			continue;
		collect_lane(x, lane, lane_of, events, events_cnt, &of_lanes[lane]);
		for (size_t w = 0; w < x->cnt; w++)
			if (x->items[w]->lane == lane && !(x->dropped & TP_BIT(x->items[w]->tracepoint)))
				wants[wants_cnt++] = x->items[w];
		match_lane(&x->lanes[lane], wants, wants_cnt, &of_lanes[lane], &faults);
	}
	report_faults(&faults, findings);
	for (size_t i = 0; i < x->details.cnt; i++) {
		const struct finding *f = &x->details.items[i];

		findings_add(findings, f->kind, f->tracepoint, 0, NULL, NULL, NULL, f->source, f->message);
	}
	for (unsigned lane = 0; lane < x->lanes_cnt; lane++)
		free(of_lanes[lane].items);
	free(of_lanes);
	free(faults.items);
	free(lane_of);
	free(wants);
	return 0;
}
