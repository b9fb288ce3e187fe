/* The specimen as a process that does what processes do while somebody traces it: forks, executes, gets signals, and
 * looks at its own code. It obeys the commands of src/run/specimen.h and these, each with a number N:
 *   fork N    forks children; each fires N times and checks its memory before it ends, and so does a child of its own
 *   vfork N   the same by vfork; the child fires N times, then executes this program, which fires N times
 *   spawn N   posix_spawn of this program, which fires N times
 *   exec N    executes this program, which answers
 *   usr1 N    N times SIGUSR1 for its threads, which fire; each must be handled
 *   trap N    N times SIGTRAP, likewise
 *   many N    eight threads fire N times each; value is the number of the thread
 *   start N   starts N threads that fire until stop
 *   churn N   starts N threads that start and end threads, some of which fire once, until stop
 *   stop 0    ends them; each must have gone on since its start
 *   check 0   compares its code with its file, and its semaphores with 0
 *   die N     exits while threads fire
 * What it does not manage is reported on stderr, and the answer is not "done". */
#include "../../src/run/specimen_fire.c"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, CHILDREN = 20, CODE_MAX = 4 << 20 };

extern char **environ;

static int
complain(const char *what)
{
	fprintf(stderr, "victim %d: %s\n", (int)getpid(), what);
	return -1;
}

/* Itself */

static const unsigned short *const semaphores[] = {
#undef TRACEPOINT
#define TRACEPOINT(id, context, event, ...) (const unsigned short *)&context##_##event##_semaphore,
#include "contract/tracepoints.def"
#undef TRACEPOINT
};

static int
check_semaphores(void)
{
	for (size_t i = 0; i < sizeof(semaphores) / sizeof(semaphores[0]); i++)
		if (*(const volatile unsigned short *)semaphores[i])
			return complain("a semaphore is not 0");
	return 0;
}

/* All that is mapped executable from this program's file. */
static int
check_code(void)
{
	static unsigned char in_file[CODE_MAX];
	uint64_t start, end, offset, inode;
	char line[512], permissions[5], self[256];
	size_t seen = 0;
	int err = 0;

	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[len > 0 ? len : 0] = '\0';
	FILE *maps = fopen("/proc/self/maps", "re");
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	while (maps && fd >= 0 && !err && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64, &start, &end,
			   permissions, &offset, &inode) != 5 ||
		    permissions[2] != 'x' || !strstr(line, self))
			continue;
		ssize_t n = pread(fd, in_file, sizeof(in_file), (off_t)offset);
		size_t bytes = n > 0 && (uint64_t)n < end - start ? (size_t)n : (size_t)(end - start);
		if (n <= 0 || bytes > sizeof(in_file) ||
		    memcmp(in_file, (const void *)(uintptr_t)start, bytes) != 0)
			err = complain("its code is not that of its file");
		seen += bytes;
	}
	if (maps)
		fclose(maps);
	if (fd >= 0)
		close(fd);
	return err || seen ? err : complain("no code found");
}

static int
check(void)
{
	return check_code() || check_semaphores() ? -1 : 0;
}

/* Children */

static int
end_well(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return complain("no child");
	if (!status)
		return 0;
	fprintf(stderr, "victim %d: a child ended with status 0x%x\n", (int)getpid(), status);
	return -1;
}

static int
fork_one(uint64_t n)
{
	pid_t pid = fork();

	if (!pid) {
		fire_burst(0, n, 0);
		if (check())
			_exit(1);
		pid_t grandchild = fork();
		if (!grandchild) {
			fire_burst(0, n, 0);
			_exit(check() ? 1 : 0);
		}
		_exit(end_well(grandchild) ? 1 : 0);
	}
	return end_well(pid);
}

static char *const *
args_for(const char *verb, uint64_t n)
{
	static char verb_text[16], n_text[32];
	static char *args[] = {(char *)(uintptr_t) "victim", verb_text, n_text, NULL};

	snprintf(verb_text, sizeof(verb_text), "%s", verb);
	snprintf(n_text, sizeof(n_text), "%" PRIu64, n);
	return args;
}

static int
vfork_one(uint64_t n)
{
	char *const *args = args_for("fire", n);
	pid_t pid = vfork();

	if (!pid) {
		fire_burst(0, n, 0);
		execv("/proc/self/exe", args);
		_exit(127);
	}
	return end_well(pid);
}

static int
spawn_one(uint64_t n)
{
	pid_t pid;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args_for("fire", n), environ))
		return complain("posix_spawn failed");
	return end_well(pid);
}

static int
repeat(int (*act)(uint64_t), uint64_t n)
{
	for (int i = 0; i < CHILDREN; i++)
		if (act(n))
			return -1;
	return 0;
}

/* Threads that fire */

static struct firing {
	pthread_t thread;
	atomic_uint_fast64_t hits;
} firing[THREADS];
static size_t firing_cnt;
static atomic_bool stops;

static void *
fire_until_stop(void *arg)
{
	struct firing *me = arg;

	for (uint64_t i = 0; !stops; i++) {
		fire_burst(i, 1, me - firing);
		me->hits++;
	}
	return NULL;
}

static void *
churn_until_stop(void *arg)
{
	struct firing *me = arg;
	struct storm storm = {0, 0, me - firing};
	pthread_t thread;

	while (!stops && !pthread_create(&thread, NULL, fire_storm, &storm)) {
		storm.cnt = me->hits % 16 == 0;
		pthread_join(thread, NULL);
		me->hits++;
	}
	return NULL;
}

static int
start_threads(uint64_t n, void *(*run)(void *))
{
	stops = false;
	for (firing_cnt = 0; firing_cnt < n && firing_cnt < THREADS; firing_cnt++) {
		firing[firing_cnt].hits = 0;
		if (pthread_create(&firing[firing_cnt].thread, NULL, run, &firing[firing_cnt]))
			return complain("no thread");
	}
	return 0;
}

static int
stop_threads(void)
{
	for (size_t i = 0; i < firing_cnt; i++)
		for (uint64_t before = firing[i].hits; firing[i].hits == before;)
			sched_yield();
	stops = true;
	for (size_t i = 0; i < firing_cnt; i++)
		pthread_join(firing[i].thread, NULL);
	firing_cnt = 0;
	return 0;
}

static int
fire_many(uint64_t cnt)
{
	struct storm storms[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		storms[i] = (struct storm){0, cnt, i};
		if (pthread_create(&threads[i], NULL, fire_storm, &storms[i]))
			return complain("no thread");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* Signals */

static atomic_uint_fast64_t handled;

static void
on_signal(int signo)
{
	(void)signo;
	handled++;
}

/* A signal that is sent while it is pending is lost, so each is waited for. They are sent to the process, because a
 * trap is one that is sent to the thread; this thread, which does not fire, blocks them. */
static int
get_signals(int signo, uint64_t cnt)
{
	struct sigaction before, action = {.sa_handler = on_signal};
	sigset_t set;

	handled = 0;
	sigemptyset(&set);
	sigaddset(&set, signo);
	if (sigaction(signo, &action, &before) || start_threads(2, fire_until_stop) ||
	    pthread_sigmask(SIG_BLOCK, &set, NULL))
		return complain("no signals");
	for (uint64_t i = 0; i < cnt; i++) {
		kill(getpid(), signo);
		while (handled <= i)
			sched_yield();
	}
	int err = stop_threads();
	if (handled != cnt)
		err = complain("more signals than were sent");
	return pthread_sigmask(SIG_UNBLOCK, &set, NULL) || sigaction(signo, &before, NULL) ? -1 : err;
}

static int
obey_here(const char *verb, uint64_t n)
{
	if (!strcmp(verb, "fork"))
		return repeat(fork_one, n);
	if (!strcmp(verb, "vfork"))
		return repeat(vfork_one, n);
	if (!strcmp(verb, "spawn"))
		return repeat(spawn_one, n);
	if (!strcmp(verb, "exec"))
		return execv("/proc/self/exe", args_for("again", n));
	if (!strcmp(verb, "usr1"))
		return get_signals(SIGUSR1, n);
	if (!strcmp(verb, "trap"))
		return get_signals(SIGTRAP, n);
	if (!strcmp(verb, "many"))
		return fire_many(n);
	if (!strcmp(verb, "start"))
		return start_threads(n, fire_until_stop);
	if (!strcmp(verb, "churn"))
		return start_threads(n, churn_until_stop);
	if (!strcmp(verb, "stop"))
		return stop_threads();
	if (!strcmp(verb, "check"))
		return check();
	if (!strcmp(verb, "die"))
		exit(start_threads(n, fire_until_stop));
	return obey(verb, n);
}

int
main(int argc, char **argv)
{
	char line[64], verb[16];
	uint64_t n = 0;

	if (argc == 3 && !strcmp(argv[1], "fire") && parse_u64(argv[2], &n)) {
		fire_burst(0, n, 0);
		return check() ? 1 : 0;
	}
	if (argc == 3)
		puts("done");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%15s %" SCNu64, verb, &n) != 2)
			return 2;
		puts(obey_here(verb, n) ? "oops" : "done");
		fflush(stdout);
	}
	return 0;
}
