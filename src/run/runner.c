/* Runs scenarios by workers, which are threads, and reports their results in the order of the list.
 *
 * Threads, because what takes long to make can be shared: the notes, the plan and the compiled probes. All else is a
 * worker's own: its nodes, its set of probes, which observes only its node, and its tracer process with ptrace. A
 * worker runs whole groups (queue.h), so that a node gets the same scenarios in the same order however many workers
 * there are. With one worker, groups are run as listed.
 *
 * The main thread compiles while the first nodes start, then waits for results. Signals are for it; the others look
 * every 0.1 s at most whether there was one. When tpcheck is killed, the kernel kills the nodes, and the keeper undoes
 * the rest. */
#include "run/runner.h"

#include "base/xmem.h"
#include "notes/absence.h"
#include "run/sanitizer.h"
#include "run/team.h"
#include "run/verdict.h"
#include "run/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct runner {
	struct team team;
	struct worker **workers;
	size_t workers_cnt;
};

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
check_binary(struct team *team)
{
	enum absence absence;
	struct diag diag;
	char reason[600];

	if (notes_open(&team->notes, team->opts->bitcoind, &diag))
		team_set_obstacle(team, false, diag.text);
	else if (probe_find_early_obstacle(team->opts->probe.method, reason, sizeof(reason)))
		team_set_obstacle(team, true, reason);
	else if (!notes_is_native(team->notes))
		team_set_obstacle(team, true, "the bitcoind is for another machine than this one");
	else if ((absence = notes_find_absence(team->notes, team->opts->bitcoind, NULL, &diag)))
		team_set_obstacle(team, !absence_is_blind(absence), diag.text);
	else if (!is_bitcoin(team->notes))
		team_set_obstacle(
			team, false,
			"none of the tracepoints in this program is Bitcoin Core's; give the path of a bitcoind");
	return !team->obstacle;
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

/* Compiles the probes; the first nodes start meanwhile. */
static void
make_probes(struct team *team)
{
	const struct runner_opts *opts = team->opts;
	struct probe_opts probe = opts->probe;
	struct diag diag;
	char reason[600];

	probe.owns_process = true;
	probe.sets_cnt = team->workers_cnt;
	if (probe_set_new(&team->set, team->plan.points, team->plan.points_cnt, &probe, &diag)) {
		/* What this machine does not allow says nothing about the binary; the obstacle's text, which doctor
		 * prints as well, says what would help. */
		bool is_skip = probe_find_obstacle(opts->probe.method, reason, sizeof(reason));
		team_set_obstacle(team, is_skip, is_skip ? reason : diag.text);
		return;
	}
	team->run->attach = probe_method_name(probe_set_method(team->set));
	team->run->attach_why = xstrdup_or_null(probe_set_why(team->set));
}

static void
prepare(struct team *team)
{
	const struct runner_opts *opts = team->opts;
	struct diag diag;

	if (!check_binary(team))
		return;
	team->has_sanitizer = sanitizer_is_in(opts->bitcoind) || has_sanitizer_options(opts->env);
	/* All tracepoints, so that a scenario sees the same whichever others are selected. */
	plan_make(&team->plan, team->notes, opts->release ? opts->release : RELEASE_MASTER,
		  (UINT64_C(1) << TRACEPOINTS_CNT) - 1);
	team_choose_size(team);
	if (!team->plan.points_cnt)
		return;
	if (opts->scenarios[0] && !opts->scenarios[0]->profile->own_network && node_check_machine(&diag)) {
		team_set_obstacle(team, true, diag.text);
		return;
	}
	team_look_ahead(team);
	make_probes(team);
}

/* What was kept for a failure is removed if it is none after all. */
static void
drop_repeated(const struct runner_opts *opts, struct verdict_messages *reported, struct report_result *result)
{
	if (!verdict_drop_repeated(opts, reported, result) || result->outcome != OUTCOME_PASS)
		return;
	if (result->artifacts)
		artifacts_drop(opts->artifacts, result->artifacts);
	free(result->artifacts);
	free(result->repeat);
	result->artifacts = result->repeat = NULL;
}

/* Reports the results in order, each as soon as all before it are complete. */
static void
report_all(struct team *team, size_t cnt)
{
	const struct runner_opts *opts = team->opts;
	struct verdict_messages reported = {0};

	for (size_t i = 0; i < cnt; i++) {
		if (opts->on_begin)
			opts->on_begin(opts->cookie, opts->scenarios[i]->name, i + 1, cnt);
		pthread_mutex_lock(&team->lock);
		while (!team->is_done[i])
			pthread_cond_wait(&team->changed, &team->lock);
		drop_repeated(opts, &reported, &team->run->results[i]);
		team->run->results_cnt++;
		pthread_mutex_unlock(&team->lock);
		if (opts->on_end)
			opts->on_end(opts->cookie, &team->run->results[i]);
	}
	verdict_messages_fini(&reported);
}

static void
start_workers(struct runner *runner)
{
	struct team *team = &runner->team;
	struct diag diag;

	runner->workers = xcalloc(team->workers_cnt, sizeof(*runner->workers));
	for (unsigned i = 0; i < team->workers_cnt; i++)
		if (!worker_start(&runner->workers[runner->workers_cnt], team, &diag))
			runner->workers_cnt++;
	if (!runner->workers_cnt)
		team_set_obstacle(team, false, diag.text);
}

/* What is left to do when no thread can be started. */
static void
fail_all(struct team *team, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		team->run->results[i] = (struct report_result){.name = team->opts->scenarios[i]->name};
		team_finds_obstacle(team, &team->run->results[i]);
		team_is_done(team, i);
	}
}

struct runner *
runner_run(const struct runner_opts *opts, struct report_run *run)
{
	struct runner *runner = xcalloc(1, sizeof(*runner));
	struct team *team = &runner->team;
	uint64_t start_ns = clock_now_ns();
	size_t cnt = 0;

	team_init(team, opts, run);
	run->node_path = opts->bitcoind;
	run->node_subversion = "";
	while (opts->scenarios[cnt])
		cnt++;
	run->results = xcalloc(cnt, sizeof(*run->results));
	team->is_done = xcalloc(cnt, sizeof(*team->is_done));
	queue_init(&team->queue, opts->scenarios, opts->jobs > 1);
	if (opts->on_begin)
		opts->on_begin(opts->cookie, "compiling the probes", 0, cnt);
	prepare(team);
	team->obstacle_is_early = team->obstacle != NULL;
	start_workers(runner);
	team_look_ahead(team);
	if (!runner->workers_cnt)
		fail_all(team, cnt);
	report_all(team, cnt);
	for (size_t i = 0; i < runner->workers_cnt; i++)
		worker_join(runner->workers[i]);
	team_end_untaken(team);
	run->duration_ms = (clock_now_ns() - start_ns) / 1000000;
	return runner;
}

bool
runner_finishes_slowly(const struct runner *runner)
{
	const struct probe_set *set = runner->team.set;
	enum probe_method method = set ? probe_set_method(set) : PROBE_METHOD_AUTO;

	return runner->team.has_attached && (method == PROBE_METHOD_PERF || method == PROBE_METHOD_TRACEFS);
}

int
runner_finish(struct runner *runner)
{
	if (!runner)
		return 0;
	int err = runner->team.remains_err;
	/* Before the set that theirs are copies of. */
	for (size_t i = 0; i < runner->workers_cnt; i++)
		worker_free(runner->workers[i]);
	team_fini(&runner->team);
	free(runner->workers);
	free(runner);
	return err;
}
