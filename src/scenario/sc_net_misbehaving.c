/* net:misbehaving_connection, by which peers misbehave, and what is not misbehaviour. */
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/messages.h"
#include "scene/misbehaviour.h"

/* peers: all but the manual one are disconnected */

enum { WELL_BEHAVED, BY_ADDRESSES, BY_FILTER, MANUAL, FULL_RELAY, PEERS_CNT };

static void
peers_prepare(struct scene *scene)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS};
	struct misbehaviour_state *state = scene->state;

	state->block = blocks_begin(scene, 0);
	blocks_finish(scene, state->block);
	misbehaviour_begin(scene);
	peers_raise_ids(scene);
	for (size_t i = 0; i <= BY_FILTER; i++)
		peer_join(scene, &state->peers[i], i == BY_ADDRESSES ? "127.1.2.3" : NULL, NULL);
	for (size_t i = MANUAL; i < PEERS_CNT; i++) {
		peer_call_in(scene, &state->peers[i], i == MANUAL ? "manual" : "outbound-full-relay",
			     &state->peers[WELL_BEHAVED]);
		peer_greet(scene, &state->peers[i], &version);
	}
	peers_learn(scene, state->peers, PEERS_CNT);
	misbehaviour_log(scene);
}

/* A block whose coinbase pays too much. The node finds out when it tries to connect the block, and remembers it. An
 * outbound peer is then blamed for its header as well, an inbound one is not. */
static void
offer_invalid_block(struct scene *scene)
{
	struct misbehaviour_state *state = scene->state;
	struct peer *innocent = &state->peers[WELL_BEHAVED];
	struct block *block = misbehaviour_other_block(scene);

	block_add_output(block, block_regtest_subsidy_sat(block->draft.height) + 1, script_p2wsh_op_true,
			 SCRIPT_P2WSH_SZ);
	blocks_finish(scene, block);
	misbehave(scene, MANUAL, "block", message_block(scene, block), "");
	peer_send_buf(scene, innocent, "headers", message_header(scene, block));
	peer_sync(scene, innocent);
	misbehave(scene, MANUAL, "headers", message_header(scene, block), "invalid header received");
}

static void
peers_act(struct scene *scene)
{
	/* No bytes of filter, 51 functions. */
	static const uint8_t filter[] = {0, 51, 0, 0, 0, 0, 0, 0, 0, 0};
	struct misbehaviour_state *state = scene->state;
	const struct block *twice[] = {state->block, state->block};

	misbehave(scene, MANUAL, "getblocktxn",
		  message_block_tx_request(scene, state->block->draft.prev_hash_wire, 5000),
		  "getblocktxn with out-of-bounds tx indices");
	misbehave_and_part(scene, BY_ADDRESSES, "addr", message_addresses(scene, 1002, false),
			   "addr message size = 1002", WELL_BEHAVED);
	misbehave_and_part(scene, FULL_RELAY, "headers", message_headers(scene, twice, 2),
			   "non-continuous headers sequence", WELL_BEHAVED);
	offer_invalid_block(scene);
	misbehave_and_part(scene, BY_FILTER, "filterload", message_bytes(scene, filter, sizeof(filter)),
			   "too-large bloom filter", WELL_BEHAVED);
	peer_sync(scene, &state->peers[WELL_BEHAVED]);
}

static void
peers_expect(struct scene *scene)
{
	misbehaviour_expect_all(scene, 4);
}

MISBEHAVIOUR_SCENARIO(peers,
	.summary = "four misbehaving peers (inbound, manual, full relay) are told apart by ids above 8 bits; a fifth that behaves fires nothing",
	.tracepoints = TP_BIT(TP_NET_MISBEHAVING_CONNECTION),
	.prepare = peers_prepare,
	.act = peers_act,
	.expect = peers_expect,
);

/* innocent */

static void
innocent_prepare(struct scene *scene)
{
	static const struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS, .relay = true};
	struct misbehaviour_state *state = scene->state;

	misbehaviour_begin(scene);
	/* From an address that is not disconnected even if the node takes this for misbehaviour. */
	peer_join(scene, &state->peers[0], PEER_NOBAN_ADDRESS, &version);
	peers_learn(scene, state->peers, 1);
	misbehaviour_log(scene);
}

/* A transaction that no block may have: it pays more than there will ever be. */
static struct buf *
invalid_transaction(struct scene *scene)
{
	static const uint8_t nowhere[32] = {0x5a};
	struct buf *payload = payload_new(scene);
	struct tx *tx = scene_tx(scene);

	tx_add_input(tx, nowhere, 3, TX_SEQUENCE_FINAL);
	tx_add_output(tx, INT64_C(2100000000000001), script_p2wsh_op_true, SCRIPT_P2WSH_SZ);
	tx_serialize(tx, true, payload);
	return payload;
}

static void
innocent_act(struct scene *scene)
{
	static const struct {
		const char *type, *payload;
		size_t size;
	} odd[] = {
		{"headers", "\0", 1},  /* none */
		{"inv", "cut off", 7}, /* it would be 99 items */
		{"pong", "unasked!", 8},
		{"version", "", 0}, /* for the second time */
		{"verack", "", 0},  /* likewise */
		{"misbehaving", "inv message size = 50001", 24},
	};
	struct misbehaviour_state *state = scene->state;
	struct peer *peer = &state->peers[0];

	peer_send_buf(scene, peer, "addr", message_addresses(scene, 1000, false));
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		peer_send(scene, peer, odd[i].type, odd[i].payload, odd[i].size);
	/* Misbehaviour up to v29. */
	misbehave(scene, 0, "tx", invalid_transaction(scene), "");
	/* One more than was allowed above. */
	misbehave(scene, 0, "addr", message_addresses(scene, 1001, false), "addr message size = 1001");
}

static void
innocent_expect(struct scene *scene)
{
	misbehaviour_expect_all(scene, 1);
}

MISBEHAVIOUR_SCENARIO(innocent,
	.summary = "1000 addresses, odd messages and an invalid transaction are not misbehaviour; 1001 addresses are",
	.tracepoints = TP_BIT(TP_NET_MISBEHAVING_CONNECTION),
	.prepare = innocent_prepare,
	.act = innocent_act,
	.expect = innocent_expect,
);
