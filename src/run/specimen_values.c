#include "run/specimen_values.h"

#include <stdio.h>
#include <string.h>

int64_t
specimen_int(enum tracepoint_id id, unsigned arg, enum specimen_round round, unsigned width_bytes)
{
	int64_t small = 16 * (int64_t)id + arg;
	int64_t least = width_bytes == 8 ? INT64_MIN : INT32_MIN;
	int64_t greatest = width_bytes == 8 ? INT64_MAX : INT32_MAX;

	switch (round) {
	case SPECIMEN_LEAST:
		return least + small;
	case SPECIMEN_GREATEST:
		return greatest - small;
	case SPECIMEN_BEYOND:
		return -1 - small;
	default:
		return 1000 + small;
	}
}

uint64_t
specimen_uint(enum tracepoint_id id, unsigned arg, enum specimen_round round, unsigned width_bytes)
{
	uint64_t small = 16 * (uint64_t)id + arg;

	switch (round) {
	case SPECIMEN_LEAST:
		return arg == 1 ? 0 : small;
	case SPECIMEN_GREATEST:
		return (width_bytes == 8 ? UINT64_MAX : UINT32_MAX) - small;
	case SPECIMEN_BEYOND: /* above the signed numbers of that width */
		return (width_bytes == 8 ? UINT64_C(1) << 63 : UINT64_C(1) << 31) + small;
	default:
		return 2000 + small;
	}
}

bool
specimen_bool(enum tracepoint_id id, unsigned arg, enum specimen_round round)
{
	return ((unsigned)id + arg + round) & 1;
}

void
specimen_hash(enum tracepoint_id id, unsigned arg, enum specimen_round round, uint8_t hash_wire[32])
{
	/* The first byte is different for every hash; the others show their positions. */
	for (unsigned i = 0; i < 32; i++)
		hash_wire[i] = (uint8_t)(8 * (unsigned)id + arg + 61 * round + 7 * i);
	if (round == SPECIMEN_LEAST)
		memset(hash_wire + 1, 0, 31);
}

size_t
specimen_string(enum tracepoint_id id, unsigned arg, enum specimen_round round, char *out)
{
	unsigned max_chars = contract_get(id)->args[arg - 1].max_chars;
	size_t len;

	switch (round) {
	case SPECIMEN_LEAST:
		out[0] = '\0';
		return 0;
	case SPECIMEN_GREATEST: /* without a documented maximum: what a record has room for */
		len = max_chars ? max_chars : RECORD_STRING_BYTES - 1;
		break;
	case SPECIMEN_BEYOND:
		len = SPECIMEN_STRING_BEYOND;
		break;
	default:
		return (size_t)snprintf(out, SPECIMEN_STRING_BEYOND, "t%ua%u", (unsigned)id, arg);
	}
	for (size_t i = 0; i < len; i++)
		out[i] = (char)('a' + (i + 3 * (unsigned)id + arg) % 26);
	out[len] = '\0';
	return len;
}

size_t
specimen_payload(enum tracepoint_id id, enum specimen_round round, uint8_t *out)
{
	size_t len = round == SPECIMEN_LEAST      ? 0
		     : round == SPECIMEN_GREATEST ? RECORD_PAYLOAD_BYTES
		     : round == SPECIMEN_BEYOND   ? SPECIMEN_PAYLOAD_BEYOND
						  : 100 + (size_t)id;

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 31 + (i >> 8) + (unsigned)id);
	return len;
}
