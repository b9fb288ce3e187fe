#include "scene/payload.h"

#include "node/p2p.h"
#include "node/tx.h"

enum { SHORT_ID_SZ = 6 };

struct buf *
payload_new(struct scene *scene)
{
	return scene_buf(scene, P2P_PAYLOAD_MAX);
}

void
payload_add_le(struct buf *payload, uint64_t n, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_putc(payload, (char)(n >> (8 * i)));
}

void
payload_add_noise(struct buf *payload, size_t len, uint32_t seed)
{
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15) * (seed + 1);

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf_putc(payload, (char)(x >> 32));
	}
}

void
payload_add_item(struct buf *payload, enum payload_item item, const uint8_t hash_wire[32])
{
	payload_add_le(payload, item, 4);
	buf_add(payload, hash_wire, 32);
}

void
payload_add_header(struct buf *payload, const struct block *block)
{
	uint8_t header[BLOCK_HEADER_SZ];

	block_format_header(block, header);
	buf_add(payload, header, sizeof(header));
	buf_putc(payload, 0);
}

void
payload_add_compact_block(struct buf *payload, const struct block *block, bool with_coinbase,
			  unsigned short_ids)
{
	uint8_t header[BLOCK_HEADER_SZ];

	block_format_header(block, header);
	buf_add(payload, header, sizeof(header));
	payload_add_le(payload, 0x1122334455667788, 8); /* a nonce */
	tx_add_compact_size(payload, short_ids);
	payload_add_noise(payload, (size_t)short_ids * SHORT_ID_SZ, short_ids);
	tx_add_compact_size(payload, with_coinbase ? 1 : 0);
	if (with_coinbase) {
		tx_add_compact_size(payload, 0); /* its index in the block */
		tx_serialize(&block->txs[0], true, payload);
	}
}

void
payload_add_locator(struct buf *payload, const uint8_t hash_wire[32])
{
	static const uint8_t no_stop[32];

	payload_add_le(payload, P2P_PROTOCOL, 4);
	tx_add_compact_size(payload, 1);
	buf_add(payload, hash_wire, 32);
	buf_add(payload, no_stop, 32);
}
