#include "scene/messages.h"

/* Payloads. */

struct buf *
message_bytes(struct scene *scene, const void *bytes, size_t len)
{
	struct buf *payload = payload_new(scene);

	buf_add(payload, bytes, len);
	return payload;
}

struct buf *
message_noise(struct scene *scene, size_t len, uint32_t seed)
{
	struct buf *payload = payload_new(scene);

	payload_add_noise(payload, len, seed);
	return payload;
}

struct buf *
message_item(struct scene *scene, enum payload_item item, const uint8_t hash_wire[32])
{
	struct buf *payload = payload_new(scene);

	tx_add_compact_size(payload, 1);
	payload_add_item(payload, item, hash_wire);
	return payload;
}

struct buf *
message_unknown_txs(struct scene *scene, size_t cnt)
{
	struct buf *payload = payload_new(scene);

	tx_add_compact_size(payload, cnt);
	for (size_t i = 0; i < cnt; i++) {
		payload_add_le(payload, ITEM_TX, 4);
		payload_add_noise(payload, 32, (uint32_t)(cnt + i));
	}
	return payload;
}

struct buf *
message_locator(struct scene *scene, const uint8_t hash_wire[32])
{
	struct buf *payload = payload_new(scene);

	payload_add_locator(payload, hash_wire);
	return payload;
}

struct buf *
message_headers(struct scene *scene, const struct block *const *blocks, size_t cnt)
{
	struct buf *payload = payload_new(scene);

	tx_add_compact_size(payload, cnt);
	for (size_t i = 0; i < cnt; i++)
		payload_add_header(payload, blocks[i]);
	return payload;
}

struct buf *
message_header(struct scene *scene, const struct block *block)
{
	return message_headers(scene, &block, 1);
}

struct buf *
message_block(struct scene *scene, const struct block *block)
{
	struct buf *payload = payload_new(scene);

	block_serialize(block, payload);
	return payload;
}

struct buf *
message_block_tx_request(struct scene *scene, const uint8_t hash_wire[32], uint64_t idx)
{
	struct buf *payload = payload_new(scene);

	buf_add(payload, hash_wire, 32);
	tx_add_compact_size(payload, 1);
	tx_add_compact_size(payload, idx);
	return payload;
}

struct buf *
message_addresses(struct scene *scene, size_t cnt, bool v2)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct buf *payload = payload_new(scene);

	tx_add_compact_size(payload, cnt);
	for (size_t i = 0; i < cnt; i++) {
		payload_add_le(payload, 1700000000 + i, 4); /* when it was last seen */
		if (v2) {
			tx_add_compact_size(payload, 0); /* services */
			payload_add_le(payload, 1, 1);   /* IPv4 */
			tx_add_compact_size(payload, 4);
		} else {
			payload_add_le(payload, 0, 8);
			buf_add(payload, mapped, sizeof(mapped));
		}
		payload_add_le(payload, 0x01020305 + (i << 8), 4);
		payload_add_le(payload, 8333, 2);
	}
	return payload;
}

/* Scenarios. */

void
messages_begin(struct scene *scene)
{
	struct message_state *state = scene->state;

	state->peers = peers_new(scene, MESSAGE_PEERS);
	peers_begin(scene);
}

void
messages_join(struct scene *scene, const char *from, const struct p2p_version *version)
{
	struct message_state *state = scene->state;

	messages_begin(scene);
	peer_join(scene, &state->peers[0], from, version);
	peers_mark(state->peers, MESSAGE_PEERS);
}

void
messages_prepare(struct scene *scene)
{
	messages_join(scene, NULL, NULL);
}

void
messages_expect_dialogue(struct scene *scene)
{
	struct message_state *state = scene->state;

	peers_learn(scene, state->peers, MESSAGE_PEERS);
	peers_expect_dialogue(scene, state->peers, MESSAGE_PEERS);
	peers_leave(scene, state->peers, MESSAGE_PEERS);
}

void
messages_expect_lanes(struct scene *scene)
{
	struct message_state *state = scene->state;

	peers_learn(scene, state->peers, MESSAGE_PEERS);
	peers_expect_lanes(scene, state->peers, MESSAGE_PEERS, LANE_ORDERED, LANE_ORDERED);
	peers_leave(scene, state->peers, MESSAGE_PEERS);
}
