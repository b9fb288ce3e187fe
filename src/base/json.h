/* JSON: a bounded parser, whose tree keeps numbers as they were written, and a writer, whose output is always valid. */
#ifndef TPCHECK_BASE_JSON_H
#define TPCHECK_BASE_JSON_H

#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JSON_DEPTH_MAX = 100, /* nested scopes, for parser and writer */
};

/* A document, or a value in it, which lives as long as its document. */
struct json;

/* Parses exactly one value with nothing but blanks around it. *doc is NULL on failure, else the caller frees it with
 * json_free. -EBADMSG: not JSON (RFC 8259, UTF-8), or nested deeper than JSON_DEPTH_MAX; -EFBIG: too long. */
int json_parse(struct json **doc, const char *text, size_t len, struct diag *diag);
/* Frees a document and everything in it; NULL is fine. Not for a value in a document. */
void json_free(struct json *doc);
/* Replaces the document by a value in it; the rest can no longer be reached. */
void json_narrow(struct json *doc, const struct json *within);

/* For NULL and for a value of another type, all of these return NULL, 0 or false, so that look-ups can be chained:
 * json_string(json_get(json_at(doc, 0), "txid")). */

/* The member of that name; the first, if there are several. */
const struct json *json_get(const struct json *object, const char *key);
/* Element idx of an array, or member idx of an object, in the order of the text. */
const struct json *json_at(const struct json *array, size_t idx);
/* The name of member idx of an object; NUL-terminated. */
const char *json_key_at(const struct json *object, size_t idx);
/* Elements of an array or members of an object. */
size_t json_cnt(const struct json *json);

bool json_is_null(const struct json *json); /* false for NULL: there is a value, and it is null */
bool json_is_object(const struct json *json);
bool json_is_array(const struct json *json);

/* UTF-8, NUL-terminated; NULL if it is not a string. */
const char *json_string(const struct json *json);
/* The same with its length, for strings that may contain \u0000. */
const char *json_string_len(const struct json *json, size_t *len);
/* A number as it was written, such as "0.00001000"; NULL if it is not a number. */
const char *json_number(const struct json *json);

/* These clear *out first, and return false if the value is of another type or does not fit exactly (1.0 and 1e3 are not
 * whole numbers here). */
bool json_i64(const struct json *json, int64_t *out);
bool json_u64(const struct json *json, uint64_t *out);
/* An amount in BTC, in satoshi. */
bool json_sat(const struct json *json, int64_t *sat);
bool json_bool(const struct json *json, bool *out);

/* The string s as JSON, with quotes; the caller frees it. For the params of node_call. */
char *json_quote(const char *s);

/* Writes one value. A call that does not fit (a value without a key in an object, the wrong end, a second value at the
 * top, a scope too deep) is ignored, and json_writer_is_ok() is false from then on: the text stays valid, and the
 * mistake is noticed. Bytes of strings that are not UTF-8 become U+FFFD. */
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
/* A JSON number, such as "0.5"; anything else is a mistake, and becomes null. */
void json_writer_number(struct json_writer *writer, const char *text);

/* A member of an object: a key and its value. */
void json_member_string(struct json_writer *writer, const char *key, const char *s); /* NULL writes null */
void json_member_u64(struct json_writer *writer, const char *key, uint64_t value);
/* 0 stands for none, and writes null. */
void json_member_u64_or_null(struct json_writer *writer, const char *key, uint64_t value);
void json_member_bool(struct json_writer *writer, const char *key, bool value);
void json_member_null(struct json_writer *writer, const char *key);
/* A key, and the beginning of its value. */
void json_member_begin_object(struct json_writer *writer, const char *key);
void json_member_begin_array(struct json_writer *writer, const char *key);

bool json_writer_is_ok(const struct json_writer *writer);
/* Ends every open scope, and hands over the text, to be freed by the caller; "null" if nothing was written. len may be
 * NULL. Afterwards the writer is as new, except for json_writer_is_ok. */
char *json_writer_take(struct json_writer *writer, size_t *len);

#endif
