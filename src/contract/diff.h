/* Two interfaces compared: those of two binaries, or of a release and a binary. Pure. */
#ifndef TPCHECK_CONTRACT_DIFF_H
#define TPCHECK_CONTRACT_DIFF_H

#include "base/change.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>

struct diff_side {
	/* What the binary's notes say; NULL: what the release promises, for a machine with pointers of that size. */
	const struct site *sites;
	size_t sites_cnt;
	unsigned pointer_bytes;
	unsigned release; /* 0: not known; then nothing is said of meanings and names */
};

/* Appends what is different in the new one; all changes are ordered by tracepoint and argument then. */
void diff_interfaces(const struct diff_side *before, const struct diff_side *after, struct changes *changes);

#endif
