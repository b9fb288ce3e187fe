/* mempool:removed, for each reason but "replaced", which comes with mempool:replaced and stands there. */
#include "base/buf.h"
#include "base/xmem.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct state {
	struct pool pool;
	struct pool_tx *a, *b, *c, *d, *e;
	char hash[65];
};

/* Which of those that go for one cause goes first is not promised. */
static void
begin_removed_lane(struct scene *scene)
{
	static const struct lane_select removed = {.tracepoints = TP_BIT(TP_MEMPOOL_REMOVED)};

	expect_lane(scene->expect, "removed", LANE_ANY_ORDER, &removed);
}

/* block: a block has c, which is in the mempool, then one that is not, then a, then its child b; d stays */

static int
block_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_coin coin;
	int code = pool_make(scene, &state->a, "a transaction without a fee, prioritised", 1, 2, 0, diag);

	if (!code)
		code = blocks_take_coin(scene, &coin, diag);
	if (code)
		return code;
	state->b = pool_child(scene, "its child", state->a, 1, 3, 22222);
	state->c = pool_new(scene, "a transaction whose fee is above 32 bits");
	pool_spend(state->c, &coin);
	pool_pay(state->c, 7, (INT64_C(1) << 32) + 7654321);
	code = pool_make(scene, &state->d, "a transaction that stays", 2, 1, 44444, diag);
	if (!code)
		code = pool_make(scene, &state->e, "a transaction that the mempool does not have", 1, 5,
				 55555, diag);
	if (!code)
		code = pool_prioritise(scene, state->a, 66666, diag);
	if (!code)
		code = pool_send_at(scene, state->a, POOL_TIME, diag);
	if (!code)
		code = pool_send(scene, state->d, diag);
	if (!code)
		code = pool_send_at(scene, state->b, POOL_TIME + 17, diag);
	if (!code)
		code = pool_send_at(scene, state->c, POOL_TIME + 31, diag);
	return code ? code : pool_set_time(scene, 0, diag);
}

static int
block_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *txs[] = {state->c, state->e, state->a, state->b};

	return pool_mine(scene, txs, 4, state->hash, diag);
}

static int
block_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct json *block = NULL;
	int code = blocks_get(scene, state->hash, &block, diag);

	if (!code)
		code = expect_block_connected(scene, block, diag);
	json_free(block);
	if (code)
		return code;
	expect_removed(scene, state->c, "block");
	expect_removed(scene, state->a, "block");
	expect_removed(scene, state->b, "block");
	return pool_clear(scene, diag);
}

const struct scenario sc_mempool_removed_block = {
	.name = "mempool.removed.block",
	.summary =
		"a block's transactions leave after it was connected, in its order, each with its own fee, size and time; nothing is told of one that was not there, and of one that stays",
	.subject = TP_MEMPOOL_REMOVED,
	.tracepoints = POOL_TRACEPOINTS | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = block_prepare,
	.act = block_act,
	.expect = block_expect,
	.clean = pool_clean,
};

/* conflict: a block has a transaction that spends what a and c spent; a's child b goes with it; d is in the block */

static int
conflict_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "a transaction whose coin is spent", 1, 2, 1357, diag);

	if (!code)
		code = pool_make(scene, &state->c, "another one whose coin is spent", 1, 4, 2468, diag);
	if (!code)
		code = pool_make(scene, &state->d, "a transaction of the block", 2, 3, 3579, diag);
	if (code)
		return code;
	pool_add_multisig(state->d, 2, 30003);
	state->b = pool_child(scene, "the child of the first one", state->a, 1, 5, 4680);
	struct pool_tx *both[] = {state->a, state->c};
	state->e = pool_rival(scene, "the transaction that spends them", both, 2, 1, 5791);
	code = pool_prioritise(scene, state->c, 1234567, diag);
	if (!code)
		code = pool_send_at(scene, state->a, POOL_TIME + 1, diag);
	if (!code)
		code = pool_send_at(scene, state->b, POOL_TIME + 100, diag);
	if (!code)
		code = pool_send_at(scene, state->c, POOL_TIME + 1000, diag);
	if (!code)
		code = pool_send_at(scene, state->d, POOL_TIME + 10000, diag);
	return code ? code : pool_set_time(scene, 0, diag);
}

static int
conflict_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *txs[] = {state->e, state->d};

	return pool_mine(scene, txs, 2, state->hash, diag);
}

static int
conflict_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	(void)diag;
	begin_removed_lane(scene);
	expect_removed(scene, state->a, "conflict");
	expect_removed(scene, state->b, "conflict");
	expect_removed(scene, state->c, "conflict");
	expect_removed(scene, state->d, "block");
	return 0;
}

POOL_SCENARIO(
	removed, TP_MEMPOOL_REMOVED, conflict,
	"a block spends what two transactions spent: both go, and a child of one of them; the block's own leaves as that");

/* expiry: after two weeks a goes, and its child b, though it is younger; c stays, d is the one that brings it about */

enum { EXPIRY_S = 336 * 3600 };

static int
expiry_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_make(scene, &state->a, "an old transaction", 2, 3, 8642, diag);

	if (!code)
		code = pool_make(scene, &state->c, "a transaction that is not that old", 1, 2, 9753, diag);
	if (!code)
		code = pool_make(scene, &state->d, "the one that comes after two weeks", 3, 5, 864200, diag);
	if (code)
		return code;
	state->b = pool_child(scene, "the child of the old one", state->a, 2, 6, 7531);
	code = pool_prioritise(scene, state->b, 12321, diag);
	if (!code)
		code = pool_send_at(scene, state->a, POOL_TIME + 5, diag);
	if (!code)
		code = pool_send_at(scene, state->b, POOL_TIME + 5555, diag);
	if (!code)
		code = pool_send_at(scene, state->c, POOL_TIME + 5556, diag);
	return code ? code : pool_set_time(scene, POOL_TIME + EXPIRY_S + 4000, diag);
}

static int
expiry_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return pool_send(scene, state->d, diag);
}

static int
expiry_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *gone[] = {state->a, state->b};

	expect_added(scene, state->d);
	pool_sort(gone, 2);
	expect_removed(scene, gone[0], "expiry");
	expect_removed(scene, gone[1], "expiry");
	return pool_clear(scene, diag);
}

POOL_SCENARIO(
	removed, TP_MEMPOOL_REMOVED, expiry,
	"what is older than two weeks goes when another comes, and its younger child with it; one that is younger stays");

/* reorg: the tip is taken back. a spends a coinbase that is too young then, b is its child, c may only be mined in the
 * block after that tip; d was in the tip and comes back, with e, its child, nothing happens */

static int
reorg_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct chain_coin coin;
	struct chain_tip tip;
	int code = pool_make(scene, &state->c, "a transaction for the block after the tip", 1, 2, 6789, diag);

	if (!code)
		code = pool_make(scene, &state->d, "the transaction of the tip", 1, 3, 7890, diag);
	if (!code)
		code = pool_mine(scene, &state->d, 1, state->hash, diag);
	if (!code)
		code = chain_tip(scene->node, scene->deadline, &tip, diag);
	if (!code)
		code = chain_coinbase(scene->node, scene->deadline, tip.height + 1 - COINBASE_MATURITY, &coin,
				      diag);
	if (code)
		return code;
	state->a = pool_new(scene, "a transaction that spends a coinbase of age 100");
	pool_spend(state->a, &coin);
	pool_pay(state->a, 4, 8901);
	state->b = pool_child(scene, "its child", state->a, 3, 5, 9012);
	state->e = pool_child(scene, "the child of the tip's transaction", state->d, 2, 6, 5678);
	state->c->tx.lock_time = tip.height;
	code = pool_prioritise(scene, state->a, -4321, diag);
	if (!code)
		code = pool_send_at(scene, state->a, POOL_TIME + 2, diag);
	if (!code)
		code = pool_send_at(scene, state->b, POOL_TIME + 30, diag);
	if (!code)
		code = pool_send_at(scene, state->c, POOL_TIME + 400, diag);
	if (!code)
		code = pool_send(scene, state->e, diag);
	/* Not back to now, or they would go for their age. */
	return code ? code : pool_set_time(scene, POOL_TIME + 5000, diag);
}

static int
invalidate(struct scene *scene, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, NULL, diag, "invalidateblock", "[\"%s\"]",
			 ((struct state *)scene->state)->hash);
}

static int
reorg_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	expect_added(scene, state->d);
	begin_removed_lane(scene);
	expect_removed(scene, state->a, "reorg");
	expect_removed(scene, state->b, "reorg");
	expect_removed(scene, state->c, "reorg");
	return pool_clear(scene, diag);
}

#define reorg_act invalidate
POOL_SCENARIO(
	removed, TP_MEMPOOL_REMOVED, reorg,
	"the tip is taken back: a transaction that spends a coinbase that is too young then goes, with its child, and one whose time has not come");

/* imported: transactions of a file keep their entry times, be they of more than 32 bits: b is replaced by c, then a
 * block takes a and c */

#define IMPORTED_TIME ((UINT64_C(5) << 32) + 1234567890)
#define IMPORTED_FILE "imported.dat"

static void
add_number(struct buf *file, uint64_t n)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(n >> (8 * i));
	buf_add(file, bytes, sizeof(bytes));
}

/* The format of mempool.dat (src/node/mempool_persist.cpp), version 1. */
static int
write_mempool(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, struct diag *diag)
{
	struct buf file;

	buf_init(&file, 1 << 20);
	add_number(&file, 1);
	add_number(&file, cnt);
	for (size_t i = 0; i < cnt; i++) {
		tx_serialize(&ptxs[i]->tx, true, &file);
		add_number(&file, ptxs[i]->entry_time);
		add_number(&file, (uint64_t)ptxs[i]->delta_sat);
	}
	buf_add(&file, "\0\0", 2); /* no other fees, nothing to be broadcast */
	int code = node_write_file(scene->node, IMPORTED_FILE, file.data, file.len, diag);
	buf_fini(&file);
	return code;
}

static int
imported_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	if (node_version(scene->node) < 260000)
		return scenario_skip(diag, "before v26 there is no importmempool");
	int code = pool_make(scene, &state->a, "an imported transaction", 1, 5, 5454, diag);
	if (!code)
		code = pool_make(scene, &state->b, "an imported transaction that is replaced", 1, 3, 6565,
				 diag);
	if (code)
		return code;
	state->c = pool_rival(scene, "its replacement", &state->b, 1, 2, 76767);
	struct pool_tx *imported[] = {state->a, state->b};
	state->a->entry_time = IMPORTED_TIME;
	state->b->entry_time = IMPORTED_TIME + (UINT64_C(1) << 32) + 7;
	state->a->delta_sat = 777;
	code = write_mempool(scene, imported, 2, diag);
	return code ? code : pool_set_time(scene, POOL_TIME + 9, diag);
}

static int
imported_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *block[] = {state->a, state->c};
	char *path = xasprintf("%s/%s", node_datadir(scene->node), IMPORTED_FILE), *quoted = json_quote(path);
	int code =
		node_call(scene->node, scene->deadline, NULL, diag, "importmempool",
			  "[%s, {\"use_current_time\": false, \"apply_fee_delta_priority\": true}]", quoted);

	free(path);
	free(quoted);
	if (!code)
		code = pool_send(scene, state->c, diag);
	if (!code)
		code = pool_set_time(scene, 0, diag);
	return code ? code : pool_mine(scene, block, 2, NULL, diag);
}

static int
imported_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	(void)diag;
	expect_added(scene, state->a);
	expect_added(scene, state->b);
	expect_replaced(scene, state->b, &state->c, 1);
	expect_removed(scene, state->b, "replaced");
	expect_added(scene, state->c);
	expect_removed(scene, state->a, "block");
	expect_removed(scene, state->c, "block");
	return 0;
}

POOL_SCENARIO(removed, TP_MEMPOOL_REMOVED, imported,
	      "transactions from a file, with entry times above 32 bits, are replaced and mined");

/* sizelimit: with a mempool of 5 MB, d takes the room of c, and of a and b, which are worth less; e is worth less than
 * d and has to go at once. For hours afterwards the node wants higher fees: it comes last on its node. */

/* Empty items of a witness: each takes one byte in the transaction, and 24 in memory. The coin they spend is one that
 * anyone can spend with any witness (P2A, since v28), if transactions need not be standard. */
enum { ANCHOR_ITEMS = 120000, ANCHORS = 3, ANCHOR_SAT = 500000000, FLOOD_COINS = 3 };

static void
make_large(struct scene *scene, struct pool_tx **ptx, const char *name, const struct pool_tx *coins,
	   uint32_t idx, unsigned outputs, int64_t fee_sat)
{
	struct chain_coin coin = tx_coin(&coins->tx, idx);

	*ptx = pool_new(scene, name);
	pool_spend(*ptx, &coin);
	for (int i = 0; i < ANCHOR_ITEMS; i++)
		tx_add_witness(&(*ptx)->tx.inputs[0], NULL, 0);
	pool_pay(*ptx, outputs, fee_sat);
}

static int
sizelimit_prepare(struct scene *scene, struct diag *diag)
{
	static const uint8_t anchor[] = {SCRIPT_OP_1, 2, 0x4e, 0x73};
	struct state *state = scene->state;
	struct chain_coin coin;
	struct chain_tip tip;

	if (node_version(scene->node) < 280000)
		return scenario_skip(diag, "before v28 there is no cheap way to fill a mempool of 5 MB");
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);
	/* Not one of the first, whose blocks may be pruned. */
	if (!code)
		code = chain_coinbase(scene->node, scene->deadline, tip.height + 1 - COINBASE_MATURITY, &coin,
				      diag);
	if (code)
		return code;
	struct pool_tx *coins = pool_new(scene, "the coins");
	pool_spend(coins, &coin);
	for (int i = 0; i < ANCHORS; i++)
		tx_add_output(&coins->tx, ANCHOR_SAT + i, anchor, sizeof(anchor));
	pool_pay(coins, 2, 100000);
	state->a = pool_child(scene, "the cheapest transaction", coins, ANCHORS + 1, 3, 333);
	state->b = pool_child(scene, "its child", state->a, 2, 2, 444);
	make_large(scene, &state->c, "the cheapest large transaction", coins, 0, 2, 123456);
	make_large(scene, &state->d, "the large transaction that is worth most", coins, 1, 3, 987654);
	make_large(scene, &state->e, "the large transaction that there is no room for", coins, 2, 4, 456789);
	code = pool_mine(scene, &coins, 1, NULL, diag);
	if (!code)
		code = pool_send_at(scene, state->a, POOL_TIME + 3, diag);
	if (!code)
		code = pool_send_at(scene, state->b, POOL_TIME + 44, diag);
	if (!code)
		code = pool_send_at(scene, state->c, POOL_TIME + 555, diag);
	return code ? code : pool_set_time(scene, POOL_TIME + 6666, diag);
}

static int
sizelimit_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = pool_send(scene, state->d, diag);

	state->e->entry_time = state->pool.now;
	return code ? code : pool_send_refused(scene, state->e, diag);
}

static int
sizelimit_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct pool_tx *gone[] = {state->a, state->b};

	expect_added(scene, state->d);
	pool_sort(gone, 2);
	expect_removed(scene, gone[0], "sizelimit");
	expect_removed(scene, gone[1], "sizelimit");
	expect_removed(scene, state->c, "sizelimit");
	expect_added(scene, state->e);
	expect_removed(scene, state->e, "sizelimit");
	expect_rejected(scene, state->e, "mempool full");
	/* A small block that spends the large one's coin takes less time than one that has it. */
	struct pool_tx *block = pool_rival(scene, "what empties the mempool", &state->d, 1, 1, 1000);
	pool_set_witness(block, "", 0);
	int code = pool_set_time(scene, 0, diag);
	return code ? code : pool_mine(scene, &block, 1, NULL, diag);
}

const struct scenario sc_mempool_removed_sizelimit = {
	.name = "mempool.removed.sizelimit",
	.summary =
		"a full mempool: the cheapest ones go when one that is worth more comes, with their children; one that is not worth enough comes, goes and is refused",
	.subject = TP_MEMPOOL_REMOVED,
	.tracepoints = POOL_TRACEPOINTS,
	.profile = &profile_narrow,
	.state_sz = sizeof(struct state),
	.prepare = sizelimit_prepare,
	.act = sizelimit_act,
	.expect = sizelimit_expect,
	.clean = pool_clean,
};
