#include "base/cache.h"

#include "base/xmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".cache";
enum { NAME_BYTES = 16 + sizeof(suffix) };

/* Of a file; key and value follow. */
struct head {
	char magic[8];
	uint64_t checksum; /* of all that follows it */
	uint64_t key_len, value_len;
};
static const char magic[8] = {'t', 'p', 'c', 'a', 'c', 'h', 'e', '1'};

/* FNV-1a */
static uint64_t
hash(uint64_t start, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		start = (start ^ bytes[i]) * UINT64_C(0x100000001b3);
	return start;
}
#define HASH_START UINT64_C(0xcbf29ce484222325)

static uint64_t
checksum_of(const struct head *head, const void *key, const void *value)
{
	uint64_t sum = hash(HASH_START, &head->key_len, sizeof(*head) - offsetof(struct head, key_len));

	sum = hash(sum, key, head->key_len);
	return hash(sum, value, head->value_len);
}

static void
name_of(const struct buf *key, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "%016" PRIx64 "%s", hash(HASH_START, key->data, key->len), suffix);
}

/* Whether it is ours, and nobody else's to write to. */
static bool
is_safe(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* A descriptor or a negative errno value. */
static int
open_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && is_safe(&st))
		return fd;
	close(fd);
	return -EPERM;
}

/* The whole of a file that is safe, for the caller to free, which counts as used now; NULL if there is none. */
static char *
read_file(int folder_fd, const char *name, size_t *len)
{
	int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *data = NULL;
	ssize_t n = 0;

	*len = 0;
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && is_safe(&st) && st.st_size <= CACHE_FILE_BYTES_MAX) {
		data = xcalloc((size_t)st.st_size + 1, 1);
		while (*len < (size_t)st.st_size &&
		       (n = read(fd, data + *len, (size_t)st.st_size - *len)) > 0)
			*len += (size_t)n;
		futimens(fd, NULL);
	}
	close(fd);
	return data;
}

bool
cache_find(const char *folder, const struct buf *key, struct buf *value)
{
	char name[NAME_BYTES], *data;
	struct head head;
	size_t len;
	int folder_fd = open_folder(folder);

	if (folder_fd < 0)
		return false;
	name_of(key, name);
	data = read_file(folder_fd, name, &len);
	close(folder_fd);
	if (!data || len < sizeof(head)) {
		free(data);
		return false;
	}
	memcpy(&head, data, sizeof(head));
	bool ok = !memcmp(head.magic, magic, sizeof(magic)) && head.key_len == key->len &&
		  len - sizeof(head) >= key->len && head.value_len == len - sizeof(head) - key->len;
	const char *key_data = data + sizeof(head);
	ok = ok && !memcmp(key_data, key->data, key->len) &&
	     checksum_of(&head, key_data, key_data + key->len) == head.checksum &&
	     buf_add(value, key_data + key->len, head.value_len);
	free(data);
	return ok;
}

static int
write_all(int fd, const void *data, size_t len)
{
	for (const char *at = data; len;) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Gives a file without a name that one, instead of what has it. */
static int
name_file(int folder_fd, int fd, const char *name)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, path, folder_fd, name, AT_SYMLINK_FOLLOW))
		return 0;
	if (errno != EEXIST || unlinkat(folder_fd, name, 0) ||
	    linkat(AT_FDCWD, path, folder_fd, name, AT_SYMLINK_FOLLOW))
		return -errno;
	return 0;
}

/* Removes the file that was used longest ago if there are too many. */
static void
remove_oldest(int folder_fd)
{
	int list_fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct timespec oldest = {0};
	char name[NAME_BYTES] = "";
	unsigned cnt = 0;

	if (!dir) {
		if (list_fd >= 0)
			close(list_fd);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(dir));) {
		struct stat st;
		size_t len = strlen(entry->d_name);

		if (len != NAME_BYTES - 1 || strcmp(entry->d_name + 16, suffix) ||
		    fstatat(folder_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (!cnt++ || st.st_mtim.tv_sec < oldest.tv_sec ||
		    (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec < oldest.tv_nsec)) {
			oldest = st.st_mtim;
			memcpy(name, entry->d_name, len + 1);
		}
	}
	closedir(dir);
	if (cnt > CACHE_FILES_MAX)
		unlinkat(folder_fd, name, 0);
}

static int
store_in(int folder_fd, const struct buf *key, const struct buf *value)
{
	char name[NAME_BYTES];
	struct head head = {.key_len = key->len, .value_len = value->len};
	int fd = openat(folder_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	memcpy(head.magic, magic, sizeof(magic));
	head.checksum = checksum_of(&head, key->data, value->data);
	int err = write_all(fd, &head, sizeof(head));
	if (!err)
		err = write_all(fd, key->data, key->len);
	if (!err)
		err = write_all(fd, value->data, value->len);
	name_of(key, name);
	if (!err)
		err = name_file(folder_fd, fd, name);
	close(fd);
	return err;
}

int
cache_store(const char *folder, const struct buf *key, const struct buf *value)
{
	if (value->len > CACHE_FILE_BYTES_MAX / 2 ||
	    key->len > CACHE_FILE_BYTES_MAX / 2 - sizeof(struct head))
		return -EFBIG;
	if (mkdir(folder, 0700) && errno != EEXIST)
		return -errno;
	int folder_fd = open_folder(folder);
	if (folder_fd < 0)
		return folder_fd;
	int err = store_in(folder_fd, key, value);
	if (!err)
		remove_oldest(folder_fd);
	close(folder_fd);
	return err;
}
