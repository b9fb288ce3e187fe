/* A probe site: one place in a binary where a tracepoint was compiled in, as its ELF note describes it. Filled by the
 * note reader, used by the probes. */
#ifndef TPCHECK_BASE_SITE_H
#define TPCHECK_BASE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SITE_ARGS_MAX = 12, /* sys/sdt.h and util/trace.h allow no more */
};

enum operand_kind {
	OPERAND_UNREADABLE, /* BPF cannot read it, or the text was not understood; see reason */
	OPERAND_CONSTANT,   /* the value is constant */
	OPERAND_REGISTER,   /* the value is in base, from bit shift_bits on */
	OPERAND_MEMORY,     /* the value is at base + displacement + index * scale */
	OPERAND_FOREIGN,    /* readable, on a machine for which there are no probes */
};

/* What libbcc, which Bitcoin Core's example scripts use, makes of an operand. OPERAND_BCC_READS also where libbcc does
 * not know the machine. */
enum operand_bcc {
	OPERAND_BCC_READS,    /* the value */
	OPERAND_BCC_ZERO,     /* 0, whatever the value is, without an error */
	OPERAND_BCC_LEAVES,   /* it skips the argument, and those after it move up by one */
	OPERAND_BCC_STOPS,    /* it skips the argument and all after it */
	OPERAND_BCC_MISREADS, /* it reads another place */
	OPERAND_BCC_REFUSES,  /* it rejects programs that use the tracepoint */
};

/* What a machine does with an index register before it multiplies it by the scale. */
enum operand_extension {
	EXTENSION_NONE, /* it takes all of it */
	EXTENSION_ZERO, /* its lower 32 bits, zero-extended */
	EXTENSION_SIGN, /* its lower 32 bits, sign-extended */
};

/* Where a part of an address is from that the note only names. */
enum operand_source {
	OPERAND_FROM_NOTE,    /* the note has all of it */
	OPERAND_FROM_SYMBOLS, /* the file's symbol table */
	OPERAND_FROM_CODE,    /* the code around the site */
	OPERAND_FROM_LINKER,  /* only the linker knew it; then unreadable */
};

/* The registers of all machines with probes; base/machine.h has what is known of each. */
enum machine_register {
	REGISTER_NONE,
	/* x86-64 */
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
	/* aarch64 */
	REGISTER_X0,
	REGISTER_X30 = REGISTER_X0 + 30,
	REGISTER_A64_SP,
	REGISTER_A64_PC, /* as REGISTER_IP */
};

struct operand {
	enum operand_kind kind;
	uint8_t width_bytes; /* 1, 2, 4 or 8, from the note; 0: it gives none of these (then unreadable) */
	bool is_signed;      /* the note gave a negative width */
	enum machine_register base, index; /* each may be NONE */
	uint8_t scale;                     /* 1, 2, 4, 8 or 16; 0 without index */
	enum operand_extension extension;  /* of the index */
	uint8_t shift_bits;                /* 8 for %ah, %bh, %ch and %dh, else 0 */
	/* Added to base. With base REGISTER_IP or REGISTER_A64_PC it is relative to the probe's address (the note
	 * reader resolved a symbol), not to the next instruction. */
	int64_t displacement;
	int64_t constant; /* truncated or extended to the width and sign */
	enum operand_source source;
	enum operand_bcc bcc;
	bool is_half;    /* OPERAND_FOREIGN: the note names only one of the two registers with the value */
	char text[64];   /* as the note spells it, such as "-8@%r12" (cut if longer) */
	char reason[96]; /* OPERAND_UNREADABLE: why, such as "the operand is in SSE register %xmm0" */
};

struct site {
	char provider[64], name[64]; /* Bitcoin Core calls them context and event */
	uint64_t address;            /* virtual address of the probe's nop, corrected for .stapsdt.base */
	uint64_t file_offset;        /* the same place as an offset in the file; 0: there is none */
	uint64_t perf_offset;        /* where in the file perf takes it to be */
	bool has_no_base;            /* the note gives 0 as the address of .stapsdt.base */
	uint64_t semaphore_address;  /* 0: none */
	uint64_t semaphore_file_offset;
	bool semaphore_is_stray;     /* it lies outside the section for semaphores, .probes */
	unsigned char address_bytes; /* 4 or 8, of the binary */
	unsigned args_cnt;
	struct operand args[SITE_ARGS_MAX];
};

/* Pointers to the cnt sites, sorted by provider, then name, then position. The caller frees the array. */
const struct site **sites_sort(const struct site *sites, size_t cnt);
bool site_is_of(const struct site *site, const char *provider, const char *name);
/* Whether both belong to the same tracepoint. */
bool site_is_like(const struct site *a, const struct site *b);

#endif
