/* Blocks in scenarios: making them, and the events that connecting and disconnecting them must fire.
 *
 * The events are computed from getblock with verbosity 3, which has the coin that each input spent. Order and number
 * follow the code (ConnectBlock, DisconnectBlock and UpdateCoins in src/validation.cpp): a transaction spends its
 * inputs in order and then adds its outputs in order, except those that can never be spent. Disconnecting goes the
 * other way: from the last transaction to the first, each spends its outputs in order and then adds its inputs again,
 * from the last to the first. */
#ifndef TPCHECK_SCENE_BLOCKS_H
#define TPCHECK_SCENE_BLOCKS_H

#include "node/block.h"
#include "scene/scenario.h"

enum {
	FEE_SAT = 10000, /* of a scenario's transactions; far above any minimum */
};

/* Building transactions. */

/* Adds an input that spends an anyone-can-spend coin. */
void blocks_spend(struct tx *tx, const struct chain_coin *coin);
/* Adds an output that anyone can spend. */
void blocks_pay(struct tx *tx, int64_t value_sat);
/* Output idx of tx as a coin to spend; its height is 0 (not known). */
struct chain_coin blocks_coin_of(const struct tx *tx, uint32_t idx);
/* Sends it to the node, which must accept it. */
void blocks_send(struct scene *scene, const struct tx *tx);

/* Making blocks. Coinbases pay to anyone. A block belongs to the scene and may be changed until it is submitted. After
 * a failure it still has a coinbase. */

/* Makes bitcoind mine blocks. */
void blocks_mine(struct scene *scene, unsigned cnt);
/* A block on the tip, whose coinbase pays the subsidy and fees_sat. */
struct block *blocks_begin(struct scene *scene, int64_t fees_sat);
/* The same on top of that block, which need not be the tip; does not ask the node. */
struct block *blocks_begin_after(struct scene *scene, const struct block *before, int64_t fees_sat);
/* The draft of the block after that one, without asking the node. */
struct block_draft blocks_next_draft(const struct block *block);
/* block_finish: computes the merkle root and finds a nonce. */
void blocks_finish(struct scene *scene, struct block *block);
/* Finishes the block and submits it; it must become the tip. */
void blocks_submit(struct scene *scene, struct block *block);
/* The same for one that must not become the tip: submitblock must answer with a reason; another one than is known
 * ("inconclusive" if the block is on a side branch) is a detail. what names the block, for the message. */
void blocks_submit_refused(struct scene *scene, struct block *block, const char *reason, const char *what);
/* A block with that transaction, submitted. */
struct block *blocks_mine_tx(struct scene *scene, const struct tx *tx);

/* Asking the node about blocks. */

/* The tip; all zero after a failure. */
struct chain_tip blocks_tip(struct scene *scene);
void blocks_tip_hash(struct scene *scene, char hash_hex[65]);
/* Calls a method with the block's hash as its only argument: invalidateblock, reconsiderblock, preciousblock, ... */
void blocks_call(struct scene *scene, const char *method, const struct block *block);
/* getblock with verbosity 3. */
const struct json *blocks_get(struct scene *scene, const char *hash_hex);
/* The sigop cost of a block from blocks_get, as block_connected passes it: legacy signature operations, the coinbase's
 * included, count 4, witness ones 1. */
int64_t blocks_sigop_cost(const struct json *block);

struct log_timings; /* log.h */

/* Expected events. A block here is one from blocks_get. */

/* A coin as the tracepoints of the UTXO cache pass it. */
struct coin_facts {
	uint8_t txid_wire[32];
	int64_t vout, height, value_sat;
	bool is_coinbase;
};
/* From gettxout, which loads the coin into the cache: not before act. The coin must be unspent. */
struct coin_facts blocks_coin_facts(struct scene *scene, const struct chain_coin *coin);

/* One event with a coin's five arguments. */
void blocks_expect_coin(struct scene *scene, enum tracepoint_id id, enum finding_kind kind, const char *what,
			const struct coin_facts *facts);
/* spent and add of connecting the block, as events of that kind: FINDING_DETAIL for a temporary cache. what names the
 * cause. */
void blocks_expect_connected_coins(struct scene *scene, const struct json *block, enum finding_kind kind,
				   const char *what);
/* spent and add of disconnecting it, likewise. */
void blocks_expect_disconnected_coins(struct scene *scene, const struct json *block, enum finding_kind kind,
				      const char *what);
/* block_connected. */
void blocks_expect_block_connected(struct scene *scene, const struct json *block);
/* The same where it was the nth (from 0) of the blocks that were connected since scene->log_mark: cheaper for many
 * blocks, and for those that did not become the tip. */
void blocks_expect_nth_connected(struct scene *scene, const struct json *block,
				 const struct log_timings *timings, size_t nth);
/* The same for a block with nothing but a coinbase without signature operations, as it was submitted: for one that is
 * too large for getblock. */
void blocks_expect_coinbase_connected(struct scene *scene, const char *hash_hex, uint32_t height);
/* The coins of connecting the block, then block_connected. */
void blocks_expect_block(struct scene *scene, const struct json *block);

#endif
