/* Follows a process: hands over the events of its tracepoints as they happen. The order of use:
 *
 *   tracer_new
 *   tracer_load     reads a binary, and makes the probes for it
 *   tracer_attach   attaches them to a process of that binary, and starts recording
 *   tracer_follow   hands over events until there is a reason to end
 *   tracer_detach
 *   tracer_free
 *
 * After tracer_detach, tracer_attach may follow again, for the same binary or, after another tracer_load, for another;
 * the counts go on. */
#ifndef TPCHECK_RUN_TRACER_H
#define TPCHECK_RUN_TRACER_H

#include "base/clock.h"
#include "base/diag.h"
#include "probe/probe.h"
#include "trace/selection.h"

#include <stdbool.h>
#include <sys/types.h>

struct tracer;

/* Where the events go. */
struct tracer_sink {
	/* Returns false to get no more. */
	bool (*on_event)(void *cookie, const struct contract_tracepoint *row, const struct event *event);
	/* After some events, and at least every 100 ms, to show what has come. Returns false to get no more. */
	bool (*on_pause)(void *cookie);
	/* Whether it is time to end. What has happened by then is still handed over. */
	bool (*must_end)(void *cookie);
	/* More events were lost: this many since the last call. */
	void (*on_loss)(void *cookie, const struct probe_counts *counts, uint64_t lost);
	void *cookie;
};

struct tracer_opts {
	struct probe_opts probe; /* streams is set by the tracer */
	const char *const *patterns;
	size_t patterns_cnt;
	uint32_t payload_bytes;
	const struct where_term *where;
	size_t where_cnt;
	/* Checked for the first binary that is loaded; a later one, of another release, may have none of them. */
	struct argument_names by, of;
	struct tracer_sink sink;
};

/* Copies opts; its patterns, terms and names are borrowed. */
struct tracer *tracer_new(const struct tracer_opts *opts);
void tracer_free(struct tracer *tracer); /* NULL is fine */

/* Fails as selection_make, notes_open and probe_set_new do; -ENOEXEC: the binary is for another machine; -ENODATA: it
 * has no tracepoints. */
int tracer_load(struct tracer *tracer, const char *path, unsigned release, struct diag *diag);
/* What is selected of the loaded binary; lent until the next tracer_load. */
const struct selection *tracer_selection(const struct tracer *tracer);

/* How the loaded probes observe a process, and why that is not BPF, as probe_set_method and probe_set_why. */
enum probe_method tracer_method(const struct tracer *tracer);
const char *tracer_why(const struct tracer *tracer);

/* -ESRCH when the process has ended. */
int tracer_attach(struct tracer *tracer, pid_t pid, struct diag *diag);

enum tracer_end {
	TRACER_ENOUGH,    /* on_event or on_pause returned false */
	TRACER_TIME_OVER, /* must_end returned true */
	TRACER_PROCESS_ENDED,
};
/* pidfd: of the process; borrowed. When the process has ended or it is time to end, all events until then are handed
 * over first. */
int tracer_follow(struct tracer *tracer, int pidfd, enum tracer_end *end, struct diag *diag);
void tracer_detach(struct tracer *tracer);

/* Instead of tracer_follow, for tracer_group: what was recorded before *until_ns, as probe_set_take_now; and the rest,
 * as probe_set_finish. Losses are reported, but the events are the caller's to decode. */
int tracer_take(struct tracer *tracer, struct record_list *records, uint64_t *until_ns, struct diag *diag);
int tracer_finish(struct tracer *tracer, struct record_list *records, struct diag *diag);

/* Since tracer_new. */
void tracer_counts(const struct tracer *tracer, struct probe_counts *counts);

#endif
