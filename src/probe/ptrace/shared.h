/* The memory that a tracer process shares with the process that it serves and with the keeper. The tracer process is
 * forked by the keeper, which has none of its owner's later memory, so everything that the tracer needs is here.
 *
 * Records travel through a ring with one writer, the tracer process, and one reader. Each has an 8-byte head with its
 * size; at the end of the ring a head of RING_WRAP says that the next record is at its start. written and read count
 * bytes and never wrap. */
#ifndef TPCHECK_PROBE_PTRACE_SHARED_H
#define TPCHECK_PROBE_PTRACE_SHARED_H

#include "base/condition.h"
#include "base/diag.h"
#include "base/machine.h"
#include "base/record.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is needed of an operand; see struct operand. */
struct ptrace_operand {
	uint8_t kind, width_bytes, shift_bits, scale;
	uint8_t base, index; /* enum machine_register */
	uint8_t extension;   /* enum operand_extension */
	int64_t displacement;
	uint64_t constant; /* zero-extended from its width */
};

struct ptrace_point {
	uint64_t file_offset, semaphore_file_offset;
	uint16_t tracepoint, args_cnt;
	uint32_t fixed_bytes, record_bytes;
	struct ptrace_operand operands[SITE_ARGS_MAX];
	struct record_slot slots[SITE_ARGS_MAX];
	uint32_t conditions_cnt; /* only the early ones */
	struct condition conditions[CONDITIONS_MAX];
};

enum trap_move { MOVES_NOT, MOVES_UP, MOVES_DOWN };

/* A point in the traced process. What was written there stands here before it is written, so that whoever finds the
 * tracer process dead can undo it. */
struct ptrace_trap {
	uint64_t address, semaphore_address;      /* 0: not known; no semaphore */
	uint8_t original[MACHINE_TRAP_BYTES_MAX]; /* the first bytes of the nop, where the trap is */
	uint8_t nop_bytes;                        /* of all of it */
	_Atomic uint8_t is_set;
	_Atomic uint8_t is_raised; /* the semaphore, by 1 */
	_Atomic uint8_t moves;     /* enum trap_move: the semaphore is just being written */
	uint16_t moves_to;
};

enum thread_state { THREAD_FREE, THREAD_CLAIMED, THREAD_LIVE, THREAD_ENDED };

struct ptrace_thread {
	_Atomic uint32_t state; /* enum thread_state */
	uint32_t tid;
	_Atomic uint64_t attempts, failed, filtered;
};

enum { PTRACE_THREADS_MAX = 4096 };
#define RING_WRAP UINT64_MAX

struct ptrace_shared {
	size_t bytes, ring_bytes; /* of all of it; of the ring, a multiple of 8 */
	uint32_t points_cnt;
	bool is_owned; /* the process ends with its tracer */

	/* Of the process that traps were put into; 0: there is none. start_time is field 22 of proc(5)'s stat. */
	_Atomic int32_t pid;
	uint64_t start_time;

	_Atomic uint64_t no_memory;
	_Atomic uint64_t written, read;
	/* Futexes. The bell is rung when the reader waits and the ring fills up, or the writer waits; room, when the
	 * writer waits and the ring was read. */
	_Atomic uint32_t bell;
	_Atomic uint32_t reader_waits;
	_Atomic uint32_t room;
	_Atomic uint32_t writer_waits;
	bool reader_is_late; /* the writer's: it has waited in vain */
	uint64_t late_at;    /* read at that time; while it is the same, the writer does not wait again */
	struct ptrace_thread threads[PTRACE_THREADS_MAX];
	/* Here follow the points, the traps and the ring. */
};

/* One process's view of it. */
struct ptrace_area {
	struct ptrace_shared *shared;
	struct ptrace_point *points;
	struct ptrace_trap *traps;
	unsigned char *ring;
};

/* Makes the memory and fills in the points; *fd is the caller's to close. tmpdir as in struct probe_opts. */
int ptrace_area_make(struct ptrace_area *area, int *fd, const struct probe_point *points, size_t points_cnt,
		     size_t ring_bytes, const char *tmpdir, struct diag *diag);
/* Maps memory that another process made. */
int ptrace_area_map(struct ptrace_area *area, int fd, struct diag *diag);
void ptrace_area_unmap(struct ptrace_area *area);

/* Requests, one at a time; each is answered by a struct ptrace_answer. */
enum ptrace_verb { PTRACE_DO_ATTACH, PTRACE_DO_DETACH, PTRACE_DO_RECORD };
struct ptrace_request {
	enum ptrace_verb verb;
	pid_t pid;     /* attach */
	uint64_t mask; /* record: of tracepoints; 0: none, and no trap stays */
	uint32_t generation;
	uint32_t number;
};
struct ptrace_answer {
	uint32_t number; /* that of the request */
	int err;
	struct diag diag;
};

#endif
