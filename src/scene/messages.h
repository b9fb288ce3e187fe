/* Messages in scenarios: whole payloads, and what the scenarios of net:inbound_message and net:outbound_message share.
 *
 * What a peer sends and what the node answers belong together. So each of these scenarios checks both tracepoints, and
 * the order of their events wherever it is defined; its name says which of the two it is about. */
#ifndef TPCHECK_SCENE_MESSAGES_H
#define TPCHECK_SCENE_MESSAGES_H

#include "node/block.h"
#include "scene/payload.h"
#include "scene/peers.h"
#include "scene/scenario.h"

/* Payloads, which belong to the scene. */

struct buf *message_bytes(struct scene *scene, const void *bytes, size_t len);
/* See payload_add_noise. */
struct buf *message_noise(struct scene *scene, size_t len, uint32_t seed);
/* For inv and getdata: one item. */
struct buf *message_item(struct scene *scene, enum payload_item item, const uint8_t hash_wire[32]);
/* For getdata: cnt transactions that nobody has. */
struct buf *message_unknown_txs(struct scene *scene, size_t cnt);
/* See payload_add_locator. */
struct buf *message_locator(struct scene *scene, const uint8_t hash_wire[32]);
/* For headers: those of finished blocks. */
struct buf *message_headers(struct scene *scene, const struct block *const *blocks, size_t cnt);
struct buf *message_header(struct scene *scene, const struct block *block);
struct buf *message_block(struct scene *scene, const struct block *block);
/* For getblocktxn: the transaction at idx of that block. */
struct buf *message_block_tx_request(struct scene *scene, const uint8_t hash_wire[32], uint64_t idx);
/* For addr, or addrv2 if v2: addresses of nodes that offer no services, which bitcoind does not remember. */
struct buf *message_addresses(struct scene *scene, size_t cnt, bool v2);

/* Scenarios. */

#define MESSAGE_TRACEPOINTS (TP_BIT(TP_NET_INBOUND_MESSAGE) | TP_BIT(TP_NET_OUTBOUND_MESSAGE))

/* A scenario on the usual node. */
#define MESSAGE_SCENARIO(tracepoint_, behaviour_, ...)                                                       \
	DEFINE_SCENARIO(net, tracepoint_, behaviour_, .tracepoints = MESSAGE_TRACEPOINTS,                    \
			.profile = &profile_default, .state_sz = sizeof(struct message_state), __VA_ARGS__)

enum { MESSAGE_PEERS = 12 };

struct message_state {
	struct peer *peers; /* MESSAGE_PEERS of them, to be connected from the first one on */
	struct block *block;
	struct tx *tx;
	struct buf *payload;
};

/* The beginning of prepare: makes the peers. No block may be made from here on until act. */
void messages_begin(struct scene *scene);
/* messages_begin, then the first peer joins; what is expected begins afterwards. from and version as for peer_join. */
void messages_join(struct scene *scene, const char *from, const struct p2p_version *version);
/* For prepare: a plain peer joins. */
void messages_prepare(struct scene *scene);
/* For expect: peers_learn, then the events of all messages, then peers_leave. The first expects all messages in one
 * order, the second those of each direction. */
void messages_expect_dialogue(struct scene *scene);
void messages_expect_lanes(struct scene *scene);

#endif
