/* Writes the text that libbcc compiles: the prelude; for each probe point a function that reads the arguments from
 * where its ELF note says they are; and the programs that call these functions. Only what is attached is in the
 * text. */
#include "probe/bpf/program_text.h"

#include "base/condition.h"
#include "base/machine.h"
#include "probe/bpf/bpf.h"
#include "probe/bpf/embedded.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Threads of one process that are counted separately: as many as fit into THREADS_BYTES, within these bounds. */
enum { THREADS_MIN = PROGRAM_TEXT_VALUES_MIN, THREADS_MAX = 1024, THREADS_BYTES = 4 << 20 };

/* As a program gets it: in a member of struct pt_regs. */
static const char *
register_name(enum machine_register id)
{
	const struct machine_desc *desc = machine_of_register(id);

	return desc ? machine_register(desc, id)->context_name : "";
}

static const char *
index_cast(enum operand_extension extension)
{
	switch (extension) {
	case EXTENSION_NONE:
		return "(u64)";
	case EXTENSION_ZERO:
		return "(u64)(u32)";
	case EXTENSION_SIGN:
		return "(u64)(s64)(s32)";
	}
	return "";
}

static void
generate_operand(unsigned n, const struct operand *operand, struct buf *out)
{
	switch (operand->kind) {
	case OPERAND_UNREADABLE:
	case OPERAND_FOREIGN:
		buf_printf(out, "\tTP_UNREADABLE(%u);", n);
		break;
	case OPERAND_CONSTANT: {
		uint64_t mask = operand->width_bytes >= 8 ? UINT64_MAX
							  : (UINT64_C(1) << 8 * operand->width_bytes) - 1;

		buf_printf(out, "\tTP_VALUE(%u, 0x%" PRIx64 "ULL);", n, (uint64_t)operand->constant & mask);
		break;
	}
	case OPERAND_REGISTER:
		buf_printf(out, "\tTP_VALUE(%u, (u%u)((u64)ctx->%s >> %u));", n, 8u * operand->width_bytes,
			   register_name(operand->base), operand->shift_bits);
		break;
	case OPERAND_MEMORY:
		buf_printf(out, "\tTP_LOAD(%u, ", n);
		if (operand->base != REGISTER_NONE)
			buf_printf(out, "(u64)ctx->%s + ", register_name(operand->base));
		if (operand->index != REGISTER_NONE)
			buf_printf(out, "%sctx->%s * %u + ", index_cast(operand->extension),
				   register_name(operand->index), operand->scale ? operand->scale : 1u);
		buf_printf(out, "0x%" PRIx64 "ULL, %u);", (uint64_t)operand->displacement,
			   operand->width_bytes);
		break;
	}
	/* The text of the note is not trusted: it could end the comment. */
	buf_puts(out, " /* ");
	for (const char *c = operand->text; *c; c++)
		buf_putc(out, strchr("*/\\", *c) || (unsigned char)*c < 0x20 ? '?' : *c);
	buf_puts(out, " */\n");
}

static const char *
sign_cast(const struct condition *condition)
{
	switch (condition->extend_bytes) {
	case 1:
		return "(s64)(s8)";
	case 2:
		return "(s64)(s16)";
	case 4:
		return "(s64)(s32)";
	default:
		return condition->is_signed ? "(s64)" : "(u64)";
	}
}

static void
generate_number(const struct condition *condition, struct buf *out)
{
	static const char *const operators[] = {"==", "!=", "<", ">", "<=", ">="};
	bool is_signed = condition->is_signed;

	buf_printf(out, " && (%s)%sTP_ARG(%u)->value %s (%s)0x%" PRIx64 "ULL", is_signed ? "s64" : "u64",
		   sign_cast(condition), condition->arg, operators[condition->op], is_signed ? "s64" : "u64",
		   condition->number);
}

/* Word by word; what is behind the end of the last one is masked. */
static void
generate_bytes(const struct condition *condition, const struct record_slot *slot, struct buf *out)
{
	unsigned read_len = condition->bytes_len + (slot->reader == READER_STRING);

	buf_printf(out, " && %s(TP_ARG(%u)->state == TP_STATE(0, 0, %u)",
		   condition->op == CONDITION_NE ? "!" : "", condition->arg, read_len);
	for (unsigned at = 0; at < condition->bytes_len; at += 8) {
		unsigned n = condition->bytes_len - at < 8 ? condition->bytes_len - at : 8;
		uint64_t mask = n < 8 ? (UINT64_C(1) << 8 * n) - 1 : UINT64_MAX, word = 0;

		for (unsigned i = 0; i < n; i++)
			word |= (uint64_t)condition->bytes[at + i] << 8 * i;
		buf_printf(out, " && (TP_WORD(%u) & 0x%" PRIx64 "ULL) == 0x%" PRIx64 "ULL",
			   slot->slot_offset + at, mask, word);
	}
	buf_putc(out, ')');
}

/* Those about numbers come before anything is read from behind a pointer, the others after that. */
static void
generate_conditions(const struct probe_point *point, bool about_bytes, struct buf *out)
{
	for (size_t i = 0; i < point->conditions_cnt; i++) {
		const struct condition *condition = &point->conditions[i];

		if (!condition_is_early(condition) ||
		    about_bytes != (point->slots[condition->arg].reader != READER_INTEGER))
			continue;
		buf_printf(out, "\tTP_REQUIRE(TP_READABLE(%u)", condition->arg);
		if (condition->kind == CONDITION_NEVER)
			buf_puts(out, " && 0");
		else if (condition->kind == CONDITION_NUMBER)
			generate_number(condition, out);
		else if (condition->kind == CONDITION_BYTES)
			generate_bytes(condition, &point->slots[condition->arg], out);
		buf_puts(out, ");\n");
	}
}

/* Whether records of a point have a size that is known, and are certain to be kept. */
static bool
is_built_in_ring(const struct probe_point *point)
{
	if (point->record_bytes > point->fixed_bytes)
		return false;
	for (size_t i = 0; i < point->conditions_cnt; i++)
		if (condition_is_early(&point->conditions[i]))
			return false;
	return true;
}

/* The function that records a hit of one point, which was counted. */
static void
generate_recorder(size_t idx, const struct probe_point *point, struct buf *out)
{
	bool in_ring = is_built_in_ring(point);

	buf_printf(
		out,
		"\nstatic __always_inline int record_point_%zu(struct pt_regs *ctx, struct tp_thread *t, struct tp_control *c, u64 cookie)\n{\n",
		idx);
	if (in_ring)
		buf_printf(
			out,
			"\tstruct tp_head *r = tp_ring_reserve(TP_RING, %u, 0);\n\n"
			"\tif (!r) {\n\t\tt->failed++;\n\t\treturn 0;\n\t}\n"
			"\ttp_fetch(r, %u);\n\ttp_fill_head(r, t, c, cookie);\n\tread_point_%zu(ctx, t, r);\n"
			"\ttp_ring_submit(r, tp_wakeup(t, c, %u));\n\treturn 0;\n}\n",
			point->fixed_bytes, point->fixed_bytes, idx, point->fixed_bytes);
	else
		buf_printf(out,
			   "\ttp_fill_head(&t->head, t, c, cookie);\n"
			   "\treturn tp_output(t, c, read_point_%zu(ctx, t, &t->head));\n}\n",
			   idx);
}

/* The function that fills in the arguments of one point's record and returns the length of the payload. */
static void
generate_point(size_t idx, const struct probe_point *point, struct buf *out)
{
	const struct site *site = point->site;

	buf_printf(
		out,
		"\nstatic __always_inline u32 read_point_%zu(struct pt_regs *ctx, struct tp_thread *t, struct tp_head *r)\n{\n"
		"\tu32 tp_payload = 0;\n\n",
		idx);
	for (unsigned n = 0; n < site->args_cnt; n++)
		generate_operand(n, &site->args[n], out);
	generate_conditions(point, false, out);
	for (unsigned n = 0; n < site->args_cnt; n++) {
		const struct record_slot *slot = &point->slots[n];

		switch (slot->reader) {
		case READER_INTEGER:
			break;
		case READER_BLOCK:
			buf_printf(out, "\tTP_BLOCK(%u, %u, %u);\n", n, slot->slot_offset, slot->slot_bytes);
			break;
		case READER_STRING:
			buf_printf(out, "\tTP_STRING(%u, %u, %u);\n", n, slot->slot_offset, slot->slot_bytes);
			break;
		case READER_PAYLOAD:
			buf_printf(out, "\tTP_PAYLOAD(%u, %u, %u, %u);\n", n, slot->slot_offset,
				   slot->slot_bytes, slot->size_idx);
			break;
		}
	}
	generate_conditions(point, true, out);
	buf_puts(out, "\treturn tp_payload;\n}\n");
	generate_recorder(idx, point, out);
}

uint64_t
program_text_cookie(const struct probe_point *point, size_t idx)
{
	return (uint64_t)idx | (uint64_t)point->tracepoint << 16 | (uint64_t)point->site->args_cnt << 24 |
	       (uint64_t)point->fixed_bytes << 32;
}

void
program_text_function_name(const struct probe_point *point, size_t idx, char *out, size_t out_sz)
{
	int n = snprintf(out, out_sz, "on_%s_%s_%zu", point->site->provider, point->site->name, idx);

	/* Provider and name come from a file, and may hold what C does not allow in an identifier. */
	for (int i = 0; i < n && (size_t)i < out_sz - 1; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", out[i]))
			out[i] = '_';
}

uint32_t
program_text_record_bytes(const struct probe_point *points, size_t points_cnt)
{
	uint32_t most = sizeof(struct record_head);

	for (size_t i = 0; i < points_cnt; i++)
		if (points[i].record_bytes > most)
			most = points[i].record_bytes;
	return (most + 7) & ~7u;
}

size_t
program_text_threads(uint32_t record_bytes)
{
	size_t cnt = THREADS_BYTES / record_bytes;

	return cnt < THREADS_MIN ? THREADS_MIN : cnt > THREADS_MAX ? THREADS_MAX : cnt;
}

static const char *
embedded(const char *path)
{
	for (const struct embedded_file *file = embedded_files; file->path; file++)
		if (!strcmp(file->path, path))
			return file->text;
	return "#error \"a part of tpcheck is missing\"\n";
}

static void
generate_multi_program(size_t points_cnt, struct buf *out)
{
	buf_printf(out,
		   "\nint " PROGRAM_TEXT_MULTI_FUNCTION "(struct pt_regs *ctx)\n{\n"
		   "\tu64 cookie = tp_cookie(ctx);\n\n"
		   "\tif (cookie == 0x%" PRIx64 "ULL)\n\t\treturn tp_tried();\n"
		   "\tstruct tp_control *c;\n\tstruct tp_thread *t = tp_begin(cookie, &c);\n\n"
		   "\tif (!t)\n\t\treturn 0;\n\tswitch (TP_POINT(cookie)) {\n",
		   BPF_TRIAL_COOKIE);
	for (size_t i = 0; i < points_cnt; i++)
		buf_printf(out, "\tcase %zu:\n\t\treturn record_point_%zu(ctx, t, c, cookie);\n", i, i);
	buf_puts(out, "\t}\n\treturn 0;\n}\n");
}

static void
generate_program(const struct probe_point *point, size_t idx, struct buf *out)
{
	char name[192];

	program_text_function_name(point, idx, name, sizeof(name));
	buf_printf(out,
		   "\nint %s(struct pt_regs *ctx)\n{\n\tu64 cookie = 0x%" PRIx64 "ULL;\n"
		   "\tstruct tp_control *c;\n\tstruct tp_thread *t = tp_begin(cookie, &c);\n\n"
		   "\treturn t ? record_point_%zu(ctx, t, c, cookie) : 0;\n}\n",
		   name, program_text_cookie(point, idx), idx);
}

void
program_text_generate(const struct probe_point *points, size_t points_cnt, enum probe_method method,
		      struct buf *out)
{
	uint32_t record_bytes = program_text_record_bytes(points, points_cnt);

	buf_printf(out,
		   "#include <uapi/linux/ptrace.h>\n#define TP_RECORD_BYTES %u\n#define TP_THREADS %d\n"
		   "#define TP_RING_NUMBER %d\n",
		   record_bytes, (int)program_text_threads(record_bytes), BPF_RING_NUMBER);
	buf_puts(out, embedded("prelude.bpf.c"));
	for (size_t i = 0; i < points_cnt; i++)
		generate_point(i, &points[i], out);
	if (method == PROBE_METHOD_MULTI) {
		generate_multi_program(points_cnt, out);
		return;
	}
	for (size_t i = 0; i < points_cnt; i++)
		generate_program(&points[i], i, out);
}
