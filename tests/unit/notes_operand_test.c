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

enum {
	SITE_ADDRESS = 0x5000,
	SYMBOL_ADDRESS = 0x4000,
};

static enum symbol_state
find_symbol(void *cookie, const char *name, size_t len, uint64_t *address)
{
	static const struct {
		const char *name;
		enum symbol_state state;
		uint64_t address;
	} known[] = {
		{"sym", SYMBOL_FOUND, SYMBOL_ADDRESS}, {"_ZN3foo3barE", SYMBOL_FOUND, 0x6000},
		{"counter.0", SYMBOL_FOUND, 0x6100},   {"AZaz_09.$x\x80\xff", SYMBOL_FOUND, 0x6200},
		{"twice", SYMBOL_AMBIGUOUS, 0},        {"tls", SYMBOL_PLACELESS, 0},
		{"unsearched", SYMBOL_NO_TABLE, 0},
	};

	++*(unsigned *)cookie;
	for (size_t i = 0; i < COUNT(known); i++)
		if (strlen(known[i].name) == len && !memcmp(known[i].name, name, len)) {
			*address = known[i].address;
			return known[i].state;
		}
	return SYMBOL_MISSING;
}

/* Parses from memory of exactly the text's size, so that sanitizers notice any read beyond it. */
static struct operand
parse_with(const char *text, bool is_position_independent, enum machine machine)
{
	unsigned lookups = 0;
	struct operand_opts opts = {
		.site_address = SITE_ADDRESS,
		.is_position_independent = is_position_independent,
		.machine = machine,
		.find_symbol = find_symbol,
		.cookie = &lookups,
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
	assert_true(lookups <= 1);
	return operand;
}

static struct operand
parse(const char *text)
{
	return parse_with(text, true, MACHINE_X86_64);
}

static void
assert_unreadable(const char *text, const char *reason)
{
	struct operand operand = parse(text);

	if (operand.kind != OPERAND_UNREADABLE)
		fail_msg("'%s' was understood", text);
	assert_string_equal(operand.reason, reason);
	assert_int_equal(operand.base, REGISTER_NONE);
	assert_int_equal(operand.index, REGISTER_NONE);
	assert_int_equal(operand.scale, 0);
	assert_int_equal(operand.displacement, 0);
	assert_int_equal(operand.constant, 0);
}

static void
assert_not_understood(const char *text)
{
	assert_unreadable(text, "the text of the operand was not understood");
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
		{"-4@$0", 4, true, 0},
		{"4@$0", 4, false, 0},
		{"8@$1", 8, false, 1},
		{"-4@$-7", 4, true, -7},
		{"1@$127", 1, false, 127},
		{"-1@$-128", 1, true, -128},
		{"2@$0xBeef", 2, false, 0xbeef},
		{"2@$0X10", 2, false, 16},
		{"8@$0x123456789abcdef0", 8, false, 0x123456789abcdef0},
		{"8@$0x0FEDCBA987654321", 8, false, 0x0fedcba987654321},
		{"-2@$-0x8000", 2, true, -32768},
		/* Compilers sign-extend values of unsigned types, and the other way round. */
		{"1@$-1", 1, false, 255},
		{"1@$-128", 1, false, 128},
		{"2@$-2", 2, false, 65534},
		{"4@$-1", 4, false, 4294967295},
		{"-1@$255", 1, true, -1},
		{"-4@$4294967295", 4, true, -1},
		{"-4@$0x80000000", 4, true, INT32_MIN},
		{"8@$-1", 8, false, -1},
		{"8@$18446744073709551615", 8, false, -1},
		{"-8@$18446744073709551615", 8, true, -1},
		{"-8@$9223372036854775807", 8, true, INT64_MAX},
		{"-8@$-9223372036854775808", 8, true, INT64_MIN},
		{"8@$0xffffffffffffffff", 8, false, -1},
		{"4@$5+3", 4, false, 8},
		{"4@$5-3", 4, false, 2},
		{"-4@$5+-8", 4, true, -3},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct operand operand = parse(rows[i].text);

		if (operand.kind != OPERAND_CONSTANT || operand.constant != rows[i].want)
			fail_msg("'%s': kind %d, constant %jd, reason '%s'", rows[i].text, (int)operand.kind,
				 (intmax_t)operand.constant, operand.reason);
		assert_int_equal(operand.width_bytes, rows[i].width_bytes);
		assert_int_equal(operand.is_signed, rows[i].is_signed);
		assert_int_equal(operand.base, REGISTER_NONE);
		assert_int_equal(operand.displacement, 0);
		assert_string_equal(operand.text, rows[i].text);
	}
}

static void
constants_that_are_refused(void **state)
{
	static const char *const strange[] = {
		"4@$",
		"4@$-",
		"4@$1 ",
		"4@$1x",
		"4@$--1",
		"4@$010",
		"4@$0x",
		"4@$0xg",
		"4@$1+",
		"4@$+1",
		"4@$%eax",
		"4@$1(%rax)",
		"4@$$1",
		"4@$1,",
		"8@$18446744073709551616",
		"8@$0x10000000000000000",
		"8@$-9223372036854775809",
		"8@$sym+sym",
		"8@$-sym",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(strange); i++)
		assert_not_understood(strange[i]);
	assert_unreadable("1@$256", "the constant does not fit the operand's width of 1");
	assert_unreadable("1@$-129", "the constant does not fit the operand's width of 1");
	assert_unreadable("-4@$4294967296", "the constant does not fit the operand's width of 4");
	assert_unreadable("2@$-32769", "the constant does not fit the operand's width of 2");
}

static void
constant_addresses(void **state)
{
	(void)state;
	struct operand operand = parse_with("8@$sym+8", false, MACHINE_X86_64);
	assert_int_equal(operand.kind, OPERAND_CONSTANT);
	assert_int_equal(operand.constant, SYMBOL_ADDRESS + 8);

	assert_unreadable("8@$sym", "the constant is an address, which is not known until the program runs");

	operand = parse_with("8@$nowhere", false, MACHINE_X86_64);
	assert_int_equal(operand.kind, OPERAND_UNREADABLE);
	assert_string_equal(operand.reason, "no symbol table of the file has the symbol nowhere");

	operand = parse_with("1@$sym", false, MACHINE_X86_64);
	assert_int_equal(operand.kind, OPERAND_UNREADABLE);
	assert_string_equal(operand.reason, "the constant does not fit the operand's width of 1");
}

static void
every_register_of_every_width(void **state)
{
	static const struct {
		enum machine_register id;
		const char *name[5];
	} rows[] = {
		{REGISTER_AX, {"rax", "eax", "ax", "al", "ah"}},
		{REGISTER_BX, {"rbx", "ebx", "bx", "bl", "bh"}},
		{REGISTER_CX, {"rcx", "ecx", "cx", "cl", "ch"}},
		{REGISTER_DX, {"rdx", "edx", "dx", "dl", "dh"}},
		{REGISTER_SI, {"rsi", "esi", "si", "sil", NULL}},
		{REGISTER_DI, {"rdi", "edi", "di", "dil", NULL}},
		{REGISTER_BP, {"rbp", "ebp", "bp", "bpl", NULL}},
		{REGISTER_SP, {"rsp", "esp", "sp", "spl", NULL}},
		{REGISTER_R8, {"r8", "r8d", "r8w", "r8b", NULL}},
		{REGISTER_R9, {"r9", "r9d", "r9w", "r9b", NULL}},
		{REGISTER_R10, {"r10", "r10d", "r10w", "r10b", NULL}},
		{REGISTER_R11, {"r11", "r11d", "r11w", "r11b", NULL}},
		{REGISTER_R12, {"r12", "r12d", "r12w", "r12b", NULL}},
		{REGISTER_R13, {"r13", "r13d", "r13w", "r13b", NULL}},
		{REGISTER_R14, {"r14", "r14d", "r14w", "r14b", NULL}},
		{REGISTER_R15, {"r15", "r15d", "r15w", "r15b", NULL}},
	};
	static const unsigned widths[] = {1, 2, 4, 8};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t k = 0; k < 5; k++)
			for (size_t w = 0; rows[i].name[k] && w < COUNT(widths); w++) {
				char text[32];

				snprintf(text, sizeof(text), "-%u@%%%s", widths[w], rows[i].name[k]);
				struct operand operand = parse(text);
				if (k == 4 && widths[w] > 1) {
					assert_int_equal(operand.kind, OPERAND_UNREADABLE);
					assert_non_null(strstr(operand.reason, "holds one byte"));
					continue;
				}
				/* The width counts, not the size of the named register. */
				assert_int_equal(operand.kind, OPERAND_REGISTER);
				assert_int_equal(operand.base, rows[i].id);
				assert_int_equal(operand.width_bytes, widths[w]);
				assert_true(operand.is_signed);
				assert_int_equal(operand.shift_bits, k == 4 ? 8 : 0);
				assert_int_equal(operand.index, REGISTER_NONE);
				assert_string_equal(operand.text, text);
			}
}

static void
registers_that_bpf_cannot_read(void **state)
{
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{"8@%xmm0", "the operand is in the SSE register %xmm0, which BPF cannot read"},
		{"4@%xmm15", "the operand is in the SSE register %xmm15, which BPF cannot read"},
		{"8@%ymm3", "the operand is in the AVX register %ymm3, which BPF cannot read"},
		{"8@%zmm31", "the operand is in the AVX-512 register %zmm31, which BPF cannot read"},
		{"8@%mm7", "the operand is in the MMX register %mm7, which BPF cannot read"},
		{"8@%st", "the operand is in the x87 register %st, which BPF cannot read"},
		{"8@%st(1)", "the operand is in the x87 register %st, which BPF cannot read"},
		{"8@%k1", "the operand is in the mask register %k1, which BPF cannot read"},
		{"2@%fs", "the operand is in the segment register %fs, which BPF cannot read"},
		{"8@%fs:16", "the operand is relative to the segment register %fs, which BPF cannot read"},
		{"8@%gs:(%rax)",
		 "the operand is relative to the segment register %gs, which BPF cannot read"},
		{"4@%fs:tls@tpoff",
		 "the operand is relative to the segment register %fs, which BPF cannot read"},
		{"8@%rip", "%rip is not a general-purpose register"},
		{"8@%rfoo", "%rfoo is not a general-purpose register"},
		{"8@%r16", "%r16 is not a general-purpose register"},
		{"8@%averyveryverylongregistername", "%averyveryverylo is not a general-purpose register"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_unreadable(rows[i].text, rows[i].reason);
	assert_not_understood("8@%");
	assert_not_understood("8@%RAX");
	assert_not_understood("8@%rax:16");
	assert_not_understood("8@%rax,");
	assert_not_understood("8@%rax(%rbx)");
}

static void
memory(void **state)
{
	static const struct {
		const char *text;
		enum machine_register base, index;
		uint8_t scale;
		int64_t displacement;
	} rows[] = {
		{"8@(%rax)", REGISTER_AX, REGISTER_NONE, 0, 0},
		{"8@-8(%rbp)", REGISTER_BP, REGISTER_NONE, 0, -8},
		{"-4@24(%rcx)", REGISTER_CX, REGISTER_NONE, 0, 24},
		{"4@0x18(%r15)", REGISTER_R15, REGISTER_NONE, 0, 24},
		{"4@-0x18(%r8)", REGISTER_R8, REGISTER_NONE, 0, -24},
		{"1@2147483647(%rsp)", REGISTER_SP, REGISTER_NONE, 0, INT32_MAX},
		{"1@-2147483648(%rsp)", REGISTER_SP, REGISTER_NONE, 0, INT32_MIN},
		{"8@18446744073709551608(%rdi)", REGISTER_DI, REGISTER_NONE, 0, -8},
		{"8@8+16(%rdi)", REGISTER_DI, REGISTER_NONE, 0, 24},
		{"8@8-16(%rdi)", REGISTER_DI, REGISTER_NONE, 0, -8},
		{"2@(%rax,%rbx)", REGISTER_AX, REGISTER_BX, 1, 0},
		{"2@4(%rax,%rbx,1)", REGISTER_AX, REGISTER_BX, 1, 4},
		{"2@-4(%r12,%r13,2)", REGISTER_R12, REGISTER_R13, 2, -4},
		{"8@(%rsp,%rbp,4)", REGISTER_SP, REGISTER_BP, 4, 0},
		{"8@100(%r9,%r9,8)", REGISTER_R9, REGISTER_R9, 8, 100},
		{"8@(,%rdx,8)", REGISTER_NONE, REGISTER_DX, 8, 0},
		{"8@0x1000(,%r10,4)", REGISTER_NONE, REGISTER_R10, 4, 0x1000},
		{"4@6295616", REGISTER_NONE, REGISTER_NONE, 0, 6295616},
		{"4@0x601040", REGISTER_NONE, REGISTER_NONE, 0, 0x601040},
		{"4@-8", REGISTER_NONE, REGISTER_NONE, 0, -8},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct operand operand = parse(rows[i].text);

		if (operand.kind != OPERAND_MEMORY)
			fail_msg("'%s': kind %d, reason '%s'", rows[i].text, (int)operand.kind,
				 operand.reason);
		assert_int_equal(operand.base, rows[i].base);
		assert_int_equal(operand.index, rows[i].index);
		assert_int_equal(operand.scale, rows[i].scale);
		assert_int_equal(operand.displacement, rows[i].displacement);
		assert_int_equal(operand.shift_bits, 0);
		assert_string_equal(operand.text, rows[i].text);
	}
}

static void
memory_that_is_refused(void **state)
{
	static const char *const strange[] = {
		"8@",
		"8@()",
		"8@(",
		"8@(%rax",
		"8@(%rax))",
		"8@(%rax)1",
		"8@(rax)",
		"8@8(%rax,)",
		"8@(%rax,%rbx,)",
		"8@(%rax,%rbx,3)",
		"8@(%rax,%rbx,16)",
		"8@(%rax,%rbx,0)",
		"8@(%rax,%rbx,-1)",
		"8@(%rax,%rsp,1)",
		"8@(%rax,%rip)",
		"8@(%rip,%rax,1)",
		"8@sym(%rip,%rax,1)",
		"8@(,)",
		"8@(,%rax",
		"8@(%rax,%xmm0,1)",
		"8@(%rax,4)",
		"8@( %rax)",
		"8@8 (%rax)",
		"8@*%rax",
		"8@8(%foo)",
		"8@8(%)",
		"8@sym-sym2(%rip)",
		"8@-sym(%rip)",
		"8@sym+(%rip)",
		"8@(sym)(%rip)",
		"8@sym+8(%rip)+8",
		"8@010(%rax)",
		"8@0x(%rax)",
		"8@99999999999999999999(%rax)",
		"8@[rbp-8]",
		"8@QWORD PTR [rbp-8]",
		"8@8(%rax) junk",
		"8@-",
		"8@,",
		"8@(%rax,%rbx,4,2)",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(strange); i++)
		assert_not_understood(strange[i]);
	assert_unreadable("8@-8(%ebp)", "the address is in %ebp, which is not a 64-bit register");
	assert_unreadable("8@(%rax,%ebx,2)", "the address is in %ebx, which is not a 64-bit register");
	assert_unreadable("8@(%ah)", "the address is in %ah, which is not a 64-bit register");
	assert_unreadable("8@16(%rip)",
			  "the address is relative to an instruction that the note does not name");
}

/* The distance from the probe does not depend on where the program is loaded, so its type does not matter. */
static void
symbols(void **state)
{
	static const struct {
		const char *text;
		enum machine_register index;
		int64_t displacement;
	} rows[] = {
		{"8@sym(%rip)", REGISTER_NONE, SYMBOL_ADDRESS - SITE_ADDRESS},
		{"8@sym+8(%rip)", REGISTER_NONE, SYMBOL_ADDRESS + 8 - SITE_ADDRESS},
		{"8@sym-8(%rip)", REGISTER_NONE, SYMBOL_ADDRESS - 8 - SITE_ADDRESS},
		{"8@sym+-8(%rip)", REGISTER_NONE, SYMBOL_ADDRESS - 8 - SITE_ADDRESS},
		{"8@8+sym(%rip)", REGISTER_NONE, SYMBOL_ADDRESS + 8 - SITE_ADDRESS},
		{"8@-8+sym(%rip)", REGISTER_NONE, SYMBOL_ADDRESS - 8 - SITE_ADDRESS},
		{"8@4+sym+0x10(%rip)", REGISTER_NONE, SYMBOL_ADDRESS + 20 - SITE_ADDRESS},
		{"1@_ZN3foo3barE(%rip)", REGISTER_NONE, 0x6000 - SITE_ADDRESS},
		{"4@counter.0(%rip)", REGISTER_NONE, 0x6100 - SITE_ADDRESS},
		{"4@AZaz_09.$x\x80\xff(%rip)", REGISTER_NONE, 0x6200 - SITE_ADDRESS},
		{"4@sym", REGISTER_NONE, SYMBOL_ADDRESS - SITE_ADDRESS},
		{"4@sym+4", REGISTER_NONE, SYMBOL_ADDRESS + 4 - SITE_ADDRESS},
		{"8@sym(,%rax,8)", REGISTER_AX, SYMBOL_ADDRESS - SITE_ADDRESS},
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct operand operand = parse_with(rows[i / 2].text, i % 2, MACHINE_X86_64);

		if (operand.kind != OPERAND_MEMORY)
			fail_msg("'%s': kind %d, reason '%s'", rows[i / 2].text, (int)operand.kind,
				 operand.reason);
		assert_int_equal(operand.base, REGISTER_IP);
		assert_int_equal(operand.index, rows[i / 2].index);
		assert_int_equal(operand.displacement, rows[i / 2].displacement);
	}
	/* With a register, the address is known only if the program is not position-independent. */
	struct operand operand = parse_with("8@sym+8(%rbx)", false, MACHINE_X86_64);
	assert_int_equal(operand.kind, OPERAND_MEMORY);
	assert_int_equal(operand.base, REGISTER_BX);
	assert_int_equal(operand.displacement, SYMBOL_ADDRESS + 8);
	assert_unreadable("8@sym+8(%rbx)", "the address depends on where the program is loaded");
}

static void
symbols_without_address(void **state)
{
	struct operand operand;

	(void)state;
	assert_unreadable("8@.LC0(%rip)", "no symbol table of the file has the symbol .LC0");
	assert_unreadable("8@twice(%rip)", "the file has several symbols named twice");
	assert_unreadable("8@tls(%rip)", "the file gives no address for the symbol tls");
	assert_unreadable("8@unsearched(%rip)",
			  "the file's symbol tables could not be searched for unsearched");
	assert_unreadable("8@sym@GOTPCREL(%rip)",
			  "only the linker knows what '@' after the symbol sym means");
	assert_unreadable("8@s\xc3\xbc\x62(%rip)", "no symbol table of the file has the symbol s??b");

	operand_parse(&operand, "8@sym(%rip)", strlen("8@sym(%rip)"), NULL);
	assert_int_equal(operand.kind, OPERAND_UNREADABLE);
	assert_string_equal(operand.reason, "the file's symbol tables could not be searched for sym");

	operand = parse(
		"8@a_name_that_does_not_fit_into_the_reason_because_it_has_more_than_forty_eight_bytes");
	assert_string_equal(
		operand.reason,
		"no symbol table of the file has the symbol a_name_that_does_not_fit_into_the_reason_becaus");
	assert_string_equal(operand.text, "8@a_name_that_does_not_fit_into_the_reason_because_it_has_more_");
}

static void
widths(void **state)
{
	static const char *const without[] = {"",        "@",       "-",       "-@%eax",   "%eax",
					      "4",       "-4",      "4%eax",   "f@%eax",   "--4@%eax",
					      " 4@%eax", "+4@%eax", "4 @%eax", "256@%eax", "99999999999@%eax",
					      "4ff@%eax"};
	struct operand operand;

	(void)state;
	for (size_t i = 0; i < COUNT(without); i++) {
		assert_unreadable(without[i], "the operand does not begin with its width and '@'");
		operand = parse(without[i]);
		assert_int_equal(operand.width_bytes, 0);
		assert_false(operand.is_signed);
	}
	operand = parse("-16@%rax");
	assert_string_equal(operand.reason, "the width is 16 bytes, not 1, 2, 4 or 8");
	assert_int_equal(operand.width_bytes, 0);
	assert_true(operand.is_signed);
	assert_unreadable("0@%rax", "the width is 0 bytes, not 1, 2, 4 or 8");
	assert_unreadable("3@%rax", "the width is 3 bytes, not 1, 2, 4 or 8");

	operand = parse("-8f@%xmm0");
	assert_int_equal(operand.kind, OPERAND_UNREADABLE);
	assert_string_equal(operand.reason,
			    "the operand is a floating-point number, which BPF cannot handle");
	assert_int_equal(operand.width_bytes, 8);
	assert_true(operand.is_signed);
	assert_unreadable("4f@-8(%rbp)", "the operand is a floating-point number, which BPF cannot handle");
}

/* On a machine without probes, of which a list of forms is known: aarch64, big-endian. */
static struct operand
parse_foreign(const char *text)
{
	const struct operand_opts opts = {.machine = MACHINE_AARCH64, .is_big_endian = true};
	struct operand operand;

	operand_parse(&operand, text, strlen(text), &opts);
	return operand;
}

static void
foreign_machines(void **state)
{
	static const struct {
		const char *text;
		uint8_t width_bytes;
		bool is_signed;
		enum operand_kind kind;
		int64_t constant;
	} rows[] = {
		{"8@x0", 8, false, OPERAND_FOREIGN, 0},     {"-4@[sp, 16]", 4, true, OPERAND_FOREIGN, 0},
		{"1@-1", 1, false, OPERAND_CONSTANT, 255},  {"-1@255", 1, true, OPERAND_CONSTANT, -1},
		{"-4@#-5", 4, true, OPERAND_CONSTANT, -5},  {"8@0x10", 8, false, OPERAND_CONSTANT, 16},
		{"8@d0", 8, false, OPERAND_UNREADABLE, 0},  {"2@", 2, false, OPERAND_UNREADABLE, 0},
		{"1@256", 1, false, OPERAND_UNREADABLE, 0}, {"8@%rax", 8, false, OPERAND_UNREADABLE, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct operand operand = parse_foreign(rows[i].text);

		assert_int_equal(operand.kind, rows[i].kind);
		assert_int_equal(operand.constant, rows[i].constant);
		assert_int_equal(operand.width_bytes, rows[i].width_bytes);
		assert_int_equal(operand.is_signed, rows[i].is_signed);
		assert_string_equal(operand.text, rows[i].text);
	}
	/* Offsets that only the linker knows. */
	static const struct {
		const char *text;
		enum machine machine;
	} relocations[] = {
		{"8@[x0, #:lo12:.LANCHOR0]", MACHINE_AARCH64},
		{"8@%lo(sym)(a5)", MACHINE_RISCV},
		{"8@sym@toc@l(9)", MACHINE_PPC},
	};
	for (size_t i = 0; i < sizeof(relocations) / sizeof(relocations[0]); i++)
		assert_string_equal(
			parse_with(relocations[i].text, true, relocations[i].machine).reason,
			"the offset is the linker's, and not in the note: no tracer can read the argument");
	struct operand operand = parse_foreign("8@d0");
	assert_string_equal(operand.reason, "the operand is in the register d0, which BPF cannot read");
	operand = parse_foreign("x0");
	assert_string_equal(operand.reason, "the operand does not begin with its width and '@'");
	/* On a machine without a list of forms, any text is fine. */
	operand = parse_with("-8@any-thing (at all)", true, MACHINE_OTHER);
	assert_int_equal(operand.kind, OPERAND_FOREIGN);
	assert_int_equal(operand.width_bytes, 8);
	assert_true(operand.is_signed);
}

/* What libbcc makes of operands that tpcheck can read, and of others. */
static void
readings_of_libbcc(void **state)
{
	static const struct {
		const char *text;
		enum operand_bcc want;
	} rows[] = {
		{"8@%rax", OPERAND_BCC_READS},         {"-8@-368(%rbp)", OPERAND_BCC_READS},
		{"8@(%rax)", OPERAND_BCC_READS},       {"4@(%rax,%r15,4)", OPERAND_BCC_READS},
		{"1@%sil", OPERAND_BCC_READS},         {"1@$-1", OPERAND_BCC_READS},
		{"8@sym(%rip)", OPERAND_BCC_READS},    {"8@sym+8(%rip)", OPERAND_BCC_READS},
		{"8@8+sym(%rip)", OPERAND_BCC_READS},  {"8@missing(%rip)", OPERAND_BCC_REFUSES},
		{"8@sym(%rax)", OPERAND_BCC_REFUSES},  {"8@counter.0(%rip)", OPERAND_BCC_STOPS},
		{"8@sym+-8(%rip)", OPERAND_BCC_STOPS}, {"8@sym", OPERAND_BCC_STOPS},
		{"8@16", OPERAND_BCC_STOPS},           {"8@(,%rax,8)", OPERAND_BCC_STOPS},
		{"1@%ah", OPERAND_BCC_STOPS},          {"8@$sym", OPERAND_BCC_STOPS},
		{"8@8(%rip)", OPERAND_BCC_MISREADS},   {"8@%xmm0", OPERAND_BCC_ZERO},
		{"8@%xmm15", OPERAND_BCC_ZERO},        {"8@%xmm16", OPERAND_BCC_STOPS},
		{"8@%ymm1", OPERAND_BCC_STOPS},        {"8f@%xmm0", OPERAND_BCC_STOPS},
		{"8@%fs:0", OPERAND_BCC_STOPS},        {"junk", OPERAND_BCC_STOPS},
		{"16@%xmm0", OPERAND_BCC_MISREADS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (parse(rows[i].text).bcc != rows[i].want)
			fail_msg("'%s': %d, wanted %d", rows[i].text, parse(rows[i].text).bcc, rows[i].want);
	assert_int_equal(parse_with("1@9,10", true, MACHINE_PPC).bcc, OPERAND_BCC_READS);
	assert_int_equal(parse_with("4@9,10", true, MACHINE_PPC).bcc, OPERAND_BCC_MISREADS);
	assert_int_equal(parse_with("4@s0", true, MACHINE_ARM).bcc, OPERAND_BCC_READS);
	assert_int_equal(parse_with("junk", true, MACHINE_AARCH64).bcc, OPERAND_BCC_LEAVES);
	assert_int_equal(parse_with("junk", true, MACHINE_ARM).bcc, OPERAND_BCC_READS);
}

static void
text_is_printable_and_cut(void **state)
{
	(void)state;
	struct operand operand = parse("8@\x1b[31m\xff\x7f%rax");
	assert_int_equal(operand.kind, OPERAND_UNREADABLE);
	assert_string_equal(operand.text, "8@?[31m??%rax");

	operand = parse("8@1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1(%rax)");
	assert_int_equal(operand.kind, OPERAND_MEMORY);
	assert_int_equal(operand.displacement, 36);
	assert_int_equal(strlen(operand.text), sizeof(operand.text) - 1);
}

/* Any bytes do no harm, and give a complete operand. */
static void
rubbish(void **state)
{
	static const char alphabet[] = "0189-+$%()@,.:xfrabspit \x01\x80\xff";
	static const char *const seeds[] = {"-4@24(%rcx)", "8@sym+8(%rip)", "8@(%rax,%rbx,4)", "1@$-1",
					    "8@%r12"};
	unsigned understood = 0;
	uint32_t random = 1;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char text[24];
		const char *seed = seeds[i % COUNT(seeds)];
		size_t len = strlen(seed);

		memcpy(text, seed, len + 1);
		for (unsigned k = 0; k < 1 + i % 3; k++) {
			random = random * 1664525 + 1013904223;
			text[(random >> 8) % len] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
		}
		struct operand operand = parse_with(text, i & 1, MACHINE_X86_64);
		understood += operand.kind != OPERAND_UNREADABLE;
		assert_true(operand.kind <= OPERAND_MEMORY);
		assert_true(operand.base <= REGISTER_IP && operand.index < REGISTER_IP);
		assert_true(operand.kind == OPERAND_UNREADABLE || operand.width_bytes);
		assert_int_equal(operand.scale != 0, operand.index != REGISTER_NONE);
	}
	assert_in_range(understood, 1000, 199000);
}

static void
assert_split(const char *args, size_t want_cnt, const char *const *want)
{
	const char *rest = args, *text;
	size_t len, cnt = 0;

	while (operand_split(&rest, &text, &len)) {
		assert_true(cnt < want_cnt);
		assert_int_equal(len, strlen(want[cnt]));
		assert_memory_equal(text, want[cnt], len);
		cnt++;
	}
	assert_int_equal(cnt, want_cnt);
	assert_false(operand_split(&rest, &text, &len));
}

#define ASSERT_SPLIT(args, ...)                                                                              \
	do {                                                                                                 \
		static const char *const want_[] = {__VA_ARGS__};                                            \
		assert_split((args), COUNT(want_), want_);                                                   \
	} while (0)

static void
splitting(void **state)
{
	(void)state;
	assert_split("", 0, NULL);
	assert_split("  \t ", 0, NULL);
	ASSERT_SPLIT("8@%rax", "8@%rax");
	ASSERT_SPLIT("-8@-368(%rbp) 8@%r14 4@%esi", "-8@-368(%rbp)", "8@%r14", "4@%esi");
	ASSERT_SPLIT("  8@%rax   4@$-5\t1@(%rax,%rbx,8)  ", "8@%rax", "4@$-5", "1@(%rax,%rbx,8)");
	ASSERT_SPLIT("8f@%xmm0 4@%eax", "8f@%xmm0", "4@%eax");
	ASSERT_SPLIT("4@%eax -8f@%xmm0 8f@%xmm1", "4@%eax", "-8f@%xmm0", "8f@%xmm1");
	ASSERT_SPLIT("8f@[sp, 16] 4@w0", "8f@[sp, 16]", "4@w0");
	/* Blanks inside operands, and operands without a width. */
	ASSERT_SPLIT("8@[sp, 16] -4@[x19, #8] 8@x0", "8@[sp, 16]", "-4@[x19, #8]", "8@x0");
	ASSERT_SPLIT("4@DWORD PTR [rbp-4] 8@rax", "4@DWORD PTR [rbp-4]", "8@rax");
	ASSERT_SPLIT("%eax 4(%esi) 8@%rax", "%eax", "4(%esi)", "8@%rax");
	ASSERT_SPLIT("8@%rax junk", "8@%rax junk");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants),
		cmocka_unit_test(constants_that_are_refused),
		cmocka_unit_test(constant_addresses),
		cmocka_unit_test(every_register_of_every_width),
		cmocka_unit_test(registers_that_bpf_cannot_read),
		cmocka_unit_test(memory),
		cmocka_unit_test(memory_that_is_refused),
		cmocka_unit_test(symbols),
		cmocka_unit_test(symbols_without_address),
		cmocka_unit_test(widths),
		cmocka_unit_test(foreign_machines),
		cmocka_unit_test(readings_of_libbcc),
		cmocka_unit_test(text_is_printable_and_cut),
		cmocka_unit_test(rubbish),
		cmocka_unit_test(splitting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
