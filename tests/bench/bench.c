/* Measures the figures that tpcheck promises: bench [BITCOIND]. Prints a table with the promised limits, by BPF and by
 * ptrace; exit code 1 if one is missed, 77 if they cannot be measured here. bench --ptrace-hits is only a part of it;
 * bench --against=DIR [BITCOIND] compares with Bitcoin Core's tests instead (against.h).
 * Where a person would wait for a whole process, so does this: it runs itself as "bench --arm METHOD PID BINARY". */
#include "against.h"
#include "base/text.h"
#include "base/xmem.h"
#include "node/chain.h"
#include "node/script.h"
#include "probe/bpf/sys.h"
#include "run/plan.h"
#include "run/specimen.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 5, HITS = 300000, MILLION = 1000000, PTRACE_HITS = 50000, COLLECT_MS = 20000 };

static bool missed;

static void
die(const char *text)
{
	fprintf(stderr, "bench: %s\n", text);
	exit(99);
}

static void
must(int err, const struct diag *diag)
{
	if (err)
		die(diag->text);
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
report(const char *what, double *figures, double limit, const char *unit)
{
	qsort(figures, RUNS, sizeof(*figures), compare_doubles);
	double median = figures[RUNS / 2];

	printf("%-62s %8.3f %s (%.3f to %.3f)", what, median, unit, figures[0], figures[RUNS - 1]);
	if (limit > 0) {
		printf("  limit %.3f: %s", limit, median <= limit ? "kept" : "MISSED");
		missed |= median > limit;
	}
	putchar('\n');
	fflush(stdout);
}

static enum probe_method
parse_method(const char *name)
{
	for (enum probe_method method = PROBE_METHOD_AUTO; method <= PROBE_METHOD_PTRACE; method++)
		if (!strcmp(name, probe_method_name(method)))
			return method;
	die("no such method");
	return PROBE_METHOD_AUTO;
}

/* bench --arm METHOD PID BINARY CACHE: arms all tracepoints, writes a byte to stdout, and records until stdin ends.
 * CACHE is where compiled programs are kept; "": nowhere. */
static int
arm(const char *method, pid_t pid, const char *binary, const char *cache_dir)
{
	const struct probe_opts opts = {.method = parse_method(method),
					.cache_dir = *cache_dir ? cache_dir : NULL};
	struct record_list records;
	struct probe_set *set;
	struct notes *notes;
	struct event *events;
	struct plan plan;
	struct diag diag;
	char byte;

	must(notes_open(&notes, binary, &diag), &diag);
	plan_make(&plan, notes, RELEASE_MASTER, UINT64_MAX);
	must(probe_set_new(&set, plan.points, plan.points_cnt, &opts, &diag), &diag);
	must(probe_set_attach(set, pid, &diag), &diag);
	must(probe_set_arm(set, UINT64_MAX, &diag), &diag);
	if (write(STDOUT_FILENO, "x", 1) != 1 || read(STDIN_FILENO, &byte, 1) < 0)
		return 99;
	must(probe_set_collect(set, deadline_in_ms(5000), &records, NULL, &diag), &diag);
	must(plan_decode(&plan, &records, &events, &diag), &diag);
	if (!records.cnt)
		die("nothing was recorded");
	free(events);
	probe_set_free(set);
	plan_fini(&plan);
	notes_free(notes);
	return 0;
}

/* One run of bench --arm on a node. */
static void
arm_once(struct node *node, const char *method, const char *bitcoind, const char *cache_dir, double *armed_s,
	 double *ended_s)
{
	char pid_text[16], byte;
	int in[2], out[2], status;
	struct diag diag;

	snprintf(pid_text, sizeof(pid_text), "%d", (int)node_pid(node));
	if (pipe(in) || pipe(out))
		die("no pipe");
	uint64_t began = clock_now_ns();
	pid_t pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execl("/proc/self/exe", "bench", "--arm", method, pid_text, bitcoind, cache_dir,
		      (char *)NULL);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	if (read(out[0], &byte, 1) != 1)
		die("the armed process ended");
	*armed_s = (double)(clock_now_ns() - began) / 1e9;
	must(chain_generate(node, deadline_in_ms(5000), 10, script_p2wsh_op_true,
			    sizeof(script_p2wsh_op_true), &diag),
	     &diag);
	began = clock_now_ns();
	close(in[1]);
	if (waitpid(pid, &status, 0) != pid || status)
		die("the armed process failed");
	*ended_s = (double)(clock_now_ns() - began) / 1e9;
	close(out[0]);
}

/* A folder with files only. */
static void
remove_files(const char *folder)
{
	char *pattern = xasprintf("%s/*", folder);
	glob_t found;

	if (!glob(pattern, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc; i++)
			remove(found.gl_pathv[i]);
	globfree(&found);
	remove(folder);
	free(pattern);
}

static void
measure_start_and_end(const char *bitcoind)
{
	struct node_opts opts = {.bitcoind = bitcoind};
	double armed_s[RUNS], ended_s[RUNS], kept_armed_s[RUNS], kept_ended_s[RUNS], ptrace_armed_s[RUNS],
		ptrace_ended_s[RUNS];
	char cache_dir[] = "/tmp/tpcheck-bench-XXXXXX";
	struct node *node;
	struct diag diag;

	must(node_start(&node, &opts, &diag), &diag);
	must(node_wait_ready(node, deadline_in_ms(30000), &diag), &diag);
	if (!mkdtemp(cache_dir))
		die("no temporary folder");
	arm_once(node, "multi", bitcoind, cache_dir, &kept_armed_s[0], &kept_ended_s[0]);
	for (int i = 0; i < RUNS; i++) {
		arm_once(node, "multi", bitcoind, "", &armed_s[i], &ended_s[i]);
		arm_once(node, "multi", bitcoind, cache_dir, &kept_armed_s[i], &kept_ended_s[i]);
		arm_once(node, "ptrace", bitcoind, "", &ptrace_armed_s[i], &ptrace_ended_s[i]);
	}
	remove_files(cache_dir);
	report("from command to all 20 tracepoints armed on a running node", kept_armed_s, 0.25, "s");
	report("  compiled anew", armed_s, 0, "s");
	report("  by ptrace", ptrace_armed_s, 0.05, "s");
	report("from the last event to the end of the program", kept_ended_s, 0.2, "s");
	report("  by ptrace", ptrace_ended_s, 0.2, "s");
	node_free(node);
}

static uint64_t
used_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		die("no clock of the specimen's CPU time");
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* What a hit of utxocache:add costs the specimen, in CPU time: others may be using the machine. */
static double
hit_cpu_ns(struct specimen *specimen, int hits)
{
	char command[32];
	struct diag diag;

	snprintf(command, sizeof(command), "burst %d", hits);
	uint64_t began = used_ns(specimen_pid(specimen));
	must(specimen_command(specimen, command, &diag), &diag);
	return (double)(used_ns(specimen_pid(specimen)) - began) / hits;
}

/* The same by the clock: by ptrace, it waits for the tracer process. */
static double
hit_ns(struct specimen *specimen, int hits)
{
	char command[32];
	struct diag diag;

	snprintf(command, sizeof(command), "burst %d", hits);
	uint64_t began = clock_now_ns();
	must(specimen_command(specimen, command, &diag), &diag);
	return (double)(clock_now_ns() - began) / hits;
}

/* With a program that does nothing: what a trap costs. */
static double
empty_hit_ns(struct specimen *specimen, const struct plan *plan)
{
	uint64_t offsets[8], semaphores[8], cookies[8] = {0};
	uint32_t cnt = 0;
	char path[64];

	for (size_t i = 0; i < plan->points_cnt && cnt < 8; i++, cnt++) {
		offsets[cnt] = plan->points[i].site->file_offset;
		semaphores[cnt] = plan->points[i].site->semaphore_file_offset;
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)specimen_pid(specimen));
	int prog_fd = bpf_try_program(MULTI_ATTACH_TYPE, 0);
	int link_fd = bpf_link_uprobe_multi(prog_fd, path, offsets, semaphores, cookies, cnt,
					    specimen_pid(specimen));
	if (link_fd < 0)
		die("no uprobe_multi link here: the cost of a hit cannot be compared");
	double ns = hit_cpu_ns(specimen, HITS);
	close(link_fd);
	close(prog_fd);
	return ns;
}

static void
measure_hits(void)
{
	double idle[RUNS], empty[RUNS], recorded[RUNS], ratio[RUNS], million_s[RUNS];
	struct record_list records;
	struct specimen *specimen;
	struct probe_set *set;
	struct notes *notes;
	struct plan plan;
	struct diag diag;
	size_t in_order = 0;

	must(notes_open(&notes, "/proc/self/exe", &diag), &diag);
	plan_make(&plan, notes, RELEASE_MASTER, TP_BIT(TP_UTXOCACHE_ADD));
	must(probe_set_new(&set, plan.points, plan.points_cnt, NULL, &diag), &diag);
	must(specimen_start(&specimen, NULL, &diag), &diag);
	for (int i = 0; i < RUNS; i++) {
		idle[i] = hit_cpu_ns(specimen, HITS);
		empty[i] = empty_hit_ns(specimen, &plan);
		must(probe_set_attach(set, specimen_pid(specimen), &diag), &diag);
		must(probe_set_arm(set, UINT64_MAX, &diag), &diag);
		recorded[i] = hit_cpu_ns(specimen, HITS);
		must(probe_set_collect(set, deadline_in_ms(5000), &records, NULL, &diag), &diag);
		if (records.cnt != HITS)
			die("not all events arrived");
		ratio[i] = recorded[i] / empty[i];
		must(probe_set_arm(set, UINT64_MAX, &diag), &diag);
		uint64_t began = clock_now_ns();
		must(specimen_command(specimen, "burst 1000000", &diag), &diag);
		must(probe_set_collect(set, deadline_in_ms(5000), &records, NULL, &diag), &diag);
		million_s[i] = (double)(clock_now_ns() - began) / 1e9;
		for (size_t n = 0; n < records.cnt && records.cnt == MILLION; n++)
			in_order += records.items[n]->args[1].value == n;
		probe_set_detach(set);
	}
	report("a tracepoint that nothing is attached to", idle, 0, "ns");
	report("a hit of an empty probe", empty, 0, "ns");
	report("a hit of utxocache:add, recorded", recorded, 0, "ns");
	report("  that divided by the empty probe's, run by run", ratio, 1.5, "  ");
	report("1,000,000 events back to back, until the last was collected", million_s, 0, "s");
	printf("%-62s %zu of %d arrived in order\n", "  of these", in_order, RUNS * MILLION);
	missed |= in_order != (size_t)RUNS * MILLION;
	specimen_stop(specimen);
	probe_set_free(set);
	plan_fini(&plan);
	notes_free(notes);
}

static void
measure_ptrace_hits(void)
{
	const struct probe_opts opts = {.method = PROBE_METHOD_PTRACE, .owns_process = true};
	double recorded_us[RUNS];
	struct record_list records;
	struct specimen *specimen;
	struct probe_set *set;
	struct notes *notes;
	struct plan plan;
	struct diag diag;

	must(notes_open(&notes, "/proc/self/exe", &diag), &diag);
	plan_make(&plan, notes, RELEASE_MASTER, TP_BIT(TP_UTXOCACHE_ADD));
	must(probe_set_new(&set, plan.points, plan.points_cnt, &opts, &diag), &diag);
	must(specimen_start(&specimen, NULL, &diag), &diag);
	must(probe_set_attach(set, specimen_pid(specimen), &diag), &diag);
	for (int i = 0; i < RUNS; i++) {
		must(probe_set_arm(set, UINT64_MAX, &diag), &diag);
		recorded_us[i] = hit_ns(specimen, PTRACE_HITS) / 1000;
		must(probe_set_collect(set, deadline_in_ms(COLLECT_MS), &records, NULL, &diag), &diag);
		if (records.cnt != PTRACE_HITS)
			die("not all events arrived");
	}
	report("a hit of utxocache:add, recorded by ptrace", recorded_us, 12, "us");
	specimen_stop(specimen);
	probe_set_free(set);
	plan_fini(&plan);
	notes_free(notes);
}

/* A whole process; its resident memory is the greatest that it or one of its children had. */
static double
time_command(char *const args[], double *resident_mib)
{
	struct rusage usage;
	int status;

	uint64_t began = clock_now_ns();
	pid_t pid = fork();
	if (!pid) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(99);
		execv(args[0], args);
		_exit(99);
	}
	if (wait4(pid, &status, 0, &usage) != pid || status)
		die("tpcheck did not pass");
	*resident_mib = (double)usage.ru_maxrss / 1024;
	return (double)(clock_now_ns() - began) / 1e9;
}

static void
measure_run(const char *tpcheck, const char *bitcoind)
{
	double seconds[RUNS], memory[RUNS];
	char *option = xasprintf("--bitcoind=%s", bitcoind);
	char *args[] = {(char *)(uintptr_t)tpcheck,
			(char *)(uintptr_t) "run",
			(char *)(uintptr_t) "--require",
			option,
			(char *)(uintptr_t) "validation.*",
			(char *)(uintptr_t) "utxocache.*",
			NULL};

	for (int i = 0; i < RUNS; i++)
		seconds[i] = time_command(args, &memory[i]);
	report("tpcheck run 'validation.*' 'utxocache.*'", seconds, 3, "s");
	args[4] = (char *)(uintptr_t) "validation.block_connected.submit";
	args[5] = NULL;
	for (int i = 0; i < RUNS; i++)
		seconds[i] = time_command(args, &memory[i]);
	report("tpcheck run, a single scenario", seconds, 0.3, "s");
	args[5] = (char *)(uintptr_t) "--no-cache";
	for (int i = 0; i < RUNS; i++)
		seconds[i] = time_command(args, &memory[i]);
	report("  compiled anew", seconds, 0, "s");
	free(option);
}

/* All scenarios, by BPF and by ptrace in turn. */
static void
measure_all_scenarios(const char *tpcheck, const char *bitcoind)
{
	double bpf_s[RUNS], ptrace_s[RUNS], one_s[RUNS], ratio[RUNS], memory[RUNS];
	char *option = xasprintf("--bitcoind=%s", bitcoind);
	char *args[] = {(char *)(uintptr_t)tpcheck, (char *)(uintptr_t) "run", option, NULL, NULL, NULL};

	for (int i = 0; i < RUNS; i++) {
		args[3] = (char *)(uintptr_t) "--attach=multi";
		bpf_s[i] = time_command(args, &memory[i]);
		args[3] = (char *)(uintptr_t) "--attach=ptrace";
		ptrace_s[i] = time_command(args, &memory[i]);
		ratio[i] = ptrace_s[i] / bpf_s[i];
		args[3] = (char *)(uintptr_t) "--attach=multi";
		args[4] = (char *)(uintptr_t) "--jobs=1";
		one_s[i] = time_command(args, &memory[i]);
		args[4] = NULL;
	}
	/* On two cores. */
	report("tpcheck run, all scenarios, by BPF", bpf_s, 2, "s");
	report("  one after the other", one_s, 0, "s");
	report("  by ptrace", ptrace_s, 0, "s");
	report("  that divided by the time by BPF, run by run", ratio, 2, "  ");
	free(option);
}

static size_t
resident_kib(pid_t pid)
{
	char path[64], line[256];
	size_t kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && !kib && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmHWM: %zu kB", &kib) != 1)
			kib = 0;
	if (file)
		fclose(file);
	return kib;
}

/* The greatest that it had, looked at while it runs: what wait4 reports includes its bitcoinds. */
static void
measure_memory(const char *tpcheck, const char *bitcoind, const char *jobs, double limit_mib)
{
	char *what = xasprintf("tpcheck run --attach=ptrace %s, resident memory", jobs);
	char *option = xasprintf("--bitcoind=%s", bitcoind);
	double mib[RUNS];

	for (int i = 0; i < RUNS; i++) {
		size_t kib = 0;
		pid_t pid = fork();

		if (!pid) {
			if (!freopen("/dev/null", "w", stdout))
				_exit(99);
			execl(tpcheck, "tpcheck", "run", "--attach=ptrace", jobs, option, (char *)NULL);
			_exit(99);
		}
		for (;;) {
			int status;
			size_t now = resident_kib(pid);

			kib = now ? now : kib; /* of the program that it is now: tpcheck executes another */
			if (waitpid(pid, &status, WNOHANG) == pid)
				break;
			clock_pause_ms(5, deadline_in_ms(5));
		}
		mib[i] = (double)kib / 1024;
	}
	report(what, mib, limit_mib, "MiB");
	free(what);
	free(option);
}

/* As CI would run it, within 32 MiB of address space, which bounds its memory. (What wait4 reports of a child's memory
 * includes that of this program before the exec.) */
static void
measure_abi(const char *tpcheck, const char *bitcoind)
{
	const struct rlimit memory = {32 << 20, 32 << 20};
	double took_ms[RUNS];

	for (int i = 0; i < RUNS; i++) {
		int status;

		uint64_t began = clock_now_ns();
		pid_t pid = fork();
		if (!pid) {
			int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

			dup2(null, STDOUT_FILENO);
			setrlimit(RLIMIT_AS, &memory);
			execl(tpcheck, tpcheck, "abi", bitcoind, (char *)NULL);
			_exit(99);
		}
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
			die("tpcheck abi failed");
		took_ms[i] = (double)(clock_now_ns() - began) / 1e6;
	}
	report("tpcheck abi, the whole process, in 32 MiB", took_ms, 20, "ms");
}

int
main(int argc, char **argv)
{
	char reason[600], *bitcoind;
	struct diag diag;

	if (argc == 2 && !strcmp(argv[1], "__specimen"))
		return specimen_main();
	uint64_t pid;
	if (argc == 6 && !strcmp(argv[1], "--arm") && parse_u64(argv[3], &pid))
		return arm(argv[2], (pid_t)pid, argv[4], argv[5]);
	if (argc == 2 && !strcmp(argv[1], "--ptrace-hits")) {
		measure_ptrace_hits();
		return missed;
	}
	static const char against_option[] = "--against=";
	const char *against_dir = NULL;
	if (argc > 1 && !strncmp(argv[1], against_option, strlen(against_option))) {
		against_dir = argv[1] + strlen(against_option);
		argc--;
		argv++;
	}
	if (!against_dir && probe_find_obstacle(PROBE_METHOD_MULTI, reason, sizeof(reason))) {
		printf("SKIP: %s\n", reason);
		return 77;
	}
	const struct node_search search = {.given = argc > 1 ? argv[1] : NULL,
					   .bitcoind_env = getenv("BITCOIND"),
					   .path_env = getenv("PATH")};
	if (against_dir) {
		if (node_find_bitcoind(&search, &bitcoind, &diag)) {
			printf("SKIP: %s\n", diag.text);
			return 77;
		}
		int code = against(against_dir, bitcoind, TPCHECK);
		free(bitcoind);
		return code;
	}
	printf("medians of %d (least to greatest)\n", RUNS);
	measure_hits();
	measure_ptrace_hits();
	if (node_find_bitcoind(&search, &bitcoind, &diag)) {
		printf("SKIP: the rest: %s\n", diag.text);
		return 77;
	}
	measure_abi(TPCHECK, bitcoind);
	measure_start_and_end(bitcoind);
	measure_run(TPCHECK, bitcoind);
	measure_all_scenarios(TPCHECK, bitcoind);
	/* Libraries and code take 12 MiB, each worker's peers, chain and records 8 to 12, and its ring at most 1. */
	measure_memory(TPCHECK, bitcoind, "--jobs=1", 32);
	measure_memory(TPCHECK, bitcoind, "--jobs=2", 42);
	free(bitcoind);
	return missed;
}
