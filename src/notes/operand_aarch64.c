/* The operands of aarch64; operand.h lists them. GCC writes numbers without '#', clang with it.
 *
 * Where an address is written back ("[x0, 8]!", "[x0], 8"), the nop of a tracepoint does not do that, so the base is
 * still what it was before. */
#include "notes/operand_private.h"

#include <string.h>

enum { PAGE_MASK = 4095, SHIFT_MAX = 4 };

struct reg {
	enum machine_register id; /* REGISTER_NONE: xzr, wzr */
	uint8_t width_bytes;
};

/* Registers that a compiler may choose, but that the kernel does not pass to BPF. */
static const char closed_registers[] = "bhsdqvzp";

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
skip_blanks(struct operand_cursor *in)
{
	while (in->at < in->end && *in->at == ' ')
		in->at++;
}

static bool
take_comma(struct operand_cursor *in)
{
	skip_blanks(in);
	bool is_there = operand_take(in, ',');
	skip_blanks(in);
	return is_there;
}

/* Lower-case letters and digits. */
static bool
take_word(struct operand_cursor *in, const char **word, size_t *len)
{
	*word = in->at;
	while (in->at < in->end && ((*in->at >= 'a' && *in->at <= 'z') || is_digit(*in->at)))
		in->at++;
	*len = (size_t)(in->at - *word);
	return *len > 0;
}

static bool
is_word(const char *word, size_t len, const char *other)
{
	return len == strlen(other) && !memcmp(word, other, len);
}

/* From "0" to "max", without leading zeros. */
static bool
parse_register_number(const char *digits, size_t len, unsigned max, unsigned *number)
{
	*number = 0;
	if (!len || len > 2 || (digits[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(digits[i]))
			return false;
		*number = *number * 10 + (unsigned)(digits[i] - '0');
	}
	return *number <= max;
}

static bool
find_register(const char *name, size_t len, struct reg *reg)
{
	unsigned number;

	*reg = (struct reg){.width_bytes = len && name[0] == 'w' ? 4 : 8};
	if (is_word(name, len, "xzr") || is_word(name, len, "wzr"))
		return true;
	if (is_word(name, len, "sp") || is_word(name, len, "wsp")) {
		reg->id = REGISTER_A64_SP;
		return true;
	}
	if (len < 2 || (name[0] != 'x' && name[0] != 'w') ||
	    !parse_register_number(name + 1, len - 1, 30, &number))
		return false;
	reg->id = (enum machine_register)(REGISTER_X0 + number);
	return true;
}

/* "d0", and parts such as "v0.d[0]". */
static bool
is_closed(const struct operand_cursor *in)
{
	const char *at = in->at;
	size_t digits = 0;
	unsigned number;

	if (at == in->end || !strchr(closed_registers, *at))
		return false;
	while (at + 1 + digits < in->end && is_digit(at[1 + digits]))
		digits++;
	return parse_register_number(at + 1, digits, 31, &number) &&
	       (at + 1 + digits == in->end || at[1 + digits] == '.');
}

static void
parse_register(struct operand *out, struct operand_cursor in)
{
	const char *name;
	size_t len;
	struct reg reg;

	if (is_closed(&in)) {
		char text[48];

		operand_copy_printable(text, sizeof(text), in.at, (size_t)(in.end - in.at));
		operand_unreadable(out, "the operand is in the register %s, which BPF cannot read", text);
		return;
	}
	if (!take_word(&in, &name, &len) || in.at != in.end || !find_register(name, len, &reg)) {
		operand_not_understood(out);
	} else if (reg.id == REGISTER_NONE) {
		operand_set_constant(out, 0);
	} else if (reg.width_bytes < out->width_bytes) {
		operand_unreadable(out, "the register %.*s holds %u bytes, the operand has %u", (int)len,
				   name, reg.width_bytes, out->width_bytes);
	} else {
		out->kind = OPERAND_REGISTER;
		out->base = reg.id;
	}
}

static void
parse_constant(struct operand *out, struct operand_cursor in)
{
	struct operand_sum sum;

	operand_take(&in, '#');
	if (!operand_take_sum(&in, &sum) || in.at != in.end || sum.symbol_len)
		operand_not_understood(out);
	else
		operand_set_constant(out, sum.number);
}

/* "lsl 3" and its like, behind the index; *extension and *shift are left as they are if there is none. */
static bool
take_shift(struct operand_cursor *in, const struct reg *index, enum operand_extension *extension,
	   uint64_t *shift)
{
	static const struct {
		const char *name;
		uint8_t width_bytes; /* of the index */
		enum operand_extension extension;
	} known[] = {{"lsl", 8, EXTENSION_NONE},
		     {"sxtx", 8, EXTENSION_NONE},
		     {"uxtw", 4, EXTENSION_ZERO},
		     {"sxtw", 4, EXTENSION_SIGN}};
	const char *word;
	size_t len, i = 0;

	if (!take_word(in, &word, &len))
		return false;
	while (i < sizeof(known) / sizeof(known[0]) && !is_word(word, len, known[i].name))
		i++;
	if (i == sizeof(known) / sizeof(known[0]) || known[i].width_bytes != index->width_bytes)
		return false;
	*extension = known[i].extension;
	skip_blanks(in);
	if (in->at == in->end || *in->at == ']')
		return i != 0; /* lsl needs a number */
	operand_take(in, '#');
	return operand_take_number(in, shift) && *shift <= SHIFT_MAX;
}

/* A register, and how it is extended and shifted. */
static bool
take_index(struct operand *out, struct operand_cursor *in)
{
	enum operand_extension extension = EXTENSION_NONE;
	uint64_t shift = 0;
	const char *name;
	size_t len;
	struct reg reg;

	if (!take_word(in, &name, &len) || !find_register(name, len, &reg) || reg.id == REGISTER_A64_SP)
		return false;
	if (take_comma(in)) {
		if (!take_shift(in, &reg, &extension, &shift))
			return false;
	} else if (reg.width_bytes != 8) {
		return false;
	}
	if (reg.id == REGISTER_NONE)
		return true;
	out->index = reg.id;
	out->scale = (uint8_t)(1u << shift);
	out->extension = extension;
	return true;
}

/* What the linker filled in, in the code but not in the note: from ':' on, up to the end. Only of the low bits of an
 * address it can be found out what they are. */
static void
parse_relocation(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	static const char low[] = ":lo12:";
	struct operand_sum sum;
	uint64_t address = 0;

	out->source = OPERAND_FROM_LINKER;
	if ((size_t)(in.end - in.at) > sizeof(low) - 1 && !memcmp(in.at, low, sizeof(low) - 1)) {
		in.at += sizeof(low) - 1;
		if (!operand_take_sum(&in, &sum) || !sum.symbol_len || !operand_take(&in, ']') ||
		    in.at != in.end) {
			operand_not_understood(out);
			return;
		}
		if (opts->find_symbol &&
		    opts->find_symbol(opts->cookie, sum.symbol, sum.symbol_len, &address) == SYMBOL_FOUND) {
			out->source = OPERAND_FROM_SYMBOLS;
			address += sum.number;
		} else if (opts->find_low_bits &&
			   opts->find_low_bits(opts->cookie, opts->site_address, out->base, &address)) {
			out->source = OPERAND_FROM_CODE;
		}
	}
	if (out->source == OPERAND_FROM_LINKER) {
		operand_unreadable_linker(out);
		return;
	}
	out->kind = OPERAND_MEMORY;
	out->displacement = (int64_t)(address & PAGE_MASK);
}

/* Behind the base and its comma, up to the end. */
static void
parse_offset(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	struct operand_sum sum = {0};
	struct operand_cursor number = in;

	operand_take(&number, '#');
	if (number.at < number.end && *number.at == ':') {
		parse_relocation(out, number, opts);
		return;
	}
	if (number.at < number.end && (is_digit(*number.at) || *number.at == '-')) {
		in = number;
		if (!operand_take_sum(&in, &sum) || sum.symbol_len)
			goto garbage;
		out->displacement = (int64_t)sum.number;
	} else if (!take_index(out, &in)) {
		goto garbage;
	}
	skip_blanks(&in);
	if (!operand_take(&in, ']'))
		goto garbage;
	if (out->index == REGISTER_NONE)
		operand_take(&in, '!');
	if (in.at != in.end)
		goto garbage;
	out->kind = OPERAND_MEMORY;
	return;
garbage:
	operand_not_understood(out);
}

/* Behind "[base]", up to the end: nothing, or what would be added to the base afterwards. */
static void
parse_after_base(struct operand *out, struct operand_cursor in)
{
	struct operand_sum sum;

	if (in.at != in.end) {
		if (!take_comma(&in))
			goto garbage;
		operand_take(&in, '#');
		if (!operand_take_sum(&in, &sum) || sum.symbol_len || in.at != in.end)
			goto garbage;
	}
	out->kind = OPERAND_MEMORY;
	return;
garbage:
	operand_not_understood(out);
}

/* Behind '['. */
static void
parse_memory(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	const char *name;
	size_t len;
	struct reg base;

	skip_blanks(&in);
	if (!take_word(&in, &name, &len) || !find_register(name, len, &base) || base.id == REGISTER_NONE) {
		operand_not_understood(out);
		return;
	}
	if (base.width_bytes != 8) {
		operand_unreadable(out, "the address is in %.*s, which is not a 64-bit register", (int)len,
				   name);
		return;
	}
	out->base = base.id;
	skip_blanks(&in);
	if (operand_take(&in, ']'))
		parse_after_base(out, in);
	else if (take_comma(&in))
		parse_offset(out, in, opts);
	else
		operand_not_understood(out);
}

void
operand_parse_aarch64(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	if (operand_take(&in, '['))
		parse_memory(out, in, opts);
	else if (in.at < in.end && (*in.at == '#' || *in.at == '-' || is_digit(*in.at)))
		parse_constant(out, in);
	else
		parse_register(out, in);
}
