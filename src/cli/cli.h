/* The commands, and what their command lines share. Each command parses its own arguments (argv[0] is
 * "tpcheck COMMAND") and returns the exit code. Whatever parses an option here ends the program with code 2 and a
 * message when the value is wrong. */
#ifndef TPCHECK_CLI_CLI_H
#define TPCHECK_CLI_CLI_H

#include "probe/probe.h"

#include <argp.h>
#include <stdatomic.h>
#include <stdbool.h>

struct keeper;
/* The keeper of this run; NULL for commands that need none. */
extern struct keeper *cli_keeper;

/* The name that the program was called by. */
extern const char *cli_program;

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

extern const struct command command_run, command_list, command_selftest, command_doctor;
extern const struct command command_abi, command_diff, command_trace;

/* To be called before anything else. Descriptors 0 to 2 that are closed get /dev/null: otherwise files that are opened
 * later would get them, and output would be mixed into these. Standard error escapes and shortens what is
 * printed (see messages.h). Output that cannot be written ends the program with code 99. */
void cli_start(void);
/* What main does before a command, and how it runs one. */
void cli_set_up(int argc, char **argv);
int cli_run(const struct command *command, int argc, char **argv);

/* The index of value among names, which end with NULL. */
int cli_choice(const struct argp_state *state, const char *option, const char *value,
	       const char *const *names);

/* A whole number from lo to hi. */
long cli_number(const struct argp_state *state, const char *option, const char *value, long lo, long hi);

/* The name or number of a user of this machine, for node_opts and its like. */
const char *cli_user(const struct argp_state *state, const char *value);
#define CLI_USER_HELP                                                                                        \
	"User to run bitcoind as when tpcheck is root (default: the caller of sudo, else nobody)"

/* A word for the shell, quoted if necessary; the caller frees it. */
char *cli_quote(const char *word);
/* Adds " --NAME=VALUE", quoted likewise, to a command. */
struct buf;
void cli_add_option(struct buf *command, const char *name, const char *value);

/* Appends a variable for bitcoind's environment to an array as cli_append does, and ends it with NULL. */
void cli_append_env(const struct argp_state *state, const char ***env, size_t *cnt, const char *variable);
#define CLI_ENV_HELP                                                                                         \
	"Variable for bitcoind's environment, which is otherwise empty but for PATH, HOME and the like; may be repeated"

/* A release of Bitcoin Core that has tracepoints, see release_parse. */
unsigned cli_release(const struct argp_state *state, const char *value);

/* Complains about an argument that the command does not take. */
void cli_extra_argument(const struct argp_state *state, const char *arg);

/* Appends to an array that the caller frees; item is borrowed. */
void cli_append(const char ***items, size_t *cnt, const char *item);

/* Writes a report to standard output, and frees it. */
void cli_print(char *text);

extern const char *const cli_attach_names[];  /* indices are enum probe_method */
extern const char *const cli_headers_names[]; /* indices are enum probe_headers */

/* --attach, --headers and --no-cache, for a command's argp: a child whose input is a struct probe_opts. */
extern const struct argp cli_probe_argp;

enum cli_format {
	CLI_FORMAT_TEXT,
	CLI_FORMAT_JSON,
};
extern const char *const cli_format_names[];

/* From now on each signal that can be caught and would end the program sets the flag instead: SIGINT, SIGTERM, and what
 * batch systems, timers and kill(1) send. Those of a fault in the program itself still end it. */
const atomic_int *cli_catch_signals(void);

#endif
