/* The steps for a scenario, in order:
 *
 *   static check   the binary's notes against the contract: a tracepoint that is missing, an argument of another width
 *   node           one for each profile, started and warmed up while the probes compile or others run
 *   prepare        nothing is recorded
 *   attach         once for each process; again when prepare restarted it
 *   arm, act       recorded from here
 *   fence          the node is asked to finish what it does in the background (syncwithvalidationinterfacequeue);
 *                  what it did in answering has been recorded by the time the answer is here, as a tracepoint's
 *                  program runs in the thread that hits it
 *   collect        all that the kernel counted has arrived, or the outcome is an error
 *   expect, match
 *
 * A scenario whose subject the binary lacks fails before anything is attached, unless it needs the wallet and a node
 * says that it has none: the wallet's tracepoints are compiled with the wallet. A missing companion, or one
 * whose notes are wrong, is left out of the comparison: its own scenarios report that.
 *
 * The node is killed, not stopped, when its scenarios are over: its datadir is thrown away. After a failure or an error
 * the next scenario gets the same node if this is as good as before (scene/clean.h), else a new one.
 *
 * A bitcoind with sanitizers is stopped instead, after the probes were detached, because leaks are reported when it
 * exits. That is part of its last scenario, which gets what is reported then. Any other report belongs to the scenario
 * during which it came. */
#include "run/worker.h"

#include "base/signals.h"
#include "base/xmem.h"
#include "contract/expect.h"
#include "run/checks.h"
#include "run/verdict.h"
#include "scene/clean.h"
#include "scene/wallets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLLECT_MS = 10000, CLEAN_MS = 1000 };

struct worker {
	struct team *team;
	pthread_t thread;
	struct group *group;   /* NULL: none yet */
	struct probe_set *set; /* NULL: not made yet */
	/* Of a scenario that gets a set of its own, while it runs: */
	struct plan alone_plan;
	struct probe_set *alone_set;
	bool can_ptrace; /* the machine allows it: not tried again */
	struct shared_node *current;
	struct shared_node *next;  /* for the current group, started ahead */
	struct shared_node **left; /* what is ending */
	size_t left_cnt;
	pid_t attached_pid;     /* of the current one; 0: none */
	uint64_t attached_mask; /* TP_BIT of the tracepoints */
	/* BPF was attached to the current one. From then on the kernel takes a trap where anybody, such as another
	 * worker, has a uprobe in the same file for its own, and hands it to nobody: that process cannot be traced
	 * by ptrace. */
	bool has_uprobes;
	unsigned scenarios_cnt;            /* that used the current node */
	const struct profile *unstartable; /* its nodes did not become ready and warm: not tried again */
	const struct profile *cold;        /* its last node became ready, but not warm */
};

/* Nodes */

/* The next attach waits for its end. */
static void
begin_detaching(struct worker *worker)
{
	if (worker->attached_pid && worker->set)
		probe_set_detach_begin(worker->set);
	worker->attached_pid = 0;
}

static void
detach(struct worker *worker)
{
	if (worker->set)
		probe_set_detach(worker->set);
	worker->attached_pid = 0;
}

/* Without waiting for its end. */
static void
leave(struct worker *worker, struct shared_node *node)
{
	if (!node)
		return;
	shared_node_leave(node);
	worker->left = xreallocarray(worker->left, worker->left_cnt + 1, sizeof(*worker->left));
	worker->left[worker->left_cnt++] = node;
}

static void
end_current_node(struct worker *worker)
{
	begin_detaching(worker);
	leave(worker, worker->current);
	worker->current = NULL;
	worker->has_uprobes = false;
	worker->scenarios_cnt = 0;
}

static void
end_next_node(struct worker *worker)
{
	leave(worker, worker->next);
	worker->next = NULL;
}

static void
join_nodes(struct worker *worker)
{
	for (size_t i = 0; i < worker->left_cnt; i++)
		team_note_remains(worker->team, shared_node_end(worker->left[i]));
	free(worker->left);
	worker->left = NULL;
	worker->left_cnt = 0;
}

/* A node that did not become warm gets another try, but only one: each scenario would wait for a new node. */
static void
note_failed_start(struct worker *worker, const struct profile *profile)
{
	bool was_ready = worker->current && shared_node_was_ready(worker->current);

	if (!was_ready || worker->cold == profile)
		worker->unstartable = profile;
	worker->cold = was_ready ? profile : NULL;
}

/* Makes the current node one of that profile, ready and warm. */
static int
provide_node(struct worker *worker, const struct profile *profile, struct diag *diag)
{
	int err = 0;

	if (worker->unstartable == profile)
		return diag_fail(diag, -ECHILD, "not tried: its node did not start, see above");
	if (worker->current && !shared_node_is_usable(worker->current, profile))
		end_current_node(worker);
	if (!worker->current && worker->next && shared_node_profile(worker->next) == profile) {
		worker->current = worker->next;
		worker->next = NULL;
	}
	if (!worker->current)
		err = team_start_node(worker->team, &worker->current, profile, diag);
	if (worker->current)
		err = shared_node_wait(worker->current, diag);
	if (!err) {
		team_note_version(worker->team, shared_node_node(worker->current));
		worker->cold = NULL;
	} else if (!team_is_interrupted(worker->team)) {
		note_failed_start(worker, profile);
	}
	if (err && worker->current && !shared_node_node(worker->current))
		end_current_node(worker);
	return err;
}

static void
use_node(struct worker *worker, const struct profile *profile, struct scene *scene)
{
	if (scene->err)
		return;
	/* The node that require_wallet used may be gone. */
	scene->node = NULL;
	scene->err = provide_node(worker, profile, &scene->diag);
	if (worker->current)
		shared_node_enter(worker->current, scene);
}

/* Asks a node once whether it has the wallet. */
static void
require_wallet(struct worker *worker, const struct profile *profile, struct scene *scene)
{
	if (team_wallet(worker->team) == WALLET_UNKNOWN) {
		use_node(worker, profile, scene);
		bool has = scene_call_succeeds(scene, "listwallets", "[]");

		if (scene->err)
			return;
		if (!has && node_rpc_code(scene->node) != NODE_RPC_NO_METHOD) {
			scene_fail(scene, -EREMOTEIO, "runner: listwallets failed: %s",
				   node_rpc_message(scene->node));
			return;
		}
		team_set_wallet(worker->team, has ? WALLET_THERE : WALLET_NONE);
	}
	if (team_wallet(worker->team) == WALLET_THERE)
		return;
	if (worker->next && shared_node_profile(worker->next) == profile)
		end_next_node(worker);
	scene_skip(scene, "this bitcoind has no wallet: it does not know the RPC listwallets; "
			  "build it with -DENABLE_WALLET=ON (before v29: ./configure --enable-wallet)");
}

/* The steps of a scenario */

/* By perf events, which take long to close, one tracepoint alone is attached by ptrace, with a set of its own. */
static bool
needs_own_set(const struct worker *worker, const struct scenario *scenario)
{
	const struct probe_set *set = worker->team->set;

	return scenario->alone_of && set && probe_set_method(set) != PROBE_METHOD_MULTI &&
	       probe_set_method(set) != PROBE_METHOD_PTRACE;
}

/* By ptrace, only what is armed has traps and raised semaphores, whatever is attached. */
static uint64_t
tracepoints_to_attach(const struct worker *worker, const struct scenario *scenario)
{
	bool is_own = (scenario->alone_of || scenario->attaches_own) &&
		      probe_set_method(worker->team->set) == PROBE_METHOD_MULTI;

	return is_own ? scenario->tracepoints : UINT64_MAX;
}

/* What is attached is not what the scenario needs, or not alone. */
static bool
must_detach(const struct worker *worker, const struct scenario *scenario, const struct scene *scene)
{
	return worker->attached_pid == node_pid(scene->node) &&
	       (scenario->alone_of || worker->attached_mask != tracepoints_to_attach(worker, scenario));
}

/* Before a tracepoint is attached alone: nobody else may have raised a semaphore. */
static void
require_quiet(struct worker *worker, struct scene *scene)
{
	const struct plan *plan = &worker->team->plan;

	struct diag diag;

	if (scene->err)
		return;
	detach(worker);
	int err = probe_check_quiet(node_pid(scene->node), plan->points, plan->points_cnt, &diag);
	if (err == -EBUSY)
		scene_skip(scene, "%s", diag.text);
	else if (err)
		scene_fail(scene, err, "%s", diag.text);
}

static void
attach_to_node(struct worker *worker, uint64_t wanted, struct scene *scene)
{
	if (!worker->set)
		scene->err = team_get_set(worker->team, &worker->set, &scene->diag);
	if (scene->err)
		return;
	scene->err = probe_set_attach_some(worker->set, node_pid(scene->node), wanted, &scene->diag);
	worker->attached_pid = scene->err ? 0 : node_pid(scene->node);
	worker->attached_mask = wanted;
	worker->has_uprobes |= probe_set_method(worker->team->set) != PROBE_METHOD_PTRACE;
	if (!scene->err)
		team_note_attached(worker->team);
}

static void
attach(struct worker *worker, const struct scenario *scenario, struct scene *scene)
{
	uint64_t wanted = tracepoints_to_attach(worker, scenario);
	char reason[600];

	if (scene->err)
		return;
	if (scenario->alone_of)
		require_quiet(worker, scene);
	if (!scene->err && (worker->attached_pid != node_pid(scene->node) || worker->attached_mask != wanted))
		attach_to_node(worker, wanted, scene);
	if ((scene->err == -EPERM || scene->err == -EACCES) &&
	    probe_find_obstacle(probe_set_method(worker->team->set), reason, sizeof(reason))) {
		/* The same applies to all other scenarios. */
		team_set_obstacle(worker->team, true, reason);
		scene->err = 0;
		scene_skip(scene, "%s", reason);
	}
}

static void
attach_by_own_set(struct worker *worker, enum tracepoint_id subject, struct scene *scene)
{
	const struct plan *all = &worker->team->plan, *alone = &worker->alone_plan;
	struct probe_opts opts = worker->team->opts->probe;
	char reason[600];

	if (scene->err)
		return;
	if (!worker->can_ptrace && probe_find_obstacle(PROBE_METHOD_PTRACE, reason, sizeof(reason))) {
		scene_skip(scene, "%s", reason);
		return;
	}
	worker->can_ptrace = true;
	require_quiet(worker, scene);
	if (scene->err)
		return;
	plan_make(&worker->alone_plan, worker->team->notes, all->release, TP_BIT(subject));
	opts.method = PROBE_METHOD_PTRACE;
	opts.owns_process = true;
	opts.sets_cnt = worker->team->workers_cnt;
	scene->err = probe_set_new(&worker->alone_set, alone->points, alone->points_cnt, &opts, &scene->diag);
	if (!scene->err)
		scene->err = probe_set_attach(worker->alone_set, node_pid(scene->node), &scene->diag);
}

static void
end_alone(struct worker *worker)
{
	probe_set_free(worker->alone_set);
	worker->alone_set = NULL;
	plan_fini(&worker->alone_plan);
}

/* If the machine spoiled what was recorded, there is no verdict. */
static void
check_resident(const struct worker *worker, struct scene *scene)
{
	for (size_t i = 0; i < scene->events_cnt && node_is_alive(scene->node); i++) {
		const struct event *event = &scene->events[i];
		unsigned n = checks_find_absent_page(worker->team->machine, node_pid(scene->node), event);

		if (n)
			scene_fail(
				scene, -EFAULT,
				"argument %u of %s points at memory that was not resident when the probe read it; run it again, with more memory free",
				n, contract_get(event->tracepoint)->full_name);
	}
}

/* Afterwards the node has nothing left to do that act caused. */
static void
fence(struct scene *scene)
{
	if (node_is_alive(scene->node))
		scene_call(scene, "syncwithvalidationinterfacequeue", "[]");
}

static void
act(const struct worker *worker, const struct scenario *steps, struct scene *scene)
{
	int64_t offset_ns = worker->team->machine->clock_offset_ns();

	scene->log_mark = node_log_mark(scene->node);
	scene->act_start_ns = clock_now_ns();
	steps->act(scene);
	fence(scene);
	scene->act_end_ns = clock_now_ns();
	if (checks_clock_was_set(offset_ns, worker->team->machine->clock_offset_ns(),
				 scene->act_end_ns - scene->act_start_ns))
		scene_fail(
			scene, -EAGAIN,
			"the machine's clock was set meanwhile: durations cannot be checked; run it again");
}

/* After a failed act as well: what has been recorded explains it. */
static void
collect(struct worker *worker, struct scene *scene, struct event **events)
{
	struct record_list records = {0};
	struct diag diag;
	int err = probe_set_collect(worker->alone_set ? worker->alone_set : worker->set,
				    deadline_in_ms(COLLECT_MS), &records, NULL, &diag);

	if (err)
		scene_fail(scene, err, "%s", diag.text);
	err = plan_decode(worker->alone_set ? &worker->alone_plan : &worker->team->plan, &records, events,
			  &diag);
	if (err)
		scene_fail(scene, err, "%s", diag.text);
	scene->events = *events;
	scene->events_cnt = *events ? records.cnt : 0;
}

/* The first finding gets it if an event is missing or unexpected; a wrong value has another cause. */
static void
explain_alone(const struct scenario *scenario, struct finding *finding)
{
	if (finding->kind != FINDING_CONTRACT || finding->argument)
		return;
	char *message = xasprintf(
		"%s (no other tracepoint is attached here: if '%s' passes, the code may test the semaphore of another one)",
		finding->message, scenario->alone_of->name);
	free(finding->message);
	finding->message = message;
}

/* From prepare to match; events and their records live until the next arm. */
static void
run_steps(struct worker *worker, const struct scenario *scenario, struct scene *scene, struct event **events,
	  struct findings *findings)
{
	const struct scenario *steps = scenario_steps(scenario);
	uint64_t left_out = plan_left_out(&worker->team->plan, scenario->subject);

	if (must_detach(worker, scenario, scene))
		begin_detaching(worker);
	if (steps->prepare)
		steps->prepare(scene);
	if (scenario->alone_of)
		left_out = ~TP_BIT(scenario->subject);
	if (needs_own_set(worker, scenario))
		attach_by_own_set(worker, scenario->subject, scene);
	else
		attach(worker, scenario, scene);
	if (!scene->err)
		scene->err = probe_set_arm(worker->alone_set ? worker->alone_set : worker->set,
					   scenario->tracepoints & ~left_out, &scene->diag);
	if (scene->err)
		return;
	act(worker, steps, scene);
	collect(worker, scene, events);
	check_resident(worker, scene);
	if (!scene->err)
		steps->expect(scene);
	if (scene->err)
		return;
	size_t cnt = findings->cnt;
	expect_drop(scene->expect, left_out);
	scene->err = expect_match(scene->expect, scenario->subject, scene->events, scene->events_cnt,
				  findings, &scene->diag);
	if (scenario->alone_of && findings->cnt > cnt)
		explain_alone(scenario, &findings->items[cnt]);
}

/* What was found */

static void
copy_findings(struct findings *to, const struct findings *from)
{
	for (size_t i = 0; i < from->cnt; i++) {
		const struct finding *f = &from->items[i];

		findings_add(to, f->kind, f->tracepoint, f->argument, f->argument_name, f->want, f->got,
			     f->source, f->message);
	}
}

/* Adds what sanitizers report. The scenario's node is stopped if it will not be used again. */
static void
find_reports(struct worker *worker, struct scene *scene, bool is_last_of_node, struct report_result *result)
{
	struct deadline deadline = deadline_in_ms(worker->team->opts->timeout_ms);
	struct diag diag;

	if (!worker->current)
		return;
	shared_node_find_reports(worker->current, deadline, &result->findings);
	bool ends = is_last_of_node ||
		    (scene->node && verdict_doubts_node(worker->team->opts, scene, &result->findings));
	size_t cnt = result->findings.cnt;
	int err = 0;
	if (ends && worker->team->has_sanitizer && !team_is_interrupted(worker->team)) {
		detach(worker);
		err = shared_node_stop(worker->current, deadline, &result->findings, &diag);
		verdict_mark_as_late(&result->findings, cnt, worker->scenarios_cnt);
	}
	/* A scenario that was skipped has no node; what is found is kept all the same. */
	if (err || verdict_has_sanitizer_finding(&result->findings))
		shared_node_enter(worker->current, scene);
	if (err && (!scene->err || scene_is_skipped(scene))) {
		scene->err = err;
		scene->diag = diag;
	}
}

static void
decide(struct worker *worker, const struct scene *scene, struct report_result *result)
{
	verdict_decide(worker->team->opts, scene, result);
	if (!scene->err || !team_is_interrupted(worker->team))
		return;
	free(result->reason);
	result->reason = xstrdup("interrupted");
	team_note_interrupt(worker->team);
}

static void
keep_artifacts(struct worker *worker, const struct scenario *scenario, const struct scene *scene,
	       struct report_result *result)
{
	if (result->outcome != OUTCOME_FAIL &&
	    (result->outcome != OUTCOME_ERROR || team_is_interrupted(worker->team)))
		return;
	result->repeat = xasprintf("%s '%s'", worker->team->opts->repeat_prefix, scenario->name);
	result->artifacts = artifacts_keep(worker->team->opts->artifacts, scenario->name, scene->node,
					   scene->events, scene->events_cnt, result,
					   worker->team->set ? probe_set_text(worker->team->set) : NULL);
}

/* Fails or skips a scenario that there is no reason to try. */
static void
check_is_due(struct worker *worker, const struct scenario *scenario, struct scene *scene)
{
	const struct contract_tracepoint *row = contract_get(scenario->subject);
	char checked[16], since[16];

	if (team_rules_out(worker->team, scenario))
		scene_fail(
			scene, -ECANCELED,
			"not tried: the scenarios of this context before it ran out of time, one after the other");
	if (worker->team->plan.later & TP_BIT(scenario->subject))
		scene_skip(scene, "%s came with %s; this bitcoind is checked as %s", row->full_name,
			   release_name(row->since, since),
			   release_name(worker->team->plan.release, checked));
	if (!scene->err && scenario->needs_wallet)
		require_wallet(worker, scenario->profile, scene);
}

/* Whether the node is as good as before a scenario that failed, ended early or was skipped. */
static bool
is_as_before(const struct worker *worker, const struct scene *scene)
{
	struct scene after = {.node = scene->node,
			      .deadline = deadline_in_ms(CLEAN_MS),
			      .coins = scene->coins,
			      .wallets = scene->wallets};
	bool is_early = scene->err && !scene_is_skipped(scene);

	/* Leaks are reported when the node ends. Locks on the purse's coins may be half set. A node that is slow or
	 * gone is not asked. */
	if (worker->team->has_sanitizer || team_is_interrupted(worker->team) || !worker->current ||
	    !shared_node_is_usable(worker->current, shared_node_profile(worker->current)) ||
	    (is_early && (scene->wallets->made || scene->err == -ETIMEDOUT)))
		return false;
	clean_require(&after);
	scene_release(&after);
	return !after.err;
}

/* Whether it reports what is new in its tracepoint. */
static bool
is_first_of_subject(const struct team *team, size_t idx)
{
	for (size_t i = 0; i < idx; i++)
		if (team->opts->scenarios[i]->subject == team->opts->scenarios[idx]->subject)
			return false;
	return true;
}

static void
run_scenario(struct worker *worker, size_t idx, bool is_last_of_node, struct report_result *result)
{
	const struct scenario *scenario = worker->team->opts->scenarios[idx];
	const struct scenario *steps = scenario_steps(scenario);
	uint64_t start_ns = clock_now_ns();
	unsigned reported = 0;
	struct scene scene = {
		.release = worker->team->plan.release,
		.deadline = deadline_in_ms(worker->team->opts->timeout_ms),
		.expect = expect_new(),
		.state = steps->state_sz ? xcalloc(1, steps->state_sz) : NULL,
		.fail_at = worker->team->opts->fail_at,
		.reported = &reported,
	};
	struct event *events = NULL;

	expect_release(scene.expect, worker->team->plan.release);
	check_is_due(worker, scenario, &scene);
	if (!scene_is_skipped(&scene)) {
		copy_findings(&result->findings, &worker->team->plan.findings[scenario->subject]);
		if (is_first_of_subject(worker->team, idx))
			copy_findings(&result->findings, &worker->team->plan.news[scenario->subject]);
	}
	if (!(worker->team->plan.missing & TP_BIT(scenario->subject))) {
		if (needs_own_set(worker, scenario) && worker->has_uprobes)
			end_current_node(worker);
		use_node(worker, scenario->profile, &scene);
		if (!scene.err) {
			worker->scenarios_cnt++;
			run_steps(worker, scenario, &scene, &events, &result->findings);
			if (!scene.err)
				expect_describe(scene.expect, &result->checked);
		}
	}
	find_reports(worker, &scene, is_last_of_node, result);
	decide(worker, &scene, result);
	team_count_timeout(worker->team, scenario, scene.err);
	result->duration_ms = (clock_now_ns() - start_ns) / 1000000;
	keep_artifacts(worker, scenario, &scene, result);
	scene_release(&scene);
	bool in_doubt = verdict_doubts_node(worker->team->opts, &scene, &result->findings);
	if (scene.node && (scenario->ends_node || (in_doubt && !is_as_before(worker, &scene))))
		end_current_node(worker);
	end_alone(worker);
	free(events);
	expect_free(scene.expect);
	free(scene.state);
}

/* The thread */

static void
run_next(struct worker *worker, size_t idx, bool is_last_of_node)
{
	struct team *team = worker->team;
	struct report_result *result = &team->run->results[idx];

	*result = (struct report_result){.name = team->opts->scenarios[idx]->name};
	if (!team_finds_obstacle(team, result))
		run_scenario(worker, idx, is_last_of_node || team->opts->scenarios[idx]->ends_node, result);
	team_is_done(team, idx);
}

static void *
work(void *arg)
{
	struct worker *worker = arg;
	struct shared_node *ahead;
	size_t idx;
	bool is_last;

	while (team_take(worker->team, &worker->group, &idx, &is_last, &ahead)) {
		if (ahead) {
			end_next_node(worker);
			worker->next = ahead;
		}
		run_next(worker, idx, is_last);
		team_look_ahead(worker->team);
	}
	end_current_node(worker);
	end_next_node(worker);
	join_nodes(worker);
	return NULL;
}

int
worker_start(struct worker **out, struct team *team, struct diag *diag)
{
	struct worker *worker = xcalloc(1, sizeof(*worker));

	*out = NULL;
	worker->team = team;
	int err = signals_start_thread(&worker->thread, work, worker);
	if (err) {
		free(worker);
		return diag_fail(diag, err, "runner: failed to start a thread: %s", strerror(-err));
	}
	*out = worker;
	return 0;
}

void
worker_join(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
}

void
worker_free(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->set != worker->team->set)
		probe_set_free(worker->set);
	free(worker);
}
