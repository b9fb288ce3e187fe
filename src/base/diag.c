/* A message that is too long keeps what people need: each part in quotes, such as a path, is shortened in its middle,
 * and if that does not suffice, so is the whole. Reason and remedy stand outside quotes, and at the end. */
#include "base/diag.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xmem.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { QUOTED_BYTES = 400 }; /* that remain of a part in quotes */

static bool
has_limit(int resource, unsigned long long *limit)
{
	struct rlimit rlimit;
	bool has = !getrlimit((__rlimit_resource_t)resource, &rlimit) && rlimit.rlim_cur != RLIM_INFINITY;

	*limit = has ? rlimit.rlim_cur : 0;
	return has;
}

/* The length of the text in quotes that begins at text[at], with the quotes; 0: none does. An apostrophe is no quote:
 * one that opens follows no letter or digit, and none follows one that closes. */
static size_t
quoted_len(const char *text, size_t at)
{
	if (text[at] != '\'' || (at && isalnum((unsigned char)text[at - 1])))
		return 0;
	for (const char *end = text + at; (end = strchr(end + 1, '\''));)
		if (!isalnum((unsigned char)end[1]))
			return (size_t)(end + 1 - (text + at));
	return 0;
}

/* Adds the text, or its beginning and its end: at most max bytes. */
static void
add_shortened(struct buf *out, const char *text, size_t len, size_t max)
{
	if (len <= max) {
		buf_add(out, text, len);
		return;
	}
	size_t half = (max - sizeof(((struct utf8_gap *)NULL)->note)) / 2;
	struct utf8_gap gap = utf8_find_gap(text, len, half, half);
	buf_add(out, text, gap.from);
	buf_puts(out, gap.note);
	buf_add(out, text + gap.to, len - gap.to);
}

/* Sets the text to one that is too long. */
static void
shorten(struct diag *diag, const char *text)
{
	struct buf parts, whole;
	size_t len = strlen(text);

	buf_init(&parts, len);
	buf_init(&whole, sizeof(diag->text) - 1);
	for (size_t at = 0, n; at < len; at += n) {
		n = quoted_len(text, at);
		if (n)
			add_shortened(&parts, text + at, n, QUOTED_BYTES);
		else
			buf_add(&parts, text + at, n = 1);
	}
	add_shortened(&whole, parts.data, parts.len, sizeof(diag->text) - 1);
	memcpy(diag->text, whole.data, whole.len + 1);
	buf_fini(&whole);
	buf_fini(&parts);
}

/* Uses the heap only if the text is too long: that memory has run out may be what it says. */
static void __attribute__((format(printf, 2, 0))) set(struct diag *diag, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int len = vsnprintf(diag->text, sizeof(diag->text), fmt, ap);
	if (len >= (int)sizeof(diag->text)) {
		char *text = xvasprintf(fmt, again);

		shorten(diag, text);
		free(text);
	}
	va_end(again);
}

static void __attribute__((format(printf, 2, 3))) set_text(struct diag *diag, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(diag, fmt, ap);
	va_end(ap);
}

/* Appends the limit of this process that explains the error, if the text names the error but not yet the limit. */
static void
name_limit(struct diag *diag, int err)
{
	unsigned long long limit;

	if ((err != -EMFILE && err != -EFBIG) || !strstr(diag->text, strerror(-err)) ||
	    strstr(diag->text, "ulimit"))
		return;
	const struct diag before = *diag;
	if (err == -EMFILE && has_limit(RLIMIT_NOFILE, &limit))
		set_text(
			diag,
			"%s; at most %llu files may be open here: raise the limit (ulimit -n, RLIMIT_NOFILE)",
			before.text, limit);
	if (err == -EFBIG && has_limit(RLIMIT_FSIZE, &limit))
		set_text(
			diag,
			"%s; a file may have at most %llu bytes here: raise the limit (ulimit -f, RLIMIT_FSIZE)",
			before.text, limit);
}

int
diag_fail(struct diag *diag, int err, const char *fmt, ...)
{
	if (diag) {
		va_list ap;

		va_start(ap, fmt);
		set(diag, fmt, ap);
		va_end(ap);
		name_limit(diag, err);
	}
	return err;
}

int
diag_prefix(struct diag *diag, int err, const char *fmt, ...)
{
	if (diag) {
		struct diag head, tail = *diag;
		va_list ap;

		va_start(ap, fmt);
		set(&head, fmt, ap);
		va_end(ap);
		set_text(diag, "%s: %s", head.text, tail.text);
	}
	return err;
}
