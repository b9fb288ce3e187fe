/* The record that a probe writes in the kernel and the host decodes.
 *
 * A record is a head, one struct record_arg for each argument of the note, and then the bytes that pointers pointed to,
 * each at the offset that the layout gives, the only one of variable length (a message's payload) last. Everything is
 * in host byte order. probes/prelude.bpf.c has the same structs for BPF; their layout is asserted here. */
#ifndef TPCHECK_BASE_RECORD_H
#define TPCHECK_BASE_RECORD_H

#include "base/site.h"

#include <stddef.h>
#include <stdint.h>

enum {
	RECORD_HASH_BYTES = 32,
	RECORD_STRING_BYTES = 512,    /* maximum read of a C string, with its NUL */
	RECORD_PAYLOAD_BYTES = 32768, /* maximum read of a message, as doc/tracing.md says */
};

struct record_head {
	uint64_t time_ns;    /* CLOCK_MONOTONIC (bpf_ktime_get_ns) */
	uint64_t seq;        /* number of this hit in its thread, from 1; a gap is a loss */
	uint32_t tid;        /* in the initial PID namespace */
	uint32_t generation; /* which arming the record belongs to */
	uint16_t point;      /* index of the probe point */
	uint16_t args_cnt;
	uint32_t size; /* in bytes, without the kernel's padding */
};

enum record_flags {
	RECORD_OPERAND_FAILED = 1, /* the argument itself could not be read; error says why */
	RECORD_POINTER_FAILED = 2, /* what it points to could not be read; error says why */
	RECORD_CUT = 4,            /* there was more than was read */
};

struct record_arg {
	uint64_t value; /* zero-extended from the operand's width */
	int16_t error;  /* negative errno value of the failed read */
	uint16_t flags; /* enum record_flags */
	uint32_t len;   /* bytes read from where it points to, with a string's NUL */
};

struct record {
	struct record_head head;
	struct record_arg args[];
};

/* As struct tp_head and struct tp_arg of probes/prelude.bpf.c, where error, flags and len are the parts of one
 * little-endian number. */
#define RECORD_ASSERT(type, field, at, sz)                                                                   \
	_Static_assert(offsetof(struct type, field) == (at) && sizeof(((struct type *)0)->field) == (sz),    \
		       "probes/prelude.bpf.c says the same")
RECORD_ASSERT(record_head, time_ns, 0, 8);
RECORD_ASSERT(record_head, seq, 8, 8);
RECORD_ASSERT(record_head, tid, 16, 4);
RECORD_ASSERT(record_head, generation, 20, 4);
RECORD_ASSERT(record_head, point, 24, 2);
RECORD_ASSERT(record_head, args_cnt, 26, 2);
RECORD_ASSERT(record_head, size, 28, 4);
_Static_assert(sizeof(struct record_head) == 32, "probes/prelude.bpf.c says the same");
RECORD_ASSERT(record_arg, value, 0, 8);
RECORD_ASSERT(record_arg, error, 8, 2);
RECORD_ASSERT(record_arg, flags, 10, 2);
RECORD_ASSERT(record_arg, len, 12, 4);
_Static_assert(sizeof(struct record_arg) == 16, "probes/prelude.bpf.c says the same");

/* How an argument gets into the record. */
enum record_reader {
	READER_INTEGER, /* the operand's value only */
	READER_BLOCK,   /* and slot_bytes that it points to */
	READER_STRING,  /* and a C string that it points to, slot_bytes at most */
	READER_PAYLOAD, /* and as many bytes as argument size_idx says, slot_bytes at most */
};

struct record_slot {
	enum record_reader reader;
	uint32_t slot_bytes;  /* room for what the argument points to; 0 for READER_INTEGER */
	uint32_t slot_offset; /* from the start of the record */
	unsigned size_idx;    /* READER_PAYLOAD: index, from 0, of the argument with the length */
};

struct condition;

/* One probe point: where to probe, what to read there, and where to put it. */
struct probe_point {
	const struct site *site; /* borrowed */
	unsigned tracepoint;     /* of the contract; below 64 */
	struct record_slot slots[SITE_ARGS_MAX];
	/* What a record must fulfil to be kept, borrowed; none: nothing. Only for sets that stream. */
	const struct condition *conditions;
	size_t conditions_cnt;
	uint32_t fixed_bytes;  /* size of a record without payload */
	uint32_t record_bytes; /* size with the largest payload */
};

/* Whether it is of one of the tracepoints in mask (bit 1 << tracepoint). */
static inline bool
probe_point_is_in(const struct probe_point *point, uint64_t mask)
{
	return mask >> (point->tracepoint & 63) & 1;
}

/* Sets slot_offset, fixed_bytes and record_bytes from the readers and slot_bytes. */
void record_lay_out(struct probe_point *point);

#endif
