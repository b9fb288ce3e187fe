/* The kernel's maps; skipped where none can be made. */
#include "probe/bpf/sys.h"

#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
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

/* The kernel would give up. */
static void
test_signals_while_a_program_is_loaded(void **state)
{
	enum { LONG = 200000 };
	/* r0 = 0, again and again; exit */
	static const struct bpf_insn zero = {.code = BPF_ALU64 | BPF_MOV | BPF_K},
				     end = {.code = BPF_JMP | BPF_EXIT};
	static struct bpf_insn insns[LONG];
	struct sigaction action = {.sa_handler = ignore}, before;
	struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};

	(void)state;
	for (size_t i = 0; i < LONG - 1; i++)
		insns[i] = zero;
	insns[LONG - 1] = end;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	int fd = bpf_program_load(insns, LONG, "long", 0, NULL, 0);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	if (fd == -EPERM)
		skip();
	assert_true(fd >= 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taking_a_value),
		cmocka_unit_test(test_signals_while_a_program_is_loaded),
	};
	int fd = bpf_try_map(8, 1);

	if (fd < 0) {
		printf("SKIP: no map of BPF can be made: %s\n", strerror(-fd));
		return 77;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
