#include "cli/files_args.h"

#include "contract/contract.h"

#include <unistd.h>

error_t
files_args_parse(int key, char *arg, struct argp_state *state)
{
	struct files_args *args = state->input;
	unsigned release;

	switch (key) {
	case FILES_RELEASE:
		args->release = cli_release(state, arg);
		return 0;
	case FILES_FORMAT:
		args->format = (enum cli_format)cli_choice(state, "format", arg, cli_format_names);
		return 0;
	case FILES_REQUIRE:
		args->require = true;
		return 0;
	case ARGP_KEY_ARG:
		/* "diff 28 FILE" */
		if (args->paths_max > 1 && !args->paths_cnt && !args->release && access(arg, F_OK) &&
		    release_parse(arg, &release)) {
			args->release = release;
			return 0;
		}
		if (args->paths_cnt == args->paths_max)
			cli_extra_argument(state, arg);
		args->paths[args->paths_cnt++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

enum exit_code
files_args_code(const struct files_args *args, enum outcome outcome)
{
	return args->require && outcome == OUTCOME_SKIP ? EXIT_ERROR : report_outcome_code(outcome);
}
