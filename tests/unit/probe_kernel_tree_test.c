/* The folder of headers for libbcc: whatever goes wrong, nothing of it stays, and the reason is the true one. */
#include "probe/bpf/kernel_tree.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char template[] = TEST_BUILD_DIR "/kernel_tree-XXXXXX";
static char folder[sizeof(template)];

static int
make_folder(void **state)
{
	(void)state;
	memcpy(folder, template, sizeof(template));
	return mkdtemp(folder) ? 0 : -1;
}

/* Fails if anything is left in it. */
static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void
limit(int resource, rlim_t value, struct rlimit *old)
{
	struct rlimit new;

	assert_int_equal(getrlimit((__rlimit_resource_t)resource, old), 0);
	new = *old;
	new.rlim_cur = value;
	assert_int_equal(setrlimit((__rlimit_resource_t)resource, &new), 0);
}

static void
removal_opens_nothing(void **state)
{
	struct diag diag;
	struct rlimit old;
	struct stat st;
	struct keeper *keeper;
	struct folder tree;
	char file[4096];

	(void)state;
	assert_int_equal(keeper_start(&keeper, NULL, &diag), 0);
	assert_int_equal(kernel_tree_write(&tree, keeper, folder, &diag), 0);
	snprintf(file, sizeof(file), "%s/include/linux/types.h", tree.path);
	assert_int_equal(stat(file, &st), 0);
	limit(RLIMIT_NOFILE, 0, &old);
	kernel_tree_remove(&tree);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	keeper_stop(keeper, NULL);
}

static void
without_descriptors(void **state)
{
	struct diag diag;
	struct rlimit old;
	struct folder tree;

	(void)state;
	limit(RLIMIT_NOFILE, 0, &old);
	int err = kernel_tree_write(&tree, NULL, folder, &diag);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(err, -EMFILE);
	assert_null(tree.path);
	assert_non_null(
		strstr(diag.text,
		       "Too many open files; at most 0 files may be open here: raise the limit (ulimit -n"));
}

static void
files_too_large(void **state)
{
	struct diag diag;
	struct rlimit old;
	struct folder tree;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_FSIZE, 10, &old);
	int err = kernel_tree_write(&tree, NULL, folder, &diag);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(err, -EFBIG);
	assert_null(tree.path);
	assert_non_null(
		strstr(diag.text,
		       "File too large; a file may have at most 10 bytes here: raise the limit (ulimit -f"));
}

static void
no_folder(void **state)
{
	char missing[sizeof(folder) + 8];
	struct diag diag;
	struct folder tree;

	(void)state;
	snprintf(missing, sizeof(missing), "%s/none", folder);
	assert_int_equal(kernel_tree_write(&tree, NULL, missing, &diag), -ENOENT);
	assert_null(tree.path);
	assert_non_null(strstr(diag.text, "set TMPDIR to a directory that can be written to"));
	kernel_tree_remove(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(removal_opens_nothing, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(without_descriptors, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(files_too_large, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(no_folder, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
