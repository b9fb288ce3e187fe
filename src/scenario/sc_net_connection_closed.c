/* net:closed_connection: fires once for each connection, whatever ends it, with the time at which it was established.
 * That is a time of the node's mocked clock, and differs from peer to peer. */
#include "base/xmem.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/connections.h"
#include "scene/log.h"
#include "scene/log_lines.h"
#include "scene/messages.h"
#include "scene/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FENCE, FIRST, PEERS_CNT = FIRST + 12 };

struct state {
	struct peer *peers; /* the fence, and those whose connections end */
	size_t cnt;         /* of those whose connections end */
	/* Of stop: */
	struct chain_coin coin;
	struct peer *private;
	int64_t outbound_cnt;
};

static struct peer *
fence(struct scene *scene)
{
	return &((struct state *)scene->state)->peers[FENCE];
}

/* The nth of those whose connections end. */
static struct peer *
peer_at(struct scene *scene, size_t nth)
{
	return &((struct state *)scene->state)->peers[FIRST + nth];
}

static struct peer *
next_peer(struct scene *scene)
{
	return peer_at(scene, ((struct state *)scene->state)->cnt++);
}

static void
begin(struct scene *scene)
{
	struct state *state = scene->state;

	state->peers = peers_new(scene, PEERS_CNT);
	scene_set_time(scene, CONNECTIONS_TIME);
	connections_begin(scene, fence(scene));
}

/* Waits until all peers are connected; whoever connects from now on does so later by the node's clock. */
static void
next_time(struct scene *scene)
{
	int64_t cnt = 1 + (int64_t)((struct state *)scene->state)->cnt;

	connections_wait(scene, fence(scene), cnt);
	scene_set_time(scene, scene->node_time + cnt);
}

static void
enter(struct scene *scene, const char *from)
{
	peer_connect(scene, next_peer(scene), from);
	next_time(scene);
}

static void
enter_onion(struct scene *scene)
{
	connection_enter_onion(scene, next_peer(scene));
	next_time(scene);
}

static void
call(struct scene *scene, const char *type, const char *address)
{
	connection_call(scene, next_peer(scene), type, address);
	next_time(scene);
}

/* Waits until cnt of those whose connections end are still connected. */
static void
wait_left(struct scene *scene, int64_t cnt)
{
	connections_wait(scene, fence(scene), 1 + cnt);
}

static void
learn(struct scene *scene)
{
	struct state *state = scene->state;

	peers_learn(scene, &state->peers[FIRST], state->cnt);
}

static void
end(struct scene *scene)
{
	connections_end(scene, ((struct state *)scene->state)->peers, PEERS_CNT);
}

/* The connections end in the order in which they are in the state. */
static void
expect_all_closed(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->cnt; i++)
		connection_expect_closed(scene, peer_at(scene, i));
}

static void
closed_expect(struct scene *scene)
{
	expect_source(scene->expect, "getpeerinfo before the connection's end");
	expect_all_closed(scene);
	end(scene);
}

/* remote */

static void
remote_prepare(struct scene *scene)
{
	static const char *const calls[][2] = {
		{"manual", "ctf7bnukvdymhxhym7tx4yjgsoou56belwl7tzwqtj5huvgv772fjeqd.onion:54321"},
		{"outbound-full-relay", "33.44.55.66:77"},
		{"block-relay-only", "[fc97:531:eca8::12]:3456"},
		{"feeler", "22q6k7cjnebo6ki36g4hjrmz2fh3sktf6cqyjqgmig5vhzsek6ea.b32.i2p:0"},
		{"addr-fetch", "[2a01:4f8:1:2:3:4:5:6]:7890"},
		{"manual",
		 "a-name-of-one-hundred-characters-which-is-more.than-any-address-has.and-still-is-told-whole-to.the.last:1234"},
	};

	begin(scene);
	enter(scene, "127.9.8.7");
	enter_onion(scene);
	connection_enter_i2p(scene, next_peer(scene), 3);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		call(scene, calls[i][0], calls[i][1]);
	if (!node_network_lack(scene->node, AF_INET6)) {
		connection_enter_from(scene, next_peer(scene), NODE_IPV6);
		next_time(scene);
		connection_enter_from(scene, next_peer(scene), NODE_IPV4);
		next_time(scene);
	}
	learn(scene);
}

static void
remote_act(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->cnt; i++) {
		/* Without reading what the node sent: a reset. */
		if (i % 3 == 2)
			peer_drop(peer_at(scene, i));
		else
			peer_close(peer_at(scene, i));
		wait_left(scene, (int64_t)(state->cnt - 1 - i));
	}
}

CONNECTION_SCENARIO(closed_connection, remote,
	.summary = "peers of both directions, all types and all networks disconnect",
	.subject = TP_NET_CLOSED_CONNECTION,
	.prepare = remote_prepare,
	.act = remote_act,
	.expect = closed_expect,
);

/* rpc */

#define BANNED "127.77.66.55"

static void
rpc_prepare(struct scene *scene)
{
	begin(scene);
	enter(scene, NULL);
	call(scene, "manual", "33.44.55.66:77");
	call(scene, "outbound-full-relay", "a-name.example:78");
	enter(scene, BANNED);
	enter(scene, BANNED);
	learn(scene);
}

static void
rpc_act(struct scene *scene)
{
	scene_call(scene, "disconnectnode", "[\"%s\"]", peer_at(scene, 0)->address);
	wait_left(scene, 4);
	scene_call(scene, "disconnectnode", "[\"\", %" PRId64 "]", peer_at(scene, 1)->id);
	wait_left(scene, 3);
	scene_call(scene, "disconnectnode", "[\"%s\"]", peer_at(scene, 2)->address);
	wait_left(scene, 2);
	scene_call(scene, "setban", "[\"%s\", \"add\"]", BANNED);
	wait_left(scene, 0);
}

static void
rpc_expect(struct scene *scene)
{
	closed_expect(scene);
	scene_call(scene, "clearbanned", "[]");
}

CONNECTION_SCENARIO(closed_connection, rpc,
	.summary = "disconnectnode (by address, by id and by name) and setban end connections",
	.subject = TP_NET_CLOSED_CONNECTION,
	.prepare = rpc_prepare,
	.act = rpc_act,
	.expect = rpc_expect,
);

/* own */

static const struct p2p_version full_node = {.services = P2P_NETWORK | P2P_WITNESS};

static void
own_prepare(struct scene *scene)
{
	begin(scene);
	call(scene, "feeler", "33.44.55.66:79");
	call(scene, "addr-fetch", "33.44.55.66:80");
	peer_handshake(scene, peer_at(scene, 1), &full_node);
	enter(scene, "127.9.8.7");
	peer_handshake(scene, peer_at(scene, 2), NULL);
	call(scene, "block-relay-only", "33.44.55.66:82");
	peer_handshake(scene, peer_at(scene, 3), &full_node);
	learn(scene);
}

/* A feeler has served its purpose when the other side has sent its version, an addr-fetch when it got addresses; what
 * is not a message ends every connection; whoever is asked only for blocks must not send transactions. */
static void
own_act(struct scene *scene)
{
	static const struct p2p_version feeler = {.services = P2P_NETWORK | P2P_WITNESS, .no_verack = true};
	static const uint8_t two_addresses[1 + 2 * 30] = {2};
	static const char no_message[] = "this is longer than a message's header";

	peer_handshake(scene, peer_at(scene, 0), &feeler);
	wait_left(scene, 3);
	peer_send(scene, peer_at(scene, 1), "addr", two_addresses, sizeof(two_addresses));
	wait_left(scene, 2);
	peer_send_bytes(scene, peer_at(scene, 2), no_message, sizeof(no_message));
	wait_left(scene, 1);
	peer_send(scene, peer_at(scene, 3), "tx", no_message, sizeof(no_message));
	wait_left(scene, 0);
}

CONNECTION_SCENARIO(closed_connection, own,
	.summary = "the node disconnects a feeler and an addr-fetch once they have served their purpose, and peers that send garbage or unwanted transactions",
	.subject = TP_NET_CLOSED_CONNECTION,
	.prepare = own_prepare,
	.act = own_act,
	.expect = closed_expect,
);

/* misbehaving */

enum { ADDRESSES_CNT = 1001 }; /* one more than a message may have */

static void
misbehaving_prepare(struct scene *scene)
{
	begin(scene);
	enter(scene, PEER_NOBAN_ADDRESS);
	call(scene, "manual", "33.44.55.66:81");
	enter(scene, NULL);
	for (size_t i = 0; i < 3; i++)
		peer_handshake(scene, peer_at(scene, i), &full_node);
	learn(scene);
}

static void
misbehaving_act(struct scene *scene)
{
	const struct buf *payload = message_addresses(scene, ADDRESSES_CNT, false);

	for (size_t i = 0; i < 2; i++) {
		peer_send_buf(scene, peer_at(scene, i), "addr", payload);
		peer_sync(scene, peer_at(scene, i));
	}
	peer_send_buf(scene, peer_at(scene, 2), "addr", payload);
	wait_left(scene, 2);
}

static void
misbehaving_expect(struct scene *scene)
{
	char reason[64];

	snprintf(reason, sizeof(reason), "addr message size = %d", ADDRESSES_CNT);
	expect_source(scene->expect, "getpeerinfo before; what the peer did");
	for (size_t i = 0; i < 3; i++) {
		int64_t id = peer_at(scene, i)->id;
		struct expected *e = expect_event(scene->expect, TP_NET_MISBEHAVING_CONNECTION,
						  FINDING_CONTRACT, "peer %" PRId64 ", which misbehaves", id);

		want_int(e, "peer_id", id);
		want_string(e, "reason", reason);
	}
	connection_expect_closed(scene, peer_at(scene, 2));
	end(scene);
}

CONNECTION_SCENARIO(closed_connection, misbehaving,
	.summary = "the node disconnects a peer that misbehaves, unless it has the permission noban or was connected to manually",
	.subject = TP_NET_CLOSED_CONNECTION,
	.prepare = misbehaving_prepare,
	.act = misbehaving_act,
	.expect = misbehaving_expect,
);

/* inactive: peers that connect while the network is off are refused, those that connect afterwards are not */

enum { REFUSED = 5, NEWCOMER }; /* several_prepare connects fewer */

static void
several_prepare(struct scene *scene)
{
	begin(scene);
	enter(scene, NULL);
	call(scene, "manual", "idevclqgbkt6rituwii4g452565x2i3gr5vloeu7f4knp26557f5blqd.onion:82");
	enter_onion(scene);
	call(scene, "outbound-full-relay", "33.44.55.66:83");
	/* The fence's connection ends as well. */
	peers_learn(scene, fence(scene), 1);
	learn(scene);
}

static void
expect_several_closed(struct scene *scene)
{
	connection_expect_closed(scene, fence(scene));
	expect_all_closed(scene);
}

/* The refused one also makes the node notice which connections to close. The newcomer takes the place of the fence. */
static void
inactive_act(struct scene *scene)
{
	struct peer *refused = peer_at(scene, REFUSED), *newcomer = peer_at(scene, NEWCOMER);

	scene_call(scene, "setnetworkactive", "[false]");
	peer_connect(scene, refused, NULL);
	peer_wait_closed(scene, refused, NULL);
	connections_wait_none(scene);
	scene_call(scene, "setnetworkactive", "[true]");
	peer_connect(scene, newcomer, NULL);
	peer_handshake(scene, newcomer, NULL);
}

static void
inactive_expect(struct scene *scene)
{
	peers_learn(scene, peer_at(scene, NEWCOMER), 1);
	expect_source(scene->expect, "getpeerinfo before the connection's end");
	expect_several_closed(scene);
	connection_expect_opened(scene, peer_at(scene, NEWCOMER), true, 1);
	end(scene);
}

CONNECTION_SCENARIO(closed_connection, inactive,
	.summary = "setnetworkactive false ends all connections and refuses new ones; true allows them again",
	.subject = TP_NET_CLOSED_CONNECTION,
	.prepare = several_prepare,
	.act = inactive_act,
	.expect = inactive_expect,
);

/* stop: the last scenario on its node.
 *
 * One of the connections is for a private broadcast. It has to be open when the node ends: if it ends earlier, the
 * node opens others in its place. For such a connection the node picks an address that it has heard of, if it is on
 * Tor or I2P. The one that it hears of here lacks the services of a full node, so it is picked for nothing else; and
 * the clock is set to before the node's start, so that the node does not try any address yet. */

#define HEARD_ONION "6eclc4gq3rj5xxdhzlfqq5qoac3zulfk4rl7miibbrbys4z7zwjprbid.onion:61234"

static const uint8_t heard_address[] = {
	1,    0,    0,    0,    0, /* one address, of unknown time */
	0xfd, 0,    4,             /* a node that has only the last blocks (BIP159) */
	4,    32, /* on Tor, version 3: a public key, which is HEARD_ONION without its checksum */
	0xf1, 0x04, 0xb1, 0x70, 0xd0, 0xdc, 0x53, 0xdb, 0xdc,       0x67,         0xca, 0xcb,
	0x08, 0x76, 0x0e, 0x00, 0xb7, 0x9a, 0x2c, 0xaa, 0xe4,       0x57,         0xf6, 0x21,
	0x01, 0x0c, 0x43, 0x89, 0x73, 0x3f, 0xcd, 0x92, 61234 >> 8, 61234 & 0xff,
};

enum {
	EARLY_TIME = 1500000321,
	LOGGED_SOON_MS = 2000, /* for a bitcoind that does not log it */
};

static bool
has_private_broadcast(struct scene *scene)
{
	return node_has_arg(scene->node, CONNECTIONS_PRIVATE);
}

static void
stop_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	several_prepare(scene);
	if (!has_private_broadcast(scene))
		return;
	state->coin = pool_coinbase(scene, 1);
	/* Whatever the node has to say to these peers, it says now. */
	for (size_t i = 0; i < state->cnt; i++)
		if (strcmp(peer_at(scene, i)->connection_type, "inbound") != 0)
			peer_wait(scene, peer_at(scene, i), "version", 0);
	peer_settle(scene, fence(scene));
	peers_mark(state->peers, PEERS_CNT);
	scene_call(scene, "logging", "[[\"privatebroadcast\"]]");
}

/* The node offers the transaction, sends it, and asks by a ping whether it has arrived. If we answered, it would go on
 * with the next connection. */
static void
take_privately(struct scene *scene, const struct tx *tx)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS, .relay = true};
	struct peer *peer = ((struct state *)scene->state)->private;
	uint8_t txid_wire[32];

	if (!scene_ok(scene))
		return;
	p2p_set_silent(peer->p2p);
	peer_wake(scene, fence(scene));
	peer_handshake(scene, peer, &version);
	peer_wait(scene, peer, "inv", 0);
	tx_txid(tx, txid_wire);
	/* On such a connection the node answers no ping, which peer_ask falls back on. */
	size_t from = peer_message_cnt(peer);
	peer_send_buf(scene, peer, "getdata", message_item(scene, ITEM_TX, txid_wire));
	peer_wait(scene, peer, "ping", from);
	peer_sync(scene, fence(scene));
}

static void
broadcast_privately(struct scene *scene)
{
	struct state *state = scene->state;
	struct tx *tx = scene_tx(scene);
	int64_t inbound_cnt;

	scene_set_time(scene, EARLY_TIME);
	peer_send(scene, fence(scene), "addrv2", heard_address, sizeof(heard_address));
	peer_sync(scene, fence(scene));
	blocks_spend(tx, &state->coin);
	blocks_pay(tx, state->coin.value_sat - FEE_SAT);
	blocks_send(scene, tx);
	state->private = next_peer(scene);
	connection_take_call(scene, state->private, HEARD_ONION);
	/* The event fires just before this is logged, and just after the peer can be seen. */
	char *logged = xasprintf("%s%s", log_words(LOG_CONNECTED_VIA), HEARD_ONION);
	log_wait(scene, logged, LOGGED_SOON_MS);
	free(logged);
	peer_wait_listed(scene, state->private);
	peers_learn(scene, state->private, 1);
	connections_cnt(scene, &inbound_cnt, &state->outbound_cnt);
	take_privately(scene, tx);
}

static void
stop_act(struct scene *scene)
{
	if (has_private_broadcast(scene))
		broadcast_privately(scene);
	if (scene_ok(scene))
		scene->err = node_stop(scene->node, scene->deadline, &scene->diag);
}

static void
stop_expect(struct scene *scene)
{
	struct state *state = scene->state;

	if (state->private) /* the fence's messages come at any time */
		peers_expect_lanes(scene, state->peers, PEERS_CNT, LANE_ANY_ORDER, LANE_ORDERED);
	expect_source(scene->expect, "getpeerinfo and getnetworkinfo before the node's end");
	if (state->private)
		connection_expect_opened(scene, state->private, false, state->outbound_cnt);
	expect_several_closed(scene);
}

DEFINE_SCENARIO(net, closed_connection, stop,
	.summary = "the node's shutdown closes each connection once, including that of a private broadcast, whose messages are checked as well (from v31 on)",
	.subject = TP_NET_CLOSED_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS | TP_BIT(TP_NET_INBOUND_MESSAGE) | TP_BIT(TP_NET_OUTBOUND_MESSAGE),
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = stop_prepare,
	.act = stop_act,
	.expect = stop_expect,
);
