/* Taking records while the recording goes on.
 *
 * Order. There is a ring for each CPU, threads move between CPUs, and a hit can be preempted between the reading of
 * the clock and the handing over of the record. So a record may be delivered only when it is known that none of
 * before it is still to come; and no waiting time would tell that. The kernel's counts do: each thread counts a hit
 * before it reads the clock. At a moment S all threads are asked for their hits. What a thread does later bears a
 * later time than S; what it had counted arrives, or is counted as failed. When for each thread
 *
 *	arrived + failed >= hits at S
 *
 * all hits up to S are over, as a thread does one after the other. Some of them may still lie in a ring that was
 * emptied a moment earlier than the one that their thread moved to; one more round through the rings fetches these.
 * Then all that bears a time before S is here, and is sorted and lent. What bears a later time is held until the
 * next moment.
 *
 * Usually the first look finds it so, and nothing waits. When a thread was preempted within its hit, or stopped
 * there, the others would have to wait for it. They do so for HOLD_MS; then what is here is lent, and the record,
 * when it comes, comes late and is counted as that. Within a thread the order is sure up to the same exception.
 *
 * Memory. What was lent is given back with the next take. What was not fetched has a bound (store.c); beyond it,
 * records are counted as dropped.
 *
 * Threads. Each has an entry in the kernel's map, which has room for a thousand at most. When half of it is in use,
 * the entries of threads that have ended are taken out, and their counts are kept. A number that is in use again at
 * that very moment does no harm: the entry is read and deleted in one step, and what arrived beyond it belongs to
 * the new thread. An entry of a living thread is never touched: its program might be writing there. In another PID
 * namespace than the machine's first one, the kernel's numbers of threads cannot be looked up, and none is taken
 * out: after as many threads as there is room for, the hits of further ones are counted as lost (no_memory). */
#include "base/xmem.h"
#include "probe/set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	HOLD_MS = 60,
	COUNT_MS = 1000, /* without events the counts are looked at as often as this */
	SWEEP_MS = 50,   /* not more often than this */
};
#define NS_PER_MS UINT64_C(1000000)

uint64_t
probe_counts_lost(const struct probe_counts *counts)
{
	return counts->failed + counts->no_memory + counts->dropped + counts->missing;
}

void
stream_reset(struct probe_set *set)
{
	set->held_cnt = set->lent_cnt = 0;
	set->is_asking = false;
	set->asked_at_ns = set->lent_until_ns = set->swept_at_ns = 0;
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

/* With the lock held, as the next ones. */
static void
move_arrived(struct probe_set *set)
{
	bcc_shim_consume(set->shim);
	if (set->held_cnt + set->records_cnt > set->held_cap) {
		set->held_cap = 2 * (set->held_cnt + set->records_cnt);
		set->held = xreallocarray(set->held, set->held_cap, sizeof(*set->held));
	}
	if (set->records_cnt)
		memcpy(set->held + set->held_cnt, set->records, set->records_cnt * sizeof(*set->records));
	set->held_cnt += set->records_cnt;
	set->records_cnt = 0;
}

/* How many of the hits that were asked for are not over. */
static uint64_t
count_open(const struct probe_set *set)
{
	uint64_t open = 0;

	for (size_t i = 0; i < set->threads.cap; i++) {
		const struct thread_entry *entry = &set->threads.entries[i];

		if (entry->tid && entry->asked > entry->delivered + entry->failed)
			open += entry->asked - entry->delivered - entry->failed;
	}
	return open;
}

static void
tell_counts(struct probe_set *set, struct probe_counts *counts)
{
	pthread_mutex_lock(&set->lock);
	set->counts.delivered = set->delivered;
	set->counts.dropped = set->dropped;
	pthread_mutex_unlock(&set->lock);
	set->counts.late = set->late;
	set->counts.missing = set->missing;
	if (counts)
		*counts = set->counts;
}

/* Lends what is held of before that time. */
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

/* Takes one thread's counts out of the kernel's map; with the lock held. */
static int
retire_thread(struct probe_set *set, uint32_t tid)
{
	uint64_t of_thread[2];

	move_arrived(set);
	int code = bpf_map_take(set->threads_fd, &tid, set->thread_value);
	if (code)
		return code == -ENOENT ? 0 : code;
	memcpy(of_thread, set->thread_value, sizeof(of_thread));
	set->retired_attempts += of_thread[0];
	set->retired_failed += of_thread[1];
	uint64_t done = of_thread[0] - of_thread[1];
	struct thread_entry *entry = thread_table_get(&set->threads, tid);
	if (entry->delivered > done) {
		*entry = (struct thread_entry){.tid = tid, .delivered = entry->delivered - done};
		return 0;
	}
	set->missing += done - entry->delivered;
	thread_table_remove(&set->threads, tid);
	return 0;
}

/* Makes room for more threads, if it is time to. */
static int
sweep(struct probe_set *set, uint64_t now_ns, struct diag *diag)
{
	size_t cnt = 0;
	int code = 0;

	pthread_mutex_lock(&set->lock);
	bool is_time = 2 * set->threads.cnt >= set->threads_max &&
		       now_ns - set->swept_at_ns >= SWEEP_MS * NS_PER_MS && process_knows_threads();
	uint32_t *tids = is_time ? xcalloc(set->threads.cnt, sizeof(*tids)) : NULL;
	for (size_t i = 0; is_time && i < set->threads.cap; i++)
		if (set->threads.entries[i].tid)
			tids[cnt++] = set->threads.entries[i].tid;
	pthread_mutex_unlock(&set->lock);
	if (is_time)
		set->swept_at_ns = now_ns;
	for (size_t i = 0; i < cnt && !code; i++) {
		if (!process_thread_has_ended(set->pid, tids[i]))
			continue;
		pthread_mutex_lock(&set->lock);
		code = retire_thread(set, tids[i]);
		pthread_mutex_unlock(&set->lock);
	}
	free(tids);
	return code ? diag_fail(diag, code, "probe: failed to clear the count of a thread: %s",
				strerror(-code))
		    : 0;
}

static void
wait_for_records(struct probe_set *set, struct deadline deadline)
{
	struct timespec at = {.tv_sec = (time_t)(deadline.at_ns / 1000000000u),
			      .tv_nsec = (long)(deadline.at_ns % 1000000000u)};

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
	return diag_fail(diag, -EBADMSG, "probe: %" PRIu64 " records are not as planned", malformed);
}

/* Asks for the counts of a moment, if there is reason to; false when there is none. */
static bool
ask(struct probe_set *set, struct deadline deadline, int *code, struct diag *diag)
{
	struct deadline count_at = {.at_ns = set->asked_at_ns + COUNT_MS * NS_PER_MS};

	if (!set->held_cnt)
		wait_for_records(set, deadline_earlier(deadline, count_at));
	uint64_t now = clock_now_ns();
	pthread_mutex_lock(&set->lock);
	bool reason = set->records_cnt || set->held_cnt || now >= count_at.at_ns;
	pthread_mutex_unlock(&set->lock);
	if (!reason)
		return false;
	set->asked_at_ns = now;
	set->is_asking = true;
	*code = set_read_counts(set, true, &set->counts, diag);
	return true;
}

/* Whether all hits up to the moment that was asked for are here. */
static bool
is_answered(struct probe_set *set)
{
	pthread_mutex_lock(&set->lock);
	move_arrived(set);
	bool answered = !count_open(set);
	if (answered)
		move_arrived(set);
	pthread_mutex_unlock(&set->lock);
	return answered;
}

int
probe_set_take(struct probe_set *set, struct deadline deadline, struct record_list *out,
	       struct probe_counts *counts, struct diag *diag)
{
	int code = 0;

	*out = (struct record_list){0};
	give_back_lent(set);
	while (!code && !out->cnt) {
		if (!set->is_asking && !ask(set, deadline, &code, diag)) {
			if (deadline_has_passed(deadline))
				break;
			continue;
		}
		if (code)
			break;
		bool answered = is_answered(set);
		if (answered || clock_now_ns() - set->asked_at_ns > HOLD_MS * NS_PER_MS) {
			set->is_asking = false;
			code = sweep(set, set->asked_at_ns, diag);
			lend(set, set->asked_at_ns, out);
		} else {
			/* A hit that was under way may fail. */
			clock_pause_ms(1, deadline_in_ms(1));
			code = set_read_counts(set, false, &set->counts, diag);
		}
		tell_counts(set, counts);
		if (probe_counts_lost(&set->counts) > set->told_lost || deadline_has_passed(deadline))
			break;
	}
	tell_counts(set, counts);
	set->told_lost = probe_counts_lost(&set->counts);
	return code ? code : check_records(set, diag);
}

int
probe_set_finish(struct probe_set *set, struct deadline deadline, struct record_list *out,
		 struct probe_counts *counts, struct diag *diag)
{
	*out = (struct record_list){0};
	give_back_lent(set);
	int code = set_write_control(set, 0, set->generation, diag);
	for (;;) {
		if (!code)
			code = set_read_counts(set, true, &set->counts, diag);
		bool whole = is_answered(set);
		if (code || whole)
			break;
		if (deadline_has_passed(deadline)) {
			pthread_mutex_lock(&set->lock);
			uint64_t open = count_open(set);
			pthread_mutex_unlock(&set->lock);
			set->missing += open;
			code = diag_fail(diag, -ETIMEDOUT,
					 "probe: %" PRIu64
					 " events were counted in the kernel, but did not arrive",
					 open);
			break;
		}
		clock_pause_ms(1, deadline);
	}
	/* What came since then as well; from now on nobody else empties the rings. */
	pthread_mutex_lock(&set->lock);
	set->draining = false;
	move_arrived(set);
	pthread_mutex_unlock(&set->lock);
	set->is_asking = false;
	lend(set, UINT64_MAX, out);
	tell_counts(set, counts);
	return code ? code : check_records(set, diag);
}
