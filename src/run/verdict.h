/* The outcome of a scenario: by what was found, and by how its steps ended. */
#ifndef TPCHECK_RUN_VERDICT_H
#define TPCHECK_RUN_VERDICT_H

#include "run/runner.h"

/* Decides by the findings and by how the scene ended; gives the reason. */
void verdict_decide(const struct runner_opts *opts, const struct scene *scene, struct report_result *result);

/* Whether the node may be in another state than the scenario leaves it in when all is well. What its log does not say
 * is a failure of the first scenario that notices it, and no reason to doubt any node. */
bool verdict_doubts_node(const struct runner_opts *opts, const struct scene *scene,
			 const struct findings *findings);

bool verdict_has_sanitizer_finding(const struct findings *findings);
/* What came when the node exited, which is findings from first on, may be due to any scenario that used it: says so. */
void verdict_mark_as_late(struct findings *findings, size_t first, unsigned scenarios_cnt);

/* What a run has reported once. */
struct verdict_messages {
	char **items;
	size_t cnt;
};
void verdict_messages_fini(struct verdict_messages *messages);

/* What the node's log does not say is reported once in a run, by the first scenario of the list that noticed it. Drops
 * what was reported before, and decides again; false if there was nothing to drop. */
bool verdict_drop_repeated(const struct runner_opts *opts, struct verdict_messages *reported,
			   struct report_result *result);

#endif
