/* The threads that the tracer process traces, and the place of each in the shared memory. */
#ifndef TPCHECK_PROBE_PTRACE_TRACEES_H
#define TPCHECK_PROBE_PTRACE_TRACEES_H

#include "probe/ptrace/shared.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tracee {
	pid_t tid;                    /* 0: free */
	struct ptrace_thread *counts; /* NULL: there was no room */
	bool is_suspect;              /* not seen with SIGTRAP unblocked so far; see tracer.c */
	bool is_drained;              /* has no signal of a trap; see tracer.c */
};

/* By tid: open addressing, at most half full. */
struct tracees {
	struct ptrace_area *area;
	struct tracee *items;
	size_t cap, cnt; /* cap is a power of 2 */
};

/* -ENOMEM. */
int tracees_init(struct tracees *tracees, struct ptrace_area *area);
/* The thread, added if it is not known; NULL: out of memory. */
struct tracee *tracees_add(struct tracees *tracees, pid_t tid);
/* NULL: not known. */
struct tracee *tracees_find(struct tracees *tracees, pid_t tid);
/* The threads one after the other, from *at = 0 on; NULL: no more. If some are added or removed meanwhile, others may
 * be left out or come twice. */
struct tracee *tracees_next(const struct tracees *tracees, size_t *at);
/* The thread has ended, or is no longer traced. */
void tracees_remove(struct tracees *tracees, pid_t tid);
void tracees_remove_all(struct tracees *tracees);

#endif
