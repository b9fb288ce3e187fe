#include "contract/diff.h"
#include "cli/binary.h"
#include "cli/cli.h"
#include "cli/files_args.h"
#include "contract/contract.h"

#include <argp.h>
#include <stdio.h>

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	const struct files_args *args = state->input;

	if (key == ARGP_KEY_END && args->paths_cnt + (args->release != 0) != 2)
		argp_error(state, "diff needs two files, or --release and one file");
	return files_args_parse(key, arg, state);
}

static struct diff_side
side_of(const struct binary *binary)
{
	static const struct site none;
	const struct site *sites = notes_sites(binary->notes);

	return (struct diff_side){
		.sites = sites ? sites : &none,
		.sites_cnt = notes_cnt(binary->notes),
		.pointer_bytes = notes_address_bytes(binary->notes),
		.release = binary->guess.release,
	};
}

/* Whether the binary can be compared; if not, the diff gets the outcome and the reason. */
static bool
is_usable(const struct binary *binary, struct report_diff *diff)
{
	if (binary->outcome == OUTCOME_PASS && notes_cnt(binary->notes))
		return true;
	/* A skip, as in abi: it has no tracepoints, so there is nothing to compare. */
	diff->outcome = binary->outcome == OUTCOME_SKIP ? OUTCOME_SKIP : OUTCOME_ERROR;
	diff->reason = binary->outcome == OUTCOME_PASS ? notes_problem(binary->notes, 0) : binary->reason;
	return false;
}

/* The same for NEW: if a build has lost its tracepoints, that is the change. What is no build of a node was given by
 * mistake, and must not pass for a build without changes. */
static bool
is_new_usable(const struct binary *after, struct report_diff *diff)
{
	if (binary_lost_tracepoints(after)) {
		diff->loss = after->reason;
		return true;
	}
	bool usable = is_usable(after, diff);
	if (!usable)
		diff->outcome = OUTCOME_ERROR;
	return usable;
}

static void
compare(const struct diff_side *before, const struct diff_side *after, struct report_diff *diff,
	struct changes *changes)
{
	if (before->pointer_bytes != after->pointer_bytes) {
		diff->outcome = OUTCOME_ERROR;
		diff->reason =
			"one is a 32-bit binary and the other a 64-bit one, so their arguments differ in width";
		return;
	}
	diff_interfaces(before, after, changes);
	for (size_t i = 0; i < changes->cnt; i++)
		if (changes->items[i].breaks)
			diff->outcome = OUTCOME_FAIL;
}

/* Compares NEW with OLD. */
static void
compare_files(const struct binary *before, const struct binary *after, struct report_diff *diff,
	      struct changes *changes)
{
	struct diff_side old_side, new_side;

	diff->before = before->report;
	if (!is_usable(before, diff) || !is_new_usable(after, diff))
		return;
	old_side = side_of(before);
	new_side = side_of(after);
	compare(&old_side, &new_side, diff, changes);
}

/* Compares NEW with the documentation of a release. */
static void
compare_release(unsigned release, const char *name, const struct binary *after, struct report_diff *diff,
		struct changes *changes)
{
	diff->before = (struct report_binary){.release = name, .why = BINARY_WHY_OPTION};
	if (!is_new_usable(after, diff))
		return;
	struct diff_side new_side = side_of(after);
	struct diff_side old_side = {.release = release, .pointer_bytes = new_side.pointer_bytes};
	compare(&old_side, &new_side, diff, changes);
}

static const struct argp_option options[] = {
	{"release", FILES_RELEASE, "RELEASE", 0,
	 "Compare NEW with the documentation of this release (23 to 31, or master) instead of OLD", 0},
	{"format", FILES_FORMAT, "text|json", 0,
	 "Report format (default: text, which is Markdown, ready to paste)", 0},
	{"require", FILES_REQUIRE, NULL, 0, "Count a skip as an error; use this in CI", 0},
	{0},
};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "OLD NEW\n--release=RELEASE NEW",
	.doc = "Report what changed between the tracepoints of two binaries, from their ELF notes and from what is known about their releases, and whether it breaks consumers. "
	       "Runs nothing, and needs no privileges.\v"
	       "Exit codes: 0 nothing breaks, 1 something does (also: NEW was built without tracepoints), 2 wrong usage, 77 OLD has no tracepoints (with --require: 99), 99 one of the files cannot be compared (also: NEW is no Bitcoin Core node).",
};

static int
run(int argc, char **argv)
{
	struct files_args args = {.paths_max = 2};
	struct binary binaries[FILES_MAX] = {0};
	struct changes changes = {0};
	char name[16];

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	for (unsigned i = 0; i < args.paths_cnt; i++)
		binary_open(&binaries[i], args.paths[i], 0);
	const struct binary *new = &binaries[args.paths_cnt - 1];
	struct report_diff diff = {.outcome = OUTCOME_PASS, .after = new->report, .changes = &changes};
	if (args.release)
		compare_release(args.release, release_name(args.release, name), new, &diff, &changes);
	else
		compare_files(&binaries[0], new, &diff, &changes);
	if (args.format == CLI_FORMAT_JSON)
		cli_print(report_diff_json(&diff));
	else
		/* Standard output may become a file of Markdown, which has a comparison or nothing. */
		report_diff_text(diff.reason ? stderr : stdout, &diff);
	changes_fini(&changes);
	for (unsigned i = 0; i < args.paths_cnt; i++)
		binary_close(&binaries[i]);
	return files_args_code(&args, diff.outcome);
}

const struct command command_diff = {"diff", "report what changed between two binaries, and what breaks",
				     run};
