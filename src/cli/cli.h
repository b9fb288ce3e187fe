/* The commands. Each parses its own arguments (argv[0] is "tpcheck COMMAND") and returns the exit code. */
#ifndef TPCHECK_CLI_CLI_H
#define TPCHECK_CLI_CLI_H

#include "probe/probe.h"

#include <argp.h>
#include <signal.h>
#include <stdbool.h>

/* The name that the program was called by. */
extern const char *cli_program;

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

extern const struct command command_run, command_list, command_selftest, command_doctor;
extern const struct command command_abi, command_diff, command_trace;

/* What main does before and after a command. */
void cli_set_up(int argc, char **argv);
int cli_run(const struct command *command, int argc, char **argv);

/* The value of an option that chooses among names; ends the program with code 2 and the choices when it is none
 * of them. names ends with NULL. */
struct argp_state;
int cli_choice(const struct argp_state *state, const char *option, const char *value,
	       const char *const *names);

/* A whole number from lo to hi, or code 2. */
long cli_number(const struct argp_state *state, const char *option, const char *value, long lo, long hi);

/* The name or number of a user, for node_opts and its like; or code 2. */
const char *cli_user(const struct argp_state *state, const char *value);

/* A release of Bitcoin Core that has tracepoints, see release_parse; or code 2. */
unsigned cli_release(const struct argp_state *state, const char *option, const char *value);

extern const char *const cli_attach_names[];  /* indices are enum probe_method */
extern const char *const cli_headers_names[]; /* indices are enum probe_headers */

/* --attach and --headers, for a command's argp: a child whose input is a struct probe_opts. */
extern const struct argp cli_probe_argp;

enum cli_format {
	CLI_FORMAT_TEXT,
	CLI_FORMAT_JSON,
};
extern const char *const cli_format_names[];

/* From now on SIGINT, SIGTERM, SIGQUIT and SIGHUP set the flag instead of ending the program. */
const volatile sig_atomic_t *cli_catch_signals(void);

#endif
