/* From a binary's notes to probe points: the one place where notes, contract and probes meet. */
#ifndef TPCHECK_RUN_PLAN_H
#define TPCHECK_RUN_PLAN_H

#include "base/diag.h"
#include "base/event.h"
#include "contract/contract.h"
#include "notes/notes.h"
#include "probe/probe.h"

struct plan {
	struct probe_point *points; /* all locations of the requested tracepoints in the binary */
	size_t points_cnt;
	unsigned release;                          /* of the contract */
	uint64_t missing;                          /* requested, but not in the binary */
	uint64_t later;                            /* requested, but newer than the release */
	struct findings findings[TRACEPOINTS_CNT]; /* what is wrong by the notes, without running anything */
	struct findings news[TRACEPOINTS_CNT];     /* details: arguments that are not known yet */
};

/* Plans for the tracepoints in mask, as that release has them. notes is borrowed until plan_fini. */
void plan_make(struct plan *plan, const struct notes *notes, unsigned release, uint64_t tracepoints);
void plan_fini(struct plan *plan);

/* What a scenario about subject must not compare: tracepoints that the binary or the release lacks, and others whose
 * notes are wrong. Their own scenarios report that. */
uint64_t plan_left_out(const struct plan *plan, enum tracepoint_id subject);

/* Decodes records; events (the caller's to free()) borrow the records' bytes. -EBADMSG: a record does not fit the plan.
 */
int plan_decode(const struct plan *plan, const struct record_list *records, struct event **events,
		struct diag *diag);

#endif
