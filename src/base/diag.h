/* The text of an error, filled where the cause is known and handed up unchanged.
 *
 * Every function that can fail returns 0 or a negative errno value and takes a struct diag * as its
 * last parameter. The text has the form "module: failed to <verb> <noun> '<value>': <reason>", in lower
 * case, with the remedy after "; " where there is one. */
#ifndef TPCHECK_BASE_DIAG_H
#define TPCHECK_BASE_DIAG_H

#include <stdarg.h>

struct diag {
	char text[2048];
};

/* Sets the text; diag may be NULL. Returns code, so that "return diag_fail(d, -EINVAL, ...)" reads well. */
int diag_fail(struct diag *diag, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts the formatted text and ": " before what the diag says already. Returns code. */
int diag_prefix(struct diag *diag, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
