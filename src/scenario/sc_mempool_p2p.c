/* mempool:added and mempool:rejected of transactions that a peer sends. */
#include "base/buf.h"
#include "scenario/registry.h"
#include "scene/peers.h"
#include "scene/pool.h"

#include <string.h>

enum { TX_MAX = 1 << 20 };

struct state {
	struct pool pool;
	struct peer peer;
	struct pool_tx *a, *b, *c, *d;
};

static void
clean(struct scene *scene)
{
	struct state *state = scene->state;

	peers_fini(&state->peer, 1);
	pool_clean(scene);
}

static int
join_from(struct scene *scene, const char *from, struct diag *diag)
{
	static const struct p2p_version version = {
		.services = P2P_WITNESS, .relay = true, .wtxid_relay = true};
	struct state *state = scene->state;
	int code = peers_begin(scene, diag);

	return code ? code : peer_join(scene, &state->peer, from, &version, diag);
}

/* Up to v29 whoever sends a transaction that no block may have is sent away. */
static int
join_unpunished(struct scene *scene, struct diag *diag)
{
	return join_from(scene, PEER_NOBAN_ADDRESS, diag);
}

/* The node has dealt with it when the answer to a ping is here, and with what had waited for it. */
static int
relay(struct scene *scene, const struct pool_tx *ptx, struct diag *diag)
{
	struct state *state = scene->state;
	struct buf bytes;

	buf_init(&bytes, TX_MAX);
	tx_serialize(&ptx->tx, true, &bytes);
	int code = peer_send(scene, &state->peer, "tx", bytes.data, bytes.len, diag);
	buf_fini(&bytes);
	return code ? code : peer_sync(scene, &state->peer, diag);
}

static int
leave(struct scene *scene, struct diag *diag)
{
	int code = peers_leave(scene, &((struct state *)scene->state)->peer, 1, diag);

	return code ? code : pool_clear(scene, diag);
}

/* That a transaction waits for its parent is told as a refusal; RPC calls it otherwise. */
static void
expect_orphan(struct scene *scene, struct pool_tx *ptx)
{
	ptx->reason[0] = '\0';
	expect_rejected(scene, ptx, "bad-txns-inputs-missingorspent");
}

/* added.p2p: a comes, then c before its parent b, for which it waits */

static int
added_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "a peer's transaction", 2, 5, 7373, diag);

	if (!code)
		code = pool_make(scene, &state->b, "a peer's second transaction", 1, 3, 8484, diag);
	if (code)
		return code;
	state->c = pool_child(scene, "its child, which came before", state->b, 2, 4, 9595);
	return join_from(scene, NULL, diag);
}

static int
added_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = relay(scene, state->a, diag);

	if (!code)
		code = relay(scene, state->c, diag);
	if (!code)
		code = relay(scene, state->b, diag);
	/* It is there already, and not tried again. */
	return code ? code : relay(scene, state->a, diag);
}

static int
added_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	expect_added(scene, state->a);
	expect_orphan(scene, state->c);
	expect_added(scene, state->b);
	expect_added(scene, state->c);
	return leave(scene, diag);
}

const struct scenario sc_mempool_added_p2p = {
	.name = "mempool.added.p2p",
	.summary = "transactions that a peer sends, one of them before its parent",
	.subject = TP_MEMPOOL_ADDED,
	.tracepoints = POOL_TRACEPOINTS,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = added_prepare,
	.act = added_act,
	.expect = added_expect,
	.clean = clean,
};

/* rejected.p2p: refused for two reasons, once each, though one of them comes twice */

static int
rejected_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code =
		pool_make(scene, &state->a, "a peer's transaction of an unknown version", 1, 3, 6262, diag);

	if (!code)
		code = pool_make(scene, &state->b, "a peer's transaction with a wrong witness", 1, 2, 5151,
				 diag);
	if (!code)
		code = pool_make(scene, &state->c, "a peer's transaction without a fee", 1, 4, 0, diag);
	if (!code)
		code = pool_make(scene, &state->d, "a peer's good transaction", 2, 1, 4040, diag);
	if (code)
		return code;
	state->a->tx.version = 66;
	pool_set_witness(state->b, "\x54", 1);
	return join_unpunished(scene, diag);
}

static int
rejected_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *txs[] = {state->a, state->d, state->b, state->a, state->c};
	int code = 0;

	for (size_t i = 0; i < sizeof(txs) / sizeof(*txs) && !code; i++)
		code = relay(scene, txs[i], diag);
	return code;
}

static int
rejected_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_try(scene, &state->a, 1, false, diag);

	if (!code)
		code = pool_try(scene, &state->b, 1, false, diag);
	if (!code)
		code = pool_try(scene, &state->c, 1, false, diag);
	if (code)
		return code;
	expect_rejected(scene, state->a, "version");
	expect_added(scene, state->d);
	expect_rejected(scene, state->b, NULL);
	expect_rejected(scene, state->c, "min relay fee not met");
	return leave(scene, diag);
}

const struct scenario sc_mempool_rejected_p2p = {
	.name = "mempool.rejected.p2p",
	.summary =
		"transactions of a peer that are refused, and one that is not; what was refused before is not looked at again",
	.subject = TP_MEMPOOL_REJECTED,
	.tracepoints = POOL_TRACEPOINTS,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = rejected_prepare,
	.act = rejected_act,
	.expect = rejected_expect,
	.clean = clean,
};

/* rejected.p2p_package: a child waits for its parent, which alone is refused for its fee; then both are tried
 * together, of which nothing is told but what is added: b pays for a, d would for c, but is wrong itself */

static int
package_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	if (node_version(scene->node) < 280000)
		return scenario_skip(diag, "before v28 packages of peers are not tried");
	int code = pool_make(scene, &state->a, "a parent without a fee", 1, 2, 0, diag);
	if (!code)
		code = pool_make(scene, &state->c, "another parent without a fee", 1, 3, 0, diag);
	if (code)
		return code;
	state->b = pool_child(scene, "the child that pays for it", state->a, 1, 4, 121212);
	state->d = pool_child(scene, "the child with a wrong witness", state->c, 2, 5, 343434);
	pool_let_child_pay(scene, state->a, state->b);
	pool_let_child_pay(scene, state->c, state->d);
	pool_set_witness(state->d, "\x55", 1);
	return join_unpunished(scene, diag);
}

static int
package_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *txs[] = {state->d, state->c, state->b, state->a};
	int code = 0;

	for (size_t i = 0; i < sizeof(txs) / sizeof(*txs) && !code; i++)
		code = relay(scene, txs[i], diag);
	return code;
}

static int
package_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_try(scene, &state->c, 1, false, diag);

	if (code)
		return code;
	memcpy(state->a->reason, state->c->reason, sizeof(state->a->reason));
	expect_orphan(scene, state->d);
	expect_rejected(scene, state->c, "min relay fee not met");
	expect_orphan(scene, state->b);
	expect_rejected(scene, state->a, "min relay fee not met");
	expect_added(scene, state->a);
	expect_added(scene, state->b);
	return leave(scene, diag);
}

const struct scenario sc_mempool_rejected_p2p_package = {
	.name = "mempool.rejected.p2p_package",
	.summary =
		"a peer's parents are refused alone; that a package with one is refused as well is not told",
	.subject = TP_MEMPOOL_REJECTED,
	.tracepoints = POOL_TRACEPOINTS,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = package_prepare,
	.act = package_act,
	.expect = package_expect,
	.clean = clean,
};
