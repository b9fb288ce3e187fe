/* The forms that operands have on each machine, and what libbcc makes of each. For machines other than x86-64 this is
 * all that is known of an operand: whether it is a constant, a place that a tracer there can read, or none. Pure. */
#ifndef TPCHECK_NOTES_FORMS_H
#define TPCHECK_NOTES_FORMS_H

#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>

enum machine {
	MACHINE_X86_64,
	MACHINE_I386,
	MACHINE_AARCH64,
	MACHINE_ARM,
	MACHINE_RISCV,
	MACHINE_PPC,
	MACHINE_S390,
	MACHINE_LOONGARCH,
	MACHINE_OTHER, /* nothing is known of its operands */
};

enum form_kind {
	FORM_UNKNOWN, /* the text was not understood */
	FORM_CONSTANT,
	FORM_REGISTER, /* that holds whole numbers */
	FORM_CLOSED,   /* a register that tracers cannot get at: floating-point, vector, ... */
	FORM_MEMORY,
	FORM_SYMBOL, /* memory at an address that the text gives by name */
};

struct form {
	enum form_kind kind;
	enum operand_bcc bcc;
	const char *number; /* FORM_CONSTANT: where in the text its digits begin, with the sign */
};

/* What the text behind the '@' is. MACHINE_OTHER: everything is FORM_MEMORY. */
struct form form_of(enum machine machine, const char *text, size_t len);

/* Whether libbcc has a reader of operands for the machine. */
bool machine_has_bcc(enum machine machine, bool is_64bit);

#endif
