/* utxocache:add and utxocache:spent when bitcoind was ended in the middle of writing its coins: at the next start it
 * takes back the blocks that are no longer in the chain, and does those again that are. It does so in a temporary
 * cache: a detail. */
#include "base/text.h"
#include "base/xmem.h"
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/history.h"
#include "scene/pool.h"

#include <stdlib.h>
#include <unistd.h>

enum { OLD_HEIGHT = 6, NEW_HEIGHT = 7 }; /* of coinbases that the blocks spend */

struct state {
	struct block *old_tip, *branch[2], *next;
	struct pool_tx *old, *first, *second; /* transactions of the old tip and of the branch */
	struct coin_facts old_coin;           /* what the old one spends */
};

static void
make_blocks(struct scene *scene)
{
	struct state *state = scene->state;
	struct chain_coin coin = pool_coinbase(scene, OLD_HEIGHT);

	state->old_coin = blocks_coin_facts(scene, &coin);
	state->old = pool_spender(scene, "the old tip's transaction", coin, 3, 4321);
	state->first = pool_spender(scene, "the branch's first transaction", pool_coinbase(scene, NEW_HEIGHT),
				    3, 5432);
	state->second = pool_child(scene, "its child", state->first, 2, 2, 6543);
	state->old_tip = blocks_begin(scene, 0);
	block_add_tx(state->old_tip, &state->old->tx);
	state->branch[0] = blocks_begin(scene, -1);
	block_add_tx(state->branch[0], &state->first->tx);
	blocks_finish(scene, state->branch[0]);
	state->branch[1] = blocks_begin_after(scene, state->branch[0], 0);
	block_add_tx(state->branch[1], &state->second->tx);
	blocks_finish(scene, state->branch[1]);
	state->next = blocks_begin_after(scene, state->branch[1], 0);
}

/* A bitcoind that ends in order removes its file with the PID. */
static void
require_crash(struct scene *scene)
{
	char *path = xasprintf("%s/regtest/bitcoind.pid", node_datadir(scene->node));

	if (scene_ok(scene) && access(path, F_OK))
		scene_skip(scene, "-dbcrashratio=1 did not end this bitcoind while it wrote its coins");
	free(path);
}

/* The old tip is on disk. Its successors are not, except for the first coin that changed with them: bitcoind ends then,
 * by an option for its own tests. */
static void
replayed_prepare(struct scene *scene)
{
	static const char *const crash[] = {"-dbbatchsize=1", "-dbcrashratio=1", NULL},
				 *const normal[] = {"-checklevel=0", NULL};
	struct state *state = scene->state;

	scene_require(scene, ABILITY_ORDERED_WRITES);
	make_blocks(scene);
	blocks_submit(scene, state->old_tip);
	history_restart_with(scene, crash);
	history_release(scene);
	blocks_submit_refused(scene, state->branch[0], "inconclusive", "a block of a side branch");
	blocks_submit(scene, state->branch[1]);
	history_end(scene);
	require_crash(scene);
	history_start(scene, normal, NODE_HOLD_CHAIN_STATE);
}

static void
replayed_act(struct scene *scene)
{
	const struct state *state = scene->state;

	history_release(scene);
	blocks_submit(scene, state->next);
}

/* The first output of its transaction had been deleted before, so it is not spent once more. */
static void
expect_taken_back(struct scene *scene)
{
	static const char what[] = "taking back the old tip";
	const struct state *state = scene->state;
	struct coin_facts facts = {.height = state->old_tip->draft.height};

	expect_source(scene->expect, "the old tip as it was submitted");
	tx_txid(&state->old->tx, facts.txid_wire);
	for (facts.vout = 1; facts.vout < (int64_t)state->old->tx.outputs_cnt; facts.vout++) {
		facts.value_sat = state->old->tx.outputs[facts.vout].value_sat;
		blocks_expect_coin(scene, TP_UTXOCACHE_SPENT, FINDING_DETAIL, what, &facts);
	}
	blocks_expect_coin(scene, TP_UTXOCACHE_ADD, FINDING_DETAIL, what, &state->old_coin);
	tx_txid(&state->old_tip->txs[0], facts.txid_wire);
	facts.vout = 0;
	facts.value_sat = state->old_tip->txs[0].outputs[0].value_sat;
	facts.is_coinbase = true;
	blocks_expect_coin(scene, TP_UTXOCACHE_SPENT, FINDING_DETAIL, what, &facts);
}

static void
replayed_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	char hash_hex[65];

	expect_extra_kind(scene->expect, FINDING_DETAIL);
	expect_taken_back(scene);
	for (int i = 0; i < 2; i++) {
		format_hash(state->branch[i]->hash_wire, hash_hex);
		blocks_expect_connected_coins(scene, blocks_get(scene, hash_hex), FINDING_DETAIL,
					      "doing a block again");
	}
	format_hash(state->next->hash_wire, hash_hex);
	blocks_expect_block(scene, blocks_get(scene, hash_hex));
	pool_clear(scene);
}

DEFINE_SCENARIO(utxocache, spent, replayed,
	.summary = "after a crash while coins were written, blocks are disconnected and replayed in a temporary cache (a detail)",
	.subject = TP_UTXOCACHE_SPENT,
	.tracepoints = TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) |
		       TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &profile_history,
	.ends_node = true, /* it makes the chain longer */
	.state_sz = sizeof(struct state),
	.prepare = replayed_prepare,
	.act = replayed_act,
	.expect = replayed_expect,
);
