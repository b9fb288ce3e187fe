/* A handler of SIGTRAP for a process that tpcheck did not start, so that a trap without a tracer harms nothing. */
#ifndef TPCHECK_PROBE_PTRACE_HANDLER_H
#define TPCHECK_PROBE_PTRACE_HANDLER_H

#include "base/diag.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's struct sigaction. */
struct handler_action {
	uint64_t handler, flags, restorer, mask;
};

struct handler {
	bool is_set;
	struct handler_action before; /* what was in its place */
	/* Code in the process, see handler.c: a system call with a return behind it, and one of rt_sigreturn. */
	uint64_t gadget, restorer;
	/* The handler, and what the kernel's struct sigaction needs with it. */
	uint64_t entry, entry_flags, entry_restorer;
};

/* A seized thread, which is interrupted for a moment, and what deals with its other stops meanwhile. */
struct handler_thread {
	pid_t pid, tid;
	int mem_fd;       /* /proc/PID/mem */
	bool allows_wait; /* the thread may be in a call with a time limit, which is then interrupted (EINTR) */
	void (*on_stop)(void *cookie, pid_t tid, int status);
	void *cookie;
};

/* Whether SIGTRAP is queued for a thread that is stopped for another reason. */
bool handler_has_pending_trap(pid_t tid);
/* The thread would not survive a trap in spite of a handler. -EAGAIN: it blocks SIGTRAP at the moment; -EOPNOTSUPP: it
 * has a shadow stack. */
int handler_check_thread(pid_t pid, pid_t tid, struct diag *diag);
/* -EAGAIN: not with this thread; another one may do. Other errors: not in this process. */
int handler_set(struct handler *handler, const struct handler_thread *thread, struct diag *diag);
/* Puts back what was there; errors likewise. Nothing if it was not set. */
int handler_unset(struct handler *handler, const struct handler_thread *thread, struct diag *diag);

#endif
