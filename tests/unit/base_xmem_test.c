/* Memory that runs out, in processes of the test's own. */
#include "base/xmem.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
/* Its malloc ends the program otherwise. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
#endif

enum { RESERVE_BYTES = 1 << 20, HOOK_ENDED = 7, DEADLINE_S = 30 };

/* Has a child do it, and returns how that ended; *text, of 200 bytes, is what it wrote to standard error. */
static int
end_of(void (*work)(void), char *text)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		alarm(DEADLINE_S);
		work();
		_exit(0);
	}
	close(fds[1]);
	while (len < 199 && (n = read(fds[0], text + len, 199 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* More elements than there are addresses. */
static void
run_out(void)
{
	volatile size_t cnt = SIZE_MAX;

	xreallocarray(NULL, cnt, 2);
}

static void
test_without_hook(void **state)
{
	char text[200];

	(void)state;
	assert_int_equal(end_of(run_out, text), 99);
	assert_string_equal(text, "tpcheck: out of memory\n");
}

static void
end_with_cookie(void *cookie)
{
	_exit(*(int *)cookie);
}

static int code = HOOK_ENDED;

static void
run_out_with_hook(void)
{
	xmem_set_hook(end_with_cookie, &code, RESERVE_BYTES);
	run_out();
}

static void
run_out_without_it_again(void)
{
	xmem_set_hook(end_with_cookie, &code, RESERVE_BYTES);
	xmem_set_hook(NULL, NULL, 0);
	run_out();
}

static void
test_hook(void **state)
{
	char text[200];

	(void)state;
	assert_int_equal(end_of(run_out_with_hook, text), HOOK_ENDED);
	assert_string_equal(text, "");
	assert_int_equal(end_of(run_out_without_it_again, text), 99);
}

/* Needs half of the reserve, and then returns. */
static void
use_reserve(void *cookie)
{
	(void)cookie;
	for (int i = 0; i < RESERVE_BYTES / 2 / 1000; i++)
		memset(xmalloc(1000), 1, 1000);
	fputs("used\n", stderr);
}

static void
fill_memory(void)
{
	struct rlimit limit = {.rlim_cur = 64 << 20, .rlim_max = RLIM_INFINITY};

	xmem_set_hook(use_reserve, NULL, RESERVE_BYTES);
	setrlimit(RLIMIT_AS, &limit);
	for (size_t sz = 1 << 20; sz > 1000; sz /= 2)
		while (malloc(sz))
			;
	for (;;)
		xmalloc(1000);
}

static void
test_reserve(void **state)
{
	char text[200];

	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	skip(); /* it needs terabytes of addresses */
#endif
	assert_int_equal(end_of(fill_memory, text), 99);
	assert_string_equal(text, "used\ntpcheck: out of memory\n");
}

static void
run_out_again(void *cookie)
{
	(void)cookie;
	run_out();
}

static void
run_out_twice(void)
{
	xmem_set_hook(run_out_again, NULL, RESERVE_BYTES);
	run_out();
}

static void
test_hook_that_runs_out(void **state)
{
	char text[200];

	(void)state;
	assert_int_equal(end_of(run_out_twice, text), 99);
	assert_string_equal(text, "tpcheck: out of memory\n");
}

/* Another thread runs out while the hook is at work; only the hook ends the program. */
static pthread_barrier_t barrier;

static void *
run_out_later(void *arg)
{
	pthread_barrier_wait(&barrier);
	run_out();
	return arg;
}

static void
wait_for_other(void *cookie)
{
	pthread_t *other = cookie;
	struct timespec soon;

	pthread_barrier_wait(&barrier);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec++;
	/* It does not end, neither itself nor the program. */
	_exit(pthread_timedjoin_np(*other, NULL, &soon) == ETIMEDOUT ? HOOK_ENDED : 1);
}

static void
run_out_in_two_threads(void)
{
	pthread_t other;

	pthread_barrier_init(&barrier, NULL, 2);
	xmem_set_hook(wait_for_other, &other, RESERVE_BYTES);
	pthread_create(&other, NULL, run_out_later, NULL);
	run_out();
}

static void
test_two_threads(void **state)
{
	char text[200];

	(void)state;
	assert_int_equal(end_of(run_out_in_two_threads, text), HOOK_ENDED);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_hook), cmocka_unit_test(test_hook),
		cmocka_unit_test(test_reserve),      cmocka_unit_test(test_hook_that_runs_out),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
