/* mempool:replaced. Each scenario checks all four tracepoints of the mempool in one order: replaced for each old
 * transaction, then removed for each of them with the reason "replaced", then added for the replacement.
 *
 * Transactions differ in outputs and fees (the last two numbers), so no event can pass for another. */
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/coins.h"
#include "scene/pool.h"

#include <string.h>

enum { OLD_MAX = 3 };

struct state {
	struct pool_tx *old[OLD_MAX]; /* what is replaced */
	size_t old_cnt;
	struct pool_tx *replacement;
	struct pool_tx *wrong;                         /* a replacement that is rejected */
	struct pool_tx *package[2], *other_package[2]; /* a parent and its child */
};

/* Sends the old transactions at different times; the replacement comes later still. */
static void
send_old(struct scene *scene, size_t cnt)
{
	struct state *state = scene->state;

	state->old_cnt = cnt;
	for (size_t i = 0; i < cnt; i++)
		pool_send_at(scene, state->old[i], POOL_TIME + 7 + 1000 * i);
	scene_set_time(scene, POOL_TIME + 54321);
}

static void
send_replacement(struct scene *scene)
{
	struct state *state = scene->state;

	pool_send(scene, state->replacement);
}

static void
expect_replacement(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_replacement(scene, state->old, state->old_cnt, &state->replacement, 1);
	pool_clear(scene);
}

/* one: one transaction replaces another; all sizes and fees are above 16 and 32 bits */

static void
one_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->old[0] = pool_spender(scene, "the replaced transaction", coins_take(scene), POOL_WIDE_OUTPUTS,
				     POOL_WIDE_FEE_SAT + 1111111);
	state->replacement = pool_rival(scene, "the replacement", state->old, 1, POOL_WIDE_OUTPUTS + 100,
					POOL_WIDE_FEE_SAT + 322222222);
	send_old(scene, 1);
}

POOL_SCENARIO(replaced, one,
	.summary = "one transaction replaces another: sizes above 16 bits, fees above 32 bits",
	.subject = TP_MEMPOOL_REPLACED,
	.prepare = one_prepare,
	.act = send_replacement,
	.expect = expect_replacement,
);

/* several: one transaction replaces two others and a child of one of them */

static void
several_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->old[0] = pool_make(scene, "the first replaced transaction", 1, 2, 1111);
	state->old[1] = pool_make(scene, "the second replaced transaction", 1, 4, 2223);
	state->old[2] = pool_child(scene, "the child of the second one", state->old[1], 3, 6, 3334);
	state->replacement = pool_rival(scene, "the replacement of both", state->old, 2, 5, 777777);
	send_old(scene, 3);
}

POOL_SCENARIO(replaced, several,
	.summary = "one transaction replaces two others and a child: one event for each",
	.subject = TP_MEMPOOL_REPLACED,
	.prepare = several_prepare,
	.act = send_replacement,
	.expect = expect_replacement,
);

/* tried: a replacement that is only tried replaces nothing, nor does one that is rejected */

static void
tried_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->old[0] = pool_make(scene, "the replaced transaction", 1, 5, 8888);
	state->replacement = pool_rival(scene, "the replacement", state->old, 1, 1, 99999);
	state->wrong = pool_rival(scene, "the wrong replacement", state->old, 1, 3, 55555);
	pool_set_witness(state->wrong, "\x56", 1);
	send_old(scene, 1);
	pool_foresee(scene, state->wrong);
}

static void
tried_act(struct scene *scene)
{
	struct state *state = scene->state;

	pool_try(scene, &state->replacement, 1, true);
	pool_send_refused(scene, state->wrong);
	send_replacement(scene);
}

static void
tried_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_rejected(scene, state->wrong, NULL);
	expect_replacement(scene);
}

POOL_SCENARIO(replaced, tried,
	.summary = "a replacement that is only tried or rejected replaces nothing; one that is sent does",
	.subject = TP_MEMPOOL_REPLACED,
	.prepare = tried_prepare,
	.act = tried_act,
	.expect = tried_expect,
);

/* prioritised: the fee of the replaced transaction is its own, that of the replacement includes what was added */

static void
prioritised_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->old[0] = pool_make(scene, "the prioritised replaced transaction", 1, 3, 4321);
	state->replacement = pool_rival(scene, "the prioritised replacement", state->old, 1, 4, 1234);
	pool_add_multisig(state->old[0], 2, 50005);
	pool_add_multisig(state->replacement, 3, 40004);
	pool_prioritise(scene, state->old[0], 10007);
	pool_prioritise(scene, state->replacement, 1000003);
	send_old(scene, 1);
}

POOL_SCENARIO(replaced, prioritised,
	.summary = "prioritised transactions: the replacement's fee includes the delta, the replaced one's does not",
	.subject = TP_MEMPOOL_REPLACED,
	.prepare = prioritised_prepare,
	.act = send_replacement,
	.expect = expect_replacement,
);

/* sibling: a transaction of version 3 replaces its parent's other child */

static void
sibling_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	scene_require(scene, ABILITY_SIBLING_EVICTION);
	struct pool_tx *parent = pool_make(scene, "the parent of both", 1, 3, 1500);
	parent->tx.version = 3;
	state->old[0] = pool_child(scene, "the first child", parent, 1, 1, 2500);
	state->old[0]->tx.version = 3;
	state->replacement = pool_child(scene, "the second child", parent, 2, 2, 45000);
	state->replacement->tx.version = 3;
	pool_send(scene, parent);
	send_old(scene, 1);
}

POOL_SCENARIO(replaced, sibling,
	.summary = "a transaction of version 3 replaces its parent's other child, with which it shares no coin",
	.subject = TP_MEMPOOL_REPLACED,
	.prepare = sibling_prepare,
	.act = send_replacement,
	.expect = expect_replacement,
);

/* package: a parent that does not pay enough replaces a transaction, because its child pays for both. A package's hash
 * is that of its wtxids, which are sorted as numbers. Two packages rule out every other order: the parent's wtxid is
 * the greater number in the first package and the lesser one in the second; by its bytes it comes first in both. */

/* Lets the child pay, and changes it until the wtxids are in that order. */
static void
arrange_package(struct scene *scene, struct pool_tx *const package[2], bool parent_greater)
{
	uint8_t parent_wire[32], child_wire[32];

	pool_let_child_pay(scene, package[0], package[1]);
	tx_wtxid(&package[0]->tx, parent_wire);
	package[1]->tx.inputs[0].sequence = 1u << 31; /* from here on it is not a relative lock time */
	do {
		package[1]->tx.inputs[0].sequence++;
		tx_wtxid(&package[1]->tx, child_wire);
	} while (memcmp(parent_wire, child_wire, 32) > 0 ||
		 (pool_compare_hashes(parent_wire, child_wire) > 0) != parent_greater);
}

static void
package_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	scene_require(scene, ABILITY_REPLACED_PACKAGES);
	state->old[0] = pool_make(scene, "the first replaced transaction", 1, 2, 1212);
	state->old[1] = pool_make(scene, "the second replaced transaction", 1, 4, 2323);

	struct pool_tx **package = state->package;
	package[0] = pool_rival(scene, "the first package's parent", &state->old[0], 1, 3, 0);
	package[1] = pool_child(scene, "the first package's child", package[0], 2, 5, (1 << 20) + 3);
	arrange_package(scene, package, true);

	package = state->other_package;
	package[0] = pool_rival(scene, "the second package's parent", &state->old[1], 1, 6, 5);
	package[1] = pool_child(scene, "the second package's child", package[0], 5, 7, (1 << 21) + 5);
	arrange_package(scene, package, false);

	pool_prioritise(scene, package[1], 70001);
	send_old(scene, 2);
}

static void
package_act(struct scene *scene)
{
	struct state *state = scene->state;

	pool_submit_package(scene, state->package, 2, true);
	pool_submit_package(scene, state->other_package, 2, true);
}

static void
package_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_replacement(scene, &state->old[0], 1, state->package, 2);
	pool_expect_replacement(scene, &state->old[1], 1, state->other_package, 2);
	pool_clear(scene);
}

POOL_SCENARIO(replaced, package,
	.summary = "a package replaces a transaction: the package's hash, its total size and fee",
	.subject = TP_MEMPOOL_REPLACED,
	.prepare = package_prepare,
	.act = package_act,
	.expect = package_expect,
);

/* member: the parent of a package pays for itself, and therefore replaces as a single transaction */

static void
member_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->old[0] = pool_make(scene, "the replaced transaction", 1, 5, 6543);
	state->package[0] = pool_rival(scene, "the parent, which pays for itself", state->old, 1, 2, 76543);
	state->package[1] = pool_child(scene, "its child", state->package[0], 1, 3, 8765);
	send_old(scene, 1);
}

static void
member_act(struct scene *scene)
{
	struct state *state = scene->state;

	pool_submit_package(scene, state->package, 2, true);
}

static void
member_expect(struct scene *scene)
{
	struct state *state = scene->state;

	pool_expect_replacement(scene, state->old, 1, &state->package[0], 1);
	pool_expect_added(scene, state->package[1]);
	pool_clear(scene);
}

POOL_SCENARIO(replaced, member,
	.summary = "a parent that pays for itself replaces on its own, although it was sent in a package",
	.subject = TP_MEMPOOL_REPLACED,
	.prepare = member_prepare,
	.act = member_act,
	.expect = member_expect,
);
