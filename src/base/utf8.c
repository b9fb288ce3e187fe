#include "base/utf8.h"

#include "base/buf.h"

#include <string.h>

size_t
utf8_len(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc2 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf5 ? 4
				   : 0;

	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

uint32_t
utf8_decode(const char *s, size_t len)
{
	static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = (unsigned char)s[0] & lead_bits[len];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)s[i] & 0x3f);
	return code;
}

uint32_t
utf8_first(const char *s, size_t *len)
{
	*len = utf8_len(s, strnlen(s, 4));
	if (*len)
		return utf8_decode(s, *len);
	*len = 1;
	return 0xfffd;
}

bool
utf8_is_plain(const char *s, size_t len)
{
	/* Invisible characters, and those that change how their neighbours look. */
	static const struct {
		uint32_t from, to;
	} hidden[] = {
		{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x34f, 0x34f},
		{0x61c, 0x61c},   {0x115f, 0x1160}, {0x3164, 0x3164}, {0xffa0, 0xffa0},
		{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
		{0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
	};
	uint32_t c = utf8_decode(s, len);

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (c >= hidden[i].from && c <= hidden[i].to)
			return false;
	return true;
}

size_t
utf8_show(const char *s, size_t left, char shown[UTF8_SHOWN_BYTES])
{
	size_t len = utf8_len(s, left), at = 0;

	if (len && utf8_is_plain(s, len)) {
		memcpy(shown, s, len);
		shown[len] = '\0';
		return len;
	}
	len = len ? len : 1;
	for (size_t i = 0; i < len; i++)
		at += (size_t)snprintf(shown + at, UTF8_SHOWN_BYTES - at, "\\x%02x", (unsigned char)s[i]);
	return len;
}

char *
utf8_show_nul(const char *bytes, size_t len)
{
	struct buf text;

	buf_init(&text, 4 * len);
	for (size_t i = 0, run; i < len; i += run ? run : 1) {
		for (run = 0; i + run < len && !bytes[i + run]; run++)
			;
		if (!run)
			buf_putc(&text, bytes[i]);
		else if (run > 8)
			buf_printf(&text, "\\x00 (%zu times)", run);
		else
			for (size_t k = 0; k < run; k++)
				buf_puts(&text, "\\x00");
	}
	return buf_take(&text);
}

static bool
is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

struct utf8_gap
utf8_find_gap(const char *text, size_t len, size_t head, size_t tail)
{
	struct utf8_gap gap = {.from = head, .to = len - tail};

	while (gap.from && gap.from + 4 > head && is_continuation(text[gap.from]))
		gap.from--;
	while (gap.to < len && is_continuation(text[gap.to]))
		gap.to++;
	snprintf(gap.note, sizeof(gap.note), " [... %zu bytes ...] ", gap.to - gap.from);
	return gap;
}

void
utf8_print(FILE *out, const char *text, const char *kept)
{
	char shown[UTF8_SHOWN_BYTES];
	size_t len;

	for (; *text; text += len) {
		len = utf8_show(text, strnlen(text, 4), shown);
		if (strchr(kept, *text))
			fputc(*text, out);
		else
			fputs(shown, out);
	}
}
