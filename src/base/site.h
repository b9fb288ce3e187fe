/* A probe site: one place in a binary where a tracepoint was compiled in, as its ELF note describes it.
 * A plain type that the note reader fills and the probe layer consumes. */
#ifndef TPCHECK_BASE_SITE_H
#define TPCHECK_BASE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SITE_ARGS_MAX = 12, /* sys/sdt.h and util/trace.h allow no more */
};

enum operand_kind {
	OPERAND_UNREADABLE, /* see reason: BPF cannot get at it, or the text was not understood */
	OPERAND_CONSTANT,   /* the value is constant */
	OPERAND_REGISTER,   /* the value is in base, from bit shift on */
	OPERAND_MEMORY,     /* the value is at base + displacement + index * scale */
	OPERAND_FOREIGN,    /* a place on another machine than x86-64: understood, but for no probe of ours */
};

/* What libbcc, the library that Bitcoin Core's examples read with, makes of an operand on its machine. Where it
 * knows the machine not at all, nothing is said (OPERAND_BCC_READS). */
enum operand_bcc {
	OPERAND_BCC_READS,    /* the value */
	OPERAND_BCC_ZERO,     /* 0, whatever the value is, without an error */
	OPERAND_BCC_LEAVES,   /* it leaves the argument out, and those behind it move up by one */
	OPERAND_BCC_STOPS,    /* it leaves the argument out, and those behind it as well */
	OPERAND_BCC_MISREADS, /* it reads another place than the one meant */
	OPERAND_BCC_REFUSES,  /* no program that has the tracepoint can be made */
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
	enum operand_bcc bcc;
	bool is_half;    /* OPERAND_FOREIGN: the note names one of the two registers that the value is in */
	char text[64];   /* as the note spells it, e.g. "-8@%r12" (cut if longer) */
	char reason[96]; /* with OPERAND_UNREADABLE: why, e.g. "the operand is in SSE register %xmm0" */
};

struct site {
	char provider[64], name[64]; /* Bitcoin Core calls them context and event */
	uint64_t address;            /* of the probe's nop, as virtual address, corrected for .stapsdt.base */
	uint64_t file_offset;        /* the same place as an offset in the file */
	uint64_t semaphore_address;  /* 0: none */
	uint64_t semaphore_file_offset;
	bool semaphore_is_stray;     /* it lies outside the section .probes, which is for them */
	unsigned char address_bytes; /* 4 or 8, of the binary */
	unsigned args_cnt;
	struct operand args[SITE_ARGS_MAX];
};

/* Pointers to the cnt sites, those of one tracepoint together: by provider, then name, then as they come. The caller
 * frees the array. */
const struct site **sites_sort(const struct site *sites, size_t cnt);
bool site_is_of(const struct site *site, const char *provider, const char *name);
/* Whether both are of one tracepoint. */
bool site_is_like(const struct site *a, const struct site *b);

#endif
