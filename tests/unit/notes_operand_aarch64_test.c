/* The operands of aarch64, one row for each form. */
#include "notes/operand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define X(n)         ((enum machine_register)(REGISTER_X0 + (n)))
#define SP           REGISTER_A64_SP
#define NONE         REGISTER_NONE

enum { SITE_ADDRESS = 0x5000, SYMBOL_ADDRESS = 0x4abc };

static enum symbol_state
find_symbol(void *cookie, const char *name, size_t len, uint64_t *address)
{
	(void)cookie;
	if (len == 3 && !memcmp(name, "sym", 3)) {
		*address = SYMBOL_ADDRESS;
		return SYMBOL_FOUND;
	}
	return len == 5 && !memcmp(name, "twice", 5) ? SYMBOL_AMBIGUOUS : SYMBOL_MISSING;
}

/* The code only says something about x7. */
static bool
find_low_bits(void *cookie, uint64_t site_address, enum machine_register base, uint64_t *low)
{
	(void)cookie;
	assert_int_equal(site_address, SITE_ADDRESS);
	*low = 0x230;
	return base == X(7);
}

/* From memory of exactly the text's size, so that sanitizers notice any read beyond it. */
static struct operand
parse(const char *text)
{
	const struct operand_opts opts = {
		.site_address = SITE_ADDRESS,
		.is_position_independent = true,
		.machine = MACHINE_AARCH64,
		.find_symbol = find_symbol,
		.find_low_bits = find_low_bits,
	};
	struct operand operand;
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, text, len);
	memset(&operand, 0x5a, sizeof(operand));
	operand_parse(&operand, exact, len, &opts);
	free(exact);
	assert_true(operand.kind == OPERAND_UNREADABLE || operand.reason[0] == '\0');
	assert_true(operand.kind != OPERAND_UNREADABLE || operand.reason[0] != '\0');
	return operand;
}

static struct operand
parse_as(const char *text, enum operand_kind kind)
{
	struct operand operand = parse(text);

	if (operand.kind != kind)
		fail_msg("'%s': kind %d, reason '%s'", text, (int)operand.kind, operand.reason);
	return operand;
}

static void
assert_unreadable(const char *text, const char *reason)
{
	struct operand operand = parse_as(text, OPERAND_UNREADABLE);

	assert_string_equal(operand.reason, reason);
	assert_int_equal(operand.base, NONE);
	assert_int_equal(operand.index, NONE);
	assert_int_equal(operand.scale, 0);
	assert_int_equal(operand.extension, EXTENSION_NONE);
	assert_int_equal(operand.displacement, 0);
	assert_int_equal(operand.constant, 0);
}

static void
constants(void **state)
{
	static const struct {
		const char *text;
		uint8_t width_bytes;
		bool is_signed;
		int64_t want;
	} rows[] = {
		{"8@0", 8, false, 0},
		{"-4@-1", 4, true, -1},
		{"1@-1", 1, false, 255},
		{"-1@255", 1, true, -1},
		{"-4@#-5", 4, true, -5},
		{"8@0x10", 8, false, 16},
		{"8@#0x10", 8, false, 16},
		{"-8@1099511627776", 8, true, INT64_C(1) << 40},
		{"-8@-9223372036854775808", 8, true, INT64_MIN},
		{"8@18446744073709551615", 8, false, -1},
		{"4@8+4", 4, false, 12},
		/* The register that is always 0. */
		{"8@xzr", 8, false, 0},
		{"-4@wzr", 4, true, 0},
		{"8@wzr", 8, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct operand operand = parse_as(rows[i].text, OPERAND_CONSTANT);

		assert_int_equal(operand.constant, rows[i].want);
		assert_int_equal(operand.width_bytes, rows[i].width_bytes);
		assert_int_equal(operand.is_signed, rows[i].is_signed);
		assert_int_equal(operand.base, NONE);
		assert_string_equal(operand.text, rows[i].text);
	}
	assert_unreadable("1@256", "the constant does not fit the operand's width of 1");
	assert_unreadable("-4@4294967296", "the constant does not fit the operand's width of 4");
}

static void
every_register_of_every_width(void **state)
{
	static const unsigned widths[] = {1, 2, 4, 8};

	(void)state;
	for (unsigned n = 0; n <= 31; n++)
		for (size_t w = 0; w < COUNT(widths); w++)
			for (int is_w = 0; is_w < 2; is_w++) {
				char text[32], name[8];

				if (n < 31)
					snprintf(name, sizeof(name), "%c%u", is_w ? 'w' : 'x', n);
				else
					snprintf(name, sizeof(name), "%s", is_w ? "wsp" : "sp");
				snprintf(text, sizeof(text), "-%u@%s", widths[w], name);
				if (is_w && widths[w] == 8) {
					char reason[96];

					snprintf(reason, sizeof(reason),
						 "the register %s holds 4 bytes, the operand has 8", name);
					assert_unreadable(text, reason);
					continue;
				}
				struct operand operand = parse_as(text, OPERAND_REGISTER);
				assert_int_equal(operand.base, n < 31 ? X(n) : SP);
				assert_int_equal(operand.width_bytes, widths[w]);
				assert_true(operand.is_signed);
				assert_int_equal(operand.shift_bits, 0);
				assert_int_equal(operand.index, NONE);
				assert_string_equal(operand.text, text);
			}
}

static void
registers_that_bpf_cannot_read(void **state)
{
	static const char *const prefixes[] = {"b", "h", "s", "d", "q", "v"};

	(void)state;
	for (size_t i = 0; i < COUNT(prefixes); i++)
		for (unsigned n = 0; n < 32; n++) {
			char text[32], reason[96];

			snprintf(text, sizeof(text), "8@%s%u", prefixes[i], n);
			snprintf(reason, sizeof(reason),
				 "the operand is in the register %s, which BPF cannot read", text + 2);
			assert_unreadable(text, reason);
		}
	assert_unreadable("8@v0.d[0]", "the operand is in the register v0.d[0], which BPF cannot read");
	assert_unreadable("8@z3", "the operand is in the register z3, which BPF cannot read");
	assert_unreadable("8f@d0", "the operand is a floating-point number, which BPF cannot handle");
}

static void
memory(void **state)
{
	static const struct {
		const char *text;
		enum machine_register base, index;
		uint8_t scale;
		enum operand_extension extension;
		int64_t displacement;
	} rows[] = {
		{"8@[x0]", X(0), NONE, 0, EXTENSION_NONE, 0},
		{"8@[x30]", X(30), NONE, 0, EXTENSION_NONE, 0},
		{"-4@[sp]", SP, NONE, 0, EXTENSION_NONE, 0},
		{"8@[x1, 32]", X(1), NONE, 0, EXTENSION_NONE, 32},
		{"8@[x1,32]", X(1), NONE, 0, EXTENSION_NONE, 32},
		{"8@[x1, #32]", X(1), NONE, 0, EXTENSION_NONE, 32},
		{"-2@[sp, -16]", SP, NONE, 0, EXTENSION_NONE, -16},
		{"-2@[sp, #-16]", SP, NONE, 0, EXTENSION_NONE, -16},
		{"1@[x29, 0x20]", X(29), NONE, 0, EXTENSION_NONE, 32},
		{"1@[x2, #8+4]", X(2), NONE, 0, EXTENSION_NONE, 12},
		{"4@[ x2 , #8 ]", X(2), NONE, 0, EXTENSION_NONE, 8},
		/* With an index: */
		{"-1@[x0, x1]", X(0), X(1), 1, EXTENSION_NONE, 0},
		{"8@[sp, x30]", SP, X(30), 1, EXTENSION_NONE, 0},
		{"8@[x0, x1, lsl 3]", X(0), X(1), 8, EXTENSION_NONE, 0},
		{"8@[x0, x1, lsl #0]", X(0), X(1), 1, EXTENSION_NONE, 0},
		{"8@[x0, x1, lsl #1]", X(0), X(1), 2, EXTENSION_NONE, 0},
		{"8@[x0, x1, lsl #4]", X(0), X(1), 16, EXTENSION_NONE, 0},
		{"8@[x0, x1, sxtx]", X(0), X(1), 1, EXTENSION_NONE, 0},
		{"8@[x0, x1, sxtx #3]", X(0), X(1), 8, EXTENSION_NONE, 0},
		{"8@[x0, w1, sxtw]", X(0), X(1), 1, EXTENSION_SIGN, 0},
		{"4@[x0, w1, sxtw #2]", X(0), X(1), 4, EXTENSION_SIGN, 0},
		{"4@[x0, w1, sxtw 2]", X(0), X(1), 4, EXTENSION_SIGN, 0},
		{"8@[x0, w2, uxtw]", X(0), X(2), 1, EXTENSION_ZERO, 0},
		{"8@[x0, w2, uxtw #3]", X(0), X(2), 8, EXTENSION_ZERO, 0},
		{"8@[x0, xzr]", X(0), NONE, 0, EXTENSION_NONE, 0},
		{"8@[x0, wzr, uxtw #3]", X(0), NONE, 0, EXTENSION_NONE, 0},
		/* What would be written back is not, at a nop: */
		{"8@[x0, 8]!", X(0), NONE, 0, EXTENSION_NONE, 8},
		{"8@[x0, #-8]!", X(0), NONE, 0, EXTENSION_NONE, -8},
		{"8@[sp], 16", SP, NONE, 0, EXTENSION_NONE, 0},
		{"8@[x0], #-8", X(0), NONE, 0, EXTENSION_NONE, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct operand operand = parse_as(rows[i].text, OPERAND_MEMORY);

		assert_int_equal(operand.base, rows[i].base);
		assert_int_equal(operand.index, rows[i].index);
		assert_int_equal(operand.scale, rows[i].scale);
		assert_int_equal(operand.extension, rows[i].extension);
		assert_int_equal(operand.displacement, rows[i].displacement);
		assert_int_equal(operand.source, OPERAND_FROM_NOTE);
		assert_int_equal(operand.shift_bits, 0);
		assert_string_equal(operand.text, rows[i].text);
	}
}

static void
what_is_refused(void **state)
{
	static const char *const strange[] = {
		"8@",
		"8@x31",
		"8@x01",
		"8@w31",
		"8@x",
		"8@x100",
		"8@X0",
		"8@x0 ",
		"8@x0,",
		"8@%x0",
		"8@%rax",
		"8@lr",
		"8@d32",
		"8@#",
		"8@#x0",
		"8@#sym",
		"8@-",
		"8@08",
		"8@1,",
		"8@sym",
		"8@sym+8",
		"8@[",
		"8@[]",
		"8@[x0",
		"8@[x0,",
		"8@[x0,]",
		"8@[x0]]",
		"8@[x0]!",
		"8@[x0] 8",
		"8@[x0], x1",
		"8@[x0],",
		"8@[x0], sym",
		"8@[x0, 8]!!",
		"8@[x0, 8]x",
		"8@[x0, 08]",
		"8@[x0, #]",
		"8@[x0, sym]",
		"8@[x0, 8+sym]",
		"8@[x0, w1]",
		"8@[x0, w1, lsl 2]",
		"8@[x0, w1, sxtx 2]",
		"8@[x0, x1, sxtw 2]",
		"8@[x0, x1, uxtw]",
		"8@[x0, x1, lsl]",
		"8@[x0, x1, lsl 5]",
		"8@[x0, x1, lsl #-1]",
		"8@[x0, x1, lsr 1]",
		"8@[x0, x1, 3]",
		"8@[x0, x1,]",
		"8@[x0, x1]!",
		"8@[x0, x1], 8",
		"8@[x0, sp]",
		"8@[x0, d1]",
		"8@[xzr]",
		"8@[d0]",
		"8@[8]",
		"8@[x0, #:lo12:]",
		"8@[x0, #:lo12:8]",
		"8@[x0, #:lo12:sym",
		"8@[x0, #:lo12:sym]!",
		"8@[x0, #:lo12:sym+]",
		"8@[x0, #:lo12:sym+sym]",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(strange); i++)
		assert_unreadable(strange[i], "the text of the operand was not understood");
	assert_unreadable("8@[w3]", "the address is in w3, which is not a 64-bit register");
	assert_unreadable("8@[wsp, 8]", "the address is in wsp, which is not a 64-bit register");
}

/* The note has only a part of the address. */
static void
low_bits(void **state)
{
	static const struct {
		const char *text;
		enum machine_register base;
		int64_t displacement;
		enum operand_source source;
	} rows[] = {
		{"8@[x0, #:lo12:sym]", X(0), 0xabc, OPERAND_FROM_SYMBOLS},
		{"8@[x0, :lo12:sym]", X(0), 0xabc, OPERAND_FROM_SYMBOLS},
		{"8@[x0, #:lo12:sym+8]", X(0), 0xac4, OPERAND_FROM_SYMBOLS},
		{"8@[x0, #:lo12:sym+0x544]", X(0), 0, OPERAND_FROM_SYMBOLS}, /* of the next page */
		{"8@[x7, #:lo12:sym]", X(7), 0xabc, OPERAND_FROM_SYMBOLS},
		{"8@[x7, #:lo12:.LANCHOR0]", X(7), 0x230, OPERAND_FROM_CODE},
		{"8@[x7, #:lo12:.LANCHOR0+8]", X(7), 0x230, OPERAND_FROM_CODE},
		{"8@[x7, #:lo12:twice]", X(7), 0x230, OPERAND_FROM_CODE},
	};
	static const char *const unknown[] = {
		"8@[x0, #:lo12:.LANCHOR0]",
		"8@[x0, #:lo12:twice]",
		"8@[x7, #:got_lo12:sym]",
		"8@[x7, #:tprel_lo12_nc:sym]",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct operand operand = parse_as(rows[i].text, OPERAND_MEMORY);

		assert_int_equal(operand.base, rows[i].base);
		assert_int_equal(operand.index, NONE);
		assert_int_equal(operand.displacement, rows[i].displacement);
		assert_int_equal(operand.source, rows[i].source);
		assert_int_equal(operand.bcc, OPERAND_BCC_LEAVES);
	}
	for (size_t i = 0; i < COUNT(unknown); i++) {
		assert_unreadable(
			unknown[i],
			"the offset is the linker's, and not in the note: no tracer can read the argument");
		assert_int_equal(parse(unknown[i]).source, OPERAND_FROM_LINKER);
	}
	struct operand operand;
	const struct operand_opts pure = {.machine = MACHINE_AARCH64};
	operand_parse(&operand, "8@[x7, #:lo12:sym]", strlen("8@[x7, #:lo12:sym]"), &pure);
	assert_int_equal(operand.kind, OPERAND_UNREADABLE);
	assert_int_equal(operand.source, OPERAND_FROM_LINKER);
}

/* What libbcc makes of operands that tpcheck can read. */
static void
readings_of_libbcc(void **state)
{
	static const struct {
		const char *text;
		enum operand_bcc want;
	} rows[] = {
		{"8@x0", OPERAND_BCC_READS},
		{"8@sp", OPERAND_BCC_READS},
		{"4@w0", OPERAND_BCC_LEAVES},
		{"8@xzr", OPERAND_BCC_LEAVES},
		{"8@5", OPERAND_BCC_READS},
		{"8@#5", OPERAND_BCC_LEAVES},
		{"8@[x0]", OPERAND_BCC_READS},
		{"8@[x0, 8]", OPERAND_BCC_READS},
		{"8@[x0, x1]", OPERAND_BCC_READS},
		{"8@[x0, #8]", OPERAND_BCC_LEAVES},
		{"8@[x0, x1, lsl 3]", OPERAND_BCC_LEAVES},
		{"8@[x0, 8]!", OPERAND_BCC_LEAVES},
		{"8@[x0], 8", OPERAND_BCC_LEAVES},
		{"8@d0", OPERAND_BCC_LEAVES},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (parse(rows[i].text).bcc != rows[i].want)
			fail_msg("'%s': %d, wanted %d", rows[i].text, parse(rows[i].text).bcc, rows[i].want);
}

/* Any bytes do no harm, and give a complete operand. */
static void
rubbish(void **state)
{
	static const char alphabet[] = "0189-+#[]!,.:xwlsp \x01\x80\xff";
	static const char *const seeds[] = {
		"-4@[x1, #24]", "8@[x0, #:lo12:sym+8]", "8@[sp, w10, sxtw #3]", "1@#-1", "8@x28",
		"8@[x7], 8",    "8@[x0, x1, lsl 2]"};
	unsigned understood = 0;
	uint32_t random = 1;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char text[32];
		const char *seed = seeds[i % COUNT(seeds)];
		size_t len = strlen(seed);

		memcpy(text, seed, len + 1);
		for (unsigned k = 0; k < 1 + i % 3; k++) {
			random = random * 1664525 + 1013904223;
			text[(random >> 8) % len] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
		}
		struct operand operand = parse(text);
		understood += operand.kind != OPERAND_UNREADABLE;
		assert_true(operand.kind <= OPERAND_MEMORY);
		assert_true(operand.base == NONE || (operand.base >= X(0) && operand.base <= SP));
		assert_true(operand.index == NONE || (operand.index >= X(0) && operand.index < SP));
		assert_true(operand.kind == OPERAND_UNREADABLE || operand.width_bytes);
		assert_true((operand.kind == OPERAND_MEMORY || operand.kind == OPERAND_REGISTER) ==
			    (operand.base != NONE));
		assert_int_equal(operand.scale != 0, operand.index != NONE);
	}
	assert_in_range(understood, 1000, 199000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants),
		cmocka_unit_test(every_register_of_every_width),
		cmocka_unit_test(registers_that_bpf_cannot_read),
		cmocka_unit_test(memory),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(low_bits),
		cmocka_unit_test(readings_of_libbcc),
		cmocka_unit_test(rubbish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
