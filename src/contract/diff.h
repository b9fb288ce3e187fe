/* Compares two interfaces: those of two binaries, or of a release and a binary. Pure. */
#ifndef TPCHECK_CONTRACT_DIFF_H
#define TPCHECK_CONTRACT_DIFF_H

#include "base/change.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>

struct diff_side {
	/* A binary's notes; NULL: what the release documents, for a machine with pointers of that size. */
	const struct site *sites;
	size_t sites_cnt;
	unsigned pointer_bytes;
	unsigned release; /* 0: unknown; then names and meanings are not compared */
};

/* Appends the changes, and sorts all of them by tracepoint and argument. */
void diff_interfaces(const struct diff_side *before, const struct diff_side *after, struct changes *changes);

#endif
