/* net:misbehaving_connection.reasons: every cause that a peer can give, by one with the permission noban, which the
 * node does not disconnect. */
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/messages.h"
#include "scene/misbehaviour.h"

#include <string.h>

enum {
	UNNOTICED_MOST = 4,     /* how many of the causes a release may not notice */
	HARD_BITS = 0x1d00ffff, /* a target that no hash here meets */
	SCRIPT_SIG_MAX = 100,   /* bytes, of a coinbase */
};

/* Transactions that nobody has, cnt of them. */
static struct buf *
many_items(struct scene *scene, size_t cnt)
{
	struct buf *payload = payload_new(scene);
	uint8_t hash_wire[32] = {0};

	tx_add_compact_size(payload, cnt);
	for (size_t i = 0; i < cnt; i++) {
		memcpy(hash_wire, &i, sizeof(i));
		payload_add_item(payload, ITEM_TX, hash_wire);
	}
	return payload;
}

static struct buf *
compact_block(struct scene *scene, const struct block *block, bool with_coinbase, unsigned short_ids)
{
	struct buf *payload = payload_new(scene);

	payload_add_compact_block(payload, block, with_coinbase, short_ids);
	return payload;
}

/* For blocktxn: cnt times the block's coinbase. */
static struct buf *
block_transactions(struct scene *scene, const struct block *block, size_t cnt)
{
	struct buf *payload = payload_new(scene);

	buf_add(payload, block->hash_wire, 32);
	tx_add_compact_size(payload, cnt);
	for (size_t i = 0; i < cnt; i++)
		tx_serialize(&block->txs[0], true, payload);
	return payload;
}

static void
misbehave_in_lists(struct scene *scene)
{
	struct buf *count = payload_new(scene); /* is enough */

	tx_add_compact_size(count, 1000003);
	misbehave(scene, 0, "inv", many_items(scene, 50003), "inv message size = 50003");
	misbehave(scene, 0, "getdata", many_items(scene, 50021), "getdata message size = 50021");
	misbehave(scene, 0, "addr", message_addresses(scene, 1001, false), "addr message size = 1001");
	misbehave(scene, 0, "addrv2", message_addresses(scene, 1009, true), "addrv2 message size = 1009");
	misbehave(scene, 0, "headers", count, "headers message size = 1000003");
}

static void
misbehave_in_headers(struct scene *scene)
{
	const struct misbehaviour_state *state = scene->state;
	const struct block *twice[] = {state->block, state->block};
	struct block hard = *state->block; /* shares the transactions */
	struct block *early = misbehaviour_other_block(scene);

	hard.draft.bits = HARD_BITS;
	misbehave(scene, 0, "headers", message_header(scene, &hard), "header with invalid proof of work");
	misbehave(scene, 0, "headers", message_headers(scene, twice, 2), "non-continuous headers sequence");
	/* A header from before the median time of its predecessors. */
	early->draft.time = 1;
	blocks_finish(scene, early);
	misbehave(scene, 0, "headers", message_header(scene, early), "invalid header received");
	misbehave(scene, 0, "cmpctblock", compact_block(scene, early, true, 0),
		  "invalid header via cmpctblock");
}

/* The peer offers compact blocks (BIP152) and is the first with a new block, so the node chooses it as one that may
 * announce blocks by cmpctblock unasked. Since v32 it ignores that from any other. */
static void
become_high_bandwidth(struct scene *scene)
{
	static const uint8_t offer[9] = {0, 2};
	struct misbehaviour_state *state = scene->state;
	struct peer *peer = &state->peers[0];
	struct block *first = blocks_begin(scene, 0);

	blocks_finish(scene, first);
	peer_send(scene, peer, "sendcmpct", offer, sizeof(offer));
	/* The node does not announce to a peer what that peer announced. */
	peer_send_buf(scene, peer, "headers", message_header(scene, first));
	peer_send_buf(scene, peer, "block", message_block(scene, first));
	peer_sync(scene, peer);
	state->block = blocks_begin(scene, 0);
	blocks_finish(scene, state->block);
}

/* Whether the node asks for a transaction of the compact block that it lacks. */
static bool
asks_for_transaction(struct scene *scene)
{
	const struct misbehaviour_state *state = scene->state;

	return peer_gets_answer(scene, &state->peers[0], "cmpctblock",
				compact_block(scene, state->block, true, 1), "getblocktxn");
}

static void
leave_out(struct scene *scene, const char *causes)
{
	if (scene_ok(scene))
		expect_detail(
			scene->expect, TP_NET_MISBEHAVING_CONNECTION,
			"the node did not ask for what was missing in a 'cmpctblock' of a peer of high bandwidth; not tried: %s",
			causes);
}

/* The node asks for the transaction that it lacks, and gets none or a wrong one. */
static void
misbehave_in_compact_blocks(struct scene *scene)
{
	static const char no_match[] = "invalid compact block/non-matching block transactions";
	static const char second[] = "previous compact block reconstruction attempt failed";
	const struct misbehaviour_state *state = scene->state;
	const struct block *block = state->block;

	misbehave(scene, 0, "cmpctblock", compact_block(scene, block, false, 0), "invalid compact block");
	if (asks_for_transaction(scene))
		misbehave(scene, 0, "blocktxn", block_transactions(scene, block, 0), no_match);
	else
		leave_out(scene, no_match);
	if (asks_for_transaction(scene) && peer_gets_answer(scene, &state->peers[0], "blocktxn",
							    block_transactions(scene, block, 1), "getdata"))
		misbehave(scene, 0, "blocktxn", block_transactions(scene, block, 1), second);
	else
		leave_out(scene, second);
}

static void
misbehave_in_blocks(struct scene *scene)
{
	static const uint8_t too_long[SCRIPT_SIG_MAX + 1];
	const struct misbehaviour_state *state = scene->state;
	struct block mutated = *state->block; /* shares the transactions */
	struct block *bad = misbehaviour_other_block(scene);

	mutated.merkle_root_wire[7] ^= 1;
	misbehave(scene, 0, "block", message_block(scene, &mutated), "mutated block");
	/* A block that breaks a rule: the reason is empty. */
	block_add_output(bad, 1, script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
	tx_set_script_sig(&bad->txs[0].inputs[0], too_long, sizeof(too_long));
	blocks_finish(scene, bad);
	misbehave(scene, 0, "block", message_block(scene, bad), "");
	/* And one that follows a block that nobody has. */
	memset(bad->draft.prev_hash_wire, 0x5a, sizeof(bad->draft.prev_hash_wire));
	blocks_finish(scene, bad);
	misbehave(scene, 0, "block", message_block(scene, bad), "");
	misbehave(scene, 0, "getblocktxn",
		  message_block_tx_request(scene, state->block->draft.prev_hash_wire, 5000),
		  "getblocktxn with out-of-bounds tx indices");
}

static void
misbehave_in_filters(struct scene *scene)
{
	/* One byte of filter, 51 functions where 50 are allowed. */
	static const uint8_t filter[] = {1, 0xff, 51, 0, 0, 0, 7, 0, 0, 0, 0};
	static const uint8_t compact[9] = {2, 2};

	misbehave(scene, 0, "filterload", message_bytes(scene, filter, sizeof(filter)),
		  "too-large bloom filter");
	/* There is no filter to add to. */
	misbehave(scene, 0, "filteradd", message_bytes(scene, "\3abc", 4), "bad filteradd message");
	/* Neither yes nor no; since v32. */
	misbehave(scene, 0, "sendcmpct", message_bytes(scene, compact, sizeof(compact)),
		  "invalid sendcmpct announce field");
}

static void
reasons_prepare(struct scene *scene)
{
	struct misbehaviour_state *state = scene->state;

	misbehaviour_begin(scene);
	peer_join(scene, &state->peers[0], PEER_NOBAN_ADDRESS, NULL);
	become_high_bandwidth(scene);
	peers_begin(scene);
	peers_learn(scene, state->peers, 1);
	peers_mark(state->peers, 1);
	misbehaviour_log(scene);
}

static void
reasons_act(struct scene *scene)
{
	misbehave_in_lists(scene);
	misbehave_in_headers(scene);
	misbehave_in_compact_blocks(scene);
	misbehave_in_blocks(scene);
	misbehave_in_filters(scene);
}

/* Each message of the peer, followed by what the node thought of it. */
static void
reasons_expect(struct scene *scene)
{
	struct misbehaviour_state *state = scene->state;
	const struct peer *peer = &state->peers[0];

	misbehaviour_read_log(scene);
	for (size_t i = peer->mark; i < peer_message_cnt(peer); i++) {
		struct p2p_message message = p2p_at(peer->p2p, i);

		if (message.direction == P2P_SENT)
			peer_expect_message(scene, peer, &message);
		if (state->compared < state->done_cnt && state->done[state->compared].at == i)
			misbehaviour_expect_next(scene);
	}
	misbehaviour_end(scene, state->done_cnt - UNNOTICED_MOST);
}

MISBEHAVIOUR_SCENARIO(reasons,
	.summary = "a peer with the permission noban misbehaves in every known way, each reported right after the message that caused it",
	.tracepoints = TP_BIT(TP_NET_MISBEHAVING_CONNECTION) | TP_BIT(TP_NET_INBOUND_MESSAGE),
	.prepare = reasons_prepare,
	.act = reasons_act,
	.expect = reasons_expect,
);
