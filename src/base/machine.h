/* What differs between machines: their nops and traps, and the registers that probes read. A machine with probes has a
 * file of its own, machine_NAME.c; the others are only known to the reader of notes. What else is needed for a new one
 * is in doc/design.md. Pure. */
#ifndef TPCHECK_BASE_MACHINE_H
#define TPCHECK_BASE_MACHINE_H

#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum machine {
	MACHINE_X86_64,
	MACHINE_I386,
	MACHINE_AARCH64,
	MACHINE_ARM,
	MACHINE_RISCV,
	MACHINE_PPC,
	MACHINE_S390,
	MACHINE_LOONGARCH,
	MACHINE_OTHER, /* nothing is known of its operands */
};

enum { MACHINE_NOP_BYTES_MAX = 5, MACHINE_TRAP_BYTES_MAX = 4 };

enum code_order {
	CODE_ANY,
	CODE_LITTLE, /* only if the file's numbers are little-endian */
	CODE_BIG,
};

/* A nop that <sys/sdt.h> puts where a tracepoint is. */
struct machine_nop {
	enum code_order order;
	uint8_t cnt, alignment, bytes[MACHINE_NOP_BYTES_MAX];
};

struct machine_register_desc {
	const char *context_name; /* in the kernel's struct pt_regs, which a BPF program gets */
	uint16_t user_offset;     /* in struct user_regs_struct, which ptrace gives */
};

/* A machine with probes. */
struct machine_desc {
	enum machine machine;
	const char *name;        /* "x86-64" */
	const char *kernel_name; /* as in uname -m */
	const struct machine_nop *nops;
	size_t nops_cnt;
	/* registers[i] is the register first + i, the last is the program counter, pc. */
	enum machine_register first, pc;
	const struct machine_register_desc *registers;
	/* What is written over the first bytes of a nop to stop a thread, at once: another thread runs into either the
	 * one or the other. */
	uint8_t trap[MACHINE_TRAP_BYTES_MAX], trap_bytes;
	uint8_t trap_moves; /* how far behind its first byte a thread stops */
};
extern const struct machine_desc machine_x86_64, machine_aarch64;

/* The one that has the register; NULL for REGISTER_NONE. */
const struct machine_desc *machine_of_register(enum machine_register id);
/* The one that this program was built for; NULL: it has no probes. */
const struct machine_desc *machine_native(void);
/* The names of all, as "x86-64 and aarch64". */
const char *machine_names(void);

bool machine_has_register(const struct machine_desc *desc, enum machine_register id);
const struct machine_register_desc *machine_register(const struct machine_desc *desc,
						     enum machine_register id);

/* How many bytes the nop has that begins with bytes, of which there are cnt, at that address; 0: no nop of sdt.h. */
size_t machine_nop_bytes(enum machine machine, bool is_big_endian, uint64_t address, const uint8_t *bytes,
			 size_t cnt);
/* Whether nops are known of the machine. */
bool machine_has_nops(enum machine machine);

#endif
