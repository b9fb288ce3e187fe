/* The part of handler.c that differs between machines: one file each, handler_NAME.c. */
#ifndef TPCHECK_PROBE_PTRACE_HANDLER_MACHINE_H
#define TPCHECK_PROBE_PTRACE_HANDLER_MACHINE_H

#include "base/diag.h"
#include "probe/ptrace/handler.h"
#include "probe/ptrace/regs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { HANDLER_SIGSET_BYTES = 8 };
/* No valid mode for an alternate stack, so that the kernel leaves it alone. */
#define HANDLER_STACK_UNCHANGED 0x7fff

/* Looks for the code that is needed in memory that the process executes, from start to end; what was found already
 * stays. Called for each such part until handler_machine_has_code. */
void handler_machine_look(struct handler *handler, pid_t pid, int mem_fd, uint64_t start, uint64_t end);
bool handler_machine_has_code(const struct handler *handler);

/* Prepares the call of rt_sigaction(SIGTRAP) in the stack of the stopped thread, and sets its registers. *before_at:
 * where the call will put what was there. -EAGAIN: not with this thread at present; others: not in this process. */
int handler_machine_start(const struct handler *handler, const struct handler_thread *thread,
			  const struct handler_action *action, uint64_t *before_at, struct diag *diag);
/* What the call returned, at its exit. */
int64_t handler_machine_result(const struct regs *regs);
/* Whether a line of /proc/PID/status says that the process has a shadow stack. */
bool handler_machine_has_shadow_stack(const char *line);

/* What the machines share, in handler_parts.c. */
/* Finds bytes in the memory of the process, at a multiple of alignment; else *found is 0. */
bool handler_find_bytes(int mem_fd, uint64_t start, uint64_t end, const char *bytes, size_t cnt,
			unsigned alignment, uint64_t *found);
/* Unlike /proc/PID/mem this writes only what the thread itself may write, so not into the guard page at the end of its
 * stack. 0 or -EAGAIN. */
int handler_write(pid_t tid, uint64_t address, const void *from, size_t bytes);

#endif
