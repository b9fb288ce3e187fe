/* The proof that a recording that has ended is complete.
 *
 * Each hit while armed adds 1 to the attempts of its thread before anything else, and the number goes into the
 * record. A record that cannot be delivered adds 1 to the thread's failures. After the scenario the set disarms, then
 * drains until
 *
 *	delivered = attempts - failed
 *
 * over all threads. Then it walks the records of each thread, whose numbers must follow one another. The callback that
 * libbcc has for losses is not enough: the kernel reports a loss together with the next record that fits, so a loss at
 * the tail is never reported.
 *
 * Order. Records arrive nearly in order: threads of several CPUs make room for theirs, then read the clock. They carry
 * the monotonic clock and are sorted by it; within a thread the sequence number decides. */
#include "probe/set.h"

#include <errno.h>
#include <inttypes.h>

/* Counts the sequence numbers that are missing between the first and the last record of each thread. */
static uint64_t
count_gaps(const struct probe_set *set)
{
	struct thread_table threads;
	struct thread_entry *thread = NULL;
	uint64_t gaps = 0;

	thread_table_init(&threads, set->source->threads_max);
	for (size_t i = 0; i < set->records_cnt; i++) {
		const struct record_head *head = &set->records[i]->head;

		if (!thread || thread->tid != head->tid)
			thread = thread_table_get(&threads, head->tid);
		if (thread->last_seq && head->seq != thread->last_seq + 1)
			gaps += head->seq > thread->last_seq ? head->seq - thread->last_seq - 1 : 1;
		thread->last_seq = head->seq;
	}
	thread_table_fini(&threads);
	return gaps;
}

/* Whether all that was counted has arrived; then nobody drains any more. */
static bool
has_all(struct probe_set *set, struct probe_counts *counts)
{
	pthread_mutex_lock(&set->lock);
	set->backend->drain(set->source);
	counts->delivered = set->delivered;
	/* More may have arrived than was counted: a hit was under way when the counts were read. */
	bool all = counts->delivered == counts->attempts - counts->failed - counts->filtered;
	if (all)
		set->draining = false;
	pthread_mutex_unlock(&set->lock);
	return all;
}

static int
wait_for_all(struct probe_set *set, struct deadline deadline, struct probe_counts *counts, struct diag *diag)
{
	for (;;) {
		int err = counts_read(set, counts, diag);

		if (err || has_all(set, counts))
			return err;
		if (deadline_has_passed(deadline))
			return diag_fail(diag, -ETIMEDOUT,
					 "probe: %" PRIu64 " events were counted and %" PRIu64
					 " could not be recorded, but only %" PRIu64 " of the others arrived",
					 counts->attempts, counts->failed, counts->delivered);
		clock_pause_ms(1, deadline);
	}
}

/* Whether the records since the last arming are all there and as expected. */
static int
check_complete(const struct probe_set *set, const struct probe_counts *counts, struct diag *diag)
{
	uint64_t failed = counts->failed - set->armed_at.failed;
	uint64_t no_memory = counts->no_memory - set->armed_at.no_memory;
	bool full = set->dropped > set->armed_at.dropped;

	if (failed || no_memory || full)
		return diag_fail(diag, -EOVERFLOW,
				 "probe: events were lost: %" PRIu64 " did not fit into the buffers, %" PRIu64
				 " came from more threads than there is room for%s",
				 failed, no_memory, full ? ", and there were more than can be kept" : "");
	if (counts->gaps || set->malformed)
		return diag_fail(diag, -EBADMSG,
				 "probe: the records do not add up: %" PRIu64 " missing, %" PRIu64
				 " malformed, %" PRIu64 " counted, %" PRIu64 " arrived",
				 counts->gaps, set->malformed, counts->attempts, counts->delivered);
	return 0;
}

int
probe_set_collect(struct probe_set *set, struct deadline deadline, struct record_list *out,
		  struct probe_counts *counts, struct diag *diag)
{
	struct probe_counts found = {0};

	*out = (struct record_list){0};
	int err = set->backend->disarm(set->source, diag);
	if (!err)
		err = wait_for_all(set, deadline, &found, diag);
	if (!err) {
		store_sort(set->records, set->records_cnt);
		found.gaps = count_gaps(set);
		*out = (struct record_list){.items = set->records, .cnt = set->records_cnt};
		err = check_complete(set, &found, diag);
	}
	if (counts)
		*counts = found;
	return err;
}
