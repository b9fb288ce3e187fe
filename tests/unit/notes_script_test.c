/* Which program a script starts. */
#include "notes/script.h"
#include "surroundings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void
assert_finds(const char *script, const char *want)
{
	char got[SCRIPT_PROGRAM_BYTES];
	int fd = memfd_create("script", MFD_CLOEXEC);

	memset(got, 'x', sizeof(got));
	got[sizeof(got) - 1] = '\0';
	assert_true(fd >= 0);
	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	script_find_program(fd, got, sizeof(got));
	assert_string_equal(got, want);
	close(fd);
}

static void
test_no_program(void **state)
{
	char got[SCRIPT_PROGRAM_BYTES] = "x";

	(void)state;
	assert_finds("", "");
	assert_finds("#!/bin/sh\nbitcoind\n", "");
	/* Nothing can be read. */
	script_find_program(-1, got, sizeof(got));
	assert_string_equal(got, "");
}

static void
test_the_last_line_that_starts_one(void **state)
{
	(void)state;
	assert_finds("#!/bin/sh\n  exec nice bitcoind \"$@\"\n", " (its line: exec nice bitcoind \"$@\")");
	assert_finds("exec a\nexec b\x1b[2J\x7f\n# exec c\necho\n", " (its line: exec b?[2J?)");
}

static void
test_programs(void **state)
{
	char *dir = test_make_dir(), path[4096], script[16384], want[4200];

	(void)state;
	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/bitcoin-node", dir);
	fclose(fopen(path, "we"));
	snprintf(want, sizeof(want), ": %s", path);
	snprintf(script, sizeof(script), "#!%s\n#%s\nexec env A='%s' '%s' \"$@\"\n", path, path, dir, path);
	/* Not a program yet. */
	char line[4200];
	snprintf(line, sizeof(line), " (its line: exec env A='%s' '%s' \"$@\")", dir, path);
	assert_finds(script, line);
	assert_int_equal(chmod(path, 0755), 0);
	assert_finds(script, want);
	/* Of another name, or without its folder. */
	assert_finds("/bin/sh -c bitcoind\n", "");
	snprintf(script, sizeof(script), "%s\n", strchr(path + 1, '/'));
	assert_finds(script, "");
	unlink(path);
	rmdir(dir);
	free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_program),
		cmocka_unit_test(test_the_last_line_that_starts_one),
		cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
