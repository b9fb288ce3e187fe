#include "scene/connections.h"

#include "node/stand_in.h"
#include "scene/blocks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { DEFAULT_PORT = 18444 }; /* of regtest, for a name without one */

const struct profile profile_network = {
	.name = "network",
	.args =
		(const char *const[]){
			"-maxconnections=270",
			"-cjdnsreachable=1",
			"-whitelist=noban@" PEER_NOBAN_ADDRESS,
			/* Nobody is left behind by a clock that jumps. */
			"-peertimeout=1000000000",
			NULL,
		},
	.args_if_known = (const char *const[]){CONNECTIONS_PRIVATE, NULL},
	.listen = true,
	.own_network = true,
	.finds_peers = true, /* -privatebroadcast insists on it */
	.proxy = true,
	.i2p = true,
	.warm = blocks_warm,
};

static int
count(struct scene *scene, int64_t *cnt, struct diag *diag)
{
	struct json *result = NULL;
	int code = node_call(scene->node, scene->deadline, &result, diag, "getconnectioncount", "[]");

	if (!code && !json_i64(result, cnt))
		code = diag_fail(diag, -EBADMSG, "getconnectioncount gave no number");
	json_free(result);
	return code;
}

/* The fence may be NULL. */
static int
wait_cnt(struct scene *scene, struct peer *fence, int64_t wanted, struct diag *diag)
{
	int64_t cnt = -1;
	int code = 0;

	while (!code && cnt != wanted) {
		if (fence)
			code = peer_sync(scene, fence, diag);
		else if (cnt >= 0)
			clock_pause_ms(1, scene->deadline);
		if (!code)
			code = count(scene, &cnt, diag);
	}
	return code == -ETIMEDOUT
		       ? diag_prefix(diag, code,
				     "waiting for %" PRId64 " connections, there were %" PRId64 " last",
				     wanted, cnt)
		       : code;
}

/* Such a bitcoind says at its start how many it takes. */
int
connections_check_limit(struct scene *scene, struct diag *diag)
{
	static const char words[] = "Using at most ";
	struct buf log;
	int cnt = CONNECTIONS_MAX;

	buf_init(&log, 32 << 10);
	int code = node_log_read(scene->node, 0, &log, diag);
	const char *found = log.data ? strstr(log.data, words) : NULL;
	if (found && sscanf(found + strlen(words), "%d", &cnt) == 1 && cnt < CONNECTIONS_MAX)
		code = scenario_skip(
			diag,
			"bitcoind may not open enough files for %d connections; allow more (ulimit -n 1024)",
			CONNECTIONS_MAX);
	buf_fini(&log);
	return code;
}

int
connections_begin(struct scene *scene, struct peer *fence, struct diag *diag)
{
	int code = wait_cnt(scene, NULL, 0, diag);

	if (!code)
		code = peer_connect(scene, fence, PEER_NOBAN_ADDRESS, diag);
	return code ? code : p2p_handshake(fence->p2p, NULL, scene->deadline, diag);
}

int
connections_wait(struct scene *scene, struct peer *fence, int64_t cnt, struct diag *diag)
{
	int code = wait_cnt(scene, fence, cnt, diag);

	return code ? code : peer_sync(scene, fence, diag);
}

int
connections_wait_none(struct scene *scene, struct diag *diag)
{
	return wait_cnt(scene, NULL, 0, diag);
}

int
connections_cnt(struct scene *scene, int64_t *inbound, int64_t *outbound, struct diag *diag)
{
	struct json *info = NULL;
	int code = node_call(scene->node, scene->deadline, &info, diag, "getnetworkinfo", "[]");

	if (!code && (!json_i64(json_get(info, "connections_in"), inbound) ||
		      !json_i64(json_get(info, "connections_out"), outbound)))
		code = diag_fail(diag, -EBADMSG, "getnetworkinfo lacks the number of connections");
	json_free(info);
	return code;
}

/* In. */

/* From an address of its own: one connection to this port and one to the other may come from the same address and port,
 * and peers are told apart by these. */
int
connection_enter_onion(struct scene *scene, struct peer *peer, struct diag *diag)
{
	char to[32];

	snprintf(to, sizeof(to), "127.0.0.1:%u", node_onion_port(scene->node));
	return p2p_connect(&peer->p2p, scene->node, "127.0.0.200", to, scene->deadline, diag);
}

int
connection_enter_from(struct scene *scene, struct peer *peer, const char *from, struct diag *diag)
{
	char to[32];
	bool is_ip6 = strchr(from, ':');

	snprintf(to, sizeof(to), is_ip6 ? "[::1]:%u" : "127.0.0.1:%u", node_p2p_port(scene->node));
	return p2p_connect(&peer->p2p, scene->node, from, to, scene->deadline, diag);
}

static int
adopt(struct scene *scene, struct peer *peer, int fd, const char *address)
{
	if (fd < 0)
		return fd;
	peer->p2p = p2p_adopt(scene->node, fd);
	snprintf(peer->address, sizeof(peer->address), "%s", address);
	return 0;
}

int
connection_enter_i2p(struct scene *scene, struct peer *peer, unsigned nth, struct diag *diag)
{
	struct stand_in *i2p = node_i2p(scene->node);
	char address[STAND_IN_ADDRESS_SZ];
	int fd = stand_in_connect(i2p, nth, address, scene->deadline, diag);
	int code = adopt(scene, peer, fd, address);

	if (!code)
		p2p_set_begins(peer->p2p);
	/* The thread asks for the next one when it has dealt with this one. */
	return code ? code : stand_in_wait_accepting(i2p, scene->deadline, diag);
}

/* Out. */

int
connection_take_call(struct scene *scene, struct peer *peer, const char *address, struct diag *diag)
{
	bool is_i2p = strstr(address, ".b32.i2p");
	struct stand_in *server = is_i2p ? node_i2p(scene->node) : node_proxy(scene->node);
	char host[STAND_IN_HOST_SZ], asked[STAND_IN_HOST_SZ + 10];
	uint16_t port;
	int code = adopt(scene, peer, stand_in_take(server, host, &port, scene->deadline, diag), address);

	if (code)
		return code;
	bool with_port = port != DEFAULT_PORT;
	snprintf(asked, sizeof(asked),
		 strchr(host, ':') ? "[%s]:%u"
		 : with_port       ? "%s:%u"
				   : "%s",
		 host, port);
	return strcmp(asked, address) != 0
		       ? diag_fail(diag, -EBADMSG, "the node connected to '%s' instead of '%s'", asked,
				   address)
		       : 0;
}

int
connection_call(struct scene *scene, struct peer *peer, const char *type, const char *address,
		struct diag *diag)
{
	int code = peers_ask_for(scene, type, address, diag);

	return code ? code : connection_take_call(scene, peer, address, diag);
}

int
connection_call_directly(struct scene *scene, struct peer *peer, const char *type, struct diag *diag)
{
	int code = p2p_listen(&peer->listener, scene->node, diag);

	if (code)
		return code;
	snprintf(peer->address, sizeof(peer->address), "127.0.0.1:%u", p2p_listener_port(peer->listener));
	code = peers_ask_for(scene, type, peer->address, diag);
	return code ? code : p2p_accept(&peer->p2p, peer->listener, scene->deadline, diag);
}

/* Time and end. */

int
connections_set_time(struct scene *scene, int64_t time_s, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, NULL, diag, "setmocktime", "[%" PRId64 "]", time_s);
}

int
connections_end(struct scene *scene, struct peer *peers, size_t cnt, struct diag *diag)
{
	for (size_t i = 0; i < cnt; i++)
		if (peers[i].p2p)
			p2p_close(peers[i].p2p);
	int code = wait_cnt(scene, NULL, 0, diag);
	return code ? code : connections_set_time(scene, 0, diag);
}

/* Expectations. */

static uint64_t
network_number(const char *name)
{
	static const char *const names[] = {
		"not_publicly_routable", "ipv4", "ipv6", "onion", "i2p", "cjdns", "internal"};
	uint64_t number = 0;

	while (number < sizeof(names) / sizeof(names[0]) && strcmp(names[number], name) != 0)
		number++;
	return number;
}

static struct expected *
expect_connection(struct scene *scene, enum tracepoint_id id, const char *what, const struct peer *peer)
{
	struct expected *e = expect_event(scene->expect, id, FINDING_CONTRACT, "peer %" PRId64 " (%s), %s",
					  peer->id, peer->address, what);

	want_int(e, "peer_id", peer->id);
	want_string(e, "address", peer->address);
	want_string(e, "connection_type", peer->connection_type);
	want_uint(e, "network", network_number(peer->network));
	return e;
}

void
connection_expect_opened(struct scene *scene, const struct peer *peer, bool inbound, int64_t cnt)
{
	struct expected *e =
		expect_connection(scene, inbound ? TP_NET_INBOUND_CONNECTION : TP_NET_OUTBOUND_CONNECTION,
				  inbound ? "which comes in" : "to which the node connects", peer);

	want_uint(e, "connections", (uint64_t)cnt);
}

void
connection_expect_evicted(struct scene *scene, const struct peer *peer)
{
	struct expected *e =
		expect_connection(scene, TP_NET_EVICTED_INBOUND_CONNECTION, "which has to make room", peer);

	want_uint(e, "established", (uint64_t)peer->connected_s);
}

void
connection_expect_closed(struct scene *scene, const struct peer *peer)
{
	struct expected *e =
		expect_connection(scene, TP_NET_CLOSED_CONNECTION, "whose connection ends", peer);

	want_uint(e, "established", (uint64_t)peer->connected_s);
}
