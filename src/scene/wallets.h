/* Payments out of wallets, and what the four tracepoints of coin_selection must tell of them.
 *
 * The purse is a wallet whose coins have known values and addresses. They come from one transaction in one block, made
 * when the first scenario of a node asks for them. Scenarios pay by fundrawtransaction, which chooses coins and builds
 * a transaction but neither signs nor sends it: the coins stay, for any number of scenarios in any order. What the
 * wallet may choose from is settled by locking all other coins, so that its choice is determined although it draws
 * lots.
 *
 * A wallet makes a transaction twice: with each coin on its own, and then, as an attempt, with the coins of one address
 * kept together ("avoid partial spends", APS); it takes the second if that costs no more than -maxapsfee above the
 * first. What is wanted of each comes from
 *
 *	target            the payment: its outputs, and the fee for all that is neither input nor change
 *	selected          the values of the inputs: those that the answer has are those that were arranged for
 *	fee, position     the answer; of the transaction that was not taken: the answer when it is given these inputs
 *	algorithm, waste  the wallet's own log; where that does not tell, what was arranged, and the waste by its
 *	                  definition (src/wallet/coinselection.h): what the inputs cost now beyond what they would cost
 *	                  later (at -consolidatefeerate), and what making and spending the change costs, or, without
 *	                  change, what is thrown away
 *
 * If the log differs from what was arranged or computed, the wallet chooses in another way than it does today: that is
 * a finding about a detail. */
#ifndef TPCHECK_SCENE_WALLETS_H
#define TPCHECK_SCENE_WALLETS_H

#include "scene/scenario.h"

/* The coins of the purse, and two of the second purse. Twins are on one address, all others on one each. */
enum purse_coin {
	COIN_LARGE, /* this and its twin: of more than 32 bits of satoshi together with a payment */
	COIN_LARGE_TWIN,
	COIN_FINE, /* enough for any payment below 1.9 million satoshi, whatever change the wallet aims at */
	COIN_FINE_TWIN,
	COIN_EQUAL_1, /* three of one value */
	COIN_EQUAL_2,
	COIN_EQUAL_3,
	COIN_BIG, /* more than the small ones together */
	COIN_SMALL_1,
	COIN_SMALL_2,
	COIN_SMALL_3,
	COIN_SECOND,
	COIN_SECOND_TWIN,
	PURSE_COINS,
};
#define COIN_BIT(c)  (1u << (c))
#define COINS_FINE   (COIN_BIT(COIN_FINE) | COIN_BIT(COIN_FINE_TWIN))
#define COINS_LARGE  (COIN_BIT(COIN_LARGE) | COIN_BIT(COIN_LARGE_TWIN))
#define COINS_EQUAL  (COIN_BIT(COIN_EQUAL_1) | COIN_BIT(COIN_EQUAL_2) | COIN_BIT(COIN_EQUAL_3))
#define COINS_SMALL  (COIN_BIT(COIN_SMALL_1) | COIN_BIT(COIN_SMALL_2) | COIN_BIT(COIN_SMALL_3))
#define COINS_SECOND (COIN_BIT(COIN_SECOND) | COIN_BIT(COIN_SECOND_TWIN))

#define PURSE_NAME        "purse"
#define SECOND_PURSE_NAME "purse two" /* has the flag avoid_reuse */

/* The wallets of a node. */
struct wallet_pool {
	bool made;
	struct chain_coin coins[PURSE_COINS];
	unsigned offered; /* those of the purse that are not locked; COIN_BITs */
};

/* A node for wallets: its arguments have the rates below, in satoshi per 1000 virtual bytes. -maxapsfee is 2000 sat and
 * -maxtxfee 50 BTC; what is sent stays in the wallet. */
extern const struct profile profile_wallet;

enum {
	WALLET_LONG_TERM_RATE = 10000,    /* -consolidatefeerate */
	WALLET_DISCARD_RATE = 12000,      /* -discardfee */
	WALLET_COIN_VBYTES = 68,          /* what spending one of the purse's coins takes (P2WPKH) */
	WALLET_CHANGE_VBYTES = 31,        /* what its change takes as an output */
	WALLET_CHANGE_TARGET_SAT = 50000, /* the least change that the wallet aims at, unless it makes none */
};

/* One of the two transactions. */
struct creation {
	unsigned coins;           /* its inputs, COIN_BITs; 0: no coins can be selected */
	const char *algorithm;    /* that selects them */
	const char *or_algorithm; /* or, by lot, this; NULL: it is sure */
	bool fails;               /* although coins are selected */
};

enum { POSITION_DRAWN = -1 };

struct payment {
	/* Asked for: */
	enum {
		PAY_BY_FUND,    /* fundrawtransaction; all others have one output and no presets */
		PAY_BY_PSBT,    /* walletcreatefundedpsbt */
		PAY_BY_ADDRESS, /* sendtoaddress */
		PAY_BY_SEND,    /* send */
		PAY_NOBODY,     /* sendmany without payees, for which no coins are selected */
	} by;
	const char *wallet;     /* NULL: the purse */
	unsigned offer;         /* coins of the purse to choose from; 0: as before */
	unsigned presets;       /* coins that it has to use */
	unsigned preset_vbytes; /* told to take as many; 0: WALLET_COIN_VBYTES */
	bool presets_only;      /* it may use no others */
	int64_t first_sat;      /* value of the first output; 0: such that the following holds */
	int64_t excess_sat;     /* what normal.coins are worth above what the payment without change needs */
	unsigned others_cnt;    /* more outputs, each of other_sat */
	int64_t other_sat;
	int64_t rate;         /* satoshi per 1000 virtual bytes */
	int change_position;  /* POSITION_DRAWN: as the wallet likes */
	bool foreign_change;  /* the change goes to an address that is none of the wallet's */
	bool subtract_fee;    /* from the first output */
	unsigned most_weight; /* of the transaction; 0: not limited */
	/* Arranged: */
	struct creation normal;
	enum {
		APS_SAME,  /* the second transaction has the same inputs */
		APS_OTHER, /* others: grouped */
		APS_NONE,  /* there is no second one */
	} aps;
	struct creation grouped;
	bool is_refused; /* the call fails */
	/* Answered: */
	int64_t fee_sat;
	int position; /* of the change; -1: none */
	unsigned coins;
	char txid[65]; /* by sendtoaddress */
};

/* Instead of the purse's coins there is one, COIN_LARGE, which no wallet owns: for wallets on any node, which are given
 * it as a preset with foreign change. Until payments_end. */
void payments_lend(struct scene *scene, const struct chain_coin *coin);
void payments_end(struct scene *scene);

/* The state of a scenario that is nothing but payments. Its prepare ends with payments_begin, which makes the purses
 * and offers the first payment's coins; payments_act makes the payments one after the other; payments_expect expects
 * what all four tracepoints tell of them, and undoes what sendtoaddress did. */
enum { PAYMENTS_MAX = 8 };
struct payments {
	struct payment items[PAYMENTS_MAX];
	size_t cnt;
};
int payments_begin(struct scene *scene, const struct payment *list, size_t cnt, struct diag *diag);
int payments_act(struct scene *scene, struct diag *diag);
int payments_expect(struct scene *scene, struct diag *diag);

#define COIN_SELECTION_JUDGED                                                                                \
	(TP_BIT(TP_COIN_SELECTION_SELECTED_COINS) | TP_BIT(TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL) |    \
	 TP_BIT(TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX) |                                                \
	 TP_BIT(TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL))

#endif
