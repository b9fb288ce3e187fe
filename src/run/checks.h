/* What a machine can spoil in a measurement, and when to stop trying. Pure, except for machine_real. */
#ifndef TPCHECK_RUN_CHECKS_H
#define TPCHECK_RUN_CHECKS_H

#include "base/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the checks ask of the machine; tests replace it. */
struct machine {
	/* How far the wall clock is ahead of the monotonic one. */
	int64_t (*clock_offset_ns)(void);
	/* Whether there is readable memory at that address of the process. */
	bool (*is_mapped)(pid_t pid, uint64_t address);
	/* Whether the machine may have taken a page of that memory from the process: swapped it out, dropped a page of
	 * a file, or moved it to another NUMA node. A page that the process never wrote to was not taken. */
	bool (*takes_pages)(pid_t pid, uint64_t address, uint64_t len);
	/* Memory that is there for nodes; 0: it is not known. */
	unsigned long (*memory_mb)(void);
};
extern const struct machine machine_real;

/* Whether the wall clock was set during that time; from clock_offset_ns before and after it. Bounds of durations
 * compare what the node measured by the one clock with what was measured by the other. */
bool checks_clock_was_set(int64_t before_ns, int64_t after_ns, uint64_t duration_ns);

/* The number, from 1, of the first argument that points at memory which exists, in the whole length that was to be
 * read, but was not resident when the probe read it; 0: none. A probe cannot wait for a page that is swapped out or on
 * its way to another NUMA node. Such a pointer is right although it could not be read: that says nothing about the
 * binary. If the memory does not exist, or was never written to, the binary passed a wrong address or length. */
unsigned checks_find_absent_page(const struct machine *machine, pid_t pid, const struct event *event);

/* Scenarios that run out of time, one after the other. A node that hangs in one context may be well in another; if it
 * hangs in two, or wherever it is tried, that is enough. Several workers may run scenarios of a context. */
enum { TIMEOUTS_MAX = 3, TIMEOUTS_CONTEXTS_MAX = 16 };
struct timeouts {
	struct timeouts_context {
		const char *name;  /* borrowed, of a scenario, which begins with it; NULL: none */
		unsigned in_a_row; /* of this context's scenarios */
		bool is_out;       /* it was given up */
	} contexts[TIMEOUTS_CONTEXTS_MAX];
	unsigned in_a_row; /* of all */
	bool all;          /* nothing is tried any more */
};

/* Counts the end of a scenario; err is -ETIMEDOUT if it ran out of time. name is borrowed. */
void timeouts_count(struct timeouts *timeouts, const char *name, int err);
/* Whether the scenario's context was given up. */
bool timeouts_rule_out(const struct timeouts *timeouts, const char *name);

#endif
