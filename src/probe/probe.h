/* From a process and some probe points to records that are complete (nothing was lost, or the loss is reported), in
 * order (by time, across CPUs and threads) and honest (a value that could not be read is marked as such).
 *
 *   probe_set_new      compile and load; once for a binary
 *   probe_set_attach   put the probes into a process
 *   probe_set_arm      start recording; nothing earlier is delivered
 *   probe_set_collect  stop, and fetch all that was recorded, proven complete
 *   probe_set_detach   take the probes out; attach to another process of the same binary may follow
 *
 * A recording without a foreseeable end is taken while it goes on; the set needs the option streams:
 *
 *   probe_set_take     fetch what has arrived so far, in order; as often as needed
 *   probe_set_finish   instead of collect: stop, and fetch the rest, proven complete
 *
 *   probe_set_free
 *
 * A set is used by one thread. What the records mean is not known here. */
#ifndef TPCHECK_PROBE_PROBE_H
#define TPCHECK_PROBE_PROBE_H

#include "base/clock.h"
#include "base/diag.h"
#include "base/keeper.h"
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
	PROBE_METHOD_PERF,    /* one perf event for each point, opened by libbcc */
	PROBE_METHOD_TRACEFS, /* the same through events of tracefs, for users without CAP_SYS_ADMIN */
	PROBE_METHOD_PTRACE,  /* traps that a tracer process sets by ptrace: no privilege, no BPF */
};
const char *probe_method_name(enum probe_method method);

enum probe_headers {
	PROBE_HEADERS_BUILTIN, /* the few files in probes/kernel: no kernel headers needed */
	PROBE_HEADERS_SYSTEM,  /* kernel_source, or what libbcc finds: /lib/modules, kheaders */
};

struct probe_opts {
	enum probe_method method;
	enum probe_headers headers;
	/* Puts the probes into the process and takes them out again; NULL: done here, and a tpcheck that is killed may
	 * leave traps and semaphores in the process for good. And a process that is being started holds probes that are
	 * taken out meanwhile, until it executes its program. */
	struct keeper *keeper;
	const char *tmpdir;        /* for temporary files, absolute; NULL: /tmp */
	const char *kernel_source; /* tree for PROBE_HEADERS_SYSTEM; NULL: libbcc looks for one */
	/* Where compiled programs are kept for the next time, absolute; only this user may be able to write there.
	 * NULL: nowhere. Not with PROBE_HEADERS_SYSTEM. */
	const char *cache_dir;
	size_t ring_bytes;  /* 0: a sensible size for this machine */
	unsigned sets_cnt;  /* how many copies there will be, this one included; 0: 1. They share that size */
	bool streams;       /* for take and finish, not for collect */
	bool filters_late;  /* for tests: conditions are checked only once a record has arrived */
	bool owns_process;  /* with ptrace: what is attached to was started by us, and ends with us */
	size_t store_bytes; /* most memory for records that were not fetched; 0: a sensible size */
};

/* Points and their sites are borrowed until probe_set_free. opts may be NULL. -EPERM: this user may not (the text names
 * what is missing); -EOPNOTSUPP: the method does not work here; -EINVAL: compiling failed. */
int probe_set_new(struct probe_set **out, const struct probe_point *points, size_t points_cnt,
		  const struct probe_opts *opts, struct diag *diag);
/* Another set with the same points and options, for another process; nothing is compiled. The model, and what it
 * borrows, must live longer; it may be in use. May be called by any thread. Errors as probe_set_new. */
int probe_set_copy(struct probe_set **out, const struct probe_set *model, struct diag *diag);
/* Detaches too; NULL is fine. */
void probe_set_free(struct probe_set *set);

/* The method in use; never AUTO. */
enum probe_method probe_set_method(const struct probe_set *set);
/* Why AUTO did not take BPF, in one line; NULL: it did, or was not asked. */
const char *probe_set_why(const struct probe_set *set);
/* The text that was compiled, for people; NULL: nothing was. */
const char *probe_set_text(const struct probe_set *set);

/* Attaches to one process, and checks in its memory that each point is trapped and each semaphore raised: after
 * success, a tracepoint that stays silent was not hit. */
int probe_set_attach(struct probe_set *set, pid_t pid, struct diag *diag);
/* The same for the tracepoints in mask only, at least one of which has a point. By ptrace the others are attached, too,
 * but a semaphore is raised only while its tracepoint is armed. By perf events what was attached to this process
 * before stays attached: attach to it only once. */
int probe_set_attach_some(struct probe_set *set, pid_t pid, uint64_t tracepoint_mask, struct diag *diag);
void probe_set_detach(struct probe_set *set);
/* Begins with what takes long in detaching, 20 ms with a uprobe_multi link. The next attach, detach or free waits for
 * its end. */
void probe_set_detach_begin(struct probe_set *set);
/* Checks in the memory of a process that all semaphores of these points are 0. -EBUSY: one is not, and the text names
 * it; or errors of reading. */
int probe_check_quiet(pid_t pid, const struct probe_point *points, size_t points_cnt, struct diag *diag);

/* Starts recording the tracepoints in mask (bit 1 << tracepoint); forgets earlier records. */
int probe_set_arm(struct probe_set *set, uint64_t tracepoint_mask, struct diag *diag);

struct probe_counts {
	uint64_t attempts;  /* hits while armed, of all threads since probe_set_new */
	uint64_t delivered; /* records that arrived here and were kept */
	uint64_t failed;    /* hits whose record did not fit into a buffer */
	uint64_t
		filtered; /* hits that did not fulfil their point's conditions; not among delivered or lost */
	uint64_t no_memory; /* hits of threads that there was no room for */
	uint64_t gaps;      /* sequence numbers that did not arrive; 0 unless something is badly wrong */
	uint64_t dropped;   /* records that arrived when store_bytes were full */
	uint64_t late;      /* records that were taken out of order: see probe_set_take */
	uint64_t missing;   /* counted, but neither arrived nor known to be lost; final after finish */
};
/* Everything that is certainly lost. */
uint64_t probe_counts_lost(const struct probe_counts *counts);
void probe_counts_add(struct probe_counts *sum, const struct probe_counts *counts);

struct record_list {
	const struct record **items; /* by time; lent until the next arm, take, finish or free */
	size_t cnt;
};

/* Stops recording, waits until each counted hit has arrived or is known to be lost, and lends the records since the
 * last arm. -EOVERFLOW: some were lost since then, with the figures in counts and diag. -ETIMEDOUT: some did not
 * arrive by the deadline. -EBADMSG: the records contradict themselves. counts may be NULL. */
int probe_set_collect(struct probe_set *set, struct deadline deadline, struct record_list *out,
		      struct probe_counts *counts, struct diag *diag);

/* Waits until something can be lent, counts have a new loss, or the deadline; goes on recording. Lends the records
 * since the last take, in order: everything that happened before the last of them has been lent as well. When a
 * thread is held up within a hit for longer than 60 ms, the others do not wait for it: its record comes out of order
 * and is counted as late. counts, which may be NULL, are those of the set's whole life. Fails only if the machine
 * does. */
int probe_set_take(struct probe_set *set, struct deadline deadline, struct record_list *out,
		   struct probe_counts *counts, struct diag *diag);
/* The same for several sets whose records are to be merged: does not wait for records, but for the hits that are under
 * way (for 60 ms at most, as above), and lends what was recorded before *until_ns, which is about now; after an error,
 * as much of it as has arrived. */
int probe_set_take_now(struct probe_set *set, struct record_list *out, uint64_t *until_ns,
		       struct probe_counts *counts, struct diag *diag);
/* Stops recording and lends what remains to be taken. Losses are not an error here, but are in counts. -ETIMEDOUT: some
 * hits are missing at the deadline; what arrived is lent nevertheless. The process may have ended. */
int probe_set_finish(struct probe_set *set, struct deadline deadline, struct record_list *out,
		     struct probe_counts *counts, struct diag *diag);

/* What this machine allows. Found by trying, because a kernel's version does not say what it allows. */
struct probe_feature {
	const char *name;
	bool ok;
	bool needed;      /* nothing works without it; false for the ways to attach, of which one is enough */
	bool needs_boot;  /* not ok, and only another boot or kernel helps */
	bool untried;     /* ok is true because something else is in the way of a trial */
	char detail[512]; /* what was found; if not ok, the reason and the remedy */
};
enum { PROBE_FEATURES_MAX = 24 };
/* Fills features; returns how many. kernel_source as in struct probe_opts. */
size_t probe_try_features(struct probe_feature features[PROBE_FEATURES_MAX], const char *kernel_source);
/* Whether the limit of locked memory (RLIMIT_MEMLOCK) is too low for what probes need. To be called before the
 * capability to raise it is given up. */
bool probe_lacks_memory(void);
/* Removes from the kernel what killed tpchecks left there, if this user may. It takes no more than reading a file,
 * unless there is something. */
void probe_sweep(void);
/* The first reason why trials would be harmful or pointless (no /proc, another machine, valgrind, lockdown, no
 * capability, no tracefs for that method), in one line; false when there is none. Tries no BPF in the kernel; to be
 * called before anything is started, and before probe_find_obstacle. With AUTO as there. */
bool probe_find_early_obstacle(enum probe_method method, char *reason, size_t reason_sz);
/* The first reason why probes cannot work here by that method, in one line; false when there is none. With AUTO, the
 * reasons why neither BPF nor ptrace works; first the one that is more easily removed. */
bool probe_find_obstacle(enum probe_method method, char *reason, size_t reason_sz);
/* Why AUTO does not take BPF here, as probe_set_why. */
bool probe_find_bpf_obstacle(char *reason, size_t reason_sz);

#endif
