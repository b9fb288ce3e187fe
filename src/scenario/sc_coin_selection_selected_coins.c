/* coin_selection:selected_coins: each algorithm, and what makes up target, waste and selected value.
 *
 * A wallet tries all its algorithms and takes the result that wastes least; of equals the one with more inputs, else
 * the first of bnb, knapsack, cg and srd (ChooseSelectionResult in src/wallet/spend.cpp). Coins, payment and fee rate
 * therefore determine the algorithm. */
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/payments.h"
#include "scene/pool.h"

/* manual: all inputs are preset; first with every value above 32 bits, then with small ones */

static const struct payment manual_payments[] = {
	{
		.presets = COINS_LARGE,
		.preset_vbytes = 1500,
		.presets_only = true,
		.first_sat = INT64_C(4253300000),
		.rate = 1420000000,
		.change_position = 1,
		.normal = {COINS_LARGE, "manual"},
	},
	{
		/* It may add others, but needs none. */
		.presets = COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_3),
		.first_sat = 23456,
		.rate = 3500,
		.normal = {COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_3), "manual"},
	},
};

PAYMENT_SCENARIO(selected_coins, manual,
	.summary = "all inputs are preset: algorithm manual; target, waste, selected value and fee above 32 bits",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
);

/* bnb: coins that match the target, at least nearly: there is no change */

static const struct payment bnb_payments[] = {
	{
		/* No waste: the fee rate is the long-term one, and nothing is left over. */
		.offer = COIN_BIT(COIN_BIG) | COINS_SMALL,
		.rate = WALLET_LONG_TERM_RATE,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_3), "bnb"},
	},
	{
		/* The excess is thrown away, which wastes less than change would. */
		.excess_sat = 123,
		.rate = 25000,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_2), "bnb"},
	},
};

PAYMENT_SCENARIO(selected_coins, bnb,
	.summary = "coins that match the target: algorithm bnb, no change; waste 0, and above 0",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
);

/* knapsack: one coin and change; srd chooses the same coin, but comes later */

static const struct payment knapsack_payments[] = {
	{
		.offer = COIN_BIT(COIN_LARGE),
		.first_sat = INT64_C(4444444444),
		.rate = 5000,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_LARGE), "knapsack"},
	},
};

PAYMENT_SCENARIO(selected_coins, knapsack,
	.summary = "one coin and change: algorithm knapsack; target and selected value above 32 bits",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
);

/* srd: it aims at WALLET_CHANGE_TARGET_SAT of change, for which it needs all three coins. knapsack aims at more, which
 * it cannot reach, and therefore at no change, for which two coins are enough. At a low fee rate more inputs waste
 * less. If knapsack happens to aim at the same change (1 in 90,000), it takes all three coins as well, and comes
 * first. */

static const struct payment srd_payments[] = {
	{
		.offer = COINS_EQUAL,
		.excess_sat = WALLET_CHANGE_TARGET_SAT + 2 * WALLET_CHANGE_VBYTES,
		.rate = 2000,
		.normal = {COINS_EQUAL, "srd", "knapsack"},
	},
};

PAYMENT_SCENARIO(selected_coins, srd,
	.summary = "more inputs than needed at a low fee rate: algorithm srd; waste below 0",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
);

/* cg: tried only above three times the long-term rate; the big coin weighs less than the three small ones with which
 * knapsack comes closer to the target */

static const struct payment cg_payments[] = {
	{
		.offer = COIN_BIT(COIN_BIG) | COINS_SMALL,
		.first_sat = 20000,
		.rate = 40000,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_BIG), "cg"},
	},
};

PAYMENT_SCENARIO(selected_coins, cg,
	.summary = "as few inputs as possible at a high fee rate: algorithm cg",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
);

/* preset_and_more: one input is preset, and a coin that matches the rest is selected */

static const struct payment preset_and_more_payments[] = {
	{
		.offer = COIN_BIT(COIN_BIG) | COIN_BIT(COIN_SMALL_3),
		.presets = COIN_BIT(COIN_SMALL_1),
		.excess_sat = 57,
		.rate = 15000,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_3), "bnb"},
	},
};

PAYMENT_SCENARIO(selected_coins, preset_and_more,
	.summary = "one input is preset and one selected: target, waste and selected value cover both",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
);

/* subtract_fee: the recipient pays the fee, which is then not part of the target */

static const struct payment subtract_fee_payments[] = {
	{
		.offer = COIN_BIT(COIN_FINE),
		.first_sat = 1700000,
		.others_cnt = 1,
		.other_sat = 123456,
		.rate = 7000,
		.change_position = 2,
		.subtract_fee = true,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
};

PAYMENT_SCENARIO(selected_coins, subtract_fee,
	.summary = "the recipient pays the fee: the target is the value of the outputs",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
);

/* unconfirmed: the preset coin's parent is in the mempool and pays less than the payment. The payment has to pay for
 * it, too, which is part of what the coin costs: of the fee and the waste, not of the target. */

enum { PARENT_FEE_SAT = 321, PARENT_HEIGHT = 3, BUMPED_RATE = 26000 };

struct unconfirmed_state {
	struct payments payments; /* the first member: payments_act and payments_expect use it */
	struct chain_coin lent;
};

static void
unconfirmed_prepare(struct scene *scene)
{
	struct unconfirmed_state *state = scene->state;
	struct payment payment = {
		.presets = COIN_BIT(COIN_LARGE),
		.preset_vbytes = 111,
		.presets_only = true,
		.first_sat = 123456789,
		.rate = BUMPED_RATE,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_LARGE), "manual"},
	};

	wallets_make(scene);
	struct pool_tx *parent =
		pool_spender(scene, "the parent", pool_coinbase(scene, PARENT_HEIGHT), 1, PARENT_FEE_SAT);
	pool_send(scene, parent);
	if (scene_has(scene, ABILITY_BUMP_FEES))
		payment.bump_sat =
			(BUMPED_RATE * (int64_t)tx_vsize(&parent->tx) + 999) / 1000 - PARENT_FEE_SAT;
	/* In the place of a coin of the purse, whose position it has. */
	state->lent = scene->wallets->coins[COIN_LARGE];
	scene->wallets->coins[COIN_LARGE] = blocks_coin_of(&parent->tx, COIN_LARGE);
	payments_begin(scene, &payment, 1);
}

static void
unconfirmed_expect(struct scene *scene)
{
	struct unconfirmed_state *state = scene->state;

	payments_expect(scene);
	scene->wallets->coins[COIN_LARGE] = state->lent;
	/* So that the next scenario finds the mempool empty. */
	blocks_mine(scene, 1);
}

DEFINE_SCENARIO(coin_selection, selected_coins, unconfirmed,
	.summary = "an input is unconfirmed and its parent pays too little: the waste and the fee include what the parent lacks",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
	.tracepoints = COIN_SELECTION_TRACEPOINTS,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct unconfirmed_state),
	.prepare = unconfirmed_prepare,
	.act = payments_act,
	.expect = unconfirmed_expect,
);
