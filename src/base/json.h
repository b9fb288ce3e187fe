/* JSON as bitcoind speaks it: a bounded parser into a tree that keeps numbers as they were written, and a
 * writer whose output is valid whatever it was given. */
#ifndef TPCHECK_BASE_JSON_H
#define TPCHECK_BASE_JSON_H

#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JSON_DEPTH_MAX = 100, /* scopes within each other, for the parser and for the writer */
};

/* A document, or a value within one. A value within is lent by its document and lives as long. */
struct json;

/* Parses exactly one value with nothing but blanks around it. *doc is NULL on failure, else the caller's
 * (see json_free). -EBADMSG: not JSON (RFC 8259, UTF-8), nested deeper than JSON_DEPTH_MAX; -EFBIG: too
 * long. */
int json_parse(struct json **doc, const char *text, size_t len, struct diag *diag);
/* Frees a document with all that is in it; NULL is fine. Not for a value within. */
void json_free(struct json *doc);
/* Makes the document be one of the values within it; what else was in it cannot be reached any more. */
void json_narrow(struct json *doc, const struct json *within);

/* All of these take NULL for json, and give NULL, 0 or false then, so that look-ups can be chained:
 * json_string(json_get(json_at(doc, 0), "txid")). A wrong type gives the same. */

/* The member of that name, of several with that name the first. */
const struct json *json_get(const struct json *object, const char *key);
/* Element idx of an array, or member idx of an object in the order of the text. */
const struct json *json_at(const struct json *array, size_t idx);
/* The name of member idx of an object; NUL-terminated. */
const char *json_key_at(const struct json *object, size_t idx);
/* Elements of an array or members of an object. */
size_t json_cnt(const struct json *json);

bool json_is_null(const struct json *json); /* there is a value, and it is null */
bool json_is_object(const struct json *json);
bool json_is_array(const struct json *json);

/* UTF-8 with a NUL behind; NULL if it is no string. */
const char *json_string(const struct json *json);
/* The same and its length without that NUL; tells strings apart that have a \u0000 within. */
const char *json_string_len(const struct json *json, size_t *len);
/* A number as it was written, e.g. "0.00001000"; NULL if it is no number. */
const char *json_number(const struct json *json);

/* These clear *out first and are false if the value is of another type or does not fit exactly (1.0 and
 * 1e3 are no whole numbers here). */
bool json_i64(const struct json *json, int64_t *out);
bool json_u64(const struct json *json, uint64_t *out);
/* A number, an amount in BTC, as satoshi. */
bool json_sat(const struct json *json, int64_t *sat);
bool json_bool(const struct json *json, bool *out);

/* The string s as JSON, quotes included; the caller frees it. For the params of node_call. */
char *json_quote(const char *s);

/* Writes one value. A call that does not fit where it comes (a value without a key in an object, the wrong end, a
 * second value at the top, a scope too deep) is left out, and json_writer_is_ok() is false from then on: the text stays
 * valid, and the mistake can be seen. In strings, each byte that is not UTF-8 becomes U+FFFD. */
struct json_writer;

struct json_writer *json_writer_new(bool pretty);
void json_writer_free(struct json_writer *writer); /* NULL is fine */

void json_writer_begin_object(struct json_writer *writer);
void json_writer_end_object(struct json_writer *writer);
void json_writer_begin_array(struct json_writer *writer);
void json_writer_end_array(struct json_writer *writer);
void json_writer_key(struct json_writer *writer, const char *key);

void json_writer_string(struct json_writer *writer, const char *s); /* NULL writes null */
void json_writer_string_len(struct json_writer *writer, const char *s, size_t len);
void json_writer_i64(struct json_writer *writer, int64_t value);
void json_writer_u64(struct json_writer *writer, uint64_t value);
void json_writer_bool(struct json_writer *writer, bool value);
void json_writer_null(struct json_writer *writer);
/* Text that is a JSON number ("0.5"); of anything else it writes null and is not ok. */
void json_writer_number(struct json_writer *writer, const char *text);

/* A member of an object: its key and its value at once. */
void json_member_string(struct json_writer *writer, const char *key, const char *s); /* NULL writes null */
void json_member_i64(struct json_writer *writer, const char *key, int64_t value);
void json_member_u64(struct json_writer *writer, const char *key, uint64_t value);
/* Where 0 means that there is none: 0 writes null. */
void json_member_u64_or_null(struct json_writer *writer, const char *key, uint64_t value);
void json_member_bool(struct json_writer *writer, const char *key, bool value);
void json_member_null(struct json_writer *writer, const char *key);
void json_member_number(struct json_writer *writer, const char *key, const char *text);
/* The key, and the beginning of its value. */
void json_member_begin_object(struct json_writer *writer, const char *key);
void json_member_begin_array(struct json_writer *writer, const char *key);

bool json_writer_is_ok(const struct json_writer *writer);
/* Ends every open scope, and hands the text over (free it with free()); a key without a value gets null. len may be
 * NULL. "null" if nothing was written. Afterwards the writer is as new, except for json_writer_is_ok. */
char *json_writer_take(struct json_writer *writer, size_t *len);

#endif
