/* mempool:rejected, with the reason that RPC gives for the same transaction. It tells no more than the reason: RPC adds
 * details behind a comma. */
#include "base/buf.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSED_MAX = 10 };

struct state {
	struct pool pool;
	struct refused {
		struct pool_tx *ptx;
		const char *known; /* see expect_rejected */
	} refused[REFUSED_MAX];
	size_t refused_cnt;
	struct pool_tx *a, *b, *c;
	char hash[65];
};

/* The next one to be refused, which it returns. */
static struct pool_tx *
refuse(struct scene *scene, struct pool_tx *ptx, const char *known)
{
	struct state *state = scene->state;

	state->refused[state->refused_cnt++] = (struct refused){ptx, known};
	return ptx;
}

static void
expect_refused(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = 0; i < state->refused_cnt; i++)
		expect_rejected(scene, state->refused[i].ptx, state->refused[i].known);
}

/* A transaction with a coin of its own and a fee that suffices, to be spoilt. */
static int
make_refused(struct scene *scene, struct pool_tx **ptx, const char *name, const char *known, unsigned outputs,
	     int64_t fee_sat, struct diag *diag)
{
	int code = pool_make(scene, ptx, name, 1, outputs, fee_sat, diag);

	refuse(scene, *ptx, known);
	return code;
}

/* rpc: sendrawtransaction */

static int
rpc_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *ptx;
	int code =
		make_refused(scene, &ptx, "a transaction without a fee", "min relay fee not met", 1, 0, diag);

	if (!code)
		code = make_refused(scene, &ptx, "a transaction of an unknown version", "version", 2, 2222,
				    diag);
	if (!code)
		ptx->tx.version = 77;
	if (!code)
		code = make_refused(scene, &ptx, "a transaction whose coin is not there",
				    "bad-txns-inputs-missingorspent", 3, 3333, diag);
	if (!code)
		ptx->tx.inputs[0].prev_txid_wire[0] ^= 1;
	if (!code)
		code = make_refused(scene, &ptx, "a transaction that pays more than it has",
				    "bad-txns-in-belowout", 4, -4444, diag);
	if (!code)
		code = make_refused(scene, &ptx, "a transaction of a far height", "non-final", 5, 5555, diag);
	if (!code)
		ptx->tx.lock_time = 400000000;
	if (!code)
		code = make_refused(scene, &ptx, "a transaction with a wrong witness", NULL, 6, 6666, diag);
	if (code)
		return code;
	pool_set_witness(ptx, "\x52", 1);
	code = pool_make(scene, &state->a, "a transaction that is not replaced", 1, 1, 99999, diag);
	if (code)
		return code;
	refuse(scene, pool_rival(scene, "a transaction that is not worth as much", &state->a, 1, 7, 88888),
	       "insufficient fee");
	return pool_send(scene, state->a, diag);
}

static int
rpc_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = 0;

	for (size_t i = 0; i < state->refused_cnt && !code; i++)
		code = pool_send_refused(scene, state->refused[i].ptx, diag);
	return code;
}

static int
rpc_expect(struct scene *scene, struct diag *diag)
{
	expect_refused(scene);
	return pool_clear(scene, diag);
}

POOL_SCENARIO(rejected, TP_MEMPOOL_REJECTED, rpc,
	      "transactions refused by sendrawtransaction for seven reasons, with details or without");

/* tried: testmempoolaccept of one transaction; a is in the mempool, b in a block */

static int
tried_prepare(struct scene *scene, struct diag *diag)
{
	static const uint8_t odd[] = {SCRIPT_OP_1, SCRIPT_OP_1};
	struct state *state = scene->state;
	struct chain_coin coin;
	struct chain_tip tip;
	struct pool_tx *ptx;
	int code = pool_make(scene, &state->a, "a transaction that is in the mempool", 1, 2, 11112, diag);

	if (!code)
		code = pool_make(scene, &state->b, "a transaction that is in a block", 1, 3, 22223, diag);
	if (!code)
		code = pool_mine(scene, &state->b, 1, NULL, diag);
	if (!code)
		code = pool_send(scene, state->a, diag);
	if (code)
		return code;
	refuse(scene, state->a, "txn-already-in-mempool");
	refuse(scene, state->b, "txn-already-known");
	ptx = refuse(
		scene,
		pool_rival(scene, "a transaction that is there with another witness", &state->a, 1, 2, 11112),
		"txn-same-nonwitness-data-in-mempool");
	tx_add_witness(&ptx->tx.inputs[0], "\x51", 1);

	ptx = refuse(scene, pool_new(scene, "a coinbase"), "coinbase");
	tx_add_input(&ptx->tx, (const uint8_t[32]){0}, UINT32_MAX, TX_SEQUENCE_FINAL);
	tx_set_script_sig(&ptx->tx.inputs[0], "\x02\x01\x01", 3);
	tx_add_witness(&ptx->tx.inputs[0], (const uint8_t[32]){0}, 32);
	tx_pay(&ptx->tx, 12345678);

	code = make_refused(scene, &ptx, "a transaction with two outputs of dust", "dust", 4, 44445, diag);
	if (code)
		return code;
	ptx->tx.outputs[0].value_sat = 1;
	ptx->tx.outputs[1].value_sat = 2;
	code = make_refused(scene, &ptx, "a transaction with an odd script", "scriptpubkey", 5, 55556, diag);
	if (code)
		return code;
	tx_add_output(&ptx->tx, 1234, odd, sizeof(odd));

	code = chain_tip(scene->node, scene->deadline, &tip, diag);
	if (!code)
		code = chain_coinbase(scene->node, scene->deadline, tip.height, &coin, diag);
	if (code)
		return code;
	ptx = refuse(scene, pool_new(scene, "a transaction that spends a new coinbase"),
		     "bad-txns-premature-spend-of-coinbase");
	pool_spend(ptx, &coin);
	pool_pay(ptx, 6, 66667);
	return 0;
}

static int
tried_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = 0;

	for (size_t i = 0; i < state->refused_cnt && !code; i++)
		code = pool_try(scene, &state->refused[i].ptx, 1, false, diag);
	return code;
}

#define tried_expect rpc_expect
POOL_SCENARIO(rejected, TP_MEMPOOL_REJECTED, tried,
	      "transactions refused by testmempoolaccept, one at a time, for seven reasons");

/* longest: no reason is longer than that of a script that ends with false */

static int
longest_prepare(struct scene *scene, struct diag *diag)
{
	static const uint8_t op_0[] = {SCRIPT_OP_0};
	struct state *state = scene->state;
	struct buf script;
	int code = pool_make(scene, &state->a, "a transaction with a coin that nobody can spend", 1, 1, 20202,
			     diag);

	if (code)
		return code;
	buf_init(&script, SCRIPT_P2WSH_SZ);
	script_add_p2wsh(&script, op_0, sizeof(op_0));
	tx_add_output(&state->a->tx, 10101, script.data, script.len);
	buf_fini(&script);
	struct pool_tx *ptx =
		refuse(scene, pool_child(scene, "a transaction that tries to", state->a, 1, 1, 5050), NULL);
	pool_set_witness(ptx, op_0, sizeof(op_0));
	return pool_send(scene, state->a, diag);
}

#define longest_act    rpc_act
#define longest_expect rpc_expect
POOL_SCENARIO(rejected, TP_MEMPOOL_REJECTED, longest, "the longest reason");

/* cluster: a parent and a child that are too large together */

static int
cluster_prepare(struct scene *scene, struct diag *diag)
{
	enum { PARENT_OUTPUTS = 1700, CHILD_OUTPUTS = 900 };
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "a large transaction", 3, PARENT_OUTPUTS, 171717, diag);

	if (code)
		return code;
	refuse(scene,
	       pool_child(scene, "its child, which is too large", state->a, PARENT_OUTPUTS - 1, CHILD_OUTPUTS,
			  818181),
	       NULL);
	return pool_send(scene, state->a, diag);
}

#define cluster_act    rpc_act
#define cluster_expect rpc_expect
POOL_SCENARIO(rejected, TP_MEMPOOL_REJECTED, cluster, "a child that makes its parent's cluster too large");

/* reorg: the tip is taken back. a was in it and comes back, b is of an unknown version and does not; its child c
 * goes */

static int
reorg_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "a transaction that comes back", 1, 4, 1414, diag);

	if (!code)
		code = make_refused(scene, &state->b, "a transaction that blocks alone may have", "version",
				    3, 2525, diag);
	if (code)
		return code;
	state->b->tx.version = 88;
	state->c = pool_child(scene, "its child", state->b, 2, 2, 3636);
	struct pool_tx *tip[] = {state->a, state->b};
	code = pool_mine(scene, tip, 2, state->hash, diag);
	if (!code)
		code = pool_send_at(scene, state->c, POOL_TIME + 8, diag);
	return code ? code : pool_set_time(scene, POOL_TIME + 88, diag);
}

static int
reorg_act(struct scene *scene, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, NULL, diag, "invalidateblock", "[\"%s\"]",
			 ((struct state *)scene->state)->hash);
}

static int
reorg_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_try(scene, &state->b, 1, false, diag);

	if (code)
		return code;
	expect_added(scene, state->a);
	expect_refused(scene);
	expect_removed(scene, state->c, "reorg");
	return pool_clear(scene, diag);
}

POOL_SCENARIO(rejected, TP_MEMPOOL_REJECTED, reorg,
	      "the tip is taken back: what may not come back is refused, and its child goes");

/* quiet: what a package is refused for is not told, nor what is not tried at all; alone it is */

static int
quiet_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "a transaction that is in the mempool", 1, 2, 21212, diag);

	if (!code)
		code = pool_make(scene, &state->c, "a transaction that is in a block", 1, 3, 32323, diag);
	if (!code)
		code = make_refused(scene, &state->b, "a transaction with a wrong witness", NULL, 4, 43434,
				    diag);
	if (!code)
		code = pool_mine(scene, &state->c, 1, NULL, diag);
	if (code)
		return code;
	pool_set_witness(state->b, "\x53", 1);
	return pool_send(scene, state->a, diag);
}

static int
quiet_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *package[] = {state->b, pool_child(scene, "its child", state->b, 3, 1, 54545)};
	int code = pool_submit_package(scene, package, 2, false, diag);

	if (!code)
		code = pool_try(scene, package, 2, false, diag);
	/* Neither is tried, as it is there already. */
	if (!code)
		code = pool_send(scene, state->a, diag);
	if (!code)
		code = pool_send_refused(scene, state->c, diag);
	return code ? code : pool_try(scene, &state->b, 1, false, diag);
}

#define quiet_expect rpc_expect
POOL_SCENARIO(rejected, TP_MEMPOOL_REJECTED, quiet,
	      "what a package is refused for is not told, nor what is there already; the same alone is");
