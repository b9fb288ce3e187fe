/* net:closed_connection: once for each connection, whatever ends it, with the time at which it was established. That
 * time is the node's mocked one, which is another for each peer. */
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/connections.h"
#include "scene/log.h"
#include "scene/payload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { FENCE, FIRST, PEERS_MAX = FIRST + 12 };

struct state {
	struct peer peers[PEERS_MAX]; /* the fence, and those that close */
	size_t cnt;                   /* of those that close */
	int64_t time_s;               /* the node's */
	/* See closed.stop: */
	struct chain_coin coin;
	struct peer *private;
	int64_t outbound_cnt;
};

static void
clean(struct scene *scene)
{
	peers_fini(((struct state *)scene->state)->peers, PEERS_MAX);
}

static struct peer *
fence(struct scene *scene)
{
	return &((struct state *)scene->state)->peers[FENCE];
}

/* The nth of those that close. */
static struct peer *
peer_at(struct scene *scene, size_t nth)
{
	return &((struct state *)scene->state)->peers[FIRST + nth];
}

static int
begin(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	state->time_s = CONNECTIONS_TIME;
	int code = connections_set_time(scene, state->time_s, diag);
	return code ? code : connections_begin(scene, fence(scene), diag);
}

/* All until now are connected; whoever connects from now on does so at a later time. */
static int
next_time(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = connections_wait(scene, fence(scene), 1 + (int64_t)state->cnt, diag);

	state->time_s += 1 + (int64_t)state->cnt;
	return code ? code : connections_set_time(scene, state->time_s, diag);
}

static struct peer *
next_peer(struct scene *scene)
{
	return peer_at(scene, ((struct state *)scene->state)->cnt++);
}

static int
enter(struct scene *scene, const char *from, struct diag *diag)
{
	int code = peer_connect(scene, next_peer(scene), from, diag);

	return code ? code : next_time(scene, diag);
}

static int
call(struct scene *scene, const char *type, const char *address, struct diag *diag)
{
	int code = connection_call(scene, next_peer(scene), type, address, diag);

	return code ? code : next_time(scene, diag);
}

/* So many are left of those that were connected. */
static int
wait_left(struct scene *scene, int64_t cnt, struct diag *diag)
{
	return connections_wait(scene, fence(scene), 1 + cnt, diag);
}

static int
learn(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return peers_learn(scene, &state->peers[FIRST], state->cnt, diag);
}

static int
end(struct scene *scene, struct diag *diag)
{
	return connections_end(scene, ((struct state *)scene->state)->peers, PEERS_MAX, diag);
}

/* All peers close, in the order in which they are in the state. */
static int
expect_all_closed(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	expect_source(scene->expect, "getpeerinfo before the connection's end");
	for (size_t i = 0; i < state->cnt; i++)
		connection_expect_closed(scene, peer_at(scene, i));
	return end(scene, diag);
}

/* closed.remote: connections of all kinds that the peer ends */

static int
remote_prepare(struct scene *scene, struct diag *diag)
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
	int code = begin(scene, diag);

	if (!code)
		code = enter(scene, "127.9.8.7", diag);
	if (!code)
		code = connection_enter_onion(scene, next_peer(scene), diag);
	if (!code)
		code = next_time(scene, diag);
	if (!code)
		code = connection_enter_i2p(scene, next_peer(scene), 3, diag);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !code; i++)
		code = call(scene, calls[i][0], calls[i][1], diag);
	if (!code && !node_network_lack(scene->node, AF_INET6)) {
		code = connection_enter_from(scene, next_peer(scene), NODE_IPV6, diag);
		if (!code)
			code = next_time(scene, diag);
		if (!code)
			code = connection_enter_from(scene, next_peer(scene), NODE_IPV4, diag);
		if (!code)
			code = next_time(scene, diag);
	}
	return code ? code : learn(scene, diag);
}

static int
remote_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = 0;

	for (size_t i = 0; i < state->cnt && !code; i++) {
		if (i % 3 == 2) {
			/* Without reading what the node sent: a reset. */
			p2p_free(peer_at(scene, i)->p2p);
			peer_at(scene, i)->p2p = NULL;
		} else {
			p2p_close(peer_at(scene, i)->p2p);
		}
		code = wait_left(scene, (int64_t)(state->cnt - 1 - i), diag);
	}
	return code;
}

const struct scenario sc_net_closed_connection_remote = {
	.name = "net.closed_connection.remote",
	.summary = "peers of both directions, all types and networks leave",
	.subject = TP_NET_CLOSED_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = remote_prepare,
	.act = remote_act,
	.expect = expect_all_closed,
	.clean = clean,
};

/* closed.rpc: connections that the node ends because somebody tells it to */

#define BANNED "127.77.66.55"

static int
rpc_prepare(struct scene *scene, struct diag *diag)
{
	int code = begin(scene, diag);

	if (!code)
		code = enter(scene, NULL, diag);
	if (!code)
		code = call(scene, "manual", "33.44.55.66:77", diag);
	if (!code)
		code = call(scene, "outbound-full-relay", "a-name.example:78", diag);
	if (!code)
		code = enter(scene, BANNED, diag);
	if (!code)
		code = enter(scene, BANNED, diag);
	return code ? code : learn(scene, diag);
}

static int
rpc_act(struct scene *scene, struct diag *diag)
{
	int code = node_call(scene->node, scene->deadline, NULL, diag, "disconnectnode", "[\"%s\"]",
			     peer_at(scene, 0)->address);

	if (!code)
		code = wait_left(scene, 4, diag);
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "disconnectnode",
				 "[\"\", %" PRId64 "]", peer_at(scene, 1)->id);
	if (!code)
		code = wait_left(scene, 3, diag);
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "disconnectnode", "[\"%s\"]",
				 peer_at(scene, 2)->address);
	if (!code)
		code = wait_left(scene, 2, diag);
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "setban", "[\"%s\", \"add\"]",
				 BANNED);
	return code ? code : wait_left(scene, 0, diag);
}

static int
rpc_expect(struct scene *scene, struct diag *diag)
{
	int code = expect_all_closed(scene, diag);

	return code ? code : node_call(scene->node, scene->deadline, NULL, diag, "clearbanned", "[]");
}

const struct scenario sc_net_closed_connection_rpc = {
	.name = "net.closed_connection.rpc",
	.summary = "disconnectnode by address, by id and by name, and setban",
	.subject = TP_NET_CLOSED_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = rpc_prepare,
	.act = rpc_act,
	.expect = rpc_expect,
	.clean = clean,
};

/* closed.own: connections that the node ends by itself */

static const struct p2p_version full_node = {.services = P2P_NETWORK | P2P_WITNESS};

static int
own_prepare(struct scene *scene, struct diag *diag)
{
	int code = begin(scene, diag);

	if (!code)
		code = call(scene, "feeler", "33.44.55.66:79", diag);
	if (!code)
		code = call(scene, "addr-fetch", "33.44.55.66:80", diag);
	if (!code)
		code = p2p_handshake(peer_at(scene, 1)->p2p, &full_node, scene->deadline, diag);
	if (!code)
		code = enter(scene, "127.9.8.7", diag);
	if (!code)
		code = p2p_handshake(peer_at(scene, 2)->p2p, NULL, scene->deadline, diag);
	return code ? code : learn(scene, diag);
}

/* A feeler has done its duty when the other side has told its version, an addr-fetch when it was told addresses; what
 * is no message ends every connection. */
static int
own_act(struct scene *scene, struct diag *diag)
{
	static const struct p2p_version feeler = {.services = P2P_NETWORK | P2P_WITNESS, .no_verack = true};
	static const uint8_t two_addresses[1 + 2 * 30] = {2};
	static const char no_message[] = "this is longer than a message's header";
	int code = p2p_handshake(peer_at(scene, 0)->p2p, &feeler, scene->deadline, diag);

	if (!code)
		code = wait_left(scene, 2, diag);
	if (!code)
		code = peer_send(scene, peer_at(scene, 1), "addr", two_addresses, sizeof(two_addresses),
				 diag);
	if (!code)
		code = wait_left(scene, 1, diag);
	if (!code)
		code = p2p_send_bytes(peer_at(scene, 2)->p2p, no_message, sizeof(no_message), scene->deadline,
				      diag);
	return code ? code : wait_left(scene, 0, diag);
}

const struct scenario sc_net_closed_connection_own = {
	.name = "net.closed_connection.own",
	.summary =
		"the node leaves a feeler and an addr-fetch when they have served, and a peer that sends no messages",
	.subject = TP_NET_CLOSED_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = own_prepare,
	.act = own_act,
	.expect = expect_all_closed,
	.clean = clean,
};

/* closed.misbehaving: misbehaviour ends a connection, unless the peer is noban or was connected to by hand */

enum { ADDRESSES_CNT = 1001, ADDRESS_SZ = 30 };

static int
misbehaving_prepare(struct scene *scene, struct diag *diag)
{
	int code = begin(scene, diag);

	if (!code)
		code = enter(scene, PEER_NOBAN_ADDRESS, diag);
	if (!code)
		code = call(scene, "manual", "33.44.55.66:81", diag);
	if (!code)
		code = enter(scene, NULL, diag);
	for (size_t i = 0; i < 3 && !code; i++)
		code = p2p_handshake(peer_at(scene, i)->p2p, &full_node, scene->deadline, diag);
	return code ? code : learn(scene, diag);
}

/* More addresses than one message may tell. */
static int
misbehave(struct scene *scene, struct peer *peer, struct diag *diag)
{
	static const uint8_t payload[3 + ADDRESSES_CNT * ADDRESS_SZ] = {0xfd, ADDRESSES_CNT & 0xff,
									ADDRESSES_CNT >> 8};

	return peer_send(scene, peer, "addr", payload, sizeof(payload), diag);
}

static int
misbehaving_act(struct scene *scene, struct diag *diag)
{
	int code = 0;

	for (size_t i = 0; i < 2 && !code; i++) {
		code = misbehave(scene, peer_at(scene, i), diag);
		if (!code)
			code = peer_sync(scene, peer_at(scene, i), diag);
	}
	if (!code)
		code = misbehave(scene, peer_at(scene, 2), diag);
	return code ? code : wait_left(scene, 2, diag);
}

static int
misbehaving_expect(struct scene *scene, struct diag *diag)
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
	return end(scene, diag);
}

const struct scenario sc_net_closed_connection_misbehaving = {
	.name = "net.closed_connection.misbehaving",
	.summary =
		"the node ends the connection of a peer that misbehaves, but not when it has the permission noban or was connected to by hand",
	.subject = TP_NET_CLOSED_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = misbehaving_prepare,
	.act = misbehaving_act,
	.expect = misbehaving_expect,
	.clean = clean,
};

/* closed.inactive: the network is switched off, and on again */

static int
several_prepare(struct scene *scene, struct diag *diag)
{
	int code = begin(scene, diag);

	if (!code)
		code = enter(scene, NULL, diag);
	if (!code)
		code = call(scene, "manual",
			    "idevclqgbkt6rituwii4g452565x2i3gr5vloeu7f4knp26557f5blqd.onion:82", diag);
	if (!code)
		code = connection_enter_onion(scene, next_peer(scene), diag);
	if (!code)
		code = next_time(scene, diag);
	if (!code)
		code = call(scene, "outbound-full-relay", "33.44.55.66:83", diag);
	/* The fence ends as well. */
	if (!code)
		code = peers_learn(scene, fence(scene), 1, diag);
	return code ? code : learn(scene, diag);
}

static int
set_active(struct scene *scene, bool active, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, NULL, diag, "setnetworkactive",
			 active ? "[true]" : "[false]");
}

/* Who comes meanwhile is refused, which also makes the node look; who comes afterwards is the next fence. */
static int
inactive_act(struct scene *scene, struct diag *diag)
{
	struct peer *refused = peer_at(scene, 5), *newcomer = peer_at(scene, 6);
	int code = set_active(scene, false, diag);

	if (!code)
		code = peer_connect(scene, refused, NULL, diag);
	if (!code)
		code = p2p_wait_closed(refused->p2p, scene->deadline, diag);
	if (!code)
		code = connections_wait_none(scene, diag);
	if (!code)
		code = set_active(scene, true, diag);
	if (!code)
		code = peer_connect(scene, newcomer, NULL, diag);
	return code ? code : p2p_handshake(newcomer->p2p, NULL, scene->deadline, diag);
}

static int
inactive_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = peers_learn(scene, peer_at(scene, 6), 1, diag);

	expect_source(scene->expect, "getpeerinfo before the connection's end");
	connection_expect_closed(scene, fence(scene));
	for (size_t i = 0; i < state->cnt; i++)
		connection_expect_closed(scene, peer_at(scene, i));
	connection_expect_opened(scene, peer_at(scene, 6), true, 1);
	return code ? code : end(scene, diag);
}

const struct scenario sc_net_closed_connection_inactive = {
	.name = "net.closed_connection.inactive",
	.summary =
		"setnetworkactive false ends all connections and refuses new ones; true lets them in again",
	.subject = TP_NET_CLOSED_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = several_prepare,
	.act = inactive_act,
	.expect = inactive_expect,
	.clean = clean,
};

/* closed.stop: the node ends, and with it all connections; the last one of the profile. What is said on that of a
 * private broadcast is judged as well.
 *
 * One of them is for a private broadcast, which only ends well with the node: as long as it runs it opens others in
 * its place. For such a connection the node picks an address that it was told of, if it is Tor's or I2P's. The one
 * that it is told of here is said to lack what a full node has, so that it is picked for nothing else, and the clock
 * is set to before the node's start, when it is not yet time to try any. */

#define TOLD_ONION "6eclc4gq3rj5xxdhzlfqq5qoac3zulfk4rl7miibbrbys4z7zwjprbid.onion:61234"

static const uint8_t told_address[] = {
	1,    0,    0,    0,    0, /* one address, of unknown time */
	0xfd, 0,    4,             /* a node with the last blocks alone (BIP159) */
	4,    32, /* of Tor, version 3: a public key, which is TOLD_ONION without its check */
	0xf1, 0x04, 0xb1, 0x70, 0xd0, 0xdc, 0x53, 0xdb, 0xdc,       0x67,         0xca, 0xcb,
	0x08, 0x76, 0x0e, 0x00, 0xb7, 0x9a, 0x2c, 0xaa, 0xe4,       0x57,         0xf6, 0x21,
	0x01, 0x0c, 0x43, 0x89, 0x73, 0x3f, 0xcd, 0x92, 61234 >> 8, 61234 & 0xff,
};

enum { EARLY_TIME = 1500000321 };

static bool
has_private_broadcast(struct scene *scene)
{
	return node_has_arg(scene->node, CONNECTIONS_PRIVATE);
}

static int
stop_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = several_prepare(scene, diag);

	if (code || !has_private_broadcast(scene))
		return code;
	code = blocks_take_coin(scene, &state->coin, diag);
	/* Whatever the node has to say to those who are there, it says now. */
	for (size_t i = 0; i < state->cnt && !code; i++)
		if (strcmp(peer_at(scene, i)->connection_type, "inbound") != 0)
			code = p2p_wait(peer_at(scene, i)->p2p, "version", 0, NULL, scene->deadline, diag);
	if (!code)
		code = p2p_settle(fence(scene)->p2p, scene->deadline, diag);
	peers_mark(state->peers, PEERS_MAX);
	return code ? code
		    : node_call(scene->node, scene->deadline, NULL, diag, "logging",
				"[[\"privatebroadcast\"]]");
}

/* The node offers the transaction, sends it and asks whether it has arrived. If that was answered it would go on with
 * the next connection. */
static int
take_privately(struct scene *scene, const struct tx *tx, struct diag *diag)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS, .relay = true};
	struct peer *peer = ((struct state *)scene->state)->private;
	struct buf payload;
	uint8_t txid_wire[32];

	p2p_set_silent(peer->p2p);
	int code = peer_wake(scene, fence(scene), diag);
	if (!code)
		code = p2p_handshake(peer->p2p, &version, scene->deadline, diag);
	if (!code)
		code = p2p_wait(peer->p2p, "inv", 0, NULL, scene->deadline, diag);
	if (!code) {
		tx_txid(tx, txid_wire);
		payload_init(&payload);
		tx_add_compact_size(&payload, 1);
		payload_add_item(&payload, ITEM_TX, txid_wire);
		code = peer_ask_buf(scene, peer, "getdata", &payload, "ping", diag);
	}
	return code ? code : peer_sync(scene, fence(scene), diag);
}

static int
broadcast_privately(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int64_t inbound_cnt;
	struct tx tx;
	int code = connections_set_time(scene, EARLY_TIME, diag);

	if (!code)
		code = peer_send(scene, fence(scene), "addrv2", told_address, sizeof(told_address), diag);
	if (!code)
		code = peer_sync(scene, fence(scene), diag);
	tx_init(&tx);
	if (!code) {
		tx_spend(&tx, &state->coin);
		tx_pay(&tx, state->coin.value_sat - FEE_SAT);
		code = chain_send(scene->node, scene->deadline, &tx, diag);
	}
	state->private = next_peer(scene);
	if (!code)
		code = connection_take_call(scene, state->private, TOLD_ONION, diag);
	if (!code)
		/* The event fires just before. */
		code = log_wait(scene, "Socket connected to " TOLD_ONION, diag);
	if (!code)
		code = peers_learn(scene, state->private, 1, diag);
	if (!code)
		code = connections_cnt(scene, &inbound_cnt, &state->outbound_cnt, diag);
	if (!code)
		code = take_privately(scene, &tx, diag);
	tx_fini(&tx);
	return code;
}

static int
stop_act(struct scene *scene, struct diag *diag)
{
	int code = has_private_broadcast(scene) ? broadcast_privately(scene, diag) : 0;

	return code ? code : node_stop(scene->node, scene->deadline, diag);
}

static int
stop_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	(void)diag;
	if (state->private) /* the fence's messages come at any time */
		peers_expect_lanes(scene, state->peers, PEERS_MAX, LANE_ANY_ORDER, LANE_ORDERED);
	expect_source(scene->expect, "getpeerinfo and getnetworkinfo before the node's end");
	if (state->private)
		connection_expect_opened(scene, state->private, false, state->outbound_cnt);
	connection_expect_closed(scene, fence(scene));
	for (size_t i = 0; i < state->cnt; i++)
		connection_expect_closed(scene, peer_at(scene, i));
	return 0;
}

const struct scenario sc_net_closed_connection_stop = {
	.name = "net.closed_connection.stop",
	.summary =
		"the node's end closes each connection once, that of a private broadcast among them, whose messages are judged as well (from v31 on)",
	.subject = TP_NET_CLOSED_CONNECTION,
	.tracepoints =
		CONNECTION_TRACEPOINTS | TP_BIT(TP_NET_INBOUND_MESSAGE) | TP_BIT(TP_NET_OUTBOUND_MESSAGE),
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = stop_prepare,
	.act = stop_act,
	.expect = stop_expect,
	.clean = clean,
};
