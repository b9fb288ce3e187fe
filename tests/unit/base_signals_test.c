#include "base/signals.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { END_MS = 20000 };

/* Starts a child, and a child of that, which writes "r" once it ends with its parent, or "e" if something fails. Returns
 * the read end of its pipe, which has an end of file once it has ended. */
static int
start_two(bool parent_has_ended)
{
	int answer[2], begin[2], status;
	char byte;

	assert_int_equal(pipe(answer), 0);
	assert_int_equal(pipe(begin), 0);
	pid_t outer = fork();
	assert_true(outer >= 0);
	if (!outer) {
		pid_t parent = getpid(), inner = fork();

		if (inner) {
			close(begin[1]);
			/* Until the inner one is ready, or at once. */
			_exit(inner < 0 || (!parent_has_ended && read(begin[0], &byte, 1) != 1));
		}
		alarm(2 * END_MS / 1000);
		while (parent_has_ended && getppid() == parent)
			poll(NULL, 0, 1);
		byte = signals_end_with(parent) ? 'e' : 'r';
		if (write(answer[1], &byte, 1) != 1 || write(begin[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(answer[1]);
	close(begin[0]);
	close(begin[1]);
	assert_int_equal(waitpid(outer, &status, 0), outer);
	assert_int_equal(status, 0);
	return answer[0];
}

static void
assert_ends(int fd, const char *before)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	char byte;

	for (; *before; before++) {
		assert_int_equal(read(fd, &byte, 1), 1);
		assert_int_equal(byte, *before);
	}
	assert_int_equal(poll(&pollfd, 1, END_MS), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

static void
test_ends_with_its_parent(void **state)
{
	(void)state;
	assert_ends(start_two(false), "r");
}

static void
test_ends_if_its_parent_has(void **state)
{
	(void)state;
	assert_ends(start_two(true), "");
}

/* It sends no signal: where a sandbox refuses getpid, that would go to the PID -1, all processes. */
static void
test_ends_by_itself(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		signals_end_with(getpid());
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 128 + SIGKILL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_with_its_parent),
		cmocka_unit_test(test_ends_if_its_parent_has),
		cmocka_unit_test(test_ends_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
