/* The generated text of the probes, compared with what it must be: one row for each kind of operand and each reader. */
#include "probe/bpf/program_text.h"

#include "base/condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct site site = {.provider = "net", .name = "ping", .args_cnt = 1};
static struct probe_point point = {.site = &site, .tracepoint = 5, .fixed_bytes = 96, .record_bytes = 96};

static struct buf
generate(enum probe_method method)
{
	struct buf text;

	buf_init(&text, 1 << 20);
	program_text_generate(&point, 1, method, &text);
	return text;
}

/* The body of the function that reads the point's arguments. */
static void
assert_reads(const char *want)
{
	static const char head[] =
		"\nstatic __always_inline u32 read_point_0(struct pt_regs *ctx, struct tp_thread *t, struct tp_head *r)\n"
		"{\n\tu32 tp_payload = 0;\n\n";
	static const char tail[] = "\treturn tp_payload;\n}\n";
	struct buf text = generate(PROBE_METHOD_MULTI);
	char *body = strstr(text.data, head);

	assert_non_null(body);
	body += strlen(head);
	char *end = strstr(body, tail);
	assert_non_null(end);
	*end = '\0';
	assert_string_equal(body, want);
	buf_fini(&text);
}

#define CONSTANT(text_, width, value)                                                                        \
	{                                                                                                    \
		.kind = OPERAND_CONSTANT, .text = text_, .width_bytes = width, .constant = value             \
	}
#define IN_REGISTER(text_, width, reg, shift)                                                                \
	{                                                                                                    \
		.kind = OPERAND_REGISTER, .text = text_, .width_bytes = width, .base = REGISTER_##reg,       \
		.shift_bits = shift                                                                          \
	}
#define IN_MEMORY(text_, width, base_, index_, scale_, displacement_)                                        \
	{                                                                                                    \
		.kind = OPERAND_MEMORY, .text = text_, .width_bytes = width, .base = REGISTER_##base_,       \
		.index = REGISTER_##index_, .scale = scale_, .displacement = displacement_                   \
	}

#define WITH_EXTENSION(text_, base_, index_, extension_)                                                     \
	{                                                                                                    \
		.kind = OPERAND_MEMORY, .text = text_, .width_bytes = 4, .base = REGISTER_##base_,           \
		.index = REGISTER_##index_, .scale = 4, .extension = EXTENSION_##extension_                  \
	}

static const struct golden {
	struct operand operand;
	const char *want;
} goldens[] = {
	{CONSTANT("1@$7", 1, 7), "TP_VALUE(0, 0x7ULL); /* 1@$7 */"},
	{CONSTANT("-1@$-1", 1, -1), "TP_VALUE(0, 0xffULL); /* -1@$-1 */"},
	{CONSTANT("-2@$-2", 2, -2), "TP_VALUE(0, 0xfffeULL); /* -2@$-2 */"},
	{CONSTANT("-4@$-5", 4, -5), "TP_VALUE(0, 0xfffffffbULL); /* -4@$-5 */"},
	{CONSTANT("-8@$-5", 8, -5), "TP_VALUE(0, 0xfffffffffffffffbULL); /* -8@$-5 */"},
	{CONSTANT("8@$4294967296", 8, INT64_C(1) << 32), "TP_VALUE(0, 0x100000000ULL); /* 8@$4294967296 */"},

	{IN_REGISTER("1@%al", 1, AX, 0), "TP_VALUE(0, (u8)((u64)ctx->ax >> 0)); /* 1@%al */"},
	{IN_REGISTER("1@%ah", 1, AX, 8), "TP_VALUE(0, (u8)((u64)ctx->ax >> 8)); /* 1@%ah */"},
	{IN_REGISTER("-1@%bh", 1, BX, 8), "TP_VALUE(0, (u8)((u64)ctx->bx >> 8)); /* -1@%bh */"},
	{IN_REGISTER("1@%ch", 1, CX, 8), "TP_VALUE(0, (u8)((u64)ctx->cx >> 8)); /* 1@%ch */"},
	{IN_REGISTER("1@%dh", 1, DX, 8), "TP_VALUE(0, (u8)((u64)ctx->dx >> 8)); /* 1@%dh */"},
	{IN_REGISTER("1@%sil", 1, SI, 0), "TP_VALUE(0, (u8)((u64)ctx->si >> 0)); /* 1@%sil */"},
	{IN_REGISTER("2@%di", 2, DI, 0), "TP_VALUE(0, (u16)((u64)ctx->di >> 0)); /* 2@%di */"},
	{IN_REGISTER("-4@%ebp", 4, BP, 0), "TP_VALUE(0, (u32)((u64)ctx->bp >> 0)); /* -4@%ebp */"},
	{IN_REGISTER("8@%rsp", 8, SP, 0), "TP_VALUE(0, (u64)((u64)ctx->sp >> 0)); /* 8@%rsp */"},
	{IN_REGISTER("1@%r8b", 1, R8, 0), "TP_VALUE(0, (u8)((u64)ctx->r8 >> 0)); /* 1@%r8b */"},
	{IN_REGISTER("2@%r9w", 2, R9, 0), "TP_VALUE(0, (u16)((u64)ctx->r9 >> 0)); /* 2@%r9w */"},
	{IN_REGISTER("4@%r10d", 4, R10, 0), "TP_VALUE(0, (u32)((u64)ctx->r10 >> 0)); /* 4@%r10d */"},
	{IN_REGISTER("-8@%r11", 8, R11, 0), "TP_VALUE(0, (u64)((u64)ctx->r11 >> 0)); /* -8@%r11 */"},
	{IN_REGISTER("8@%r12", 8, R12, 0), "TP_VALUE(0, (u64)((u64)ctx->r12 >> 0)); /* 8@%r12 */"},
	{IN_REGISTER("8@%r13", 8, R13, 0), "TP_VALUE(0, (u64)((u64)ctx->r13 >> 0)); /* 8@%r13 */"},
	{IN_REGISTER("8@%r14", 8, R14, 0), "TP_VALUE(0, (u64)((u64)ctx->r14 >> 0)); /* 8@%r14 */"},
	{IN_REGISTER("8@%r15", 8, R15, 0), "TP_VALUE(0, (u64)((u64)ctx->r15 >> 0)); /* 8@%r15 */"},

	{IN_MEMORY("8@(%rbx)", 8, BX, NONE, 0, 0), "TP_LOAD(0, (u64)ctx->bx + 0x0ULL, 8); /* 8@(%rbx) */"},
	{IN_MEMORY("4@72(%r15)", 4, R15, NONE, 0, 72),
	 "TP_LOAD(0, (u64)ctx->r15 + 0x48ULL, 4); /* 4@72(%r15) */"},
	{IN_MEMORY("-2@-12(%rbp)", 2, BP, NONE, 0, -12),
	 "TP_LOAD(0, (u64)ctx->bp + 0xfffffffffffffff4ULL, 2); /* -2@-12(%rbp) */"},
	{IN_MEMORY("1@(%rax,%rcx)", 1, AX, CX, 1, 0),
	 "TP_LOAD(0, (u64)ctx->ax + (u64)ctx->cx * 1 + 0x0ULL, 1); /* 1@(%rax,%rcx) */"},
	{IN_MEMORY("8@16(%rax,%rcx,2)", 8, AX, CX, 2, 16),
	 "TP_LOAD(0, (u64)ctx->ax + (u64)ctx->cx * 2 + 0x10ULL, 8); /* 8@16(%rax,%rcx,2) */"},
	{IN_MEMORY("8@16(%rax,%rdx,4)", 8, AX, DX, 4, 16),
	 "TP_LOAD(0, (u64)ctx->ax + (u64)ctx->dx * 4 + 0x10ULL, 8); /* 8@16(%rax,%rdx,4) */"},
	{IN_MEMORY("8@-16(%rsp,%r12,8)", 8, SP, R12, 8, -16),
	 "TP_LOAD(0, (u64)ctx->sp + (u64)ctx->r12 * 8 + 0xfffffffffffffff0ULL, 8); /* 8@-16(%rsp,%r12,8) */"},
	{IN_MEMORY("4@64(,%rdi,8)", 4, NONE, DI, 8, 64),
	 "TP_LOAD(0, (u64)ctx->di * 8 + 0x40ULL, 4); /* 4@64(,%rdi,8) */"},
	{IN_MEMORY("4@x(%rip)", 4, IP, NONE, 0, 4096),
	 "TP_LOAD(0, (u64)ctx->ip + 0x1000ULL, 4); /* 4@x(%rip) */"},
	{IN_MEMORY("4@6295616", 4, NONE, NONE, 0, 6295616), "TP_LOAD(0, 0x601040ULL, 4); /* 4@6295616 */"},

	/* aarch64 */
	{CONSTANT("8@1", 8, 1), "TP_VALUE(0, 0x1ULL); /* 8@1 */"},
	{IN_REGISTER("8@x0", 8, X0, 0), "TP_VALUE(0, (u64)((u64)ctx->regs[0] >> 0)); /* 8@x0 */"},
	{IN_REGISTER("1@x0", 1, X0, 0), "TP_VALUE(0, (u8)((u64)ctx->regs[0] >> 0)); /* 1@x0 */"},
	{IN_REGISTER("-4@w30", 4, X30, 0), "TP_VALUE(0, (u32)((u64)ctx->regs[30] >> 0)); /* -4@w30 */"},
	{IN_REGISTER("8@sp", 8, A64_SP, 0), "TP_VALUE(0, (u64)((u64)ctx->sp >> 0)); /* 8@sp */"},
	{IN_MEMORY("8@[x30]", 8, X30, NONE, 0, 0),
	 "TP_LOAD(0, (u64)ctx->regs[30] + 0x0ULL, 8); /* 8@[x30] */"},
	{IN_MEMORY("-4@[sp, -16]", 4, A64_SP, NONE, 0, -16),
	 "TP_LOAD(0, (u64)ctx->sp + 0xfffffffffffffff0ULL, 4); /* -4@[sp, -16] */"},
	{IN_MEMORY("1@[x0, x30]", 1, X0, X30, 1, 0),
	 "TP_LOAD(0, (u64)ctx->regs[0] + (u64)ctx->regs[30] * 1 + 0x0ULL, 1); /* 1@[x0, x30] */"},
	{IN_MEMORY("8@[x0, x30, lsl 4]", 8, X0, X30, 16, 0),
	 "TP_LOAD(0, (u64)ctx->regs[0] + (u64)ctx->regs[30] * 16 + 0x0ULL, 8); /* 8@[x0, x30, lsl 4] */"},
	{WITH_EXTENSION("4@[x30, w0, sxtw 2]", X30, X0, SIGN),
	 "TP_LOAD(0, (u64)ctx->regs[30] + (u64)(s64)(s32)ctx->regs[0] * 4 + 0x0ULL, 4); /* 4@[x30, w0, sxtw 2] */"},
	{WITH_EXTENSION("4@[sp, w0, uxtw 2]", A64_SP, X0, ZERO),
	 "TP_LOAD(0, (u64)ctx->sp + (u64)(u32)ctx->regs[0] * 4 + 0x0ULL, 4); /* 4@[sp, w0, uxtw 2] */"},
	{IN_MEMORY("8@near", 8, A64_PC, NONE, 0, 4096),
	 "TP_LOAD(0, (u64)ctx->pc + 0x1000ULL, 8); /* 8@near */"},

	{{.kind = OPERAND_UNREADABLE, .text = "8@%fs:8"}, "TP_UNREADABLE(0); /* 8@%fs:8 */"},
	{{.kind = OPERAND_FOREIGN, .text = "8@x0", .width_bytes = 8}, "TP_UNREADABLE(0); /* 8@x0 */"},
	/* The text comes from a file, and may try to end the comment. */
	{CONSTANT("4@$1*/\\\n\"x", 4, 1), "TP_VALUE(0, 0x1ULL); /* 4@$1????\"x */"},
};

static void
test_operands(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(*goldens); i++) {
		char want[256];

		snprintf(want, sizeof(want), "\t%s\n", goldens[i].want);
		site.args[0] = goldens[i].operand;
		assert_reads(want);
	}
}

static void
test_readers(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++)
		site.args[n] = (struct operand)CONSTANT("8@$1", 8, 1);
	site.args_cnt = 4;
	point.slots[0] = (struct record_slot){.reader = READER_BLOCK, .slot_bytes = 32, .slot_offset = 96};
	point.slots[1] = (struct record_slot){.reader = READER_STRING, .slot_bytes = 512, .slot_offset = 128};
	point.slots[3] = (struct record_slot){
		.reader = READER_PAYLOAD, .slot_bytes = 32768, .slot_offset = 640, .size_idx = 2};
	/* All operands first: the payload's length may come behind it. */
	assert_reads("\tTP_VALUE(0, 0x1ULL); /* 8@$1 */\n"
		     "\tTP_VALUE(1, 0x1ULL); /* 8@$1 */\n"
		     "\tTP_VALUE(2, 0x1ULL); /* 8@$1 */\n"
		     "\tTP_VALUE(3, 0x1ULL); /* 8@$1 */\n"
		     "\tTP_BLOCK(0, 96, 32);\n"
		     "\tTP_STRING(1, 128, 512);\n"
		     "\tTP_PAYLOAD(3, 640, 32768, 2);\n");
	memset(point.slots, 0, sizeof(point.slots));
	site.args_cnt = 1;
}

static void
assert_has(const struct buf *text, const char *part)
{
	if (!strstr(text->data, part))
		fail_msg("the text has no '%s'", part);
}

static void
test_programs(void **state)
{
	struct buf text = generate(PROBE_METHOD_MULTI);

	(void)state;
	assert_has(&text, "#define TP_RECORD_BYTES 96\n#define TP_THREADS 1024\n");
	assert_has(&text, "\nint on_any_point(struct pt_regs *ctx)\n");
	assert_has(&text, "\tif (cookie == 0xffffULL)\n\t\treturn tp_tried();\n");
	assert_has(&text, "\tcase 0:\n\t\treturn record_point_0(ctx, t, c, cookie);\n");
	assert_null(strstr(text.data, "on_net_ping_0"));
	buf_fini(&text);
	text = generate(PROBE_METHOD_PERF);
	assert_has(&text, "\nint on_net_ping_0(struct pt_regs *ctx)\n{\n\tu64 cookie = 0x6001050000ULL;\n");
	assert_has(&text, "\treturn t ? record_point_0(ctx, t, c, cookie) : 0;\n");
	assert_null(strstr(text.data, "on_any_point"));
	buf_fini(&text);
}

static void
assert_built_in_ring(bool want)
{
	static const char in_ring[] = "\tstruct tp_head *r = tp_ring_reserve(TP_RING, 96, 0);\n",
			  copied[] = "\treturn tp_output(t, c, read_point_0(ctx, t, &t->head));\n";
	struct buf text = generate(PROBE_METHOD_MULTI);

	assert_has(&text, want ? in_ring : copied);
	assert_null(strstr(text.data, want ? copied : in_ring));
	buf_fini(&text);
}

/* A record that may be shorter, or dropped, must not take up room in the ring. */
static void
test_where_records_are_built(void **state)
{
	static const struct condition early = {.kind = CONDITION_NUMBER},
				      late = {.kind = CONDITION_STRING_PATTERN};

	(void)state;
	assert_built_in_ring(true);
	point.record_bytes = 97;
	assert_built_in_ring(false);
	point.record_bytes = 96;
	point.conditions_cnt = 1;
	point.conditions = &late;
	assert_built_in_ring(true);
	point.conditions = &early;
	assert_built_in_ring(false);
	point.conditions_cnt = 0;
}

static void
test_names_and_sizes(void **state)
{
	struct site odd = {.provider = "a-b", .name = "c;d\n"};
	const struct probe_point points[] = {
		{.site = &odd, .tracepoint = 2, .fixed_bytes = 48, .record_bytes = 49},
		{.site = &odd, .record_bytes = 40}};
	char name[64];

	(void)state;
	program_text_function_name(points, 12, name, sizeof(name));
	assert_string_equal(name, "on_a_b_c_d__12");
	assert_true(program_text_cookie(points, 3) == (UINT64_C(48) << 32 | 2 << 16 | 3));
	assert_int_equal(program_text_record_bytes(points, 2), 56);
	assert_int_equal(program_text_record_bytes(points + 1, 1), 40);
	assert_int_equal(program_text_record_bytes(points, 0), sizeof(struct record_head));
	/* As many as 4 MiB hold, but no fewer than 128 and no more than 1024. */
	assert_int_equal(program_text_threads(4096), 1024);
	assert_int_equal(program_text_threads(4095), 1024);
	assert_int_equal(program_text_threads(8192), 512);
	assert_int_equal(program_text_threads(40000), 128);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operands),        cmocka_unit_test(test_readers),
		cmocka_unit_test(test_programs),        cmocka_unit_test(test_where_records_are_built),
		cmocka_unit_test(test_names_and_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
