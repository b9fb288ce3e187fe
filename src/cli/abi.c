#include "cli/binary.h"
#include "cli/cli.h"
#include "contract/contract.h"
#include "contract/judge.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_FORMAT = 256 };

struct abi_options {
	const char *path;
	unsigned release;
	int format;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct abi_options *options = state->input;

	switch (key) {
	case 'r':
		options->release = cli_release(state, "release", arg);
		return 0;
	case OPTION_FORMAT:
		options->format = cli_choice(state, "format", arg, cli_format_names);
		return 0;
	case ARGP_KEY_ARG:
		if (options->path)
			argp_error(state, "'%s' is one too many: abi looks at one file", arg);
		options->path = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->path)
			argp_error(state, "which file? tpcheck abi BINARY");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool
is_documented(const struct site *site, void *cookie)
{
	const struct contract_tracepoint *row = contract_find(site->provider, site->name);
	const struct binary *binary = cookie;

	return row && contract_at(row->id, binary->guess.release);
}

/* What the reader could not use. */
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

static int
run(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{"release", 'r', "RELEASE", 0,
		 "Compare with this release: 23 to 31, or master (default: found in the file)", 0},
		{"format", OPTION_FORMAT, "text|json", 0, "How to report (default text)", 0},
		{0},
	};
	static const struct argp argp = {
		.options = known,
		.parser = parse,
		.args_doc = "BINARY",
		.doc = "Compares the tracepoints that a file's ELF notes tell of with what the document of its release promises: which there are, with how many arguments, of which width and sign, readable by whom, with a semaphore. Needs no privileges, runs nothing, and takes files of other machines.\vWhere Bitcoin Core's document and code are known to differ, a note says how.\n"
		       "Exit codes: 0 they agree, 1 they do not, 2 wrong usage, 77 the file has no tracepoints, 99 it could not be read as ELF.",
	};
	struct abi_options options = {0};
	struct judgement judgement = {0};
	struct binary binary;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	binary_open(&binary, options.path, options.release);
	struct report_abi abi = {
		.outcome = binary.outcome,
		.reason = binary.reason,
		.binary = binary.report,
		.wrong = &judgement.wrong,
		.known = &judgement.known,
		.remarks = &judgement.remarks,
		.is_documented = is_documented,
		.cookie = &binary,
	};
	if (binary.outcome == OUTCOME_PASS) {
		judge(&(struct judged_binary){.sites = notes_sites(binary.notes),
					      .sites_cnt = notes_cnt(binary.notes),
					      .release = binary.guess.release,
					      .machine = notes_machine(binary.notes),
					      .has_bcc = notes_has_bcc(binary.notes),
					      .lacks_the_wallet = binary.lacks_the_wallet},
		      &judgement);
		add_problems(binary.notes, &judgement.wrong);
		if (judgement.wrong.cnt)
			abi.outcome = OUTCOME_FAIL;
	}
	if (options.format == CLI_FORMAT_JSON) {
		char *text = report_abi_json(&abi);

		fputs(text, stdout);
		free(text);
	} else {
		report_abi_text(abi.outcome == OUTCOME_ERROR ? stderr : stdout, &abi);
	}
	enum exit_code code = report_outcome_code(abi.outcome);
	judgement_fini(&judgement);
	binary_close(&binary);
	return code;
}

const struct command command_abi = {"abi", "a binary's tracepoints against its release, without running it",
				    run};
