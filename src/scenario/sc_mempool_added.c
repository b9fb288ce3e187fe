/* mempool:added, by each way into the mempool. Each scenario checks all four tracepoints of the mempool in one order,
 * and therefore also shows what does not fire. */
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/coins.h"
#include "scene/pool.h"

#include <errno.h>
#include <stdlib.h>

enum { QUEUE_MAX = 4 };

struct state {
	struct pool_tx *queue[QUEUE_MAX]; /* sent in this order */
	size_t queue_cnt;
	/* Packages of a parent and its child; the first one is NULL where no child pays for its parent. */
	struct pool_tx *child_pays[2], *both_pay[2], *parent_known[2];
	struct pool_tx *parent, *child, *grandchild, *common; /* of a reorg */
	struct block *branch;
	struct pool_tx *sent, *only_tried;
};

/* Appends a transaction to the queue, and returns it. */
static struct pool_tx *
enqueue(struct scene *scene, struct pool_tx *ptx)
{
	struct state *state = scene->state;

	state->queue[state->queue_cnt++] = ptx;
	return ptx;
}

static void
send_queue(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->queue_cnt; i++)
		pool_send(scene, state->queue[i]);
}

static void
expect_queue(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->queue_cnt; i++)
		pool_expect_added(scene, state->queue[i]);
	pool_clear(scene);
}

/* sizes: a virtual size is neither weight nor bytes, and may be determined by signature operations */

static void
sizes_prepare(struct scene *scene)
{
	struct pool_tx *two_inputs =
		enqueue(scene, pool_make(scene, "a transaction of two inputs", 2, 3, 4567));
	enqueue(scene, pool_spender(scene, "a transaction whose size and fee are above 16 and 32 bits",
				    coins_take(scene), POOL_WIDE_OUTPUTS, POOL_WIDE_FEE_SAT + 1234567));
	struct pool_tx *sigops =
		enqueue(scene, pool_make(scene, "a transaction with many signature operations", 1, 1, 30303));
	struct pool_tx *bare = enqueue(scene, pool_new(scene, "a transaction without a witness"));

	pool_add_multisig(sigops, 0, 20001);
	pool_add_multisig(sigops, 0, 20002);
	pool_add_bare(two_inputs, 2, 1000000);
	struct chain_coin coin = blocks_coin_of(&two_inputs->tx, 3);
	pool_spend_bare(bare, &coin);
	pool_pay(bare, 4, 6543);
}

POOL_SCENARIO(added, sizes,
	.summary = "virtual sizes from weight or signature operations, above 16 bits; a fee above 32 bits",
	.subject = TP_MEMPOOL_ADDED,
	.prepare = sizes_prepare,
	.act = send_queue,
	.expect = expect_queue,
);

/* prioritised: fees do not include what prioritisetransaction added to or took from them */

static void
prioritised_prepare(struct scene *scene)
{
	struct pool_tx *raised =
		enqueue(scene, pool_make(scene, "a transaction without a fee, prioritised", 1, 2, 0));
	struct pool_tx *lowered =
		enqueue(scene, pool_make(scene, "a transaction prioritised downwards", 1, 4, 90000));
	struct pool_tx *wide = enqueue(
		scene, pool_make(scene, "a transaction prioritised by more than 32 bits", 3, 1, 2718));

	pool_prioritise(scene, raised, 31415);
	pool_prioritise(scene, lowered, -40001);
	pool_prioritise(scene, wide, POOL_WIDE_FEE_SAT + 77);
}

static void
prioritised_act(struct scene *scene)
{
	struct state *state = scene->state;

	send_queue(scene);
	/* Prioritising what is in the mempool does not add it again. */
	pool_prioritise(scene, state->queue[1], 1234);
}

POOL_SCENARIO(added, prioritised,
	.summary = "prioritised transactions have their own fees; prioritising one again fires nothing",
	.subject = TP_MEMPOOL_ADDED,
	.prepare = prioritised_prepare,
	.act = prioritised_act,
	.expect = expect_queue,
);

/* package: a child that pays for its parent; two that pay for themselves; a parent that is in the mempool already */

static void
package_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx **both = state->both_pay, **known = state->parent_known, **child = state->child_pays;

	both[0] = pool_make(scene, "a parent that pays for itself", 2, 5, 5151);
	known[0] = pool_make(scene, "a parent that was there before", 1, 6, 6161);
	both[1] = pool_child(scene, "the child of the one that pays for itself", both[0], 4, 7, 8181);
	known[1] = pool_child(scene, "the child of the one that was there before", known[0], 5, 9, 9191);
	if (scene_has(scene, ABILITY_CHILD_PAYS)) {
		child[0] = pool_make(scene, "a parent that its child pays for", 1, 2, 0);
		child[1] = pool_child(scene, "a child that pays for its parent", child[0], 1, 3, 71717);
		pool_let_child_pay(scene, child[0], child[1]);
	}
	pool_send(scene, known[0]);
}

static void
package_act(struct scene *scene)
{
	struct state *state = scene->state;

	if (state->child_pays[0])
		pool_submit_package(scene, state->child_pays, 2, true);
	pool_submit_package(scene, state->both_pay, 2, true);
	pool_submit_package(scene, state->parent_known, 2, true);
}

static void
package_expect(struct scene *scene)
{
	struct state *state = scene->state;

	if (state->child_pays[0]) {
		pool_expect_added(scene, state->child_pays[0]);
		pool_expect_added(scene, state->child_pays[1]);
	}
	pool_expect_added(scene, state->both_pay[0]);
	pool_expect_added(scene, state->both_pay[1]);
	pool_expect_added(scene, state->parent_known[1]);
	pool_clear(scene);
}

POOL_SCENARIO(added, package,
	.summary = "packages: parent, then child, each with its own fee; a parent that is already there fires nothing",
	.subject = TP_MEMPOOL_ADDED,
	.prepare = package_prepare,
	.act = package_act,
	.expect = package_expect,
);

/* reorg: a branch replaces the tip. The tip's parent and child come back, but not common, which the branch has as well;
 * grandchild is in the mempool all the time */

static void
reorg_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->parent = pool_make(scene, "a transaction of the old tip", 1, 4, 12345);
	state->common = pool_make(scene, "a transaction of both branches", 1, 2, 23456);
	state->child = pool_child(scene, "its child, of the old tip as well", state->parent, 3, 6, 34567);
	state->grandchild = pool_child(scene, "their child in the mempool", state->child, 5, 1, 45678);

	state->branch = blocks_begin(scene, 0);
	block_add_tx(state->branch, &state->common->tx);

	struct pool_tx *old_tip[] = {state->common, state->parent, state->child};
	pool_mine(scene, old_tip, 3, NULL);
	pool_send(scene, state->grandchild);
	pool_prioritise(scene, state->child, 1001);
}

static void
reorg_act(struct scene *scene)
{
	struct state *state = scene->state;

	blocks_submit_refused(scene, state->branch, "inconclusive", "a side branch");
	blocks_submit(scene, blocks_begin_after(scene, state->branch, 0));
}

static void
reorg_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_added(scene, state->parent);
	pool_expect_added(scene, state->child);
	pool_clear(scene);
}

POOL_SCENARIO(added, reorg,
	.summary = "a reorg: what only the old tip had comes back, parent first, each with its own fee",
	.subject = TP_MEMPOOL_ADDED,
	.prepare = reorg_prepare,
	.act = reorg_act,
	.expect = reorg_expect,
);

/* tried: trying a transaction adds nothing, nor does sending one that is there already */

static void
tried_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->sent = pool_make(scene, "a transaction", 1, 3, 3030);
	state->only_tried = pool_make(scene, "another one", 1, 5, 5050);
}

static void
tried_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *both[] = {state->only_tried, state->sent};
	char *hex = tx_hex(&state->sent->tx);

	pool_try(scene, &state->sent, 1, true);
	pool_try(scene, both, 2, true);
	/* With a limit on the fee, sendrawtransaction tries the transaction first: above the limit, then below. */
	if (scene_call_succeeds(scene, "sendrawtransaction", "[\"%s\", 0.00000100]", hex))
		scene_fail(scene, -EBADMSG, "sendrawtransaction accepted a fee above the limit");
	scene_call(scene, "sendrawtransaction", "[\"%s\"]", hex);
	free(hex);
	/* It is there already. */
	pool_send(scene, state->sent);
}

static void
tried_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_added(scene, state->sent);
	pool_clear(scene);
}

POOL_SCENARIO(added, tried,
	.summary = "trying a transaction, or sending it again, fires nothing; sending it the first time does",
	.subject = TP_MEMPOOL_ADDED,
	.prepare = tried_prepare,
	.act = tried_act,
	.expect = tried_expect,
);
