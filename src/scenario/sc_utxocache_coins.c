/* utxocache:add and utxocache:spent. Blocks fire both, so their scenarios stand together: each compares the events of
 * both, and of block_connected, in one order. */
#include "base/text.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/blocks.h"
#include "scene/coins.h"

struct state {
	struct block *block;
	char hash_hex[65];
};

#define CACHE_AND_BLOCKS                                                                                     \
	(TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED) |     \
	 TP_BIT(TP_UTXOCACHE_FLUSH) | TP_BIT(TP_UTXOCACHE_UNCACHE))

#define COINS_SCENARIO(tracepoint_, behaviour_, ...)                                                         \
	DEFINE_SCENARIO(utxocache, tracepoint_, behaviour_, .tracepoints = CACHE_AND_BLOCKS,                 \
			.profile = &profile_coins, .state_sz = sizeof(struct state), __VA_ARGS__)

static void
submit_act(struct scene *scene)
{
	struct state *state = scene->state;

	blocks_submit(scene, state->block);
	format_hash(state->block->hash_wire, state->hash_hex);
}

static void
connect_expect(struct scene *scene)
{
	const struct state *state = scene->state;

	blocks_expect_block(scene, blocks_get(scene, state->hash_hex));
}

/* Puts a block with these transactions into the state; it is not submitted. */
static void
begin_block(struct scene *scene, struct tx *const *txs, size_t cnt)
{
	struct state *state = scene->state;

	state->block = blocks_begin(scene, 0);
	for (size_t i = 0; i < cnt; i++)
		block_add_tx(state->block, txs[i]);
}

/* add.outputs: every output has a value of its own */

static void
outputs_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	struct chain_coin coin = coins_take(scene);
	struct tx *tx = scene_tx(scene);

	blocks_spend(tx, &coin);
	for (int i = 0; i < 5; i++)
		blocks_pay(tx, 1000001 * (i + 1));
	/* More than 32 bits, and nothing. */
	blocks_pay(tx, (INT64_C(1) << 32) + 12345);
	blocks_pay(tx, 0);
	begin_block(scene, &tx, 1);
	block_add_output(state->block, 1, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
	block_add_output(state->block, 2, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
	state->block->txs[0].outputs[0].value_sat -= 3;
}

COINS_SCENARIO(add, outputs,
	.summary = "every output of a coinbase and of another transaction is added, with its position and value",
	.subject = TP_UTXOCACHE_ADD,
	.prepare = outputs_prepare,
	.act = submit_act,
	.expect = connect_expect,
);

/* add.positions: coins at positions of more than 16 bits, after outputs that are not kept */

static void
positions_prepare(struct scene *scene)
{
	struct tx *tx = coins_make_wide_tx(scene);

	begin_block(scene, &tx, 1);
}

/* From the block as it was made: getblock would print all 65,600 outputs as JSON. */
static void
positions_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	const struct block *block = state->block;

	expect_source(scene->expect, "the transaction as it was submitted");
	for (size_t t = 0; t < block->txs_cnt; t++) {
		const struct tx *tx = &block->txs[t];
		struct coin_facts facts = {.height = block->draft.height, .is_coinbase = t == 0};

		tx_txid(tx, facts.txid_wire);
		for (size_t o = 0; o < tx->outputs_cnt; o++) {
			if (tx->outputs[o].script.data[0] == SCRIPT_OP_RETURN)
				continue;
			facts.vout = (int64_t)o;
			facts.value_sat = tx->outputs[o].value_sat;
			blocks_expect_coin(scene, TP_UTXOCACHE_ADD, FINDING_CONTRACT,
					   t ? "an output of the wide transaction" : "the coinbase", &facts);
		}
	}
}

DEFINE_SCENARIO(utxocache, add, positions,
	.summary = "the coins at the end of a transaction with 65600 outputs are added with their positions and values",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = TP_BIT(TP_UTXOCACHE_ADD),
	.profile = &profile_coins,
	.state_sz = sizeof(struct state),
	.prepare = positions_prepare,
	.act = submit_act,
	.expect = positions_expect,
);

/* add.unspendable */

static void
unspendable_prepare(struct scene *scene)
{
	static const uint8_t op_return[] = {SCRIPT_OP_RETURN, 1, 42};
	static const uint8_t too_long[10001];
	struct chain_coin coin = coins_take(scene);
	struct tx *tx = scene_tx(scene);

	blocks_spend(tx, &coin);
	tx_add_output(tx, 0, op_return, sizeof(op_return));
	blocks_pay(tx, 1111);
	tx_add_output(tx, 5, too_long, sizeof(too_long));
	tx_add_output(tx, 7, op_return, 1);
	blocks_pay(tx, 2222);
	begin_block(scene, &tx, 1);
}

COINS_SCENARIO(add, unspendable,
	.summary = "no coin is added for an OP_RETURN output or an overlong script; the outputs between them are added",
	.subject = TP_UTXOCACHE_ADD,
	.prepare = unspendable_prepare,
	.act = submit_act,
	.expect = connect_expect,
);

/* add.generate: bitcoind tries the block that it mines in a temporary cache first */

static void
generate_prepare(struct scene *scene)
{
	scene_require(scene, ABILITY_PLAIN_TEMPLATES);
	struct chain_coin coin = coins_take(scene);
	struct tx *tx = scene_tx(scene);

	blocks_spend(tx, &coin);
	blocks_pay(tx, coin.value_sat - FEE_SAT);
	blocks_send(scene, tx);
}

static void
generate_act(struct scene *scene)
{
	struct state *state = scene->state;

	blocks_mine(scene, 1);
	blocks_tip_hash(scene, state->hash_hex);
}

static void
generate_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	const struct json *block = blocks_get(scene, state->hash_hex);

	/* How often bitcoind tries a block before it connects it is its own business. */
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	blocks_expect_connected_coins(scene, block, FINDING_DETAIL,
				      "trying the mined block in a temporary cache");
	blocks_expect_block(scene, block);
}

COINS_SCENARIO(add, generate,
	.summary = "a mined block adds its coins to a temporary cache (a detail), then to the main one",
	.subject = TP_UTXOCACHE_ADD,
	.prepare = generate_prepare,
	.act = generate_act,
	.expect = generate_expect,
);

/* spent.inputs: coins of several heights, of coinbases and not, at output positions other than 0 */

static void
inputs_prepare(struct scene *scene)
{
	static struct chain_coin (*const kinds[])(struct scene *) = {coins_take_wide, coins_take,
								     coins_take_odd,  coins_take_high,
								     coins_take_wide, coins_take_plain};
	enum { KINDS = sizeof(kinds) / sizeof(*kinds) };
	struct tx *txs[] = {scene_tx(scene), scene_tx(scene)};

	for (int i = 0; i < KINDS; i++) {
		struct chain_coin coin = kinds[i](scene);

		blocks_spend(txs[i < KINDS / 2 ? 0 : 1], &coin);
	}
	blocks_pay(txs[0], 10000);
	blocks_pay(txs[1], 20000);
	begin_block(scene, txs, 2);
}

COINS_SCENARIO(spent, inputs,
	.summary = "inputs of coinbases and of other transactions, up to position 65599, are spent with their coins' heights",
	.subject = TP_UTXOCACHE_SPENT,
	.prepare = inputs_prepare,
	.act = submit_act,
	.expect = connect_expect,
);

/* spent.chain: coins made and spent in one block */

static void
chain_prepare(struct scene *scene)
{
	enum { LINKS = 4 };
	struct chain_coin coin = coins_take(scene);
	struct tx *txs[LINKS];

	for (int i = 0; i < LINKS; i++) {
		txs[i] = scene_tx(scene);
		blocks_spend(txs[i], &coin);
		blocks_pay(txs[i], 600 + i);
		blocks_pay(txs[i], coin.value_sat - 600 - i - FEE_SAT);
		coin = blocks_coin_of(txs[i], 1);
	}
	begin_block(scene, txs, LINKS);
}

COINS_SCENARIO(spent, chain,
	.summary = "in a chain of four transactions in one block each coin is added, at the block's height, and then spent",
	.subject = TP_UTXOCACHE_SPENT,
	.prepare = chain_prepare,
	.act = submit_act,
	.expect = connect_expect,
);

/* disconnect: the way back */

static void
disconnect_act(struct scene *scene)
{
	const struct state *state = scene->state;

	blocks_call(scene, "invalidateblock", state->block);
}

static void
disconnect_expect(struct scene *scene)
{
	const struct state *state = scene->state;

	blocks_expect_disconnected_coins(scene, blocks_get(scene, state->hash_hex), FINDING_CONTRACT,
					 "disconnecting the block");
	/* So that the next scenario finds the mempool empty. */
	blocks_call(scene, "reconsiderblock", state->block);
}

static void
disconnect_inputs_prepare(struct scene *scene)
{
	inputs_prepare(scene);
	submit_act(scene);
}

COINS_SCENARIO(add, disconnect,
	.summary = "disconnecting a block adds the coins that it spent again, with their old heights",
	.subject = TP_UTXOCACHE_ADD,
	.prepare = disconnect_inputs_prepare,
	.act = disconnect_act,
	.expect = disconnect_expect,
);

static void
disconnect_outputs_prepare(struct scene *scene)
{
	unspendable_prepare(scene);
	submit_act(scene);
}

COINS_SCENARIO(spent, disconnect,
	.summary = "disconnecting a block spends the coins that it added, and nothing for outputs that added none",
	.subject = TP_UTXOCACHE_SPENT,
	.prepare = disconnect_outputs_prepare,
	.act = disconnect_act,
	.expect = disconnect_expect,
);
