/* tpcheck is killed with SIGKILL while it attaches to a busy process. Afterwards no trap, no raised semaphore, no
 * event of tracefs, no folder and no process must be left, and the process must run on. By ptrace, each of tpcheck's
 * processes is killed in turn, also while it detaches.
 *
 * kill_test <tpcheck-full> [KILLS [METHOD]]
 *
 * KILLS is the number for each way to attach, 12 unless given. Half of the kills come when the first trap is seen
 * in the process, or up to 3 ms later; the others at any time of the start. Another argument is the only method to
 * try, or "keeper", which kills the keeper, too: to show that the test sees what stays. */
#include "base/clock.h"
#include "base/signals.h"
#include "base/text.h"
#include "base/xmem.h"
#include "notes/notes.h"
#include "probe/probe.h"
#include "slowness.h"
#include "surroundings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLEAN_MS = 60000, START_MS = 10000, PATH_BYTES = 256 };
enum { DURING_KILLS = 12 }; /* of so many, one at least must come when a trap is seen */

static const char *tpcheck;
static char scratch[64];
static struct notes *notes;

/* The process that is traced. */
struct victim {
	pid_t pid;
	int in_fd, mem_fd;
	uint64_t code, data; /* the addresses of offset 0 of the file there */
};

struct kill_counts {
	unsigned kills, during; /* during: when traps were set */
	unsigned traps, semaphores, events, folders, processes;
};

static void
give_up(const char *what)
{
	fprintf(stderr, "kill_test: %s: %s\n", what, strerror(errno));
	exit(99);
}

static uint64_t
random_below(uint64_t end)
{
	return end ? (uint64_t)random() % end : 0;
}

/* The address of an offset of the file: of code, or of private data that can be written. */
static uint64_t
find_address(pid_t pid, uint64_t file_offset, bool writable)
{
	uint64_t start, end, offset, found = 0;
	char path[PATH_BYTES], line[1024], permissions[5];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64, &start, &end, permissions,
			   &offset) == 4 &&
		    strstr(line, "/tpcheck-full") &&
		    permissions[writable ? 1 : 2] == (writable ? 'w' : 'x') && file_offset >= offset &&
		    file_offset - offset < end - start && !found)
			found = start + (file_offset - offset);
	if (maps)
		fclose(maps);
	return found;
}

static void
start_victim(struct victim *victim)
{
	int in[2], out[2];
	char path[PATH_BYTES], answer[5];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		give_up("pipe");
	pid_t parent = getpid();
	victim->pid = fork();
	if (victim->pid == 0) {
		signals_end_with(parent);
		dup2(in[0], 0);
		dup2(out[1], 1);
		unsetenv("TMPDIR"); /* the mark of what belongs to the killed ones */
		/* The kernel, which has to take out what is left, and other tests come first. */
		setpriority(PRIO_PROCESS, 0, 10);
		execl(tpcheck, "tpcheck-full", "__specimen", NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	victim->in_fd = in[1];
	if (write(in[1], "burst 0\n", 8) != 8 || read(out[0], answer, 5) != 5)
		give_up("the specimen does not answer");
	/* For ever, in four threads. */
	if (write(in[1], "storm 1000000000000000\n", 23) != 23)
		give_up("storm");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)victim->pid);
	victim->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (victim->mem_fd < 0)
		give_up(path);
}

static void
end_victim(struct victim *victim)
{
	kill(victim->pid, SIGKILL);
	waitpid(victim->pid, NULL, 0);
	close(victim->in_fd);
	close(victim->mem_fd);
}

static void
read_at(const struct victim *victim, uint64_t address, void *to, size_t sz)
{
	if (!address || pread(victim->mem_fd, to, sz, (off_t)address) != (ssize_t)sz)
		give_up("reading the specimen's memory");
}

/* Counts the sites whose byte is not that of the file, and those whose semaphore is raised. */
static void
look_at(const struct victim *victim, unsigned *traps, unsigned *semaphores)
{
	int exe_fd = open(tpcheck, O_RDONLY | O_CLOEXEC);

	*traps = *semaphores = 0;
	for (size_t i = 0; i < notes_cnt(notes); i++) {
		const struct site *site = &notes_sites(notes)[i];
		uint8_t in_file, in_memory;
		uint16_t semaphore = 0;

		if (pread(exe_fd, &in_file, 1, (off_t)site->file_offset) != 1)
			give_up("reading the specimen's file");
		read_at(victim, find_address(victim->pid, site->file_offset, false), &in_memory, 1);
		if (site->semaphore_file_offset)
			read_at(victim, find_address(victim->pid, site->semaphore_file_offset, true),
				&semaphore, sizeof(semaphore));
		*traps += in_memory != in_file;
		*semaphores += semaphore != 0;
	}
	close(exe_fd);
}

/* Those of our process: others may be tracing too. */
static unsigned
count_events(const struct victim *victim)
{
	char line[512], path[PATH_BYTES];
	unsigned cnt = 0;
	FILE *file = fopen("/sys/kernel/tracing/uprobe_events", "re");

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)victim->pid);
	while (file && fgets(line, sizeof(line), file))
		cnt += strstr(line, path) != NULL;
	if (file)
		fclose(file);
	return cnt;
}

static unsigned
count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned cnt = 0;

	while (dir && (entry = readdir(dir)))
		cnt += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return cnt;
}

/* Those that were started with our TMPDIR, except ourselves. */
static unsigned
count_processes(pid_t *one)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned cnt = 0;

	while (proc && (entry = readdir(proc))) {
		char path[PATH_BYTES + 32], text[8192];
		uint64_t pid;

		if (!parse_u64(entry->d_name, &pid) || pid == (uint64_t)getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/environ", entry->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
		if (fd >= 0)
			close(fd);
		if (n > 0 && memmem(text, (size_t)n, scratch, strlen(scratch))) {
			cnt++;
			*one = (pid_t)pid;
		}
	}
	if (proc)
		closedir(proc);
	return cnt;
}

static pid_t
start_trace(const struct victim *victim, const char *method)
{
	char *pid_option = xasprintf("--pid=%d", (int)victim->pid),
	     *attach = xasprintf("--attach=%s", method);
	pid_t pid = fork();

	if (pid == 0) {
		int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		dup2(null_fd, 1);
		dup2(null_fd, 2);
		setenv("TMPDIR", scratch, 1);
		execl(tpcheck, "tpcheck-full", "trace", pid_option, attach, "--stats", NULL);
		_exit(127);
	}
	free(pid_option);
	free(attach);
	return pid;
}

static bool
has_ended(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* Returns when any trap is set; false if that does not happen. */
static bool
wait_for_trap(const struct victim *victim, pid_t tracer, struct deadline deadline)
{
	static uint64_t addresses[64];
	static uint8_t bytes[64];
	static pid_t known;
	size_t cnt = notes_cnt(notes) < 64 ? notes_cnt(notes) : 64;

	for (size_t i = 0; known != victim->pid && i < cnt; i++) {
		addresses[i] = find_address(victim->pid, notes_sites(notes)[i].file_offset, false);
		read_at(victim, addresses[i], &bytes[i], 1);
	}
	known = victim->pid;
	while (!deadline_has_passed(deadline) && !has_ended(tracer))
		for (size_t i = 0; i < cnt; i++) {
			uint8_t now;

			read_at(victim, addresses[i], &now, 1);
			if (now != bytes[i])
				return true;
		}
	return false;
}

static void
spin_us(uint64_t us)
{
	uint64_t end_ns = clock_now_ns() + us * 1000;

	while (clock_now_ns() < end_ns)
		;
}

/* Whether nothing is left; waits for it. */
static bool
becomes_clean(const struct victim *victim, struct kill_counts *now)
{
	struct deadline deadline = deadline_in_ms(CLEAN_MS * test_slowness());
	pid_t one = 0;

	for (;;) {
		now->processes = count_processes(&one);
		look_at(victim, &now->traps, &now->semaphores);
		now->events = count_events(victim);
		now->folders = count_entries(scratch);
		if (!now->processes && !now->traps && !now->semaphores && !now->events && !now->folders)
			return true;
		/* Without a process that could do it, nothing more will happen. */
		if (deadline_has_passed(deadline) || !now->processes)
			return false;
		clock_pause_ms(10, deadline);
	}
}

/* The killed ones and their keepers. */
static pid_t *ours;
static size_t ours_cnt;

static void
remember(pid_t pid)
{
	ours = xreallocarray(ours, ours_cnt + 1, sizeof(*ours));
	ours[ours_cnt++] = pid;
}

/* By ptrace: which of tpcheck's processes is killed. */
enum target { TARGET_TPCHECK, TARGET_TRACER, TARGET_KEEPER, TARGETS };

/* When one of the others was killed, tpcheck ends by itself, or goes on until it is asked to end. */
static void
end_tpcheck(pid_t tpcheck_pid, enum target target)
{
	struct deadline deadline = deadline_in_ms(START_MS * test_slowness());

	if (target == TARGET_TPCHECK)
		kill(tpcheck_pid, SIGKILL);
	while (target == TARGET_TRACER && !has_ended(tpcheck_pid) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	if (!has_ended(tpcheck_pid)) {
		if (target == TARGET_TRACER)
			give_up("tpcheck does not notice that its tracer process was killed");
		kill(tpcheck_pid, SIGINT);
	}
	waitpid(tpcheck_pid, NULL, 0);
}

static void
kill_by_ptrace(pid_t tpcheck_pid, unsigned number)
{
	enum target target = number % TARGETS;
	/* The keeper is the one child of tpcheck, and the tracer process that of the keeper. */
	pid_t keeper = test_child_of(tpcheck_pid), tracer = keeper ? test_child_of(keeper) : 0;

	if (number % 4 == 3) { /* while it detaches */
		kill(tpcheck_pid, SIGINT);
		spin_us(random_below(2000));
	}
	if (target == TARGET_KEEPER && keeper)
		kill(keeper, SIGKILL);
	/* Its parent has not waited for it yet, or the number would be another's. */
	if (target == TARGET_TRACER && tracer && test_child_of(keeper) == tracer)
		kill(tracer, SIGKILL);
	end_tpcheck(tpcheck_pid, target == TARGET_TRACER && !tracer ? TARGET_TPCHECK : target);
}

/* Its CPU time, in clock ticks. */
static uint64_t
cpu_ticks(const struct victim *victim)
{
	char path[PATH_BYTES];
	unsigned long user = 0, kernel = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)victim->pid);
	FILE *file = fopen(path, "re");
	if (file && fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			   &kernel) != 2)
		user = kernel = 0;
	if (file)
		fclose(file);
	return user + kernel;
}

static bool
runs_on(const struct victim *victim)
{
	struct deadline deadline = deadline_in_ms(START_MS * test_slowness());
	uint64_t before = cpu_ticks(victim);

	while (!has_ended(victim->pid) && cpu_ticks(victim) == before && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	return !has_ended(victim->pid) && cpu_ticks(victim) != before;
}

static void
kill_one(const struct victim *victim, const char *method, bool also_keeper, unsigned number,
	 uint64_t *attach_us, struct kill_counts *counts)
{
	uint64_t start_ns = clock_now_ns();
	pid_t tracer = start_trace(victim, method);
	bool seen = number / 2 % 2 == 0 &&
		    wait_for_trap(victim, tracer, deadline_in_ms(START_MS * test_slowness()));

	if (seen) {
		*attach_us = (clock_now_ns() - start_ns) / 1000;
		spin_us(random_below(3000));
	} else {
		/* Around the time that the last attach needed. */
		uint64_t pause_us = *attach_us * 6 / 10 + random_below(*attach_us * 6 / 10);

		clock_pause_ms((unsigned)(pause_us / 1000), deadline_in_ms(pause_us / 1000));
	}
	counts->kills++;
	counts->during += seen;
	if (!strcmp(method, "ptrace")) {
		kill_by_ptrace(tracer, number);
		return;
	}
	pid_t keeper = test_child_of(tracer);
	if (keeper && also_keeper)
		kill(keeper, SIGKILL);
	remember(tracer);
	remember(keeper);
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
}

static bool
try_method(const char *method, unsigned kills, bool also_keeper)
{
	struct kill_counts counts = {0}, now = {0};
	uint64_t attach_us = 400000;
	struct victim victim;
	bool clean = true;

	start_victim(&victim);
	for (unsigned i = 0; i < kills; i++) {
		kill_one(&victim, method, also_keeper, i, &attach_us, &counts);
		if (!runs_on(&victim)) {
			printf("kill %u by %s: the process no longer runs\n", i, method);
			end_victim(&victim);
			start_victim(&victim);
			clean = false;
			continue;
		}
		if (becomes_clean(&victim, &now))
			continue;
		clean = false;
		printf("kill %u by %s left %u traps, %u semaphores, %u events, %u files and folders, %u processes\n",
		       i, method, now.traps, now.semaphores, now.events, now.folders, now.processes);
		/* A new process, so that the next kills are judged by what they leave. */
		end_victim(&victim);
		start_victim(&victim);
	}
	end_victim(&victim);
	if (kills >= DURING_KILLS && !counts.during) {
		printf("%s: no kill came when a trap was seen: nothing is shown by this\n", method);
		clean = false;
	}
	printf("%s: %u kills, %u of them when traps were seen; attached after %" PRIu64 " ms; %s\n", method,
	       counts.kills, counts.during, attach_us / 1000, clean ? "nothing left" : "something was left");
	fflush(stdout);
	return clean;
}

static bool
is_ours(const char *line)
{
	for (size_t i = 0; i < ours_cnt; i++) {
		char text[32];

		snprintf(text, sizeof(text), ":%d failed to", (int)ours[i]);
		if (ours[i] && strstr(line, text))
			return true;
	}
	return false;
}

/* Lines of the kernel's log about uprobes that it failed to take out, after the first skipped ones: all, and those
 * of our processes. */
static unsigned
count_log_lines(unsigned skipped, unsigned *of_ours)
{
	char line[1024];
	unsigned cnt = 0;
	FILE *log = popen("dmesg 2>/dev/null", "re");

	*of_ours = 0;
	while (log && fgets(line, sizeof(line), log))
		if (strstr(line, "failed to unregister, leaking uprobe") && ++cnt > skipped)
			*of_ours += is_ours(line);
	if (log)
		pclose(log);
	return cnt;
}

int
main(int argc, char **argv)
{
	static const struct {
		enum probe_method method;
		const char *name;
	} methods[] = {{PROBE_METHOD_MULTI, "multi"},
		       {PROBE_METHOD_PERF, "perf"},
		       {PROBE_METHOD_TRACEFS, "tracefs"},
		       {PROBE_METHOD_PTRACE, "ptrace"}};
	uint64_t kills = 12;
	unsigned tried = 0, failed = 0;
	char reason[600] = "";
	struct diag diag;

	if (argc < 2 || (argc > 2 && (!parse_u64(argv[2], &kills) || kills > 100000)))
		return 2;
	tpcheck = argv[1];
	test_mount_tracefs();
	if (probe_find_early_obstacle(PROBE_METHOD_AUTO, reason, sizeof(reason))) {
		printf("SKIP: %s\n", reason);
		return 77;
	}
	snprintf(scratch, sizeof(scratch), "/tmp/tpcheck-killtest-XXXXXX");
	if (notes_open(&notes, tpcheck, &diag) || !mkdtemp(scratch))
		give_up("preparing");
	srandom((unsigned)clock_now_ns());
	unsigned of_ours, lines = count_log_lines(0, &of_ours);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (argc > 3 && strcmp(argv[3], "keeper") && strcmp(argv[3], methods[i].name))
			continue;
		if (probe_find_obstacle(methods[i].method, reason, sizeof(reason))) {
			printf("%s is not tried: %s\n", methods[i].name, reason);
			continue;
		}
		tried++;
		failed +=
			!try_method(methods[i].name, (unsigned)kills, argc > 3 && !strcmp(argv[3], "keeper"));
	}
	count_log_lines(lines, &of_ours);
	printf("the kernel's log has %u new lines about uprobes that it failed to take out\n", of_ours);
	failed += of_ours > 0;
	free(ours);
	rmdir(scratch);
	notes_free(notes);
	if (!tried)
		printf("SKIP: %s\n", reason);
	return failed ? 1 : tried ? 0 : 77;
}
