/* Specimens that are wrong on purpose: the source of the specimen, whose values pass through here. The environment
 * chooses what is wrong:
 *   BREAK=value:ID:N    argument N of tracepoint ID has another value of its type
 *   BREAK=pointer:ID:N  argument N, a pointer, points at nothing
 *   BREAK=never:ID:0    the tracepoint does not fire
 *   BREAK=twice:ID:0    it fires twice
 * Built with BROKEN_WIDTH, the int32 and uint32 arguments are passed with 8 bytes. */
#include "run/specimen_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_broken(const char *how, unsigned id, unsigned arg)
{
	char text[64];
	const char *chosen = getenv("BREAK");

	snprintf(text, sizeof(text), "%s:%u:%u", how, id, arg);
	return chosen && !strcmp(chosen, text);
}

static const void *
broken_pointer(unsigned id, unsigned arg, const void *p)
{
	return is_broken("pointer", id, arg) ? (const void *)(uintptr_t)8 : p;
}

static int
broken_hits(unsigned id)
{
	return is_broken("never", id, 0) ? 0 : is_broken("twice", id, 0) ? 2 : 1;
}

static int64_t
broken_int(enum tracepoint_id id, unsigned arg, enum specimen_round round, unsigned width_bytes)
{
	return specimen_int(id, arg, round, width_bytes) ^ is_broken("value", id, arg);
}

static uint64_t
broken_uint(enum tracepoint_id id, unsigned arg, enum specimen_round round, unsigned width_bytes)
{
	return specimen_uint(id, arg, round, width_bytes) ^ is_broken("value", id, arg);
}

static bool
broken_bool(enum tracepoint_id id, unsigned arg, enum specimen_round round)
{
	return specimen_bool(id, arg, round) ^ is_broken("value", id, arg);
}

static void
broken_hash(enum tracepoint_id id, unsigned arg, enum specimen_round round, uint8_t hash_wire[32])
{
	specimen_hash(id, arg, round, hash_wire);
	/* Only the last byte: all 32 must be compared. */
	hash_wire[31] ^= is_broken("value", id, arg);
}

static size_t
broken_string(enum tracepoint_id id, unsigned arg, enum specimen_round round, char *out)
{
	size_t len = specimen_string(id, arg, round, out);

	if (len && is_broken("value", id, arg))
		out[len - 1] = '\0';
	return len;
}

/* Argument 5 is the length, argument 6 the bytes. */
static size_t
broken_payload(enum tracepoint_id id, enum specimen_round round, uint8_t *out)
{
	size_t len = specimen_payload(id, round, out);

	if (len && is_broken("value", id, 6))
		out[len - 1] ^= 1;
	return len + is_broken("value", id, 5);
}

#define SPECIMEN_HITS(id)          broken_hits(id)
#define SPECIMEN_POINTER(id, n, p) broken_pointer(id, n, p)
#ifdef BROKEN_WIDTH
#define SPECIMEN_INT32  int64_t
#define SPECIMEN_UINT32 uint64_t
#else
#define SPECIMEN_INT32  int32_t
#define SPECIMEN_UINT32 uint32_t
#endif
#define specimen_int     broken_int
#define specimen_uint    broken_uint
#define specimen_bool    broken_bool
#define specimen_hash    broken_hash
#define specimen_string  broken_string
#define specimen_payload broken_payload
#include "../../src/run/specimen_fire.c"

int
main(void)
{
	return specimen_main();
}
