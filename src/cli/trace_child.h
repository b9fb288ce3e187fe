/* The bitcoind that tpcheck trace --bitcoind starts: on a private regtest, or with the caller's arguments. */
#ifndef TPCHECK_CLI_TRACE_CHILD_H
#define TPCHECK_CLI_TRACE_CHILD_H

#include "base/diag.h"
#include "base/finding.h"
#include "cli/trace_options.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct node;
struct program;
struct sanitizer_scan;

/* Begin with {0}. One of the two, once started. */
struct trace_child {
	struct node *node;       /* on a private regtest */
	struct program *program; /* with the caller's arguments */
	struct sanitizer_scan *scan;
	struct findings reports; /* of sanitizers; the program's reader's while it runs */
	char *env_hint;          /* environment_hint */
};

int trace_child_start(struct trace_child *child, const char *bitcoind, const struct trace_options *options,
		      const atomic_int *interrupted, struct diag *diag);
/* Kills it if it runs. Errors as node_free. */
int trace_child_fini(struct trace_child *child);

pid_t trace_child_pid(const struct trace_child *child);
void trace_child_signal(struct trace_child *child, int signo);
bool trace_child_is_alive(struct trace_child *child);
/* Asks it to end, and waits. False if it has not ended within TRACE_CHILD_STOP_MS. */
enum { TRACE_CHILD_STOP_MS = 30000 };
bool trace_child_stop(struct trace_child *child);
/* How it ended, if it ended by itself: 0, with a text like "bitcoind (pid 17) exited with status 0" in diag; or
 * -ECHILD, with its last output. */
int trace_child_end(struct trace_child *child, struct diag *diag);
/* Only once it has ended: what sanitizers reported of it. Lent until trace_child_fini. */
const struct findings *trace_child_reports(struct trace_child *child);

#endif
