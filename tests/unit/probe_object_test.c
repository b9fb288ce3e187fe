#include "probe/bpf/bpf.h"
#include "probe/bpf/object.h"

#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct bpf_object_map hash = {.type = BPF_MAP_TYPE_HASH,
					   .key_bytes = 4,
					   .value_bytes = 8,
					   .entries = 3,
					   .flags = BPF_F_NO_PREALLOC};
static const struct bpf_object_map array = {
	.type = BPF_MAP_TYPE_ARRAY, .key_bytes = 4, .value_bytes = 16, .entries = 1};

static struct bpf_insn
take_map(int fd)
{
	return (struct bpf_insn){
		.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = fd};
}

/* Two maps, which descriptors 70 and 71 stand for, and a function that takes the second map, the ring, and that one. */
static struct bpf_object *
make(int fd)
{
	struct bpf_object *object = bpf_object_new();
	const struct bpf_insn insns[] = {
		take_map(71),
		{.imm = 70},
		take_map(BPF_RING_NUMBER),
		{0},
		/* No map, but the same number. */
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .imm = 70},
		{0},
		take_map(fd),
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 71},
		{.code = BPF_JMP | BPF_EXIT},
	};

	bpf_object_add_map(object, "first", &hash, 70);
	bpf_object_add_map(object, "second", &array, 71);
	bpf_object_add_function(object, "on_any_point", insns, sizeof(insns));
	return object;
}

static struct buf
write_object(const struct bpf_object *object)
{
	struct buf buf;

	buf_init(&buf, 1 << 20);
	bpf_object_write(object, &buf);
	return buf;
}

static void
test_is_read_as_written(void **state)
{
	struct bpf_object *object = make(70);
	struct buf first = write_object(object);

	(void)state;
	assert_true(bpf_object_is_complete(object));
	bpf_object_free(object);
	object = bpf_object_read(first.data, first.len);
	assert_non_null(object);
	assert_true(bpf_object_is_complete(object));
	struct buf second = write_object(object);
	assert_int_equal(second.len, first.len);
	assert_memory_equal(second.data, first.data, first.len);
	struct bpf_object_maps maps = BPF_OBJECT_NO_MAPS;
	maps.fds[0] = 5;
	maps.fds[1] = 6;
	assert_int_equal(bpf_object_map_fd(object, &maps, "first"), 5);
	assert_int_equal(bpf_object_map_fd(object, &maps, "second"), 6);
	assert_int_equal(bpf_object_map_fd(object, &maps, "third"), -ENOENT);
	/* Maps are their indices, and nothing else has changed. */
	struct bpf_insn insns[10];
	memcpy(insns, first.data + first.len - sizeof(insns), sizeof(insns));
	assert_int_equal(insns[0].imm, 1);
	assert_int_equal(insns[1].imm, 70);
	assert_int_equal(insns[2].imm, BPF_RING_NUMBER);
	assert_int_equal(insns[4].imm, 70);
	assert_int_equal(insns[6].imm, 0);
	assert_int_equal(insns[8].imm, 71);
	/* Whatever is cut off, or too much. */
	for (size_t len = 0; len < first.len; len++)
		assert_null(bpf_object_read(first.data, len));
	buf_putc(&first, 'x');
	assert_null(bpf_object_read(first.data, first.len));
	/* A map that is not there. */
	for (int map = -1; map <= 2; map += 3) {
		insns[6].imm = map;
		memcpy(second.data + second.len - sizeof(insns), insns, sizeof(insns));
		assert_null(bpf_object_read(second.data, second.len));
	}
	bpf_object_free(object);
	buf_fini(&first);
	buf_fini(&second);
}

static void
test_is_complete(void **state)
{
	struct bpf_object *object = bpf_object_new();

	(void)state;
	assert_false(bpf_object_is_complete(object));
	bpf_object_free(object);
	object = make(72); /* of a map that was not added */
	assert_false(bpf_object_is_complete(object));
	bpf_object_free(object);
	object = make(70);
	for (int i = 2; i < OBJECT_MAPS_MAX; i++)
		bpf_object_add_map(object, "more", &array, 80 + i);
	assert_true(bpf_object_is_complete(object));
	bpf_object_add_map(object, "too many", &array, 90);
	assert_false(bpf_object_is_complete(object));
	bpf_object_free(object);
	/* Other things of the process that compiled it: a value of a map, another function. */
	const struct bpf_insn unknown[] = {
		{.code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = 70},
		{.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 1},
	};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		object = make(70);
		bpf_object_add_function(object, "other", &unknown[i], sizeof(unknown[i]));
		assert_false(bpf_object_is_complete(object));
		struct buf text = write_object(object);
		assert_null(bpf_object_read(text.data, text.len));
		buf_fini(&text);
		bpf_object_free(object);
	}
}

static void
test_unknown_function(void **state)
{
	struct bpf_object *object = make(70);
	const struct bpf_object_maps maps = BPF_OBJECT_NO_MAPS;
	char error[100];

	(void)state;
	assert_int_equal(bpf_object_load(object, &maps, "other", 0, error, sizeof(error)), -ENOENT);
	assert_string_equal(error, "there is no function 'other'");
	bpf_object_free(object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_read_as_written),
		cmocka_unit_test(test_is_complete),
		cmocka_unit_test(test_unknown_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
