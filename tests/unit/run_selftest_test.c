/* The specimen's answers, and a selftest that is interrupted. This program is the specimen. */
#include "run/selftest.h"
#include "run/specimen.h"
#include "surroundings.h"

#include "base/xmem.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

static void
on_alarm(int signal)
{
	(void)signal;
}

/* Starts a script in place of the specimen; what it prints answers the first command. */
static int
start_script(struct specimen **specimen, const char *text, struct diag *diag)
{
	char *dir = test_make_dir(), *path = xasprintf("%s/script", dir);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	int err = specimen_start(specimen, path, diag);
	unlink(path);
	rmdir(dir);
	free(path);
	return err;
}

static void
test_answers(void **state)
{
	struct specimen *specimen = (void *)1;
	struct diag diag;

	(void)state;
	assert_int_equal(start_script(&specimen, "#!/bin/sh\nexit 1\n", &diag), -EPIPE);
	assert_null(specimen);
	assert_int_equal(start_script(&specimen, "#!/bin/sh\nread line\necho gone\nread line\n", &diag),
			 -EBADMSG);
	assert_null(specimen);
	assert_int_equal(start_script(&specimen,
				      "#!/bin/sh\nread line\nprintf do\nsleep 0.1\necho ne\nexec cat >&2\n",
				      &diag),
			 0);
	/* It says nothing more, and does not end. */
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval soon = {.it_value.tv_usec = 50000, .it_interval.tv_usec = 50000};
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	int err = specimen_command(specimen, "round 0", &diag);
	assert_int_equal(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL), 0);
	assert_int_equal(err, -EINTR);
	specimen_stop(specimen);
	specimen_stop(NULL);
}

static void
count_ends(void *cookie, const struct report_result *result)
{
	size_t *ends = cookie;

	assert_string_equal(result->name, selftest_names()[*ends]);
	++*ends;
}

static void
free_results(struct report_run *run)
{
	for (size_t i = 0; i < run->results_cnt; i++) {
		free(run->results[i].reason);
		findings_fini(&run->results[i].findings);
	}
	free(run->results);
	free(run->attach_why);
}

static void
test_interrupted(void **state)
{
	static const atomic_int interrupted = 1;
	size_t ends = 0;
	struct report_run run = {0};
	struct selftest_opts opts = {
		.probe.method = PROBE_METHOD_PTRACE,
		.interrupted = &interrupted,
		.on_end = count_ends,
		.cookie = &ends,
	};

	(void)state;
	selftest_run(&opts, &run);
	assert_true(run.interrupted);
	assert_true(run.results_cnt > 0);
	assert_int_equal(ends, run.results_cnt);
	assert_null(selftest_names()[run.results_cnt]);
	for (size_t i = 0; i < run.results_cnt; i++) {
		assert_int_equal(run.results[i].outcome, OUTCOME_ERROR);
		assert_string_equal(run.results[i].reason, "interrupted");
	}
	free_results(&run);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_interrupted),
	};

	if (argc == 2 && !strcmp(argv[1], "__specimen"))
		return specimen_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
