/* Builds what runs in the kernel: the text of the programs, compiled by libbcc and loaded, and the ring for records. */
#include "base/xmem.h"
#include "probe/bpf/bcc_loader.h"
#include "probe/bpf/bcc_shim.h"
#include "probe/bpf/bpf.h"
#include "probe/bpf/kernel_tree.h"
#include "probe/bpf/multi.h"
#include "probe/bpf/program_cache.h"
#include "probe/bpf/program_text.h"
#include "probe/bpf/sys.h"
#include "probe/bpf/tracefs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	TEXT_BYTES_MAX = 8 << 20,
	RING_BYTES_MIN = 64 << 10,
	RING_BYTES_MAX = 16 << 20,
	RINGS_BYTES_MAX = 128 << 20, /* of all sets, by default */
};

/* libbcc loses errno, but prints its text. */
static int
find_errno(const char *text, int err)
{
	static const int known[] = {EMFILE, ENFILE, ENOSPC, EFBIG};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(text, strerror(known[i])))
			return -known[i];
	return err;
}

/* Before Linux 5.11, rings count as locked memory. The first set of several must not take all of it. */
static size_t
rings_bytes_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur >= RINGS_BYTES_MAX)
		return RINGS_BYTES_MAX;
	return (size_t)limit.rlim_cur;
}

static size_t
default_ring_bytes(unsigned sets_cnt)
{
	size_t bytes = RING_BYTES_MAX;
	/* One set takes what it gets. */
	size_t most = sets_cnt > 1 ? rings_bytes_max() : RINGS_BYTES_MAX;

	while (bytes > RING_BYTES_MIN && bytes * sets_cnt > most)
		bytes /= 2;
	return bytes;
}

static int
open_ring(struct bpf_source *source, const struct probe_opts *opts, struct diag *diag)
{
	size_t bytes = RING_BYTES_MIN,
	       ring_bytes = opts->ring_bytes ? opts->ring_bytes : default_ring_bytes(opts->sets_cnt);

	while (bytes < ring_bytes && bytes < RING_BYTES_MAX)
		bytes *= 2;
	for (;; bytes /= 2) {
		int err = bpf_ring_open(&source->ring, bytes);

		if (!err) {
			source->maps.ring_fd = source->ring.map_fd;
			return 0;
		}
		/* There may be little memory, or little that may be locked; a smaller ring does as well. */
		if (bytes == RING_BYTES_MIN || err == -EMFILE || err == -ENFILE)
			return diag_fail(diag, err, "probe: failed to make a ring buffer: %s",
					 strerror(-err));
	}
}

static int
make_maps(struct bpf_source *source, struct diag *diag)
{
	int err = bpf_object_make_maps(source->object, &source->maps);

	if (err)
		return diag_fail(diag, err, "probe: failed to make a map: %s", strerror(-err));
	source->control_fd = bpf_object_map_fd(source->object, &source->maps, "control");
	source->counters_fd = bpf_object_map_fd(source->object, &source->maps, "counters");
	source->threads_fd = bpf_object_map_fd(source->object, &source->maps, "threads");
	if (source->control_fd < 0 || source->counters_fd < 0 || source->threads_fd < 0)
		return diag_fail(diag, -EINVAL, "probe: a map of the probes is missing");
	return 0;
}

static void
add_map(void *object, const struct bcc_shim_map *map)
{
	bpf_object_add_map(object, map->name,
			   &(struct bpf_object_map){.type = map->type,
						    .key_bytes = map->key_bytes,
						    .value_bytes = map->value_bytes,
						    .entries = map->entries,
						    .flags = map->flags},
			   map->fd);
}

static void
add_function(void *object, const char *name, const void *insns, size_t bytes)
{
	bpf_object_add_function(object, name, insns, bytes);
}

static const char *const cflags[] = {"-Wno-unused-value", "-Wno-macro-redefined", "-g0"};
enum { CFLAGS_CNT = sizeof(cflags) / sizeof(*cflags) };

static int
compile_with(struct bpf_source *source, const char *kernel_tree, const char *help, struct diag *diag)
{
	struct bpf_object *object = bpf_object_new();
	const struct bcc_shim_sink sink = {.cookie = object, .on_map = add_map, .on_function = add_function};
	char error[1536];
	int err =
		bcc_shim_compile(source->text, cflags, CFLAGS_CNT, kernel_tree, &sink, error, sizeof(error));

	if (!err && !bpf_object_is_complete(object)) {
		snprintf(error, sizeof(error),
			 "the result has no functions, or uses maps that it does not define");
		err = -EINVAL;
	}
	if (!err) {
		source->object = object;
		return 0;
	}
	bpf_object_free(object);
	return diag_fail(diag, find_errno(error, err),
			 "probe: failed to compile the probes with libbcc %s: %s%s", bcc_shim_version(),
			 error, help);
}

static int
compile(struct bpf_source *source, const struct probe_opts *opts, struct diag *diag)
{
	struct folder tree = {0};
	int err = bcc_loader_load(diag);

	if (err)
		return err;
	if (opts->headers == PROBE_HEADERS_BUILTIN) {
		err = kernel_tree_write(&tree, opts->keeper, opts->tmpdir, diag);
		if (err)
			return err;
		err = compile_with(source, tree.path, "", diag);
		kernel_tree_remove(&tree);
		return err;
	}
	/* libbcc runs in another working directory. */
	char *given = opts->kernel_source ? realpath(opts->kernel_source, NULL) : NULL;
	err = compile_with(source, given ? given : opts->kernel_source,
			   "; without --headers=system, no kernel headers are required", diag);
	free(given);
	return err;
}

static int
load_multi(struct bpf_source *source, struct diag *diag)
{
	char error[1536];
	int fd = bpf_object_load(source->object, &source->maps, PROGRAM_TEXT_MULTI_FUNCTION,
				 MULTI_ATTACH_TYPE, error, sizeof(error));

	source->prog_fds[0] = fd;
	if (fd < 0)
		return diag_fail(diag, fd, "probe: failed to load the probes for a uprobe_multi link: %s",
				 error);
	return 0;
}

static int
load_each(struct bpf_source *source, struct diag *diag)
{
	char error[1536], name[192];

	for (size_t i = 0; i < source->points_cnt; i++) {
		program_text_function_name(&source->points[i], i, name, sizeof(name));
		int fd = bpf_object_load(source->object, &source->maps, name, 0, error, sizeof(error));

		source->prog_fds[i] = fd;
		if (fd < 0)
			return diag_fail(diag, fd, "probe: failed to load '%s': %s", name, error);
	}
	return 0;
}

/* Makes the maps and the ring of these programs, and loads them. */
static int
instantiate(struct bpf_source *source, const struct probe_opts *opts, struct diag *diag)
{
	int err = make_maps(source, diag);

	if (!err)
		err = open_ring(source, opts, diag);
	if (err)
		return err;
	return source->base.method == PROBE_METHOD_MULTI ? load_multi(source, diag) : load_each(source, diag);
}

/* Undoes it, and forgets the object. */
static void
drop_programs(struct bpf_source *source)
{
	bpf_close_trial(source);
	for (size_t i = 0; i < source->points_cnt; i++) {
		if (source->prog_fds[i] >= 0)
			close(source->prog_fds[i]);
		source->prog_fds[i] = -1;
	}
	bpf_object_close_maps(&source->maps);
	bpf_ring_close(&source->ring);
	if (!source->borrows_object)
		bpf_object_free(source->object);
	source->object = NULL;
}

static int
build_for(struct bpf_source *source, enum probe_method method, const struct probe_opts *opts,
	  struct diag *diag)
{
	const char *cache_dir = opts->headers == PROBE_HEADERS_BUILTIN ? opts->cache_dir : NULL;
	struct program_source program = {.cflags = cflags, .cflags_cnt = CFLAGS_CNT};
	struct buf text;

	bpf_unbuild(source);
	source->base.method = method;
	buf_init(&text, TEXT_BYTES_MAX);
	program_text_generate(source->points, source->points_cnt, method, &text);
	program.text = source->text = buf_take(&text);
	source->object = cache_dir ? program_cache_find(cache_dir, &program) : NULL;
	/* If they fail, they are compiled anew, and that failure is what is reported. */
	int err = source->object ? instantiate(source, opts, diag) : -ENOENT;
	if (err) {
		drop_programs(source);
		err = compile(source, opts, diag);
		if (!err)
			err = instantiate(source, opts, diag);
		if (!err && cache_dir)
			program_cache_store(cache_dir, &program, source->object);
	}
	if (!err && method == PROBE_METHOD_MULTI)
		err = multi_try(source->keeper, source->prog_fds[0], source->counters_fd, &source->trial,
				diag);
	return err;
}

/* The uprobe PMU leaves nothing behind, so it goes first. */
static enum probe_method
choose_events(void)
{
	uint64_t offset;
	char path[64];
	int fd = multi_try_target(path, sizeof(path), &offset);

	if (!fd)
		fd = perf_try_uprobe(path, offset);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || tracefs_try() ? PROBE_METHOD_PERF : PROBE_METHOD_TRACEFS;
}

static int
build(struct bpf_source *source, const struct probe_opts *opts, struct diag *diag)
{
	if (opts->method == PROBE_METHOD_PERF || opts->method == PROBE_METHOD_TRACEFS)
		return build_for(source, opts->method, opts, diag);
	int err = build_for(source, PROBE_METHOD_MULTI, opts, diag);
	if (!err)
		return 0;
	if (err == -EPIPE) /* there is no keeper any more */
		return err;
	if (opts->method == PROBE_METHOD_MULTI)
		return diag_prefix(diag, err, "probe: --attach=multi does not work here; --attach=perf may");
	bpf_close_trial(source);
	return build_for(source, choose_events(), opts, diag);
}

int
bpf_build(struct bpf_source *source, const struct probe_opts *opts, struct diag *diag)
{
	char reason[512];

	if (!bpf_sees_each_hit(reason, sizeof(reason), NULL))
		return diag_fail(diag, -EOPNOTSUPP, "probe: %s", reason);
	return build(source, opts, diag);
}

int
bpf_copy(struct bpf_source *source, const struct bpf_source *model, const struct probe_opts *opts,
	 struct diag *diag)
{
	source->text = xstrdup(model->text);
	source->object = model->object;
	source->borrows_object = true;
	source->base.method = model->base.method;
	return instantiate(source, opts, diag);
}

void
bpf_unbuild(struct bpf_source *source)
{
	drop_programs(source);
	free(source->text);
	source->text = NULL;
}

void
bpf_close_trial(struct bpf_source *source)
{
	keeper_undo(&source->trial, NULL);
}
