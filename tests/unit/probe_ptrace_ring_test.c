/* The ring between the tracer process and the reader. */
#include "base/clock.h"
#include "probe/ptrace/ring.h"
#include "probe_ptrace_area.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { RING = 1024, RECORD_MAX = 300, WAIT_MS = 20000 };

/* A record is its number, then bytes that follow from it. */
static size_t
size_of(uint64_t number)
{
	return 8 + number * 37 % (RECORD_MAX - 8);
}

static bool
write_one(struct ptrace_area *area, uint64_t number)
{
	unsigned char *record = ring_reserve(area, RECORD_MAX);
	size_t bytes = size_of(number);

	if (!record)
		return false;
	memcpy(record, &number, sizeof(number));
	memset(record + 8, (int)(number & 0xff), bytes - 8);
	ring_commit(area, bytes);
	return true;
}

struct reading {
	uint64_t next;
	uint64_t wrong;
};

static void
on_record(void *cookie, const void *record, size_t record_sz)
{
	struct reading *reading = cookie;
	const unsigned char *bytes = record;
	uint64_t number;

	memcpy(&number, record, sizeof(number));
	reading->wrong += number != reading->next || record_sz != size_of(number) || (uintptr_t)record % 8;
	for (size_t i = 8; i < record_sz; i++)
		reading->wrong += bytes[i] != (number & 0xff);
	reading->next++;
}

static void
drain(struct ptrace_area *area, struct reading *reading)
{
	ring_drain(area, &(struct record_sink){.on_record = on_record, .cookie = reading});
	assert_int_equal(reading->wrong, 0);
}

static void
test_records_of_all_sizes_in_order(void **state)
{
	struct ptrace_area area = area_with(NULL, 0, RING);
	struct reading reading = {0};

	(void)state;
	/* Never in step with the ring, so that each place is its end at some time. */
	for (uint64_t number = 0; number < 20000; number++) {
		while (!write_one(&area, number)) {
			uint64_t before = reading.next;

			drain(&area, &reading);
			assert_true(reading.next > before);
		}
		if (number % 7 == 0)
			drain(&area, &reading);
	}
	drain(&area, &reading);
	assert_int_equal(reading.next, 20000);
	ptrace_area_unmap(&area);
}

static void
count_bytes(void *cookie, const void *record, size_t record_sz)
{
	(void)record;
	*(size_t *)cookie += record_sz;
}

/* With its head of 8 bytes, a record takes the rest of the ring to the last byte. */
static void
test_a_ring_is_filled_to_the_last_byte(void **state)
{
	struct ptrace_area area = area_with(NULL, 0, RING);

	(void)state;
	for (size_t first = 0; first <= RING - 16; first += 8) {
		size_t second = RING - 16 - first, got = 0;

		assert_non_null(ring_reserve(&area, first));
		ring_commit(&area, first);
		assert_null(ring_reserve(&area, second + 1));
		assert_non_null(ring_reserve(&area, second));
		ring_commit(&area, second);
		assert_null(ring_reserve(&area, 0));
		ring_drain(&area, &(struct record_sink){.on_record = count_bytes, .cookie = &got});
		assert_int_equal(got, first + second);
	}
	ptrace_area_unmap(&area);
}

/* A ring whose records are read in time uses only its beginning. */
static void
test_a_ring_that_is_read_takes_little_memory(void **state)
{
	enum { LARGE = 4 << 20, USED = (256 << 10) + 16 + RECORD_MAX };
	struct ptrace_area area = area_with(NULL, 0, LARGE);
	struct reading reading = {0};

	(void)state;
	for (uint64_t number = 0; number < 40000; number++) {
		assert_true(write_one(&area, number));
		drain(&area, &reading);
	}
	assert_int_equal(reading.next, 40000);
	assert_true(atomic_load(&area.shared->written) > LARGE);
	for (size_t i = USED; i < LARGE; i++)
		assert_int_equal(area.ring[i], 0);
	ptrace_area_unmap(&area);
}

/* What was refused leaves no trace: smaller records still fit, and all that was written is read. */
static void
test_a_full_ring_refuses(void **state)
{
	struct ptrace_area area = area_with(NULL, 0, RING);
	size_t got = 0;

	(void)state;
	assert_non_null(ring_reserve(&area, 600));
	ring_commit(&area, 600);
	assert_null(ring_reserve(&area, 600));
	assert_non_null(ring_reserve(&area, 100));
	ring_commit(&area, 100);
	ring_drain(&area, &(struct record_sink){.on_record = count_bytes, .cookie = &got});
	assert_int_equal(got, 700);
	/* Now it fits, but only at the start. */
	assert_non_null(ring_reserve(&area, 600));
	ring_commit(&area, 50);
	ring_drain(&area, &(struct record_sink){.on_record = count_bytes, .cookie = &got});
	assert_int_equal(got, 750);
	ptrace_area_unmap(&area);
}

/* A reader sees nothing of a record that is being written. */
static void
test_a_record_is_seen_once_committed(void **state)
{
	struct ptrace_area area = area_with(NULL, 0, RING);
	struct reading reading = {0};

	(void)state;
	for (uint64_t number = 0; number < 100; number++) {
		unsigned char *record = ring_reserve(&area, RECORD_MAX);

		assert_non_null(record);
		memset(record, 0xff, 16);
		drain(&area, &reading);
		assert_int_equal(reading.next, number);
		assert_true(write_one(&area, number));
		drain(&area, &reading);
		assert_int_equal(reading.next, number + 1);
	}
	ptrace_area_unmap(&area);
}

struct waiting {
	struct ptrace_area *area;
	uint64_t took_ms;
};

static void *
wait_in_thread(void *arg)
{
	struct waiting *waiting = arg;
	uint64_t before = clock_now_ns();

	ring_wait(waiting->area, WAIT_MS);
	waiting->took_ms = (clock_now_ns() - before) / 1000000;
	return NULL;
}

static void
await_reader(const struct ptrace_area *area)
{
	struct deadline deadline = deadline_in_ms(WAIT_MS);

	while (!atomic_load(&area->shared->reader_waits) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
}

static void
test_a_reader_that_waits_is_woken_when_a_quarter_is_full(void **state)
{
	struct ptrace_area area = area_with(NULL, 0, RING);
	struct waiting waiting = {.area = &area};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, &waiting), 0);
	await_reader(&area);
	ring_reserve(&area, 100);
	ring_commit(&area, 100);
	/* It waits on. */
	assert_int_equal(atomic_load(&area.shared->reader_waits), 1);
	assert_int_equal(atomic_load(&area.shared->bell), 0);
	ring_reserve(&area, 200);
	ring_commit(&area, 200);
	assert_int_equal(atomic_load(&area.shared->bell), 1);
	pthread_join(thread, NULL);
	assert_true(waiting.took_ms < WAIT_MS);
	/* It does not begin to wait. */
	uint64_t before = clock_now_ns();
	ring_wait(&area, WAIT_MS);
	assert_true((clock_now_ns() - before) / 1000000 < WAIT_MS / 2);
	ptrace_area_unmap(&area);
}

static void
test_a_reader_waits_no_longer_than_asked(void **state)
{
	struct ptrace_area area = area_with(NULL, 0, RING);
	uint64_t before = clock_now_ns();

	(void)state;
	ring_wait(&area, 20);
	assert_true(clock_now_ns() - before >= 20 * 1000000);
	ptrace_area_unmap(&area);
}

enum { MANY = 300000, AT_LEAST = 1000 };

struct writing {
	struct ptrace_area *area;
	struct deadline deadline;
	uint64_t written;
	atomic_bool has_ended;
};

static void *
write_in_thread(void *arg)
{
	struct writing *writing = arg;

	while (writing->written < MANY && !deadline_has_passed(writing->deadline))
		if (write_one(writing->area, writing->written))
			writing->written++;
		else
			sched_yield();
	writing->has_ended = true;
	return NULL;
}

/* As many as a slow machine manages. The thread uses what is on this stack: it has ended before anything is
 * asserted. */
static void
test_writer_and_reader_at_the_same_time(void **state)
{
	struct ptrace_area area = area_with(NULL, 0, RING);
	struct writing writing = {.area = &area, .deadline = deadline_in_ms(WAIT_MS)};
	struct record_sink sink = {.on_record = on_record};
	struct reading reading = {0};
	pthread_t thread;

	(void)state;
	sink.cookie = &reading;
	assert_int_equal(pthread_create(&thread, NULL, write_in_thread, &writing), 0);
	while (!writing.has_ended) {
		ring_wait(&area, 1);
		ring_drain(&area, &sink);
	}
	pthread_join(thread, NULL);
	ring_drain(&area, &sink);
	assert_int_equal(reading.wrong, 0);
	assert_int_equal(reading.next, writing.written);
	assert_true(writing.written >= AT_LEAST);
	ptrace_area_unmap(&area);
}

struct slow_reading {
	struct ptrace_area *area;
	struct reading reading;
	atomic_bool is_over;
};

/* Late each time. */
static void *
read_in_thread(void *arg)
{
	struct slow_reading *slow = arg;
	struct record_sink sink = {.on_record = on_record, .cookie = &slow->reading};

	while (!slow->is_over) {
		clock_pause_ms(2, deadline_in_ms(WAIT_MS));
		ring_drain(slow->area, &sink);
	}
	ring_drain(slow->area, &sink);
	return NULL;
}

/* The thread uses what is on this stack, as in the next test: it has ended before anything is asserted. */
static void
test_a_patient_writer_loses_nothing(void **state)
{
	enum { RECORDS = 1000 };
	struct ptrace_area area = area_with(NULL, 0, RING);
	struct slow_reading slow = {.area = &area};
	uint64_t refused = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &slow), 0);
	for (uint64_t number = 0; number < RECORDS; number++)
		refused += !ring_reserve_patiently(&area, RECORD_MAX, WAIT_MS) || !write_one(&area, number);
	slow.is_over = true;
	pthread_join(thread, NULL);
	assert_int_equal(refused, 0);
	assert_int_equal(slow.reading.wrong, 0);
	assert_int_equal(slow.reading.next, RECORDS);
	ptrace_area_unmap(&area);
}

static void *
wait_and_read(void *arg)
{
	struct ptrace_area *area = arg;
	size_t got = 0;

	ring_wait(area, 4 * WAIT_MS);
	ring_drain(area, &(struct record_sink){.on_record = count_bytes, .cookie = &got});
	return NULL;
}

/* Although less than a quarter is full, the writer's record does not fit. */
static void
test_reader_and_writer_do_not_wait_for_each_other(void **state)
{
	enum { READ = 680, WAITS = 96, COMES = 752 };
	struct ptrace_area area = area_with(NULL, 0, RING);
	pthread_t thread;
	size_t got = 0;

	(void)state;
	assert_non_null(ring_reserve(&area, READ));
	ring_commit(&area, READ);
	ring_drain(&area, &(struct record_sink){.on_record = count_bytes, .cookie = &got});
	assert_non_null(ring_reserve(&area, WAITS));
	ring_commit(&area, WAITS);
	assert_null(ring_reserve(&area, COMES));
	assert_int_equal(pthread_create(&thread, NULL, wait_and_read, &area), 0);
	await_reader(&area);
	const void *room = ring_reserve_patiently(&area, COMES, 2 * WAIT_MS);
	pthread_join(thread, NULL);
	assert_non_null(room);
	ptrace_area_unmap(&area);
}

static void
test_a_reader_does_not_wait_while_the_writer_does(void **state)
{
	struct ptrace_area area = area_with(NULL, 0, RING);
	struct reading reading = {0};

	(void)state;
	assert_true(write_one(&area, 0));
	atomic_store(&area.shared->writer_waits, 1);
	uint64_t before = clock_now_ns();
	ring_wait(&area, WAIT_MS);
	assert_true((clock_now_ns() - before) / 1000000 < WAIT_MS / 2);
	/* It has read, so it waits again, even if the writer was killed. */
	drain(&area, &reading);
	before = clock_now_ns();
	ring_wait(&area, 50);
	assert_true(clock_now_ns() - before >= 50 * 1000000);
	ptrace_area_unmap(&area);
}

/* One that has stopped is waited for once, until it reads again. */
static void
test_a_reader_that_does_nothing_is_waited_for_once(void **state)
{
	enum { PATIENCE_MS = 300, WRITES = 200 };
	struct ptrace_area area = area_with(NULL, 0, RING);
	struct reading reading = {0};
	uint64_t number = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		while (write_one(&area, number))
			number++;
		uint64_t before = clock_now_ns();
		for (int k = 0; k < WRITES; k++)
			assert_null(ring_reserve_patiently(&area, RECORD_MAX, PATIENCE_MS));
		uint64_t took_ms = (clock_now_ns() - before) / 1000000;
		assert_true(took_ms >= PATIENCE_MS);
		assert_true(took_ms < WRITES * PATIENCE_MS / 2);
		drain(&area, &reading);
		assert_non_null(ring_reserve_patiently(&area, RECORD_MAX, PATIENCE_MS));
	}
	assert_int_equal(reading.next, number);
	ptrace_area_unmap(&area);
}

static void
test_memory_that_cannot_be_mapped(void **state)
{
	struct ptrace_area area;
	struct diag diag;

	(void)state;
	memset(&area, 0x55, sizeof(area));
	assert_int_equal(ptrace_area_map(&area, -1, &diag), -EBADF);
	assert_null(area.shared);
	ptrace_area_unmap(&area); /* as after success */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_of_all_sizes_in_order),
		cmocka_unit_test(test_a_ring_is_filled_to_the_last_byte),
		cmocka_unit_test(test_a_ring_that_is_read_takes_little_memory),
		cmocka_unit_test(test_a_full_ring_refuses),
		cmocka_unit_test(test_a_record_is_seen_once_committed),
		cmocka_unit_test(test_a_reader_that_waits_is_woken_when_a_quarter_is_full),
		cmocka_unit_test(test_a_reader_waits_no_longer_than_asked),
		cmocka_unit_test(test_writer_and_reader_at_the_same_time),
		cmocka_unit_test(test_a_patient_writer_loses_nothing),
		cmocka_unit_test(test_reader_and_writer_do_not_wait_for_each_other),
		cmocka_unit_test(test_a_reader_does_not_wait_while_the_writer_does),
		cmocka_unit_test(test_a_reader_that_does_nothing_is_waited_for_once),
		cmocka_unit_test(test_memory_that_cannot_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
