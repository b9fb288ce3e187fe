/* mempool:rejected, with the reason that RPC gives for the same transaction. The details that RPC adds behind a comma
 * are not part of it. */
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/pool.h"

enum { REFUSED_MAX = 7 };

struct state {
	struct refused {
		struct pool_tx *ptx;
		const char *known; /* see pool_expect_rejected */
	} refused[REFUSED_MAX];    /* in the order in which they are rejected */
	size_t refused_cnt;
	struct pool_tx *in_mempool, *in_block;
	struct pool_tx *returning, *child;
	char hash[65]; /* of a block */
};

/* Makes this transaction the next one to be rejected, and returns it. */
static struct pool_tx *
refuse(struct scene *scene, struct pool_tx *ptx, const char *known)
{
	struct state *state = scene->state;

	state->refused[state->refused_cnt++] = (struct refused){ptx, known};
	return ptx;
}

/* The same for a new one with a coin of its own, which is good until something about it is changed. */
static struct pool_tx *
make_refused(struct scene *scene, const char *name, const char *known, unsigned outputs, int64_t fee_sat)
{
	return refuse(scene, pool_make(scene, name, 1, outputs, fee_sat), known);
}

/* The end of prepare. */
static void
foresee_all(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->refused_cnt; i++)
		pool_foresee(scene, state->refused[i].ptx);
}

static void
send_refused(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->refused_cnt; i++)
		pool_send_refused(scene, state->refused[i].ptx);
}

static void
expect_each_rejected(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->refused_cnt; i++)
		pool_expect_rejected(scene, state->refused[i].ptx, state->refused[i].known);
}

static void
expect_refused(struct scene *scene)
{
	expect_each_rejected(scene);
	pool_clear(scene);
}

/* rpc: by sendrawtransaction */

static void
rpc_prepare(struct scene *scene)
{
	struct pool_tx *ptx;

	make_refused(scene, "a transaction without a fee", "min relay fee not met", 1, 0);
	ptx = make_refused(scene, "a transaction of an unknown version", "version", 2, 2222);
	ptx->tx.version = 77;
	ptx = make_refused(scene, "a transaction whose coin does not exist", "bad-txns-inputs-missingorspent",
			   3, 3333);
	ptx->tx.inputs[0].prev_txid_wire[0] ^= 1;
	make_refused(scene, "a transaction that pays more than it has", "bad-txns-in-belowout", 4, -4444);
	ptx = make_refused(scene, "a transaction locked until a far height", "non-final", 5, 5555);
	ptx->tx.lock_time = 400000000;
	ptx = make_refused(scene, "a transaction with a wrong witness", NULL, 6, 6666);
	pool_set_witness(ptx, "\x52", 1);

	struct pool_tx *better = pool_make(scene, "a transaction that is not replaced", 1, 1, 99999);
	ptx = pool_rival(scene, "a transaction that pays too little to replace it", &better, 1, 7, 88888);
	refuse(scene, ptx, "insufficient fee");
	pool_send(scene, better);
	foresee_all(scene);
}

POOL_SCENARIO(rejected, rpc,
	.summary = "sendrawtransaction rejects transactions for seven reasons, with details or without",
	.subject = TP_MEMPOOL_REJECTED,
	.prepare = rpc_prepare,
	.act = send_refused,
	.expect = expect_refused,
);

/* tried: by testmempoolaccept, one at a time */

/* Rejected because the node has one just like it. */
static void
refuse_known(struct scene *scene)
{
	struct state *state = scene->state;

	state->in_mempool = pool_make(scene, "a transaction that is in the mempool", 1, 2, 11112);
	state->in_block = pool_make(scene, "a transaction that is in a block", 1, 3, 22223);
	struct pool_tx *twin = pool_rival(scene, "a transaction that is there with another witness",
					  &state->in_mempool, 1, 2, 11112);
	tx_add_witness(&twin->tx.inputs[0], "\x51", 1);
	refuse(scene, state->in_mempool, "txn-already-in-mempool");
	refuse(scene, state->in_block, "txn-already-known");
	refuse(scene, twin, "txn-same-nonwitness-data-in-mempool");
}

static void
refuse_coinbase(struct scene *scene)
{
	struct pool_tx *ptx = refuse(scene, pool_new(scene, "a coinbase"), "coinbase");

	tx_add_input(&ptx->tx, (const uint8_t[32]){0}, UINT32_MAX, TX_SEQUENCE_FINAL);
	tx_set_script_sig(&ptx->tx.inputs[0], "\x02\x01\x01", 3);
	tx_add_witness(&ptx->tx.inputs[0], (const uint8_t[32]){0}, 32);
	blocks_pay(&ptx->tx, 12345678);
}

static void
refuse_odd_outputs(struct scene *scene)
{
	static const uint8_t odd[] = {SCRIPT_OP_1, SCRIPT_OP_1};
	struct pool_tx *ptx = make_refused(scene, "a transaction with two outputs of dust", "dust", 4, 44445);

	ptx->tx.outputs[0].value_sat = 1;
	ptx->tx.outputs[1].value_sat = 2;
	ptx = make_refused(scene, "a transaction with an odd script", "scriptpubkey", 5, 55556);
	tx_add_output(&ptx->tx, 1234, odd, sizeof(odd));
}

static void
tried_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	refuse_known(scene);
	refuse_coinbase(scene);
	refuse_odd_outputs(scene);
	pool_mine(scene, &state->in_block, 1, NULL);
	pool_send(scene, state->in_mempool);

	struct chain_coin coin = pool_coinbase(scene, blocks_tip(scene).height);
	refuse(scene, pool_spender(scene, "a transaction that spends a new coinbase", coin, 6, 66667),
	       "bad-txns-premature-spend-of-coinbase");
}

static void
tried_act(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->refused_cnt; i++)
		pool_try(scene, &state->refused[i].ptx, 1, false);
}

POOL_SCENARIO(rejected, tried,
	.summary = "testmempoolaccept rejects transactions, one at a time, for seven reasons",
	.subject = TP_MEMPOOL_REJECTED,
	.prepare = tried_prepare,
	.act = tried_act,
	.expect = expect_refused,
);

/* longest: no reason is longer than that of a script that ends with false */

static void
longest_prepare(struct scene *scene)
{
	static const uint8_t op_0[] = {SCRIPT_OP_0};
	struct pool_tx *funding =
		pool_make(scene, "a transaction with a coin that nobody can spend", 1, 1, 20202);
	struct buf *script = scene_buf(scene, SCRIPT_P2WSH_SZ);

	script_add_p2wsh(script, op_0, sizeof(op_0));
	tx_add_output(&funding->tx, 10101, script->data, script->len);
	struct pool_tx *spender = pool_child(scene, "a transaction that tries to", funding, 1, 1, 5050);
	pool_set_witness(spender, op_0, sizeof(op_0));
	refuse(scene, spender, NULL);
	pool_send(scene, funding);
	foresee_all(scene);
}

POOL_SCENARIO(rejected, longest,
	.summary = "a transaction is rejected for the longest of all reasons",
	.subject = TP_MEMPOOL_REJECTED,
	.prepare = longest_prepare,
	.act = send_refused,
	.expect = expect_refused,
);

/* cluster: a parent and a child that are too large together */

static void
cluster_prepare(struct scene *scene)
{
	enum { PARENT_OUTPUTS = 1700, CHILD_OUTPUTS = 900 };
	struct pool_tx *parent = pool_make(scene, "a large transaction", 3, PARENT_OUTPUTS, 171717);
	struct pool_tx *child = pool_child(scene, "its child, which is too large", parent, PARENT_OUTPUTS - 1,
					   CHILD_OUTPUTS, 818181);

	refuse(scene, child, NULL);
	pool_send(scene, parent);
	foresee_all(scene);
}

POOL_SCENARIO(rejected, cluster,
	.summary = "a child that would make its parent's cluster too large is rejected",
	.subject = TP_MEMPOOL_REJECTED,
	.prepare = cluster_prepare,
	.act = send_refused,
	.expect = expect_refused,
);

/* reorg: the tip is disconnected. Of its transactions, returning comes back, in_block does not, as it has an unknown
 * version; child, which spends it, goes */

static void
reorg_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->returning = pool_make(scene, "a transaction that comes back", 1, 4, 1414);
	state->in_block = make_refused(scene, "a transaction that only blocks may have", "version", 3, 2525);
	state->in_block->tx.version = 88;
	state->child = pool_child(scene, "its child", state->in_block, 2, 2, 3636);
	struct pool_tx *tip[] = {state->returning, state->in_block};
	pool_mine(scene, tip, 2, state->hash);
	pool_send_at(scene, state->child, POOL_TIME + 8);
	scene_set_time(scene, POOL_TIME + 88);
}

static void
reorg_act(struct scene *scene)
{
	struct state *state = scene->state;

	scene_call(scene, "invalidateblock", "[\"%s\"]", state->hash);
}

static void
reorg_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_try(scene, &state->in_block, 1, false);
	pool_expect_added(scene, state->returning);
	expect_each_rejected(scene);
	pool_expect_removed(scene, state->child, "reorg");
	pool_clear(scene);
}

POOL_SCENARIO(rejected, reorg,
	.summary = "the tip is disconnected: what may not come back is rejected, and its child removed",
	.subject = TP_MEMPOOL_REJECTED,
	.prepare = reorg_prepare,
	.act = reorg_act,
	.expect = reorg_expect,
);

/* quiet: the reason why a package is rejected is not reported, nor is anything that is not tried at all; the same
 * transaction on its own is */

static void
quiet_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->in_mempool = pool_make(scene, "a transaction that is in the mempool", 1, 2, 21212);
	state->in_block = pool_make(scene, "a transaction that is in a block", 1, 3, 32323);
	struct pool_tx *wrong = make_refused(scene, "a transaction with a wrong witness", NULL, 4, 43434);
	state->child = pool_child(scene, "its child", wrong, 3, 1, 54545);
	pool_set_witness(wrong, "\x53", 1);
	pool_mine(scene, &state->in_block, 1, NULL);
	pool_send(scene, state->in_mempool);
}

static void
quiet_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct pool_tx *package[] = {state->refused[0].ptx, state->child};

	pool_submit_package(scene, package, 2, false);
	pool_try(scene, package, 2, false);
	/* Neither is tried, since it is there already. */
	pool_send(scene, state->in_mempool);
	pool_send_refused(scene, state->in_block);
	pool_try(scene, package, 1, false);
}

POOL_SCENARIO(rejected, quiet,
	.summary = "rejected packages and duplicates fire nothing; the same transaction on its own does",
	.subject = TP_MEMPOOL_REJECTED,
	.prepare = quiet_prepare,
	.act = quiet_act,
	.expect = expect_refused,
);
