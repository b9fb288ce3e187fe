#include "cli/cli.h"

#include "contract/contract.h"
#include "scenario/registry.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

static void
print_values(const char *const *names)
{
	for (int v = 0; names[v]; v++)
		printf("%s%d %s", v ? ", " : ": ", v, names[v]);
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
		for (unsigned i = 0; i < row->args_cnt; i++) {
			const struct contract_arg *arg = &row->args[i];

			printf("    %u. %-20s %-19s", i + 1, arg->name, arg_type_name(arg->type));
			printf(" %s", arg->meaning);
			if (arg->unit)
				printf(", %s", arg->unit);
			if (arg->max_chars)
				printf(", at most %u characters", arg->max_chars);
			if (arg->since)
				printf(" (since v%u)", arg->since);
			if (arg->value_names)
				print_values(arg->value_names);
			putchar('\n');
			if (arg->difference)
				printf("       note: %s\n", arg->difference);
		}
	}
}

/* What each release added, and what it changed. */
static void
list_history(void)
{
	char name[16];

	for (unsigned release = RELEASE_FIRST; release <= RELEASE_MASTER; release++) {
		const struct contract_change *change;
		bool any = false;

		printf("%s%s\n", release == RELEASE_FIRST ? "" : "\n", release_name(release, name));
		for (int id = 0; id < TRACEPOINTS_CNT; id++) {
			const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);

			if (row->since == release)
				printf("    new       %s (%u argument%s)\n", row->full_name,
				       contract_at((enum tracepoint_id)id, release)->args_cnt,
				       row->args_cnt == 1 ? "" : "s");
			any |= row->since == release;
			for (unsigned i = 0; i < row->args_cnt; i++)
				if (row->args[i].since == release) {
					printf("    new       %s argument %u (%s)\n", row->full_name, i + 1,
					       row->args[i].name);
					any = true;
				}
		}
		for (size_t i = 0; (change = contract_change(i)); i++) {
			const struct contract_tracepoint *row = contract_get(change->id);

			if (change->release != release)
				continue;
			printf("    %s  %s", change->breaks ? "breaking" : "changed ", row->full_name);
			if (change->argument)
				printf(" argument %u (%s)", change->argument,
				       row->args[change->argument - 1].name);
			printf(": %s\n", change->what);
			any = true;
		}
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

struct list_options {
	const char *what;
	const char *release_text;
	unsigned release;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	static const char *const things[] = {"tracepoints", "scenarios", "history"};
	struct list_options *options = state->input;

	switch (key) {
	case 'r':
		options->release_text = arg;
		options->release = cli_release(state, "release", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (options->what)
			argp_error(state, "'%s' is one too many", arg);
		for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
			if (!strcmp(arg, things[i]))
				options->what = things[i];
		if (!options->what)
			argp_error(state,
				   "'%s' cannot be listed; 'tracepoints', 'scenarios' and 'history' can",
				   arg);
		return 0;
	case ARGP_KEY_END:
		if (options->release_text && options->what && strcmp(options->what, "tracepoints"))
			argp_error(state, "--release is for tracepoints, not for %s", options->what);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int
run(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{"release", 'r', "RELEASE", 0,
		 "The tracepoints as that release has them: 23 to 31, or master", 0},
		{0},
	};
	static const struct argp argp = {
		.options = known,
		.parser = parse,
		.args_doc = "[tracepoints|scenarios|history]",
		.doc = "Lists what the contract documents (tracepoints: arguments, types, units, first release), what can be run (scenarios), and what each release of Bitcoin Core added and changed (history). Without an argument, tracepoints and scenarios.",
	};
	struct list_options options = {.release = RELEASE_MASTER};

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	const char *what = options.what ? options.what : options.release_text ? "tracepoints" : NULL;
	if (!what || !strcmp(what, "tracepoints"))
		list_tracepoints(options.release);
	if (!what)
		putchar('\n');
	if (!what || !strcmp(what, "scenarios"))
		list_scenarios();
	if (what && !strcmp(what, "history"))
		list_history();
	return 0;
}

const struct command command_list = {"list", "what is documented, and what can be run", run};
