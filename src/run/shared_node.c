#include "run/shared_node.h"

#include "base/signals.h"
#include "base/xmem.h"
#include "run/sanitizer.h"
#include "scene/coins.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_POLL_MS = 20, CHAIN_MAX = 1 << 24 };

struct shared_node {
	const struct profile *profile;
	struct node *node, *partner;
	struct coin_pool coins;
	struct wallet_pool wallets;
	struct sanitizer_scan *scan;
	uint64_t scanned; /* bytes of the node's output */
	const atomic_int *interrupted;
	struct shared_node_opts opts;
	/* The thread starts the node and ends it, and lives as long as it: bitcoind is killed when the thread that
	 * started it ends. */
	pthread_t thread;
	sem_t warm, leave;
	bool has_left;
	/* The thread's until warm was posted: */
	struct deadline deadline;
	bool ready;
	int err;
	struct diag diag;
	int end_err; /* of node_free */
};

static void
wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) && errno == EINTR)
		;
}

static int
start_node(struct node **out, const struct profile *profile, const struct buf *blocks,
	   const struct shared_node_opts *opts, struct diag *diag)
{
	struct node_opts node_opts = {
		.bitcoind = opts->bitcoind,
		.args = profile->args,
		.args_if_known = profile->args_if_known,
		.blocks = blocks,
		.short_log = true, /* until it is warm; a partner's is never read */
		.listen = profile->listen,
		.own_network = profile->own_network,
		.finds_peers = profile->finds_peers,
		.proxy = profile->proxy,
		.i2p = profile->i2p,
		.user = opts->user,
		.sudo_uid = opts->sudo_uid,
		.same_user = opts->same_user,
		.env = opts->env,
		.start_hint = opts->env_hint,
		.parent_dir = opts->tmpdir,
		.keeper = opts->keeper,
		.interrupted = opts->interrupted,
	};

	return node_start(out, &node_opts, diag);
}

static void
warm_up(struct shared_node *shared, struct scene *scene)
{
	const struct profile *profile = shared->profile;

	shared_node_enter(shared, scene);
	scene->err = node_wait_ready(shared->node, shared->deadline, &scene->diag);
	if (!scene->err && shared->partner)
		scene->err = node_wait_ready(shared->partner, shared->deadline, &scene->diag);
	shared->ready = !scene->err;
	if (profile->submits_blocks)
		coins_submit_chain(scene, profile);
	if (!profile->no_blocks)
		coins_require_chain(scene, profile);
	if (profile->warm)
		profile->warm(scene);
	if (!scene->err)
		scene->err = node_log_details(shared->node, shared->deadline, &scene->diag);
}

static int
start_nodes(struct shared_node *shared, struct diag *diag)
{
	const struct profile *profile = shared->profile;
	struct buf chain, *blocks = profile->no_blocks || profile->submits_blocks ? NULL : &chain;
	int err = 0;

	buf_init(&chain, CHAIN_MAX);
	if (blocks)
		err = coins_start_chain(profile, blocks, diag);
	if (!err)
		err = start_node(&shared->node, profile, blocks, &shared->opts, diag);
	if (!err && profile->partner)
		err = start_node(&shared->partner, profile->partner, blocks, &shared->opts, diag);
	buf_fini(&chain);
	return err;
}

static void *
live(void *arg)
{
	struct shared_node *shared = arg;
	struct scene scene = {.deadline = shared->deadline};

	scene.err = start_nodes(shared, &scene.diag);
	if (!scene.err)
		warm_up(shared, &scene);
	shared->err = scene.err;
	shared->diag = scene.diag;
	scene_release(&scene);
	sem_post(&shared->warm);
	wait_for(&shared->leave);
	int err = node_free(shared->node), partner_err = node_free(shared->partner);
	shared->end_err = err ? err : partner_err;
	return NULL;
}

static void
destroy(struct shared_node *shared)
{
	sem_destroy(&shared->warm);
	sem_destroy(&shared->leave);
	sanitizer_scan_free(shared->scan);
	free(shared);
}

int
shared_node_start(struct shared_node **out, const struct profile *profile,
		  const struct shared_node_opts *opts, struct diag *diag)
{
	struct shared_node *shared = xcalloc(1, sizeof(*shared));

	*out = NULL;
	shared->profile = profile;
	shared->opts = *opts;
	shared->scan = sanitizer_scan_new();
	shared->interrupted = opts->interrupted;
	shared->deadline = deadline_in_ms(opts->timeout_ms);
	sem_init(&shared->warm, 0, 0);
	sem_init(&shared->leave, 0, 0);
	int err = signals_start_thread(&shared->thread, live, shared);
	if (err) {
		destroy(shared);
		return diag_fail(diag, err, "runner: failed to start a thread: %s", strerror(-err));
	}
	*out = shared;
	return 0;
}

int
shared_node_wait(struct shared_node *shared, struct diag *diag)
{
	wait_for(&shared->warm);
	sem_post(&shared->warm);
	return shared->err ? diag_fail(diag, shared->err, "%s", shared->diag.text) : 0;
}

bool
shared_node_was_ready(const struct shared_node *shared)
{
	return shared->ready;
}

bool
shared_node_is_usable(const struct shared_node *shared, const struct profile *profile)
{
	return shared->profile == profile && !shared->err && shared->node && node_is_alive(shared->node) &&
	       (!shared->partner || node_is_alive(shared->partner));
}

const struct profile *
shared_node_profile(const struct shared_node *shared)
{
	return shared->profile;
}

struct node *
shared_node_node(const struct shared_node *shared)
{
	return shared->node;
}

void
shared_node_enter(struct shared_node *shared, struct scene *scene)
{
	scene->node = shared->node;
	scene->partner = shared->partner;
	scene->coins = &shared->coins;
	scene->wallets = &shared->wallets;
}

static void
scan_output(struct shared_node *shared, struct findings *findings)
{
	char text[16384];
	size_t len;

	while ((len = node_read_output(shared->node, shared->scanned, text, sizeof(text)))) {
		sanitizer_scan_feed(shared->scan, text, len, findings);
		shared->scanned += len;
	}
}

void
shared_node_find_reports(struct shared_node *shared, struct deadline deadline, struct findings *findings)
{
	bool is_over;

	if (!shared->node)
		return;
	do {
		is_over = !node_is_alive(shared->node) || deadline_has_passed(deadline) ||
			  (shared->interrupted && *shared->interrupted);
		scan_output(shared, findings);
		is_over |= !sanitizer_scan_is_reporting(shared->scan);
		if (!is_over)
			clock_pause_ms(REPORT_POLL_MS, deadline);
	} while (!is_over);
	sanitizer_scan_flush(shared->scan, findings);
}

int
shared_node_stop(struct shared_node *shared, struct deadline deadline, struct findings *findings,
		 struct diag *diag)
{
	size_t cnt = findings->cnt;
	int err = 0;

	shared_node_find_reports(shared, deadline, findings);
	if (node_is_alive(shared->node))
		err = node_stop(shared->node, deadline, diag);
	shared_node_find_reports(shared, deadline_in_ms(0), findings);
	const char *obstacle = sanitizer_scan_take_obstacle(shared->scan);
	if (obstacle)
		return diag_fail(diag, -EPERM, "%s", obstacle);
	/* A node that a sanitizer ended, or made exit with its own code, is explained by the report. */
	return findings->cnt > cnt && err != -ETIMEDOUT && err != -EINTR ? 0 : err;
}

void
shared_node_leave(struct shared_node *shared)
{
	if (!shared || shared->has_left)
		return;
	shared->has_left = true;
	sem_post(&shared->leave);
}

int
shared_node_end(struct shared_node *shared)
{
	if (!shared)
		return 0;
	shared_node_leave(shared);
	pthread_join(shared->thread, NULL);
	int err = shared->end_err;
	destroy(shared);
	return err;
}
