/* The specimen: a small process of tpcheck's own that fires every tracepoint of the contract with known, distinct
 * values in every argument. It stands in for bitcoind where there is none, and shows that a machine can run
 * tpcheck. The program runs itself again as the specimen, so that there is nothing to install or to find. */
#ifndef TPCHECK_RUN_SPECIMEN_H
#define TPCHECK_RUN_SPECIMEN_H

#include "base/diag.h"
#include "contract/expect.h"

#include <stdint.h>
#include <sys/types.h>

/* A round gives every argument a value of its own: */
enum specimen_round {
	SPECIMEN_TYPICAL, /* small numbers, short strings */
	SPECIMEN_LEAST,   /* the least numbers, empty strings and payloads */
	SPECIMEN_GREATEST, /* the greatest numbers, longest documented strings, a payload that fills the record */
	SPECIMEN_BEYOND, /* strings and payloads longer than a record has room for */
	SPECIMEN_ROUNDS,
};

/* The specimen's side: serves commands on stdin until its end; does not return to the rest of the program.
 * Commands are lines: "round N" fires all tracepoints once in one thread and then once in another; "burst N" fires
 * utxocache:add N times, with vout counting from 0 and value 0; "threads N" fires it once in each of N threads, one
 * after the other, vout and value counting from 0; "storm N" fires it N times in each of SPECIMEN_STORM_THREADS
 * threads at once, with vout counting from 0 and the thread's number as value; each is answered by "done". */
enum { SPECIMEN_STORM_THREADS = 4 };
int specimen_main(void);

/* The host's side. */
struct specimen;
/* Starts this program (/proc/self/exe) as the specimen; or another one that speaks as it does. */
int specimen_start(struct specimen **out, const char *program, struct diag *diag);
pid_t specimen_pid(const struct specimen *specimen);
/* Sends a command and waits for its answer; by then all of its events are in the rings. */
int specimen_command(struct specimen *specimen, const char *command, struct diag *diag);
void specimen_stop(struct specimen *specimen); /* NULL is fine */

/* What a round must show, of the tracepoints in mask. */
void specimen_expect(struct expect *x, enum specimen_round round, uint64_t tracepoints);

#endif
