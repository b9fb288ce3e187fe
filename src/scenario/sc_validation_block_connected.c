#include "base/text.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/coins.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HASHES_MAX = 4 };

struct state {
	struct block *block;
	char connected_hex[HASHES_MAX][65]; /* hashes of the blocks to expect, in order */
	size_t connected_cnt;
	char disconnected_hex[65]; /* of a block that is disconnected before; "": none */
	int64_t template_sigops;   /* from getblocktemplate */
};

#define BLOCKS_ONLY TP_BIT(TP_VALIDATION_BLOCK_CONNECTED)
#define BLOCKS_AND_CACHE                                                                                     \
	(TP_BIT(TP_VALIDATION_BLOCK_CONNECTED) | TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) |     \
	 TP_BIT(TP_UTXOCACHE_FLUSH) | TP_BIT(TP_UTXOCACHE_UNCACHE))

#define BLOCK_SCENARIO(behaviour_, ...)                                                                      \
	DEFINE_SCENARIO(validation, block_connected, behaviour_, .subject = TP_VALIDATION_BLOCK_CONNECTED,   \
			.profile = &profile_default, .state_sz = sizeof(struct state), __VA_ARGS__)

static void
note_connected(struct scene *scene, const struct block *block)
{
	struct state *state = scene->state;

	format_hash(block->hash_wire, state->connected_hex[state->connected_cnt++]);
}

/* The same for the blocks from a height to the tip. */
static void
note_connected_from(struct scene *scene, uint32_t height)
{
	struct state *state = scene->state;
	const uint32_t tip_height = blocks_tip(scene).height;

	for (; scene_ok(scene) && height <= tip_height && state->connected_cnt < HASHES_MAX; height++) {
		const char *hash_hex =
			json_string(scene_call(scene, "getblockhash", "[%" PRIu32 "]", height));

		if (hash_hex)
			strncpy(state->connected_hex[state->connected_cnt++], hash_hex, 64);
	}
}

/* Makes bitcoind mine blocks. */
static void
mine_and_note(struct scene *scene, unsigned cnt)
{
	const uint32_t height = blocks_tip(scene).height;

	blocks_mine(scene, cnt);
	note_connected_from(scene, height + 1);
}

static void
submit_act(struct scene *scene)
{
	const struct state *state = scene->state;

	blocks_submit(scene, state->block);
	note_connected(scene, state->block);
}

static void
expect_blocks(struct scene *scene)
{
	const struct state *state = scene->state;

	for (size_t i = 0; i < state->connected_cnt; i++)
		blocks_expect_block_connected(scene, blocks_get(scene, state->connected_hex[i]));
}

static void
expect_blocks_and_coins(struct scene *scene)
{
	const struct state *state = scene->state;

	if (state->disconnected_hex[0])
		blocks_expect_disconnected_coins(scene, blocks_get(scene, state->disconnected_hex),
						 FINDING_CONTRACT, "disconnecting the block");
	for (size_t i = 0; i < state->connected_cnt; i++)
		blocks_expect_block(scene, blocks_get(scene, state->connected_hex[i]));
}

/* generate */

static void
generate_act(struct scene *scene)
{
	mine_and_note(scene, 3);
}

BLOCK_SCENARIO(generate,
	.summary = "three empty blocks mined by bitcoind fire one event each, in order",
	.tracepoints = BLOCKS_ONLY,
	.act = generate_act,
	.expect = expect_blocks,
);

/* submit: the block was not made by bitcoind */

static void
submit_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	struct tx *first = scene_tx(scene), *second = scene_tx(scene);
	struct chain_coin coins[4];

	for (size_t i = 0; i < 4; i++)
		coins[i] = i % 2 ? coins_take_high(scene) : coins_take(scene);
	for (size_t i = 0; i < 3; i++)
		blocks_spend(first, &coins[i]);
	blocks_pay(first, 1000000);
	blocks_pay(first, 2000000);
	struct chain_coin own = blocks_coin_of(first, 1);
	blocks_spend(second, &coins[3]);
	blocks_spend(second, &own);
	blocks_pay(second, 3000000);
	tx_add_output(second, 0, "\x6a\x01\x2a", 3);
	blocks_pay(second, 4000000);
	state->block = blocks_begin(scene, 0);
	block_add_tx(state->block, first);
	block_add_tx(state->block, second);
}

BLOCK_SCENARIO(submit,
	.summary = "a submitted block with five inputs in two transactions fires once its coins have been spent and added",
	.tracepoints = BLOCKS_AND_CACHE,
	.prepare = submit_prepare,
	.act = submit_act,
	.expect = expect_blocks_and_coins,
);

/* sigops_coinbase: legacy signature operations in the coinbase's outputs */

static void
sigops_coinbase_prepare(struct scene *scene)
{
	static const uint8_t keys[2][33] = {{2, 1}, {3, 2}};
	static const uint8_t pubkey_hash[20] = {7};
	static const uint8_t checkmultisig = SCRIPT_OP_CHECKMULTISIG; /* on its own it counts as 20 */
	struct state *state = scene->state;
	struct buf *script = scene_buf(scene, 256);

	state->block = blocks_begin(scene, 0);
	script_add_p2pkh(script, pubkey_hash);
	block_add_output(state->block, 0, script->data, script->len);
	buf_reset(script);
	script_add_multisig(script, 1, keys, 2);
	block_add_output(state->block, 0, script->data, script->len);
	/* A cost of more than 16 bits, and less than the 80000 that a block may have. */
	for (int i = 0; i < 820; i++)
		block_add_output(state->block, 0, &checkmultisig, 1);
}

BLOCK_SCENARIO(sigops_coinbase,
	.summary = "the coinbase's own signature operations (P2PKH, bare multisig, 16421 in total) count four each",
	.tracepoints = BLOCKS_ONLY,
	.prepare = sigops_coinbase_prepare,
	.act = submit_act,
	.expect = expect_blocks,
);

/* sigops_transactions: legacy, P2SH and witness ones */

/* OP_0 OP_IF OP_CHECKSIG OP_ENDIF OP_1: anyone can spend it, and it counts as one signature operation. */
static const uint8_t checksig_script[] = {0x00, 0x63, 0xac, 0x68, 0x51};

/* What getblocktemplate counts in the transactions of the mempool. */
static int64_t
ask_template_sigops(struct scene *scene)
{
	const struct json *txs = json_get(
		scene_call(scene, "getblocktemplate", "[{\"rules\": [\"segwit\"]}]"), "transactions");
	int64_t sum = 0;

	for (size_t i = 0; i < json_cnt(txs); i++) {
		int64_t sigops;

		if (!json_i64(json_get(json_at(txs, i), "sigops"), &sigops))
			scene_fail(scene, -EBADMSG,
				   "getblocktemplate does not give the sigops of a transaction");
		sum += sigops;
	}
	if (!sum)
		scene_fail(scene, -EBADMSG, "getblocktemplate counts no signature operations");
	return sum;
}

/* Adds an output that pays to the P2SH of checksig_script, as bitcoind makes it. */
static void
pay_p2sh(struct scene *scene, struct tx *tx, int64_t value_sat)
{
	uint8_t script[23] = {0};
	char hex[64];

	format_hex(checksig_script, sizeof(checksig_script), hex);
	const struct json *decoded = scene_call(scene, "decodescript", "[\"%s\"]", hex);
	const char *address = json_string(json_get(decoded, "p2sh"));
	const struct json *validated =
		scene_call(scene, "validateaddress", "[\"%s\"]", address ? address : "");
	if (!parse_hex(json_string(json_get(validated, "scriptPubKey")), script, sizeof(script)))
		scene_fail(scene, -EBADMSG, "decodescript and validateaddress do not give a P2SH script");
	tx_add_output(tx, value_sat, script, sizeof(script));
}

/* A mined transaction with three P2WSH coins of checksig_script and then one P2SH coin of it. */
static const struct tx *
fund_sigops(struct scene *scene)
{
	struct buf *p2wsh = scene_buf(scene, 256);
	struct chain_coin coin = coins_take(scene);
	struct tx *tx = scene_tx(scene);

	script_add_p2wsh(p2wsh, checksig_script, sizeof(checksig_script));
	blocks_spend(tx, &coin);
	for (int i = 0; i < 3; i++)
		tx_add_output(tx, 100000000, p2wsh->data, p2wsh->len);
	pay_p2sh(scene, tx, 200000000);
	blocks_mine_tx(scene, tx);
	return tx;
}

/* Witness operations in its inputs, a legacy one in an output. */
static void
send_witness_sigops(struct scene *scene, const struct tx *fund)
{
	static const uint8_t pubkey_hash[20] = {9};
	struct buf *script = scene_buf(scene, 256);
	struct tx *tx = scene_tx(scene);

	for (uint32_t i = 0; i < 3; i++) {
		struct chain_coin coin = blocks_coin_of(fund, i);

		tx_add_witness(tx_add_input(tx, coin.txid_wire, coin.idx, TX_SEQUENCE_RBF), checksig_script,
			       sizeof(checksig_script));
	}
	script_add_p2pkh(script, pubkey_hash);
	tx_add_output(tx, 100000, script->data, script->len);
	blocks_pay(tx, 300000000 - 100000 - FEE_SAT);
	blocks_send(scene, tx);
}

static void
send_p2sh_sigops(struct scene *scene, const struct tx *fund)
{
	struct buf *script = scene_buf(scene, 256);
	struct chain_coin coin = blocks_coin_of(fund, 3);
	struct tx *tx = scene_tx(scene);

	script_add_push(script, checksig_script, sizeof(checksig_script));
	tx_set_script_sig(tx_add_input(tx, coin.txid_wire, coin.idx, TX_SEQUENCE_RBF), script->data,
			  script->len);
	blocks_pay(tx, coin.value_sat - FEE_SAT);
	blocks_send(scene, tx);
}

static void
sigops_transactions_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	const struct tx *fund = fund_sigops(scene);

	send_witness_sigops(scene, fund);
	send_p2sh_sigops(scene, fund);
	state->template_sigops = ask_template_sigops(scene);
}

static void
sigops_transactions_act(struct scene *scene)
{
	mine_and_note(scene, 1);
}

static void
sigops_transactions_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	const struct json *block = blocks_get(scene, state->connected_hex[0]);
	const int64_t cost = blocks_sigop_cost(block);

	/* A coinbase that pays to anyone has none, so the whole block has what the template counted. */
	if (cost != state->template_sigops)
		scene_fail(scene, -EBADMSG,
			   "tpcheck counts a sigop cost of %" PRId64 ", getblocktemplate of %" PRId64, cost,
			   state->template_sigops);
	blocks_expect_block_connected(scene, block);
}

BLOCK_SCENARIO(sigops_transactions,
	.summary = "legacy, P2SH and witness signature operations of mined transactions count as in getblocktemplate",
	.tracepoints = BLOCKS_ONLY,
	.prepare = sigops_transactions_prepare,
	.act = sigops_transactions_act,
	.expect = sigops_transactions_expect,
);

/* sigops_script_sig: only a block may have a transaction with these */

static void
sigops_script_sig_prepare(struct scene *scene)
{
	/* OP_0 OP_IF OP_CHECKSIG OP_CHECKSIG OP_ENDIF: neither is executed. */
	static const uint8_t script_sig[] = {0x00, 0x63, 0xac, 0xac, 0x68};
	struct state *state = scene->state;
	struct tx *fund = scene_tx(scene), *spend = scene_tx(scene);
	struct chain_coin coin = coins_take(scene);

	blocks_spend(fund, &coin);
	tx_add_output(fund, 50000, script_op_true, sizeof(script_op_true));
	coin = blocks_coin_of(fund, 0);
	tx_set_script_sig(tx_add_input(spend, coin.txid_wire, coin.idx, TX_SEQUENCE_RBF), script_sig,
			  sizeof(script_sig));
	blocks_pay(spend, 40000);
	state->block = blocks_begin(scene, 0);
	block_add_tx(state->block, fund);
	block_add_tx(state->block, spend);
}

BLOCK_SCENARIO(sigops_script_sig,
	.summary = "signature operations in an input's scriptSig count, whether executed or not",
	.tracepoints = BLOCKS_ONLY,
	.prepare = sigops_script_sig_prepare,
	.act = submit_act,
	.expect = expect_blocks,
);

/* many: more transactions and inputs than 8 bits can count */

enum { MANY = 300 };

static void
many_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	struct chain_coin coin = coins_take(scene);
	struct tx *fund = scene_tx(scene);

	blocks_spend(fund, &coin);
	for (int i = 0; i < MANY; i++)
		blocks_pay(fund, 10000 + i);
	state->block = blocks_begin(scene, 0);
	block_add_tx(state->block, fund);
	for (uint32_t i = 0; i < MANY; i++) {
		struct tx *spend = scene_tx(scene);

		coin = blocks_coin_of(fund, i);
		blocks_spend(spend, &coin);
		blocks_pay(spend, 5000 + (int64_t)i);
		block_add_tx(state->block, spend);
	}
}

BLOCK_SCENARIO(many,
	.summary = "a block with 302 transactions is reported with all its coins, in order",
	.tracepoints = BLOCKS_AND_CACHE,
	.prepare = many_prepare,
	.act = submit_act,
	.expect = expect_blocks_and_coins,
);

/* reconsider */

/* The first block is a large one: it is read from disk and checked anew, which takes part of the duration. */
static void
reconsider_prepare(struct scene *scene)
{
	const struct state *state = scene->state;

	many_prepare(scene);
	blocks_submit(scene, state->block);
	blocks_mine(scene, 1);
	note_connected_from(scene, state->block->draft.height);
	blocks_call(scene, "invalidateblock", state->block);
}

static void
reconsider_act(struct scene *scene)
{
	const struct state *state = scene->state;

	blocks_call(scene, "reconsiderblock", state->block);
}

BLOCK_SCENARIO(reconsider,
	.summary = "two blocks that were disconnected fire again when they are connected again, in order",
	.tracepoints = BLOCKS_AND_CACHE,
	.prepare = reconsider_prepare,
	.act = reconsider_act,
	.expect = expect_blocks_and_coins,
);

/* reorg */

static void
reorg_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	/* The branch starts beside the block that is mined now. */
	state->block = blocks_begin(scene, 0);
	blocks_mine(scene, 1);
	blocks_tip_hash(scene, state->disconnected_hex);
}

static void
reorg_act(struct scene *scene)
{
	const struct state *state = scene->state;

	/* The first block of the branch does not become the tip, so it is not connected. */
	blocks_submit_refused(scene, state->block, "inconclusive", "a block of a side branch");
	struct block *second = blocks_begin_after(scene, state->block, 0);
	blocks_submit(scene, second);
	note_connected(scene, state->block);
	note_connected(scene, second);
}

BLOCK_SCENARIO(reorg,
	.summary = "a branch of two blocks replaces the tip: its first block fires only when the second one has come",
	.tracepoints = BLOCKS_AND_CACHE,
	.prepare = reorg_prepare,
	.act = reorg_act,
	.expect = expect_blocks_and_coins,
);

/* proposal: a block that is only tried; its coins go to a temporary cache */

static void
proposal_prepare(struct scene *scene)
{
	const struct state *state = scene->state;

	submit_prepare(scene);
	blocks_finish(scene, state->block);
}

static void
proposal_act(struct scene *scene)
{
	const struct state *state = scene->state;
	char *hex = block_hex(state->block);
	const struct json *answer =
		scene_call(scene, "getblocktemplate",
			   "[{\"mode\": \"proposal\", \"rules\": [\"segwit\"], \"data\": \"%s\"}]", hex);

	free(hex);
	if (!json_is_null(answer))
		scene_fail(scene, -EBADMSG, "getblocktemplate rejected the proposal: %s",
			   json_string(answer) ? json_string(answer) : "no reason given");
	submit_act(scene);
}

static void
proposal_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	const struct json *block = blocks_get(scene, state->connected_hex[0]);

	/* Whether and how often bitcoind fills a temporary cache is its own business. */
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	blocks_expect_connected_coins(scene, block, FINDING_DETAIL,
				      "trying the proposal in a temporary cache");
	blocks_expect_block(scene, block);
}

BLOCK_SCENARIO(proposal,
	.summary = "a block proposal does not fire block_connected; the same block does when it is submitted",
	.tracepoints = BLOCKS_AND_CACHE,
	.prepare = proposal_prepare,
	.act = proposal_act,
	.expect = proposal_expect,
);

/* invalid */

static void
invalid_act(struct scene *scene)
{
	struct state *state = scene->state;

	blocks_submit_refused(scene, blocks_begin(scene, 1), "bad-cb-amount", "a block that pays too much");
	state->block = blocks_begin(scene, 0);
	submit_act(scene);
}

BLOCK_SCENARIO(invalid,
	.summary = "an overpaying block does not fire block_connected; the next block does",
	.tracepoints = BLOCKS_ONLY,
	.act = invalid_act,
	.expect = expect_blocks,
);
