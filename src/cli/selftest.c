#include "cli/cli.h"

#include "report/report.h"
#include "scenario/selftest.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPTION_ATTACH = 256, OPTION_HEADERS };

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct selftest_opts *opts = state->input;

	switch (key) {
	case OPTION_ATTACH:
		opts->probe.method = (enum probe_method)cli_choice(state, "attach", arg, cli_attach_names);
		return 0;
	case OPTION_HEADERS:
		opts->probe.headers =
			(enum probe_headers)cli_choice(state, "headers", arg, cli_headers_names);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one too many: selftest takes no argument", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
on_begin(void *cookie, const char *name, size_t number, size_t of)
{
	report_text_begin(cookie, name, number, of);
}

static void
on_end(void *cookie, const struct report_result *result)
{
	report_text_end(cookie, result, false);
}

static int
run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"attach", OPTION_ATTACH, "auto|multi|perf", 0,
		 "How to attach: one uprobe_multi link, or a perf event for each probe", 0},
		{"headers", OPTION_HEADERS, "builtin|system", 0,
		 "Kernel headers: the built-in ones (default), or those that libbcc finds", 0},
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Runs the whole way (compile, attach, trap, ring, decode, match) on the built-in "
		       "specimen, a small process "
		       "that fires every documented tracepoint with known values. Needs no bitcoind: it "
		       "tells whether this machine "
		       "can run tpcheck.",
	};
	struct report_text text = {.out = stdout, .live = isatty(STDOUT_FILENO)};
	struct selftest_opts opts = {.on_begin = on_begin, .on_end = on_end, .cookie = &text};
	struct report_run report = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &opts);
	opts.interrupted = cli_catch_signals();
	selftest_run(&opts, &report);
	report_text_summary(&text, &report, false);
	enum exit_code code = report_exit_code(&report, false);
	for (size_t i = 0; i < report.results_cnt; i++)
		report_result_fini(&report.results[i]);
	free(report.results);
	return code;
}

const struct command command_selftest = {
	"selftest", "check this machine with the built-in specimen, without a bitcoind", run};
