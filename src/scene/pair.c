#include "scene/pair.h"

#include "node/capture.h"
#include "scene/blocks.h"
#include "scene/coins.h"
#include "scene/connections.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const pair_args[] = {"-whitelist=noban@127.0.0.1", "-maxconnections=40",
					"-capturemessages=1", NULL};
static const char *const pair_args_if_known[] = {"-v2transport=1", PAIR_RELAY_ARG, NULL};

static const struct profile profile_partner = {
	.name = "partner",
	.args = pair_args,
	.args_if_known = pair_args_if_known,
	.listen = true,
};

static void warm_pair(struct scene *scene);

const struct profile profile_pair = {
	.name = "pair",
	.cost_ms = 700,
	.args = pair_args,
	.args_if_known = pair_args_if_known,
	.listen = true,
	.partner = &profile_partner,
	.tip = ODD_BLOCKS + COINBASE_MATURITY,
	.warm = warm_pair,
};

void
pair_swap(struct scene *scene)
{
	struct node *node = scene->node;

	scene->node = scene->partner;
	scene->partner = node;
}

/* Captures */

static void
fini_capture(void *kept)
{
	capture_fini(kept);
}

/* What the scene's node wrote down of a peer; sent: by that peer. */
static const struct capture *
read_capture(struct scene *scene, const char *address, bool sent)
{
	struct capture *capture = scene_keep(scene, sizeof(*capture), fini_capture);

	if (scene_ok(scene))
		scene->err = capture_read(capture, scene->node, address, sent, &scene->diag);
	return capture;
}

static const struct capture *
read_partners(struct scene *scene, const struct pair *pair, bool sent)
{
	pair_swap(scene);
	/* What the partner sent, it sent to us. */
	const struct capture *capture = read_capture(scene, pair->address, !sent);
	pair_swap(scene);
	return capture;
}

static size_t
count_captured(struct scene *scene, const char *address, bool sent)
{
	const struct scene_kept *mark = scene_mark(scene);
	size_t cnt = read_capture(scene, address, sent)->cnt;

	scene_release_since(scene, mark);
	return cnt;
}

/* Connecting */

/* The address of the only peer of the scene's node that has completed the handshake by the v2 transport; "": none. */
static void
find_address(struct scene *scene, char address[P2P_ADDRESS_SZ])
{
	const struct scene_kept *mark = scene_mark(scene);
	const struct json *info = json_at(scene_call(scene, "getpeerinfo", "[]"), 0);
	const char *text = json_string(json_get(info, "addr"));
	const char *transport = json_string(json_get(info, "transport_protocol_type"));
	int64_t version = 0;

	json_i64(json_get(info, "version"), &version);
	*address = '\0';
	if (text && transport && version && !strcmp(transport, "v2"))
		snprintf(address, P2P_ADDRESS_SZ, "%s", text);
	scene_release_since(scene, mark);
}

static void
wait_address(struct scene *scene, char address[P2P_ADDRESS_SZ])
{
	*address = '\0';
	if (!scene_ok(scene))
		return;
	while (scene_ok(scene) && !*address) {
		find_address(scene, address);
		if (!*address)
			clock_pause_ms(1, scene->deadline);
	}
	scene_prefix(scene, "waiting for a connection by the v2 transport");
}

/* Asks the scene's node to connect to the other one. */
static void
call_partner(struct scene *scene)
{
	scene_call(scene, "addnode", "[\"127.0.0.1:%u\", \"onetry\", true]", node_p2p_port(scene->partner));
}

void
pair_connect(struct scene *scene, struct pair *pair, bool called)
{
	char caller_knows[P2P_ADDRESS_SZ];

	*pair = (struct pair){.called = called};
	if (!scene_ok(scene))
		return;
	/* The caller knows the other one by the same address each time. */
	const struct node *host = called ? scene->node : scene->partner;
	snprintf(caller_knows, sizeof(caller_knows), "127.0.0.1:%u", node_p2p_port(host));
	if (called)
		pair_swap(scene);
	size_t got = count_captured(scene, caller_knows, true),
	       sent = count_captured(scene, caller_knows, false);
	call_partner(scene);
	if (called) {
		pair_swap(scene);
		pair->got_before = got;
		pair->sent_before = sent;
	} else {
		pair->own_got_before = got;
		pair->own_sent_before = sent;
	}
	wait_address(scene, pair->peer.address);
	pair_swap(scene);
	wait_address(scene, pair->address);
	pair_swap(scene);
	peers_learn(scene, &pair->peer, 1);
}

static void
copy_tip(struct scene *scene, char hash_hex[65])
{
	const struct scene_kept *mark = scene_mark(scene);
	const char *text = json_string(scene_call(scene, "getbestblockhash", "[]"));

	snprintf(hash_hex, 65, "%s", text ? text : "");
	scene_release_since(scene, mark);
}

void
pair_wait_tip(struct scene *scene)
{
	char own[65] = "", other[65] = "?";

	if (!scene_ok(scene))
		return;
	while (scene_ok(scene) && strcmp(own, other) != 0) {
		copy_tip(scene, own);
		pair_swap(scene);
		copy_tip(scene, other);
		pair_swap(scene);
		if (strcmp(own, other) != 0)
			clock_pause_ms(1, scene->deadline);
	}
	scene_prefix(scene, "waiting until both nodes have the same tip");
}

/* How many messages of that type there are from first on. */
static size_t
count_type(const struct capture *capture, size_t first, const char *type)
{
	size_t cnt = 0;

	for (size_t i = first; i < capture->cnt; i++)
		cnt += !strcmp(capture->messages[i].type, type);
	return cnt;
}

/* own: of the scene's node, from the partner. Otherwise of the partner. */
static void
wait_message(struct scene *scene, const struct pair *pair, const char *type, size_t nth, bool own)
{
	size_t cnt = 0;

	while (scene_ok(scene) && cnt < nth) {
		const struct scene_kept *mark = scene_mark(scene);

		cnt = own ? count_type(read_capture(scene, pair->peer.address, true), pair->own_got_before,
				       type)
			  : count_type(read_partners(scene, pair, false), pair->got_before, type);
		scene_release_since(scene, mark);
		if (cnt < nth)
			clock_pause_ms(1, scene->deadline);
		if (cnt < nth && deadline_has_passed(scene->deadline))
			scene_fail(scene, -ETIMEDOUT, "pair: message number %zu of type '%s' did not come",
				   nth, type);
		if (cnt < nth && node_is_interrupted(scene->node))
			scene_fail(scene, -EINTR, "pair: interrupted while waiting for '%s'", type);
	}
}

void
pair_wait_message(struct scene *scene, const struct pair *pair, const char *type, bool from_partner,
		  size_t nth)
{
	wait_message(scene, pair, type, nth, from_partner);
}

/* Each answers all that the other sent before its ping. */
static void
sync_both(struct scene *scene, const struct pair *pair)
{
	const struct scene_kept *mark = scene_mark(scene);
	size_t own = count_type(read_capture(scene, pair->peer.address, true), pair->own_got_before, "pong"),
	       other = count_type(read_partners(scene, pair, false), pair->got_before, "pong");

	scene_release_since(scene, mark);
	scene_call(scene, "ping", "[]");
	pair_swap(scene);
	scene_call(scene, "ping", "[]");
	pair_swap(scene);
	wait_message(scene, pair, "pong", own + 1, true);
	wait_message(scene, pair, "pong", other + 1, false);
}

static void
wait_connections(struct scene *scene, int64_t want)
{
	int64_t cnt = -1;

	if (!scene_ok(scene))
		return;
	while (scene_ok(scene) && cnt != want) {
		const struct scene_kept *mark = scene_mark(scene);

		json_i64(scene_call(scene, "getconnectioncount", "[]"), &cnt);
		scene_release_since(scene, mark);
		if (cnt != want)
			clock_pause_ms(1, scene->deadline);
	}
	scene_prefix(scene, "waiting until there are %" PRId64 " connections", want);
}

static void
wait_both(struct scene *scene, int64_t cnt)
{
	wait_connections(scene, cnt);
	pair_swap(scene);
	wait_connections(scene, cnt);
	pair_swap(scene);
}

void
pair_disconnect(struct scene *scene, struct pair *pair)
{
	sync_both(scene, pair);
	scene_call(scene, "disconnectnode", "[\"%s\"]", pair->peer.address);
	wait_both(scene, 0);
}

/* Waits until the only peer of the scene's node has answered a ping: before it, the node has sent what it sends after a
 * handshake. */
static void
wait_pong(struct scene *scene)
{
	bool has_answered = false;

	scene_call(scene, "ping", "[]"); /* a bitcoind may not ping of its own accord */
	if (!scene_ok(scene))
		return;
	while (scene_ok(scene) && !has_answered) {
		const struct scene_kept *mark = scene_mark(scene);

		has_answered = json_get(json_at(scene_call(scene, "getpeerinfo", "[]"), 0), "pingtime");
		scene_release_since(scene, mark);
		if (!has_answered)
			clock_pause_ms(1, scene->deadline);
	}
	scene_prefix(scene, "waiting for the answer to a ping");
}

/* A first connection, so that the peers of scenarios have other ids than 0. It must not end before both have answered:
 * bitcoind would take the other one for a node that does not know the v2 transport, and call it again up to 2 s later,
 * during a scenario. */
static void
warm_pair(struct scene *scene)
{
	char address[P2P_ADDRESS_SZ] = "";

	if (scene_ok(scene))
		snprintf(address, sizeof(address), "127.0.0.1:%u", node_p2p_port(scene->partner));
	scene_call(scene, "addnode", "[\"%s\", \"onetry\"]", address);
	wait_both(scene, 1);
	wait_pong(scene);
	pair_swap(scene);
	wait_pong(scene);
	pair_swap(scene);
	scene_call(scene, "disconnectnode", "[\"%s\"]", address);
	wait_both(scene, 0);
}

/* Expected events */

static void
expect_messages(struct scene *scene, const struct pair *pair, const struct capture *capture, size_t from,
		size_t to, enum p2p_direction direction)
{
	for (size_t i = from; i < to && i < capture->cnt; i++) {
		struct p2p_message message = capture->messages[i];

		message.direction = direction;
		peer_expect_message(scene, &pair->peer, &message);
	}
}

static void
expect_inbound(struct scene *scene, const struct pair *pair)
{
	const struct capture *theirs = read_partners(scene, pair, true);
	const size_t own_cnt = read_capture(scene, pair->peer.address, true)->cnt - pair->own_got_before;

	/* What the partner sent last may not have arrived before the connection ended. */
	expect_source(scene->expect, "what the partner captured when it sent it; getpeerinfo");
	expect_messages(scene, pair, theirs, pair->sent_before, pair->sent_before + own_cnt, P2P_SENT);
}

static void
expect_outbound(struct scene *scene, const struct pair *pair)
{
	const struct capture *theirs = read_partners(scene, pair, false);
	const struct capture *own = read_capture(scene, pair->peer.address, false);
	const size_t got = theirs->cnt - pair->got_before;

	expect_source(scene->expect, "what the partner captured when it received it; getpeerinfo");
	expect_messages(scene, pair, theirs, pair->got_before, theirs->cnt, P2P_RECEIVED);
	expect_source(scene->expect, "what the node captured when it sent it to a peer that was leaving");
	expect_messages(scene, pair, own, pair->own_sent_before + got, own->cnt, P2P_RECEIVED);
}

void
pair_expect(struct scene *scene, struct pair *pair)
{
	struct lane_select select = {.tracepoints = TP_BIT(TP_NET_INBOUND_MESSAGE)};

	if (!scene_ok(scene))
		return;
	expect_lane(scene->expect, "messages from the partner", LANE_ORDERED, &select);
	expect_inbound(scene, pair);
	select.tracepoints = TP_BIT(TP_NET_OUTBOUND_MESSAGE);
	expect_lane(scene->expect, "messages to the partner", LANE_ORDERED, &select);
	expect_outbound(scene, pair);
	expect_main_lane(scene->expect);
	expect_source(scene->expect, "getpeerinfo");
	connection_expect_opened(scene, &pair->peer, pair->called, 1);
	connection_expect_closed(scene, &pair->peer);
}

void
pair_require(struct scene *scene, const struct pair *pair, const char *type, bool from_partner)
{
	const struct capture *own = read_capture(scene, pair->peer.address, from_partner);
	size_t first = from_partner ? pair->own_got_before : pair->own_sent_before;

	if (scene_ok(scene) && !count_type(own, first, type))
		scene_fail(scene, -EBADMSG, "pair: there was no message '%s' %s the partner", type,
			   from_partner ? "from" : "to");
}
