/* Which release of Bitcoin Core a binary is of, when nobody says: found from the version that it carries, from texts
 * that came with a release, and from its tracepoints. Pure: the bytes are handed in. */
#ifndef TPCHECK_CONTRACT_RELEASE_H
#define TPCHECK_CONTRACT_RELEASE_H

#include "base/chunk.h"
#include "base/site.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was found among a file's bytes; begin with {0}. */
struct release_traces {
	char version[32];     /* "v28.0.0rc2", "v31.99.0"; "" when none was found that can be sure */
	char doubtful[32];    /* one that may be part of a sentence, or chance */
	bool has_marks;       /* release_traces_feed_marks was called */
	uint32_t marks;       /* bit i: text i of the list was seen */
	bool has_wallet_mark; /* a text that only the wallet has was seen */
};

/* Looks for a version. False once nothing better can come. */
bool release_traces_feed(struct release_traces *traces, const struct chunk *chunk);
/* Looks for the texts. */
void release_traces_feed_marks(struct release_traces *traces, const struct chunk *chunk);

struct release_guess {
	unsigned release;
	bool is_sure; /* the file gives its version */
	char why[320];
};

/* Always gives one, RELEASE_MASTER where all else fails. */
void release_guess(const struct release_traces *traces, const struct site *sites, size_t sites_cnt,
		   struct release_guess *guess);

#endif
