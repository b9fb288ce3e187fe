#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_bound(void **state)
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
	assert_string_equal(buf.data, "abcde");
	buf_reset(&buf);
	assert_false(buf.overflow);
	assert_string_equal(buf.data, "");
	buf_fini(&buf);
}

static void
test_drop(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	buf_drop(&buf, 0); /* nothing was ever added */
	assert_int_equal(buf.len, 0);
	assert_true(buf_add(&buf, "a\0bcdefg", 8));
	buf_drop(&buf, 0);
	assert_int_equal(buf.len, 8);
	buf_drop(&buf, 3);
	assert_int_equal(buf.len, 5);
	assert_string_equal(buf.data, "cdefg");
	/* There is room for what was dropped. */
	assert_true(buf_puts(&buf, "hij"));
	assert_string_equal(buf.data, "cdefghij");
	buf_drop(&buf, buf.len);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf.data, "");
	buf_fini(&buf);
}

/* However full its memory is. */
static void
test_dropping_from_a_full_one(void **state)
{
	(void)state;
	for (size_t len = 1; len < 1100; len++) {
		struct buf buf;

		buf_init(&buf, len);
		for (size_t i = 0; i < len; i++)
			buf_putc(&buf, (char)('a' + i % 26));
		buf_drop(&buf, 1);
		assert_int_equal(buf.len, len - 1);
		assert_int_equal(strlen(buf.data), len - 1);
		assert_int_equal(buf.data[0], len > 1 ? 'b' : 0);
		buf_fini(&buf);
	}
}

static void
test_take(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	char *text = buf_take(&buf);
	assert_string_equal(text, "");
	free(text);
	assert_true(buf_printf(&buf, "%s %d", "number", 7));
	text = buf_take(&buf);
	assert_string_equal(text, "number 7");
	assert_int_equal(buf.len, 0);
	free(text);
	buf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_dropping_from_a_full_one),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
