/* Finds the release of Bitcoin Core that a binary belongs to: by its version, by texts that a release added, and by its
 * tracepoints. Pure: the caller reads the file. */
#ifndef TPCHECK_CONTRACT_RELEASE_H
#define TPCHECK_CONTRACT_RELEASE_H

#include "base/chunk.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was found in a file's bytes; start with {0}. */
struct release_traces {
	char version[32];     /* "v28.0.0rc2", "v31.99.0"; "" if none was found for certain */
	char doubtful[32];    /* one that may be part of a sentence, or a coincidence */
	bool has_marks;       /* release_traces_feed_marks was called */
	uint32_t marks;       /* bit i: text i of the list was found */
	bool has_wallet_mark; /* a text that only the wallet has was found */
};

/* Looks for a version. False once there is no need to look further. */
bool release_traces_feed(struct release_traces *traces, const struct chunk *chunk);
/* Looks for the texts. */
void release_traces_feed_marks(struct release_traces *traces, const struct chunk *chunk);

struct release_guess {
	unsigned release;
	bool is_sure; /* the file gives its version */
	char why[320];
};

/* Always finds one; RELEASE_MASTER if all else fails. */
void release_guess(const struct release_traces *traces, const struct site *sites, size_t sites_cnt,
		   struct release_guess *guess);

#endif
