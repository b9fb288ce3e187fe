/* Which scenario is next, for any number of workers. Pure; the runner holds its lock. */
#ifndef TPCHECK_RUN_QUEUE_H
#define TPCHECK_RUN_QUEUE_H

#include "scene/scenario.h"

#include <stdbool.h>
#include <stddef.h>

struct shared_node;

/* Scenarios that share a node: neighbours in the list with the same profile, up to one that ends its node. One worker
 * runs them all, in order, so that their node's state does not depend on how many workers there are. */
struct group {
	size_t first, cnt, done; /* done: how many were handed out */
	unsigned cost_ms;        /* its part of what all scenarios of the profile cost */
	const struct profile *profile;
	bool is_taken;
	struct shared_node *node; /* the team's: what was started ahead for it; NULL */
};

struct queue {
	struct group *groups;
	size_t groups_cnt;
	bool longest_first;
};

/* list ends with NULL. longest_first: groups are begun in that order, which is best for several workers; else as
 * listed. */
void queue_init(struct queue *queue, const struct scenario *const *list, bool longest_first);
void queue_fini(struct queue *queue);

/* The next scenario of a worker, whose current group is *group (NULL: none), as an index into the list; *is_last: of
 * its group. False when there is none left. */
bool queue_take(struct queue *queue, struct group **group, size_t *idx, bool *is_last);
/* The group that will be taken next, among those without a node; NULL: none. */
struct group *queue_ahead(struct queue *queue);

#endif
