/* The verbs of the BPF backend.
 *
 * What runs in the kernel is probes/prelude.bpf.c and what program_text.c adds to it. Both counts of a thread live in a
 * map entry that only this thread's programs write; the control map switches recording. Records come through a ring
 * (ring.h), which wakes nobody up for single records. */
#include "probe/bpf/backend.h"

#include "base/xmem.h"
#include "probe/bpf/bpf.h"
#include "probe/bpf/program_text.h"
#include "probe/bpf/sys.h"
#include "probe/bpf/tracefs.h"
#include "probe/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WAKEUPS_PER_RING = 16 }; /* of each thread */

static struct bpf_source *
bpf_of(struct probe_source *source)
{
	return (struct bpf_source *)source;
}
_Static_assert(offsetof(struct bpf_source, base) == 0, "bpf_of relies on it");

static void
close_source(struct probe_source *base)
{
	struct bpf_source *source = bpf_of(base);

	bpf_detach(source);
	bpf_close_events(source);
	bpf_close_trial(source);
	bpf_unbuild(source);
	free(source->events);
	free(source->prog_fds);
	free(source->thread_value);
	free(source);
}

static int
open_source(struct probe_source **out, struct probe_source *model, const struct probe_point *points,
	    size_t points_cnt, const struct probe_opts *opts, const struct record_sink *sink,
	    struct diag *diag)
{
	struct bpf_source *source = xcalloc(1, sizeof(*source));

	*out = NULL;
	source->points = points;
	source->points_cnt = points_cnt;
	source->sink = *sink;
	source->ring = (struct bpf_ring){.map_fd = -1, .wait_fd = -1};
	source->maps = BPF_OBJECT_NO_MAPS;
	source->keeper = opts->keeper;
	source->shows_threads = process_shows_threads();
	source->prog_fds = xcalloc(points_cnt, sizeof(*source->prog_fds));
	for (size_t i = 0; i < points_cnt; i++)
		source->prog_fds[i] = -1;
	source->record_bytes = program_text_record_bytes(points, points_cnt);
	source->thread_value = xmalloc(sizeof(struct thread_value) + source->record_bytes);
	source->base.threads_max = program_text_threads(source->record_bytes);
	int err = model ? bpf_copy(source, bpf_of(model), opts, diag) : bpf_build(source, opts, diag);
	if (err) {
		close_source(&source->base);
		return err;
	}
	source->base.text = source->text;
	*out = &source->base;
	return 0;
}

static void
settle(struct probe_source *base)
{
	bpf_close_trial(bpf_of(base));
}

static int
attach(struct probe_source *base, pid_t pid, uint64_t mask, struct diag *diag)
{
	return bpf_attach(bpf_of(base), pid, mask, diag);
}

static void
detach(struct probe_source *base)
{
	bpf_detach(bpf_of(base));
}

static void
detach_begin(struct probe_source *base)
{
	keeper_undo_begin(&bpf_of(base)->link);
}

static int
write_control(struct bpf_source *source, uint64_t mask, struct diag *diag)
{
	struct control_value value = {.mask = mask,
				      .generation = source->generation,
				      .wake_bytes = (uint32_t)(source->ring.bytes / WAKEUPS_PER_RING)};
	uint32_t zero = 0;
	int err = bpf_map_write(source->control_fd, &zero, &value);

	if (err)
		return diag_fail(diag, err, "probe: failed to switch recording: %s", strerror(-err));
	return 0;
}

static int
arm(struct probe_source *base, uint64_t mask, uint32_t generation, struct diag *diag)
{
	bpf_of(base)->generation = generation;
	bpf_of(base)->is_unused = false;
	return write_control(bpf_of(base), mask, diag);
}

static int
disarm(struct probe_source *base, struct diag *diag)
{
	return write_control(bpf_of(base), 0, diag);
}

static void
drain(struct probe_source *base)
{
	bpf_ring_drain(&bpf_of(base)->ring, &bpf_of(base)->sink);
}

static void
wait_for_records(struct probe_source *base, int timeout_ms)
{
	bpf_ring_wait(&bpf_of(base)->ring, timeout_ms);
}

static int
read_counts(struct probe_source *base, thread_counts_cb on_thread, void *cookie, uint64_t *no_memory,
	    struct diag *diag)
{
	struct bpf_source *source = bpf_of(base);
	struct counters_value counters = {0};
	uint32_t zero = 0, tid, next;
	const uint32_t *key = NULL;
	int err;

	while (!(err = bpf_map_next_key(source->threads_fd, key, &next))) {
		struct thread_counts counts;

		tid = next;
		key = &tid;
		err = bpf_map_read(source->threads_fd, &tid, source->thread_value);
		if (err)
			break;
		memcpy(&counts, source->thread_value, sizeof(counts));
		on_thread(cookie, tid, &counts);
	}
	if (err == -ENOENT)
		err = bpf_map_read(source->counters_fd, &zero, &counters);
	*no_memory = counters.no_memory;
	if (err)
		return diag_fail(diag, err, "probe: failed to read the counts: %s", strerror(-err));
	/* It holds the probes. */
	return keeper_check(source->keeper, diag);
}

static int
take_thread(struct probe_source *base, uint32_t tid, struct thread_counts *counts)
{
	struct bpf_source *source = bpf_of(base);
	int err = bpf_map_take(source->threads_fd, &tid, source->thread_value);

	if (!err)
		memcpy(counts, source->thread_value, sizeof(*counts));
	return err;
}

static int
forget_threads(struct probe_source *base, struct diag *diag)
{
	struct bpf_source *source = bpf_of(base);
	uint32_t tid;

	while (!bpf_map_next_key(source->threads_fd, NULL, &tid)) {
		int err = bpf_map_delete(source->threads_fd, &tid);

		if (err)
			return diag_fail(diag, err, "probe: failed to clear the counts: %s", strerror(-err));
	}
	return 0;
}

static bool
has_thread_ended(const struct probe_source *base, uint32_t tid)
{
	const struct bpf_source *source = (const struct bpf_source *)base;

	return source->shows_threads && process_has_thread_ended(source->pid, tid);
}

const struct probe_backend bpf_backend = {
	.open = open_source,
	.close = close_source,
	.settle = settle,
	.attach = attach,
	.detach = detach,
	.detach_begin = detach_begin,
	.arm = arm,
	.disarm = disarm,
	.drain = drain,
	.wait = wait_for_records,
	.read_counts = read_counts,
	.take_thread = take_thread,
	.forget_threads = forget_threads,
	.has_thread_ended = has_thread_ended,
	.try_features = bpf_try_features,
	.lacks_memory = bpf_lacks_memory,
	.sweep = tracefs_sweep,
	.find_early_obstacle = bpf_find_early_obstacle,
	.find_obstacle = bpf_find_obstacle,
};
