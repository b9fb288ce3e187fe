/* The proof that a recording is complete: what makes it fail, and that it does not fail for what happened in an earlier
 * arming or process. With a fake backend. */
#include "probe_fake_backend.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { SOON_MS = 2000 };

static struct probe_set *
begin(void)
{
	return fake_begin(64, &(struct probe_opts){0});
}

/* What a collect came to. */
struct outcome {
	int err;
	struct record_list list;
	struct probe_counts counts;
	struct diag diag;
};

static struct outcome
collect_within(struct probe_set *set, uint64_t ms)
{
	struct outcome outcome = {0};

	outcome.err =
		probe_set_collect(set, deadline_in_ms(ms), &outcome.list, &outcome.counts, &outcome.diag);
	return outcome;
}

static struct outcome
collect(struct probe_set *set)
{
	return collect_within(set, SOON_MS);
}

static void
assert_complete(const struct outcome *outcome, size_t cnt)
{
	if (outcome->err)
		fail_msg("%s", outcome->diag.text);
	assert_int_equal(outcome->list.cnt, cnt);
}

static void
assert_says(const struct outcome *outcome, const char *text)
{
	if (!strstr(outcome->diag.text, text))
		fail_msg("'%s' does not say '%s'", outcome->diag.text, text);
}

static void
rearm(struct probe_set *set)
{
	struct diag diag;

	if (probe_set_arm(set, 1, &diag))
		fail_msg("%s", diag.text);
}

/* Two threads' records, one buffer after the other: all are there, by time, and within a thread by number. */
static void
test_all_records_in_order(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake_hit(1, 2, 30);
	fake_hit(2, 1, 20);
	fake_hit(2, 3, 30);
	fake_hit(2, 2, 30);
	fake.threads[1].attempts = 2;
	fake.threads[2].attempts = 3;
	struct outcome outcome = collect(set);
	assert_complete(&outcome, 5);
	for (size_t i = 1; i < 5; i++)
		assert_true(outcome.list.items[i - 1]->head.time_ns <= outcome.list.items[i]->head.time_ns);
	assert_int_equal(outcome.list.items[3]->head.seq, 2);
	assert_int_equal(outcome.list.items[4]->head.seq, 3);
	assert_int_equal(outcome.counts.attempts, 5);
	assert_int_equal(outcome.counts.delivered, 5);
	assert_int_equal(fake.mask, 0);
	fake_end(set);
}

static void
test_nothing_recorded_is_complete(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	struct outcome outcome = collect(set);
	assert_complete(&outcome, 0);
	fake_end(set);
}

static void
test_a_gap_is_an_error(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	/* The sums agree; only the numbers show that records 2 and 3 are not among them. */
	fake_hit(1, 1, 10);
	fake_hit(1, 4, 20);
	fake_hit(2, 1, 15);
	fake.threads[1].attempts = 2;
	fake.threads[2].attempts = 1;
	struct outcome outcome = collect(set);
	assert_int_equal(outcome.err, -EBADMSG);
	assert_int_equal(outcome.counts.gaps, 2);
	assert_says(&outcome, "2 missing, 0 malformed, 3 counted, 3 arrived");
	fake_end(set);
}

static void
test_a_number_that_came_twice_is_an_error(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake_hit(1, 1, 20);
	fake.threads[1].attempts = 2;
	struct outcome outcome = collect(set);
	assert_int_equal(outcome.err, -EBADMSG);
	assert_int_equal(outcome.counts.gaps, 1);
	fake_end(set);
}

/* A thread's first number may be any: it may have been counted in an earlier arming. */
static void
test_numbers_go_on_over_armings(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	for (uint64_t seq = 1; seq <= 3; seq++) {
		fake_hit(1, 2 * seq - 1, 10 * seq);
		fake_hit(1, 2 * seq, 10 * seq + 1);
		fake.threads[1].attempts += 2;
		struct outcome outcome = collect(set);
		assert_complete(&outcome, 2);
		assert_int_equal(outcome.counts.attempts, 2 * seq);
		rearm(set);
	}
	fake_end(set);
}

static void
test_a_loss_is_an_error_of_its_arming_only(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1] = (struct thread_counts){.attempts = 4, .failed = 3};
	struct outcome outcome = collect(set);
	assert_int_equal(outcome.err, -EOVERFLOW);
	assert_says(&outcome, "3 did not fit into the buffers, 0 came from more threads");
	assert_int_equal(outcome.counts.failed, 3);
	assert_int_equal(probe_counts_lost(&outcome.counts), 3);
	assert_int_equal(outcome.list.cnt, 1);
	rearm(set);
	fake_hit(1, 5, 50);
	fake.threads[1].attempts = 5;
	outcome = collect(set);
	assert_complete(&outcome, 1);
	assert_int_equal(outcome.counts.failed, 3);
	fake_end(set);
}

/* The last hit of all is lost: no later record could show it. */
static void
test_a_loss_at_the_tail_is_seen(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 1;
	fake.threads[2] = (struct thread_counts){.attempts = 1, .failed = 1};
	struct outcome outcome = collect(set);
	assert_int_equal(outcome.err, -EOVERFLOW);
	assert_says(&outcome, "1 did not fit");
	fake_end(set);
}

static void
test_more_threads_than_slots(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 1;
	fake.no_memory = 5;
	struct outcome outcome = collect(set);
	assert_int_equal(outcome.err, -EOVERFLOW);
	assert_says(&outcome,
		    "0 did not fit into the buffers, 5 came from more threads than there is room for");
	assert_int_equal(outcome.counts.no_memory, 5);
	assert_int_equal(probe_counts_lost(&outcome.counts), 5);
	rearm(set);
	outcome = collect(set);
	assert_complete(&outcome, 0);
	fake_end(set);
}

static void
test_a_full_store_is_an_error_of_its_arming_only(void **state)
{
	struct probe_set *set =
		fake_begin(64, &(struct probe_opts){.store_bytes = 3 * sizeof(struct record_head)});

	(void)state;
	for (uint64_t seq = 1; seq <= 4; seq++)
		fake_hit(1, seq, seq);
	fake.threads[1].attempts = 4;
	struct outcome outcome = collect(set);
	assert_int_equal(outcome.err, -EOVERFLOW);
	assert_says(&outcome, "more than can be kept");
	assert_int_equal(outcome.list.cnt, 3);
	rearm(set);
	fake_hit(1, 5, 5);
	fake.threads[1].attempts = 5;
	outcome = collect(set);
	assert_complete(&outcome, 1);
	fake_end(set);
}

static void
test_what_never_arrives_ends_at_the_deadline(void **state)
{
	const uint64_t limit_ms = 60;
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1] = (struct thread_counts){.attempts = 5, .failed = 1};
	uint64_t before = clock_now_ns();
	struct outcome outcome = collect_within(set, limit_ms);
	uint64_t ms = (clock_now_ns() - before) / 1000000;
	assert_int_equal(outcome.err, -ETIMEDOUT);
	assert_says(&outcome, "5 events were counted and 1 could not be recorded, but only 1 of the others");
	assert_int_equal(outcome.counts.attempts, 5);
	assert_int_equal(outcome.counts.delivered, 1);
	assert_int_equal(outcome.list.cnt, 0);
	assert_int_equal(ms, limit_ms);
	/* It looked again and again meanwhile. */
	assert_in_range(fake.reads, limit_ms / 2, limit_ms + 2);
	fake_end(set);
}

/* More arrived than was counted, and stays so: no proof either. */
static void
test_more_than_was_counted_is_not_complete(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake_hit(1, 2, 20);
	fake.threads[1].attempts = 1;
	struct outcome outcome = collect_within(set, 20);
	assert_int_equal(outcome.err, -ETIMEDOUT);
	fake_end(set);
}

static void
arrives_at_the_third_look(void)
{
	if (fake.reads == 3)
		fake_hit(1, 2, 20);
}

static void
test_a_late_record_is_waited_for(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 2;
	fake.on_read = arrives_at_the_third_look;
	struct outcome outcome = collect(set);
	assert_complete(&outcome, 2);
	assert_int_equal(fake.reads, 3);
	fake_end(set);
}

static void
counts_at_the_third_look(void)
{
	if (fake.reads == 3)
		fake.threads[1].attempts = 2;
}

/* Its record arrived before its count was read. */
static void
test_a_hit_under_way_is_counted_again(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake_hit(1, 2, 20);
	fake.threads[1].attempts = 1;
	fake.on_read = counts_at_the_third_look;
	struct outcome outcome = collect(set);
	assert_complete(&outcome, 2);
	assert_int_equal(outcome.counts.attempts, 2);
	fake_end(set);
}

/* A record of an earlier arming arrives with those of this one: it counts as delivered, but is not among them. */
static void
test_stale_records_are_not_lent(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	struct record_head stale = fake.buffer[0];
	fake.buffer_cnt = 0;
	fake.threads[1].attempts = 1;
	rearm(set);
	fake.buffer[fake.buffer_cnt++] = stale;
	fake_hit(1, 2, 20);
	fake.threads[1].attempts = 2;
	struct outcome outcome = collect(set);
	assert_complete(&outcome, 1);
	assert_int_equal(outcome.list.items[0]->head.seq, 2);
	assert_int_equal(outcome.counts.delivered, 2);
	fake_end(set);
}

/* What had arrived, but was not collected, is forgotten by the next arming. */
static void
test_arming_forgets(void **state)
{
	struct probe_set *set = begin();

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1].attempts = 2;
	fake_arrive(set);
	fake_hit(1, 2, 20);
	rearm(set);
	struct outcome outcome = collect(set);
	assert_complete(&outcome, 0);
	fake_end(set);
}

static void
test_malformed_records_are_an_error(void **state)
{
	static const struct record_head heads[] = {
		{.size = sizeof(struct record_head), .point = 1}, /* no such point */
		{.size = sizeof(struct record_head) - 1},         /* smaller than its point's records */
		{.size = sizeof(struct record_head) + 1},         /* more than arrived */
		{.size = 0},
	};
	struct diag diag;

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		struct probe_set *set = begin();

		fake_hit(1, 1, 10);
		fake.buffer[0].size = heads[i].size;
		fake.buffer[0].point = heads[i].point;
		fake.threads[1].attempts = 1;
		struct outcome outcome = collect(set);
		assert_int_equal(outcome.err, -EBADMSG);
		assert_says(&outcome, "0 missing, 1 malformed");
		assert_int_equal(outcome.list.cnt, 0);
		rearm(set);
		outcome = collect(set);
		assert_complete(&outcome, 0);
		fake_end(set);
	}
	/* More than its point's largest record, and a sample too small for a head. */
	struct probe_set *set = begin();
	struct record_head head = {.tid = 1, .seq = 1, .generation = 1, .size = 65};
	char large[128] = {0}, *small = malloc(sizeof(head) - 1);
	assert_non_null(small);
	memcpy(large, &head, sizeof(head));
	memcpy(small, &head, sizeof(head) - 1);
	pthread_mutex_lock(&set->lock);
	store_on_record(set, large, sizeof(large));
	store_on_record(set, small, sizeof(head) - 1);
	/* Nobody knows whose the second one is. */
	assert_int_equal(thread_table_get(&set->threads, 1)->delivered, 1);
	pthread_mutex_unlock(&set->lock);
	free(small);
	fake.threads[1].attempts = 2;
	struct outcome outcome = collect(set);
	assert_int_equal(outcome.err, -EBADMSG);
	assert_says(&outcome, "2 malformed");
	assert_int_equal(probe_set_arm(set, 1, &diag), 0);
	fake_end(set);
}

static void
test_errors_of_the_backend_are_handed_on(void **state)
{
	struct probe_set *set = begin();
	struct diag diag;

	(void)state;
	fake.read_err = -EIO;
	struct outcome outcome = collect(set);
	assert_int_equal(outcome.err, -EIO);
	assert_says(&outcome, "fake: no counts");
	assert_int_equal(probe_set_arm(set, 1, &diag), -EIO);
	fake.read_err = 0;
	fake.disarm_err = -EBADF;
	outcome = collect(set);
	assert_int_equal(outcome.err, -EBADF);
	assert_int_equal(probe_set_arm(set, 1, &diag), -EBADF);
	fake.disarm_err = 0;
	fake.arm_err = -EPERM;
	assert_int_equal(probe_set_arm(set, 1, &diag), -EPERM);
	fake.arm_err = 0;
	rearm(set);
	outcome = collect(set);
	assert_complete(&outcome, 0);
	fake_end(set);
}

/* The hits of the first process did not add up; that is over with it. Numbers of threads come again. */
static void
test_each_process_is_proven_by_itself(void **state)
{
	struct probe_set *set = begin();
	struct diag diag;

	(void)state;
	fake_hit(1, 1, 10);
	fake.threads[1] = (struct thread_counts){.attempts = 4, .failed = 1};
	struct outcome outcome = collect_within(set, 10);
	assert_int_equal(outcome.err, -ETIMEDOUT);
	fake_place_point();
	if (probe_set_attach(set, getpid(), &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(fake.pid, getpid());
	assert_int_equal(fake.threads[1].attempts, 0);
	rearm(set);
	fake_hit(1, 1, 20);
	fake.threads[1].attempts = 1;
	outcome = collect(set);
	assert_complete(&outcome, 1);
	assert_int_equal(outcome.counts.attempts, 5);
	assert_int_equal(outcome.counts.failed, 1);
	/* An attach that fails leaves nothing attached. */
	fake.attach_err = -EPERM;
	assert_int_equal(probe_set_attach(set, getpid(), &diag), -EPERM);
	assert_int_equal(fake.pid, 0);
	fake_end(set);
}

/* Its point is not at a nop of that process: the backend is not even asked. */
static void
test_another_program_is_refused(void **state)
{
	struct probe_set *set = begin();
	struct diag diag;

	(void)state;
	assert_int_equal(probe_set_attach(set, getpid(), &diag), -ENXIO);
	assert_non_null(strstr(diag.text, "does not run the program"));
	assert_int_equal(fake.pid, 0);
	fake_end(set);
}

/* Nothing to attach would be silence that proves nothing. */
static void
test_a_mask_without_a_point_is_refused(void **state)
{
	struct probe_set *set = begin();
	struct diag diag;

	(void)state;
	fake_place_point();
	assert_int_equal(probe_set_attach_some(set, getpid(), 2, &diag), -EINVAL);
	assert_int_equal(fake.pid, 0);
	if (probe_set_attach_some(set, getpid(), 1, &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(fake.pid, getpid());
	assert_true(fake.mask_attached == 1);
	fake_end(set);
}

/* The backend says that it attached, but the process's memory shows that it did not: silence would prove nothing. */
static void
test_traps_and_semaphores_are_looked_up(void **state)
{
	struct probe_set *set = begin();
	struct diag diag;

	(void)state;
	fake_place_point();
	fake.sets_no_trap = true;
	assert_int_equal(probe_set_attach(set, getpid(), &diag), -ENXIO);
	assert_non_null(strstr(diag.text, "probe: fake:point is attached to process "));
	assert_non_null(strstr(diag.text, ", but the kernel has set no trap there"));
	assert_int_equal(fake.pid, 0);
	fake.sets_no_trap = false;
	fake.raises_no_semaphore = true;
	assert_int_equal(probe_set_attach(set, getpid(), &diag), -ENXIO);
	assert_non_null(strstr(diag.text, "probe: fake:point is attached to process "));
	assert_non_null(strstr(diag.text, ", but its semaphore is still 0"));
	assert_int_equal(fake.pid, 0);
	fake.source.semaphore_hint = " (a hint)";
	assert_int_equal(probe_set_attach(set, getpid(), &diag), -ENXIO);
	assert_non_null(strstr(diag.text, ", but its semaphore is still 0 (a hint)"));
	fake.raises_no_semaphore = false;
	if (probe_set_attach(set, getpid(), &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(fake.pid, getpid());
	/* A point without a semaphore has none to raise. */
	fake_site.semaphore_file_offset = 0;
	fake.raises_no_semaphore = true;
	if (probe_set_attach(set, getpid(), &diag))
		fail_msg("%s", diag.text);
	fake_end(set);
}

static void
test_a_set_without_points_is_refused(void **state)
{
	struct probe_set *set;
	struct diag diag;

	(void)state;
	assert_int_equal(set_new(&set, &fake_backend, fake_points, 0, &(struct probe_opts){0}, &diag),
			 -EINVAL);
	assert_null(set);
	probe_set_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_records_in_order),
		cmocka_unit_test(test_nothing_recorded_is_complete),
		cmocka_unit_test(test_a_gap_is_an_error),
		cmocka_unit_test(test_a_number_that_came_twice_is_an_error),
		cmocka_unit_test(test_numbers_go_on_over_armings),
		cmocka_unit_test(test_a_loss_is_an_error_of_its_arming_only),
		cmocka_unit_test(test_a_loss_at_the_tail_is_seen),
		cmocka_unit_test(test_more_threads_than_slots),
		cmocka_unit_test(test_a_full_store_is_an_error_of_its_arming_only),
		cmocka_unit_test(test_what_never_arrives_ends_at_the_deadline),
		cmocka_unit_test(test_more_than_was_counted_is_not_complete),
		cmocka_unit_test(test_a_late_record_is_waited_for),
		cmocka_unit_test(test_a_hit_under_way_is_counted_again),
		cmocka_unit_test(test_stale_records_are_not_lent),
		cmocka_unit_test(test_arming_forgets),
		cmocka_unit_test(test_malformed_records_are_an_error),
		cmocka_unit_test(test_errors_of_the_backend_are_handed_on),
		cmocka_unit_test(test_each_process_is_proven_by_itself),
		cmocka_unit_test(test_another_program_is_refused),
		cmocka_unit_test(test_a_mask_without_a_point_is_refused),
		cmocka_unit_test(test_traps_and_semaphores_are_looked_up),
		cmocka_unit_test(test_a_set_without_points_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
