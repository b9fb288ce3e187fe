#include "base/text.h"
#include "base/xmem.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HASHES_MAX = 4 };

struct state {
	struct block block;
	char hashes[HASHES_MAX][65]; /* of the blocks to be expected, in order */
	size_t hashes_cnt;
	char disconnected[2][65]; /* of those that are disconnected before, in order */
	size_t disconnected_cnt;
	int64_t template_sigops; /* as getblocktemplate says; -1: not asked */
	char *proposal_hex;
};

#define JUDGED_BLOCK (TP_BIT(TP_VALIDATION_BLOCK_CONNECTED))
#define JUDGED_ALL                                                                                           \
	(TP_BIT(TP_VALIDATION_BLOCK_CONNECTED) | TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) |     \
	 TP_BIT(TP_UTXOCACHE_FLUSH) | TP_BIT(TP_UTXOCACHE_UNCACHE))

static void
clean(struct scene *scene)
{
	struct state *state = scene->state;

	block_fini(&state->block);
	free(state->proposal_hex);
}

/* Takes note of the blocks from a height to the tip. */
static int
note_hashes(struct scene *scene, uint32_t from_height, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_tip tip;
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);

	for (uint32_t height = from_height; !code && height <= tip.height && state->hashes_cnt < HASHES_MAX;
	     height++) {
		struct json *hash = NULL;

		code = node_call(scene->node, scene->deadline, &hash, diag, "getblockhash", "[%u]", height);
		if (!code && json_string(hash))
			strncpy(state->hashes[state->hashes_cnt++], json_string(hash), 64);
		json_free(hash);
	}
	return code;
}

/* Expects the blocks of hashes; with their coins when the scenario judges these. */
static int
expect_hashes(struct scene *scene, bool coins, struct diag *diag)
{
	struct state *state = scene->state;
	int code = 0;

	for (size_t i = 0; i < state->disconnected_cnt && coins && !code; i++) {
		struct json *block = NULL;

		code = blocks_get(scene, state->disconnected[i], &block, diag);
		if (!code)
			code = expect_disconnected_coins(scene, block, diag);
		json_free(block);
	}
	for (size_t i = 0; i < state->hashes_cnt && !code; i++) {
		struct json *block = NULL;

		code = blocks_get(scene, state->hashes[i], &block, diag);
		if (!code)
			code = coins ? expect_block(scene, block, diag)
				     : expect_block_connected(scene, block, diag);
		json_free(block);
	}
	return code;
}

static int
expect_block_only(struct scene *scene, struct diag *diag)
{
	return expect_hashes(scene, false, diag);
}

static int
expect_with_coins(struct scene *scene, struct diag *diag)
{
	return expect_hashes(scene, true, diag);
}

/* generate: bitcoind mines blocks itself */

static int
generate_act(struct scene *scene, struct diag *diag)
{
	struct chain_tip tip;
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);

	if (!code)
		code = blocks_mine(scene, 3, diag);
	return code ? code : note_hashes(scene, tip.height + 1, diag);
}

const struct scenario sc_validation_block_connected_generate = {
	.name = "validation.block_connected.generate",
	.summary = "three empty blocks mined by bitcoind, each told once and in order",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_BLOCK,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.act = generate_act,
	.expect = expect_block_only,
	.clean = clean,
};

/* submit: a block with transactions of several inputs and outputs, made outside */

static int
submit_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_coin coins[4];
	struct tx first, second;
	int code = 0;

	tx_init(&first);
	tx_init(&second);
	for (size_t i = 0; i < 4 && !code; i++)
		code = i % 2 ? blocks_take_high_coin(scene, &coins[i], diag)
			     : blocks_take_coin(scene, &coins[i], diag);
	if (!code) {
		for (size_t i = 0; i < 3; i++)
			tx_spend(&first, &coins[i]);
		tx_pay(&first, 1000000);
		tx_pay(&first, 2000000);
		struct chain_coin own = tx_coin(&first, 1);
		tx_spend(&second, &coins[3]);
		tx_spend(&second, &own);
		tx_pay(&second, 3000000);
		tx_add_output(&second, 0, "\x6a\x01\x2a", 3);
		tx_pay(&second, 4000000);
		code = blocks_begin(scene, &state->block, 0, diag);
	}
	if (!code) {
		block_add_tx(&state->block, &first);
		block_add_tx(&state->block, &second);
		code = block_finish(&state->block, diag);
	}
	tx_fini(&first);
	tx_fini(&second);
	return code;
}

static int
submit_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = blocks_submit(scene, &state->block, diag);

	format_hash(state->block.hash_wire, state->hashes[0]);
	state->hashes_cnt = 1;
	return code;
}

const struct scenario sc_validation_block_connected_submit = {
	.name = "validation.block_connected.submit",
	.summary =
		"a submitted block with five inputs in two transactions; its coins are spent and added before it is told",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_ALL,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = submit_prepare,
	.act = submit_act,
	.expect = expect_with_coins,
	.clean = clean,
};

/* sigops_coinbase: legacy signature operations in the coinbase's outputs */

static int
sigops_coinbase_prepare(struct scene *scene, struct diag *diag)
{
	static const uint8_t keys[2][33] = {{2, 1}, {3, 2}};
	static const uint8_t pubkey_hash[20] = {7};
	static const uint8_t checkmultisig = SCRIPT_OP_CHECKMULTISIG; /* alone it counts as 20 */
	struct state *state = scene->state;
	struct buf script;
	int code = blocks_begin(scene, &state->block, 0, diag);

	if (code)
		return code;
	buf_init(&script, 256);
	script_add_p2pkh(&script, pubkey_hash);
	block_add_output(&state->block, 0, script.data, script.len);
	buf_reset(&script);
	script_add_multisig(&script, 1, keys, 2);
	block_add_output(&state->block, 0, script.data, script.len);
	/* More than 16 bits, and less than the 80000 that a block may have. */
	for (int i = 0; i < 820; i++)
		block_add_output(&state->block, 0, &checkmultisig, 1);
	buf_fini(&script);
	return block_finish(&state->block, diag);
}

const struct scenario sc_validation_block_connected_sigops_coinbase = {
	.name = "validation.block_connected.sigops_coinbase",
	.summary =
		"the coinbase's own signature operations (P2PKH, bare multisig, 16484 in all) count, four times each",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_BLOCK,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = sigops_coinbase_prepare,
	.act = submit_act,
	.expect = expect_block_only,
	.clean = clean,
};

/* sigops_transactions: legacy and witness ones, as getblocktemplate counts them */

/* OP_0 OP_IF OP_CHECKSIG OP_ENDIF OP_1: anyone can spend it, and it counts as one signature operation. */
static const uint8_t checksig_script[] = {0x00, 0x63, 0xac, 0x68, 0x51};

static int
ask_template(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct json *template = NULL;
	int code = node_call(scene->node, scene->deadline, &template, diag, "getblocktemplate",
			     "[{\"rules\": [\"segwit\"]}]");
	const struct json *txs = json_get(template, "transactions");

	state->template_sigops = 0;
	for (size_t i = 0; i < json_cnt(txs) && !code; i++) {
		int64_t sigops;

		if (!json_i64(json_get(json_at(txs, i), "sigops"), &sigops))
			code = diag_fail(diag, -EBADMSG,
					 "getblocktemplate lacks the sigops of a transaction");
		else
			state->template_sigops += sigops;
	}
	json_free(template);
	return code;
}

/* The scriptPubKey of the P2SH of a script, as bitcoind makes it; adds it to out. */
static int
ask_p2sh(struct scene *scene, const uint8_t *script, size_t len, struct buf *out, struct diag *diag)
{
	struct json *decoded = NULL, *validated = NULL;
	uint8_t bytes[23];
	char hex[64];

	format_hex(script, len, hex);
	int code = node_call(scene->node, scene->deadline, &decoded, diag, "decodescript", "[\"%s\"]", hex);
	const char *address = json_string(json_get(decoded, "p2sh"));
	if (!code)
		code = node_call(scene->node, scene->deadline, &validated, diag, "validateaddress",
				 "[\"%s\"]", address ? address : "");
	const char *script_hex = json_string(json_get(validated, "scriptPubKey"));
	if (!code && (!script_hex || !parse_hex(script_hex, bytes, sizeof(bytes))))
		code = diag_fail(diag, -EBADMSG,
				 "decodescript and validateaddress do not give a P2SH script");
	if (!code)
		buf_add(out, bytes, sizeof(bytes));
	json_free(decoded);
	json_free(validated);
	return code;
}

/* A mined transaction with three P2WSH coins of checksig_script and one P2SH coin of it. */
static int
fund_sigops(struct scene *scene, struct tx *fund, struct diag *diag)
{
	struct block block = {0};
	struct chain_coin coin;
	struct buf p2wsh, p2sh;

	buf_init(&p2wsh, 256);
	buf_init(&p2sh, 256);
	script_add_p2wsh(&p2wsh, checksig_script, sizeof(checksig_script));
	int code = blocks_take_coin(scene, &coin, diag);
	if (!code)
		code = ask_p2sh(scene, checksig_script, sizeof(checksig_script), &p2sh, diag);
	if (!code) {
		tx_spend(fund, &coin);
		for (int i = 0; i < 3; i++)
			tx_add_output(fund, 100000000, p2wsh.data, p2wsh.len);
		tx_add_output(fund, 200000000, p2sh.data, p2sh.len);
		code = blocks_begin(scene, &block, 0, diag);
	}
	if (!code) {
		block_add_tx(&block, fund);
		code = blocks_submit(scene, &block, diag);
	}
	buf_fini(&p2wsh);
	buf_fini(&p2sh);
	block_fini(&block);
	return code;
}

/* Two transactions in the mempool: one with witness and legacy operations, one with those of a P2SH script. */
static int
sigops_transactions_prepare(struct scene *scene, struct diag *diag)
{
	static const uint8_t pubkey_hash[20] = {9};
	struct state *state = scene->state;
	struct tx fund, witness, p2sh;
	struct chain_coin own;
	struct buf script;

	buf_init(&script, 256);
	tx_init(&fund);
	tx_init(&witness);
	tx_init(&p2sh);
	int code = fund_sigops(scene, &fund, diag);
	if (!code) {
		for (uint32_t i = 0; i < 3; i++) {
			own = tx_coin(&fund, i);
			tx_add_witness(tx_add_input(&witness, own.txid_wire, own.idx, TX_SEQUENCE_RBF),
				       checksig_script, sizeof(checksig_script));
		}
		script_add_p2pkh(&script, pubkey_hash);
		tx_add_output(&witness, 100000, script.data, script.len);
		tx_pay(&witness, 300000000 - 100000 - FEE_SAT);
		code = chain_send(scene->node, scene->deadline, &witness, diag);
	}
	if (!code) {
		own = tx_coin(&fund, 3);
		buf_reset(&script);
		script_add_push(&script, checksig_script, sizeof(checksig_script));
		tx_set_script_sig(tx_add_input(&p2sh, own.txid_wire, own.idx, TX_SEQUENCE_RBF), script.data,
				  script.len);
		tx_pay(&p2sh, own.value_sat - FEE_SAT);
		code = chain_send(scene->node, scene->deadline, &p2sh, diag);
	}
	if (!code)
		code = ask_template(scene, diag);
	if (!code && !state->template_sigops)
		code = diag_fail(diag, -EBADMSG, "getblocktemplate counts no signature operations");
	buf_fini(&script);
	tx_fini(&fund);
	tx_fini(&witness);
	tx_fini(&p2sh);
	return code;
}

static int
generate_one_act(struct scene *scene, struct diag *diag)
{
	struct chain_tip tip;
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);

	if (!code)
		code = blocks_mine(scene, 1, diag);
	return code ? code : note_hashes(scene, tip.height + 1, diag);
}

static int
sigops_transactions_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct json *block = NULL;
	int code = blocks_get(scene, state->hashes[0], &block, diag);

	/* The coinbase that pays to anyone has none, so the whole block has what the template counted. */
	if (!code && blocks_sigop_cost(block) != state->template_sigops)
		code = diag_fail(diag, -EBADMSG,
				 "tpcheck counts a sigop cost of %lld, getblocktemplate of %lld",
				 (long long)blocks_sigop_cost(block), (long long)state->template_sigops);
	if (!code)
		code = expect_block_connected(scene, block, diag);
	json_free(block);
	return code;
}

const struct scenario sc_validation_block_connected_sigops_transactions = {
	.name = "validation.block_connected.sigops_transactions",
	.summary =
		"mined transactions with legacy, P2SH and witness signature operations, counted as getblocktemplate does",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_BLOCK,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = sigops_transactions_prepare,
	.act = generate_one_act,
	.expect = sigops_transactions_expect,
	.clean = clean,
};

/* sigops_script_sig: those in an input's own script, which only a block may have */

static int
sigops_script_sig_prepare(struct scene *scene, struct diag *diag)
{
	static const uint8_t script_sig[] = {0x00, 0x63, 0xac, 0xac,
					     0x68}; /* two CHECKSIGs that are never run */
	struct state *state = scene->state;
	struct chain_coin coin;
	struct tx fund, spend;

	tx_init(&fund);
	tx_init(&spend);
	int code = blocks_take_coin(scene, &coin, diag);
	if (!code) {
		tx_spend(&fund, &coin);
		tx_add_output(&fund, 50000, script_op_true, sizeof(script_op_true));
		coin = tx_coin(&fund, 0);
		tx_set_script_sig(tx_add_input(&spend, coin.txid_wire, coin.idx, TX_SEQUENCE_RBF), script_sig,
				  sizeof(script_sig));
		tx_pay(&spend, 40000);
		code = blocks_begin(scene, &state->block, 0, diag);
	}
	if (!code) {
		block_add_tx(&state->block, &fund);
		block_add_tx(&state->block, &spend);
		code = block_finish(&state->block, diag);
	}
	tx_fini(&fund);
	tx_fini(&spend);
	return code;
}

const struct scenario sc_validation_block_connected_sigops_script_sig = {
	.name = "validation.block_connected.sigops_script_sig",
	.summary = "signature operations in an input's script count, run or not",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_BLOCK,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = sigops_script_sig_prepare,
	.act = submit_act,
	.expect = expect_block_only,
	.clean = clean,
};

/* many: more transactions and inputs than 8 bits count */

enum { MANY = 300 };

static int
many_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_coin coin;
	struct tx fund;

	tx_init(&fund);
	int code = blocks_take_coin(scene, &coin, diag);
	if (!code) {
		tx_spend(&fund, &coin);
		for (int i = 0; i < MANY; i++)
			tx_pay(&fund, 10000 + i);
		code = blocks_begin(scene, &state->block, 0, diag);
	}
	if (!code)
		block_add_tx(&state->block, &fund);
	for (uint32_t i = 0; i < MANY && !code; i++) {
		struct tx spend;

		tx_init(&spend);
		coin = tx_coin(&fund, i);
		tx_spend(&spend, &coin);
		tx_pay(&spend, 5000 + (int64_t)i);
		block_add_tx(&state->block, &spend);
		tx_fini(&spend);
	}
	tx_fini(&fund);
	return code ? code : block_finish(&state->block, diag);
}

const struct scenario sc_validation_block_connected_many = {
	.name = "validation.block_connected.many",
	.summary = "a block with 302 transactions, and all its coins in order",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_ALL,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = many_prepare,
	.act = submit_act,
	.expect = expect_with_coins,
	.clean = clean,
};

/* reconsider: two blocks are taken off and come back */

/* The first is a large one: read from disk, it is checked anew, and that takes a part of the duration. */
static int
reconsider_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = many_prepare(scene, diag);

	if (!code)
		code = blocks_submit(scene, &state->block, diag);
	if (!code)
		code = blocks_mine(scene, 1, diag);
	if (!code)
		code = note_hashes(scene, state->block.draft.height, diag);
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "invalidateblock", "[\"%s\"]",
				 state->hashes[0]);
	return code;
}

static int
reconsider_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return node_call(scene->node, scene->deadline, NULL, diag, "reconsiderblock", "[\"%s\"]",
			 state->hashes[0]);
}

const struct scenario sc_validation_block_connected_reconsider = {
	.name = "validation.block_connected.reconsider",
	.summary = "two blocks that were disconnected before are connected again and told again, in order",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_ALL,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = reconsider_prepare,
	.act = reconsider_act,
	.expect = expect_with_coins,
	.clean = clean,
};

/* reorg: a longer branch replaces the tip */

static int
reorg_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = blocks_begin(scene, &state->block, 0, diag);

	/* The branch starts beside the block that is mined now, and has another coinbase. */
	state->block.draft.extra_nonce += 1000;
	if (!code)
		code = blocks_mine(scene, 1, diag);
	if (!code)
		code = blocks_tip_hash(scene, state->disconnected[0], diag);
	if (!code)
		code = block_finish(&state->block, diag);
	state->disconnected_cnt = 1;
	return code;
}

static int
reorg_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct block second = {0};
	char *reason = NULL;

	/* The first block of the branch is no tip yet: bitcoind answers "inconclusive" and connects nothing. */
	int code = chain_submit(scene->node, scene->deadline, &state->block, &reason, diag);
	if (code)
		return code;
	if (!reason || strcmp(reason, "inconclusive"))
		code = diag_fail(diag, -EBADMSG,
				 "submitblock of a side branch: want 'inconclusive', got '%s'",
				 reason ? reason : "accepted");
	free(reason);
	struct block_draft draft = blocks_next_draft(&state->block);
	block_init(&second, &draft);
	block_add_output(&second, block_regtest_subsidy_sat(draft.height), script_p2wsh_op_true,
			 sizeof(script_p2wsh_op_true));
	if (!code)
		code = blocks_submit(scene, &second, diag);
	format_hash(state->block.hash_wire, state->hashes[0]);
	format_hash(second.hash_wire, state->hashes[1]);
	state->hashes_cnt = 2;
	block_fini(&second);
	return code;
}

const struct scenario sc_validation_block_connected_reorg = {
	.name = "validation.block_connected.reorg",
	.summary =
		"a branch of two blocks replaces the tip: nothing for the first block until the second comes, then both",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_ALL,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = reorg_prepare,
	.act = reorg_act,
	.expect = expect_with_coins,
	.clean = clean,
};

/* proposal: a block that is only tried is not told; its coins are, as a temporary cache's */

static int
proposal_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = submit_prepare(scene, diag);

	if (!code)
		state->proposal_hex = block_hex(&state->block);
	return code;
}

static int
proposal_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct json *answer = NULL;
	int code = node_call(scene->node, scene->deadline, &answer, diag, "getblocktemplate",
			     "[{\"mode\": \"proposal\", \"rules\": [\"segwit\"], \"data\": \"%s\"}]",
			     state->proposal_hex);

	if (!code && !json_is_null(answer))
		code = diag_fail(diag, -EBADMSG, "getblocktemplate refused the proposal: %s",
				 json_string(answer) ? json_string(answer) : "no reason given");
	json_free(answer);
	return code ? code : submit_act(scene, diag);
}

static int
proposal_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct json *block = NULL;
	int code = blocks_get(scene, state->hashes[0], &block, diag);

	/* Whether and how often a temporary cache is filled is bitcoind's own business. */
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	if (!code)
		code = expect_connected_coins(scene, block, FINDING_DETAIL,
					      "trying the proposal in a temporary cache", diag);
	if (!code)
		code = expect_block(scene, block, diag);
	json_free(block);
	return code;
}

const struct scenario sc_validation_block_connected_proposal = {
	.name = "validation.block_connected.proposal",
	.summary = "a proposal is not told as connected, the same block submitted is",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_ALL,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = proposal_prepare,
	.act = proposal_act,
	.expect = proposal_expect,
	.clean = clean,
};

/* invalid: a block that cannot be connected is not told; the next one is */

static int
invalid_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct block bad = {0};
	char *reason = NULL;
	int code = blocks_begin(scene, &bad, 1, diag);

	if (!code)
		code = block_finish(&bad, diag);
	if (!code)
		code = chain_submit(scene->node, scene->deadline, &bad, &reason, diag);
	if (!code && (!reason || strcmp(reason, "bad-cb-amount")))
		code = diag_fail(diag, -EBADMSG,
				 "submitblock of a block that pays too much: want 'bad-cb-amount', got '%s'",
				 reason ? reason : "accepted");
	free(reason);
	block_fini(&bad);
	if (!code)
		code = blocks_begin(scene, &state->block, 0, diag);
	return code ? code : submit_act(scene, diag);
}

const struct scenario sc_validation_block_connected_invalid = {
	.name = "validation.block_connected.invalid",
	.summary = "a block that pays too much is not told as connected, the one after it is",
	.subject = TP_VALIDATION_BLOCK_CONNECTED,
	.tracepoints = JUDGED_BLOCK,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.act = invalid_act,
	.expect = expect_block_only,
	.clean = clean,
};
