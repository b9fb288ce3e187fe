/* CLOCK_MONOTONIC, the clock of the events' timestamps, and deadlines on it. */
#ifndef TPCHECK_BASE_CLOCK_H
#define TPCHECK_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
};

uint64_t clock_now_ns(void);

struct deadline deadline_in_ms(uint64_t ms);
struct deadline deadline_earlier(struct deadline a, struct deadline b);
/* Milliseconds left, rounded up; 0 once it has passed. */
uint64_t deadline_left_ms(struct deadline deadline);
bool deadline_has_passed(struct deadline deadline);

/* Waits ms, or until the deadline or a signal if that is earlier; for polling a condition. */
void clock_pause_ms(unsigned ms, struct deadline deadline);

#endif
