/* UTF-8, character by character. */
#ifndef TPCHECK_BASE_UTF8_H
#define TPCHECK_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#endif
