/* From a process and some probe points to a stream of records that is complete (nothing was lost, or it says
 * so), in order (by time, across CPUs and threads) and honest (what could not be read is marked).
 *
 *   probe_set_new      compile and load: once for a binary
 *   probe_set_attach   put the probes into one process
 *   probe_set_arm      start recording: nothing from before is delivered
 *   probe_set_collect  fetch all that was recorded, proven whole
 *   probe_set_detach   take them out again; attach to another process of the same binary may follow
 *
 * A recording without a foreseeable end is taken while it goes on, of a set with the option streams:
 *
 *   probe_set_take     fetch what arrived meanwhile, in order, as often as there is something
 *   probe_set_finish   instead of collect: stop, and fetch the rest, proven whole
 *
 *   probe_set_free
 *
 * A set is used by one thread. What the records mean is not known here. */
#ifndef TPCHECK_PROBE_PROBE_H
#define TPCHECK_PROBE_PROBE_H

#include "base/clock.h"
#include "base/diag.h"
#include "base/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct probe_set;

/* How the probes get into the process. */
enum probe_method {
	PROBE_METHOD_AUTO,    /* the first of these that works here */
	PROBE_METHOD_MULTI,   /* one uprobe_multi link for all points (kernel 6.6 and newer) */
	PROBE_METHOD_PERF,    /* one perf event for each point, libbcc's own way */
	PROBE_METHOD_TRACEFS, /* the same by way of events of tracefs, for who may not have CAP_SYS_ADMIN */
};
const char *probe_method_name(enum probe_method method);

enum probe_headers {
	PROBE_HEADERS_BUILTIN, /* the few files in probes/kernel: no kernel headers needed */
	PROBE_HEADERS_SYSTEM,  /* what libbcc finds: /lib/modules, BCC_KERNEL_SOURCE, kheaders */
};

struct probe_opts {
	enum probe_method method;
	enum probe_headers headers;
	size_t ring_bytes;  /* for each CPU; 0: as much as is sensible here */
	bool streams;       /* for take and finish, not for collect */
	size_t store_bytes; /* most memory for records that were not fetched; 0: as much as is sensible */
};

/* Points and their sites are borrowed until probe_set_free. opts may be NULL. -EPERM: this user may not (the
 * text names what is lacking); -EOPNOTSUPP: the asked method does not exist here; -EINVAL: it did not compile. */
int probe_set_new(struct probe_set **out, const struct probe_point *points, size_t points_cnt,
		  const struct probe_opts *opts, struct diag *diag);
/* Detaches too; NULL is fine. */
void probe_set_free(struct probe_set *set);

/* The method in use; after PROBE_METHOD_AUTO the one chosen, never AUTO. */
enum probe_method probe_set_method(const struct probe_set *set);
/* The text that was compiled, for people. */
const char *probe_set_text(const struct probe_set *set);

/* Attaches to one process, and checks in that process's memory that each point is trapped and each semaphore
 * raised: after success a tracepoint that stays silent was not hit. */
int probe_set_attach(struct probe_set *set, pid_t pid, struct diag *diag);
void probe_set_detach(struct probe_set *set);

/* Starts recording the tracepoints in mask (bit 1 << tracepoint); forgets what came before. */
int probe_set_arm(struct probe_set *set, uint64_t tracepoint_mask, struct diag *diag);

struct probe_counts {
	uint64_t attempts;  /* hits while armed, of all threads since probe_set_new */
	uint64_t delivered; /* records that arrived here */
	uint64_t failed;    /* records that did not fit into a ring (counted in the kernel) */
	uint64_t no_memory; /* hits of more threads than there is room for */
	uint64_t gaps;      /* sequence numbers that did not arrive; 0 unless something is badly wrong */
	uint64_t dropped;   /* records that arrived when store_bytes were full */
	uint64_t late;      /* taken records that are not in order: see probe_set_take */
	uint64_t missing;   /* known when it is finished: counted, but neither arrived nor known as lost */
};
/* All that is lost for certain. */
uint64_t probe_counts_lost(const struct probe_counts *counts);

struct record_list {
	const struct record **items; /* in order of time; lent until the next arm, take, finish or free */
	size_t cnt;
};

/* Stops recording, waits until each hit that the kernel counted has arrived here or is known to be lost, and
 * lends the records since the last arm. -EOVERFLOW when anything was lost since then, with the figures in
 * counts and diag; -ETIMEDOUT when what was counted did not arrive in time. */
int probe_set_collect(struct probe_set *set, struct deadline deadline, struct record_list *out,
		      struct probe_counts *counts, struct diag *diag);

/* Waits until something can be lent, or counts told a loss that they had not told before, or the deadline, and goes
 * on recording. Lends the records since the last take, in order: all that happened before the last of them has been
 * lent as well. Where a thread is held up within a hit for longer than 60 ms, the others do not wait for it: its
 * record comes late, out of order, and is counted. counts are of the whole life of the set. 0 unless the machine
 * breaks. */
int probe_set_take(struct probe_set *set, struct deadline deadline, struct record_list *out,
		   struct probe_counts *counts, struct diag *diag);
/* Stops recording and lends all that was not taken yet. Losses are no error here, counts tell of them; -ETIMEDOUT
 * when something is missing at the deadline: what arrived is lent all the same. The process may have ended. */
int probe_set_finish(struct probe_set *set, struct deadline deadline, struct record_list *out,
		     struct probe_counts *counts, struct diag *diag);

/* What this machine allows, found by trying: the kernel's version would not tell. */
struct probe_feature {
	const char *name;
	bool ok;
	bool needed;      /* without it nothing works (the ways to attach are not: one is enough) */
	char detail[512]; /* what was found; when not ok, why, and the one remedy */
};
enum { PROBE_FEATURES_MAX = 16 };
/* Fills features; returns how many. */
size_t probe_try_features(struct probe_feature features[PROBE_FEATURES_MAX]);
/* The same without trying anything in the kernel: what would make a try harmful or senseless (another machine,
 * valgrind, lockdown, no capability). To be asked first. */
bool probe_find_early_obstacle(char *reason, size_t reason_sz);
/* The first reason why probes with that method cannot work here, in one line; false when there is none. */
bool probe_find_obstacle(enum probe_method method, char *reason, size_t reason_sz);

#endif
