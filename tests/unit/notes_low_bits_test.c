/* What the code around a tracepoint says of the low bits of an address, for one instruction of each kind. */
#include "notes/low_bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CODE_ADDRESS = 0x10000, CODE_MAX = 600 };

/* The instructions, as an assembler makes them. */
#define ADRP_X0      0x90000000 /* adrp x0, page */
#define ADRP_X1      0x90000001
#define ADRP_X20     0x90000014
#define LDR_X1_230   0xf9411801 /* ldr x1, [x0, #0x230] */
#define LDR_X1_X20   0xf9411a81 /* ldr x1, [x20, #0x230] */
#define LDR_W1_230   0xb9423001
#define LDRB_W1_230  0x3948c001
#define LDRH_W1_230  0x79446001
#define LDRSW_X1_230 0xb9823001
#define LDR_D1_230   0xfd411801
#define LDR_Q1_230   0x3dc08c01
#define STR_X1_230   0xf9011801
#define STR_X0_230   0xf9011800 /* str x0, [x0, #0x230] */
#define STR_X1_238   0xf9011c01
#define LDR_X0_230   0xf9411800 /* ldr x0, [x0, #0x230] */
#define PRFM_230     0xf9811800
#define ADD_X0_230   0x9108c000 /* add x0, x0, #0x230 */
#define ADD_X1_230   0x9108c001 /* add x1, x0, #0x230 */
#define ADD_X1_X1    0x91000421
#define MOV_X0       0xd28000e0
#define NOP          0xd503201f
#define BL           0x97ffffe5
#define B            0x17ffffe2
#define RET          0xd65f03c0

static const uint32_t *code;
static size_t code_cnt;

static bool
read_code(void *cookie, uint64_t address, uint32_t *instruction)
{
	(void)cookie;
	assert_int_equal(address % 4, 0);
	if (address < CODE_ADDRESS || address >= CODE_ADDRESS + 4 * code_cnt)
		return false;
	*instruction = code[(address - CODE_ADDRESS) / 4];
	return true;
}

/* The site is at that index. */
static bool
find(const uint32_t *words, size_t cnt, size_t site, unsigned reg, uint64_t *low)
{
	code = words;
	code_cnt = cnt;
	return low_bits_find(read_code, NULL, CODE_ADDRESS + 4 * site,
			     (enum machine_register)(REGISTER_X0 + reg), low);
}

/* adrp, the instruction, the site. */
static bool
find_between(uint32_t instruction, uint64_t *low)
{
	const uint32_t words[] = {ADRP_X0, instruction, NOP};

	return find(words, 3, 2, 0, low);
}

static void
test_uses(void **state)
{
	static const uint32_t uses[] = {LDR_X1_230,   LDR_W1_230, LDRB_W1_230, LDRH_W1_230,
					LDRSW_X1_230, LDR_D1_230, LDR_Q1_230,  STR_X1_230,
					STR_X0_230,   PRFM_230,   ADD_X1_230};
	static const uint32_t ends[] = {LDR_X0_230, ADD_X0_230};

	(void)state;
	for (size_t i = 0; i < COUNT(uses) + COUNT(ends); i++) {
		bool ends_it = i >= COUNT(uses);
		uint32_t use = ends_it ? ends[i - COUNT(uses)] : uses[i];
		const uint32_t behind[] = {ADRP_X0, NOP, use, STR_X1_238};
		const uint32_t alone[] = {ADRP_X0, NOP, use};
		uint64_t low = 0;

		/* What changes the register before the site has nothing to do with it. */
		if (find_between(use, &low) == ends_it || (!ends_it && low != 0x230))
			fail_msg("%08x before the site: 0x%x", use, (unsigned)low);
		low = 0;
		assert_true(find(alone, 3, 1, 0, &low));
		assert_int_equal(low, 0x230);
		/* After it, what follows is another's, or contradicts. */
		assert_int_equal(find(behind, 4, 1, 0, &low), ends_it);
		/* Another register's: */
		assert_false(find(alone, 3, 1, 1, &low));
	}
}

static void
test_what_says_nothing(void **state)
{
	/* Between the adrp and the site, with a use behind the site. */
	static const struct {
		uint32_t instruction;
		bool passes;
		const char *text;
	} rows[] = {
		{NOP, true, "nop"},
		{0xd503245f, true, "bti c"},
		{0xd503233f, true, "paciasp"},
		{0x3908c020, true, "strb w0, [x1, #0x230]"},
		{0xf90007e0, true, "str x0, [sp, #8]"},
		{0x91000421, true, "add x1, x1, #1"},
		{0x8b020003, true, "add x3, x0, x2"},
		{0xf1000c1f, true, "cmp x0, #3"},
		{ADRP_X1, true, "adrp x1, page"},
		{0x54fffba0, true, "b.eq"},
		{0xb4fffb80, true, "cbz x0"},
		{0x361ffb60, true, "tbz w0, #3"},
		{0xf9400420, false, "ldr x0, [x1, #8]"},
		{MOV_X0, false, "mov x0, #7"},
		{0xf28000e0, false, "movk x0, #7"},
		{0x10fff9c0, false, "adr x0"},
		{0x58fffac0, false, "ldr x0, literal"},
		{0x9b027c20, false, "mul x0, x1, x2"},
		{0x9a820020, false, "csel x0, x1, x2, eq"},
		{0x9e660000, false, "fmov x0, d0"},
		{0xd53bd040, false, "mrs x0, tpidr_el0"},
		{0xc85f7c20, false, "ldxr x0, [x1]"},
		{0xc8a07c41, false, "cas x0, x1, [x2]"},
		{0xa8c107e0, false, "ldp x0, x1, [sp], #16"},
		{0xa8c103e1, false, "ldp x1, x0, [sp], #16"},
		{0xf8408401, false, "ldr x1, [x0], #8"},
		{0xf8626801, false, "ldr x1, [x0, x2]"},
		{BL, false, "bl"},
		{0xd63f0060, false, "blr x3"},
		{RET, false, "ret"},
		{B, false, "b"},
		{0xd61f0060, false, "br x3"},
		{0xd4000001, false, "svc #0"},
		{0xd4200020, false, "brk #1"},
		{0x00000000, false, "udf #0"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const uint32_t before[] = {ADRP_X0, rows[i].instruction, NOP, LDR_X1_230};
		const uint32_t behind[] = {ADRP_X0, NOP, rows[i].instruction, LDR_X1_230};
		uint64_t low = 0;

		if (find(before, 4, 2, 0, &low) != rows[i].passes)
			fail_msg("'%s' before the site", rows[i].text);
		if (find(behind, 4, 1, 0, &low) != rows[i].passes)
			fail_msg("'%s' behind the site", rows[i].text);
	}
}

static void
test_contradictions(void **state)
{
	const uint32_t same[] = {ADRP_X0, LDR_X1_230, STR_X1_230, NOP, ADD_X1_230};
	const uint32_t different[] = {ADRP_X0, LDR_X1_230, STR_X1_238, NOP};
	const uint32_t later[] = {ADRP_X0, LDR_X1_230, NOP, STR_X1_238};
	const uint32_t of_another_page[] = {ADRP_X0, STR_X1_238, ADRP_X0,   LDR_X1_230,
					    NOP,     ADRP_X0,    STR_X1_238};
	uint64_t low = 0;

	(void)state;
	assert_true(find(same, COUNT(same), 3, 0, &low));
	assert_int_equal(low, 0x230);
	assert_false(find(different, COUNT(different), 3, 0, &low));
	assert_false(find(later, COUNT(later), 2, 0, &low));
	assert_true(find(of_another_page, COUNT(of_another_page), 4, 0, &low));
	assert_int_equal(low, 0x230);
}

static void
test_no_use_or_no_page(void **state)
{
	const uint32_t no_use[] = {ADRP_X0, NOP, RET};
	const uint32_t no_page[] = {LDR_X1_230, NOP, RET};
	const uint32_t preserved[] = {ADRP_X20, BL, NOP, LDR_X1_X20};
	const uint32_t other[] = {ADRP_X20, NOP, LDR_X1_X20};
	uint64_t low = 0;

	(void)state;
	assert_false(find(no_use, 3, 1, 0, &low));
	assert_false(find(no_page, 3, 1, 0, &low));
	/* A function that does not return would be followed by anything. */
	assert_false(find(preserved, 4, 2, 20, &low));
	assert_true(find(other, 3, 1, 20, &low));
	assert_int_equal(low, 0x230);
	assert_false(low_bits_find(read_code, NULL, CODE_ADDRESS + 4, REGISTER_A64_SP, &low));
	assert_false(low_bits_find(read_code, NULL, CODE_ADDRESS + 4, REGISTER_NONE, &low));
	assert_false(low_bits_find(read_code, NULL, 0, REGISTER_X0, &low));
	assert_false(low_bits_find(read_code, NULL, UINT64_MAX - 3, REGISTER_X0, &low));
}

/* It ends, however far the code goes on. */
static void
test_far_away(void **state)
{
	static uint32_t words[CODE_MAX];
	uint64_t low = 0;

	(void)state;
	for (size_t i = 0; i < CODE_MAX; i++)
		words[i] = NOP;
	words[100] = ADRP_X0;
	words[101] = LDR_X1_230;
	assert_true(find(words, CODE_MAX, 300, 0, &low));
	assert_false(find(words, CODE_MAX, 500, 0, &low));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uses),           cmocka_unit_test(test_what_says_nothing),
		cmocka_unit_test(test_contradictions), cmocka_unit_test(test_no_use_or_no_page),
		cmocka_unit_test(test_far_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
