/* The verbs of the ptrace backend, in the process that uses it. The work is done by a process of its own (tracer.c);
 * here are the requests to it and the reading end of the ring. */
#include "probe/ptrace/backend.h"

#include "base/keeper.h"
#include "base/xmem.h"
#include "probe/ptrace/obstacles.h"
#include "probe/ptrace/ring.h"
#include "probe/ptrace/shared.h"
#include "probe/ptrace/tracer.h"
#include "probe/ptrace/traps.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RING_BYTES = 8 << 20,
	RING_BYTES_MIN = 256 << 10, /* more than two records of the largest size */
	RING_BYTES_MAX = 64 << 20,
	ANSWER_MS = 20000,
};

struct ptrace_source {
	struct probe_source base;
	struct record_sink sink;
	struct ptrace_area area;
	struct keeper_deed deed;
	pid_t tracer_pid;
	int socket_fd;
	/* The tracer process, without having been asked to end. Both the thread that asks and the one that drains may
	 * find out. */
	atomic_bool is_dead;
	pthread_mutex_t rescue_lock;
	uint32_t requests_cnt;
};

static struct ptrace_source *
ptrace_of(struct probe_source *source)
{
	return (struct ptrace_source *)source;
}
_Static_assert(offsetof(struct ptrace_source, base) == 0, "ptrace_of relies on it");

static void
close_socket(struct ptrace_source *source)
{
	if (source->socket_fd >= 0)
		close(source->socket_fd);
	source->socket_fd = -1;
}

static void
close_source(struct probe_source *base)
{
	struct ptrace_source *source = ptrace_of(base);

	close_socket(source);
	keeper_undo(&source->deed, NULL);
	/* If the keeper was killed, too. */
	if (source->area.shared)
		traps_rescue(&source->area, NULL);
	ptrace_area_unmap(&source->area);
	pthread_mutex_destroy(&source->rescue_lock);
	free(source);
}

static size_t
choose_ring_bytes(const struct probe_opts *opts)
{
	size_t shared = RING_BYTES / (opts->sets_cnt ? opts->sets_cnt : 1);
	size_t bytes = RING_BYTES_MIN, wanted = opts->ring_bytes ? opts->ring_bytes : shared;

	while (bytes < wanted && bytes < RING_BYTES_MAX)
		bytes *= 2;
	return bytes;
}

static int
start_tracer(struct ptrace_source *source, int area_fd, struct keeper *keeper, struct diag *diag)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return diag_fail(diag, -errno, "probe: failed to make a socket pair: %s", strerror(errno));
	int err = tracer_process_start(keeper, &source->deed, area_fd, fds[1], &source->tracer_pid, diag);
	close(fds[1]);
	source->socket_fd = fds[0];
	return err;
}

static int
open_source(struct probe_source **out, struct probe_source *model, const struct probe_point *points,
	    size_t points_cnt, const struct probe_opts *opts, const struct record_sink *sink,
	    struct diag *diag)
{
	struct ptrace_source *source = xcalloc(1, sizeof(*source));
	int area_fd;

	(void)model; /* there is nothing that takes long */
	*out = NULL;
	source->sink = *sink;
	source->socket_fd = -1;
	pthread_mutex_init(&source->rescue_lock, NULL);
	source->base =
		(struct probe_source){.method = PROBE_METHOD_PTRACE, .threads_max = PTRACE_THREADS_MAX};
	int err = ptrace_area_make(&source->area, &area_fd, points, points_cnt, choose_ring_bytes(opts),
				   opts->tmpdir, diag);
	if (!err) {
		source->area.shared->is_owned = opts->owns_process;
		err = start_tracer(source, area_fd, opts->keeper, diag);
		close(area_fd);
	}
	if (err) {
		close_source(&source->base);
		return err;
	}
	*out = &source->base;
	return 0;
}

static void
settle(struct probe_source *base)
{
	(void)base;
}

/* Called as soon as the tracer process is seen to be dead: the traps in the traced process have no tracer. */
static int
on_death(struct ptrace_source *source, struct diag *diag)
{
	pthread_mutex_lock(&source->rescue_lock);
	if (!atomic_exchange(&source->is_dead, true))
		traps_rescue(&source->area, NULL);
	pthread_mutex_unlock(&source->rescue_lock);
	return diag_fail(diag, -EPIPE,
			 "probe: the process %d (usdt-tracer), which traces by ptrace, was killed",
			 (int)source->tracer_pid);
}

/* -ETIMEDOUT, or an error of poll. */
static int
wait_for_answer(const struct ptrace_source *source)
{
	struct pollfd pollfd = {.fd = source->socket_fd, .events = POLLIN};
	int rc;

	do
		rc = poll(&pollfd, 1, ANSWER_MS);
	while (rc < 0 && errno == EINTR);
	return rc > 0 ? 0 : rc ? -errno : -ETIMEDOUT;
}

static int
ask(struct ptrace_source *source, struct ptrace_request *request, struct diag *diag)
{
	struct ptrace_answer answer;

	request->number = ++source->requests_cnt;
	if (source->is_dead || send(source->socket_fd, request, sizeof(*request), MSG_NOSIGNAL) < 0)
		return on_death(source, diag);
	do {
		if (wait_for_answer(source))
			return diag_fail(
				diag, -ETIMEDOUT,
				"probe: the process %d (usdt-tracer), which traces by ptrace, does not answer within %d s",
				(int)source->tracer_pid, ANSWER_MS / 1000);
		if (recv(source->socket_fd, &answer, sizeof(answer), 0) != sizeof(answer))
			return on_death(source, diag);
	} while (answer.number != request->number); /* else that of one that was given up */
	return answer.err ? diag_fail(diag, answer.err, "%s", answer.diag.text) : 0;
}

static int
attach(struct probe_source *base, pid_t pid, uint64_t mask, struct diag *diag)
{
	(void)mask; /* what is not armed is neither trapped nor raised */
	struct ptrace_request request = {.verb = PTRACE_DO_ATTACH, .pid = pid};

	return ask(ptrace_of(base), &request, diag);
}

static void
detach(struct probe_source *base)
{
	struct ptrace_request request = {.verb = PTRACE_DO_DETACH};

	ask(ptrace_of(base), &request, NULL);
}

static int
arm(struct probe_source *base, uint64_t mask, uint32_t generation, struct diag *diag)
{
	struct ptrace_request request = {.verb = PTRACE_DO_RECORD, .mask = mask, .generation = generation};

	return ask(ptrace_of(base), &request, diag);
}

static int
disarm(struct probe_source *base, struct diag *diag)
{
	return arm(base, 0, 0, diag);
}

static void
drain(struct probe_source *base)
{
	struct ptrace_source *source = ptrace_of(base);

	ring_drain(&source->area, &source->sink);
}

static void
look_for_death(struct ptrace_source *source)
{
	struct pollfd pollfd = {.fd = source->socket_fd};

	if (!source->is_dead && poll(&pollfd, 1, 0) > 0)
		on_death(source, NULL);
}

static void
wait_for_records(struct probe_source *base, int timeout_ms)
{
	struct ptrace_source *source = ptrace_of(base);

	look_for_death(source);
	/* A tracer process that somebody has stopped would stop the traced one at its next hit. */
	if (!source->is_dead)
		kill(source->tracer_pid, SIGCONT);
	ring_wait(&source->area, timeout_ms);
}

static int
read_counts(struct probe_source *base, thread_counts_cb on_thread, void *cookie, uint64_t *no_memory,
	    struct diag *diag)
{
	struct ptrace_source *source = ptrace_of(base);
	struct ptrace_shared *shared = source->area.shared;

	for (size_t i = 0; i < PTRACE_THREADS_MAX; i++) {
		struct ptrace_thread *thread = &shared->threads[i];

		if (atomic_load(&thread->state) == THREAD_FREE)
			continue;
		/* In this order nothing is counted as over without its attempt. */
		struct thread_counts counts = {.failed = atomic_load(&thread->failed),
					       .filtered = atomic_load(&thread->filtered)};
		counts.attempts = atomic_load(&thread->attempts);
		if (counts.attempts)
			on_thread(cookie, thread->tid, &counts);
	}
	*no_memory = atomic_load(&shared->no_memory);
	look_for_death(source);
	return source->is_dead ? on_death(source, diag) : 0;
}

static int
take_thread(struct probe_source *base, uint32_t tid, struct thread_counts *counts)
{
	struct ptrace_shared *shared = ptrace_of(base)->area.shared;

	for (size_t i = 0; i < PTRACE_THREADS_MAX; i++) {
		struct ptrace_thread *thread = &shared->threads[i];
		uint32_t ended = THREAD_ENDED;

		if (atomic_load(&thread->state) != THREAD_ENDED || thread->tid != tid ||
		    !atomic_compare_exchange_strong(&thread->state, &ended, THREAD_CLAIMED))
			continue;
		*counts = (struct thread_counts){.attempts = atomic_load(&thread->attempts),
						 .failed = atomic_load(&thread->failed),
						 .filtered = atomic_load(&thread->filtered)};
		atomic_store(&thread->state, THREAD_FREE);
		return 0;
	}
	return -ENOENT;
}

/* Called when attached to no process: none is counting. */
static int
forget_threads(struct probe_source *base, struct diag *diag)
{
	struct ptrace_shared *shared = ptrace_of(base)->area.shared;

	(void)diag;
	for (size_t i = 0; i < PTRACE_THREADS_MAX; i++)
		atomic_store(&shared->threads[i].state, THREAD_FREE);
	return 0;
}

static bool
has_thread_ended(const struct probe_source *base, uint32_t tid)
{
	const struct ptrace_shared *shared = ((const struct ptrace_source *)base)->area.shared;

	for (size_t i = 0; i < PTRACE_THREADS_MAX; i++)
		if (shared->threads[i].tid == tid && atomic_load(&shared->threads[i].state) == THREAD_ENDED)
			return true;
	return false;
}

const struct probe_backend ptrace_backend = {
	.open = open_source,
	.close = close_source,
	.settle = settle,
	.attach = attach,
	.detach = detach,
	.detach_begin = detach, /* takes no time */
	.arm = arm,
	.disarm = disarm,
	.drain = drain,
	.wait = wait_for_records,
	.read_counts = read_counts,
	.take_thread = take_thread,
	.forget_threads = forget_threads,
	.has_thread_ended = has_thread_ended,
	.try_features = ptrace_try_features,
	.find_early_obstacle = ptrace_find_early_obstacle,
	.find_obstacle = ptrace_find_obstacle,
};
