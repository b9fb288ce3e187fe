/* From the PID that was given to the process that was meant. */
#ifndef TPCHECK_CLI_TRACE_TARGET_H
#define TPCHECK_CLI_TRACE_TARGET_H

#include "base/diag.h"

#include <stdbool.h>
#include <sys/types.h>

/* The process to open for that number: its own for a thread, else the number itself. -ESRCH: there is none, or
 * it has ended; diag also names the process of a container that has that number there. */
int trace_target_find(pid_t number, pid_t *pid, struct diag *diag);

/* Whether the process's program has a tracepoint that Bitcoin Core documents. */
bool trace_target_has_tracepoints(pid_t pid);

/* Whether it is the loader (ld.so) that runs another program: tracepoints of its own, which it has in Ubuntu, are not
 * those that are meant. */
bool trace_target_is_loader(pid_t pid);

/* Call it when the process's program turned out to have no tracepoints, or none of those that were asked for. Replaces
 * the text in diag by what the process is and what would be right. Returns the only process below it that runs Bitcoin
 * Core with tracepoints, for the caller to trace instead; 0: there is none, or there are several. */
pid_t trace_target_explain(pid_t pid, int err, struct diag *diag);

#endif
