/* utxocache:add and utxocache:spent: two tracepoints that blocks fire together, so their scenarios share what they
 * do. In each the events of both are judged in one order, and block_connected with them. */
#include "base/text.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/blocks.h"

#include <stdlib.h>
#include <string.h>

struct state {
	struct block block;
	char hash[65];
};

#define JUDGED                                                                                               \
	(TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED) |     \
	 TP_BIT(TP_UTXOCACHE_FLUSH) | TP_BIT(TP_UTXOCACHE_UNCACHE))

static void
clean(struct scene *scene)
{
	block_fini(&((struct state *)scene->state)->block);
}

static int
submit_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = blocks_submit(scene, &state->block, diag);

	format_hash(state->block.hash_wire, state->hash);
	return code;
}

static int
connect_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct json *block = NULL;
	int code = blocks_get(scene, state->hash, &block, diag);

	if (!code)
		code = expect_block(scene, block, diag);
	json_free(block);
	return code;
}

/* Puts a block with these transactions into the state, unsubmitted. */
static int
begin_block(struct scene *scene, struct tx *const *txs, size_t cnt, struct diag *diag)
{
	struct state *state = scene->state;
	int code = blocks_begin(scene, &state->block, 0, diag);

	for (size_t i = 0; i < cnt && !code; i++)
		block_add_tx(&state->block, txs[i]);
	return code ? code : block_finish(&state->block, diag);
}

/* add.outputs: every output of the coinbase and of another transaction, each with another value */

static int
outputs_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_coin coin;
	struct tx tx;
	struct tx *txs[] = {&tx};

	tx_init(&tx);
	int code = blocks_take_coin(scene, &coin, diag);
	if (!code) {
		tx_spend(&tx, &coin);
		for (int i = 0; i < 5; i++)
			tx_pay(&tx, 1000001 * (i + 1));
		/* More than 32 bits, and nothing. */
		tx_pay(&tx, (INT64_C(1) << 32) + 12345);
		tx_pay(&tx, 0);
		code = begin_block(scene, txs, 1, diag);
	}
	if (!code) {
		block_add_output(&state->block, 1, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
		block_add_output(&state->block, 2, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
		state->block.txs[0].outputs[0].value_sat -= 3;
	}
	tx_fini(&tx);
	return code;
}

const struct scenario sc_utxocache_add_outputs = {
	.name = "utxocache.add.outputs",
	.summary = "every output of a coinbase and of another transaction, by position and value",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = outputs_prepare,
	.act = submit_act,
	.expect = connect_expect,
	.clean = clean,
};

/* add.positions: coins at positions above 16 bits, behind outputs of which nothing is kept */

static int
positions_prepare(struct scene *scene, struct diag *diag)
{
	struct tx tx;
	struct tx *txs[] = {&tx};
	int code = blocks_make_wide_tx(scene, &tx, diag);

	if (!code)
		code = begin_block(scene, txs, 1, diag);
	tx_fini(&tx);
	return code;
}

/* From the block as it was made: getblock would write all 65,600 outputs as JSON. */
static int
positions_expect(struct scene *scene, struct diag *diag)
{
	const struct block *block = &((struct state *)scene->state)->block;

	(void)diag;
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
			expect_coin(scene, TP_UTXOCACHE_ADD, FINDING_CONTRACT,
				    t ? "an output of the wide transaction" : "the coinbase", &facts);
		}
	}
	return 0;
}

const struct scenario sc_utxocache_add_positions = {
	.name = "utxocache.add.positions",
	.summary = "the coins at the end of a transaction with 65600 outputs, by position and value",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = TP_BIT(TP_UTXOCACHE_ADD),
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = positions_prepare,
	.act = submit_act,
	.expect = positions_expect,
	.clean = clean,
};

/* add.unspendable: outputs that can never be spent are not added, their neighbours keep their positions */

static int
unspendable_prepare(struct scene *scene, struct diag *diag)
{
	static const uint8_t op_return[] = {SCRIPT_OP_RETURN, 1, 42};
	static const uint8_t too_long[10001];
	struct chain_coin coin;
	struct tx tx;
	struct tx *txs[] = {&tx};

	tx_init(&tx);
	int code = blocks_take_coin(scene, &coin, diag);
	if (!code) {
		tx_spend(&tx, &coin);
		tx_add_output(&tx, 0, op_return, sizeof(op_return));
		tx_pay(&tx, 1111);
		tx_add_output(&tx, 5, too_long, sizeof(too_long));
		tx_add_output(&tx, 7, op_return, 1);
		tx_pay(&tx, 2222);
		code = begin_block(scene, txs, 1, diag);
	}
	tx_fini(&tx);
	return code;
}

const struct scenario sc_utxocache_add_unspendable = {
	.name = "utxocache.add.unspendable",
	.summary = "no coin is added for OP_RETURN outputs and scripts that are too long; those between are",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = unspendable_prepare,
	.act = submit_act,
	.expect = connect_expect,
	.clean = clean,
};

/* add.generate: mining tries the block in a temporary cache first */

static int
generate_prepare(struct scene *scene, struct diag *diag)
{
	struct chain_coin coin;
	struct tx tx;

	if (scene->release < 24)
		return scenario_skip(
			diag,
			"v23 tries a mined block with another coinbase than it has in the end, which nobody tells");
	tx_init(&tx);
	int code = blocks_take_coin(scene, &coin, diag);
	if (!code) {
		tx_spend(&tx, &coin);
		tx_pay(&tx, coin.value_sat - FEE_SAT);
		code = chain_send(scene->node, scene->deadline, &tx, diag);
	}
	tx_fini(&tx);
	return code;
}

static int
generate_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = blocks_mine(scene, 1, diag);

	return code ? code : blocks_tip_hash(scene, state->hash, diag);
}

static int
generate_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct json *block = NULL;
	int code = blocks_get(scene, state->hash, &block, diag);

	/* How often a block is tried before it is connected is bitcoind's own business. */
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	if (!code)
		code = expect_connected_coins(scene, block, FINDING_DETAIL,
					      "trying the mined block in a temporary cache", diag);
	if (!code)
		code = expect_block(scene, block, diag);
	json_free(block);
	return code;
}

const struct scenario sc_utxocache_add_generate = {
	.name = "utxocache.add.generate",
	.summary = "a mined block: its coins in a temporary cache (a detail), then in the main one",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = generate_prepare,
	.act = generate_act,
	.expect = generate_expect,
};

/* spent.inputs: coins of several heights, of coinbases and not, output positions other than 0 */

static int
inputs_prepare(struct scene *scene, struct diag *diag)
{
	static int (*const kinds[])(struct scene *, struct chain_coin *, struct diag *) = {
		blocks_take_wide_coin, blocks_take_coin,      blocks_take_odd_coin,
		blocks_take_high_coin, blocks_take_wide_coin, blocks_take_plain_coin};
	enum { KINDS = sizeof(kinds) / sizeof(*kinds) };
	struct tx first, second;
	struct tx *txs[] = {&first, &second};
	int code = 0;

	tx_init(&first);
	tx_init(&second);
	for (int i = 0; i < KINDS && !code; i++) {
		struct chain_coin coin;

		code = kinds[i](scene, &coin, diag);
		if (!code)
			tx_spend(i < KINDS / 2 ? &first : &second, &coin);
	}
	if (!code) {
		tx_pay(&first, 10000);
		tx_pay(&second, 20000);
		code = begin_block(scene, txs, 2, diag);
	}
	tx_fini(&first);
	tx_fini(&second);
	return code;
}

const struct scenario sc_utxocache_spent_inputs = {
	.name = "utxocache.spent.inputs",
	.summary =
		"several inputs per transaction, of coinbases and not, up to position 65599, each with the height it was made at",
	.subject = TP_UTXOCACHE_SPENT,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = inputs_prepare,
	.act = submit_act,
	.expect = connect_expect,
	.clean = clean,
};

/* spent.chain: coins made and spent in one block */

static int
chain_prepare(struct scene *scene, struct diag *diag)
{
	enum { LINKS = 4 };
	struct tx links[LINKS];
	struct tx *txs[LINKS];
	struct chain_coin coin;

	for (int i = 0; i < LINKS; i++) {
		tx_init(&links[i]);
		txs[i] = &links[i];
	}
	int code = blocks_take_coin(scene, &coin, diag);
	for (int i = 0; i < LINKS && !code; i++) {
		tx_spend(&links[i], &coin);
		tx_pay(&links[i], 600 + i);
		tx_pay(&links[i], coin.value_sat - 600 - i - FEE_SAT);
		coin = tx_coin(&links[i], 1);
	}
	if (!code)
		code = begin_block(scene, txs, LINKS, diag);
	for (int i = 0; i < LINKS; i++)
		tx_fini(&links[i]);
	return code;
}

const struct scenario sc_utxocache_spent_chain = {
	.name = "utxocache.spent.chain",
	.summary =
		"a chain of four transactions in one block: each coin is added before it is spent, at the block's height",
	.subject = TP_UTXOCACHE_SPENT,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = chain_prepare,
	.act = submit_act,
	.expect = connect_expect,
	.clean = clean,
};

/* disconnect: the way back */

static int
disconnect_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return node_call(scene->node, scene->deadline, NULL, diag, "invalidateblock", "[\"%s\"]",
			 state->hash);
}

static int
disconnect_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct json *block = NULL;
	int code = blocks_get(scene, state->hash, &block, diag);

	if (!code)
		code = expect_disconnected_coins(scene, block, diag);
	json_free(block);
	/* The next scenario finds the block connected, and no transactions waiting. */
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "reconsiderblock", "[\"%s\"]",
				 state->hash);
	return code;
}

static int
disconnect_inputs_prepare(struct scene *scene, struct diag *diag)
{
	int code = inputs_prepare(scene, diag);

	return code ? code : submit_act(scene, diag);
}

const struct scenario sc_utxocache_add_disconnect = {
	.name = "utxocache.add.disconnect",
	.summary = "disconnecting a block adds the coins that it spent again, with their old heights",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = disconnect_inputs_prepare,
	.act = disconnect_act,
	.expect = disconnect_expect,
	.clean = clean,
};

static int
disconnect_outputs_prepare(struct scene *scene, struct diag *diag)
{
	int code = unspendable_prepare(scene, diag);

	return code ? code : submit_act(scene, diag);
}

const struct scenario sc_utxocache_spent_disconnect = {
	.name = "utxocache.spent.disconnect",
	.summary = "disconnecting a block spends the coins that it made, but for those that never were",
	.subject = TP_UTXOCACHE_SPENT,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = disconnect_outputs_prepare,
	.act = disconnect_act,
	.expect = disconnect_expect,
	.clean = clean,
};
