/* net:outbound_message, by what the node sends. */
#include "base/text.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/messages.h"

/* answers */

static void
answers_prepare(struct scene *scene)
{
	blocks_mine(scene, 1); /* a tip with nothing but a coinbase */
	messages_prepare(scene);
}

static void
answers_act(struct scene *scene)
{
	/* A filter that matches everything: one byte with all bits set, one function. */
	static const uint8_t filter[] = {1, 0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0};
	struct message_state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct chain_tip tip = blocks_tip(scene);
	const struct json *genesis = scene_call(scene, "getblockhash", "[0]");
	uint8_t genesis_wire[32];

	if (!parse_hash(json_string(genesis), genesis_wire))
		scene_fail(scene, -EBADMSG, "getblockhash did not return a hash");
	peer_ask_buf(scene, peer, "getheaders", message_locator(scene, genesis_wire), "headers");
	peer_ask_buf(scene, peer, "getblocks", message_locator(scene, genesis_wire), "inv");
	peer_ask_buf(scene, peer, "getdata", message_item(scene, ITEM_BLOCK, tip.hash_wire), "block");
	peer_ask_buf(scene, peer, "getdata", message_item(scene, ITEM_COMPACT_BLOCK, tip.hash_wire),
		     "cmpctblock");
	peer_ask_buf(scene, peer, "getblocktxn", message_block_tx_request(scene, tip.hash_wire, 0),
		     "blocktxn");
	peer_send(scene, peer, "filterload", filter, sizeof(filter));
	/* A merkleblock, and the transactions that match: the coinbase. */
	peer_ask_buf(scene, peer, "getdata", message_item(scene, ITEM_FILTERED_BLOCK, tip.hash_wire), "tx");
	peer_sync(scene, peer);
}

MESSAGE_SCENARIO(outbound_message, answers,
	.summary = "the node answers with headers, inventories and blocks in all their forms, in order with the requests",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.prepare = answers_prepare,
	.act = answers_act,
	.expect = messages_expect_dialogue,
);

/* large: the node lists transactions that it does not have */

static void
large_act(struct scene *scene)
{
	enum {
		FITS = ((32 << 10) - 3) / ITEM_SZ, /* the most that fit into 32 KiB */
		ABOVE_16_BITS = (1 << 16) / ITEM_SZ + 7,
	};
	static const size_t counts[] = {FITS, FITS + 1, ABOVE_16_BITS};
	struct message_state *state = scene->state;
	struct peer *peer = &state->peers[0];

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		peer_ask_buf(scene, peer, "getdata", message_unknown_txs(scene, counts[i]), "notfound");
	peer_sync(scene, peer);
}

MESSAGE_SCENARIO(outbound_message, large,
	.summary = "the node sends payloads just below and just above 32 KiB, and one of a size above 16 bits",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.prepare = messages_prepare,
	.act = large_act,
	.expect = messages_expect_dialogue,
);

/* announcements */

enum announcement { BY_INV, BY_HEADERS, BY_COMPACT_BLOCK, ANNOUNCEMENTS };

static void
announcements_prepare(struct scene *scene)
{
	static const uint8_t compact[9] = {1, 2}; /* without being asked; version 2 */
	struct message_state *state = scene->state;

	state->block = blocks_begin(scene, 0);
	struct chain_tip tip = blocks_tip(scene);
	messages_begin(scene);
	for (size_t i = 0; i < ANNOUNCEMENTS; i++) {
		struct peer *peer = &state->peers[i];

		peer_join(scene, peer, NULL, NULL);
		if (i == BY_HEADERS)
			peer_send(scene, peer, "sendheaders", NULL, 0);
		if (i == BY_COMPACT_BLOCK)
			peer_send(scene, peer, "sendcmpct", compact, sizeof(compact));
		/* After this the node knows that the peer has the tip. */
		peer_ask_buf(scene, peer, "getheaders", message_locator(scene, tip.hash_wire), "headers");
		peer_sync(scene, peer);
	}
	peers_learn(scene, state->peers, ANNOUNCEMENTS);
	peers_mark(state->peers, ANNOUNCEMENTS);
}

static void
announcements_act(struct scene *scene)
{
	static const char *const types[ANNOUNCEMENTS] = {"inv", "headers", "cmpctblock"};
	struct message_state *state = scene->state;

	blocks_submit(scene, state->block);
	for (size_t i = 0; i < ANNOUNCEMENTS; i++) {
		struct peer *peer = &state->peers[i];

		peer_wait(scene, peer, types[i], peer->mark);
		peer_sync(scene, peer);
	}
}

static void
announcements_expect(struct scene *scene)
{
	struct message_state *state = scene->state;

	/* Each peer hears of the block when its turn comes. */
	peers_expect_lanes(scene, state->peers, ANNOUNCEMENTS, LANE_ORDERED, LANE_ANY_ORDER);
	peers_leave(scene, state->peers, ANNOUNCEMENTS);
}

MESSAGE_SCENARIO(outbound_message, announcements,
	.summary = "a new block is announced to three peers by inv, headers and cmpctblock",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.prepare = announcements_prepare,
	.act = announcements_act,
	.expect = announcements_expect,
);
