/* The command line of abi and diff: files to read, --release, --format and --require. */
#ifndef TPCHECK_CLI_FILES_ARGS_H
#define TPCHECK_CLI_FILES_ARGS_H

#include "cli/cli.h"
#include "report/report.h"

enum { FILES_MAX = 2 };
/* Keys of the options, whose help texts are the command's own. */
enum { FILES_RELEASE = 'r', FILES_FORMAT = 256, FILES_REQUIRE };

struct files_args {
	const char *paths[FILES_MAX];
	unsigned paths_cnt, paths_max; /* the command sets paths_max, at most FILES_MAX */
	unsigned release;              /* 0: not given */
	enum cli_format format;
	bool require; /* a skip is an error */
};

/* A parser for an argp whose input is a struct files_args. The command checks how many files it got. */
error_t files_args_parse(int key, char *arg, struct argp_state *state);
/* The exit code for that outcome. */
enum exit_code files_args_code(const struct files_args *args, enum outcome outcome);

#endif
