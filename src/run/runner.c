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
 * says that it has none: the wallet's tracepoints are compiled with the wallet. A companion that is lacking, or whose
 * notes are wrong, is left out of the comparison: its own scenarios tell.
 *
 * The node is killed, not stopped, when its scenarios are over: its datadir is thrown away. After an error or a
 * failure the next scenario gets a new node, as the old one may be in any state. */
#include "run/runner.h"

#include "base/xmem.h"
#include "contract/expect.h"
#include "run/plan.h"
#include "scene/blocks.h"
#include "scene/wallets.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	COLLECT_MS = 10000,
	TIMEOUTS_MAX = 3, /* in a row; then the rest is not tried any more */
};

/* A node that scenarios share. It is brought to where they can begin by a thread of its own, while the probes compile
 * or other scenarios run; the thread lives as long as the session, since a bitcoind that it had to start anew ends
 * with it. */
struct session {
	const struct profile *profile;
	struct node *node;
	struct coin_pool coins;
	struct wallet_pool wallets;
	pid_t attached_pid;
	pthread_t thread;
	sem_t warm, leave;
	/* The thread's until warm was posted: */
	struct deadline deadline;
	bool ready; /* the node was */
	int code;
	struct diag diag;
};

struct runner {
	const struct runner_opts *opts;
	struct report_run *run;
	struct notes *notes;
	struct plan plan;
	struct probe_set *set;
	struct session *session;
	struct session *next; /* started ahead, while the scenarios before it run */
	char *subversion;
	enum { WALLET_UNKNOWN, WALLET_THERE, WALLET_NONE } wallet; /* in this bitcoind */
	const struct profile *unstartable; /* its node did not become ready: not tried again */
	/* Why nothing can be run at all; skip when it is for want of something here. */
	char *broken;
	bool broken_is_skip;
	/* Scenarios of one context that ran out of time, one after the other. */
	unsigned timeouts;
	const char *given_up; /* the last context that is not tried any more, as a scenario's name begins */
};

static bool
is_interrupted(const struct runner *runner)
{
	return runner->opts->interrupted && *runner->opts->interrupted;
}

static void
set_broken(struct runner *runner, bool is_skip, const char *text)
{
	runner->broken = xstrdup(text);
	runner->broken_is_skip = is_skip;
}

/* Nodes */

/* Signals are the main thread's, whose waits they end. */
static int
start_thread(pthread_t *thread, void *(*work)(void *), void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(thread, NULL, work, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static void *
warm_up(void *arg)
{
	struct session *session = arg;
	const struct profile *profile = session->profile;
	struct scene scene = {.node = session->node,
			      .deadline = session->deadline,
			      .coins = &session->coins,
			      .wallets = &session->wallets};

	session->code = node_wait_ready(session->node, session->deadline, &session->diag);
	session->ready = !session->code;
	if (!session->code)
		session->code = blocks_begin_chain(&scene, &session->diag);
	if (!session->code && profile->warm)
		session->code = profile->warm(&scene, &session->diag);
	sem_post(&session->warm);
	while (sem_wait(&session->leave) && errno == EINTR)
		;
	return NULL;
}

/* Until the thread has done its work: it ends soon after an interrupt, too. */
static void
wait_warm(struct session *session)
{
	while (sem_wait(&session->warm) && errno == EINTR)
		;
	sem_post(&session->warm);
}

static void
session_end(struct runner *runner, struct session **of)
{
	struct session *session = *of;

	*of = NULL;
	if (!session)
		return;
	if (session->attached_pid && runner->set)
		probe_set_detach(runner->set);
	wait_warm(session);
	node_kill(session->node);
	node_free(session->node);
	sem_post(&session->leave);
	pthread_join(session->thread, NULL);
	sem_destroy(&session->warm);
	sem_destroy(&session->leave);
	free(session);
}

static int
session_start(struct runner *runner, struct session **out, const struct profile *profile, struct diag *diag)
{
	struct node_opts opts = {
		.bitcoind = runner->opts->bitcoind,
		.parent_dir = runner->opts->tmpdir,
		.args = profile->args,
		.args_if_known = profile->args_if_known,
		.listen = profile->listen,
		.own_network = profile->own_network,
		.finds_peers = profile->finds_peers,
		.proxy = profile->proxy,
		.i2p = profile->i2p,
		.user = runner->opts->user,
		.sudo_uid = runner->opts->sudo_uid,
		.interrupted = runner->opts->interrupted,
	};
	struct node *node;
	int code = node_start(&node, &opts, diag);

	*out = NULL;
	if (code)
		return code;
	struct session *session = xcalloc(1, sizeof(*session));
	session->profile = profile;
	session->node = node;
	session->deadline = deadline_in_ms(runner->opts->timeout_ms);
	sem_init(&session->warm, 0, 0);
	sem_init(&session->leave, 0, 0);
	code = -start_thread(&session->thread, warm_up, session);
	if (code) {
		node_free(node);
		free(session);
		return diag_fail(diag, code, "runner: failed to start a thread: %s", strerror(-code));
	}
	*out = session;
	return 0;
}

/* Brings a node of the profile into runner->session, ready. */
static int
session_use(struct runner *runner, const struct profile *profile, struct diag *diag)
{
	struct session *session = runner->session;
	int code = 0;

	if (runner->unstartable == profile)
		return diag_fail(diag, -ECHILD, "not tried: its node did not start, see above");
	if (session && (session->profile != profile || profile->own_node || !node_is_alive(session->node)))
		session_end(runner, &runner->session);
	if (!runner->session && runner->next && runner->next->profile == profile) {
		runner->session = runner->next;
		runner->next = NULL;
	}
	if (!runner->session)
		code = session_start(runner, &runner->session, profile, diag);
	session = runner->session;
	if (session) {
		wait_warm(session);
		code = session->code;
		if (code)
			*diag = session->diag;
	}
	if (code && !is_interrupted(runner) && !(session && session->ready))
		runner->unstartable = profile;
	if (!code && !runner->run->node_version) {
		runner->run->node_version = node_version(session->node);
		runner->subversion = xstrdup(node_subversion(session->node));
		runner->run->node_subversion = runner->subversion;
	}
	return code;
}

/* One scenario */

static int
attach(struct runner *runner, struct diag *diag)
{
	struct session *session = runner->session;

	if (session->attached_pid == node_pid(session->node))
		return 0;
	int code = probe_set_attach(runner->set, node_pid(session->node), diag);
	session->attached_pid = code ? 0 : node_pid(session->node);
	char reason[600];
	if ((code == -EPERM || code == -EACCES) &&
	    probe_find_obstacle(probe_set_method(runner->set), reason, sizeof(reason))) {
		/* It will be so for the rest, too. */
		set_broken(runner, true, reason);
		return scenario_skip(diag, "%s", reason);
	}
	return code;
}

static int
fence(struct runner *runner, struct scene *scene, struct diag *diag)
{
	if (!node_is_alive(runner->session->node))
		return 0;
	return node_call(scene->node, scene->deadline, NULL, diag, "syncwithvalidationinterfacequeue", "[]");
}

/* How far the wall clock is ahead of the monotonic one. Bounds of durations compare what the node measured by the one
 * with what was measured by the other. */
static int64_t
clock_offset_ns(void)
{
	struct timespec wall;
	int64_t monotonic_ns = (int64_t)clock_now_ns();

	clock_gettime(CLOCK_REALTIME, &wall);
	return (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - monotonic_ns;
}

/* More than reading the two clocks one after the other and the clock's own discipline explain. */
static bool
clock_was_set(int64_t before_ns, const struct scene *scene)
{
	int64_t moved_ns = clock_offset_ns() - before_ns;
	int64_t allowed_ns = 20000000 + (int64_t)(scene->act_end_ns - scene->act_start_ns) / 1000;

	return moved_ns > allowed_ns || moved_ns < -allowed_ns;
}

/* Is there memory at that address of the process? */
static bool
is_mapped(pid_t pid, uint64_t address)
{
	char path[64], line[512];
	bool mapped = false;
	uint64_t start, end;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps && !mapped && fgets(line, sizeof(line), maps))
		mapped = sscanf(line, "%" SCNx64 "-%" SCNx64 " r", &start, &end) == 2 && address >= start &&
			 address < end;
	if (maps)
		fclose(maps);
	return mapped;
}

/* A probe cannot wait for a page that is swapped out or on its way to another node. A pointer to such a page is right,
 * though it could not be read: that says nothing about the binary. */
static int
check_resident(const struct scene *scene, struct diag *diag)
{
	for (size_t i = 0; i < scene->events_cnt; i++)
		for (unsigned n = 0; n < scene->events[i].args_cnt; n++) {
			const struct value *value = &scene->events[i].args[n];

			if (value->state == VALUE_BAD_POINTER && value->error == EFAULT &&
			    node_is_alive(scene->node) && is_mapped(node_pid(scene->node), value->u))
				return diag_fail(
					diag, -EFAULT,
					"argument %u of %s points at memory that was not resident when the probe read it; run it again, with more memory free",
					n + 1, contract_get(scene->events[i].tracepoint)->full_name);
		}
	return 0;
}

static int
use_node(struct runner *runner, const struct scenario *scenario, struct scene *scene, struct diag *diag)
{
	int code = session_use(runner, scenario->profile, diag);

	if (runner->session) {
		scene->node = runner->session->node;
		scene->coins = &runner->session->coins;
		scene->wallets = &runner->session->wallets;
	}
	return code;
}

/* Asks a node once whether it has the wallet. */
static int
need_wallet(struct runner *runner, const struct scenario *scenario, struct scene *scene, struct diag *diag)
{
	if (runner->wallet == WALLET_UNKNOWN) {
		int code = use_node(runner, scenario, scene, diag);

		if (!code)
			code = node_call(scene->node, scene->deadline, NULL, diag, "listwallets", "[]");
		if (code && !(code == -EREMOTEIO && node_rpc_code(scene->node) == NODE_RPC_NO_METHOD))
			return code;
		runner->wallet = code ? WALLET_NONE : WALLET_THERE;
	}
	if (runner->wallet == WALLET_THERE)
		return 0;
	if (runner->next && runner->next->profile == scenario->profile)
		session_end(runner, &runner->next);
	return scenario_skip(
		diag,
		"this bitcoind has no wallet: it does not know the RPC listwallets; build it with -DENABLE_WALLET=ON (before v29: ./configure --enable-wallet)");
}

/* Companions that the binary lacks, or whose notes are wrong already: their own scenarios tell. */
static uint64_t
companions_to_leave_out(const struct runner *runner, const struct scenario *scenario)
{
	uint64_t tracepoints = runner->plan.missing | runner->plan.later;

	for (int id = 0; id < TRACEPOINTS_CNT; id++)
		if (runner->plan.findings[id].cnt && id != (int)scenario->subject)
			tracepoints |= TP_BIT(id);
	return tracepoints;
}

/* From arm to match; events and records live until the next arm. */
static int
run_steps(struct runner *runner, const struct scenario *scenario, struct scene *scene, struct event **events,
	  struct findings *findings, struct diag *diag)
{
	struct record_list records = {0};
	uint64_t left_out = companions_to_leave_out(runner, scenario);
	uint64_t tracepoints = scenario->tracepoints & ~left_out;
	int code = scenario->prepare ? scenario->prepare(scene, diag) : 0;

	if (!code)
		code = attach(runner, diag);
	if (!code)
		code = probe_set_arm(runner->set, tracepoints, diag);
	if (code)
		return code;
	int64_t offset_ns = clock_offset_ns();
	scene->log_mark = node_log_mark(scene->node);
	scene->act_start_ns = clock_now_ns();
	code = scenario->act(scene, diag);
	if (!code)
		code = fence(runner, scene, diag);
	scene->act_end_ns = clock_now_ns();
	/* Collected after a failed act as well: what came so far explains it. */
	struct diag collect_diag;
	int collected =
		probe_set_collect(runner->set, deadline_in_ms(COLLECT_MS), &records, NULL, &collect_diag);
	if (plan_decode(&runner->plan, &records, events, code || collected ? NULL : diag) && !code &&
	    !collected)
		return -EBADMSG;
	scene->events = *events;
	scene->events_cnt = *events ? records.cnt : 0;
	if (code)
		return code;
	if (collected)
		return diag_fail(diag, collected, "%s", collect_diag.text);
	if (clock_was_set(offset_ns, scene))
		return diag_fail(
			diag, -EAGAIN,
			"the machine's clock was set meanwhile: durations cannot be judged; run it again");
	code = check_resident(scene, diag);
	if (!code)
		code = scenario->expect(scene, diag);
	if (code)
		return code;
	expect_drop(scene->expect, left_out);
	return expect_match(scene->expect, scenario->subject, scene->events, scene->events_cnt, findings,
			    diag);
}

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
judge(struct runner *runner, struct report_result *result)
{
	size_t contract = 0, details = 0;

	for (size_t i = 0; i < result->findings.cnt; i++) {
		if (result->findings.items[i].kind == FINDING_CONTRACT)
			contract++;
		else
			details++;
	}
	result->outcome = contract || (details && !runner->opts->details_warn) ? OUTCOME_FAIL : OUTCOME_PASS;
}

static bool
is_same_context(const char *a, const char *b)
{
	return strcspn(a, ".") == strcspn(b, ".") && !strncmp(a, b, strcspn(a, "."));
}

/* A node that hangs in one context may be well in another; if it hangs in two, that is enough. */
static void
count_timeouts(struct runner *runner, const struct scenario *scenario, int code)
{
	static const char text[] = "not tried: the scenarios before it ran out of time, one after the other";

	runner->timeouts = code == -ETIMEDOUT ? runner->timeouts + 1 : 0;
	if (runner->timeouts < TIMEOUTS_MAX)
		return;
	if (runner->given_up)
		set_broken(runner, false, text);
	runner->given_up = scenario->name;
	runner->timeouts = 0;
}

static int
skip_later(const struct runner *runner, const struct scenario *scenario, struct diag *diag)
{
	const struct contract_tracepoint *row = contract_get(scenario->subject);
	char judged[16], since[16];

	return scenario_skip(diag, "%s came with %s; this bitcoind is judged as %s", row->full_name,
			     release_name(row->since, since), release_name(runner->plan.release, judged));
}

static void
run_scenario(struct runner *runner, const struct scenario *scenario, struct report_result *result)
{
	uint64_t began = clock_now_ns();
	struct scene scene = {
		.release = runner->plan.release,
		.deadline = deadline_in_ms(runner->opts->timeout_ms),
		.expect = expect_new(),
		.state = scenario->state_sz ? xcalloc(1, scenario->state_sz) : NULL,
	};
	struct event *events = NULL;
	struct diag diag = {.text = ""};
	expect_release(scene.expect, runner->plan.release);
	int code = 0;

	if (runner->given_up && is_same_context(runner->given_up, scenario->name))
		code = diag_fail(
			&diag, -ECANCELED,
			"not tried: the scenarios of this context before it ran out of time, one after the other");
	if (!code && runner->plan.later & TP_BIT(scenario->subject))
		code = skip_later(runner, scenario, &diag);
	if (!code && scenario->needs_wallet)
		code = need_wallet(runner, scenario, &scene, &diag);
	if (!scenario_is_skip(code))
		copy_findings(&result->findings, &runner->plan.findings[scenario->subject]);
	if (!code && !(runner->plan.missing & TP_BIT(scenario->subject))) {
		code = use_node(runner, scenario, &scene, &diag);
		if (!code)
			code = run_steps(runner, scenario, &scene, &events, &result->findings, &diag);
	}
	judge(runner, result);
	if (code) {
		/* What the notes show to be wrong is wrong whether or not the rest could be tried. */
		if (result->outcome != OUTCOME_FAIL || !scenario_is_skip(code))
			result->reason = xstrdup(diag.text);
		if (result->outcome != OUTCOME_FAIL)
			result->outcome = scenario_is_skip(code) ? OUTCOME_SKIP : OUTCOME_ERROR;
		if (is_interrupted(runner)) {
			free(result->reason);
			result->reason = xstrdup("interrupted");
			runner->run->interrupted = true;
		}
	}
	count_timeouts(runner, scenario, code);
	result->duration_ms = (clock_now_ns() - began) / 1000000;
	if (result->outcome == OUTCOME_FAIL ||
	    (result->outcome == OUTCOME_ERROR && !is_interrupted(runner))) {
		result->repeat = xasprintf("%s '%s'", runner->opts->repeat_prefix, scenario->name);
		result->artifacts = artifacts_keep(runner->opts->artifacts, scenario->name, scene.node,
						   scene.events, scene.events_cnt, result,
						   runner->set ? probe_set_text(runner->set) : NULL);
	}
	if (scenario->clean)
		scenario->clean(&scene);
	scene_release(&scene);
	if (scene.node && (code || result->outcome == OUTCOME_FAIL))
		session_end(runner, &runner->session);
	free(events);
	expect_free(scene.expect);
	free(scene.state);
}

/* All */

static uint64_t
all_tracepoints(const struct scenario *const *list)
{
	uint64_t tracepoints = 0;

	for (; *list; list++)
		tracepoints |= (*list)->tracepoints;
	return tracepoints;
}

static void
prepare(struct runner *runner)
{
	const struct runner_opts *opts = runner->opts;
	struct diag diag;
	int code = notes_open(&runner->notes, opts->bitcoind, &diag);

	if (code) {
		set_broken(runner, false, diag.text);
		return;
	}
	char reason[600];
	if (probe_find_early_obstacle(reason, sizeof(reason))) {
		set_broken(runner, true, reason);
		return;
	}
	if (!notes_is_native(runner->notes)) {
		set_broken(runner, true, "the bitcoind is for another machine than this one");
		return;
	}
	if (!notes_cnt(runner->notes)) {
		set_broken(
			runner, true,
			"the bitcoind has no tracepoints at all: it was built without USDT support; build it with -DWITH_USDT=ON (before v29: ./configure --enable-usdt), with sys/sdt.h installed (Debian, Ubuntu: systemtap-sdt-dev)");
		return;
	}
	plan_make(&runner->plan, runner->notes, opts->release ? opts->release : RELEASE_MASTER,
		  all_tracepoints(opts->scenarios));
	if (!runner->plan.points_cnt)
		return;
	/* The first node starts while the probes compile. */
	if (opts->scenarios[0] && session_start(runner, &runner->next, opts->scenarios[0]->profile, &diag)) {
		set_broken(runner, false, diag.text);
		return;
	}
	code = probe_set_new(&runner->set, runner->plan.points, runner->plan.points_cnt, &opts->probe, &diag);
	if (code) {
		/* What this machine does not allow says nothing about the binary, and doctor's words say what
		 * would help. */
		bool obstacle = probe_find_obstacle(opts->probe.method, reason, sizeof(reason));
		set_broken(runner, obstacle, obstacle ? reason : diag.text);
		return;
	}
	runner->run->attach = probe_method_name(probe_set_method(runner->set));
}

/* Starts the node of the next profile while the scenarios of this one run. */
static void
look_ahead(struct runner *runner, const struct scenario *const *rest)
{
	const struct profile *now = rest[0]->profile;

	if (runner->next || runner->broken)
		return;
	while (*rest && ((*rest)->profile == now || ((*rest)->needs_wallet && runner->wallet == WALLET_NONE)))
		rest++;
	/* If it cannot be started, the scenario that needs it will say so. */
	if (*rest && session_start(runner, &runner->next, (*rest)->profile, NULL))
		runner->next = NULL;
}

struct runner *
runner_run(const struct runner_opts *opts, struct report_run *run)
{
	struct runner *runner = xcalloc(1, sizeof(*runner));
	uint64_t began = clock_now_ns();
	size_t of = 0;

	*runner = (struct runner){.opts = opts, .run = run};
	run->node_path = opts->bitcoind;
	run->node_subversion = "";
	while (opts->scenarios[of])
		of++;
	run->results = xcalloc(of, sizeof(*run->results));
	if (opts->on_begin)
		opts->on_begin(opts->cookie, "compiling the probes", 0, of);
	prepare(runner);
	for (size_t i = 0; i < of; i++) {
		const struct scenario *scenario = opts->scenarios[i];
		struct report_result *result = &run->results[run->results_cnt++];

		*result = (struct report_result){.name = scenario->name};
		if (opts->on_begin)
			opts->on_begin(opts->cookie, scenario->name, i + 1, of);
		if (is_interrupted(runner)) {
			run->interrupted = true;
			result->outcome = OUTCOME_ERROR;
			result->reason = xstrdup("interrupted before it began");
		} else if (runner->broken) {
			result->outcome = runner->broken_is_skip ? OUTCOME_SKIP : OUTCOME_ERROR;
			result->reason = xstrdup(runner->broken);
		} else {
			if (runner->session)
				look_ahead(runner, &opts->scenarios[i]);
			run_scenario(runner, scenario, result);
		}
		if (opts->on_end)
			opts->on_end(opts->cookie, result);
	}
	session_end(runner, &runner->session);
	session_end(runner, &runner->next);
	run->duration_ms = (clock_now_ns() - began) / 1000000;
	return runner;
}

void
runner_finish(struct runner *runner)
{
	if (!runner)
		return;
	probe_set_free(runner->set);
	plan_fini(&runner->plan);
	notes_free(runner->notes);
	free(runner->broken);
	free(runner->subversion);
	free(runner);
}
