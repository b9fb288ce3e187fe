/* The text of an error, filled where the cause is known and handed up unchanged.
 *
 * A function that can fail returns 0 or a negative errno value, and takes a struct diag * as its last parameter; a
 * variadic one takes it right before the format and its arguments. (diag_fail and diag_prefix are about the diag
 * itself, so it comes first.) The text has the form "module: failed to <verb> <noun> '<value>': <reason>", in lower
 * case, with the remedy after "; " if there is one. */
#ifndef TPCHECK_BASE_DIAG_H
#define TPCHECK_BASE_DIAG_H

#include <stdarg.h>

struct diag {
	char text[2048];
};

/* Sets the text; diag may be NULL. With -EMFILE and -EFBIG, the limit is
 * appended. Returns err, for "return diag_fail(diag, -EINVAL, ...)". */
int diag_fail(struct diag *diag, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts the formatted text and ": " in front of the text. Returns err. */
int diag_prefix(struct diag *diag, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
