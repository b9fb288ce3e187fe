#include "cli/run_options.h"

#include "base/clock.h"
#include "base/xmem.h"
#include "cli/cli.h"
#include "cli/shuffle.h"
#include "scenario/registry.h"

#include <argp.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPTION_BITCOIND = 256,
	OPTION_LIST,
	OPTION_TIMEOUT,
	OPTION_JOBS,
	OPTION_REQUIRE,
	OPTION_DETAILS,
	OPTION_ARTIFACTS,
	OPTION_RELEASE,
	OPTION_USER,
	OPTION_ENV,
	OPTION_SHUFFLE,
};

static const char *const details_names[] = {"fail", "warn", NULL};

/* A pattern that matches nothing is a mistake: nothing would be checked. */
static void
check_pattern(const struct argp_state *state, const char *pattern)
{
	for (size_t i = 0; scenarios[i]; i++)
		if (!fnmatch(pattern, scenarios[i]->name, 0))
			return;
	if (!access(pattern, F_OK))
		argp_error(state, "no scenario matches '%s'; did you mean --bitcoind=%s%s?", pattern,
			   strchr(pattern, '/') ? "" : "./", pattern);
	argp_error(
		state,
		"no scenario matches '%s'; patterns are like 'utxocache.spent.*', and 'tpcheck list scenarios' shows all names",
		pattern);
}

/* Short enough to be typed. */
static uint32_t
any_seed(void)
{
	return 1 + (uint32_t)(clock_now_ns() / 1000 % 999999);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->reporting;
		state->child_inputs[1] = &options->probe;
		return 0;
	case OPTION_BITCOIND:
		options->bitcoind = arg;
		return 0;
	case OPTION_LIST:
		options->list = true;
		return 0;
	case OPTION_TIMEOUT:
		options->timeout_s = (unsigned)cli_number(state, "timeout", arg, 1, 86400);
		return 0;
	case OPTION_JOBS:
		options->jobs = (unsigned)cli_number(state, "jobs", arg, 1, RUN_MAX_JOBS);
		return 0;
	case OPTION_REQUIRE:
		options->reporting.require = true;
		return 0;
	case OPTION_DETAILS:
		options->details_warn = cli_choice(state, "details", arg, details_names) == 1;
		return 0;
	case OPTION_ARTIFACTS:
		if (!*arg)
			argp_error(state, "--artifacts needs the name of a folder");
		options->artifacts = arg;
		return 0;
	case OPTION_RELEASE:
		options->release = cli_release(state, arg);
		return 0;
	case OPTION_USER:
		options->user = cli_user(state, arg);
		return 0;
	case OPTION_SHUFFLE:
		options->seed = (uint32_t)cli_number(state, "shuffle", arg, 0, UINT32_MAX);
		if (!options->seed)
			options->seed = any_seed();
		return 0;
	case OPTION_ENV:
		cli_append_env(state, &options->env, &options->env_cnt, arg);
		return 0;
	case ARGP_KEY_ARG:
		/* No scenario has a slash in its name. */
		if (strchr(arg, '/') && !options->bitcoind) {
			options->bitcoind = arg;
			return 0;
		}
		check_pattern(state, arg);
		cli_append(&options->patterns, &options->patterns_cnt, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool
is_chosen(const struct run_options *options, const struct scenario *scenario)
{
	for (size_t i = 0; i < options->patterns_cnt; i++)
		if (!fnmatch(options->patterns[i], scenario->name, 0))
			return true;
	return !options->patterns_cnt;
}

static void
choose(struct run_options *options)
{
	size_t cnt = 0;

	while (scenarios[cnt])
		cnt++;
	options->chosen = xcalloc(cnt + 1, sizeof(*options->chosen));
	for (size_t i = 0; i < cnt; i++)
		if (is_chosen(options, scenarios[i]))
			options->chosen[options->chosen_cnt++] = scenarios[i];
	if (options->seed)
		shuffle(options->chosen, options->chosen_cnt, options->seed);
}

static const struct argp_option known[] = {
	{"bitcoind", OPTION_BITCOIND, "PATH", 0,
	 "The bitcoind to check (default: $BITCOIND, else the one in PATH)", 0},
	{"list", OPTION_LIST, NULL, 0,
	 "List the scenarios that match, and exit; some of them may be skipped when they run", 0},
	{"timeout", OPTION_TIMEOUT, "SECONDS", 0, "Time limit for one scenario (default: 60)", 0},
	{"jobs", OPTION_JOBS, "COUNT", 0,
	 "Run at most this many scenarios at a time, each on a node of its own (default: five for two CPUs, nine for four)",
	 0},
	{"require", OPTION_REQUIRE, NULL, 0, "Count a skip as an error; use this in CI", 0},
	{"details", OPTION_DETAILS, "fail|warn", 0,
	 "How to treat findings about implementation details (default: fail)", 0},
	{"artifacts", OPTION_ARTIFACTS, "DIR", 0,
	 "Where to keep logs and events of failed scenarios (default: a new folder in the temporary directory)",
	 0},
	{"release", OPTION_RELEASE, "RELEASE", 0,
	 "The release of Bitcoin Core to check against: 23 to 31, or master (default: found in the binary)",
	 0},
	{"user", OPTION_USER, "NAME", 0, CLI_USER_HELP, 0},
	{"env", OPTION_ENV, "NAME=VALUE", 0, CLI_ENV_HELP, 0},
	{"shuffle", OPTION_SHUFFLE, "SEED", 0,
	 "Run the scenarios in an order that depends on this number (0: a random one); those that share a node stay together",
	 0},
	{0},
};
static const struct argp_child children[] = {{.argp = &reporting_argp}, {.argp = &cli_probe_argp}, {0}};
static const struct argp argp = {
	.options = known,
	.parser = parse,
	.children = children,
	.args_doc = "[PATTERN...]",
	.doc = "Start a bitcoind on regtest, run the scenarios whose names match a PATTERN (a shell pattern; default: all scenarios), and check that its tracepoints do what Bitcoin Core documents.\v"
	       "Exit codes: 0 all passed, 1 something failed, 2 wrong usage, 77 nothing could be checked, 99 no verdict (tpcheck, the node or the machine had a problem, or events were lost).",
};

void
run_options_parse(struct run_options *options, int argc, char **argv)
{
	*options =
		(struct run_options){.timeout_s = RUN_DEFAULT_TIMEOUT_S, .reporting.command = "tpcheck run"};
	argp_parse(&argp, argc, argv, 0, NULL, options);
	choose(options);
}

void
run_options_fini(struct run_options *options)
{
	free(options->env);
	free(options->patterns);
	free(options->chosen);
}
