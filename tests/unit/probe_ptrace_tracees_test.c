/* The table of traced threads, and their counts in the shared memory. */
#include "probe/ptrace/tracees.h"
#include "probe_ptrace_area.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { RING = 4096 };

struct fixture {
	struct ptrace_area area;
	struct tracees tracees;
};

static struct fixture *
begin(void)
{
	static struct fixture fixture;

	fixture.area = area_with(NULL, 0, RING);
	assert_int_equal(tracees_init(&fixture.tracees, &fixture.area), 0);
	return &fixture;
}

static void
end(struct fixture *fixture)
{
	free(fixture->tracees.items);
	ptrace_area_unmap(&fixture->area);
}

static void
test_more_threads_than_have_room_for_counts(void **state)
{
	enum { THREADS = PTRACE_THREADS_MAX + 1000 };
	struct fixture *fixture = begin();

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		struct tracee *tracee = tracees_add(&fixture->tracees, 1000 + i);

		assert_non_null(tracee);
		assert_int_equal(tracee->counts != NULL, i < PTRACE_THREADS_MAX);
		if (tracee->counts)
			assert_int_equal(tracee->counts->tid, 1000 + i);
	}
	assert_int_equal(fixture->tracees.cnt, THREADS);
	for (int i = 0; i < THREADS; i++) {
		struct tracee *tracee = tracees_find(&fixture->tracees, 1000 + i);

		assert_non_null(tracee);
		assert_int_equal(tracee->tid, 1000 + i);
		assert_ptr_equal(tracees_add(&fixture->tracees, 1000 + i), tracee);
	}
	assert_null(tracees_find(&fixture->tracees, 999));
	assert_null(tracees_find(&fixture->tracees, 1000 + THREADS));
	/* Room for counts is found again once one was taken. */
	struct ptrace_thread *counts = tracees_find(&fixture->tracees, 1500)->counts;
	atomic_store(&counts->attempts, 1);
	tracees_remove(&fixture->tracees, 1500);
	assert_int_equal(atomic_load(&counts->state), THREAD_ENDED);
	assert_null(tracees_add(&fixture->tracees, 7)->counts);
	atomic_store(&counts->state, THREAD_FREE);
	assert_ptr_equal(tracees_add(&fixture->tracees, 8)->counts, counts);
	end(fixture);
}

/* Numbers that collide, removed in any order: those that are left are found, with their counts. */
static void
test_removal_in_the_middle(void **state)
{
	enum { TIDS = 4000, STEPS = 30000 };
	static struct ptrace_thread *known[TIDS];
	struct fixture *fixture = begin();
	size_t cnt = 0;

	(void)state;
	srandom(7);
	for (int step = 0; step < STEPS; step++) {
		/* Many have the same low bits; at most 100 are known, so that the table does not grow. */
		long n = random() % TIDS;
		pid_t tid = (pid_t)(1 + n % 40 + (n / 40) * 256);

		if (known[n]) {
			tracees_remove(&fixture->tracees, tid);
			known[n] = NULL;
			cnt--;
		} else if (cnt < 100) {
			known[n] = tracees_add(&fixture->tracees, tid)->counts;
			cnt++;
		} else {
			tracees_remove(&fixture->tracees, tid);
		}
		assert_int_equal(fixture->tracees.cnt, cnt);
		if (step % 100)
			continue;
		for (long i = 0; i < TIDS; i++) {
			const struct tracee *tracee =
				tracees_find(&fixture->tracees, (pid_t)(1 + i % 40 + (i / 40) * 256));

			assert_int_equal(tracee != NULL, known[i] != NULL);
			assert_true(!tracee || tracee->counts == known[i]);
		}
	}
	assert_int_equal(fixture->tracees.cap, 256);
	end(fixture);
}

/* It goes on counting, unless what the earlier thread counted was taken. */
static void
test_a_number_that_is_used_again(void **state)
{
	struct fixture *fixture = begin();

	(void)state;
	tracees_add(&fixture->tracees, 10);
	struct ptrace_thread *counts = tracees_add(&fixture->tracees, 11)->counts;
	assert_int_equal(atomic_load(&counts->state), THREAD_LIVE);
	atomic_store(&counts->attempts, 5);
	atomic_store(&counts->failed, 2);
	tracees_remove(&fixture->tracees, 11);
	assert_int_equal(atomic_load(&counts->state), THREAD_ENDED);
	assert_int_equal(atomic_load(&counts->attempts), 5);
	assert_ptr_not_equal(tracees_add(&fixture->tracees, 12)->counts, counts);
	assert_ptr_equal(tracees_add(&fixture->tracees, 11)->counts, counts);
	assert_int_equal(atomic_load(&counts->state), THREAD_LIVE);
	assert_int_equal(atomic_load(&counts->attempts), 5);
	assert_int_equal(atomic_load(&counts->failed), 2);
	tracees_remove(&fixture->tracees, 11);
	atomic_store(&counts->state, THREAD_FREE);
	struct ptrace_thread *anew = tracees_add(&fixture->tracees, 11)->counts;
	assert_int_equal(anew->tid, 11);
	assert_int_equal(atomic_load(&anew->attempts), 0);
	assert_int_equal(atomic_load(&anew->failed), 0);
	end(fixture);
}

static void
test_all_are_removed(void **state)
{
	enum { BEFORE = 4000 }; /* 4096 comes first in the table, whatever its size */
	struct fixture *fixture = begin();
	struct tracee *tracee;

	(void)state;
	for (int i = 1; i <= 1000; i++)
		atomic_store(&tracees_add(&fixture->tracees, BEFORE + i)->counts->attempts, (uint64_t)i % 2);
	unsigned met = 0;
	uint64_t sum = 0;
	for (size_t at = 0; (tracee = tracees_next(&fixture->tracees, &at)); met++)
		sum += (uint64_t)tracee->tid - BEFORE;
	assert_int_equal(met, 1000);
	assert_int_equal(sum, 500500);
	tracees_remove_all(&fixture->tracees);
	assert_int_equal(fixture->tracees.cnt, 0);
	size_t at = 0;
	assert_null(tracees_next(&fixture->tracees, &at));
	for (int i = 1; i <= 1000; i++)
		assert_null(tracees_find(&fixture->tracees, BEFORE + i));
	for (size_t i = 0; i < PTRACE_THREADS_MAX; i++)
		assert_int_equal(atomic_load(&fixture->area.shared->threads[i].state),
				 i < 1000 && i % 2 == 0 ? THREAD_ENDED : THREAD_FREE);
	tracees_remove(&fixture->tracees, 1);
	assert_int_equal(fixture->tracees.cnt, 0);
	end(fixture);
}

static void
test_threads_that_never_hit_take_no_room(void **state)
{
	struct fixture *fixture = begin();

	(void)state;
	for (int i = 1; i <= 3 * PTRACE_THREADS_MAX; i++) {
		assert_non_null(tracees_add(&fixture->tracees, i)->counts);
		tracees_remove(&fixture->tracees, i);
	}
	end(fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_threads_than_have_room_for_counts),
		cmocka_unit_test(test_removal_in_the_middle),
		cmocka_unit_test(test_a_number_that_is_used_again),
		cmocka_unit_test(test_all_are_removed),
		cmocka_unit_test(test_threads_that_never_hit_take_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
