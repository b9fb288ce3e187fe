/* The specimen's answers, and a selftest that is interrupted. This program is the specimen. */
#include "contract/contract.h"
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
	free(dir);
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

/* The file with the name of a tracepoint, in each note that has it, changed to another. */
static void
rename_tracepoint(const char *path, const struct contract_tracepoint *row)
{
	char want[128];
	int len = snprintf(want, sizeof(want), "%s%c%s", row->context, 0, row->name) + 1, cnt = 0;
	FILE *file = fopen(path, "r+b");

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size_t bytes = (size_t)ftell(file);
	char *text = xmalloc(bytes);
	rewind(file);
	assert_int_equal(fread(text, 1, bytes, file), bytes);
	for (char *at = text; (at = memmem(at, (size_t)(text + bytes - at), want, (size_t)len)); at++, cnt++)
		at[len - 2] = 'X';
	assert_true(cnt > 0);
	rewind(file);
	assert_int_equal(fwrite(text, 1, bytes, file), bytes);
	assert_int_equal(fclose(file), 0);
	free(text);
}

/* A specimen without one of the tracepoints: whichever it is, no verdict. */
static void
test_other_notes(void **state)
{
	char *dir = test_make_dir();

	(void)state;
	assert_non_null(dir);
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);
		char *program = test_copy_program("/proc/self/exe", dir);
		struct report_run run = {0};
		struct selftest_opts opts = {.program = program, .probe.method = PROBE_METHOD_PTRACE};

		assert_non_null(program);
		rename_tracepoint(program, row);
		selftest_run(&opts, &run);
		unlink(program);
		free(program);
		assert_true(run.results_cnt > 0);
		bool is_skip = run.results[0].outcome == OUTCOME_SKIP;
		for (size_t i = 0; i < run.results_cnt && !is_skip; i++) {
			assert_int_equal(run.results[i].outcome, OUTCOME_ERROR);
			assert_non_null(strstr(run.results[i].reason, "notes are not as documented"));
			assert_non_null(strstr(run.results[i].reason, row->name));
			assert_non_null(strstr(run.results[i].reason, "specimen_fire.c"));
		}
		free_results(&run);
		if (is_skip) {
			rmdir(dir);
			free(dir);
			skip();
		}
	}
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_other_notes),
	};

	if (argc == 2 && !strcmp(argv[1], "__specimen"))
		return specimen_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
