#include "contract/diff.h"
#include "cli/binary.h"
#include "cli/cli.h"
#include "contract/contract.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_FORMAT = 256 };

struct diff_options {
	const char *paths[2];
	unsigned paths_cnt, release;
	int format;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct diff_options *options = state->input;

	switch (key) {
	case 'r':
		options->release = cli_release(state, "release", arg);
		return 0;
	case OPTION_FORMAT:
		options->format = cli_choice(state, "format", arg, cli_format_names);
		return 0;
	case ARGP_KEY_ARG:
		if (options->paths_cnt == 2)
			argp_error(state, "'%s' is one too many: diff compares two", arg);
		options->paths[options->paths_cnt++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (options->paths_cnt + (options->release != 0) != 2)
			argp_error(
				state,
				"what with what? tpcheck diff OLD NEW, or tpcheck diff --release=RELEASE NEW");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static struct diff_side
side_of(const struct binary *binary)
{
	return (struct diff_side){
		.sites = notes_sites(binary->notes),
		.sites_cnt = notes_cnt(binary->notes),
		.pointer_bytes = notes_address_bytes(binary->notes),
		.release = binary->guess.release,
	};
}

/* Whether the binary can be compared; else what to say is in the diff. */
static bool
is_usable(const struct binary *binary, struct report_diff *diff)
{
	if (binary->outcome == OUTCOME_PASS && notes_cnt(binary->notes))
		return true;
	diff->outcome = binary->outcome == OUTCOME_PASS ? OUTCOME_ERROR : binary->outcome;
	diff->reason = binary->outcome == OUTCOME_PASS ? notes_problem(binary->notes, 0) : binary->reason;
	return false;
}

static void
compare(const struct diff_side *before, const struct diff_side *after, struct report_diff *diff,
	struct changes *changes)
{
	if (before->pointer_bytes != after->pointer_bytes) {
		diff->outcome = OUTCOME_ERROR;
		diff->reason =
			"one is a 32-bit binary and the other a 64-bit one: their arguments have other widths";
		return;
	}
	diff_interfaces(before, after, changes);
	for (size_t i = 0; i < changes->cnt; i++)
		if (changes->items[i].breaks)
			diff->outcome = OUTCOME_FAIL;
}

static int
run(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{"release", 'r', "RELEASE", 0,
		 "Compare with what this release promises (23 to 31, or master) instead of OLD", 0},
		{"format", OPTION_FORMAT, "text|json", 0,
		 "How to report (default text: Markdown, to be pasted)", 0},
		{0},
	};
	static const struct argp argp = {
		.options = known,
		.parser = parse,
		.args_doc = "OLD NEW\n--release=RELEASE NEW",
		.doc = "Tells what became different between the tracepoints of two binaries, by their ELF notes and by what is known of the releases they are of, and whether it breaks those who read them. Needs no privileges, and runs nothing.\vExit codes: 0 nothing breaks, 1 something does, 2 wrong usage, 77 one of the files has no tracepoints, 99 one of them could not be read as ELF.",
	};
	struct diff_options options = {0};
	struct binary binaries[2] = {0};
	struct changes changes = {0};
	char name[16];

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	struct report_diff diff = {.outcome = OUTCOME_PASS, .changes = &changes};
	bool usable = true;
	for (unsigned i = 0; i < options.paths_cnt; i++) {
		binary_open(&binaries[i], options.paths[i], 0);
		if (usable)
			usable = is_usable(&binaries[i], &diff);
	}
	const struct binary *new = &binaries[options.paths_cnt - 1];
	diff.after = new->report;
	diff.before = options.release ? (struct report_binary){.release = release_name(options.release, name),
							       .why = "--release says so"}
				      : binaries[0].report;
	if (usable) {
		struct diff_side after = side_of(new);
		struct diff_side before = options.release
						  ? (struct diff_side){.release = options.release,
								       .pointer_bytes = after.pointer_bytes}
						  : side_of(&binaries[0]);

		compare(&before, &after, &diff, &changes);
	}
	if (options.format == CLI_FORMAT_JSON) {
		char *text = report_diff_json(&diff);

		fputs(text, stdout);
		free(text);
	} else {
		report_diff_text(diff.outcome == OUTCOME_ERROR ? stderr : stdout, &diff);
	}
	enum exit_code code = report_outcome_code(diff.outcome);
	changes_fini(&changes);
	for (unsigned i = 0; i < options.paths_cnt; i++)
		binary_close(&binaries[i]);
	return code;
}

const struct command command_diff = {"diff", "what changed between two binaries, and whom it breaks", run};
