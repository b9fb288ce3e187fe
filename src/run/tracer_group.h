/* Follows several processes at once: their events in one order, by the clock. Each process has a tracer of its own, and
 * its own losses.
 *
 * In a round each tracer hands over what was recorded before a moment of its own; what is from before the earliest of
 * these moments is complete, is merged and leaves. The rest waits for the next round. */
#ifndef TPCHECK_RUN_TRACER_GROUP_H
#define TPCHECK_RUN_TRACER_GROUP_H

#include "base/diag.h"
#include "run/tracer.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tracer_group;

struct tracer_group_opts {
	struct tracer_opts tracer; /* of each; its sink is not used */
	/* Returns false to get no more. */
	bool (*on_event)(void *cookie, pid_t pid, const struct contract_tracepoint *row,
			 const struct event *event);
	void (*on_loss)(void *cookie, pid_t pid, const struct probe_counts *counts, uint64_t lost);
	/* All events of a process that has ended, or failed (err, diag), were handed over. */
	void (*on_end)(void *cookie, pid_t pid, const struct probe_counts *counts, int err,
		       const struct diag *diag);
	void *cookie;
};

/* opts is copied, what it points to is borrowed. */
struct tracer_group *tracer_group_new(const struct tracer_group_opts *opts);
void tracer_group_free(struct tracer_group *group); /* NULL is fine */

/* Adds a process, with a pidfd that the group takes over in any case. made is lent until the process ends. Errors as
 * tracer_load and tracer_attach. */
int tracer_group_add(struct tracer_group *group, pid_t pid, int pidfd, const char *path, unsigned release,
		     const struct tracer **made, struct diag *diag);
size_t tracer_group_cnt(const struct tracer_group *group);
bool tracer_group_has(const struct tracer_group *group, pid_t pid);

/* One round. *enough: on_event returned false. */
void tracer_group_step(struct tracer_group *group, bool *enough);
/* Hands over all that has happened until now, and lets all processes go. */
void tracer_group_finish(struct tracer_group *group);

/* Of all processes, those that have ended included. */
void tracer_group_counts(const struct tracer_group *group, struct probe_counts *counts);
/* The selection of one of the processes, for its rows; NULL: there is none. */
const struct selection *tracer_group_selection(const struct tracer_group *group);

#endif
