/* A bitcoind that starts fills its random number generator: for 0.1 s by the clock it does nothing but hash
 * (SeedStrengthen in src/random.cpp). It is stopped meanwhile, which takes no longer and leaves the CPU to others:
 * nodes that start while scenarios run would otherwise take a quarter of it.
 *
 * When it has begun is seen from outside: CPU time passes, and no page is touched for the first time, and there is one
 * thread. If that is taken for something else, or the machine does not show it, nothing is lost but a little time. */
#ifndef TPCHECK_NODE_IDLE_H
#define TPCHECK_NODE_IDLE_H

#include "node/process.h"

#include <stdint.h>

struct idle {
	enum idle_state {
		IDLE_LOOKS,   /* for the begin of the hashing */
		IDLE_STOPPED, /* until until_ns */
		IDLE_OVER,
	} state;
	uint64_t began_ns, until_ns;    /* CLOCK_MONOTONIC; began_ns 0: not looked yet */
	uint64_t cpu_ns, faults, at_ns; /* when it was looked last */
};

/* Looks at the process, stops it or lets it go on. To be called every few milliseconds
 * while it is waited for. */
void idle_look(struct idle *idle, struct process *process);
/* How long to wait until the next look: usual_ms, or until it goes on. */
unsigned idle_wait_ms(const struct idle *idle, unsigned usual_ms);
/* Lets it go on if it is stopped, and leaves it alone from now on. */
void idle_end(struct idle *idle, struct process *process);

#endif
