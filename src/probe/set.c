/* A probe set: the states and who owns what.
 *
 *   compiled -> attached to a process -> armed -> collected -> armed -> ... -> detached -> attached -> ...
 *
 * Completeness. Every hit while armed adds 1 to the attempts of its thread before anything else, and the
 * number goes into the record. A record that does not fit into the ring adds 1 to the thread's failures.
 * Both live in a map that only that thread writes. After the scenario the host takes the mask away, drains
 * until delivered = attempts - failed over all threads, and walks the records of each thread, whose numbers
 * must follow one another. libbcc's lost callback is not enough: the kernel reports a loss with the next
 * record that fits, so a loss at the tail is never told.
 *
 * Order. There is one ring a CPU, and a thread can move between CPUs, so records arrive in no order. They
 * carry the monotonic clock and are sorted by it; within a thread the sequence number decides.
 *
 * Draining. A thread of the set empties the rings every few milliseconds while armed, so that a burst of any
 * length passes. The rings wake nobody up for single records: a wake-up for each costs the traced thread
 * 8 us. Records are copied in libbcc's callback, under the set's lock, into memory that never moves.
 *
 * Streaming is beside this in stream.c, where records come and go in store.c.
 *
 * Stale records. Each arming has a generation that travels with the record; what belongs to an earlier
 * one is counted as delivered and dropped.
 *
 * Detaching by perf events (perf, tracefs) costs 0.13 s for each in the kernel. A detach of that kind is put
 * off until the set is freed, when the verdict has long been told; the traced process has ended by then. */
#include "probe/set.h"

#include "base/xmem.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	DRAIN_TICK_MS = 4,
	STREAM_TICK_MS = 20, /* nobody looks closer; a fuller ring wakes the thread up earlier */
	WAKEUP_EVENTS = 256,
	EVENT_FDS_MAX = 400, /* of processes that are over; then it is worth the time to close them */
	RING_BYTES_MIN = 64 << 10,
	RING_BYTES_MAX = 16 << 20,
	RINGS_BYTES_MAX = 128 << 20,
	PAGE_BYTES = 4096,
};
/* More than this in one arming is a mistake of the scenario, not something to fill the memory with. */
#define STORE_BYTES_MAX (UINT64_C(4) << 30)
/* Streaming, this is what waits for a slow reader. */
#define STREAM_BYTES_MAX (UINT64_C(256) << 20)

const char *
probe_method_name(enum probe_method method)
{
	switch (method) {
	case PROBE_METHOD_MULTI:
		return "multi";
	case PROBE_METHOD_PERF:
		return "perf";
	case PROBE_METHOD_TRACEFS:
		return "tracefs";
	case PROBE_METHOD_AUTO:
		break;
	}
	return "auto";
}

enum probe_method
probe_set_method(const struct probe_set *set)
{
	return set->method;
}

const char *
probe_set_text(const struct probe_set *set)
{
	return set->text;
}

static void
on_lost(void *cookie, uint64_t lost)
{
	/* The kernel counts these with the next record that fits; our own count, by thread, is complete. */
	(void)cookie;
	(void)lost;
}

static void *
drain(void *arg)
{
	struct probe_set *set = arg;

	/* On a busy machine the rings should not fill up for want of this thread; best effort. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -10);
	if (set->tried_fd >= 0)
		close(set->tried_fd);
	pthread_mutex_lock(&set->lock);
	while (!set->stop) {
		if (!set->draining) {
			pthread_cond_wait(&set->wake, &set->lock);
			continue;
		}
		bcc_shim_consume(set->shim);
		if (set->records_cnt)
			pthread_cond_signal(&set->arrived);
		pthread_mutex_unlock(&set->lock);
		bcc_shim_wait(set->shim, set->streams ? STREAM_TICK_MS : DRAIN_TICK_MS);
		pthread_mutex_lock(&set->lock);
	}
	pthread_mutex_unlock(&set->lock);
	return NULL;
}

static size_t
default_ring_bytes(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t bytes = RING_BYTES_MAX;

	while (bytes > RING_BYTES_MIN && bytes * (size_t)(cpus > 0 ? cpus : 1) > RINGS_BYTES_MAX)
		bytes /= 2;
	return bytes;
}

static int
open_rings(struct probe_set *set, size_t ring_bytes, struct diag *diag)
{
	char error[1024] = "";
	size_t bytes = RING_BYTES_MIN;

	if (!ring_bytes)
		ring_bytes = default_ring_bytes();
	while (bytes < ring_bytes && bytes < RING_BYTES_MAX)
		bytes *= 2;
	for (;; bytes /= 2) {
		int code = bcc_shim_open_rings(set->shim, "events", (int)(bytes / PAGE_BYTES), WAKEUP_EVENTS,
					       store_on_record, on_lost, set, error, sizeof(error));
		/* An ordinary user may lock little memory (libbcc loses the errno); a smaller ring does its work
		 * too. */
		if (code && bytes > RING_BYTES_MIN)
			continue;
		if (code)
			return diag_fail(
				diag, code,
				"probe: failed to open the ring buffers: %s; needed is CAP_PERFMON (or CAP_SYS_ADMIN) and some lockable memory (ulimit -l)",
				error);
		return 0;
	}
}

static int
compile(struct probe_set *set, enum probe_method method, enum probe_headers headers, struct diag *diag)
{
	static const char *const cflags[] = {"-Wno-unused-value", "-Wno-macro-redefined", "-g0"};
	char error[1536];
	char *tree = NULL;
	struct buf text;

	buf_init(&text, 8 << 20);
	text_generate(set->points, set->points_cnt, method, &text);
	free(set->text);
	set->text = buf_take(&text);
	if (headers == PROBE_HEADERS_BUILTIN) {
		int code = kernel_tree_write(&tree, diag);
		if (code)
			return code;
	}
	int code = bcc_shim_compile(&set->shim, set->text, cflags, sizeof(cflags) / sizeof(*cflags), tree,
				    error, sizeof(error));
	kernel_tree_remove(tree);
	if (code)
		return diag_fail(
			diag, code, "probe: failed to compile the probes with libbcc %s: %s%s",
			bcc_shim_version(), error,
			headers == PROBE_HEADERS_SYSTEM
				? "; the built-in headers need no kernel headers: leave --headers=system away"
				: "");
	set->control_fd = bcc_shim_map_fd(set->shim, "control");
	set->counters_fd = bcc_shim_map_fd(set->shim, "counters");
	set->threads_fd = bcc_shim_map_fd(set->shim, "threads");
	return 0;
}

static int
load(struct probe_set *set, enum probe_method method, struct diag *diag)
{
	char error[1536], name[192];
	int code;

	if (method == PROBE_METHOD_MULTI) {
		code = bcc_shim_load(set->shim, TEXT_MULTI_FUNCTION, MULTI_ATTACH_TYPE, &set->prog_fds[0],
				     error, sizeof(error));
		if (code)
			return diag_fail(diag, code,
					 "probe: failed to load the probes for a uprobe_multi link: %s",
					 error);
		return multi_try(set->prog_fds[0], set->counters_fd, &set->tried_fd, diag);
	}
	for (size_t i = 0; i < set->points_cnt; i++) {
		text_function_name(&set->points[i], i, name, sizeof(name));
		code = bcc_shim_load(set->shim, name, 0, &set->prog_fds[i], error, sizeof(error));
		if (code)
			return diag_fail(diag, code, "probe: failed to load '%s': %s", name, error);
	}
	return 0;
}

static int
build(struct probe_set *set, enum probe_method method, const struct probe_opts *opts, struct diag *diag)
{
	bcc_shim_free(set->shim);
	set->shim = NULL;
	set->method = method;
	int code = compile(set, method, opts->headers, diag);
	if (!code)
		code = load(set, method, diag);
	return code;
}

/* The uprobe PMU leaves nothing behind, so it goes first. */
static enum probe_method
choose_events(void)
{
	uint64_t offset;
	char path[64];
	int fd = multi_try_target(path, sizeof(path), &offset);

	if (!fd)
		fd = perf_try_uprobe(path, offset);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || tracefs_try() ? PROBE_METHOD_PERF : PROBE_METHOD_TRACEFS;
}

static void
forget_event(const struct probe_set *set, const char *name)
{
	if (set->method == PROBE_METHOD_TRACEFS)
		tracefs_forget(name);
	else
		bcc_shim_forget_event(name);
}

int
probe_set_new(struct probe_set **out, const struct probe_point *points, size_t points_cnt,
	      const struct probe_opts *opts, struct diag *diag)
{
	static const struct probe_opts defaults;
	pthread_condattr_t monotonic;
	struct diag local;
	int result;

	*out = NULL;
	if (!diag)
		diag = &local;
	if (!opts)
		opts = &defaults;
	if (!points_cnt)
		return diag_fail(diag, -EINVAL, "probe: no probe points to attach to");
	struct probe_set *set = xcalloc(1, sizeof(*set));
	set->points = points;
	set->points_cnt = points_cnt;
	set->link_fd = set->tried_fd = -1;
	set->prog_fds = xcalloc(points_cnt, sizeof(*set->prog_fds));
	set->record_bytes = text_record_bytes(points, points_cnt);
	/* struct tp_thread: two counters before the record. */
	set->thread_value = xmalloc(16 + set->record_bytes);
	set->threads_max = text_threads(set->record_bytes);
	thread_table_init(&set->threads, set->threads_max);
	set->streams = opts->streams;
	set->store_max = opts->store_bytes ? opts->store_bytes
			 : opts->streams   ? STREAM_BYTES_MAX
					   : STORE_BYTES_MAX;
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->wake, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&set->arrived, &monotonic);
	pthread_condattr_destroy(&monotonic);

	if (opts->method == PROBE_METHOD_PERF || opts->method == PROBE_METHOD_TRACEFS) {
		result = build(set, opts->method, opts, diag);
	} else {
		result = build(set, PROBE_METHOD_MULTI, opts, diag);
		if (result && opts->method == PROBE_METHOD_MULTI)
			diag_prefix(diag, result,
				    "probe: --attach=multi does not work here; --attach=perf may");
		if (result && opts->method == PROBE_METHOD_AUTO) {
			if (set->tried_fd >= 0)
				close(set->tried_fd);
			set->tried_fd = -1;
			result = build(set, choose_events(), opts, diag);
		}
	}
	if (!result && set->method == PROBE_METHOD_TRACEFS)
		tracefs_sweep();
	if (!result)
		result = open_rings(set, opts->ring_bytes, diag);
	if (!result) {
		result = -pthread_create(&set->drainer, NULL, drain, set);
		if (result)
			diag_fail(diag, result, "probe: failed to start a thread: %s", strerror(-result));
		set->drainer_runs = !result;
	}
	if (result) {
		probe_set_free(set);
		return result;
	}
	*out = set;
	return 0;
}

static void
close_events(struct probe_set *set)
{
	for (size_t i = 0; i < set->event_fds_cnt; i++) {
		close(set->event_fds[i].fd);
		forget_event(set, set->event_fds[i].name);
	}
	set->event_fds_cnt = 0;
}

void
probe_set_free(struct probe_set *set)
{
	if (!set)
		return;
	probe_set_detach(set);
	if (set->drainer_runs) {
		pthread_mutex_lock(&set->lock);
		set->stop = true;
		pthread_cond_signal(&set->wake);
		pthread_mutex_unlock(&set->lock);
		pthread_join(set->drainer, NULL);
	} else if (set->tried_fd >= 0) {
		close(set->tried_fd);
	}
	close_events(set);
	bcc_shim_free(set->shim);
	store_free(set);
	thread_table_fini(&set->threads);
	free(set->held);
	free(set->event_fds);
	free(set->prog_fds);
	free(set->thread_value);
	free(set->text);
	pthread_cond_destroy(&set->wake);
	pthread_cond_destroy(&set->arrived);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

/* The kernel keeps one place for the semaphore with each point of a file, and refuses another; also none, as BCC's
 * Python scripts have it, which raise the semaphores by hand. */
static const char busy_hint[] =
	"; is another tracer attached to the same file, such as one of BCC's Python scripts, which cannot share tracepoints with others? End it first";

static int
attach_multi(struct probe_set *set, pid_t pid, struct diag *diag)
{
	uint64_t *offsets = xcalloc(set->points_cnt, sizeof(*offsets));
	uint64_t *semaphores = xcalloc(set->points_cnt, sizeof(*semaphores));
	uint64_t *cookies = xcalloc(set->points_cnt, sizeof(*cookies));
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	for (size_t i = 0; i < set->points_cnt; i++) {
		offsets[i] = set->points[i].site->file_offset;
		semaphores[i] = set->points[i].site->semaphore_file_offset;
		cookies[i] = text_cookie(&set->points[i], i);
	}
	int fd = bpf_link_uprobe_multi(set->prog_fds[0], path, offsets, semaphores, cookies,
				       (uint32_t)set->points_cnt, pid);
	free(offsets);
	free(semaphores);
	free(cookies);
	if (fd < 0)
		return diag_fail(diag, fd,
				 "probe: failed to attach to process %d by a uprobe_multi link: %s%s",
				 (int)pid, strerror(-fd), fd == -EINVAL ? busy_hint : "");
	set->link_fd = fd;
	return 0;
}

static int
attach_event(struct probe_set *set, size_t idx, const char *path, pid_t pid, struct event_fd *event,
	     struct diag *diag)
{
	const struct site *site = set->points[idx].site;
	char error[1024];

	if (set->method == PROBE_METHOD_TRACEFS) {
		tracefs_event_name(event->name, sizeof(event->name), set->attachments_cnt, idx);
		event->fd = tracefs_attach(set->prog_fds[idx], event->name, path, site->file_offset,
					   site->semaphore_file_offset, pid);
		if (event->fd >= 0)
			return 0;
		return diag_fail(
			diag, event->fd,
			"probe: failed to attach %s:%s to process %d by the event '%s' of tracefs: %s; needed are CAP_BPF, CAP_PERFMON and the right to write uprobe_events",
			site->provider, site->name, (int)pid, event->name, strerror(-event->fd));
	}
	snprintf(event->name, sizeof(event->name), "tpcheck_%d_%zu", (int)pid, idx);
	if (site->semaphore_file_offset > UINT32_MAX)
		return diag_fail(diag, -ERANGE, "probe: the semaphore of %s:%s is too far into the file",
				 site->provider, site->name);
	int code = bcc_shim_attach_uprobe(set->prog_fds[idx], event->name, path, site->file_offset, pid,
					  (uint32_t)site->semaphore_file_offset, &event->fd, error,
					  sizeof(error));
	if (!code)
		return 0;
	/* libbcc may have left its name in tracefs on the way. */
	bcc_shim_forget_event(event->name);
	return diag_fail(
		diag, code,
		"probe: failed to attach %s:%s to process %d by a perf event: %s; needed is CAP_SYS_ADMIN%s",
		site->provider, site->name, (int)pid, error,
		code == -EINVAL || code == -ENOENT ? busy_hint : "");
}

static int
attach_events(struct probe_set *set, pid_t pid, struct diag *diag)
{
	char path[64];
	int code = 0;

	if (set->event_fds_cnt > EVENT_FDS_MAX)
		close_events(set);
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	set->attachments_cnt++;
	set->event_fds =
		xreallocarray(set->event_fds, set->event_fds_cnt + set->points_cnt, sizeof(*set->event_fds));
	for (size_t i = 0; i < set->points_cnt && !code; i++) {
		code = attach_event(set, i, path, pid, &set->event_fds[set->event_fds_cnt], diag);
		if (!code)
			set->event_fds_cnt++;
	}
	return code;
}

/* Is it the program that the points are of? At each there has to be the nop that sys/sdt.h put there (one byte, or five
 * in newer ones): a trap anywhere else would break the process. */
static int
check_program(struct probe_set *set, pid_t pid, struct diag *diag)
{
	struct process_view *view = NULL;
	int code = process_view_open(&view, pid, diag);

	for (size_t i = 0; i < set->points_cnt && !code; i++) {
		const struct site *site = set->points[i].site;
		uint8_t byte = 0;

		code = process_view_read_file(view, site->file_offset, &byte, 1, diag);
		if (code || (byte != 0x90 && byte != 0x0f))
			code = diag_fail(
				diag, -ENXIO,
				"probe: process %d does not run the program that was looked at: it has no %s:%s at offset 0x%" PRIx64,
				(int)pid, site->provider, site->name, site->file_offset);
	}
	process_view_close(view);
	return code;
}

/* Is each point trapped and each semaphore raised? */
static int
verify(struct probe_set *set, pid_t pid, struct diag *diag)
{
	struct process_view *view = NULL;
	int code = process_view_open(&view, pid, diag);

	for (size_t i = 0; i < set->points_cnt && !code; i++) {
		const struct site *site = set->points[i].site;
		uint8_t in_memory, in_file;
		uint16_t semaphore = 0;
		uint64_t address;

		code = process_view_address(view, site->file_offset, false, &address, diag);
		if (!code)
			code = process_view_read(view, address, &in_memory, 1, diag);
		if (!code)
			code = process_view_read_file(view, site->file_offset, &in_file, 1, diag);
		if (!code && in_memory == in_file)
			code = diag_fail(
				diag, -ENXIO,
				"probe: %s:%s is attached to process %d, but the kernel has set no trap there",
				site->provider, site->name, (int)pid);
		if (code || !site->semaphore_file_offset)
			continue;
		code = process_view_address(view, site->semaphore_file_offset, true, &address, diag);
		if (!code)
			code = process_view_read(view, address, &semaphore, sizeof(semaphore), diag);
		if (!code && !semaphore)
			code = diag_fail(
				diag, -ENXIO,
				"probe: %s:%s is attached to process %d, but its semaphore is still 0%s",
				site->provider, site->name, (int)pid,
				set->method == PROBE_METHOD_PERF
					? " (libbcc's way through tracefs leaves it alone; needed is CAP_SYS_ADMIN)"
					: "");
	}
	process_view_close(view);
	return code;
}

/* The kernel's side of the count. */
int
set_read_counts(struct probe_set *set, bool ask_all, struct probe_counts *counts, struct diag *diag)
{
	struct counters_value counters = {0};
	uint32_t zero = 0, tid, next;
	const uint32_t *key = NULL;
	int code;

	counts->attempts = set->retired_attempts;
	counts->failed = set->retired_failed;
	pthread_mutex_lock(&set->lock);
	while (!(code = bpf_map_next_key(set->threads_fd, key, &next))) {
		uint64_t of_thread[2];

		tid = next;
		key = &tid;
		code = bpf_map_read(set->threads_fd, &tid, set->thread_value);
		if (code)
			break;
		memcpy(of_thread, set->thread_value, sizeof(of_thread));
		counts->attempts += of_thread[0];
		counts->failed += of_thread[1];
		struct thread_entry *entry = thread_table_get(&set->threads, tid);
		entry->failed = of_thread[1];
		if (ask_all)
			entry->asked = of_thread[0];
	}
	pthread_mutex_unlock(&set->lock);
	if (code == -ENOENT)
		code = bpf_map_read(set->counters_fd, &zero, &counters);
	counts->no_memory = counters.no_memory;
	if (code)
		return diag_fail(diag, code, "probe: failed to read the counts: %s", strerror(-code));
	return 0;
}

/* Makes room for the threads of the next process; their numbers may be the old ones again. */
static int
retire_threads(struct probe_set *set, struct diag *diag)
{
	struct probe_counts counts = {0};
	uint32_t tid;
	int code = set_read_counts(set, false, &counts, diag);

	if (code)
		return code;
	set->retired_attempts = counts.attempts;
	set->retired_failed = counts.failed;
	/* What did not add up with the processes before is over with them. */
	pthread_mutex_lock(&set->lock);
	bcc_shim_consume(set->shim);
	set->delivered = counts.attempts - counts.failed;
	thread_table_clear(&set->threads);
	pthread_mutex_unlock(&set->lock);
	while (!bpf_map_next_key(set->threads_fd, NULL, &tid))
		if ((code = bpf_map_delete(set->threads_fd, &tid)))
			return diag_fail(diag, code, "probe: failed to clear the counts: %s",
					 strerror(-code));
	return 0;
}

int
probe_set_attach(struct probe_set *set, pid_t pid, struct diag *diag)
{
	probe_set_detach(set);
	int code = check_program(set, pid, diag);
	if (!code)
		code = retire_threads(set, diag);
	if (!code)
		code = set->method == PROBE_METHOD_MULTI ? attach_multi(set, pid, diag)
							 : attach_events(set, pid, diag);
	if (!code)
		code = verify(set, pid, diag);
	if (code) {
		probe_set_detach(set);
		return code;
	}
	set->pid = pid;
	return 0;
}

int
set_write_control(struct probe_set *set, uint64_t mask, uint32_t generation, struct diag *diag)
{
	struct control_value value = {.mask = mask, .generation = generation};
	uint32_t zero = 0;
	int code = bpf_map_write(set->control_fd, &zero, &value);

	if (code)
		return diag_fail(diag, code, "probe: failed to switch recording: %s", strerror(-code));
	return 0;
}

void
probe_set_detach(struct probe_set *set)
{
	if (set->shim && set->drainer_runs)
		set_write_control(set, 0, set->generation, NULL);
	pthread_mutex_lock(&set->lock);
	set->draining = false;
	pthread_mutex_unlock(&set->lock);
	if (set->link_fd >= 0)
		close(set->link_fd);
	set->link_fd = -1;
	set->pid = 0;
}

int
probe_set_arm(struct probe_set *set, uint64_t tracepoint_mask, struct diag *diag)
{
	struct probe_counts counts = {0};
	int code = set_write_control(set, 0, set->generation, diag);

	if (!code)
		code = set_read_counts(set, false, &counts, diag);
	if (code)
		return code;
	pthread_mutex_lock(&set->lock);
	bcc_shim_consume(set->shim);
	store_clear(set);
	stream_reset(set);
	set->malformed = 0;
	set->generation++;
	set->failed_before = counts.failed;
	set->no_memory_before = counts.no_memory;
	set->dropped_before = set->dropped;
	set->draining = true;
	pthread_cond_signal(&set->wake);
	pthread_mutex_unlock(&set->lock);
	return set_write_control(set, tracepoint_mask, set->generation, diag);
}

/* Counts the sequence numbers that are missing between the first and the last record of each thread. */
static uint64_t
count_gaps(const struct probe_set *set)
{
	struct thread_table last; /* delivered is the last number here */
	struct thread_entry *at = NULL;
	uint64_t gaps = 0;

	thread_table_init(&last, set->threads_max);
	for (size_t i = 0; i < set->records_cnt; i++) {
		const struct record_head *head = &set->records[i]->head;

		if (!at || at->tid != head->tid)
			at = thread_table_get(&last, head->tid);
		if (at->delivered && head->seq != at->delivered + 1)
			gaps += head->seq > at->delivered ? head->seq - at->delivered - 1 : 1;
		at->delivered = head->seq;
	}
	thread_table_fini(&last);
	return gaps;
}

int
probe_set_collect(struct probe_set *set, struct deadline deadline, struct record_list *out,
		  struct probe_counts *counts, struct diag *diag)
{
	struct probe_counts found = {0};
	bool whole = false;

	*out = (struct record_list){0};
	int code = set_write_control(set, 0, set->generation, diag);
	while (!code && !whole) {
		code = set_read_counts(set, false, &found, diag);
		if (code)
			break;
		pthread_mutex_lock(&set->lock);
		bcc_shim_consume(set->shim);
		found.delivered = set->delivered;
		/* More than counted arrived: a hit was under way when the counts were read; they are read again. */
		whole = found.delivered == found.attempts - found.failed;
		if (whole)
			set->draining = false;
		pthread_mutex_unlock(&set->lock);
		if (whole)
			break;
		if (deadline_has_passed(deadline)) {
			code = diag_fail(diag, -ETIMEDOUT,
					 "probe: %" PRIu64 " events were counted in the kernel and %" PRIu64
					 " could not be recorded, but only %" PRIu64 " of the others arrived",
					 found.attempts, found.failed, found.delivered);
			break;
		}
		clock_pause_ms(1, deadline);
	}
	if (code) {
		if (counts)
			*counts = found;
		return code;
	}
	store_sort(set->records, set->records_cnt);
	found.gaps = count_gaps(set);
	if (counts)
		*counts = found;
	out->items = set->records;
	out->cnt = set->records_cnt;
	uint64_t failed = found.failed - set->failed_before,
		 no_memory = found.no_memory - set->no_memory_before;
	bool full = set->dropped > set->dropped_before;
	if (failed || no_memory || full)
		return diag_fail(diag, -EOVERFLOW,
				 "probe: events were lost: %" PRIu64
				 " did not fit into the ring buffers, %" PRIu64
				 " came from more threads than there is room for%s",
				 failed, no_memory, full ? ", and there were more than can be kept" : "");
	if (found.gaps || set->malformed)
		return diag_fail(diag, -EBADMSG,
				 "probe: the records do not add up: %" PRIu64 " missing, %" PRIu64
				 " malformed, %" PRIu64 " counted, %" PRIu64 " arrived",
				 found.gaps, set->malformed, found.attempts, found.delivered);
	return 0;
}
