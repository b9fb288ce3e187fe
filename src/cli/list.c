#include "cli/cli.h"
#include "cli/list_json.h"

#include "contract/contract.h"
#include "scenario/registry.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_values(const char *const *names)
{
	for (int v = 0; names[v]; v++)
		printf("%s%d %s", v ? ", " : ": ", v, names[v]);
}

static void
print_arg(unsigned number, const struct contract_arg *arg)
{
	printf("    %u. %-20s %-19s %s", number, arg->name, arg_type_name(arg->type), arg->meaning);
	if (arg->unit)
		printf(", %s", arg->unit);
	if (arg->max_chars)
		printf(", documented as at most %u characters", arg->max_chars);
	if (arg->since)
		printf(" (since v%u)", arg->since);
	if (arg->value_names)
		print_values(arg->value_names);
	putchar('\n');
	if (arg->difference)
		printf("       note: %s\n", arg->difference);
}

static void
list_tracepoints(unsigned release)
{
	bool first = true;

	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_at((enum tracepoint_id)id, release);

		if (!row)
			continue;
		printf("%s%s  (since v%u)\n    fires when %s\n", first ? "" : "\n", row->full_name,
		       row->since, row->when);
		first = false;
		if (row->difference)
			printf("    note: %s\n", row->difference);
		for (unsigned i = 0; i < row->args_cnt; i++)
			print_arg(i + 1, &row->args[i]);
	}
}

/* True if there was anything, as for print_changes. */
static bool
print_additions(const struct contract_tracepoint *row, unsigned release)
{
	bool any = row->since == release;

	if (any)
		printf("    new       %s (%u argument%s)\n", row->full_name,
		       contract_at(row->id, release)->args_cnt, row->args_cnt == 1 ? "" : "s");
	for (unsigned i = 0; i < row->args_cnt; i++)
		if (row->args[i].since == release) {
			printf("    new       %s argument %u (%s)\n", row->full_name, i + 1,
			       row->args[i].name);
			any = true;
		}
	return any;
}

static bool
print_changes(unsigned release)
{
	const struct contract_change *change;
	bool any = false;

	for (size_t i = 0; (change = contract_change(i)); i++) {
		const struct contract_tracepoint *row = contract_get(change->id);

		if (change->release != release)
			continue;
		printf("    %s  %s", change->breaks ? "breaking" : "changed ", row->full_name);
		if (change->argument)
			printf(" argument %u (%s)", change->argument, row->args[change->argument - 1].name);
		printf(": %s\n", change->what);
		any = true;
	}
	return any;
}

static void
list_history(void)
{
	char name[16];

	for (unsigned release = RELEASE_FIRST; release <= RELEASE_MASTER; release++) {
		bool any = false;

		printf("%s%s\n", release == RELEASE_FIRST ? "" : "\n", release_name(release, name));
		for (int id = 0; id < TRACEPOINTS_CNT; id++)
			any |= print_additions(contract_get((enum tracepoint_id)id), release);
		any |= print_changes(release);
		if (!any)
			puts("    no change");
	}
}

static void
list_scenarios(void)
{
	for (size_t i = 0; scenarios[i]; i++)
		printf("%-52s %s\n", scenarios[i]->name, scenarios[i]->summary);
}

enum { OPTION_FORMAT = 256 };

struct list_options {
	const char *what; /* NULL: not given */
	unsigned release; /* 0: not given */
	enum cli_format format;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	static const char *const things[] = {"tracepoints", "scenarios", "history"};
	struct list_options *options = state->input;

	switch (key) {
	case 'r':
		options->release = cli_release(state, arg);
		return 0;
	case OPTION_FORMAT:
		options->format = (enum cli_format)cli_choice(state, "format", arg, cli_format_names);
		return 0;
	case ARGP_KEY_ARG:
		if (options->what)
			cli_extra_argument(state, arg);
		for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
			if (!strcmp(arg, things[i]))
				options->what = things[i];
		if (!options->what)
			argp_error(state, "cannot list '%s', only tracepoints, scenarios and history", arg);
		return 0;
	case ARGP_KEY_END:
		if (options->release && options->what && strcmp(options->what, "tracepoints"))
			argp_error(state, "--release applies to tracepoints, not to %s", options->what);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option known[] = {
	{"release", 'r', "RELEASE", 0, "List the tracepoints of this release: 23 to 31, or master (default)",
	 0},
	{"format", OPTION_FORMAT, "text|json", 0, "Print text (default), or one JSON object", 0},
	{0},
};
static const struct argp argp = {
	.options = known,
	.parser = parse,
	.args_doc = "[tracepoints|scenarios|history]",
	.doc = "List the documented tracepoints with their arguments (tracepoints), the scenarios that run can run (scenarios), or what each release of Bitcoin Core added and changed (history). "
	       "Without an argument, list tracepoints and scenarios (as JSON: all three).\v"
	       "Exit codes: 0 it was listed, 2 wrong usage, 99 it could not be written.",
};

static void
list_as_json(const char *what, unsigned release)
{
	struct list_parts parts = {
		.tracepoints = !what || !strcmp(what, "tracepoints"),
		.scenarios = !what || !strcmp(what, "scenarios"),
		.history = !what || !strcmp(what, "history"),
		.release = release ? release : RELEASE_MASTER,
	};

	cli_print(list_json(&parts));
}

static int
run(int argc, char **argv)
{
	struct list_options options = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	const char *what = options.what ? options.what : options.release ? "tracepoints" : NULL;
	if (options.format == CLI_FORMAT_JSON) {
		list_as_json(what, options.release);
		return EXIT_SUCCESS;
	}
	if (!what || !strcmp(what, "tracepoints"))
		list_tracepoints(options.release ? options.release : RELEASE_MASTER);
	if (!what)
		putchar('\n');
	if (!what || !strcmp(what, "scenarios"))
		list_scenarios();
	if (what && !strcmp(what, "history"))
		list_history();
	return EXIT_SUCCESS;
}

const struct command command_list = {"list", "list tracepoints, scenarios, or what each release changed",
				     run};
