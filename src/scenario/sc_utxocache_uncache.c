#include "base/buf.h"
#include "base/text.h"
#include "scenario/registry.h"
#include "scene/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COINS_MAX = 4 };

struct state {
	struct chain_coin coins[COINS_MAX];
	size_t uncached[COINS_MAX]; /* indices of those that must be uncached, in order */
	size_t uncached_cnt;
};

#define JUDGED                                                                                               \
	(TP_BIT(TP_UTXOCACHE_UNCACHE) | TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) |              \
	 TP_BIT(TP_UTXOCACHE_FLUSH))

/* A transaction whose witnesses are no script that its coins ask for; hex, the caller's to free. */
static char *
bad_transaction(const struct chain_coin *coins, size_t cnt)
{
	struct tx tx;
	int64_t value_sat = 0;

	tx_init(&tx);
	for (size_t i = 0; i < cnt; i++) {
		struct tx_input *input = tx_add_input(&tx, coins[i].txid_wire, coins[i].idx, TX_SEQUENCE_RBF);

		tx_add_witness(input, "\x52", 1);
		value_sat += coins[i].value_sat;
	}
	/* Coins that are worth next to nothing leave no fee, and a transaction without one is refused too early. */
	tx_pay(&tx, value_sat > 2 * FEE_SAT ? value_sat - FEE_SAT : 1000);
	char *hex = tx_hex(&tx);
	tx_fini(&tx);
	return hex;
}

/* testmempoolaccept of these; refused they have to be, and for a reason that has these words in it. */
static int
try_transactions(struct scene *scene, char *const *hexes, size_t cnt, const char *words, struct diag *diag)
{
	struct json *answer = NULL;
	bool refused = false;
	struct buf list;

	buf_init(&list, 1 << 20);
	for (size_t i = 0; i < cnt; i++)
		buf_printf(&list, "%s\"%s\"", i ? ", " : "", hexes[i]);
	int code = node_call(scene->node, scene->deadline, &answer, diag, "testmempoolaccept", "[[%s]]",
			     list.data);
	for (size_t i = 0; i < json_cnt(answer); i++) {
		const char *reason = json_string(json_get(json_at(answer, i), "reject-reason"));

		refused |= reason && strstr(reason, words);
	}
	if (!code && !refused)
		code = diag_fail(diag, -EBADMSG, "testmempoolaccept did not refuse for '%s'", words);
	buf_fini(&list);
	json_free(answer);
	return code;
}

static int
try_bad_transaction(struct scene *scene, const struct chain_coin *coins, size_t cnt, struct diag *diag)
{
	char *hex = bad_transaction(coins, cnt);
	/* "...script-verify-flag... (Witness program hash mismatch)" in all releases: its coins were loaded by then. */
	int code = try_transactions(scene, &hex, 1, "script-verify-flag", diag);

	free(hex);
	return code;
}

/* The same by sendrawtransaction, which does not only try. */
static int
send_bad_transaction(struct scene *scene, const struct chain_coin *coins, size_t cnt, struct diag *diag)
{
	char *hex = bad_transaction(coins, cnt);
	int code =
		node_call(scene->node, scene->deadline, NULL, diag, "sendrawtransaction", "[\"%s\", 0]", hex);

	free(hex);
	if (!code)
		return diag_fail(diag, -EBADMSG,
				 "sendrawtransaction of a transaction with wrong witnesses was not refused");
	return code == -EREMOTEIO && strstr(diag->text, "script-verify-flag") ? 0 : code;
}

static int
uncached_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = 0;

	expect_source(scene->expect, "gettxout of the coin");
	for (size_t i = 0; i < state->uncached_cnt && !code; i++) {
		struct coin_facts facts;

		code = blocks_coin_facts(scene, &state->coins[state->uncached[i]], &facts, diag);
		if (!code)
			expect_coin(scene, TP_UTXOCACHE_UNCACHE, FINDING_CONTRACT,
				    "a coin that the refused transaction loaded", &facts);
	}
	return code;
}

static int
take_coins(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return blocks_take_cold_coins(scene, state->coins, COINS_MAX, diag);
}

/* rejected: all coins of a refused transaction, in the order of its inputs */

static int
rejected_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	state->uncached_cnt = COINS_MAX;
	for (size_t i = 0; i < COINS_MAX; i++)
		state->uncached[i] = i;
	return try_bad_transaction(scene, state->coins, COINS_MAX, diag);
}

const struct scenario sc_utxocache_uncache_rejected = {
	.name = "utxocache.uncache.rejected",
	.summary =
		"a refused transaction's four coins are unloaded: of coinbases and not, of all positions, heights and values",
	.subject = TP_UTXOCACHE_UNCACHE,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = take_coins,
	.act = rejected_act,
	.expect = uncached_expect,
};

/* accepted: the coins of a transaction that is accepted stay; a refused one follows as the control */

static int
accepted_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct tx tx;

	tx_init(&tx);
	tx_spend(&tx, &state->coins[0]);
	tx_spend(&tx, &state->coins[1]);
	tx_pay(&tx, state->coins[0].value_sat + state->coins[1].value_sat - FEE_SAT);
	int code = chain_send(scene->node, scene->deadline, &tx, diag);
	tx_fini(&tx);
	state->uncached_cnt = 2;
	state->uncached[0] = 2;
	state->uncached[1] = 3;
	return code ? code : send_bad_transaction(scene, &state->coins[2], 2, diag);
}

static int
accepted_expect(struct scene *scene, struct diag *diag)
{
	int code = uncached_expect(scene, diag);

	/* Leaves the mempool empty. */
	return code ? code : blocks_mine(scene, 1, diag);
}

const struct scenario sc_utxocache_uncache_accepted = {
	.name = "utxocache.uncache.accepted",
	.summary = "an accepted transaction's coins stay loaded; those of a refused one after it do not",
	.subject = TP_UTXOCACHE_UNCACHE,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = take_coins,
	.act = accepted_act,
	.expect = accepted_expect,
};

/* cached: a coin that was loaded before a refused transaction came stays */

static int
cached_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct coin_facts facts;
	int code = take_coins(scene, diag);

	/* gettxout loads it. */
	return code ? code : blocks_coin_facts(scene, &state->coins[1], &facts, diag);
}

static int
cached_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	state->uncached_cnt = 3;
	state->uncached[0] = 0;
	state->uncached[1] = 2;
	state->uncached[2] = 3;
	return try_bad_transaction(scene, state->coins, COINS_MAX, diag);
}

const struct scenario sc_utxocache_uncache_cached = {
	.name = "utxocache.uncache.cached",
	.summary = "of a refused transaction's coins the one that was loaded before stays",
	.subject = TP_UTXOCACHE_UNCACHE,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = cached_prepare,
	.act = cached_act,
	.expect = uncached_expect,
};

/* missing: a transaction that is refused for a coin that is not there; nothing is told of that one */

static int
missing_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_coin coins[3] = {state->coins[0], state->coins[1], state->coins[0]};

	coins[2].txid_wire[0] ^= 1;
	char *hex = bad_transaction(coins, 3);
	int code = try_transactions(scene, &hex, 1, "missing", diag);
	free(hex);
	state->uncached_cnt = 2;
	state->uncached[0] = 0;
	state->uncached[1] = 1;
	return code;
}

static int
take_two_coins(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return blocks_take_cold_coins(scene, state->coins, 2, diag);
}

const struct scenario sc_utxocache_uncache_missing = {
	.name = "utxocache.uncache.missing",
	.summary =
		"a transaction refused for a missing coin: those that were loaded are unloaded, the missing one is not told",
	.subject = TP_UTXOCACHE_UNCACHE,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = take_two_coins,
	.act = missing_act,
	.expect = uncached_expect,
};

/* package: two transactions tried together */

static int
package_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	char *hexes[2] = {bad_transaction(&state->coins[0], 2), bad_transaction(&state->coins[2], 2)};
	int code = try_transactions(scene, hexes, 2, "script-verify-flag", diag);

	free(hexes[0]);
	free(hexes[1]);
	state->uncached_cnt = COINS_MAX;
	for (size_t i = 0; i < COINS_MAX; i++)
		state->uncached[i] = i;
	return code;
}

const struct scenario sc_utxocache_uncache_package = {
	.name = "utxocache.uncache.package",
	.summary = "the coins of two transactions that are tried and refused together are unloaded",
	.subject = TP_UTXOCACHE_UNCACHE,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = take_coins,
	.act = package_act,
	.expect = uncached_expect,
};
