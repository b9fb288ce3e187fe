/* net:inbound_message, by what a peer sends. */
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/messages.h"

#include <string.h>

/* requests */

static void
requests_act(struct scene *scene)
{
	static const uint8_t feefilter[8] = {0x39, 0x30}, nonce[8] = {0xf1, 2, 3, 4, 5, 6, 7, 0x88};
	struct message_state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct chain_tip tip = blocks_tip(scene);

	peer_ask(scene, peer, "ping", nonce, sizeof(nonce), "pong");
	peer_send(scene, peer, "sendheaders", NULL, 0);
	peer_send(scene, peer, "feefilter", feefilter, sizeof(feefilter));
	peer_ask_buf(scene, peer, "getheaders", message_locator(scene, tip.hash_wire), "headers");
	peer_send(scene, peer, "mempool", NULL, 0);
	/* Types of 12 characters, the most that fit: one that the node knows (too short to be valid, which it ignores;
	 * a valid one would make it disconnect) and one that nobody knows. */
	peer_send(scene, peer, "getcfcheckpt", "\x01", 1);
	peer_send_buf(scene, peer, "tpchecktrace", message_noise(scene, 1021, 1));
	peer_send(scene, peer, "x", "\0\0", 2);
	peer_ask_buf(scene, peer, "getdata", message_unknown_txs(scene, 3), "notfound");
	peer_send(scene, peer, "getaddr", NULL, 0);
	peer_sync(scene, peer);
}

MESSAGE_SCENARIO(inbound_message, requests,
	.summary = "messages of many types, including empty ones, unknown types and a type of 12 characters, and the answers, in order",
	.subject = TP_NET_INBOUND_MESSAGE,
	.prepare = messages_prepare,
	.act = requests_act,
	.expect = messages_expect_dialogue,
);

/* handshake */

static void
handshake_act(struct scene *scene)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS,
						   .relay = true,
						   .wtxid_relay = true,
						   .height = 70000,
						   .user_agent = "/tpcheck:handshake/"};
	struct message_state *state = scene->state;

	peer_join(scene, &state->peers[0], "127.45.6.7", &version);
}

MESSAGE_SCENARIO(inbound_message, handshake,
	.summary = "the handshake of a new peer, from version to the first ping, in both directions",
	.subject = TP_NET_INBOUND_MESSAGE,
	.prepare = messages_begin,
	.act = handshake_act,
	.expect = messages_expect_lanes,
);

/* large */

enum { KIB_32 = 32 << 10 }; /* this much of a payload is recorded */

static void
large_act(struct scene *scene)
{
	static const size_t sizes[] = {KIB_32 - 1, KIB_32, KIB_32 + 1, (1 << 16) + 7, 300007};
	struct message_state *state = scene->state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		peer_send_buf(scene, &state->peers[0], "large", message_noise(scene, sizes[i], (uint32_t)i));
	peer_sync(scene, &state->peers[0]);
}

MESSAGE_SCENARIO(inbound_message, large,
	.summary = "a peer sends payloads of 32 KiB, one byte less and one byte more, and of sizes above 16 bits",
	.subject = TP_NET_INBOUND_MESSAGE,
	.prepare = messages_prepare,
	.act = large_act,
	.expect = messages_expect_dialogue,
);

/* headers */

static void
headers_prepare(struct scene *scene)
{
	enum { HEADERS = 2000 }; /* the most that one message may have */
	struct message_state *state = scene->state;
	struct block_draft draft = {.height = 1, .bits = 0x207fffff, .time = 1};

	/* From an address that is not disconnected: some releases take this for misbehaviour. */
	messages_join(scene, PEER_NOBAN_ADDRESS, NULL);
	/* They follow a block that nobody has. */
	memset(draft.prev_hash_wire, 0x5a, sizeof(draft.prev_hash_wire));
	state->payload = payload_new(scene);
	tx_add_compact_size(state->payload, HEADERS);
	for (int i = 0; i < HEADERS; i++) {
		struct block block;

		block_init(&block, &draft);
		blocks_finish(scene, &block);
		payload_add_header(state->payload, &block);
		draft = blocks_next_draft(&block);
		block_fini(&block);
	}
}

/* Most releases ask for what comes before, by getheaders. The pings arrive together. */
static void
headers_act(struct scene *scene)
{
	struct message_state *state = scene->state;
	struct peer *peer = &state->peers[0];

	peer_send_buf(scene, peer, "headers", state->payload);
	if (scene_ok(scene))
		scene->err = p2p_queue(peer->p2p, "ping", "together", 8, &scene->diag);
	peer_sync(scene, peer);
}

MESSAGE_SCENARIO(inbound_message, headers,
	.summary = "2000 headers of an unknown chain (162003 bytes), what the node asks for then, and two pings at once",
	.subject = TP_NET_INBOUND_MESSAGE,
	.prepare = headers_prepare,
	.act = headers_act,
	.expect = messages_expect_lanes,
);

/* dropped */

enum dropped {
	BAD_CHECKSUM, /* and a bad type: the node ignores these two; for the others it disconnects */
	BAD_MAGIC,
	BAD_SIZE,
	UNFINISHED,
	DROPPED_CNT
};

static void
dropped_prepare(struct scene *scene)
{
	struct message_state *state = scene->state;

	messages_begin(scene);
	for (size_t i = 0; i < DROPPED_CNT; i++)
		peer_join(scene, &state->peers[i], NULL, NULL);
	peers_learn(scene, state->peers, DROPPED_CNT); /* some of them will be gone later */
	peers_mark(state->peers, DROPPED_CNT);
}

/* Sends a message whose byte at that offset is replaced, without its last cut bytes. */
static void
send_damaged(struct scene *scene, enum dropped which, size_t at, uint8_t byte, size_t cut)
{
	static const char payload[] = "nobody gets this";
	struct message_state *state = scene->state;
	struct buf *bytes = scene_buf(scene, 1000);

	p2p_format("damaged", payload, sizeof(payload), bytes);
	bytes->data[at] = (char)byte;
	peer_send_bytes(scene, &state->peers[which], bytes->data, bytes->len - cut);
}

static void
dropped_act(struct scene *scene)
{
	enum { TYPE_AT = 4, SIZE_AT = 16 }; /* in the header */
	struct message_state *state = scene->state;
	struct peer *peers = state->peers;

	for (size_t i = 0; i < DROPPED_CNT; i++)
		peer_sync(scene, &peers[i]);
	send_damaged(scene, BAD_CHECKSUM, P2P_HEADER_SZ + 3, 'X', 0);
	send_damaged(scene, BAD_CHECKSUM, TYPE_AT + 11, 'X', 0); /* after the NUL that ends the type */
	peer_send(scene, &peers[BAD_CHECKSUM], "intact", "all got this", 12);
	peer_sync(scene, &peers[BAD_CHECKSUM]);
	send_damaged(scene, BAD_MAGIC, 1, 0, 0);
	send_damaged(scene, BAD_SIZE, SIZE_AT + 3, 1, 0); /* more than 4,000,000 */
	send_damaged(scene, UNFINISHED, TYPE_AT, 'D', 1);
	peer_close(&peers[UNFINISHED]);
	for (size_t i = BAD_MAGIC; i < DROPPED_CNT; i++)
		peer_wait_closed(scene, &peers[i], NULL);
	peer_sync(scene, &peers[BAD_CHECKSUM]);
}

static void
dropped_expect(struct scene *scene)
{
	struct message_state *state = scene->state;

	peers_expect_dialogue(scene, state->peers, DROPPED_CNT);
	peers_leave(scene, state->peers, DROPPED_CNT);
}

MESSAGE_SCENARIO(inbound_message, dropped,
	.summary = "a message with a wrong checksum, type, magic or size, or only half of one, fires nothing; intact ones in between do",
	.subject = TP_NET_INBOUND_MESSAGE,
	.prepare = dropped_prepare,
	.act = dropped_act,
	.expect = dropped_expect,
);
