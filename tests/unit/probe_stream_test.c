/* The order of what is taken, with a kernel that is played here: what the rings hold, what the threads have
 * counted, and what has ended is as the test says. (The real kernel is tried by tests/harness.) */
#include "base/xmem.h"
#include "probe/set.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 8, RING = 64 };

/* The kernel's side. */
static struct {
	uint64_t hits[THREADS], failed[THREADS]; /* by tid; hits UINT64_MAX: not in the map */
	struct record_head ring[RING];
	size_t ring_cnt;
	/* What gets into a ring while the rings are being emptied: seen by the next round only. */
	struct record_head behind[RING];
	size_t behind_cnt;
	bool has_ended[THREADS];
	unsigned asked, rounds;
	void (*on_ask)(struct probe_set *set);
} kernel;

static void
hit(struct record_head *ring, size_t *cnt, uint32_t tid, uint64_t seq, uint64_t time_ns)
{
	ring[(*cnt)++] = (struct record_head){.tid = tid,
					      .seq = seq,
					      .time_ns = time_ns,
					      .generation = 1,
					      .size = sizeof(struct record_head)};
}

void
bcc_shim_consume(struct bcc_shim *shim)
{
	struct probe_set *set = (void *)shim;

	kernel.rounds++;
	for (size_t i = 0; i < kernel.ring_cnt; i++)
		store_on_record(set, &kernel.ring[i], sizeof(kernel.ring[i]));
	memcpy(kernel.ring, kernel.behind, sizeof(kernel.ring));
	kernel.ring_cnt = kernel.behind_cnt;
	kernel.behind_cnt = 0;
}

int
set_read_counts(struct probe_set *set, bool ask_all, struct probe_counts *counts, struct diag *diag)
{
	(void)diag;
	kernel.asked++;
	if (kernel.on_ask)
		kernel.on_ask(set);
	counts->attempts = set->retired_attempts;
	counts->failed = set->retired_failed;
	for (uint32_t tid = 1; tid < THREADS; tid++) {
		if (!kernel.hits[tid])
			continue;
		struct thread_entry *entry = thread_table_get(&set->threads, tid);

		entry->failed = kernel.failed[tid];
		if (ask_all)
			entry->asked = kernel.hits[tid];
		counts->attempts += kernel.hits[tid];
		counts->failed += kernel.failed[tid];
	}
	return 0;
}

int
set_write_control(struct probe_set *set, uint64_t mask, uint32_t generation, struct diag *diag)
{
	(void)set, (void)mask, (void)generation, (void)diag;
	return 0;
}

int
bpf_map_take(int map_fd, const void *key, void *value)
{
	uint32_t tid;

	(void)map_fd;
	memcpy(&tid, key, sizeof(tid));
	memcpy(value, (uint64_t[]){kernel.hits[tid], kernel.failed[tid]}, 16);
	kernel.hits[tid] = kernel.failed[tid] = 0;
	return 0;
}

bool
process_knows_threads(void)
{
	return true;
}

bool
process_thread_has_ended(pid_t pid, uint32_t tid)
{
	(void)pid;
	return kernel.has_ended[tid];
}

static struct probe_set *
begin(size_t threads_max)
{
	static struct probe_point point = {.fixed_bytes = sizeof(struct record_head)};
	struct probe_set *set = xcalloc(1, sizeof(*set));

	memset(&kernel, 0, sizeof(kernel));
	set->points = &point;
	set->points_cnt = 1;
	set->record_bytes = 64;
	set->threads_max = threads_max;
	set->store_max = 1 << 20;
	set->streams = true;
	set->generation = 1;
	set->shim = (void *)set;
	set->thread_value = xmalloc(64);
	thread_table_init(&set->threads, threads_max);
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->arrived, NULL);
	return set;
}

static void
end(struct probe_set *set)
{
	store_free(set);
	thread_table_fini(&set->threads);
	free(set->held);
	free(set->thread_value);
	free(set);
}

static struct record_list
take(struct probe_set *set, struct probe_counts *counts)
{
	struct record_list list;
	struct diag diag = {""};

	if (probe_set_take(set, deadline_in_ms(150), &list, counts, &diag))
		fail_msg("%s", diag.text);
	return list;
}

/* Something has to have arrived for a take to look closer. */
static void
arrive(struct probe_set *set)
{
	bcc_shim_consume((void *)set);
}

#define LATER (clock_now_ns() + UINT64_C(3600) * 1000000000)

static void
test_records_of_several_rings_in_order(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	/* One ring after the other. */
	hit(kernel.ring, &kernel.ring_cnt, 1, 1, 10);
	hit(kernel.ring, &kernel.ring_cnt, 1, 2, 30);
	hit(kernel.ring, &kernel.ring_cnt, 2, 1, 20);
	hit(kernel.ring, &kernel.ring_cnt, 2, 2, 30);
	hit(kernel.ring, &kernel.ring_cnt, 1, 3, 30);
	kernel.hits[1] = 3;
	kernel.hits[2] = 2;
	arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 5);
	for (size_t i = 1; i < list.cnt; i++)
		assert_true(list.items[i - 1]->head.time_ns <= list.items[i]->head.time_ns);
	assert_int_equal(list.items[2]->head.seq, 2);
	assert_int_equal(list.items[3]->head.seq, 3);
	assert_int_equal(counts.attempts, 5);
	assert_int_equal(counts.delivered, 5);
	end(set);
}

/* A hit that happened after the moment that was asked for waits for the next one. */
static void
test_what_is_later_is_held(void **state)
{
	struct probe_set *set = begin(64);

	(void)state;
	hit(kernel.ring, &kernel.ring_cnt, 1, 1, 10);
	hit(kernel.ring, &kernel.ring_cnt, 1, 2, LATER);
	kernel.hits[1] = 2;
	arrive(set);
	struct record_list list = take(set, NULL);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(list.items[0]->head.seq, 1);
	end(set);
}

static void
arrives_at_last(struct probe_set *set)
{
	(void)set;
	/* The first asking is the one of the moment, the others are for failures. */
	if (kernel.asked == 4)
		hit(kernel.ring, &kernel.ring_cnt, 2, 1, 5);
}

/* Thread 2 has counted a hit, and was preempted before it handed its record over: those after it wait. */
static void
test_a_hit_under_way_is_waited_for(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	hit(kernel.ring, &kernel.ring_cnt, 1, 1, 10);
	kernel.hits[1] = kernel.hits[2] = 1;
	kernel.on_ask = arrives_at_last;
	arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 2);
	assert_int_equal(list.items[0]->head.tid, 2);
	assert_int_equal(counts.late, 0);
	end(set);
}

static void
fails_at_last(struct probe_set *set)
{
	(void)set;
	kernel.failed[2] = kernel.asked >= 3;
}

static void
test_a_hit_under_way_may_fail(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	hit(kernel.ring, &kernel.ring_cnt, 1, 1, 10);
	kernel.hits[1] = kernel.hits[2] = 1;
	kernel.on_ask = fails_at_last;
	arrive(set);
	struct record_list list = take(set, &counts);
	/* The loss may be told first. */
	if (!list.cnt)
		list = take(set, &counts);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(probe_counts_lost(&counts), 1);
	assert_int_equal(counts.late, 0);
	end(set);
}

/* It stands still for too long: the others are lent, and it comes late. */
static void
test_nobody_holds_up_all(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	hit(kernel.ring, &kernel.ring_cnt, 1, 1, 10);
	kernel.hits[1] = kernel.hits[2] = 1;
	arrive(set);
	uint64_t before = clock_now_ns();
	struct record_list list = take(set, &counts);
	uint64_t ms = (clock_now_ns() - before) / 1000000;
	assert_int_equal(list.cnt, 1);
	assert_true(ms >= 60);
	hit(kernel.ring, &kernel.ring_cnt, 2, 1, 5);
	arrive(set);
	list = take(set, &counts);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(list.items[0]->head.tid, 2);
	assert_int_equal(counts.late, 1);
	assert_int_equal(probe_counts_lost(&counts), 0);
	end(set);
}

/* A thread's first record is in a ring that was emptied a moment ago, its second in the next one. */
static void
test_rings_are_looked_at_once_more(void **state)
{
	struct probe_set *set = begin(64);

	(void)state;
	hit(kernel.ring, &kernel.ring_cnt, 1, 1, 10);
	kernel.hits[1] = 1;
	arrive(set);
	kernel.hits[1] = 2;
	hit(kernel.ring, &kernel.ring_cnt, 1, 3, 30);
	hit(kernel.behind, &kernel.behind_cnt, 1, 2, 20);
	struct record_list list = take(set, NULL);
	assert_int_equal(list.cnt, 3);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(list.items[i]->head.seq, i + 1);
	end(set);
}

static void
test_ended_threads_make_room(void **state)
{
	struct probe_set *set = begin(8);
	struct record_list list;
	struct probe_counts counts;

	(void)state;
	for (uint32_t tid = 1; tid < THREADS; tid++) {
		hit(kernel.ring, &kernel.ring_cnt, tid, 1, tid);
		kernel.hits[tid] = 1;
	}
	kernel.has_ended[3] = kernel.has_ended[5] = true;
	arrive(set);
	list = take(set, &counts);
	assert_int_equal(list.cnt, 7);
	assert_int_equal(set->threads.cnt, 5);
	assert_int_equal(kernel.hits[3] + kernel.hits[5], 0);
	/* A new thread with an old number; the counts go on. */
	kernel.has_ended[3] = false;
	hit(kernel.ring, &kernel.ring_cnt, 3, 1, 100);
	kernel.hits[3] = 1;
	arrive(set);
	list = take(set, &counts);
	assert_int_equal(list.cnt, 1);
	if (probe_set_finish(set, deadline_in_ms(1000), &list, &counts, NULL))
		fail_msg("not whole");
	assert_int_equal(counts.attempts, 8);
	assert_int_equal(counts.delivered, 8);
	assert_int_equal(probe_counts_lost(&counts), 0);
	end(set);
}

static void
test_what_is_missing_in_the_end_is_told(void **state)
{
	struct probe_set *set = begin(64);
	struct record_list list;
	struct probe_counts counts;
	struct diag diag;

	(void)state;
	hit(kernel.ring, &kernel.ring_cnt, 1, 1, 10);
	kernel.hits[1] = 4;
	kernel.failed[1] = 1;
	arrive(set);
	assert_int_equal(probe_set_finish(set, deadline_in_ms(20), &list, &counts, &diag), -ETIMEDOUT);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(counts.missing, 2);
	assert_int_equal(probe_counts_lost(&counts), 3);
	assert_non_null(strstr(diag.text, "2 events"));
	end(set);
}

/* Without events the kernel is left alone, but for a look now and then. */
static void
test_silence_costs_little(void **state)
{
	struct probe_set *set = begin(64);

	(void)state;
	take(set, NULL);
	kernel.asked = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(set, NULL).cnt, 0);
	assert_true(kernel.asked <= 1);
	end(set);
}

static void
test_sorting_and_giving_back(void **state)
{
	struct probe_set *set = begin(64);
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 50; round++) {
		size_t cnt = 1 + seed % 3000, shuffled = seed >> 8 & 1;
		struct record_head record = {.generation = 1, .size = sizeof(record)};

		for (size_t i = 0; i < cnt; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			record.tid = 1 + (uint32_t)(seed >> 60);
			record.time_ns = shuffled ? seed >> 40 : i / 7 + (seed >> 62);
			record.seq = record.time_ns * 4096 + i;
			store_on_record(set, &record, sizeof(record));
		}
		assert_int_equal(set->records_cnt, cnt);
		store_sort(set->records, cnt);
		for (size_t i = 1; i < cnt; i++)
			assert_true(set->records[i - 1]->head.time_ns <= set->records[i]->head.time_ns);
		store_give_back(set, set->records, cnt);
		set->records_cnt = 0;
		assert_int_equal(set->store_bytes, 0);
	}
	/* Chunks are used again. */
	assert_true(set->spare_cnt <= 8);
	assert_true(set->chunks == set->last_chunk);
	end(set);
}

static void
test_the_table_of_threads(void **state)
{
	struct thread_table table;
	uint32_t seed = 1;

	(void)state;
	thread_table_init(&table, 4);
	/* Numbers that collide, and more of them than it was made for. */
	for (uint32_t i = 1; i <= 500; i++)
		thread_table_get(&table, i * 64)->delivered = i;
	assert_int_equal(table.cnt, 500);
	for (int i = 0; i < 2000; i++) {
		seed = seed * 1664525 + 1013904223;
		uint32_t n = 1 + (seed >> 16) % 500;
		struct thread_entry *entry = thread_table_get(&table, n * 64);

		if (seed & 0x8000) {
			thread_table_remove(&table, n * 64);
			assert_int_equal(table.cnt, 499);
			for (uint32_t m = 1; m <= 500; m++)
				assert_true(m == n || thread_table_get(&table, m * 64)->delivered == m);
			thread_table_get(&table, n * 64)->delivered = n;
		} else {
			assert_int_equal(entry->delivered, n);
		}
	}
	assert_int_equal(table.cnt, 500);
	thread_table_fini(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_of_several_rings_in_order),
		cmocka_unit_test(test_what_is_later_is_held),
		cmocka_unit_test(test_a_hit_under_way_is_waited_for),
		cmocka_unit_test(test_a_hit_under_way_may_fail),
		cmocka_unit_test(test_nobody_holds_up_all),
		cmocka_unit_test(test_rings_are_looked_at_once_more),
		cmocka_unit_test(test_ended_threads_make_room),
		cmocka_unit_test(test_what_is_missing_in_the_end_is_told),
		cmocka_unit_test(test_silence_costs_little),
		cmocka_unit_test(test_sorting_and_giving_back),
		cmocka_unit_test(test_the_table_of_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
