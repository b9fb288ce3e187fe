#include "probe/ptrace/tracees.h"

#include <errno.h>
#include <stdlib.h>

enum { CAP_MIN = 256 };

int
tracees_init(struct tracees *tracees, struct ptrace_area *area)
{
	*tracees = (struct tracees){.area = area, .cap = CAP_MIN};
	tracees->items = calloc(tracees->cap, sizeof(*tracees->items));
	return tracees->items ? 0 : -ENOMEM;
}

static struct tracee *
find(const struct tracees *tracees, pid_t tid)
{
	size_t at = (size_t)tid & (tracees->cap - 1);

	while (tracees->items[at].tid && tracees->items[at].tid != tid)
		at = (at + 1) & (tracees->cap - 1);
	return &tracees->items[at];
}

struct tracee *
tracees_find(struct tracees *tracees, pid_t tid)
{
	struct tracee *tracee = find(tracees, tid);

	return tracee->tid ? tracee : NULL;
}

/* A thread with the number of one that ended goes on counting where that one stopped, unless the counts were taken. */
static struct ptrace_thread *
claim_counts(struct ptrace_shared *shared, uint32_t tid)
{
	struct ptrace_thread *threads = shared->threads;

	for (size_t i = 0; i < PTRACE_THREADS_MAX; i++) {
		uint32_t ended = THREAD_ENDED;

		if (atomic_load(&threads[i].state) == THREAD_ENDED && threads[i].tid == tid &&
		    atomic_compare_exchange_strong(&threads[i].state, &ended, THREAD_LIVE))
			return &threads[i];
	}
	for (size_t i = 0; i < PTRACE_THREADS_MAX; i++) {
		if (atomic_load(&threads[i].state) != THREAD_FREE)
			continue;
		threads[i].tid = tid;
		atomic_store(&threads[i].attempts, 0);
		atomic_store(&threads[i].failed, 0);
		atomic_store(&threads[i].filtered, 0);
		atomic_store(&threads[i].state, THREAD_LIVE);
		return &threads[i];
	}
	return NULL;
}

static int
grow(struct tracees *tracees)
{
	struct tracees old = *tracees;

	tracees->items = calloc(2 * old.cap, sizeof(*tracees->items));
	if (!tracees->items) {
		tracees->items = old.items;
		return -ENOMEM;
	}
	tracees->cap = 2 * old.cap;
	for (size_t i = 0; i < old.cap; i++)
		if (old.items[i].tid)
			*find(tracees, old.items[i].tid) = old.items[i];
	free(old.items);
	return 0;
}

struct tracee *
tracees_add(struct tracees *tracees, pid_t tid)
{
	struct tracee *tracee = find(tracees, tid);

	if (tracee->tid)
		return tracee;
	if (2 * (tracees->cnt + 1) > tracees->cap) {
		if (grow(tracees))
			return NULL;
		tracee = find(tracees, tid);
	}
	tracees->cnt++;
	*tracee = (struct tracee){.tid = tid, .counts = claim_counts(tracees->area->shared, (uint32_t)tid)};
	return tracee;
}

struct tracee *
tracees_next(const struct tracees *tracees, size_t *at)
{
	while (*at < tracees->cap) {
		struct tracee *tracee = &tracees->items[(*at)++];

		if (tracee->tid)
			return tracee;
	}
	return NULL;
}

/* One that never hit leaves its place to others. */
static void
end(const struct tracee *tracee)
{
	struct ptrace_thread *counts = tracee->counts;

	if (counts)
		atomic_store(&counts->state, atomic_load(&counts->attempts) ? THREAD_ENDED : THREAD_FREE);
}

void
tracees_remove(struct tracees *tracees, pid_t tid)
{
	struct tracee *tracee = find(tracees, tid);
	size_t gap = (size_t)(tracee - tracees->items);

	if (!tracee->tid)
		return;
	end(tracee);
	tracees->cnt--;
	/* Those behind it that would not be found past the gap move up. */
	for (size_t at = (gap + 1) & (tracees->cap - 1); tracees->items[at].tid;
	     at = (at + 1) & (tracees->cap - 1)) {
		size_t home = (size_t)tracees->items[at].tid & (tracees->cap - 1);

		if (((at - home) & (tracees->cap - 1)) < ((at - gap) & (tracees->cap - 1)))
			continue;
		tracees->items[gap] = tracees->items[at];
		gap = at;
	}
	tracees->items[gap] = (struct tracee){0};
}

void
tracees_remove_all(struct tracees *tracees)
{
	for (size_t i = 0; i < tracees->cap; i++) {
		if (tracees->items[i].tid)
			end(&tracees->items[i]);
		tracees->items[i] = (struct tracee){0};
	}
	tracees->cnt = 0;
}
