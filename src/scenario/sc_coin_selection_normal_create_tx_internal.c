/* coin_selection:normal_create_tx_internal: the position of change, what fails, and whose wallet it is. */
#include "base/xmem.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/wallets.h"

#include <stdlib.h>

/* change_position: as asked for, drawn by the wallet, and none */

static int
change_position_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
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
			/* Asked for, but there is none. */
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

	return payments_begin(scene, list, sizeof(list) / sizeof(*list), diag);
}

const struct scenario sc_coin_selection_normal_create_tx_internal_change_position = {
	.name = "coin_selection.normal_create_tx_internal.change_position",
	.summary = "change at 0, 1, 2 and 260 as asked for, anywhere, and nowhere",
	.subject = TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = change_position_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* fails: before coins are selected, and after; nothing is tried a second time then */

static int
fails_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			/* More than there is. */
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
			/* Below the least fee rate. */
			.by = PAY_BY_SEND,
			.first_sat = 1000000,
			.rate = 90,
			.is_refused = true,
		},
		{
			/* Above the highest fee. */
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

	return payments_begin(scene, list, sizeof(list) / sizeof(*list), diag);
}

const struct scenario sc_coin_selection_normal_create_tx_internal_fails = {
	.name = "coin_selection.normal_create_tx_internal.fails",
	.summary =
		"too little money, dust, a fee too low, a fee too high: no success, no fee, no second attempt",
	.subject = TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = fails_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* wallets: calls to four wallets that are loaded at once. One's name begins with another's, one has no name, and one's
 * is long and has in it what names seldom have. The latter two own nothing: they pay with a coin of the purse's. */

#define ODD_NAME                                                                                             \
	"\xc3\xbcnusual \xe2\x82\xbf 'name' \"of\" 100% {\\} & <more>, which goes on and on, with a / in it: 01234567890123456789012345678901234567890123456789"

static int
make_odd_wallets(struct scene *scene, struct diag *diag)
{
	char *name = json_quote(ODD_NAME), *path = NULL;
	int code = node_call(scene->node, scene->deadline, NULL, diag, "createwallet", "[%s, false, true]",
			     name);

	/* Newer bitcoinds make no unnamed wallets any more, but load them. */
	if (!code) {
		char *unnamed = xasprintf("%s/regtest/wallets/wallet.dat", node_datadir(scene->node));

		path = json_quote(unnamed);
		free(unnamed);
		code = node_wallet_call(scene->node, scene->deadline, ODD_NAME, NULL, diag, "backupwallet",
					"[%s]", path);
	}
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "loadwallet", "[\"\"]");
	free(name);
	free(path);
	return code;
}

static int
wallets_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
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
	int code = make_odd_wallets(scene, diag);

	return code ? code : payments_begin(scene, list, sizeof(list) / sizeof(*list), diag);
}

const struct scenario sc_coin_selection_normal_create_tx_internal_wallets = {
	.name = "coin_selection.normal_create_tx_internal.wallets",
	.summary = "four wallets by turns: similar names, a long one with unusual characters, none",
	.subject = TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_wallet,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = wallets_prepare,
	.act = payments_act,
	.expect = payments_expect,
};

/* aps_off: with -maxapsfee=-1, as the default profile has it. The wallet owns nothing: it pays with a coin of nobody's,
 * and leaves no change. */

#define APS_OFF_NAME "no second attempt"

static int
aps_off_prepare(struct scene *scene, struct diag *diag)
{
	static const struct payment list[] = {
		{
			.wallet = APS_OFF_NAME,
			.presets = COIN_BIT(COIN_LARGE),
			.preset_vbytes = 89,
			.presets_only = true,
			.excess_sat = 321,
			.rate = 16000,
			.change_position = 1,
			.foreign_change = true,
			.normal = {COIN_BIT(COIN_LARGE), "manual"},
			.aps = APS_NONE,
		},
	};
	struct chain_coin coin;
	int code = blocks_take_coin(scene, &coin, diag);

	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "createwallet",
				 "[\"" APS_OFF_NAME "\", false, true]");
	payments_lend(scene, &coin);
	return code ? code : payments_begin(scene, list, 1, diag);
}

static int
aps_off_expect(struct scene *scene, struct diag *diag)
{
	int code = payments_expect(scene, diag);

	payments_end(scene);
	return code ? code
		    : node_call(scene->node, scene->deadline, NULL, diag, "unloadwallet",
				"[\"" APS_OFF_NAME "\"]");
}

const struct scenario sc_coin_selection_normal_create_tx_internal_aps_off = {
	.name = "coin_selection.normal_create_tx_internal.aps_off",
	.summary = "-maxapsfee=-1: no second attempt",
	.subject = TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
	.tracepoints = COIN_SELECTION_JUDGED,
	.profile = &profile_default,
	.needs_wallet = true,
	.state_sz = sizeof(struct payments),
	.prepare = aps_off_prepare,
	.act = payments_act,
	.expect = aps_off_expect,
};
