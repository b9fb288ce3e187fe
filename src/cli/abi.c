#include "cli/binary.h"
#include "cli/cli.h"
#include "cli/files_args.h"
#include "contract/check_binary.h"
#include "contract/contract.h"

#include <argp.h>
#include <stdio.h>

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	const struct files_args *args = state->input;

	if (key == ARGP_KEY_END && !args->paths_cnt)
		argp_error(state, "abi needs a file");
	return files_args_parse(key, arg, state);
}

static bool
is_documented(const struct site *site, void *cookie)
{
	const struct contract_tracepoint *row = contract_find(site->provider, site->name);
	const struct binary *binary = cookie;

	return row && contract_at(row->id, binary->guess.release);
}

/* Notes that could not be parsed. */
static void
add_problems(const struct notes *notes, struct findings *findings)
{
	for (size_t i = 0; i < notes_problems_cnt(notes); i++) {
		const struct site *site = notes_problem_site(notes, i);
		char full_name[160];

		if (site)
			snprintf(full_name, sizeof(full_name), "%s:%s", site->provider, site->name);
		findings_add(findings, FINDING_CONTRACT, site ? full_name : NULL, 0, NULL, NULL, NULL,
			     ".note.stapsdt", notes_problem(notes, i));
	}
}

/* Finds what is wrong with a binary that could be read. */
static enum outcome
check(const struct binary *binary, struct binary_findings *findings)
{
	contract_check_binary(&(struct checked_binary){.sites = notes_sites(binary->notes),
						       .sites_cnt = notes_cnt(binary->notes),
						       .release = binary->guess.release,
						       .machine = notes_machine(binary->notes),
						       .has_bcc = notes_has_bcc(binary->notes),
						       .has_no_wallet = binary->has_no_wallet},
			      findings);
	add_problems(binary->notes, &findings->wrong);
	return findings->wrong.cnt ? OUTCOME_FAIL : OUTCOME_PASS;
}

static const struct argp_option options[] = {
	{"release", FILES_RELEASE, "RELEASE", 0,
	 "Compare with this release: 23 to 31, or master (default: found in the file)", 0},
	{"format", FILES_FORMAT, "text|json", 0, "Report format (default: text)", 0},
	{"require", FILES_REQUIRE, NULL, 0, "Count a skip as an error; use this in CI", 0},
	{0},
};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "BINARY",
	.doc = "Compare the tracepoints in a file's ELF notes with the documentation of its release: which tracepoints there are, with how many arguments, of which width and sign; whether consumers can read them; whether they have semaphores. "
	       "Runs nothing, needs no privileges, and also reads files built for other architectures.\v"
	       "Where Bitcoin Core's documentation and code are known to differ, the report has a note.\n"
	       "Exit codes: 0 the file matches its release, 1 it does not, 2 wrong usage, 77 the file has no tracepoints (with --require: 99), 99 it cannot be judged.",
};

static int
run(int argc, char **argv)
{
	struct files_args args = {.paths_max = 1};
	struct binary_findings findings = {0};
	struct binary binary;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	binary_open(&binary, args.paths[0], args.release);
	struct report_abi abi = {
		.outcome = binary.outcome,
		.reason = binary.reason,
		.binary = binary.report,
		.wrong = &findings.wrong,
		.known = &findings.known,
		.remarks = &findings.remarks,
		.is_documented = is_documented,
		.cookie = &binary,
	};
	if (abi.outcome == OUTCOME_PASS)
		abi.outcome = check(&binary, &findings);
	if (args.format == CLI_FORMAT_JSON)
		cli_print(report_abi_json(&abi));
	else
		report_abi_text(abi.outcome == OUTCOME_ERROR ? stderr : stdout, &abi);
	binary_findings_fini(&findings);
	binary_close(&binary);
	return files_args_code(&args, abi.outcome);
}

const struct command command_abi = {"abi", "compare a binary's tracepoints with its release's documentation",
				    run};
