/* net:inbound_message and net:outbound_message. What a peer sends and what the node answers belong together, so each
 * scenario judges both, and their order wherever it is defined; its name says which of them it is about. */
#include "base/buf.h"
#include "base/text.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/connections.h"
#include "scene/payload.h"
#include "scene/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	PEERS_MAX = 12,
	KIB_32 = 32 << 10,
};

struct state {
	struct peer peers[PEERS_MAX];
	struct block block;
	struct tx tx;
	struct buf payload;
	char hash[65];
};

#define MESSAGES (TP_BIT(TP_NET_INBOUND_MESSAGE) | TP_BIT(TP_NET_OUTBOUND_MESSAGE))

static void
clean(struct scene *scene)
{
	struct state *state = scene->state;

	peers_fini(state->peers, PEERS_MAX);
	block_fini(&state->block);
	tx_fini(&state->tx);
	buf_fini(&state->payload);
}

/* Payloads, in the state's buffer. */

static struct buf *
payload_begin(struct scene *scene)
{
	struct buf *payload = &((struct state *)scene->state)->payload;

	payload_init(payload);
	return payload;
}

/* The one item of a message. */
static struct buf *
inventory(struct scene *scene, enum payload_item item, const uint8_t hash_wire[32])
{
	struct buf *payload = payload_begin(scene);

	tx_add_compact_size(payload, 1);
	payload_add_item(payload, item, hash_wire);
	return payload;
}

/* cnt transactions that nobody has. */
static struct buf *
unknown_txs(struct scene *scene, size_t cnt)
{
	struct buf *payload = payload_begin(scene);

	tx_add_compact_size(payload, cnt);
	for (size_t i = 0; i < cnt; i++) {
		payload_add_le(payload, ITEM_TX, 4);
		payload_add_noise(payload, 32, (uint32_t)(cnt + i));
	}
	return payload;
}

static struct buf *
locator(struct scene *scene, const uint8_t hash_wire[32])
{
	struct buf *payload = payload_begin(scene);

	payload_add_locator(payload, hash_wire);
	return payload;
}

/* Steps that several have. */

static int
join_one(struct scene *scene, const char *from, const struct p2p_version *version, struct diag *diag)
{
	struct state *state = scene->state;
	int code = peers_begin(scene, diag);

	if (!code)
		code = peer_join(scene, &state->peers[0], from, version, diag);
	peers_mark(state->peers, PEERS_MAX);
	return code;
}

static int
plain_prepare(struct scene *scene, struct diag *diag)
{
	return join_one(scene, NULL, NULL, diag);
}

static size_t
count_peers(const struct state *state)
{
	size_t cnt = 0;

	while (cnt < PEERS_MAX && state->peers[cnt].p2p)
		cnt++;
	return cnt;
}

static int
dialogue_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	size_t cnt = count_peers(state);
	int code = peers_learn(scene, state->peers, cnt, diag);

	if (!code) {
		peers_expect_dialogue(scene, state->peers, cnt);
		code = peers_leave(scene, state->peers, cnt, diag);
	}
	return code;
}

/* inbound_message.requests: many a type, with and without payload, known to the node and not */

static int
requests_act(struct scene *scene, struct diag *diag)
{
	static const uint8_t feefilter[8] = {0x39, 0x30}, nonce[8] = {0xf1, 2, 3, 4, 5, 6, 7, 0x88};
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct buf *payload = &state->payload;
	struct chain_tip tip;
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);

	if (!code)
		code = peer_ask(scene, peer, "ping", nonce, sizeof(nonce), "pong", NULL, diag);
	if (!code)
		code = peer_send(scene, peer, "sendheaders", NULL, 0, diag);
	if (!code)
		code = peer_send(scene, peer, "feefilter", feefilter, sizeof(feefilter), diag);
	if (!code)
		code = peer_ask_buf(scene, peer, "getheaders", locator(scene, tip.hash_wire), "headers",
				    diag);
	if (!code)
		code = peer_send(scene, peer, "mempool", NULL, 0, diag);
	/* Types of 12 characters, the most there is room for: one that the node knows (with too little in it to be
	 * taken seriously, as it would break off otherwise), and one that nobody knows. */
	if (!code)
		code = peer_send(scene, peer, "getcfcheckpt", "\x01", 1, diag);
	if (!code) {
		payload_begin(scene);
		payload_add_noise(payload, 1021, 1);
		code = peer_send_buf(scene, peer, "tpchecktrace", payload, diag);
	}
	if (!code)
		code = peer_send(scene, peer, "x", "\0\0", 2, diag);
	if (!code)
		code = peer_ask_buf(scene, peer, "getdata", unknown_txs(scene, 3), "notfound", diag);
	if (!code)
		code = peer_send(scene, peer, "getaddr", NULL, 0, diag);
	return code ? code : peer_sync(scene, peer, diag);
}

const struct scenario sc_net_inbound_message_requests = {
	.name = "net.inbound_message.requests",
	.summary =
		"messages of many types, empty ones, unknown ones and a type of 12 characters among them, in one order with the answers",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = plain_prepare,
	.act = requests_act,
	.expect = dialogue_expect,
	.clean = clean,
};

/* inbound_message.handshake: all that a new peer and the node tell each other; a message before the first counts */

static int
handshake_act(struct scene *scene, struct diag *diag)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS,
						   .relay = true,
						   .wtxid_relay = true,
						   .height = 70000,
						   .user_agent = "/tpcheck:handshake/"};
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	int code = peer_connect(scene, peer, "127.45.6.7", diag);

	return code ? code : peer_greet(scene, peer, &version, diag);
}

static int
lanes_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	size_t cnt = count_peers(state);
	int code = peers_learn(scene, state->peers, cnt, diag);

	if (!code) {
		peers_expect_lanes(scene, state->peers, cnt, LANE_ORDERED, LANE_ORDERED);
		code = peers_leave(scene, state->peers, cnt, diag);
	}
	return code;
}

const struct scenario sc_net_inbound_message_handshake = {
	.name = "net.inbound_message.handshake",
	.summary = "the handshake of a new peer, from version to the first ping, in both directions",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = peers_begin,
	.act = handshake_act,
	.expect = lanes_expect,
	.clean = clean,
};

/* inbound_message.large: sizes around the 32 KiB that are read of a payload, and above 16 bits */

static int
large_act(struct scene *scene, struct diag *diag)
{
	static const size_t sizes[] = {KIB_32 - 1, KIB_32, KIB_32 + 1, (1 << 16) + 7, 300007};
	struct state *state = scene->state;
	struct buf *payload = &state->payload;
	int code = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes) && !code; i++) {
		payload_begin(scene);
		payload_add_noise(payload, sizes[i], (uint32_t)i);
		code = peer_send_buf(scene, &state->peers[0], "large", payload, diag);
	}
	return code ? code : peer_sync(scene, &state->peers[0], diag);
}

const struct scenario sc_net_inbound_message_large = {
	.name = "net.inbound_message.large",
	.summary = "payloads of 32 KiB, one byte less and one more, and with sizes above 16 bits",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = plain_prepare,
	.act = large_act,
	.expect = dialogue_expect,
	.clean = clean,
};

/* inbound_message.headers: 2000 of them, as many as one message may have */

static int
headers_prepare(struct scene *scene, struct diag *diag)
{
	enum { HEADERS = 2000 };
	struct state *state = scene->state;
	struct block_draft draft = {.height = 1, .bits = 0x207fffff, .time = 1};
	/* From where it is not sent away: to some releases this is misbehaviour. */
	int code = join_one(scene, PEER_NOBAN_ADDRESS, NULL, diag);

	/* They follow a block that nobody has. */
	memset(draft.prev_hash_wire, 0x5a, sizeof(draft.prev_hash_wire));
	payload_begin(scene);
	tx_add_compact_size(&state->payload, HEADERS);
	for (int i = 0; i < HEADERS && !code; i++) {
		struct block block;

		block_init(&block, &draft);
		code = block_finish(&block, diag);
		payload_add_header(&state->payload, &block);
		draft = blocks_next_draft(&block);
		block_fini(&block);
	}
	return code;
}

/* Most releases ask for what comes before, by getheaders. Two pings follow at once. */
static int
headers_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	int code = peer_send_buf(scene, peer, "headers", &state->payload, diag);

	if (!code)
		code = p2p_queue(peer->p2p, "ping", "together", 8, diag);
	return code ? code : peer_sync(scene, peer, diag);
}

const struct scenario sc_net_inbound_message_headers = {
	.name = "net.inbound_message.headers",
	.summary =
		"2000 headers of an unknown chain, 162003 bytes, what the node asks then, and two pings at once",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = headers_prepare,
	.act = headers_act,
	.expect = lanes_expect,
	.clean = clean,
};

/* inbound_message.peers: several peers by turns, with ids above 8 bits */

static int
peers_prepare(struct scene *scene, struct diag *diag)
{
	static const char *const from[] = {"127.0.0.1", "127.200.30.4", "127.0.0.1", "127.255.255.254"};
	struct state *state = scene->state;
	int code = peers_begin(scene, diag);

	if (!code)
		code = peers_raise_ids(scene, diag);
	for (size_t i = 0; i < sizeof(from) / sizeof(*from) && !code; i++)
		code = peer_join(scene, &state->peers[i], from[i], NULL, diag);
	peers_mark(state->peers, PEERS_MAX);
	return code;
}

static int
peers_act(struct scene *scene, struct diag *diag)
{
	static const size_t turns[] = {2, 0, 3, 1, 1, 0, 2, 3};
	struct state *state = scene->state;
	int code = 0;

	for (size_t i = 0; i < sizeof(turns) / sizeof(*turns) && !code; i++) {
		struct peer *peer = &state->peers[turns[i]];

		if (i % 3 == 1) {
			payload_begin(scene);
			payload_add_noise(&state->payload, 30 + i, (uint32_t)i);
			code = peer_send_buf(scene, peer, "unknown", &state->payload, diag);
		}
		if (!code)
			code = peer_sync(scene, peer, diag);
	}
	return code;
}

const struct scenario sc_net_inbound_message_peers = {
	.name = "net.inbound_message.peers",
	.summary = "four peers by turns, two of them at one address: id and port tell them apart",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = peers_prepare,
	.act = peers_act,
	.expect = dialogue_expect,
	.clean = clean,
};

/* inbound_message.networks: peers whose addresses are longer and other than those of this machine */

static int
networks_prepare(struct scene *scene, struct diag *diag)
{
	static const char *const from[] = {NODE_IPV6, NODE_CJDNS, NODE_IPV4};
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
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS};
	struct state *state = scene->state;
	struct peer *fence = &state->peers[0], *peer = fence + 1;
	int code = peers_begin(scene, diag);

	if (!code)
		code = connections_begin(scene, fence, diag);
	if (!code)
		code = p2p_settle(fence->p2p, scene->deadline, diag);
	for (size_t i = 0; i < sizeof(from) / sizeof(*from) && !code; i++) {
		if (node_network_lack(scene->node, AF_INET6))
			break;
		code = connection_enter_from(scene, peer, from[i], diag);
		if (!code)
			code = peer_greet(scene, peer++, NULL, diag);
	}
	if (!code)
		code = connection_enter_i2p(scene, peer, 3, diag);
	if (!code)
		code = peer_wake(scene, fence, diag);
	if (!code)
		code = peer_greet(scene, peer++, NULL, diag);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls) && !code; i++) {
		code = connection_call(scene, peer, calls[i].type, calls[i].address, diag);
		if (!code)
			code = peer_wake(scene, fence, diag);
		if (!code)
			code = peer_greet(scene, peer++, &version, diag);
	}
	peers_mark(state->peers, PEERS_MAX);
	return code;
}

static int
networks_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = 0;

	for (size_t i = 0; i < count_peers(state) && !code; i++) {
		payload_begin(scene);
		payload_add_noise(&state->payload, 40 + i, (uint32_t)i);
		code = peer_send_buf(scene, &state->peers[i], "unknown", &state->payload, diag);
		if (!code)
			code = peer_sync(scene, &state->peers[i], diag);
	}
	return code;
}

static int
networks_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = peers_learn(scene, state->peers, count_peers(state), diag);

	if (!code) {
		peers_expect_dialogue(scene, state->peers, count_peers(state));
		code = connections_end(scene, state->peers, PEERS_MAX, diag);
	}
	return code;
}

const struct scenario sc_net_inbound_message_networks = {
	.name = "net.inbound_message.networks",
	.summary =
		"peers of IPv6, CJDNS, Tor and I2P, and such as the node knows by name, of up to 110 characters",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = networks_prepare,
	.act = networks_act,
	.expect = networks_expect,
	.clean = clean,
};

/* inbound_message.dropped: what is no message does not fire */

enum dropped {
	BAD_CHECKSUM, /* and a bad type: these two the node only leaves out; the others it breaks off for */
	BAD_MAGIC,
	BAD_SIZE,
	UNFINISHED,
	DROPPED_CNT
};

static int
dropped_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = peers_begin(scene, diag);

	for (size_t i = 0; i < DROPPED_CNT && !code; i++)
		code = peer_join(scene, &state->peers[i], NULL, NULL, diag);
	if (!code)
		code = peers_learn(scene, state->peers, DROPPED_CNT, diag); /* some are not there later */
	peers_mark(state->peers, PEERS_MAX);
	return code;
}

/* Sends the bytes of a message with one of them changed. */
static int
send_damaged(struct scene *scene, struct peer *peer, size_t at, uint8_t to, size_t cut, struct diag *diag)
{
	static const char payload[] = "nobody gets this";
	struct buf bytes;

	buf_init(&bytes, 1000);
	p2p_format("damaged", payload, sizeof(payload), &bytes);
	bytes.data[at] = (char)to;
	int code = p2p_send_bytes(peer->p2p, bytes.data, bytes.len - cut, scene->deadline, diag);
	buf_fini(&bytes);
	return code;
}

static int
dropped_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peers = state->peers;
	int code = 0;

	for (size_t i = 0; i < DROPPED_CNT && !code; i++)
		code = peer_sync(scene, &peers[i], diag);
	if (!code) /* a byte of the payload */
		code = send_damaged(scene, &peers[BAD_CHECKSUM], P2P_HEADER_SZ + 3, 'X', 0, diag);
	if (!code) /* of the type, behind its end */
		code = send_damaged(scene, &peers[BAD_CHECKSUM], 4 + 11, 'X', 0, diag);
	if (!code)
		code = peer_send(scene, &peers[BAD_CHECKSUM], "intact", "all got this", 12, diag);
	if (!code)
		code = peer_sync(scene, &peers[BAD_CHECKSUM], diag);
	if (!code)
		code = send_damaged(scene, &peers[BAD_MAGIC], 1, 0, 0, diag);
	if (!code) /* more than 4,000,000 */
		code = send_damaged(scene, &peers[BAD_SIZE], 16 + 3, 1, 0, diag);
	if (!code)
		code = send_damaged(scene, &peers[UNFINISHED], 4, 'D', 1, diag);
	if (!code)
		p2p_close(peers[UNFINISHED].p2p);
	for (size_t i = BAD_MAGIC; i < DROPPED_CNT && !code; i++)
		code = p2p_wait_closed(peers[i].p2p, scene->deadline, diag);
	return code ? code : peer_sync(scene, &peers[BAD_CHECKSUM], diag);
}

static int
dropped_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	peers_expect_dialogue(scene, state->peers, DROPPED_CNT);
	return peers_leave(scene, state->peers, DROPPED_CNT, diag);
}

const struct scenario sc_net_inbound_message_dropped = {
	.name = "net.inbound_message.dropped",
	.summary =
		"nothing fires for a wrong checksum, type, magic or size and for half a message; what is intact between them does",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = dropped_prepare,
	.act = dropped_act,
	.expect = dropped_expect,
	.clean = clean,
};

/* inbound_message.tx: a transaction on its way through the node, mempool:added in between */

static int
tx_prepare(struct scene *scene, struct diag *diag)
{
	static const struct p2p_version version = {.relay = true, .wtxid_relay = true};
	struct state *state = scene->state;
	struct chain_coin coin;
	int code = blocks_take_coin(scene, &coin, diag);

	tx_init(&state->tx);
	if (!code) {
		tx_spend(&state->tx, &coin);
		tx_pay(&state->tx, coin.value_sat - FEE_SAT);
	}
	/* From where nothing is delayed for the sake of privacy. */
	return code ? code : join_one(scene, PEER_NOBAN_ADDRESS, &version, diag);
}

/* Before the peer says more, the node shall have dealt with the transaction. */
static int
wait_for_tx(struct scene *scene, const char *txid_hex, struct diag *diag)
{
	int code = -EREMOTEIO;

	while (code == -EREMOTEIO && !deadline_has_passed(scene->deadline)) {
		code = node_call(scene->node, scene->deadline, NULL, diag, "getmempoolentry", "[\"%s\"]",
				 txid_hex);
		if (code == -EREMOTEIO)
			clock_pause_ms(1, scene->deadline);
	}
	return code;
}

static int
tx_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct buf *payload = payload_begin(scene);
	uint8_t txid_wire[32], wtxid_wire[32];

	tx_txid(&state->tx, txid_wire);
	format_hash(txid_wire, state->hash);
	tx_wtxid(&state->tx, wtxid_wire);
	tx_serialize(&state->tx, true, payload);
	int code = peer_send_buf(scene, peer, "tx", payload, diag);
	if (!code)
		code = wait_for_tx(scene, state->hash, diag);
	if (!code)
		code = peer_ask(scene, peer, "mempool", NULL, 0, "inv", NULL, diag);
	if (!code)
		code = peer_ask_buf(scene, peer, "getdata", inventory(scene, ITEM_WTX, wtxid_wire), "tx",
				    diag);
	return code ? code : peer_sync(scene, peer, diag);
}

static int
tx_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct json *entry = NULL;
	int64_t fee_sat, vsize;
	uint8_t txid_wire[32];
	int code = peers_learn(scene, peer, 1, diag);

	tx_txid(&state->tx, txid_wire);
	if (!code)
		code = node_call(scene->node, scene->deadline, &entry, diag, "getmempoolentry", "[\"%s\"]",
				 state->hash);
	if (!code && (!json_i64(json_get(entry, "vsize"), &vsize) ||
		      !json_sat(json_get(json_get(entry, "fees"), "base"), &fee_sat)))
		code = diag_fail(diag, -EBADMSG, "getmempoolentry lacks the size or the fee");
	json_free(entry);
	if (code)
		return code;
	peer->end = peer->mark + 1; /* the transaction */
	peers_expect_dialogue(scene, peer, 1);
	expect_source(scene->expect, "getmempoolentry %s", state->hash);
	struct expected *e =
		expect_event(scene->expect, TP_MEMPOOL_ADDED, FINDING_CONTRACT, "the peer's transaction");
	want_hash(e, "txid", txid_wire);
	want_int(e, "vsize", vsize);
	want_int(e, "fee", fee_sat);
	peer->mark = peer->end;
	peer->end = 0;
	peers_expect_dialogue(scene, peer, 1);
	code = peers_leave(scene, peer, 1, diag);
	return code ? code : blocks_mine(scene, 1, diag); /* the mempool is empty again */
}

const struct scenario sc_net_inbound_message_tx = {
	.name = "net.inbound_message.tx",
	.summary =
		"a transaction comes in, is added to the mempool, is announced and sent back, in this order",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES | TP_BIT(TP_MEMPOOL_ADDED) | TP_BIT(TP_MEMPOOL_REJECTED),
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = tx_prepare,
	.act = tx_act,
	.expect = tx_expect,
	.clean = clean,
};

/* inbound_message.block: a header is announced, the node asks for the block, gets and connects it */

static int
block_prepare(struct scene *scene, struct diag *diag)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS};
	struct state *state = scene->state;
	int code = blocks_begin(scene, &state->block, 0, diag);

	if (!code)
		code = block_finish(&state->block, diag);
	return code ? code : join_one(scene, NULL, &version, diag);
}

static int
block_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct buf *payload = payload_begin(scene);

	tx_add_compact_size(payload, 1);
	payload_add_header(payload, &state->block);
	int code = peer_ask_buf(scene, peer, "headers", payload, "getdata", diag);
	/* Now the node knows that we know blocks. (v23 says so at once.) */
	if (!code)
		code = p2p_wait(peer->p2p, "sendheaders", 0, NULL, scene->deadline, diag);
	if (!code) {
		payload_begin(scene);
		block_serialize(&state->block, payload);
		code = peer_send_buf(scene, peer, "block", payload, diag);
	}
	format_hash(state->block.hash_wire, state->hash);
	if (!code) /* as with the transaction */
		code = node_call(scene->node, scene->deadline, NULL, diag, "waitforblock", "[\"%s\", 60000]",
				 state->hash);
	return code ? code : peer_sync(scene, peer, diag);
}

static int
block_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct json *block = NULL;
	size_t end = p2p_cnt(peer->p2p);
	int code = peers_learn(scene, peer, 1, diag);

	if (!code)
		code = blocks_get(scene, state->hash, &block, diag);
	if (!code) {
		peer->end = end - 2; /* the last two are the ping and the pong */
		peers_expect_dialogue(scene, peer, 1);
		code = expect_block_connected(scene, block, diag);
	}
	json_free(block);
	if (!code) {
		peer->mark = peer->end;
		peer->end = end;
		peers_expect_dialogue(scene, peer, 1);
		code = peers_leave(scene, peer, 1, diag);
	}
	return code;
}

const struct scenario sc_net_inbound_message_block = {
	.name = "net.inbound_message.block",
	.summary =
		"a block by headers, getdata and block; it is connected when it has come in, and before the next message",
	.subject = TP_NET_INBOUND_MESSAGE,
	.tracepoints = MESSAGES | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = block_prepare,
	.act = block_act,
	.expect = block_expect,
	.clean = clean,
};

/* outbound_message.answers: what the node can be asked for */

static int
answers_act(struct scene *scene, struct diag *diag)
{
	/* A filter that matches everything: one byte, all bits set, one function. */
	static const uint8_t filter[] = {1, 0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0};
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct chain_tip tip;
	uint8_t genesis_wire[32];
	struct json *genesis = NULL;
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);

	if (!code)
		code = node_call(scene->node, scene->deadline, &genesis, diag, "getblockhash", "[0]");
	if (!code && !parse_hash(json_string(genesis), genesis_wire))
		code = diag_fail(diag, -EBADMSG, "getblockhash gave no hash");
	json_free(genesis);
	if (!code)
		code = peer_ask_buf(scene, peer, "getheaders", locator(scene, genesis_wire), "headers", diag);
	if (!code)
		code = peer_ask_buf(scene, peer, "getblocks", locator(scene, genesis_wire), "inv", diag);
	if (!code)
		code = peer_ask_buf(scene, peer, "getdata", inventory(scene, ITEM_BLOCK, tip.hash_wire),
				    "block", diag);
	if (!code)
		code = peer_ask_buf(scene, peer, "getdata",
				    inventory(scene, ITEM_COMPACT_BLOCK, tip.hash_wire), "cmpctblock", diag);
	if (!code) {
		struct buf *payload = payload_begin(scene);

		buf_add(payload, tip.hash_wire, 32);
		tx_add_compact_size(payload, 1);
		tx_add_compact_size(payload, 0);
		code = peer_ask_buf(scene, peer, "getblocktxn", payload, "blocktxn", diag);
	}
	if (!code)
		code = peer_send(scene, peer, "filterload", filter, sizeof(filter), diag);
	/* A merkleblock, and the transactions that match: the coinbase. */
	if (!code)
		code = peer_ask_buf(scene, peer, "getdata",
				    inventory(scene, ITEM_FILTERED_BLOCK, tip.hash_wire), "tx", diag);
	return code ? code : peer_sync(scene, peer, diag);
}

static int
answers_prepare(struct scene *scene, struct diag *diag)
{
	int code = blocks_mine(scene, 1, diag); /* a tip with a coinbase and no more */

	return code ? code : plain_prepare(scene, diag);
}

const struct scenario sc_net_outbound_message_answers = {
	.name = "net.outbound_message.answers",
	.summary = "headers, inventories and blocks in all their forms, in one order with the requests",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = answers_prepare,
	.act = answers_act,
	.expect = dialogue_expect,
	.clean = clean,
};

/* outbound_message.large: the node says which transactions it does not have, in 32 KiB and more */

static int
outbound_large_act(struct scene *scene, struct diag *diag)
{
	enum { FITS = (KIB_32 - 3) / ITEM_SZ, ABOVE_16_BITS = (1 << 16) / ITEM_SZ + 7 };
	static const size_t counts[] = {FITS, FITS + 1, ABOVE_16_BITS};
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	int code = 0;

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts) && !code; i++)
		code = peer_ask_buf(scene, peer, "getdata", unknown_txs(scene, counts[i]), "notfound", diag);
	return code ? code : peer_sync(scene, peer, diag);
}

const struct scenario sc_net_outbound_message_large = {
	.name = "net.outbound_message.large",
	.summary = "payloads just below and above 32 KiB, and one above 16 bits",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = plain_prepare,
	.act = outbound_large_act,
	.expect = dialogue_expect,
	.clean = clean,
};

/* outbound_message.announcements: what the node sends unasked when a block comes, in the form that each peer wants */

enum announcement { BY_INV, BY_HEADERS, BY_COMPACT_BLOCK, ANNOUNCEMENTS };

static int
announcements_prepare(struct scene *scene, struct diag *diag)
{
	static const uint8_t compact[9] = {1, 2}; /* unasked, version 2 */
	struct state *state = scene->state;
	struct chain_tip tip;
	int code = blocks_begin(scene, &state->block, 0, diag);

	if (!code)
		code = chain_tip(scene->node, scene->deadline, &tip, diag);
	if (!code)
		code = peers_begin(scene, diag);
	for (size_t i = 0; i < ANNOUNCEMENTS && !code; i++) {
		struct peer *peer = &state->peers[i];

		code = peer_join(scene, peer, NULL, NULL, diag);
		if (!code && i == BY_HEADERS)
			code = peer_send(scene, peer, "sendheaders", NULL, 0, diag);
		if (!code && i == BY_COMPACT_BLOCK)
			code = peer_send(scene, peer, "sendcmpct", compact, sizeof(compact), diag);
		/* After this the node knows that the peer has the tip. */
		if (!code)
			code = peer_ask_buf(scene, peer, "getheaders", locator(scene, tip.hash_wire),
					    "headers", diag);
		if (!code)
			code = peer_sync(scene, peer, diag);
	}
	if (!code)
		code = peers_learn(scene, state->peers, ANNOUNCEMENTS, diag);
	peers_mark(state->peers, PEERS_MAX);
	return code;
}

static int
announcements_act(struct scene *scene, struct diag *diag)
{
	static const char *const types[ANNOUNCEMENTS] = {"inv", "headers", "cmpctblock"};
	struct state *state = scene->state;
	int code = blocks_submit(scene, &state->block, diag);

	for (size_t i = 0; i < ANNOUNCEMENTS && !code; i++) {
		struct peer *peer = &state->peers[i];

		code = p2p_wait(peer->p2p, types[i], peer->mark, NULL, scene->deadline, diag);
		if (!code)
			code = peer_sync(scene, peer, diag);
	}
	return code;
}

static int
announcements_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	/* Each peer is told when its turn comes. */
	peers_expect_lanes(scene, state->peers, ANNOUNCEMENTS, LANE_ORDERED, LANE_ANY_ORDER);
	return peers_leave(scene, state->peers, ANNOUNCEMENTS, diag);
}

const struct scenario sc_net_outbound_message_announcements = {
	.name = "net.outbound_message.announcements",
	.summary = "a new block is announced to three peers by inv, headers and cmpctblock",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = announcements_prepare,
	.act = announcements_act,
	.expect = announcements_expect,
	.clean = clean,
};

/* outbound_message.connection_types: peers that the node connected to, for each of its reasons */

static const char *const call_types[] = {"outbound-full-relay", "block-relay-only", "addr-fetch", "manual",
					 "feeler"};

enum { CALLS = sizeof(call_types) / sizeof(*call_types), WAKER = CALLS };

static int
types_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = peers_begin(scene, diag);

	if (!code)
		code = peer_join(scene, &state->peers[WAKER], NULL, NULL, diag);
	if (!code)
		code = peers_learn(scene, &state->peers[WAKER], 1, diag);
	peers_mark(state->peers, PEERS_MAX);
	return code;
}

static int
types_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *waker = &state->peers[WAKER];
	int code = 0;

	for (size_t i = 0; i < CALLS && !code; i++) {
		struct peer *peer = &state->peers[i];
		bool feeler = !strcmp(call_types[i], "feeler");
		struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS, .no_verack = feeler};

		code = peer_call_in(scene, peer, call_types[i], waker, diag);
		/* Before our version the node takes no notice of anything, but it has received it. */
		if (!code && !strcmp(call_types[i], "manual"))
			code = peer_send(scene, peer, "early", "bird", 4, diag);
		if (!code && !feeler) {
			code = peer_greet(scene, peer, &version, diag);
			continue;
		}
		/* The node has learnt what it wanted with our version, and says that it has. */
		if (!code)
			code = peers_learn(scene, state->peers, CALLS, diag);
		if (!code)
			code = p2p_handshake(peer->p2p, &version, scene->deadline, diag);
		if (!code)
			code = peer_wait_closed(scene, peer, waker, diag);
	}
	return code ? code : peer_sync(scene, waker, diag);
}

static int
types_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	/* The waker's messages come at any time. */
	peers_expect_lanes(scene, state->peers, CALLS + 1, LANE_ANY_ORDER, LANE_ORDERED);
	return peers_leave(scene, state->peers, CALLS + 1, diag);
}

const struct scenario sc_net_outbound_message_connection_types = {
	.name = "net.outbound_message.connection_types",
	.summary =
		"the handshakes of a full relay, a block relay, an address fetch, a manual and a feeler connection",
	.subject = TP_NET_OUTBOUND_MESSAGE,
	.tracepoints = MESSAGES,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = types_prepare,
	.act = types_act,
	.expect = types_expect,
	.clean = clean,
};
