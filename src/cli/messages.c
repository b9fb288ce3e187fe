#include "cli/messages.h"

#include "base/utf8.h"
#include "base/writer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_HEAD = 1400, /* bytes that are shown of a line that is longer than both */
	LINE_TAIL = 700,
	ROOM = 256
	       << 10, /* for a message with the longest argument that there can be: shortened as one line */
	CHUNK = 1024,
};

static struct writer writer;
static char room[ROOM];

static bool
is_interrupted(void *cookie)
{
	const atomic_int *interrupted = cookie;

	return *interrupted;
}

/* Without the heap: it may be what is reported. */
static void
write_escaped(const char *text, size_t len)
{
	char chunk[CHUNK + UTF8_SHOWN_BYTES];
	size_t filled = 0;

	for (size_t i = 0, n; i < len; i += n) {
		char shown[UTF8_SHOWN_BYTES];

		n = utf8_show(text + i, len - i, shown);
		if (text[i] == '\n' || text[i] == '\t')
			snprintf(shown, sizeof(shown), "%c", text[i]);
		memcpy(chunk + filled, shown, strlen(shown));
		filled += strlen(shown);
		if (filled >= CHUNK || i + n == len) {
			writer_write(&writer, chunk, filled);
			filled = 0;
		}
	}
}

/* A line with its newline, which may be missing. */
static void
write_line(const char *line, size_t len)
{
	if (len <= LINE_HEAD + LINE_TAIL) {
		write_escaped(line, len);
		return;
	}
	struct utf8_gap gap = utf8_find_gap(line, len, LINE_HEAD, LINE_TAIL);
	write_escaped(line, gap.from);
	write_escaped(gap.note, strlen(gap.note));
	write_escaped(line + gap.to, len - gap.to);
}

static ssize_t
write_text(void *cookie, const char *text, size_t len)
{
	(void)cookie;
	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t line_len = end ? (size_t)(end - (text + at)) + 1 : len - at;

		write_line(text + at, line_len);
		at += line_len;
	}
	errno = writer.error;
	return writer.error ? 0 : (ssize_t)len;
}

void
messages_set_up(const atomic_int *interrupted)
{
	static const cookie_io_functions_t functions = {.write = write_text};
	FILE *stream = fopencookie(NULL, "w", functions);

	if (!stream)
		return;
	/* Descriptor 2 itself, which is redirected while libbcc prints to it. */
	writer_init(&writer, STDERR_FILENO, is_interrupted, (void *)(uintptr_t)interrupted);
	setvbuf(stream, room, _IOLBF, sizeof(room));
	stderr = stream;
}
