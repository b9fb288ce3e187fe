/* Strict parsing, and formatting, of whole numbers, amounts and hex. No parser accepts leading blanks, trailing garbage
 * or a value out of range. */
#ifndef TPCHECK_BASE_TEXT_H
#define TPCHECK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool parse_u64(const char *s, uint64_t *out);
bool parse_i64(const char *s, int64_t *out);

/* A decimal amount in BTC as in Bitcoin Core's JSON ("12.5", "0.00000001", "5e-8", "-1.00000000"), in satoshi; false if it
 * is not a whole number of satoshi. */
bool parse_btc_as_sat(const char *s, int64_t *sat);

/* out has room for 2 * len + 1 characters. */
void format_hex(const uint8_t *bytes, size_t len, char *out);
/* Exactly len bytes, or false; also for NULL, a missing member of an answer. */
bool parse_hex(const char *hex, uint8_t *bytes, size_t len);

/* Between a hash in wire order and 64 hex digits in display order (bytes reversed). */
void format_hash(const uint8_t hash_wire[32], char hash_hex[65]);
bool parse_hash(const char *hash_hex, uint8_t hash_wire[32]);

#endif
