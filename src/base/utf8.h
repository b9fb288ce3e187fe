/* UTF-8, character by character. */
#ifndef TPCHECK_BASE_UTF8_H
#define TPCHECK_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Length of the UTF-8 character at s, of which left bytes (at least 1) can be read; 0 if it is not one (RFC 3629:
 * shortest form, no surrogates, up to U+10FFFF). */
size_t utf8_len(const char *s, size_t left);
/* The code point of the character at s; len is from utf8_len. */
uint32_t utf8_decode(const char *s, size_t len);
/* The code point at the beginning of a text that is not empty, and its length in bytes; U+FFFD and 1 for a byte that is
 * not UTF-8. */
uint32_t utf8_first(const char *s, size_t *len);

/* Whether a terminal simply shows the character: it is no control character, does not change the writing direction, and
 * is not invisible. */
bool utf8_is_plain(const char *s, size_t len);

enum { UTF8_SHOWN_BYTES = 4 * sizeof("\\xff") };
/* How to show the character at s, of which left bytes (at least 1) can be read: as it is if it is plain, else \xNN for
 * each byte. Returns the number of bytes that were read. */
size_t utf8_show(const char *s, size_t left, char shown[UTF8_SHOWN_BYTES]);
/* A copy of bytes for which a C string can stand: each NUL becomes \x00; many in a row are counted. The caller
 * frees it. */
char *utf8_show_nul(const char *bytes, size_t len);
/* What is left out of a text that is too long, so that its beginning and its end remain. */
struct utf8_gap {
	size_t from, to; /* offsets, never within a character */
	char note[40];   /* to be shown instead */
};
/* At most head bytes and at most tail bytes remain of a text with len bytes; len is more than head + tail. */
struct utf8_gap utf8_find_gap(const char *text, size_t len, size_t head, size_t tail);
/* Prints text as utf8_show shows it; characters of kept (ASCII) as they are. */
void utf8_print(FILE *out, const char *text, const char *kept);

#endif
