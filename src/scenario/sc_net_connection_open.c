/* net:inbound_connection and net:outbound_connection: who comes in, whom the node connects to, and how many there are
 * then. In each scenario there are connections of both directions, so that the number of one differs from that of the
 * other and from that of all. */
#include "scenario/registry.h"
#include "scene/connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FENCE, BEFORE, FIRST = BEFORE + 2, PEERS_MAX = FIRST + 6 };

struct state {
	struct peer peers[PEERS_MAX]; /* the fence, two that were there before, and those of act */
	size_t cnt;                   /* of those of act */
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

/* The next of act. */
static struct peer *
next_peer(struct scene *scene)
{
	struct state *state = scene->state;

	return &state->peers[FIRST + state->cnt++];
}

/* The fence is inbound; two outbound ones. */
static int
prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = connections_begin(scene, fence(scene), diag);

	if (!code)
		code = connection_call_directly(scene, &state->peers[BEFORE], "manual", diag);
	if (!code)
		code = connection_call(scene, &state->peers[BEFORE + 1], "manual", "5.6.7.8:4321", diag);
	return code;
}

/* The one that opened last is counted, and its event has fired. */
static int
wait_for_all(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return connections_wait(scene, fence(scene), FIRST + (int64_t)state->cnt, diag);
}

/* A connection is told of when it opens, and not again when the peers have greeted each other. */
static int
greet_last(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = peer_sync(scene, fence(scene), diag); /* wakes the thread that sends messages */

	return code ? code
		    : p2p_handshake(state->peers[FIRST + state->cnt - 1].p2p, NULL, scene->deadline, diag);
}

static int
expect_opened(struct scene *scene, bool inbound, struct diag *diag)
{
	struct state *state = scene->state;
	int64_t inbound_cnt = 0, outbound_cnt = 0;
	int code = peers_learn(scene, &state->peers[FIRST], state->cnt, diag);

	if (!code)
		code = connections_cnt(scene, &inbound_cnt, &outbound_cnt, diag);
	int64_t last = inbound ? inbound_cnt : outbound_cnt;
	expect_source(scene->expect, "getpeerinfo; connections in getnetworkinfo");
	for (size_t i = 0; i < state->cnt && !code; i++)
		connection_expect_opened(scene, &state->peers[FIRST + i], inbound,
					 last - (int64_t)(state->cnt - 1 - i));
	return code ? code : connections_end(scene, state->peers, PEERS_MAX, diag);
}

static int
expect_inbound(struct scene *scene, struct diag *diag)
{
	return expect_opened(scene, true, diag);
}

static int
expect_outbound(struct scene *scene, struct diag *diag)
{
	return expect_opened(scene, false, diag);
}

/* inbound.peers: those for whom the machine needs no network */

static int
inbound_peers_act(struct scene *scene, struct diag *diag)
{
	int code = peer_connect(scene, next_peer(scene), NULL, diag);

	if (!code)
		code = peer_connect(scene, next_peer(scene), "127.200.199.198", diag);
	/* From one port and thread to the other: one after the other. */
	if (!code)
		code = wait_for_all(scene, diag);
	if (!code)
		code = connection_enter_onion(scene, next_peer(scene), diag);
	if (!code)
		code = wait_for_all(scene, diag);
	if (!code)
		code = connection_enter_i2p(scene, next_peer(scene), 2, diag);
	if (!code)
		code = peer_connect(scene, next_peer(scene), NULL, diag);
	if (!code)
		code = wait_for_all(scene, diag);
	return code ? code : greet_last(scene, diag);
}

const struct scenario sc_net_inbound_connection_peers = {
	.name = "net.inbound_connection.peers",
	.summary =
		"peers of this machine, of Tor and of I2P come in, while others are connected in both directions",
	.subject = TP_NET_INBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = prepare,
	.act = inbound_peers_act,
	.expect = expect_inbound,
	.clean = clean,
};

/* inbound.networks: those that need addresses of their own */

static int
inbound_networks_prepare(struct scene *scene, struct diag *diag)
{
	const char *lack = node_network_lack(scene->node, AF_INET6);

	return lack ? scenario_skip(diag, "%s", lack) : prepare(scene, diag);
}

static int
inbound_networks_act(struct scene *scene, struct diag *diag)
{
	static const char *const from[] = {NODE_CJDNS, NODE_IPV4, NODE_IPV6, "1.250.7.8"};
	int code = 0;

	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]) && !code; i++) {
		code = connection_enter_from(scene, next_peer(scene), from[i], diag);
		if (!code)
			code = wait_for_all(scene, diag);
	}
	return code;
}

const struct scenario sc_net_inbound_connection_networks = {
	.name = "net.inbound_connection.networks",
	.summary = "peers come in by IPv4, IPv6 and CJDNS",
	.subject = TP_NET_INBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = inbound_networks_prepare,
	.act = inbound_networks_act,
	.expect = expect_inbound,
	.clean = clean,
};

/* inbound.refused: who is banned does not get in, and who has left is not counted */

#define BANNED "127.77.66.55"

static int
refused_prepare(struct scene *scene, struct diag *diag)
{
	int code = prepare(scene, diag);

	return code ? code
		    : node_call(scene->node, scene->deadline, NULL, diag, "setban", "[\"%s\", \"add\"]",
				BANNED);
}

/* One is refused, one comes in and leaves, a third comes in. */
static int
refused_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peers = &state->peers[FIRST];
	int code = peer_connect(scene, &peers[0], BANNED, diag);

	if (!code)
		code = p2p_wait_closed(peers[0].p2p, scene->deadline, diag);
	if (!code)
		code = peer_connect(scene, &peers[1], NULL, diag);
	if (!code)
		code = connections_wait(scene, fence(scene), FIRST + 1, diag);
	if (!code)
		code = peers_learn(scene, &peers[1], 1, diag);
	if (!code) {
		p2p_close(peers[1].p2p);
		code = connections_wait(scene, fence(scene), FIRST, diag);
	}
	if (!code)
		code = peer_connect(scene, &peers[2], NULL, diag);
	return code ? code : connections_wait(scene, fence(scene), FIRST + 1, diag);
}

static int
refused_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peers = &state->peers[FIRST];
	int64_t inbound_cnt = 0, outbound_cnt = 0;
	int code = peers_learn(scene, &peers[2], 1, diag);

	if (!code)
		code = connections_cnt(scene, &inbound_cnt, &outbound_cnt, diag);
	if (!code) {
		expect_source(scene->expect, "getpeerinfo; connections in getnetworkinfo");
		connection_expect_opened(scene, &peers[1], true, inbound_cnt);
		connection_expect_closed(scene, &peers[1]);
		connection_expect_opened(scene, &peers[2], true, inbound_cnt);
		code = node_call(scene->node, scene->deadline, NULL, diag, "clearbanned", "[]");
	}
	return code ? code : connections_end(scene, state->peers, PEERS_MAX, diag);
}

const struct scenario sc_net_inbound_connection_refused = {
	.name = "net.inbound_connection.refused",
	.summary = "nothing is told of a peer that is banned; one that has left is not counted",
	.subject = TP_NET_INBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = refused_prepare,
	.act = refused_act,
	.expect = refused_expect,
	.clean = clean,
};

/* outbound */

struct call {
	const char *type, *address; /* NULL: directly, to a port of ours */
};

static int
call_all(struct scene *scene, const struct call *calls, size_t cnt, struct diag *diag)
{
	int code = 0;

	for (size_t i = 0; i < cnt && !code; i++) {
		struct peer *peer = next_peer(scene);

		code = calls[i].address ? connection_call(scene, peer, calls[i].type, calls[i].address, diag)
					: connection_call_directly(scene, peer, calls[i].type, diag);
	}
	return code;
}

static int
outbound_types_act(struct scene *scene, struct diag *diag)
{
	static const struct call calls[] = {
		{"block-relay-only", NULL}, {"feeler", NULL}, {"outbound-full-relay", NULL},
		{"addr-fetch", NULL},       {"manual", NULL},
	};
	int code = call_all(scene, calls, sizeof(calls) / sizeof(calls[0]), diag);

	return code ? code : greet_last(scene, diag);
}

const struct scenario sc_net_outbound_connection_types = {
	.name = "net.outbound_connection.types",
	.summary = "the node connects for each purpose, while others are connected in both directions",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = prepare,
	.act = outbound_types_act,
	.expect = expect_outbound,
	.clean = clean,
};

static int
outbound_networks_act(struct scene *scene, struct diag *diag)
{
	static const struct call calls[] = {
		/* 68 characters, the most that the document calls normal. */
		{"manual", "6eclc4gq3rj5xxdhzlfqq5qoac3zulfk4rl7miibbrbys4z7zwjprbid.onion:65432"},
		{"block-relay-only", "[2620:11c:5001::77]:9"},
		{"outbound-full-relay", "5zcciz77c2ye3vwo565tuau2cqpivoehylrxrzru4s47yb2muzta.b32.i2p:0"},
		{"feeler", "[fc32:17ea:e415:c3bf:9808:149d:b5a2:c9aa]:1025"},
		{"addr-fetch", "90.91.92.93:258"},
	};

	return call_all(scene, calls, sizeof(calls) / sizeof(calls[0]), diag);
}

const struct scenario sc_net_outbound_connection_networks = {
	.name = "net.outbound_connection.networks",
	.summary = "the node connects by Tor, IPv6, I2P, CJDNS and IPv4, to addresses of up to 68 characters",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = prepare,
	.act = outbound_networks_act,
	.expect = expect_outbound,
	.clean = clean,
};

/* outbound.names: what was asked for stays the peer's address */

static int
outbound_names_act(struct scene *scene, struct diag *diag)
{
	static const struct call calls[] = {
		{"manual", "a-peer-known-by-name-alone.example"},
		{"manual",
		 "a-name-of-one-hundred-characters-which-is-more.than-any-address-has.and-still-is-told-whole-to.the.end.:54321"},
		{"outbound-full-relay", "with-a-port.example:12"},
		{"addr-fetch", "9.8.7.6"},
	};

	return call_all(scene, calls, sizeof(calls) / sizeof(calls[0]), diag);
}

const struct scenario sc_net_outbound_connection_names = {
	.name = "net.outbound_connection.names",
	.summary = "the node connects to hosts by name, of up to 106 characters with the port",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = prepare,
	.act = outbound_names_act,
	.expect = expect_outbound,
	.clean = clean,
};

/* outbound.failed: attempts that come to nothing, and a connection that has ended */

/* To a port that nobody listens at: it is taken and given back by nobody but us. */
static int
try_in_vain(struct scene *scene, struct diag *diag)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = node_socket(scene->node, AF_INET, SOCK_STREAM);
	socklen_t len = sizeof(address);
	char text[32];

	if (fd < 0)
		return diag_fail(diag, fd, "no socket for a port: %s", strerror(-fd));
	int code = bind(fd, (struct sockaddr *)&address, len) ||
				   getsockname(fd, (struct sockaddr *)&address, &len)
			   ? diag_fail(diag, -errno, "no port: %s", strerror(errno))
			   : 0;
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(address.sin_port));
	if (!code)
		code = peers_ask_for(scene, "manual", text, diag);
	close(fd);
	return code;
}

static int
failed_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peers = &state->peers[FIRST];
	int code = try_in_vain(scene, diag);

	if (!code)
		code = connection_call(scene, &peers[0], "outbound-full-relay", "66.77.88.99:1111", diag);
	/* It is connected to that already. */
	if (!code)
		code = peers_ask_for(scene, "manual", "66.77.88.99:1111", diag);
	if (!code)
		code = peers_learn(scene, &peers[0], 1, diag);
	if (!code) {
		p2p_close(peers[0].p2p);
		code = connections_wait(scene, fence(scene), FIRST, diag);
	}
	if (!code)
		code = connection_call(scene, &peers[1], "manual", "66.77.88.99:2222", diag);
	return code;
}

static int
failed_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peers = &state->peers[FIRST];
	int64_t inbound_cnt = 0, outbound_cnt = 0;
	int code = peers_learn(scene, &peers[1], 1, diag);

	if (!code)
		code = connections_cnt(scene, &inbound_cnt, &outbound_cnt, diag);
	if (!code) {
		expect_source(scene->expect, "getpeerinfo; connections in getnetworkinfo");
		connection_expect_opened(scene, &peers[0], false, outbound_cnt);
		connection_expect_closed(scene, &peers[0]);
		connection_expect_opened(scene, &peers[1], false, outbound_cnt);
	}
	return code ? code : connections_end(scene, state->peers, PEERS_MAX, diag);
}

const struct scenario sc_net_outbound_connection_failed = {
	.name = "net.outbound_connection.failed",
	.summary =
		"nothing is told of a peer that cannot be reached or is connected already; one that has left is not counted",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = prepare,
	.act = failed_act,
	.expect = failed_expect,
	.clean = clean,
};

/* outbound.many: a number of more than 8 bits; there is no limit to connections that are made by hand */

enum { MANY = 256, MANY_PEERS = 1 + MANY + 2 };

struct many_state {
	struct peer peers[MANY_PEERS]; /* the fence, those that were there before, and two of act */
};

static void
many_clean(struct scene *scene)
{
	peers_fini(((struct many_state *)scene->state)->peers, MANY_PEERS);
}

static int
call_nth(struct scene *scene, size_t nth, struct diag *diag)
{
	struct many_state *state = scene->state;
	char address[32];

	snprintf(address, sizeof(address), "host-%zu.example:%zu", nth, 1000 + nth);
	return connection_call(scene, &state->peers[nth], "manual", address, diag);
}

static int
many_prepare(struct scene *scene, struct diag *diag)
{
	struct many_state *state = scene->state;
	int code = connections_check_limit(scene, diag);

	if (!code)
		code = connections_begin(scene, &state->peers[FENCE], diag);
	for (size_t i = 1; i <= MANY && !code; i++)
		code = call_nth(scene, i, diag);
	return code;
}

static int
many_act(struct scene *scene, struct diag *diag)
{
	int code = call_nth(scene, MANY + 1, diag);

	return code ? code : call_nth(scene, MANY + 2, diag);
}

static int
many_expect(struct scene *scene, struct diag *diag)
{
	struct many_state *state = scene->state;
	int64_t inbound_cnt = 0, outbound_cnt = 0;
	int code = peers_learn(scene, &state->peers[MANY + 1], 2, diag);

	if (!code)
		code = connections_cnt(scene, &inbound_cnt, &outbound_cnt, diag);
	if (!code) {
		expect_source(scene->expect, "getpeerinfo; connections in getnetworkinfo");
		connection_expect_opened(scene, &state->peers[MANY + 1], false, outbound_cnt - 1);
		connection_expect_opened(scene, &state->peers[MANY + 2], false, outbound_cnt);
	}
	return code ? code : connections_end(scene, state->peers, MANY_PEERS, diag);
}

const struct scenario sc_net_outbound_connection_many = {
	.name = "net.outbound_connection.many",
	.summary = "the node connects to more peers than 8 bits can count",
	.subject = TP_NET_OUTBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct many_state),
	.prepare = many_prepare,
	.act = many_act,
	.expect = many_expect,
	.clean = many_clean,
};
