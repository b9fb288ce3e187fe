#include "cli/cli.h"

#include "cli/reporting.h"
#include "run/selftest.h"

#include <argp.h>
#include <stdlib.h>

static const char command_name[] = "tpcheck selftest";

struct arguments {
	struct selftest_opts selftest;
	struct reporting reporting;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->reporting;
		state->child_inputs[1] = &arguments->selftest.probe;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one too many: selftest takes no argument", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int
run(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{.argp = &reporting_argp}, {.argp = &cli_probe_argp}, {0}};
	static const struct argp argp = {
		.parser = parse,
		.children = children,
		.doc = "Runs the whole way (compile, attach, trap, ring, decode, match) on the built-in specimen, a small process that fires every documented tracepoint with known values. Needs no bitcoind: it tells whether this machine can run tpcheck.",
	};
	struct arguments arguments = {0};
	struct report_run report = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	struct reports *reports = reporting_open(&arguments.reporting, command_name);
	if (!reports) {
		reporting_fini(&arguments.reporting);
		return EXIT_USAGE;
	}
	arguments.selftest.on_begin = reporting_on_begin;
	arguments.selftest.on_end = reporting_on_end;
	arguments.selftest.cookie = reports;
	arguments.selftest.interrupted = cli_catch_signals();
	reporting_begin(&arguments.reporting, reports, NULL, selftest_results_cnt());
	selftest_run(&arguments.selftest, &report);
	enum exit_code code = report_exit_code(&report, false);
	if (!reporting_end(reports, &report, command_name))
		code = EXIT_ERROR;
	reports_free(reports);
	reporting_fini(&arguments.reporting);
	for (size_t i = 0; i < report.results_cnt; i++)
		report_result_fini(&report.results[i]);
	free(report.results);
	return code;
}

const struct command command_selftest = {
	"selftest", "check this machine with the built-in specimen, without a bitcoind", run};
