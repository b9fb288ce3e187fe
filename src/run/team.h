/* What the workers of a run share. */
#ifndef TPCHECK_RUN_TEAM_H
#define TPCHECK_RUN_TEAM_H

#include "notes/notes.h"
#include "run/checks.h"
#include "run/plan.h"
#include "run/queue.h"
#include "run/runner.h"
#include "run/shared_node.h"

#include <pthread.h>
#include <stdbool.h>

enum team_wallet { WALLET_UNKNOWN, WALLET_THERE, WALLET_NONE }; /* in this bitcoind */

struct team {
	/* Does not change while workers run: */
	const struct runner_opts *opts;
	const struct machine *machine;
	struct notes *notes;
	struct plan plan;
	struct probe_set *set; /* compiled; for one worker, and the model of the others' sets */
	bool has_sanitizer;    /* nodes are stopped, not killed */
	unsigned workers_cnt;
	unsigned ahead_max; /* nodes that are started ahead, at most */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* is_done or a worker's end */
	/* Under the lock: */
	struct report_run *run; /* its results are their workers' until is_done */
	struct queue queue;
	bool *is_done; /* of each scenario */
	bool is_set_used, has_attached;
	unsigned ahead_cnt; /* nodes that were started ahead, and that no worker has taken yet */
	char *subversion;
	int remains_err; /* a node or its datadir is still there */
	enum team_wallet wallet;
	/* Why nothing can be run at all; a skip when this machine or binary does not allow it. */
	char *obstacle;
	bool obstacle_is_skip, obstacle_is_early; /* early: before anything was run */
	struct timeouts timeouts;
};

void team_init(struct team *team, const struct runner_opts *opts, struct report_run *run);
void team_fini(struct team *team);
/* Chooses workers_cnt and ahead_max by the jobs that were asked for and the memory that is there. */
void team_choose_size(struct team *team);

bool team_is_interrupted(const struct team *team);
/* The others do not replace the first. */
void team_set_obstacle(struct team *team, bool is_skip, const char *text);
/* Fills the result of a scenario that is not run because of an interrupt or an obstacle; false if there is neither. */
bool team_finds_obstacle(struct team *team, struct report_result *result);
/* The first error counts. */
void team_note_remains(struct team *team, int err);
void team_note_version(struct team *team, const struct node *node);
void team_note_interrupt(struct team *team);
enum team_wallet team_wallet(struct team *team);
void team_set_wallet(struct team *team, enum team_wallet wallet);
/* A set of a worker's own; errors as probe_set_copy. */
int team_get_set(struct team *team, struct probe_set **out, struct diag *diag);
void team_note_attached(struct team *team);
void team_count_timeout(struct team *team, const struct scenario *scenario, int err);
bool team_rules_out(struct team *team, const struct scenario *scenario);

/* As queue_take; *ahead is the node that was started for a new group, NULL if none was. */
bool team_take(struct team *team, struct group **group, size_t *idx, bool *is_last,
	       struct shared_node **ahead);
/* Starts nodes of the groups that come next, as many as may be. What cannot be started is tried again by its worker,
 * which reports it. */
void team_look_ahead(struct team *team);
int team_start_node(struct team *team, struct shared_node **out, const struct profile *profile,
		    struct diag *diag);
/* Ends nodes that no worker took. */
void team_end_untaken(struct team *team);
/* The result of that scenario is complete. */
void team_is_done(struct team *team, size_t idx);

#endif
