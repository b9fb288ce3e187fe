/* Traps in the memory of a process, and its semaphores: set and undone through /proc/PID/mem, which needs the right to
 * trace the process but does not stop it. What is set stands in the shared memory first, so that any process that has
 * it can undo it. */
#ifndef TPCHECK_PROBE_PTRACE_TRAPS_H
#define TPCHECK_PROBE_PTRACE_TRAPS_H

#include "base/diag.h"
#include "probe/ptrace/shared.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Some bytes of code that a trap replaced. */
struct traps_code {
	uint8_t bytes[MACHINE_TRAP_BYTES_MAX];
};

/* Finds the addresses of all points in a process, and looks at the nops there; nothing is set. *mem_fd is the
 * caller's to close. -EBUSY: another tracer has set a trap there. */
int traps_open(struct ptrace_area *area, pid_t pid, int *mem_fd, struct diag *diag);
/* Sets the traps of the tracepoints in mask, and no others, and raises their semaphores. */
int traps_set(struct ptrace_area *area, int mem_fd, uint64_t mask, struct diag *diag);
/* Whether all that was set is still there and nobody's besides: -EBUSY: another tracer has attached to the same places
 * meanwhile. The kernel then takes our traps for that tracer's, and hits were missed. */
int traps_check(const struct ptrace_area *area, int mem_fd, pid_t pid, struct diag *diag);
/* Undoes all. */
int traps_clear(struct ptrace_area *area, int mem_fd, struct diag *diag);
/* Sets a trap elsewhere in a process's code, and keeps what was there; takes it out. */
int traps_set_at(int mem_fd, uint64_t address, struct traps_code *before);
int traps_clear_at(int mem_fd, uint64_t address, const struct traps_code *before);
/* Likewise in another process; best effort. */
void traps_clear_other(pid_t pid, uint64_t address, const struct traps_code *before);
/* Where a thread stands that has just run into a trap at that address. */
uint64_t traps_stop_address(uint64_t trap_address);
/* In a child that has a copy of the memory, which may be older than what the area says; nothing is changed there. */
void traps_clear_copy(const struct ptrace_area *area, int mem_fd, pid_t child);
/* What is in memory is gone: the process ended, or executed another program. */
void traps_forget(struct ptrace_area *area);
/* Undoes what a dead tracer process left, if the process that it traced lives. */
int traps_rescue(struct ptrace_area *area, struct diag *diag);

#endif
