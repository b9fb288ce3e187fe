/* Standard output of a command that writes for as long as it runs: a terminal, a file, or a pipe whose reader may
 * be slow, may stand still or may have gone. */
#ifndef TPCHECK_CLI_OUTPUT_H
#define TPCHECK_CLI_OUTPUT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum output_state {
	OUTPUT_GOOD,
	OUTPUT_CLOSED, /* the reader has gone: no mistake */
	OUTPUT_STUCK,  /* the reader stood still when it was time to end */
	OUTPUT_BROKEN, /* see error */
};

struct output {
	int fd;
	bool is_terminal;
	bool may_block; /* no file, so that it has to be asked whether it takes more */
	enum output_state state;
	int error; /* errno value */
	struct buf buf;
	uint64_t unwritten_lines; /* that were to be written when the state ceased to be good */
	/* Whether it is time to end: a reader that stands still is waited for a second longer, not more. */
	bool (*must_end)(void *cookie);
	void *cookie;
};

void output_init(struct output *output, int fd, bool (*must_end)(void *cookie), void *cookie);
void output_fini(struct output *output);
/* Writes what is in buf, and empties it. False when the state is no longer good; so it is also when there is nothing to
 * write and the reader has gone. */
bool output_flush(struct output *output);
/* The same when there is much in it. */
bool output_spill(struct output *output);

#endif
