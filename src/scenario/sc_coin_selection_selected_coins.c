/* coin_selection:selected_coins: each algorithm, and what makes up target, waste and selected value.
 *
 * A wallet tries all its algorithms and takes what wastes least; of equals the one with more inputs, else the first of
 * bnb, knapsack, cg and srd (ChooseSelectionResult in src/wallet/spend.cpp). So coins, payment and fee rate decide: */
#include "scenario/registry.h"
#include "scene/wallets.h"

/* manual: all of the inputs are given; first with each figure above 32 bits, then with all of them small */

static int
manual_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
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
			/* It may use others, but needs none. */
			.presets = COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_3),
			.first_sat = 23456,
			.rate = 3500,
			.normal = {COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_3), "manual"},
		},
	};

	return payments_begin(scene, list, 2, diag);
}

const struct scenario sc_coin_selection_selected_coins_manual = {
	.name = "coin_selection.selected_coins.manual",
	.summary =
		"inputs that are given: algorithm manual; target, waste, selected value and fee above 32 bits",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = manual_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* bnb: coins that match the target, or nearly, so that there is no change */

static int
bnb_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			/* No waste at all: the fee rate is the long-term one, and nothing is left. */
			.offer = COIN_BIT(COIN_BIG) | COINS_SMALL,
			.rate = WALLET_LONG_TERM_RATE,
			.change_position = 1,
			.normal = {COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_3), "bnb"},
		},
		{
			/* What is above is thrown away; that wastes less than change would. */
			.excess_sat = 123,
			.rate = 25000,
			.change_position = 1,
			.normal = {COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_2), "bnb"},
		},
	};

	return payments_begin(scene, list, 2, diag);
}

const struct scenario sc_coin_selection_selected_coins_bnb = {
	.name = "coin_selection.selected_coins.bnb",
	.summary = "coins that match the target: algorithm bnb, no change; waste 0, and above 0",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = bnb_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* knapsack: one coin and change; srd would choose the same, but comes later */

static int
knapsack_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COIN_BIT(COIN_LARGE),
			.first_sat = INT64_C(4444444444),
			.rate = 5000,
			.change_position = 1,
			.normal = {COIN_BIT(COIN_LARGE), "knapsack"},
		},
	};

	return payments_begin(scene, list, 1, diag);
}

const struct scenario sc_coin_selection_selected_coins_knapsack = {
	.name = "coin_selection.selected_coins.knapsack",
	.summary = "one coin and change: algorithm knapsack; target and selected value above 32 bits",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = knapsack_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* srd: it aims at WALLET_CHANGE_TARGET_SAT of change, for which it needs all three coins. knapsack aims at more, which
 * it cannot reach, and therefore goes without: two coins do. At a low fee rate more inputs waste less. If by lot
 * (1 in 90,000) knapsack aims at as much, it takes all three as well, and comes first. */

static int
srd_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COINS_EQUAL,
			.excess_sat = WALLET_CHANGE_TARGET_SAT + 2 * WALLET_CHANGE_VBYTES,
			.rate = 2000,
			.normal = {COINS_EQUAL, "srd", "knapsack"},
		},
	};

	return payments_begin(scene, list, 1, diag);
}

const struct scenario sc_coin_selection_selected_coins_srd = {
	.name = "coin_selection.selected_coins.srd",
	.summary = "more inputs than needed at a low fee rate: algorithm srd; waste below 0",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = srd_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* cg: tried only above three times the long-term rate; one big coin is lighter than the three small ones with which
 * knapsack comes nearer to the target */

static int
cg_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COIN_BIT(COIN_BIG) | COINS_SMALL,
			.first_sat = 20000,
			.rate = 40000,
			.change_position = 1,
			.normal = {COIN_BIT(COIN_BIG), "cg"},
		},
	};

	if (node_version(scene->node) < 270000)
		return scenario_skip(
			diag, "this bitcoind's wallet does not know the algorithm cg; v27 and newer do");
	return payments_begin(scene, list, 1, diag);
}

const struct scenario sc_coin_selection_selected_coins_cg = {
	.name = "coin_selection.selected_coins.cg",
	.summary = "as few inputs as possible at a high fee rate: algorithm cg",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = cg_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* preset_and_more: one input is given, and the rest is selected so that it matches */

static int
preset_and_more_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COIN_BIT(COIN_BIG) | COIN_BIT(COIN_SMALL_3),
			.presets = COIN_BIT(COIN_SMALL_1),
			.excess_sat = 57,
			.rate = 15000,
			.change_position = 1,
			.normal = {COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_3), "bnb"},
		},
	};

	return payments_begin(scene, list, 1, diag);
}

const struct scenario sc_coin_selection_selected_coins_preset_and_more = {
	.name = "coin_selection.selected_coins.preset_and_more",
	.summary = "one input is given and one selected: target, waste and selected value are of both",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = preset_and_more_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* subtract_fee: the payee bears the fee, which then is no part of the target */

static int
subtract_fee_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
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

	return payments_begin(scene, list, 1, diag);
}

const struct scenario sc_coin_selection_selected_coins_subtract_fee = {
	.name = "coin_selection.selected_coins.subtract_fee",
	.summary = "the payee bears the fee: the target is what is paid",
	.subject = TP_COIN_SELECTION_SELECTED_COINS,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = subtract_fee_prepare,
	.act = payments_act,
	.expect = payments_expect,
};
