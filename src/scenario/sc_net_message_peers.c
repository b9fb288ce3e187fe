/* net:inbound_message and net:outbound_message, by who the peers are. */
#include "base/xmem.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/connections.h"
#include "scene/messages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct p2p_version full_node = {.services = P2P_NETWORK | P2P_WITNESS};

/* inbound_message.peers */

static void
peers_prepare(struct scene *scene)
{
	static const char *const from[] = {"127.0.0.1", "127.200.30.4", "127.0.0.1", "127.255.255.254"};
	struct message_state *state = scene->state;

	messages_begin(scene);
	peers_raise_ids(scene);
	for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++)
		peer_join(scene, &state->peers[i], from[i], NULL);
	peers_mark(state->peers, MESSAGE_PEERS);
}

static void
peers_act(struct scene *scene)
{
	static const size_t turns[] = {2, 0, 3, 1, 1, 0, 2, 3};
	struct message_state *state = scene->state;

	for (size_t i = 0; i < sizeof(turns) / sizeof(*turns); i++) {
		struct peer *peer = &state->peers[turns[i]];

		if (i % 3 == 1)
			peer_send_buf(scene, peer, "unknown", message_noise(scene, 30 + i, (uint32_t)i));
		peer_sync(scene, peer);
	}
}

MESSAGE_SCENARIO(inbound_message, peers,
	.summary = "four peers take turns, two of them at one address: their ids and ports tell them apart",
	.subject = TP_NET_INBOUND_MESSAGE,
	.prepare = peers_prepare,
	.act = peers_act,
	.expect = messages_expect_dialogue,
);

/* inbound_message.networks: addresses that are longer than this machine's, and of other kinds */

/* Those who come in, from the second peer on; returns the first peer that is left. */
static struct peer *
enter_networks(struct scene *scene)
{
	static const char *const from[] = {NODE_IPV6, NODE_CJDNS, NODE_IPV4};
	struct message_state *state = scene->state;
	struct peer *fence = &state->peers[0], *peer = fence + 1;

	for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++) {
		if (node_network_lack(scene->node, AF_INET6))
			break;
		connection_enter_from(scene, peer, from[i]);
		peer_greet(scene, peer++, NULL);
	}
	connection_enter_i2p(scene, peer, 3);
	peer_wake(scene, fence);
	peer_greet(scene, peer++, NULL);
	return peer;
}

static void
networks_prepare(struct scene *scene)
{
	static const struct {
		const char *type, *address;
	} calls[] = {
		{"manual", "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd.onion:54321"},
		{"manual",
		 "a-name-of-one-hundred-characters-which-is-longer-than.any-address-of.the-networks-that-there-are.example:12345"},
		{"manual", "with-the-usual-port.example"},
		{"block-relay-only", "[2620:11c:5001::abcd]:4096"},
		{"outbound-full-relay", "udhdrtrcetjm5sxzskjyr5ztpeszydbh4dpl3pl4utgqqw2v4jna.b32.i2p:0"},
	};
	struct message_state *state = scene->state;

	messages_begin(scene);
	struct peer *fence = &state->peers[0];
	connections_begin(scene, fence);
	peer_settle(scene, fence);
	struct peer *peer = enter_networks(scene);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		connection_call(scene, peer, calls[i].type, calls[i].address);
		peer_wake(scene, fence);
		peer_greet(scene, peer++, &full_node);
	}
	peers_mark(state->peers, MESSAGE_PEERS);
}

static void
networks_act(struct scene *scene)
{
	struct message_state *state = scene->state;

	for (size_t i = 0; i < MESSAGE_PEERS && state->peers[i].p2p; i++) {
		peer_send_buf(scene, &state->peers[i], "unknown", message_noise(scene, 40 + i, (uint32_t)i));
		peer_sync(scene, &state->peers[i]);
	}
}

static void
networks_expect(struct scene *scene)
{
	struct message_state *state = scene->state;

	peers_learn(scene, state->peers, MESSAGE_PEERS);
	peers_expect_dialogue(scene, state->peers, MESSAGE_PEERS);
	connections_end(scene, state->peers, MESSAGE_PEERS);
}

DEFINE_SCENARIO(net, inbound_message, networks,
	.summary = "peers on IPv6, CJDNS, Tor and I2P, and peers known by name, of up to 110 characters",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGE_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct message_state),
	.prepare = networks_prepare,
	.act = networks_act,
	.expect = networks_expect,
);

/* inbound_message.disconnected: what is behind a message for which the node disconnects is not taken in */

enum { BAD, OTHER };

static void
disconnected_prepare(struct scene *scene)
{
	/* A filter of one byte and too many functions: no release forgives it. */
	static const uint8_t filter[] = {1, 0xff, 51, 0, 0, 0, 0, 0, 0, 0, 0};
	struct message_state *state = scene->state;

	messages_begin(scene);
	for (size_t i = BAD; i <= OTHER; i++)
		peer_join(scene, &state->peers[i], NULL, NULL);
	peers_learn(scene, state->peers, 2);
	peers_mark(state->peers, MESSAGE_PEERS);
	state->payload = message_bytes(scene, filter, sizeof(filter));
}

/* Both messages are there before the node looks at the first one. */
static void
disconnected_act(struct scene *scene)
{
	struct message_state *state = scene->state;
	struct buf *both = scene_buf(scene, 1 << 16);

	p2p_format("filterload", state->payload->data, state->payload->len, both);
	p2p_format("ping", "too late", 8, both);
	peer_send_bytes(scene, &state->peers[BAD], both->data, both->len);
	peer_wait_closed(scene, &state->peers[BAD], &state->peers[OTHER]);
	peer_sync(scene, &state->peers[OTHER]);
}

static void
disconnected_expect(struct scene *scene)
{
	struct message_state *state = scene->state;
	const struct lane_select bad = {.int_argument = "peer_id", .int_value = state->peers[BAD].id};
	const struct p2p_message first = {.direction = P2P_SENT,
					  .type = "filterload",
					  .payload = (const uint8_t *)state->payload->data,
					  .size = state->payload->len};

	expect_lane(scene->expect, "the peer that is disconnected", LANE_ORDERED, &bad);
	peer_expect_message(scene, &state->peers[BAD], &first);
	peers_expect_lanes(scene, state->peers, 2, LANE_ORDERED, LANE_ORDERED);
	peers_leave(scene, state->peers, 2);
}

MESSAGE_SCENARIO(inbound_message, disconnected,
	.summary = "a peer sends two messages at once and is disconnected for the first one: the second one fires nothing",
	.subject = TP_NET_INBOUND_MESSAGE,
	.prepare = disconnected_prepare,
	.act = disconnected_act,
	.expect = disconnected_expect,
);

/* outbound_message.unread: the peer asks for a block of 500 KB again and again, and does not read for a while. The
 * node's answers then wait in its send buffer; when that is full, it takes in no messages from the peer. It takes in
 * one message of each peer in turn: another one's pings show when it has got as far as it gets. */

enum {
	SLOW,
	PINGING,
	UNREAD_BYTES = 5600000, /* the system keeps up to 4 MB (net.ipv4.tcp_wmem), the node another MB */
	UNREAD_SCRIPT_BYTES = 500000, /* few events: their payloads fill an ordinary user's buffers */
	UNREAD_FEE_SAT = 12345,
};

/* Whether the node has taken in a message of the peer by which it asked for a fee rate. */
static bool
has_fee_filter(struct scene *scene, const struct peer *peer)
{
	const struct json *info = scene_call(scene, "getpeerinfo", "[]");

	for (size_t i = 0; i < json_cnt(info); i++) {
		const struct json *item = json_at(info, i);
		int64_t id, sat;

		if (json_i64(json_get(item, "id"), &id) && id == peer->id &&
		    json_sat(json_get(item, "minfeefilter"), &sat))
			return sat == UNREAD_FEE_SAT;
	}
	scene_fail(scene, -EBADMSG, "getpeerinfo lacks the minfeefilter of a peer");
	return false;
}

static void
unread_prepare(struct scene *scene)
{
	struct message_state *state = scene->state;

	uint8_t *script = xcalloc(1, UNREAD_SCRIPT_BYTES);

	state->block = blocks_begin(scene, 0);
	script[0] = SCRIPT_OP_RETURN;
	block_add_output(state->block, 0, script, UNREAD_SCRIPT_BYTES);
	blocks_submit(scene, state->block);
	free(script);
	state->payload = message_block(scene, state->block);
	messages_prepare(scene);
	peer_join(scene, &state->peers[PINGING], NULL, NULL);
	peer_keep_little(scene, &state->peers[SLOW]);
	peers_learn(scene, state->peers, 2);
	peers_mark(state->peers, MESSAGE_PEERS);
}

static void
unread_act(struct scene *scene)
{
	struct message_state *state = scene->state;
	const struct buf *request = message_item(scene, ITEM_BLOCK, state->block->hash_wire);
	struct buf *fee = scene_buf(scene, 8);
	size_t requests = UNREAD_BYTES / (state->payload->len + 1) + 1;

	payload_add_le(fee, UNREAD_FEE_SAT, 8);
	for (size_t i = 0; i < requests; i++)
		peer_send_buf(scene, &state->peers[SLOW], "getdata", request);
	peer_send_buf(scene, &state->peers[SLOW], "feefilter", fee);
	for (size_t i = 0; i < requests + 3; i++)
		peer_sync(scene, &state->peers[PINGING]);
	if (has_fee_filter(scene, &state->peers[SLOW]))
		scene_skip(
			scene,
			"bitcoind took in all messages of a peer that did not read %d bytes: the system kept them (see net.ipv4.tcp_wmem)",
			UNREAD_BYTES);
	peer_sync(scene, &state->peers[SLOW]);
	if (scene_ok(scene) && !has_fee_filter(scene, &state->peers[SLOW]))
		scene_fail(scene, -EBADMSG, "getpeerinfo does not show a peer's fee filter");
}

static void
unread_expect(struct scene *scene)
{
	struct message_state *state = scene->state;

	peers_expect_lanes(scene, state->peers, 2, LANE_ANY_ORDER, LANE_ANY_ORDER);
	peers_leave(scene, state->peers, 2);
}

MESSAGE_SCENARIO(outbound_message, unread,
	.summary = "a peer asks for 5 MB and does not read them at first: messages wait for it in both directions, and all fire once",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.prepare = unread_prepare,
	.act = unread_act,
	.expect = unread_expect,
);

/* outbound_message.connection_types */

static const char *const call_types[] = {"outbound-full-relay", "block-relay-only", "addr-fetch", "manual",
					 "feeler"};

enum { CALLS = sizeof(call_types) / sizeof(*call_types), WAKER = CALLS };

static void
types_prepare(struct scene *scene)
{
	struct message_state *state = scene->state;

	messages_begin(scene);
	peer_join(scene, &state->peers[WAKER], NULL, NULL);
	peers_learn(scene, &state->peers[WAKER], 1);
	peers_mark(state->peers, MESSAGE_PEERS);
}

/* Our version is all that the node needs to know: it sends its verack and disconnects. */
static void
be_a_feeler(struct scene *scene, struct peer *peer)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS, .no_verack = true};
	struct message_state *state = scene->state;

	peers_learn(scene, state->peers, CALLS);
	peer_handshake(scene, peer, &version);
	peer_wait_closed(scene, peer, &state->peers[WAKER]);
}

static void
types_act(struct scene *scene)
{
	struct message_state *state = scene->state;
	struct peer *waker = &state->peers[WAKER];

	for (size_t i = 0; i < CALLS; i++) {
		struct peer *peer = &state->peers[i];

		peer_call_in(scene, peer, call_types[i], waker);
		/* The node ignores what comes before our version, but it has received it. */
		if (!strcmp(call_types[i], "manual"))
			peer_send(scene, peer, "early", "bird", 4);
		if (!strcmp(call_types[i], "feeler"))
			be_a_feeler(scene, peer);
		else
			peer_greet(scene, peer, &full_node);
	}
	peer_sync(scene, waker);
}

static void
types_expect(struct scene *scene)
{
	struct message_state *state = scene->state;

	/* The waker's messages come at any time. */
	peers_expect_lanes(scene, state->peers, CALLS + 1, LANE_ANY_ORDER, LANE_ORDERED);
	peers_leave(scene, state->peers, CALLS + 1);
}

MESSAGE_SCENARIO(outbound_message, connection_types,
	.summary = "the handshakes of a full relay, a block relay, an address fetch, a manual and a feeler connection",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.prepare = types_prepare,
	.act = types_act,
	.expect = types_expect,
);
