#include "cli/cli.h"

#include "base/folder.h"
#include "base/keeper.h"
#include "base/limits.h"
#include "base/privileges.h"
#include "cli/environment.h"
#include "probe/probe.h"
#include "report/report.h"
#include "run/specimen.h"

#include <argp.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const struct command *const commands[] = {&command_run,   &command_abi,  &command_diff,
						 &command_trace, &command_list, &command_selftest,
						 &command_doctor};
enum { COMMANDS_CNT = sizeof(commands) / sizeof(*commands) };

/* The capabilities to keep, of root's or of those that an ordinary user was given. tests/cli/privileges_test.sh shows
 * what each is for. */
static const unsigned trace_capabilities[] = {
	CAP_BPF,             /* maps, programs, a uprobe_multi link */
	CAP_PERFMON,         /* tracing programs */
	CAP_SYS_ADMIN,       /* perf events on uprobes; a network namespace */
	CAP_NET_ADMIN,       /* the loopback device of that namespace */
	CAP_SETUID,          /* to run bitcoind as another user */
	CAP_SETGID,          /* and without our groups */
	CAP_SETPCAP,         /* to empty bitcoind's bounding set */
	CAP_CHOWN,           /* to give the datadir to bitcoind's user */
	CAP_DAC_OVERRIDE,    /* to read and write there */
	CAP_SYS_PTRACE,      /* to check the traps in another user's /proc/PID/mem */
	CAP_DAC_READ_SEARCH, /* the same, for an ordinary user without CAP_DAC_OVERRIDE */
	CAP_KILL,            /* to end bitcoind */
	CAP_SYS_NICE,        /* priority for the thread that empties them */
};
static const unsigned read_capabilities[] = {CAP_DAC_READ_SEARCH}; /* as in front.c */
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
enum { OPEN_FILES = 4096, HEAP_SPARE_BYTES = 8 << 20, MMAP_BYTES = 256 << 10 };

static bool
traces(const struct command *command)
{
	return command != &command_abi && command != &command_diff && command != &command_list;
}

/* Some scenarios connect hundreds of peers. bitcoind inherits the limit, and would raise its own anyway. */
static void
allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= OPEN_FILES)
		return;
	limit.rlim_cur = limit.rlim_max < OPEN_FILES ? limit.rlim_max : OPEN_FILES;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Transactions and answers come and go by the thousand. Otherwise glibc gives back to the kernel what is required again
 * in a moment, and each page of it costs a fault. */
static void
keep_freed_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_TRIM_THRESHOLD, HEAP_SPARE_BYTES);
	mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
#endif
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
		argp_error(state, "no command given; '%s run' checks a bitcoind", state->name);
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	for (int i = 0; i < COMMANDS_CNT; i++)
		if (!strcmp(commands[i]->name, arg))
			chosen->command = commands[i];
	if (!chosen->command && strchr(arg, '/'))
		argp_error(state, "there is no command '%s'; to check that file: '%s run --bitcoind=%s'", arg,
			   state->name, arg);
	if (!chosen->command)
		argp_error(state, "there is no command '%s'; see '%s --help'", arg, state->name);
	/* The command parses the rest. */
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
		"\n'tpcheck COMMAND --help' lists a command's options.\n"
		"Exit codes: %d all passed, %d something failed, %d wrong usage, %d nothing could be checked, %d no verdict.",
		EXIT_PASSED, EXIT_FAILED, EXIT_USAGE, EXIT_SKIPPED, EXIT_ERROR);
	fclose(file);
	return out;
}

static int
keep_capabilities(const struct command *command, struct diag *diag)
{
	if (traces(command))
		return privileges_keep(trace_capabilities, COUNT(trace_capabilities), diag);
	return privileges_keep(read_capabilities, COUNT(read_capabilities), diag);
}

/* Whether it puts anything into other processes or makes temporary folders. */
static bool
leaves_traces(const struct command *command)
{
	return command == &command_run || command == &command_trace || command == &command_selftest ||
	       command == &command_doctor;
}

static int
prepare_keeper(void *cookie, struct diag *diag)
{
	return keep_capabilities(cookie, diag);
}

static int
start_keeper(const struct command *command, char **argv, struct diag *diag)
{
	struct keeper_opts opts = {
		.prepare = prepare_keeper, .cookie = (void *)(uintptr_t)command, .argv = argv};

	return keeper_start(&cli_keeper, &opts, diag);
}

/* What killed tpchecks, whose keepers were killed too, left behind. */
static void
sweep(void)
{
	const struct {
		const char *parent, *prefix;
	} places[] = {
		{environment_memory_dir(), "tpcheck-node-"},
		{environment_tmp_dir(), "tpcheck-node-"},
		{environment_probe_dir(), "tpcheck-headers-"},
	};
	struct diag diag;

	/* However this one attaches: what is left there keeps a file system busy. */
	probe_sweep();
	for (size_t i = 0; i < COUNT(places); i++) {
		if (!places[i].parent)
			continue;
		folder_sweep(places[i].parent, places[i].prefix, &diag);
		if (*diag.text)
			fprintf(stderr, "tpcheck: %s\n", diag.text);
	}
}

static int
complain(const struct diag *diag, enum exit_code code)
{
	fprintf(stderr, "tpcheck: %s\n", diag->text);
	return code;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = "Check whether the USDT tracepoints of a Bitcoin Core binary do what Bitcoin Core documents.\v",
		.help_filter = help_filter,
	};
	static char program[] = "tpcheck";
	struct chosen chosen = {0};
	struct diag diag;

	cli_start();
	cli_set_up(argc, argv);
	if (argc == 2 && !strcmp(argv[1], "__specimen"))
		return specimen_main();
	/* getopt begins its messages with argv[0], but argp's begin with the name. */
	char *path = argv[0];
	argv[0] = program;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &chosen);
	argv[0] = path;
	/* First: nothing can be undone for what is done before. */
	if (leaves_traces(chosen.command) && start_keeper(chosen.command, argv, &diag))
		return complain(&diag, EXIT_ERROR);
	/* Raising it takes a capability that is given up. */
	if (traces(chosen.command) && probe_lacks_memory())
		limits_raise_memory();
	if (keep_capabilities(chosen.command, &diag))
		return complain(&diag, EXIT_ERROR);
	if (traces(chosen.command)) {
		allow_files();
		keep_freed_memory();
	}
	if (traces(chosen.command) && environment_check_tmpdir(&diag))
		return complain(&diag, EXIT_USAGE);
	if (leaves_traces(chosen.command))
		sweep();
	int code = cli_run(chosen.command, chosen.argc, chosen.argv);
	return keeper_stop(cli_keeper, &diag) ? complain(&diag, EXIT_ERROR) : code;
}
