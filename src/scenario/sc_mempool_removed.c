/* mempool:removed, for each reason but "replaced", which belongs to mempool:replaced. */
#include "base/buf.h"
#include "base/xmem.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/coins.h"
#include "scene/payload.h"
#include "scene/pool.h"

#include <stdlib.h>
#include <string.h>

struct state {
	struct pool_tx *parent, *child; /* in most scenarios */
	struct pool_tx *wide, *staying, *unknown;
	struct pool_tx *rival, *victim, *mined;
	struct pool_tx *young, *newcomer;
	struct pool_tx *locked, *returning;
	struct pool_tx *imported[2], *replacement;
	struct pool_tx *large, *best, *refused;
	char hash[65]; /* of a block */
};

/* Transactions that are removed for the same reason may come in any order. */
static void
begin_removed_lane(struct scene *scene)
{
	static const struct lane_select removed = {.tracepoints = TP_BIT(TP_MEMPOOL_REMOVED)};

	expect_lane(scene->expect, "removed", LANE_ANY_ORDER, &removed);
}

/* block: a block has wide, which is in the mempool, then unknown, which is not, then parent and child; staying is not
 * in the block */

static void
block_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->parent = pool_make(scene, "a transaction without a fee, prioritised", 1, 2, 0);
	state->child = pool_child(scene, "its child", state->parent, 1, 3, 22222);
	state->wide = pool_spender(scene, "a transaction whose fee is above 32 bits", coins_take(scene), 7,
				   POOL_WIDE_FEE_SAT + 7654321);
	state->staying = pool_make(scene, "a transaction that stays", 2, 1, 44444);
	state->unknown = pool_make(scene, "a transaction that the mempool does not have", 1, 5, 55555);
	pool_prioritise(scene, state->parent, 66666);
	pool_send_at(scene, state->parent, POOL_TIME);
	pool_send(scene, state->staying);
	pool_send_at(scene, state->child, POOL_TIME + 17);
	pool_send_at(scene, state->wide, POOL_TIME + 31);
	scene_set_time(scene, 0);
}

static void
block_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *txs[] = {state->wide, state->unknown, state->parent, state->child};

	pool_mine(scene, txs, 4, state->hash);
}

static void
block_expect(struct scene *scene)
{
	struct state *state = scene->state;

	blocks_expect_block_connected(scene, blocks_get(scene, state->hash));
	pool_expect_removed(scene, state->wide, "block");
	pool_expect_removed(scene, state->parent, "block");
	pool_expect_removed(scene, state->child, "block");
	pool_clear(scene);
}

DEFINE_SCENARIO(mempool, removed, block,
	.summary = "a block removes its transactions from the mempool, in its order, and no others",
	.subject = TP_MEMPOOL_REMOVED,
	.tracepoints = POOL_TRACEPOINTS | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = block_prepare,
	.act = block_act,
	.expect = block_expect,
);

/* conflict: a block has rival, which spends the coins of parent and victim; child goes with its parent; mined is in the
 * block itself */

static void
conflict_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->parent = pool_make(scene, "a transaction whose coin is spent", 1, 2, 1357);
	state->child = pool_child(scene, "the child of the first one", state->parent, 1, 5, 4680);
	state->victim = pool_make(scene, "another one whose coin is spent", 1, 4, 2468);
	state->mined = pool_make(scene, "a transaction of the block", 2, 3, 3579);
	pool_add_multisig(state->mined, 2, 30003);
	struct pool_tx *both[] = {state->parent, state->victim};
	state->rival = pool_rival(scene, "the transaction that spends them", both, 2, 1, 5791);
	pool_prioritise(scene, state->victim, 1234567);
	pool_send_at(scene, state->parent, POOL_TIME + 1);
	pool_send_at(scene, state->child, POOL_TIME + 100);
	pool_send_at(scene, state->victim, POOL_TIME + 1000);
	pool_send_at(scene, state->mined, POOL_TIME + 10000);
	scene_set_time(scene, 0);
}

static void
conflict_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *txs[] = {state->rival, state->mined};

	pool_mine(scene, txs, 2, NULL);
}

static void
conflict_expect(struct scene *scene)
{
	struct state *state = scene->state;

	begin_removed_lane(scene);
	pool_expect_removed(scene, state->parent, "conflict");
	pool_expect_removed(scene, state->child, "conflict");
	pool_expect_removed(scene, state->victim, "conflict");
	pool_expect_removed(scene, state->mined, "block");
}

POOL_SCENARIO(removed, conflict,
	.summary = "a block spends the coins of two transactions: both are removed, and the child of one of them",
	.subject = TP_MEMPOOL_REMOVED,
	.prepare = conflict_prepare,
	.act = conflict_act,
	.expect = conflict_expect,
);

/* expiry: after two weeks parent goes when newcomer comes, and with it child, although child is younger; young stays */

enum { EXPIRY_S = 336 * 3600 };

static void
expiry_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->parent = pool_make(scene, "an old transaction", 2, 3, 8642);
	state->child = pool_child(scene, "the child of the old one", state->parent, 2, 6, 7531);
	state->young = pool_make(scene, "a transaction that is not that old", 1, 2, 9753);
	state->newcomer = pool_make(scene, "the one that comes after two weeks", 3, 5, 864200);
	pool_prioritise(scene, state->child, 12321);
	pool_send_at(scene, state->parent, POOL_TIME + 5);
	pool_send_at(scene, state->child, POOL_TIME + 5555);
	pool_send_at(scene, state->young, POOL_TIME + 5556);
	scene_set_time(scene, POOL_TIME + EXPIRY_S + 4000);
}

static void
expiry_act(struct scene *scene)
{
	struct state *state = scene->state;

	pool_send(scene, state->newcomer);
}

static void
expiry_expect(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *gone[] = {state->parent, state->child};

	pool_expect_added(scene, state->newcomer);
	pool_expect_all_removed(scene, gone, 2, "expiry");
	pool_clear(scene);
}

POOL_SCENARIO(removed, expiry,
	.summary = "a new transaction makes those older than two weeks expire, with their younger children",
	.subject = TP_MEMPOOL_REMOVED,
	.prepare = expiry_prepare,
	.act = expiry_act,
	.expect = expiry_expect,
);

/* reorg: the tip is disconnected. Then parent spends an immature coinbase and goes, with child; so does locked, which
 * may not be mined yet. The tip's own transaction, returning, comes back, and nothing happens to its child */

static void
reorg_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->locked = pool_make(scene, "a transaction for the block after the tip", 1, 2, 6789);
	state->returning = pool_make(scene, "the transaction of the tip", 1, 3, 7890);
	pool_mine(scene, &state->returning, 1, state->hash);
	uint32_t height = blocks_tip(scene).height;
	state->locked->tx.lock_time = height;
	state->parent = pool_spender(scene, "a transaction that spends a coinbase of age 100",
				     pool_coinbase(scene, height + 1 - COINBASE_MATURITY), 4, 8901);
	state->child = pool_child(scene, "its child", state->parent, 3, 5, 9012);
	struct pool_tx *unaffected =
		pool_child(scene, "the child of the tip's transaction", state->returning, 2, 6, 5678);
	pool_prioritise(scene, state->parent, -4321);
	pool_send_at(scene, state->parent, POOL_TIME + 2);
	pool_send_at(scene, state->child, POOL_TIME + 30);
	pool_send_at(scene, state->locked, POOL_TIME + 400);
	pool_send(scene, unaffected);
	/* The clock does not go back to now, or they would expire. */
	scene_set_time(scene, POOL_TIME + 5000);
}

static void
reorg_act(struct scene *scene)
{
	struct state *state = scene->state;

	scene_call(scene, "invalidateblock", "[\"%s\"]", state->hash);
}

static void
reorg_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_added(scene, state->returning);
	begin_removed_lane(scene);
	pool_expect_removed(scene, state->parent, "reorg");
	pool_expect_removed(scene, state->child, "reorg");
	pool_expect_removed(scene, state->locked, "reorg");
	pool_clear(scene);
}

POOL_SCENARIO(removed, reorg,
	.summary = "the tip is disconnected: locked transactions and spenders of a now immature coinbase are removed",
	.subject = TP_MEMPOOL_REMOVED,
	.prepare = reorg_prepare,
	.act = reorg_act,
	.expect = reorg_expect,
);

/* imported: transactions from a file keep their entry times, even above 32 bits. The second one is replaced, then a
 * block takes the first one and the replacement */

#define IMPORTED_TIME ((UINT64_C(5) << 32) + 1234567890)
#define IMPORTED_FILE "imported.dat"

/* The format of mempool.dat (src/node/mempool_persist.cpp), version 1. */
static void
write_mempool(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt)
{
	struct buf *file = scene_buf(scene, 1 << 20);

	payload_add_le(file, 1, 8);
	payload_add_le(file, cnt, 8);
	for (size_t i = 0; i < cnt; i++) {
		tx_serialize(&ptxs[i]->tx, true, file);
		payload_add_le(file, ptxs[i]->entry_time, 8);
		payload_add_le(file, (uint64_t)ptxs[i]->delta_sat, 8);
	}
	buf_add(file, "\0\0", 2); /* no fee deltas of others, nothing to be broadcast */
	if (scene_ok(scene))
		scene->err = node_write_file(scene->node, IMPORTED_FILE, file->data, file->len, &scene->diag);
}

static void
imported_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx **imported = state->imported;

	scene_require(scene, ABILITY_IMPORTMEMPOOL);
	imported[0] = pool_make(scene, "an imported transaction", 1, 5, 5454);
	imported[1] = pool_make(scene, "an imported transaction that is replaced", 1, 3, 6565);
	state->replacement = pool_rival(scene, "its replacement", &imported[1], 1, 2, 76767);
	imported[0]->entry_time = IMPORTED_TIME;
	imported[0]->delta_sat = 777;
	imported[1]->entry_time = IMPORTED_TIME + (UINT64_C(1) << 32) + 7;
	write_mempool(scene, imported, 2);
	scene_set_time(scene, POOL_TIME + 9);
}

static void
imported_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *block[] = {state->imported[0], state->replacement};
	char *path = xasprintf("%s/%s", node_datadir(scene->node), IMPORTED_FILE), *quoted = json_quote(path);

	scene_call(scene, "importmempool",
		   "[%s, {\"use_current_time\": false, \"apply_fee_delta_priority\": true}]", quoted);
	free(path);
	free(quoted);
	pool_send(scene, state->replacement);
	scene_set_time(scene, 0);
	pool_mine(scene, block, 2, NULL);
}

static void
imported_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_added(scene, state->imported[0]);
	pool_expect_added(scene, state->imported[1]);
	pool_expect_replacement(scene, &state->imported[1], 1, &state->replacement, 1);
	pool_expect_removed(scene, state->imported[0], "block");
	pool_expect_removed(scene, state->replacement, "block");
}

POOL_SCENARIO(removed, imported,
	.summary = "transactions from a file, with entry times above 32 bits, are replaced and mined",
	.subject = TP_MEMPOOL_REMOVED,
	.prepare = imported_prepare,
	.act = imported_act,
	.expect = imported_expect,
);

/* sizelimit: in a mempool of 5 MB best takes the room of large, and of parent and child, which pay less; refused pays
 * less than best and is removed at once. Afterwards the node requires higher fees for hours, so this scenario has to be
 * the last one on its node */

/* Empty witness items, each of which takes one byte in the transaction and 24 in memory. The coins allow any witness
 * (P2A, since v28) where transactions need not be standard. */
enum { ANCHOR_ITEMS = 120000, ANCHORS = 3, ANCHOR_SAT = 500000000 };

static struct pool_tx *
make_large(struct scene *scene, const char *name, const struct pool_tx *coins, uint32_t idx, unsigned outputs,
	   int64_t fee_sat)
{
	struct pool_tx *ptx = pool_child(scene, name, coins, idx, outputs, fee_sat);

	for (int i = 0; i < ANCHOR_ITEMS; i++)
		tx_add_witness(&ptx->tx.inputs[0], NULL, 0);
	return ptx;
}

/* ANCHORS outputs that allow any witness, then two ordinary ones. */
static struct pool_tx *
make_anchors(struct scene *scene)
{
	static const uint8_t anchor[] = {SCRIPT_OP_1, 2, 0x4e, 0x73};
	/* The first coinbases are in blocks that may be pruned. */
	struct chain_coin coin = pool_coinbase(scene, blocks_tip(scene).height + 1 - COINBASE_MATURITY);
	struct pool_tx *coins = pool_new(scene, "the coins");

	pool_spend(coins, &coin);
	for (int i = 0; i < ANCHORS; i++)
		tx_add_output(&coins->tx, ANCHOR_SAT + i, anchor, sizeof(anchor));
	pool_pay(coins, 2, 100000);
	return coins;
}

static void
sizelimit_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	scene_require(scene, ABILITY_CHEAP_FULL_POOL);
	struct pool_tx *coins = make_anchors(scene);
	struct pool_tx *unwritten = pool_child(scene, "what parent spends", coins, ANCHORS + 1, 1, 1000);
	state->parent = pool_child(scene, "the cheapest transaction", unwritten, 0, 3, 333);
	state->child = pool_child(scene, "its child", state->parent, 2, 2, 444);
	state->large = make_large(scene, "the cheapest large transaction", coins, 0, 2, 123456);
	state->best = make_large(scene, "the large transaction that pays most", coins, 1, 3, 987654);
	state->refused =
		make_large(scene, "the large transaction that there is no room for", coins, 2, 4, 456789);
	pool_mine(scene, &coins, 1, NULL);
	/* What is on disk as it is in the cache is uncached when the transaction that spends it has to go. */
	scene_call(scene, "gettxoutsetinfo", "[\"none\"]");
	pool_mine(scene, &unwritten, 1, NULL);
	pool_send_at(scene, state->parent, POOL_TIME + 3);
	pool_send_at(scene, state->child, POOL_TIME + 44);
	pool_send_at(scene, state->large, POOL_TIME + 555);
	scene_set_time(scene, POOL_TIME + 6666);
}

static void
sizelimit_act(struct scene *scene)
{
	struct state *state = scene->state;

	pool_send(scene, state->best);
	pool_send_refused(scene, state->refused);
}

/* Empties the mempool by a small block that spends best's coin, which takes less time than one that has best. */
static void
mine_rival_of_best(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *rival = pool_rival(scene, "what empties the mempool", &state->best, 1, 1, 1000);

	pool_set_witness(rival, "", 0);
	scene_set_time(scene, 0);
	pool_mine(scene, &rival, 1, NULL);
}

/* Those of the transactions that have to go, except the one that is not on disk, and the one that only the mempool
 * had. */
static void
expect_uncached(struct scene *scene)
{
	static const struct lane_select uncached = {.tracepoints = TP_BIT(TP_UTXOCACHE_UNCACHE)};
	struct state *state = scene->state;
	const struct pool_tx *gone[] = {state->large, state->refused};

	expect_lane(scene->expect, "uncached", LANE_ANY_ORDER, &uncached);
	for (int i = 0; i < 2; i++) {
		const struct tx_input *input = &gone[i]->tx.inputs[0];
		struct chain_coin coin = {.idx = input->prev_idx};

		memcpy(coin.txid_wire, input->prev_txid_wire, 32);
		struct coin_facts facts = blocks_coin_facts(scene, &coin);
		expect_source(scene->expect, "gettxout of the coin of %s", gone[i]->name);
		blocks_expect_coin(scene, TP_UTXOCACHE_UNCACHE, FINDING_CONTRACT,
				   "a coin of a transaction that had to go", &facts);
	}
	expect_main_lane(scene->expect);
}

static void
sizelimit_expect(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *gone[] = {state->parent, state->child};

	expect_uncached(scene);
	pool_expect_added(scene, state->best);
	pool_expect_all_removed(scene, gone, 2, "sizelimit");
	pool_expect_removed(scene, state->large, "sizelimit");
	pool_expect_added(scene, state->refused);
	pool_expect_removed(scene, state->refused, "sizelimit");
	pool_expect_rejected(scene, state->refused, "mempool full");
	mine_rival_of_best(scene);
}

DEFINE_SCENARIO(mempool, removed, sizelimit,
	.summary = "a full mempool removes what pays least, even if it has just been added, and uncaches its coins",
	.subject = TP_MEMPOOL_REMOVED,
	.tracepoints = POOL_TRACEPOINTS | TP_BIT(TP_UTXOCACHE_UNCACHE),
	.profile = &profile_narrow,
	.state_sz = sizeof(struct state),
	.prepare = sizelimit_prepare,
	.act = sizelimit_act,
	.expect = sizelimit_expect,
);
