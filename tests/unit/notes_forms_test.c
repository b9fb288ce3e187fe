/* The forms of operands on each machine. */
#include "notes/forms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The text in memory of exactly its size, so that sanitizers notice any read beyond it. */
static struct form
form_exact(enum machine machine, const char *text, const char **number)
{
	static char copy[8];
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, text, len);
	struct form form = form_of(machine, exact, len);
	*number = NULL;
	if (form.number) {
		size_t rest = len - (size_t)(form.number - exact);

		assert_true(rest > 0 && rest < sizeof(copy));
		memcpy(copy, form.number, rest);
		copy[rest] = '\0';
		*number = copy;
	}
	free(exact);
	return form;
}

static void
forms(void **state)
{
#define READS    OPERAND_BCC_READS
#define LEAVES   OPERAND_BCC_LEAVES
#define MISREADS OPERAND_BCC_MISREADS
	static const struct {
		enum machine machine;
		const char *text;
		enum form_kind kind;
		enum operand_bcc bcc;
		const char *number;
	} rows[] = {
		{MACHINE_AARCH64, "x0", FORM_REGISTER, READS, NULL},
		{MACHINE_AARCH64, "x30", FORM_REGISTER, READS, NULL},
		{MACHINE_AARCH64, "sp", FORM_REGISTER, READS, NULL},
		{MACHINE_AARCH64, "w7", FORM_REGISTER, LEAVES, NULL},
		{MACHINE_AARCH64, "xzr", FORM_REGISTER, LEAVES, NULL},
		{MACHINE_AARCH64, "x31", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_AARCH64, "x01", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_AARCH64, "x0 ", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_AARCH64, "%x0", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_AARCH64, "d31", FORM_CLOSED, LEAVES, NULL},
		{MACHINE_AARCH64, "q0", FORM_CLOSED, LEAVES, NULL},
		{MACHINE_AARCH64, "-5", FORM_CONSTANT, READS, "-5"},
		{MACHINE_AARCH64, "#5", FORM_CONSTANT, LEAVES, "5"},
		{MACHINE_AARCH64, "[x19]", FORM_MEMORY, READS, NULL},
		{MACHINE_AARCH64, "[sp,16]", FORM_MEMORY, READS, NULL},
		{MACHINE_AARCH64, "[sp, -16]", FORM_MEMORY, READS, NULL},
		{MACHINE_AARCH64, "[x0, x1]", FORM_MEMORY, READS, NULL},
		{MACHINE_AARCH64, "[x0, #8]", FORM_MEMORY, LEAVES, NULL},
		{MACHINE_AARCH64, "[x0, x1, lsl 3]", FORM_MEMORY, LEAVES, NULL},
		{MACHINE_AARCH64, "[x0, w1, sxtw #2]", FORM_MEMORY, LEAVES, NULL},
		{MACHINE_AARCH64, "[x0, w1, sxtw]", FORM_MEMORY, LEAVES, NULL},
		{MACHINE_AARCH64, "[x0", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_AARCH64, "[d0]", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_AARCH64, "[x0, :lo12:sym]", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_ARM, "r0", FORM_REGISTER, READS, NULL},
		{MACHINE_ARM, "fp", FORM_REGISTER, READS, NULL},
		{MACHINE_ARM, "d7", FORM_CLOSED, READS, NULL},
		{MACHINE_ARM, "#-1", FORM_CONSTANT, READS, "-1"},
		{MACHINE_ARM, "[sp]", FORM_MEMORY, READS, NULL},
		{MACHINE_ARM, "[sp, #4]", FORM_MEMORY, READS, NULL},
		{MACHINE_ARM, "[r1, r2, lsl #2]", FORM_MEMORY, READS, NULL},
		{MACHINE_ARM, "[r1, -r2]", FORM_MEMORY, READS, NULL},
		{MACHINE_ARM, ".LC0", FORM_UNKNOWN, READS, NULL},
		{MACHINE_RISCV, "a0", FORM_REGISTER, READS, NULL},
		{MACHINE_RISCV, "s11", FORM_REGISTER, READS, NULL},
		{MACHINE_RISCV, "zero", FORM_REGISTER, LEAVES, NULL},
		{MACHINE_RISCV, "a8", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_RISCV, "fa0", FORM_CLOSED, LEAVES, NULL},
		{MACHINE_RISCV, "ft11", FORM_CLOSED, LEAVES, NULL},
		{MACHINE_RISCV, "-24(s0)", FORM_MEMORY, READS, NULL},
		{MACHINE_RISCV, "(s0)", FORM_MEMORY, LEAVES, NULL},
		{MACHINE_RISCV, "7", FORM_CONSTANT, READS, "7"},
		{MACHINE_PPC, "3", FORM_REGISTER, READS, NULL},
		{MACHINE_PPC, "31", FORM_REGISTER, READS, NULL},
		{MACHINE_PPC, "%r31", FORM_REGISTER, READS, NULL},
		{MACHINE_PPC, "r3", FORM_REGISTER, LEAVES, NULL},
		{MACHINE_PPC, "i5", FORM_CONSTANT, READS, "5"},
		{MACHINE_PPC, "i-5", FORM_CONSTANT, READS, "-5"},
		{MACHINE_PPC, "32", FORM_CONSTANT, LEAVES, "32"},
		{MACHINE_PPC, "16(1)", FORM_MEMORY, READS, NULL},
		{MACHINE_PPC, "-16(%r1)", FORM_MEMORY, READS, NULL},
		{MACHINE_PPC, "9,10", FORM_MEMORY, MISREADS, NULL},
		{MACHINE_PPC, "%f1", FORM_CLOSED, LEAVES, NULL},
		{MACHINE_S390, "%r15", FORM_REGISTER, READS, NULL},
		{MACHINE_S390, "%r16", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_S390, "r1", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_S390, "%f0", FORM_CLOSED, LEAVES, NULL},
		{MACHINE_S390, "160(%r15)", FORM_MEMORY, READS, NULL},
		{MACHINE_S390, "0(%r1,%r2)", FORM_MEMORY, READS, NULL},
		{MACHINE_S390, "(%r1)", FORM_MEMORY, MISREADS, NULL},
		{MACHINE_S390, "-1", FORM_CONSTANT, READS, "-1"},
		{MACHINE_LOONGARCH, "$r4", FORM_REGISTER, READS, NULL},
		{MACHINE_LOONGARCH, "$f4", FORM_CLOSED, LEAVES, NULL},
		{MACHINE_LOONGARCH, "$r22, -24", FORM_MEMORY, LEAVES, NULL},
		{MACHINE_LOONGARCH, "r4", FORM_UNKNOWN, LEAVES, NULL},
		{MACHINE_I386, "%eax", FORM_REGISTER, READS, NULL},
		{MACHINE_I386, "%rax", FORM_UNKNOWN, READS, NULL},
		{MACHINE_I386, "%xmm1", FORM_CLOSED, READS, NULL},
		{MACHINE_I386, "$-3", FORM_CONSTANT, READS, "-3"},
		{MACHINE_I386, "-12(%ebp)", FORM_MEMORY, READS, NULL},
		{MACHINE_I386, "(%eax,%ebx,8)", FORM_MEMORY, READS, NULL},
		{MACHINE_I386, "sym", FORM_SYMBOL, READS, NULL},
		{MACHINE_I386, "sym@GOTOFF(%ebx)", FORM_SYMBOL, READS, NULL},
		{MACHINE_OTHER, "any thing", FORM_MEMORY, READS, NULL},
		{MACHINE_OTHER, "", FORM_MEMORY, READS, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *number;
		struct form form = form_exact(rows[i].machine, rows[i].text, &number);

		if (form.kind != rows[i].kind || form.bcc != rows[i].bcc)
			fail_msg("'%s' of machine %d: kind %d, libbcc %d", rows[i].text, rows[i].machine,
				 form.kind, form.bcc);
		assert_int_equal(number != NULL, rows[i].number != NULL);
		if (number)
			assert_string_equal(number, rows[i].number);
	}
}

static void
nothing_and_rubbish(void **state)
{
	static const char alphabet[] = "0189-+$%()@,.:#[]ixrwsfd \x01\x80\xff";
	uint32_t random = 1;

	(void)state;
	for (enum machine machine = MACHINE_X86_64; machine < MACHINE_OTHER; machine++) {
		const char *number;

		assert_int_equal(form_exact(machine, "", &number).kind, FORM_UNKNOWN);
		for (unsigned i = 0; i < 20000; i++) {
			char text[8];
			size_t len = 1 + i % (sizeof(text) - 1);

			for (size_t k = 0; k < len; k++) {
				random = random * 1664525 + 1013904223;
				text[k] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
			}
			text[len] = '\0';
			struct form form = form_exact(machine, text, &number);
			assert_int_equal(number != NULL, form.kind == FORM_CONSTANT);
		}
	}
}

static void
readers_of_libbcc(void **state)
{
	(void)state;
	assert_true(machine_has_bcc(MACHINE_X86_64, true));
	assert_true(machine_has_bcc(MACHINE_AARCH64, true));
	assert_false(machine_has_bcc(MACHINE_X86_64, false));
	assert_false(machine_has_bcc(MACHINE_RISCV, false));
	assert_false(machine_has_bcc(MACHINE_ARM, false));
	assert_false(machine_has_bcc(MACHINE_OTHER, true));
}

/* Registers are numbered from 0 to some last one; "a07" is none. */
static void
last_registers(void **state)
{
	static const struct {
		enum machine machine;
		const char *prefix;
		unsigned last;
		enum form_kind kind;
	} rows[] = {
		{MACHINE_AARCH64, "x", 30, FORM_REGISTER},    {MACHINE_AARCH64, "w", 30, FORM_REGISTER},
		{MACHINE_ARM, "r", 15, FORM_REGISTER},        {MACHINE_ARM, "s", 31, FORM_CLOSED},
		{MACHINE_ARM, "d", 31, FORM_CLOSED},          {MACHINE_ARM, "q", 31, FORM_CLOSED},
		{MACHINE_RISCV, "a", 7, FORM_REGISTER},       {MACHINE_RISCV, "s", 11, FORM_REGISTER},
		{MACHINE_RISCV, "t", 6, FORM_REGISTER},       {MACHINE_RISCV, "x", 31, FORM_REGISTER},
		{MACHINE_RISCV, "f", 31, FORM_CLOSED},        {MACHINE_RISCV, "fa", 7, FORM_CLOSED},
		{MACHINE_RISCV, "fs", 11, FORM_CLOSED},       {MACHINE_RISCV, "ft", 11, FORM_CLOSED},
		{MACHINE_RISCV, "v", 31, FORM_CLOSED},        {MACHINE_PPC, "%r", 31, FORM_REGISTER},
		{MACHINE_S390, "%r", 15, FORM_REGISTER},      {MACHINE_S390, "%v", 31, FORM_CLOSED},
		{MACHINE_LOONGARCH, "$r", 31, FORM_REGISTER},
	};
	const char *number;
	char text[16];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (unsigned n = 0; n <= rows[i].last + 1; n++) {
			enum form_kind want = n <= rows[i].last ? rows[i].kind : FORM_UNKNOWN;

			snprintf(text, sizeof(text), "%s%u", rows[i].prefix, n);
			if (form_exact(rows[i].machine, text, &number).kind != want)
				fail_msg("%s of machine %d", text, (int)rows[i].machine);
		}
		snprintf(text, sizeof(text), "%s0%u", rows[i].prefix, rows[i].last);
		assert_int_equal(form_exact(rows[i].machine, text, &number).kind, FORM_UNKNOWN);
	}
}

static void
registers_of_x86(void **state)
{
	static const struct {
		const char *prefix;
		unsigned last;
	} closed[] = {{"%xmm", 31}, {"%ymm", 31}, {"%zmm", 31}, {"%mm", 7}, {"%k", 7}};
	static const char *const suffixes[] = {"", "d", "w", "b", "x", "dd"};
	const char *number;
	char text[16];

	(void)state;
	for (unsigned n = 7; n <= 16; n++)
		for (size_t k = 0; k < COUNT(suffixes); k++) {
			bool is_one = n >= 8 && n <= 15 && k < 4;

			snprintf(text, sizeof(text), "%%r%u%s", n, suffixes[k]);
			if ((form_exact(MACHINE_X86_64, text, &number).kind == FORM_REGISTER) != is_one)
				fail_msg("%s", text);
			assert_int_equal(form_exact(MACHINE_I386, text, &number).kind, FORM_UNKNOWN);
		}
	for (size_t i = 0; i < COUNT(closed); i++)
		for (unsigned n = 0; n <= closed[i].last + 1; n++) {
			snprintf(text, sizeof(text), "%s%u", closed[i].prefix, n);
			if ((form_exact(MACHINE_X86_64, text, &number).kind == FORM_CLOSED) !=
			    (n <= closed[i].last))
				fail_msg("%s", text);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(nothing_and_rubbish),
		cmocka_unit_test(readers_of_libbcc),
		cmocka_unit_test(last_registers),
		cmocka_unit_test(registers_of_x86),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
