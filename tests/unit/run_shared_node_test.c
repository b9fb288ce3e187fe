/* A node that cannot even be begun. */
#include "run/shared_node.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static unsigned semaphores_cnt;

int
pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *arg), void *arg)
{
	(void)thread, (void)attr, (void)fn, (void)arg;
	return EAGAIN;
}

int
sem_init(sem_t *semaphore, int shared, unsigned value)
{
	(void)semaphore, (void)shared, (void)value;
	semaphores_cnt++;
	return 0;
}

int
sem_destroy(sem_t *semaphore)
{
	(void)semaphore;
	semaphores_cnt--;
	return 0;
}

static void
test_without_a_thread(void **state)
{
	static const struct profile profile = {.name = "any"};
	struct shared_node_opts opts = {.bitcoind = "/nowhere", .timeout_ms = 1000};
	struct shared_node *node;
	struct diag diag;

	(void)state;
	assert_int_equal(shared_node_start(&node, &profile, &opts, &diag), -EAGAIN);
	assert_null(node);
	assert_non_null(strstr(diag.text, "failed to start a thread: "));
	assert_int_equal(semaphores_cnt, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_without_a_thread)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
