/* mempool:added and mempool:rejected for transactions that a peer sends. */
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/payload.h"
#include "scene/peers.h"
#include "scene/pool.h"

#include <string.h>

struct state {
	struct peer *peer;
	struct pool_tx *good, *bad_version, *bad_witness, *no_fee;
	struct pool_tx *parent, *child, *other_parent, *bad_child;
};

/* From an address, or NULL. */
static void
join_from(struct scene *scene, const char *from)
{
	static const struct p2p_version version = {
		.services = P2P_WITNESS, .relay = true, .wtxid_relay = true};
	struct state *state = scene->state;

	state->peer = peers_new(scene, 1);
	peers_begin(scene);
	peer_join(scene, state->peer, from, &version);
}

/* Up to v29 a peer is disconnected for a transaction that no block may have. */
static void
join_unpunished(struct scene *scene)
{
	join_from(scene, PEER_NOBAN_ADDRESS);
}

/* Returns once the node has dealt with it, and with what waited for it. */
static void
relay(struct scene *scene, const struct pool_tx *ptx)
{
	struct state *state = scene->state;
	struct buf *payload = payload_new(scene);

	tx_serialize(&ptx->tx, true, payload);
	peer_send_buf(scene, state->peer, "tx", payload);
	peer_sync(scene, state->peer);
}

static void
leave(struct scene *scene)
{
	struct state *state = scene->state;

	peers_leave(scene, state->peer, 1);
	pool_clear(scene);
}

/* A transaction that has to wait for its parent is reported as rejected, with a reason that RPC does not give. */
static void
expect_orphan(struct scene *scene, struct pool_tx *ptx)
{
	ptx->reason[0] = '\0';
	pool_expect_rejected(scene, ptx, "bad-txns-inputs-missingorspent");
}

/* added.p2p: a good transaction comes, then a child, which waits for its parent, then the parent */

static void
added_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->good = pool_make(scene, "a peer's transaction", 2, 5, 7373);
	state->parent = pool_make(scene, "a peer's second transaction", 1, 3, 8484);
	state->child = pool_child(scene, "its child, which came before", state->parent, 2, 4, 9595);
	join_from(scene, NULL);
}

static void
added_act(struct scene *scene)
{
	struct state *state = scene->state;

	relay(scene, state->good);
	relay(scene, state->child);
	relay(scene, state->parent);
	/* It is there already, and is not tried again. */
	relay(scene, state->good);
}

static void
added_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_added(scene, state->good);
	expect_orphan(scene, state->child);
	pool_expect_added(scene, state->parent);
	pool_expect_added(scene, state->child);
	leave(scene);
}

POOL_SCENARIO(added, p2p,
	.summary = "transactions from a peer, one of them before its parent",
	.subject = TP_MEMPOOL_ADDED,
	.prepare = added_prepare,
	.act = added_act,
	.expect = added_expect,
);

/* rejected.p2p: three are rejected, each once, although one of them comes twice */

static void
rejected_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->bad_version = pool_make(scene, "a peer's transaction of an unknown version", 1, 3, 6262);
	state->bad_witness = pool_make(scene, "a peer's transaction with a wrong witness", 1, 2, 5151);
	state->no_fee = pool_make(scene, "a peer's transaction without a fee", 1, 4, 0);
	state->good = pool_make(scene, "a peer's good transaction", 2, 1, 4040);
	state->bad_version->tx.version = 66;
	pool_set_witness(state->bad_witness, "\x54", 1);
	join_unpunished(scene);
}

static void
rejected_act(struct scene *scene)
{
	struct state *state = scene->state;

	relay(scene, state->bad_version);
	relay(scene, state->good);
	relay(scene, state->bad_witness);
	relay(scene, state->bad_version);
	relay(scene, state->no_fee);
}

static void
rejected_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_try(scene, &state->bad_version, 1, false);
	pool_try(scene, &state->bad_witness, 1, false);
	pool_try(scene, &state->no_fee, 1, false);
	pool_expect_rejected(scene, state->bad_version, "version");
	pool_expect_added(scene, state->good);
	pool_expect_rejected(scene, state->bad_witness, NULL);
	pool_expect_rejected(scene, state->no_fee, "min relay fee not met");
	leave(scene);
}

POOL_SCENARIO(rejected, p2p,
	.summary = "a peer's transactions are rejected; one that comes a second time fires nothing",
	.subject = TP_MEMPOOL_REJECTED,
	.prepare = rejected_prepare,
	.act = rejected_act,
	.expect = rejected_expect,
);

/* rejected.p2p_package: children wait for their parents, each of which is rejected for its fee when it comes; then both
 * are tried together. Only what this adds is reported: child pays for parent; bad_child would pay for
 * other_parent, but is invalid itself */

static void
package_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	scene_require(scene, ABILITY_PEER_PACKAGES);
	state->parent = pool_make(scene, "a parent without a fee", 1, 2, 0);
	state->other_parent = pool_make(scene, "another parent without a fee", 1, 3, 0);
	state->child = pool_child(scene, "the child that pays for it", state->parent, 1, 4, 121212);
	state->bad_child =
		pool_child(scene, "the child with a wrong witness", state->other_parent, 2, 5, 343434);
	pool_let_child_pay(scene, state->parent, state->child);
	pool_let_child_pay(scene, state->other_parent, state->bad_child);
	pool_set_witness(state->bad_child, "\x55", 1);
	join_unpunished(scene);
}

static void
package_act(struct scene *scene)
{
	struct state *state = scene->state;

	relay(scene, state->bad_child);
	relay(scene, state->other_parent);
	relay(scene, state->child);
	relay(scene, state->parent);
}

static void
package_expect(struct scene *scene)
{
	struct state *state = scene->state;

	/* parent is in the mempool now, so RPC would give another reason. */
	pool_try(scene, &state->other_parent, 1, false);
	memcpy(state->parent->reason, state->other_parent->reason, sizeof(state->parent->reason));
	expect_orphan(scene, state->bad_child);
	pool_expect_rejected(scene, state->other_parent, "min relay fee not met");
	expect_orphan(scene, state->child);
	pool_expect_rejected(scene, state->parent, "min relay fee not met");
	pool_expect_added(scene, state->parent);
	pool_expect_added(scene, state->child);
	leave(scene);
}

POOL_SCENARIO(rejected, p2p_package,
	.summary = "a peer's parents are rejected on their own; the rejection of a package fires nothing",
	.subject = TP_MEMPOOL_REJECTED,
	.prepare = package_prepare,
	.act = package_act,
	.expect = package_expect,
);
