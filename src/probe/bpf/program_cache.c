#include "probe/bpf/program_cache.h"

#include "base/cache.h"
#include "probe/bpf/bcc_loader.h"
#include "probe/bpf/embedded.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

/* To be changed with the layout of what is kept. */
static const char format[] = "tpcheck's programs, 1";

/* With the NUL that ends it, so that no two keys are the same text. */
static void
add_string(struct buf *buf, const char *string)
{
	buf_add(buf, string, strlen(string) + 1);
}

/* "device inode bytes modified changed", which another file, or one that was written to, does not have. */
static bool
identify(const char *path, char *out, size_t out_sz)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	snprintf(out, out_sz, "%ju %ju %jd %jd.%09ld %jd.%09ld", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
		 (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		 (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	return true;
}

static void
add_identity(struct buf *buf, const char *path)
{
	char identity[160];

	add_string(buf, identify(path, identity, sizeof(identity)) ? identity : "none");
}

static void
make_key(const struct program_source *source, struct buf *key)
{
	char path[PATH_MAX + 64];
	struct utsname name = {0};

	buf_init(key, CACHE_FILE_BYTES_MAX);
	add_string(key, format);
	if (uname(&name))
		key->overflow = true;
	add_string(key, name.release);
	add_string(key, name.version);
	add_string(key, name.machine);
	for (size_t i = 0; i < source->cflags_cnt; i++)
		add_string(key, source->cflags[i]);
	for (const struct embedded_file *file = embedded_files; file->path; file++) {
		add_string(key, file->path);
		add_string(key, file->text);
	}
	add_string(key, source->text);
	/* Who would make it: this program, its module, and the libraries that the loader would find. */
	add_identity(key, "/proc/self/exe");
	add_identity(key, bcc_loader_path(path, sizeof(path)) ? "" : path);
	add_identity(key, "/etc/ld.so.cache");
}

/* Adds the files whose code this process has loaded, each as two strings; false if one of them is gone. */
static bool
add_makers(struct buf *out)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char *line = NULL, last[4096] = "", identity[160];
	size_t line_sz = 0;
	bool ok = maps;

	while (ok && getline(&line, &line_sz, maps) > 0) {
		char access[5];
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*s %4s %*s %*s %*s %n", access, &at) != 1 || !at || access[2] != 'x' ||
		    line[at] != '/' || !strcmp(line + at, last))
			continue;
		ok = identify(line + at, identity, sizeof(identity));
		add_string(out, line + at);
		add_string(out, identity);
		snprintf(last, sizeof(last), "%s", line + at);
	}
	free(line);
	if (maps)
		fclose(maps);
	return ok;
}

/* The string at *at, which moves behind it; NULL if none ends before the end. */
static const char *
next_string(const struct buf *buf, size_t *at)
{
	const char *string = buf->data + *at;
	size_t len = strnlen(string, buf->len - *at);

	if (*at + len == buf->len)
		return NULL;
	*at += len + 1;
	return string;
}

/* Whether the files that are named at the beginning of a value are what they were; *at is then behind them. */
static bool
are_makers_unchanged(const struct buf *value, size_t *at)
{
	for (;;) {
		const char *path = next_string(value, at);
		char now[160];

		if (!path)
			return false;
		if (!*path)
			return true;
		const char *then = next_string(value, at);
		if (!then || !identify(path, now, sizeof(now)) || strcmp(now, then) != 0)
			return false;
	}
}

struct bpf_object *
program_cache_find(const char *folder, const struct program_source *source)
{
	struct bpf_object *object = NULL;
	struct buf key, value;
	size_t at = 0;

	make_key(source, &key);
	buf_init(&value, CACHE_FILE_BYTES_MAX);
	if (!key.overflow && cache_find(folder, &key, &value) && are_makers_unchanged(&value, &at))
		object = bpf_object_read(value.data + at, value.len - at);
	buf_fini(&key);
	buf_fini(&value);
	return object;
}

void
program_cache_store(const char *folder, const struct program_source *source, const struct bpf_object *object)
{
	struct buf key, value;

	make_key(source, &key);
	buf_init(&value, CACHE_FILE_BYTES_MAX);
	bool ok = add_makers(&value);
	add_string(&value, "");
	bpf_object_write(object, &value);
	if (ok && !key.overflow && !value.overflow)
		cache_store(folder, &key, &value);
	buf_fini(&key);
	buf_fini(&value);
}
