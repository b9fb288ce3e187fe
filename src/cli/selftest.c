#include "cli/cli.h"

#include "cli/reporting.h"
#include "run/selftest.h"

#include <argp.h>

struct arguments {
	struct probe_opts probe;
	struct reporting reporting;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->reporting;
		state->child_inputs[1] = &arguments->probe;
		return 0;
	case ARGP_KEY_ARG:
		cli_extra_argument(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{.argp = &reporting_argp}, {.argp = &cli_probe_argp}, {0}};
static const struct argp argp = {
	.parser = parse,
	.children = children,
	.doc = "Check whether this machine can run tpcheck, without a bitcoind. "
	       "Runs every step (compile, attach, trap, ring, decode, match) on the built-in specimen, a small process that fires every documented tracepoint with known values.\v"
	       "Exit codes: 0 all passed, 1 something failed, 2 wrong usage, 77 this machine or user cannot trace, 99 no verdict (the machine had a problem, or events were lost).",
};

static int
run(int argc, char **argv)
{
	struct arguments arguments = {.reporting.command = "tpcheck selftest"};
	struct report_run report = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	arguments.reporting.interrupted = cli_catch_signals();
	enum exit_code code = reporting_open(&arguments.reporting);
	if (code == EXIT_PASSED) {
		struct selftest_opts opts = {.probe = arguments.probe,
					     .interrupted = arguments.reporting.interrupted,
					     .on_begin = reporting_on_begin,
					     .on_end = reporting_on_end,
					     .cookie = &arguments.reporting};

		for (const char *const *name = selftest_names(); *name; name++)
			reporting_expect(&arguments.reporting, *name);
		reporting_begin(&arguments.reporting, NULL, &report);
		selftest_run(&opts, &report);
		code = reporting_end(&arguments.reporting);
	}
	reporting_fini(&arguments.reporting, &report);
	return code;
}

const struct command command_selftest = {
	"selftest", "check this machine with the built-in specimen, without a bitcoind", run};
