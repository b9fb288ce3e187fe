/* Standard output of a command that writes for as long as it runs: a terminal, a file, or a pipe whose reader may be
 * slow, may be stuck or may have gone. */
#ifndef TPCHECK_CLI_OUTPUT_H
#define TPCHECK_CLI_OUTPUT_H

#include "base/buf.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stdint.h>

enum output_state {
	OUTPUT_GOOD,
	OUTPUT_CLOSED, /* the reader has gone, which is not an error */
	OUTPUT_STUCK,  /* the reader read nothing when it was time to end */
	OUTPUT_BROKEN, /* see the writer's error */
};

struct output {
	struct writer writer;
	bool is_terminal;
	enum output_state state;
	struct buf buf;
	uint64_t unwritten_lines; /* lines lost since the state is not OUTPUT_GOOD */
};

/* must_end: whether it is time to end; see base/writer.h. */
void output_init(struct output *output, int fd, bool (*must_end)(void *cookie), void *cookie);
void output_fini(struct output *output);
/* Writes what is in buf, and empties it. With nothing to write, it checks whether the reader has gone. False if the
 * state is not OUTPUT_GOOD. */
bool output_flush(struct output *output);
/* The same, but only if there is much in buf. */
bool output_spill(struct output *output);

#endif
