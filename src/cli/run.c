#include "cli/cli.h"

#include "base/text.h"
#include "base/xmem.h"
#include "cli/binary.h"
#include "node/node.h"
#include "report/report.h"
#include "scenario/runner.h"
#include "scenario/selftest.h"

#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <pwd.h>
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
	OPTION_FORMAT,
	OPTION_OUTPUT,
	OPTION_ARTIFACTS,
	OPTION_ATTACH,
	OPTION_HEADERS,
	OPTION_RELEASE,
	OPTION_USER,
};

enum { DEFAULT_TIMEOUT_S = 60, FILES_WANTED = 4096 };
static const char *const details_names[] = {"fail", "warn", NULL};

struct arguments {
	const char *bitcoind, *output, *artifacts, *user;
	bool list, require, details_warn;
	unsigned timeout_s, release;
	enum cli_format format;
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
		argp_error(state,
			   "no scenario matches '%s'; patterns are like 'utxocache.spent.*', and 'tpcheck "
			   "list scenarios' shows all names",
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
		arguments->require = true;
		return 0;
	case OPTION_DETAILS:
		arguments->details_warn = cli_choice(state, "details", arg, details_names) == 1;
		return 0;
	case OPTION_FORMAT:
		arguments->format = (enum cli_format)cli_choice(state, "format", arg, cli_format_names);
		return 0;
	case OPTION_OUTPUT:
		arguments->output = arg;
		return 0;
	case OPTION_ARTIFACTS:
		if (!*arg)
			argp_error(state, "--artifacts needs the name of a folder");
		arguments->artifacts = arg;
		return 0;
	case OPTION_ATTACH:
		arguments->probe.method =
			(enum probe_method)cli_choice(state, "attach", arg, cli_attach_names);
		return 0;
	case OPTION_HEADERS:
		arguments->probe.headers =
			(enum probe_headers)cli_choice(state, "headers", arg, cli_headers_names);
		return 0;
	case OPTION_RELEASE:
		arguments->release = cli_release(state, "release", arg);
		return 0;
	case OPTION_USER:
		if (!getpwnam(arg) && !parse_u64(arg, &(uint64_t){0}))
			argp_error(state, "--user=%s is no user of this machine", arg);
		arguments->user = arg;
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

/* Where the report goes, and how. */
struct sink {
	struct report_text text;
	bool json;
	bool require;
	FILE *json_out;
};

static void
on_begin(void *cookie, const char *name, size_t number, size_t of)
{
	struct sink *sink = cookie;

	if (sink->text.out)
		report_text_begin(&sink->text, name, number, of);
}

static void
on_end(void *cookie, const struct report_result *result)
{
	struct sink *sink = cookie;

	if (sink->text.out)
		report_text_end(&sink->text, result, sink->require);
}

/* Text goes to its place as it comes. JSON is one object, told at the end; if it goes to a file, text is shown
 * meanwhile. */
static bool
sink_open(struct sink *sink, const struct arguments *arguments)
{
	FILE *out = stdout;

	if (arguments->output) {
		out = fopen(arguments->output, "we");
		if (!out) {
			fprintf(stderr,
				"tpcheck run: failed to open '%s': %s; give --output a file in a folder that "
				"exists\n",
				arguments->output, strerror(errno));
			return false;
		}
	}
	*sink = (struct sink){.json = arguments->format == CLI_FORMAT_JSON, .require = arguments->require};
	if (sink->json) {
		sink->json_out = out;
		if (arguments->output)
			sink->text.out = stdout;
	} else {
		sink->text.out = out;
	}
	sink->text.live = sink->text.out && isatty(fileno(sink->text.out));
	return true;
}

static bool
sink_close(struct sink *sink, const struct arguments *arguments, const struct report_run *run)
{
	FILE *file = sink->json ? sink->json_out : sink->text.out;
	bool ok = true;

	if (sink->text.out)
		report_text_summary(&sink->text, run, arguments->require);
	if (sink->json) {
		char *json = report_json(run);

		ok = fputs(json, sink->json_out) >= 0;
		free(json);
	}
	/* main tells of standard output. */
	if (file == stdout)
		return ok;
	if (fflush(file) || ferror(file))
		ok = false;
	if (fclose(file))
		ok = false;
	if (!ok)
		fprintf(stderr, "tpcheck run: failed to write the report to '%s': %s\n", arguments->output,
			strerror(errno));
	return ok;
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
run_on_specimen(const struct arguments *arguments, struct sink *sink, struct report_run *run, const char *why,
		const volatile sig_atomic_t *interrupted)
{
	struct selftest_opts opts = {.probe = arguments->probe,
				     .interrupted = interrupted,
				     .on_begin = on_begin,
				     .on_end = on_end,
				     .cookie = sink};

	if (sink->text.out)
		fprintf(sink->text.out,
			"%s\nNo bitcoind is judged. This is the built-in specimen instead, which shows "
			"whether this machine can run "
			"tpcheck:\n",
			why);
	selftest_run(&opts, run);
	/* The scenarios that were asked for were not run, and that is not a pass. */
	for (size_t i = 0; arguments->patterns_cnt && i < arguments->chosen_cnt; i++) {
		run->results = xreallocarray(run->results, run->results_cnt + 1, sizeof(*run->results));
		struct report_result *result = &run->results[run->results_cnt++];

		*result = (struct report_result){
			.name = arguments->chosen[i]->name, .outcome = OUTCOME_SKIP, .reason = xstrdup(why)};
		on_end(sink, result);
	}
	enum exit_code code = report_exit_code(run, arguments->require);
	return code == EXIT_PASSED ? (arguments->require ? EXIT_ERROR : EXIT_SKIPPED) : code;
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

/* What is wrong with the file is the runner's to tell. */
static unsigned
find_release(const char *bitcoind, unsigned release)
{
	struct binary binary;

	binary_open(&binary, bitcoind, release);
	if (binary.outcome == OUTCOME_PASS)
		release = binary.guess.release;
	binary_close(&binary);
	return release ? release : RELEASE_MASTER;
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
		{"format", OPTION_FORMAT, "text|json", 0, "How to report (default text)", 0},
		{"output", OPTION_OUTPUT, "FILE", 0, "Where to report (default standard output)", 0},
		{"artifacts", OPTION_ARTIFACTS, "DIR", 0,
		 "Where to keep what explains a failure (default: a new folder in the temporary directory)",
		 0},
		{"attach", OPTION_ATTACH, "auto|multi|perf", 0,
		 "How to attach: one uprobe_multi link, or a perf event for each probe", 0},
		{"headers", OPTION_HEADERS, "builtin|system", 0,
		 "Kernel headers: the built-in ones (default), or those that libbcc finds", 0},
		{"release", OPTION_RELEASE, "N", 0,
		 "The release of Bitcoin Core whose tracepoints are wanted: 23 to 31, or master (default: "
		 "what the "
		 "bitcoind says)",
		 0},
		{"user", OPTION_USER, "NAME", 0,
		 "Whom bitcoind runs as when tpcheck is root (default: who called sudo, else nobody)", 0},
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[PATTERN...]",
		.doc = "Runs the scenarios whose names match (shell patterns; all when none is given) "
		       "against a bitcoind on regtest, "
		       "and tells whether its tracepoints do what Bitcoin Core documents.\v"
		       "Exit codes: 0 all passed, 1 something failed, 2 wrong usage, 77 nothing could be "
		       "judged, "
		       "99 a verdict could not be reached (the harness, the node or the machine broke, or "
		       "events were lost).",
	};
	struct arguments arguments = {.timeout_s = DEFAULT_TIMEOUT_S};
	struct report_run report = {0};
	struct runner *runner = NULL;
	struct sink sink;
	struct artifacts *artifacts = NULL;
	char *bitcoind = NULL, *prefix = NULL;
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
	int found = node_find_bitcoind(arguments.bitcoind, &bitcoind, &diag);
	/* One that was named and is not there is a mistake; only when nobody named one does the specimen step in. */
	if (found && (arguments.bitcoind || (getenv("BITCOIND") && *getenv("BITCOIND")))) {
		fprintf(stderr, "tpcheck run: %s\n", diag.text);
		code = EXIT_USAGE;
		goto out;
	}
	artifacts = artifacts_new(arguments.artifacts);
	if (artifacts_prepare(artifacts, &diag)) {
		fprintf(stderr, "tpcheck run: %s\n", diag.text);
		code = EXIT_USAGE;
		goto out;
	}
	if (!sink_open(&sink, &arguments)) {
		code = EXIT_USAGE;
		goto out;
	}
	if (found) {
		code = run_on_specimen(&arguments, &sink, &report, diag.text, interrupted);
	} else {
		prefix = repeat_prefix(&arguments, bitcoind);
		unsigned release = find_release(bitcoind, arguments.release);
		if (sink.text.out && release == RELEASE_MASTER)
			fprintf(sink.text.out, "judging %s\n", bitcoind);
		else if (sink.text.out)
			fprintf(sink.text.out, "judging %s as v%u\n", bitcoind, release);
		struct runner_opts opts = {
			.bitcoind = bitcoind,
			.release = release,
			.user = arguments.user,
			.scenarios = arguments.chosen,
			.probe = arguments.probe,
			.timeout_ms = 1000 * arguments.timeout_s,
			.details_warn = arguments.details_warn,
			.artifacts = artifacts,
			.repeat_prefix = prefix,
			.interrupted = interrupted,
			.on_begin = on_begin,
			.on_end = on_end,
			.cookie = &sink,
		};
		runner = runner_run(&opts, &report);
		code = report_exit_code(&report, arguments.require);
	}
	if (!sink_close(&sink, &arguments, &report))
		code = EXIT_ERROR;
	runner_finish(runner);
out:
	for (size_t i = 0; i < report.results_cnt; i++)
		report_result_fini(&report.results[i]);
	free(report.results);
	artifacts_free(artifacts);
	free(bitcoind);
	free(prefix);
	free(arguments.patterns);
	free(arguments.chosen);
	return code;
}

const struct command command_run = {"run", "judge a bitcoind", run};
