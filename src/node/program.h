/* A bitcoind that runs as its caller says: with the caller's arguments, datadir and chain. Nothing is known of it
 * but how it was started and how it ends. (node.h is for a node that is tpcheck's own.) */
#ifndef TPCHECK_NODE_PROGRAM_H
#define TPCHECK_NODE_PROGRAM_H

#include "base/clock.h"
#include "base/diag.h"

#include <stdbool.h>
#include <sys/types.h>

struct program;

struct program_opts {
	const char *bitcoind;    /* as node_find_bitcoind gives it */
	const char *const *args; /* ended by NULL */
	const char *user;        /* as in struct node_opts */
};

/* Starts it in our working directory, as that user and with that user's HOME, with no privilege and no file of
 * ours. Its output is read and forgotten, but for the last lines: see program_output. It gets SIGKILL when the
 * thread that started it ends. *out is NULL on failure. */
int program_start(struct program **out, const struct program_opts *opts, struct diag *diag);
/* Kills it if it runs; NULL is fine. */
void program_free(struct program *program);

pid_t program_pid(const struct program *program);
int program_signal(struct program *program, int signo);
bool program_is_alive(struct program *program);
/* Once it has ended: "bitcoind (pid 17) exited with status 1", and whether that was status 0. Lent. */
const char *program_end_text(struct program *program);
bool program_ended_well(struct program *program);
/* What it printed last, whole lines; "" for nothing. Known when it has ended. Lent. */
const char *program_output(struct program *program);

#endif
