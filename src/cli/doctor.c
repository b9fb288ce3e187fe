#include "cli/cli.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "cli/advice.h"
#include "cli/bitcoind.h"
#include "cli/doctor_start.h"
#include "cli/environment.h"
#include "contract/contract.h"
#include "node/network.h"
#include "node/process.h"
#include "notes/absence.h"
#include "notes/notes.h"
#include "report/report.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_BITCOIND = 256, OPTION_USER, OPTION_ENV };

struct doctor_options {
	const char *bitcoind, *user; /* NULL: not given */
	const char **env;            /* NULL-terminated; NULL: none */
	size_t env_cnt;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct doctor_options *given = state->input;

	switch (key) {
	case OPTION_BITCOIND:
		given->bitcoind = arg;
		return 0;
	case OPTION_USER:
		given->user = cli_user(state, arg);
		return 0;
	case OPTION_ENV:
		cli_append_env(state, &given->env, &given->env_cnt, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (!given->bitcoind) {
			given->bitcoind = arg;
			return 0;
		}
		cli_extra_argument(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What doctor says of one thing. */
#define WORD_OK      "ok"
#define WORD_WARNING "warn"
#define WORD_UNUSED  "no" /* missing, but not required */
#define WORD_FAILED  "FAIL"
#define WORD_UNTRIED "-"

/* Nothing in a detail, such as a path, can look like another line. */
static void
print_line(const char *word, const char *name, const char *detail)
{
	printf("%-5s %-15s ", word, name);
	utf8_print(stdout, detail, "\t");
	putchar('\n');
}

/* True if there is any documented tracepoint. */
static bool
print_tracepoints(const struct notes *notes)
{
	unsigned found = 0;
	struct buf missing, detail;

	buf_init(&missing, 8192);
	buf_init(&detail, 16384);
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);

		if (notes_find(notes, row->context, row->name, 0))
			found++;
		else
			buf_printf(&missing, "%s%s", missing.len ? ", " : "; missing: ", row->full_name);
	}
	buf_printf(&detail, "%u of the %d documented ones%s", found, TRACEPOINTS_CNT,
		   missing.len ? missing.data : "");
	print_line(found == TRACEPOINTS_CNT ? WORD_OK : WORD_WARNING, "tracepoints", detail.data);
	buf_fini(&detail);
	buf_fini(&missing);
	return found > 0;
}

static bool
print_start(const char *path, const struct doctor_options *given)
{
	struct diag diag;
	bool ok = !doctor_start(path, given->user, given->env, &diag);

	print_line(ok ? WORD_OK : WORD_FAILED, "start", diag.text);
	return ok;
}

/* Prints which bitcoind would be checked (*found: the caller frees it; NULL if there is none), its tracepoints, and
 * whether it starts. True if it can be checked. */
static bool
print_bitcoind(const struct doctor_options *given, char **found)
{
	struct notes *notes = NULL;
	struct diag diag;
	char *path = NULL;
	bool ok = false;

	*found = NULL;
	if (bitcoind_find(given->bitcoind, &path, &diag)) {
		print_line(WORD_FAILED, "bitcoind", diag.text);
		return false;
	}
	*found = path;
	print_line(WORD_OK, "bitcoind", path);
	if (notes_open(&notes, path, &diag))
		print_line(WORD_FAILED, "tracepoints", diag.text);
	else if (!notes_is_native(notes))
		print_line(WORD_FAILED, "tracepoints", "this bitcoind is built for another architecture");
	else if (notes_find_absence(notes, path, NULL, &diag))
		print_line(WORD_FAILED, "tracepoints", diag.text);
	else
		ok = print_tracepoints(notes) & print_start(path, given);
	notes_free(notes);
	return ok;
}

static void
print_features(const struct probe_feature *features, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		print_line(features[i].untried  ? WORD_UNTRIED
			   : features[i].ok     ? WORD_OK
			   : features[i].needed ? WORD_FAILED
						: WORD_UNUSED,
			   features[i].name, features[i].detail);
}

/* True if bitcoind can be reached. */
static bool
print_loopback(void)
{
	struct diag diag;
	bool ok = !network_check_loopback(&diag);

	print_line(ok ? WORD_OK : WORD_FAILED, "loopback", ok ? "up" : diag.text);
	return ok;
}

/* Whether a node gets a network of its own. Prints what it gets, or why it does not. */
static bool
print_network(void)
{
	struct process_user user;
	struct network network;
	struct diag diag;

	process_find_user(&user,
			  &(struct process_user_opts){.sudo_uid = environment_read().sudo_uid,
						      .same_user = bitcoind_needs_same_user()},
			  &diag);
	network_make(&network, &user);
	bool ok = !network.obstacle;
	if (!ok)
		print_line(WORD_UNUSED, "network", network.obstacle);
	else if (network.obstacle_ip6)
		print_line(WORD_UNUSED, "network", network.obstacle_ip6);
	else
		print_line(WORD_OK, "network",
			   network.broker ? "a node can have its own, inside a user namespace"
					  : "a node can have its own");
	network_fini(&network);
	return ok;
}

/* The options that make run check the bitcoind with the user and environment that doctor was given. Without a bitcoind
 * (NULL), the environment chooses it. The caller frees the text, and escapes it to print it. */
static char *
run_options(const struct doctor_options *given, const char *bitcoind)
{
	struct buf options;

	buf_init(&options, 64 << 10);
	if (bitcoind)
		cli_add_option(&options, "bitcoind", bitcoind);
	if (given->user)
		cli_add_option(&options, "user", given->user);
	for (size_t i = 0; i < given->env_cnt; i++)
		cli_add_option(&options, "env", given->env[i]);
	return buf_take(&options);
}

static void
print_command(const char *options)
{
	printf("This machine can check that bitcoind: tpcheck run");
	utf8_print(stdout, options, "\t"); /* as reports show the command that repeats a scenario */
	putchar('\n');
}

static const struct argp_option options[] = {
	{"bitcoind", OPTION_BITCOIND, "PATH", 0,
	 "The bitcoind to check (default: $BITCOIND, else the one in PATH)", 0},
	{"user", OPTION_USER, "NAME", 0, CLI_USER_HELP, 0},
	{"env", OPTION_ENV, "NAME=VALUE", 0, CLI_ENV_HELP, 0},
	{0},
};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[PATH]",
	.doc = "Try everything that tpcheck needs from this machine, and report what works, what is missing, and how to get it. "
	       "PATH is a bitcoind, as in --bitcoind=PATH.\v"
	       "Exit codes: 0 a bitcoind can be checked here, 2 wrong usage, 77 it cannot, 99 doctor itself failed.",
};

static int
run(int argc, char **argv)
{
	struct probe_feature features[PROBE_FEATURES_MAX];
	struct probe_opts probe = {0};
	struct doctor_options given = {.env = NULL};
	char reason[1200], bpf_reason[600];

	argp_parse(&argp, argc, argv, 0, NULL, &given);
	environment_fill_probe_opts(&probe);
	size_t cnt = probe_try_features(features, probe.kernel_source);
	print_features(features, cnt);
	bool can_probe = !probe_find_obstacle(PROBE_METHOD_AUTO, reason, sizeof(reason));
	bool can_reach = print_loopback(), can_isolate = print_network();
	char *bitcoind;
	bool can_check = print_bitcoind(&given, &bitcoind);

	puts("");
	bool has_bpf = !probe_find_bpf_obstacle(bpf_reason, sizeof(bpf_reason));
	/* sudo passes neither BITCOIND nor PATH on. */
	char *with_sudo = run_options(&given, can_check ? bitcoind : NULL);
	char *as_before = run_options(&given, given.bitcoind);
	advice_print(features, cnt, has_bpf ? NULL : bpf_reason, can_isolate, with_sudo, stdout);
	puts("");
	if (!can_probe) {
		printf("tpcheck cannot run here. ");
		utf8_print(stdout, reason, "\t");
		putchar('\n');
	} else if (!can_reach) {
		puts("This machine can run 'tpcheck selftest' and trace running processes, but no bitcoind can be reached: see above.");
	} else if (!can_check) {
		printf("This machine can run tpcheck ('tpcheck selftest' confirms that), but %s: see above.\n",
		       bitcoind || given.bitcoind ? "that bitcoind cannot be checked"
						  : "there is no bitcoind to check");
	} else {
		print_command(as_before);
	}
	free(with_sudo);
	free(as_before);
	free(bitcoind);
	free(given.env);
	return can_probe && can_reach && can_check ? EXIT_PASSED : EXIT_SKIPPED;
}

const struct command command_doctor = {
	"doctor", "report whether this machine can run tpcheck, and what would help", run};
