/* mempool:added, by each way into the mempool. All four tracepoints of the mempool are judged in one order, so that
 * each scenario also shows what does not fire. */
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct state {
	struct pool pool;
	struct pool_tx *a, *b, *c, *d;
};

/* sizes: a virtual size is neither weight nor bytes, and may come from signature operations */

static int
sizes_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_coin coin;
	int code = pool_make(scene, &state->a, "a transaction of two inputs", 2, 3, 4567, diag);

	if (!code)
		code = blocks_take_coin(scene, &coin, diag);
	if (code)
		return code;
	state->b = pool_new(scene, "a transaction whose size and fee are above 16 and 32 bits");
	pool_spend(state->b, &coin);
	pool_pay(state->b, POOL_WIDE_OUTPUTS, (INT64_C(1) << 32) + 1234567);
	code = pool_make(scene, &state->c, "a transaction with many signature operations", 1, 1, 30303, diag);
	if (code)
		return code;
	pool_add_multisig(state->c, 0, 20001);
	pool_add_multisig(state->c, 0, 20002);
	pool_add_bare(state->a, 2, 1000000);
	state->d = pool_new(scene, "a transaction without a witness");
	coin = tx_coin(&state->a->tx, 3);
	pool_spend_bare(state->d, &coin);
	pool_pay(state->d, 4, 6543);
	return 0;
}

static int
send_three(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_send(scene, state->a, diag);

	if (!code)
		code = pool_send(scene, state->b, diag);
	return code ? code : pool_send(scene, state->c, diag);
}

static int
expect_three(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	expect_added(scene, state->a);
	expect_added(scene, state->b);
	expect_added(scene, state->c);
	return pool_clear(scene, diag);
}

static int
sizes_act(struct scene *scene, struct diag *diag)
{
	int code = send_three(scene, diag);

	return code ? code : pool_send(scene, ((struct state *)scene->state)->d, diag);
}

static int
sizes_expect(struct scene *scene, struct diag *diag)
{
	int code = expect_three(scene, diag);

	expect_added(scene, ((struct state *)scene->state)->d);
	return code;
}

POOL_SCENARIO(
	added, TP_MEMPOOL_ADDED, sizes,
	"transactions by RPC: virtual size beside weight and bytes, of more than 16 bits, of signature operations, without a witness; a fee of more than 32 bits");

/* prioritised: what prioritisetransaction puts on a fee is not told, be it more, less or all of it */

static int
prioritised_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "a transaction without a fee, prioritised", 1, 2, 0, diag);

	if (!code)
		code = pool_make(scene, &state->b, "a transaction prioritised downwards", 1, 4, 90000, diag);
	if (!code)
		code = pool_make(scene, &state->c, "a transaction prioritised by more than 32 bits", 3, 1,
				 2718, diag);
	if (!code)
		code = pool_prioritise(scene, state->a, 31415, diag);
	if (!code)
		code = pool_prioritise(scene, state->b, -40001, diag);
	return code ? code : pool_prioritise(scene, state->c, (INT64_C(1) << 32) + 77, diag);
}

/* What is in the mempool and is prioritised again is not added again. */
static int
prioritised_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = send_three(scene, diag);

	return code ? code : pool_prioritise(scene, state->b, 1234, diag);
}

#define prioritised_expect expect_three
POOL_SCENARIO(
	added, TP_MEMPOOL_ADDED, prioritised,
	"prioritised transactions, one of them without a fee: the fee is their own; prioritised again, nothing");

/* package: a parent without a fee and its child; two that could do without each other; one that is there already */

struct packages {
	struct pool pool;
	struct pool_tx *together[2], *alone[2], *late[2]; /* together: NULL where there is no such thing */
};

static int
package_prepare(struct scene *scene, struct diag *diag)
{
	struct packages *state = scene->state;
	int code = pool_make(scene, &state->alone[0], "a parent that pays for itself", 2, 5, 5151, diag);
	if (!code)
		code = pool_make(scene, &state->late[0], "a parent that was there before", 1, 6, 6161, diag);
	if (!code)
		code = pool_send(scene, state->late[0], diag);
	if (!code && pool_may_child_pay(scene))
		code = pool_make(scene, &state->together[0], "a parent that its child pays for", 1, 2, 0,
				 diag);
	if (code)
		return code;
	if (state->together[0]) {
		state->together[1] = pool_child(scene, "a child that pays for its parent", state->together[0],
						1, 3, 71717);
		pool_let_child_pay(scene, state->together[0], state->together[1]);
	}
	state->alone[1] =
		pool_child(scene, "the child of the one that pays for itself", state->alone[0], 4, 7, 8181);
	state->late[1] =
		pool_child(scene, "the child of the one that was there before", state->late[0], 5, 9, 9191);
	return 0;
}

static int
package_act(struct scene *scene, struct diag *diag)
{
	struct packages *state = scene->state;
	int code = state->together[0] ? pool_submit_package(scene, state->together, 2, true, diag) : 0;

	if (!code)
		code = pool_submit_package(scene, state->alone, 2, true, diag);
	return code ? code : pool_submit_package(scene, state->late, 2, true, diag);
}

static int
package_expect(struct scene *scene, struct diag *diag)
{
	struct packages *state = scene->state;

	for (size_t i = 0; i < 2 && state->together[0]; i++)
		expect_added(scene, state->together[i]);
	expect_added(scene, state->alone[0]);
	expect_added(scene, state->alone[1]);
	expect_added(scene, state->late[1]);
	return pool_clear(scene, diag);
}

const struct scenario sc_mempool_added_package = {
	.name = "mempool.added.package",
	.summary =
		"packages: the parent, then the child, each with its own fee; a parent that was there before is not told",
	.subject = TP_MEMPOOL_ADDED,
	.tracepoints = POOL_TRACEPOINTS,
	.profile = &profile_default,
	.state_sz = sizeof(struct packages),
	.prepare = package_prepare,
	.act = package_act,
	.expect = package_expect,
	.clean = pool_clean,
};

/* reorg: a branch takes the tip's place, and what only the old tip had comes back: a and its child b, but not c, which
 * the branch has as well; d is their child and was in the mempool all the time */

static int
reorg_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "a transaction of the old tip", 1, 4, 12345, diag);

	if (!code)
		code = pool_make(scene, &state->c, "a transaction of both branches", 1, 2, 23456, diag);
	if (code)
		return code;
	state->b = pool_child(scene, "its child, of the old tip as well", state->a, 3, 6, 34567);
	state->d = pool_child(scene, "their child in the mempool", state->b, 5, 1, 45678);
	struct pool_tx *old_tip[] = {state->c, state->a, state->b};
	code = blocks_begin(scene, &state->pool.block, 0, diag);
	if (!code) {
		block_add_tx(&state->pool.block, &state->c->tx);
		state->pool.block.draft.extra_nonce += 1000;
		code = block_finish(&state->pool.block, diag);
	}
	if (!code)
		code = pool_mine(scene, old_tip, 3, NULL, diag);
	if (!code)
		code = pool_send(scene, state->d, diag);
	return code ? code : pool_prioritise(scene, state->b, 1001, diag);
}

static int
reorg_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct block second;
	char *reason = NULL;
	int code = chain_submit(scene->node, scene->deadline, &state->pool.block, &reason, diag);

	if (!code && (!reason || strcmp(reason, "inconclusive")))
		code = diag_fail(diag, -EBADMSG,
				 "submitblock of a side branch: want 'inconclusive', got '%s'",
				 reason ? reason : "accepted");
	free(reason);
	if (code)
		return code;
	struct block_draft draft = blocks_next_draft(&state->pool.block);
	block_init(&second, &draft);
	block_add_output(&second, block_regtest_subsidy_sat(draft.height), script_p2wsh_op_true,
			 sizeof(script_p2wsh_op_true));
	code = blocks_submit(scene, &second, diag);
	block_fini(&second);
	return code;
}

static int
reorg_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	expect_added(scene, state->a);
	expect_added(scene, state->b);
	return pool_clear(scene, diag);
}

POOL_SCENARIO(
	added, TP_MEMPOOL_ADDED, reorg,
	"a branch takes the tip's place: what only the old tip had comes back, parent first, each with its own fee");

/* tried: trying a transaction adds nothing, nor does one that is there already */

static int
tried_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "a transaction", 1, 3, 3030, diag);

	if (!code)
		code = pool_make(scene, &state->b, "another one", 1, 5, 5050, diag);
	return code;
}

static int
tried_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *both[] = {state->b, state->a};
	int code = pool_try(scene, &state->a, 1, true, diag);

	if (!code)
		code = pool_try(scene, both, 2, true, diag);
	char *hex = tx_hex(&state->a->tx);
	/* With a limit on the fee it is tried first: above the limit, then below. */
	if (!code && node_call(scene->node, scene->deadline, NULL, diag, "sendrawtransaction",
			       "[\"%s\", 0.00000100]", hex) != -EREMOTEIO)
		code = diag_fail(diag, -EBADMSG,
				 "sendrawtransaction with a limit did not refuse a fee above it");
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "sendrawtransaction", "[\"%s\"]",
				 hex);
	free(hex);
	/* It is there already. */
	return code ? code : pool_send(scene, state->a, diag);
}

static int
tried_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	expect_added(scene, state->a);
	return pool_clear(scene, diag);
}

POOL_SCENARIO(
	added, TP_MEMPOOL_ADDED, tried,
	"transactions that are only tried, alone and together, are not told, nor is one that costs too much or is there already; one that is sent is told once");
