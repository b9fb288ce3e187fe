/* Parses an argument of a probe, as the note spells it ("-4@24(%rcx)"). Pure: the caller looks up symbols and code.
 *
 * On x86-64 these are understood, where N is the width in bytes, negative for a signed value:
 *
 *   N@$imm                                 OPERAND_CONSTANT
 *   N@%reg                                 OPERAND_REGISTER
 *   N@disp(%base)  N@(%base)               OPERAND_MEMORY
 *   N@disp(%base,%index,scale)  N@disp(,%index,scale)  N@disp
 *   N@sym(%rip)  N@sym+8(%rip)  N@8+sym(%rip)  N@sym
 *                                          OPERAND_MEMORY with base REGISTER_IP: the distance from the probe
 *                                          to the symbol, which does not depend on where the program is loaded
 *
 * On aarch64 (64 bits, little-endian), where every number may begin with '#':
 *
 *   N@imm  N@xzr  N@wzr                    OPERAND_CONSTANT
 *   N@xR  N@wR  N@sp  N@wsp                OPERAND_REGISTER
 *   N@[base]  N@[base, disp]  N@[base, disp]!  N@[base], disp
 *   N@[base, index]  N@[base, index, lsl S]  N@[base, windex, sxtw S]  N@[base, windex, uxtw S]
 *                                          OPERAND_MEMORY
 *   N@[base, #:lo12:sym]                   OPERAND_MEMORY if the low 12 bits of the symbol's address can be found
 *                                          out; see enum operand_source
 *
 * Everything else is OPERAND_UNREADABLE, with a reason. On other machines constants are OPERAND_CONSTANT, and what a
 * tracer can read there is OPERAND_FOREIGN (see forms.h). */
#ifndef TPCHECK_NOTES_OPERAND_H
#define TPCHECK_NOTES_OPERAND_H

#include "base/site.h"
#include "notes/forms.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum symbol_state {
	SYMBOL_FOUND,
	SYMBOL_MISSING,   /* in none of the symbol tables */
	SYMBOL_AMBIGUOUS, /* several of that name, at different addresses */
	SYMBOL_PLACELESS, /* without an address in the image: undefined, absolute or thread-local */
	SYMBOL_NO_TABLE,  /* no symbol table could be read, or the search takes too long */
};

struct operand_opts {
	uint64_t site_address;        /* virtual address of the probe; for symbols only */
	bool is_position_independent; /* ET_DYN: virtual addresses are not those at run time */
	enum machine machine;
	bool is_32bit, is_big_endian;
	/* Finds the symbol of that name (len bytes, no NUL) and its virtual address. NULL: SYMBOL_NO_TABLE. */
	enum symbol_state (*find_symbol)(void *cookie, const char *name, size_t len, uint64_t *address);
	/* Finds the low 12 bits of the address whose other bits are in the register at the site, by the code around
	 * the site; false: it does not say. May be NULL. */
	bool (*find_low_bits)(void *cookie, uint64_t site_address, enum machine_register base, uint64_t *low);
	void *cookie;
};

/* Parses the len bytes at text. Always fills *out: what cannot be read or understood becomes OPERAND_UNREADABLE. opts
 * may be NULL.
 *
 * width_bytes is 0 if the width is not 1, 2, 4 or 8 (then always OPERAND_UNREADABLE). A constant is truncated or
 * extended to the width: compilers write the unsigned byte 255 as "1@$-1", which gives 255. Bytes of the text other
 * than printable ASCII become '?' in out->text and in the reason. */
void operand_parse(struct operand *out, const char *text, size_t len, const struct operand_opts *opts);

/* Lends the next operand of an argument string in *text and *len, and moves *rest past it; false at the end.
 *
 * Blanks separate operands, but some contain blanks: AArch64's "8@[sp, 16]", or x86 with -masm=intel. Therefore a blank
 * ends an operand of the form "N@..." only if another one of this form, or nothing, follows. */
bool operand_split(const char **rest, const char **text, size_t *len);

#endif
