#include "scene/blocks.h"

#include "base/text.h"
#include "node/script.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void
blocks_spend(struct tx *tx, const struct chain_coin *coin)
{
	tx_add_input_op_true(tx, coin->txid_wire, coin->idx, TX_SEQUENCE_RBF);
}

void
blocks_pay(struct tx *tx, int64_t value_sat)
{
	tx_add_output(tx, value_sat, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
}

struct chain_coin
blocks_coin_of(const struct tx *tx, uint32_t idx)
{
	struct chain_coin coin = {.idx = idx, .value_sat = tx->outputs[idx].value_sat};

	tx_txid(tx, coin.txid_wire);
	return coin;
}

void
blocks_send(struct scene *scene, const struct tx *tx)
{
	if (scene_ok(scene))
		scene->err = chain_send(scene->node, scene->deadline, tx, &scene->diag);
}

void
blocks_mine(struct scene *scene, unsigned cnt)
{
	if (scene_ok(scene))
		scene->err = chain_generate(scene->node, scene->deadline, cnt, script_p2wsh_op_true,
					    sizeof(script_p2wsh_op_true), &scene->diag);
}

static void
fini_block(void *kept)
{
	block_fini(kept);
}

static struct block *
new_block(struct scene *scene, const struct block_draft *draft, int64_t fees_sat)
{
	struct block *block = scene_keep(scene, sizeof(*block), fini_block);

	block_init(block, draft);
	block_add_output(block, block_regtest_subsidy_sat(draft->height) + fees_sat, script_p2wsh_op_true,
			 sizeof(script_p2wsh_op_true));
	return block;
}

struct block *
blocks_begin(struct scene *scene, int64_t fees_sat)
{
	struct block_draft draft = {.height = 0};

	if (scene_ok(scene))
		scene->err = chain_draft(scene->node, scene->deadline, &draft, &scene->diag);
	return new_block(scene, &draft, fees_sat);
}

struct block *
blocks_begin_after(struct scene *scene, const struct block *before, int64_t fees_sat)
{
	struct block_draft draft = blocks_next_draft(before);

	return new_block(scene, &draft, fees_sat);
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

void
blocks_finish(struct scene *scene, struct block *block)
{
	if (scene_ok(scene))
		scene->err = block_finish(block, &scene->diag);
}

void
blocks_submit(struct scene *scene, struct block *block)
{
	blocks_finish(scene, block);
	if (scene_ok(scene))
		scene->err = chain_submit(scene->node, scene->deadline, block, NULL, &scene->diag);
}

void
blocks_submit_refused(struct scene *scene, struct block *block, const char *reason, const char *what)
{
	char *got = NULL;

	blocks_finish(scene, block);
	if (!scene_ok(scene))
		return;
	scene->err = chain_submit(scene->node, scene->deadline, block, &got, &scene->diag);
	if (!got)
		scene_fail(scene, -EBADMSG, "blocks: submitblock accepted %s: want '%s'", what, reason);
	else if (strcmp(got, reason) != 0)
		expect_detail(scene->expect, TP_VALIDATION_BLOCK_CONNECTED,
			      "submitblock answers '%s' for %s, where all releases so far answer '%s'", got,
			      what, reason);
	free(got);
}

struct block *
blocks_mine_tx(struct scene *scene, const struct tx *tx)
{
	struct block *block = blocks_begin(scene, 0);

	block_add_tx(block, tx);
	blocks_submit(scene, block);
	return block;
}

struct chain_tip
blocks_tip(struct scene *scene)
{
	struct chain_tip tip = {.height = 0};

	if (scene_ok(scene))
		scene->err = chain_tip(scene->node, scene->deadline, &tip, &scene->diag);
	return tip;
}

void
blocks_tip_hash(struct scene *scene, char hash_hex[65])
{
	struct chain_tip tip = blocks_tip(scene);

	format_hash(tip.hash_wire, hash_hex);
}

void
blocks_call(struct scene *scene, const char *method, const struct block *block)
{
	char hash_hex[65];

	format_hash(block->hash_wire, hash_hex);
	scene_call(scene, method, "[\"%s\"]", hash_hex);
}

const struct json *
blocks_get(struct scene *scene, const char *hash_hex)
{
	return scene_call(scene, "getblock", "[\"%s\", 3]", hash_hex);
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
