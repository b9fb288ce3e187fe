#include "run/team.h"

#include "base/xmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
team_init(struct team *team, const struct runner_opts *opts, struct report_run *run)
{
	*team = (struct team){.opts = opts, .run = run};
	team->workers_cnt = team->ahead_max = 1;
	team->machine = opts->machine ? opts->machine : &machine_real;
	pthread_mutex_init(&team->lock, NULL);
	pthread_cond_init(&team->changed, NULL);
}

void
team_fini(struct team *team)
{
	queue_fini(&team->queue);
	probe_set_free(team->set);
	plan_fini(&team->plan);
	notes_free(team->notes);
	pthread_cond_destroy(&team->changed);
	pthread_mutex_destroy(&team->lock);
	free(team->is_done);
	free(team->obstacle);
	free(team->subversion);
}

bool
team_is_interrupted(const struct team *team)
{
	return team->opts->interrupted && *team->opts->interrupted;
}

void
team_set_obstacle(struct team *team, bool is_skip, const char *text)
{
	pthread_mutex_lock(&team->lock);
	if (!team->obstacle) {
		team->obstacle = xstrdup(text);
		team->obstacle_is_skip = is_skip;
	}
	pthread_mutex_unlock(&team->lock);
}

bool
team_finds_obstacle(struct team *team, struct report_result *result)
{
	bool is_interrupted = team_is_interrupted(team);

	pthread_mutex_lock(&team->lock);
	bool found = is_interrupted || team->obstacle;
	if (is_interrupted) {
		team->run->interrupted = true;
		result->outcome = OUTCOME_ERROR;
		result->reason = xstrdup("interrupted before it began");
	} else if (found) {
		result->outcome = team->obstacle_is_skip ? OUTCOME_SKIP : OUTCOME_ERROR;
		result->reason = xstrdup(team->obstacle);
		/* The summary gives the reason, once. */
		result->omit_from_text = team->obstacle_is_skip && team->obstacle_is_early;
	}
	pthread_mutex_unlock(&team->lock);
	return found;
}

void
team_note_remains(struct team *team, int err)
{
	pthread_mutex_lock(&team->lock);
	if (!team->remains_err)
		team->remains_err = err;
	pthread_mutex_unlock(&team->lock);
}

void
team_note_version(struct team *team, const struct node *node)
{
	pthread_mutex_lock(&team->lock);
	if (!team->run->node_version) {
		team->run->node_version = node_version(node);
		team->subversion = xstrdup(node_subversion(node));
		team->run->node_subversion = team->subversion;
	}
	pthread_mutex_unlock(&team->lock);
}

void
team_note_interrupt(struct team *team)
{
	pthread_mutex_lock(&team->lock);
	team->run->interrupted = true;
	pthread_mutex_unlock(&team->lock);
}

enum team_wallet
team_wallet(struct team *team)
{
	pthread_mutex_lock(&team->lock);
	enum team_wallet wallet = team->wallet;
	pthread_mutex_unlock(&team->lock);
	return wallet;
}

void
team_set_wallet(struct team *team, enum team_wallet wallet)
{
	pthread_mutex_lock(&team->lock);
	team->wallet = wallet;
	pthread_mutex_unlock(&team->lock);
}

int
team_get_set(struct team *team, struct probe_set **out, struct diag *diag)
{
	pthread_mutex_lock(&team->lock);
	bool is_first = !team->is_set_used;
	team->is_set_used = true;
	pthread_mutex_unlock(&team->lock);
	if (!is_first)
		return probe_set_copy(out, team->set, diag);
	*out = team->set;
	return 0;
}

void
team_note_attached(struct team *team)
{
	pthread_mutex_lock(&team->lock);
	team->has_attached = true;
	pthread_mutex_unlock(&team->lock);
}

void
team_count_timeout(struct team *team, const struct scenario *scenario, int err)
{
	pthread_mutex_lock(&team->lock);
	timeouts_count(&team->timeouts, scenario->name, err);
	bool is_enough = team->timeouts.all;
	pthread_mutex_unlock(&team->lock);
	if (is_enough)
		team_set_obstacle(team, false,
				  "not tried: the scenarios before it ran out of time, one after the other");
}

bool
team_rules_out(struct team *team, const struct scenario *scenario)
{
	pthread_mutex_lock(&team->lock);
	bool is_out = timeouts_rule_out(&team->timeouts, scenario->name);
	pthread_mutex_unlock(&team->lock);
	return is_out;
}

/* Nodes */

int
team_start_node(struct team *team, struct shared_node **out, const struct profile *profile, struct diag *diag)
{
	struct shared_node_opts opts = {
		.bitcoind = team->opts->bitcoind,
		.user = team->opts->user,
		.sudo_uid = team->opts->sudo_uid,
		.same_user = team->opts->same_user,
		.tmpdir = team->opts->tmpdir,
		.env = team->opts->env,
		.env_hint = team->opts->env_hint,
		.keeper = team->opts->probe.keeper,
		.timeout_ms = team->opts->timeout_ms,
		.interrupted = team->opts->interrupted,
	};

	return shared_node_start(out, profile, &opts, diag);
}

/* Whether all scenarios of the group need the wallet, and there is none. */
static bool
needs_missing_wallet(const struct team *team, const struct group *group)
{
	bool needs = team->wallet == WALLET_NONE;

	for (size_t i = 0; i < group->cnt; i++)
		needs &= team->opts->scenarios[group->first + i]->needs_wallet;
	return needs;
}

enum { AHEAD_MAX = 8, NODE_MB = 160, SANITIZED_NODE_MB = 1024 };

void
team_choose_size(struct team *team)
{
	unsigned long mb = team->machine->memory_mb();
	unsigned long node_mb = team->has_sanitizer ? SANITIZED_NODE_MB : NODE_MB;
	/* Half of it, as others need some, too. */
	unsigned long nodes = mb ? mb / 2 / node_mb : 2;
	unsigned long workers = team->opts->jobs;

	if (workers > team->queue.groups_cnt)
		workers = team->queue.groups_cnt;
	/* Each may have a node that ends while the next one starts. */
	if (workers > nodes / 2)
		workers = nodes / 2;
	team->workers_cnt = workers ? (unsigned)workers : 1;
	team->ahead_max = nodes > 2 * team->workers_cnt ? (unsigned)nodes - 2 * team->workers_cnt : 1;
	if (team->workers_cnt == 1)
		team->ahead_max = 1;
	if (team->ahead_max > AHEAD_MAX)
		team->ahead_max = AHEAD_MAX;
}

void
team_end_untaken(struct team *team)
{
	for (size_t i = 0; i < team->queue.groups_cnt; i++) {
		team_note_remains(team, shared_node_end(team->queue.groups[i].node));
		team->queue.groups[i].node = NULL;
	}
}

void
team_look_ahead(struct team *team)
{
	struct group *group;

	pthread_mutex_lock(&team->lock);
	unsigned most = team->set ? team->ahead_max : team->workers_cnt;
	while (!team->obstacle && !team_is_interrupted(team) && team->ahead_cnt < most &&
	       (group = queue_ahead(&team->queue)) && !needs_missing_wallet(team, group)) {
		struct shared_node *node = NULL;

		if (team_start_node(team, &node, group->profile, NULL))
			break;
		group->node = node;
		team->ahead_cnt++;
	}
	pthread_mutex_unlock(&team->lock);
}

bool
team_take(struct team *team, struct group **group, size_t *idx, bool *is_last, struct shared_node **ahead)
{
	*ahead = NULL;
	pthread_mutex_lock(&team->lock);
	bool found = queue_take(&team->queue, group, idx, is_last);
	if (found && (*group)->node) {
		*ahead = (*group)->node;
		(*group)->node = NULL;
		team->ahead_cnt--;
	}
	pthread_mutex_unlock(&team->lock);
	return found;
}

void
team_is_done(struct team *team, size_t idx)
{
	pthread_mutex_lock(&team->lock);
	team->is_done[idx] = true;
	pthread_cond_signal(&team->changed);
	pthread_mutex_unlock(&team->lock);
}
