/* A process that hashes by the clock is stopped meanwhile, and no other one. */
#include "node/idle.h"

#include "base/clock.h"
#include "slowness.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static volatile uint64_t sum;

static void
spin_until(uint64_t end_ns)
{
	while (clock_now_ns() < end_ns)
		for (int i = 0; i < 1000; i++)
			sum += sum * 3 + 1;
}

/* As bitcoind does, but for longer: on a busy machine it would not get far in 0.1 s. The test ends it. */
static void
hash(void)
{
	spin_until(clock_now_ns() + 20000 * MS);
}

/* Touches new pages all the time. */
static void
load(void)
{
	uint64_t end_ns = clock_now_ns() + 100 * MS;

	while (clock_now_ns() < end_ns) {
		char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		*page = 1;
		munmap(page, 4096);
		spin_until(clock_now_ns() + MS / 10);
	}
}

static int begin[2]; /* a pipe: each thread begins with a byte from it */

static void *
spin_beside(void *arg)
{
	char byte;

	(void)arg;
	if (read(begin[0], &byte, 1) != 1)
		_exit(1);
	spin_until(clock_now_ns() + 100 * MS);
	return NULL;
}

static void
run_threads(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, spin_beside, NULL);
	spin_beside(NULL);
	pthread_join(thread, NULL);
}

static void
rest(void)
{
	clock_pause_ms(100, deadline_in_ms(100));
}

static struct process
start(void (*work)(void))
{
	struct process process = {.pid = fork(), .fd = -1};

	if (!process.pid) {
		work();
		_exit(0);
	}
	assert_true(process.pid > 0);
	return process;
}

/* The state of a process in /proc: R, S, T, Z, ... */
static char
state_of(pid_t pid)
{
	char path[64], letter = '?';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &letter) != 1)
		letter = '?';
	if (file)
		fclose(file);
	return letter;
}

static unsigned
threads_of(pid_t pid)
{
	char path[64], line[256];
	unsigned cnt = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file) && sscanf(line, "Threads: %u", &cnt) != 1)
		;
	if (file)
		fclose(file);
	return cnt;
}

static void
look_while(struct process *process, struct idle *idle, enum idle_state idle_state)
{
	struct deadline deadline = deadline_in_ms(15000);

	while (idle->state == idle_state && !deadline_has_passed(deadline)) {
		clock_pause_ms(2, deadline);
		idle_look(idle, process);
	}
}

static void
test_hashing_by_the_clock_is_slept_through(void **state)
{
	struct process process = start(hash);
	struct idle idle = {.state = IDLE_LOOKS};

	(void)state;
	look_while(&process, &idle, IDLE_LOOKS);
	assert_int_equal(idle.state, IDLE_STOPPED);
	uint64_t stopped_ns = clock_now_ns();
	while (state_of(process.pid) != 'T' && clock_now_ns() - stopped_ns < 10000 * MS)
		clock_pause_ms(1, deadline_in_ms(1));
	assert_int_equal(state_of(process.pid), 'T');
	look_while(&process, &idle, IDLE_STOPPED);
	assert_int_equal(idle.state, IDLE_OVER);
	assert_true(state_of(process.pid) != 'T');
	/* Only once. */
	for (int i = 0; i < 20; i++) {
		clock_pause_ms(2, deadline_in_ms(2));
		idle_look(&idle, &process);
	}
	assert_int_equal(idle.state, IDLE_OVER);
	assert_int_equal(process_kill(&process, NULL), 0);
}

/* Whether it was never stopped while it ran. */
static bool
runs_on(void (*work)(void))
{
	struct process process = start(work);
	struct idle idle = {.state = IDLE_LOOKS};
	bool was_stopped = false;

	if (work == run_threads) {
		/* Before the first look there are two. */
		while (threads_of(process.pid) == 1 && !process_has_ended(&process))
			clock_pause_ms(1, deadline_in_ms(1));
		assert_int_equal(threads_of(process.pid), 2);
		assert_int_equal(write(begin[1], "go", 2), 2);
	}
	while (!process_has_ended(&process) && !was_stopped) {
		idle_look(&idle, &process);
		was_stopped = idle.state == IDLE_STOPPED;
		clock_pause_ms(2, deadline_in_ms(2));
	}
	idle_end(&idle, &process);
	assert_int_equal(process_kill(&process, NULL), 0);
	return !was_stopped;
}

/* Where a process's time goes on while an emulator of its processor waits, each seems to hash now and then; on a busy
 * machine, one with a single thread does, which costs it a little time. */
static void
test_others_run_on(void **state)
{
	static void (*const works[])(void) = {load, run_threads, rest};
	enum { TRIES = 5 };

	(void)state;
	if (test_slowness() > 1)
		skip();
	assert_int_equal(pipe(begin), 0);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		int tries = works[i] == run_threads ? 1 : TRIES;

		while (tries && !runs_on(works[i]))
			tries--;
		if (!tries)
			fail_msg("work %zu was taken for hashing", i);
	}
	close(begin[0]);
	close(begin[1]);
}

/* Whoever stops waiting lets it go on. */
static void
test_the_end_of_waiting_ends_the_stop(void **state)
{
	struct process process = start(hash);
	struct idle idle = {.state = IDLE_LOOKS};

	(void)state;
	look_while(&process, &idle, IDLE_LOOKS);
	assert_int_equal(idle.state, IDLE_STOPPED);
	idle_end(&idle, &process);
	assert_int_equal(idle.state, IDLE_OVER);
	assert_true(state_of(process.pid) != 'T');
	assert_int_equal(process_kill(&process, NULL), 0);
	/* Nothing is sent to a process that has ended. */
	idle.state = IDLE_STOPPED;
	idle_end(&idle, &process);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashing_by_the_clock_is_slept_through),
		cmocka_unit_test(test_others_run_on),
		cmocka_unit_test(test_the_end_of_waiting_ends_the_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
