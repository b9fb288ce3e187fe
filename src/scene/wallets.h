/* The purse: a wallet whose coins have known values and addresses.
 *
 * The coins come from one transaction in one block, made when the first scenario on a node asks for them. Payments
 * (payments.h) build transactions without sending them, so the coins stay there for any number of scenarios in any
 * order. All coins that a wallet must not choose are locked: that makes its choice predictable although its algorithms
 * use random numbers. */
#ifndef TPCHECK_SCENE_WALLETS_H
#define TPCHECK_SCENE_WALLETS_H

#include "scene/scenario.h"

/* The coins of the purse, and the two of the second purse. Twins share an address; every other coin has its own. */
enum purse_coin {
	COIN_LARGE, /* with its twin, enough for a target, a fee and a waste of more than 32 bits of satoshi */
	COIN_LARGE_TWIN,
	COIN_FINE, /* enough for any payment below 1.9 million satoshi, whatever change the wallet aims at */
	COIN_FINE_TWIN,
	COIN_EQUAL_1, /* three of the same value */
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
	unsigned offered; /* COIN_BITs of the purse's coins that are not locked */
};

/* A node for wallets. Its arguments set the rates below, -maxapsfee to 2000 sat and -maxtxfee to 50 BTC; what is sent
 * stays in the wallet. */
extern const struct profile profile_wallet;

enum {
	WALLET_LONG_TERM_RATE = 10000,    /* -consolidatefeerate; satoshi per 1000 virtual bytes */
	WALLET_DISCARD_RATE = 12000,      /* -discardfee; likewise */
	WALLET_COIN_VBYTES = 68,          /* virtual size of an input that spends one of the coins (P2WPKH) */
	WALLET_CHANGE_VBYTES = 31,        /* of an output for change */
	WALLET_CHANGE_TARGET_SAT = 50000, /* the least change that the wallet aims at, unless it makes none */
};

/* Makes the two purses if the node does not have them. For prepare: it mines. */
void wallets_make(struct scene *scene);
/* Leaves only these coins (COIN_BITs) for the purse to choose from. */
void wallets_offer(struct scene *scene, unsigned which);

/* Replaces the purse's coins by a single one, COIN_LARGE, which no wallet owns: for wallets on any node, which are
 * given it as a preset and send change elsewhere. Until wallets_give_back. */
void wallets_borrow(struct scene *scene, const struct chain_coin *coin);
void wallets_give_back(struct scene *scene);

/* Adds the members of a JSON array with the coins: {"txid": ..., "vout": ...}, ...; each with that weight unless it is
 * 0. */
void wallets_write_coins(const struct scene *scene, unsigned which, unsigned weight, struct buf *out);
/* The transaction in that hexadecimal member of the answer of method. The scene's; without inputs and outputs on
 * failure. */
struct tx *wallets_read_tx(struct scene *scene, const struct json *hex, const char *method);

#endif
