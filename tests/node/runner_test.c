/* The runner on a real bitcoind with scenarios that are wrong on purpose: each must end as its mistake deserves,
 * with the right words. Needs $BITCOIND or one in PATH, and what the probes need; is skipped, loudly, without. */
#include "base/keeper.h"
#include "base/xmem.h"
#include "bitcoind.h"
#include "contract/expect_private.h"
#include "probe/bpf/sys.h"
#include "run/plan.h"
#include "run/runner.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/coins.h"
#include "scene/payments.h"
#include "scene/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char *bitcoind;
/* As tpcheck has one. Without, each process that is being started holds probes that are taken out meanwhile. */
static struct keeper *keeper;
/* For one test: */
static const struct machine *machine; /* NULL: the real one */
static char *copied;                  /* the bitcoind to run instead; NULL: bitcoind itself */
static const char *const *env;        /* of the nodes */
static const char *env_hint;
static unsigned release; /* to check against; 0: master */

#define ADD_AND_BLOCK (TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED))

struct state {
	char hash[65];
};

static void
submit(struct scene *scene)
{
	struct state *state = scene->state;

	blocks_submit(scene, blocks_begin(scene, 0));
	blocks_tip_hash(scene, state->hash);
}

/* What is wrong with the expectations of the scenario under test. */
static enum mistake {
	NO_MISTAKE,
	WRONG_VALUE,      /* the coin is wanted with one satoshi more */
	ONE_TOO_MANY,     /* an event is wanted that does not come */
	ONE_TOO_FEW,      /* an event that comes is not wanted */
	WRONG_ORDER,      /* block_connected is wanted before the coins */
	ARGUMENT_MISSING, /* an argument is left unchecked */
	NO_CONTROL,       /* nothing of the subject is wanted */
	WRONG_DETAIL,     /* a detail is wanted that does not hold */
} mistake;

static void
expect_coin_with(struct scene *scene, const struct json *block, int64_t more_sat, enum finding_kind kind)
{
	const struct json *tx = json_at(json_get(block, "tx"), 0), *out = json_at(json_get(tx, "vout"), 0);
	struct coin_facts facts = {.is_coinbase = true};

	if (!json_i64(json_get(block, "height"), &facts.height) ||
	    !json_sat(json_get(out, "value"), &facts.value_sat)) {
		scene_fail(scene, -EBADMSG, "the block has no height or value");
		return;
	}
	if (scene->events[0].args[0].bytes)
		memcpy(facts.txid_wire, scene->events[0].args[0].bytes, 32);
	facts.value_sat += more_sat;
	blocks_expect_coin(scene, TP_UTXOCACHE_ADD, kind, "the coinbase's coin", &facts);
}

static void
expect_wrongly(struct scene *scene)
{
	struct state *state = scene->state;
	const struct json *block = blocks_get(scene, state->hash);

	if (mistake == WRONG_ORDER)
		blocks_expect_block_connected(scene, block);
	if (mistake != NO_CONTROL)
		expect_coin_with(scene, block, mistake == WRONG_VALUE, FINDING_CONTRACT);
	if (mistake == ONE_TOO_MANY)
		expect_coin_with(scene, block, 0, FINDING_CONTRACT);
	if (mistake == WRONG_DETAIL)
		expect_coin_with(scene, block, 0, FINDING_DETAIL);
	if (mistake == ARGUMENT_MISSING)
		want_uint(expect_event(scene->expect, TP_UTXOCACHE_ADD, FINDING_CONTRACT, "half a coin"),
			  "vout", 0);
	if (mistake != WRONG_ORDER && mistake != ONE_TOO_FEW)
		blocks_expect_block_connected(scene, block);
}

static const struct scenario under_test = {
	.name = "utxocache.add.under_test",
	.summary = "a scenario that may be wrong",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = ADD_AND_BLOCK,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.act = submit,
	.expect = expect_wrongly,
};

static char *
artifacts_dir(void)
{
	char *dir = test_make_dir();

	assert_non_null(dir);
	return dir;
}

static bool
is_there(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct stat st;
	bool there = !stat(path, &st) && st.st_size > 0;

	free(path);
	return there;
}

static void
remove_dir(const char *dir)
{
	static const char *const files[] = {"debug.log", "events.jsonl", "findings.json", "probes.c",
					    "command",   "reason",       "output.txt"};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char *path = xasprintf("%s/%s", dir, files[i]);

		unlink(path);
		free(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static enum probe_method method;

/* Runs scenarios; the caller frees the run by end_run. */
static struct report_run
run_until(const struct scenario *const *list, bool details_warn, unsigned timeout_ms, unsigned fail_at,
	  char **artifacts)
{
	struct report_run run = {0};

	*artifacts = artifacts_dir();
	struct artifacts *kept = artifacts_new(&(struct artifacts_opts){.dir = *artifacts});
	struct runner_opts opts = {
		.bitcoind = copied ? copied : bitcoind,
		.tmpdir = test_tmp(),
		.release = release,
		.env = env,
		.env_hint = env_hint,
		.scenarios = list,
		.timeout_ms = timeout_ms,
		.details_warn = details_warn,
		.artifacts = kept,
		.repeat_prefix = "tpcheck run",
		.probe.keeper = keeper,
		.fail_at = fail_at,
		.machine = machine,
		.probe.method = method,
	};
	runner_finish(runner_run(&opts, &run));
	artifacts_free(kept);
	return run;
}

static struct report_run
run_them(const struct scenario *const *list, bool details_warn, unsigned timeout_ms, char **artifacts)
{
	return run_until(list, details_warn, timeout_ms, 0, artifacts);
}

static void
end_run(struct report_run *run, char *artifacts)
{
	for (size_t i = 0; i < run->results_cnt; i++) {
		if (run->results[i].artifacts)
			remove_dir(run->results[i].artifacts);
		report_result_fini(&run->results[i]);
	}
	free(run->results);
	assert_int_equal(rmdir(artifacts), 0);
	free(artifacts);
}

static struct report_run
run_with(enum mistake m, bool details_warn, char **artifacts)
{
	static const struct scenario *const list[] = {&under_test, NULL};

	mistake = m;
	return run_them(list, details_warn, 60000, artifacts);
}

static void
assert_passes(const struct report_result *result)
{
	if (result->outcome != OUTCOME_PASS)
		fail_msg("%s: %s", result->name,
			 result->reason ? result->reason : result->findings.items[0].message);
}

static void
test_right_expectations_pass_and_leave_nothing(void **state)
{
	char *artifacts;
	struct report_run run = run_with(NO_MISTAKE, false, &artifacts);

	(void)state;
	assert_int_equal(run.results_cnt, 1);
	assert_passes(&run.results[0]);
	assert_null(run.results[0].artifacts);
	assert_int_equal(report_exit_code(&run, true), EXIT_PASSED);
	end_run(&run, artifacts);
}

static void
assert_fails(enum mistake m, const char *tracepoint, unsigned argument, const char *words)
{
	char *artifacts;
	struct report_run run = run_with(m, false, &artifacts);
	const struct report_result *result = &run.results[0];

	assert_int_equal(result->outcome, OUTCOME_FAIL);
	assert_int_equal(result->findings.cnt, 1);
	assert_string_equal(result->findings.items[0].tracepoint, tracepoint);
	assert_int_equal(result->findings.items[0].argument, argument);
	if (!strstr(result->findings.items[0].message, words))
		fail_msg("'%s' does not say '%s'", result->findings.items[0].message, words);
	assert_string_equal(result->repeat, "tpcheck run 'utxocache.add.under_test'");
	assert_non_null(result->artifacts);
	assert_true(is_there(result->artifacts, "debug.log"));
	assert_true(is_there(result->artifacts, "events.jsonl"));
	assert_true(is_there(result->artifacts, "findings.json"));
	assert_true(is_there(result->artifacts, "probes.c"));
	assert_non_null(strstr(result->log_tail, "UpdateTip"));
	assert_int_equal(report_exit_code(&run, false), EXIT_FAILED);
	end_run(&run, artifacts);
}

static void
test_wrong_expectations_fail(void **state)
{
	(void)state;
	assert_fails(WRONG_VALUE, "utxocache:add", 4, "want 1250000001 sat, got 1250000000 sat");
	assert_fails(ONE_TOO_MANY, "utxocache:add", 0, "did not fire");
	assert_fails(ONE_TOO_FEW, "validation:block_connected", 0, "fired unexpectedly");
	assert_fails(WRONG_ORDER, "validation:block_connected", 0, "fired out of order");
}

static void
assert_is_error(enum mistake m, const char *words)
{
	char *artifacts;
	struct report_run run = run_with(m, false, &artifacts);

	assert_int_equal(run.results[0].outcome, OUTCOME_ERROR);
	if (!strstr(run.results[0].reason, words))
		fail_msg("'%s' does not say '%s'", run.results[0].reason, words);
	assert_int_equal(report_exit_code(&run, false), EXIT_ERROR);
	end_run(&run, artifacts);
}

static void
test_unsound_expectations_are_errors(void **state)
{
	(void)state;
	assert_is_error(ARGUMENT_MISSING, "argument 1 (txid) of utxocache:add is left unchecked");
	assert_is_error(NO_CONTROL, "without one, silence proves nothing");
}

static void
test_details_warn(void **state)
{
	char *artifacts;
	struct report_run run = run_with(WRONG_DETAIL, false, &artifacts);

	(void)state;
	assert_int_equal(run.results[0].outcome, OUTCOME_FAIL);
	assert_int_equal(run.results[0].findings.items[0].kind, FINDING_DETAIL);
	end_run(&run, artifacts);
	run = run_with(WRONG_DETAIL, true, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_PASS);
	assert_int_equal(run.results[0].findings.cnt, 1);
	end_run(&run, artifacts);
	/* What is promised fails whatever becomes of details. */
	run = run_with(WRONG_VALUE, true, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_FAIL);
	end_run(&run, artifacts);
}

/* What is attached */

/* Tracepoints whose semaphores are raised in the node while a scenario acts. */
static uint64_t raised;

static void
submit_and_look(struct scene *scene)
{
	struct notes *notes;
	struct plan plan;
	struct diag diag;

	submit(scene);
	if (!scene_ok(scene))
		return;
	assert_int_equal(notes_open(&notes, bitcoind, &diag), 0);
	plan_make(&plan, notes, RELEASE_MASTER, (UINT64_C(1) << TRACEPOINTS_CNT) - 1);
	raised = 0;
	for (size_t i = 0; i < plan.points_cnt; i++) {
		int err = probe_check_quiet(node_pid(scene->node), &plan.points[i], 1, &diag);

		if (err == -EBUSY)
			raised |= TP_BIT(plan.points[i].tracepoint);
		else if (err)
			fail_msg("%s", diag.text);
	}
	plan_fini(&plan);
	notes_free(notes);
}

static void
assert_raised(const struct scenario *const *list, uint64_t want, uint64_t want_by_events)
{
	char *artifacts;

	mistake = NO_MISTAKE;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	for (size_t i = 0; i < run.results_cnt; i++)
		assert_passes(&run.results[i]);
	bool is_by_events = strcmp(run.attach, "multi") != 0;
	end_run(&run, artifacts);
	assert_true(raised == (is_by_events ? want_by_events : want));
}

/* Whatever is selected, all tracepoints are attached, so that a scenario sees the same alone and among others; or only
 * one, for a scenario that is about this; or only its own, if others would be hit very often and it costs little. */
static void
test_what_is_attached(void **state)
{
	static const struct scenario looking = {
		.name = "utxocache.add.looking",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = ADD_AND_BLOCK,
		.profile = &profile_default,
		.state_sz = sizeof(struct state),
		.act = submit_and_look,
		.expect = expect_wrongly,
	};
	static const struct scenario alone = {
		.name = "utxocache.add.alone",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = TP_BIT(TP_UTXOCACHE_ADD),
		.profile = &profile_default,
		.alone_of = &looking,
	};
	static const struct scenario own = {
		.name = "utxocache.add.own",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = ADD_AND_BLOCK,
		.attaches_own = true,
		.profile = &profile_default,
		.state_sz = sizeof(struct state),
		.act = submit_and_look,
		.expect = expect_wrongly,
	};
	const struct scenario *company_list[] = {&looking, NULL}, *alone_list[] = {&alone, NULL},
			      *between[] = {&looking, &alone, NULL}, *then[] = {&alone, &looking, NULL},
			      *own_list[] = {&looking, &own, NULL},
			      *after_own[] = {&own, &own, &looking, NULL};
	struct notes *notes;
	struct plan plan;
	struct diag diag;

	(void)state;
	assert_int_equal(notes_open(&notes, bitcoind, &diag), 0);
	plan_make(&plan, notes, RELEASE_MASTER, (UINT64_C(1) << TRACEPOINTS_CNT) - 1);
	const uint64_t all = (UINT64_C(1) << TRACEPOINTS_CNT) - 1 - plan.missing - plan.later;
	plan_fini(&plan);
	notes_free(notes);
	assert_raised(company_list, all, all);
	assert_raised(alone_list, TP_BIT(TP_UTXOCACHE_ADD), TP_BIT(TP_UTXOCACHE_ADD));
	assert_raised(between, TP_BIT(TP_UTXOCACHE_ADD), TP_BIT(TP_UTXOCACHE_ADD));
	assert_raised(then, all, all);
	assert_raised(own_list, ADD_AND_BLOCK, all);
	assert_raised(after_own, all, all);
}

static void
test_what_fails_alone_says_so(void **state)
{
	static const struct scenario alone = {
		.name = "utxocache.add.alone",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = TP_BIT(TP_UTXOCACHE_ADD),
		.profile = &profile_default,
		.alone_of = &under_test,
	};
	const struct scenario *list[] = {&alone, NULL};
	char *artifacts;

	(void)state;
	mistake = ONE_TOO_MANY;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_FAIL);
	assert_non_null(
		strstr(run.results[0].findings.items[0].message, "no other tracepoint is attached here"));
	assert_non_null(strstr(run.results[0].findings.items[0].message, "'utxocache.add.under_test'"));
	end_run(&run, artifacts);
	/* The event is there: no semaphore explains what is wrong in it. */
	mistake = WRONG_VALUE;
	run = run_them(list, false, 60000, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_FAIL);
	assert_int_equal(run.results[0].findings.items[0].argument, 4);
	assert_null(strstr(run.results[0].findings.items[0].message, "no other tracepoint"));
	end_run(&run, artifacts);
}

/* As another tracer would: raises the semaphore of utxocache:spent in the node. */
static void
raise_semaphore(struct scene *scene)
{
	char path[64], line[4096];
	struct notes *notes;
	struct diag diag;
	unsigned raised_cnt = 0;

	assert_int_equal(notes_open(&notes, bitcoind, &diag), 0);
	const struct site *site = notes_find(notes, "utxocache", "spent", 0);
	assert_non_null(site);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)node_pid(scene->node));
	int mem = open(path, O_RDWR | O_CLOEXEC);
	assert_true(mem >= 0);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)node_pid(scene->node));
	FILE *maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t start, end, offset, at = site->semaphore_file_offset;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw-p %" SCNx64, &start, &end, &offset) != 3 ||
		    !strstr(line, "bitcoin") || at < offset || at - offset >= end - start)
			continue;
		off_t place = (off_t)(start + at - offset);
		uint16_t semaphore;
		assert_int_equal(pread(mem, &semaphore, 2, place), 2);
		semaphore++;
		assert_int_equal(pwrite(mem, &semaphore, 2, place), 2);
		raised_cnt++;
	}
	assert_int_equal(raised_cnt, 1);
	fclose(maps);
	close(mem);
	notes_free(notes);
}

/* Whether the code tests the semaphore of another tracepoint is only seen if nobody else has raised that. */
static void
test_alone_is_skipped_if_others_trace(void **state)
{
	static struct scenario company, alone;
	const struct scenario *at_once[] = {&alone, NULL}, *later[] = {&under_test, &alone, NULL};
	const struct scenario *const *const lists[] = {at_once, later};
	char *artifacts, reason[600];

	(void)state;
	mistake = NO_MISTAKE;
	company = under_test;
	company.prepare = raise_semaphore;
	alone = (struct scenario){.name = "utxocache.add.alone",
				  .subject = TP_UTXOCACHE_ADD,
				  .tracepoints = TP_BIT(TP_UTXOCACHE_ADD),
				  .profile = &profile_default,
				  .alone_of = &company};
	for (size_t i = 0; i < 3; i++) {
		/* There the scenario has probes of its own, by ptrace. */
		method = i == 2 ? PROBE_METHOD_PERF : PROBE_METHOD_AUTO;
		if (i == 2 && probe_find_obstacle(method, reason, sizeof(reason)))
			break;
		struct report_run run = run_them(lists[i % 2], false, 60000, &artifacts);

		for (size_t r = 0; r < run.results_cnt; r++) {
			bool is_alone = !strcmp(run.results[r].name, alone.name);

			assert_int_equal(run.results[r].outcome, is_alone ? OUTCOME_SKIP : OUTCOME_PASS);
			if (is_alone)
				assert_non_null(strstr(run.results[r].reason, "utxocache:spent"));
		}
		end_run(&run, artifacts);
	}
	method = PROBE_METHOD_AUTO;
}

/* A uprobe where the node's last tracepoint is, without its semaphore: the kernel then refuses one with it. */
static int foreign_fd;
static bool has_foreign;

static void
attach_foreign(struct scene *scene)
{
	struct notes *notes;
	struct plan plan;
	struct diag diag;

	(void)scene;
	assert_int_equal(notes_open(&notes, bitcoind, &diag), 0);
	plan_make(&plan, notes, RELEASE_MASTER, (UINT64_C(1) << TRACEPOINTS_CNT) - 1);
	foreign_fd = perf_try_uprobe(bitcoind, plan.points[plan.points_cnt - 1].site->file_offset);
	has_foreign = foreign_fd >= 0;
	plan_fini(&plan);
	notes_free(notes);
}

static void
detach_foreign(struct scene *scene)
{
	(void)scene;
	if (has_foreign)
		close(foreign_fd);
}

/* What stayed would be in the way of the next scenario, or record each of its hits twice. */
static void
test_a_failed_attach_leaves_nothing(void **state)
{
	static const struct scenario refused = {
		.name = "utxocache.add.refused",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = ADD_AND_BLOCK,
		.profile = &profile_default,
		.state_sz = sizeof(struct state),
		.prepare = attach_foreign,
		.act = submit,
		.expect = expect_wrongly,
	};
	static const struct scenario next = {
		.name = "utxocache.add.next",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = ADD_AND_BLOCK,
		.profile = &profile_default,
		.state_sz = sizeof(struct state),
		.prepare = detach_foreign,
		.act = submit,
		.expect = expect_wrongly,
	};
	const struct scenario *list[] = {&refused, &next, NULL};
	char *artifacts;

	(void)state;
	mistake = NO_MISTAKE;
	method = PROBE_METHOD_PERF;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	method = PROBE_METHOD_AUTO;
	if (has_foreign) {
		assert_int_equal(run.results[0].outcome, OUTCOME_ERROR);
		assert_non_null(strstr(run.results[0].reason, "another tracer attached to the same file"));
		assert_passes(&run.results[1]);
	}
	end_run(&run, artifacts);
	if (!has_foreign)
		skip();
}

/* What a scenario gets */

enum { TAKEN = 8 };
static struct chain_coin taken[TAKEN];

static void
take_coins(struct scene *scene)
{
	coins_take_cold(scene, taken, 4);
	for (int i = 4; i < TAKEN - 1; i++)
		taken[i] = coins_take_odd(scene);
	coins_take_cold(scene, &taken[TAKEN - 1], 1);
}

/* The same special coins alone and in any company; only where they come from differs. */
static void
test_the_same_coins_in_any_selection(void **state)
{
	static const struct scenario takes = {
		.name = "utxocache.add.takes",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = ADD_AND_BLOCK,
		.profile = &profile_default,
		.state_sz = sizeof(struct state),
		.prepare = take_coins,
		.act = submit,
		.expect = expect_wrongly,
	};
	const struct scenario *alone[] = {&takes, NULL};
	const struct scenario *among[] = {&sc_utxocache_spent_inputs,
					  &sc_utxocache_uncache_cached,
					  &takes,
					  &takes,
					  &sc_utxocache_uncache_rejected,
					  &takes,
					  NULL};
	const struct scenario *const *const selections[] = {alone, among};
	struct chain_coin first[TAKEN];

	(void)state;
	mistake = NO_MISTAKE;
	for (size_t s = 0; s < 2; s++) {
		char *artifacts;
		struct report_run run = run_them(selections[s], false, 60000, &artifacts);

		for (size_t i = 0; i < run.results_cnt; i++)
			assert_int_equal(run.results[i].outcome, OUTCOME_PASS);
		end_run(&run, artifacts);
		for (size_t i = 0; !s && i < TAKEN; i++)
			first[i] = taken[i];
		for (size_t i = 4; i < TAKEN; i++)
			assert_int_equal(taken[i].value_sat, first[i].value_sat);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(taken[i].value_sat > 100000000, first[i].value_sat > 100000000);
		assert_int_equal(taken[2].value_sat, 0);
		assert_int_equal(taken[4].value_sat, 0);
		assert_int_equal(taken[5].value_sat, 1);
	}
}

/* Nodes that break */

static void
signal_node(struct scene *scene, int signo)
{
	if (scene_ok(scene))
		scene->err = node_signal(scene->node, signo, &scene->diag);
	submit(scene);
}

static void
kill_node(struct scene *scene)
{
	signal_node(scene, SIGKILL);
}

static void
hang_node(struct scene *scene)
{
	signal_node(scene, SIGSTOP);
}

static void
skip_it(struct scene *scene)
{
	scene_skip(scene, "for the test's sake");
}

#define BROKEN(step, function)                                                                               \
	{                                                                                                    \
		.name = "utxocache.add." #function, .subject = TP_UTXOCACHE_ADD,                             \
		.tracepoints = ADD_AND_BLOCK, .profile = &profile_default, .state_sz = sizeof(struct state), \
		.step = function, .expect = expect_wrongly,                                                  \
	}

static void
test_a_broken_node_is_an_error_and_the_next_scenario_gets_a_new_one(void **state)
{
	static const struct scenario killed = BROKEN(act, kill_node);
	static const struct scenario skipped = {
		.name = "utxocache.add.skipped",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = ADD_AND_BLOCK,
		.profile = &profile_default,
		.state_sz = sizeof(struct state),
		.prepare = skip_it,
		.act = submit,
		.expect = expect_wrongly,
	};
	static const struct scenario *const list[] = {&killed, &under_test, &skipped, &under_test, NULL};
	char *artifacts;

	(void)state;
	mistake = NO_MISTAKE;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_int_equal(run.results_cnt, 4);
	assert_int_equal(run.results[0].outcome, OUTCOME_ERROR);
	assert_non_null(strstr(run.results[0].reason, "SIGKILL"));
	assert_int_equal(run.results[1].outcome, OUTCOME_PASS);
	assert_int_equal(run.results[2].outcome, OUTCOME_SKIP);
	assert_string_equal(run.results[2].reason, "for the test's sake");
	assert_int_equal(run.results[3].outcome, OUTCOME_PASS);
	assert_int_equal(report_exit_code(&run, false), EXIT_ERROR);
	end_run(&run, artifacts);
}

/* As from a bitcoind that was built without: it knows none of the wallet's RPCs. */
static void
test_without_a_wallet_those_that_need_it_are_skipped(void **state)
{
	static const char *const args[] = {"-disablewallet", NULL};
	static const struct profile profile = {.name = "no wallet", .args = args};
	static const struct scenario needs = {
		.name = "utxocache.add.needs_wallet",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = ADD_AND_BLOCK,
		.profile = &profile,
		.needs_wallet = true,
		.state_sz = sizeof(struct state),
		.act = submit,
		.expect = expect_wrongly,
	};
	static const struct scenario *const list[] = {&needs, &needs, &under_test, &needs, NULL};
	char *artifacts;

	(void)state;
	mistake = NO_MISTAKE;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_int_equal(run.results_cnt, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(run.results[i].outcome, i == 2 ? OUTCOME_PASS : OUTCOME_SKIP);
	assert_non_null(strstr(run.results[0].reason, "this bitcoind has no wallet"));
	end_run(&run, artifacts);
}

static void
test_a_node_that_hangs_is_an_error_in_time(void **state)
{
	static const struct scenario hung = BROKEN(act, hang_node);
	static const struct scenario *const list[] = {&hung, NULL};
	uint64_t began = clock_now_ns();
	char *artifacts;

	(void)state;
	mistake = NO_MISTAKE;
	struct report_run run = run_them(list, false, 3000, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_ERROR);
	if (!strstr(run.results[0].reason, "no answer in time"))
		fail_msg("%s", run.results[0].reason);
	assert_true(clock_now_ns() - began < UINT64_C(15000000000));
	end_run(&run, artifacts);
}

/* Nodes that have sanitizers, or behave like that */

static char *preload; /* LD_PRELOAD=... */

/* Lets the node print something. */
static void
say(struct scene *scene, const char *text)
{
	struct deadline deadline = deadline_in_ms(10000);

	if (!scene_ok(scene))
		return;
	char *written = xasprintf("%s/words", node_datadir(scene->node));
	char *path = xasprintf("%s/say", node_datadir(scene->node));
	assert_int_equal(node_write_file(scene->node, "words", text, strlen(text), NULL), 0);
	assert_int_equal(rename(written, path), 0);
	while (!access(path, F_OK) && !deadline_has_passed(deadline))
		clock_pause_ms(2, deadline);
	assert_true(access(path, F_OK) != 0);
	free(written);
	free(path);
}

#define OVERFLOW "coins.cpp:97:5: runtime error: unsigned integer overflow"

static void
overflow(struct scene *scene)
{
	submit(scene);
	say(scene, "some words\n" OVERFLOW ": 1\n" OVERFLOW ": 2\n");
}

static void
use_after_free(struct scene *scene)
{
	submit(scene);
	say(scene,
	    "==9==ERROR: AddressSanitizer: heap-use-after-free on address 0x1\n    #0 0x1 in Coin::Use() coins.cpp:4:1\n");
}

static bool
is_in_output(const char *dir, const char *words)
{
	char *path = xasprintf("%s/output.txt", dir), text[4096];
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	free(path);
	text[n] = '\0';
	return strstr(text, words) != NULL;
}

static void
assert_finding(const struct report_result *result, size_t idx, const char *message)
{
	assert_true(idx < result->findings.cnt);
	assert_int_equal(result->findings.items[idx].kind, FINDING_SANITIZER);
	assert_string_equal(result->findings.items[idx].message, message);
}

static void
test_a_report_fails_the_scenario_in_which_it_comes(void **state)
{
	static const struct scenario overflows = BROKEN(act, overflow);
	static const struct scenario *const list[] = {&under_test, &overflows, &under_test, NULL};
	const char *const variables[] = {preload, NULL};
	char *artifacts;

	(void)state;
	mistake = NO_MISTAKE;
	env = variables;
	env_hint = "UBSAN_OPTIONS is not passed on";
	struct report_run run = run_them(list, true, 60000, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_PASS);
	assert_int_equal(run.results[1].outcome, OUTCOME_FAIL);
	assert_int_equal(run.results[1].findings.cnt, 2);
	assert_finding(&run.results[1], 0, "UndefinedBehaviorSanitizer: " OVERFLOW ": 1");
	assert_finding(&run.results[1], 1, "and 1 more reports of sanitizers, of these faults or of others");
	assert_string_equal(run.results[1].reason, "UBSAN_OPTIONS is not passed on");
	assert_true(is_in_output(run.results[1].artifacts, "some words\n" OVERFLOW ": 1\n" OVERFLOW ": 2\n"));
	assert_int_equal(run.results[2].outcome, OUTCOME_PASS);
	assert_int_equal(report_exit_code(&run, false), EXIT_FAILED);
	end_run(&run, artifacts);
}

static void
say_late(void *kept)
{
	struct scene scene = {.node = *(struct node **)kept};

	say(&scene, OVERFLOW ": 1\n");
}

/* The node prints it when the scenario's verdict is there. */
static void
submit_and_overflow_late(struct scene *scene)
{
	struct node **node = scene_keep(scene, sizeof(*node), say_late);

	*node = scene->node;
	submit(scene);
}

static void
test_a_report_between_scenarios(void **state)
{
	static const struct scenario overflows = BROKEN(act, submit_and_overflow_late);
	/* Skipped without a node. */
	static const struct scenario later = {
		.name = "net.closed_connection.later",
		.subject = TP_NET_CLOSED_CONNECTION,
		.tracepoints = TP_BIT(TP_NET_CLOSED_CONNECTION),
		.profile = &profile_default,
		.act = submit,
		.expect = expect_wrongly,
	};
	static const struct scenario *const list[] = {&overflows, &later, &under_test, NULL};
	const char *const variables[] = {preload, NULL};
	char *artifacts;

	(void)state;
	mistake = NO_MISTAKE;
	env = variables;
	release = 28;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_PASS);
	assert_int_equal(run.results[1].outcome, OUTCOME_FAIL);
	assert_int_equal(run.results[1].findings.cnt, 1);
	assert_finding(&run.results[1], 0, "UndefinedBehaviorSanitizer: " OVERFLOW ": 1");
	assert_true(is_in_output(run.results[1].artifacts, OVERFLOW));
	assert_int_equal(run.results[2].outcome, OUTCOME_PASS);
	end_run(&run, artifacts);
}

static void
test_a_node_may_finish_its_report(void **state)
{
	static const struct scenario uses = BROKEN(act, use_after_free);
	static const struct scenario *const list[] = {&uses, &under_test, NULL};
	const char *const variables[] = {
		preload, "INJECT_REST=SUMMARY: AddressSanitizer: heap-use-after-free\n==9==ABORTING\n", NULL};
	char *artifacts;

	(void)state;
	mistake = NO_MISTAKE;
	env = variables;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_FAIL);
	assert_int_equal(run.results[0].findings.cnt, 1);
	assert_finding(&run.results[0], 0,
		       "AddressSanitizer: heap-use-after-free in Coin::Use() coins.cpp:4:1");
	assert_true(is_in_output(run.results[0].artifacts, "ABORTING"));
	assert_int_equal(run.results[1].outcome, OUTCOME_PASS);
	end_run(&run, artifacts);
}

#define LEAKED "303 byte(s) leaked in 3 allocation(s)"

/* Runs two scenarios on a node that prints something when it exits. */
static struct report_run
run_until_exit(const char *text, const char *more, const struct scenario *second, char **artifacts)
{
	const struct scenario *const list[] = {&under_test, second, NULL};
	char *at_exit = xasprintf("INJECT_EXIT=%s", text);
	const char *const variables[] = {preload, at_exit, more, NULL};

	mistake = NO_MISTAKE;
	env = variables;
	struct report_run run = run_them(list, false, 60000, artifacts);
	env = NULL;
	free(at_exit);
	return run;
}

static void
test_leaks_fail_the_last_scenario_of_a_node(void **state)
{
	static const char leaks[] =
		"==9==ERROR: LeakSanitizer: detected memory leaks\n    #0 0x1 in f() coins.cpp:4:1\nSUMMARY: AddressSanitizer: " LEAKED
		".\n";
	static const struct scenario skipped = {
		.name = "utxocache.add.skipped",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = ADD_AND_BLOCK,
		.profile = &profile_default,
		.prepare = skip_it,
		.act = submit,
		.expect = expect_wrongly,
	};
	/* Skipped without a node. */
	static const struct scenario later = {
		.name = "net.closed_connection.later",
		.subject = TP_NET_CLOSED_CONNECTION,
		.tracepoints = TP_BIT(TP_NET_CLOSED_CONNECTION),
		.profile = &profile_default,
		.act = submit,
		.expect = expect_wrongly,
	};
	static const struct scenario *const seconds[] = {&under_test, &skipped, &later};
	static const char message[] = "LeakSanitizer: " LEAKED ", the first in f() coins.cpp:4:1";

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		bool is_later = seconds[i] == &later;
		char *artifacts,
			*late = xasprintf("%s; reported when the node exited, after 2 scenarios", message);

		release = is_later ? 28 : 0;
		struct report_run run = run_until_exit(
			leaks, seconds[i] == &skipped ? "ANY=libasan.so.8" : "LSAN_OPTIONS=verbosity=0",
			seconds[i], &artifacts);
		assert_int_equal(run.results[0].outcome, OUTCOME_PASS);
		assert_int_equal(run.results[1].outcome, OUTCOME_FAIL);
		assert_int_equal(run.results[1].findings.cnt, 1);
		assert_finding(&run.results[1], 0, is_later ? message : late);
		assert_true(is_in_output(run.results[1].artifacts, LEAKED));
		assert_int_equal(report_exit_code(&run, false), EXIT_FAILED);
		end_run(&run, artifacts);
		free(late);
	}
}

static void
test_a_sanitizer_that_cannot_work_is_an_error(void **state)
{
	static const char *const texts[] = {"==9==LeakSanitizer has encountered a fatal error.\n", "words\n"};
	static const char *const reasons[] = {"LeakSanitizer could not look for leaks",
					      "exited with status 23"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *artifacts;
		struct report_run run =
			run_until_exit(texts[i], "ASAN_OPTIONS=verbosity=0", &under_test, &artifacts);

		assert_int_equal(run.results[0].outcome, OUTCOME_PASS);
		assert_int_equal(run.results[1].outcome, OUTCOME_ERROR);
		if (!strstr(run.results[1].reason, reasons[i]))
			fail_msg("'%s' does not say '%s'", run.results[1].reason, reasons[i]);
		end_run(&run, artifacts);
	}
}

/* What the machine spoils */

static int64_t
jumping_clock(void)
{
	static int64_t offset_ns;

	return offset_ns += 1000000000;
}

static bool
has_all_memory(pid_t pid, uint64_t address)
{
	(void)pid, (void)address;
	return true;
}

static bool
takes_all_pages(pid_t pid, uint64_t address, uint64_t len)
{
	(void)pid, (void)address, (void)len;
	return true;
}

static void
test_a_clock_that_is_set_is_an_error(void **state)
{
	struct machine jumping = machine_real;

	(void)state;
	jumping.clock_offset_ns = jumping_clock;
	machine = &jumping;
	assert_is_error(NO_MISTAKE, "the machine's clock was set meanwhile");
}

/* What the node does because of act after it has answered: the wallet sends transactions again that expired from the
 * mempool, in the scheduler's thread. */

enum { RESENT = 40, HOUR_S = 3600, ONE_SAT_PER_VBYTE = 200 };

struct resending {
	struct pool_tx *txs[RESENT];
	int64_t now;
};

/* A wallet that owns what pool_make's transactions pay to. */
static void
watch_script(struct scene *scene, const struct tx_bytes *script)
{
	struct buf *descriptor = scene_buf(scene, 1024);

	buf_puts(descriptor, "raw(");
	for (size_t i = 0; i < script->len; i++)
		buf_printf(descriptor, "%02x", script->data[i]);
	buf_puts(descriptor, ")");
	const char *full = json_string(
		json_get(scene_call(scene, "getdescriptorinfo", "[\"%s\"]", descriptor->data), "descriptor"));
	scene_call(scene, "createwallet", "[\"watching\", true, true]");
	scene_wallet_call(scene, "watching", "importdescriptors",
			  "[[{\"desc\": \"%s\", \"timestamp\": \"now\"}]]", full ? full : "");
}

static void
let_transactions_expire(struct scene *scene)
{
	struct resending *resending = scene->state;

	resending->now = time(NULL);
	for (size_t i = 0; i < RESENT; i++) {
		resending->txs[i] = pool_make(scene, "one that expired", 1, 1, ONE_SAT_PER_VBYTE);
		if (!i && scene_ok(scene))
			watch_script(scene, &resending->txs[0]->tx.outputs[0].script);
	}
	struct pool_tx *later = pool_make(scene, "a later one", 1, 1, ONE_SAT_PER_VBYTE);
	scene_set_time(scene, resending->now - 5 * HOUR_S);
	for (size_t i = 0; i < RESENT; i++)
		pool_send(scene, resending->txs[i]);
	/* The wallet sends again only what it received five minutes before the tip, by the node's clock. It may learn
	 * of a transaction later than the mempool does. */
	scene_call(scene, "syncwithvalidationinterfacequeue", "[]");
	scene_set_time(scene, resending->now - 3 * HOUR_S);
	pool_send(scene, later);
	scene_set_time(scene, resending->now);
	blocks_mine(scene, 1);
	/* Until the wallet has learnt of its first block it sends nothing again. */
	scene_call(scene, "syncwithvalidationinterfacequeue", "[]");
}

static void
send_again(struct scene *scene)
{
	struct resending *resending = scene->state;

	scene_set_time(scene, resending->now + 40 * HOUR_S);
	if (!scene_ok(scene))
		return;
	/* The wallet looks once a minute. Since v28 the call moves the scheduler's time twice, and waits for the
	 * scheduler in between: what becomes due at the second time is done after the answer. */
	scene_call(scene, "mockscheduler", "[%d]", node_version(scene->node) < 280000 ? HOUR_S : 40);
}

static void
expect_all_again(struct scene *scene)
{
	struct resending *resending = scene->state;

	for (size_t i = 0; i < RESENT; i++)
		pool_expect_added(scene, resending->txs[i]);
}

static void
test_what_the_node_does_after_its_answer_is_recorded(void **state)
{
	static const char *const args[] = {"-mempoolexpiry=1", NULL};
	static const struct profile profile = {.name = "expiring", .args = args, .warm = coins_warm};
	static const struct scenario resent = {
		.name = "mempool.added.resent",
		.subject = TP_MEMPOOL_ADDED,
		.tracepoints = TP_BIT(TP_MEMPOOL_ADDED),
		.profile = &profile,
		.needs_wallet = true,
		.state_sz = sizeof(struct resending),
		.prepare = let_transactions_expire,
		.act = send_again,
		.expect = expect_all_again,
	};
	static const struct scenario *const list[] = {&resent, NULL};
	char *artifacts;

	(void)state;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	if (run.results[0].outcome == OUTCOME_SKIP)
		print_message("not tried: %s\n", run.results[0].reason);
	else
		assert_passes(&run.results[0]);
	end_run(&run, artifacts);
}

static void
expect_the_fence_too(struct scene *scene)
{
	struct buf log;

	expect_wrongly(scene);
	buf_init(&log, 4 << 20);
	if (!node_log_read(scene->node, scene->log_mark, &log, &scene->diag) &&
	    !strstr(log.data, "method=syncwithvalidationinterfacequeue"))
		scene_fail(scene, -ENOMSG, "the node was not asked to finish what it does in the background");
	buf_fini(&log);
}

/* The one above fails only if the node is slower than the runner. */
static void
test_each_act_is_fenced(void **state)
{
	static const char *const args[] = {"-debug=rpc", NULL};
	static const struct profile profile = {.name = "fenced", .args = args};
	static struct scenario fenced;
	static const struct scenario *const list[] = {&fenced, NULL};
	char *artifacts;

	(void)state;
	fenced = under_test;
	fenced.name = "utxocache.add.fenced";
	fenced.profile = &profile;
	fenced.expect = expect_the_fence_too;
	mistake = NO_MISTAKE;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_passes(&run.results[0]);
	end_run(&run, artifacts);
}

/* Bitcoinds with wrong notes */

/* Makes a copy of the bitcoind in which the first operand of that tracepoint is another one, no longer than the real
 * one, for the rest of the test. */
static void
copy_bitcoind(const char *context, const char *name, const char *operand)
{
	char names[128];
	size_t names_sz = (size_t)snprintf(names, sizeof(names), "%s%c%s", context, '\0', name) + 1;

	copied = xstrdup("/tmp/tpcheck-test-bitcoind-XXXXXX");
	int from = open(bitcoind, O_RDONLY | O_CLOEXEC), to = mkostemp(copied, O_CLOEXEC);
	unsigned changed = 0;
	struct stat st;

	assert_true(from >= 0 && to >= 0 && !fstat(from, &st));
	size_t sz = (size_t)st.st_size;
	char *bytes = xmalloc(sz), *at = bytes;
	assert_int_equal(pread(from, bytes, sz, 0), sz);
	while ((at = memmem(at, sz - (size_t)(at - bytes), names, names_sz))) {
		at += names_sz;
		size_t len = strcspn(at, " ");
		if (!memchr(at, '@', len))
			continue;
		assert_true(strlen(operand) <= len);
		memset(at, ' ', len);
		memcpy(at, operand, strlen(operand));
		changed++;
	}
	assert_true(changed);
	assert_int_equal(write(to, bytes, sz), sz);
	assert_int_equal(fchmod(to, 0755), 0);
	free(bytes);
	close(from);
	close(to);
}

/* After a test that failed as well. */
static int
end_test(void **state)
{
	(void)state;
	machine = NULL;
	env = NULL;
	env_hint = NULL;
	release = 0;
	if (copied)
		unlink(copied);
	free(copied);
	copied = NULL;
	return 0;
}

/* The pointer to a transaction's id is 8 in this copy. */
static void
test_a_page_that_was_not_resident_is_an_error(void **state)
{
	struct machine resident = machine_real;
	char *artifacts;

	(void)state;
	copy_bitcoind("utxocache", "add", "8@$8");
	resident.is_mapped = has_all_memory;
	resident.takes_pages = takes_all_pages;
	machine = &resident;
	assert_is_error(NO_MISTAKE, "argument 1 of utxocache:add points at memory that was not resident");
	/* There is no memory, resident or not. */
	machine = NULL;
	struct report_run run = run_with(NO_MISTAKE, false, &artifacts);
	assert_int_equal(run.results[0].outcome, OUTCOME_FAIL);
	assert_non_null(strstr(run.results[0].findings.items[0].message, "not readable at 0x8"));
	end_run(&run, artifacts);
}

static void
test_a_companion_with_wrong_notes_is_left_out(void **state)
{
	static const struct scenario about_block = {
		.name = "validation.block_connected.under_test",
		.subject = TP_VALIDATION_BLOCK_CONNECTED,
		.tracepoints = ADD_AND_BLOCK,
		.profile = &profile_default,
		.state_sz = sizeof(struct state),
		.act = submit,
		.expect = expect_wrongly,
	};
	static const struct scenario *const list[] = {&under_test, &about_block, NULL};
	char *artifacts;

	(void)state;
	copy_bitcoind("validation", "block_connected", "1@$8");
	mistake = NO_MISTAKE;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_passes(&run.results[0]);
	assert_int_equal(run.results[1].outcome, OUTCOME_FAIL);
	assert_int_equal(run.results[1].findings.items[0].argument, 1);
	assert_non_null(strstr(run.results[1].findings.items[0].got, "1 byte"));
	end_run(&run, artifacts);
}

/* Scenarios that run out of time */

static void
run_out_of_time(struct scene *scene)
{
	scene_fail(scene, -ETIMEDOUT, "out of time");
}

#define OUT_OF_TIME(name_)                                                                                   \
	{                                                                                                    \
		.name = name_, .subject = TP_UTXOCACHE_ADD, .tracepoints = ADD_AND_BLOCK,                    \
		.profile = &profile_default, .state_sz = sizeof(struct state), .act = run_out_of_time,       \
		.expect = expect_wrongly,                                                                    \
	}

static void
test_whatever_runs_out_of_time_is_given_up(void **state)
{
	static const struct scenario net = OUT_OF_TIME("net.a.b"), pool = OUT_OF_TIME("mempool.a.b");
	static const struct scenario *const list[] = {&net,  &net,  &net,  &net,        &under_test,
						      &pool, &pool, &pool, &under_test, NULL};
	static const char *const reasons[] = {
		"out of time",
		"out of time",
		"out of time",
		"not tried: the scenarios of this context before it ran out of time, one after the other",
		NULL,
		"out of time",
		"out of time",
		"out of time",
		"not tried: the scenarios before it ran out of time, one after the other",
	};
	char *artifacts;

	(void)state;
	mistake = NO_MISTAKE;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_int_equal(run.results_cnt, sizeof(reasons) / sizeof(*reasons));
	for (size_t i = 0; i < run.results_cnt; i++) {
		assert_int_equal(run.results[i].outcome, reasons[i] ? OUTCOME_ERROR : OUTCOME_PASS);
		if (reasons[i])
			assert_string_equal(run.results[i].reason, reasons[i]);
	}
	end_run(&run, artifacts);
}

static void
assert_none_fails(const struct report_run *run, unsigned least_passed)
{
	unsigned passed = 0;

	for (size_t i = 0; i < run->results_cnt; i++) {
		const struct report_result *result = &run->results[i];

		passed += result->outcome == OUTCOME_PASS;
		if (result->outcome == OUTCOME_FAIL || result->outcome == OUTCOME_ERROR)
			fail_msg("%s: %s", result->name,
				 result->reason ? result->reason : result->findings.items[0].message);
	}
	assert_true(passed >= least_passed);
}

/* From doc/writing-a-test.md. */
extern const struct scenario sc_mempool_added_example;

static void
test_the_documents_example(void **state)
{
	static const struct scenario *const list[] = {&sc_mempool_added_example, NULL};
	char *artifacts;

	(void)state;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_none_fails(&run, 1);
	end_run(&run, artifacts);
}

/* The last first: no scenario may count on what others did. */
static void
test_another_order(void **state)
{
	size_t cnt = 0;
	char *artifacts;

	(void)state;
	while (scenarios[cnt])
		cnt++;
	const struct scenario **list = xcalloc(cnt + 1, sizeof(*list));
	for (size_t i = 0; i < cnt; i++)
		list[i] = scenarios[cnt - 1 - i];
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_int_equal(run.results_cnt, cnt);
	assert_none_fails(&run, 1);
	end_run(&run, artifacts);
	free(list);
}

/* If any call of a scenario fails, the outcome is an error with that reason, and the rest of the step does no harm.
 * Here one call of each scenario fails; TPCHECK_FAIL_AT=1-300 tries them all, one after the other, in an hour. */
static void
test_whatever_fails_is_an_error(void **state)
{
	static const char words[] = "made to fail";
	const char *range = getenv("TPCHECK_FAIL_AT");
	unsigned first = 5, last = 5;
	size_t failed = 0;

	(void)state;
	if (range)
		assert_int_equal(sscanf(range, "%u-%u", &first, &last), 2);
	for (unsigned fail_at = first; fail_at <= last; fail_at++) {
		char *artifacts;
		struct report_run run = run_until(scenarios, false, 60000, fail_at, &artifacts);

		for (size_t i = 0; i < run.results_cnt; i++) {
			const struct report_result *result = &run.results[i];

			if (result->outcome == OUTCOME_FAIL ||
			    (result->outcome == OUTCOME_ERROR && !strstr(result->reason, words)))
				fail_msg("%s, failing at %u: %s", result->name, fail_at,
					 result->reason ? result->reason : result->findings.items[0].message);
			failed += result->outcome == OUTCOME_ERROR;
		}
		end_run(&run, artifacts);
		print_message("failing at %u: %zu errors\n", fail_at, failed);
	}
	assert_true(range || failed > 50);
}

/* The wallet's log, which is not used if it does not fit the payments. */

static size_t with_log, without_log;
static int version;

static void
expect_payments_and_look_for_log(struct scene *scene)
{
	bool found = false;

	version = node_version(scene->node);
	payments_expect(scene);
	for (size_t i = 0; i < scene->expect->sources_cnt; i++)
		found |= strstr(scene->expect->sources[i], " and its log (Coin Selection") != NULL;
	if (found)
		with_log++;
	else
		without_log++;
}

static void
test_the_wallets_log_is_used(void **state)
{
	enum { LIST_MAX = 100 };
	struct scenario copies[LIST_MAX];
	const struct scenario *list[LIST_MAX + 1] = {NULL};
	size_t cnt = 0;
	char *artifacts;

	(void)state;
	with_log = without_log = 0;
	for (size_t i = 0; scenarios[i] && cnt < LIST_MAX; i++) {
		if (scenarios[i]->expect != payments_expect)
			continue;
		copies[cnt] = *scenarios[i];
		copies[cnt].expect = expect_payments_and_look_for_log;
		list[cnt] = &copies[cnt];
		cnt++;
	}
	assert_true(cnt > 5);
	struct report_run run = run_them(list, false, 60000, &artifacts);
	assert_none_fails(&run, 0);
	/* Earlier releases log it differently. */
	if (version >= 310000)
		assert_int_equal(without_log, 0);
	print_message("%zu with the log, %zu without it\n", with_log, without_log);
	end_run(&run, artifacts);
}

static void
prepare_with_a_better_chain(struct scene *scene)
{
	sc_net_misbehaving_connection_reasons.prepare(scene);
	blocks_mine(scene, 2);
}

/* The node has a better chain than the compact block's, so it does not answer, as a later release may do in other
 * cases: the causes that need an answer are named, at once, and the others are checked. */
static void
test_what_a_node_does_not_answer_is_a_detail(void **state)
{
	struct scenario reasons = sc_net_misbehaving_connection_reasons;
	const struct scenario *const list[] = {&reasons, NULL};
	char *artifacts;

	(void)state;
	reasons.prepare = prepare_with_a_better_chain;
	struct report_run run = run_them(list, false, 60000, &artifacts);
	const struct report_result *result = &run.results[0];
	/* Before v29 there is no such tracepoint. */
	if (run.node_version) {
		assert_int_equal(result->outcome, OUTCOME_FAIL);
		assert_null(result->reason);
		assert_int_equal(result->findings.cnt, 2);
		for (size_t i = 0; i < result->findings.cnt; i++) {
			assert_int_equal(result->findings.items[i].kind, FINDING_DETAIL);
			assert_non_null(strstr(result->findings.items[i].message, "; not tried: "));
		}
		assert_true(result->duration_ms < 30000);
	}
	end_run(&run, artifacts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_node_does_not_answer_is_a_detail),
		cmocka_unit_test(test_right_expectations_pass_and_leave_nothing),
		cmocka_unit_test(test_wrong_expectations_fail),
		cmocka_unit_test(test_unsound_expectations_are_errors),
		cmocka_unit_test(test_details_warn),
		cmocka_unit_test(test_a_broken_node_is_an_error_and_the_next_scenario_gets_a_new_one),
		cmocka_unit_test(test_without_a_wallet_those_that_need_it_are_skipped),
		cmocka_unit_test(test_a_node_that_hangs_is_an_error_in_time),
		cmocka_unit_test_teardown(test_a_report_fails_the_scenario_in_which_it_comes, end_test),
		cmocka_unit_test_teardown(test_a_report_between_scenarios, end_test),
		cmocka_unit_test_teardown(test_a_node_may_finish_its_report, end_test),
		cmocka_unit_test_teardown(test_leaks_fail_the_last_scenario_of_a_node, end_test),
		cmocka_unit_test_teardown(test_a_sanitizer_that_cannot_work_is_an_error, end_test),
		cmocka_unit_test_teardown(test_a_clock_that_is_set_is_an_error, end_test),
		cmocka_unit_test_teardown(test_a_page_that_was_not_resident_is_an_error, end_test),
		cmocka_unit_test_teardown(test_a_companion_with_wrong_notes_is_left_out, end_test),
		cmocka_unit_test(test_whatever_runs_out_of_time_is_given_up),
		cmocka_unit_test(test_what_the_node_does_after_its_answer_is_recorded),
		cmocka_unit_test(test_each_act_is_fenced),
		cmocka_unit_test(test_alone_is_skipped_if_others_trace),
		cmocka_unit_test(test_the_documents_example),
		cmocka_unit_test(test_what_is_attached),
		cmocka_unit_test(test_what_fails_alone_says_so),
		cmocka_unit_test(test_a_failed_attach_leaves_nothing),
		cmocka_unit_test(test_the_same_coins_in_any_selection),
		cmocka_unit_test(test_another_order),
		cmocka_unit_test(test_whatever_fails_is_an_error),
		cmocka_unit_test(test_the_wallets_log_is_used),
	};
	struct diag diag;
	char *dir;
	int code = test_copy_bitcoind(&bitcoind, &dir);

	if (code)
		return code;
	if (keeper_start(&keeper, NULL, &diag)) {
		fprintf(stderr, "%s\n", diag.text);
		return 99;
	}
	char *inject = test_copy_program(INJECT, dir);
	if (!inject)
		return 99;
	preload = xasprintf("LD_PRELOAD=%s", inject);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	keeper_stop(keeper, NULL);
	unlink(inject);
	test_remove_bitcoind(bitcoind, dir);
	free(inject);
	free(preload);
	free(dir);
	free(bitcoind);
	return failed;
}
