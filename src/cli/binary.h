/* A file that is read without being run: its notes, and the release to compare it with. */
#ifndef TPCHECK_CLI_BINARY_H
#define TPCHECK_CLI_BINARY_H

#include "contract/release.h"
#include "notes/absence.h"
#include "notes/notes.h"
#include "report/abi.h"

struct binary {
	enum outcome outcome; /* OUTCOME_PASS: it has tracepoints; else reason says why it cannot be used */
	char *reason;
	struct notes *notes;
	enum absence absence; /* why it has no tracepoints */
	struct release_traces traces;
	struct release_guess guess;
	char release_name[16];
	bool has_no_wallet; /* it was built without one */
	struct report_binary report;
};

/* Why a release was chosen, if it was given. */
#define BINARY_WHY_OPTION "given by --release"

/* release 0: find it in the file. */
void binary_open(struct binary *binary, const char *path, unsigned release);
void binary_close(struct binary *binary);
/* Whether it is a build of Bitcoin Core without tracepoints; then it has a release all the same. */
bool binary_lost_tracepoints(const struct binary *binary);

/* The release of a file that is about to be run or traced: the given one unless it is 0, else the one found in the
 * file, else master. If the file cannot be used, whoever runs or traces it reports that. */
unsigned binary_find_release(const char *path, unsigned release);

#endif
