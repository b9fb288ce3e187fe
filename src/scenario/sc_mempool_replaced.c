/* mempool:replaced. All four tracepoints are judged in one order: for what a transaction or package takes the place
 * of, first replaced for each, then removed for each with the reason "replaced", then added for the new. */
#include "scenario/registry.h"
#include "scene/pool.h"

#include <errno.h>
#include <string.h>

enum { OLD_MAX = 3 };

struct state {
	struct pool pool;
	struct pool_tx *old[OLD_MAX]; /* each a little younger than the one before */
	size_t old_cnt;
	struct pool_tx *by[2];
	size_t by_cnt;
};

/* Sends the old ones, each at another time; the replacement will come still later. */
static int
send_old(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = 0;

	for (size_t i = 0; i < state->old_cnt && !code; i++)
		code = pool_send_at(scene, state->old[i], POOL_TIME + 7 + 1000 * i, diag);
	return code ? code : pool_set_time(scene, POOL_TIME + 54321, diag);
}

/* What the replacement must show, sent alone or as a package. */
static void
expect_replacement(struct scene *scene, struct pool_tx *const *old, size_t old_cnt, struct pool_tx *const *by,
		   size_t by_cnt)
{
	struct pool_tx *gone[OLD_MAX];

	memcpy(gone, old, old_cnt * sizeof(*gone));
	pool_sort(gone, old_cnt);
	for (size_t i = 0; i < old_cnt; i++)
		expect_replaced(scene, gone[i], by, by_cnt);
	for (size_t i = 0; i < old_cnt; i++)
		expect_removed(scene, gone[i], "replaced");
	for (size_t i = 0; i < by_cnt; i++)
		expect_added(scene, by[i]);
}

static int
send_replacement(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return pool_send(scene, state->by[0], diag);
}

static int
replacement_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	expect_replacement(scene, state->old, state->old_cnt, state->by, state->by_cnt);
	return pool_clear(scene, diag);
}

/* one: one by one, all sizes and fees above 16 and 32 bits */

static int
one_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_coin coin;
	int code = blocks_take_coin(scene, &coin, diag);

	if (code)
		return code;
	state->old[0] = pool_new(scene, "the replaced transaction");
	pool_spend(state->old[0], &coin);
	pool_pay(state->old[0], POOL_WIDE_OUTPUTS, (INT64_C(1) << 32) + 1111111);
	state->by[0] = pool_rival(scene, "the replacement", state->old, 1, POOL_WIDE_OUTPUTS + 100,
				  (INT64_C(1) << 32) + 322222222);
	state->old_cnt = state->by_cnt = 1;
	return send_old(scene, diag);
}

#define one_act    send_replacement
#define one_expect replacement_expect
POOL_SCENARIO(
	replaced, TP_MEMPOOL_REPLACED, one,
	"one by one, then out, then in: both ids, sizes above 16 and fees above 32 bits, and when the old one had come");

/* several: one transaction takes the place of two, and of a child of one of them */

static int
several_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->old[0], "the first replaced transaction", 1, 2, 1111, diag);

	if (!code)
		code = pool_make(scene, &state->old[1], "the second replaced transaction", 1, 4, 2223, diag);
	if (code)
		return code;
	state->by[0] = pool_rival(scene, "the replacement of both", state->old, 2, 5, 777777);
	state->old[2] = pool_child(scene, "the child of the second one", state->old[1], 3, 6, 3334);
	state->old_cnt = 3;
	state->by_cnt = 1;
	return send_old(scene, diag);
}

#define several_act    send_replacement
#define several_expect replacement_expect
POOL_SCENARIO(
	replaced, TP_MEMPOOL_REPLACED, several,
	"one transaction takes the place of two and a child: once for each, with the same of the replacement");

/* tried: a replacement that is only tried replaces nothing, nor does one that turns out to be wrong */

static int
tried_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->old[0], "the replaced transaction", 1, 5, 8888, diag);

	if (code)
		return code;
	state->by[0] = pool_rival(scene, "the replacement", state->old, 1, 1, 99999);
	state->by[1] = pool_rival(scene, "the wrong replacement", state->old, 1, 3, 55555);
	pool_set_witness(state->by[1], "\x56", 1);
	state->old_cnt = state->by_cnt = 1;
	return send_old(scene, diag);
}

static int
tried_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_try(scene, &state->by[0], 1, true, diag);

	if (!code)
		code = pool_send_refused(scene, state->by[1], diag);
	return code ? code : send_replacement(scene, diag);
}

static int
tried_expect(struct scene *scene, struct diag *diag)
{
	expect_rejected(scene, ((struct state *)scene->state)->by[1], NULL);
	return replacement_expect(scene, diag);
}

POOL_SCENARIO(replaced, TP_MEMPOOL_REPLACED, tried,
	      "a replacement that is only tried is not told, nor one that is refused; one that is sent is");

/* prioritised: the old one's fee is its own, the replacement's is not */

static int
prioritised_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->old[0], "the prioritised replaced transaction", 1, 3, 4321, diag);

	if (code)
		return code;
	state->by[0] = pool_rival(scene, "the prioritised replacement", state->old, 1, 4, 1234);
	pool_add_multisig(state->old[0], 2, 50005);
	pool_add_multisig(state->by[0], 3, 40004);
	state->old_cnt = state->by_cnt = 1;
	code = pool_prioritise(scene, state->old[0], 10007, diag);
	if (!code)
		code = pool_prioritise(scene, state->by[0], 1000003, diag);
	return code ? code : send_old(scene, diag);
}

#define prioritised_act    send_replacement
#define prioritised_expect replacement_expect
POOL_SCENARIO(
	replaced, TP_MEMPOOL_REPLACED, prioritised,
	"prioritised transactions: the replaced one's fee is its own, the replacement's has what was put on it");

/* sibling: a transaction of version 3 takes the place of its parent's other child, with which it shares no coin */

static int
sibling_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *parent;

	if (node_version(scene->node) < 280000)
		return scenario_skip(diag, "before v28 no transaction takes the place of its sibling");
	int code = pool_make(scene, &parent, "the parent of both", 1, 3, 1500, diag);
	if (code)
		return code;
	parent->tx.version = 3;
	state->old[0] = pool_child(scene, "the first child", parent, 1, 1, 2500);
	state->old[0]->tx.version = 3;
	state->by[0] = pool_child(scene, "the second child", parent, 2, 2, 45000);
	state->by[0]->tx.version = 3;
	state->old_cnt = state->by_cnt = 1;
	code = pool_send(scene, parent, diag);
	return code ? code : send_old(scene, diag);
}

#define sibling_act    send_replacement
#define sibling_expect replacement_expect
POOL_SCENARIO(replaced, TP_MEMPOOL_REPLACED, sibling,
	      "a transaction of version 3 takes the place of its parent's other child");

/* package: a parent that cannot pay for itself takes the place of what its child pays for. Two of them, so that the
 * order in which the package's ids are hashed shows: as numbers in one the child's is the lesser, in the other the
 * parent's, which as bytes is the lesser in both. */

struct packages {
	struct pool pool;
	struct pool_tx *old[2], *first[2], *second[2];
};

static int
compare_backwards(const uint8_t left[32], const uint8_t right[32])
{
	for (int i = 31; i >= 0; i--)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

/* Changes the child until its wtxid comes behind the parent's as bytes, and before or behind it as a number. */
static void
arrange_package(struct pool_tx *const package[2], bool child_less)
{
	uint8_t parent_wire[32], child_wire[32];

	tx_wtxid(&package[0]->tx, parent_wire);
	package[1]->tx.inputs[0].sequence = 1u << 31; /* from here on no lock time */
	do {
		package[1]->tx.inputs[0].sequence++;
		tx_wtxid(&package[1]->tx, child_wire);
	} while (memcmp(child_wire, parent_wire, 32) < 0 ||
		 (compare_backwards(child_wire, parent_wire) < 0) != child_less);
}

static int
package_prepare(struct scene *scene, struct diag *diag)
{
	struct packages *state = scene->state;

	if (node_version(scene->node) < 290000)
		return scenario_skip(diag, "before v29 the tracepoint does not know packages");
	int code = pool_make(scene, &state->old[0], "the first replaced transaction", 1, 2, 1212, diag);
	if (!code)
		code = pool_make(scene, &state->old[1], "the second replaced transaction", 1, 4, 2323, diag);
	if (code)
		return code;
	state->first[0] = pool_rival(scene, "the first package's parent", &state->old[0], 1, 3, 0);
	state->first[1] =
		pool_child(scene, "the first package's child", state->first[0], 2, 5, (INT64_C(1) << 20) + 3);
	state->second[0] = pool_rival(scene, "the second package's parent", &state->old[1], 1, 6, 5);
	state->second[1] = pool_child(scene, "the second package's child", state->second[0], 5, 7,
				      (INT64_C(1) << 21) + 5);
	pool_let_child_pay(scene, state->first[0], state->first[1]);
	pool_let_child_pay(scene, state->second[0], state->second[1]);
	arrange_package(state->first, true);
	arrange_package(state->second, false);
	code = pool_prioritise(scene, state->second[1], 70001, diag);
	if (!code)
		code = pool_send_at(scene, state->old[0], POOL_TIME + 9, diag);
	if (!code)
		code = pool_send_at(scene, state->old[1], POOL_TIME + 99, diag);
	return code ? code : pool_set_time(scene, POOL_TIME + 12345, diag);
}

static int
package_act(struct scene *scene, struct diag *diag)
{
	struct packages *state = scene->state;
	int code = pool_submit_package(scene, state->first, 2, true, diag);

	return code ? code : pool_submit_package(scene, state->second, 2, true, diag);
}

static int
package_expect(struct scene *scene, struct diag *diag)
{
	struct packages *state = scene->state;

	expect_replacement(scene, &state->old[0], 1, state->first, 2);
	expect_replacement(scene, &state->old[1], 1, state->second, 2);
	return pool_clear(scene, diag);
}

const struct scenario sc_mempool_replaced_package = {
	.name = "mempool.replaced.package",
	.summary = "a package takes a transaction's place: the package's hash, the sum of sizes and fees",
	.subject = TP_MEMPOOL_REPLACED,
	.tracepoints = POOL_TRACEPOINTS,
	.profile = &profile_default,
	.state_sz = sizeof(struct packages),
	.prepare = package_prepare,
	.act = package_act,
	.expect = package_expect,
	.clean = pool_clean,
};

/* member: in a package whose parent pays for itself, it is the parent alone that takes the place */

static int
member_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->old[0], "the replaced transaction", 1, 5, 6543, diag);

	if (code)
		return code;
	state->by[0] = pool_rival(scene, "the parent, which pays for itself", state->old, 1, 2, 76543);
	state->by[1] = pool_child(scene, "its child", state->by[0], 1, 3, 8765);
	state->old_cnt = state->by_cnt = 1;
	return send_old(scene, diag);
}

static int
member_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return pool_submit_package(scene, state->by, 2, true, diag);
}

static int
member_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	expect_replacement(scene, state->old, 1, state->by, 1);
	expect_added(scene, state->by[1]);
	return pool_clear(scene, diag);
}

POOL_SCENARIO(replaced, TP_MEMPOOL_REPLACED, member,
	      "in a package whose parent pays for itself the parent alone takes the place, told by its id");
