/* The values that the specimen passes and specimen_expect expects. Each is a function of the tracepoint, the number of
 * the argument (from 1) and the round: swapped, repeated or truncated arguments cannot be equal by chance. */
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
/* NUL-terminated; out must have room for SPECIMEN_STRING_BEYOND + 1. Returns the length. */
size_t specimen_string(enum tracepoint_id id, unsigned arg, enum specimen_round round, char *out);
/* out must have room for SPECIMEN_BYTES. Returns the length. */
size_t specimen_payload(enum tracepoint_id id, enum specimen_round round, uint8_t *out);

#endif
