/* Reading arguments from the registers and the memory of another process. It has its memory from this one, so that
 * addresses are known, but other contents. */
#include "probe/ptrace/reader.h"
#include "probe_ptrace_area.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { PAGE = 4096, RING = 4096, STRING = 64, PAYLOAD = 100, PAGES = 4 };

static pid_t child;
/* PAGES pages that can be read, and one behind them that cannot. */
static unsigned char *memory;
/* One page without a NUL, and one behind it that cannot be read. */
static unsigned char *endless;
static uint64_t words[8];
static const uint64_t nowhere = 8;

static unsigned char
byte_at(size_t at)
{
	return (unsigned char)(1 + at % 251); /* never NUL */
}

static void
write_string(size_t at, size_t len)
{
	memory[at + len] = '\0';
}

/* What the child has. */
static void
fill_memory(void)
{
	for (size_t i = 0; i < PAGES * PAGE; i++)
		memory[i] = byte_at(i);
	for (size_t i = 0; i < PAGE; i++)
		endless[i] = byte_at(i);
	for (size_t i = 0; i < 8; i++)
		words[i] = UINT64_C(0x8182838485868788) + i * UINT64_C(0x1010101010101010);
	/* Strings: short, empty, as long as there is room for, longer by one, over the end of a page, at the end of
	 * all. */
	write_string(100, 5);
	write_string(200, 0);
	write_string(300, STRING - 1);
	write_string(500, STRING);
	write_string(PAGE - 10, 20);
	write_string(PAGES * PAGE - 10, 9);
}

static int
start_child(void **state)
{
	int fds[2];
	char byte;

	(void)state;
	memory = mmap(NULL, (PAGES + 3) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || pipe(fds))
		return -1;
	endless = memory + (PAGES + 1) * PAGE;
	child = fork();
	if (!child) {
		fill_memory();
		mprotect(memory + PAGES * PAGE, PAGE, PROT_NONE);
		mprotect(endless + PAGE, PAGE, PROT_NONE);
		close(fds[0]);
		if (write(fds[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(fds[1]);
	return read(fds[0], &byte, 1) == 1 ? 0 : -1;
}

static int
end_child(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0) == child ? 0 : -1;
}

/* One point with these arguments; where is the address of its nop. */
struct reading {
	struct site site;
	struct probe_point point;
	struct regs regs;
	uint64_t where;
	struct ptrace_area area;
	_Alignas(struct record) char got[4096];
	uint32_t size;
};

static struct reading *
new_reading(void)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	assert_non_null(reading);
	reading->where = 0x1000;
	return reading;
}

static void
add(struct reading *reading, struct operand operand, struct record_slot slot)
{
	unsigned n = reading->site.args_cnt++;

	reading->site.args[n] = operand;
	reading->point.slots[n] = slot;
}

#define INTEGER ((struct record_slot){.reader = READER_INTEGER})
#define BLOCK   ((struct record_slot){.reader = READER_BLOCK, .slot_bytes = 32})
#define TEXT    ((struct record_slot){.reader = READER_STRING, .slot_bytes = STRING})

static struct operand
constant(int64_t value, uint8_t width)
{
	return (struct operand){.kind = OPERAND_CONSTANT, .width_bytes = width, .constant = value};
}

static struct operand
in_register(enum machine_register reg, uint8_t width)
{
	return (struct operand){.kind = OPERAND_REGISTER, .width_bytes = width, .base = reg};
}

/* At a fixed address, as displacement without a base. */
static struct operand
in_memory(const void *at, uint8_t width)
{
	return (struct operand){
		.kind = OPERAND_MEMORY, .width_bytes = width, .displacement = (int64_t)(uintptr_t)at};
}

static struct operand
pointer_to(const void *at)
{
	return constant((int64_t)(uintptr_t)at, 8);
}

static void
read_all(struct reading *reading)
{
	reading->point.site = &reading->site;
	record_lay_out(&reading->point);
	assert_true(reading->point.record_bytes <= sizeof(reading->got));
	reading->area = area_with(&reading->point, 1, RING);
	memset(reading->got, 0x55, sizeof(reading->got));
	reading->size = reader_fill((struct record *)reading->got, &reading->area.points[0], child,
				    reading->where, &reading->regs);
}

static void
free_reading(struct reading *reading)
{
	ptrace_area_unmap(&reading->area);
	free(reading);
}

static const struct record_arg *
arg(const struct reading *reading, unsigned n)
{
	return &((const struct record *)reading->got)->args[n];
}

static void
assert_value(const struct reading *reading, unsigned n, uint64_t want)
{
	assert_int_equal(arg(reading, n)->flags, 0);
	assert_int_equal(arg(reading, n)->error, 0);
	assert_true(arg(reading, n)->value == want);
}

static void
assert_failed(const struct reading *reading, unsigned n, int flags, int err)
{
	assert_int_equal(arg(reading, n)->flags, flags);
	assert_int_equal(arg(reading, n)->error, err);
	assert_int_equal(arg(reading, n)->len, 0);
	if (flags == RECORD_OPERAND_FAILED)
		assert_int_equal(arg(reading, n)->value, 0);
}

static const char *
bytes_of(const struct reading *reading, unsigned n)
{
	return reading->got + reading->point.slots[n].slot_offset;
}

/* This machine's registers, in the order of enum machine_register. */
#define AT(name) offsetof(struct user_regs_struct, name)
#if defined(__aarch64__)
#define FIRST REGISTER_X0
#define BASE  ((enum machine_register)(REGISTER_X0 + 19))
#define INDEX REGISTER_X30
#define PC    REGISTER_A64_PC
static const size_t offsets[] = {
	AT(regs[0]),  AT(regs[1]),  AT(regs[2]),  AT(regs[3]),  AT(regs[4]),  AT(regs[5]),  AT(regs[6]),
	AT(regs[7]),  AT(regs[8]),  AT(regs[9]),  AT(regs[10]), AT(regs[11]), AT(regs[12]), AT(regs[13]),
	AT(regs[14]), AT(regs[15]), AT(regs[16]), AT(regs[17]), AT(regs[18]), AT(regs[19]), AT(regs[20]),
	AT(regs[21]), AT(regs[22]), AT(regs[23]), AT(regs[24]), AT(regs[25]), AT(regs[26]), AT(regs[27]),
	AT(regs[28]), AT(regs[29]), AT(regs[30]), AT(sp)};
static const size_t pc_offset = AT(pc);
#else
#define FIRST REGISTER_AX
#define BASE  REGISTER_BX
#define INDEX REGISTER_CX
#define PC    REGISTER_IP
static const size_t offsets[] = {AT(rax), AT(rbx), AT(rcx), AT(rdx), AT(rsi), AT(rdi), AT(rbp), AT(rsp),
				 AT(r8),  AT(r9),  AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15)};
static const size_t pc_offset = AT(rip);
#endif

static void
set_register(struct reading *reading, enum machine_register reg, uint64_t value)
{
	memcpy((char *)reading->regs.words + offsets[reg - FIRST], &value, sizeof(value));
}

static void
test_registers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		enum machine_register reg = (enum machine_register)(FIRST + i);
		uint64_t value = UINT64_C(0xf1f2f3f4f5f6f7c0) + i;
		struct reading *reading = new_reading();
		struct operand high = in_register(reg, 1);

		high.shift_bits = 8;
		set_register(reading, reg, value);
		add(reading, in_register(reg, 8), INTEGER);
		add(reading, in_register(reg, 4), INTEGER);
		add(reading, in_register(reg, 2), INTEGER);
		add(reading, in_register(reg, 1), INTEGER);
		add(reading, high, INTEGER);
		read_all(reading);
		assert_value(reading, 0, value);
		assert_value(reading, 1, value & 0xffffffff);
		assert_value(reading, 2, value & 0xffff);
		assert_value(reading, 3, value & 0xff);
		assert_value(reading, 4, 0xf7);
		assert_int_equal(reading->size, reading->point.fixed_bytes);
		free_reading(reading);
	}
}

static void
test_constants(void **state)
{
	struct reading *reading = new_reading();

	(void)state;
	add(reading, constant(-1, 8), INTEGER);
	add(reading, constant(-1, 4), INTEGER);
	add(reading, constant(-2, 2), INTEGER);
	add(reading, constant(7, 1), INTEGER);
	read_all(reading);
	assert_value(reading, 0, UINT64_MAX);
	assert_value(reading, 1, 0xffffffff);
	assert_value(reading, 2, 0xfffe);
	assert_value(reading, 3, 7);
	free_reading(reading);
}

static void
test_memory(void **state)
{
	struct reading *reading = new_reading();
	struct operand operand = in_memory(NULL, 8);

	(void)state;
	set_register(reading, BASE, (uintptr_t)&words[4]);
	set_register(reading, INDEX, 2);
	reading->where = (uintptr_t)&words[0] - 100;
	operand.base = BASE;
	add(reading, operand, INTEGER); /* (%rbx) */
	operand.displacement = -16;
	operand.width_bytes = 4;
	add(reading, operand, INTEGER); /* -16(%rbx) */
	operand.index = INDEX;
	for (uint8_t scale = 1; scale <= 8; scale *= 2) {
		operand.scale = scale;
		operand.width_bytes = 2;
		add(reading, operand, INTEGER); /* -16(%rbx,%rcx,scale) */
	}
	operand = in_memory(NULL, 1);
	operand.base = PC;
	operand.displacement = 100 + 8;
	add(reading, operand, INTEGER); /* relative to the nop */
	add(reading, in_memory(&words[7], 8), INTEGER);
	read_all(reading);
	assert_value(reading, 0, UINT64_C(0xc1c2c3c4c5c6c7c8));
	assert_value(reading, 1, 0xa5a6a7a8);
	assert_value(reading, 2, 0xa5a6); /* words[2], from its third byte */
	assert_value(reading, 3, 0xa3a4); /* from its fifth */
	assert_value(reading, 4, 0xb7b8); /* words[3] */
	assert_value(reading, 5, 0xc7c8); /* words[4] */
	assert_value(reading, 6, 0x98);   /* words[1] */
	assert_value(reading, 7, UINT64_C(0xf1f2f3f4f5f6f7f8));
	free_reading(reading);
}

/* Of an index with 32 bits, the upper half of its register does not count. */
static void
test_extended_indices(void **state)
{
	struct reading *reading = new_reading();
	struct operand operand = in_memory(NULL, 8);

	(void)state;
	set_register(reading, BASE, (uintptr_t)&words[4]);
	set_register(reading, INDEX, UINT64_C(0xdeadbeef00000002));
	operand.base = BASE;
	operand.index = INDEX;
	operand.scale = 8;
	operand.extension = EXTENSION_ZERO;
	add(reading, operand, INTEGER);
	operand.extension = EXTENSION_SIGN;
	add(reading, operand, INTEGER);
	read_all(reading);
	assert_value(reading, 0, UINT64_C(0xe1e2e3e4e5e6e7e8));
	assert_value(reading, 1, UINT64_C(0xe1e2e3e4e5e6e7e8));
	ptrace_area_unmap(&reading->area);
	/* Negative, or large: */
	set_register(reading, INDEX, UINT64_C(0x12345678fffffffe));
	read_all(reading);
	assert_failed(reading, 0, RECORD_OPERAND_FAILED, -EFAULT);
	assert_value(reading, 1, UINT64_C(0xa1a2a3a4a5a6a7a8));
	free_reading(reading);
}

/* What a stopped thread's registers say of it. */
static void
test_the_program_counter(void **state)
{
	struct reading *reading = new_reading();
	uint64_t value = 0;

	(void)state;
	regs_set_pc(&reading->regs, 0x123456789a);
	assert_true(regs_pc(&reading->regs) == 0x123456789a);
	memcpy(&value, (char *)reading->regs.words + pc_offset, sizeof(value));
	assert_true(value == 0x123456789a);
	assert_true(sizeof(reading->regs.words) >= sizeof(struct user_regs_struct));
	/* No register of this machine: */
	assert_int_equal(regs_get(&reading->regs, REGISTER_NONE), 0);
	free(reading);
}

/* What cannot be read is marked, whatever the others are. */
static void
test_operands_that_cannot_be_read(void **state)
{
	struct reading *reading = new_reading();
	const struct operand unreadable = {.kind = OPERAND_UNREADABLE, .width_bytes = 8};
	const struct operand foreign = {.kind = OPERAND_FOREIGN, .width_bytes = 8};

	(void)state;
	add(reading, in_memory(&words[0], 8), INTEGER);
	add(reading, in_memory((void *)(uintptr_t)nowhere, 8), INTEGER);
	add(reading, in_memory(&words[1], 8), INTEGER);
	add(reading, unreadable, INTEGER);
	add(reading, foreign, BLOCK);
	/* Half of it is behind the end. */
	add(reading, in_memory(memory + PAGES * PAGE - 4, 8), INTEGER);
	add(reading, in_memory(memory + PAGES * PAGE - 4, 4), INTEGER);
	add(reading, in_memory((void *)(uintptr_t)nowhere, 8), BLOCK);
	add(reading, in_memory((void *)(uintptr_t)nowhere, 8), TEXT);
	add(reading, in_memory(&words[2], 8), INTEGER);
	read_all(reading);
	assert_value(reading, 0, UINT64_C(0x8182838485868788));
	assert_failed(reading, 1, RECORD_OPERAND_FAILED, -EFAULT);
	assert_value(reading, 2, UINT64_C(0x9192939495969798));
	assert_failed(reading, 3, RECORD_OPERAND_FAILED, -ENODATA);
	assert_failed(reading, 4, RECORD_OPERAND_FAILED, -ENODATA);
	assert_failed(reading, 5, RECORD_OPERAND_FAILED, -EFAULT);
	uint64_t last = 0;
	for (unsigned i = 0; i < 3; i++) /* the fourth is the NUL of a string */
		last |= (uint64_t)byte_at(PAGES * PAGE - 4 + i) << 8 * i;
	assert_value(reading, 6, last);
	assert_failed(reading, 7, RECORD_OPERAND_FAILED, -EFAULT);
	assert_failed(reading, 8, RECORD_OPERAND_FAILED, -EFAULT);
	assert_value(reading, 9, UINT64_C(0xa1a2a3a4a5a6a7a8));
	free_reading(reading);
}

static void
assert_block(const struct reading *reading, unsigned n, size_t at)
{
	assert_int_equal(arg(reading, n)->flags, 0);
	assert_int_equal(arg(reading, n)->len, 32);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal((unsigned char)bytes_of(reading, n)[i], byte_at(at + i));
}

static void
test_blocks(void **state)
{
	struct reading *reading = new_reading();
	struct operand in_table = in_memory(NULL, 8);

	(void)state;
	/* The third word is a pointer, but only in this process: the child's is one that leads nowhere. */
	words[2] = (uintptr_t)memory;
	in_table.base = BASE;
	in_table.displacement = 16;
	set_register(reading, BASE, (uintptr_t)words);
	set_register(reading, INDEX, (uintptr_t)(memory + 1000));
	add(reading, in_register(INDEX, 8), BLOCK);
	add(reading, in_table, BLOCK);
	add(reading, pointer_to(memory + 2 * PAGE - 16), BLOCK);
	add(reading, pointer_to(memory + PAGES * PAGE - 31), BLOCK);
	add(reading, pointer_to((void *)(uintptr_t)nowhere), BLOCK);
	add(reading, pointer_to(memory + 700), BLOCK);
	add(reading, in_memory(&words[3], 8), INTEGER);
	read_all(reading);
	assert_block(reading, 0, 1000);
	assert_failed(reading, 1, RECORD_POINTER_FAILED, -EFAULT);
	assert_true(arg(reading, 1)->value == UINT64_C(0xa1a2a3a4a5a6a7a8));
	assert_block(reading, 2, 2 * PAGE - 16);
	assert_failed(reading, 3, RECORD_POINTER_FAILED, -EFAULT);
	assert_failed(reading, 4, RECORD_POINTER_FAILED, -EFAULT);
	assert_true(arg(reading, 4)->value == nowhere);
	assert_block(reading, 5, 700);
	assert_value(reading, 6, UINT64_C(0xb1b2b3b4b5b6b7b8));
	free_reading(reading);
}

static void
assert_string(const struct reading *reading, unsigned n, size_t at, size_t len, int flags)
{
	assert_int_equal(arg(reading, n)->flags, flags);
	assert_int_equal(arg(reading, n)->error, 0);
	assert_int_equal(arg(reading, n)->len, len + 1);
	for (size_t i = 0; i < len; i++)
		assert_int_equal((unsigned char)bytes_of(reading, n)[i], byte_at(at + i));
	assert_int_equal(bytes_of(reading, n)[len], '\0');
}

static void
test_strings(void **state)
{
	struct reading *reading = new_reading();

	(void)state;
	add(reading, pointer_to(memory + 100), TEXT);
	add(reading, pointer_to(memory + 200), TEXT);
	add(reading, pointer_to(memory + 300), TEXT); /* just fits */
	add(reading, pointer_to(memory + 500), TEXT); /* too long by one */
	add(reading, pointer_to(memory + PAGE - 10), TEXT);
	add(reading, pointer_to(memory + PAGES * PAGE - 10), TEXT);
	add(reading, pointer_to(memory + 2 * PAGE), TEXT); /* much too long */
	read_all(reading);
	assert_string(reading, 0, 100, 5, 0);
	assert_string(reading, 1, 200, 0, 0);
	assert_string(reading, 2, 300, STRING - 1, 0);
	assert_string(reading, 3, 500, STRING - 1, RECORD_CUT);
	assert_string(reading, 4, PAGE - 10, 20, 0);
	assert_string(reading, 5, PAGES * PAGE - 10, 9, 0);
	assert_string(reading, 6, 2 * PAGE, STRING - 1, RECORD_CUT);
	free_reading(reading);
}

static void
test_strings_that_cannot_be_read(void **state)
{
	struct reading *reading = new_reading();

	(void)state;
	add(reading, pointer_to((void *)(uintptr_t)nowhere), TEXT);
	add(reading, pointer_to(NULL), TEXT);
	add(reading, pointer_to(memory + PAGES * PAGE), TEXT);
	add(reading, pointer_to(memory + 100), TEXT);
	read_all(reading);
	for (unsigned n = 0; n < 3; n++)
		assert_failed(reading, n, RECORD_POINTER_FAILED, -EFAULT);
	assert_string(reading, 3, 100, 5, 0);
	free_reading(reading);
}

/* Memory may end where the room for the string does, but not before. */
static void
test_a_string_without_an_end(void **state)
{
	struct reading *reading = new_reading();

	(void)state;
	add(reading, pointer_to(memory + PAGES * PAGE - 5),
	    (struct record_slot){.reader = READER_STRING, .slot_bytes = 4});
	add(reading, pointer_to(endless + PAGE - 40),
	    (struct record_slot){.reader = READER_STRING, .slot_bytes = 40});
	add(reading, pointer_to(endless + PAGE - 40),
	    (struct record_slot){.reader = READER_STRING, .slot_bytes = 41});
	read_all(reading);
	assert_string(reading, 0, PAGES * PAGE - 5, 3, RECORD_CUT);
	assert_string(reading, 1, PAGE - 40, 39, RECORD_CUT);
	assert_failed(reading, 2, RECORD_POINTER_FAILED, -EFAULT);
	free_reading(reading);
}

/* Argument 0 is the size, argument 1 the payload. */
static struct reading *
read_payload(struct operand size, const void *at)
{
	struct reading *reading = new_reading();

	add(reading, size, INTEGER);
	add(reading, pointer_to(at),
	    (struct record_slot){.reader = READER_PAYLOAD, .slot_bytes = PAYLOAD, .size_idx = 0});
	read_all(reading);
	return reading;
}

static void
assert_payload(struct reading *reading, size_t at, uint32_t len, int flags)
{
	assert_int_equal(arg(reading, 1)->flags, flags);
	assert_int_equal(arg(reading, 1)->error, 0);
	assert_int_equal(arg(reading, 1)->len, len);
	assert_int_equal(reading->size, reading->point.fixed_bytes + len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal((unsigned char)bytes_of(reading, 1)[i], byte_at(at + i));
	free_reading(reading);
}

static void
test_payloads(void **state)
{
	(void)state;
	assert_payload(read_payload(constant(17, 8), memory + 1000), 1000, 17, 0);
	assert_payload(read_payload(constant(PAYLOAD, 8), memory + 1000), 1000, PAYLOAD, 0);
	assert_payload(read_payload(constant(PAYLOAD + 1, 8), memory + 1000), 1000, PAYLOAD, RECORD_CUT);
	assert_payload(read_payload(constant(-1, 8), memory + 1000), 1000, PAYLOAD, RECORD_CUT);
	/* More than fits into the number of bytes that were read. */
	assert_payload(read_payload(constant(INT64_C(1) << 32, 8), memory + 1000), 1000, PAYLOAD, RECORD_CUT);
	assert_payload(read_payload(constant(0, 8), memory + 1000), 1000, 0, 0);
	assert_payload(read_payload(constant(0, 8), NULL), 0, 0, 0);
	assert_payload(read_payload(constant(30, 8), memory + 2 * PAGE - 15), 2 * PAGE - 15, 30, 0);
}

static void
test_payloads_that_cannot_be_read(void **state)
{
	struct reading *reading = read_payload(constant(17, 8), (void *)(uintptr_t)nowhere);

	(void)state;
	assert_failed(reading, 1, RECORD_POINTER_FAILED, -EFAULT);
	assert_int_equal(reading->size, reading->point.fixed_bytes);
	free_reading(reading);
	reading = read_payload(constant(17, 8), memory + PAGES * PAGE - 16);
	assert_failed(reading, 1, RECORD_POINTER_FAILED, -EFAULT);
	free_reading(reading);
	/* Of unknown size. */
	reading = read_payload(in_memory((void *)(uintptr_t)nowhere, 8), memory + 1000);
	assert_failed(reading, 0, RECORD_OPERAND_FAILED, -EFAULT);
	assert_int_equal(arg(reading, 1)->flags, 0);
	assert_int_equal(arg(reading, 1)->len, 0);
	assert_int_equal(reading->size, reading->point.fixed_bytes);
	free_reading(reading);
}

/* All is marked as unreadable, and nothing is made up. */
static void
test_a_process_that_is_gone(void **state)
{
	struct reading *reading = new_reading();
	pid_t living = child;

	(void)state;
	child = fork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	add(reading, in_memory(&words[0], 8), INTEGER);
	add(reading, pointer_to(memory), BLOCK);
	add(reading, pointer_to(memory), TEXT);
	add(reading, constant(5, 4), INTEGER);
	read_all(reading);
	child = living;
	assert_failed(reading, 0, RECORD_OPERAND_FAILED, -EFAULT);
	assert_failed(reading, 1, RECORD_POINTER_FAILED, -EFAULT);
	assert_failed(reading, 2, RECORD_POINTER_FAILED, -EFAULT);
	assert_value(reading, 3, 5);
	free_reading(reading);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_extended_indices),
		cmocka_unit_test(test_the_program_counter),
		cmocka_unit_test(test_operands_that_cannot_be_read),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_strings_that_cannot_be_read),
		cmocka_unit_test(test_a_string_without_an_end),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_payloads_that_cannot_be_read),
		cmocka_unit_test(test_a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, start_child, end_child);
}
