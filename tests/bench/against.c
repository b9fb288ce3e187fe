#include "against.h"

#include "base/clock.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 3, TESTS_MAX = 16, SKIPPED = 77 };

struct scripts {
	char *paths[TESTS_MAX];
	size_t cnt;
};

/* The interpreter's exit code for a test is tpcheck's, too: 77 is a skip. */
static pid_t
start(char *const args[])
{
	pid_t pid = fork();

	if (pid)
		return pid;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null_fd, 0);
	dup2(null_fd, 1);
	dup2(null_fd, 2);
	execvp(args[0], args);
	_exit(127);
}

/* Returns the exit code; 128 for a signal or if it could not be started. */
static int
finish(pid_t pid)
{
	int status;

	if (pid < 0)
		return 128;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 128;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static double
seconds_since(uint64_t began_ns)
{
	return (double)(clock_now_ns() - began_ns) / 1e9;
}

static pid_t
start_script(const char *path)
{
	char *const args[] = {(char *)(uintptr_t) "python3", (char *)(uintptr_t)path, NULL};

	return start(args);
}

/* Leaves out those that are skipped or fail here. */
static void
find_scripts(const char *dir, struct scripts *scripts)
{
	char *pattern = xasprintf("%s/test/functional/interface_usdt_*.py", dir);
	glob_t found;

	*scripts = (struct scripts){.cnt = 0};
	if (glob(pattern, 0, NULL, &found))
		found.gl_pathc = 0;
	for (size_t i = 0; i < found.gl_pathc && scripts->cnt < TESTS_MAX; i++) {
		uint64_t began_ns = clock_now_ns();
		int code = finish(start_script(found.gl_pathv[i]));

		if (!code)
			scripts->paths[scripts->cnt++] = xstrdup(found.gl_pathv[i]);
		printf("  %-58s %8.3f s%s\n", strrchr(found.gl_pathv[i], '/') + 1, seconds_since(began_ns),
		       !code             ? ""
		       : code == SKIPPED ? " SKIPPED (does 'import bcc' work in python3? root?)"
					 : " FAILED");
		fflush(stdout);
	}
	if (!scripts->cnt)
		printf("SKIP: none of %s can run here; %s\n", pattern,
		       "they require python3-bpfcc, kernel headers (or BCC_KERNEL_SOURCE), root, and test/config.ini in that folder; run one by hand to see why");
	if (found.gl_pathc)
		globfree(&found);
	free(pattern);
}

/* All of them, one after the other or at once; a negative number if one fails. */
static double
time_scripts(const struct scripts *scripts, bool at_once)
{
	uint64_t began_ns = clock_now_ns();
	pid_t pids[TESTS_MAX];
	bool ok = true;

	for (size_t i = 0; i < scripts->cnt; i++) {
		pids[i] = start_script(scripts->paths[i]);
		if (!at_once)
			ok &= !finish(pids[i]);
	}
	for (size_t i = 0; at_once && i < scripts->cnt; i++)
		ok &= !finish(pids[i]);
	return ok ? seconds_since(began_ns) : -1;
}

static double
time_tpcheck(const char *tpcheck, const char *bitcoind, const char *jobs)
{
	char *option = xasprintf("--bitcoind=%s", bitcoind);
	char *const args[] = {(char *)(uintptr_t)tpcheck, (char *)(uintptr_t) "run", option,
			      (char *)(uintptr_t)jobs, NULL};
	uint64_t began_ns = clock_now_ns();
	bool ok = !finish(start(args));

	free(option);
	return ok ? seconds_since(began_ns) : -1;
}

static void
print(const char *what, double seconds, double than_seconds)
{
	printf("%-60s %8.3f s", what, seconds);
	if (than_seconds > 0)
		printf("  %.1f times as fast", than_seconds / seconds);
	putchar('\n');
	fflush(stdout);
}

int
against(const char *dir, const char *bitcoind, const char *tpcheck)
{
	double in_turn = 0, at_once = 0, one_job = 0, all_jobs = 0;
	struct scripts scripts;
	int code = 0;

	/* The tests' framework takes it from there. */
	setenv("BITCOIND", bitcoind, 1);
	printf("Bitcoin Core's tests, once each:\n");
	find_scripts(dir, &scripts);
	if (!scripts.cnt)
		code = SKIPPED;
	for (int i = 0; i < ROUNDS && !code; i++) {
		double figures[] = {time_scripts(&scripts, false), time_scripts(&scripts, true),
				    time_tpcheck(tpcheck, bitcoind, "--jobs=1"),
				    time_tpcheck(tpcheck, bitcoind, NULL)};

		for (size_t n = 0; n < sizeof(figures) / sizeof(figures[0]); n++)
			if (figures[n] < 0)
				code = 99;
		in_turn += figures[0] / ROUNDS;
		at_once += figures[1] / ROUNDS;
		one_job += figures[2] / ROUNDS;
		all_jobs += figures[3] / ROUNDS;
	}
	if (code == 99)
		fprintf(stderr, "bench: a test or tpcheck failed\n");
	if (!code) {
		printf("means of %d rounds:\n", ROUNDS);
		print("these tests, one after the other", in_turn, 0);
		print("tpcheck run --jobs=1", one_job, in_turn);
		print("these tests, all at once", at_once, 0);
		print("tpcheck run", all_jobs, at_once);
	}
	for (size_t i = 0; i < scripts.cnt; i++)
		free(scripts.paths[i]);
	return code;
}
