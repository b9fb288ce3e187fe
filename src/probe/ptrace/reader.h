/* From a stopped thread to a record: reads the arguments from its registers and memory, as probes/prelude.bpf.c does in
 * the kernel. */
#ifndef TPCHECK_PROBE_PTRACE_READER_H
#define TPCHECK_PROBE_PTRACE_READER_H

#include "probe/ptrace/regs.h"
#include "probe/ptrace/shared.h"

#include <stdint.h>
#include <sys/types.h>

/* Fills the arguments and what they point to, and returns the size of the record; its head is the caller's. There is
 * room for point->record_bytes. trap_address is that of the point's nop. */
uint32_t reader_fill(struct record *record, const struct ptrace_point *point, pid_t tid,
		     uint64_t trap_address, const struct regs *regs);

#endif
