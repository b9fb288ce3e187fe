#include "notes/operand.h"

#include "notes/operand_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_symbol_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.' ||
	       c == '$' || (unsigned char)c >= 0x80;
}

void
operand_copy_printable(char *out, size_t sz, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < sz - 1; i++)
		out[i] = s[i] >= 0x20 && s[i] < 0x7f ? s[i] : '?';
	out[i] = '\0';
}

void
operand_unreadable(struct operand *out, const char *fmt, ...)
{
	va_list ap;

	*out = (struct operand){
		.kind = OPERAND_UNREADABLE, .width_bytes = out->width_bytes, .is_signed = out->is_signed};
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
}

void
operand_not_understood(struct operand *out)
{
	operand_unreadable(out, "the text of the operand was not understood");
}

void
operand_unreadable_linker(struct operand *out)
{
	operand_unreadable(
		out, "the offset is the linker's, and not in the note: no tracer can read the argument");
	out->source = OPERAND_FROM_LINKER;
}

bool
operand_take(struct operand_cursor *in, char c)
{
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

bool
operand_take_number(struct operand_cursor *in, uint64_t *out)
{
	bool any = false;
	uint64_t v = 0;

	if (in->end - in->at > 2 && in->at[0] == '0' && (in->at[1] == 'x' || in->at[1] == 'X')) {
		for (in->at += 2; in->at < in->end; in->at++, any = true) {
			char c = *in->at;
			unsigned digit = is_digit(c)            ? (unsigned)(c - '0')
					 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
					 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
								: 16;
			if (digit == 16)
				break;
			if (v >> 60)
				return false;
			v = v << 4 | digit;
		}
	} else {
		if (in->end - in->at > 1 && in->at[0] == '0' && is_digit(in->at[1]))
			return false;
		for (; in->at < in->end && is_digit(*in->at); in->at++, any = true) {
			unsigned digit = (unsigned)(*in->at - '0');

			if (v > (UINT64_MAX - digit) / 10)
				return false;
			v = v * 10 + digit;
		}
	}
	*out = v;
	return any;
}

/* In position-independent code, GCC writes "sym+-8" for "sym-8". */
bool
operand_take_sum(struct operand_cursor *in, struct operand_sum *sum)
{
	bool negative = operand_take(in, '-');

	*sum = (struct operand_sum){0};
	for (;;) {
		if (in->at < in->end && !is_digit(*in->at) && *in->at != '$' && is_symbol_char(*in->at)) {
			const char *start = in->at;

			while (in->at < in->end && is_symbol_char(*in->at))
				in->at++;
			if (negative || sum->symbol_len)
				return false;
			sum->symbol = start;
			sum->symbol_len = (size_t)(in->at - start);
		} else {
			uint64_t v;

			if (!operand_take_number(in, &v) || (negative && v > (uint64_t)1 << 63))
				return false;
			sum->number += negative ? -v : v;
		}
		if (operand_take(in, '+'))
			negative = operand_take(in, '-');
		else if (operand_take(in, '-'))
			negative = true;
		else
			return true;
	}
}

bool
operand_resolve(struct operand *out, const struct operand_sum *sum, const struct operand_opts *opts,
		uint64_t *address)
{
	enum symbol_state state = SYMBOL_NO_TABLE;
	const char *why = "the file's symbol tables could not be searched for";
	char name[48];

	if (opts->find_symbol)
		state = opts->find_symbol(opts->cookie, sum->symbol, sum->symbol_len, address);
	switch (state) {
	case SYMBOL_FOUND:
		return true;
	case SYMBOL_MISSING:
		why = "no symbol table of the file has the symbol";
		break;
	case SYMBOL_AMBIGUOUS:
		why = "the file has several symbols named";
		break;
	case SYMBOL_PLACELESS:
		why = "the file gives no address for the symbol";
		break;
	case SYMBOL_NO_TABLE:
		break;
	}
	operand_copy_printable(name, sizeof(name), sum->symbol, sum->symbol_len);
	operand_unreadable(out, "%s %s", why, name);
	return false;
}

/* A compiler may sign-extend a value of an unsigned type, and the other way round, but it has no more bits than the
 * width.
 */
void
operand_set_constant(struct operand *out, uint64_t v)
{
	unsigned bits = out->width_bytes * 8u;
	uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
	uint64_t sign = (uint64_t)1 << (bits - 1);

	if (v > mask && v < -sign) {
		operand_unreadable(out, "the constant does not fit the operand's width of %u",
				   out->width_bytes);
		return;
	}
	v &= mask;
	if (out->is_signed && (v & sign))
		v |= ~mask;
	out->kind = OPERAND_CONSTANT;
	out->constant = (int64_t)v;
}

/* "[-]N[f]@", before the operand itself. The width may be any number up to 255. */
static bool
take_width(struct operand_cursor *in, unsigned *width, bool *is_signed, bool *is_float)
{
	*is_signed = operand_take(in, '-');
	*width = 0;
	if (in->at == in->end || !is_digit(*in->at))
		return false;
	for (; in->at < in->end && is_digit(*in->at); in->at++) {
		*width = *width * 10 + (unsigned)(*in->at - '0');
		if (*width > 255)
			return false;
	}
	*is_float = operand_take(in, 'f');
	return operand_take(in, '@');
}

/* Whether the operand names a place whose offset the linker fills in, in code but not in notes: "[x0, #:lo12:name]" on
 * aarch64, "%lo(name)(a5)" on riscv, "name@toc@l(9)" on ppc. */
static bool
is_relocation(struct operand_cursor in)
{
	static const char *const marks[] = {":lo12:", ":got", "%lo(", "%pcrel_lo(",
					    "%got",   "@toc", "@l",   "@ha"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (memmem(in.at, (size_t)(in.end - in.at), marks[i], strlen(marks[i])))
			return true;
	return false;
}

/* What follows the width, on a machine without probes. */
static void
parse_foreign(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	struct form form = form_of(opts->machine, in.at, (size_t)(in.end - in.at));
	char text[48];

	switch (form.kind) {
	case FORM_UNKNOWN:
		if (is_relocation(in))
			operand_unreadable_linker(out);
		else
			operand_not_understood(out);
		break;
	case FORM_CONSTANT: {
		struct operand_cursor digits = {form.number, in.end};
		bool negative = operand_take(&digits, '-');
		uint64_t v;

		if (!operand_take_number(&digits, &v) || (negative && v > (uint64_t)1 << 63))
			operand_not_understood(out);
		else
			operand_set_constant(out, negative ? -v : v);
		break;
	}
	case FORM_CLOSED:
		operand_copy_printable(text, sizeof(text), in.at, (size_t)(in.end - in.at));
		operand_unreadable(out, "the operand is in the register %s, which BPF cannot read", text);
		break;
	case FORM_REGISTER:
		out->is_half = opts->is_32bit && out->width_bytes == 8;
		/* fall through */
	case FORM_MEMORY:
	case FORM_SYMBOL:
		out->kind = OPERAND_FOREIGN;
		break;
	}
}

static void
parse_place(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	if (opts->machine == MACHINE_X86_64)
		operand_parse_x86_64(out, in, opts);
	else if (opts->machine == MACHINE_AARCH64 && !opts->is_32bit && !opts->is_big_endian)
		operand_parse_aarch64(out, in, opts);
	else
		parse_foreign(out, in, opts);
}

/* What libbcc makes of it. text is what follows the width. */
static enum operand_bcc
find_bcc(const struct operand *out, const char *text, size_t len, const struct operand_opts *opts)
{
	struct form form = form_of(opts->machine, text, len);

	/* It looks up symbols in the same way. */
	if (form.kind == FORM_SYMBOL && form.bcc == OPERAND_BCC_READS && out->kind == OPERAND_UNREADABLE)
		return OPERAND_BCC_REFUSES;
	if (form.bcc == OPERAND_BCC_MISREADS && opts->machine == MACHINE_PPC && out->width_bytes == 1)
		return OPERAND_BCC_READS;
	return form.bcc;
}

void
operand_parse(struct operand *out, const char *text, size_t len, const struct operand_opts *opts)
{
	static const struct operand_opts defaults;
	struct operand_cursor in = {text, text + len};
	bool is_float = false;
	unsigned width;

	*out = (struct operand){.kind = OPERAND_UNREADABLE};
	bool has_width = take_width(&in, &width, &out->is_signed, &is_float);
	if (!has_width)
		out->is_signed = false;
	else if (width == 1 || width == 2 || width == 4 || width == 8)
		out->width_bytes = (uint8_t)width;

	if (!opts)
		opts = &defaults;
	if (!has_width)
		operand_unreadable(out, "the operand does not begin with its width and '@'");
	else if (!out->width_bytes)
		operand_unreadable(out, "the width is %u bytes, not 1, 2, 4 or 8", width);
	else if (is_float)
		operand_unreadable(out, "the operand is a floating-point number, which BPF cannot handle");
	else
		parse_place(out, in, opts);
	if (!machine_has_bcc(opts->machine, !opts->is_32bit))
		out->bcc = OPERAND_BCC_READS;
	else if (!has_width || is_float)
		out->bcc = opts->machine == MACHINE_X86_64 ? OPERAND_BCC_STOPS : OPERAND_BCC_LEAVES;
	else if (!out->width_bytes)
		out->bcc = opts->machine == MACHINE_X86_64 ? OPERAND_BCC_MISREADS : OPERAND_BCC_LEAVES;
	else
		out->bcc = find_bcc(out, in.at, (size_t)(in.end - in.at), opts);
	operand_copy_printable(out->text, sizeof(out->text), text, len);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether an operand of the form "N@..." begins here. */
static bool
begins_operand(const char *s)
{
	if (*s == '-')
		s++;
	if (!is_digit(*s))
		return false;
	while (is_digit(*s))
		s++;
	if (*s == 'f')
		s++;
	return *s == '@';
}

bool
operand_split(const char **rest, const char **text, size_t *len)
{
	const char *s = *rest;

	while (is_blank(*s))
		s++;
	const char *end = s;
	bool is_whole = !begins_operand(s); /* an operand without width has no blanks */
	for (const char *at = s; *at;) {
		while (*at && !is_blank(*at))
			at++;
		end = at;
		while (is_blank(*at))
			at++;
		if (is_whole || begins_operand(at))
			break;
	}
	*rest = end;
	*text = s;
	*len = (size_t)(end - s);
	return *len > 0;
}
