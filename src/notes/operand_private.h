/* What the parsers of the machines' operands share, in operand_parts.c. Private to src/notes/operand*.c. */
#ifndef TPCHECK_NOTES_OPERAND_PRIVATE_H
#define TPCHECK_NOTES_OPERAND_PRIVATE_H

#include "notes/operand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of an operand that is not parsed. */
struct operand_cursor {
	const char *at, *end;
};

/* A sum as in assembly, "8+sym-4": numbers, and at most one symbol. */
struct operand_sum {
	uint64_t number; /* modulo 2^64, as addresses are */
	const char *symbol;
	size_t symbol_len; /* 0: no symbol */
};

/* Those that take something leave the cursor anywhere if it is not there. */
bool operand_take(struct operand_cursor *in, char c);
/* Decimal, or hexadecimal with 0x. Octal numbers, with a leading 0, are refused: no compiler writes them. */
bool operand_take_number(struct operand_cursor *in, uint64_t *out);
bool operand_take_sum(struct operand_cursor *in, struct operand_sum *sum);

/* Copies at most sz - 1 bytes, and makes them printable. */
void operand_copy_printable(char *out, size_t sz, const char *s, size_t len);
/* Makes it unreadable. A reason that is too long is cut, so symbols come last. */
void operand_unreadable(struct operand *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void operand_not_understood(struct operand *out);
/* Because only the linker knew a part of the address. */
void operand_unreadable_linker(struct operand *out);
/* The address of the sum's symbol; on failure *out says why. */
bool operand_resolve(struct operand *out, const struct operand_sum *sum, const struct operand_opts *opts,
		     uint64_t *address);
/* The value is constant, truncated or extended to the width. */
void operand_set_constant(struct operand *out, uint64_t v);

/* What follows the width; out->width_bytes is 1, 2, 4 or 8. One for each machine with probes. */
void operand_parse_x86_64(struct operand *out, struct operand_cursor in, const struct operand_opts *opts);
void operand_parse_aarch64(struct operand *out, struct operand_cursor in, const struct operand_opts *opts);

#endif
