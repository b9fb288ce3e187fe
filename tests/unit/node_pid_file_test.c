/* From PID files to processes. */
#include "node/pid_file.h"

#include "surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char *dir, path[PATH_MAX];

static void
write_file(const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
write_pid(pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d\n", (int)pid);
	write_file(text);
}

static pid_t
start_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

static void
assert_not_now(const char *why)
{
	struct diag diag = {""};
	int pidfd;
	pid_t pid;

	assert_int_equal(pid_file_open(path, &pid, &pidfd, &diag), -EAGAIN);
	assert_int_equal(pidfd, -1);
	if (!strstr(diag.text, why))
		fail_msg("'%s' does not say '%s'", diag.text, why);
}

static void
test_the_process_of_a_file(void **state)
{
	pid_t child = start_child(), pid;
	struct diag diag;
	int pidfd;

	(void)state;
	write_pid(child);
	assert_int_equal(pid_file_open(path, &pid, &pidfd, &diag), 0);
	assert_int_equal(pid, child);
	assert_false(pidfd_has_ended(pidfd));
	kill(child, SIGKILL);
	/* A zombie counts as ended. */
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_true(pidfd_has_ended(pidfd));
	close(pidfd);
	assert_not_now("has ended");
	waitpid(child, NULL, 0);
	assert_not_now("does not run");
}

static void
test_files_that_name_nobody(void **state)
{
	(void)state;
	unlink(path);
	assert_not_now("there is no file");
	write_file("");
	assert_not_now("no PID");
	write_file("12x\n");
	assert_not_now("no PID");
	write_file("-1\n");
	assert_not_now("no PID");
	write_file("0\n");
	assert_not_now("no PID");
	write_file("99999999999999999999\n");
	assert_not_now("no PID");
}

/* The file was left by a crash, and its number belongs to another process now. */
static void
test_a_number_in_use_again(void **state)
{
	pid_t child = start_child();
	struct timespec times[2];

	(void)state;
	write_pid(child);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= 10;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_not_now("it started later");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void
test_files_that_never_work(void **state)
{
	struct diag diag;
	int pidfd;
	pid_t pid;

	(void)state;
	assert_int_equal(pid_file_open(dir, &pid, &pidfd, &diag), -EINVAL);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pid_file_open(path, &pid, &pidfd, &diag), -EINVAL);
	unlink(path);
	assert_int_equal(pid_open(INT32_MAX, &pidfd, &diag), -ESRCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_process_of_a_file),
		cmocka_unit_test(test_files_that_name_nobody),
		cmocka_unit_test(test_a_number_in_use_again),
		cmocka_unit_test(test_files_that_never_work),
	};

	dir = test_make_dir();
	if (!dir)
		return 99;
	snprintf(path, sizeof(path), "%s/pid", dir);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	free(dir);
	return failed;
}
