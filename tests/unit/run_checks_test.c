/* What a machine can spoil in a measurement, and when to stop trying. */
#include "run/checks.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NS_PER_MS INT64_C(1000000)

static void
test_the_clock_being_set(void **state)
{
	(void)state;
	/* What reading two clocks one after the other may explain. */
	assert_false(checks_clock_was_set(0, 0, 0));
	assert_false(checks_clock_was_set(5, 5 + 20 * NS_PER_MS, 0));
	assert_false(checks_clock_was_set(5 + 20 * NS_PER_MS, 5, 0));
	assert_true(checks_clock_was_set(5, 6 + 20 * NS_PER_MS, 0));
	assert_true(checks_clock_was_set(6 + 20 * NS_PER_MS, 5, 0));
	/* The clock is disciplined meanwhile: a millisecond in a second. */
	assert_false(checks_clock_was_set(0, 30 * NS_PER_MS, 10000 * NS_PER_MS));
	assert_true(checks_clock_was_set(0, 30 * NS_PER_MS + 1, 10000 * NS_PER_MS));
	assert_true(checks_clock_was_set(0, -30 * NS_PER_MS - 1, 10000 * NS_PER_MS));
}

static void
test_the_real_clocks(void **state)
{
	int64_t before_ns = machine_real.clock_offset_ns(), wall_ns = (int64_t)time(NULL) * 1000 * NS_PER_MS;
	struct timespec monotonic;

	(void)state;
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &monotonic), 0);
	int64_t sum_ns = before_ns + (int64_t)monotonic.tv_sec * 1000 * NS_PER_MS + monotonic.tv_nsec;
	assert_true(sum_ns - wall_ns > -2000 * NS_PER_MS && sum_ns - wall_ns < 5000 * NS_PER_MS);
}

static unsigned slow_readings; /* of the wall clock, in which the thread loses its processor */

/* In place of the one in the C library. */
int
clock_gettime(clockid_t id, struct timespec *out)
{
	if (id == CLOCK_REALTIME && slow_readings) {
		slow_readings--;
		poll(NULL, 0, 40);
	}
	return (int)syscall(SYS_clock_gettime, id, out);
}

static void
test_a_slow_reading_of_the_clocks(void **state)
{
	int64_t before_ns = machine_real.clock_offset_ns();

	(void)state;
	slow_readings = 2;
	assert_false(checks_clock_was_set(before_ns, machine_real.clock_offset_ns(), 0));
	assert_int_equal(slow_readings, 0);
	slow_readings = 100; /* it does not try for ever */
	assert_true(checks_clock_was_set(before_ns, machine_real.clock_offset_ns(), 0));
	assert_in_range(slow_readings, 50, 99);
	slow_readings = 0;
}

static void
test_the_real_memory(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 3 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
	uint64_t at = (uintptr_t)memory;
	/* No page was touched: there is memory, but none is resident. */
	assert_true(machine_real.is_mapped(getpid(), at));
	assert_true(machine_real.is_mapped(getpid(), at + page - 1));
	assert_false(machine_real.is_mapped(getpid(), at + page));
	assert_false(machine_real.is_mapped(getpid(), at + 2 * page - 1));
	assert_true(machine_real.is_mapped(getpid(), at + 2 * page));
	assert_int_equal(munmap(memory, 3 * page), 0);
	assert_false(machine_real.is_mapped(getpid(), 8));
	assert_false(machine_real.is_mapped(0, at));
}

/* A process with a page at 0x1000. */
static bool
has_one_page(pid_t pid, uint64_t address)
{
	assert_int_equal(pid, 42);
	return address >= 0x1000 && address < 0x2000;
}

static bool
takes_low_pages(pid_t pid, uint64_t address, uint64_t len)
{
	assert_int_equal(pid, 42);
	assert_true(len > 0);
	return address < 0x1f00;
}

/* Wrong addresses and lengths are the binary's mistakes: memory that does not exist, or that nobody has taken. */
static void
test_wrong_lengths(void **state)
{
	const struct machine machine = {.is_mapped = has_one_page, .takes_pages = takes_low_pages};
	struct event event = {.args_cnt = 1};
	struct value *value = &event.args[0];

	(void)state;
	*value = (struct value){.type = VALUE_BYTES,
				.state = VALUE_BAD_POINTER,
				.error = EFAULT,
				.u = 0x1800,
				.full_len = 0x800};
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 1);
	value->full_len = 0x801;
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	value->full_len = UINT64_MAX;
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	value->u = UINT64_MAX;
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	*value = (struct value){.type = VALUE_HASH, .state = VALUE_BAD_POINTER, .error = EFAULT, .u = 0x1e00};
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 1);
	value->u = 0x1fe0; /* there, and not taken */
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	value->u = 0x1fe1;
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
}

/* What was never written to was not taken, and what belongs to a file may have been. */
static void
test_the_real_pages(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(madvise(memory, 2 * page, MADV_NOHUGEPAGE), 0);
	assert_false(machine_real.takes_pages(getpid(), (uintptr_t)memory, 2 * page));
	assert_true(machine_real.takes_pages(getpid(), (uintptr_t)&machine_real, 1));
	assert_true(machine_real.takes_pages(0, (uintptr_t)memory, 1)); /* nobody knows */
	assert_int_equal(munmap(memory, 2 * page), 0);
}

static uint64_t
first_number(const char *path, const char *word)
{
	char line[256];
	FILE *file = fopen(path, "re");
	uint64_t number = 0;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, word, strlen(word)))
			number = strtoull(line + strlen(word), NULL, 10);
	if (file)
		fclose(file);
	return number;
}

/* What was written to and is there now may have been away only where something takes pages away for a while. (For the
 * other branch on a machine without swap: swapon, by hand.) */
static void
test_pages_that_were_written_to(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const uint64_t swap_kb = first_number("/proc/meminfo", "SwapTotal:");
	const uint64_t balances = first_number("/proc/sys/kernel/numa_balancing", "");
	char *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char is_resident = 1;

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	memory[0] = 1;
	assert_int_equal(machine_real.takes_pages(getpid(), (uintptr_t)memory, 1), swap_kb || balances);
	if (swap_kb && !madvise(memory, page, MADV_PAGEOUT) && !mincore(memory, page, &is_resident) &&
	    !(is_resident & 1))
		assert_true(machine_real.takes_pages(getpid(), (uintptr_t)memory, 1));
	else
		print_message("no page was swapped out\n");
	assert_int_equal(munmap(memory, page), 0);
}

static void
test_absent_pages(void **state)
{
	const struct machine machine = {.is_mapped = has_one_page, .takes_pages = takes_low_pages};
	struct event event = {.args_cnt = 3};

	(void)state;
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	event.args[1] = (struct value){.state = VALUE_BAD_POINTER, .error = EFAULT, .u = 0x1800};
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 2);
	/* A pointer to nowhere is wrong, whatever the machine does. */
	event.args[1].u = 8;
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	event.args[1].u = 0x2000;
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	/* Another error, a value that was read, and an operand that was not. */
	event.args[1] = (struct value){.state = VALUE_BAD_POINTER, .error = EINVAL, .u = 0x1800};
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	event.args[1] = (struct value){.state = VALUE_READ, .error = EFAULT, .u = 0x1800};
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	event.args[1] = (struct value){.state = VALUE_BAD_OPERAND, .error = EFAULT, .u = 0x1800};
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
	event.args[2] = (struct value){.state = VALUE_BAD_POINTER, .error = EFAULT, .u = 0x1000};
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 3);
	event.args_cnt = 2;
	assert_int_equal(checks_find_absent_page(&machine, 42, &event), 0);
}

static void
count(struct timeouts *timeouts, unsigned cnt, const char *name, int err)
{
	while (cnt--)
		timeouts_count(timeouts, name, err);
}

static void
test_a_context_is_given_up(void **state)
{
	struct timeouts timeouts = {0};

	(void)state;
	assert_false(timeouts_rule_out(&timeouts, "net.a.b"));
	/* Whatever ends in time, or for another reason, begins the count anew. */
	count(&timeouts, 2, "net.a.b", -ETIMEDOUT);
	count(&timeouts, 1, "net.a.b", 0);
	count(&timeouts, 2, "net.a.b", -ETIMEDOUT);
	count(&timeouts, 1, "net.a.b", -EIO);
	count(&timeouts, 2, "net.a.b", -ETIMEDOUT);
	assert_false(timeouts_rule_out(&timeouts, "net.a.b"));
	count(&timeouts, 1, "net.c.d", -ETIMEDOUT);
	assert_true(timeouts_rule_out(&timeouts, "net.e.f"));
	assert_false(timeouts_rule_out(&timeouts, "network.e.f"));
	assert_false(timeouts_rule_out(&timeouts, "ne.e.f"));
	assert_false(timeouts_rule_out(&timeouts, "mempool.e.f"));
	assert_false(timeouts.all);
}

static void
test_contexts_are_counted_by_themselves(void **state)
{
	struct timeouts timeouts = {0};

	(void)state;
	/* What passes meanwhile in another one does not help it. */
	for (size_t i = 0; i < 3; i++) {
		assert_false(timeouts_rule_out(&timeouts, "net.a.b"));
		count(&timeouts, 1, "net.a.b", -ETIMEDOUT);
		count(&timeouts, 1, "mempool.a.b", 0);
	}
	assert_true(timeouts_rule_out(&timeouts, "net.a.b"));
	/* Timeouts of several are not put down to the last. */
	timeouts = (struct timeouts){0};
	count(&timeouts, 2, "net.a.b", -ETIMEDOUT);
	count(&timeouts, 1, "mempool.a.b", -ETIMEDOUT);
	count(&timeouts, 2, "utxocache.a.b", -ETIMEDOUT);
	assert_false(timeouts_rule_out(&timeouts, "net.a.b"));
	assert_false(timeouts_rule_out(&timeouts, "mempool.a.b"));
	assert_false(timeouts_rule_out(&timeouts, "utxocache.a.b"));
	assert_false(timeouts.all);
	/* Unless nothing ends in time. */
	count(&timeouts, 1, "mempool.a.b", -ETIMEDOUT);
	assert_true(timeouts.all);
}

static void
test_two_contexts_are_enough(void **state)
{
	struct timeouts timeouts = {0};

	(void)state;
	count(&timeouts, 3, "net.a.b", -ETIMEDOUT);
	count(&timeouts, 1, "validation.a.b", 0);
	/* The second context is given the same number of tries. */
	count(&timeouts, 2, "mempool.a.b", -ETIMEDOUT);
	assert_false(timeouts.all);
	count(&timeouts, 1, "mempool.a.b", 0);
	/* What is not tried does not count. */
	count(&timeouts, 5, "net.a.b", -ECANCELED);
	count(&timeouts, 2, "mempool.a.b", -ETIMEDOUT);
	assert_false(timeouts.all);
	count(&timeouts, 5, "net.a.b", -ECANCELED);
	count(&timeouts, 1, "mempool.a.b", -ETIMEDOUT);
	assert_true(timeouts.all);
}

static void
test_contexts_that_there_is_no_room_for(void **state)
{
	static const char *const names[] = {"a.", "b.", "c.", "d.", "e.", "f.", "g.", "h.",
					    "i.", "j.", "k.", "l.", "m.", "n.", "o.", "p."};
	struct timeouts timeouts = {0};

	(void)state;
	for (size_t i = 0; i < TIMEOUTS_CONTEXTS_MAX; i++)
		count(&timeouts, 1, names[i], 0);
	count(&timeouts, 7, "q.a.b", -ETIMEDOUT);
	assert_false(timeouts_rule_out(&timeouts, "q.a.b"));
	assert_false(timeouts.all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_clock_being_set),
		cmocka_unit_test(test_the_real_clocks),
		cmocka_unit_test(test_a_slow_reading_of_the_clocks),
		cmocka_unit_test(test_the_real_memory),
		cmocka_unit_test(test_pages_that_were_written_to),
		cmocka_unit_test(test_absent_pages),
		cmocka_unit_test(test_wrong_lengths),
		cmocka_unit_test(test_the_real_pages),
		cmocka_unit_test(test_a_context_is_given_up),
		cmocka_unit_test(test_two_contexts_are_enough),
		cmocka_unit_test(test_contexts_are_counted_by_themselves),
		cmocka_unit_test(test_contexts_that_there_is_no_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
