/* Payments from wallets, and what the four tracepoints of coin_selection must report about them.
 *
 * Most scenarios pay with fundrawtransaction, which chooses coins and builds a transaction but neither signs nor sends
 * it.
 *
 * A wallet makes a transaction twice: first with each coin on its own, and then, as an attempt, with the coins of one
 * address kept together ("avoid partial spends", APS). It takes the second if that costs no more than -maxapsfee above
 * the first. The expected values of each come from
 *
 *	target            the payment: its outputs, and the fee for all that is neither input nor change
 *	selected          the values of the inputs, which must be the arranged ones
 *	fee, position     the answer; for the transaction that was not taken: the answer when the wallet is given its
 *	                  inputs
 *	algorithm, waste  the wallet's own log; where it does not say, the arranged algorithm, and the waste by its
 *	                  definition (src/wallet/coinselection.h): what the inputs cost now beyond what they would cost
 *	                  later (at -consolidatefeerate), and what making and spending the change costs, or, without
 *	                  change, what is thrown away
 *
 * If the log differs from what was arranged or computed, the wallet chooses coins in another way than it does today:
 * that is a finding about a detail. */
#ifndef TPCHECK_SCENE_PAYMENTS_H
#define TPCHECK_SCENE_PAYMENTS_H

#include "scene/scenario.h"
#include "scene/wallets.h"

/* One of the two transactions, as arranged. */
struct creation {
	unsigned coins;           /* its inputs, COIN_BITs; 0: no coins can be selected */
	const char *algorithm;    /* that selects them: "bnb", "cg", "knapsack", "manual" or "srd" */
	const char *or_algorithm; /* another that selects them at random; NULL: none */
	bool fails;               /* although coins are selected */
};

enum { POSITION_DRAWN = -1 };

struct payment {
	/* What is asked of the wallet: */
	enum {
		PAY_BY_FUND,    /* fundrawtransaction; all others have one output and no presets */
		PAY_BY_PSBT,    /* walletcreatefundedpsbt */
		PAY_BY_ADDRESS, /* sendtoaddress */
		PAY_BY_SEND,    /* send */
		PAY_NOBODY,     /* sendmany without payees, for which no coins are selected */
	} by;
	const char *wallet; /* NULL: the purse */
	unsigned offer;     /* coins of the purse to choose from; 0: as for the payment before */
	unsigned presets;   /* coins that it must use */
	int64_t bump_sat;   /* the presets cost that much more, for the sake of their unconfirmed parents */
	unsigned preset_vbytes; /* size of a preset's input, as the wallet is told; 0: WALLET_COIN_VBYTES */
	bool presets_only;      /* it may use no others */
	int64_t first_sat;      /* value of the first output; 0: computed from excess_sat */
	int64_t excess_sat;     /* what is left of normal.coins if the payment has no change */
	unsigned others_cnt;    /* more outputs, each of other_sat */
	int64_t other_sat;
	int64_t rate;        /* satoshi per 1000 virtual bytes */
	int change_position; /* POSITION_DRAWN: the wallet chooses it at random */
	bool foreign_change; /* the change goes to an address that is not the wallet's */
	bool subtract_fee;   /* from the first output */
	unsigned max_weight; /* of the transaction; 0: no limit */

	/* What was arranged to happen: */
	struct creation normal;
	enum {
		APS_SAME,  /* the second transaction has the same inputs */
		APS_OTHER, /* it has those of grouped */
		APS_NONE,  /* there is no second one */
	} aps;
	struct creation grouped;
	bool is_refused; /* the call fails */

	/* What the wallet answered: */
	int64_t fee_sat;
	int position; /* of the change; -1: none */
	unsigned coins;
	char txid[65]; /* of PAY_BY_ADDRESS */
};

/* The state of a scenario that consists of payments. Its prepare ends with payments_begin, which makes the purses,
 * offers the first payment's coins, and skips the scenario if the release cannot make them; payments_act makes the
 * payments one after the other; payments_expect expects what all four tracepoints report about them, and makes the
 * wallet forget what sendtoaddress sent. */
enum { PAYMENTS_MAX = 8 };
struct payments {
	struct payment items[PAYMENTS_MAX];
	size_t cnt;
};
void payments_begin(struct scene *scene, const struct payment *list, size_t cnt);
void payments_act(struct scene *scene);
void payments_expect(struct scene *scene);

#define COIN_SELECTION_TRACEPOINTS                                                                           \
	(TP_BIT(TP_COIN_SELECTION_SELECTED_COINS) | TP_BIT(TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL) |    \
	 TP_BIT(TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX) |                                                \
	 TP_BIT(TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL))

/* A scenario that consists of payments from the purses: those of the array that is named after its behaviour. */
#define PAYMENT_SCENARIO(tracepoint_, behaviour_, ...)                                                       \
	static void behaviour_##_prepare(struct scene *scene)                                                \
	{                                                                                                    \
		payments_begin(scene, behaviour_##_payments,                                                 \
			       sizeof(behaviour_##_payments) / sizeof(*behaviour_##_payments));              \
	}                                                                                                    \
	DEFINE_SCENARIO(coin_selection, tracepoint_, behaviour_, .tracepoints = COIN_SELECTION_TRACEPOINTS,  \
			.profile = &profile_wallet, .needs_wallet = true,                                    \
			.state_sz = sizeof(struct payments), .prepare = behaviour_##_prepare,                \
			.act = payments_act, .expect = payments_expect, __VA_ARGS__)

/* For payments_expect: makes a payment, and fills what the wallet answered. */
void payment_make(struct scene *scene, struct payment *payment);
/* The same for what sendtoaddress sent, whose answer is only an id; makes the wallet forget it. */
void payment_read_sent(struct scene *scene, struct payment *payment);
const char *payment_wallet(const struct payment *payment);

#endif
