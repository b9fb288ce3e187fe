/* mempool:added for what bitcoind loads from its mempool.dat when it starts. */
#include "scenario/registry.h"
#include "scene/history.h"
#include "scene/pool.h"

#include <time.h>

enum { LOADED = 3, OLD_S = 300 * 3600 }; /* less than the 336 hours after which they expire */

struct state {
	struct pool_tx *loaded[LOADED];
	struct pool_tx *expired;
};

static void
loaded_prepare(struct scene *scene)
{
	struct state *state = scene->state;
	const int64_t now_s = time(NULL);

	state->loaded[0] = pool_spender(scene, "a loaded transaction", pool_coinbase(scene, 1), 4, 4321);
	state->loaded[1] = pool_child(scene, "its child", state->loaded[0], 3, 2, 8765);
	state->loaded[2] = pool_spender(scene, "a loaded transaction whose fee is above 32 bits",
					pool_coinbase(scene, 2), 3, POOL_WIDE_FEE_SAT + 7777);
	state->expired =
		pool_spender(scene, "a transaction that is too old", pool_coinbase(scene, 3), 1, 9999);
	pool_prioritise(scene, state->loaded[0], 1000001);
	pool_send_at(scene, state->loaded[0], (uint64_t)(now_s - OLD_S));
	pool_send_at(scene, state->loaded[1], (uint64_t)(now_s - OLD_S / 2));
	pool_send_at(scene, state->loaded[2], (uint64_t)now_s);
	/* After it, because each new transaction expires the old ones. */
	pool_send_at(scene, state->expired, (uint64_t)(now_s - 2 * OLD_S));
	scene_set_time(scene, 0);
	scene_call(scene, "savemempool", "[]");
	history_restart(scene, NULL);
}

/* The file has them in an order of the mempool's own: parents first. */
static void
loaded_expect(struct scene *scene)
{
	static const struct lane_select added = {.tracepoints = TP_BIT(TP_MEMPOOL_ADDED)};
	struct state *state = scene->state;

	expect_lane(scene->expect, "added", LANE_ANY_ORDER, &added);
	for (int i = 0; i < LOADED; i++)
		pool_expect_added(scene, state->loaded[i]);
	pool_clear(scene);
}

DEFINE_SCENARIO(mempool, added, loaded,
	.summary = "transactions loaded from mempool.dat, old and prioritised ones too, but not an expired one",
	.subject = TP_MEMPOOL_ADDED,
	.tracepoints = POOL_TRACEPOINTS,
	.profile = &profile_history,
	.ends_node = true, /* it makes the chain longer */
	.state_sz = sizeof(struct state),
	.prepare = loaded_prepare,
	.act = history_release,
	.expect = loaded_expect,
);
