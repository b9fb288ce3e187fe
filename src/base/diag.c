#include "base/diag.h"

#include <stdio.h>
#include <string.h>

int
diag_fail(struct diag *diag, int code, const char *fmt, ...)
{
	if (diag) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(diag->text, sizeof(diag->text), fmt, ap);
		va_end(ap);
	}
	return code;
}

int
diag_prefix(struct diag *diag, int code, const char *fmt, ...)
{
	if (diag) {
		struct diag head;
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(head.text, sizeof(head.text), fmt, ap);
		va_end(ap);
		strncat(head.text, ": ", sizeof(head.text) - strlen(head.text) - 1);
		strncat(head.text, diag->text, sizeof(head.text) - strlen(head.text) - 1);
		*diag = head;
	}
	return code;
}
