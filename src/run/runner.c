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
 * The node is killed, not stopped, when its scenarios are over: its datadir is thrown away. After an error or a
 * failure the next scenario gets a new node, as the old one may be in any state.
 *
 * A bitcoind with sanitizers is stopped instead, after the probes were detached, because leaks are reported when it
 * exits. That is part of its last scenario, which gets what is reported then. Any other report belongs to the scenario
 * during which it came. */
#include "run/runner.h"
#include "notes/absence.h"

#include "base/xmem.h"
#include "contract/expect.h"
#include "notes/absence.h"
#include "run/checks.h"
#include "run/plan.h"
#include "run/sanitizer.h"
#include "run/shared_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLLECT_MS = 10000 };

struct runner {
	const struct runner_opts *opts;
	const struct machine *machine;
	struct report_run *run;
	struct notes *notes;
	struct plan plan;
	struct probe_set *set;
	/* Of a scenario that attaches one tracepoint only, while it runs: */
	struct plan alone_plan;
	struct probe_set *alone_set;
	struct shared_node *current;
	struct shared_node *next; /* started ahead, while the scenarios before it run */
	pid_t attached_pid;       /* of the current one; 0: none */
	bool has_attached;        /* to any */
	bool has_sanitizer;       /* nodes are stopped, not killed */
	unsigned scenarios_cnt;   /* that used the current node */
	char *subversion;
	int remains_err;                                           /* a node or its datadir is still there */
	enum { WALLET_UNKNOWN, WALLET_THERE, WALLET_NONE } wallet; /* in this bitcoind */
	const struct profile *unstartable; /* its node did not become ready: not tried again */
	/* Why nothing can be run at all; a skip when this machine or binary does not allow it. */
	char *obstacle;
	bool obstacle_is_skip, obstacle_is_early; /* early: before anything was run */
	struct timeouts timeouts;
	unsigned reported; /* see struct scene */
};

static bool
is_interrupted(const struct runner *runner)
{
	return runner->opts->interrupted && *runner->opts->interrupted;
}

static void
set_obstacle(struct runner *runner, bool is_skip, const char *text)
{
	free(runner->obstacle);
	runner->obstacle = xstrdup(text);
	runner->obstacle_is_skip = is_skip;
}

/* Nodes */

static int
start_node(struct runner *runner, struct shared_node **out, const struct profile *profile, struct diag *diag)
{
	struct shared_node_opts opts = {
		.bitcoind = runner->opts->bitcoind,
		.user = runner->opts->user,
		.sudo_uid = runner->opts->sudo_uid,
		.same_user = runner->opts->same_user,
		.tmpdir = runner->opts->tmpdir,
		.env = runner->opts->env,
		.env_hint = runner->opts->env_hint,
		.keeper = runner->opts->probe.keeper,
		.timeout_ms = runner->opts->timeout_ms,
		.interrupted = runner->opts->interrupted,
	};

	return shared_node_start(out, profile, &opts, diag);
}

/* The first error counts. */
static void
note_remains(struct runner *runner, int err)
{
	if (!runner->remains_err)
		runner->remains_err = err;
}

static void
detach(struct runner *runner)
{
	if (runner->attached_pid && runner->set)
		probe_set_detach(runner->set);
	runner->attached_pid = 0;
}

static void
end_current_node(struct runner *runner)
{
	detach(runner);
	note_remains(runner, shared_node_end(runner->current));
	runner->current = NULL;
	runner->scenarios_cnt = 0;
}

static void
end_next_node(struct runner *runner)
{
	note_remains(runner, shared_node_end(runner->next));
	runner->next = NULL;
}

static void
note_version(struct runner *runner)
{
	const struct node *node = shared_node_node(runner->current);

	if (runner->run->node_version)
		return;
	runner->run->node_version = node_version(node);
	runner->subversion = xstrdup(node_subversion(node));
	runner->run->node_subversion = runner->subversion;
}

/* Makes the current node one of that profile, ready and warm. */
static int
provide_node(struct runner *runner, const struct profile *profile, struct diag *diag)
{
	int err = 0;

	if (runner->unstartable == profile)
		return diag_fail(diag, -ECHILD, "not tried: its node did not start, see above");
	if (runner->current && !shared_node_is_usable(runner->current, profile))
		end_current_node(runner);
	if (!runner->current && runner->next && shared_node_profile(runner->next) == profile) {
		runner->current = runner->next;
		runner->next = NULL;
	}
	if (!runner->current)
		err = start_node(runner, &runner->current, profile, diag);
	if (runner->current)
		err = shared_node_wait(runner->current, diag);
	if (!err)
		note_version(runner);
	else if (!is_interrupted(runner) && !(runner->current && shared_node_was_ready(runner->current)))
		runner->unstartable = profile;
	return err;
}

static void
use_node(struct runner *runner, const struct profile *profile, struct scene *scene)
{
	if (scene->err)
		return;
	/* The node that require_wallet used may be gone. */
	scene->node = NULL;
	scene->err = provide_node(runner, profile, &scene->diag);
	if (runner->current)
		shared_node_enter(runner->current, scene);
}

/* Asks a node once whether it has the wallet. */
static void
require_wallet(struct runner *runner, const struct profile *profile, struct scene *scene)
{
	if (runner->wallet == WALLET_UNKNOWN) {
		use_node(runner, profile, scene);
		bool has = scene_call_succeeds(scene, "listwallets", "[]");
		bool lacks = !scene->err && !has && node_rpc_code(scene->node) == NODE_RPC_NO_METHOD;

		if (scene->err)
			return;
		if (!has && !lacks) {
			scene_fail(scene, -EREMOTEIO, "runner: listwallets failed: %s",
				   node_rpc_message(scene->node));
			return;
		}
		runner->wallet = has ? WALLET_THERE : WALLET_NONE;
	}
	if (runner->wallet == WALLET_THERE)
		return;
	if (runner->next && shared_node_profile(runner->next) == profile)
		end_next_node(runner);
	scene_skip(scene, "this bitcoind has no wallet: it does not know the RPC listwallets; "
			  "build it with -DENABLE_WALLET=ON (before v29: ./configure --enable-wallet)");
}

/* Starts the node of the next profile while the scenarios of this one run. */
static void
look_ahead(struct runner *runner, const struct scenario *const *rest)
{
	const struct profile *now = rest[0]->profile;

	if (runner->next || runner->obstacle)
		return;
	while (*rest && ((*rest)->profile == now || ((*rest)->needs_wallet && runner->wallet == WALLET_NONE)))
		rest++;
	/* If it cannot be started, the scenario that needs it will report that. */
	if (*rest)
		start_node(runner, &runner->next, (*rest)->profile, NULL);
}

/* The steps of a scenario */

static void
attach(struct runner *runner, struct scene *scene)
{
	char reason[600];

	if (scene->err || runner->attached_pid == node_pid(scene->node))
		return;
	int err = probe_set_attach(runner->set, node_pid(scene->node), &scene->diag);
	runner->attached_pid = err ? 0 : node_pid(scene->node);
	runner->has_attached |= !err;
	if ((err == -EPERM || err == -EACCES) &&
	    probe_find_obstacle(probe_set_method(runner->set), reason, sizeof(reason))) {
		/* The same applies to all other scenarios. */
		set_obstacle(runner, true, reason);
		scene_skip(scene, "%s", reason);
		return;
	}
	scene->err = err;
}

/* Whether detaching leaves the process as it was: perf events stay until the verdict is out. */
static bool
detaches_at_once(const struct runner *runner)
{
	enum probe_method method = probe_set_method(runner->set);

	return method == PROBE_METHOD_MULTI || method == PROBE_METHOD_PTRACE;
}

/* Attaches one tracepoint only, by ptrace: such a set needs no compiler, and so next to no time. */
static void
attach_alone(struct runner *runner, enum tracepoint_id subject, struct scene *scene)
{
	const struct plan *all = &runner->plan, *alone = &runner->alone_plan;
	struct probe_opts opts = runner->opts->probe;
	char reason[600];

	if (scene->err)
		return;
	detach(runner);
	if (probe_find_obstacle(PROBE_METHOD_PTRACE, reason, sizeof(reason))) {
		scene_skip(scene, "%s", reason);
		return;
	}
	plan_make(&runner->alone_plan, runner->notes, all->release, TP_BIT(subject));
	opts.method = PROBE_METHOD_PTRACE;
	opts.owns_process = true;
	scene->err = probe_check_quiet(node_pid(scene->node), all->points, all->points_cnt, &scene->diag);
	if (scene->err == -EBUSY) {
		struct diag diag = scene->diag;

		scene->err = 0;
		scene_skip(scene, "%s", diag.text);
	}
	if (!scene->err)
		scene->err = probe_set_new(&runner->alone_set, alone->points, alone->points_cnt, &opts,
					   &scene->diag);
	if (!scene->err)
		scene->err = probe_set_attach(runner->alone_set, node_pid(scene->node), &scene->diag);
}

static void
end_alone(struct runner *runner)
{
	probe_set_free(runner->alone_set);
	runner->alone_set = NULL;
	plan_fini(&runner->alone_plan);
}

/* If the machine spoiled what was recorded, there is no verdict. */
static void
check_resident(const struct runner *runner, struct scene *scene)
{
	for (size_t i = 0; i < scene->events_cnt && node_is_alive(scene->node); i++) {
		const struct event *event = &scene->events[i];
		unsigned n = checks_find_absent_page(runner->machine, node_pid(scene->node), event);

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
act(const struct runner *runner, const struct scenario *steps, struct scene *scene)
{
	int64_t offset_ns = runner->machine->clock_offset_ns();

	scene->log_mark = node_log_mark(scene->node);
	scene->act_start_ns = clock_now_ns();
	steps->act(scene);
	fence(scene);
	scene->act_end_ns = clock_now_ns();
	if (checks_clock_was_set(offset_ns, runner->machine->clock_offset_ns(),
				 scene->act_end_ns - scene->act_start_ns))
		scene_fail(
			scene, -EAGAIN,
			"the machine's clock was set meanwhile: durations cannot be checked; run it again");
}

/* After a failed act as well: what has been recorded explains it. */
static void
collect(struct runner *runner, struct scene *scene, struct event **events)
{
	struct record_list records = {0};
	struct diag diag;
	int err = probe_set_collect(runner->alone_set ? runner->alone_set : runner->set,
				    deadline_in_ms(COLLECT_MS), &records, NULL, &diag);

	if (err)
		scene_fail(scene, err, "%s", diag.text);
	err = plan_decode(runner->alone_set ? &runner->alone_plan : &runner->plan, &records, events, &diag);
	if (err)
		scene_fail(scene, err, "%s", diag.text);
	scene->events = *events;
	scene->events_cnt = *events ? records.cnt : 0;
}

/* From prepare to match; events and their records live until the next arm. */
static void
run_steps(struct runner *runner, const struct scenario *scenario, struct scene *scene, struct event **events,
	  struct findings *findings)
{
	const struct scenario *steps = scenario_steps(scenario);
	uint64_t left_out = plan_left_out(&runner->plan, scenario->subject);

	if (steps->prepare)
		steps->prepare(scene);
	if (scenario->alone_of) {
		attach_alone(runner, scenario->subject, scene);
		left_out = ~TP_BIT(scenario->subject);
	} else {
		attach(runner, scene);
	}
	if (!scene->err)
		scene->err = probe_set_arm(runner->alone_set ? runner->alone_set : runner->set,
					   scenario->tracepoints & ~left_out, &scene->diag);
	if (scene->err)
		return;
	act(runner, steps, scene);
	collect(runner, scene, events);
	check_resident(runner, scene);
	if (!scene->err)
		steps->expect(scene);
	if (scene->err)
		return;
	expect_drop(scene->expect, left_out);
	scene->err = expect_match(scene->expect, scenario->subject, scene->events, scene->events_cnt,
				  findings, &scene->diag);
}

/* The outcome of a scenario */

static void
copy_findings(struct findings *to, const struct findings *from)
{
	for (size_t i = 0; i < from->cnt; i++) {
		const struct finding *f = &from->items[i];

		findings_add(to, f->kind, f->tracepoint, f->argument, f->argument_name, f->want, f->got,
			     f->source, f->message);
	}
}

static void
decide_by_findings(const struct runner *runner, struct report_result *result)
{
	size_t others = 0, details = 0;

	for (size_t i = 0; i < result->findings.cnt; i++) {
		if (result->findings.items[i].kind == FINDING_DETAIL)
			details++;
		else
			others++;
	}
	result->outcome = others || (details && !runner->opts->details_warn) ? OUTCOME_FAIL : OUTCOME_PASS;
}

static bool
has_sanitizer_finding(const struct findings *findings)
{
	for (size_t i = 0; i < findings->cnt; i++)
		if (findings->items[i].kind == FINDING_SANITIZER)
			return true;
	return false;
}

/* What came when the node exited may be due to any scenario that used it. */
static void
mark_as_late(const struct runner *runner, const struct findings *findings, size_t first)
{
	for (size_t i = first; i < findings->cnt && runner->scenarios_cnt > 1; i++) {
		struct finding *finding = &findings->items[i];
		char *message = xasprintf("%s; reported when the node exited, after %u scenarios",
					  finding->message, runner->scenarios_cnt);

		free(finding->message);
		finding->message = message;
	}
}

/* Adds what sanitizers report. The scenario's node is stopped if it will not be used again. */
static void
find_reports(struct runner *runner, struct scene *scene, bool is_last_of_node, struct report_result *result)
{
	struct deadline deadline = deadline_in_ms(runner->opts->timeout_ms);
	struct diag diag;

	if (!runner->current)
		return;
	shared_node_find_reports(runner->current, deadline, &result->findings);
	decide_by_findings(runner, result);
	bool ends = is_last_of_node || (scene->node && (scene->err || result->outcome == OUTCOME_FAIL));
	size_t cnt = result->findings.cnt;
	int err = 0;
	if (ends && runner->has_sanitizer && !is_interrupted(runner)) {
		detach(runner);
		err = shared_node_stop(runner->current, deadline, &result->findings, &diag);
		mark_as_late(runner, &result->findings, cnt);
	}
	/* A scenario that was skipped has no node; what is found is kept all the same. */
	if (err || has_sanitizer_finding(&result->findings))
		scene->node = shared_node_node(runner->current);
	if (err && (!scene->err || scene_is_skipped(scene))) {
		scene->err = err;
		scene->diag = diag;
	}
}

static void
decide(struct runner *runner, const struct scene *scene, struct report_result *result)
{
	bool is_skip = scene_is_skipped(scene);

	decide_by_findings(runner, result);
	if (has_sanitizer_finding(&result->findings) && runner->opts->env_hint && !scene->err)
		result->reason = xstrdup(runner->opts->env_hint);
	if (!scene->err)
		return;
	/* What the notes show to be wrong is wrong whether or not the rest could be tried. */
	bool has_failed = result->outcome == OUTCOME_FAIL;
	if (!has_failed || !is_skip)
		result->reason = xstrdup(scene->diag.text);
	if (!has_failed)
		result->outcome = is_skip ? OUTCOME_SKIP : OUTCOME_ERROR;
	if (is_interrupted(runner)) {
		free(result->reason);
		result->reason = xstrdup("interrupted");
		runner->run->interrupted = true;
	}
}

static void
keep_artifacts(struct runner *runner, const struct scenario *scenario, const struct scene *scene,
	       struct report_result *result)
{
	if (result->outcome != OUTCOME_FAIL && (result->outcome != OUTCOME_ERROR || is_interrupted(runner)))
		return;
	result->repeat = xasprintf("%s '%s'", runner->opts->repeat_prefix, scenario->name);
	result->artifacts =
		artifacts_keep(runner->opts->artifacts, scenario->name, scene->node, scene->events,
			       scene->events_cnt, result, runner->set ? probe_set_text(runner->set) : NULL);
}

static void
count_timeouts(struct runner *runner, const struct scenario *scenario, int err)
{
	timeouts_count(&runner->timeouts, scenario->name, err);
	if (runner->timeouts.all && !runner->obstacle)
		set_obstacle(runner, false,
			     "not tried: the scenarios before it ran out of time, one after the other");
}

/* Fails or skips a scenario that there is no reason to try. */
static void
check_is_due(struct runner *runner, const struct scenario *scenario, struct scene *scene)
{
	const struct contract_tracepoint *row = contract_get(scenario->subject);
	char checked[16], since[16];

	if (timeouts_rule_out(&runner->timeouts, scenario->name))
		scene_fail(
			scene, -ECANCELED,
			"not tried: the scenarios of this context before it ran out of time, one after the other");
	if (runner->plan.later & TP_BIT(scenario->subject))
		scene_skip(scene, "%s came with %s; this bitcoind is checked as %s", row->full_name,
			   release_name(row->since, since), release_name(runner->plan.release, checked));
	if (!scene->err && scenario->needs_wallet)
		require_wallet(runner, scenario->profile, scene);
}

static void
run_scenario(struct runner *runner, const struct scenario *scenario, bool is_last_of_node,
	     struct report_result *result)
{
	const struct scenario *steps = scenario_steps(scenario);
	uint64_t start_ns = clock_now_ns();
	struct scene scene = {
		.release = runner->plan.release,
		.deadline = deadline_in_ms(runner->opts->timeout_ms),
		.expect = expect_new(),
		.state = steps->state_sz ? xcalloc(1, steps->state_sz) : NULL,
		.fail_at = runner->opts->fail_at,
		.reported = &runner->reported,
	};
	struct event *events = NULL;

	expect_release(scene.expect, runner->plan.release);
	check_is_due(runner, scenario, &scene);
	if (!scene_is_skipped(&scene)) {
		copy_findings(&result->findings, &runner->plan.findings[scenario->subject]);
		/* The first scenario about a tracepoint reports what is new in it. */
		copy_findings(&result->findings, &runner->plan.news[scenario->subject]);
		findings_fini(&runner->plan.news[scenario->subject]);
	}
	if (!(runner->plan.missing & TP_BIT(scenario->subject))) {
		if (scenario->alone_of && runner->attached_pid && !detaches_at_once(runner))
			end_current_node(runner);
		use_node(runner, scenario->profile, &scene);
		if (!scene.err) {
			runner->scenarios_cnt++;
			run_steps(runner, scenario, &scene, &events, &result->findings);
		}
	}
	find_reports(runner, &scene, is_last_of_node, result);
	decide(runner, &scene, result);
	count_timeouts(runner, scenario, scene.err);
	result->duration_ms = (clock_now_ns() - start_ns) / 1000000;
	keep_artifacts(runner, scenario, &scene, result);
	scene_release(&scene);
	if (scene.node && (scene.err || result->outcome == OUTCOME_FAIL))
		end_current_node(runner);
	end_alone(runner);
	free(events);
	expect_free(scene.expect);
	free(scene.state);
}

/* All scenarios */

/* Whether it has any of Bitcoin Core's tracepoints, or notes that cannot be used. */
static bool
is_bitcoin(const struct notes *notes)
{
	for (size_t i = 0; i < notes_cnt(notes); i++) {
		const struct site *site = notes_site(notes, i);

		if (contract_find(site->provider, site->name))
			return true;
	}
	return notes_problems_cnt(notes) > 0;
}

/* Whether the binary can be run and traced here at all; says why not by an obstacle. */
static bool
check_binary(struct runner *runner)
{
	enum absence absence;
	struct diag diag;
	char reason[600];

	if (notes_open(&runner->notes, runner->opts->bitcoind, &diag))
		set_obstacle(runner, false, diag.text);
	else if (probe_find_early_obstacle(runner->opts->probe.method, reason, sizeof(reason)))
		set_obstacle(runner, true, reason);
	else if (!notes_is_native(runner->notes))
		set_obstacle(runner, true, "the bitcoind is for another machine than this one");
	else if ((absence = notes_find_absence(runner->notes, runner->opts->bitcoind, NULL, &diag)))
		set_obstacle(runner, !absence_is_blind(absence), diag.text);
	else if (!is_bitcoin(runner->notes))
		set_obstacle(
			runner, false,
			"none of the tracepoints in this program is Bitcoin Core's; give the path of a bitcoind");
	return !runner->obstacle;
}

/* A runtime may come by LD_PRELOAD. */
static bool
has_sanitizer_options(const char *const *env)
{
	for (; env && *env; env++)
		if (strstr(*env, "SAN_OPTIONS=") || strstr(*env, "san.so"))
			return true;
	return false;
}

static void
prepare(struct runner *runner)
{
	const struct runner_opts *opts = runner->opts;
	struct diag diag;
	char reason[600];

	if (!check_binary(runner))
		return;
	runner->has_sanitizer = sanitizer_is_in(opts->bitcoind) || has_sanitizer_options(opts->env);
	/* All tracepoints, so that a scenario sees the same whichever others are selected. */
	plan_make(&runner->plan, runner->notes, opts->release ? opts->release : RELEASE_MASTER,
		  (UINT64_C(1) << TRACEPOINTS_CNT) - 1);
	if (!runner->plan.points_cnt)
		return;
	/* The first node starts while the probes compile. */
	int err = opts->scenarios[0] ? start_node(runner, &runner->next, opts->scenarios[0]->profile, &diag)
				     : 0;
	if (err) {
		set_obstacle(runner, err == -ENETDOWN, diag.text);
		return;
	}
	struct probe_opts probe = opts->probe;
	probe.owns_process = true;
	if (probe_set_new(&runner->set, runner->plan.points, runner->plan.points_cnt, &probe, &diag)) {
		/* What this machine does not allow says nothing about the binary; the obstacle's text, which doctor
		 * prints as well, says what would help. */
		bool is_skip = probe_find_obstacle(opts->probe.method, reason, sizeof(reason));
		set_obstacle(runner, is_skip, is_skip ? reason : diag.text);
		return;
	}
	runner->run->attach = probe_method_name(probe_set_method(runner->set));
	runner->run->attach_why = xstrdup_or_null(probe_set_why(runner->set));
}

/* Fills the result of one scenario, whether or not it can be run. */
static void
run_one(struct runner *runner, const struct scenario *const *rest, struct report_result *result)
{
	*result = (struct report_result){.name = rest[0]->name};
	if (is_interrupted(runner)) {
		runner->run->interrupted = true;
		result->outcome = OUTCOME_ERROR;
		result->reason = xstrdup("interrupted before it began");
	} else if (runner->obstacle) {
		result->outcome = runner->obstacle_is_skip ? OUTCOME_SKIP : OUTCOME_ERROR;
		result->reason = xstrdup(runner->obstacle);
		/* The summary gives the reason, once. */
		result->omit_from_text = runner->obstacle_is_skip && runner->obstacle_is_early;
	} else {
		if (runner->current)
			look_ahead(runner, rest);
		run_scenario(runner, rest[0], !rest[1] || rest[1]->profile != rest[0]->profile, result);
	}
}

struct runner *
runner_run(const struct runner_opts *opts, struct report_run *run)
{
	struct runner *runner = xcalloc(1, sizeof(*runner));
	uint64_t start_ns = clock_now_ns();
	size_t cnt = 0;

	*runner = (struct runner){.opts = opts, .run = run};
	runner->machine = opts->machine ? opts->machine : &machine_real;
	run->node_path = opts->bitcoind;
	run->node_subversion = "";
	while (opts->scenarios[cnt])
		cnt++;
	run->results = xcalloc(cnt, sizeof(*run->results));
	if (opts->on_begin)
		opts->on_begin(opts->cookie, "compiling the probes", 0, cnt);
	prepare(runner);
	runner->obstacle_is_early = runner->obstacle != NULL;
	for (size_t i = 0; i < cnt; i++) {
		struct report_result *result = &run->results[run->results_cnt++];

		if (opts->on_begin)
			opts->on_begin(opts->cookie, opts->scenarios[i]->name, i + 1, cnt);
		run_one(runner, &opts->scenarios[i], result);
		if (opts->on_end)
			opts->on_end(opts->cookie, result);
	}
	end_current_node(runner);
	end_next_node(runner);
	run->duration_ms = (clock_now_ns() - start_ns) / 1000000;
	return runner;
}

bool
runner_finishes_slowly(const struct runner *runner)
{
	enum probe_method method = runner->set ? probe_set_method(runner->set) : PROBE_METHOD_AUTO;

	return runner->has_attached && (method == PROBE_METHOD_PERF || method == PROBE_METHOD_TRACEFS);
}

int
runner_finish(struct runner *runner)
{
	if (!runner)
		return 0;
	int err = runner->remains_err;
	probe_set_free(runner->set);
	plan_fini(&runner->plan);
	notes_free(runner->notes);
	free(runner->obstacle);
	free(runner->subversion);
	free(runner);
	return err;
}
