/* Which expected events of a lane are paired with which events. pairing.c compares and pairs without regard to order,
 * align.c within an ordered lane. Private to src/contract. */
#ifndef TPCHECK_CONTRACT_PAIRING_H
#define TPCHECK_CONTRACT_PAIRING_H

#include "contract/expect_private.h"

#define NO_PAIR SIZE_MAX

enum {
	DISTANCE_MAX = 63,
	DISTANCE_NONE = UINT8_MAX, /* another tracepoint: never a pair */
	PAIR_CELLS_MAX = 32 << 20, /* expected events times events that are compared with each other */
};

struct pairing {
	struct expected *const *wants;
	size_t wants_cnt;
	const struct lane_events *events;
	size_t *pair_of; /* of each expected event: the index of an event, or NO_PAIR */
	bool *is_moved;  /* of each expected event: its pair is out of order */
	bool *taken;     /* of each event: it is paired */
};

/* Nothing is paired yet. */
void pairing_init(struct pairing *pairing, struct expected *const *wants, size_t wants_cnt,
		  const struct lane_events *events);
void pairing_fini(struct pairing *pairing);

/* How unlike an event is to the expected one: 0: it fits; up to DISTANCE_MAX: by its arguments, above all those that
 * say what the event is about; DISTANCE_NONE. */
unsigned pairing_distance(const struct pairing *pairing, size_t want, size_t event);
bool pairing_fits(const struct pairing *pairing, size_t want, size_t event);
void pairing_add(struct pairing *pairing, size_t want, size_t event);

/* In a lane without order: first what fits, then what is least unlike. */
void pairing_any_order(struct pairing *pairing);
/* In an ordered lane: the cheapest alignment. */
void pairing_in_order(struct pairing *pairing);
/* Pairs what in_order left as missing and as extra if it is the same event, out of order: it fits, or it has another
 * argument but is about the same. */
void pairing_moved(struct pairing *pairing, enum finding_kind extra_kind);

#endif
