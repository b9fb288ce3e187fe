/* Whatever is too long in a message, its reason and its remedy are there. */
#include "base/diag.h"
#include "base/xmem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

/* A path whose components are this one; the caller frees it. */
static char *
make_path(size_t len, const char *component)
{
	char *path = xmalloc(len + 1);

	for (size_t i = 0; i < len; i++)
		path[i] = i % 20 ? component[(i % 20 - 1) % strlen(component)] : '/';
	memcpy(path, "/begin", 6);
	memcpy(path + len - 4, "/end", 5);
	return path;
}

static void
assert_has(const struct diag *diag, const char *part)
{
	assert_true(memchr(diag->text, '\0', sizeof(diag->text)) != NULL);
	if (!strstr(diag->text, part))
		fail_msg("no '%s' in: %s", part, diag->text);
}

static const char *const components[] = {"abc", "a b c", "it'd be", "\xf0\x9f\x98\x80"};
static const size_t lens[] = {1900, 1990, 2010, 2047, 2048, 2049, 2200, 3900, 131000};

/* Calls it with each long path. */
static void
for_paths(void (*check)(const char *path))
{
	for (size_t c = 0; c < sizeof(components) / sizeof(components[0]); c++)
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			char *path = make_path(lens[i], components[c]);

			check(path);
			free(path);
		}
}

static void
check_one(const char *path)
{
	struct diag diag;

	assert_int_equal(
		diag_fail(&diag, -ENOENT, "node: failed to use '%s': not there; look elsewhere", path),
		-ENOENT);
	assert_has(&diag, "node: failed to use '/begin");
	assert_has(&diag, "/end': not there; look elsewhere");
	assert_int_equal(diag_prefix(&diag, -ENOENT, "starting '%s'", path), -ENOENT);
	assert_has(&diag, "starting '/begin");
	assert_has(&diag, "/end': node: failed to use '/begin");
	assert_has(&diag, "/end': not there; look elsewhere");
}

static void
test_one(void **state)
{
	(void)state;
	for_paths(check_one);
}

/* Without quotes, too. */
static void
check_unquoted(const char *path)
{
	struct diag diag;

	diag_fail(&diag, -ENOENT, "cannot read %s: not there; look elsewhere", path);
	assert_has(&diag, "cannot read /begin");
	assert_has(&diag, "/end: not there; look elsewhere");
}

static void
test_unquoted(void **state)
{
	(void)state;
	for_paths(check_unquoted);
}

static void
check_two(const char *path)
{
	struct diag diag;

	/* An apostrophe in a path may end the quotes. */
	if (strchr(path, '\''))
		return;
	diag_fail(&diag, -ENOENT,
		  "node's user cannot enter '%s', the folder of '%s', because it's gone: move '%s'", path,
		  path, path);
	assert_has(&diag, "node's user cannot enter '/begin");
	assert_has(&diag, "/end', the folder of '/begin");
	assert_has(&diag, "/end', because it's gone: move '/begin");
	assert_true(!strcmp(diag.text + strlen(diag.text) - 5, "/end'"));
}

static void
test_several(void **state)
{
	(void)state;
	for_paths(check_two);
}

/* What has room stays as it is, to the last byte. */
static void
test_room(void **state)
{
	struct diag diag, wide;
	char *path = make_path(sizeof(diag.text) - 3, "abc"), *want = xasprintf("'%s'", path);

	(void)state;
	diag_fail(&diag, -EIO, "'%s'", path);
	assert_string_equal(diag.text, want);
	diag_fail(&wide, -EIO, "'%s':", path);
	assert_null(strstr(wide.text, want));
	assert_has(&wide, " [... ");
	free(want);
	free(path);
}

/* No character is cut in two, and the note counts what is missing. */
static void
check_characters(const char *path)
{
	struct diag diag;
	size_t missing = 0, len = strlen(path);

	diag_fail(&diag, -EIO, "'%s': I/O error", path);
	const char *note = strstr(diag.text, " [... ");
	if (!note) {
		assert_true(len < sizeof(diag.text));
		return;
	}
	missing = strtoul(note + strlen(" [... "), NULL, 10);
	const char *end = strstr(note, " bytes ...] ");
	assert_non_null(end);
	end += strlen(" bytes ...] ");
	size_t head = (size_t)(note - diag.text), tail = strlen(end);
	assert_int_equal(head + missing + tail, len + strlen("'': I/O error"));
	assert_memory_equal(diag.text + 1, path, head - 1);
	assert_true(((unsigned char)path[head - 1] & 0xc0) != 0x80);
	assert_true(((unsigned char)*end & 0xc0) != 0x80);
}

static void
test_characters(void **state)
{
	(void)state;
	for_paths(check_characters);
}

/* A limit that explains the error is named after all. */
static void
check_limit(const char *path)
{
	struct diag diag;
	char *want = xasprintf("/end': %s; at most ", strerror(EMFILE));

	diag_fail(&diag, -EMFILE, "node: failed to open '%s': %s", path, strerror(EMFILE));
	assert_has(&diag, want);
	assert_has(&diag, ": raise the limit (ulimit -n, RLIMIT_NOFILE)");
	free(want);
}

static void
test_limit(void **state)
{
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur == RLIM_INFINITY)
		skip();
	for_paths(check_limit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),        cmocka_unit_test(test_unquoted),
		cmocka_unit_test(test_several),    cmocka_unit_test(test_room),
		cmocka_unit_test(test_characters), cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
