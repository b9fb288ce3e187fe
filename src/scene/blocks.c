#include "scene/blocks.h"

#include "base/text.h"
#include "base/xmem.h"
#include "node/script.h"
#include "scene/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
blocks_mine(struct scene *scene, unsigned cnt, struct diag *diag)
{
	return chain_generate(scene->node, scene->deadline, cnt, script_p2wsh_op_true,
			      sizeof(script_p2wsh_op_true), diag);
}

int
blocks_begin_chain(struct scene *scene, struct diag *diag)
{
	struct block_draft draft;
	int code = chain_draft(scene->node, scene->deadline, &draft, diag);

	for (int i = 0; i < ODD_BLOCKS && !code; i++) {
		struct block block;

		block_init(&block, &draft);
		block_add_output(&block, block_regtest_subsidy_sat(draft.height) - i, script_p2wsh_op_true,
				 sizeof(script_p2wsh_op_true));
		block_add_output(&block, i, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
		code = blocks_submit(scene, &block, diag);
		draft = blocks_next_draft(&block);
		block_fini(&block);
	}
	return code;
}

int
blocks_warm(struct scene *scene, struct diag *diag)
{
	int code = blocks_mine(scene, LEAST_TIP - ODD_BLOCKS, diag);

	scene->coins->tip_least = code ? 0 : LEAST_TIP;
	return code;
}

/* The coinbase coin of that height, once it can be spent. */
static int
take_coinbase(struct scene *scene, uint32_t height, struct chain_coin *coin, struct diag *diag)
{
	/* A coinbase at height h can be spent in the block at h + 100, so the tip has to be at h + 99. */
	uint32_t least =
		height + COINBASE_MATURITY - 1 > LEAST_TIP ? height + COINBASE_MATURITY - 1 : LEAST_TIP;
	int code = 0;

	if (scene->coins->tip_least < least) {
		struct chain_tip tip;

		code = chain_tip(scene->node, scene->deadline, &tip, diag);
		if (!code && least > tip.height)
			code = blocks_mine(scene, least - tip.height, diag);
		if (!code)
			scene->coins->tip_least = least;
	}
	return code ? code : chain_coinbase(scene->node, scene->deadline, height, coin, diag);
}

int
blocks_take_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag)
{
	if (!scene->coins->next_height)
		scene->coins->next_height = 1;
	return take_coinbase(scene, scene->coins->next_height++, coin, diag);
}

int
blocks_take_high_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag)
{
	if (!scene->coins->next_high)
		scene->coins->next_high = HIGH_HEIGHT;
	return take_coinbase(scene, scene->coins->next_high++, coin, diag);
}

int
blocks_take_odd_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag)
{
	uint32_t nth = scene->coins->next_odd++;

	if (nth >= ODD_BLOCKS)
		return diag_fail(diag, -ENOENT, "blocks: there are no more than %d odd coins on a node",
				 ODD_BLOCKS);
	int code = take_coinbase(scene, nth + 1, coin, diag);
	coin->idx = 1;
	coin->value_sat = nth;
	return code;
}

int
blocks_take_plain_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag)
{
	struct block block = {0};
	struct tx tx;
	int code = blocks_take_coin(scene, coin, diag);

	tx_init(&tx);
	if (!code) {
		tx_spend(&tx, coin);
		tx_pay(&tx, coin->value_sat - FEE_SAT);
		*coin = tx_coin(&tx, 0);
		code = blocks_begin(scene, &block, 0, diag);
	}
	if (!code) {
		block_add_tx(&block, &tx);
		code = blocks_submit(scene, &block, diag);
	}
	block_fini(&block);
	tx_fini(&tx);
	return code;
}

int
blocks_take_small_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag)
{
	struct coin_pool *pool = scene->coins;
	struct block block = {0};
	struct tx tx;
	int code = 0;

	if (!pool->small_left) {
		tx_init(&tx);
		code = blocks_take_coin(scene, coin, diag);
		if (!code) {
			tx_spend(&tx, coin);
			for (int i = 0; i < SMALL_COINS; i++)
				tx_pay(&tx, SMALL_COIN_SAT + i * SMALL_COIN_STEP_SAT);
			code = blocks_begin(scene, &block, 0, diag);
		}
		if (!code) {
			block_add_tx(&block, &tx);
			code = blocks_submit(scene, &block, diag);
		}
		if (!code) {
			tx_txid(&tx, pool->small_txid_wire);
			pool->small_left = SMALL_COINS;
		}
		block_fini(&block);
		tx_fini(&tx);
	}
	if (code)
		return code;
	uint32_t nth = SMALL_COINS - pool->small_left--;
	*coin = (struct chain_coin){.idx = nth, .value_sat = SMALL_COIN_SAT + nth * SMALL_COIN_STEP_SAT};
	memcpy(coin->txid_wire, pool->small_txid_wire, 32);
	return 0;
}

int
blocks_make_wide_tx(struct scene *scene, struct tx *tx, struct diag *diag)
{
	static const uint8_t op_return = SCRIPT_OP_RETURN;
	struct chain_coin coin;
	int code = blocks_take_coin(scene, &coin, diag);

	tx_init(tx);
	if (code)
		return code;
	tx_spend(tx, &coin);
	/* Of those before nothing is kept, so that the UTXO set stays small. */
	for (int i = 0; i < WIDE_OUTPUTS - WIDE_COINS; i++)
		tx_add_output(tx, 0, &op_return, 1);
	for (int i = 0; i < WIDE_COINS; i++)
		tx_pay(tx, WIDE_COIN_SAT + i);
	return 0;
}

int
blocks_take_wide_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag)
{
	struct coin_pool *pool = scene->coins;
	struct block block = {0};
	struct tx tx;
	int code = 0;

	if (!pool->wide_left) {
		code = blocks_make_wide_tx(scene, &tx, diag);
		if (!code)
			code = blocks_begin(scene, &block, 0, diag);
		if (!code) {
			block_add_tx(&block, &tx);
			code = blocks_submit(scene, &block, diag);
		}
		if (!code) {
			tx_txid(&tx, pool->wide_txid_wire);
			pool->wide_left = WIDE_COINS;
		}
		block_fini(&block);
		tx_fini(&tx);
	}
	if (code)
		return code;
	uint32_t nth = WIDE_COINS - pool->wide_left--;
	*coin = (struct chain_coin){.idx = WIDE_OUTPUTS - WIDE_COINS + nth, .value_sat = WIDE_COIN_SAT + nth};
	memcpy(coin->txid_wire, pool->wide_txid_wire, 32);
	return 0;
}

/* Coins for the cold list, then a restart, which leaves the cache empty. */
static int
chill_coins(struct scene *scene, struct diag *diag)
{
	static int (*const kinds[])(struct scene *, struct chain_coin *, struct diag *) = {
		blocks_take_wide_coin, blocks_take_odd_coin, blocks_take_high_coin, blocks_take_plain_coin};
	struct coin_pool *pool = scene->coins;
	int code = 0;

	pool->cold_cnt = 0;
	for (size_t i = 0; i < COLD_COINS_MAX && !code; i++)
		code = kinds[i % 4](scene, &pool->cold[i], diag);
	/* Writes all to disk; after that a kill is as good as an orderly end, and quicker. */
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "gettxoutsetinfo", "[\"none\"]");
	if (!code)
		node_kill(scene->node);
	if (!code)
		code = node_restart(scene->node, NULL, diag);
	if (!code)
		code = node_wait_ready(scene->node, scene->deadline, diag);
	if (!code)
		pool->cold_cnt = COLD_COINS_MAX;
	return code;
}

int
blocks_take_cold_coins(struct scene *scene, struct chain_coin *coins, size_t cnt, struct diag *diag)
{
	struct coin_pool *pool = scene->coins;

	if (pool->cold_cnt < cnt) {
		int code = chill_coins(scene, diag);
		if (code)
			return code;
	}
	for (size_t i = 0; i < cnt; i++)
		coins[i] = pool->cold[--pool->cold_cnt];
	return 0;
}

int
blocks_begin(struct scene *scene, struct block *block, int64_t fees_sat, struct diag *diag)
{
	struct block_draft draft;
	int code = chain_draft(scene->node, scene->deadline, &draft, diag);

	if (code) {
		memset(block, 0, sizeof(*block));
		return code;
	}
	block_init(block, &draft);
	block_add_output(block, block_regtest_subsidy_sat(draft.height) + fees_sat, script_p2wsh_op_true,
			 sizeof(script_p2wsh_op_true));
	return 0;
}

struct block_draft
blocks_next_draft(const struct block *block)
{
	struct block_draft draft = block->draft;

	memcpy(draft.prev_hash_wire, block->hash_wire, 32);
	draft.height++;
	draft.time++;
	return draft;
}

int
blocks_submit(struct scene *scene, struct block *block, struct diag *diag)
{
	int code = block_finish(block, diag);

	return code ? code : chain_submit(scene->node, scene->deadline, block, NULL, diag);
}

static void
fini_block(void *block)
{
	block_fini(block);
}

int
blocks_add(struct scene *scene, unsigned txs, struct block **block, struct diag *diag)
{
	struct chain_coin *coins = xcalloc(txs + 1, sizeof(*coins));
	int code = 0;

	*block = scene_keep(scene, sizeof(**block), fini_block);
	for (unsigned i = 0; i < txs && !code; i++)
		code = blocks_take_coin(scene, &coins[i], diag);
	if (!code)
		code = blocks_begin(scene, *block, 0, diag);
	for (unsigned i = 0; i < txs && !code; i++) {
		struct tx tx;

		tx_init(&tx);
		tx_spend(&tx, &coins[i]);
		tx_pay(&tx, coins[i].value_sat - FEE_SAT);
		block_add_tx(*block, &tx);
		tx_fini(&tx);
	}
	if (!code)
		code = blocks_submit(scene, *block, diag);
	free(coins);
	return code;
}

int
blocks_call(struct scene *scene, const char *method, const struct block *block, struct diag *diag)
{
	char hash_hex[65];

	format_hash(block->hash_wire, hash_hex);
	return node_call(scene->node, scene->deadline, NULL, diag, method, "[\"%s\"]", hash_hex);
}

void
tx_spend(struct tx *tx, const struct chain_coin *coin)
{
	tx_add_input_op_true(tx, coin->txid_wire, coin->idx, TX_SEQUENCE_RBF);
}

void
tx_pay(struct tx *tx, int64_t value_sat)
{
	tx_add_output(tx, value_sat, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
}

struct chain_coin
tx_coin(const struct tx *tx, uint32_t idx)
{
	struct chain_coin coin = {.idx = idx, .value_sat = tx->outputs[idx].value_sat};

	tx_txid(tx, coin.txid_wire);
	return coin;
}

int
blocks_get(struct scene *scene, const char *hash_hex, struct json **block, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, block, diag, "getblock", "[\"%s\", 3]", hash_hex);
}

int
blocks_tip_hash(struct scene *scene, char hash_hex[65], struct diag *diag)
{
	struct chain_tip tip;
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);

	format_hash(tip.hash_wire, hash_hex);
	return code;
}

static int
lacks(const char *what, struct diag *diag)
{
	return diag_fail(diag, -EBADMSG, "blocks: bitcoind's getblock lacks %s", what);
}

/* Signature operations of a script's text as Bitcoin Core counts them in a scriptSig or scriptPubKey
 * (GetLegacySigOpCount): 1 for a CHECKSIG, 20 for a CHECKMULTISIG, run or not. */
static int64_t
count_sigops(const char *assembly)
{
	int64_t cnt = 0;

	while (assembly && *assembly) {
		size_t len = strcspn(assembly, " ");

		if (!strncmp(assembly, "OP_CHECKSIG", 11) &&
		    (len == 11 || (len == 17 && !strncmp(assembly + 11, "VERIFY", 6))))
			cnt += 1;
		if (!strncmp(assembly, "OP_CHECKMULTISIG", 16) &&
		    (len == 16 || (len == 22 && !strncmp(assembly + 16, "VERIFY", 6))))
			cnt += 20;
		assembly += len + (assembly[len] == ' ');
	}
	return cnt;
}

/* CHECKSIGs in a script given as hex: for the scenarios' own scripts, in which no opcode is hidden in a push. */
static int64_t
count_checksigs(const char *script_hex)
{
	int64_t cnt = 0;

	for (; script_hex && script_hex[0] && script_hex[1]; script_hex += 2)
		cnt += !strncmp(script_hex, "ac", 2) || !strncmp(script_hex, "ad", 2);
	return cnt;
}

/* The cost of what an input reveals: a P2SH script counts as a legacy one, a P2WSH script once. */
static int64_t
revealed_cost(const struct json *vin)
{
	const char *type = json_string(json_get(json_get(json_get(vin, "prevout"), "scriptPubKey"), "type"));
	const struct json *witness = json_get(vin, "txinwitness");

	if (type && !strcmp(type, "witness_v0_scripthash"))
		return count_checksigs(json_string(json_at(witness, json_cnt(witness) - 1)));
	if (type && !strcmp(type, "scripthash")) {
		const char *assembly = json_string(json_get(json_get(vin, "scriptSig"), "asm"));
		const char *last = assembly ? strrchr(assembly, ' ') : NULL;

		return 4 * count_checksigs(last ? last + 1 : assembly);
	}
	return 0;
}

int64_t
blocks_sigop_cost(const struct json *block)
{
	const struct json *txs = json_get(block, "tx");
	int64_t cost = 0;

	for (size_t t = 0; t < json_cnt(txs); t++) {
		const struct json *vins = json_get(json_at(txs, t), "vin"),
				  *vouts = json_get(json_at(txs, t), "vout");

		for (size_t i = 0; i < json_cnt(vins); i++) {
			cost += 4 * count_sigops(json_string(
					    json_get(json_get(json_at(vins, i), "scriptSig"), "asm")));
			cost += revealed_cost(json_at(vins, i));
		}
		for (size_t i = 0; i < json_cnt(vouts); i++)
			cost += 4 * count_sigops(json_string(
					    json_get(json_get(json_at(vouts, i), "scriptPubKey"), "asm")));
	}
	return cost;
}

struct block_facts {
	const char *hash_hex;
	const char *source; /* where all but the duration come from */
	int64_t height, inputs, sigops;
	uint64_t transactions;
};

/* Duration is bounded by the node's own measurements in its log. */
static int
expect_facts(struct scene *scene, const struct block_facts *facts, struct diag *diag)
{
	uint8_t hash_wire[32];
	struct block_timing timing;
	int code = log_block_timing(scene, facts->hash_hex, &timing, diag);

	if (code)
		return code;
	parse_hash(facts->hash_hex, hash_wire);
	expect_source(scene->expect, "%s %s", facts->source, facts->hash_hex);
	struct expected *e = expect_event(scene->expect, TP_VALIDATION_BLOCK_CONNECTED, FINDING_CONTRACT,
					  "block at height %" PRId64, facts->height);
	want_hash(e, "hash", hash_wire);
	want_int(e, "height", facts->height);
	want_uint(e, "transactions", facts->transactions);
	expect_source(scene->expect, "%s %s: inputs of all transactions, the coinbase's one included",
		      facts->source, facts->hash_hex);
	want_int(e, "inputs", facts->inputs);
	expect_source(scene->expect, "%s %s: cost of the signature operations, the coinbase's included",
		      facts->source, facts->hash_hex);
	want_uint(e, "sigops", (uint64_t)facts->sigops);
	expect_source(scene->expect, "%s", timing.source);
	want_range(e, "duration", timing.least_ns, timing.most_ns);
	return 0;
}

int
expect_block_connected(struct scene *scene, const struct json *block, struct diag *diag)
{
	const struct json *txs = json_get(block, "tx");
	uint8_t hash_wire[32];
	struct block_facts facts = {
		.hash_hex = json_string(json_get(block, "hash")),
		.source = "getblock, verbosity 3, of",
		.transactions = json_cnt(txs),
		.sigops = blocks_sigop_cost(block),
	};

	if (!facts.hash_hex || !parse_hash(facts.hash_hex, hash_wire) ||
	    !json_i64(json_get(block, "height"), &facts.height) || !facts.transactions)
		return lacks("the hash, height or transactions of a block", diag);
	for (size_t t = 0; t < json_cnt(txs); t++)
		facts.inputs += (int64_t)json_cnt(json_get(json_at(txs, t), "vin"));
	return expect_facts(scene, &facts, diag);
}

int
expect_coinbase_connected(struct scene *scene, const char *hash_hex, uint32_t height, struct diag *diag)
{
	struct block_facts facts = {.hash_hex = hash_hex,
				    .source = "the block as it was submitted,",
				    .height = height,
				    .transactions = 1,
				    .inputs = 1};

	return expect_facts(scene, &facts, diag);
}

void
expect_coin(struct scene *scene, enum tracepoint_id id, enum finding_kind kind, const char *what,
	    const struct coin_facts *facts)
{
	struct expected *e = expect_event(scene->expect, id, kind, "%s", what);

	want_hash(e, "txid", facts->txid_wire);
	want_uint(e, "vout", (uint64_t)facts->vout);
	want_uint(e, "height", (uint64_t)facts->height);
	want_int(e, "value", facts->value_sat);
	want_bool(e, "is_coinbase", facts->is_coinbase);
}

int
blocks_coin_facts(struct scene *scene, const struct chain_coin *coin, struct coin_facts *facts,
		  struct diag *diag)
{
	char txid_hex[65];
	struct json *out = NULL;
	struct chain_tip tip;
	int64_t confirmations;

	format_hash(coin->txid_wire, txid_hex);
	memcpy(facts->txid_wire, coin->txid_wire, 32);
	facts->vout = coin->idx;
	int code = node_call(scene->node, scene->deadline, &out, diag, "gettxout",
			     "[\"%s\", %" PRIu32 ", false]", txid_hex, coin->idx);
	if (!code)
		code = chain_tip(scene->node, scene->deadline, &tip, diag);
	if (!code && (!json_i64(json_get(out, "confirmations"), &confirmations) ||
		      !json_sat(json_get(out, "value"), &facts->value_sat) ||
		      !json_bool(json_get(out, "coinbase"), &facts->is_coinbase)))
		code = diag_fail(diag, -EBADMSG,
				 "blocks: bitcoind's gettxout does not know the coin %s:%" PRIu32, txid_hex,
				 coin->idx);
	if (!code)
		facts->height = (int64_t)tip.height + 1 - confirmations;
	json_free(out);
	return code;
}

/* An input's coin: add of it when it is restored, spent when it is used. */
static int
expect_input(struct scene *scene, enum tracepoint_id id, enum finding_kind kind, const struct json *vin,
	     const char *what, size_t t, size_t i, struct diag *diag)
{
	const struct json *prevout = json_get(vin, "prevout");
	const char *txid_hex = json_string(json_get(vin, "txid"));
	struct coin_facts facts;
	char which[160];

	if (!txid_hex || !parse_hash(txid_hex, facts.txid_wire) ||
	    !json_i64(json_get(vin, "vout"), &facts.vout) ||
	    !json_i64(json_get(prevout, "height"), &facts.height) ||
	    !json_sat(json_get(prevout, "value"), &facts.value_sat) ||
	    !json_bool(json_get(prevout, "generated"), &facts.is_coinbase))
		return lacks("the coin that an input spends (vin[].prevout)", diag);
	snprintf(which, sizeof(which), "%s, the coin of input %zu of transaction %zu", what, i, t);
	expect_coin(scene, id, kind, which, &facts);
	return 0;
}

/* Whether a coin with that script is kept at all (CScript::IsUnspendable). */
static bool
is_unspendable(const char *script_hex)
{
	return !strncmp(script_hex, "6a", 2) || strlen(script_hex) > 2 * 10000;
}

static int
expect_output(struct scene *scene, enum tracepoint_id id, enum finding_kind kind, const struct json *block,
	      const struct json *tx, const char *what, size_t t, size_t o, struct diag *diag)
{
	const struct json *vout = json_at(json_get(tx, "vout"), o);
	const char *script_hex = json_string(json_get(json_get(vout, "scriptPubKey"), "hex"));
	const char *txid_hex = json_string(json_get(tx, "txid"));
	struct coin_facts facts = {.vout = (int64_t)o, .is_coinbase = t == 0};
	char which[160];

	if (!script_hex || !txid_hex || !parse_hash(txid_hex, facts.txid_wire) ||
	    !json_i64(json_get(block, "height"), &facts.height) ||
	    !json_sat(json_get(vout, "value"), &facts.value_sat))
		return lacks("the script or value of an output", diag);
	if (is_unspendable(script_hex))
		return 0;
	snprintf(which, sizeof(which), "%s, output %zu of transaction %zu", what, o, t);
	expect_coin(scene, id, kind, which, &facts);
	return 0;
}

int
expect_connected_coins(struct scene *scene, const struct json *block, enum finding_kind kind,
		       const char *what, struct diag *diag)
{
	const struct json *txs = json_get(block, "tx");
	int code = 0;

	expect_source(scene->expect, "getblock %s 3", json_string(json_get(block, "hash")));
	for (size_t t = 0; t < json_cnt(txs) && !code; t++) {
		const struct json *tx = json_at(txs, t), *vins = json_get(tx, "vin");

		for (size_t i = 0; t > 0 && i < json_cnt(vins) && !code; i++)
			code = expect_input(scene, TP_UTXOCACHE_SPENT, kind, json_at(vins, i), what, t, i,
					    diag);
		for (size_t o = 0; o < json_cnt(json_get(tx, "vout")) && !code; o++)
			code = expect_output(scene, TP_UTXOCACHE_ADD, kind, block, tx, what, t, o, diag);
	}
	return code;
}

int
expect_block(struct scene *scene, const struct json *block, struct diag *diag)
{
	int code = expect_connected_coins(scene, block, FINDING_CONTRACT, "connecting the block", diag);

	return code ? code : expect_block_connected(scene, block, diag);
}

int
expect_disconnected_coins(struct scene *scene, const struct json *block, struct diag *diag)
{
	static const char what[] = "disconnecting the block";
	const struct json *txs = json_get(block, "tx");
	int code = 0;

	expect_source(scene->expect, "getblock %s 3", json_string(json_get(block, "hash")));
	for (size_t t = json_cnt(txs); t-- > 0 && !code;) {
		const struct json *tx = json_at(txs, t), *vins = json_get(tx, "vin");

		for (size_t o = 0; o < json_cnt(json_get(tx, "vout")) && !code; o++)
			code = expect_output(scene, TP_UTXOCACHE_SPENT, FINDING_CONTRACT, block, tx, what, t,
					     o, diag);
		for (size_t i = json_cnt(vins); t > 0 && i-- > 0 && !code;)
			code = expect_input(scene, TP_UTXOCACHE_ADD, FINDING_CONTRACT, json_at(vins, i), what,
					    t, i, diag);
	}
	return code;
}
