#include "scene/history.h"

#include "node/script.h"

#include <inttypes.h>

/* Transactions of several shapes in two blocks, with coins that are worth nothing, spent in the block that makes them,
 * or unspendable. They spend coinbases above HISTORY_MATURE. */
static void
mine_transactions(struct scene *scene)
{
	static const uint8_t op_return = SCRIPT_OP_RETURN;
	struct tx *first = scene_tx(scene), *second = scene_tx(scene), *third = scene_tx(scene);
	struct chain_coin coins[3] = {{.height = 0}};

	for (uint32_t i = 0; scene_ok(scene) && i < 3; i++)
		scene->err = chain_coinbase(scene->node, scene->deadline, HISTORY_MATURE + 1 + i, &coins[i],
					    &scene->diag);
	blocks_spend(first, &coins[0]);
	coins[0].idx = 1; /* see coins_start_chain */
	blocks_spend(first, &coins[0]);
	blocks_pay(first, 0);
	tx_add_output(first, 0, &op_return, 1);
	blocks_pay(first, 123456789);
	blocks_pay(first, 234567890);
	struct block *block = blocks_begin(scene, 0);
	block_add_tx(block, first);
	struct chain_coin own = blocks_coin_of(first, 2);
	blocks_spend(second, &own);
	blocks_spend(second, &coins[1]);
	blocks_pay(second, 345678901);
	block_add_tx(block, second);
	blocks_submit(scene, block);

	for (uint32_t i = 0; i < 4; i += 3) {
		own = blocks_coin_of(first, i);
		blocks_spend(third, &own);
	}
	blocks_spend(third, &coins[2]);
	blocks_pay(third, 456789012);
	blocks_mine_tx(scene, third);
}

static void
warm_history(struct scene *scene)
{
	mine_transactions(scene);
}

const struct profile profile_history = {
	.name = "history",
	.cost_ms = 1200,
	.args = (const char *const[]){"-persistmempool=1", NULL},
	.tip = ODD_BLOCKS + COINBASE_MATURITY,
	.warm = warm_history,
};

void
history_start(struct scene *scene, const char *const *more_args, enum node_hold hold)
{
	const char *args[HISTORY_ARGS_MAX + 2] = {profile_history.args[0]};

	for (size_t i = 0; more_args && more_args[i] && i < HISTORY_ARGS_MAX; i++)
		args[i + 1] = more_args[i];
	if (scene_ok(scene))
		scene->err = node_restart_held(scene->node, args, hold, scene->deadline, &scene->diag);
}

void
history_restart_with(struct scene *scene, const char *const *more_args)
{
	scene_call(scene, "gettxoutsetinfo", "[\"none\"]");
	if (scene_ok(scene))
		scene->err = node_kill(scene->node, &scene->diag);
	history_start(scene, more_args, NODE_HOLD_IMPORT);
}

void
history_restart(struct scene *scene, const char *arg)
{
	history_restart_with(scene, (const char *const[]){arg, NULL});
}

void
history_end(struct scene *scene)
{
	if (scene_ok(scene))
		scene->err = node_stop(scene->node, scene->deadline, &scene->diag);
}

void
history_release(struct scene *scene)
{
	if (!scene_ok(scene))
		return;
	node_release(scene->node);
	scene->err = node_wait_ready(scene->node, scene->deadline, &scene->diag);
}

const struct json *
history_block(struct scene *scene, uint32_t height)
{
	const char *hash_hex = json_string(scene_call(scene, "getblockhash", "[%" PRIu32 "]", height));

	return hash_hex ? blocks_get(scene, hash_hex) : NULL;
}
