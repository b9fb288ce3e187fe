/* The low 12 bits of an address on aarch64, of which a note has only the name of a place that the linker knew
 * ("[x0, #:lo12:.LANCHOR0]"). Pure, but for the code, which comes from the caller. */
#ifndef TPCHECK_NOTES_LOW_BITS_H
#define TPCHECK_NOTES_LOW_BITS_H

#include "base/site.h"

#include <stdbool.h>
#include <stdint.h>

/* The instruction at a virtual address; false: there is none in the file. */
typedef bool (*low_bits_read)(void *cookie, uint64_t address, uint32_t *instruction);

/* Finds them in the code around the nop at site_address, for an address whose other bits are in base. False: the code
 * does not say, or says different things. */
bool low_bits_find(low_bits_read read, void *cookie, uint64_t site_address, enum machine_register base,
		   uint64_t *low);

#endif
