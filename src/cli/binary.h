/* A file that is looked at without being run: its notes, and the release that it is compared with. */
#ifndef TPCHECK_CLI_BINARY_H
#define TPCHECK_CLI_BINARY_H

#include "contract/release.h"
#include "notes/notes.h"
#include "report/abi.h"

struct binary {
	enum outcome outcome; /* OUTCOME_PASS: there is something to look at; else reason says why not */
	char *reason;
	struct notes *notes;
	struct release_traces traces;
	struct release_guess guess;
	char release_name[16];
	bool lacks_the_wallet;
	struct report_binary report;
};

/* release 0: it is found out. */
void binary_open(struct binary *binary, const char *path, unsigned release);
void binary_close(struct binary *binary);

/* The release of a file that is to be run or traced; master where nothing tells it: what is wrong with the file is told
 * by who uses it then. A release that is given (not 0) is that. */
unsigned binary_find_release(const char *path, unsigned release);

#endif
