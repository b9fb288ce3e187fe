/* Which scenario a worker gets next. */
#include "run/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Only its address counts. */
struct shared_node {
	char any;
};

static const struct profile quick = {.name = "quick", .cost_ms = 10}, slow = {.name = "slow", .cost_ms = 100},
			    middle = {.name = "middle", .cost_ms = 50};
static const struct scenario scenarios_of[] = {
	{.name = "a", .profile = &quick},  {.name = "b", .profile = &quick},
	{.name = "c", .profile = &slow},   {.name = "d", .profile = &slow},
	{.name = "e", .profile = &middle}, {.name = "f", .profile = &quick}};
static const struct scenario *const list[] = {&scenarios_of[0],
					      &scenarios_of[1],
					      &scenarios_of[2],
					      &scenarios_of[3],
					      &scenarios_of[4],
					      &scenarios_of[5],
					      NULL};

static void
assert_takes(struct queue *queue, struct group **group, size_t want_idx, bool want_last)
{
	size_t idx = SIZE_MAX;
	bool is_last = !want_last;

	assert_true(queue_take(queue, group, &idx, &is_last));
	assert_int_equal(idx, want_idx);
	assert_true(is_last == want_last);
}

static void
assert_empty(struct queue *queue, struct group *group)
{
	size_t idx;
	bool is_last;

	assert_false(queue_take(queue, &group, &idx, &is_last));
}

/* Neighbours of one profile share a node; the same profile later is another group. */
static void
test_one_worker_runs_them_as_listed(void **state)
{
	static const bool lasts[] = {false, true, false, true, true, true};
	struct queue queue;
	struct group *group = NULL;

	(void)state;
	queue_init(&queue, list, false);
	assert_int_equal(queue.groups_cnt, 4);
	for (size_t i = 0; i < 6; i++)
		assert_takes(&queue, &group, i, lasts[i]);
	assert_empty(&queue, group);
	queue_fini(&queue);
}

/* The next node may then start ahead, and what follows may go to another worker. */
static void
test_a_group_ends_with_its_node(void **state)
{
	static const struct scenario of_one_profile[] = {
		{.name = "a", .profile = &slow}, {.name = "b", .profile = &middle},
		{.name = "c", .profile = &slow}, {.name = "d", .profile = &slow, .ends_node = true},
		{.name = "e", .profile = &slow}, {.name = "f", .profile = &slow, .ends_node = true}};
	static const struct scenario *const scenarios[] = {&of_one_profile[2],
							   &of_one_profile[3],
							   &of_one_profile[4],
							   &of_one_profile[5],
							   &of_one_profile[0],
							   &of_one_profile[1],
							   NULL};
	struct queue queue;
	struct group *first = NULL, *second = NULL, *third = NULL;

	(void)state;
	queue_init(&queue, scenarios, true);
	assert_int_equal(queue.groups_cnt, 4);
	/* 100 ms for five scenarios: 40 for two of them, which is less than 50. */
	assert_takes(&queue, &first, 5, true);
	assert_takes(&queue, &second, 0, false);
	assert_takes(&queue, &third, 2, false);
	assert_takes(&queue, &second, 1, true);
	assert_takes(&queue, &second, 4, true);
	assert_takes(&queue, &third, 3, true);
	assert_empty(&queue, first);
	queue_fini(&queue);
}

/* A group stays with its worker, though others have nothing left to do. */
static void
test_several_workers_begin_with_the_longest(void **state)
{
	struct queue queue;
	struct group *first = NULL, *second = NULL, *third = NULL;

	(void)state;
	queue_init(&queue, list, true);
	assert_takes(&queue, &first, 2, false);
	assert_takes(&queue, &second, 4, true);
	assert_takes(&queue, &second, 0, false);
	assert_takes(&queue, &first, 3, true);
	assert_takes(&queue, &third, 5, true);
	assert_empty(&queue, third);
	assert_empty(&queue, first);
	assert_takes(&queue, &second, 1, true);
	assert_empty(&queue, second);
	queue_fini(&queue);
}

/* Nodes are started for the groups that are taken next, and for each only once. */
static void
test_nodes_are_started_for_what_comes_next(void **state)
{
	struct queue queue;
	struct group *group = NULL, *ahead;
	struct shared_node node;

	(void)state;
	queue_init(&queue, list, true);
	assert_takes(&queue, &group, 2, false);
	ahead = queue_ahead(&queue);
	assert_ptr_equal(ahead->profile, &middle);
	ahead->node = &node;
	ahead = queue_ahead(&queue);
	assert_ptr_equal(ahead->profile, &quick);
	assert_int_equal(ahead->first, 0);
	ahead->node = &node;
	queue_ahead(&queue)->node = &node;
	assert_null(queue_ahead(&queue));
	queue_fini(&queue);
}

static void
test_an_empty_list(void **state)
{
	static const struct scenario *const none[] = {NULL};
	struct queue queue;

	(void)state;
	queue_init(&queue, none, true);
	assert_empty(&queue, NULL);
	assert_null(queue_ahead(&queue));
	queue_fini(&queue);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_worker_runs_them_as_listed),
		cmocka_unit_test(test_several_workers_begin_with_the_longest),
		cmocka_unit_test(test_a_group_ends_with_its_node),
		cmocka_unit_test(test_nodes_are_started_for_what_comes_next),
		cmocka_unit_test(test_an_empty_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
