#include "base/text.h"
#include "scenario/blocks.h"
#include "scenario/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COINS_MAX = 3 };

struct state {
	struct chain_coin coins[COINS_MAX];
	size_t uncached[COINS_MAX]; /* indices of those that must be uncached, in order */
	size_t uncached_cnt;
};

#define JUDGED                                                                                       \
	(TP_BIT(TP_UTXOCACHE_UNCACHE) | TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) |       \
	 TP_BIT(TP_UTXOCACHE_FLUSH))

/* A transaction whose witnesses are no script that its coins ask for. */
static int
try_bad_transaction(struct scene *scene, const struct chain_coin *coins, size_t cnt, struct diag *diag)
{
	struct json *answer = NULL;
	struct tx tx;
	int64_t value_sat = 0;
	bool allowed = true;

	tx_init(&tx);
	for (size_t i = 0; i < cnt; i++) {
		struct tx_input *input = tx_add_input(&tx, coins[i].txid_wire, coins[i].idx, TX_SEQUENCE_RBF);

		tx_add_witness(input, "\x52", 1);
		value_sat += coins[i].value_sat;
	}
	tx_pay(&tx, value_sat - FEE_SAT);
	char *hex = tx_hex(&tx);
	int code = node_call(scene->node, scene->deadline, &answer, diag, "testmempoolaccept", "[[\"%s\"]]", hex);
	if (!code && (!json_bool(json_get(json_at(answer, 0), "allowed"), &allowed) || allowed))
		code = diag_fail(diag, -EBADMSG, "testmempoolaccept of a transaction with wrong witnesses was not refused");
	/* Refused for what it is, not because its coins were missing: those are not loaded at all. */
	const char *reason = json_string(json_get(json_at(answer, 0), "reject-reason"));
	if (!code && (!reason || strstr(reason, "missing")))
		code = diag_fail(diag, -EBADMSG, "testmempoolaccept refused for '%s'", reason ? reason : "no reason");
	free(hex);
	json_free(answer);
	tx_fini(&tx);
	return code;
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
			expect_coin(scene, TP_UTXOCACHE_UNCACHE, FINDING_CONTRACT, "a coin that the refused transaction loaded",
				    &facts);
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
	.summary = "a refused transaction's three coins, of coinbases and not, are unloaded",
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
	state->uncached_cnt = 1;
	state->uncached[0] = 2;
	return code ? code : try_bad_transaction(scene, &state->coins[2], 1, diag);
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

	state->uncached_cnt = 2;
	state->uncached[0] = 0;
	state->uncached[1] = 2;
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
