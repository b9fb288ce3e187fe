/* Follows a process: what its tracepoints tell, as it happens. The way of it:
 *
 *   tracer_new
 *   tracer_load     looks at a binary, and makes the probes for it; again for another binary
 *   tracer_attach   puts them into a process of that binary, and begins to record
 *   tracer_follow   hands over events until there is reason to end
 *   tracer_detach
 *   tracer_free
 *
 * tracer_attach may follow again, with the same binary or after another tracer_load; the counts go on. */
#ifndef TPCHECK_RUN_TRACER_H
#define TPCHECK_RUN_TRACER_H

#include "base/clock.h"
#include "base/diag.h"
#include "probe/probe.h"
#include "trace/selection.h"

#include <stdbool.h>
#include <sys/types.h>

struct tracer;

/* What the one who follows does with it all. */
struct tracer_sink {
	/* False: enough, no more of them. */
	bool (*on_event)(void *cookie, const struct contract_tracepoint *row, const struct event *event);
	/* After some events, and every 100 ms at the latest: for what is to be shown now. False: enough. */
	bool (*on_pause)(void *cookie);
	/* Whether it is time to end; what happened until then is handed over yet. */
	bool (*must_end)(void *cookie);
	/* More was lost than told before. */
	void (*on_loss)(void *cookie, const struct probe_counts *counts, uint64_t lost);
	void *cookie;
};

struct tracer_opts {
	struct probe_opts probe; /* streams is set by the tracer */
	const char *const *patterns;
	size_t patterns_cnt;
	uint32_t payload_bytes;
	struct tracer_sink sink;
};

/* Copies opts; its patterns are borrowed. */
struct tracer *tracer_new(const struct tracer_opts *opts);
void tracer_free(struct tracer *tracer); /* NULL is fine */

/* path is read, not kept. As selection_make, notes_open and probe_set_new; -ENODATA: the binary has no tracepoints.
 * */
int tracer_load(struct tracer *tracer, const char *path, unsigned release, struct diag *diag);
/* Of the loaded binary; lent until the next tracer_load. */
const struct selection *tracer_selection(const struct tracer *tracer);

/* -ESRCH when the process has ended. */
int tracer_attach(struct tracer *tracer, pid_t pid, struct diag *diag);

enum tracer_end {
	TRACER_ENOUGH,    /* the sink said so */
	TRACER_TIME_OVER, /* must_end said so */
	TRACER_PROCESS_ENDED,
};
/* pidfd: of the process; borrowed. When the process has ended or it is time to end, all that was done until then
 * is handed over first. Errors are those of the machine. */
int tracer_follow(struct tracer *tracer, int pidfd, enum tracer_end *end, struct diag *diag);
void tracer_detach(struct tracer *tracer);

/* Of the whole life of the tracer. */
void tracer_counts(const struct tracer *tracer, struct probe_counts *counts);

#endif
