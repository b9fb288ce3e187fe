/* A stopped thread: ptrace(2), and its general registers, as PTRACE_GETREGSET with NT_PRSTATUS gives them. Where each
 * of them is comes from base/machine.h. */
#ifndef TPCHECK_PROBE_PTRACE_REGS_H
#define TPCHECK_PROBE_PTRACE_REGS_H

#include "base/site.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/* The system call itself; libc's function takes an enum, and returns something else for some requests. */
long ptrace_call(unsigned request, pid_t tid, unsigned long address, unsigned long data);
/* The signal of a stop at a system call, with PTRACE_O_TRACESYSGOOD. */
#define PTRACE_CALL_STOP (SIGTRAP | 0x80)

enum { REGS_WORDS_MAX = 40 };

/* The kernel's struct user_regs_struct. */
struct regs {
	uint64_t words[REGS_WORDS_MAX];
	uint32_t bytes; /* of them */
};

/* 0 or -errno; -ESRCH: the thread has died, or is not stopped. */
int regs_read(pid_t tid, struct regs *regs);
int regs_write(pid_t tid, struct regs *regs);

/* 0 for a register that this machine does not have. */
uint64_t regs_get(const struct regs *regs, enum machine_register id);
void regs_set(struct regs *regs, enum machine_register id, uint64_t value);
/* The program counter. */
uint64_t regs_pc(const struct regs *regs);
void regs_set_pc(struct regs *regs, uint64_t pc);

#endif
