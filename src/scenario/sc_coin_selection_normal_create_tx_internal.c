/* coin_selection:normal_create_tx_internal: the position of change, what fails, and whose wallet it is. */
#include "base/xmem.h"
#include "scenario/registry.h"
#include "scene/coins.h"
#include "scene/history.h"
#include "scene/payments.h"
#include "scene/pool.h"

#include <stdlib.h>

/* change_position: as requested, chosen at random by the wallet, and none */

static const struct payment change_position_payments[] = {
	{
		.offer = COIN_BIT(COIN_FINE),
		.first_sat = 1800000,
		.others_cnt = 1,
		.other_sat = 77777,
		.rate = 6000,
		.change_position = 2,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
	{
		/* Above 8 bits. */
		.first_sat = 1234567,
		.others_cnt = 299,
		.other_sat = 1007,
		.rate = 11000,
		.change_position = 260,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
	{
		.first_sat = 1700000,
		.rate = 8000,
		.change_position = 0,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
	{
		/* A position is requested, but there is no change. */
		.excess_sat = 17,
		.rate = 9000,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_FINE), "bnb"},
	},
	{
		.by = PAY_BY_PSBT,
		.first_sat = 1600000,
		.rate = 12000,
		.change_position = POSITION_DRAWN,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
	{
		.first_sat = 1500000,
		.others_cnt = 6,
		.other_sat = 55555,
		.rate = 13000,
		.change_position = POSITION_DRAWN,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
	{
		.first_sat = 1400000,
		.rate = 14000,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
};

PAYMENT_SCENARIO(normal_create_tx_internal, change_position,
	.summary = "change at positions 0, 1, 2 and 260 as requested, at a random one, and no change",
	.subject = TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
);

/* fails: before coins are selected, and after; there is no second attempt then */

static const struct payment fails_payments[] = {
	{
		/* More than the coins are worth. */
		.offer = COIN_BIT(COIN_FINE),
		.first_sat = 5000000,
		.rate = 3000,
		.change_position = 1,
		.is_refused = true,
	},
	{
		/* Dust. */
		.first_sat = 99,
		.rate = 3000,
		.change_position = 1,
		.is_refused = true,
	},
	{
		/* Below the minimum fee rate. */
		.by = PAY_BY_SEND,
		.first_sat = 1000000,
		.rate = 90,
		.is_refused = true,
	},
	{
		/* Above -maxtxfee. */
		.presets = COIN_BIT(COIN_LARGE),
		.preset_vbytes = 1500,
		.presets_only = true,
		.first_sat = 100000000,
		.rate = INT64_C(3400000000),
		.change_position = 1,
		.normal = {COIN_BIT(COIN_LARGE), "manual", .fails = true},
		.is_refused = true,
	},
	{
		.by = PAY_NOBODY,
		.is_refused = true,
	},
	{
		.first_sat = 1555555,
		.rate = 21000,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
};

PAYMENT_SCENARIO(normal_create_tx_internal, fails,
	.summary = "too little money, dust, too low a fee, too high a fee: no success, no fee, no second attempt",
	.subject = TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
);

/* wallets: four wallets that are loaded at once. The name of one begins with another's, one has a long name with
 * unusual characters, and one has no name. The last two own nothing: they pay with one of the purse's coins. */

#define ODD_NAME                                                                                             \
	"\xc3\xbcnusual \xe2\x82\xbf 'name' \"of\" 100% {\\} & <more>, which goes on and on, with a / in it: 01234567890123456789012345678901234567890123456789"

static void
make_odd_wallets(struct scene *scene)
{
	char *name = json_quote(ODD_NAME);
	char *unnamed = xasprintf("%s/regtest/wallets/wallet.dat", node_datadir(scene->node));
	char *path = json_quote(unnamed);

	scene_call(scene, "createwallet", "[%s, false, true]", name);
	/* Newer releases do not make unnamed wallets any more, but still load them. */
	scene_wallet_call(scene, ODD_NAME, "backupwallet", "[%s]", path);
	scene_call(scene, "loadwallet", "[\"\"]");
	free(path);
	free(unnamed);
	free(name);
}

static const struct payment wallets_payments[] = {
	{
		.wallet = ODD_NAME,
		.offer = COIN_BIT(COIN_FINE),
		.presets = COIN_BIT(COIN_FINE),
		.preset_vbytes = 101,
		.presets_only = true,
		.first_sat = 1212121,
		.rate = 17000,
		.change_position = 1,
		.foreign_change = true,
		.normal = {COIN_BIT(COIN_FINE), "manual"},
	},
	{
		.wallet = SECOND_PURSE_NAME,
		.first_sat = 707070,
		.rate = 11000,
		.change_position = 1,
		.normal = {COIN_BIT(COIN_SECOND), "knapsack"},
		.aps = APS_OTHER,
		.grouped = {COINS_SECOND, "knapsack"},
	},
	{
		.wallet = PURSE_NAME,
		.first_sat = 1313131,
		.rate = 19000,
		.normal = {COIN_BIT(COIN_FINE), "knapsack"},
	},
	{
		.wallet = "",
		.presets = COIN_BIT(COIN_FINE),
		.preset_vbytes = 97,
		.presets_only = true,
		.first_sat = 2121212,
		.rate = 23000,
		.foreign_change = true,
		.normal = {COIN_BIT(COIN_FINE), "manual"},
	},
	{
		.wallet = ODD_NAME,
		.first_sat = 1000000,
		.rate = 2000,
		.foreign_change = true,
		.is_refused = true,
	},
};

static void
wallets_prepare(struct scene *scene)
{
	make_odd_wallets(scene);
	payments_begin(scene, wallets_payments, sizeof(wallets_payments) / sizeof(*wallets_payments));
}

DEFINE_SCENARIO(coin_selection, normal_create_tx_internal, wallets,
	.summary = "four wallets in turn: two with similar names, one with an unusual name, one without a name",
	.subject = TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_TRACEPOINTS,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = wallets_prepare,
	.act = payments_act,
	.expect = payments_expect,
);

/* aps_off and aps_default: on nodes with other values of -maxapsfee. The wallet owns nothing: it pays with a coin that
 * no wallet owns, and has no change. */

#define OUTSIDE_NAME "outside"

#define OUTSIDE_PAYMENT                                                                                      \
	.wallet = OUTSIDE_NAME, .presets = COIN_BIT(COIN_LARGE), .preset_vbytes = 89, .presets_only = true,  \
	.excess_sat = 321, .rate = 16000, .change_position = 1, .foreign_change = true,                      \
	.normal = {COIN_BIT(COIN_LARGE), "manual"}

static void
outside_begin(struct scene *scene, struct chain_coin coin, const struct payment *payment)
{
	scene_call(scene, "createwallet", "[\"" OUTSIDE_NAME "\", false, true]");
	wallets_borrow(scene, &coin);
	payments_begin(scene, payment, 1);
}

static void
outside_expect(struct scene *scene)
{
	payments_expect(scene);
	wallets_give_back(scene);
	scene_call(scene, "unloadwallet", "[\"" OUTSIDE_NAME "\"]");
}

/* aps_off: the default profile has -maxapsfee=-1 */

static void
aps_off_prepare(struct scene *scene)
{
	static const struct payment payment = {OUTSIDE_PAYMENT, .aps = APS_NONE};

	outside_begin(scene, coins_take(scene), &payment);
}

DEFINE_SCENARIO(coin_selection, normal_create_tx_internal, aps_off,
	.summary = "with -maxapsfee=-1 there is no second attempt",
	.subject = TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_TRACEPOINTS,
	.profile = &profile_default,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = aps_off_prepare,
	.act = payments_act,
	.expect = outside_expect,
);

/* aps_default: by default the second transaction may not cost more than the first one. It costs as much. */

enum { APS_DEFAULT_HEIGHT = 5 };

static void
aps_default_prepare(struct scene *scene)
{
	static const struct payment payment = {OUTSIDE_PAYMENT};

	outside_begin(scene, pool_coinbase(scene, APS_DEFAULT_HEIGHT), &payment);
}

DEFINE_SCENARIO(coin_selection, aps_create_tx_internal, aps_default,
	.summary = "without -maxapsfee the second transaction is used when it costs no more than the first one",
	.subject = TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_TRACEPOINTS,
	.profile = &profile_history,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = aps_default_prepare,
	.act = payments_act,
	.expect = outside_expect,
);
