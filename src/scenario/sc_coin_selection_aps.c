/* coin_selection:attempting_aps_create_tx and coin_selection:aps_create_tx_internal: the second transaction, with the
 * coins of an address kept together. The attempt begins with the one and ends with the other, so they are checked
 * together, along with what comes before. */
#include "scenario/registry.h"
#include "scene/payments.h"

#include <errno.h>

/* The coins share an address. The first is enough on its own, and above the long-term rate it wastes less. */
#define ONE_THEN_BOTH                                                                                        \
	.normal = {COIN_BIT(COIN_FINE), "knapsack"}, .aps = APS_OTHER, .grouped = {COINS_FINE, "knapsack"}

/* attempting_aps_create_tx.no_fee: without a fee there is nothing to compare */

static const struct payment no_fee_payments[] = {
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

PAYMENT_SCENARIO(attempting_aps_create_tx, no_fee,
	.summary = "a transaction without a fee is not attempted a second time; one with a fee is",
	.subject = TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX,
);

/* attempting_aps_create_tx.avoid_reuse: with that flag, sendtoaddress keeps coins together the first time */

static const struct payment avoid_reuse_payments[] = {
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

PAYMENT_SCENARIO(attempting_aps_create_tx, avoid_reuse,
	.summary = "no second attempt if a wallet groups coins the first time already; otherwise there is one",
	.subject = TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX,
);

/* aps_create_tx_internal.used: it costs a little more; one payment is only built, the other is signed as well */

static const struct payment used_payments[] = {
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

PAYMENT_SCENARIO(aps_create_tx_internal, used,
	.summary = "the second transaction is used when it costs at most -maxapsfee more; its fee and waste are its own",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
);

/* aps_create_tx_internal.not_used: it costs too much */

static const struct payment not_used_payments[] = {
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

PAYMENT_SCENARIO(aps_create_tx_internal, not_used,
	.summary = "the second transaction costs more than -maxapsfee extra: it is made, but not used",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
);

/* aps_create_tx_internal.limit: it costs exactly -maxapsfee more, and one satoshi more than that */

static const struct payment limit_payments[] = {
	{
		.offer = COINS_FINE,
		.first_sat = 1234321,
		.rate = 29851,
		.change_position = 1,
		ONE_THEN_BOTH,
	},
	{
		.first_sat = 1345431,
		.rate = 29860,
		.change_position = 1,
		ONE_THEN_BOTH,
	},
};

static void
limit_prepare(struct scene *scene)
{
	payments_begin(scene, limit_payments, 2);
}

/* The second coin takes 67 virtual bytes: rounded, 2000 satoshi at the first rate and 2001 at the other. */
static void
limit_expect(struct scene *scene)
{
	const struct payments *payments = scene->state;

	payments_expect(scene);
	if (payments->items[0].coins != COINS_FINE || payments->items[1].coins != COIN_BIT(COIN_FINE))
		scene_fail(scene, -EBADMSG, "the payments do not cost what they were arranged to cost");
}

DEFINE_SCENARIO(coin_selection, aps_create_tx_internal, limit,
	.summary = "the second transaction is used when it costs exactly -maxapsfee more, and not when it costs a satoshi more",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_TRACEPOINTS,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = limit_prepare,
	.act = payments_act,
	.expect = limit_expect,
);

/* aps_create_tx_internal.no_change: one coin matches the target and leaves no change; both together do not */

static const struct payment no_change_payments[] = {
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

PAYMENT_SCENARIO(aps_create_tx_internal, no_change,
	.summary = "the second transaction, used or not, has change; the first has none",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
);

/* aps_create_tx_internal.too_costly: both coins are selected, but the fee is above -maxtxfee */

static const struct payment too_costly_payments[] = {
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

PAYMENT_SCENARIO(aps_create_tx_internal, too_costly,
	.summary = "coins are selected for the second transaction, but its fee is too high: no success, no fee, not used",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
);

/* aps_create_tx_internal.too_heavy: the transaction may have one input, but not two */

static const struct payment too_heavy_payments[] = {
	{
		.offer = COINS_FINE,
		.first_sat = 1456789,
		.rate = 22000,
		.change_position = 1,
		.max_weight = 700,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
		.aps = APS_OTHER,
	},
};

PAYMENT_SCENARIO(aps_create_tx_internal, too_heavy,
	.summary = "no coins can be selected for the second transaction: no selected_coins, no success, no fee, not used",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
);
