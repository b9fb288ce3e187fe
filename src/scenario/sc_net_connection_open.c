/* net:inbound_connection and net:outbound_connection: who connects to the node, whom the node connects to, and how many
 * connections there are then. Each scenario has connections of both directions, so that their numbers differ from each
 * other and from the total. */
#include "scenario/registry.h"
#include "scene/connections.h"
#include "scene/messages.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* In the state's peers: the fence, two that are there before act, and those of act. */
enum { FENCE, BEFORE, FIRST = BEFORE + 2, PEERS_CNT = FIRST + 6 };

struct state {
	struct peer *peers;
	size_t cnt; /* of those of act */
};

static struct peer *
fence(struct scene *scene)
{
	return &((struct state *)scene->state)->peers[FENCE];
}

/* The next of act. */
static struct peer *
next_peer(struct scene *scene)
{
	struct state *state = scene->state;

	return &state->peers[FIRST + state->cnt++];
}

/* The fence is inbound, the two others are outbound. */
static void
prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->peers = peers_new(scene, PEERS_CNT);
	connections_begin(scene, fence(scene));
	peer_call_in(scene, &state->peers[BEFORE], "manual", NULL);
	connection_call(scene, &state->peers[BEFORE + 1], "manual", "5.6.7.8:4321");
}

/* Waits until the last one that opened is counted, and its event has fired. */
static void
wait_for_all(struct scene *scene)
{
	struct state *state = scene->state;

	connections_wait(scene, fence(scene), FIRST + (int64_t)state->cnt);
}

/* A connection is reported when it opens, and not again after the handshake. */
static void
greet_last(struct scene *scene)
{
	struct state *state = scene->state;

	peer_sync(scene, fence(scene)); /* wakes the thread that sends messages */
	peer_handshake(scene, &state->peers[FIRST + state->cnt - 1], NULL);
}

/* How many connections of that direction the node reports now. */
static int64_t
count(struct scene *scene, bool inbound)
{
	int64_t inbound_cnt, outbound_cnt;

	connections_cnt(scene, &inbound_cnt, &outbound_cnt);
	return inbound ? inbound_cnt : outbound_cnt;
}

static void
name_source(struct scene *scene)
{
	expect_source(scene->expect, "getpeerinfo; connections in getnetworkinfo");
}

static void
expect_all_opened(struct scene *scene, bool inbound)
{
	struct state *state = scene->state;

	peers_learn(scene, &state->peers[FIRST], state->cnt);
	int64_t last = count(scene, inbound);
	name_source(scene);
	for (size_t i = 0; i < state->cnt; i++)
		connection_expect_opened(scene, &state->peers[FIRST + i], inbound,
					 last - (int64_t)(state->cnt - 1 - i));
	connections_end(scene, state->peers, PEERS_CNT);
}

static void
expect_inbound(struct scene *scene)
{
	expect_all_opened(scene, true);
}

static void
expect_outbound(struct scene *scene)
{
	expect_all_opened(scene, false);
}

/* The first of act opened and closed before the second opened. */
static void
expect_two(struct scene *scene, const struct peer *first, struct peer *second, bool inbound)
{
	peers_learn(scene, second, 1);
	int64_t cnt = count(scene, inbound);
	name_source(scene);
	connection_expect_opened(scene, first, inbound, cnt);
	connection_expect_closed(scene, first);
	connection_expect_opened(scene, second, inbound, cnt);
}

/* inbound.peers: those that need no network of the node's own */

static void
inbound_peers_act(struct scene *scene)
{
	peer_connect(scene, next_peer(scene), NULL);
	peer_connect(scene, next_peer(scene), "127.200.199.198");
	/* Connections by two ports or threads have no order, so each waits for the one before. */
	wait_for_all(scene);
	connection_enter_onion(scene, next_peer(scene));
	wait_for_all(scene);
	connection_enter_i2p(scene, next_peer(scene), 2);
	peer_connect(scene, next_peer(scene), NULL);
	wait_for_all(scene);
	greet_last(scene);
}

CONNECTION_SCENARIO(inbound_connection, peers,
	.summary = "peers connect from this machine, by Tor and by I2P, while others are connected in both directions",
	.subject = TP_NET_INBOUND_CONNECTION,
	.prepare = prepare,
	.act = inbound_peers_act,
	.expect = expect_inbound,
);

/* inbound.networks: those that come from an address of the node's own network */

static void
inbound_networks_prepare(struct scene *scene)
{
	const char *lack = node_network_lack(scene->node, AF_INET6);

	if (lack)
		scene_skip(scene, "%s", lack);
	prepare(scene);
}

static void
inbound_networks_act(struct scene *scene)
{
	static const char *const from[] = {NODE_CJDNS, NODE_IPV4, NODE_IPV6, "1.250.7.8"};

	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		connection_enter_from(scene, next_peer(scene), from[i]);
		wait_for_all(scene);
	}
}

CONNECTION_SCENARIO(inbound_connection, networks,
	.summary = "peers connect by IPv4, IPv6 and CJDNS",
	.subject = TP_NET_INBOUND_CONNECTION,
	.prepare = inbound_networks_prepare,
	.act = inbound_networks_act,
	.expect = expect_inbound,
);

/* inbound.refused */

#define BANNED "127.77.66.55"

static void
refused_prepare(struct scene *scene)
{
	scene_call(scene, "setban", "[\"%s\", \"add\"]", PEER_NOBAN_ADDRESS);
	prepare(scene);
	scene_call(scene, "setban", "[\"%s\", \"add\"]", BANNED);
}

/* One is refused, one comes in and leaves, a third comes in: it is banned as well, but has the permission noban. */
static void
refused_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct peer *peers = &state->peers[FIRST];

	peer_connect(scene, &peers[0], BANNED);
	peer_wait_closed(scene, &peers[0], NULL);
	peer_connect(scene, &peers[1], NULL);
	connections_wait(scene, fence(scene), FIRST + 1);
	peers_learn(scene, &peers[1], 1);
	peer_close(&peers[1]);
	connections_wait(scene, fence(scene), FIRST);
	peer_connect(scene, &peers[2], PEER_NOBAN_ADDRESS);
	connections_wait(scene, fence(scene), FIRST + 1);
}

static void
refused_expect(struct scene *scene)
{
	struct state *state = scene->state;

	expect_two(scene, &state->peers[FIRST + 1], &state->peers[FIRST + 2], true);
	scene_call(scene, "clearbanned", "[]");
	connections_end(scene, state->peers, PEERS_CNT);
}

CONNECTION_SCENARIO(inbound_connection, refused,
	.summary = "a banned peer fires nothing unless it has the permission noban; a peer that has left is no longer counted",
	.subject = TP_NET_INBOUND_CONNECTION,
	.prepare = refused_prepare,
	.act = refused_act,
	.expect = refused_expect,
);

/* inbound.discouraged: an address whose peer misbehaved may come back while there is room */

#define DISCOURAGED "1.7.8.9"

static void
discouraged_prepare(struct scene *scene)
{
	const char *lack = node_network_lack(scene->node, AF_INET);

	if (lack)
		scene_skip(scene, "%s", lack);
	prepare(scene);
}

static void
discouraged_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct peer *peers = &state->peers[FIRST];

	connection_enter_from(scene, &peers[0], DISCOURAGED);
	connections_wait(scene, fence(scene), FIRST + 1);
	peer_handshake(scene, &peers[0], NULL);
	peers_learn(scene, &peers[0], 1);
	peer_send_buf(scene, &peers[0], "addr", message_addresses(scene, 1003, false));
	connections_wait(scene, fence(scene), FIRST);
	connection_enter_from(scene, &peers[1], DISCOURAGED);
	connections_wait(scene, fence(scene), FIRST + 1);
}

static void
discouraged_expect(struct scene *scene)
{
	struct state *state = scene->state;
	const struct peer *first = &state->peers[FIRST];

	peers_learn(scene, &state->peers[FIRST + 1], 1);
	int64_t cnt, outbound_cnt;
	connections_cnt(scene, &cnt, &outbound_cnt);
	expect_source(scene->expect, "getpeerinfo; what the peer did");
	connection_expect_opened(scene, first, true, cnt);
	struct expected *e = expect_event(scene->expect, TP_NET_MISBEHAVING_CONNECTION, FINDING_CONTRACT,
					  "the peer that misbehaves");
	want_int(e, "peer_id", first->id);
	want_string(e, "reason", "addr message size = 1003");
	want_kind(e, FINDING_DETAIL);
	connection_expect_closed(scene, first);
	connection_expect_opened(scene, first + 1, true, cnt);
	connections_end(scene, state->peers, PEERS_CNT);
}

CONNECTION_SCENARIO(inbound_connection, discouraged,
	.summary = "a peer connects from the address of one that misbehaved, while there is room",
	.subject = TP_NET_INBOUND_CONNECTION,
	.prepare = discouraged_prepare,
	.act = discouraged_act,
	.expect = discouraged_expect,
);

/* outbound.types, networks and names */

struct call {
	const char *type, *address; /* NULL: a port of ours, without a stand-in */
};

static void
call_all(struct scene *scene, const struct call *calls, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		if (calls[i].address)
			connection_call(scene, next_peer(scene), calls[i].type, calls[i].address);
		else
			peer_call_in(scene, next_peer(scene), calls[i].type, NULL);
	}
}

static void
outbound_types_act(struct scene *scene)
{
	static const struct call calls[] = {
		{"block-relay-only", NULL}, {"feeler", NULL}, {"outbound-full-relay", NULL},
		{"addr-fetch", NULL},       {"manual", NULL},
	};

	call_all(scene, calls, sizeof(calls) / sizeof(calls[0]));
	greet_last(scene);
}

CONNECTION_SCENARIO(outbound_connection, types,
	.summary = "the node connects for each purpose, while others are connected in both directions",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.prepare = prepare,
	.act = outbound_types_act,
	.expect = expect_outbound,
);

static void
outbound_networks_act(struct scene *scene)
{
	static const struct call calls[] = {
		/* 68 characters, normally the most according to doc/tracing.md. */
		{"manual", "6eclc4gq3rj5xxdhzlfqq5qoac3zulfk4rl7miibbrbys4z7zwjprbid.onion:65432"},
		{"block-relay-only", "[2620:11c:5001::77]:9"},
		{"outbound-full-relay", "5zcciz77c2ye3vwo565tuau2cqpivoehylrxrzru4s47yb2muzta.b32.i2p:0"},
		{"feeler", "[fc32:17ea:e415:c3bf:9808:149d:b5a2:c9aa]:1025"},
		{"addr-fetch", "90.91.92.93:258"},
	};

	call_all(scene, calls, sizeof(calls) / sizeof(calls[0]));
}

CONNECTION_SCENARIO(outbound_connection, networks,
	.summary = "the node connects by Tor, IPv6, I2P, CJDNS and IPv4, to addresses of up to 68 characters",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.prepare = prepare,
	.act = outbound_networks_act,
	.expect = expect_outbound,
);

/* What the node was asked to connect to stays the peer's address. */
static void
outbound_names_act(struct scene *scene)
{
	static const struct call calls[] = {
		{"manual", "a-peer-known-by-name-alone.example"},
		{"manual",
		 "a-name-of-one-hundred-characters-which-is-more.than-any-address-has.and-still-is-told-whole-to.the.end.:54321"},
		{"outbound-full-relay", "with-a-port.example:12"},
		{"addr-fetch", "9.8.7.6"},
	};

	call_all(scene, calls, sizeof(calls) / sizeof(calls[0]));
}

CONNECTION_SCENARIO(outbound_connection, names,
	.summary = "the node connects to hosts by name, of up to 106 characters including the port",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.prepare = prepare,
	.act = outbound_names_act,
	.expect = expect_outbound,
);

/* outbound.failed */

/* Tries a port that nobody listens on. Binding it keeps others from taking it. */
static void
try_in_vain(struct scene *scene)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = node_socket(scene->node, AF_INET, SOCK_STREAM);
	socklen_t len = sizeof(address);
	char text[32];

	if (fd < 0) {
		scene_fail(scene, fd, "failed to make a socket for a port: %s", strerror(-fd));
		return;
	}
	if (bind(fd, (struct sockaddr *)&address, len) || getsockname(fd, (struct sockaddr *)&address, &len))
		scene_fail(scene, -errno, "failed to bind a port: %s", strerror(errno));
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(address.sin_port));
	peers_ask_for(scene, "manual", text);
	close(fd);
}

static void
failed_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct peer *peers = &state->peers[FIRST];

	try_in_vain(scene);
	connection_call(scene, &peers[0], "outbound-full-relay", "66.77.88.99:1111");
	/* It is connected to that already. */
	peers_ask_for(scene, "manual", "66.77.88.99:1111");
	peers_learn(scene, &peers[0], 1);
	peer_close(&peers[0]);
	connections_wait(scene, fence(scene), FIRST);
	connection_call(scene, &peers[1], "manual", "66.77.88.99:2222");
}

static void
failed_expect(struct scene *scene)
{
	struct state *state = scene->state;

	expect_two(scene, &state->peers[FIRST], &state->peers[FIRST + 1], false);
	connections_end(scene, state->peers, PEERS_CNT);
}

CONNECTION_SCENARIO(outbound_connection, failed,
	.summary = "a peer that cannot be reached or is already connected fires nothing; a peer that has left is no longer counted",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.prepare = prepare,
	.act = failed_act,
	.expect = failed_expect,
);

/* outbound.many: manual connections have no limit */

/* In the state's peers, after the fence: those that are there before act, and two of act. */
enum { MANY = 256, MANY_PEERS = 1 + MANY + 2 };

static void
call_nth(struct scene *scene, size_t nth)
{
	struct state *state = scene->state;
	char address[32];

	snprintf(address, sizeof(address), "host-%zu.example:%zu", nth, 1000 + nth);
	connection_call(scene, &state->peers[nth], "manual", address);
}

static void
many_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->peers = peers_new(scene, MANY_PEERS);
	connections_check_limit(scene);
	connections_begin(scene, fence(scene));
	for (size_t i = 1; i <= MANY; i++)
		call_nth(scene, i);
}

static void
many_act(struct scene *scene)
{
	call_nth(scene, MANY + 1);
	call_nth(scene, MANY + 2);
}

static void
many_expect(struct scene *scene)
{
	struct state *state = scene->state;
	struct peer *peers = &state->peers[MANY + 1];

	peers_learn(scene, peers, 2);
	int64_t cnt = count(scene, false);
	name_source(scene);
	connection_expect_opened(scene, &peers[0], false, cnt - 1);
	connection_expect_opened(scene, &peers[1], false, cnt);
	connections_end(scene, state->peers, MANY_PEERS);
}

CONNECTION_SCENARIO(outbound_connection, many,
	.summary = "the node connects to more peers than 8 bits can count",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.prepare = many_prepare,
	.act = many_act,
	.expect = many_expect,
);
