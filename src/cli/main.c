#include "cli/cli.h"

#include "base/privileges.h"
#include "cli/environment.h"
#include "report/report.h"
#include "run/specimen.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {&command_run,   &command_abi,  &command_diff,
						 &command_trace, &command_list, &command_selftest,
						 &command_doctor};
enum { COMMANDS_CNT = sizeof(commands) / sizeof(*commands) };

/* What is kept of root's capabilities, or of those that an ordinary user was given; tests/cli/privileges_test.sh shows
 * what each is for. */
static const unsigned kept_to_trace[] = {
	CAP_BPF,             /* maps and programs, a uprobe_multi link */
	CAP_PERFMON,         /* tracing programs, rings */
	CAP_SYS_ADMIN,       /* perf events on uprobes; a network namespace */
	CAP_NET_ADMIN,       /* its loopback device */
	CAP_SETUID,          /* bitcoind's user */
	CAP_SETGID,          /* and groups */
	CAP_SETPCAP,         /* nothing of this is left in bitcoind's bounding set */
	CAP_CHOWN,           /* its datadir is its user's */
	CAP_DAC_OVERRIDE,    /* we read and write there */
	CAP_SYS_PTRACE,      /* /proc/PID/mem of a process of another user: are the traps set? */
	CAP_DAC_READ_SEARCH, /* the same, for an ordinary user who has no CAP_DAC_OVERRIDE */
	CAP_KILL,            /* it shall end */
	CAP_IPC_LOCK,        /* large rings */
	CAP_SYS_NICE,        /* the thread that empties them */
};
static const unsigned kept_to_read[] = {CAP_DAC_READ_SEARCH}; /* any file that root may name, as in front.c */

static bool
traces(const struct command *command)
{
	return command != &command_abi && command != &command_diff && command != &command_list;
}

struct chosen {
	const struct command *command;
	int argc;
	char **argv;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct chosen *chosen = state->input;

	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "no command given; '%s run' judges a bitcoind", state->name);
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	for (int i = 0; i < COMMANDS_CNT; i++)
		if (!strcmp(commands[i]->name, arg))
			chosen->command = commands[i];
	if (!chosen->command)
		argp_error(state, "there is no command '%s'; see '%s --help'", arg, state->name);
	/* The rest belongs to the command. */
	chosen->argc = state->argc - state->next + 1;
	chosen->argv = state->argv + state->next - 1;
	state->next = state->argc;
	return 0;
}

static char *
help_filter(int key, const char *text, void *input)
{
	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)(uintptr_t)text;
	char *out = NULL;
	size_t out_sz;
	FILE *file = open_memstream(&out, &out_sz);
	if (!file)
		return NULL;
	fputs("Commands:\n", file);
	for (int i = 0; i < COMMANDS_CNT; i++)
		fprintf(file, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(file,
		"\n'tpcheck COMMAND --help' tells a command's options.\n"
		"Exit codes: %d all passed, %d something failed, %d wrong usage, %d nothing could be judged, %d a verdict could not be reached.",
		EXIT_PASSED, EXIT_FAILED, EXIT_USAGE, EXIT_SKIPPED, EXIT_ERROR);
	fclose(file);
	return out;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = "Tells whether the USDT tracepoints of a Bitcoin Core binary still do what Bitcoin Core documents.\v",
		.help_filter = help_filter,
	};
	struct chosen chosen = {0};
	struct diag diag;

	cli_set_up(argc, argv);
	if (argc == 2 && !strcmp(argv[1], "__specimen"))
		return specimen_main();
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &chosen);
	int code = traces(chosen.command)
			   ? privileges_keep(kept_to_trace, sizeof(kept_to_trace) / sizeof(kept_to_trace[0]),
					     &diag)
			   : privileges_keep(kept_to_read, sizeof(kept_to_read) / sizeof(kept_to_read[0]),
					     &diag);
	if (code) {
		fprintf(stderr, "tpcheck: %s\n", diag.text);
		return EXIT_ERROR;
	}
	if (traces(chosen.command) && environment_check_tmpdir(&diag)) {
		fprintf(stderr, "tpcheck: %s\n", diag.text);
		return EXIT_USAGE;
	}
	return cli_run(chosen.command, chosen.argc, chosen.argv);
}
