/* The values that the specimen passes and the host wants. Each is a function of the tracepoint, the number of the
 * argument and the round, so that swapped, doubled or cut arguments cannot agree by chance. */
#ifndef TPCHECK_RUN_SPECIMEN_VALUES_H
#define TPCHECK_RUN_SPECIMEN_VALUES_H

#include "base/record.h"
#include "contract/contract.h"
#include "run/specimen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SPECIMEN_STRING_BEYOND = RECORD_STRING_BYTES + 40,
	SPECIMEN_PAYLOAD_BEYOND = RECORD_PAYLOAD_BYTES + 4321,
	SPECIMEN_BYTES = SPECIMEN_PAYLOAD_BEYOND, /* room for the longest value */
};

int64_t specimen_int(enum tracepoint_id id, unsigned arg, enum specimen_round round, unsigned width_bytes);
uint64_t specimen_uint(enum tracepoint_id id, unsigned arg, enum specimen_round round, unsigned width_bytes);
bool specimen_bool(enum tracepoint_id id, unsigned arg, enum specimen_round round);
void specimen_hash(enum tracepoint_id id, unsigned arg, enum specimen_round round, uint8_t hash_wire[32]);
/* NUL-terminated; out has room for SPECIMEN_STRING_BEYOND + 1. Returns the length. */
size_t specimen_string(enum tracepoint_id id, unsigned arg, enum specimen_round round, char *out);
/* out has room for SPECIMEN_BYTES. Returns the length. */
size_t specimen_payload(enum tracepoint_id id, enum specimen_round round, uint8_t *out);

#endif
