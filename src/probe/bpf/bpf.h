/* What a source of the BPF backend is made of: backend.c has the verbs, build.c makes it, attach.c puts the probes
 * into a process. */
#ifndef TPCHECK_PROBE_BPF_BPF_H
#define TPCHECK_PROBE_BPF_BPF_H

#include "base/keeper.h"
#include "probe/backend.h"
#include "probe/bpf/object.h"
#include "probe/bpf/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The cookie of the trial in multi.c. No point has it, because theirs have a size in the upper half. */
#define BPF_TRIAL_COOKIE UINT64_C(0xffff)

/* What stands for the ring in the text of the programs. Descriptors are smaller. */
#define BPF_RING_NUMBER 0x7fff0001

/* The values of the maps, as in probes/prelude.bpf.c. */
struct control_value {
	uint64_t mask;
	uint32_t generation, wake_bytes;
};
struct counters_value {
	uint64_t no_memory, tried;
};

/* Of the map of threads, before the record. */
struct thread_value {
	struct thread_counts counts;
	uint64_t quiet_bytes, block[4];
};

struct bpf_source {
	struct probe_source base;
	const struct probe_point *points;
	size_t points_cnt;
	struct record_sink sink;
	uint32_t record_bytes; /* of the largest record */
	uint32_t generation;   /* of the last arming */

	struct bpf_object *object;
	bool borrows_object; /* it is the model's */
	struct bpf_object_maps maps;
	struct bpf_ring ring;
	char *text;
	int control_fd, counters_fd, threads_fd; /* of maps */
	int *prog_fds;                           /* one with multi, else one for each point */
	void *thread_value;                      /* room for a value of the map of threads */
	struct keeper *keeper;
	struct keeper_deed trial; /* of multi_try; settle undoes it */

	pid_t pid; /* 0: not attached */
	bool shows_threads;
	struct keeper_deed link;
	struct keeper_deed *events;     /* one for each point, those of earlier attachments too */
	size_t events_cnt, first_event; /* first_event: of the last attachment */
	bool is_unused;                 /* nothing was recorded since the last attach */
	unsigned attachment;            /* its number, among all of this process */
};

/* build.c: compiles and loads the programs and opens the rings, by the first method of opts that works. */
int bpf_build(struct bpf_source *source, const struct probe_opts *opts, struct diag *diag);
/* The same by the programs that the model has compiled, which must outlive it. */
int bpf_copy(struct bpf_source *source, const struct bpf_source *model, const struct probe_opts *opts,
	     struct diag *diag);
void bpf_close_trial(struct bpf_source *source);
/* Undoes either; nothing may be attached. */
void bpf_unbuild(struct bpf_source *source);

/* attach.c */
int bpf_attach(struct bpf_source *source, pid_t pid, uint64_t mask, struct diag *diag);
void bpf_detach(struct bpf_source *source);
/* Closes the perf events that detaching left open. */
void bpf_close_events(struct bpf_source *source);

/* features.c: see probe.h. */
size_t bpf_try_features(struct probe_feature features[PROBE_FEATURES_MAX], const char *kernel_source);
bool bpf_lacks_memory(void);
bool bpf_find_early_obstacle(enum probe_method method, char *reason, size_t reason_sz);
bool bpf_find_obstacle(enum probe_method method, char *reason, size_t reason_sz);
/* Whether this kernel runs a program at each hit; reason, of a feature's detail, says why, or why not. *untried, which
 * may be NULL: something else was in the way of a trial, and the answer is true. */
bool bpf_sees_each_hit(char *reason, size_t reason_sz, bool *untried);

#endif
