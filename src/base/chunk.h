/* A piece of what a file loads into memory. Pieces of one run overlap by CHUNK_OVERLAP bytes: what is shorter than
 * that, and cut off at the end of one piece, is complete in the next. */
#ifndef TPCHECK_BASE_CHUNK_H
#define TPCHECK_BASE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

enum { CHUNK_OVERLAP = 256 };

struct chunk {
	const char *bytes;
	size_t sz;
	bool is_first, is_last; /* of the run */
	bool is_code;           /* the run is executable */
};

#endif
