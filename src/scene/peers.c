#include "scene/peers.h"

#include "base/xmem.h"
#include "scene/abilities.h"
#include "scene/coins.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PATIENCE_MS = 2,
	ANSWER_MS = 3000,  /* then the node is asked whether it has anything left to say */
	WIDE_ID = 300,     /* more than 8 bits, with a margin */
	BURN_AT_ONCE = 40, /* far below -maxconnections: the node forgets peers more slowly than we join */
	RAISE_MS = 15000,  /* a quiet machine needs 0.1 s */
};

struct peer_list {
	size_t cnt;
	struct peer items[];
};

static void
fini_peers(void *kept)
{
	struct peer_list *list = kept;

	for (size_t i = 0; i < list->cnt; i++)
		peer_drop(&list->items[i]);
}

struct peer *
peers_new(struct scene *scene, size_t cnt)
{
	struct peer_list *list = scene_keep(scene, sizeof(*list) + cnt * sizeof(list->items[0]), fini_peers);

	list->cnt = cnt;
	return list->items;
}

void
peers_begin(struct scene *scene)
{
	scene_call(scene, "syncwithvalidationinterfacequeue", "[]");
}

/* Connecting. */

void
peer_connect(struct scene *scene, struct peer *peer, const char *from)
{
	if (scene_ok(scene))
		scene->err = p2p_connect(&peer->p2p, scene->node, from, NULL, scene->deadline, &scene->diag);
}

void
peers_ask_for(struct scene *scene, const char *type, const char *address)
{
	bool manual = !strcmp(type, "manual");
	/* Our peers speak v1 only. */
	const char *v1 = scene_has(scene, ABILITY_V2_TRANSPORT) ? ", false" : "";

	scene_call(scene, manual ? "addnode" : "addconnection", "[\"%s\", \"%s\"%s]", address,
		   manual ? "onetry" : type, v1);
}

void
peer_call_in(struct scene *scene, struct peer *peer, const char *type, struct peer *waker)
{
	char address[P2P_ADDRESS_SZ];

	if (scene_ok(scene))
		scene->err = p2p_listen(&peer->listener, scene->node, &scene->diag);
	if (!scene_ok(scene))
		return;
	snprintf(address, sizeof(address), "127.0.0.1:%u", p2p_listener_port(peer->listener));
	peers_ask_for(scene, type, address);
	if (scene_ok(scene))
		scene->err = p2p_accept(&peer->p2p, peer->listener, scene->deadline, &scene->diag);
	if (waker)
		peer_wake(scene, waker);
}

void
peer_handshake(struct scene *scene, struct peer *peer, const struct p2p_version *version)
{
	if (scene_ok(scene))
		scene->err = p2p_handshake(peer->p2p, version, scene->deadline, &scene->diag);
}

void
peer_settle(struct scene *scene, struct peer *peer)
{
	if (scene_ok(scene))
		scene->err = p2p_settle(peer->p2p, scene->deadline, &scene->diag);
}

void
peer_greet(struct scene *scene, struct peer *peer, const struct p2p_version *version)
{
	peer_handshake(scene, peer, version);
	peer_settle(scene, peer);
}

void
peer_join(struct scene *scene, struct peer *peer, const char *from, const struct p2p_version *version)
{
	peer_connect(scene, peer, from);
	peer_greet(scene, peer, version);
}

/* Messages. */

size_t
peer_message_cnt(const struct peer *peer)
{
	return peer->p2p ? p2p_cnt(peer->p2p) : 0;
}

void
peer_send(struct scene *scene, struct peer *peer, const char *type, const void *payload, size_t size)
{
	if (scene_ok(scene))
		scene->err = p2p_send(peer->p2p, type, payload, size, scene->deadline, &scene->diag);
}

struct p2p_message
peer_wait(struct scene *scene, struct peer *peer, const char *type, size_t from)
{
	struct p2p_message message = {0};

	if (scene_ok(scene))
		scene->err = p2p_wait(peer->p2p, type, from, &message, scene->deadline, &scene->diag);
	return message;
}

/* Finds a message of that type from the node, at index from of the transcript or later. */
static bool
finds_answer(const struct peer *peer, size_t from, const char *type, struct p2p_message *message)
{
	for (size_t i = from; i < peer_message_cnt(peer); i++) {
		*message = p2p_at(peer->p2p, i);
		if (message->direction == P2P_RECEIVED && !strcmp(message->type, type))
			return true;
	}
	return false;
}

struct p2p_message
peer_ask(struct scene *scene, struct peer *peer, const char *type, const void *payload, size_t size,
	 const char *answer)
{
	size_t from = peer_message_cnt(peer);
	struct p2p_message message = {0};

	peer_send(scene, peer, type, payload, size);
	if (!scene_ok(scene))
		return message;
	scene->err = p2p_wait(peer->p2p, answer, from, &message,
			      deadline_earlier(scene->deadline, deadline_in_ms(ANSWER_MS)), &scene->diag);
	if (scene->err != -ETIMEDOUT || deadline_has_passed(scene->deadline))
		return message;
	/* The node may be slow. Once it answers a ping it has answered what came before. */
	scene->err = 0;
	peer_sync(scene, peer);
	if (scene_ok(scene) && !finds_answer(peer, from, answer, &message))
		scene_fail(scene, -ENOMSG, "peers: the node did not answer '%s' with '%s'", type, answer);
	return message;
}

void
peer_send_buf(struct scene *scene, struct peer *peer, const char *type, const struct buf *payload)
{
	peer_send(scene, peer, type, payload->data, payload->len);
}

struct p2p_message
peer_ask_buf(struct scene *scene, struct peer *peer, const char *type, const struct buf *payload,
	     const char *answer)
{
	return peer_ask(scene, peer, type, payload->data, payload->len, answer);
}

bool
peer_gets_answer(struct scene *scene, struct peer *peer, const char *type, const struct buf *payload,
		 const char *answer)
{
	size_t from = peer_message_cnt(peer);
	struct p2p_message message;

	peer_send_buf(scene, peer, type, payload);
	peer_sync(scene, peer);
	return scene_ok(scene) && finds_answer(peer, from, answer, &message);
}

void
peer_send_bytes(struct scene *scene, struct peer *peer, const void *bytes, size_t len)
{
	if (scene_ok(scene))
		scene->err = p2p_send_bytes(peer->p2p, bytes, len, scene->deadline, &scene->diag);
}

void
peer_keep_little(struct scene *scene, struct peer *peer)
{
	if (scene_ok(scene))
		scene->err = p2p_keep_little(peer->p2p, &scene->diag);
}

void
peer_wake(struct scene *scene, struct peer *peer)
{
	peer_send(scene, peer, "wake", "up", 2);
}

void
peer_sync(struct scene *scene, struct peer *peer)
{
	if (scene_ok(scene))
		scene->err = p2p_sync(peer->p2p, scene->deadline, &scene->diag);
}

/* Disconnecting. */

void
peer_close(struct peer *peer)
{
	if (peer->p2p)
		p2p_close(peer->p2p);
}

void
peer_drop(struct peer *peer)
{
	p2p_free(peer->p2p);
	p2p_listener_free(peer->listener);
	peer->p2p = NULL;
	peer->listener = NULL;
}

/* The node may be about to decide to close the connection: woken too early, it does not look again for a while. */
static void
wake_until_closed(struct scene *scene, struct peer *peer, struct peer *waker)
{
	int err;

	do {
		peer_wake(scene, waker);
		if (!scene_ok(scene))
			return;
		err = p2p_wait_closed(peer->p2p, deadline_in_ms(PATIENCE_MS), &scene->diag);
	} while (err == -ETIMEDOUT && !deadline_has_passed(scene->deadline));
	scene->err = err;
}

void
peer_wait_closed(struct scene *scene, struct peer *peer, struct peer *waker)
{
	if (!scene_ok(scene))
		return;
	if (waker)
		wake_until_closed(scene, peer, waker);
	else
		scene->err = p2p_wait_closed(peer->p2p, scene->deadline, &scene->diag);
}

/* What the node reports. */

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

static void
learn(struct scene *scene, struct peer *peer, const struct json *info)
{
	const struct json *found = find_peer(info, address_of(peer));

	if (!found)
		scene_fail(scene, -ENOENT, "peers: getpeerinfo does not list the peer %s", address_of(peer));
	else if (!copy_string(peer->address, sizeof(peer->address), json_get(found, "addr")) ||
		 !copy_string(peer->connection_type, sizeof(peer->connection_type),
			      json_get(found, "connection_type")) ||
		 !copy_string(peer->network, sizeof(peer->network), json_get(found, "network")) ||
		 !json_i64(json_get(found, "id"), &peer->id) ||
		 !json_i64(json_get(found, "conntime"), &peer->connected_s))
		scene_fail(scene, -EBADMSG, "peers: getpeerinfo lacks a member of the peer %s",
			   address_of(peer));
}

void
peers_learn(struct scene *scene, struct peer *peers, size_t cnt)
{
	const struct json *info = scene_call(scene, "getpeerinfo", "[]");

	for (size_t i = 0; i < cnt && scene_ok(scene); i++)
		if (peers[i].p2p || *peers[i].address)
			learn(scene, &peers[i], info);
}

static bool
is_any_listed(struct scene *scene, const struct peer *peers, size_t cnt)
{
	const struct scene_kept *mark = scene_mark(scene);
	const struct json *info = scene_call(scene, "getpeerinfo", "[]");
	bool is_listed = false;

	for (size_t i = 0; i < cnt && !is_listed; i++)
		is_listed = peers[i].p2p && find_peer(info, address_of(&peers[i]));
	scene_release_since(scene, mark);
	return is_listed;
}

void
peer_wait_listed(struct scene *scene, struct peer *peer)
{
	while (scene_ok(scene) && !is_any_listed(scene, peer, 1))
		clock_pause_ms(1, scene->deadline);
}

void
peers_leave(struct scene *scene, struct peer *peers, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		peer_close(&peers[i]);
	for (size_t i = 0; i < cnt; i++)
		if (peers[i].p2p)
			peer_wait_closed(scene, &peers[i], NULL);
	while (is_any_listed(scene, peers, cnt))
		clock_pause_ms(1, scene->deadline);
}

void
peers_raise_ids(struct scene *scene)
{
	struct peer *peers = peers_new(scene, BURN_AT_ONCE);
	int64_t next = 0; /* id of the next peer; 0: not known */

	while (next < WIDE_ID && scene_ok(scene)) {
		/* The first round finds out. */
		size_t cnt = next ? (size_t)(WIDE_ID - next) : 1;

		cnt = cnt < BURN_AT_ONCE ? cnt : BURN_AT_ONCE;
		for (size_t i = 0; i < cnt; i++)
			peer_connect(scene, &peers[i], NULL);
		if (!next) { /* an answer shows that the node has accepted it */
			peer_handshake(scene, &peers[0], NULL);
			peers_learn(scene, peers, 1);
		}
		next = next ? next + (int64_t)cnt : peers[0].id + 1;
		for (size_t i = 0; i < cnt; i++)
			peer_close(&peers[i]);
		for (size_t i = 0; i < cnt; i++)
			peer_wait_closed(scene, &peers[i], NULL);
		if (next >= WIDE_ID)
			peers_leave(scene, peers, cnt);
		for (size_t i = 0; i < cnt; i++) {
			peer_drop(&peers[i]);
			peers[i] = (struct peer){0};
		}
	}
}

void
peers_warm_ids(struct scene *scene)
{
	if (!scene_ok(scene))
		return;
	scene->coins->on_restart = peers_warm_ids;
	struct scene attempt = {.release = scene->release,
				.node = scene->node,
				.deadline = deadline_earlier(scene->deadline, deadline_in_ms(RAISE_MS)),
				.coins = scene->coins,
				.wallets = scene->wallets};
	peers_raise_ids(&attempt);
	scene_release(&attempt);
}

/* Expected events. */

void
peers_mark(struct peer *peers, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		peers[i].mark = peer_message_cnt(&peers[i]);
		peers[i].end = 0;
	}
}

void
peer_expect_message(struct scene *scene, const struct peer *peer, const struct p2p_message *message)
{
	bool sent = message->direction == P2P_SENT;
	struct expected *e = expect_event(
		scene->expect, sent ? TP_NET_INBOUND_MESSAGE : TP_NET_OUTBOUND_MESSAGE, FINDING_CONTRACT,
		"'%s' %s peer %" PRId64, message->type, sent ? "from" : "to", peer->id);

	want_int(e, "peer_id", peer->id);
	want_string(e, "address", peer->address);
	want_string(e, "connection_type", peer->connection_type);
	want_string(e, "message_type", message->type);
	want_uint(e, "size", message->size);
	want_bytes(e, "payload", message->payload, message->size);
}

/* Index of the peer whose next message is the earliest of all; cnt when no message is left. */
static size_t
find_earliest(const struct peer *peers, size_t cnt, const size_t *next, struct p2p_message *earliest)
{
	size_t whose = cnt;

	for (size_t i = 0; i < cnt; i++) {
		size_t end = peers[i].end ? peers[i].end : peer_message_cnt(&peers[i]);

		if (!peers[i].p2p || next[i] >= end)
			continue;
		struct p2p_message message = p2p_at(peers[i].p2p, next[i]);
		if (whose == cnt || message.time_ns < earliest->time_ns) {
			*earliest = message;
			whose = i;
		}
	}
	return whose;
}

/* All messages of one direction or both since the marks, by time. */
static void
expect_by_time(struct scene *scene, const struct peer *peers, size_t cnt, bool sent, bool received)
{
	size_t *next = xcalloc(cnt, sizeof(*next));
	struct p2p_message message;
	size_t whose;

	for (size_t i = 0; i < cnt; i++)
		next[i] = peers[i].mark;
	expect_source(scene->expect, "what the peer sent and received, and getpeerinfo");
	while ((whose = find_earliest(peers, cnt, next, &message)) < cnt) {
		next[whose]++;
		if (message.direction == P2P_SENT ? sent : received)
			peer_expect_message(scene, &peers[whose], &message);
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

	expect_lane(scene->expect, "messages from peers", sent, &select);
	expect_by_time(scene, peers, cnt, true, false);
	select.tracepoints = TP_BIT(TP_NET_OUTBOUND_MESSAGE);
	expect_lane(scene->expect, "messages to peers", received, &select);
	expect_by_time(scene, peers, cnt, false, true);
	expect_main_lane(scene->expect);
}
