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
