#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/blocks.h"
#include "scene/coins.h"
#include "scene/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COINS_MAX = 4, COINS_OF_BOTH = 8 };

struct state {
	struct chain_coin coins[COINS_OF_BOTH]; /* cold ones, which a rejected transaction loads */
	size_t coins_cnt;
	bool stays[COINS_OF_BOTH]; /* so not uncached */
	struct pool_tx *parent, *child, *refused;
};

#define UNCACHE_SCENARIO(behaviour_, ...)                                                                    \
	DEFINE_SCENARIO(utxocache, uncache, behaviour_, .subject = TP_UTXOCACHE_UNCACHE,                     \
			.tracepoints = TP_BIT(TP_UTXOCACHE_UNCACHE) | TP_BIT(TP_UTXOCACHE_ADD) |             \
				       TP_BIT(TP_UTXOCACHE_SPENT) | TP_BIT(TP_UTXOCACHE_FLUSH),              \
			.profile = &profile_coins, .state_sz = sizeof(struct state), __VA_ARGS__)

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

/* tried: nothing comes of it, even if both could be accepted */

static void
tried_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	take_all(scene);
	state->parent = pool_new(scene, "a transaction");
	state->child = pool_new(scene, "another transaction");
	for (size_t i = 0; i < COINS_MAX; i++)
		pool_spend(i < 2 ? state->parent : state->child, &state->coins[i]);
	pool_pay(state->parent, 1, 2000);
	pool_pay(state->child, 1, 10000);
}

static void
tried_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *txs[] = {state->parent, state->child};

	pool_try(scene, txs, 2, true);
}

UNCACHE_SCENARIO(tried,
	.summary = "trying two acceptable transactions together uncaches the coins of both",
	.prepare = tried_prepare,
	.act = tried_act,
	.expect = uncached_expect,
);

/* submitted: a parent without a fee and its child, whose witnesses are wrong. Each is tried on its own, then both are
 * tried together. While bitcoind tries a transaction, it has copies of the coins that are only in the mempool, or in
 * the package, in a temporary cache, which are uncached afterwards (a detail; before v31 only those of packages). */

enum { MEMPOOL_HEIGHT = 0x7fffffff };

/* The lane of the temporary cache, and the events there. */
static void
expect_copies(struct scene *scene, const struct pool_tx *parent, uint32_t cnt, const char *what)
{
	static const struct lane_select copies = {.tracepoints = TP_BIT(TP_UTXOCACHE_UNCACHE),
						  .int_argument = "height",
						  .int_value = MEMPOOL_HEIGHT};

	const bool are_uncached = scene_has(scene, ABILITY_COPIES_UNCACHED);

	expect_lane(scene->expect, "temporary cache", are_uncached ? LANE_ANY_ORDER : LANE_IGNORED, &copies);
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	expect_source(scene->expect, "%s as it was sent", parent->name);
	for (uint32_t i = 0; are_uncached && i < cnt; i++) {
		struct coin_facts facts = {
			.vout = i, .height = MEMPOOL_HEIGHT, .value_sat = parent->tx.outputs[i].value_sat};

		tx_txid(&parent->tx, facts.txid_wire);
		blocks_expect_coin(scene, TP_UTXOCACHE_UNCACHE, FINDING_DETAIL, what, &facts);
	}
	expect_main_lane(scene->expect);
}

static void
submitted_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	struct chain_coin *coins = state->coins;

	scene_require(scene, ABILITY_SUBMITPACKAGE);
	take(scene, COINS_OF_BOTH);
	/* Coins of every fourth position come from one transaction: two of them follow each other. */
	struct chain_coin swapped = coins[4];
	coins[4] = coins[7];
	coins[7] = swapped;
	state->parent = pool_new(scene, "the parent");
	state->child = pool_new(scene, "the child");
	/* In some releases only of this version does a parent without a fee get as far as its child. */
	if (scene_has(scene, ABILITY_TRUC))
		state->parent->tx.version = state->child->tx.version = 3;
	for (int i = 0; i < 4; i++)
		pool_spend(state->parent, &coins[i]);
	pool_pay(state->parent, 1, 0);
	for (int i = 4; i < COINS_OF_BOTH; i++)
		pool_spend(state->child, &coins[i]);
	pool_set_witness(state->child, "\x52", 1);
	struct chain_coin own = blocks_coin_of(&state->parent->tx, 0);
	pool_spend(state->child, &own);
	pool_pay(state->child, 1, 100000);
}

static void
submitted_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *package[] = {state->parent, state->child};

	pool_submit_package(scene, package, 2, false);
}

static void
submitted_expect(struct scene *scene)
{
	static const struct lane_select uncached = {.tracepoints = TP_BIT(TP_UTXOCACHE_UNCACHE)};
	const struct state *state = scene->state;

	expect_copies(scene, state->parent, 1, "a coin of the package");
	/* Releases differ in which transaction of a package they try first. */
	expect_lane(scene->expect, "uncached", LANE_ANY_ORDER, &uncached);
	uncached_expect(scene);
}

UNCACHE_SCENARIO(submitted,
	.summary = "a package that is submitted and rejected uncaches the coins of both transactions, each once",
	.prepare = submitted_prepare,
	.act = submitted_act,
	.expect = submitted_expect,
);

/* unconfirmed: coins that only the mempool has are not in the UTXO cache, so they are not uncached, whether the
 * transaction that spends them is accepted or rejected */

static void
unconfirmed_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	take(scene, 2);
	state->parent = pool_make(scene, "the parent", 1, 4, 12345);
	state->child = pool_new(scene, "the child that is accepted");
	state->refused = pool_new(scene, "the child that is rejected");
	pool_spend(state->child, &state->coins[0]);
	state->stays[0] = true;
	pool_spend(state->refused, &state->coins[1]);
	pool_set_witness(state->refused, "\x52", 1);
	for (uint32_t i = 0; i < 4; i++) {
		struct chain_coin coin = blocks_coin_of(&state->parent->tx, i);

		pool_spend(i < 2 ? state->child : state->refused, &coin);
	}
	pool_pay(state->child, 1, 23456);
	pool_pay(state->refused, 1, 34567);
	pool_send(scene, state->parent);
}

static void
unconfirmed_act(struct scene *scene)
{
	struct state *state = scene->state;

	pool_send(scene, state->child);
	pool_send_refused(scene, state->refused);
}

static void
unconfirmed_expect(struct scene *scene)
{
	const struct state *state = scene->state;

	expect_copies(scene, state->parent, 4, "a coin of the mempool");
	uncached_expect(scene);
	pool_clear(scene);
}

UNCACHE_SCENARIO(unconfirmed,
	.summary = "a rejected transaction uncaches its coin on disk, but not those that only the mempool has",
	.prepare = unconfirmed_prepare,
	.act = unconfirmed_act,
	.expect = unconfirmed_expect,
);
