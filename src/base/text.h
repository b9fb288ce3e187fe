/* Strict parsing and formatting of the small things: whole numbers, amounts, hex. Nothing here accepts
 * leading blanks, trailing rubbish or a value out of range. */
#ifndef TPCHECK_BASE_TEXT_H
#define TPCHECK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool parse_u64(const char *s, uint64_t *out);
bool parse_i64(const char *s, int64_t *out);

/* A decimal amount in BTC as Bitcoin Core's JSON writes it ("12.5", "0.00000001", "5e-8", "-1.00000000")
 * to satoshi, exactly; false when it is not a whole number of satoshi. */
bool parse_btc_as_sat(const char *s, int64_t *sat);

/* out has room for 2 * len + 1 characters. */
void format_hex(const uint8_t *bytes, size_t len, char *out);
/* Exactly len bytes, or false; hex may be NULL (an answer that lacks it). */
bool parse_hex(const char *hex, uint8_t *bytes, size_t len);

/* A hash in Bitcoin's display order (bytes reversed), 64 digits and NUL, from and to wire order. */
void format_hash(const uint8_t hash_wire[32], char hash_hex[65]);
bool parse_hash(const char *hash_hex, uint8_t hash_wire[32]);

#endif
