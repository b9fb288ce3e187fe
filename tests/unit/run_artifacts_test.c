/* What a failed scenario leaves behind. */
#include "base/finding.h"
#include "contract/contract.h"
#include "run/artifacts.h"
#include "surroundings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OTHER_USER = 4711, OTHER_GROUP = 4712 };

static char *top;

static char *
path_in(const char *dir, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
assert_content(const char *dir, const char *name, const char *want)
{
	char got[8192];
	FILE *file = fopen(path_in(dir, name), "re");

	if (!file)
		fail_msg("%s/%s: %s", dir, name, strerror(errno));
	got[fread(got, 1, sizeof(got) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(got, want);
}

static struct artifacts *
artifacts_in(const char *dir, uid_t uid, gid_t gid)
{
	return artifacts_new(&(struct artifacts_opts){.dir = dir, .tmp_dir = top, .uid = uid, .gid = gid});
}

static struct value
bytes_value(enum value_type type, const char *bytes, size_t len)
{
	return (struct value){.type = type, .bytes = (const uint8_t *)bytes, .len = len, .full_len = len};
}

static void
test_events(void **state)
{
	static const char hash[32] = {1, 2, 3};
	struct event events[2] = {
		{.tracepoint = TP_NET_INBOUND_MESSAGE,
		 .release = RELEASE_MASTER,
		 .time_ns = 1234567890123,
		 .tid = 4242,
		 .seq = 7,
		 .args_cnt = 7,
		 .args = {{.type = VALUE_INT, .i = -5},
			  bytes_value(VALUE_STRING, "a\"b\0c", 5),
			  {.type = VALUE_STRING, .state = VALUE_BAD_POINTER, .error = EFAULT},
			  {.type = VALUE_UINT, .state = VALUE_BAD_OPERAND, .error = EINVAL},
			  {.type = VALUE_UINT, .u = UINT64_MAX},
			  bytes_value(VALUE_BYTES, "\x00\xff", 2),
			  {.type = VALUE_BOOL, .u = 1}}},
		{.tracepoint = TP_UTXOCACHE_ADD,
		 .release = RELEASE_MASTER,
		 .args_cnt = 3,
		 .args = {bytes_value(VALUE_HASH, hash, 32),
			  {.type = VALUE_BOOL},
			  {.type = VALUE_BOOL, .u = 2}}}};
	struct report_result result = {.repeat = (char *)(uintptr_t) "tpcheck run a.b"};
	struct artifacts *artifacts = artifacts_in(NULL, 0, 0);

	(void)state;
	events[0].args[5].state = VALUE_CUT;
	char *dir = artifacts_keep(artifacts, "a.b", NULL, events, 2, &result, NULL);
	assert_non_null(dir);
	assert_content(
		dir, "events.jsonl",
		"{\"time_ns\":1234567890123,\"tid\":4242,\"seq\":7,\"tracepoint\":\"net:inbound_message\",\"args\":{\"peer_id\":-5,\"address\":\"a\\\"b\\u0000c\",\"connection_type\":{\"not_readable\":\"Bad address\"},\"message_type\":{\"not_readable\":\"Invalid argument\"},\"size\":18446744073709551615,\"payload\":\"00ff\",\"argument_6_cut\":true,\"argument_7\":true}}\n"
		"{\"time_ns\":0,\"tid\":0,\"seq\":0,\"tracepoint\":\"utxocache:add\",\"args\":{\"txid\":\"0000000000000000000000000000000000000000000000000000000000030201\",\"vout\":false,\"height\":2}}\n");
	assert_content(dir, "command", "tpcheck run a.b\n");
	assert_int_equal(access(path_in(dir, "reason"), F_OK), -1);
	assert_int_equal(access(path_in(dir, "probes.c"), F_OK), -1);
	free(dir);
	artifacts_free(artifacts);
}

/* A folder of its own for each; nothing that is there is written to. */
static void
test_folders(void **state)
{
	struct report_result result = {.reason = (char *)(uintptr_t) "why"};
	struct diag diag;
	char *base = strdup(path_in(top, "some/new/folder"));

	(void)state;
	for (int run = 0; run < 2; run++) {
		struct artifacts *artifacts = artifacts_in(base, 0, 0);

		assert_int_equal(artifacts_prepare(artifacts, &diag), 0);
		for (int nth = 1; nth <= 2; nth++) {
			char *dir = artifacts_keep(artifacts, "x", NULL, NULL, 0, &result, "the probes");
			char name[16] = "x";

			if (run + nth > 1)
				snprintf(name, sizeof(name), "x.%d", 2 * run + nth);
			assert_string_equal(dir, path_in(base, name));
			assert_content(dir, "reason", "why");
			assert_content(dir, "probes.c", "the probes");
			assert_content(dir, "events.jsonl", "");
			assert_content(dir, "command", "\n");
			free(dir);
		}
		artifacts_free(artifacts);
	}
	free(base);
}

static void
test_no_folder(void **state)
{
	struct diag diag;
	char *file = strdup(path_in(top, "file")), *below = strdup(path_in(top, "file/folder"));

	(void)state;
	fclose(fopen(file, "we"));
	const char *const dirs[] = {file, below};
	const char *const verbs[] = {"failed to use", "failed to make"};
	for (size_t i = 0; i < 2; i++) {
		struct artifacts *artifacts = artifacts_in(dirs[i], 0, 0);

		assert_int_equal(artifacts_prepare(artifacts, &diag), -ENOTDIR);
		assert_int_equal(strncmp(diag.text, verbs[i], strlen(verbs[i])), 0);
		assert_non_null(strstr(diag.text, "' for artifacts: Not a directory; choose another place"));
		assert_null(artifacts_keep(artifacts, "x", NULL, NULL, 0, &(struct report_result){0}, NULL));
		artifacts_free(artifacts);
	}
	free(file);
	free(below);
}

static void
assert_owner(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
}

/* Under sudo everything is the caller's; otherwise it stays root's. */
static void
test_owner(void **state)
{
	static const char *const names[] = {"findings.json", "command", "reason", "probes.c", "events.jsonl"};
	struct report_result result = {.reason = (char *)(uintptr_t) "why"};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int given = 0; given <= 1; given++) {
		uid_t uid = given ? OTHER_USER : 0;
		gid_t gid = given ? OTHER_GROUP : 0;
		struct artifacts *artifacts = artifacts_in(NULL, uid, gid);
		char *dir = artifacts_keep(artifacts, "x", NULL, NULL, 0, &result, "the probes");

		assert_non_null(dir);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			assert_owner(path_in(dir, names[i]), uid, gid);
		assert_owner(dir, uid, gid);
		*strrchr(dir, '/') = '\0';
		assert_owner(dir, uid, gid);
		free(dir);
		artifacts_free(artifacts);
	}
}

/* What was dropped is gone, with the folder around it. */
static void
test_drop(void **state)
{
	struct report_result result = {.reason = (char *)(uintptr_t) "why"};
	struct artifacts *artifacts = artifacts_in(NULL, 0, 0);
	char *dir = artifacts_keep(artifacts, "x", NULL, NULL, 0, &result, "the probes");

	(void)state;
	assert_int_equal(access(dir, F_OK), 0);
	artifacts_drop(artifacts, dir);
	assert_int_equal(access(dir, F_OK), -1);
	artifacts_free(artifacts);
	*strrchr(dir, '/') = '\0';
	assert_int_equal(access(dir, F_OK), -1);
	free(dir);
}

/* Who owns the folder, as the caller of sudo does, cannot make root remove other files. */
static void
test_drop_replaced(void **state)
{
	struct report_result result = {0};
	char *victim = strdup(path_in(top, "victim"));

	(void)state;
	assert_int_equal(mkdir(victim, 0700), 0);
	fclose(fopen(path_in(victim, "debug.log"), "we"));
	for (int is_link = 0; is_link <= 1; is_link++) {
		struct artifacts *artifacts = artifacts_in(NULL, 0, 0);
		char *dir = artifacts_keep(artifacts, "x", NULL, NULL, 0, &result, NULL);

		assert_int_equal(rename(dir, path_in(top, is_link ? "moved.1" : "moved.0")), 0);
		if (is_link)
			assert_int_equal(symlink(victim, dir), 0);
		else
			assert_int_equal(rename(victim, dir), 0);
		artifacts_drop(artifacts, dir);
		if (!is_link)
			assert_int_equal(rename(dir, victim), 0);
		assert_content(victim, "debug.log", "");
		artifacts_free(artifacts);
		free(dir);
	}
	free(victim);
}

static int
make_top(void **state)
{
	(void)state;
	top = test_make_dir();
	return top ? 0 : -1;
}

static int
remove_top(void **state)
{
	(void)state;
	char *command = NULL;
	int err = asprintf(&command, "rm -rf '%s'", top) < 0 || system(command);

	free(command);
	free(top);
	return err ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_events, make_top, remove_top),
		cmocka_unit_test_setup_teardown(test_folders, make_top, remove_top),
		cmocka_unit_test_setup_teardown(test_no_folder, make_top, remove_top),
		cmocka_unit_test_setup_teardown(test_owner, make_top, remove_top),
		cmocka_unit_test_setup_teardown(test_drop, make_top, remove_top),
		cmocka_unit_test_setup_teardown(test_drop_replaced, make_top, remove_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
