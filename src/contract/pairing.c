/* Comparing expected events with those that came, and pairing them where order does not matter. */
#include "contract/pairing.h"

#include "base/xmem.h"

#include <stdlib.h>

void
pairing_init(struct pairing *pairing, struct expected *const *wants, size_t wants_cnt,
	     const struct lane_events *events)
{
	*pairing = (struct pairing){
		.wants = wants,
		.wants_cnt = wants_cnt,
		.events = events,
		.pair_of = xmalloc(wants_cnt * sizeof(*pairing->pair_of)),
		.is_moved = xcalloc(wants_cnt, sizeof(*pairing->is_moved)),
		.taken = xcalloc(events->cnt, sizeof(*pairing->taken)),
	};
	for (size_t w = 0; w < wants_cnt; w++)
		pairing->pair_of[w] = NO_PAIR;
}

void
pairing_fini(struct pairing *pairing)
{
	free(pairing->pair_of);
	free(pairing->is_moved);
	free(pairing->taken);
}

struct difference {
	unsigned identifying,
		identifying_wrong; /* arguments that say what the event is about, and how many differ */
	unsigned wrong;            /* of all arguments */
	bool is_contract;          /* one that is wrong matters to the contract */
};

static struct difference
compare(const struct expected *e, const struct event *event)
{
	struct difference difference = {0};

	for (unsigned i = 0; i < e->row->args_cnt; i++) {
		bool identifies = e->row->args[i].identifies;

		difference.identifying += identifies;
		if (i < event->args_cnt && want_fits(&e->wants[i], &event->args[i]))
			continue;
		difference.wrong++;
		difference.identifying_wrong += identifies;
		difference.is_contract |= e->wants[i].kind == FINDING_CONTRACT;
	}
	return difference;
}

unsigned
pairing_distance(const struct pairing *pairing, size_t want, size_t event)
{
	/* Of an event that is about something else, and of any other argument: all together at most DISTANCE_MAX. */
	enum { SOMETHING_ELSE = 40, OTHER = 2 };
	const struct expected *e = pairing->wants[want];
	const struct event *got = pairing->events->items[event];
	unsigned distance = 0;

	if (e->tracepoint != got->tracepoint)
		return DISTANCE_NONE;
	struct difference difference = compare(e, got);
	if (difference.identifying_wrong)
		distance = SOMETHING_ELSE * difference.identifying_wrong / difference.identifying;
	distance += OTHER * (difference.wrong - difference.identifying_wrong);
	return distance < DISTANCE_MAX ? distance : DISTANCE_MAX;
}

bool
pairing_fits(const struct pairing *pairing, size_t want, size_t event)
{
	return pairing_distance(pairing, want, event) == 0;
}

void
pairing_add(struct pairing *pairing, size_t want, size_t event)
{
	pairing->pair_of[want] = event;
	pairing->taken[event] = true;
}

/* The indexes of the expected events without a pair; the caller frees them. */
static size_t *
find_open_wants(const struct pairing *pairing, size_t *cnt)
{
	size_t *open = xmalloc(pairing->wants_cnt * sizeof(*open));

	*cnt = 0;
	for (size_t w = 0; w < pairing->wants_cnt; w++)
		if (pairing->pair_of[w] == NO_PAIR)
			open[(*cnt)++] = w;
	return open;
}

static size_t *
find_open_events(const struct pairing *pairing, size_t *cnt)
{
	size_t *open = xmalloc(pairing->events->cnt * sizeof(*open));

	*cnt = 0;
	for (size_t g = 0; g < pairing->events->cnt; g++)
		if (!pairing->taken[g])
			open[(*cnt)++] = g;
	return open;
}

static void
pair_fitting(struct pairing *pairing)
{
	for (size_t w = 0; w < pairing->wants_cnt; w++)
		for (size_t g = 0; g < pairing->events->cnt && pairing->pair_of[w] == NO_PAIR; g++)
			if (!pairing->taken[g] && pairing_fits(pairing, w, g))
				pairing_add(pairing, w, g);
}

/* Too many to compare each with each: any event of its tracepoint. */
static void
pair_first(struct pairing *pairing, const size_t *wants, size_t wants_cnt, const size_t *events,
	   size_t events_cnt)
{
	for (size_t w = 0; w < wants_cnt; w++)
		for (size_t g = 0; g < events_cnt && pairing->pair_of[wants[w]] == NO_PAIR; g++)
			if (!pairing->taken[events[g]] &&
			    pairing->wants[wants[w]]->tracepoint ==
				    pairing->events->items[events[g]]->tracepoint)
				pairing_add(pairing, wants[w], events[g]);
}

/* The pairs that are least unlike come first, whichever event they belong to. */
static void
pair_similar(struct pairing *pairing, const size_t *wants, size_t wants_cnt, const size_t *events,
	     size_t events_cnt)
{
	uint8_t *distances = xmalloc(wants_cnt * events_cnt);
	bool is_used[DISTANCE_NONE + 1] = {false};

	for (size_t w = 0; w < wants_cnt; w++)
		for (size_t g = 0; g < events_cnt; g++) {
			unsigned distance = pairing_distance(pairing, wants[w], events[g]);

			distances[w * events_cnt + g] = (uint8_t)distance;
			is_used[distance] = true;
		}
	for (unsigned distance = 0; distance <= DISTANCE_MAX; distance++)
		for (size_t w = 0; is_used[distance] && w < wants_cnt; w++)
			for (size_t g = 0; g < events_cnt && pairing->pair_of[wants[w]] == NO_PAIR; g++)
				if (distances[w * events_cnt + g] == distance && !pairing->taken[events[g]])
					pairing_add(pairing, wants[w], events[g]);
	free(distances);
}

void
pairing_any_order(struct pairing *pairing)
{
	size_t wants_cnt, events_cnt;

	pair_fitting(pairing);
	size_t *wants = find_open_wants(pairing, &wants_cnt);
	size_t *events = find_open_events(pairing, &events_cnt);
	if (events_cnt && wants_cnt > PAIR_CELLS_MAX / events_cnt)
		pair_first(pairing, wants, wants_cnt, events, events_cnt);
	else
		pair_similar(pairing, wants, wants_cnt, events, events_cnt);
	free(wants);
	free(events);
}

/* Whether an event that differs is the one expected all the same. Its wrong argument must not weigh less than what it
 * is reported instead of, an event that is missing and one too many. */
static bool
is_same_event(const struct expected *e, const struct event *event, enum finding_kind extra_kind)
{
	if (e->tracepoint != event->tracepoint)
		return false;
	struct difference difference = compare(e, event);
	bool is_about_it = difference.identifying && !difference.identifying_wrong;

	if (!difference.is_contract && (e->kind == FINDING_CONTRACT || extra_kind == FINDING_CONTRACT))
		return false;
	return is_about_it || difference.wrong == 1;
}

static void
add_moved(struct pairing *pairing, size_t want, size_t event)
{
	pairing_add(pairing, want, event);
	pairing->is_moved[want] = true;
}

static void
pair_moved_similar(struct pairing *pairing, size_t want, const size_t *events, size_t events_cnt,
		   enum finding_kind extra_kind)
{
	unsigned least = DISTANCE_NONE;
	size_t best = NO_PAIR;

	for (size_t g = 0; g < events_cnt; g++) {
		if (pairing->taken[events[g]] ||
		    !is_same_event(pairing->wants[want], pairing->events->items[events[g]], extra_kind))
			continue;
		unsigned distance = pairing_distance(pairing, want, events[g]);
		if (distance < least) {
			least = distance;
			best = events[g];
		}
	}
	if (best != NO_PAIR)
		add_moved(pairing, want, best);
}

void
pairing_moved(struct pairing *pairing, enum finding_kind extra_kind)
{
	size_t wants_cnt, events_cnt;
	size_t *wants = find_open_wants(pairing, &wants_cnt);
	size_t *events = find_open_events(pairing, &events_cnt);

	for (size_t w = 0; w < wants_cnt; w++)
		for (size_t g = 0; g < events_cnt && pairing->pair_of[wants[w]] == NO_PAIR; g++)
			if (!pairing->taken[events[g]] && pairing_fits(pairing, wants[w], events[g]))
				add_moved(pairing, wants[w], events[g]);
	for (size_t w = 0; w < wants_cnt; w++)
		if (pairing->pair_of[wants[w]] == NO_PAIR)
			pair_moved_similar(pairing, wants[w], events, events_cnt, extra_kind);
	free(wants);
	free(events);
}
