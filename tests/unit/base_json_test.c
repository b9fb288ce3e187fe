#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int
try_parse(const char *text, size_t len)
{
	struct diag diag = {0};
	struct json *doc = (void *)1;
	/* A copy without the NUL, so that sanitizers notice any read past the end. */
	char *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	int err = json_parse(&doc, copy, len, &diag);
	free(copy);
	if (err) {
		assert_null(doc);
		assert_non_null(strstr(diag.text, "json: failed to parse"));
		assert_null(strchr(diag.text, '\n'));
	} else {
		assert_non_null(doc);
	}
	json_free(doc);
	return err;
}

static struct json *
parse(const char *text)
{
	struct diag diag = {0};
	struct json *doc;

	if (json_parse(&doc, text, strlen(text), &diag))
		fail_msg("%s", diag.text);
	return doc;
}

static const char sample[] =
	"{\"result\": {\"txid\": \"ab\", \"vout\": [{\"value\": 12.50000000, \"n\": 0}, {\"value\": 0.00000001, \"n\": 1}], \"ok\": true, \"no\": false, \"nothing\": null, \"empty\": {}, \"none\": [], \"esc\": \"a\\\"\\u00e9\\ud83d\\ude00\\u0000b\", \"big\": 18446744073709551615, \"least\": -9223372036854775808, \"exp\": 1e-8},\n \"error\": null, \"id\": 1 }";

static void
test_lookup(void **state)
{
	struct json *doc = parse(sample);
	const struct json *result = json_get(doc, "result"), *vout = json_get(result, "vout");
	int64_t i;
	uint64_t u;
	size_t len;
	bool b;

	(void)state;
	assert_true(json_is_object(doc));
	assert_int_equal(json_cnt(doc), 3);
	assert_string_equal(json_key_at(doc, 2), "id");
	assert_null(json_key_at(doc, 3));
	assert_null(json_key_at(vout, 0));
	assert_string_equal(json_string(json_get(result, "txid")), "ab");
	assert_true(json_is_array(vout));
	assert_int_equal(json_cnt(vout), 2);
	assert_true(json_sat(json_get(json_at(vout, 0), "value"), &i));
	assert_int_equal(i, 1250000000);
	assert_true(json_sat(json_get(json_at(vout, 1), "value"), &i));
	assert_int_equal(i, 1);
	assert_true(json_sat(json_get(result, "exp"), &i));
	assert_int_equal(i, 1);
	assert_string_equal(json_number(json_get(json_at(vout, 0), "value")), "12.50000000");
	assert_null(json_at(vout, 2));
	assert_true(json_i64(json_get(json_at(vout, 1), "n"), &i));
	assert_int_equal(i, 1);
	assert_true(json_bool(json_get(result, "ok"), &b) && b);
	assert_true(json_bool(json_get(result, "no"), &b) && !b);
	assert_true(json_is_null(json_get(result, "nothing")));
	assert_true(json_is_null(json_get(doc, "error")));
	assert_int_equal(json_cnt(json_get(result, "empty")), 0);
	assert_int_equal(json_cnt(json_get(result, "none")), 0);
	assert_memory_equal(json_string_len(json_get(result, "esc"), &len), "a\"\xc3\xa9\xf0\x9f\x98\x80\0b",
			    10);
	assert_int_equal(len, 10);
	assert_true(json_u64(json_get(result, "big"), &u));
	assert_true(u == UINT64_MAX);
	assert_false(json_i64(json_get(result, "big"), &i));
	assert_true(json_i64(json_get(result, "least"), &i));
	assert_true(i == INT64_MIN);
	assert_false(json_u64(json_get(result, "least"), &u));

	/* Wrong types and nothing at all. */
	assert_false(json_i64(json_get(result, "txid"), &i));
	assert_false(json_i64(json_get(json_at(vout, 0), "value"), &i));
	assert_int_equal(i, 0);
	assert_false(json_bool(json_get(result, "nothing"), &b));
	assert_null(json_string(json_get(result, "big")));
	assert_null(json_string(NULL));
	assert_null(json_string_len(NULL, &len));
	assert_null(json_get(NULL, "x"));
	assert_null(json_get(vout, "x"));
	assert_null(json_at(NULL, 0));
	assert_null(json_number(NULL));
	assert_int_equal(json_cnt(NULL), 0);
	assert_int_equal(json_cnt(json_get(result, "txid")), 0);
	assert_false(json_is_null(NULL));
	assert_false(json_sat(NULL, &i));

	json_narrow(doc, json_get(result, "vout"));
	assert_int_equal(json_cnt(doc), 2);
	json_narrow(doc, doc);
	assert_true(json_i64(json_get(json_at(doc, 1), "n"), &i) && i == 1);
	json_free(doc);
	json_free(NULL);
}

static void
test_truncated(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(sample) - 1; len++)
		assert_int_equal(try_parse(sample, len), -EBADMSG);
	assert_int_equal(try_parse(sample, sizeof(sample) - 1), 0);
}

static void
test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"{",
		"}",
		"[",
		"]",
		"[1,]",
		"[,1]",
		"{\"a\":}",
		"{\"a\" 1}",
		"{a:1}",
		"{1:2}",
		"{\"a\":1,}",
		"'a'",
		"\"",
		"\"a",
		"\"\\x\"",
		"\"\\u12\"",
		"tru",
		"nul",
		"NaN",
		"Infinity",
		"-",
		"+1",
		"01",
		"1.",
		".5",
		"1e",
		"1e+",
		"0x10",
		"1 2",
		"{} x",
		"[1] ]",
		"// c\n1",
		"/* c */ 1",
		"\"a\nb\"",
		"\xef\xbb\xbf"
		"1",
		/* Not UTF-8: a lone continuation, overlong forms, a surrogate, above U+10FFFF, cut off. */
		"\"\x80\"",
		"\"\xc0\x80\"",
		"\"\xc1\xbf\"",
		"\"\xe0\x80\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"",
		"\"\xff\"",
		"\"\xe2\x82\"",
		"{\"\xc0\x80\":1}",
		"\"\\udc00\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (try_parse(texts[i], strlen(texts[i])) != -EBADMSG)
			fail_msg("taken: %s", texts[i]);
	assert_int_equal(try_parse("1\0", 2), -EBADMSG);
	assert_int_equal(try_parse("\"a\0b\"", 5), -EBADMSG);

	struct diag diag;
	struct json *doc;
	assert_int_equal(json_parse(&doc, "", (size_t)1 << 31, &diag), -EFBIG);
	assert_null(doc);
	assert_int_equal(json_parse(&doc, "x", 1, NULL), -EBADMSG);
}

static void
test_scalars(void **state)
{
	static const char *const texts[] = {"1",    " -0 ", "0.5e-10", "\"\"",       "true",
					    "null", "[]",   "{}",      "\"\\u0000\""};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(try_parse(texts[i], strlen(texts[i])), 0);
}

static void
test_depth(void **state)
{
	static const char *const openings[] = {"[", "{\"a\":"};

	(void)state;
	for (size_t o = 0; o < 2; o++) {
		for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
			struct buf text;

			buf_init(&text, 1 << 20);
			for (size_t i = 0; i < depth; i++)
				buf_puts(&text, openings[o]);
			buf_putc(&text, '1');
			for (size_t i = 0; i < depth; i++)
				buf_putc(&text, o ? '}' : ']');
			assert_int_equal(try_parse(text.data, text.len),
					 depth <= JSON_DEPTH_MAX ? 0 : -EBADMSG);
			buf_fini(&text);
		}
	}
	/* A million nested scopes: refused at once. */
	size_t len = 10 << 20;
	char *bomb = malloc(len);
	struct diag diag;
	struct json *doc;
	memset(bomb, '[', len);
	assert_int_equal(json_parse(&doc, bomb, len, &diag), -EBADMSG);
	assert_non_null(strstr(diag.text, "nested too deep"));
	free(bomb);
}

static void
test_huge(void **state)
{
	struct buf text;
	int64_t n;

	(void)state;
	/* A number of a million digits keeps its text, and is not a 64-bit number. */
	buf_init(&text, SIZE_MAX / 4);
	for (int i = 0; i < 1000000; i++)
		buf_putc(&text, '9');
	struct json *doc = parse(text.data);
	assert_string_equal(json_number(doc), text.data);
	assert_false(json_i64(doc, &n));
	assert_false(json_sat(doc, &n));
	json_free(doc);

	/* 100,000 elements: every one at once. */
	buf_reset(&text);
	buf_putc(&text, '[');
	for (int i = 0; i < 100000; i++)
		buf_printf(&text, "%s{\"i\":%d,\"s\":\"%d\"}", i ? "," : "", i, i);
	buf_putc(&text, ']');
	uint64_t began = clock_now_ns();
	doc = parse(text.data);
	uint64_t parsed = clock_now_ns();
	assert_int_equal(json_cnt(doc), 100000);
	for (size_t i = 0; i < 100000; i++) {
		assert_true(json_i64(json_get(json_at(doc, i), "i"), &n));
		assert_int_equal(n, i);
	}
	print_message("100,000 objects: parsed in %.1f ms, looked up in %.1f ms\n",
		      (double)(parsed - began) / 1e6, (double)(clock_now_ns() - parsed) / 1e6);
	json_free(doc);
	buf_fini(&text);
}

static void
assert_written(struct json_writer *writer, bool ok, const char *want)
{
	size_t len;
	struct json *doc;

	assert_int_equal(json_writer_is_ok(writer), ok);
	char *got = json_writer_take(writer, &len);
	assert_int_equal(strlen(got), len);
	if (want)
		assert_string_equal(got, want);
	if (json_parse(&doc, got, len, NULL))
		fail_msg("not valid: %s", got);
	json_free(doc);
	free(got);
	json_writer_free(writer);
}

static void
test_write(void **state)
{
	struct json_writer *w = json_writer_new(false);

	(void)state;
	json_writer_begin_object(w);
	json_writer_key(w, "a\"b");
	json_writer_begin_array(w);
	json_writer_i64(w, INT64_MIN);
	json_writer_u64(w, UINT64_MAX);
	json_writer_bool(w, true);
	json_writer_bool(w, false);
	json_writer_null(w);
	json_writer_number(w, "-0.50e+3");
	json_writer_string(w, NULL);
	json_writer_string(w, "tab\t nl\n \x01 \x7f \\ / \xc3\xa9");
	json_writer_string_len(w, "a\0b", 3);
	json_writer_end_array(w);
	json_writer_key(w, "o");
	json_writer_begin_object(w);
	json_writer_end_object(w);
	json_writer_end_object(w);
	assert_written(
		w, true,
		"{\"a\\\"b\":[-9223372036854775808,18446744073709551615,true,false,null,-0.50e+3,null,\"tab\\t nl\\n \\u0001 \x7f \\\\ / \xc3\xa9\",\"a\\u0000b\"],\"o\":{}}");

	w = json_writer_new(true);
	json_writer_begin_array(w);
	json_writer_i64(w, 1);
	json_writer_end_array(w);
	assert_written(w, true, "[\n  1\n]\n");
	json_writer_free(NULL);

	char *quoted = json_quote("a\"\\\n\xff");
	assert_string_equal(quoted, "\"a\\\"\\\\\\n\xef\xbf\xbd\"");
	free(quoted);
}

static void
test_members(void **state)
{
	struct json_writer *w = json_writer_new(false);

	(void)state;
	json_writer_begin_object(w);
	json_member_string(w, "string", "s");
	json_member_string(w, "no string", NULL);
	json_writer_key(w, "i64");
	json_writer_i64(w, INT64_MIN);
	json_member_u64(w, "u64", 0);
	json_member_u64_or_null(w, "some", UINT64_MAX);
	json_member_u64_or_null(w, "none", 0);
	json_member_bool(w, "bool", true);
	json_member_null(w, "null");
	json_writer_key(w, "number");
	json_writer_number(w, "0.5");
	json_member_begin_object(w, "object");
	json_writer_end_object(w);
	json_member_begin_array(w, "array");
	json_writer_end_array(w);
	json_writer_end_object(w);
	assert_written(
		w, true,
		"{\"string\":\"s\",\"no string\":null,\"i64\":-9223372036854775808,\"u64\":0,\"some\":18446744073709551615,\"none\":null,\"bool\":true,\"null\":null,\"number\":0.5,\"object\":{},\"array\":[]}");

	/* A member outside of an object is a mistake. */
	w = json_writer_new(false);
	json_writer_begin_array(w);
	json_member_u64(w, "u64", 1);
	assert_written(w, false, NULL);

	/* So is one where a value must come. */
	w = json_writer_new(false);
	json_writer_begin_object(w);
	json_writer_key(w, "a");
	json_member_string(w, "b", "value of a");
	assert_written(w, false, "{\"a\":\"value of a\"}");

	/* A number that is not one becomes null. */
	w = json_writer_new(false);
	json_writer_begin_object(w);
	json_writer_key(w, "a");
	json_writer_number(w, "1.");
	assert_written(w, false, "{\"a\":null}");
}

static void
test_write_bad_utf8(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"\x80", "\"\xef\xbf\xbd\""},
		{"a\xc3", "\"a\xef\xbf\xbd\""},
		{"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xed\xa0\x80x", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\""},
		{"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xe2\x82\xac\xff", "\"\xe2\x82\xac\xef\xbf\xbd\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_writer *w = json_writer_new(false);

		json_writer_string(w, cases[i].in);
		assert_written(w, true, cases[i].want);
	}
	/* Every pair of bytes, as a value and as a name. */
	for (unsigned a = 0; a < 256; a++) {
		struct json_writer *w = json_writer_new(false);

		json_writer_begin_array(w);
		for (unsigned b = 0; b < 256; b++) {
			char pair[3] = {(char)a, (char)b, 0};

			json_writer_string_len(w, pair, 2);
			json_writer_begin_object(w);
			json_writer_key(w, pair);
			json_writer_null(w);
			json_writer_end_object(w);
		}
		assert_written(w, true, NULL);
	}
}

static void
test_write_interrupted(void **state)
{
	struct json_writer *w = json_writer_new(false);

	(void)state;
	assert_written(w, true, "null");

	w = json_writer_new(false);
	json_writer_begin_object(w);
	json_writer_key(w, "a");
	json_writer_begin_array(w);
	json_writer_begin_object(w);
	assert_written(w, true, "{\"a\":[{}]}");

	w = json_writer_new(false);
	json_writer_begin_object(w);
	json_writer_key(w, "a");
	assert_written(w, true, "{\"a\":null}");

	/* Used again. */
	w = json_writer_new(false);
	json_writer_i64(w, 1);
	free(json_writer_take(w, NULL));
	json_writer_i64(w, 2);
	assert_written(w, true, "2");
}

static void
test_write_misused(void **state)
{
	struct json_writer *w = json_writer_new(false);

	(void)state;
	json_writer_begin_object(w);
	json_writer_i64(w, 1);      /* no key */
	json_writer_begin_array(w); /* no key: ignored with its content */
	json_writer_i64(w, 2);
	json_writer_end_array(w);
	json_writer_end_array(w); /* wrong end */
	json_writer_key(w, "a");
	json_writer_key(w, "b"); /* key on key */
	json_writer_i64(w, 3);
	json_writer_end_object(w);
	json_writer_i64(w, 4); /* a second value */
	json_writer_end_object(w);
	json_writer_key(w, "x");
	assert_written(w, false, "{\"a\":3}");

	static const char *const numbers[] = {"",   "-",  "nan", "inf", "01",  "1.",
					      ".1", "1e", "0x1", "1 ",  "1,2", "+1"};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		w = json_writer_new(false);
		json_writer_number(w, numbers[i]);
		assert_written(w, false, "null");
	}

	/* Too deep: in an array, and after a key. */
	for (int keyed = 0; keyed < 2; keyed++) {
		w = json_writer_new(false);
		for (int i = 0; i < JSON_DEPTH_MAX + 50; i++) {
			if (keyed) {
				json_writer_begin_object(w);
				json_writer_key(w, "k");
			} else {
				json_writer_begin_array(w);
			}
		}
		json_writer_i64(w, 1);
		for (int i = 0; i < JSON_DEPTH_MAX + 50; i++) {
			if (keyed)
				json_writer_end_object(w);
			else
				json_writer_end_array(w);
		}
		assert_written(w, false, NULL);
	}
}

/* Calls in any order give valid text. */
static void
test_write_random(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct json_writer *w = json_writer_new(round % 2);
		int calls = round % 97;

		for (int i = 0; i < calls; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			switch (seed >> 60) {
			case 0:
			case 1:
				json_writer_begin_object(w);
				break;
			case 2:
			case 3:
				json_writer_begin_array(w);
				break;
			case 4:
				json_writer_end_object(w);
				break;
			case 5:
				json_writer_end_array(w);
				break;
			case 6:
			case 7:
			case 8:
			case 9:
				json_writer_key(w, "k");
				break;
			case 10:
				json_writer_string(w, "s\xff");
				break;
			case 11:
				json_writer_number(w, "1.5");
				break;
			case 12:
				json_writer_number(w, "x");
				break;
			default:
				json_writer_i64(w, i);
			}
		}
		assert_written(w, json_writer_is_ok(w), NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),         cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_refused),        cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_depth),          cmocka_unit_test(test_huge),
		cmocka_unit_test(test_write),          cmocka_unit_test(test_members),
		cmocka_unit_test(test_write_bad_utf8), cmocka_unit_test(test_write_interrupted),
		cmocka_unit_test(test_write_misused),  cmocka_unit_test(test_write_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
