#include "notes/operand.h"

#include "notes/operand_private.h"

#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
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
