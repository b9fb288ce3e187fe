/* net:misbehaving_connection. Why a peer misbehaves follows from what it sent; how many items were too many is in the
 * text. A release may see fewer causes than another or word one differently, and the node's own log (-debug=net) tells
 * which it saw: an event is expected for each of these, with the text that we know. Only where the log has another
 * text than that the text counts as a detail. */
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/log.h"
#include "scene/payload.h"
#include "scene/peers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	PEERS_MAX = 8,
	CAUSES_MAX = 24,
	CAUSES_LEAST = 15,      /* that each release sees of net.misbehaving_connection.reasons */
	HARD_BITS = 0x1d00ffff, /* a target that no hash here meets */
	SCRIPT_SIG_MAX = 100,   /* bytes, of a coinbase */
};

/* A message by which a peer misbehaves. */
struct cause {
	size_t peer; /* of the state's */
	size_t at;   /* of the message in the peer's transcript */
	const char *reason;
};

struct state {
	struct peer peers[PEERS_MAX];
	struct cause causes[CAUSES_MAX];
	size_t causes_cnt;
	struct block block; /* on the tip */
};

static int
log_net(struct scene *scene, bool on, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, NULL, diag, "logging",
			 on ? "[[\"net\"]]" : "[[], [\"net\"]]");
}

static void
clean(struct scene *scene)
{
	struct state *state = scene->state;

	peers_fini(state->peers, PEERS_MAX);
	block_fini(&state->block);
}

/* The peer's next message is a cause. */
static void
note_cause(struct scene *scene, size_t peer, const char *reason)
{
	struct state *state = scene->state;

	state->causes[state->causes_cnt++] =
		(struct cause){.peer = peer, .at = p2p_cnt(state->peers[peer].p2p), .reason = reason};
}

/* Sends a message for which the peer is told to misbehave, and waits until the node has dealt with it. The peer must be
 * one that is not sent away. */
static int
misbehave(struct scene *scene, size_t peer, const char *type, struct buf *payload, const char *reason,
	  struct diag *diag)
{
	struct state *state = scene->state;

	note_cause(scene, peer, reason);
	int code = peer_send_buf(scene, &state->peers[peer], type, payload, diag);
	return code ? code : peer_sync(scene, &state->peers[peer], diag);
}

static void
expect_cause(struct scene *scene, const struct cause *cause, bool as_logged)
{
	const struct state *state = scene->state;
	const struct peer *peer = &state->peers[cause->peer];
	struct p2p_message message = p2p_at(peer->p2p, cause->at);

	expect_source(scene->expect, "the '%s' that the peer sent; debug.log has %s", message.type,
		      as_logged ? "the same" : "another reason");
	struct expected *e = expect_event(scene->expect, TP_NET_MISBEHAVING_CONNECTION, FINDING_CONTRACT,
					  "'%s' of peer %" PRId64, message.type, peer->id);
	want_int(e, "peer_id", peer->id);
	want_string(e, "reason", cause->reason);
	if (!as_logged)
		want_kind(e, FINDING_DETAIL);
}

/* What the log has of the causes that were given. */
struct logged {
	struct log_texts reasons[PEERS_MAX]; /* by peer */
	size_t next[PEERS_MAX];
	size_t cause, expected; /* how many were looked at, and how many of them expected */
};

static int
logged_read(struct scene *scene, struct logged *logged, struct diag *diag)
{
	const struct state *state = scene->state;
	int code = 0;

	*logged = (struct logged){0};
	for (size_t i = 0; i < PEERS_MAX && state->peers[i].p2p && !code; i++)
		code = log_misbehaviours(scene, state->peers[i].id, &logged->reasons[i], diag);
	return code;
}

/* The next cause, unless the log does not have it. What it has instead is another text for it, if it is not that of a
 * later cause of the peer. */
static void
expect_next(struct scene *scene, struct logged *logged)
{
	const struct state *state = scene->state;
	const struct cause *cause = &state->causes[logged->cause++];
	const struct log_texts *reasons = &logged->reasons[cause->peer];
	size_t *next = &logged->next[cause->peer];

	if (*next == reasons->cnt)
		return;
	const char *text = reasons->items[*next];
	bool same = !strcmp(text, cause->reason);
	for (const struct cause *c = cause + 1; !same && c < state->causes + state->causes_cnt; c++)
		if (c->peer == cause->peer && !strcmp(text, c->reason))
			return;
	expect_cause(scene, cause, same);
	++*next;
	logged->expected++;
}

/* Whether that was all, and enough to judge by. */
static int
logged_end(struct logged *logged, size_t least, struct diag *diag)
{
	size_t in_log = 0;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		in_log += logged->reasons[i].cnt;
		log_texts_fini(&logged->reasons[i]);
	}
	if (in_log == logged->expected && in_log >= least)
		return 0;
	return diag_fail(
		diag, -EBADMSG,
		"the peers misbehaved %zu times, at least %zu of them for any bitcoind; its debug.log tells of %zu, %zu of which can be explained",
		logged->cause, least, in_log, logged->expected);
}

/* The causes alone, at least so many of them. */
static int
causes_expect(struct scene *scene, size_t least, struct diag *diag)
{
	struct state *state = scene->state;
	struct logged logged;
	size_t peers_cnt = 0;
	int code = logged_read(scene, &logged, diag);

	while (!code && logged.cause < state->causes_cnt)
		expect_next(scene, &logged);
	int ended = logged_end(&logged, least, code ? NULL : diag);
	code = code ? code : ended;
	if (!code)
		code = log_net(scene, false, diag);
	while (peers_cnt < PEERS_MAX && state->peers[peers_cnt].p2p)
		peers_cnt++;
	return code ? code : peers_leave(scene, state->peers, peers_cnt, diag);
}

/* reasons: every cause that a peer can give, by one that the node does not punish */

/* Payloads of one kind of item, too many of them. */

static struct buf
many_items(size_t cnt)
{
	struct buf payload;
	uint8_t hash_wire[32] = {0};

	payload_init(&payload);
	tx_add_compact_size(&payload, cnt);
	for (size_t i = 0; i < cnt; i++) {
		memcpy(hash_wire, &i, sizeof(i));
		payload_add_item(&payload, ITEM_TX, hash_wire);
	}
	return payload;
}

/* Of nodes without any services, which are not remembered. */
static struct buf
many_addresses(size_t cnt, bool v2)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct buf payload;

	payload_init(&payload);
	tx_add_compact_size(&payload, cnt);
	for (size_t i = 0; i < cnt; i++) {
		payload_add_le(&payload, 1700000000 + i, 4); /* when it was seen */
		if (v2) {
			tx_add_compact_size(&payload, 0);
			payload_add_le(&payload, 1, 1); /* IPv4 */
			tx_add_compact_size(&payload, 4);
		} else {
			payload_add_le(&payload, 0, 8);
			buf_add(&payload, mapped, sizeof(mapped));
		}
		payload_add_le(&payload, 0x01020305 + (i << 8), 4);
		payload_add_le(&payload, 8333, 2);
	}
	return payload;
}

static struct buf
headers_of(const struct block *const *blocks, size_t cnt)
{
	struct buf payload;

	payload_init(&payload);
	tx_add_compact_size(&payload, cnt);
	for (size_t i = 0; i < cnt; i++)
		payload_add_header(&payload, blocks[i]);
	return payload;
}

static struct buf
compact_block(const struct block *block, bool with_coinbase, unsigned short_ids)
{
	struct buf payload;

	payload_init(&payload);
	payload_add_compact_block(&payload, block, with_coinbase, short_ids);
	return payload;
}

static struct buf
whole_block(const struct block *block)
{
	struct buf payload;

	payload_init(&payload);
	block_serialize(block, &payload);
	return payload;
}

static struct buf
bytes(const void *data, size_t len)
{
	struct buf payload;

	payload_init(&payload);
	buf_add(&payload, data, len);
	return payload;
}

/* blocktxn with cnt times the block's coinbase. */
static struct buf
block_transactions(const struct block *block, size_t cnt)
{
	struct buf payload;

	payload_init(&payload);
	buf_add(&payload, block->hash_wire, 32);
	tx_add_compact_size(&payload, cnt);
	for (size_t i = 0; i < cnt; i++)
		tx_serialize(&block->txs[0], true, &payload);
	return payload;
}

/* getblocktxn for a transaction far behind the last one of the block before. */
static struct buf
missing_transaction(const struct block *block)
{
	struct buf payload;

	payload_init(&payload);
	buf_add(&payload, block->draft.prev_hash_wire, 32);
	tx_add_compact_size(&payload, 1);
	tx_add_compact_size(&payload, 5000);
	return payload;
}

static int
misbehave_in_lists(struct scene *scene, size_t peer, struct diag *diag)
{
	struct buf payload = many_items(50003);
	int code = misbehave(scene, peer, "inv", &payload, "inv message size = 50003", diag);

	if (!code) {
		payload = many_items(50021);
		code = misbehave(scene, peer, "getdata", &payload, "getdata message size = 50021", diag);
	}
	if (!code) {
		payload = many_addresses(1001, false);
		code = misbehave(scene, peer, "addr", &payload, "addr message size = 1001", diag);
	}
	if (!code) {
		payload = many_addresses(1009, true);
		code = misbehave(scene, peer, "addrv2", &payload, "addrv2 message size = 1009", diag);
	}
	if (!code) { /* the count is enough */
		payload = bytes("", 0);
		tx_add_compact_size(&payload, 1000003);
		code = misbehave(scene, peer, "headers", &payload, "headers message size = 1000003", diag);
	}
	return code;
}

static int
misbehave_in_headers(struct scene *scene, size_t peer, struct diag *diag)
{
	struct state *state = scene->state;
	struct block block = state->block, early;
	const struct block *twice[] = {&state->block, &state->block};
	struct block_draft draft = state->block.draft;

	block.draft.bits = HARD_BITS;
	struct buf payload = headers_of(&(const struct block *){&block}, 1);
	int code = misbehave(scene, peer, "headers", &payload, "header with invalid proof of work", diag);
	if (!code) {
		payload = headers_of(twice, 2);
		code = misbehave(scene, peer, "headers", &payload, "non-continuous headers sequence", diag);
	}
	/* A header from before the median time of those before it. */
	draft.time = 1;
	block_init(&early, &draft);
	if (!code)
		code = block_finish(&early, diag);
	if (!code) {
		payload = headers_of(&(const struct block *){&early}, 1);
		code = misbehave(scene, peer, "headers", &payload, "invalid header received", diag);
	}
	if (!code) {
		payload = compact_block(&early, true, 0);
		code = misbehave(scene, peer, "cmpctblock", &payload, "invalid header via cmpctblock", diag);
	}
	block_fini(&early);
	return code;
}

/* The node asks for the transaction that it lacks, and gets none or a wrong one. */
static int
misbehave_in_compact_blocks(struct scene *scene, size_t peer_idx, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *peer = &state->peers[peer_idx];
	struct buf payload = compact_block(&state->block, false, 0);
	int code = misbehave(scene, peer_idx, "cmpctblock", &payload, "invalid compact block", diag);

	if (!code) {
		payload = compact_block(&state->block, true, 1);
		code = peer_ask_buf(scene, peer, "cmpctblock", &payload, "getblocktxn", diag);
	}
	if (!code) {
		payload = block_transactions(&state->block, 0);
		code = misbehave(scene, peer_idx, "blocktxn", &payload,
				 "invalid compact block/non-matching block transactions", diag);
	}
	if (!code) {
		payload = compact_block(&state->block, true, 1);
		code = peer_ask_buf(scene, peer, "cmpctblock", &payload, "getblocktxn", diag);
	}
	if (!code) {
		payload = block_transactions(&state->block, 1);
		code = peer_ask_buf(scene, peer, "blocktxn", &payload, "getdata", diag);
	}
	if (!code) {
		payload = block_transactions(&state->block, 1);
		code = misbehave(scene, peer_idx, "blocktxn", &payload,
				 "previous compact block reconstruction attempt failed", diag);
	}
	return code;
}

static int
misbehave_in_blocks(struct scene *scene, size_t peer, struct diag *diag)
{
	static const uint8_t too_long[SCRIPT_SIG_MAX + 1];
	struct state *state = scene->state;
	struct block mutated = state->block, bad;
	struct block_draft draft = state->block.draft;

	mutated.merkle_root_wire[7] ^= 1;
	struct buf payload = whole_block(&mutated);
	int code = misbehave(scene, peer, "block", &payload, "mutated block", diag);

	/* A block that breaks a rule: no reason is told. */
	block_init(&bad, &draft);
	block_add_output(&bad, 1, script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
	tx_set_script_sig(&bad.txs[0].inputs[0], too_long, sizeof(too_long));
	if (!code)
		code = block_finish(&bad, diag);
	if (!code) {
		payload = whole_block(&bad);
		code = misbehave(scene, peer, "block", &payload, "", diag);
	}
	/* And one that follows a block which nobody has. */
	if (!code) {
		memset(bad.draft.prev_hash_wire, 0x5a, sizeof(bad.draft.prev_hash_wire));
		code = block_finish(&bad, diag);
	}
	if (!code) {
		payload = whole_block(&bad);
		code = misbehave(scene, peer, "block", &payload, "", diag);
	}
	block_fini(&bad);
	if (!code) {
		payload = missing_transaction(&state->block);
		code = misbehave(scene, peer, "getblocktxn", &payload,
				 "getblocktxn with out-of-bounds tx indices", diag);
	}
	return code;
}

static int
misbehave_in_filters(struct scene *scene, size_t peer, struct diag *diag)
{
	/* One byte of filter, 51 functions where 50 are allowed. */
	static const uint8_t filter[] = {1, 0xff, 51, 0, 0, 0, 7, 0, 0, 0, 0};
	static const uint8_t compact[9] = {2, 2};
	struct buf payload = bytes(filter, sizeof(filter));
	int code = misbehave(scene, peer, "filterload", &payload, "too-large bloom filter", diag);

	if (!code) { /* there is none yet */
		payload = bytes("\x03"
				"abc",
				4);
		code = misbehave(scene, peer, "filteradd", &payload, "bad filteradd message", diag);
	}
	if (!code) { /* neither yes nor no; since v32 */
		payload = bytes(compact, sizeof(compact));
		code = misbehave(scene, peer, "sendcmpct", &payload, "invalid sendcmpct announce field",
				 diag);
	}
	return code;
}

static int
reasons_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = blocks_begin(scene, &state->block, 0, diag);

	if (!code)
		code = block_finish(&state->block, diag);
	if (!code)
		code = peers_begin(scene, diag);
	if (!code)
		code = peer_join(scene, &state->peers[0], PEER_NOBAN_ADDRESS, NULL, diag);
	if (!code)
		code = peers_learn(scene, state->peers, 1, diag);
	peers_mark(state->peers, 1);
	return code ? code : log_net(scene, true, diag);
}

static int
reasons_act(struct scene *scene, struct diag *diag)
{
	int code = misbehave_in_lists(scene, 0, diag);

	if (!code)
		code = misbehave_in_headers(scene, 0, diag);
	if (!code)
		code = misbehave_in_compact_blocks(scene, 0, diag);
	if (!code)
		code = misbehave_in_blocks(scene, 0, diag);
	if (!code)
		code = misbehave_in_filters(scene, 0, diag);
	return code;
}

/* Each message of the peer, and behind it what the node thought of it. */
static int
reasons_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	const struct peer *peer = &state->peers[0];
	struct logged logged;
	int code = logged_read(scene, &logged, diag);

	for (size_t i = peer->mark; i < p2p_cnt(peer->p2p) && !code; i++) {
		struct p2p_message message = p2p_at(peer->p2p, i);

		if (message.direction == P2P_SENT)
			peer_expect_message(scene, peer, &message);
		if (logged.cause < state->causes_cnt && state->causes[logged.cause].at == i)
			expect_next(scene, &logged);
	}
	int ended = logged_end(&logged, CAUSES_LEAST, code ? NULL : diag);
	code = code ? code : ended;
	if (!code)
		code = log_net(scene, false, diag);
	return code ? code : peers_leave(scene, state->peers, 1, diag);
}

const struct scenario sc_net_misbehaving_connection_reasons = {
	.name = "net.misbehaving_connection.reasons",
	.summary =
		"18 and more causes by a peer with the permission noban, each right behind the message that gave it",
	.subject = TP_NET_MISBEHAVING_CONNECTION,
	.tracepoints = TP_BIT(TP_NET_MISBEHAVING_CONNECTION) | TP_BIT(TP_NET_INBOUND_MESSAGE),
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = reasons_prepare,
	.act = reasons_act,
	.expect = reasons_expect,
	.clean = clean,
};

/* peers: several at once, each with an id of its own. All but the manual one are sent away. */

enum { WELL_BEHAVED, BY_ADDRESSES, BY_FILTER, MANUAL, FULL_RELAY, PEERS_CNT };

static int
peers_prepare(struct scene *scene, struct diag *diag)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS};
	struct state *state = scene->state;
	struct peer *peers = state->peers;
	int code = blocks_begin(scene, &state->block, 0, diag);

	if (!code)
		code = block_finish(&state->block, diag);
	if (!code)
		code = peers_begin(scene, diag);
	if (!code)
		code = peers_raise_ids(scene, diag);
	for (size_t i = 0; i <= BY_FILTER && !code; i++)
		code = peer_join(scene, &peers[i], i == BY_ADDRESSES ? "127.1.2.3" : NULL, NULL, diag);
	for (size_t i = MANUAL; i < PEERS_CNT && !code; i++) {
		code = peer_call_in(scene, &peers[i], i == MANUAL ? "manual" : "outbound-full-relay",
				    &peers[WELL_BEHAVED], diag);
		if (!code)
			code = peer_greet(scene, &peers[i], &version, diag);
	}
	if (!code)
		code = peers_learn(scene, peers, PEERS_CNT, diag);
	return code ? code : log_net(scene, true, diag);
}

/* One that the node sends away for it. */
static int
misbehave_finally(struct scene *scene, size_t peer, const char *type, struct buf *payload, const char *reason,
		  struct diag *diag)
{
	struct state *state = scene->state;

	note_cause(scene, peer, reason);
	int code = peer_send_buf(scene, &state->peers[peer], type, payload, diag);
	return code ? code : peer_wait_closed(scene, &state->peers[peer], &state->peers[WELL_BEHAVED], diag);
}

/* A block whose coinbase pays too much: found out when it is to be connected, and known from then on. A peer that the
 * node chose is blamed for its header as well, one that came by itself is not. */
static int
offer_invalid_block(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct block block;
	struct buf payload;
	struct block_draft draft = state->block.draft;

	block_init(&block, &draft);
	block_add_output(&block, block_regtest_subsidy_sat(draft.height) + 1, script_p2wsh_op_true,
			 SCRIPT_P2WSH_SZ);
	int code = block_finish(&block, diag);
	if (!code) {
		payload = whole_block(&block);
		code = misbehave(scene, MANUAL, "block", &payload, "", diag);
	}
	if (!code) {
		payload = headers_of(&(const struct block *){&block}, 1);
		code = peer_send_buf(scene, &state->peers[WELL_BEHAVED], "headers", &payload, diag);
	}
	if (!code)
		code = peer_sync(scene, &state->peers[WELL_BEHAVED], diag);
	if (!code) {
		payload = headers_of(&(const struct block *){&block}, 1);
		code = misbehave(scene, MANUAL, "headers", &payload, "invalid header received", diag);
	}
	block_fini(&block);
	return code;
}

static int
peers_act(struct scene *scene, struct diag *diag)
{
	/* No bytes of filter, 51 functions. */
	static const uint8_t filter[] = {0, 51, 0, 0, 0, 0, 0, 0, 0, 0};
	struct state *state = scene->state;
	const struct block *twice[] = {&state->block, &state->block};
	struct buf payload = missing_transaction(&state->block);
	int code = misbehave(scene, MANUAL, "getblocktxn", &payload,
			     "getblocktxn with out-of-bounds tx indices", diag);

	if (!code) {
		payload = many_addresses(1002, false);
		code = misbehave_finally(scene, BY_ADDRESSES, "addr", &payload, "addr message size = 1002",
					 diag);
	}
	if (!code) {
		payload = headers_of(twice, 2);
		code = misbehave_finally(scene, FULL_RELAY, "headers", &payload,
					 "non-continuous headers sequence", diag);
	}
	if (!code)
		code = offer_invalid_block(scene, diag);
	if (!code) {
		payload = bytes(filter, sizeof(filter));
		code = misbehave_finally(scene, BY_FILTER, "filterload", &payload, "too-large bloom filter",
					 diag);
	}
	return code ? code : peer_sync(scene, &state->peers[WELL_BEHAVED], diag);
}

static int
peers_expect(struct scene *scene, struct diag *diag)
{
	return causes_expect(scene, 4, diag);
}

const struct scenario sc_net_misbehaving_connection_peers = {
	.name = "net.misbehaving_connection.peers",
	.summary =
		"four peers, inbound, manual and full relay, told apart by ids above 8 bits; none for a fifth that behaves",
	.subject = TP_NET_MISBEHAVING_CONNECTION,
	.tracepoints = TP_BIT(TP_NET_MISBEHAVING_CONNECTION),
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = peers_prepare,
	.act = peers_act,
	.expect = peers_expect,
	.clean = clean,
};

/* innocent: as much as is allowed, and what is merely odd, does not fire */

static int
innocent_prepare(struct scene *scene, struct diag *diag)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS, .relay = true};
	struct state *state = scene->state;
	int code = peers_begin(scene, diag);

	if (!code) /* from where it is not sent away if the node does mind */
		code = peer_join(scene, &state->peers[0], PEER_NOBAN_ADDRESS, &version, diag);
	if (!code)
		code = peers_learn(scene, state->peers, 1, diag);
	return code ? code : log_net(scene, true, diag);
}

/* A transaction that no block may have: it pays more than there will ever be. */
static struct buf
invalid_transaction(void)
{
	static const uint8_t nowhere[32] = {0x5a};
	struct buf payload;
	struct tx tx;

	payload_init(&payload);
	tx_init(&tx);
	tx_add_input(&tx, nowhere, 3, TX_SEQUENCE_FINAL);
	tx_add_output(&tx, INT64_C(2100000000000001), script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
	tx_serialize(&tx, true, &payload);
	tx_fini(&tx);
	return payload;
}

static int
innocent_act(struct scene *scene, struct diag *diag)
{
	static const struct {
		const char *type, *payload;
		size_t size;
	} odd[] = {
		{"headers", "\0", 1},                        /* none */
		{"inv", "cut off", 7},                       /* it would be 99 items */
		{"pong", "unasked!", 8}, {"version", "", 0}, /* once more */
		{"verack", "", 0},       {"misbehaving", "inv message size = 50001", 24},
	};
	struct state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct buf payload = many_addresses(1000, false);
	int code = peer_send_buf(scene, peer, "addr", &payload, diag);

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd) && !code; i++)
		code = peer_send(scene, peer, odd[i].type, odd[i].payload, odd[i].size, diag);
	if (!code) {
		payload = invalid_transaction();
		code = misbehave(scene, 0, "tx", &payload, "", diag); /* up to v29 */
	}
	/* One more than was right before. */
	if (!code) {
		payload = many_addresses(1001, false);
		code = misbehave(scene, 0, "addr", &payload, "addr message size = 1001", diag);
	}
	return code;
}

static int
innocent_expect(struct scene *scene, struct diag *diag)
{
	return causes_expect(scene, 1, diag);
}

const struct scenario sc_net_misbehaving_connection_innocent = {
	.name = "net.misbehaving_connection.innocent",
	.summary =
		"not for 1000 addresses, odd messages and an invalid transaction; for 1001 addresses it does",
	.subject = TP_NET_MISBEHAVING_CONNECTION,
	.tracepoints = TP_BIT(TP_NET_MISBEHAVING_CONNECTION),
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = innocent_prepare,
	.act = innocent_act,
	.expect = innocent_expect,
	.clean = clean,
};
