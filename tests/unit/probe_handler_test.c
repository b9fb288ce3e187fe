/* Looking for code in the memory of a process; a file takes its place. */
#include "probe/ptrace/handler_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* What is read at once. */
enum { CHUNK_BYTES = 1 << 16, START = 8 };

/* A memory that is readable up to end, with "code" at the given places. */
static int
memory_with(off_t end, const off_t *places, size_t cnt)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, end), 0);
	for (size_t i = 0; i < cnt; i++)
		assert_int_equal(pwrite(fd, "code", 4, places[i]), 4);
	return fd;
}

/* 0: not found. */
static uint64_t
find(int fd, uint64_t end, unsigned alignment)
{
	uint64_t found = 1;
	bool is_found = handler_find_bytes(fd, START, end, "code", 4, alignment, &found);

	assert_int_equal(is_found, found != 0);
	close(fd);
	return found;
}

static void
test_alignment(void **state)
{
	static const off_t places[] = {18, 33, 40};

	(void)state;
	assert_int_equal(find(memory_with(100, places, 3), 100, 1), 18);
	assert_int_equal(find(memory_with(100, places, 3), 100, 4), 40);
	assert_int_equal(find(memory_with(100, places, 2), 100, 4), 0);
}

/* Between two reads. */
static void
test_far_away(void **state)
{
	static const off_t place = START + CHUNK_BYTES - 2;

	(void)state;
	assert_int_equal(find(memory_with(3 * CHUNK_BYTES, &place, 1), 3 * CHUNK_BYTES, 1), place);
}

/* A place that does not do is not taken because the rest cannot be read. */
static void
test_unreadable_rest(void **state)
{
	static const off_t place = 18;

	(void)state;
	assert_int_equal(find(memory_with(START + CHUNK_BYTES, &place, 1), 3 * CHUNK_BYTES, 4), 0);
	assert_int_equal(find(memory_with(START, NULL, 0), 3 * CHUNK_BYTES, 4), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_far_away),
		cmocka_unit_test(test_unreadable_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
