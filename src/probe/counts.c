/* What the backend has counted, compared with what has arrived: for each thread and in total.
 *
 * The backend counts the hits of the threads it knows. Threads end, and the set moves from one process to the next. The
 * counts of those that are gone are kept here as a sum, so the counts of a set never decrease. */
#include "probe/set.h"

#include <errno.h>
#include <string.h>

struct reading {
	struct probe_set *set;
	struct probe_counts *counts;
	bool marks_due;
};

static void
add_thread(void *cookie, uint32_t tid, const struct thread_counts *found)
{
	struct reading *reading = cookie;
	struct thread_entry *entry = thread_table_get(&reading->set->threads, tid);

	reading->counts->attempts += found->attempts;
	reading->counts->failed += found->failed;
	reading->counts->filtered += found->filtered;
	entry->failed = found->failed;
	entry->filtered = found->filtered;
	if (reading->marks_due)
		entry->due = found->attempts;
}

static int
read_counts(struct probe_set *set, bool marks_due, struct probe_counts *counts, struct diag *diag)
{
	struct reading reading = {.set = set, .counts = counts, .marks_due = marks_due};

	counts->attempts = set->retired.attempts;
	counts->failed = set->retired.failed;
	counts->filtered = set->retired.filtered;
	pthread_mutex_lock(&set->lock);
	int err = set->backend->read_counts(set->source, add_thread, &reading, &counts->no_memory, diag);
	pthread_mutex_unlock(&set->lock);
	return err;
}

int
counts_read(struct probe_set *set, struct probe_counts *counts, struct diag *diag)
{
	return read_counts(set, false, counts, diag);
}

int
counts_mark_due(struct probe_set *set, struct probe_counts *counts, struct diag *diag)
{
	return read_counts(set, true, counts, diag);
}

uint64_t
counts_outstanding(const struct probe_set *set)
{
	uint64_t cnt = 0;

	for (size_t i = 0; i < set->threads.cap; i++) {
		const struct thread_entry *entry = &set->threads.entries[i];

		uint64_t over = entry->delivered + entry->failed + entry->filtered;

		if (entry->tid && entry->due > over)
			cnt += entry->due - over;
	}
	return cnt;
}

int
counts_retire_thread(struct probe_set *set, uint32_t tid)
{
	struct thread_counts counts;
	int err = set->backend->take_thread(set->source, tid, &counts);

	if (err)
		return err == -ENOENT ? 0 : err;
	set->retired.attempts += counts.attempts;
	set->retired.failed += counts.failed;
	set->retired.filtered += counts.filtered;
	uint64_t expected = counts.attempts - counts.failed - counts.filtered;
	struct thread_entry *entry = thread_table_get(&set->threads, tid);
	/* More arrived: the number already belongs to a new thread. */
	if (entry->delivered > expected) {
		*entry = (struct thread_entry){.tid = tid, .delivered = entry->delivered - expected};
		return 0;
	}
	set->missing += expected - entry->delivered;
	thread_table_remove(&set->threads, tid);
	return 0;
}

int
counts_retire_all(struct probe_set *set, struct diag *diag)
{
	struct probe_counts counts = {0};
	int err = counts_read(set, &counts, diag);

	if (err)
		return err;
	set->retired.attempts = counts.attempts;
	set->retired.failed = counts.failed;
	set->retired.filtered = counts.filtered;
	pthread_mutex_lock(&set->lock);
	set->backend->drain(set->source);
	/* Whatever did not add up in earlier processes was reported with them. */
	set->delivered = counts.attempts - counts.failed - set->retired.filtered;
	thread_table_clear(&set->threads);
	err = set->backend->forget_threads(set->source, diag);
	pthread_mutex_unlock(&set->lock);
	return err;
}

uint64_t
probe_counts_lost(const struct probe_counts *counts)
{
	return counts->failed + counts->no_memory + counts->dropped + counts->missing;
}

void
probe_counts_add(struct probe_counts *sum, const struct probe_counts *counts)
{
	sum->attempts += counts->attempts;
	sum->delivered += counts->delivered;
	sum->failed += counts->failed;
	sum->filtered += counts->filtered;
	sum->no_memory += counts->no_memory;
	sum->gaps += counts->gaps;
	sum->dropped += counts->dropped;
	sum->late += counts->late;
	sum->missing += counts->missing;
}
