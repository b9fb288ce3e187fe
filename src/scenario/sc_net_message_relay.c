/* net:inbound_message, in one order with the events that the message causes elsewhere. */
#include "base/text.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/coins.h"
#include "scene/messages.h"

/* tx */

static void
tx_prepare(struct scene *scene)
{
	static const struct p2p_version version = {.relay = true, .wtxid_relay = true};
	struct message_state *state = scene->state;
	struct chain_coin coin = coins_take(scene);

	state->tx = scene_tx(scene);
	blocks_spend(state->tx, &coin);
	blocks_pay(state->tx, coin.value_sat - FEE_SAT);
	/* From an address for which nothing is delayed for the sake of privacy. */
	messages_join(scene, PEER_NOBAN_ADDRESS, &version);
}

static void
wait_for_tx(struct scene *scene, const char *txid_hex)
{
	const struct scene_kept *mark = scene_mark(scene);

	while (scene_ok(scene) && !scene_call_succeeds(scene, "getmempoolentry", "[\"%s\"]", txid_hex)) {
		scene_release_since(scene, mark);
		clock_pause_ms(1, scene->deadline);
	}
}

static void
tx_act(struct scene *scene)
{
	struct message_state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct buf *payload = payload_new(scene);
	uint8_t txid_wire[32], wtxid_wire[32];
	char txid_hex[65];

	tx_txid(state->tx, txid_wire);
	format_hash(txid_wire, txid_hex);
	tx_wtxid(state->tx, wtxid_wire);
	tx_serialize(state->tx, true, payload);
	peer_send_buf(scene, peer, "tx", payload);
	/* The node must have dealt with the transaction before the peer says more. */
	wait_for_tx(scene, txid_hex);
	peer_ask(scene, peer, "mempool", NULL, 0, "inv");
	peer_ask_buf(scene, peer, "getdata", message_item(scene, ITEM_WTX, wtxid_wire), "tx");
	peer_sync(scene, peer);
}

/* mempool:added of the transaction. */
static void
expect_added(struct scene *scene)
{
	struct message_state *state = scene->state;
	int64_t fee_sat, vsize;
	uint8_t txid_wire[32];
	char txid_hex[65];

	tx_txid(state->tx, txid_wire);
	format_hash(txid_wire, txid_hex);
	const struct json *entry = scene_call(scene, "getmempoolentry", "[\"%s\"]", txid_hex);
	bool has_vsize = json_i64(json_get(entry, "vsize"), &vsize);
	bool has_fee = json_sat(json_get(json_get(entry, "fees"), "base"), &fee_sat);
	if (!has_vsize || !has_fee)
		scene_fail(scene, -EBADMSG, "getmempoolentry lacks the size or the fee");
	expect_source(scene->expect, "getmempoolentry %s", txid_hex);
	struct expected *e =
		expect_event(scene->expect, TP_MEMPOOL_ADDED, FINDING_CONTRACT, "the peer's transaction");
	want_hash(e, "txid", txid_wire);
	want_int(e, "vsize", vsize);
	want_int(e, "fee", fee_sat);
}

static void
tx_expect(struct scene *scene)
{
	struct message_state *state = scene->state;
	struct peer *peer = &state->peers[0];

	peers_learn(scene, peer, 1);
	peer->end = peer->mark + 1; /* the transaction */
	peers_expect_dialogue(scene, peer, 1);
	expect_added(scene);
	peer->mark = peer->end;
	peer->end = 0;
	peers_expect_dialogue(scene, peer, 1);
	peers_leave(scene, peer, 1);
	blocks_mine(scene, 1); /* empties the mempool */
}

DEFINE_SCENARIO(net, inbound_message, tx,
	.summary = "a transaction comes in, is added to the mempool, announced and sent back, in this order",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGE_TRACEPOINTS | TP_BIT(TP_MEMPOOL_ADDED) | TP_BIT(TP_MEMPOOL_REJECTED),
	.profile = &profile_default,
	.state_sz = sizeof(struct message_state),
	.prepare = tx_prepare,
	.act = tx_act,
	.expect = tx_expect,
);

/* block */

static void
block_prepare(struct scene *scene)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS};
	struct message_state *state = scene->state;

	state->block = blocks_begin(scene, 0);
	blocks_finish(scene, state->block);
	messages_join(scene, NULL, &version);
}

static void
block_act(struct scene *scene)
{
	struct message_state *state = scene->state;
	struct peer *peer = &state->peers[0];
	char hash_hex[65];

	peer_ask_buf(scene, peer, "headers", message_header(scene, state->block), "getdata");
	/* The node now knows that we have blocks, and may say 'sendheaders' (v23 does so earlier). */
	peer_sync(scene, peer);
	peer_send_buf(scene, peer, "block", message_block(scene, state->block));
	/* The node must have dealt with the block before the peer says more. */
	format_hash(state->block->hash_wire, hash_hex);
	scene_call(scene, "waitforblock", "[\"%s\", 60000]", hash_hex);
	peer_sync(scene, peer);
}

static void
block_expect(struct scene *scene)
{
	struct message_state *state = scene->state;
	struct peer *peer = &state->peers[0];
	size_t end = peer_message_cnt(peer);
	char hash_hex[65];

	format_hash(state->block->hash_wire, hash_hex);
	peers_learn(scene, peer, 1);
	const struct json *block = blocks_get(scene, hash_hex);
	peer->end = end - 2; /* the last two are the ping and the pong */
	peers_expect_dialogue(scene, peer, 1);
	blocks_expect_block_connected(scene, block);
	peer->mark = peer->end;
	peer->end = end;
	peers_expect_dialogue(scene, peer, 1);
	peers_leave(scene, peer, 1);
}

DEFINE_SCENARIO(net, inbound_message, block,
	.summary = "a peer announces a block by its header and sends it when asked; it is connected before the next message comes in",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGE_TRACEPOINTS | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &profile_default,
	.state_sz = sizeof(struct message_state),
	.prepare = block_prepare,
	.act = block_act,
	.expect = block_expect,
);
