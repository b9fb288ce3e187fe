#include "scene/blocks.h"

#include "base/text.h"
#include "scene/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
fail_missing(struct scene *scene, const char *what)
{
	scene_fail(scene, -EBADMSG, "blocks: bitcoind's answer to getblock lacks %s", what);
}

struct block_facts {
	const char *hash_hex;
	const char *source; /* of all but the duration */
	int64_t height, inputs, sigops;
	uint64_t transactions;
};

/* The duration is bounded by the node's own measurements in its log. */
static void
expect_facts(struct scene *scene, const struct block_facts *facts, const struct block_timing *timing)
{
	uint8_t hash_wire[32] = {0};

	parse_hash(facts->hash_hex, hash_wire);
	expect_source(scene->expect, "%s %s", facts->source, facts->hash_hex);
	struct expected *e = expect_event(scene->expect, TP_VALIDATION_BLOCK_CONNECTED, FINDING_CONTRACT,
					  "block at height %" PRId64, facts->height);
	want_hash(e, "hash", hash_wire);
	want_int(e, "height", facts->height);
	want_uint(e, "transactions", facts->transactions);
	expect_source(scene->expect, "%s %s: inputs of all transactions, including the coinbase's",
		      facts->source, facts->hash_hex);
	want_int(e, "inputs", facts->inputs);
	expect_source(scene->expect, "%s %s: cost of the signature operations, including the coinbase's",
		      facts->source, facts->hash_hex);
	want_uint(e, "sigops", (uint64_t)facts->sigops);
	expect_source(scene->expect, "%s", timing->source);
	want_range(e, "duration", timing->least_ns, timing->most_ns);
}

/* False: bitcoind's answer lacks something. */
static bool
read_facts(struct scene *scene, const struct json *block, struct block_facts *facts)
{
	const struct json *txs = json_get(block, "tx");
	uint8_t hash_wire[32];

	*facts = (struct block_facts){
		.hash_hex = json_string(json_get(block, "hash")),
		.source = "getblock, verbosity 3, of",
		.transactions = json_cnt(txs),
		.sigops = blocks_sigop_cost(block),
	};
	if (!facts->hash_hex || !parse_hash(facts->hash_hex, hash_wire) ||
	    !json_i64(json_get(block, "height"), &facts->height) || !facts->transactions) {
		fail_missing(scene, "the hash, height or transactions of a block");
		return false;
	}
	for (size_t t = 0; t < json_cnt(txs); t++)
		facts->inputs += (int64_t)json_cnt(json_get(json_at(txs, t), "vin"));
	return true;
}

void
blocks_expect_block_connected(struct scene *scene, const struct json *block)
{
	struct block_facts facts;

	if (!read_facts(scene, block, &facts))
		return;
	struct block_timing timing = log_block_timing(scene, facts.hash_hex);
	expect_facts(scene, &facts, &timing);
}

void
blocks_expect_nth_connected(struct scene *scene, const struct json *block, const struct log_timings *timings,
			    size_t nth)
{
	struct block_timing timing = log_nth_timing(scene, timings, nth);
	struct block_facts facts;

	if (scene_ok(scene) && read_facts(scene, block, &facts))
		expect_facts(scene, &facts, &timing);
}

void
blocks_expect_coinbase_connected(struct scene *scene, const char *hash_hex, uint32_t height)
{
	struct block_timing timing = log_block_timing(scene, hash_hex);
	struct block_facts facts = {.hash_hex = hash_hex,
				    .source = "the block as it was submitted,",
				    .height = height,
				    .transactions = 1,
				    .inputs = 1};

	expect_facts(scene, &facts, &timing);
}

void
blocks_expect_coin(struct scene *scene, enum tracepoint_id id, enum finding_kind kind, const char *what,
		   const struct coin_facts *facts)
{
	struct expected *e = expect_event(scene->expect, id, kind, "%s", what);

	want_hash(e, "txid", facts->txid_wire);
	want_uint(e, "vout", (uint64_t)facts->vout);
	want_uint(e, "height", (uint64_t)facts->height);
	want_int(e, "value", facts->value_sat);
	want_bool(e, "is_coinbase", facts->is_coinbase);
}

struct coin_facts
blocks_coin_facts(struct scene *scene, const struct chain_coin *coin)
{
	struct coin_facts facts = {.vout = coin->idx};
	int64_t confirmations = 0;
	char txid_hex[65];

	format_hash(coin->txid_wire, txid_hex);
	memcpy(facts.txid_wire, coin->txid_wire, 32);
	const struct json *out =
		scene_call(scene, "gettxout", "[\"%s\", %" PRIu32 ", false]", txid_hex, coin->idx);
	struct chain_tip tip = blocks_tip(scene);
	if (!json_i64(json_get(out, "confirmations"), &confirmations) ||
	    !json_sat(json_get(out, "value"), &facts.value_sat) ||
	    !json_bool(json_get(out, "coinbase"), &facts.is_coinbase))
		scene_fail(scene, -EBADMSG, "blocks: bitcoind's gettxout does not know the coin %s:%" PRIu32,
			   txid_hex, coin->idx);
	facts.height = (int64_t)tip.height + 1 - confirmations;
	return facts;
}

/* The coin of input i of transaction t: add when it is restored, spent when it is used. */
static void
expect_input(struct scene *scene, enum tracepoint_id id, enum finding_kind kind, const struct json *block,
	     const char *what, size_t t, size_t i)
{
	const struct json *vin = json_at(json_get(json_at(json_get(block, "tx"), t), "vin"), i);
	const struct json *prevout = json_get(vin, "prevout");
	const char *txid_hex = json_string(json_get(vin, "txid"));
	struct coin_facts facts;
	char which[160];

	if (!txid_hex || !parse_hash(txid_hex, facts.txid_wire) ||
	    !json_i64(json_get(vin, "vout"), &facts.vout) ||
	    !json_i64(json_get(prevout, "height"), &facts.height) ||
	    !json_sat(json_get(prevout, "value"), &facts.value_sat) ||
	    !json_bool(json_get(prevout, "generated"), &facts.is_coinbase)) {
		fail_missing(scene, "the coin that an input spends (vin[].prevout)");
		return;
	}
	snprintf(which, sizeof(which), "%s, the coin of input %zu of transaction %zu", what, i, t);
	blocks_expect_coin(scene, id, kind, which, &facts);
}

/* Whether no coin is kept for an output with that script (CScript::IsUnspendable). */
static bool
is_unspendable(const char *script_hex)
{
	return !strncmp(script_hex, "6a", 2) || strlen(script_hex) > 2 * 10000;
}

/* The coin of output o of transaction t: add when it is made, spent when that is undone. */
static void
expect_output(struct scene *scene, enum tracepoint_id id, enum finding_kind kind, const struct json *block,
	      const char *what, size_t t, size_t o)
{
	const struct json *tx = json_at(json_get(block, "tx"), t);
	const struct json *vout = json_at(json_get(tx, "vout"), o);
	const char *script_hex = json_string(json_get(json_get(vout, "scriptPubKey"), "hex"));
	const char *txid_hex = json_string(json_get(tx, "txid"));
	struct coin_facts facts = {.vout = (int64_t)o, .is_coinbase = t == 0};
	char which[160];

	if (!script_hex || !txid_hex || !parse_hash(txid_hex, facts.txid_wire) ||
	    !json_i64(json_get(block, "height"), &facts.height) ||
	    !json_sat(json_get(vout, "value"), &facts.value_sat)) {
		fail_missing(scene, "the script or value of an output");
		return;
	}
	if (is_unspendable(script_hex))
		return;
	snprintf(which, sizeof(which), "%s, output %zu of transaction %zu", what, o, t);
	blocks_expect_coin(scene, id, kind, which, &facts);
}

/* What the coins of a block are compared with. */
static void
set_source(struct scene *scene, const struct json *block)
{
	const char *hash_hex = json_string(json_get(block, "hash"));

	expect_source(scene->expect, "getblock %s 3", hash_hex ? hash_hex : "");
}

void
blocks_expect_connected_coins(struct scene *scene, const struct json *block, enum finding_kind kind,
			      const char *what)
{
	const struct json *txs = json_get(block, "tx");

	set_source(scene, block);
	for (size_t t = 0; t < json_cnt(txs); t++) {
		const struct json *tx = json_at(txs, t);

		for (size_t i = 0; t > 0 && i < json_cnt(json_get(tx, "vin")); i++)
			expect_input(scene, TP_UTXOCACHE_SPENT, kind, block, what, t, i);
		for (size_t o = 0; o < json_cnt(json_get(tx, "vout")); o++)
			expect_output(scene, TP_UTXOCACHE_ADD, kind, block, what, t, o);
	}
}

void
blocks_expect_disconnected_coins(struct scene *scene, const struct json *block, enum finding_kind kind,
				 const char *what)
{
	const struct json *txs = json_get(block, "tx");

	set_source(scene, block);
	for (size_t t = json_cnt(txs); t-- > 0;) {
		const struct json *tx = json_at(txs, t);

		for (size_t o = 0; o < json_cnt(json_get(tx, "vout")); o++)
			expect_output(scene, TP_UTXOCACHE_SPENT, kind, block, what, t, o);
		for (size_t i = json_cnt(json_get(tx, "vin")); t > 0 && i-- > 0;)
			expect_input(scene, TP_UTXOCACHE_ADD, kind, block, what, t, i);
	}
}

void
blocks_expect_block(struct scene *scene, const struct json *block)
{
	blocks_expect_connected_coins(scene, block, FINDING_CONTRACT, "connecting the block");
	blocks_expect_block_connected(scene, block);
}
