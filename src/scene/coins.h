/* Coins for scenarios to spend. Anyone can spend them (P2WSH of OP_TRUE): blocks_spend adds such an input.
 *
 * Each is handed out once; more are mined when they run out. Mining fires tracepoints, so take coins in prepare. After
 * a failure a coin is all zero.
 *
 * A chain pays 50 BTC for each of its first 149 blocks, and half of that for the next 150. */
#ifndef TPCHECK_SCENE_COINS_H
#define TPCHECK_SCENE_COINS_H

#include "scene/scenario.h"

enum {
	COINBASE_MATURITY = 100,
	HIGH_HEIGHT = 257, /* more than 8 bits */
	LEAST_TIP = HIGH_HEIGHT + COINBASE_MATURITY,
	ODD_BLOCKS = 24,        /* the first blocks of a chain, whose coinbases have more outputs */
	ODD_COINS = 8,          /* so many more */
	WIDE_OUTPUTS = 65600,   /* positions of more than 16 bits */
	WIDE_COINS = 40,        /* the last of these; the others can never be spent */
	WIDE_COIN_SAT = 500000, /* value of the first of them; each is worth 1 more than the one before */
	SMALL_COINS = 150,
	SMALL_COIN_SAT = 20000000, /* value of the first of them */
	SMALL_COIN_STEP_SAT = 99991,
	COLD_COINS_MAX = 40, /* enough for all scenarios of a run */
};

/* Outputs of one transaction, to be taken in order. */
struct coin_stock {
	struct chain_coin next;
	int64_t step_sat; /* each is worth that much more than the one before */
	uint32_t left;
};

/* What is left to take on a node. All zero for a new one. */
struct coin_pool {
	uint32_t tip_least;            /* the tip is known to be at this height or above */
	uint32_t next_height;          /* of the coinbase that coins_take takes next; 0: the first */
	uint32_t next_high;            /* likewise for coins_take_high */
	uint32_t odd_taken[ODD_COINS]; /* how many of each value were taken */
	struct coin_stock wide, small;
	struct chain_coin cold[COLD_COINS_MAX];
	size_t cold_cnt;
	/* What has to be done again when coins_take_cold has restarted the node; NULL: nothing. */
	void (*on_restart)(struct scene *scene);
};

/* Adds the blocks that a node of that profile starts with, for node_opts.blocks; for the runner. It takes a node less
 * time to import them than to mine them. */
int coins_start_chain(const struct profile *profile, struct buf *out, struct diag *diag);
/* Submits these blocks to a node that has none. */
void coins_submit_chain(struct scene *scene, const struct profile *profile);
/* Fails unless the new node has them. */
void coins_require_chain(struct scene *scene, const struct profile *profile);
/* For struct profile's warm: the node has the chain that coins are taken from, or mines what is missing. */
void coins_warm(struct scene *scene);

/* A mature coinbase, worth 50 BTC (more than 32 bits of satoshi) while they last. The tip is at LEAST_TIP or above
 * afterwards. */
struct chain_coin coins_take(struct scene *scene);
/* A mature coinbase of HIGH_HEIGHT or above. */
struct chain_coin coins_take_high(struct scene *scene);
/* Another output of a coinbase, which is worth next to nothing. Each scenario gets coins of 0, 1, 2, ... satoshi, then
 * 0 again, whatever others have taken. A node has ODD_BLOCKS of each value. */
struct chain_coin coins_take_odd(struct scene *scene);
/* The only output of a transaction that is not a coinbase, worth nearly 50 BTC. */
struct chain_coin coins_take_plain(struct scene *scene);
/* One of SMALL_COINS that one transaction made, each worth more than the one before. Cheap: they are mined once. */
struct chain_coin coins_take_small(struct scene *scene);
/* A transaction that spends a coinbase and has WIDE_OUTPUTS outputs, the last WIDE_COINS of them coins. The scene's. */
struct tx *coins_make_wide_tx(struct scene *scene);
/* A coin of such a transaction: not a coinbase, and its position has more than 16 bits. */
struct chain_coin coins_take_wide(struct scene *scene);
/* cnt coins (COLD_COINS_MAX at most) that are on disk but not in the UTXO cache: plain, high, odd (of 0 satoshi) and
 * wide ones in turn, whatever others have taken. Restarts the node when there are not enough left. */
void coins_take_cold(struct scene *scene, struct chain_coin *coins, size_t cnt);
/* A block on the tip, with txs transactions besides the coinbase, each of which spends a coin and makes another one.
 * The scene's. */
struct block *coins_spend_in_block(struct scene *scene, unsigned txs);

#endif
