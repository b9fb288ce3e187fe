#include "cli/cli.h"

#include "base/xmem.h"
#include "cli/binary.h"
#include "cli/bitcoind.h"
#include "cli/environment.h"
#include "cli/reporting.h"
#include "report/report.h"
#include "run/runner.h"
#include "run/selftest.h"
#include "scenario/registry.h"

#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	OPTION_BITCOIND = 256,
	OPTION_LIST,
	OPTION_TIMEOUT,
	OPTION_REQUIRE,
	OPTION_DETAILS,
	OPTION_ARTIFACTS,
	OPTION_RELEASE,
	OPTION_USER,
};

enum { DEFAULT_TIMEOUT_S = 60, FILES_WANTED = 4096 };
static const char command_name[] = "tpcheck run";
static const char *const details_names[] = {"fail", "warn", NULL};

struct arguments {
	const char *bitcoind, *artifacts, *user;
	bool list, require, details_warn;
	unsigned timeout_s, release;
	struct reporting reporting;
	struct probe_opts probe;
	const char **patterns;
	size_t patterns_cnt;
	const struct scenario **chosen; /* NULL-terminated */
	size_t chosen_cnt;
};

static void
add_pattern(struct argp_state *state, struct arguments *arguments, const char *pattern)
{
	bool matches = false;

	for (size_t i = 0; scenarios[i]; i++)
		matches |= !fnmatch(pattern, scenarios[i]->name, 0);
	/* A pattern that matches nothing would make a run that looks at nothing. */
	if (!matches)
		argp_error(
			state,
			"no scenario matches '%s'; patterns are like 'utxocache.spent.*', and 'tpcheck list scenarios' shows all names",
			pattern);
	arguments->patterns =
		xreallocarray(arguments->patterns, arguments->patterns_cnt + 1, sizeof(*arguments->patterns));
	arguments->patterns[arguments->patterns_cnt++] = pattern;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->reporting;
		state->child_inputs[1] = &arguments->probe;
		return 0;
	case OPTION_BITCOIND:
		arguments->bitcoind = arg;
		return 0;
	case OPTION_LIST:
		arguments->list = true;
		return 0;
	case OPTION_TIMEOUT:
		arguments->timeout_s = (unsigned)cli_number(state, "timeout", arg, 1, 86400);
		return 0;
	case OPTION_REQUIRE:
		arguments->require = arguments->reporting.require = true;
		return 0;
	case OPTION_DETAILS:
		arguments->details_warn = cli_choice(state, "details", arg, details_names) == 1;
		return 0;
	case OPTION_ARTIFACTS:
		if (!*arg)
			argp_error(state, "--artifacts needs the name of a folder");
		arguments->artifacts = arg;
		return 0;
	case OPTION_RELEASE:
		arguments->release = cli_release(state, "release", arg);
		return 0;
	case OPTION_USER:
		arguments->user = cli_user(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		add_pattern(state, arguments, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
choose(struct arguments *arguments)
{
	size_t cnt = 0;

	while (scenarios[cnt])
		cnt++;
	arguments->chosen = xcalloc(cnt + 1, sizeof(*arguments->chosen));
	for (size_t i = 0; i < cnt; i++) {
		bool chosen = !arguments->patterns_cnt;

		for (size_t p = 0; p < arguments->patterns_cnt; p++)
			chosen |= !fnmatch(arguments->patterns[p], scenarios[i]->name, 0);
		if (chosen)
			arguments->chosen[arguments->chosen_cnt++] = scenarios[i];
	}
}

/* A word for the shell, quoted where it has to be. */
static char *
shell_quote(const char *word)
{
	if (*word &&
	    strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%") ==
		    strlen(word))
		return xstrdup(word);
	char *out = xmalloc(4 * strlen(word) + 3), *to = out;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'') {
			memcpy(to, "'\\''", 4);
			to += 4;
		} else {
			*to++ = *word;
		}
	}
	*to++ = '\'';
	*to = '\0';
	return out;
}

static char *
repeat_prefix(const struct arguments *arguments, const char *bitcoind)
{
	bool under_sudo = geteuid() == 0 && getenv("SUDO_UID");
	char *program = shell_quote(cli_program);
	char *release = arguments->release ? xasprintf(" --release=%u", arguments->release) : xstrdup("");
	char *quoted = shell_quote(bitcoind);
	char *user = arguments->user ? shell_quote(arguments->user) : NULL;
	char *timeout = arguments->timeout_s == DEFAULT_TIMEOUT_S
				? xstrdup("")
				: xasprintf(" --timeout=%u", arguments->timeout_s);
	char *prefix = xasprintf("%s%s run --bitcoind=%s%s%s%s%s%s%s%s%s", under_sudo ? "sudo " : "", program,
				 quoted, arguments->probe.method ? " --attach=" : "",
				 arguments->probe.method ? cli_attach_names[arguments->probe.method] : "",
				 arguments->probe.headers ? " --headers=system" : "", release,
				 user ? " --user=" : "", user ? user : "",
				 arguments->details_warn ? " --details=warn" : "", timeout);
	free(timeout);
	free(release);
	free(program);
	free(quoted);
	free(user);
	return prefix;
}

static enum exit_code
run_on_specimen(struct arguments *arguments, struct reports *reports, struct report_run *run, const char *why,
		const volatile sig_atomic_t *interrupted)
{
	struct selftest_opts opts = {.probe = arguments->probe,
				     .interrupted = interrupted,
				     .on_begin = reporting_on_begin,
				     .on_end = reporting_on_end,
				     .cookie = reports};
	char *notice = xasprintf(
		"%s\nNo bitcoind is judged. This is the built-in specimen instead, which shows whether this machine can run tpcheck:",
		why);

	reporting_begin(&arguments->reporting, reports, notice,
			selftest_results_cnt() + arguments->chosen_cnt);
	selftest_run(&opts, run);
	/* The scenarios that were asked for were not run, and that is not a pass. */
	run->results =
		xreallocarray(run->results, run->results_cnt + arguments->chosen_cnt, sizeof(*run->results));
	for (size_t i = 0; i < arguments->chosen_cnt; i++) {
		struct report_result *result = &run->results[run->results_cnt++];

		*result = (struct report_result){.name = arguments->chosen[i]->name,
						 .outcome = OUTCOME_SKIP,
						 .reason = xstrdup(why),
						 .minor = !arguments->patterns_cnt};
		reports_result(reports, result);
	}
	bool is_told = reporting_end(reports, run, command_name);
	free(notice);
	enum exit_code code = report_exit_code(run, arguments->require);
	if (code == EXIT_PASSED)
		code = arguments->require ? EXIT_ERROR : EXIT_SKIPPED;
	return is_told ? code : EXIT_ERROR;
}

/* Hundreds of peers are as many sockets. bitcoind inherits the limit, and would raise its own anyway. */
static void
allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= FILES_WANTED)
		return;
	limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int
run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"bitcoind", OPTION_BITCOIND, "PATH", 0,
		 "The bitcoind to judge (default: $BITCOIND, else the one in PATH)", 0},
		{"list", OPTION_LIST, NULL, 0, "Only list the scenarios that would run", 0},
		{"timeout", OPTION_TIMEOUT, "SECONDS", 0, "For one scenario (default 60)", 0},
		{"require", OPTION_REQUIRE, NULL, 0, "A skip counts as an error: for CI", 0},
		{"details", OPTION_DETAILS, "fail|warn", 0,
		 "What becomes of findings about implementation details (default fail)", 0},
		{"artifacts", OPTION_ARTIFACTS, "DIR", 0,
		 "Where to keep what explains a failure (default: a new folder in the temporary directory)",
		 0},
		{"release", OPTION_RELEASE, "RELEASE", 0,
		 "The release of Bitcoin Core whose tracepoints are wanted: 23 to 31, or master (default: what the bitcoind says)",
		 0},
		{"user", OPTION_USER, "NAME", 0,
		 "Whom bitcoind runs as when tpcheck is root (default: who called sudo, else nobody)", 0},
		{0},
	};
	static const struct argp_child children[] = {
		{.argp = &reporting_argp}, {.argp = &cli_probe_argp}, {0}};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.children = children,
		.args_doc = "[PATTERN...]",
		.doc = "Runs the scenarios whose names match (shell patterns; all when none is given) against a bitcoind on regtest, and tells whether its tracepoints do what Bitcoin Core documents.\vExit codes: 0 all passed, 1 something failed, 2 wrong usage, 77 nothing could be judged, 99 a verdict could not be reached (the harness, the node or the machine broke, or events were lost).",
	};
	struct arguments arguments = {.timeout_s = DEFAULT_TIMEOUT_S};
	struct report_run report = {0};
	struct runner *runner = NULL;
	struct reports *reports = NULL;
	struct artifacts *artifacts = NULL;
	char *bitcoind = NULL, *prefix = NULL, *notice = NULL, name[16];
	struct diag diag;
	int code = EXIT_ERROR;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	choose(&arguments);
	if (arguments.list) {
		for (size_t i = 0; i < arguments.chosen_cnt; i++)
			puts(arguments.chosen[i]->name);
		code = EXIT_PASSED;
		goto out;
	}
	const volatile sig_atomic_t *interrupted = cli_catch_signals();
	allow_files();
	int found = bitcoind_find(arguments.bitcoind, &bitcoind, &diag);
	/* One that was named and is not there is a mistake; only when nobody named one does the specimen step in. */
	if (found && (arguments.bitcoind || (getenv("BITCOIND") && *getenv("BITCOIND")))) {
		fprintf(stderr, "%s: %s\n", command_name, diag.text);
		code = EXIT_USAGE;
		goto out;
	}
	artifacts = artifacts_new(arguments.artifacts);
	if (artifacts_prepare(artifacts, &diag)) {
		fprintf(stderr, "%s: %s\n", command_name, diag.text);
		code = EXIT_USAGE;
		goto out;
	}
	reports = reporting_open(&arguments.reporting, command_name);
	if (!reports) {
		code = EXIT_USAGE;
		goto out;
	}
	if (found) {
		code = run_on_specimen(&arguments, reports, &report, diag.text, interrupted);
	} else {
		prefix = repeat_prefix(&arguments, bitcoind);
		unsigned release = binary_find_release(bitcoind, arguments.release);
		notice = release == RELEASE_MASTER ? xasprintf("judging %s", bitcoind)
						   : xasprintf("judging %s as v%u", bitcoind, release);
		struct environment environment = environment_read();
		struct runner_opts opts = {
			.bitcoind = bitcoind,
			.release = release,
			.user = arguments.user,
			.sudo_uid = environment.sudo_uid,
			.tmpdir = environment.tmpdir,
			.scenarios = arguments.chosen,
			.probe = arguments.probe,
			.timeout_ms = 1000 * arguments.timeout_s,
			.details_warn = arguments.details_warn,
			.artifacts = artifacts,
			.repeat_prefix = prefix,
			.interrupted = interrupted,
			.on_begin = reporting_on_begin,
			.on_end = reporting_on_end,
			.cookie = reports,
		};
		report.release = release_name(release, name);
		reporting_begin(&arguments.reporting, reports, notice, arguments.chosen_cnt);
		runner = runner_run(&opts, &report);
		code = report_exit_code(&report, arguments.require);
		/* The verdict is told before what takes long is taken down. */
		if (!reporting_end(reports, &report, command_name))
			code = EXIT_ERROR;
		runner_finish(runner);
	}
out:
	reports_free(reports);
	reporting_fini(&arguments.reporting);
	for (size_t i = 0; i < report.results_cnt; i++)
		report_result_fini(&report.results[i]);
	free(report.results);
	artifacts_free(artifacts);
	free(bitcoind);
	free(prefix);
	free(notice);
	free(arguments.patterns);
	free(arguments.chosen);
	return code;
}

const struct command command_run = {"run", "judge a bitcoind", run};
