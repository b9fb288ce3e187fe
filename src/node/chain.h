/* The chain of a node: the RPC calls that are needed to build transactions and blocks. Errors are those of node_call,
 * and -EBADMSG when something is missing in an answer. */
#ifndef TPCHECK_NODE_CHAIN_H
#define TPCHECK_NODE_CHAIN_H

#include "node/block.h"
#include "node/node.h"
#include "node/tx.h"

struct chain_tip {
	uint8_t hash_wire[32];
	uint32_t height;
	uint32_t time;        /* of the block's header; Unix time in seconds */
	uint32_t median_time; /* of the last 11 blocks */
	uint32_t bits;
};

struct chain_coin {
	uint8_t txid_wire[32];
	uint32_t idx;
	int64_t value_sat;
	uint32_t height;
};

int chain_tip(struct node *node, struct deadline deadline, struct chain_tip *tip, struct diag *diag);

/* The draft of a block on top of the tip. Its time is now, or later if the median time requires it; a mocktime is not
 * considered. */
int chain_draft(struct node *node, struct deadline deadline, struct block_draft *draft, struct diag *diag);

/* The draft of the first block of a regtest chain, without asking a node. */
struct block_draft chain_first_draft(uint32_t time);
/* Adds a finished block as bitcoind keeps them in files: after the magic of regtest and the block's size. */
bool chain_add_record(const struct block *block, struct buf *out);

/* Submits a finished block. *reason is NULL if it was accepted, else bitcoind's reason ("bad-cb-amount",
 * "inconclusive", ...), the caller's to free. If reason is NULL, a rejected block is the error -EREMOTEIO. */
int chain_submit(struct node *node, struct deadline deadline, const struct block *block, char **reason,
		 struct diag *diag);

/* Makes bitcoind mine cnt blocks that pay to the script. */
int chain_generate(struct node *node, struct deadline deadline, unsigned cnt, const void *script, size_t len,
		   struct diag *diag);

/* The first output of the coinbase at that height, spent or not. */
int chain_coinbase(struct node *node, struct deadline deadline, uint32_t height, struct chain_coin *coin,
		   struct diag *diag);

/* sendrawtransaction without a fee limit; -EREMOTEIO with bitcoind's reason if it is rejected. */
int chain_send(struct node *node, struct deadline deadline, const struct tx *tx, struct diag *diag);

#endif
