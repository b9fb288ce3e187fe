/* How long the specimen's answer is waited for. */
#include "run/specimen.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLICE_MS = 1000, DEADLINE_S = 120 };

/* Starts a process that uses the processor for so long and then answers; or that waits for its end. */
static pid_t
start(double busy_s, bool answers, int *fd)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(DEADLINE_S);
		while ((double)clock() < busy_s * CLOCKS_PER_SEC)
			;
		if (answers)
			_exit(write(fds[1], "d", 1) != 1);
		for (;;)
			pause();
	}
	close(fds[1]);
	*fd = fds[0];
	return pid;
}

static void
end(pid_t pid, int fd)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
}

/* It is slow, but works: longer than a slice. */
static void
test_busy(void **state)
{
	int fd;
	pid_t pid = start(1.5 * SLICE_MS / 1000, true, &fd);

	(void)state;
	assert_int_equal(specimen_wait(fd, pid, SLICE_MS, DEADLINE_S * 1000 / SLICE_MS), 1);
	end(pid, fd);
}

/* It does nothing any more. */
static void
test_stuck(void **state)
{
	int fd;
	pid_t pid = start(0, false, &fd);

	(void)state;
	assert_int_equal(specimen_wait(fd, pid, SLICE_MS, DEADLINE_S * 1000 / SLICE_MS), 0);
	end(pid, fd);
}

/* It is busy without end. */
static void
test_endless(void **state)
{
	int fd;
	pid_t pid = start(2 * DEADLINE_S, false, &fd);

	(void)state;
	assert_int_equal(specimen_wait(fd, pid, SLICE_MS, 2), 0);
	end(pid, fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
