#include "base/json.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/xmem.h"

#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Reading.
 *
 * The tree is built from yajl's callbacks. Values wait on one stack, `ready`, until the scope around them ends; then
 * they move together into the arena as the scope's array, and the scope takes their place. Every scope is thus one
 * array without slack, and freeing is one walk over the arena's slabs, however deep the tree. */

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json {
	enum json_type type;
	bool truth;
	const char *key; /* in an object: the member's name */
	size_t cnt;      /* bytes of a string or number without the NUL; elements of a scope */
	union {
		const char *text;
		struct json *items;
	};
};

enum {
	TEXT_MAX = 1 << 30, /* yajl has some counters of 32 bits */
	SLAB_SZ = 16384,
};

struct slab {
	struct slab *next;
	size_t used, cap;
	_Alignas(max_align_t) char data[];
};

struct document {
	struct json root; /* first, so that the root is the document */
	struct slab *slabs;
};

struct scope {
	size_t first;    /* where its values start in ready */
	const char *key; /* of the scope itself, in the scope around it */
	bool is_object;
};

struct parser {
	struct document *doc;
	struct json *ready;
	size_t ready_cnt, ready_cap;
	struct scope scopes[JSON_DEPTH_MAX];
	unsigned depth;
	const char *key;     /* waits for its value */
	const char *refusal; /* why a callback stopped it */
};

static void *
yajl_malloc_fatal(void *ctx, size_t sz)
{
	(void)ctx;
	return xmalloc(sz);
}

static void *
yajl_realloc_fatal(void *ctx, void *ptr, size_t sz)
{
	(void)ctx;
	return xreallocarray(ptr, sz, 1);
}

static void
yajl_free_any(void *ctx, void *ptr)
{
	(void)ctx;
	free(ptr);
}

/* yajl does not check whether it got memory. */
static yajl_alloc_funcs alloc_funcs = {yajl_malloc_fatal, yajl_realloc_fatal, yajl_free_any, NULL};

static void *
arena_alloc(struct document *doc, size_t sz)
{
	struct slab *slab = doc->slabs;

	sz = (sz + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
	if (!slab || slab->cap - slab->used < sz) {
		size_t cap = sz > SLAB_SZ / 4 ? sz : SLAB_SZ;
		struct slab *fresh = xmalloc(sizeof(*fresh) + cap);

		fresh->cap = cap;
		fresh->used = 0;
		if (slab && cap == sz) { /* a big one goes second, so that the current one is filled first */
			fresh->next = slab->next;
			slab->next = fresh;
		} else {
			fresh->next = slab;
			doc->slabs = fresh;
		}
		slab = fresh;
	}
	void *ptr = slab->data + slab->used;
	slab->used += sz;
	return ptr;
}

static const char *
arena_text(struct document *doc, const void *text, size_t len)
{
	char *copy = arena_alloc(doc, len + 1);

	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static bool
is_utf8(const unsigned char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n)
		if (!(n = utf8_len((const char *)s + i, len - i)))
			return false;
	return true;
}

static int
add_value(struct parser *parser, struct json value)
{
	if (parser->ready_cnt == parser->ready_cap) {
		parser->ready_cap = parser->ready_cap ? parser->ready_cap * 2 : 64;
		parser->ready = xreallocarray(parser->ready, parser->ready_cap, sizeof(*parser->ready));
	}
	value.key = parser->key;
	parser->key = NULL;
	parser->ready[parser->ready_cnt++] = value;
	return 1;
}

static int
on_null(void *ctx)
{
	return add_value(ctx, (struct json){.type = JSON_NULL});
}

static int
on_boolean(void *ctx, int value)
{
	return add_value(ctx, (struct json){.type = JSON_BOOL, .truth = value});
}

static int
on_number(void *ctx, const char *text, size_t len)
{
	struct parser *parser = ctx;

	return add_value(
		parser,
		(struct json){.type = JSON_NUMBER, .cnt = len, .text = arena_text(parser->doc, text, len)});
}

static int
on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *parser = ctx;

	/* yajl accepts overlong forms and lone surrogates, as bytes and as \u. */
	if (!is_utf8(text, len)) {
		parser->refusal = "a string is not UTF-8";
		return 0;
	}
	return add_value(
		parser,
		(struct json){.type = JSON_STRING, .cnt = len, .text = arena_text(parser->doc, text, len)});
}

static int
on_key(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *parser = ctx;

	if (!is_utf8(text, len)) {
		parser->refusal = "a name is not UTF-8";
		return 0;
	}
	parser->key = arena_text(parser->doc, text, len);
	return 1;
}

static int
begin_scope(struct parser *parser, bool is_object)
{
	if (parser->depth == JSON_DEPTH_MAX) {
		parser->refusal = "it is nested too deep";
		return 0;
	}
	parser->scopes[parser->depth++] = (struct scope){parser->ready_cnt, parser->key, is_object};
	parser->key = NULL;
	return 1;
}

static int
end_scope(struct parser *parser)
{
	struct scope *scope = &parser->scopes[--parser->depth];
	size_t cnt = parser->ready_cnt - scope->first;
	struct json value = {.type = scope->is_object ? JSON_OBJECT : JSON_ARRAY, .cnt = cnt};

	if (cnt) {
		value.items = arena_alloc(parser->doc, cnt * sizeof(*value.items));
		memcpy(value.items, parser->ready + scope->first, cnt * sizeof(*value.items));
	}
	parser->ready_cnt = scope->first;
	parser->key = scope->key;
	return add_value(parser, value);
}

static int
on_start_map(void *ctx)
{
	return begin_scope(ctx, true);
}

static int
on_start_array(void *ctx)
{
	return begin_scope(ctx, false);
}

static int
on_end(void *ctx)
{
	return end_scope(ctx);
}

int
json_parse(struct json **doc, const char *text, size_t len, struct diag *diag)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_boolean,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_start_map,
		.yajl_map_key = on_key,
		.yajl_end_map = on_end,
		.yajl_start_array = on_start_array,
		.yajl_end_array = on_end,
	};
	const unsigned char *bytes = (const unsigned char *)text;

	*doc = NULL;
	if (len > TEXT_MAX)
		return diag_fail(diag, -EFBIG, "json: failed to parse a text of %zu bytes: too long", len);

	struct parser parser = {.doc = xcalloc(1, sizeof(*parser.doc))};
	yajl_handle handle = yajl_alloc(&callbacks, &alloc_funcs, &parser);
	yajl_status status = yajl_parse(handle, bytes, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(handle);

	int err = 0;
	if (status != yajl_status_ok || parser.ready_cnt != 1 || parser.depth) {
		size_t at = yajl_get_bytes_consumed(handle);
		unsigned char *why = parser.refusal || status != yajl_status_error
					     ? NULL
					     : yajl_get_error(handle, 0, bytes, len);
		const char *reason = parser.refusal ? parser.refusal
				     : why          ? (const char *)why
						    : "it is empty";

		err = diag_fail(diag, -EBADMSG,
				"json: failed to parse a text of %zu bytes, at byte %zu: %.*s", len,
				at < len ? at : len, (int)strcspn(reason, "\n"), reason);
		if (why)
			yajl_free_error(handle, why);
		json_free(&parser.doc->root);
	} else {
		parser.doc->root = parser.ready[0];
		*doc = &parser.doc->root;
	}
	yajl_free(handle);
	free(parser.ready);
	return err;
}

void
json_free(struct json *doc)
{
	struct document *document = (struct document *)(void *)doc;

	if (!document)
		return;
	while (document->slabs) {
		struct slab *next = document->slabs->next;

		free(document->slabs);
		document->slabs = next;
	}
	free(document);
}

void
json_narrow(struct json *doc, const struct json *within)
{
	struct json value = *within; /* may be doc itself */

	value.key = NULL;
	*doc = value;
}

static bool
is_type(const struct json *json, enum json_type type)
{
	return json && json->type == type;
}

const struct json *
json_get(const struct json *object, const char *key)
{
	if (!is_type(object, JSON_OBJECT))
		return NULL;
	for (size_t i = 0; i < object->cnt; i++)
		if (!strcmp(object->items[i].key, key))
			return &object->items[i];
	return NULL;
}

const struct json *
json_at(const struct json *array, size_t idx)
{
	return idx < json_cnt(array) ? &array->items[idx] : NULL;
}

const char *
json_key_at(const struct json *object, size_t idx)
{
	return is_type(object, JSON_OBJECT) && idx < object->cnt ? object->items[idx].key : NULL;
}

size_t
json_cnt(const struct json *json)
{
	return json_is_array(json) || json_is_object(json) ? json->cnt : 0;
}

bool
json_is_null(const struct json *json)
{
	return is_type(json, JSON_NULL);
}

bool
json_is_object(const struct json *json)
{
	return is_type(json, JSON_OBJECT);
}

bool
json_is_array(const struct json *json)
{
	return is_type(json, JSON_ARRAY);
}

const char *
json_string(const struct json *json)
{
	return is_type(json, JSON_STRING) ? json->text : NULL;
}

const char *
json_string_len(const struct json *json, size_t *len)
{
	bool ok = is_type(json, JSON_STRING);

	*len = ok ? json->cnt : 0;
	return ok ? json->text : NULL;
}

const char *
json_number(const struct json *json)
{
	return is_type(json, JSON_NUMBER) ? json->text : NULL;
}

bool
json_i64(const struct json *json, int64_t *out)
{
	const char *text = json_number(json);

	*out = 0;
	return text && parse_i64(text, out);
}

bool
json_u64(const struct json *json, uint64_t *out)
{
	const char *text = json_number(json);

	*out = 0;
	return text && parse_u64(text, out);
}

bool
json_sat(const struct json *json, int64_t *sat)
{
	const char *text = json_number(json);

	*sat = 0;
	return text && parse_btc_as_sat(text, sat);
}

bool
json_bool(const struct json *json, bool *out)
{
	bool ok = is_type(json, JSON_BOOL);

	*out = ok && json->truth;
	return ok;
}

/* Writing.
 *
 * yajl_gen escapes and indents. What fits where is decided here, because yajl_gen accepts any string as a key, does not
 * end scopes by itself, and stops for good after its first error. */

struct json_writer {
	yajl_gen gen;
	bool pretty;
	bool bad;     /* something was ignored */
	bool done;    /* the value at the top is complete */
	bool has_key; /* the innermost object waits for a value */
	bool is_object[JSON_DEPTH_MAX];
	unsigned depth;
	unsigned ignored; /* open scopes that did not fit */
};

static void
open_gen(struct json_writer *writer)
{
	bool pretty = writer->pretty, bad = writer->bad;

	*writer = (struct json_writer){.gen = yajl_gen_alloc(&alloc_funcs), .pretty = pretty, .bad = bad};
	yajl_gen_config(writer->gen, yajl_gen_beautify, (int)pretty);
	yajl_gen_config(writer->gen, yajl_gen_indent_string, "  ");
}

struct json_writer *
json_writer_new(bool pretty)
{
	struct json_writer *writer = xcalloc(1, sizeof(*writer));

	writer->pretty = pretty;
	open_gen(writer);
	return writer;
}

void
json_writer_free(struct json_writer *writer)
{
	if (!writer)
		return;
	yajl_gen_free(writer->gen);
	free(writer);
}

/* Whether a value may come now; it then counts as written. */
static bool
take_place(struct json_writer *writer)
{
	bool fits = !writer->ignored && !writer->done &&
		    !(writer->depth && writer->is_object[writer->depth - 1] && !writer->has_key);

	if (!fits) {
		writer->bad = true;
		return false;
	}
	writer->has_key = false;
	writer->done = writer->depth == 0;
	return true;
}

static void
begin(struct json_writer *writer, bool is_object)
{
	bool has_key = writer->has_key;

	if (!take_place(writer)) {
		writer->ignored++;
		return;
	}
	if (writer->depth == JSON_DEPTH_MAX) {
		writer->has_key = has_key;
		writer->bad = true;
		writer->ignored++;
		return;
	}
	writer->is_object[writer->depth++] = is_object;
	writer->done = false;
	if (is_object)
		yajl_gen_map_open(writer->gen);
	else
		yajl_gen_array_open(writer->gen);
}

static void
end(struct json_writer *writer, bool is_object)
{
	if (writer->ignored) {
		/* Only the number of ignored scopes is known. A key whose scope was ignored gets null. */
		if (--writer->ignored == 0 && writer->has_key)
			json_writer_null(writer);
		return;
	}
	if (!writer->depth || writer->is_object[writer->depth - 1] != is_object) {
		writer->bad = true;
		return;
	}
	if (writer->has_key) {
		writer->bad = true;
		json_writer_null(writer);
	}
	if (is_object)
		yajl_gen_map_close(writer->gen);
	else
		yajl_gen_array_close(writer->gen);
	writer->done = --writer->depth == 0;
}

void
json_writer_begin_object(struct json_writer *writer)
{
	begin(writer, true);
}

void
json_writer_end_object(struct json_writer *writer)
{
	end(writer, true);
}

void
json_writer_begin_array(struct json_writer *writer)
{
	begin(writer, false);
}

void
json_writer_end_array(struct json_writer *writer)
{
	end(writer, false);
}

static void
gen_string(yajl_gen gen, const char *s, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)s;

	if (is_utf8(bytes, len)) {
		yajl_gen_string(gen, bytes, len);
		return;
	}
	struct buf clean;
	buf_init(&clean, SIZE_MAX / 2);
	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(s + i, len - i);

		if (n)
			buf_add(&clean, s + i, n);
		else
			buf_puts(&clean, "\xef\xbf\xbd");
		i += n ? n : 1;
	}
	yajl_gen_string(gen, (const unsigned char *)clean.data, clean.len);
	buf_fini(&clean);
}

void
json_writer_key(struct json_writer *writer, const char *key)
{
	bool fits =
		!writer->ignored && writer->depth && writer->is_object[writer->depth - 1] && !writer->has_key;

	if (!fits) {
		writer->bad = true;
		return;
	}
	gen_string(writer->gen, key, strlen(key));
	writer->has_key = true;
}

void
json_writer_string(struct json_writer *writer, const char *s)
{
	if (s)
		json_writer_string_len(writer, s, strlen(s));
	else
		json_writer_null(writer);
}

void
json_writer_string_len(struct json_writer *writer, const char *s, size_t len)
{
	if (take_place(writer))
		gen_string(writer->gen, s, len);
}

void
json_writer_i64(struct json_writer *writer, int64_t value)
{
	if (take_place(writer))
		yajl_gen_integer(writer->gen, value);
}

void
json_writer_u64(struct json_writer *writer, uint64_t value)
{
	char *text = xasprintf("%ju", (uintmax_t)value);

	json_writer_number(writer, text);
	free(text);
}

void
json_writer_bool(struct json_writer *writer, bool value)
{
	if (take_place(writer))
		yajl_gen_bool(writer->gen, value);
}

void
json_writer_null(struct json_writer *writer)
{
	if (take_place(writer))
		yajl_gen_null(writer->gen);
}

static const char *
skip_digits(const char *s)
{
	return s + strspn(s, "0123456789");
}

/* The grammar of RFC 8259, section 6. */
static bool
is_number(const char *s)
{
	const char *digits = s + (*s == '-');
	const char *end = skip_digits(digits);

	if (end == digits || (*digits == '0' && end != digits + 1))
		return false;
	if (*end == '.') {
		digits = end + 1;
		end = skip_digits(digits);
		if (end == digits)
			return false;
	}
	if (*end == 'e' || *end == 'E') {
		digits = end + 1;
		digits += *digits == '+' || *digits == '-';
		end = skip_digits(digits);
		if (end == digits)
			return false;
	}
	return !*end;
}

void
json_writer_number(struct json_writer *writer, const char *text)
{
	if (!is_number(text)) {
		writer->bad = true;
		json_writer_null(writer);
	} else if (take_place(writer)) {
		yajl_gen_number(writer->gen, text, strlen(text));
	}
}

void
json_member_string(struct json_writer *writer, const char *key, const char *s)
{
	json_writer_key(writer, key);
	json_writer_string(writer, s);
}

void
json_member_u64(struct json_writer *writer, const char *key, uint64_t value)
{
	json_writer_key(writer, key);
	json_writer_u64(writer, value);
}

void
json_member_u64_or_null(struct json_writer *writer, const char *key, uint64_t value)
{
	if (value)
		json_member_u64(writer, key, value);
	else
		json_member_null(writer, key);
}

void
json_member_bool(struct json_writer *writer, const char *key, bool value)
{
	json_writer_key(writer, key);
	json_writer_bool(writer, value);
}

void
json_member_null(struct json_writer *writer, const char *key)
{
	json_writer_key(writer, key);
	json_writer_null(writer);
}

void
json_member_begin_object(struct json_writer *writer, const char *key)
{
	json_writer_key(writer, key);
	json_writer_begin_object(writer);
}

void
json_member_begin_array(struct json_writer *writer, const char *key)
{
	json_writer_key(writer, key);
	json_writer_begin_array(writer);
}

bool
json_writer_is_ok(const struct json_writer *writer)
{
	return !writer->bad;
}

static void
close_all(struct json_writer *writer)
{
	writer->ignored = 0;
	while (writer->depth)
		end(writer, writer->is_object[writer->depth - 1]);
}

char *
json_writer_take(struct json_writer *writer, size_t *len)
{
	const unsigned char *text;
	size_t text_len;

	close_all(writer);
	if (!writer->done)
		json_writer_null(writer);
	yajl_gen_get_buf(writer->gen, &text, &text_len);
	char *copy = xmalloc(text_len + 1);
	memcpy(copy, text, text_len);
	copy[text_len] = '\0';
	if (len)
		*len = text_len;
	yajl_gen_free(writer->gen);
	open_gen(writer);
	return copy;
}

char *
json_quote(const char *s)
{
	struct json_writer *writer = json_writer_new(false);

	json_writer_string(writer, s);
	char *text = json_writer_take(writer, NULL);
	json_writer_free(writer);
	return text;
}
