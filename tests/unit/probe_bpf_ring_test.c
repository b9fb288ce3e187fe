/* Emptying the kernel's ring: its memory is made here, as the kernel would write it. */
#include "probe/bpf/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { RING = 256, RECORDS_MAX = 16 };

static struct {
	uint64_t read_until, written_until;
	_Alignas(8) char data[2 * RING];
	struct bpf_ring ring;
} fake;

static struct {
	size_t sizes[RECORDS_MAX], cnt;
	char first[RECORDS_MAX];
} got;

static void
on_record(void *cookie, const void *record, size_t record_sz)
{
	assert_ptr_equal(cookie, &got);
	assert_true(got.cnt < RECORDS_MAX);
	got.first[got.cnt] = *(const char *)record;
	got.sizes[got.cnt++] = record_sz;
	/* All of it in one piece, although it may pass the end. */
	for (size_t i = 0; i < record_sz; i++)
		assert_int_equal(((const char *)record)[i], *(const char *)record);
}

static void
write_byte(uint64_t at, char byte)
{
	fake.data[at % RING] = fake.data[at % RING + RING] = byte;
}

/* As the kernel does; the position of its head. */
static uint64_t
write_record(uint32_t size, uint32_t bits, char fill)
{
	uint64_t at = fake.written_until;
	uint32_t head[2] = {size | bits, 0};

	for (size_t i = 0; i < sizeof(head); i++)
		write_byte(at + i, ((const char *)head)[i]);
	for (uint32_t i = 0; i < size; i++)
		write_byte(at + BPF_RING_HEAD_BYTES + i, fill);
	fake.written_until += (size + BPF_RING_HEAD_BYTES + 7) / 8 * 8;
	return at;
}

static void
set_head(uint64_t at, uint32_t value)
{
	for (size_t i = 0; i < sizeof(value); i++)
		write_byte(at + i, ((const char *)&value)[i]);
}

static void
drain(void)
{
	got.cnt = 0;
	bpf_ring_drain(&fake.ring, &(struct record_sink){.on_record = on_record, .cookie = &got});
}

static int
empty(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.ring = (struct bpf_ring){.bytes = RING,
				      .read_until = &fake.read_until,
				      .written_until = &fake.written_until,
				      .data = fake.data};
	return 0;
}

static void
test_sizes(void **state)
{
	(void)state;
	drain();
	assert_int_equal(got.cnt, 0);
	write_record(1, 0, 'a');
	write_record(8, 0, 'b');
	write_record(31, 0, 'c');
	drain();
	assert_int_equal(got.cnt, 3);
	assert_memory_equal(got.first, "abc", 3);
	assert_int_equal(got.sizes[0], 1);
	assert_int_equal(got.sizes[1], 8);
	assert_int_equal(got.sizes[2], 31);
	assert_true(fake.read_until == fake.written_until);
	drain();
	assert_int_equal(got.cnt, 0);
}

/* What another CPU is still writing holds up what is behind it, until it is complete. */
static void
test_busy(void **state)
{
	(void)state;
	write_record(8, 0, 'a');
	uint64_t at = write_record(8, BPF_RING_BUSY, 'b');
	write_record(8, 0, 'c');
	drain();
	assert_int_equal(got.cnt, 1);
	assert_true(fake.read_until == at);
	drain();
	assert_int_equal(got.cnt, 0);
	set_head(at, 8);
	drain();
	assert_int_equal(got.cnt, 2);
	assert_memory_equal(got.first, "bc", 2);
}

static void
test_discarded(void **state)
{
	(void)state;
	write_record(24, BPF_RING_DISCARD, 'a');
	write_record(8, 0, 'b');
	drain();
	assert_int_equal(got.cnt, 1);
	assert_int_equal(got.first[0], 'b');
	assert_true(fake.read_until == fake.written_until);
}

/* Many times round, with sizes that meet the end everywhere. */
static void
test_round_and_round(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 10000; i++) {
		write_record(i % 57 + 1, 0, (char)('A' + i % 26));
		write_record(i % 13 + 1, 0, (char)('a' + i % 26));
		drain();
		assert_int_equal(got.cnt, 2);
		assert_int_equal(got.first[0], 'A' + i % 26);
		assert_int_equal(got.sizes[0], i % 57 + 1);
		assert_int_equal(got.sizes[1], i % 13 + 1);
	}
	assert_true(fake.read_until > 100 * RING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sizes, empty),
		cmocka_unit_test_setup(test_busy, empty),
		cmocka_unit_test_setup(test_discarded, empty),
		cmocka_unit_test_setup(test_round_and_round, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
