/* Blocks in scenarios: making them, and what connecting and disconnecting them must show.
 *
 * The expectations are computed from getblock with verbosity 3, which tells of every input the coin it spent. Order
 * and number follow the code (ConnectBlock, DisconnectBlock and UpdateCoins in src/validation.cpp):
 * a transaction spends its inputs in order and then adds its outputs in order, except those that can never be spent;
 * disconnecting goes the other way: from the last transaction to the first, first its outputs are spent in order,
 * then its inputs are added again from the last to the first. */
#ifndef TPCHECK_SCENE_BLOCKS_H
#define TPCHECK_SCENE_BLOCKS_H

#include "node/block.h"
#include "scene/scenario.h"

enum { COLD_COINS_MAX = 20 };

/* The coins of a node, each to be used once. */
struct coin_pool {
	uint32_t tip_least;                     /* the tip is known to be at this height or above */
	uint32_t next_height;                   /* of the next coinbase to take */
	uint32_t next_high;                     /* of the next one to take by blocks_take_high_coin */
	uint32_t next_odd;                      /* likewise by blocks_take_odd_coin */
	uint8_t wide_txid_wire[32];             /* see blocks_take_wide_coin */
	uint32_t wide_left;                     /* coins of it that are left */
	uint8_t small_txid_wire[32];            /* see blocks_take_small_coin */
	uint32_t small_left;                    /* likewise */
	struct chain_coin cold[COLD_COINS_MAX]; /* see blocks_take_cold_coins */
	size_t cold_cnt;
};

enum {
	COINBASE_MATURITY = 100,
	FEE_SAT = 10000,   /* what a scenario's transactions leave; far above any minimum */
	HIGH_HEIGHT = 257, /* more than 8 bits */
	LEAST_TIP = HIGH_HEIGHT + COINBASE_MATURITY,
	ODD_BLOCKS = 24,        /* the first blocks of a chain, whose coinbases have a second output */
	WIDE_OUTPUTS = 65600,   /* positions of more than 16 bits */
	WIDE_COINS = 40,        /* of these, the last ones; all others can never be spent */
	WIDE_COIN_SAT = 500000, /* value of the first of them, and each has one more */
	SMALL_COINS = 150,
	SMALL_COIN_SAT = 20000000, /* value of the first of them */
	SMALL_COIN_STEP_SAT = 99991,
};

/* Starts the chain of a new node with ODD_BLOCKS blocks; for the runner. */
int blocks_begin_chain(struct scene *scene, struct diag *diag);
/* For struct profile's warm: the chain that coins are taken of. */
int blocks_warm(struct scene *scene, struct diag *diag);
/* Mines blocks that pay to anyone (P2WSH of OP_TRUE). */
int blocks_mine(struct scene *scene, unsigned cnt, struct diag *diag);
/* A mature coinbase coin that nobody used yet, of 50 BTC, which is more than 32 bits of satoshi; the tip is at
 * LEAST_TIP or above afterwards. Mines what is needed. For prepare: mining may fire tracepoints. */
int blocks_take_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag);
/* The same, of a height from HIGH_HEIGHT on. */
int blocks_take_high_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag);
/* The second output of a coinbase, which is worth next to nothing: 0, 1, 2, ... satoshi. */
int blocks_take_odd_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag);
/* The only output of a transaction that is no coinbase, worth nearly 50 BTC. Mines it. */
int blocks_take_plain_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag);
/* One of SMALL_COINS that a transaction made, each worth more than the one before. Mines it where there is none left;
 * else it costs nothing. */
int blocks_take_small_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag);
/* A transaction with WIDE_OUTPUTS outputs, WIDE_COINS of them coins, which spends a coinbase; tx is initialised
 * by it, also on failure. */
int blocks_make_wide_tx(struct scene *scene, struct tx *tx, struct diag *diag);
/* A coin of such a transaction, mined where there is none left: not of a coinbase, its position above 16 bits. */
int blocks_take_wide_coin(struct scene *scene, struct chain_coin *coin, struct diag *diag);
/* Coins that are in the chain state on disk but not in the UTXO cache, cnt of them (COLD_COINS_MAX at most): by turns
 * a plain one, a high coinbase's, an odd one and a wide one. Restarts the node where there are not enough left.
 * For prepare. */
int blocks_take_cold_coins(struct scene *scene, struct chain_coin *coins, size_t cnt, struct diag *diag);
/* The draft of the block behind that one, without asking the node: for many in a row. */
struct block_draft blocks_next_draft(const struct block *block);
/* A draft on the tip, with a coinbase that pays subsidy and fees_sat to anyone. */
int blocks_begin(struct scene *scene, struct block *block, int64_t fees_sat, struct diag *diag);
/* Finishes the block and submits it; it must become the tip. */
int blocks_submit(struct scene *scene, struct block *block, struct diag *diag);

/* Both, for a block with so many transactions, each of which spends a coin of its own and makes another one. *block is
 * the scene's: nobody has to free it. For prepare, since coins may have to be mined. */
int blocks_add(struct scene *scene, unsigned txs, struct block **block, struct diag *diag);
/* Calls a method with the block's hash alone: invalidateblock, reconsiderblock, preciousblock, ... */
int blocks_call(struct scene *scene, const char *method, const struct block *block, struct diag *diag);

/* Adds an input that spends an anyone-can-spend coin, and an output that anyone can spend. */
void tx_spend(struct tx *tx, const struct chain_coin *coin);
void tx_pay(struct tx *tx, int64_t value_sat);
/* Output idx of tx as a coin to be spent (its height is 0: not known). */
struct chain_coin tx_coin(const struct tx *tx, uint32_t idx);

/* Sigop cost of a block (getblock, verbosity 3) as block_connected passes it: legacy signature operations, the
 * coinbase's included, count 4, witness ones 1. */
int64_t blocks_sigop_cost(const struct json *block);

/* getblock with verbosity 3; the caller's to free. */
int blocks_get(struct scene *scene, const char *hash_hex, struct json **block, struct diag *diag);
int blocks_tip_hash(struct scene *scene, char hash_hex[65], struct diag *diag);

/* A coin as the tracepoints of the UTXO cache tell it. */
struct coin_facts {
	uint8_t txid_wire[32];
	int64_t vout, height, value_sat;
	bool is_coinbase;
};
/* From gettxout, which loads the coin into the cache: not before act. The coin must be unspent. */
int blocks_coin_facts(struct scene *scene, const struct chain_coin *coin, struct coin_facts *facts,
		      struct diag *diag);

/* What block_connected tells of the block (getblock, verbosity 3). */
int expect_block_connected(struct scene *scene, const struct json *block, struct diag *diag);
/* The same of a block that consists of a coinbase alone, without signature operations, as it was submitted: for one
 * that getblock would tell at too great length. */
int expect_coinbase_connected(struct scene *scene, const char *hash_hex, uint32_t height, struct diag *diag);
/* spent and add of connecting, as the kind given: FINDING_DETAIL for a temporary cache. what names the cause. */
int expect_connected_coins(struct scene *scene, const struct json *block, enum finding_kind kind,
			   const char *what, struct diag *diag);
/* Both: the coins, then block_connected. */
int expect_block(struct scene *scene, const struct json *block, struct diag *diag);
/* One event with a coin's five arguments. */
void expect_coin(struct scene *scene, enum tracepoint_id id, enum finding_kind kind, const char *what,
		 const struct coin_facts *facts);
/* spent and add of disconnecting. */
int expect_disconnected_coins(struct scene *scene, const struct json *block, struct diag *diag);

#endif
