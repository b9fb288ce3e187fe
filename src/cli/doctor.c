#include "cli/cli.h"

#include "base/buf.h"
#include "cli/bitcoind.h"
#include "cli/environment.h"
#include "cli/nearest.h"
#include "contract/contract.h"
#include "notes/notes.h"
#include "report/report.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_BITCOIND = 256 };

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	const char **bitcoind = state->input;

	switch (key) {
	case OPTION_BITCOIND:
		*bitcoind = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one too many: doctor takes no argument", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
tell(const char *name, const char *word, const char *detail)
{
	printf("%-5s %-15s %s\n", word, name, detail);
}

/* The bitcoind and its tracepoints; true when there is something to judge. */
static bool
look_at_bitcoind(const char *given)
{
	struct notes *notes = NULL;
	struct diag diag;
	char *path = NULL;
	bool ok = false;

	if (bitcoind_find(given, &path, &diag)) {
		tell("bitcoind", "LACKS", diag.text);
		return false;
	}
	tell("bitcoind", "ok", path);
	if (notes_open(&notes, path, &diag)) {
		tell("tracepoints", "LACKS", diag.text);
	} else if (!notes_is_native(notes)) {
		tell("tracepoints", "LACKS", "it is for another machine than this one");
	} else if (!notes_cnt(notes)) {
		tell("tracepoints", "LACKS",
		     "none: this bitcoind was built without USDT support; build it with -DWITH_USDT=ON");
	} else {
		unsigned found = 0;
		struct buf text;

		buf_init(&text, 8192);
		for (int id = 0; id < TRACEPOINTS_CNT; id++) {
			const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);

			if (notes_find(notes, row->context, row->name, 0))
				found++;
			else
				buf_printf(&text, "%s%s", text.len ? ", " : "; not there: ", row->full_name);
		}
		char *line = buf_take(&text);
		printf("%-5s %-15s %u of the %d documented ones%s\n",
		       found == TRACEPOINTS_CNT ? "ok" : "some", "tracepoints", found, TRACEPOINTS_CNT, line);
		free(line);
		ok = found > 0;
	}
	notes_free(notes);
	free(path);
	return ok;
}

static int
run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"bitcoind", OPTION_BITCOIND, "PATH", 0,
		 "The bitcoind to look at (default: $BITCOIND, else the one in PATH)", 0},
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Tries what tpcheck needs of this machine, and says for each thing what it found and what would help.\vExit codes: 0 a bitcoind can be judged here, 77 it cannot.",
	};
	struct probe_feature features[PROBE_FEATURES_MAX];
	struct probe_opts probe = {0};
	const char *bitcoind = NULL;
	char reason[600];

	argp_parse(&argp, argc, argv, 0, NULL, &bitcoind);
	environment_fill_probe_opts(&probe);
	size_t cnt = probe_try_features(features, probe.kernel_source);
	for (size_t i = 0; i < cnt; i++)
		tell(features[i].name,
		     features[i].ok       ? "ok"
		     : features[i].needed ? "LACKS"
					  : "no",
		     features[i].detail);
	bool can_probe = !probe_find_obstacle(PROBE_METHOD_AUTO, reason, sizeof(reason));
	bool can_judge = look_at_bitcoind(bitcoind);

	puts("");
	nearest_tell(features, cnt, stdout);
	puts("");
	if (!can_probe)
		printf("tpcheck cannot run here. %s\n", reason);
	else if (!can_judge)
		puts("This machine can run tpcheck ('tpcheck selftest' shows it), but there is no bitcoind to judge.");
	else
		puts("This machine can judge that bitcoind: tpcheck run");
	return can_probe && can_judge ? EXIT_PASSED : EXIT_SKIPPED;
}

const struct command command_doctor = {"doctor", "tell what this machine allows, and what would help", run};
