/* Taking records while the recording goes on.
 *
 * Order. A hit can be preempted between reading the clock and handing over its record, or between making room for the
 * record and reading the clock. So a record may be lent only once it is certain that no earlier one can still
 * arrive, and no waiting time would make that certain. The counts do: each thread counts a hit before it reads the
 * clock. At a moment S the hits of all threads are read and marked as due. A hit that is counted after S bears a
 * later time than S. One that was counted by then arrives, or is counted as failed. Once, for each thread,
 *
 *	delivered + failed + filtered >= due
 *
 * all hits up to S are over, because a thread does one after the other. Some of their records may still lie in the
 * buffer, behind one that was not complete when it was last emptied; emptying it once more fetches these. Now
 * everything that bears a time before S is here, and is sorted and lent. What bears a later time is held until the next
 * moment.
 *
 * Usually the first look finds all this true, and nothing waits. When a thread is preempted or stopped within a hit,
 * the others have to wait for it. They do so for HOLD_MS; then what is here is lent, and the delayed record, when it
 * arrives, is lent out of order and counted as late. Within a thread the order holds, with the same exception.
 *
 * Memory. What was lent is given back by the next take. What was not fetched has a bound (store.c); beyond it, records
 * are counted as dropped.
 *
 * Threads. The backend can count a limited number of threads at a time, about a thousand. When half of that is in use,
 * threads that have ended are retired: their counts are taken from the backend and kept as a sum. It does no harm when
 * the number of such a thread is used again at that very moment: reading and forgetting are one step, and whatever
 * arrived beyond that count belongs to the new thread. A living thread is never retired: it might be counting. In a PID
 * namespace other than the initial one the kernel's thread numbers cannot be looked up, and no thread is retired: once
 * there is no room for further threads, their hits are counted as lost (no_memory). */
#include "probe/set.h"

#include "base/xmem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	HOLD_MS = 60,
	COUNT_MS = 1000, /* how often the counts are read when there are no events */
	SWEEP_MS = 50,   /* threads are retired at most this often */
};
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)

void
stream_reset(struct probe_set *set)
{
	set->held_cnt = set->lent_cnt = 0;
	set->is_waiting = false;
	set->marked_at_ns = set->lent_until_ns = set->swept_at_ns = 0;
}

static void
give_back_lent(struct probe_set *set)
{
	if (!set->lent_cnt)
		return;
	pthread_mutex_lock(&set->lock);
	store_give_back(set, set->held, set->lent_cnt);
	pthread_mutex_unlock(&set->lock);
	set->held_cnt -= set->lent_cnt;
	memmove(set->held, set->held + set->lent_cnt, set->held_cnt * sizeof(*set->held));
	set->lent_cnt = 0;
}

/* Drains, and moves what arrived to what is held. With the lock held. */
static void
move_arrived(struct probe_set *set)
{
	set->backend->drain(set->source);
	if (set->held_cnt + set->records_cnt > set->held_cap) {
		set->held_cap = 2 * (set->held_cnt + set->records_cnt);
		set->held = xreallocarray(set->held, set->held_cap, sizeof(*set->held));
	}
	if (set->records_cnt)
		memcpy(set->held + set->held_cnt, set->records, set->records_cnt * sizeof(*set->records));
	set->held_cnt += set->records_cnt;
	set->records_cnt = 0;
}

static void
update_counts(struct probe_set *set, struct probe_counts *counts)
{
	pthread_mutex_lock(&set->lock);
	uint64_t filtered = set->filtered;
	set->counts.delivered = set->delivered - filtered;
	set->counts.dropped = set->dropped;
	pthread_mutex_unlock(&set->lock);
	set->counts.late = set->late;
	set->counts.missing = set->missing;
	if (!counts)
		return;
	*counts = set->counts;
	counts->filtered += filtered;
}

/* Lends those held records that are from before that time. */
static void
lend(struct probe_set *set, uint64_t until_ns, struct record_list *out)
{
	size_t cnt = set->held_cnt;

	store_sort(set->held, set->held_cnt);
	while (cnt && set->held[cnt - 1]->head.time_ns >= until_ns)
		cnt--;
	for (size_t i = 0; i < cnt && set->held[i]->head.time_ns < set->lent_until_ns; i++)
		set->late++;
	set->lent_until_ns = until_ns;
	set->lent_cnt = cnt;
	out->items = set->held;
	out->cnt = cnt;
}

/* The threads of the table; NULL when it is not time to retire any. The caller frees them. */
static uint32_t *
list_threads_to_sweep(struct probe_set *set, uint64_t now_ns, size_t *cnt)
{
	uint32_t *tids = NULL;

	*cnt = 0;
	pthread_mutex_lock(&set->lock);
	if (2 * set->threads.cnt >= set->source->threads_max &&
	    now_ns - set->swept_at_ns >= SWEEP_MS * NS_PER_MS) {
		tids = xcalloc(set->threads.cnt, sizeof(*tids));
		for (size_t i = 0; i < set->threads.cap; i++)
			if (set->threads.entries[i].tid)
				tids[(*cnt)++] = set->threads.entries[i].tid;
	}
	pthread_mutex_unlock(&set->lock);
	return tids;
}

/* Retires threads that have ended, if it is time to. */
static int
sweep(struct probe_set *set, uint64_t now_ns, struct diag *diag)
{
	size_t cnt;
	uint32_t *tids = list_threads_to_sweep(set, now_ns, &cnt);
	int err = 0;

	if (!tids)
		return 0;
	set->swept_at_ns = now_ns;
	for (size_t i = 0; i < cnt && !err; i++) {
		if (!set->backend->has_thread_ended(set->source, tids[i]))
			continue;
		pthread_mutex_lock(&set->lock);
		move_arrived(set);
		err = counts_retire_thread(set, tids[i]);
		pthread_mutex_unlock(&set->lock);
	}
	free(tids);
	if (err)
		return diag_fail(diag, err, "probe: failed to clear the counts of a thread: %s",
				 strerror(-err));
	return 0;
}

static void
wait_for_records(struct probe_set *set, struct deadline deadline)
{
	struct timespec at = {.tv_sec = (time_t)(deadline.at_ns / NS_PER_SEC),
			      .tv_nsec = (long)(deadline.at_ns % NS_PER_SEC)};

	pthread_mutex_lock(&set->lock);
	while (!set->records_cnt && !deadline_has_passed(deadline))
		if (pthread_cond_timedwait(&set->arrived, &set->lock, &at))
			break;
	pthread_mutex_unlock(&set->lock);
}

static int
check_records(struct probe_set *set, struct diag *diag)
{
	pthread_mutex_lock(&set->lock);
	uint64_t malformed = set->malformed;
	pthread_mutex_unlock(&set->lock);
	if (!malformed)
		return 0;
	return diag_fail(diag, -EBADMSG, "probe: %" PRIu64 " records are malformed", malformed);
}

/* Waits for a reason to read the counts; false when there is none by the deadline. */
static bool
wait_for_reason(struct probe_set *set, struct deadline deadline)
{
	struct deadline count_at = {.at_ns = set->marked_at_ns + COUNT_MS * NS_PER_MS};

	if (!set->held_cnt)
		wait_for_records(set, deadline_earlier(deadline, count_at));
	pthread_mutex_lock(&set->lock);
	bool has_records = set->records_cnt || set->held_cnt;
	pthread_mutex_unlock(&set->lock);
	return has_records || deadline_has_passed(count_at);
}

/* Whether all hits up to the marked moment have arrived or failed; their records are then held. */
static bool
has_all_due(struct probe_set *set)
{
	pthread_mutex_lock(&set->lock);
	move_arrived(set);
	bool has_all = !counts_outstanding(set);
	if (has_all)
		move_arrived(set);
	pthread_mutex_unlock(&set->lock);
	return has_all;
}

/* One step of a take: marks a moment, or lends what is from before it, or waits a little for that. */
static int
step(struct probe_set *set, struct deadline deadline, struct record_list *out, struct diag *diag)
{
	if (!set->is_waiting) {
		if (!wait_for_reason(set, deadline))
			return 0;
		set->marked_at_ns = clock_now_ns();
		set->is_waiting = true;
		int err = counts_mark_due(set, &set->counts, diag);
		if (err)
			return err;
	}
	if (has_all_due(set) || clock_now_ns() - set->marked_at_ns > HOLD_MS * NS_PER_MS) {
		set->is_waiting = false;
		int err = sweep(set, set->marked_at_ns, diag);
		lend(set, set->marked_at_ns, out);
		return err;
	}
	/* A hit that was under way may fail. */
	clock_pause_ms(1, deadline_in_ms(1));
	return counts_read(set, &set->counts, diag);
}

int
probe_set_take(struct probe_set *set, struct deadline deadline, struct record_list *out,
	       struct probe_counts *counts, struct diag *diag)
{
	int err = 0;

	*out = (struct record_list){0};
	give_back_lent(set);
	while (!err && !out->cnt) {
		err = step(set, deadline, out, diag);
		update_counts(set, counts);
		if (probe_counts_lost(&set->counts) > set->reported_lost || deadline_has_passed(deadline))
			break;
	}
	set->reported_lost = probe_counts_lost(&set->counts);
	return err ? err : check_records(set, diag);
}

int
probe_set_take_now(struct probe_set *set, struct record_list *out, uint64_t *until_ns,
		   struct probe_counts *counts, struct diag *diag)
{
	*out = (struct record_list){0};
	give_back_lent(set);
	set->is_waiting = false;
	*until_ns = set->marked_at_ns = clock_now_ns();
	int err = counts_mark_due(set, &set->counts, diag);
	while (!err && !has_all_due(set) && clock_now_ns() - *until_ns <= HOLD_MS * NS_PER_MS) {
		clock_pause_ms(1, deadline_in_ms(1));
		err = counts_read(set, &set->counts, diag);
	}
	if (!err)
		err = sweep(set, set->marked_at_ns, diag);
	else
		has_all_due(set); /* takes what has arrived, which nobody may fetch later */
	lend(set, set->marked_at_ns, out);
	update_counts(set, counts);
	return err ? err : check_records(set, diag);
}

/* Waits until nothing is outstanding; what still is at the deadline counts as missing. */
static int
wait_for_all(struct probe_set *set, struct deadline deadline, struct diag *diag)
{
	for (;;) {
		int err = counts_mark_due(set, &set->counts, diag);

		if (has_all_due(set) || err)
			return err;
		if (deadline_has_passed(deadline))
			break;
		clock_pause_ms(1, deadline);
	}
	pthread_mutex_lock(&set->lock);
	uint64_t outstanding = counts_outstanding(set);
	pthread_mutex_unlock(&set->lock);
	set->missing += outstanding;
	return diag_fail(diag, -ETIMEDOUT, "probe: %" PRIu64 " events were counted, but did not arrive",
			 outstanding);
}

int
probe_set_finish(struct probe_set *set, struct deadline deadline, struct record_list *out,
		 struct probe_counts *counts, struct diag *diag)
{
	*out = (struct record_list){0};
	give_back_lent(set);
	int err = set->backend->disarm(set->source, diag);
	if (!err)
		err = wait_for_all(set, deadline, diag);
	/* The last look, which also finds what arrived since; from now on nobody else drains. */
	pthread_mutex_lock(&set->lock);
	set->draining = false;
	move_arrived(set);
	pthread_mutex_unlock(&set->lock);
	set->is_waiting = false;
	lend(set, UINT64_MAX, out);
	update_counts(set, counts);
	return err ? err : check_records(set, diag);
}
