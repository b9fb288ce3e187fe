/* What a record must be like to be of interest. This is the one place that defines it: the text that runs in the
 * kernel (src/probe/bpf/program_text.c) is generated from the same struct, and tests compare both.
 *
 * What could not be read fulfils no condition, not even CONDITION_NE. A string of which only the first bytes were read
 * is longer than any that a condition can name; a pattern is compared with these bytes. */
#ifndef TPCHECK_BASE_CONDITION_H
#define TPCHECK_BASE_CONDITION_H

#include "base/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum condition_kind {
	CONDITION_ALWAYS, /* whatever the value is, provided that it could be read */
	CONDITION_NEVER,
	CONDITION_NUMBER,         /* of the operand: any operator but LIKE */
	CONDITION_BYTES,          /* behind the pointer, a string's without its NUL: EQ and NE */
	CONDITION_STRING_PATTERN, /* a shell pattern, as fnmatch(3): LIKE */
	CONDITION_HASH_PATTERN,   /* the same for a hash as hex digits in display order */
};
enum condition_operator {
	CONDITION_EQ,
	CONDITION_NE,
	CONDITION_LT,
	CONDITION_GT,
	CONDITION_LE,
	CONDITION_GE,
	CONDITION_LIKE,
};

enum { CONDITION_BYTES_MAX = 128, CONDITIONS_MAX = 16 };

struct condition {
	uint8_t kind, op;     /* enum condition_kind, enum condition_operator */
	uint8_t arg;          /* index, from 0 */
	bool is_signed;       /* NUMBER: compares as int64_t */
	uint8_t extend_bytes; /* NUMBER: the value is sign-extended from that width first; 0: not */
	uint8_t bytes_len;    /* BYTES */
	uint64_t number;      /* NUMBER */
	uint8_t bytes[CONDITION_BYTES_MAX];
	const char *pattern; /* borrowed */
};

/* Whether a record, which need not be aligned, fulfils a condition; slot is that of the argument. */
bool condition_holds(const struct condition *condition, const struct record_slot *slot, const void *record);
/* The same for all of them; slots are those of the record's point. */
bool conditions_hold(const struct condition *conditions, size_t cnt, const struct record_slot *slots,
		     const void *record);
/* Whether the condition can be checked where the record is made: it is no pattern. */
bool condition_is_early(const struct condition *condition);

#endif
