/* What the kernel says of a process. */
#include "base/proc_stat.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The words of /proc/self/stat behind the name, cut apart by the shell's rules. */
static uint64_t
word(unsigned n)
{
	char command[128], text[64] = "";

	snprintf(command, sizeof(command), "sed 's/.*) //' /proc/%d/stat | cut -d ' ' -f %u", (int)getpid(),
		 n - 2);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(text, sizeof(text), pipe));
	pclose(pipe);
	return strtoull(text, NULL, 10);
}

enum { TRIALS = 50 };

static void
of_this_process(void **state)
{
	struct proc_stat stat;

	(void)state;
	/* A name that looks like the words after it. */
	assert_int_equal(prctl(PR_SET_NAME, ") Z 1 2 (x) T 3"), 0);
	word(22); /* what this needs of memory is there from now on */
	assert_true(proc_stat_read(getpid(), &stat));
	assert_int_equal(stat.state, 'R');
	assert_true(stat.start_ticks > 0);
	assert_int_equal(stat.start_ticks, word(22));
	/* While the command begins, we may still have the stack that it was started with. */
	uint64_t bytes = 0;
	for (int i = 0; i < TRIALS && bytes != stat.memory_bytes; i++)
		bytes = word(23);
	assert_int_equal(stat.memory_bytes, bytes);
	assert_int_equal(stat.env_start, word(50));
	assert_int_equal(stat.env_end, word(51));
	assert_true(stat.env_end > stat.env_start);
}

static void
of_a_stopped_child(void **state)
{
	struct proc_stat stat;
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(proc_stat_read(pid, &stat));
	assert_int_equal(stat.state, 'T');
	kill(pid, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(proc_stat_read(pid, &stat));
	assert_int_equal(stat.state, 'Z');
	assert_int_equal(stat.memory_bytes, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	memset(&stat, 1, sizeof(stat));
	assert_false(proc_stat_read(pid, &stat));
	assert_int_equal(stat.start_ticks, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_this_process),
		cmocka_unit_test(of_a_stopped_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
