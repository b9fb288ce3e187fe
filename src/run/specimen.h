/* The specimen: a small process that fires every tracepoint of the contract with known, distinct values in every
 * argument. It replaces bitcoind where there is none, and shows whether tpcheck works on a machine. The program runs
 * itself as the specimen, which therefore does not have to be installed or found. */
#ifndef TPCHECK_RUN_SPECIMEN_H
#define TPCHECK_RUN_SPECIMEN_H

#include "base/diag.h"
#include "contract/expect.h"

#include <stdint.h>
#include <sys/types.h>

/* In each round every argument has another value: */
enum specimen_round {
	SPECIMEN_TYPICAL, /* small numbers, short strings */
	SPECIMEN_LEAST,   /* the least numbers, empty strings and payloads */
	SPECIMEN_GREATEST, /* the greatest numbers, longest documented strings, a payload that fills the record */
	SPECIMEN_BEYOND, /* strings and payloads longer than a record has room for */
	SPECIMEN_ROUNDS,
};

/* The specimen's side: obeys commands from stdin until its end, and returns the exit code. A command is a line, and is
 * answered by "done":
 *
 *	round N    fires all tracepoints once in one thread and then once in another; N is an enum specimen_round
 *	burst N    fires utxocache:add N times; vout counts from 0, value is 0
 *	threads N  fires it once in each of N threads, one after the other; vout and value count from 0
 *	storm N    fires it N times in each of SPECIMEN_STORM_THREADS threads at the same time; vout counts from 0,
 *	           value is the number of the thread
 */
enum { SPECIMEN_STORM_THREADS = 4 };
int specimen_main(void);

/* The side of whoever starts it. */
struct specimen;
/* Starts this program (/proc/self/exe) as the specimen; or another that obeys the same commands. */
int specimen_start(struct specimen **out, const char *program, struct diag *diag);
pid_t specimen_pid(const struct specimen *specimen);
/* Sends a command and waits for the answer. By then all of its events are in the rings. */
int specimen_command(struct specimen *specimen, const char *command, struct diag *diag);
void specimen_stop(struct specimen *specimen); /* NULL is fine */
/* Waits until fd can be read: as long as the process uses the processor, at most that many slices. A burst takes as
 * long as the machine and the way of tracing require. Returns what poll() returns. */
int specimen_wait(int fd, pid_t pid, int slice_ms, int slices);

/* Expects what a round fires, of these tracepoints. */
void specimen_expect(struct expect *x, enum specimen_round round, uint64_t tracepoints);

#endif
