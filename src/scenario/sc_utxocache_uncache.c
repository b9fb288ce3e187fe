#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/coins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COINS_MAX = 4 };

struct state {
	struct chain_coin coins[COINS_MAX]; /* cold ones, which a rejected transaction loads */
	size_t coins_cnt;
	bool stays[COINS_MAX]; /* so not uncached */
};

#define UNCACHE_SCENARIO(behaviour_, ...)                                                                    \
	DEFINE_SCENARIO(utxocache, uncache, behaviour_, .subject = TP_UTXOCACHE_UNCACHE,                     \
			.tracepoints = TP_BIT(TP_UTXOCACHE_UNCACHE) | TP_BIT(TP_UTXOCACHE_ADD) |             \
				       TP_BIT(TP_UTXOCACHE_SPENT) | TP_BIT(TP_UTXOCACHE_FLUSH),              \
			.profile = &profile_default, .state_sz = sizeof(struct state), __VA_ARGS__)

static void
take(struct scene *scene, size_t cnt)
{
	struct state *state = scene->state;

	state->coins_cnt = cnt;
	coins_take_cold(scene, state->coins, cnt);
}

static void
take_all(struct scene *scene)
{
	take(scene, COINS_MAX);
}

/* The coins are uncached in the order of the inputs. */
static void
uncached_expect(struct scene *scene)
{
	const struct state *state = scene->state;

	expect_source(scene->expect, "gettxout of the coin");
	for (size_t i = 0; i < state->coins_cnt; i++) {
		if (state->stays[i])
			continue;
		struct coin_facts facts = blocks_coin_facts(scene, &state->coins[i]);
		blocks_expect_coin(scene, TP_UTXOCACHE_UNCACHE, FINDING_CONTRACT,
				   "a coin that the rejected transaction loaded", &facts);
	}
}

/* A transaction whose witnesses are not the script that its coins require. In all releases it is rejected for
 * "...script-verify-flag... (Witness program hash mismatch)", and its coins have been loaded by then. */
static struct tx *
make_bad(struct scene *scene, const struct chain_coin *coins, size_t cnt)
{
	struct tx *tx = scene_tx(scene);
	int64_t value_sat = 0;

	for (size_t i = 0; i < cnt; i++) {
		struct tx_input *input = tx_add_input(tx, coins[i].txid_wire, coins[i].idx, TX_SEQUENCE_RBF);

		tx_add_witness(input, "\x52", 1);
		value_sat += coins[i].value_sat;
	}
	/* Coins worth next to nothing leave no fee, and a transaction without a fee would be rejected too early. */
	blocks_pay(tx, value_sat > 2 * FEE_SAT ? value_sat - FEE_SAT : 1000);
	return tx;
}

/* The reason (NULL: it was accepted) lacks these words: it is not known how far the node got, and so which coins it
 * loaded. */
static void
check_reason(struct scene *scene, const char *method, const char *reason, const char *words)
{
	if (reason)
		scene_skip(
			scene,
			"%s rejects the transaction for '%s' and not for '...%s...', as all releases so far do",
			method, reason, words);
	else
		scene_fail(scene, -EBADMSG, "%s did not reject for '%s'", method, words);
}

/* testmempoolaccept must reject one of these, with a reason that contains these words. */
static void
try_refused(struct scene *scene, struct tx *const *txs, size_t cnt, const char *words)
{
	struct buf *list = scene_buf(scene, 1 << 20);
	const char *last = NULL;
	bool refused = false;

	for (size_t i = 0; i < cnt; i++) {
		char *hex = tx_hex(txs[i]);

		buf_printf(list, "%s\"%s\"", i ? ", " : "", hex);
		free(hex);
	}
	const struct json *answer = scene_call(scene, "testmempoolaccept", "[[%s]]", list->data);
	for (size_t i = 0; i < json_cnt(answer); i++) {
		const char *reason = json_string(json_get(json_at(answer, i), "reject-reason"));

		refused |= reason && strstr(reason, words);
		last = reason ? reason : last;
	}
	if (!refused)
		check_reason(scene, "testmempoolaccept", last, words);
}

static void
try_bad(struct scene *scene)
{
	const struct state *state = scene->state;
	struct tx *tx = make_bad(scene, state->coins, state->coins_cnt);

	try_refused(scene, &tx, 1, "script-verify-flag");
}

/* sendrawtransaction must reject it. */
static void
send_bad(struct scene *scene, const struct chain_coin *coins, size_t cnt)
{
	char *hex = tx_hex(make_bad(scene, coins, cnt));

	if (scene_call_succeeds(scene, "sendrawtransaction", "[\"%s\", 0]", hex))
		scene_fail(scene, -EBADMSG,
			   "sendrawtransaction of a transaction with wrong witnesses was not rejected");
	else if (scene_ok(scene) && !strstr(node_rpc_message(scene->node), "script-verify-flag"))
		check_reason(scene, "sendrawtransaction", node_rpc_message(scene->node),
			     "script-verify-flag");
	free(hex);
}

UNCACHE_SCENARIO(rejected,
	.summary = "a rejected transaction uncaches its four coins: coinbases and others, of various positions, heights and values",
	.prepare = take_all,
	.act = try_bad,
	.expect = uncached_expect,
);

/* accepted: sent rather than tried; a rejected transaction follows as the control */

static void
accepted_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct tx *tx = scene_tx(scene);

	blocks_spend(tx, &state->coins[0]);
	blocks_spend(tx, &state->coins[1]);
	blocks_pay(tx, state->coins[0].value_sat + state->coins[1].value_sat - FEE_SAT);
	blocks_send(scene, tx);
	state->stays[0] = state->stays[1] = true;
	send_bad(scene, &state->coins[2], 2);
}

static void
accepted_expect(struct scene *scene)
{
	uncached_expect(scene);
	/* So that the next scenario finds the mempool empty. */
	blocks_mine(scene, 1);
}

UNCACHE_SCENARIO(accepted,
	.summary = "an accepted transaction's coins stay cached; those of a rejected one after it are uncached",
	.prepare = take_all,
	.act = accepted_act,
	.expect = accepted_expect,
);

/* cached: a coin that was loaded earlier stays */

static void
cached_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	take_all(scene);
	/* This loads it. */
	blocks_coin_facts(scene, &state->coins[1]);
	state->stays[1] = true;
}

UNCACHE_SCENARIO(cached,
	.summary = "a rejected transaction uncaches its coins, except one that was cached before",
	.prepare = cached_prepare,
	.act = try_bad,
	.expect = uncached_expect,
);

/* missing: nothing fires for the coin that does not exist */

static void
missing_prepare(struct scene *scene)
{
	take(scene, 2);
}

static void
missing_act(struct scene *scene)
{
	const struct state *state = scene->state;
	struct chain_coin coins[3] = {state->coins[0], state->coins[1], state->coins[0]};

	coins[2].txid_wire[0] ^= 1;
	struct tx *tx = make_bad(scene, coins, 3);
	try_refused(scene, &tx, 1, "missing");
}

UNCACHE_SCENARIO(missing,
	.summary = "a transaction rejected for a missing coin uncaches the coins that it loaded, but not the missing one",
	.prepare = missing_prepare,
	.act = missing_act,
	.expect = uncached_expect,
);

/* package: two transactions tried together */

static void
package_act(struct scene *scene)
{
	const struct state *state = scene->state;
	struct tx *txs[] = {make_bad(scene, &state->coins[0], 2), make_bad(scene, &state->coins[2], 2)};

	try_refused(scene, txs, 2, "script-verify-flag");
}

UNCACHE_SCENARIO(package,
	.summary = "two transactions that are rejected together uncache the coins of both",
	.prepare = take_all,
	.act = package_act,
	.expect = uncached_expect,
);
