/* The forms of operands on each machine, and what libbcc makes of each. For machines without probes nothing else is
 * known of an operand: it is a constant, a place that a tracer there can read, or one that it cannot. Pure. */
#ifndef TPCHECK_NOTES_FORMS_H
#define TPCHECK_NOTES_FORMS_H

#include "base/machine.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>

enum form_kind {
	FORM_UNKNOWN, /* the text was not understood */
	FORM_CONSTANT,
	FORM_REGISTER, /* that holds whole numbers */
	FORM_CLOSED,   /* a register that tracers cannot read: floating-point, vector, ... */
	FORM_MEMORY,
	FORM_SYMBOL, /* memory, whose address is given by a symbol */
};

struct form {
	enum form_kind kind;
	enum operand_bcc bcc;
	const char *number; /* FORM_CONSTANT: its digits in the text, with the sign */
};

/* The form of the text after the '@'. On MACHINE_OTHER everything is FORM_MEMORY. */
struct form form_of(enum machine machine, const char *text, size_t len);

/* Whether libbcc can read operands on the machine. */
bool machine_has_bcc(enum machine machine, bool is_64bit);

#endif
