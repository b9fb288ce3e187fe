/* From a binary's notes to probe points: the one place where notes, contract and probes meet. */
#ifndef TPCHECK_RUN_PLAN_H
#define TPCHECK_RUN_PLAN_H

#include "base/diag.h"
#include "base/event.h"
#include "contract/contract.h"
#include "notes/notes.h"
#include "probe/probe.h"

struct plan {
	struct probe_point *points; /* all locations of the wanted tracepoints that the binary has */
	size_t points_cnt;
	unsigned release;                          /* of the contract */
	uint64_t missing;                          /* wanted, but not in the binary */
	uint64_t later;                            /* wanted, but the release does not have them */
	struct findings findings[TRACEPOINTS_CNT]; /* what the notes alone show to be wrong */
};

/* Plans for the tracepoints in mask, as that release has them. notes is borrowed until plan_fini. */
void plan_make(struct plan *plan, const struct notes *notes, unsigned release, uint64_t tracepoints);
void plan_fini(struct plan *plan);

/* Decodes records; events (owned by the caller, free()) borrow the records' bytes. -EBADMSG names a record
 * that is not as planned. */
int plan_decode(const struct plan *plan, const struct record_list *records, struct event **events,
		struct diag *diag);

#endif
