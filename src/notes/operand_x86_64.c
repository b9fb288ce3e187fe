/* The operands of x86-64; operand.h lists them. */
#include "notes/operand_private.h"

#include <string.h>

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

/* The name after '%'; false if there is none. */
static bool
take_register_name(struct operand_cursor *in, const char **name, size_t *len)
{
	if (!operand_take(in, '%'))
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

/* A register that the assembler accepts, but that BPF cannot use. */
static void
refuse_register(struct operand *out, const char *name, size_t len)
{
	char text[16];

	operand_copy_printable(text, sizeof(text), name, len);
	for (size_t i = 0; i < sizeof(closed_registers) / sizeof(closed_registers[0]); i++) {
		size_t n = strlen(closed_registers[i].prefix);

		if (len >= n && !memcmp(name, closed_registers[i].prefix, n)) {
			operand_unreadable(out,
					   "the operand is in the %s register %%%s, which BPF cannot read",
					   closed_registers[i].kind, text);
			return;
		}
	}
	operand_unreadable(out, "%%%s is not a general-purpose register", text);
}

/* After '$'. */
static void
parse_constant(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	struct operand_sum sum;

	if (!operand_take_sum(&in, &sum) || in.at != in.end) {
		operand_not_understood(out);
		return;
	}
	uint64_t v = sum.number;
	if (sum.symbol_len) {
		uint64_t address;

		if (opts->is_position_independent) {
			operand_unreadable(
				out, "the constant is an address, which is not known until the program runs");
			return;
		}
		if (!operand_resolve(out, &sum, opts, &address))
			return;
		v += address;
	}
	operand_set_constant(out, v);
}

/* From '%' on, not in parentheses. */
static void
parse_register(struct operand *out, struct operand_cursor in)
{
	const char *name;
	size_t len;

	if (!take_register_name(&in, &name, &len)) {
		operand_not_understood(out);
		return;
	}
	if (len == 2 && name[1] == 's' && operand_take(&in, ':')) {
		operand_unreadable(
			out, "the operand is relative to the segment register %%%.2s, which BPF cannot read",
			name);
		return;
	}
	struct reg reg = find_register(name, len);
	if (reg.id == REGISTER_NONE || reg.id == REGISTER_IP) {
		refuse_register(out, name, len);
	} else if (in.at != in.end) {
		operand_not_understood(out);
	} else if (reg.shift_bits && out->width_bytes > 1) {
		operand_unreadable(out, "the register %%%.*s holds one byte, the operand has %u", (int)len,
				   name, out->width_bytes);
	} else {
		out->kind = OPERAND_REGISTER;
		out->base = reg.id;
		out->shift_bits = reg.shift_bits;
	}
}

/* A register of an address; on failure *out says why. */
static bool
take_address_register(struct operand *out, struct operand_cursor *in, enum machine_register *id)
{
	const char *name;
	size_t len;

	if (!take_register_name(in, &name, &len)) {
		operand_not_understood(out);
		return false;
	}
	struct reg reg = find_register(name, len);
	if (reg.id == REGISTER_NONE) {
		operand_not_understood(out);
		return false;
	}
	if (reg.width_bytes != 8) {
		operand_unreadable(out, "the address is in %%%.*s, which is not a 64-bit register", (int)len,
				   name);
		return false;
	}
	*id = reg.id;
	return true;
}

/* "(%base,%index,scale)", or nothing, up to the end. */
static bool
take_address(struct operand *out, struct operand_cursor *in)
{
	uint64_t scale = 1;

	if (in->at == in->end)
		return true;
	if (!operand_take(in, '('))
		goto garbage;
	if (in->at < in->end && *in->at != ',' && !take_address_register(out, in, &out->base))
		return false;
	if (operand_take(in, ',')) {
		if (!take_address_register(out, in, &out->index))
			return false;
		if (operand_take(in, ',') && !operand_take_number(in, &scale))
			goto garbage;
		if (out->index == REGISTER_SP || out->index == REGISTER_IP || out->base == REGISTER_IP)
			goto garbage;
		if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
			goto garbage;
		out->scale = (uint8_t)scale;
	}
	if (operand_take(in, ')') && in->at == in->end)
		return true;
garbage:
	operand_not_understood(out);
	return false;
}

static void
parse_memory(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	struct operand_sum sum = {0};

	if ((in.at == in.end || *in.at != '(') && !operand_take_sum(&in, &sum)) {
		operand_not_understood(out);
		return;
	}
	if (sum.symbol_len && in.at < in.end && *in.at == '@') {
		char name[48];

		operand_copy_printable(name, sizeof(name), sum.symbol, sum.symbol_len);
		operand_unreadable(out, "only the linker knows what '@' after the symbol %s means", name);
		return;
	}
	if (!take_address(out, &in))
		return;
	if (sum.symbol_len) {
		uint64_t address;

		if (out->base != REGISTER_NONE && out->base != REGISTER_IP && opts->is_position_independent) {
			operand_unreadable(out, "the address depends on where the program is loaded");
			return;
		}
		if (!operand_resolve(out, &sum, opts, &address))
			return;
		sum.number += address;
		if (out->base == REGISTER_NONE || out->base == REGISTER_IP) {
			out->base = REGISTER_IP;
			sum.number -= opts->site_address;
		}
	} else if (out->base == REGISTER_IP) {
		operand_unreadable(out,
				   "the address is relative to an instruction that the note does not name");
		return;
	}
	out->kind = OPERAND_MEMORY;
	out->displacement = (int64_t)sum.number;
}

void
operand_parse_x86_64(struct operand *out, struct operand_cursor in, const struct operand_opts *opts)
{
	if (operand_take(&in, '$'))
		parse_constant(out, in, opts);
	else if (in.at < in.end && *in.at == '%')
		parse_register(out, in);
	else
		parse_memory(out, in, opts);
}
