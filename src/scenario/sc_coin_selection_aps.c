/* coin_selection:attempting_aps_create_tx and coin_selection:aps_create_tx_internal: the second transaction, with the
 * coins of an address kept together. One is the beginning of an attempt and the other its end, so they are judged
 * together, and with them what comes before. */
#include "scenario/registry.h"
#include "scene/wallets.h"

/* The two coins of one address: the first alone is enough, and above the long-term rate it wastes less. */
#define ONE_THEN_BOTH                                                                                        \
	.normal = {COIN_BIT(COIN_FINE), "knapsack"}, .aps = APS_OTHER, .grouped = {COINS_FINE, "knapsack"}

/* attempting.no_fee: without a fee there is nothing to compare */

static int
no_fee_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COIN_BIT(COIN_FINE),
			.first_sat = 1111111,
			.change_position = 1,
			.normal = {COIN_BIT(COIN_FINE), "knapsack"},
			.aps = APS_NONE,
		},
		{
			.first_sat = 1222222,
			.rate = 1000,
			.change_position = 1,
			.normal = {COIN_BIT(COIN_FINE), "knapsack"},
		},
	};

	return payments_begin(scene, list, 2, diag);
}

const struct scenario sc_coin_selection_attempting_aps_create_tx_no_fee = {
	.name = "coin_selection.attempting_aps_create_tx.no_fee",
	.summary = "no second attempt for a transaction without a fee; with one, there is",
	.subject = TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = no_fee_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* attempting.avoid_reuse: sendtoaddress from a wallet with that flag keeps coins together the first time */

static int
avoid_reuse_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.by = PAY_BY_ADDRESS,
			.wallet = SECOND_PURSE_NAME,
			.offer = COIN_BIT(COIN_FINE),
			.first_sat = 606060,
			.rate = 12000,
			.change_position = POSITION_DRAWN,
			.normal = {COINS_SECOND, "knapsack"},
			.aps = APS_NONE,
		},
		{
			.first_sat = 1333333,
			.rate = 15000,
			.change_position = 1,
			.normal = {COIN_BIT(COIN_FINE), "knapsack"},
		},
	};

	return payments_begin(scene, list, 2, diag);
}

const struct scenario sc_coin_selection_attempting_aps_create_tx_avoid_reuse = {
	.name = "coin_selection.attempting_aps_create_tx.avoid_reuse",
	.summary = "no second attempt where coins are kept together the first time; elsewhere, there is",
	.subject = TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = avoid_reuse_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* aps_create_tx_internal.used: it costs a little more, and is used; one is only built, one is signed, too */

static int
used_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COINS_FINE,
			.first_sat = 1234567,
			.rate = 20000,
			.change_position = 1,
			ONE_THEN_BOTH,
		},
		{
			.by = PAY_BY_ADDRESS,
			.first_sat = 1765432,
			.rate = 18000,
			.change_position = POSITION_DRAWN,
			ONE_THEN_BOTH,
		},
	};

	return payments_begin(scene, list, 2, diag);
}

const struct scenario sc_coin_selection_aps_create_tx_internal_used = {
	.name = "coin_selection.aps_create_tx_internal.used",
	.summary =
		"a grouped transaction that costs less than -maxapsfee more is used; its fee and waste are its own",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = used_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* aps_create_tx_internal.not_used: it costs too much */

static int
not_used_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COINS_FINE,
			.first_sat = 1345678,
			.others_cnt = 3,
			.other_sat = 2345,
			.rate = 30000,
			.change_position = 3,
			ONE_THEN_BOTH,
		},
		{
			.first_sat = 1444444,
			.others_cnt = 2,
			.other_sat = 3456,
			.rate = 29900,
			.change_position = POSITION_DRAWN,
			ONE_THEN_BOTH,
		},
	};

	return payments_begin(scene, list, 2, diag);
}

const struct scenario sc_coin_selection_aps_create_tx_internal_not_used = {
	.name = "coin_selection.aps_create_tx_internal.not_used",
	.summary = "a grouped transaction that costs more than -maxapsfee more is made, but not used",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = not_used_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* aps_create_tx_internal.no_change: one coin matches and leaves no change, the group does not */

static int
no_change_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COINS_FINE,
			.excess_sat = 33,
			.others_cnt = 1,
			.other_sat = 4567,
			.rate = 15000,
			.change_position = 2,
			.normal = {COIN_BIT(COIN_FINE), "bnb"},
			.aps = APS_OTHER,
			.grouped = {COINS_FINE, "knapsack"},
		},
		{
			/* Too costly to be used. */
			.excess_sat = 44,
			.others_cnt = 4,
			.other_sat = 5678,
			.rate = 25000,
			.change_position = 3,
			.normal = {COIN_BIT(COIN_FINE), "bnb"},
			.aps = APS_OTHER,
			.grouped = {COINS_FINE, "knapsack"},
		},
	};

	return payments_begin(scene, list, 2, diag);
}

const struct scenario sc_coin_selection_aps_create_tx_internal_no_change = {
	.name = "coin_selection.aps_create_tx_internal.no_change",
	.summary = "the grouped transaction, used or not, has change, the other has none",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = no_change_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* aps_create_tx_internal.too_costly: the group is selected, but its fee is above -maxtxfee */

static int
too_costly_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COINS_LARGE,
			.first_sat = 300000000,
			.rate = INT64_C(29500000000),
			.change_position = 1,
			.normal = {COIN_BIT(COIN_LARGE), "knapsack"},
			.aps = APS_OTHER,
			.grouped = {COINS_LARGE, "knapsack", .fails = true},
		},
	};

	return payments_begin(scene, list, 1, diag);
}

const struct scenario sc_coin_selection_aps_create_tx_internal_too_costly = {
	.name = "coin_selection.aps_create_tx_internal.too_costly",
	.summary = "a group is selected, but its fee is not allowed: no success, no fee, not used",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = too_costly_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* aps_create_tx_internal.too_heavy: one coin fits into the transaction's weight, the group does not */

static int
too_heavy_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.offer = COINS_FINE,
			.first_sat = 1456789,
			.rate = 22000,
			.change_position = 1,
			.most_weight = 700,
			.normal = {COIN_BIT(COIN_FINE), "knapsack"},
			.aps = APS_OTHER,
		},
	};

	return payments_begin(scene, list, 1, diag);
}

const struct scenario sc_coin_selection_aps_create_tx_internal_too_heavy = {
	.name = "coin_selection.aps_create_tx_internal.too_heavy",
	.summary = "no group can be selected: no selected_coins, no success, no fee, not used",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = too_heavy_prepare,
	.act = payments_act,
	.expect = payments_expect,
};
