#include "cli/cli.h"

#include "contract/contract.h"
#include "scenario/scenario.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

static void
list_tracepoints(void)
{
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);

		printf("%s%s  (since v%u)\n    fires when %s\n", id ? "\n" : "", row->full_name, row->since,
		       row->when);
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
			if (arg->value_names) {
				fputs(": ", stdout);
				for (int v = 0; arg->value_names[v]; v++)
					printf("%s%d %s", v ? ", " : "", v, arg->value_names[v]);
			}
			putchar('\n');
			if (arg->difference)
				printf("       note: %s\n", arg->difference);
		}
	}
}

static void
list_scenarios(void)
{
	for (size_t i = 0; scenarios[i]; i++)
		printf("%-52s %s\n", scenarios[i]->name, scenarios[i]->summary);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	const char **what = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (*what)
		argp_error(state, "'%s' is one too many", arg);
	if (strcmp(arg, "tracepoints") && strcmp(arg, "scenarios"))
		argp_error(state, "'%s' cannot be listed; 'tracepoints' and 'scenarios' can", arg);
	*what = arg;
	return 0;
}

static int
run(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "[tracepoints|scenarios]",
		.doc = "Lists what the contract documents (tracepoints: arguments, types, units, first "
		       "release) and what can be "
		       "run (scenarios). Without an argument, both.",
	};
	const char *what = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &what);
	if (!what || !strcmp(what, "tracepoints"))
		list_tracepoints();
	if (!what)
		putchar('\n');
	if (!what || !strcmp(what, "scenarios"))
		list_scenarios();
	return 0;
}

const struct command command_list = {"list", "what is documented, and what can be run", run};
