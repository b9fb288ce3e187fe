#include "base/buf.h"
#include "base/text.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_u64(void **state)
{
	static const char *const bad[] = {"",
					  " 1",
					  "1 ",
					  "+1",
					  "-1",
					  "-0",
					  "1x",
					  "0x1",
					  "18446744073709551616",
					  "1.0",
					  "99999999999999999999999",
					  "\t1",
					  "1\n"};
	uint64_t n;

	(void)state;
	assert_true(parse_u64("0", &n) && n == 0);
	assert_true(parse_u64("007", &n) && n == 7);
	assert_true(parse_u64("18446744073709551615", &n) && n == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		n = 5;
		assert_false(parse_u64(bad[i], &n));
		assert_true(n == 0);
	}
}

static void
test_i64(void **state)
{
	static const char *const bad[] = {
		"",   "-", "--1", "+1", " 1", "- 1", "1 ", "9223372036854775808", "-9223372036854775809",
		"1e3"};
	int64_t n;

	(void)state;
	assert_true(parse_i64("-0", &n) && n == 0);
	assert_true(parse_i64("9223372036854775807", &n) && n == INT64_MAX);
	assert_true(parse_i64("-9223372036854775808", &n) && n == INT64_MIN);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		n = 5;
		assert_false(parse_i64(bad[i], &n));
		assert_true(n == 0);
	}
}

static void
test_btc(void **state)
{
	static const struct {
		const char *s;
		int64_t sat;
	} good[] = {
		{"0", 0},
		{"0.00000000", 0},
		{"-0.00000000", 0},
		{"1", 100000000},
		{"12.5", 1250000000},
		{"0.00000001", 1},
		{"-0.00000001", -1},
		{"5e-8", 5},
		{"1E-8", 1},
		{"1e+1", 1000000000},
		{"1e1", 1000000000},
		{"20999999.97690000", 2099999997690000},
		{"0.1", 10000000},
		{"0.29", 29000000},
		{"1.10000000000", 110000000},
		{"92233720368.54775807", INT64_MAX},
		{"0e30", 0},
		{"100e-10", 1},
	};
	static const char *const bad[] = {"",
					  "-",
					  ".",
					  "1.2.3",
					  "0.000000001",
					  "1e-9",
					  "1e",
					  "1e+",
					  "1e31",
					  "1e-31",
					  "1 ",
					  " 1",
					  "+1",
					  "x",
					  "1x",
					  "92233720368.54775808",
					  "1e12",
					  "99999999999999999999999999",
					  "1e1.5",
					  "nan",
					  "--1"};
	int64_t sat;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!parse_btc_as_sat(good[i].s, &sat) || sat != good[i].sat)
			fail_msg("'%s': %lld", good[i].s, (long long)sat);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sat = 5;
		if (parse_btc_as_sat(bad[i], &sat) || sat)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void
test_hex(void **state)
{
	uint8_t bytes[4];
	char hex[9];

	(void)state;
	assert_true(parse_hex("00fFa5", bytes, 3));
	assert_memory_equal(bytes, "\x00\xff\xa5", 3);
	format_hex(bytes, 3, hex);
	assert_string_equal(hex, "00ffa5");
	format_hex(bytes, 0, hex);
	assert_string_equal(hex, "");
	assert_true(parse_hex("", bytes, 0));
	assert_false(parse_hex("00ff", bytes, 3));
	assert_false(parse_hex("00ffa5aa", bytes, 3));
	assert_false(parse_hex("00ffa", bytes, 3));
	assert_false(parse_hex("00ffg5", bytes, 3));
	assert_false(parse_hex("0x00ff", bytes, 3));
}

static void
test_hash(void **state)
{
	static const char display[] = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
	uint8_t wire[32];
	char hex[65];

	(void)state;
	assert_true(parse_hash(display, wire));
	assert_int_equal(wire[0], 0x06);
	assert_int_equal(wire[31], 0x0f);
	format_hash(wire, hex);
	assert_string_equal(hex, display);
	assert_false(parse_hash(display + 2, wire));
	for (int i = 0; i < 32; i++)
		assert_int_equal(wire[i], 0);
}

static void
test_buf_grows(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1 << 20);
	assert_null(buf.data);
	for (int i = 0; i < 10000; i++) {
		assert_true(buf_printf(&buf, "%d,", i % 10));
		assert_int_equal(buf.len, strlen(buf.data));
	}
	assert_int_equal(buf.len, 20000);
	buf_reset(&buf);
	assert_string_equal(buf.data, "");
	assert_true(buf_puts(&buf, "ab"));
	assert_true(buf_putc(&buf, 'c'));
	assert_true(buf_add(&buf, "\0d", 2));
	assert_true(buf_add(&buf, NULL, 0));
	assert_memory_equal(buf.data, "abc\0d", 6);
	char *s = buf_take(&buf);
	assert_memory_equal(s, "abc\0d", 6);
	free(s);
	assert_null(buf.data);
	assert_int_equal(buf.max, 1 << 20);
	s = buf_take(&buf);
	assert_string_equal(s, "");
	free(s);
	buf_fini(&buf);
	buf_fini(&buf);
}

static void
test_buf_bound(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	assert_true(buf_puts(&buf, "abc"));
	assert_false(buf_puts(&buf, "def"));
	assert_true(buf.overflow);
	assert_string_equal(buf.data, "abc");
	assert_true(buf_puts(&buf, "de"));
	assert_false(buf_putc(&buf, 'f'));
	assert_false(buf_add(&buf, "x", SIZE_MAX));
	assert_false(buf_printf(&buf, "%d", 1));
	assert_string_equal(buf.data, "abcde");
	buf_reset(&buf);
	assert_false(buf.overflow);
	assert_int_equal(buf.len, 0);
	buf_fini(&buf);

	buf_init(&buf, 0);
	assert_true(buf_puts(&buf, ""));
	assert_string_equal(buf.data, "");
	assert_false(buf_putc(&buf, 'x'));
	buf_fini(&buf);
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t code;
		size_t len;
	} rows[] = {
		{"a", 'a', 1},
		{"\x7f", 0x7f, 1},
		{"\xc2\x80x", 0x80, 2},
		{"\xdf\xbf", 0x7ff, 2},
		{"\xe0\xa0\x80", 0x800, 3},
		{"\xed\x9f\xbf", 0xd7ff, 3},
		{"\xef\xbf\xbd", 0xfffd, 3},
		{"\xf0\x9f\x98\x80x", 0x1f600, 4},
		{"\xf4\x8f\xbf\xbf", 0x10ffff, 4},
		/* Truncated, overlong, a surrogate, too large, a lone continuation: */
		{"\xc2", 0xfffd, 1},
		{"\xe2\x82", 0xfffd, 1},
		{"\xf0\x9f\x98", 0xfffd, 1},
		{"\xc0\x80", 0xfffd, 1},
		{"\xe0\x9f\xbf", 0xfffd, 1},
		{"\xf0\x8f\xbf\xbf", 0xfffd, 1},
		{"\xed\xa0\x80", 0xfffd, 1},
		{"\xf4\x90\x80\x80", 0xfffd, 1},
		{"\x80", 0xfffd, 1},
		{"\xff", 0xfffd, 1},
		{"\xc3(", 0xfffd, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len;
		uint32_t code = utf8_first(rows[i].bytes, &len);

		if (code != rows[i].code || len != rows[i].len)
			fail_msg("row %zu: U+%04X of %zu bytes", i, code, len);
		bool bad = rows[i].code == 0xfffd && rows[i].len == 1;
		assert_int_equal(utf8_len(rows[i].bytes, strlen(rows[i].bytes)), bad ? 0 : rows[i].len);
	}
}

static void
test_show_nul(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *want;
	} rows[] = {
		{"", 0, ""},
		{"\0", 1, "\\x00"},
		{"a\0b", 3, "a\\x00b"},
		{"\0\0\0\0\0\0\0\0", 8, "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"},
		{"\0\0\0\0\0\0\0\0\0", 9, "\\x00 (9 times)"},
		{"x\0\0\0\0\0\0\0\0\0\0y\0", 13, "x\\x00 (10 times)y\\x00"},
		{"\xff\x1b", 2, "\xff\x1b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *shown = utf8_show_nul(rows[i].bytes, rows[i].len);

		assert_string_equal(shown, rows[i].want);
		free(shown);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),       cmocka_unit_test(test_i64),
		cmocka_unit_test(test_btc),       cmocka_unit_test(test_hex),
		cmocka_unit_test(test_hash),      cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_buf_bound), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_show_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
