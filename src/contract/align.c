/* Aligns an ordered lane, so that a finding names the cause: an event that is missing, one too many, one in the wrong
 * place, or a wrong argument.
 *
 * Expected and actual events are two sequences, and the question is which edits turn one into the other. First of all,
 * events that are as expected are taken as such, wherever they are: only what has no equal on the other side can be an
 * event with a wrong argument. (Otherwise, of "A B" expected and "B A'" come, B would be blamed for not being A.) Then the
 * cheapest alignment decides. Missing and extra cost GAP each, a wrong argument costs less, above all one that does not
 * say what the event is about. Two gaps cost more than any pair, so one event with wrong arguments is never reported as
 * one missing and one extra.
 *
 * Of alignments that cost the same, the one that displaces events least is taken: of "A x B" that came as "B x A", x is
 * where it was.
 *
 * Equal beginnings and ends are cut off first, which usually leaves nothing. What is too long to be aligned at once is
 * aligned in windows. */
#include "contract/pairing.h"

#include "base/xmem.h"

#include <stdlib.h>

enum {
	WINDOW = 1000, /* expected events, and as many events */
	ALIGN_CELLS_MAX = 1 << 22,
	COST_SHIFT =
		24, /* below, there is room for all displacements: none is larger than the longer sequence */
};
#define GAP   ((uint64_t)(DISTANCE_MAX + 2) / 2 << COST_SHIFT)
#define NEVER UINT64_MAX

/* A part of both sequences. Positions below are within it. */
struct stretch {
	struct pairing *pairing;
	size_t first_want, wants_cnt, first_event, events_cnt;
	uint8_t *distances;       /* wants_cnt * events_cnt */
	bool *want_may, *got_may; /* whether it may have a wrong argument: there are too few equal ones */
	uint64_t *costs;          /* (wants_cnt + 1) * (events_cnt + 1) */
};

static uint8_t *
distance_at(const struct stretch *stretch, size_t w, size_t g)
{
	return &stretch->distances[w * stretch->events_cnt + g];
}

/* The cheapest way to deal with the first w expected events and the first g events. */
static uint64_t *
cost_at(const struct stretch *stretch, size_t w, size_t g)
{
	return &stretch->costs[w * (stretch->events_cnt + 1) + g];
}

/* The same if the last two of these are a pair; NEVER: they cannot be one. */
static uint64_t
cost_of_pair(const struct stretch *stretch, size_t w, size_t g)
{
	unsigned distance = *distance_at(stretch, w - 1, g - 1);

	bool is_odd = stretch->want_may[w - 1] && stretch->got_may[g - 1];

	if (distance == DISTANCE_NONE || (distance && !is_odd))
		return NEVER;
	return *cost_at(stretch, w - 1, g - 1) + ((uint64_t)distance << COST_SHIFT) + (w > g ? w - g : g - w);
}

static void
measure(struct stretch *stretch)
{
	for (size_t w = 0; w < stretch->wants_cnt; w++)
		for (size_t g = 0; g < stretch->events_cnt; g++)
			*distance_at(stretch, w, g) = (uint8_t)pairing_distance(
				stretch->pairing, stretch->first_want + w, stretch->first_event + g);
}

static bool
is_equal(const struct stretch *stretch, size_t w, size_t g)
{
	return !*distance_at(stretch, w, g);
}

/* Marks the expected events that have no equal left among the events, and those that equal them: of several equal ones
 * that are too many, each may be the odd one. Or, with is_swapped, the same of the events. */
static void
mark_odd(const struct stretch *stretch, bool is_swapped, const bool *has_equal, bool *may)
{
	size_t cnt = is_swapped ? stretch->events_cnt : stretch->wants_cnt;
	size_t others_cnt = is_swapped ? stretch->wants_cnt : stretch->events_cnt;
	bool *seen = xcalloc(others_cnt, sizeof(*seen));

	for (size_t i = 0; i < cnt; i++) {
		if (has_equal[i])
			continue;
		may[i] = true;
		for (size_t o = 0; o < others_cnt; o++) {
			if (seen[o] || !(is_swapped ? is_equal(stretch, o, i) : is_equal(stretch, i, o)))
				continue;
			seen[o] = true;
			for (size_t twin = 0; twin < cnt; twin++)
				if (is_swapped ? is_equal(stretch, o, twin) : is_equal(stretch, twin, o))
					may[twin] = true;
		}
	}
	free(seen);
}

static void
find_odd(struct stretch *stretch)
{
	bool *came = xcalloc(stretch->wants_cnt, sizeof(*came));
	bool *wanted = xcalloc(stretch->events_cnt, sizeof(*wanted));

	for (size_t w = 0; w < stretch->wants_cnt; w++)
		for (size_t g = 0; g < stretch->events_cnt && !came[w]; g++)
			if (!wanted[g] && is_equal(stretch, w, g))
				came[w] = wanted[g] = true;
	mark_odd(stretch, false, came, stretch->want_may);
	mark_odd(stretch, true, wanted, stretch->got_may);
	free(came);
	free(wanted);
}

static void
fill_costs(struct stretch *stretch)
{
	for (size_t w = 0; w <= stretch->wants_cnt; w++)
		for (size_t g = 0; g <= stretch->events_cnt; g++) {
			uint64_t best = w || g ? NEVER : 0;

			if (w && *cost_at(stretch, w - 1, g) + GAP < best)
				best = *cost_at(stretch, w - 1, g) + GAP;
			if (g && *cost_at(stretch, w, g - 1) + GAP < best)
				best = *cost_at(stretch, w, g - 1) + GAP;
			uint64_t both = w && g ? cost_of_pair(stretch, w, g) : NEVER;
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
		uint64_t cost = *cost_at(stretch, w, g);

		if (cost == cost_of_pair(stretch, w, g)) {
			w--, g--;
			pairing_add(stretch->pairing, stretch->first_want + w, stretch->first_event + g);
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

	stretch->distances = xmalloc(stretch->wants_cnt * stretch->events_cnt);
	stretch->want_may = xcalloc(stretch->wants_cnt, sizeof(*stretch->want_may));
	stretch->got_may = xcalloc(stretch->events_cnt, sizeof(*stretch->got_may));
	stretch->costs = xmalloc(cells * sizeof(*stretch->costs));
	measure(stretch);
	find_odd(stretch);
	fill_costs(stretch);
	trace_back(stretch);
	free(stretch->distances);
	free(stretch->want_may);
	free(stretch->got_may);
	free(stretch->costs);
}

/* Undoes the pairs of the second half of a window, which the next one may pair better. Returns where that begins. */
static size_t
keep_first_half(struct pairing *pairing, size_t first_want, size_t *first_event)
{
	size_t next_want = first_want + WINDOW / 2, next_event = *first_event;

	for (size_t w = first_want; w < next_want; w++)
		if (pairing->pair_of[w] != NO_PAIR)
			next_event = pairing->pair_of[w] + 1;
	for (size_t w = next_want; w < first_want + WINDOW; w++) {
		if (pairing->pair_of[w] != NO_PAIR)
			pairing->taken[pairing->pair_of[w]] = false;
		pairing->pair_of[w] = NO_PAIR;
	}
	/* Nothing was paired: go on in both. */
	*first_event = next_event > *first_event ? next_event : *first_event + WINDOW / 2;
	return next_want;
}

static void
align_in_windows(struct pairing *pairing, size_t want, size_t wants_end, size_t event, size_t events_end)
{
	while (want < wants_end && event < events_end) {
		bool is_last = wants_end - want <= WINDOW || events_end - event <= WINDOW;
		struct stretch stretch = {
			.pairing = pairing,
			.first_want = want,
			.wants_cnt = wants_end - want < WINDOW ? wants_end - want : WINDOW,
			.first_event = event,
			.events_cnt = events_end - event < WINDOW ? events_end - event : WINDOW,
		};

		align(&stretch);
		if (is_last)
			return;
		want = keep_first_half(pairing, want, &event);
	}
}

void
pairing_in_order(struct pairing *pairing)
{
	size_t first = 0, wants_end = pairing->wants_cnt, events_end = pairing->events->cnt;

	for (; first < wants_end && first < events_end && pairing_fits(pairing, first, first); first++)
		pairing_add(pairing, first, first);
	while (wants_end > first && events_end > first &&
	       pairing_fits(pairing, wants_end - 1, events_end - 1))
		pairing_add(pairing, --wants_end, --events_end);
	struct stretch stretch = {
		.pairing = pairing,
		.first_want = first,
		.wants_cnt = wants_end - first,
		.first_event = first,
		.events_cnt = events_end - first,
	};
	if (!stretch.wants_cnt || !stretch.events_cnt)
		return;
	if ((stretch.wants_cnt + 1) * (stretch.events_cnt + 1) > ALIGN_CELLS_MAX)
		align_in_windows(pairing, first, wants_end, first, events_end);
	else
		align(&stretch);
}
