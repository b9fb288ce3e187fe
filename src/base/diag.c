#include "base/diag.h"

#include <stdio.h>
#include <string.h>

int
diag_fail(struct diag *diag, int err, const char *fmt, ...)
{
	if (diag) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(diag->text, sizeof(diag->text), fmt, ap);
		va_end(ap);
	}
	return err;
}

int
diag_prefix(struct diag *diag, int err, const char *fmt, ...)
{
	if (diag) {
		struct diag head;
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(head.text, sizeof(head.text), fmt, ap);
		va_end(ap);
		size_t len = strlen(head.text);
		/* What does not fit is cut off. */
		if (snprintf(head.text + len, sizeof(head.text) - len, ": %s", diag->text) < 0)
			head.text[len] = '\0';
		*diag = head;
	}
	return err;
}
