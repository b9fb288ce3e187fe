/* A probe site: one place in a binary where a tracepoint was compiled in, as its ELF note describes it.
 * A plain type that the note reader fills and the probe layer consumes. */
#ifndef TPCHECK_BASE_SITE_H
#define TPCHECK_BASE_SITE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SITE_ARGS_MAX = 12, /* sys/sdt.h and util/trace.h allow no more */
};

enum operand_kind {
	OPERAND_UNREADABLE, /* see reason: BPF cannot get at it, or the text was not understood */
	OPERAND_CONSTANT,   /* the value is constant */
	OPERAND_REGISTER,   /* the value is in base, from bit shift on */
	OPERAND_MEMORY,     /* the value is at base + displacement + index * scale */
};

/* x86-64 general registers, in the order of the kernel's struct pt_regs names. */
enum machine_register {
	REGISTER_NONE,
	REGISTER_AX,
	REGISTER_BX,
	REGISTER_CX,
	REGISTER_DX,
	REGISTER_SI,
	REGISTER_DI,
	REGISTER_BP,
	REGISTER_SP,
	REGISTER_R8,
	REGISTER_R9,
	REGISTER_R10,
	REGISTER_R11,
	REGISTER_R12,
	REGISTER_R13,
	REGISTER_R14,
	REGISTER_R15,
	REGISTER_IP, /* only as the base of a memory operand; see struct operand */
};

struct operand {
	enum operand_kind kind;
	uint8_t width_bytes; /* 1, 2, 4 or 8, from the note; 0 when it gives none of these (then unreadable) */
	bool is_signed;      /* the note gave a negative width */
	enum machine_register base, index; /* each may be NONE */
	uint8_t scale;                     /* 1, 2, 4 or 8; 0 without index */
	uint8_t shift_bits;                /* 8 for %ah and its like, else 0 */
	/* Added to base. With base REGISTER_IP it is relative to the probe's own address (a symbol that the
	 * note reader resolved), not to the instruction after it. */
	int64_t displacement;
	int64_t constant; /* brought to the width and sign */
	char text[64];    /* as the note spells it, e.g. "-8@%r12" (cut if longer) */
	char reason[96];  /* with OPERAND_UNREADABLE: why, e.g. "the operand is in SSE register %xmm0" */
};

struct site {
	char provider[64], name[64]; /* Bitcoin Core calls them context and event */
	uint64_t address;            /* of the probe's nop, as virtual address, corrected for .stapsdt.base */
	uint64_t file_offset;        /* the same place as an offset in the file */
	uint64_t semaphore_address;  /* 0: none */
	uint64_t semaphore_file_offset;
	unsigned args_cnt;
	struct operand args[SITE_ARGS_MAX];
};

#endif
