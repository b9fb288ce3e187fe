/* Where a process with LeakSanitizer ends: the address of exit(), which is found in its libc, or nothing. */
#include "probe/ptrace/aside.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* This makes the test look like a program that was linked with it. */
void __lsan_do_leak_check(void);

void
__lsan_do_leak_check(void)
{
}

static void
test_exit_is_found(void **state)
{
	(void)state;
	assert_int_equal(aside_find_exit(getpid()), (uintptr_t)exit);
}

/* Descriptor 0 is as good as any other. */
static void
test_without_standard_input(void **state)
{
	int saved = dup(0);

	(void)state;
	assert_true(saved > 0);
	close(0);
	uint64_t address = aside_find_exit(getpid());
	assert_int_equal(close(0), -1);
	assert_int_equal(dup2(saved, 0), 0);
	close(saved);
	assert_int_equal(address, (uintptr_t)exit);
}

static void
test_no_sanitizer(void **state)
{
	int fds[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		dup2(fds[1], 1);
		close(fds[1]);
		close(fds[0]);
		execl("/bin/sh", "sh", "-c", "echo; read line", NULL);
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(aside_find_exit(pid), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	/* A process that has ended. */
	assert_int_equal(aside_find_exit(pid), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_is_found),
		cmocka_unit_test(test_without_standard_input),
		cmocka_unit_test(test_no_sanitizer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
