/* Payloads of P2P messages, built in a buffer. */
#ifndef TPCHECK_SCENE_PAYLOAD_H
#define TPCHECK_SCENE_PAYLOAD_H

#include "base/buf.h"
#include "node/block.h"
#include "scene/scenario.h"

#include <stddef.h>
#include <stdint.h>

/* The types of inventory items (inv, getdata, notfound). */
enum payload_item {
	ITEM_TX = 1,
	ITEM_BLOCK = 2,
	ITEM_FILTERED_BLOCK = 3,
	ITEM_COMPACT_BLOCK = 4,
	ITEM_WTX = 5,
	ITEM_SZ = 36,
};

/* An empty one, with room for the largest. It belongs to the scene. */
struct buf *payload_new(struct scene *scene);
/* A number in that many bytes, least significant first. */
void payload_add_le(struct buf *payload, uint64_t n, unsigned bytes);
/* Pseudo-random bytes, different ones for each seed. */
void payload_add_noise(struct buf *payload, size_t len, uint32_t seed);
void payload_add_item(struct buf *payload, enum payload_item item, const uint8_t hash_wire[32]);
/* The header of a finished block as in the message headers: followed by a count of transactions, which is 0. */
void payload_add_header(struct buf *payload, const struct block *block);
/* A cmpctblock: with the block's coinbase or without, and with that many short ids that belong to no transaction. */
void payload_add_compact_block(struct buf *payload, const struct block *block, bool with_coinbase,
			       unsigned short_ids);
/* For getheaders and getblocks: asks for what comes after that block. */
void payload_add_locator(struct buf *payload, const uint8_t hash_wire[32]);

#endif
