/* UTF-8, character by character. */
#ifndef TPCHECK_BASE_UTF8_H
#define TPCHECK_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the UTF-8 character at s, where left bytes (1 at least) are (RFC 3629: shortest form, no surrogates, up to
 * U+10FFFF); 0 if there is none. */
size_t utf8_len(const char *s, size_t left);
/* The number of the character at s, which utf8_len says has that length. */
uint32_t utf8_decode(const char *s, size_t len);
/* The character at the beginning of a text that is not empty, and its length in bytes; of a byte that is not UTF-8,
 * U+FFFD and 1. */
uint32_t utf8_first(const char *s, size_t *len);

/* Whether a terminal shows the character of that length as a character: it does not control it, does not turn the
 * direction of what follows, and is not invisible. */
bool utf8_is_plain(const char *s, size_t len);

#endif
