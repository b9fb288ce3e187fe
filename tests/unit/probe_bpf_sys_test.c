/* The kernel's maps; skipped where none can be made. */
#include "probe/bpf/sys.h"

#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In one step, or in two on older kernels: what was there is returned, and then is gone. */
static void
test_taking_a_value(void **state)
{
	static const uint32_t ours = 17, other = 19;
	uint64_t first = 12345678, second = 87654321, found = 0;
	uint32_t key = 0;
	int fd = bpf_try_map(sizeof(first), 4);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_take(fd, &ours, &found), -ENOENT);
	assert_int_equal(bpf_map_write(fd, &ours, &first), 0);
	assert_int_equal(bpf_map_write(fd, &other, &second), 0);
	assert_int_equal(bpf_map_take(fd, &ours, &found), 0);
	assert_int_equal(found, first);
	assert_int_equal(bpf_map_take(fd, &ours, &found), -ENOENT);
	assert_int_equal(bpf_map_read(fd, &ours, &found), -ENOENT);
	/* The other one is still there. */
	assert_int_equal(bpf_map_next_key(fd, NULL, &key), 0);
	assert_int_equal(key, other);
	assert_int_equal(bpf_map_read(fd, &other, &found), 0);
	assert_int_equal(found, second);
	assert_int_equal(bpf_map_next_key(fd, &other, &key), -ENOENT);
	close(fd);
}

static void
ignore(int signo)
{
	(void)signo;
}

enum { LONG = 200000 };

/* A program whose verification takes some 20 ms; skips where none of that size may be loaded. */
static int
load_long_program(void)
{
	/* r0 = 0, again and again; exit */
	static const struct bpf_insn zero = {.code = BPF_ALU64 | BPF_MOV | BPF_K},
				     end = {.code = BPF_JMP | BPF_EXIT};
	static struct bpf_insn insns[LONG];

	for (size_t i = 0; i < LONG - 1; i++)
		insns[i] = zero;
	insns[LONG - 1] = end;
	return bpf_program_load(insns, LONG, "long", 0, NULL, 0);
}

static void
assert_is_loaded(int fd)
{
	if (fd == -EPERM || fd == -E2BIG)
		skip();
	assert_true(fd >= 0);
	close(fd);
}

/* The kernel would give up. */
static void
test_signals_while_a_program_is_loaded(void **state)
{
	struct sigaction action = {.sa_handler = ignore}, before;
	struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	int fd = load_long_program();
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_is_loaded(fd);
}

/* It would give up, too, and no signal mask helps. */
static void
test_being_stopped_while_a_program_is_loaded(void **state)
{
	pid_t parent = getpid(), child = fork();

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		for (int i = 0; i < 3; i++) {
			poll(NULL, 0, 3);
			kill(parent, SIGSTOP);
			poll(NULL, 0, 1);
			kill(parent, SIGCONT);
		}
		_exit(0);
	}
	int fd = load_long_program();
	waitpid(child, NULL, 0);
	assert_is_loaded(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taking_a_value),
		cmocka_unit_test(test_signals_while_a_program_is_loaded),
		cmocka_unit_test(test_being_stopped_while_a_program_is_loaded),
	};
	int fd = bpf_try_map(8, 1);

	if (fd < 0) {
		printf("SKIP: no map of BPF can be made: %s\n", strerror(-fd));
		return 77;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
