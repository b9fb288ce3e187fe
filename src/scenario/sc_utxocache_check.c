/* utxocache:add and utxocache:spent while the mempool checks itself, which it does on regtest unless asked not to:
 * after each transaction and each block it spends and adds, in a temporary cache, what its transactions do. Only that
 * these events do not spoil the others is promised: they are a detail. */
#include "base/text.h"
#include "scenario/registry.h"
#include "scene/pool.h"
#include "scene/profiles.h"

enum { CHECK_HEIGHT = 0x7fffffff };

struct state {
	struct pool_tx *parent, *child;
	struct block *block;
	struct coin_facts own; /* what parent spends */
};

static void
checked_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	uint32_t tip = blocks_tip(scene).height;
	if (tip < COINBASE_MATURITY)
		blocks_mine(scene, COINBASE_MATURITY - tip);
	struct chain_coin coin = pool_coinbase(scene, 1);
	state->own = blocks_coin_facts(scene, &coin);
	state->parent = pool_spender(scene, "a transaction", coin, 3, 4321);
	state->child = pool_child(scene, "its child", state->parent, 2, 2, 5432);
	state->block = blocks_begin(scene, 0);
}

static void
checked_act(struct scene *scene)
{
	struct state *state = scene->state;

	pool_send(scene, state->parent);
	pool_send(scene, state->child);
	blocks_submit(scene, state->block);
}

/* The coins that it adds in the temporary cache. */
static void
expect_adds(struct scene *scene, const struct pool_tx *ptx)
{
	struct coin_facts facts = {.height = CHECK_HEIGHT};

	tx_txid(&ptx->tx, facts.txid_wire);
	expect_source(scene->expect, "%s as it was sent", ptx->name);
	for (size_t i = 0; i < ptx->tx.outputs_cnt; i++) {
		facts.vout = (int64_t)i;
		facts.value_sat = ptx->tx.outputs[i].value_sat;
		blocks_expect_coin(scene, TP_UTXOCACHE_ADD, FINDING_DETAIL,
				   "checking an output of the mempool", &facts);
	}
}

/* The coin of the child, which the parent has added. */
static void
expect_spent_child(struct scene *scene)
{
	const struct state *state = scene->state;
	struct coin_facts facts = {
		.vout = 2, .height = CHECK_HEIGHT, .value_sat = state->parent->tx.outputs[2].value_sat};

	tx_txid(&state->parent->tx, facts.txid_wire);
	blocks_expect_coin(scene, TP_UTXOCACHE_SPENT, FINDING_DETAIL, "checking the child's input", &facts);
}

/* A check: with the parent alone, or with both. */
static void
expect_check(struct scene *scene, bool both)
{
	const struct state *state = scene->state;

	expect_source(scene->expect, "gettxout of the coin that the parent spends");
	blocks_expect_coin(scene, TP_UTXOCACHE_SPENT, FINDING_DETAIL, "checking the parent's input",
			   &state->own);
	expect_adds(scene, state->parent);
	if (!both)
		return;
	expect_spent_child(scene);
	expect_adds(scene, state->child);
}

static void
checked_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	char hash_hex[65];

	/* When the mempool checks itself is its own business. */
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	pool_expect_added(scene, state->parent);
	expect_check(scene, false);
	pool_expect_added(scene, state->child);
	expect_check(scene, true);
	format_hash(state->block->hash_wire, hash_hex);
	blocks_expect_block(scene, blocks_get(scene, hash_hex));
	expect_check(scene, true);
	pool_clear(scene);
}

DEFINE_SCENARIO(utxocache, add, checked,
	.summary = "with -checkmempool=1 the mempool's transactions are added to and spent from a temporary cache, too (a detail)",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = POOL_TRACEPOINTS | TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) |
		       TP_BIT(TP_UTXOCACHE_FLUSH) | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &profile_small_cache,
	.state_sz = sizeof(struct state),
	.prepare = checked_prepare,
	.act = checked_act,
	.expect = checked_expect,
);
