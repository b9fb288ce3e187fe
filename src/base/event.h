/* One hit of a tracepoint, decoded. Every layer above the probes uses this; nothing in it depends on BPF. */
#ifndef TPCHECK_BASE_EVENT_H
#define TPCHECK_BASE_EVENT_H

#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_state {
	VALUE_READ,        /* complete */
	VALUE_CUT,         /* only the first bytes were read */
	VALUE_BAD_OPERAND, /* the argument itself could not be read (see the operand's text) */
	VALUE_BAD_POINTER, /* the argument is a pointer, and what it points at could not be read */
};

enum value_type {
	VALUE_INT,    /* signed; in i */
	VALUE_UINT,   /* in u */
	VALUE_BOOL,   /* in u; 0 or 1 unless something is wrong */
	VALUE_HASH,   /* 32 bytes in wire order (little-endian, as doc/tracing.md says), in bytes */
	VALUE_STRING, /* bytes, len without the NUL */
	VALUE_BYTES,  /* bytes, len */
};

struct value {
	enum value_type type;
	enum value_state state;
	int error;            /* errno value if it could not be read, else 0 */
	uint64_t u;           /* the argument itself; the pointer for VALUE_HASH, _STRING and _BYTES */
	int64_t i;            /* the same, sign-extended from the operand's width if that is signed */
	const uint8_t *bytes; /* borrowed from the record; NULL when nothing was read */
	size_t len;           /* of bytes */
	uint64_t full_len;    /* VALUE_BYTES: the length that the tracepoint passed; else the same as len */
};

struct event {
	unsigned tracepoint; /* enum tracepoint_id of the contract */
	unsigned release;    /* of the contract that it was decoded with */
	unsigned site;       /* index of the probe point */
	uint64_t time_ns;    /* CLOCK_MONOTONIC */
	uint32_t tid;        /* as the initial PID namespace numbers it */
	uint64_t seq;        /* counts the events of this thread, from 1, without gaps */
	unsigned args_cnt;
	struct value args[SITE_ARGS_MAX];
};

#endif
