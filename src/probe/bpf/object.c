#include "probe/bpf/object.h"

#include "base/xmem.h"
#include "probe/bpf/bpf.h"
#include "probe/bpf/sys.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOG_BYTES = 1 << 20, LOG_BYTES_MAX = 16 << 20, LOG_TAIL = 1000 };

struct function {
	char *name;
	struct bpf_insn *insns;
	size_t cnt;
};

struct map {
	char *name;
	struct bpf_object_map desc;
	int fd; /* in instructions to be added */
};

/* In instructions, a map is its index in maps. */
struct bpf_object {
	struct map maps[OBJECT_MAPS_MAX];
	size_t maps_cnt;
	struct function *functions;
	size_t functions_cnt;
	bool is_bad; /* an instruction uses another map, or there were too many */
};

struct bpf_object *
bpf_object_new(void)
{
	return xcalloc(1, sizeof(struct bpf_object));
}

void
bpf_object_free(struct bpf_object *object)
{
	if (!object)
		return;
	for (size_t i = 0; i < object->maps_cnt; i++)
		free(object->maps[i].name);
	for (size_t i = 0; i < object->functions_cnt; i++) {
		free(object->functions[i].name);
		free(object->functions[i].insns);
	}
	free(object->functions);
	free(object);
}

/* Whether the instruction, the first half of a pair, loads the address of a map. */
static bool
takes_map(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_MAP_FD;
}

/* Whether it refers to something else of the process that compiled it: a value of a map, a type, another function. */
static bool
takes_unknown(const struct bpf_insn *insn)
{
	if (insn->code == (BPF_JMP | BPF_CALL))
		return insn->src_reg != 0;
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg != 0 && !takes_map(insn);
}

void
bpf_object_add_map(struct bpf_object *object, const char *name, const struct bpf_object_map *map, int fd)
{
	if (object->maps_cnt == OBJECT_MAPS_MAX) {
		object->is_bad = true;
		return;
	}
	object->maps[object->maps_cnt++] = (struct map){.name = xstrdup(name), .desc = *map, .fd = fd};
}

static struct function *
add_function(struct bpf_object *object, char *name, const void *insns, size_t cnt)
{
	object->functions =
		xreallocarray(object->functions, object->functions_cnt + 1, sizeof(struct function));
	struct function *function = &object->functions[object->functions_cnt++];
	*function =
		(struct function){.name = name, .insns = xcalloc(cnt, sizeof(struct bpf_insn)), .cnt = cnt};
	memcpy(function->insns, insns, cnt * sizeof(struct bpf_insn));
	return function;
}

void
bpf_object_add_function(struct bpf_object *object, const char *name, const void *insns, size_t bytes)
{
	struct function *function =
		add_function(object, xstrdup(name), insns, bytes / sizeof(struct bpf_insn));

	for (size_t i = 0; i < function->cnt; i++) {
		struct bpf_insn *insn = &function->insns[i];
		size_t map = 0;

		if (takes_unknown(insn))
			object->is_bad = true;
		if (!takes_map(insn) || insn->imm == BPF_RING_NUMBER)
			continue;
		while (map < object->maps_cnt && object->maps[map].fd != insn->imm)
			map++;
		if (map == object->maps_cnt)
			object->is_bad = true;
		insn->imm = (int32_t)map;
	}
}

bool
bpf_object_is_complete(const struct bpf_object *object)
{
	return object->functions_cnt && !object->is_bad;
}

/* Writing and reading: each piece with its length before it. */

static void
write_piece(struct buf *out, const void *data, size_t len)
{
	uint32_t len32 = (uint32_t)len;

	buf_add(out, &len32, sizeof(len32));
	buf_add(out, data, len);
}

void
bpf_object_write(const struct bpf_object *object, struct buf *out)
{
	uint32_t cnts[] = {(uint32_t)object->maps_cnt, (uint32_t)object->functions_cnt};

	write_piece(out, cnts, sizeof(cnts));
	for (size_t i = 0; i < object->maps_cnt; i++) {
		write_piece(out, object->maps[i].name, strlen(object->maps[i].name));
		write_piece(out, &object->maps[i].desc, sizeof(object->maps[i].desc));
	}
	for (size_t i = 0; i < object->functions_cnt; i++) {
		const struct function *function = &object->functions[i];

		write_piece(out, function->name, strlen(function->name));
		write_piece(out, function->insns, function->cnt * sizeof(*function->insns));
	}
}

struct reader {
	const char *data;
	size_t left;
	bool failed;
};

/* The next piece, lent; NULL and a length of 0 after its end. */
static const void *
read_piece(struct reader *reader, size_t *len)
{
	uint32_t len32 = 0;

	*len = 0;
	if (reader->left >= sizeof(len32))
		memcpy(&len32, reader->data, sizeof(len32));
	else
		reader->failed = true;
	if (reader->failed || len32 > reader->left - sizeof(len32)) {
		reader->failed = true;
		return NULL;
	}
	const char *piece = reader->data + sizeof(len32);
	reader->data = piece + len32;
	reader->left -= sizeof(len32) + len32;
	*len = len32;
	return piece;
}

/* A piece of exactly that length. */
static void
read_value(struct reader *reader, void *value, size_t len)
{
	size_t piece_len;
	const void *piece = read_piece(reader, &piece_len);

	if (piece && piece_len == len)
		memcpy(value, piece, len);
	else
		reader->failed = true;
}

static char *
read_name(struct reader *reader)
{
	size_t len;
	const char *name = read_piece(reader, &len);
	char *copy = xcalloc(len + 1, 1);

	if (name)
		memcpy(copy, name, len);
	return copy;
}

static void
read_function(struct reader *reader, struct bpf_object *object)
{
	char *name = read_name(reader);
	size_t len;
	const void *insns = read_piece(reader, &len);

	if (!insns || !len || len % sizeof(struct bpf_insn)) {
		reader->failed = true;
		free(name);
		return;
	}
	const struct function *function = add_function(object, name, insns, len / sizeof(struct bpf_insn));
	for (size_t i = 0; i < function->cnt; i++) {
		const struct bpf_insn *insn = &function->insns[i];

		if (takes_unknown(insn) || (takes_map(insn) && insn->imm != BPF_RING_NUMBER &&
					    (insn->imm < 0 || (size_t)insn->imm >= object->maps_cnt)))
			reader->failed = true;
	}
}

struct bpf_object *
bpf_object_read(const void *data, size_t len)
{
	struct reader reader = {.data = data, .left = len};
	struct bpf_object *object = bpf_object_new();
	uint32_t cnts[2] = {0};

	read_value(&reader, cnts, sizeof(cnts));
	if (cnts[0] > OBJECT_MAPS_MAX || !cnts[1] || cnts[1] > len)
		reader.failed = true;
	for (uint32_t i = 0; i < cnts[0] && !reader.failed; i++) {
		struct map *map = &object->maps[object->maps_cnt++];

		map->name = read_name(&reader);
		read_value(&reader, &map->desc, sizeof(map->desc));
	}
	for (uint32_t i = 0; i < cnts[1] && !reader.failed; i++)
		read_function(&reader, object);
	if (!reader.failed && !reader.left)
		return object;
	bpf_object_free(object);
	return NULL;
}

/* In the kernel. */

int
bpf_object_make_maps(const struct bpf_object *object, struct bpf_object_maps *maps)
{
	int ring_fd = maps->ring_fd;

	*maps = BPF_OBJECT_NO_MAPS;
	maps->ring_fd = ring_fd;
	for (size_t i = 0; i < object->maps_cnt; i++) {
		const struct bpf_object_map *desc = &object->maps[i].desc;

		maps->fds[i] = bpf_map_make(desc->type, object->maps[i].name, desc->key_bytes,
					    desc->value_bytes, desc->entries, desc->flags);
		if (maps->fds[i] < 0) {
			int err = maps->fds[i];

			bpf_object_close_maps(maps);
			return err;
		}
	}
	return 0;
}

void
bpf_object_close_maps(struct bpf_object_maps *maps)
{
	for (size_t i = 0; i < OBJECT_MAPS_MAX; i++) {
		if (maps->fds[i] >= 0)
			close(maps->fds[i]);
		maps->fds[i] = -1;
	}
}

int
bpf_object_map_fd(const struct bpf_object *object, const struct bpf_object_maps *maps, const char *name)
{
	for (size_t i = 0; i < object->maps_cnt; i++)
		if (!strcmp(object->maps[i].name, name))
			return maps->fds[i];
	return -ENOENT;
}

/* Loads it again with a log, whose end has the reason if the verifier refuses it. A signal may have been the reason, so
 * this can succeed. */
static int
explain(int err, const struct bpf_insn *insns, size_t cnt, const char *name, int attach_type, char *error,
	size_t error_sz)
{
	char *log = NULL;
	int fd = -ENOSPC;

	/* Before Linux 6.4, a log that does not fit is an error of its own. */
	for (uint32_t bytes = LOG_BYTES; fd == -ENOSPC && bytes <= LOG_BYTES_MAX; bytes *= 4) {
		free(log);
		log = xcalloc(bytes, 1);
		fd = bpf_program_load(insns, cnt, name, attach_type, log, bytes);
	}
	size_t len = strlen(log);
	while (len && log[len - 1] == '\n')
		log[--len] = '\0';
	const char *tail = len > LOG_TAIL ? log + len - LOG_TAIL : log;
	snprintf(error, error_sz, "%s%s", tail != log ? "... " : "", *log ? tail : strerror(-err));
	free(log);
	return fd >= 0 ? fd : err;
}

int
bpf_object_load(const struct bpf_object *object, const struct bpf_object_maps *maps, const char *name,
		int attach_type, char *error, size_t error_sz)
{
	const struct function *function = NULL;

	for (size_t i = 0; i < object->functions_cnt && !function; i++)
		if (!strcmp(object->functions[i].name, name))
			function = &object->functions[i];
	if (!function) {
		snprintf(error, error_sz, "there is no function '%s'", name);
		return -ENOENT;
	}
	struct bpf_insn *insns = xcalloc(function->cnt, sizeof(*insns));
	memcpy(insns, function->insns, function->cnt * sizeof(*insns));
	for (size_t i = 0; i < function->cnt; i++)
		if (takes_map(&insns[i]))
			insns[i].imm =
				insns[i].imm == BPF_RING_NUMBER ? maps->ring_fd : maps->fds[insns[i].imm];
	int fd = bpf_program_load(insns, function->cnt, name, attach_type, NULL, 0);
	if (fd < 0)
		fd = explain(fd, insns, function->cnt, name, attach_type, error, error_sz);
	free(insns);
	/* The verifier uses EACCES to refuse a program, EPERM to refuse a user. */
	return fd == -EACCES ? -EINVAL : fd;
}
