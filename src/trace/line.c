/* This is written for speed, because a synchronizing node hits hundreds of thousands of tracepoints per second: numbers
 * and hashes are written digit by digit, and only the buffer is allocated. */
#include "trace/line.h"

#include "base/text.h"
#include "base/utf8.h"
#include "trace/args.h"

#include <string.h>
#include <time.h>

enum { NUMBER_CHARS = 24 };

void
line_clock_init(struct line_clock *clock)
{
	struct timespec real, monotonic;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	*clock = (struct line_clock){.offset_ns = (int64_t)(real.tv_sec - monotonic.tv_sec) * 1000000000 +
						  (real.tv_nsec - monotonic.tv_nsec)};
}

uint64_t
line_clock_epoch_ns(const struct line_clock *clock, uint64_t monotonic_ns)
{
	return monotonic_ns + (uint64_t)clock->offset_ns;
}

static void
add_u64(struct buf *out, uint64_t n)
{
	char digits[NUMBER_CHARS], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void
add_i64(struct buf *out, int64_t n)
{
	if (n < 0)
		buf_putc(out, '-');
	add_u64(out, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

static void
add_hex(struct buf *out, const uint8_t *bytes, size_t len)
{
	char *room = buf_reserve(out, 2 * len + 1);

	if (!room)
		return;
	format_hex(bytes, len, room);
	buf_commit(out, 2 * len);
}

static void
add_hash(struct buf *out, const uint8_t *hash_wire)
{
	char *room = buf_reserve(out, 65);

	if (!room)
		return;
	format_hash(hash_wire, room);
	buf_commit(out, 64);
}

static void
add_hex_number(struct buf *out, uint64_t n)
{
	char digits[NUMBER_CHARS], *at = digits + sizeof(digits);

	do
		*--at = "0123456789abcdef"[n & 15];
	while (n >>= 4);
	buf_puts(out, "0x");
	buf_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

void
line_time(struct line_clock *clock, uint64_t monotonic_ns, struct buf *out)
{
	uint64_t ns = line_clock_epoch_ns(clock, monotonic_ns);
	uint64_t second = ns / 1000000000, us = ns % 1000000000 / 1000;
	char fraction[7] = {'.'};

	if (second != clock->second) {
		time_t t = (time_t)second;
		struct tm tm;

		clock->second = second;
		localtime_r(&t, &tm);
		strftime(clock->text, sizeof(clock->text), "%H:%M:%S", &tm);
	}
	for (int i = 6; i > 0; i--, us /= 10)
		fraction[i] = (char)('0' + us % 10);
	buf_puts(out, clock->text);
	buf_add(out, fraction, sizeof(fraction));
}

/* Only characters of addresses, message types and most reasons, none of which has a meaning in a line. */
static bool
is_plain_word(const uint8_t *bytes, size_t len)
{
	static const char others[] = "._:/-+[]@,";

	for (size_t i = 0; i < len; i++) {
		uint8_t c = bytes[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		      (c && memchr(others, c, sizeof(others) - 1))))
			return false;
	}
	return len > 0;
}

static char *
put_hex(char *at, uint8_t byte)
{
	*at++ = "0123456789abcdef"[byte >> 4];
	*at++ = "0123456789abcdef"[byte & 15];
	return at;
}

static void
add_string_text(const uint8_t *bytes, size_t len, struct buf *out)
{
	if (is_plain_word(bytes, len)) {
		buf_add(out, bytes, len);
		return;
	}
	const char *text = (const char *)bytes;
	char *room = buf_reserve(out, 4 * len + 2), *at = room;
	if (!room)
		return;
	*at++ = '\'';
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(text + i, len - i);
		if (n && utf8_is_plain(text + i, n)) {
			if (bytes[i] == '\'' || bytes[i] == '\\')
				*at++ = '\\';
			memcpy(at, bytes + i, n);
			at += n;
			continue;
		}
		n = n ? n : 1;
		for (size_t k = 0; k < n; k++) {
			*at++ = '\\';
			*at++ = 'x';
			at = put_hex(at, bytes[i + k]);
		}
	}
	*at++ = '\'';
	buf_commit(out, (size_t)(at - room));
}

static char *
put_escape(char *at, uint32_t unit)
{
	*at++ = '\\';
	*at++ = 'u';
	at = put_hex(at, (uint8_t)(unit >> 8));
	return put_hex(at, (uint8_t)unit);
}

void
line_json_string(const uint8_t *bytes, size_t len, struct buf *out)
{
	/* A byte becomes 6 at most; one that is not UTF-8, the 3 of U+FFFD. */
	const char *text = (const char *)bytes;
	char *room = buf_reserve(out, 6 * len + 2), *at = room;

	if (!room)
		return;
	*at++ = '"';
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(text + i, len - i);
		if (!n) {
			memcpy(at, "\xef\xbf\xbd", 3);
			at += 3;
			n = 1;
		} else if (!utf8_is_plain(text + i, n)) {
			uint32_t c = utf8_decode(text + i, n);

			if (c >= 0x10000)
				at = put_escape(at, 0xd800 + ((c - 0x10000) >> 10));
			at = put_escape(at, c >= 0x10000 ? 0xdc00 + ((c - 0x10000) & 0x3ff) : c);
		} else {
			if (bytes[i] == '"' || bytes[i] == '\\')
				*at++ = '\\';
			memcpy(at, bytes + i, n);
			at += n;
		}
	}
	*at++ = '"';
	buf_commit(out, (size_t)(at - room));
}

static bool
is_unreadable(const struct value *value)
{
	return value->state == VALUE_BAD_OPERAND || value->state == VALUE_BAD_POINTER;
}

static void
add_error(const struct value *value, struct buf *out)
{
	if (value->state == VALUE_BAD_OPERAND) {
		buf_puts(out, "not readable: ");
	} else {
		buf_puts(out, "not readable at ");
		add_hex_number(out, value->u);
		buf_puts(out, ": ");
	}
	buf_puts(out, strerror(value->error));
}

/* The name of an enumeration's value; NULL if there is none. */
static const char *
value_name(const struct contract_arg *arg, const struct value *value)
{
	const char *const *name = arg && value->type == VALUE_UINT ? arg->value_names : NULL;

	for (uint64_t i = 0; name && *name; i++, name++)
		if (i == value->u)
			return *name;
	return NULL;
}

/* In what values for people and values in JSON differ. */
struct style {
	const char *quote;      /* around hex digits */
	const char *not_a_bool; /* after the number of a bool that is neither 0 nor 1 */
	void (*add_string)(const uint8_t *bytes, size_t len, struct buf *out);
};
static const struct style text_style = {"", " (not a bool)", add_string_text};
static const struct style json_style = {"\"", "", line_json_string};

/* Adds a value that could be read. */
static void
add_value(const struct style *style, const struct value *value, struct buf *out)
{
	switch (value->type) {
	case VALUE_INT:
		add_i64(out, value->i);
		break;
	case VALUE_UINT:
		add_u64(out, value->u);
		break;
	case VALUE_BOOL:
		if (value->u > 1) {
			add_u64(out, value->u);
			buf_puts(out, style->not_a_bool);
		} else {
			buf_puts(out, value->u ? "true" : "false");
		}
		break;
	case VALUE_HASH:
		buf_puts(out, style->quote);
		add_hash(out, value->bytes);
		buf_puts(out, style->quote);
		break;
	case VALUE_STRING:
		style->add_string(value->bytes, value->len, out);
		break;
	case VALUE_BYTES:
		buf_puts(out, style->quote);
		add_hex(out, value->bytes, value->len);
		buf_puts(out, style->quote);
		break;
	}
}

/* Adds what people see after a value: its name, its unit and the like. */
static void
add_annotations(const struct contract_arg *arg, const struct value *value, struct buf *out)
{
	const char *name = value_name(arg, value);

	/* A large number that nothing is known about is most likely an address. */
	if (value->type == VALUE_UINT && (!arg || !arg->meaning) && value->u > UINT32_MAX) {
		buf_puts(out, " (");
		add_hex_number(out, value->u);
		buf_putc(out, ')');
	}
	if (name) {
		buf_puts(out, " (");
		buf_puts(out, name);
		buf_putc(out, ')');
	}
	if (value->state == VALUE_CUT) {
		buf_puts(out, "<cut after ");
		add_u64(out, value->len);
		buf_puts(out, " bytes>");
	}
	if (arg && arg->unit && (value->type == VALUE_INT || value->type == VALUE_UINT)) {
		buf_putc(out, ' ');
		buf_puts(out, arg->unit);
	}
}

void
line_value_text(const struct contract_arg *arg, const struct value *value, struct buf *out)
{
	if (is_unreadable(value)) {
		buf_putc(out, '<');
		add_error(value, out);
		buf_putc(out, '>');
		return;
	}
	add_value(&text_style, value, out);
	add_annotations(arg, value, out);
}

void
line_value_json(const struct value *value, struct buf *out)
{
	if (is_unreadable(value))
		buf_puts(out, "null");
	else
		add_value(&json_style, value, out);
}

void
line_text(struct line_clock *clock, const struct contract_tracepoint *row, const struct event *event,
	  int64_t pid, struct buf *out)
{
	char room[16];

	line_time(clock, event->time_ns, out);
	buf_putc(out, ' ');
	if (pid) {
		add_i64(out, pid);
		buf_putc(out, ' ');
	}
	buf_puts(out, row->full_name);
	for (unsigned i = 0; i < event->args_cnt; i++) {
		if (!selection_shows(row, i, &event->args[i]))
			continue;
		buf_putc(out, ' ');
		buf_puts(out, args_name(row, i, room));
		buf_putc(out, '=');
		line_value_text(args_get(row, i), &event->args[i], out);
	}
	buf_putc(out, '\n');
}

static void
add_name_json(const struct contract_arg *arg, const struct value *value, struct buf *out)
{
	const char *name = value_name(arg, value);

	line_json_string((const uint8_t *)name, strlen(name), out);
}

static void
add_error_json(const struct contract_arg *arg, const struct value *value, struct buf *out)
{
	(void)arg;
	buf_putc(out, '"');
	add_error(value, out);
	buf_putc(out, '"');
}

static bool
has_name(const struct contract_arg *arg, const struct value *value)
{
	return !is_unreadable(value) && value_name(arg, value);
}

static bool
is_cut(const struct contract_arg *arg, const struct value *value)
{
	(void)arg;
	return value->state == VALUE_CUT;
}

static bool
has_error(const struct contract_arg *arg, const struct value *value)
{
	(void)arg;
	return is_unreadable(value);
}

/* A member of the JSON object beside "args" that lists the arguments to which something applies. */
struct remark {
	const char *start, *end;
	bool (*applies)(const struct contract_arg *arg, const struct value *value);
	/* What an argument's name leads to; NULL: the names are all there is. */
	void (*add)(const struct contract_arg *arg, const struct value *value, struct buf *out);
};
static const struct remark remarks[] = {
	{",\"names\":{", "}", has_name, add_name_json},
	{",\"cut\":[", "]", is_cut, NULL},
	{",\"errors\":{", "}", has_error, add_error_json},
};

static void
add_remark(const struct remark *remark, const struct contract_tracepoint *row, const struct event *event,
	   struct buf *out)
{
	bool any = false;
	char room[16];

	for (unsigned i = 0; i < event->args_cnt; i++) {
		const struct contract_arg *arg = args_get(row, i);

		if (!remark->applies(arg, &event->args[i]))
			continue;
		buf_puts(out, any ? "," : remark->start);
		buf_putc(out, '"');
		any = true;
		buf_puts(out, args_name(row, i, room));
		buf_putc(out, '"');
		if (remark->add) {
			buf_putc(out, ':');
			remark->add(arg, &event->args[i], out);
		}
	}
	if (any)
		buf_puts(out, remark->end);
}

void
line_json(const struct line_clock *clock, const struct contract_tracepoint *row, const struct event *event,
	  int64_t pid, struct buf *out)
{
	const char *separator = "\"";
	char room[16];

	buf_puts(out, "{\"time_ns\":");
	add_u64(out, line_clock_epoch_ns(clock, event->time_ns));
	buf_puts(out, ",\"tracepoint\":");
	/* The name of an undocumented one comes from the file, and may hold anything. */
	line_json_string((const uint8_t *)row->full_name, strlen(row->full_name), out);
	buf_puts(out, ",\"pid\":");
	add_i64(out, pid);
	buf_puts(out, ",\"tid\":");
	add_u64(out, event->tid);
	buf_puts(out, ",\"args\":{");
	for (unsigned i = 0; i < event->args_cnt; i++) {
		if (!selection_shows(row, i, &event->args[i]))
			continue;
		buf_puts(out, separator);
		separator = ",\"";
		buf_puts(out, args_name(row, i, room));
		buf_puts(out, "\":");
		line_value_json(&event->args[i], out);
	}
	buf_putc(out, '}');
	for (size_t i = 0; i < sizeof(remarks) / sizeof(remarks[0]); i++)
		add_remark(&remarks[i], row, event, out);
	buf_puts(out, "}\n");
}
