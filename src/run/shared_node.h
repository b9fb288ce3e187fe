/* A node that the scenarios of one profile share, with what they take from it. A thread of its own brings it to where
 * its first scenario can begin, while the probes compile or other scenarios run. */
#ifndef TPCHECK_RUN_SHARED_NODE_H
#define TPCHECK_RUN_SHARED_NODE_H

#include "base/diag.h"
#include "scene/blocks.h"
#include "scene/scenario.h"
#include "scene/wallets.h"

#include <stdatomic.h>
#include <stdbool.h>

struct shared_node;

struct shared_node_opts {
	const char *bitcoind;
	/* See struct runner_opts: */
	const char *user, *sudo_uid, *tmpdir;
	bool same_user;
	const char *const *env;
	const char *env_hint;
	struct keeper *keeper; /* of the probes */
	unsigned timeout_ms;   /* for start and warm-up together */
	const atomic_int *interrupted;
};

/* Begins to start it. *out is NULL on failure, which is that of starting a thread. Copies opts; what they name must
 * live until the end. */
int shared_node_start(struct shared_node **out, const struct profile *profile,
		      const struct shared_node_opts *opts, struct diag *diag);
/* Waits until it is ready and warm. Errors of node_start, node_wait_ready and the profile's warm; the same ones when
 * called again. */
int shared_node_wait(struct shared_node *shared, struct diag *diag);
/* Whether bitcoind became ready, though warming it may have failed; after shared_node_wait. */
bool shared_node_was_ready(const struct shared_node *shared);
/* Whether a scenario of that profile can use it now; after shared_node_wait. */
bool shared_node_is_usable(const struct shared_node *shared, const struct profile *profile);
const struct profile *shared_node_profile(const struct shared_node *shared);
/* Lent, after shared_node_wait; NULL: it could not be started. */
struct node *shared_node_node(const struct shared_node *shared);
/* Gives a scene what belongs to the node: node, coins, wallets. */
void shared_node_enter(struct shared_node *shared, struct scene *scene);
/* Adds what sanitizers have reported since the last call. A report that has begun, and ends the node, is waited for. */
void shared_node_find_reports(struct shared_node *shared, struct deadline deadline,
			      struct findings *findings);
/* Stops bitcoind, which is when leaks are reported, if it runs, and adds what sanitizers report. What keeps a sanitizer
 * from its work, or bitcoind from ending well for another reason, is an error. */
int shared_node_stop(struct shared_node *shared, struct deadline deadline, struct findings *findings,
		     struct diag *diag);
/* Begins to end it, without waiting: it is killed and its datadir removed in its own thread. Nothing may be done with
 * it but shared_node_end. NULL is fine. */
void shared_node_leave(struct shared_node *shared);
/* Kills the node and frees all; NULL is fine. Errors as node_free. */
int shared_node_end(struct shared_node *shared);

#endif
