#include "base/buf.h"
#include "base/cache.h"
#include "base/xmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A new folder for each test; below it is the cache's. */
static char work[64], folder[96];
static bool has_unnamed_files;

static int
make_work(void **state)
{
	(void)state;
	snprintf(work, sizeof(work), "/tmp/tpcheck-test-XXXXXX");
	snprintf(folder, sizeof(folder), "%s/cache", mkdtemp(work) ? work : "/nonexistent");
	int fd = open(work, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	has_unnamed_files = fd >= 0;
	if (fd >= 0)
		close(fd);
	return 0;
}

/* The files of the cache, "." and ".." not counted; *first is the name of one. */
static unsigned
count_files(char first[400])
{
	DIR *dir = opendir(folder);
	unsigned cnt = 0;

	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		if (*entry->d_name == '.')
			continue;
		cnt++;
		if (first)
			snprintf(first, 400, "%s/%s", folder, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return cnt;
}

static int
remove_work(void **state)
{
	char path[400];

	(void)state;
	chmod(folder, 0700);
	while (count_files(path) && !remove(path))
		;
	remove(folder);
	return rmdir(work);
}

static struct buf
text(const char *bytes, size_t len)
{
	struct buf buf;

	buf_init(&buf, CACHE_FILE_BYTES_MAX);
	assert_true(buf_add(&buf, bytes, len));
	return buf;
}

static int
store(const char *key, const char *value)
{
	struct buf key_buf = text(key, strlen(key)), value_buf = text(value, strlen(value));
	int err = cache_store(folder, &key_buf, &value_buf);

	buf_fini(&key_buf);
	buf_fini(&value_buf);
	return err;
}

/* Whether the key has a value; if so, it is that one. */
static bool
finds(const char *key, const char *value)
{
	struct buf key_buf = text(key, strlen(key)), found;

	buf_init(&found, CACHE_FILE_BYTES_MAX);
	bool ok = cache_find(folder, &key_buf, &found);
	if (ok)
		assert_string_equal(found.data, value);
	else
		assert_int_equal(found.len, 0);
	buf_fini(&key_buf);
	buf_fini(&found);
	return ok;
}

/* In a container, overlayfs may have none; nothing is kept there. */
static bool
is_unsupported(void)
{
	if (has_unnamed_files)
		return false;
	assert_true(store("key", "value") < 0);
	assert_false(finds("key", ""));
	print_message("SKIP: the file system of /tmp has no files without a name\n");
	return true;
}

static void
test_finds_what_was_stored(void **state)
{
	struct stat st;
	char path[400];

	(void)state;
	if (is_unsupported())
		return;
	assert_false(finds("key", ""));
	assert_int_equal(store("key", "value"), 0);
	assert_true(finds("key", "value"));
	assert_false(finds("key2", ""));
	assert_false(finds("ke", ""));
	assert_int_equal(store("key2", "another"), 0);
	assert_true(finds("key2", "another"));
	assert_true(finds("key", "value"));
	/* Instead of the earlier one. */
	assert_int_equal(store("key", "new"), 0);
	assert_true(finds("key", "new"));
	assert_int_equal(count_files(path), 2);
	assert_int_equal(store("empty", ""), 0);
	assert_true(finds("empty", ""));
	/* Nobody else can read or write there. */
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
overwrite(const char *path, off_t at, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), len);
	close(fd);
}

/* Whatever byte of a file differs, and wherever it ends, it is no hit. */
static void
test_damaged_file(void **state)
{
	char path[400], data[512];

	(void)state;
	if (is_unsupported())
		return;
	assert_int_equal(store("the key", "the value"), 0);
	assert_int_equal(count_files(path), 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, data, sizeof(data));
	close(fd);
	assert_int_equal(len, 8 + 3 * 8 + strlen("the key") + strlen("the value"));
	for (ssize_t i = 0; i < len; i++) {
		char other = (char)(data[i] ^ 1);

		overwrite(path, i, &other, 1);
		assert_false(finds("the key", ""));
		overwrite(path, i, &data[i], 1);
	}
	assert_true(finds("the key", "the value"));
	overwrite(path, len, "x", 1);
	assert_false(finds("the key", ""));
	for (ssize_t i = len - 1; i >= 0; i--) {
		assert_int_equal(truncate(path, i), 0);
		assert_false(finds("the key", ""));
	}
	/* Lengths whose sum is right again after an overflow. */
	overwrite(path, 0, data, (size_t)len);
	uint64_t key_len = strlen("the key"), value_len = UINT64_MAX - key_len;
	overwrite(path, 24, &value_len, sizeof(value_len));
	assert_false(finds("the key", ""));
}

/* The same name, as if two keys had one hash. */
static void
test_other_key_with_that_name(void **state)
{
	char first[400], second[400];

	(void)state;
	if (is_unsupported())
		return;
	assert_int_equal(store("one", "value of one"), 0);
	count_files(first);
	char *aside = xasprintf("%s/aside", work);
	assert_int_equal(rename(first, aside), 0);
	assert_int_equal(store("two", "value of two"), 0);
	count_files(second);
	assert_int_equal(rename(aside, second), 0);
	free(aside);
	assert_false(finds("two", ""));
}

static void
test_files_of_others(void **state)
{
	char path[400];

	(void)state;
	if (is_unsupported())
		return;
	assert_int_equal(store("key", "value"), 0);
	count_files(path);
	for (mode_t bit = 02; bit <= 020; bit <<= 3) {
		assert_int_equal(chmod(path, 0600 | bit), 0);
		assert_false(finds("key", ""));
		assert_int_equal(chmod(path, 0600), 0);
		assert_true(finds("key", "value"));
		assert_int_equal(chmod(folder, 0700 | bit), 0);
		assert_false(finds("key", ""));
		assert_int_equal(store("key", "other"), -EPERM);
		assert_int_equal(chmod(folder, 0700), 0);
		assert_true(finds("key", "value"));
	}
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, 0), 0);
		assert_false(finds("key", ""));
		assert_int_equal(chown(path, 0, 0), 0);
		assert_int_equal(chown(folder, 65534, 0), 0);
		assert_false(finds("key", ""));
		assert_int_equal(store("key", "other"), -EPERM);
		assert_int_equal(chown(folder, 0, 0), 0);
		assert_true(finds("key", "value"));
	}
	/* Links, and what would block. */
	char *aside = xasprintf("%s/aside", work);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink(aside, path), 0);
	assert_false(finds("key", ""));
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(finds("key", ""));
	assert_int_equal(remove(path), 0);
	assert_int_equal(rename(aside, path), 0);
	assert_true(finds("key", "value"));
	assert_int_equal(rename(folder, aside), 0);
	assert_int_equal(symlink(aside, folder), 0);
	assert_false(finds("key", ""));
	assert_int_not_equal(store("key", "other"), 0);
	assert_int_equal(remove(folder), 0);
	assert_int_equal(rename(aside, folder), 0);
	free(aside);
}

static void
test_what_was_used_last_stays(void **state)
{
	char key[16];

	(void)state;
	if (is_unsupported())
		return;
	for (int i = 0; i < CACHE_FILES_MAX; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		assert_int_equal(store(key, key), 0);
	}
	char *other = xasprintf("%s/0123456789abcdef.other", folder);
	int fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	assert_int_equal(futimens(fd, long_ago), 0);
	close(fd);
	/* Times of files advance in ticks of some milliseconds. */
	for (int i = 0; i < CACHE_FILES_MAX; i++) {
		struct timespec times[2] = {{.tv_sec = 100 + i}, {.tv_sec = 100 + i}};
		struct dirent *entry;
		DIR *dir = opendir(folder);

		for (int at = 0; (entry = readdir(dir));)
			if (strstr(entry->d_name, ".cache") && at++ == i)
				assert_int_equal(utimensat(dirfd(dir), entry->d_name, times, 0), 0);
		closedir(dir);
	}
	/* All are old; these two are used, so that they are not the oldest any more. */
	assert_true(finds("key 3", "key 3"));
	assert_true(finds("key 4", "key 4"));
	assert_int_equal(store("one more", "value"), 0);
	assert_int_equal(count_files(NULL), CACHE_FILES_MAX + 1);
	assert_int_equal(store("and one", "value"), 0);
	assert_int_equal(count_files(NULL), CACHE_FILES_MAX + 1);
	assert_true(finds("key 3", "key 3"));
	assert_true(finds("key 4", "key 4"));
	assert_true(finds("one more", "value"));
	assert_true(finds("and one", "value"));
	/* A file that is not ours. */
	assert_int_equal(access(other, F_OK), 0);
	free(other);
}

/* In a child, because a limit cannot be raised again by everybody. */
static void
test_full_disk(void **state)
{
	int status;

	(void)state;
	if (is_unsupported())
		return;
	assert_int_equal(store("key", "value"), 0);
	pid_t pid = fork();
	if (!pid) {
		const struct rlimit limit = {40, 40};

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(store("key", "a value that does not fit") == -EFBIG && finds("key", "value") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(count_files(NULL), 1);
}

static void
test_no_place(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "%s/no/cache", work);
	assert_int_equal(store("key", "value"), -ENOENT);
	assert_false(finds("key", ""));
	snprintf(folder, sizeof(folder), "%s/cache", work);
	struct buf key = text("key", 3), value = text("", 0);
	char *room = buf_reserve(&value, CACHE_FILE_BYTES_MAX / 2 + 1);
	memset(room, 'x', CACHE_FILE_BYTES_MAX / 2 + 1);
	buf_commit(&value, CACHE_FILE_BYTES_MAX / 2 + 1);
	assert_int_equal(cache_store(folder, &key, &value), -EFBIG);
	assert_int_equal(cache_store(folder, &value, &key), -EFBIG);
	assert_int_equal(access(folder, F_OK), -1);
	buf_fini(&key);
	buf_fini(&value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_finds_what_was_stored, make_work, remove_work),
		cmocka_unit_test_setup_teardown(test_damaged_file, make_work, remove_work),
		cmocka_unit_test_setup_teardown(test_other_key_with_that_name, make_work, remove_work),
		cmocka_unit_test_setup_teardown(test_files_of_others, make_work, remove_work),
		cmocka_unit_test_setup_teardown(test_what_was_used_last_stays, make_work, remove_work),
		cmocka_unit_test_setup_teardown(test_full_disk, make_work, remove_work),
		cmocka_unit_test_setup_teardown(test_no_place, make_work, remove_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
