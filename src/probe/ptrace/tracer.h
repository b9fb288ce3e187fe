/* The tracer process: the only one that may use ptrace on the threads that it traces. It is forked by the keeper, as a
 * deed whose undoing waits for its end and repairs what it left, should it have been killed. */
#ifndef TPCHECK_PROBE_PTRACE_TRACER_H
#define TPCHECK_PROBE_PTRACE_TRACER_H

#include "base/diag.h"
#include "base/keeper.h"
#include "probe/ptrace/shared.h"

#include <sys/types.h>

/* Starts one; area_fd and socket_fd stay the caller's. It ends when the other end of the socket is closed. *pid is that
 * of the tracer process. */
int tracer_process_start(struct keeper *keeper, struct keeper_deed *deed, int area_fd, int socket_fd,
			 pid_t *pid, struct diag *diag);

/* What the tracer process does until the other end of the socket is closed. In a process that was just forked. */
_Noreturn void tracer_run(struct ptrace_area *area, int socket_fd);

#endif
