#include "scene/peers.h"

#include "base/xmem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PATIENCE_MS = 2,
	WIDE_ID = 300,     /* more than 8 bits, whatever joins before */
	BURN_AT_ONCE = 40, /* far below -maxconnections: the node is slower to forget than we are to join */
};

int
peers_begin(struct scene *scene, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, NULL, diag, "syncwithvalidationinterfacequeue", "[]");
}

int
peer_connect(struct scene *scene, struct peer *peer, const char *from, struct diag *diag)
{
	return p2p_connect(&peer->p2p, scene->node, from, NULL, scene->deadline, diag);
}

int
peers_ask_for(struct scene *scene, const char *type, const char *address, struct diag *diag)
{
	bool manual = !strcmp(type, "manual");
	/* From v26 on the node would speak v2 (BIP324), which our peers do not, if it was not told otherwise. */
	const char *v1 = node_version(scene->node) >= 260000 ? ", false" : "";

	return node_call(scene->node, scene->deadline, NULL, diag, manual ? "addnode" : "addconnection",
			 "[\"%s\", \"%s\"%s]", address, manual ? "onetry" : type, v1);
}

int
peer_call_in(struct scene *scene, struct peer *peer, const char *type, struct peer *waker, struct diag *diag)
{
	char address[P2P_ADDRESS_SZ];
	int code = p2p_listen(&peer->listener, scene->node, diag);

	if (code)
		return code;
	snprintf(address, sizeof(address), "127.0.0.1:%u", p2p_listener_port(peer->listener));
	code = peers_ask_for(scene, type, address, diag);
	if (!code)
		code = p2p_accept(&peer->p2p, peer->listener, scene->deadline, diag);
	return code ? code : peer_wake(scene, waker, diag);
}

int
peer_greet(struct scene *scene, struct peer *peer, const struct p2p_version *version, struct diag *diag)
{
	int code = p2p_handshake(peer->p2p, version, scene->deadline, diag);

	return code ? code : p2p_settle(peer->p2p, scene->deadline, diag);
}

int
peer_join(struct scene *scene, struct peer *peer, const char *from, const struct p2p_version *version,
	  struct diag *diag)
{
	int code = peer_connect(scene, peer, from, diag);

	return code ? code : peer_greet(scene, peer, version, diag);
}

int
peer_send(struct scene *scene, struct peer *peer, const char *type, const void *payload, size_t size,
	  struct diag *diag)
{
	return p2p_send(peer->p2p, type, payload, size, scene->deadline, diag);
}

int
peer_ask(struct scene *scene, struct peer *peer, const char *type, const void *payload, size_t size,
	 const char *answer, struct p2p_message *message, struct diag *diag)
{
	size_t from = p2p_cnt(peer->p2p);
	int code = peer_send(scene, peer, type, payload, size, diag);

	return code ? code : p2p_wait(peer->p2p, answer, from, message, scene->deadline, diag);
}

int
peer_send_buf(struct scene *scene, struct peer *peer, const char *type, struct buf *payload,
	      struct diag *diag)
{
	int code = peer_send(scene, peer, type, payload->data, payload->len, diag);

	buf_fini(payload);
	return code;
}

int
peer_ask_buf(struct scene *scene, struct peer *peer, const char *type, struct buf *payload,
	     const char *answer, struct diag *diag)
{
	int code = peer_ask(scene, peer, type, payload->data, payload->len, answer, NULL, diag);

	buf_fini(payload);
	return code;
}

int
peer_wake(struct scene *scene, struct peer *peer, struct diag *diag)
{
	return peer_send(scene, peer, "wake", "up", 2, diag);
}

int
peer_wait_closed(struct scene *scene, struct peer *peer, struct peer *waker, struct diag *diag)
{
	int code = -ETIMEDOUT;

	/* It may be about to decide so: woken too early it does not look again for a while. */
	while (code == -ETIMEDOUT && !deadline_has_passed(scene->deadline)) {
		code = peer_wake(scene, waker, diag);
		if (!code)
			code = p2p_wait_closed(peer->p2p, deadline_in_ms(PATIENCE_MS), diag);
	}
	return code;
}

int
peer_sync(struct scene *scene, struct peer *peer, struct diag *diag)
{
	return p2p_sync(peer->p2p, scene->deadline, diag);
}

/* What the node says of them. */

static const struct json *
find_peer(const struct json *info, const char *address)
{
	for (size_t i = 0; i < json_cnt(info); i++) {
		const char *at = json_string(json_get(json_at(info, i), "addr"));

		if (at && !strcmp(at, address))
			return json_at(info, i);
	}
	return NULL;
}

static const char *
address_of(const struct peer *peer)
{
	return *peer->address ? peer->address : p2p_address(peer->p2p);
}

static bool
copy_string(char *out, size_t size, const struct json *json)
{
	const char *text = json_string(json);

	return text && (size_t)snprintf(out, size, "%s", text) < size;
}

int
peers_learn(struct scene *scene, struct peer *peers, size_t cnt, struct diag *diag)
{
	struct json *info = NULL;
	int code = node_call(scene->node, scene->deadline, &info, diag, "getpeerinfo", "[]");

	for (size_t i = 0; i < cnt && !code; i++) {
		struct peer *peer = &peers[i];
		const struct json *found = find_peer(info, address_of(peer));

		if (!found)
			code = diag_fail(diag, -ENOENT, "peers: getpeerinfo does not tell of the peer %s",
					 address_of(peer));
		else if (!copy_string(peer->address, sizeof(peer->address), json_get(found, "addr")) ||
			 !copy_string(peer->connection_type, sizeof(peer->connection_type),
				      json_get(found, "connection_type")) ||
			 !copy_string(peer->network, sizeof(peer->network), json_get(found, "network")) ||
			 !json_i64(json_get(found, "id"), &peer->id) ||
			 !json_i64(json_get(found, "conntime"), &peer->connected_s))
			code = diag_fail(diag, -EBADMSG, "peers: getpeerinfo lacks something of the peer %s",
					 address_of(peer));
	}
	json_free(info);
	return code;
}

void
peers_mark(struct peer *peers, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		peers[i].mark = peers[i].p2p ? p2p_cnt(peers[i].p2p) : 0;
		peers[i].end = 0;
	}
}

int
peers_leave(struct scene *scene, struct peer *peers, size_t cnt, struct diag *diag)
{
	int code = 0;
	bool listed = true;

	for (size_t i = 0; i < cnt; i++)
		if (peers[i].p2p)
			p2p_close(peers[i].p2p);
	for (size_t i = 0; i < cnt && !code; i++)
		if (peers[i].p2p)
			code = p2p_wait_closed(peers[i].p2p, scene->deadline, diag);
	while (!code && listed) {
		struct json *info = NULL;

		code = node_call(scene->node, scene->deadline, &info, diag, "getpeerinfo", "[]");
		listed = false;
		for (size_t i = 0; i < cnt; i++)
			listed |= peers[i].p2p && find_peer(info, address_of(&peers[i]));
		json_free(info);
		if (listed)
			clock_pause_ms(1, scene->deadline);
	}
	return code;
}

void
peers_fini(struct peer *peers, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		p2p_free(peers[i].p2p);
		p2p_listener_free(peers[i].listener);
		peers[i] = (struct peer){0};
	}
}

int
peers_raise_ids(struct scene *scene, struct diag *diag)
{
	struct peer peers[BURN_AT_ONCE] = {0};
	int64_t next = 0;
	int code = 0;

	while (!code && next < WIDE_ID) {
		/* The first round finds out. */
		int64_t cnt = next ? WIDE_ID - next : 1;

		cnt = cnt < BURN_AT_ONCE ? cnt : BURN_AT_ONCE;
		for (int64_t i = 0; i < cnt && !code; i++)
			code = peer_connect(scene, &peers[i], NULL, diag);
		if (!code && !next) /* an answer shows that the node has accepted it */
			code = p2p_handshake(peers[0].p2p, NULL, scene->deadline, diag);
		if (!code && !next)
			code = peers_learn(scene, peers, 1, diag);
		next = next ? next + cnt : peers[0].id + 1;
		for (int64_t i = 0; i < cnt && !code; i++)
			p2p_close(peers[i].p2p);
		for (int64_t i = 0; i < cnt && !code; i++)
			code = p2p_wait_closed(peers[i].p2p, scene->deadline, diag);
		if (!code && next >= WIDE_ID)
			code = peers_leave(scene, peers, (size_t)cnt, diag);
		peers_fini(peers, BURN_AT_ONCE);
	}
	return code;
}

/* Expectations. */

void
peer_expect_message(struct scene *scene, const struct peer *peer, const struct p2p_message *message)
{
	bool sent = message->direction == P2P_SENT;
	struct expected *e = expect_event(
		scene->expect, sent ? TP_NET_INBOUND_MESSAGE : TP_NET_OUTBOUND_MESSAGE, FINDING_CONTRACT,
		"'%s' %s peer %" PRId64, message->type, sent ? "of" : "to", peer->id);

	want_int(e, "peer_id", peer->id);
	want_string(e, "address", peer->address);
	want_string(e, "connection_type", peer->connection_type);
	want_string(e, "message_type", message->type);
	want_uint(e, "size", message->size);
	want_bytes(e, "payload", message->payload, message->size);
}

/* All of a direction (or both: sent and received) since the marks, by time. */
static void
expect_by_time(struct scene *scene, const struct peer *peers, size_t cnt, bool sent, bool received)
{
	size_t *next = xcalloc(cnt, sizeof(*next));

	for (size_t i = 0; i < cnt; i++)
		next[i] = peers[i].mark;
	expect_source(scene->expect, "what the peer sent and received, and getpeerinfo");
	for (;;) {
		struct p2p_message first = {.time_ns = UINT64_MAX};
		size_t whose = cnt;

		for (size_t i = 0; i < cnt; i++) {
			const struct p2p_peer *p2p = peers[i].p2p;

			if (!p2p || next[i] >= (peers[i].end ? peers[i].end : p2p_cnt(p2p)))
				continue;
			struct p2p_message message = p2p_at(p2p, next[i]);
			if (message.time_ns < first.time_ns) {
				first = message;
				whose = i;
			}
		}
		if (whose == cnt)
			break;
		next[whose]++;
		if (first.direction == P2P_SENT ? sent : received)
			peer_expect_message(scene, &peers[whose], &first);
	}
	free(next);
}

void
peers_expect_dialogue(struct scene *scene, const struct peer *peers, size_t cnt)
{
	expect_by_time(scene, peers, cnt, true, true);
}

void
peers_expect_lanes(struct scene *scene, const struct peer *peers, size_t cnt, enum lane_order sent,
		   enum lane_order received)
{
	struct lane_select select = {.tracepoints = TP_BIT(TP_NET_INBOUND_MESSAGE)};

	expect_lane(scene->expect, "messages of peers", sent, &select);
	expect_by_time(scene, peers, cnt, true, false);
	select.tracepoints = TP_BIT(TP_NET_OUTBOUND_MESSAGE);
	expect_lane(scene->expect, "messages to peers", received, &select);
	expect_by_time(scene, peers, cnt, false, true);
	expect_main_lane(scene->expect);
}
