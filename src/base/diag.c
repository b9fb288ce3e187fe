#include "base/diag.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static bool
has_limit(int resource, unsigned long long *limit)
{
	struct rlimit rlimit;
	bool has = !getrlimit((__rlimit_resource_t)resource, &rlimit) && rlimit.rlim_cur != RLIM_INFINITY;

	*limit = has ? rlimit.rlim_cur : 0;
	return has;
}

/* Appends the limit of this process that explains the error, if the text names the error but not yet the limit. */
static void
name_limit(struct diag *diag, int err)
{
	size_t len = strlen(diag->text);
	unsigned long long limit;

	if ((err != -EMFILE && err != -EFBIG) || !strstr(diag->text, strerror(-err)) ||
	    strstr(diag->text, "ulimit"))
		return;
	if (err == -EMFILE && has_limit(RLIMIT_NOFILE, &limit))
		snprintf(diag->text + len, sizeof(diag->text) - len,
			 "; at most %llu files may be open here: raise the limit (ulimit -n, RLIMIT_NOFILE)",
			 limit);
	if (err == -EFBIG && has_limit(RLIMIT_FSIZE, &limit))
		snprintf(
			diag->text + len, sizeof(diag->text) - len,
			"; a file may have at most %llu bytes here: raise the limit (ulimit -f, RLIMIT_FSIZE)",
			limit);
}

int
diag_fail(struct diag *diag, int err, const char *fmt, ...)
{
	if (diag) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(diag->text, sizeof(diag->text), fmt, ap);
		va_end(ap);
		name_limit(diag, err);
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
