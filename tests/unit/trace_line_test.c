/* Events as lines: every type and state of a value, and hostile strings. */
#include "base/json.h"
#include "base/utf8.h"
#include "trace/line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct value
string(const void *bytes, size_t len)
{
	return (struct value){.type = VALUE_STRING, .bytes = bytes, .len = len, .full_len = len};
}

static void
assert_text(const struct contract_arg *arg, struct value value, const char *want)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	line_value_text(arg, &value, &out);
	assert_string_equal(out.data, want);
	buf_fini(&out);
}

static void
assert_json(struct value value, const char *want)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	line_value_json(&value, &out);
	assert_string_equal(out.data, want);
	buf_fini(&out);
}

static void
test_numbers(void **state)
{
	const struct contract_arg sat = {.name = "fee", .unit = "sat", .meaning = "fee"};
	const struct contract_arg plain = {.name = "n", .meaning = "a number"};

	(void)state;
	assert_text(&sat, (struct value){.type = VALUE_INT, .i = -5}, "-5 sat");
	assert_text(&plain, (struct value){.type = VALUE_INT, .i = INT64_MIN}, "-9223372036854775808");
	assert_text(&plain, (struct value){.type = VALUE_UINT, .u = UINT64_MAX}, "18446744073709551615");
	assert_text(&plain, (struct value){.type = VALUE_UINT}, "0");
	assert_json((struct value){.type = VALUE_INT, .i = INT64_MIN}, "-9223372036854775808");
	assert_json((struct value){.type = VALUE_UINT, .u = UINT64_MAX}, "18446744073709551615");
	assert_text(&plain, (struct value){.type = VALUE_BOOL, .u = 1}, "true");
	assert_text(&plain, (struct value){.type = VALUE_BOOL, .u = 0}, "false");
	assert_text(&plain, (struct value){.type = VALUE_BOOL, .u = 77}, "77 (not a bool)");
	assert_json((struct value){.type = VALUE_BOOL, .u = 1}, "true");
	assert_json((struct value){.type = VALUE_BOOL, .u = 77}, "77");
	/* An argument that nothing is known about. */
	assert_text(NULL, (struct value){.type = VALUE_UINT, .u = UINT32_MAX}, "4294967295");
	assert_text(NULL, (struct value){.type = VALUE_UINT, .u = 0x7f00deadbeef},
		    "139641712656111 (0x7f00deadbeef)");
	assert_text(&plain, (struct value){.type = VALUE_UINT, .u = 0x7f00deadbeef}, "139641712656111");
}

static void
test_hashes_in_display_order(void **state)
{
	uint8_t wire[32] = {1, 2, [31] = 0xab};
	struct value value = {.type = VALUE_HASH, .bytes = wire, .len = 32};

	(void)state;
	assert_text(NULL, value, "ab00000000000000000000000000000000000000000000000000000000000201");
	assert_json(value, "\"ab00000000000000000000000000000000000000000000000000000000000201\"");
}

static void
test_unreadable_values(void **state)
{
	struct value operand = {.type = VALUE_HASH, .state = VALUE_BAD_OPERAND, .error = EFAULT};
	struct value pointer = {.type = VALUE_STRING, .state = VALUE_BAD_POINTER, .error = EFAULT, .u = 0x10};
	struct value cut = string("abc", 3);

	(void)state;
	assert_text(NULL, operand, "<not readable: Bad address>");
	assert_text(NULL, pointer, "<not readable at 0x10: Bad address>");
	assert_json(operand, "null");
	assert_json(pointer, "null");
	cut.state = VALUE_CUT;
	assert_text(NULL, cut, "abc<cut after 3 bytes>");
	assert_json(cut, "\"abc\"");
	/* No string can imitate that. */
	assert_text(NULL, string("<not readable>", 14), "'<not readable>'");
	assert_text(NULL, string("a b=c", 5), "'a b=c'");
	assert_text(NULL, string("a=c", 3), "'a=c'");
	assert_text(NULL, string("", 0), "''");
	assert_text(NULL, string("it's", 4), "'it\\'s'");
	assert_text(NULL, string("[2001:db8::1]:8333", 18), "[2001:db8::1]:8333");
}

static void
test_no_control_characters(void **state)
{
	(void)state;
	assert_text(NULL, string("\x1b]0;x\x07", 6), "'\\x1b]0;x\\x07'");
	assert_json(string("\x1b]0;x\x07", 6), "\"\\u001b]0;x\\u0007\"");
	/* CSI as one UTF-8 character, and as one byte. */
	assert_text(NULL,
		    string("\xc2\x9b"
			   "2J",
			   4),
		    "'\\xc2\\x9b2J'");
	assert_json(string("\xc2\x9b"
			   "2J",
			   4),
		    "\"\\u009b2J\"");
	assert_text(NULL,
		    string("\x9b"
			   "2J",
			   3),
		    "'\\x9b2J'");
	assert_json(string("\x9b"
			   "2J",
			   3),
		    "\"\xef\xbf\xbd"
		    "2J\"");
	assert_text(NULL, string("a\nb\r\x7f\0c", 7), "'a\\x0ab\\x0d\\x7f\\x00c'");
	assert_json(string("a\nb\r\x7f\0c", 7), "\"a\\u000ab\\u000d\\u007f\\u0000c\"");
	/* U+202E reverses the direction of the following text; U+E0041 is invisible. */
	assert_text(NULL,
		    string("\xe2\x80\xae"
			   "x",
			   4),
		    "'\\xe2\\x80\\xaex'");
	assert_json(string("\xe2\x80\xae"
			   "x",
			   4),
		    "\"\\u202ex\"");
	assert_json(string("\xf3\xa0\x81\x81", 4), "\"\\udb40\\udc41\"");
	/* Printable characters of any script stay. */
	assert_text(NULL, string("W\xc3\xa4llet \xe2\x82\xbf", 11), "'W\xc3\xa4llet \xe2\x82\xbf'");
	assert_json(string("\"\\\xf0\x9f\x98\x80", 6), "\"\\\"\\\\\xf0\x9f\x98\x80\"");
}

/* Any bytes give printable text, and valid JSON. */
static void
test_any_bytes(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[48];
		struct buf text, json;
		struct json *doc;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			/* Many bytes near the limits of UTF-8. */
			bytes[i] = (uint8_t)(seed >> 24);
			if (seed & 0x800)
				bytes[i] |= 0x80;
		}
		size_t len = seed % (sizeof(bytes) + 1);
		struct value value = string(bytes, len);
		buf_init(&text, 1 << 20);
		buf_init(&json, 1 << 20);
		line_value_text(NULL, &value, &text);
		line_value_json(&value, &json);
		for (size_t i = 0, n; i < text.len; i += n) {
			n = utf8_len(text.data + i, text.len - i);
			assert_true(n && utf8_is_plain(text.data + i, n));
		}
		assert_int_equal(json_parse(&doc, json.data, json.len, NULL), 0);
		assert_non_null(json_string(doc));
		for (size_t i = 0, n; i < json.len; i += n) {
			n = utf8_len(json.data + i, json.len - i);
			assert_true(n && utf8_is_plain(json.data + i, n));
		}
		json_free(doc);
		buf_fini(&text);
		buf_fini(&json);
	}
}

static struct event
message(const uint8_t *payload, size_t len, enum value_state state)
{
	struct event event = {.tracepoint = TP_NET_INBOUND_MESSAGE, .tid = 17, .args_cnt = 6};

	event.args[0] = (struct value){.type = VALUE_INT, .i = 3};
	event.args[1] = string("127.0.0.1:8333", 14);
	event.args[2] = string("inbound", 7);
	event.args[3] = string("ping", 4);
	event.args[4] = (struct value){.type = VALUE_UINT, .u = 8};
	event.args[5] = (struct value){
		.type = payload ? VALUE_BYTES : VALUE_UINT, .bytes = payload, .len = len, .state = state};
	return event;
}

static void
test_whole_lines(void **state)
{
	static const uint8_t payload[] = {0xde, 0xad};
	struct line_clock clock = {.offset_ns = 1000000000};
	const struct contract_tracepoint *row = contract_get(TP_NET_INBOUND_MESSAGE);
	struct event event = message(NULL, 0, VALUE_READ);
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	/* 12:34:56.789012 on the first day of the epoch. */
	event.time_ns = UINT64_C(45295789012999);
	line_text(&clock, row, &event, 0, &out);
	assert_string_equal(
		out.data,
		"12:34:56.789012 net:inbound_message peer_id=3 address=127.0.0.1:8333 connection_type=inbound message_type=ping size=8 B\n");
	buf_reset(&out);
	event = message(payload, 2, VALUE_CUT);
	event.time_ns = UINT64_C(45295789012999);
	line_text(&clock, row, &event, 0, &out);
	assert_non_null(strstr(out.data, " size=8 B payload=dead<cut after 2 bytes>\n"));
	buf_reset(&out);
	line_json(&clock, row, &event, 4711, &out);
	assert_string_equal(
		out.data,
		"{\"time_ns\":45296789012999,\"tracepoint\":\"net:inbound_message\",\"pid\":4711,\"tid\":17,\"args\":{\"peer_id\":3,\"address\":\"127.0.0.1:8333\",\"connection_type\":\"inbound\",\"message_type\":\"ping\",\"size\":8,\"payload\":\"dead\"},\"cut\":[\"payload\"]}\n");
	buf_fini(&out);
}

static void
test_remarks_in_json(void **state)
{
	struct line_clock clock = {0};
	const struct contract_tracepoint *row = contract_get(TP_NET_INBOUND_CONNECTION);
	struct event event = {.tracepoint = TP_NET_INBOUND_CONNECTION, .args_cnt = 6};
	struct json *doc;
	struct buf out;

	(void)state;
	event.args[0] = (struct value){.type = VALUE_INT, .state = VALUE_BAD_OPERAND, .error = ENODATA};
	event.args[1] =
		(struct value){.type = VALUE_STRING, .state = VALUE_BAD_POINTER, .error = EFAULT, .u = 8};
	event.args[2] = string("inbound", 7);
	event.args[2].state = VALUE_CUT;
	event.args[3] = (struct value){.type = VALUE_UINT, .u = 3};
	event.args[4] = (struct value){.type = VALUE_UINT, .u = 5};
	event.args[5] = (struct value){.type = VALUE_INT, .i = -1}; /* not documented */
	buf_init(&out, 1 << 20);
	line_json(&clock, row, &event, 1, &out);
	assert_int_equal(json_parse(&doc, out.data, out.len, NULL), 0);
	const struct json *args = json_get(doc, "args");
	assert_int_equal(json_cnt(args), 6);
	assert_true(json_is_null(json_get(args, "peer_id")));
	assert_true(json_is_null(json_get(args, "address")));
	assert_string_equal(json_number(json_get(args, "network")), "3");
	assert_string_equal(json_number(json_get(args, "arg6")), "-1");
	assert_string_equal(json_string(json_get(json_get(doc, "names"), "network")), "Onion");
	assert_string_equal(json_string(json_at(json_get(doc, "cut"), 0)), "connection_type");
	assert_int_equal(json_cnt(json_get(doc, "errors")), 2);
	assert_string_equal(json_string(json_get(json_get(doc, "errors"), "address")),
			    "not readable at 0x8: Bad address");
	json_free(doc);
	buf_reset(&out);
	line_text(&clock, row, &event, 0, &out);
	assert_non_null(strstr(out.data, " peer_id=<not readable: No data available> "));
	assert_non_null(strstr(out.data, " network=3 (Onion) connections=5 arg6=-1\n"));
	buf_fini(&out);
}

static void
test_wall_clock_time(void **state)
{
	struct line_clock clock;
	struct timespec real, monotonic;

	(void)state;
	line_clock_init(&clock);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	clock_gettime(CLOCK_REALTIME, &real);
	int64_t want = (int64_t)real.tv_sec * 1000000000 + real.tv_nsec;
	int64_t got = (int64_t)line_clock_epoch_ns(&clock, (uint64_t)monotonic.tv_sec * 1000000000u +
								   (uint64_t)monotonic.tv_nsec);
	assert_true(llabs(want - got) < 1000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),           cmocka_unit_test(test_hashes_in_display_order),
		cmocka_unit_test(test_unreadable_values), cmocka_unit_test(test_no_control_characters),
		cmocka_unit_test(test_any_bytes),         cmocka_unit_test(test_whole_lines),
		cmocka_unit_test(test_remarks_in_json),   cmocka_unit_test(test_wall_clock_time),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
