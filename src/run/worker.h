/* A worker runs scenarios one after the other, each on a node of the worker's own, which its probes alone observe. The
 * workers of a run share nothing else but what is in team.h. */
#ifndef TPCHECK_RUN_WORKER_H
#define TPCHECK_RUN_WORKER_H

#include "run/team.h"

struct worker;

/* Begins to run what the team's queue has, in a thread. *out is NULL on failure. */
int worker_start(struct worker **out, struct team *team, struct diag *diag);
/* Waits until it has nothing left to do, and its nodes have ended. */
void worker_join(struct worker *worker);
/* Closes its probes, which may take long. NULL is fine. */
void worker_free(struct worker *worker);

#endif
