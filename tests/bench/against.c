#include "against.h"

#include "base/clock.h"
#include "base/folder.h"
#include "base/xmem.h"
#include "probe/bpf/kernel_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 3, TESTS_MAX = 16, SKIPPED = 77 };

struct scripts {
	const char *python;
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

/* The first that has libbcc's module: the one in PATH may be another than the distribution's. */
static const char *
find_python(void)
{
	static const char *const names[] = {"python3", "/usr/bin/python3"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *const args[] = {(char *)(uintptr_t)names[i], (char *)(uintptr_t) "-c",
				      (char *)(uintptr_t) "import bcc", NULL};

		if (!finish(start(args)))
			return names[i];
	}
	return NULL;
}

static int
copy_file(const char *from, const char *to)
{
	char *const args[] = {(char *)(uintptr_t) "cp", (char *)(uintptr_t)from, (char *)(uintptr_t)to, NULL};

	return finish(start(args)) ? -EIO : 0;
}

/* The headers that tpcheck has for its own probes are enough for these tests, too, with the types of stdint.h. */
static int
add_types(const struct folder *tree)
{
	static const char types[] =
		"typedef __s8 int8_t;\ntypedef __u8 uint8_t;\ntypedef __s16 int16_t;\ntypedef __u16 uint16_t;\n"
		"typedef __s32 int32_t;\ntypedef __u32 uint32_t;\ntypedef __s64 int64_t;\ntypedef __u64 uint64_t;\n";
	char *path = xasprintf("%s/include/linux/types.h", tree->path);
	FILE *file = fopen(path, "ae");
	bool ok = file && fputs(types, file) >= 0;

	ok &= file && !fclose(file);
	free(path);
	return ok ? 0 : -EIO;
}

static double
seconds_since(uint64_t began_ns)
{
	return (double)(clock_now_ns() - began_ns) / 1e9;
}

static pid_t
start_script(const struct scripts *scripts, const char *path)
{
	char *const args[] = {(char *)(uintptr_t)scripts->python, (char *)(uintptr_t)path, NULL};

	return start(args);
}

/* Leaves out those that are skipped or fail here. */
static void
find_scripts(const char *dir, struct scripts *scripts)
{
	char *pattern = xasprintf("%s/test/functional/interface_usdt_*.py", dir);
	glob_t found;

	if (glob(pattern, 0, NULL, &found))
		found.gl_pathc = 0;
	for (size_t i = 0; i < found.gl_pathc && scripts->cnt < TESTS_MAX; i++) {
		uint64_t began_ns = clock_now_ns();
		int code = finish(start_script(scripts, found.gl_pathv[i]));

		if (!code)
			scripts->paths[scripts->cnt++] = xstrdup(found.gl_pathv[i]);
		printf("  %-58s %8.3f s%s\n", strrchr(found.gl_pathv[i], '/') + 1, seconds_since(began_ns),
		       !code             ? ""
		       : code == SKIPPED ? " SKIPPED (run it by hand to see why)"
					 : " FAILED");
		fflush(stdout);
	}
	if (!scripts->cnt)
		printf("SKIP: none of %s can run here; %s\n", pattern,
		       "they require root, and test/config.ini in that folder; run one by hand to see why");
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
		pids[i] = start_script(scripts, scripts->paths[i]);
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

static int
compare(const struct scripts *scripts, const char *bitcoind, const char *tpcheck)
{
	double in_turn = 0, at_once = 0, one_job = 0, all_jobs = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double figures[] = {time_scripts(scripts, false), time_scripts(scripts, true),
				    time_tpcheck(tpcheck, bitcoind, "--jobs=1"),
				    time_tpcheck(tpcheck, bitcoind, NULL)};

		for (size_t n = 0; n < sizeof(figures) / sizeof(figures[0]); n++)
			if (figures[n] < 0) {
				fprintf(stderr, "bench: a test or tpcheck failed\n");
				return 99;
			}
		in_turn += figures[0] / ROUNDS;
		at_once += figures[1] / ROUNDS;
		one_job += figures[2] / ROUNDS;
		all_jobs += figures[3] / ROUNDS;
	}
	printf("means of %d rounds:\n", ROUNDS);
	print("these tests, one after the other", in_turn, 0);
	print("tpcheck run --jobs=1", one_job, in_turn);
	print("these tests, all at once", at_once, 0);
	print("tpcheck run", all_jobs, at_once);
	return 0;
}

int
against(const char *dir, const char *bitcoind, const char *tpcheck)
{
	struct scripts scripts = {.python = find_python()};
	struct folder tree = {0};
	struct diag diag;

	if (!scripts.python) {
		printf("SKIP: python3 has no module bcc; install it (Debian, Ubuntu: apt-get install python3-bpfcc)\n");
		return SKIPPED;
	}
	if (kernel_tree_write(&tree, NULL, NULL, &diag)) {
		fprintf(stderr, "bench: %s\n", diag.text);
		return 99;
	}
	/* Other users of the same file, who attach otherwise, would make libbcc fail with EINVAL. */
	char *copy = xasprintf("%s/bitcoind", tree.path);
	int code = add_types(&tree) || copy_file(bitcoind, copy) || chmod(tree.path, 0755) ? 99 : 0;
	if (code)
		fprintf(stderr, "bench: failed to make a copy of '%s' below '%s'\n", bitcoind, tree.path);
	/* The tests' framework takes it from there; libbcc does the other. */
	setenv("BITCOIND", copy, 1);
	setenv("BCC_KERNEL_SOURCE", tree.path, 0);
	printf("Bitcoin Core's tests, once each:\n");
	if (!code)
		find_scripts(dir, &scripts);
	if (!code)
		code = scripts.cnt ? compare(&scripts, copy, tpcheck) : SKIPPED;
	for (size_t i = 0; i < scripts.cnt; i++)
		free(scripts.paths[i]);
	free(copy);
	kernel_tree_remove(&tree);
	return code;
}
