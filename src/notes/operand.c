#include "notes/operand.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The part of an operand that is not parsed. */
struct cursor {
	const char *at, *end;
};

/* A sum as in assembly, "8+sym-4": numbers, and at most one symbol. */
struct sum {
	uint64_t number; /* modulo 2^64, as addresses are */
	const char *symbol;
	size_t symbol_len; /* 0: no symbol */
};

struct reg {
	enum machine_register id; /* REGISTER_NONE: not a general-purpose register */
	uint8_t width_bytes, shift_bits;
};

static const struct {
	enum machine_register id;
	const char *name[5]; /* of 8, 4, 2 and 1 bytes, and of the second byte */
} registers[] = {
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
	{REGISTER_IP, {"rip", NULL, NULL, NULL, NULL}},
};

/* Registers that a compiler may choose, but that the kernel does not pass to BPF. The first matching prefix counts. */
static const struct {
	const char *prefix, *kind;
} closed_registers[] = {
	{"xmm", "SSE"},    {"ymm", "AVX"},    {"zmm", "AVX-512"}, {"mm", "MMX"},
	{"st", "x87"},     {"k", "mask"},     {"cs", "segment"},  {"ds", "segment"},
	{"es", "segment"}, {"fs", "segment"}, {"gs", "segment"},  {"ss", "segment"},
};

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

/* Copies at most sz - 1 bytes, and makes them printable. */
static void
copy_printable(char *out, size_t sz, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < sz - 1; i++)
		out[i] = s[i] >= 0x20 && s[i] < 0x7f ? s[i] : '?';
	out[i] = '\0';
}

/* A reason that is too long is cut, so symbols come last. */
__attribute__((format(printf, 2, 3))) static void
unreadable(struct operand *out, const char *fmt, ...)
{
	va_list ap;

	*out = (struct operand){
		.kind = OPERAND_UNREADABLE, .width_bytes = out->width_bytes, .is_signed = out->is_signed};
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
}

static void
not_understood(struct operand *out)
{
	unreadable(out, "the text of the operand was not understood");
}

static bool
take(struct cursor *in, char c)
{
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

/* "[-]N[f]@", before the operand itself. The width may be any number up to 255. */
static bool
take_width(struct cursor *in, unsigned *width, bool *is_signed, bool *is_float)
{
	*is_signed = take(in, '-');
	*width = 0;
	if (in->at == in->end || !is_digit(*in->at))
		return false;
	for (; in->at < in->end && is_digit(*in->at); in->at++) {
		*width = *width * 10 + (unsigned)(*in->at - '0');
		if (*width > 255)
			return false;
	}
	*is_float = take(in, 'f');
	return take(in, '@');
}

/* Decimal, or hexadecimal with 0x. Octal numbers, with a leading 0, are refused: no compiler writes them. */
static bool
take_number(struct cursor *in, uint64_t *out)
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
static bool
take_sum(struct cursor *in, struct sum *sum)
{
	bool negative = take(in, '-');

	*sum = (struct sum){0};
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

			if (!take_number(in, &v) || (negative && v > (uint64_t)1 << 63))
				return false;
			sum->number += negative ? -v : v;
		}
		if (take(in, '+'))
			negative = take(in, '-');
		else if (take(in, '-'))
			negative = true;
		else
			return true;
	}
}

/* The name after '%'; false if there is none. */
static bool
take_register_name(struct cursor *in, const char **name, size_t *len)
{
	if (!take(in, '%'))
		return false;
	*name = in->at;
	while (in->at < in->end && ((*in->at >= 'a' && *in->at <= 'z') || is_digit(*in->at)))
		in->at++;
	*len = (size_t)(in->at - *name);
	return *len > 0;
}

static struct reg
find_register(const char *name, size_t len)
{
	static const uint8_t width[5] = {8, 4, 2, 1, 1};

	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		for (size_t k = 0; k < 5; k++) {
			const char *known = registers[i].name[k];

			if (known && strlen(known) == len && !memcmp(known, name, len))
				return (struct reg){registers[i].id, width[k], k == 4 ? 8 : 0};
		}
	return (struct reg){.id = REGISTER_NONE};
}

/* The address of the sum's symbol; on failure *out says why. */
static bool
resolve(struct operand *out, const struct sum *sum, const struct operand_opts *opts, uint64_t *address)
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
	copy_printable(name, sizeof(name), sum->symbol, sum->symbol_len);
	unreadable(out, "%s %s", why, name);
	return false;
}

/* A register that the assembler accepts, but that BPF cannot use. */
static void
refuse_register(struct operand *out, const char *name, size_t len)
{
	char text[16];

	copy_printable(text, sizeof(text), name, len);
	for (size_t i = 0; i < sizeof(closed_registers) / sizeof(closed_registers[0]); i++) {
		size_t n = strlen(closed_registers[i].prefix);

		if (len >= n && !memcmp(name, closed_registers[i].prefix, n)) {
			unreadable(out, "the operand is in the %s register %%%s, which BPF cannot read",
				   closed_registers[i].kind, text);
			return;
		}
	}
	unreadable(out, "%%%s is not a general-purpose register", text);
}

/* A compiler may sign-extend a value of an unsigned type, and the other way round, but it has no more bits than the
 * width.
 */
static void
set_constant(struct operand *out, uint64_t v)
{
	unsigned bits = out->width_bytes * 8u;
	uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
	uint64_t sign = (uint64_t)1 << (bits - 1);

	if (v > mask && v < -sign) {
		unreadable(out, "the constant does not fit the operand's width of %u", out->width_bytes);
		return;
	}
	v &= mask;
	if (out->is_signed && (v & sign))
		v |= ~mask;
	out->kind = OPERAND_CONSTANT;
	out->constant = (int64_t)v;
}

/* After '$'. */
static void
parse_constant(struct operand *out, struct cursor in, const struct operand_opts *opts)
{
	struct sum sum;

	if (!take_sum(&in, &sum) || in.at != in.end) {
		not_understood(out);
		return;
	}
	uint64_t v = sum.number;
	if (sum.symbol_len) {
		uint64_t address;

		if (opts->is_position_independent) {
			unreadable(out,
				   "the constant is an address, which is not known until the program runs");
			return;
		}
		if (!resolve(out, &sum, opts, &address))
			return;
		v += address;
	}
	set_constant(out, v);
}

/* From '%' on, not in parentheses. */
static void
parse_register(struct operand *out, struct cursor in)
{
	const char *name;
	size_t len;

	if (!take_register_name(&in, &name, &len)) {
		not_understood(out);
		return;
	}
	if (len == 2 && name[1] == 's' && take(&in, ':')) {
		unreadable(out,
			   "the operand is relative to the segment register %%%.2s, which BPF cannot read",
			   name);
		return;
	}
	struct reg reg = find_register(name, len);
	if (reg.id == REGISTER_NONE || reg.id == REGISTER_IP) {
		refuse_register(out, name, len);
	} else if (in.at != in.end) {
		not_understood(out);
	} else if (reg.shift_bits && out->width_bytes > 1) {
		unreadable(out, "the register %%%.*s holds one byte, the operand has %u", (int)len, name,
			   out->width_bytes);
	} else {
		out->kind = OPERAND_REGISTER;
		out->base = reg.id;
		out->shift_bits = reg.shift_bits;
	}
}

/* A register of an address; on failure *out says why. */
static bool
take_address_register(struct operand *out, struct cursor *in, enum machine_register *id)
{
	const char *name;
	size_t len;

	if (!take_register_name(in, &name, &len)) {
		not_understood(out);
		return false;
	}
	struct reg reg = find_register(name, len);
	if (reg.id == REGISTER_NONE) {
		not_understood(out);
		return false;
	}
	if (reg.width_bytes != 8) {
		unreadable(out, "the address is in %%%.*s, which is not a 64-bit register", (int)len, name);
		return false;
	}
	*id = reg.id;
	return true;
}

/* "(%base,%index,scale)", or nothing, up to the end. */
static bool
take_address(struct operand *out, struct cursor *in)
{
	uint64_t scale = 1;

	if (in->at == in->end)
		return true;
	if (!take(in, '('))
		goto garbage;
	if (in->at < in->end && *in->at != ',' && !take_address_register(out, in, &out->base))
		return false;
	if (take(in, ',')) {
		if (!take_address_register(out, in, &out->index))
			return false;
		if (take(in, ',') && !take_number(in, &scale))
			goto garbage;
		if (out->index == REGISTER_SP || out->index == REGISTER_IP || out->base == REGISTER_IP)
			goto garbage;
		if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
			goto garbage;
		out->scale = (uint8_t)scale;
	}
	if (take(in, ')') && in->at == in->end)
		return true;
garbage:
	not_understood(out);
	return false;
}

static void
parse_memory(struct operand *out, struct cursor in, const struct operand_opts *opts)
{
	struct sum sum = {0};

	if ((in.at == in.end || *in.at != '(') && !take_sum(&in, &sum)) {
		not_understood(out);
		return;
	}
	if (sum.symbol_len && in.at < in.end && *in.at == '@') {
		char name[48];

		copy_printable(name, sizeof(name), sum.symbol, sum.symbol_len);
		unreadable(out, "only the linker knows what '@' after the symbol %s means", name);
		return;
	}
	if (!take_address(out, &in))
		return;
	if (sum.symbol_len) {
		uint64_t address;

		if (out->base != REGISTER_NONE && out->base != REGISTER_IP && opts->is_position_independent) {
			unreadable(out, "the address depends on where the program is loaded");
			return;
		}
		if (!resolve(out, &sum, opts, &address))
			return;
		sum.number += address;
		if (out->base == REGISTER_NONE || out->base == REGISTER_IP) {
			out->base = REGISTER_IP;
			sum.number -= opts->site_address;
		}
	} else if (out->base == REGISTER_IP) {
		unreadable(out, "the address is relative to an instruction that the note does not name");
		return;
	}
	out->kind = OPERAND_MEMORY;
	out->displacement = (int64_t)sum.number;
}

static void
parse_place(struct operand *out, struct cursor in, const struct operand_opts *opts)
{
	if (take(&in, '$'))
		parse_constant(out, in, opts);
	else if (in.at < in.end && *in.at == '%')
		parse_register(out, in);
	else
		parse_memory(out, in, opts);
}

/* Whether the operand names a place whose offset the linker fills in, in code but not in notes: "[x0, #:lo12:name]" on
 * aarch64, "%lo(name)(a5)" on riscv, "name@toc@l(9)" on ppc. */
static bool
is_relocation(struct cursor in)
{
	static const char *const marks[] = {":lo12:", ":got", "%lo(", "%pcrel_lo(",
					    "%got",   "@toc", "@l",   "@ha"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (memmem(in.at, (size_t)(in.end - in.at), marks[i], strlen(marks[i])))
			return true;
	return false;
}

/* What follows the width, on a machine other than x86-64. */
static void
parse_foreign(struct operand *out, struct cursor in, const struct operand_opts *opts)
{
	struct form form = form_of(opts->machine, in.at, (size_t)(in.end - in.at));
	char text[48];

	switch (form.kind) {
	case FORM_UNKNOWN:
		if (is_relocation(in))
			unreadable(
				out,
				"the offset is the linker's, and not in the note: no tracer can read the argument");
		else
			not_understood(out);
		break;
	case FORM_CONSTANT: {
		struct cursor digits = {form.number, in.end};
		bool negative = take(&digits, '-');
		uint64_t v;

		if (!take_number(&digits, &v) || (negative && v > (uint64_t)1 << 63))
			not_understood(out);
		else
			set_constant(out, negative ? -v : v);
		break;
	}
	case FORM_CLOSED:
		copy_printable(text, sizeof(text), in.at, (size_t)(in.end - in.at));
		unreadable(out, "the operand is in the register %s, which BPF cannot read", text);
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
	struct cursor in = {text, text + len};
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
		unreadable(out, "the operand does not begin with its width and '@'");
	else if (!out->width_bytes)
		unreadable(out, "the width is %u bytes, not 1, 2, 4 or 8", width);
	else if (is_float)
		unreadable(out, "the operand is a floating-point number, which BPF cannot handle");
	else if (opts->machine == MACHINE_X86_64)
		parse_place(out, in, opts);
	else
		parse_foreign(out, in, opts);
	if (!machine_has_bcc(opts->machine, !opts->is_32bit))
		out->bcc = OPERAND_BCC_READS;
	else if (!has_width || is_float)
		out->bcc = opts->machine == MACHINE_X86_64 ? OPERAND_BCC_STOPS : OPERAND_BCC_LEAVES;
	else if (!out->width_bytes)
		out->bcc = opts->machine == MACHINE_X86_64 ? OPERAND_BCC_MISREADS : OPERAND_BCC_LEAVES;
	else
		out->bcc = find_bcc(out, in.at, (size_t)(in.end - in.at), opts);
	copy_printable(out->text, sizeof(out->text), text, len);
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
