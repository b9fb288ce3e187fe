/* A UTXO snapshot. bitcoind accepts only those whose hash it knows. On regtest it knows one that its own fuzz test
 * uses: of a chain of 200 blocks with nothing but coinbases, which follow from their heights. We make this chain, and
 * the snapshot from it, without a node. */
#ifndef TPCHECK_SCENE_SNAPSHOT_H
#define TPCHECK_SCENE_SNAPSHOT_H

#include "scene/blocks.h"

/* A node without blocks, which listens, and assumes the blocks of the snapshot's chain to be valid from v30 on. */
extern const struct profile profile_bare;

enum {
	SNAPSHOT_HEIGHT = 200,
	/* Scripts of a block are checked unless so many headers follow that they amount to two weeks. */
	SNAPSHOT_HEADERS = SNAPSHOT_HEIGHT + 2016 + 50,
};

/* The chain, of which a node may have any part; the block at that height is item height - 1. The scene's. It continues
 * after the snapshot with blocks of the same kind. */
struct block *snapshot_chain(struct scene *scene);
/* Gives the node the headers of the whole chain. */
void snapshot_send_headers(struct scene *scene, const struct block *chain);
/* Submits blocks of the chain, from one height to another (inclusive). */
void snapshot_submit(struct scene *scene, const struct block *chain, uint32_t from, uint32_t to);
/* Makes the node load the snapshot, in whose chain it has the headers; skips where bitcoind does not know it, and fails
 * where bitcoind refuses it for another reason. */
void snapshot_load(struct scene *scene, const struct block *chain);

#endif
