#include "cli/cli.h"

#include "base/buf.h"
#include "base/resources.h"
#include "base/xmem.h"
#include "cli/binary.h"
#include "cli/bitcoind.h"
#include "cli/environment.h"
#include "cli/run_options.h"
#include "contract/contract.h"
#include "node/node.h"
#include "report/report.h"
#include "run/runner.h"
#include "run/selftest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMMAND_BYTES = 64 << 10 };

/* The command that repeats a scenario, up to the scenario's name; the caller frees it. */
static char *
repeat_prefix(const struct run_options *options, const char *bitcoind)
{
	char *program = cli_quote(cli_program);
	struct buf command;

	buf_init(&command, COMMAND_BYTES);
	buf_printf(&command, "%s%s run", geteuid() == 0 && environment_read().sudo_uid ? "sudo " : "",
		   program);
	free(program);
	cli_add_option(&command, "bitcoind", bitcoind);
	if (options->probe.method)
		cli_add_option(&command, "attach", cli_attach_names[options->probe.method]);
	if (options->probe.headers)
		cli_add_option(&command, "headers", cli_headers_names[options->probe.headers]);
	if (options->release)
		buf_printf(&command, " --release=%u", options->release);
	if (options->user)
		cli_add_option(&command, "user", options->user);
	for (size_t i = 0; i < options->env_cnt; i++)
		cli_add_option(&command, "env", options->env[i]);
	if (options->details_warn)
		buf_puts(&command, " --details=warn");
	if (options->timeout_s != RUN_DEFAULT_TIMEOUT_S)
		buf_printf(&command, " --timeout=%u", options->timeout_s);
	return buf_take(&command);
}

/* Adds the scenarios that were asked for, as skipped for this reason. */
static void
skip_all(struct run_options *options, struct report_run *run, const char *reason)
{
	run->results =
		xreallocarray(run->results, run->results_cnt + options->chosen_cnt, sizeof(*run->results));
	for (size_t i = 0; i < options->chosen_cnt; i++) {
		struct report_result *result = &run->results[run->results_cnt++];

		*result = (struct report_result){.name = options->chosen[i]->name,
						 .outcome = OUTCOME_SKIP,
						 .reason = xstrdup(reason),
						 .omit_from_text = !options->patterns_cnt};
		reporting_on_end(&options->reporting, result);
	}
}

static void
expect_chosen(struct run_options *options)
{
	for (size_t i = 0; i < options->chosen_cnt; i++)
		reporting_expect(&options->reporting, options->chosen[i]->name);
}

/* Without a bitcoind: the specimen shows whether tpcheck could run here. That is never a pass. */
static enum exit_code
run_on_specimen(struct run_options *options, const char *why, const atomic_int *interrupted,
		struct report_run *run)
{
	struct selftest_opts opts = {.probe = options->probe,
				     .interrupted = interrupted,
				     .on_begin = reporting_on_begin,
				     .on_end = reporting_on_end,
				     .cookie = &options->reporting};
	char *notice = xasprintf(
		"%s\nNo bitcoind is checked. Running the built-in specimen instead, to show whether this machine can run tpcheck:",
		why);

	for (const char *const *name = selftest_names(); *name; name++)
		reporting_expect(&options->reporting, *name);
	expect_chosen(options);
	reporting_begin(&options->reporting, notice, run);
	selftest_run(&opts, run);
	skip_all(options, run, why);
	enum exit_code code = reporting_end(&options->reporting);
	free(notice);
	if (code == EXIT_PASSED)
		return options->reporting.require ? EXIT_ERROR : EXIT_SKIPPED;
	return code;
}

/* What is checked, and as which user it runs if that is not the default; the caller frees it. */
static char *
make_notice(const struct run_options *options, const char *bitcoind, unsigned release)
{
	char *note = bitcoind_user_note(options->user), version[16] = "", order[64] = "";

	if (release != RELEASE_MASTER)
		snprintf(version, sizeof(version), " as v%u", release);
	if (options->seed)
		snprintf(order, sizeof(order), "\nin another order: --shuffle=%" PRIu32 " repeats it",
			 options->seed);
	char *notice = xasprintf("checking %s%s%s%s%s", bitcoind, version, order, note ? "\n" : "",
				 note ? note : "");
	free(note);
	return notice;
}

/* Twice the number of CPUs that this process may use, and one more: a worker waits for more than half of its time. */
static unsigned
default_jobs(void)
{
	unsigned cnt = resources_cpus("");

	cnt = 2 * cnt + 1;
	return cnt < RUN_MAX_JOBS ? cnt : RUN_MAX_JOBS;
}

static enum exit_code
run_on_bitcoind(struct run_options *options, const char *bitcoind, struct artifacts *artifacts,
		const atomic_int *interrupted, struct report_run *run)
{
	unsigned release = binary_find_release(bitcoind, options->release);
	char *prefix = repeat_prefix(options, bitcoind), name[16];
	char *env_hint = environment_hint(options->env);
	char *notice = make_notice(options, bitcoind, release);
	struct environment environment = environment_read();
	struct runner_opts opts = {
		.bitcoind = bitcoind,
		.release = release,
		.user = options->user,
		.sudo_uid = environment.sudo_uid,
		.same_user = bitcoind_needs_same_user(),
		.tmpdir = environment_node_dir(),
		.env = options->env,
		.env_hint = env_hint,
		.scenarios = options->chosen,
		.jobs = options->jobs ? options->jobs : default_jobs(),
		.probe = options->probe,
		.timeout_ms = 1000 * options->timeout_s,
		.details_warn = options->details_warn,
		.artifacts = artifacts,
		.repeat_prefix = prefix,
		.interrupted = interrupted,
		.on_begin = reporting_on_begin,
		.on_end = reporting_on_end,
		.cookie = &options->reporting,
	};

	run->release = release_name(release, name);
	expect_chosen(options);
	reporting_begin(&options->reporting, notice, run);
	struct runner *runner = runner_run(&opts, run);
	/* The verdict comes before what takes long to take down. */
	enum exit_code code = reporting_end(&options->reporting);
	if (runner_finishes_slowly(runner))
		fputs("tpcheck run: the reports are complete; taking out the perf events, for which the kernel needs 0.1 s each\n",
		      stderr);
	if (runner_finish(runner))
		code = EXIT_ERROR;
	run->release = NULL;
	free(notice);
	free(env_hint);
	free(prefix);
	return code;
}

/* Whether the caller chose a bitcoind. If not, and none is in PATH, the specimen stands in; one that was chosen has to
 * exist. */
static bool
is_bitcoind_given(const struct run_options *options)
{
	const char *value = environment_read().bitcoind;

	return options->bitcoind || (value && *value);
}

static int
complain(const char *text)
{
	fprintf(stderr, "tpcheck run: %s\n", text);
	return EXIT_USAGE;
}

static int
run_scenarios(struct run_options *options, struct report_run *report)
{
	const atomic_int *interrupted = cli_catch_signals();
	struct artifacts *artifacts = NULL;
	char *bitcoind = NULL;
	struct diag diag, missing;

	int err = bitcoind_find(options->bitcoind, &bitcoind, &missing);
	if (err && is_bitcoind_given(options))
		return complain(missing.text);
	struct artifacts_opts artifacts_opts = {
		.dir = options->artifacts,
		.tmp_dir = environment_tmp_dir(),
	};
	environment_sudo_caller(&artifacts_opts.uid, &artifacts_opts.gid);
	artifacts = artifacts_new(&artifacts_opts);
	options->reporting.interrupted = interrupted;
	int code = artifacts_prepare(artifacts, &diag) ? complain(diag.text)
						       : (int)reporting_open(&options->reporting);
	if (code == EXIT_PASSED && err)
		code = run_on_specimen(options, missing.text, interrupted, report);
	else if (code == EXIT_PASSED)
		code = run_on_bitcoind(options, bitcoind, artifacts, interrupted, report);
	artifacts_free(artifacts);
	free(bitcoind);
	return code;
}

static int
run(int argc, char **argv)
{
	struct report_run report = {0};
	struct run_options options;
	int code = EXIT_PASSED;

	run_options_parse(&options, argc, argv);
	if (options.list) {
		for (size_t i = 0; i < options.chosen_cnt; i++)
			puts(options.chosen[i]->name);
	} else {
		code = run_scenarios(&options, &report);
	}
	reporting_fini(&options.reporting, &report);
	run_options_fini(&options);
	return code;
}

const struct command command_run = {"run", "check a bitcoind", run};
