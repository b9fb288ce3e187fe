#include "scene/connections.h"

#include "node/stand_in.h"
#include "scene/blocks.h"
#include "scene/coins.h"
#include "scene/log_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { DEFAULT_PORT = 18444 }; /* of regtest; a name without a port means this one */

const struct profile profile_network = {
	.name = "network",
	.cost_ms = 950,
	.args =
		(const char *const[]){
			"-maxconnections=270",
			"-cjdnsreachable=1",
			"-whitelist=noban@" PEER_NOBAN_ADDRESS,
			/* A clock that jumps makes no peer time out. */
			"-peertimeout=1000000000",
			NULL,
		},
	.args_if_known = (const char *const[]){CONNECTIONS_PRIVATE, NULL},
	.listen = true,
	.own_network = true,
	.finds_peers = true, /* -privatebroadcast requires it */
	.proxy = true,
	.i2p = true,
	.tip = ODD_BLOCKS + COINBASE_MATURITY,
	.warm = peers_warm_ids,
};

static void
count(struct scene *scene, int64_t *cnt)
{
	const struct scene_kept *mark = scene_mark(scene);
	const struct json *answer = scene_call(scene, "getconnectioncount", "[]");

	if (answer && !json_i64(answer, cnt))
		scene_fail(scene, -EBADMSG, "connections: getconnectioncount did not return a number");
	scene_release_since(scene, mark);
}

/* The fence may be NULL. */
static void
wait_cnt(struct scene *scene, struct peer *fence, int64_t want)
{
	int64_t cnt = -1;

	if (!scene_ok(scene))
		return;
	do {
		if (fence)
			peer_sync(scene, fence);
		else if (cnt >= 0)
			clock_pause_ms(1, scene->deadline);
		count(scene, &cnt);
	} while (cnt != want && scene_ok(scene));
	if (scene->err == -ETIMEDOUT)
		scene_prefix(scene, "waiting for %" PRId64 " connections, there were %" PRId64 " last", want,
			     cnt);
}

/* If it may not open enough files, bitcoind logs at its start how many connections it allows. */
void
connections_check_limit(struct scene *scene)
{
	const char *words = log_words(LOG_CONNECTIONS);
	struct buf *log = scene_buf(scene, 32 << 10);
	int cnt = CONNECTIONS_MAX;

	if (scene_ok(scene))
		scene->err = node_log_read(scene->node, 0, log, &scene->diag);
	const char *found = log->data ? strstr(log->data, words) : NULL;
	if (found && sscanf(found + strlen(words), "%d", &cnt) == 1 && cnt < CONNECTIONS_MAX)
		scene_skip(
			scene,
			"bitcoind's limit on open files is too low for %d connections; raise it (ulimit -n 1024)",
			CONNECTIONS_MAX);
}

void
connections_begin(struct scene *scene, struct peer *fence)
{
	wait_cnt(scene, NULL, 0);
	peer_connect(scene, fence, PEER_NOBAN_ADDRESS);
	peer_handshake(scene, fence, NULL);
}

void
connections_wait(struct scene *scene, struct peer *fence, int64_t cnt)
{
	wait_cnt(scene, fence, cnt);
	peer_sync(scene, fence);
}

void
connections_wait_none(struct scene *scene)
{
	wait_cnt(scene, NULL, 0);
}

void
connections_cnt(struct scene *scene, int64_t *inbound, int64_t *outbound)
{
	const struct json *info = scene_call(scene, "getnetworkinfo", "[]");
	bool has_inbound = json_i64(json_get(info, "connections_in"), inbound);
	bool has_outbound = json_i64(json_get(info, "connections_out"), outbound);

	if (!has_inbound || !has_outbound)
		scene_fail(scene, -EBADMSG, "connections: getnetworkinfo lacks the number of connections");
}

/* In. */

/* From an address that no other peer has: a connection to this port and one to the usual port could come from the same
 * address and port, which is what peers are found by. */
void
connection_enter_onion(struct scene *scene, struct peer *peer)
{
	char to[32];

	snprintf(to, sizeof(to), "127.0.0.1:%u", node_onion_port(scene->node));
	if (scene_ok(scene))
		scene->err = p2p_connect(&peer->p2p, scene->node, "127.0.0.200", to, scene->deadline,
					 &scene->diag);
}

void
connection_enter_from(struct scene *scene, struct peer *peer, const char *from)
{
	char to[32];
	bool is_ip6 = strchr(from, ':');

	snprintf(to, sizeof(to), is_ip6 ? "[::1]:%u" : "127.0.0.1:%u", node_p2p_port(scene->node));
	if (scene_ok(scene))
		scene->err = p2p_connect(&peer->p2p, scene->node, from, to, scene->deadline, &scene->diag);
}

/* fd: the connected socket, or a negative errno value from where it comes. */
static void
adopt(struct scene *scene, struct peer *peer, int fd, const char *address)
{
	if (fd < 0) {
		scene->err = fd;
		return;
	}
	peer->p2p = p2p_adopt(scene->node, fd);
	snprintf(peer->address, sizeof(peer->address), "%s", address);
}

void
connection_enter_i2p(struct scene *scene, struct peer *peer, unsigned nth)
{
	struct stand_in *i2p = node_i2p(scene->node);
	char address[STAND_IN_ADDRESS_SZ];

	if (!scene_ok(scene))
		return;
	adopt(scene, peer, stand_in_connect(i2p, nth, address, scene->deadline, &scene->diag), address);
	if (!scene_ok(scene))
		return;
	p2p_set_begins(peer->p2p);
	/* The node's thread asks for the next peer once it has dealt with this one. */
	scene->err = stand_in_wait_accepting(i2p, scene->deadline, &scene->diag);
}

/* Out. */

void
connection_take_call(struct scene *scene, struct peer *peer, const char *address)
{
	bool is_i2p = strstr(address, ".b32.i2p");
	struct stand_in *server = is_i2p ? node_i2p(scene->node) : node_proxy(scene->node);
	char host[STAND_IN_HOST_SZ], asked[STAND_IN_HOST_SZ + 10];
	uint16_t port;

	if (!scene_ok(scene))
		return;
	adopt(scene, peer, stand_in_take(server, host, &port, scene->deadline, &scene->diag), address);
	if (!scene_ok(scene))
		return;
	bool with_port = port != DEFAULT_PORT;
	snprintf(asked, sizeof(asked),
		 strchr(host, ':') ? "[%s]:%u"
		 : with_port       ? "%s:%u"
				   : "%s",
		 host, port);
	if (strcmp(asked, address) != 0)
		scene_fail(scene, -EBADMSG, "connections: the node connected to '%s' instead of '%s'", asked,
			   address);
}

void
connection_call(struct scene *scene, struct peer *peer, const char *type, const char *address)
{
	peers_ask_for(scene, type, address);
	connection_take_call(scene, peer, address);
}

void
connections_end(struct scene *scene, struct peer *peers, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		peer_close(&peers[i]);
	wait_cnt(scene, NULL, 0);
	scene_set_time(scene, 0);
}

/* Expected events. */

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
expect_one(struct scene *scene, enum tracepoint_id id, const char *what, const struct peer *peer)
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
		expect_one(scene, inbound ? TP_NET_INBOUND_CONNECTION : TP_NET_OUTBOUND_CONNECTION,
			   inbound ? "which comes in" : "which the node connects to", peer);

	want_uint(e, "connections", (uint64_t)cnt);
}

void
connection_expect_evicted(struct scene *scene, const struct peer *peer)
{
	struct expected *e = expect_one(scene, TP_NET_EVICTED_INBOUND_CONNECTION, "which is evicted", peer);

	want_uint(e, "established", (uint64_t)peer->connected_s);
}

void
connection_expect_closed(struct scene *scene, const struct peer *peer)
{
	struct expected *e = expect_one(scene, TP_NET_CLOSED_CONNECTION, "whose connection is closed", peer);

	want_uint(e, "established", (uint64_t)peer->connected_s);
}
