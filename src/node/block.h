/* Blocks, built without a miner. The order of use: block_init, block_add_output, block_add_tx...,
 * block_finish, then block_hex or block_serialize; block_fini. */
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
	BLOCK_TRIES_MAX = 1 << 18, /* nonces that block_finish tries; regtest needs two on average */
};

/* What a block continues; see chain_draft. */
struct block_draft {
	uint8_t prev_hash_wire[32];
	uint32_t height;
	uint32_t time;        /* Unix time in seconds */
	uint32_t bits;        /* compact target; regtest: 0x207fffff */
	int32_t version;      /* 0: BLOCK_VERSION */
	uint32_t extra_nonce; /* in the coinbase, so that blocks of one height can differ */
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

/* Starts with a coinbase that has the height (BIP34) and extra_nonce in its script and no outputs. */
void block_init(struct block *block, const struct block_draft *draft);
void block_fini(struct block *block);

/* An output of the coinbase. The subsidy and fees are the caller's to know. */
void block_add_output(struct block *block, int64_t value_sat, const void *script, size_t len);
/* A copy of tx goes to the end. */
void block_add_tx(struct block *block, const struct tx *tx);

/* Adds the witness commitment (BIP141) when any transaction has a witness and it is not there yet,
 * computes the merkle root and finds a nonce. May be called again after changes to the draft or the
 * transactions (a commitment that is there is left as it is). -EINVAL: bits is no target; -ERANGE: no
 * nonce found. */
int block_finish(struct block *block, struct diag *diag);

bool block_serialize(const struct block *block, struct buf *out); /* with witnesses */
char *block_hex(const struct block *block);                       /* the caller's to free */
size_t block_weight(const struct block *block);

/* What new coins a block of that height on regtest may create, in satoshi (halving every 150 blocks). */
int64_t block_regtest_subsidy_sat(uint32_t height);

/* The building stones, for blocks that are wrong on purpose and for tests. */
void block_format_header(const struct block *block, uint8_t header[BLOCK_HEADER_SZ]);
/* Root over hashes in wire order; cnt >= 1. The array is used up. */
void block_merkle_root(uint8_t (*hashes_wire)[32], size_t cnt, uint8_t root_wire[32]);
/* The compact form of a target as a number of 32 bytes, least first as a hash in wire order; false when it
 * is negative, zero or above 256 bits. */
bool block_target(uint32_t bits, uint8_t target_wire[32]);
/* Whether the hash, as a number, is at most the target. */
bool block_hash_meets(const uint8_t hash_wire[32], const uint8_t target_wire[32]);

#endif
