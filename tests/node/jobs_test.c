/* Scenarios in parallel, on a real bitcoind: the same verdicts and the same report as one after the other, each judged
 * by its own node's events. And nodes that are used again after a failure. Needs what node/runner_test.c needs. */
#include "base/keeper.h"
#include "base/xmem.h"
#include "bitcoind.h"
#include "run/runner.h"
#include "run/team.h"
#include "scene/blocks.h"
#include "scene/coins.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *bitcoind;
/* As tpcheck has one. Without, each process that is being started holds probes that are taken out meanwhile. */
static struct keeper *keeper;
static const struct machine *machine; /* NULL: the real one */

static const struct profile profiles[] = {{.name = "first", .cost_ms = 10},
					  {.name = "second", .cost_ms = 30},
					  {.name = "third", .cost_ms = 20}};

struct state {
	struct block *block;
};

/* Where the scenarios of several workers meet while all of them record. */
static unsigned meeting_cnt; /* how many meet at a time */
static atomic_uint arrived_cnt;

static void
meet(struct scene *scene)
{
	unsigned number = atomic_fetch_add(&arrived_cnt, 1), others = number - number % meeting_cnt;
	struct deadline deadline = deadline_in_ms(30000);

	while (arrived_cnt < others + meeting_cnt) {
		if (deadline_has_passed(deadline)) {
			scene_fail(scene, -ETIMEDOUT, "only %u of %u workers met", arrived_cnt - others,
				   meeting_cnt);
			return;
		}
		clock_pause_ms(1, deadline);
	}
}

static bool lacks_workers;

/* Skips the test if fewer run here, because of the memory. */
static void
begin_meeting(unsigned workers, size_t groups)
{
	struct runner_opts opts = {.jobs = workers};
	struct team team = {.opts = &opts, .machine = &machine_real, .queue.groups_cnt = groups};

	team_choose_size(&team);
	if (team.workers_cnt < workers) {
		printf("SKIP: there is memory for %u of %u workers\n", team.workers_cnt, workers);
		lacks_workers = true;
		skip();
	}
	meeting_cnt = workers;
	arrived_cnt = 0;
}

static void
submit(struct scene *scene)
{
	struct state *state = scene->state;

	state->block = blocks_begin(scene, 0);
	blocks_submit(scene, state->block);
}

static void
submit_together(struct scene *scene)
{
	meet(scene);
	submit(scene);
	meet(scene);
}

static void
expect_block(struct scene *scene)
{
	char hash_hex[65];

	blocks_tip_hash(scene, hash_hex);
	blocks_expect_block(scene, blocks_get(scene, hash_hex));
}

/* A finding: one coin is wanted that does not come. */
static void
expect_too_much(struct scene *scene)
{
	struct coin_facts facts = {.height = 1};

	expect_block(scene);
	blocks_expect_coin(scene, TP_UTXOCACHE_ADD, FINDING_CONTRACT, "a coin of nobody's", &facts);
}

static void
kill_node(struct scene *scene)
{
	if (scene_ok(scene))
		scene->err = node_signal(scene->node, SIGKILL, &scene->diag);
	submit(scene);
}

static void
skip_it(struct scene *scene)
{
	scene_skip(scene, "for the test's sake");
}

#define SCENARIO(number, behaviour, ...)                                                                     \
	{                                                                                                    \
		.name = "utxocache.add." behaviour, .subject = TP_UTXOCACHE_ADD,                             \
		.tracepoints = TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),             \
		.profile = &profiles[number], .state_sz = sizeof(struct state), __VA_ARGS__                  \
	}

/* Runs */

struct order {
	const char *names[16];
	size_t cnt;
};

static void
note_order(void *cookie, const struct report_result *result)
{
	struct order *order = cookie;

	order->names[order->cnt++] = result->name;
}

static struct report_run
run_them(const struct scenario *const *list, unsigned jobs, struct order *order,
	 const atomic_int *interrupted)
{
	struct report_run run = {0};
	struct runner_opts opts = {
		.bitcoind = bitcoind,
		.tmpdir = test_tmp(),
		.scenarios = list,
		.jobs = jobs,
		.timeout_ms = 60000,
		.repeat_prefix = "tpcheck run",
		.probe.keeper = keeper,
		.interrupted = interrupted,
		.machine = machine,
		.on_end = note_order,
		.cookie = order,
	};
	char *dir = test_make_dir();
	struct artifacts *artifacts = artifacts_new(&(struct artifacts_opts){.dir = dir});

	opts.artifacts = artifacts;
	*order = (struct order){.cnt = 0};
	assert_int_equal(runner_finish(runner_run(&opts, &run)), 0);
	artifacts_free(artifacts);
	char *command = xasprintf("rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
	free(command);
	free(dir);
	return run;
}

static void
end_run(struct report_run *run)
{
	for (size_t i = 0; i < run->results_cnt; i++)
		report_result_fini(&run->results[i]);
	free(run->results);
	free(run->attach_why);
}

static void
assert_passes(const struct report_result *result)
{
	if (result->outcome != OUTCOME_PASS)
		fail_msg("%s: %s", result->name,
			 result->reason ? result->reason : result->findings.items[0].message);
}

/* Three nodes connect a block at the same time: each scenario sees its own, and no other. */
static void
test_each_is_judged_by_its_own_events(void **state)
{
	static const struct scenario a = SCENARIO(0, "a", .act = submit_together, .expect = expect_block),
				     b = SCENARIO(1, "b", .act = submit_together, .expect = expect_block),
				     c = SCENARIO(2, "c", .act = submit_together, .expect = expect_block);
	static const struct scenario *const list[] = {&a, &b, &c, NULL};
	struct order order;

	(void)state;
	begin_meeting(3, 3);
	struct report_run run = run_them(list, 3, &order, NULL);
	for (size_t i = 0; i < 3; i++)
		assert_passes(&run.results[i]);
	end_run(&run);
}

static void
test_the_same_verdicts_in_the_same_order(void **state)
{
	static const struct scenario passes = SCENARIO(0, "passes", .act = submit, .expect = expect_block),
				     fails = SCENARIO(0, "fails", .act = submit, .expect = expect_too_much),
				     breaks = SCENARIO(1, "breaks", .act = kill_node, .expect = expect_block),
				     skips = SCENARIO(1, "skips", .prepare = skip_it, .act = submit,
						      .expect = expect_block),
				     passes_too =
					     SCENARIO(1, "passes_too", .act = submit, .expect = expect_block),
				     fails_too = SCENARIO(2, "fails_too", .act = submit,
							  .expect = expect_too_much),
				     passes_last = SCENARIO(2, "passes_last", .act = submit,
							    .expect = expect_block);
	static const struct scenario *const list[] = {&passes,     &fails,     &breaks,      &skips,
						      &passes_too, &fails_too, &passes_last, NULL};
	static const enum outcome outcomes[] = {OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_ERROR, OUTCOME_SKIP,
						OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_PASS};
	static const unsigned jobs[] = {1, 2, 4};

	(void)state;
	for (size_t j = 0; j < sizeof(jobs) / sizeof(jobs[0]); j++) {
		struct order order;
		struct report_run run = run_them(list, jobs[j], &order, NULL);

		assert_int_equal(run.results_cnt, 7);
		assert_int_equal(order.cnt, 7);
		for (size_t i = 0; i < 7; i++) {
			assert_string_equal(run.results[i].name, list[i]->name);
			assert_string_equal(order.names[i], list[i]->name);
			assert_int_equal(run.results[i].outcome, outcomes[i]);
			assert_int_equal(run.results[i].findings.cnt, outcomes[i] == OUTCOME_FAIL);
		}
		assert_non_null(strstr(run.results[2].reason, "SIGKILL"));
		end_run(&run);
	}
}

/* An interrupt */

static atomic_int interrupted;

static void
interrupt(struct scene *scene)
{
	meet(scene);
	interrupted = 1;
	submit(scene);
}

/* Waits for what never comes. */
static void
wait_for_ever(struct scene *scene)
{
	meet(scene);
	while (scene_ok(scene))
		scene_call(scene, "waitforblockheight", "[1000000, 100]");
}

static void
test_an_interrupt_ends_all_of_them(void **state)
{
	static const struct scenario a = SCENARIO(0, "interrupts", .act = interrupt, .expect = expect_block),
				     b = SCENARIO(1, "waits", .act = wait_for_ever, .expect = expect_block),
				     c = SCENARIO(1, "comes_later", .act = submit, .expect = expect_block);
	static const struct scenario *const list[] = {&a, &b, &c, NULL};
	struct order order;

	(void)state;
	begin_meeting(2, 2);
	uint64_t began_ns = clock_now_ns();
	struct report_run run = run_them(list, 2, &order, &interrupted);
	assert_true(clock_now_ns() - began_ns < UINT64_C(50000000000));
	assert_true(run.interrupted);
	assert_int_equal(run.results_cnt, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(run.results[i].outcome, OUTCOME_ERROR);
	assert_string_equal(run.results[1].reason, "interrupted");
	assert_string_equal(run.results[2].reason, "interrupted before it began");
	end_run(&run);
}

/* Nodes that are used again */

static pid_t pids[8];
static size_t pids_cnt;

static void
note_node(struct scene *scene)
{
	pids[pids_cnt++] = node_pid(scene->node);
}

static void
send_tx(struct scene *scene)
{
	struct chain_coin coin = coins_take(scene);
	struct tx *tx = scene_tx(scene);

	note_node(scene);
	blocks_spend(tx, &coin);
	blocks_pay(tx, coin.value_sat - FEE_SAT);
	blocks_send(scene, tx);
}

static void
invalidate_tip(struct scene *scene)
{
	note_node(scene);
	submit(scene);
	blocks_call(scene, "invalidateblock", ((struct state *)scene->state)->block);
}

static void
stop_clock(struct scene *scene)
{
	note_node(scene);
	scene_set_time(scene, 2000000000);
	submit(scene);
}

static void
expect_nothing_right(struct scene *scene)
{
	struct coin_facts facts = {.height = 1};

	blocks_expect_coin(scene, TP_UTXOCACHE_ADD, FINDING_CONTRACT, "a coin of nobody's", &facts);
}

static void
require_clock(struct scene *scene)
{
	struct block *block = blocks_begin(scene, 0);

	note_node(scene);
	if (scene_ok(scene) && block->draft.time > 2000000000 - 86400)
		scene_fail(scene, -EINVAL, "the node's clock stands still");
}

/* The node stays unless its state is another one. */
static void
test_a_node_is_used_again_if_it_is_as_before(void **state)
{
	static const struct scenario fails = SCENARIO(0, "fails", .prepare = note_node, .act = submit,
						      .expect = expect_too_much),
				     skips = SCENARIO(0, "skips", .prepare = skip_it, .act = submit,
						      .expect = expect_block),
				     passes = SCENARIO(0, "passes", .prepare = require_clock, .act = submit,
						       .expect = expect_block),
				     leaves_tx = SCENARIO(0, "leaves_tx", .prepare = send_tx, .act = submit,
							  .expect = expect_nothing_right),
				     leaves_tip = SCENARIO(0, "leaves_tip", .act = invalidate_tip,
							   .expect = expect_nothing_right),
				     leaves_clock = SCENARIO(0, "leaves_clock", .prepare = stop_clock,
							     .act = submit, .expect = expect_nothing_right);
	static const struct scenario *const list[] = {&fails, &skips, &leaves_tx, &leaves_tip, &passes, NULL},
					    *const clock[] = {&leaves_clock, &passes, NULL};
	struct order order;

	(void)state;
	pids_cnt = 0;
	struct report_run run = run_them(list, 1, &order, NULL);
	assert_int_equal(run.results[0].outcome, OUTCOME_FAIL);
	assert_int_equal(run.results[1].outcome, OUTCOME_SKIP);
	assert_int_equal(run.results[2].outcome, OUTCOME_FAIL);
	assert_int_equal(run.results[3].outcome, OUTCOME_FAIL);
	assert_passes(&run.results[4]);
	end_run(&run);
	assert_int_equal(pids_cnt, 4);
	assert_int_equal(pids[0], pids[1]); /* though one failed and one was skipped */
	assert_true(pids[1] != pids[2]);    /* there was a transaction in its mempool */
	assert_true(pids[2] != pids[3]);    /* its best block was invalidated */
	pids_cnt = 0;
	run = run_them(clock, 1, &order, NULL);
	assert_int_equal(run.results[0].outcome, OUTCOME_FAIL);
	assert_passes(&run.results[1]);
	end_run(&run);
}

/* Warming up */

static unsigned warm_cnt, warm_failures;

static void
warm(struct scene *scene)
{
	if (warm_cnt++ < warm_failures)
		scene_fail(scene, -EIO, "it stays cold");
}

/* A node that is well, but whose warm-up failed, is no use to the scenarios after it. */
static void
test_a_node_that_is_not_warm_is_replaced_once(void **state)
{
	static const struct profile profile = {.name = "cold", .warm = warm};
	static const struct scenario scenario = {
		.name = "utxocache.add.warm",
		.subject = TP_UTXOCACHE_ADD,
		.tracepoints = TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
		.profile = &profile,
		.state_sz = sizeof(struct state),
		.act = submit,
		.expect = expect_block,
	};
	static const struct scenario *const list[] = {&scenario, &scenario, &scenario, &scenario, NULL};
	struct order order;

	(void)state;
	warm_cnt = 0;
	warm_failures = 1;
	struct report_run run = run_them(list, 1, &order, NULL);
	assert_int_equal(run.results[0].outcome, OUTCOME_ERROR);
	assert_string_equal(run.results[0].reason, "it stays cold");
	assert_passes(&run.results[1]);
	assert_passes(&run.results[2]);
	end_run(&run);
	assert_int_equal(warm_cnt, 2);
	warm_cnt = 0;
	warm_failures = 99;
	run = run_them(list, 1, &order, NULL);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(run.results[i].outcome, OUTCOME_ERROR);
		assert_string_equal(run.results[i].reason,
				    i < 2 ? "it stays cold" : "not tried: its node did not start, see above");
	}
	end_run(&run);
	assert_int_equal(warm_cnt, 2);
}

/* Threads that cannot be started */

typedef void *(*thread_fn)(void *arg);
typedef int (*create_fn)(pthread_t *thread, const pthread_attr_t *attr, thread_fn fn, void *arg);

static thread_fn last_of_main, refused; /* refused: once */

int
pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_fn fn, void *arg)
{
	create_fn next = (create_fn)(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");

	if (getpid() == gettid()) {
		last_of_main = fn;
		if (fn == refused) {
			refused = NULL;
			return EAGAIN;
		}
	}
	return next(thread, attr, fn, arg);
}

static unsigned long
much_memory(void)
{
	return 100000;
}

static void
test_one_worker_is_enough(void **state)
{
	static const struct scenario a = SCENARIO(0, "a", .act = submit, .expect = expect_block),
				     b = SCENARIO(1, "b", .act = submit, .expect = expect_block);
	static const struct scenario *const list[] = {&a, &b, NULL};
	struct machine roomy = machine_real;
	struct order order;

	(void)state;
	roomy.memory_mb = much_memory;
	machine = &roomy;
	struct report_run run = run_them(list, 2, &order, NULL);
	end_run(&run);
	/* All nodes are started before the workers are. */
	refused = last_of_main;
	run = run_them(list, 2, &order, NULL);
	machine = NULL;
	assert_null(refused);
	assert_passes(&run.results[0]);
	assert_passes(&run.results[1]);
	end_run(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_judged_by_its_own_events),
		cmocka_unit_test(test_the_same_verdicts_in_the_same_order),
		cmocka_unit_test(test_an_interrupt_ends_all_of_them),
		cmocka_unit_test(test_a_node_is_used_again_if_it_is_as_before),
		cmocka_unit_test(test_a_node_that_is_not_warm_is_replaced_once),
		cmocka_unit_test(test_one_worker_is_enough),
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
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	keeper_stop(keeper, NULL);
	test_remove_bitcoind(bitcoind, dir);
	free(dir);
	free(bitcoind);
	return !failed && lacks_workers ? 77 : failed;
}
