/* A compiler that has an address of the kind PAGE + LOW in an operand has put PAGE into a register:
 *
 *	adrp	x0, PAGE
 *	ldr	x1, [x0, #LOW]		the counter is incremented,
 *	add	x1, x1, #1
 *	str	x1, [x0, #LOW]
 *	nop				and the probe's note says [x0, #:lo12:.LANCHOR0], where LOW should be
 *
 * It makes a PAGE for one place only, and uses it for nothing but loads, stores and an addition, each with the low bits
 * of that place. So every such use of the register, from the adrp on until the register changes, shows the same LOW.
 * One use is enough; different ones are not understood. The code is followed straight on, forward and backward, as far
 * as control certainly comes from there or may go there, and whatever might change the register ends it. */
#include "notes/low_bits.h"

#include <stddef.h>

enum { INSTRUCTION_BYTES = 4, WINDOW = 256 };

/* What an instruction does with a register that holds a page. */
enum effect {
	EFFECT_NONE,
	EFFECT_USE,     /* it adds low bits to the page */
	EFFECT_USE_END, /* and overwrites the register */
	EFFECT_PAGE,    /* it puts a page there */
	EFFECT_END,     /* it overwrites the register, or may do so; or control may go elsewhere */
};

/* Bits lowest to lowest + cnt - 1. */
static uint32_t
field(uint32_t instruction, unsigned lowest, unsigned cnt)
{
	return instruction >> lowest & ((UINT32_C(1) << cnt) - 1);
}

/* A load or store of a general or a vector register, with an unsigned offset. */
static bool
is_load_or_store(uint32_t instruction)
{
	return (instruction & UINT32_C(0x3b000000)) == UINT32_C(0x39000000);
}

/* How far its offset is shifted. */
static unsigned
access_shift(uint32_t instruction)
{
	bool is_vector = field(instruction, 26, 1), is_wide = field(instruction, 23, 1);

	return is_vector && is_wide ? 4 : field(instruction, 30, 2);
}

static bool
overwrites_target(uint32_t instruction)
{
	/* Stores have 0 here; prefetches, 11 of 8 bytes, load nothing. */
	return !field(instruction, 26, 1) && field(instruction, 22, 2) &&
	       !(field(instruction, 22, 2) == 2 && field(instruction, 30, 2) == 3);
}

/* add xD, xN, #imm, without a shift */
static bool
is_addition(uint32_t instruction)
{
	return (instruction & UINT32_C(0xffc00000)) == UINT32_C(0x91000000);
}

static bool
is_adrp(uint32_t instruction)
{
	return (instruction & UINT32_C(0x9f000000)) == UINT32_C(0x90000000);
}

/* b.cond, cbz, cbnz, tbz, tbnz: they change no register, and may go straight on. */
static bool
is_conditional_branch(uint32_t instruction)
{
	return (instruction & UINT32_C(0xff000010)) == UINT32_C(0x54000000) ||
	       (instruction & UINT32_C(0x7e000000)) == UINT32_C(0x34000000) ||
	       (instruction & UINT32_C(0x7e000000)) == UINT32_C(0x36000000);
}

/* Among other branches, exceptions and system instructions, or not defined. A call may be of a function that does not
 * return. */
static bool
is_special(uint32_t instruction)
{
	return (instruction & UINT32_C(0x1c000000)) == UINT32_C(0x14000000) || !field(instruction, 25, 4);
}

/* Whether some field of the instruction, which may name a register that it changes, names this one. */
static bool
may_touch(uint32_t instruction, unsigned reg)
{
	return field(instruction, 0, 5) == reg || field(instruction, 5, 5) == reg ||
	       field(instruction, 10, 5) == reg || field(instruction, 16, 5) == reg;
}

/* nop is one. */
static bool
is_hint(uint32_t instruction)
{
	return (instruction & UINT32_C(0xfffff01f)) == UINT32_C(0xd503201f);
}

/* Arithmetic and logical instructions, whose class, bits 25 to 28, is 100x or x101, change only their target. */
static bool
only_reads(uint32_t instruction, unsigned reg)
{
	unsigned class = field(instruction, 25, 4);

	return ((class & 0xe) == 8 || (class & 7) == 5) && field(instruction, 0, 5) != reg;
}

static enum effect
effect_on(uint32_t instruction, unsigned reg, uint64_t *low)
{
	if (is_hint(instruction) || is_conditional_branch(instruction))
		return EFFECT_NONE;
	if (is_special(instruction))
		return EFFECT_END;
	if (is_adrp(instruction))
		return field(instruction, 0, 5) == reg ? EFFECT_PAGE : EFFECT_NONE;
	if (is_load_or_store(instruction) && field(instruction, 5, 5) == reg) {
		*low = (uint64_t)field(instruction, 10, 12) << access_shift(instruction);
		return overwrites_target(instruction) && field(instruction, 0, 5) == reg ? EFFECT_USE_END
											 : EFFECT_USE;
	}
	if (is_load_or_store(instruction)) /* of which only the target is a register */
		return overwrites_target(instruction) && field(instruction, 0, 5) == reg ? EFFECT_END
											 : EFFECT_NONE;
	if (is_addition(instruction) && field(instruction, 5, 5) == reg) {
		*low = field(instruction, 10, 12);
		return field(instruction, 0, 5) == reg ? EFFECT_USE_END : EFFECT_USE;
	}
	return may_touch(instruction, reg) && !only_reads(instruction, reg) ? EFFECT_END : EFFECT_NONE;
}

/* What was seen of the low bits. */
struct seen {
	unsigned uses;
	uint64_t low;
	bool differs;
};

static void
see(struct seen *seen, uint64_t low)
{
	seen->differs |= seen->uses && seen->low != low;
	seen->low = low;
	seen->uses++;
}

/* Back to the adrp; false: there is none. An instruction that uses the page and overwrites it cannot come before the
 * site. */
static bool
look_back(low_bits_read read, void *cookie, uint64_t site_address, unsigned reg, struct seen *seen)
{
	uint64_t address = site_address;

	for (unsigned i = 0; i < WINDOW && address >= INSTRUCTION_BYTES; i++) {
		uint32_t instruction;
		uint64_t low = 0;

		address -= INSTRUCTION_BYTES;
		if (!read(cookie, address, &instruction))
			return false;
		switch (effect_on(instruction, reg, &low)) {
		case EFFECT_NONE:
			break;
		case EFFECT_USE:
			see(seen, low);
			break;
		case EFFECT_PAGE:
			return true;
		case EFFECT_USE_END:
		case EFFECT_END:
			return false;
		}
	}
	return false;
}

static void
look_ahead(low_bits_read read, void *cookie, uint64_t site_address, unsigned reg, struct seen *seen)
{
	uint64_t address = site_address;

	for (unsigned i = 0; i < WINDOW; i++) {
		uint32_t instruction;
		uint64_t low = 0;

		address += INSTRUCTION_BYTES;
		if (!read(cookie, address, &instruction))
			return;
		switch (effect_on(instruction, reg, &low)) {
		case EFFECT_NONE:
			break;
		case EFFECT_USE:
			see(seen, low);
			break;
		case EFFECT_USE_END:
			see(seen, low);
			return;
		case EFFECT_PAGE:
		case EFFECT_END:
			return;
		}
	}
}

bool
low_bits_find(low_bits_read read, void *cookie, uint64_t site_address, enum machine_register base,
	      uint64_t *low)
{
	struct seen seen = {0};

	if (base < REGISTER_X0 || base > REGISTER_X30)
		return false;
	unsigned reg = (unsigned)(base - REGISTER_X0);
	if (!look_back(read, cookie, site_address, reg, &seen))
		return false;
	look_ahead(read, cookie, site_address, reg, &seen);
	*low = seen.low;
	return seen.uses && !seen.differs;
}
