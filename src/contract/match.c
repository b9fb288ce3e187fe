/* How expected events and those that came are matched, so that a finding blames the right one.
 *
 * Within an ordered lane both are sequences, and the question is which edits turn one into the other: an event missing,
 * an event too many, or an event of the right tracepoint with other values. The cheapest alignment answers it. Missing
 * and extra cost GAP each and a wrong argument costs 1, so one event with a wrong argument is never reported as one
 * missing and one extra. Equal beginnings and ends are cut off first, which usually leaves nothing. Afterwards, a
 * missing event that is among the extra ones is reported as out of order.
 *
 * In a lane without order, equal ones are paired first, then those of one tracepoint with the fewest wrong
 * arguments. */
#include "base/xmem.h"
#include "contract/expect_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_PAIR SIZE_MAX

enum {
	GAP = 16,             /* more than any number of wrong arguments */
	MISFIT = 2 * GAP + 1, /* more than a missing one and an extra one */
	ALIGN_CELLS_MAX = 16 << 20,
};

/* Which expected events of a lane are paired with which events. */
struct pairing {
	struct expected *const *wants;
	size_t wants_cnt;
	const struct lane_events *events;
	size_t *pair_of; /* of each expected event: the index of an event, or NO_PAIR */
	bool *taken;     /* of each event: it is paired */
};

/* How many arguments are wrong or missing. */
static unsigned
wrong_args(const struct expected *e, const struct event *event)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < e->row->args_cnt; i++)
		if (i >= event->args_cnt || !want_fits(&e->wants[i], &event->args[i]))
			wrong++;
	return wrong;
}

static bool
fits(const struct expected *e, const struct event *event)
{
	return e->tracepoint == event->tracepoint && !wrong_args(e, event);
}

static void
pair(struct pairing *pairing, size_t want, size_t event)
{
	pairing->pair_of[want] = event;
	pairing->taken[event] = true;
}

static bool
pairs_fit(const struct pairing *pairing, size_t want, size_t event)
{
	return fits(pairing->wants[want], pairing->events->items[event]);
}

static bool
pairs_have_one_tracepoint(const struct pairing *pairing, size_t want, size_t event)
{
	return pairing->wants[want]->tracepoint == pairing->events->items[event]->tracepoint;
}

static void
pair_any_order(struct pairing *pairing)
{
	size_t events_cnt = pairing->events->cnt;

	for (size_t w = 0; w < pairing->wants_cnt; w++)
		for (size_t g = 0; g < events_cnt && pairing->pair_of[w] == NO_PAIR; g++)
			if (!pairing->taken[g] && pairs_fit(pairing, w, g))
				pair(pairing, w, g);
	for (size_t w = 0; w < pairing->wants_cnt; w++) {
		unsigned fewest = GAP;
		size_t best = NO_PAIR;

		if (pairing->pair_of[w] != NO_PAIR)
			continue;
		for (size_t g = 0; g < events_cnt; g++) {
			if (pairing->taken[g] || !pairs_have_one_tracepoint(pairing, w, g))
				continue;
			unsigned wrong = wrong_args(pairing->wants[w], pairing->events->items[g]);
			if (wrong < fewest) {
				fewest = wrong;
				best = g;
			}
		}
		if (best != NO_PAIR)
			pair(pairing, w, best);
	}
}

/* What is left between equal beginnings and ends: wants_cnt expected events and events_cnt events, both from first on.
 * Positions below are within it. */
struct stretch {
	struct pairing *pairing;
	size_t first, wants_cnt, events_cnt;
	bool *want_came, *event_wanted; /* whether something equal is on the other side, at any position */
	uint32_t *costs;                /* (wants_cnt + 1) * (events_cnt + 1) */
};

/* The cheapest way to deal with the first w expected events and the first g events. */
static uint32_t *
cost_at(const struct stretch *stretch, size_t w, size_t g)
{
	return &stretch->costs[w * (stretch->events_cnt + 1) + g];
}

/* The same if the last two of these are a pair; UINT32_MAX: they cannot be one. */
static uint32_t
cost_of_pair(const struct stretch *stretch, size_t w, size_t g)
{
	const struct pairing *pairing = stretch->pairing;
	size_t want = stretch->first + w - 1, event = stretch->first + g - 1;

	if (!pairs_have_one_tracepoint(pairing, want, event))
		return UINT32_MAX;
	uint32_t cost = wrong_args(pairing->wants[want], pairing->events->items[event]);
	if (cost && stretch->want_came[w - 1] && stretch->event_wanted[g - 1])
		cost = MISFIT;
	return *cost_at(stretch, w - 1, g - 1) + cost;
}

static void
find_equals(struct stretch *stretch)
{
	for (size_t w = 0; w < stretch->wants_cnt; w++)
		for (size_t g = 0; g < stretch->events_cnt; g++)
			if ((!stretch->want_came[w] || !stretch->event_wanted[g]) &&
			    pairs_fit(stretch->pairing, stretch->first + w, stretch->first + g))
				stretch->want_came[w] = stretch->event_wanted[g] = true;
}

static void
fill_costs(struct stretch *stretch)
{
	for (size_t w = 0; w <= stretch->wants_cnt; w++)
		for (size_t g = 0; g <= stretch->events_cnt; g++) {
			uint32_t best = w || g ? UINT32_MAX : 0;

			if (w && *cost_at(stretch, w - 1, g) + GAP < best)
				best = *cost_at(stretch, w - 1, g) + GAP;
			if (g && *cost_at(stretch, w, g - 1) + GAP < best)
				best = *cost_at(stretch, w, g - 1) + GAP;
			uint32_t both = w && g ? cost_of_pair(stretch, w, g) : UINT32_MAX;
			if (both < best)
				best = both;
			*cost_at(stretch, w, g) = best;
		}
}

/* Follows the cheapest way back, and makes its pairs. */
static void
trace_back(struct stretch *stretch)
{
	size_t w = stretch->wants_cnt, g = stretch->events_cnt;

	while (w && g) {
		uint32_t cost = *cost_at(stretch, w, g);

		if (cost == cost_of_pair(stretch, w, g)) {
			w--, g--;
			pair(stretch->pairing, stretch->first + w, stretch->first + g);
		} else if (cost == *cost_at(stretch, w, g - 1) + GAP) {
			g--;
		} else {
			w--;
		}
	}
}

static void
align(struct stretch *stretch)
{
	size_t cells = (stretch->wants_cnt + 1) * (stretch->events_cnt + 1);

	stretch->want_came = xcalloc(stretch->wants_cnt, sizeof(*stretch->want_came));
	stretch->event_wanted = xcalloc(stretch->events_cnt, sizeof(*stretch->event_wanted));
	stretch->costs = xcalloc(cells, sizeof(*stretch->costs));
	find_equals(stretch);
	fill_costs(stretch);
	trace_back(stretch);
	free(stretch->want_came);
	free(stretch->event_wanted);
	free(stretch->costs);
}

static void
pair_side_by_side(const struct stretch *stretch)
{
	size_t end = stretch->first +
		     (stretch->wants_cnt < stretch->events_cnt ? stretch->wants_cnt : stretch->events_cnt);

	for (size_t i = stretch->first; i < end; i++)
		if (pairs_have_one_tracepoint(stretch->pairing, i, i))
			pair(stretch->pairing, i, i);
}

static void
pair_in_order(struct pairing *pairing)
{
	size_t first = 0, wants_end = pairing->wants_cnt, events_end = pairing->events->cnt;

	for (; first < wants_end && first < events_end && pairs_fit(pairing, first, first); first++)
		pair(pairing, first, first);
	while (wants_end > first && events_end > first && pairs_fit(pairing, wants_end - 1, events_end - 1))
		pair(pairing, --wants_end, --events_end);
	struct stretch stretch = {
		.pairing = pairing,
		.first = first,
		.wants_cnt = wants_end - first,
		.events_cnt = events_end - first,
	};
	if (!stretch.wants_cnt || !stretch.events_cnt)
		return;
	if ((stretch.wants_cnt + 1) * (stretch.events_cnt + 1) > ALIGN_CELLS_MAX)
		pair_side_by_side(&stretch); /* too many to align in reasonable memory */
	else
		align(&stretch);
}

static void
match_lane(const struct lane *lane, struct expected *const *wants, size_t wants_cnt,
	   const struct lane_events *events, struct findings *findings)
{
	struct pairing pairing = {
		.wants = wants,
		.wants_cnt = wants_cnt,
		.events = events,
		.pair_of = xmalloc(wants_cnt * sizeof(*pairing.pair_of)),
		.taken = xcalloc(events->cnt, sizeof(*pairing.taken)),
	};
	size_t at = 0; /* where the next expected event should be */

	for (size_t w = 0; w < wants_cnt; w++)
		pairing.pair_of[w] = NO_PAIR;
	if (lane->order == LANE_ANY_ORDER)
		pair_any_order(&pairing);
	else
		pair_in_order(&pairing);
	for (size_t w = 0; w < wants_cnt; w++) {
		size_t mate = pairing.pair_of[w];
		bool is_elsewhere = false;

		if (mate != NO_PAIR) {
			at = mate + 1;
			if (!pairs_fit(&pairing, w, mate))
				mismatch_wrong_args(wants[w], events, mate, findings);
			continue;
		}
		for (size_t g = 0; g < events->cnt && !is_elsewhere; g++)
			if (!pairing.taken[g] && pairs_fit(&pairing, w, g))
				pairing.taken[g] = is_elsewhere = true;
		mismatch_missing(wants[w], events, at, is_elsewhere, findings);
	}
	for (size_t g = 0; g < events->cnt; g++)
		if (!pairing.taken[g])
			mismatch_extra(lane, events, g, findings);
	free(pairing.pair_of);
	free(pairing.taken);
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

int
expect_match(const struct expect *x, enum tracepoint_id subject, const struct event *events,
	     size_t events_cnt, struct findings *findings, struct diag *diag)
{
	int err = expect_check(x, subject, diag);

	if (err)
		return err;
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
	for (size_t i = 0; i < x->details.cnt; i++) {
		const struct finding *f = &x->details.items[i];

		findings_add(findings, f->kind, f->tracepoint, 0, NULL, NULL, NULL, f->source, f->message);
	}
	free(lane_of);
	free(wants);
	free(of_lane.items);
	return 0;
}
