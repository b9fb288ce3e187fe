/* Blocks, built without a miner. Use in this order: block_init, block_add_output, block_add_tx..., block_finish, then
 * block_hex or block_serialize; block_fini. */
#ifndef TPCHECK_NODE_BLOCK_H
#define TPCHECK_NODE_BLOCK_H

#include "base/buf.h"
#include "base/diag.h"
#include "node/tx.h"

#include <stddef.h>
#include <stdint.h>

enum {
	BLOCK_HEADER_SZ = 80,
	BLOCK_VERSION = 0x20000000,
	BLOCK_TRIES_MAX = 1 << 18, /* nonces that block_finish tries; two are enough on average on regtest */
};

/* Where a block belongs in the chain; see chain_draft. */
struct block_draft {
	uint8_t prev_hash_wire[32];
	uint32_t height;
	uint32_t time;        /* Unix time in seconds */
	uint32_t bits;        /* compact target; regtest: 0x207fffff */
	int32_t version;      /* 0: BLOCK_VERSION */
	uint32_t extra_nonce; /* in the coinbase, to make blocks of the same height differ */
};

struct block {
	struct block_draft draft;
	struct tx *txs; /* the first is the coinbase */
	size_t txs_cnt;
	/* Set by block_finish: */
	uint8_t merkle_root_wire[32];
	uint8_t hash_wire[32];
	uint32_t nonce;
};

/* A block with only a coinbase, which has the height (BIP34) and extra_nonce in its script, and no outputs. */
void block_init(struct block *block, const struct block_draft *draft);
void block_fini(struct block *block);

/* An output of the coinbase. Its value is not checked against subsidy and fees. */
void block_add_output(struct block *block, int64_t value_sat, const void *script, size_t len);
/* Appends a copy of tx. */
void block_add_tx(struct block *block, const struct tx *tx);

/* Adds the witness commitment (BIP141) if any transaction has a witness and there is none, computes the merkle root and
 * finds a nonce. May be called again after changes to the draft or the transactions, but does not update a commitment.
 * -EINVAL: bits is not a target; -ERANGE: no nonce found. */
int block_finish(struct block *block, struct diag *diag);

bool block_serialize(const struct block *block, struct buf *out); /* with witnesses */
char *block_hex(const struct block *block);                       /* the caller's to free */

/* The subsidy of a block at that height on regtest, in satoshi (halving every 150 blocks). */
int64_t block_regtest_subsidy_sat(uint32_t height);

/* The building blocks, for blocks that are wrong on purpose and for tests. */
void block_format_header(const struct block *block, uint8_t header[BLOCK_HEADER_SZ]);
/* The root over hashes in wire order; cnt >= 1. Overwrites the array. */
void block_merkle_root(uint8_t (*hashes_wire)[32], size_t cnt, uint8_t root_wire[32]);
/* Expands the compact form of a target to a number of 32 bytes, least significant first like a hash in wire order;
 * false if it is negative, zero or above 256 bits. */
bool block_target(uint32_t bits, uint8_t target_wire[32]);
/* Whether the hash, as a number, is at most the target. */
bool block_hash_meets(const uint8_t hash_wire[32], const uint8_t target_wire[32]);

#endif
