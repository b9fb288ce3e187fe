/* The order of what is taken, with a fake backend: what the buffers hold, what the threads have counted, and which have
 * ended is as the test says. (tests/harness uses the real kernel.) */
#include "base/xmem.h"
#include "probe_fake_backend.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static struct probe_set *
begin(size_t threads_max)
{
	return fake_begin(threads_max, &(struct probe_opts){.streams = true, .store_bytes = 1 << 20});
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

#define LATER (clock_now_ns() + UINT64_C(3600) * 1000000000)

static void
test_records_of_several_rings_in_order(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	/* One ring after the other. */
	fake_hit(1, 1, 10);
	fake_hit(1, 2, 30);
	fake_hit(2, 1, 20);
	fake_hit(2, 2, 30);
	fake_hit(1, 3, 30);
	fake.threads[1].attempts = 3;
	fake.threads[2].attempts = 2;
	fake_arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 5);
	for (size_t i = 1; i < list.cnt; i++)
		assert_true(list.items[i - 1]->head.time_ns <= list.items[i]->head.time_ns);
	assert_int_equal(list.items[2]->head.seq, 2);
	assert_int_equal(list.items[3]->head.seq, 3);
	assert_int_equal(counts.attempts, 5);
	assert_int_equal(counts.delivered, 5);
	fake_end(set);
}

/* A hit from after the marked moment waits for the next one. */
static void
test_a_later_record_is_held(void **state)
{
	struct probe_set *set = begin(64);

	(void)state;
	fake_hit(1, 1, 10);
	fake_hit(1, 2, LATER);
	fake.threads[1].attempts = 2;
	fake_arrive(set);
	struct record_list list = take(set, NULL);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(list.items[0]->head.seq, 1);
	fake_end(set);
}

enum {
	HOLD_MS = 60,      /* of stream.c: how long a hit is waited for */
	LAST_READING = 40, /* the hit arrives then, within that time: a reading takes 1 ms */
};

static void
arrives_at_last(void)
{
	/* The first reading marks the moment, the others are for failures. */
	if (fake.reads == LAST_READING)
		fake_hit(2, 1, 5);
}

/* Thread 2 has counted a hit, and was preempted before it handed over its record: later ones wait for it. */
static void
test_a_hit_under_way_is_waited_for(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = fake.threads[2].attempts = 1;
	fake.on_read = arrives_at_last;
	fake_arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 2);
	assert_int_equal(list.items[0]->head.tid, 2);
	assert_int_equal(counts.late, 0);
	fake_end(set);
}

static void
arrives_while_others_hit(void)
{
	if (fake.reads >= 2)
		fake.threads[1].attempts++;
	if (fake.reads == LAST_READING)
		fake_hit(2, 1, 5);
}

/* Only hits from before the marked moment are waited for, however many come later. */
static void
test_later_hits_are_not_waited_for(void **state)
{
	struct probe_set *set = begin(64);

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = fake.threads[2].attempts = 1;
	fake.on_read = arrives_while_others_hit;
	fake_arrive(set);
	struct record_list list = take(set, NULL);
	assert_int_equal(list.cnt, 2);
	assert_int_equal(fake.reads, LAST_READING);
	fake_end(set);
}

static struct record_list
take_now(struct probe_set *set, uint64_t *until_ns, struct probe_counts *counts)
{
	struct record_list list;
	struct diag diag;

	if (probe_set_take_now(set, &list, until_ns, counts, &diag))
		fail_msg("%s", diag.text);
	return list;
}

/* What is from before this moment is lent at once if nothing is under way, even nothing at all. */
static void
test_a_take_does_not_wait_for_events(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;
	uint64_t until_ns;

	(void)state;
	assert_int_equal(take_now(set, &until_ns, &counts).cnt, 0);
	assert_int_equal(fake.reads, 1);
	fake_hit(1, 1, 10);
	fake_hit(1, 2, LATER);
	fake.threads[1].attempts = 2;
	fake_arrive(set);
	uint64_t before = clock_now_ns();
	struct record_list list = take_now(set, &until_ns, &counts);
	assert_in_range(until_ns, before, clock_now_ns());
	assert_int_equal(fake.reads, 2);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(list.items[0]->head.seq, 1);
	assert_int_equal(counts.delivered, 2);
	fake_end(set);
}

/* A hit that is under way is waited for, but not for ever. */
static void
test_a_take_waits_for_hits_under_way(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;
	uint64_t until_ns;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = fake.threads[2].attempts = 1;
	fake.on_read = arrives_at_last;
	fake_arrive(set);
	assert_int_equal(take_now(set, &until_ns, &counts).cnt, 2);
	assert_int_equal(fake.reads, LAST_READING);
	fake.threads[2].attempts = 2;
	uint64_t before = clock_now_ns();
	assert_int_equal(take_now(set, &until_ns, &counts).cnt, 0);
	assert_int_equal((clock_now_ns() - before) / 1000000, HOLD_MS);
	fake_hit(2, 2, 6);
	fake_arrive(set);
	assert_int_equal(take_now(set, &until_ns, &counts).cnt, 1);
	assert_int_equal(counts.late, 1);
	assert_int_equal(probe_counts_lost(&counts), 0);
	fake_end(set);
}

/* What arrived from a thread of the process before does not count for one with the same number. */
static void
test_threads_of_another_process_begin_anew(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;
	struct diag diag;

	(void)state;
	fake_hit(2, 1, 1);
	fake_hit(2, 2, 2);
	fake.threads[2].attempts = 2;
	fake_arrive(set);
	assert_int_equal(take(set, &counts).cnt, 2);
	fake_place_point();
	if (probe_set_attach(set, getpid(), &diag) || probe_set_arm(set, 1, &diag))
		fail_msg("%s", diag.text);
	fake.reads = 0;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = fake.threads[2].attempts = 1;
	fake.on_read = arrives_at_last;
	fake_arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 2);
	assert_int_equal(list.items[0]->head.tid, 2);
	assert_int_equal(counts.attempts, 4);
	assert_int_equal(counts.delivered, 4);
	assert_int_equal(counts.late, 0);
	fake_end(set);
}

static void
fails_at_last(void)
{
	fake.threads[2].failed = fake.reads >= LAST_READING - 1;
}

static void
test_a_hit_under_way_may_fail(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = fake.threads[2].attempts = 1;
	fake.on_read = fails_at_last;
	fake_arrive(set);
	struct record_list list = take(set, &counts);
	/* The loss may be reported first. */
	if (!list.cnt)
		list = take(set, &counts);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(probe_counts_lost(&counts), 1);
	assert_int_equal(counts.late, 0);
	fake_end(set);
}

/* A hit takes too long: the others are lent, and its record is late. */
static void
test_a_stuck_hit_does_not_hold_up_all(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = fake.threads[2].attempts = 1;
	fake_arrive(set);
	uint64_t before = clock_now_ns();
	struct record_list list = take(set, &counts);
	uint64_t ms = (clock_now_ns() - before) / 1000000;
	assert_int_equal(list.cnt, 1);
	assert_int_equal(ms, HOLD_MS);
	fake_hit(2, 1, 5);
	fake_arrive(set);
	list = take(set, &counts);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(list.items[0]->head.tid, 2);
	assert_int_equal(counts.late, 1);
	assert_int_equal(probe_counts_lost(&counts), 0);
	fake_end(set);
}

/* A thread's second record gets into a buffer that was emptied a moment ago, its third into the next buffer. */
static void
test_buffers_are_emptied_once_more(void **state)
{
	struct probe_set *set = begin(64);

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 1;
	fake_arrive(set);
	fake.threads[1].attempts = 2;
	fake_hit(1, 3, 30);
	fake.behind[fake.behind_cnt++] = fake.buffer[fake.buffer_cnt - 1];
	fake.behind[0].seq = 2;
	fake.behind[0].time_ns = 20;
	struct record_list list = take(set, NULL);
	assert_int_equal(list.cnt, 3);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(list.items[i]->head.seq, i + 1);
	fake_end(set);
}

static void
test_ended_threads_make_room(void **state)
{
	struct probe_set *set = begin(8);
	struct record_list list;
	struct probe_counts counts;

	(void)state;
	for (uint32_t tid = 1; tid < FAKE_THREADS; tid++) {
		fake_hit(tid, 1, tid);
		fake.threads[tid].attempts = 1;
	}
	fake.has_ended[3] = fake.has_ended[5] = true;
	fake_arrive(set);
	list = take(set, &counts);
	assert_int_equal(list.cnt, 7);
	assert_int_equal(set->threads.cnt, 5);
	assert_int_equal(fake.threads[3].attempts + fake.threads[5].attempts, 0);
	/* A new thread with an old number; the counts go on. */
	fake.has_ended[3] = false;
	fake_hit(3, 1, 100);
	fake.threads[3].attempts = 1;
	fake_arrive(set);
	list = take(set, &counts);
	assert_int_equal(list.cnt, 1);
	if (probe_set_finish(set, deadline_in_ms(1000), &list, &counts, NULL))
		fail_msg("not complete");
	assert_int_equal(counts.attempts, 8);
	assert_int_equal(counts.delivered, 8);
	assert_int_equal(probe_counts_lost(&counts), 0);
	fake_end(set);
}

static void
test_what_is_missing_at_the_end_is_reported(void **state)
{
	struct probe_set *set = begin(64);
	struct record_list list;
	struct probe_counts counts;
	struct diag diag;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 4;
	fake.threads[1].failed = 1;
	fake_arrive(set);
	assert_int_equal(probe_set_finish(set, deadline_in_ms(20), &list, &counts, &diag), -ETIMEDOUT);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(counts.missing, 2);
	assert_int_equal(probe_counts_lost(&counts), 3);
	assert_non_null(strstr(diag.text, "2 events"));
	fake_end(set);
}

static void
test_a_hit_under_way_at_the_end_is_waited_for(void **state)
{
	struct probe_set *set = begin(64);
	struct record_list list;
	struct probe_counts counts;
	struct diag diag;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = fake.threads[2].attempts = 1;
	fake.on_read = arrives_at_last;
	fake_arrive(set);
	assert_int_equal(probe_set_finish(set, deadline_in_ms(60000), &list, &counts, &diag), 0);
	assert_int_equal(list.cnt, 2);
	assert_int_equal(counts.missing, 0);
	fake_end(set);
}

/* Without events the counts are read only now and then. */
static void
test_silence_costs_little(void **state)
{
	struct probe_set *set = begin(64);

	(void)state;
	take(set, NULL);
	fake.reads = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(set, NULL).cnt, 0);
	assert_true(fake.reads <= 1);
	fake_end(set);
}

/* A thread ended, and a record of it never arrived: it cannot arrive any more. */
static void
test_an_ended_thread_may_leave_records_missing(void **state)
{
	struct probe_set *set = begin(4);
	struct record_list list;
	struct probe_counts counts;
	struct diag diag;

	(void)state;
	fake_hit(1, 1, 10);
	fake_hit(2, 1, 20);
	fake.threads[1].attempts = 1;
	fake.threads[2] = (struct thread_counts){.attempts = 4, .failed = 1};
	fake.has_ended[2] = true;
	fake_arrive(set);
	list = take(set, &counts);
	/* The loss is reported first. */
	assert_int_equal(list.cnt, 0);
	assert_int_equal(probe_counts_lost(&counts), 1);
	list = take(set, &counts);
	assert_int_equal(list.cnt, 2);
	assert_int_equal(set->threads.cnt, 1);
	assert_int_equal(counts.missing, 2);
	assert_int_equal(probe_counts_lost(&counts), 3);
	if (probe_set_finish(set, deadline_in_ms(1000), &list, &counts, &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(counts.missing, 2);
	fake_end(set);
}

/* Its number is in use again before the old counts are taken: what arrived beyond them belongs to the new thread. */
static void
test_a_number_is_in_use_again_when_its_thread_is_retired(void **state)
{
	struct probe_set *set = begin(4);
	struct probe_counts counts;

	(void)state;
	fake_hit(1, 1, 10);
	fake_hit(2, 1, 20);
	fake_hit(2, 1, 30);
	fake.threads[1].attempts = fake.threads[2].attempts = 1;
	fake.has_ended[2] = true;
	fake_arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 3);
	assert_int_equal(set->threads.cnt, 2);
	assert_int_equal(thread_table_get(&set->threads, 2)->delivered, 1);
	assert_int_equal(counts.missing, 0);
	fake_end(set);
}

static void
test_threads_are_retired_only_when_room_gets_scarce(void **state)
{
	struct probe_set *set = begin(64);

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 1;
	fake.has_ended[1] = true;
	fake_arrive(set);
	take(set, NULL);
	assert_int_equal(set->threads.cnt, 1);
	assert_int_equal(fake.threads[1].attempts, 1);
	fake_end(set);
}

static void
test_errors_of_the_backend_are_handed_on(void **state)
{
	struct probe_set *set = begin(2);
	struct record_list list;
	struct diag diag;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 1;
	fake.has_ended[1] = true;
	fake.take_err = -EIO;
	fake_arrive(set);
	assert_int_equal(probe_set_take(set, deadline_in_ms(150), &list, NULL, &diag), -EIO);
	assert_non_null(strstr(diag.text, "failed to clear the counts of a thread"));
	fake.take_err = 0;
	fake.read_err = -ENOMEM;
	fake_hit(1, 2, 20);
	fake_arrive(set);
	assert_int_equal(probe_set_take(set, deadline_in_ms(150), &list, NULL, &diag), -ENOMEM);
	assert_int_equal(probe_set_finish(set, deadline_in_ms(150), &list, NULL, &diag), -ENOMEM);
	fake.read_err = 0;
	fake.disarm_err = -EBADF;
	assert_int_equal(probe_set_finish(set, deadline_in_ms(150), &list, NULL, &diag), -EBADF);
	fake_end(set);
}

/* As after the death of a tracer process: what it left is lent with the error. */
static void
test_what_has_arrived_is_lent_after_an_error(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;
	struct record_list list;
	uint64_t until_ns;
	struct diag diag;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 1;
	fake_arrive(set);
	fake_hit(1, 2, 20);
	fake.read_err = -EPIPE;
	assert_int_equal(probe_set_take_now(set, &list, &until_ns, &counts, &diag), -EPIPE);
	assert_int_equal(list.cnt, 2);
	assert_int_equal(counts.delivered, 2);
	fake_end(set);
}

static void
test_more_threads_than_slots_are_reported(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 1;
	fake.no_memory = 7;
	fake_arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(counts.no_memory, 7);
	assert_int_equal(probe_counts_lost(&counts), 7);
	fake_end(set);
}

/* Three fit; the reader was too slow for the fourth. */
static void
test_a_full_store_is_reported(void **state)
{
	struct probe_set *set = fake_begin(
		64, &(struct probe_opts){.streams = true, .store_bytes = 3 * sizeof(struct record_head)});
	struct probe_counts counts;

	(void)state;
	for (uint64_t seq = 1; seq <= 4; seq++)
		fake_hit(1, seq, seq);
	fake.threads[1].attempts = 4;
	fake_arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 3);
	assert_int_equal(counts.dropped, 1);
	assert_int_equal(probe_counts_lost(&counts), 1);
	fake_end(set);
}

/* A record of an earlier arming arrives: it counts, but is not taken. */
static void
test_stale_records_are_not_taken(void **state)
{
	struct probe_set *set = begin(64);
	struct probe_counts counts;
	struct diag diag;

	(void)state;
	fake_hit(1, 1, 10);
	struct record_head stale = fake.buffer[0];
	fake.buffer_cnt = 0;
	fake.threads[1].attempts = 1;
	if (probe_set_arm(set, 1, &diag))
		fail_msg("%s", diag.text);
	fake.buffer[fake.buffer_cnt++] = stale;
	fake_hit(1, 2, 20);
	fake.threads[1].attempts = 2;
	fake_arrive(set);
	struct record_list list = take(set, &counts);
	assert_int_equal(list.cnt, 1);
	assert_int_equal(list.items[0]->head.seq, 2);
	assert_int_equal(counts.delivered, 2);
	fake_end(set);
}

static void
test_malformed_records_are_an_error(void **state)
{
	struct probe_set *set = begin(64);
	struct record_list list;
	struct diag diag;

	(void)state;
	fake_hit(1, 1, 10);
	fake.buffer[0].point = 1;
	fake.threads[1].attempts = 1;
	fake_arrive(set);
	assert_int_equal(probe_set_take(set, deadline_in_ms(20), &list, NULL, &diag), -EBADMSG);
	assert_int_equal(probe_set_finish(set, deadline_in_ms(1000), &list, NULL, &diag), -EBADMSG);
	assert_non_null(strstr(diag.text, "1 records are malformed"));
	fake_end(set);
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

		pthread_mutex_lock(&set->lock);
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
		pthread_mutex_unlock(&set->lock);
		assert_int_equal(set->store_bytes, 0);
	}
	/* Chunks are reused. */
	assert_true(set->spare_cnt <= 8);
	assert_true(set->chunks == set->last_chunk);
	fake_end(set);
}

static void
test_the_table_of_threads(void **state)
{
	struct thread_table table;
	uint32_t seed = 1;

	(void)state;
	thread_table_init(&table, 4);
	/* Numbers that collide, and more of them than the table was made for. */
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
		cmocka_unit_test(test_a_later_record_is_held),
		cmocka_unit_test(test_a_hit_under_way_is_waited_for),
		cmocka_unit_test(test_later_hits_are_not_waited_for),
		cmocka_unit_test(test_a_take_does_not_wait_for_events),
		cmocka_unit_test(test_a_take_waits_for_hits_under_way),
		cmocka_unit_test(test_threads_of_another_process_begin_anew),
		cmocka_unit_test(test_a_hit_under_way_may_fail),
		cmocka_unit_test(test_a_stuck_hit_does_not_hold_up_all),
		cmocka_unit_test(test_buffers_are_emptied_once_more),
		cmocka_unit_test(test_ended_threads_make_room),
		cmocka_unit_test(test_what_is_missing_at_the_end_is_reported),
		cmocka_unit_test(test_a_hit_under_way_at_the_end_is_waited_for),
		cmocka_unit_test(test_silence_costs_little),
		cmocka_unit_test(test_an_ended_thread_may_leave_records_missing),
		cmocka_unit_test(test_a_number_is_in_use_again_when_its_thread_is_retired),
		cmocka_unit_test(test_threads_are_retired_only_when_room_gets_scarce),
		cmocka_unit_test(test_errors_of_the_backend_are_handed_on),
		cmocka_unit_test(test_what_has_arrived_is_lent_after_an_error),
		cmocka_unit_test(test_more_threads_than_slots_are_reported),
		cmocka_unit_test(test_a_full_store_is_reported),
		cmocka_unit_test(test_stale_records_are_not_taken),
		cmocka_unit_test(test_malformed_records_are_an_error),
		cmocka_unit_test(test_sorting_and_giving_back),
		cmocka_unit_test(test_the_table_of_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
