/* The seam between a probe set, which orders records and proves that none is missing, and a backend, which observes a
 * process: sees the hits, counts them and reads the arguments. Private to src/probe. Each backend has a
 * subfolder; it includes this header, probe.h and process.h, and nothing else of the set. The set sees only these
 * verbs.
 *
 * What a backend guarantees. While armed, each hit adds 1 to the attempts of its thread, before the clock is read and
 * before anything can be lost. The number goes into the record as seq. A record that cannot be delivered adds 1 to the
 * thread's failures, and one that does not fulfil its point's early conditions to those that were filtered. Records are
 * delivered by drain, and only by it.
 *
 * The set makes all calls from one thread, except settle, drain and wait, which its draining thread makes as well;
 * drain, read_counts, take_thread and forget_threads never run at the same time. Calls that can fail return 0 or a
 * negative errno value and fill diag. */
#ifndef TPCHECK_PROBE_BACKEND_H
#define TPCHECK_PROBE_BACKEND_H

#include "base/diag.h"
#include "base/record.h"
#include "probe/probe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One backend at work. A backend puts this first into a struct of its own. */
struct probe_source {
	enum probe_method method; /* never AUTO */
	const char *text;         /* the program that observes, for people; NULL if there is none */
	size_t threads_max;       /* how many threads it can count at a time */
	/* Appended to the message when a semaphore is still 0 after attach; NULL: nothing. */
	const char *semaphore_hint;
};

/* Takes each record during drain. The record must be copied; there may be padding behind it. */
struct record_sink {
	void (*on_record)(void *cookie, const void *record, size_t record_sz);
	void *cookie;
};

struct thread_counts {
	uint64_t attempts; /* hits while armed, which is also the seq of the last of them */
	uint64_t failed;   /* of these, hits whose record could not be delivered */
	uint64_t filtered; /* of these, hits that did not fulfil the conditions */
};
typedef void (*thread_counts_cb)(void *cookie, uint32_t tid, const struct thread_counts *counts);

struct probe_backend {
	/* As probe_set_new; points are borrowed until close, sink is copied. model: one of the same points and options,
	 * whose compiled programs are used, and which is closed later; NULL: there is none. In any thread. */
	int (*open)(struct probe_source **out, struct probe_source *model, const struct probe_point *points,
		    size_t points_cnt, const struct probe_opts *opts, const struct record_sink *sink,
		    struct diag *diag);
	/* Detaches too. */
	void (*close)(struct probe_source *source);
	/* The part of open that takes long and that nobody has to wait for. Called once, in the draining thread. */
	void (*settle)(struct probe_source *source);

	/* mask: of tracepoints, as in arm, at least one of which has a point. After success each of their points is
	 * trapped and each semaphore raised; the set looks into the process's memory for both. After an error, detach
	 * is called. */
	int (*attach)(struct probe_source *source, pid_t pid, uint64_t mask, struct diag *diag);
	/* Does nothing if not attached. */
	void (*detach)(struct probe_source *source);
	/* Begins with it, if it takes long; detach follows. */
	void (*detach_begin)(struct probe_source *source);

	/* Records hits of the tracepoints in mask from now on; generation goes into each record. */
	int (*arm)(struct probe_source *source, uint64_t mask, uint32_t generation, struct diag *diag);
	int (*disarm)(struct probe_source *source, struct diag *diag);

	/* Delivers all records that are ready, without waiting. */
	void (*drain)(struct probe_source *source);
	/* Waits until it is worthwhile to drain, for timeout_ms at most. */
	void (*wait)(struct probe_source *source, int timeout_ms);

	/* Reports the counts of each thread, and the hits of threads beyond threads_max. An error, too, if the process
	 * may not have been observed all the time since attach: there may be hits that nobody has counted. */
	int (*read_counts)(struct probe_source *source, thread_counts_cb on_thread, void *cookie,
			   uint64_t *no_memory, struct diag *diag);
	/* Reads the counts of a thread that has ended, and forgets it, in one step. -ENOENT: not known. */
	int (*take_thread)(struct probe_source *source, uint32_t tid, struct thread_counts *counts);
	int (*forget_threads)(struct probe_source *source, struct diag *diag);
	/* Whether a thread of the attached process has ended; false if that cannot be found out. */
	bool (*has_thread_ended)(const struct probe_source *source, uint32_t tid);

	/* As the functions of probe.h. */
	size_t (*try_features)(struct probe_feature features[PROBE_FEATURES_MAX], const char *kernel_source);
	bool (*lacks_memory)(void);
	/* NULL: nothing can be left. */
	void (*sweep)(void);
	bool (*find_early_obstacle)(enum probe_method method, char *reason, size_t reason_sz);
	bool (*find_obstacle)(enum probe_method method, char *reason, size_t reason_sz);
};

#endif
