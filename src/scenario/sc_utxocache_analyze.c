/* utxocache:add while bitcoind analyzes a transaction: it puts the coins that this spends into a temporary cache. */
#include "base/text.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/wallets.h"

#include <errno.h>
#include <string.h>

struct state {
	const char *psbt;
	struct block *block;
};

enum { ANALYZED_HEIGHT = 1 }; /* whatever height the coin has */

static void
analyzed_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	struct buf *coin = scene_buf(scene, 1 << 10);

	wallets_make(scene);
	wallets_write_coins(scene, COIN_BIT(COIN_BIG), 0, coin);
	const struct json *answer = scene_wallet_call(
		scene, PURSE_NAME, "walletcreatefundedpsbt",
		"[[%s], [{\"data\": \"5a\"}], 0, {\"add_inputs\": false, \"fee_rate\": 5}]", coin->data);
	const char *psbt = json_string(json_get(answer, "psbt"));
	if (!psbt)
		scene_fail(scene, -EBADMSG, "walletcreatefundedpsbt's answer lacks the PSBT");
	struct buf *kept = scene_buf(scene, 1 << 16);
	buf_puts(kept, psbt ? psbt : "");
	state->psbt = kept->data;
	state->block = blocks_begin(scene, 0);
}

static void
analyzed_act(struct scene *scene)
{
	const struct state *state = scene->state;

	scene_call(scene, "analyzepsbt", "[\"%s\"]", state->psbt);
	blocks_submit(scene, state->block);
}

static void
analyzed_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	const struct chain_coin *coin = &scene->wallets->coins[COIN_BIG];
	struct coin_facts facts = {
		.vout = coin->idx, .height = ANALYZED_HEIGHT, .value_sat = coin->value_sat};
	char hash_hex[65];

	expect_extra_kind(scene->expect, FINDING_DETAIL);
	expect_source(scene->expect, "the coin that the analyzed transaction spends");
	memcpy(facts.txid_wire, coin->txid_wire, 32);
	blocks_expect_coin(scene, TP_UTXOCACHE_ADD, FINDING_DETAIL, "analyzing the transaction", &facts);
	format_hash(state->block->hash_wire, hash_hex);
	blocks_expect_block(scene, blocks_get(scene, hash_hex));
}

DEFINE_SCENARIO(utxocache, add, analyzed,
	.summary = "analyzepsbt adds the coins of a transaction to a temporary cache (a detail)",
	.subject = TP_UTXOCACHE_ADD,
	.tracepoints = TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) | TP_BIT(TP_UTXOCACHE_UNCACHE) |
		       TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct state),
	.prepare = analyzed_prepare,
	.act = analyzed_act,
	.expect = analyzed_expect,
);
