#include "scene/coins.h"

#include "base/xmem.h"
#include "node/script.h"
#include "scene/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLD_KINDS = 4 };

static void
add_outputs(struct block *block, const struct profile *profile)
{
	const int64_t subsidy_sat = block_regtest_subsidy_sat(block->draft.height),
		      sum_sat = ODD_COINS * (ODD_COINS - 1) / 2;
	const bool is_odd = block->draft.height <= ODD_BLOCKS;

	block_add_output(block, subsidy_sat - (is_odd ? sum_sat : 0), script_p2wsh_op_true,
			 sizeof(script_p2wsh_op_true));
	for (int value_sat = 0; is_odd && value_sat < ODD_COINS; value_sat++)
		block_add_output(block, value_sat, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
	if (block->draft.height == ODD_BLOCKS + 1 && profile->filler_bytes) {
		uint8_t *script = xcalloc(1, profile->filler_bytes);

		script[0] = SCRIPT_OP_RETURN;
		block_add_output(block, 0, script, profile->filler_bytes);
		free(script);
	}
}

static unsigned
first_blocks(const struct profile *profile)
{
	return profile->tip > ODD_BLOCKS ? profile->tip : ODD_BLOCKS;
}

void
coins_require_chain(struct scene *scene, const struct profile *profile)
{
	const unsigned got = blocks_tip(scene).height, want = first_blocks(profile);

	if (scene_ok(scene) && got < want)
		scene_fail(scene, -EBADMSG, "coins: bitcoind has imported %u of its first %u blocks", got,
			   want);
}

/* One each second; the last one now. */
static struct block_draft
first_draft(const struct profile *profile)
{
	return chain_first_draft((uint32_t)time(NULL) - first_blocks(profile) + 1);
}

int
coins_start_chain(const struct profile *profile, struct buf *out, struct diag *diag)
{
	const unsigned cnt = first_blocks(profile);
	struct block_draft draft = first_draft(profile);
	int err = 0;

	for (unsigned i = 0; i < cnt && !err; i++) {
		struct block block;

		block_init(&block, &draft);
		add_outputs(&block, profile);
		err = block_finish(&block, diag);
		if (!err && !chain_add_record(&block, out))
			err = diag_fail(diag, -EMSGSIZE, "coins: the first %u blocks are too large", cnt);
		draft = blocks_next_draft(&block);
		block_fini(&block);
	}
	return err;
}

void
coins_submit_chain(struct scene *scene, const struct profile *profile)
{
	const unsigned cnt = first_blocks(profile);
	struct block_draft draft = first_draft(profile);

	for (unsigned i = 0; i < cnt && scene_ok(scene); i++) {
		struct block block;

		block_init(&block, &draft);
		add_outputs(&block, profile);
		blocks_submit(scene, &block);
		draft = blocks_next_draft(&block);
		block_fini(&block);
	}
}

void
coins_warm(struct scene *scene)
{
	const uint32_t tip = blocks_tip(scene).height;

	if (tip < LEAST_TIP)
		blocks_mine(scene, LEAST_TIP - tip);
	if (scene_ok(scene))
		scene->coins->tip_least = LEAST_TIP;
}

/* The coinbase's first output at that height, once it can be spent. */
static struct chain_coin
take_coinbase(struct scene *scene, uint32_t height)
{
	/* A coinbase at height h can be spent in the block at h + 100, so the tip has to be at h + 99. */
	uint32_t least =
		height + COINBASE_MATURITY - 1 > LEAST_TIP ? height + COINBASE_MATURITY - 1 : LEAST_TIP;
	struct chain_coin coin = {.height = 0};

	if (scene->coins->tip_least < least) {
		uint32_t tip = blocks_tip(scene).height;

		if (least > tip)
			blocks_mine(scene, least - tip);
		if (scene_ok(scene))
			scene->coins->tip_least = least;
	}
	if (scene_ok(scene))
		scene->err = chain_coinbase(scene->node, scene->deadline, height, &coin, &scene->diag);
	return scene->err ? (struct chain_coin){0} : coin;
}

struct chain_coin
coins_take(struct scene *scene)
{
	struct coin_pool *pool = scene->coins;

	if (!scene_ok(scene))
		return (struct chain_coin){0};
	if (!pool->next_height)
		pool->next_height = 1;
	/* Those from HIGH_HEIGHT on are coins_take_high's. */
	if (pool->next_height >= HIGH_HEIGHT)
		return coins_take_high(scene);
	return take_coinbase(scene, pool->next_height++);
}

struct chain_coin
coins_take_high(struct scene *scene)
{
	struct coin_pool *pool = scene->coins;

	if (!scene_ok(scene))
		return (struct chain_coin){0};
	if (!pool->next_high)
		pool->next_high = HIGH_HEIGHT;
	return take_coinbase(scene, pool->next_high++);
}

static struct chain_coin
take_odd(struct scene *scene, uint32_t value_sat)
{
	uint32_t *taken = &scene->coins->odd_taken[value_sat];

	if (scene_ok(scene) && *taken >= ODD_BLOCKS)
		scene_fail(scene, -ENOENT, "coins: all %d odd coins of %u satoshi have been taken",
			   ODD_BLOCKS, value_sat);
	if (!scene_ok(scene))
		return (struct chain_coin){0};
	struct chain_coin coin = take_coinbase(scene, ++*taken);
	if (!scene->err) {
		coin.idx = 1 + value_sat;
		coin.value_sat = value_sat;
	}
	return coin;
}

struct chain_coin
coins_take_odd(struct scene *scene)
{
	return take_odd(scene, scene->odd_taken++ % ODD_COINS);
}

static struct chain_coin
take_worthless(struct scene *scene)
{
	return take_odd(scene, 0);
}

struct chain_coin
coins_take_plain(struct scene *scene)
{
	struct chain_coin coin = coins_take(scene);
	struct tx *tx = scene_tx(scene);

	blocks_spend(tx, &coin);
	blocks_pay(tx, coin.value_sat - FEE_SAT);
	blocks_mine_tx(scene, tx);
	return scene_ok(scene) ? blocks_coin_of(tx, 0) : (struct chain_coin){0};
}

/* The next coin of a stock. make gives a transaction whose last cnt outputs are a new one; cnt is 2 or more. */
static struct chain_coin
take_from(struct scene *scene, struct coin_stock *stock, struct tx *(*make)(struct scene *scene),
	  uint32_t cnt)
{
	if (!stock->left) {
		const struct tx *tx = make(scene);
		const uint32_t first = (uint32_t)tx->outputs_cnt - cnt;

		blocks_mine_tx(scene, tx);
		stock->left = scene_ok(scene) ? cnt : 0;
		stock->next = blocks_coin_of(tx, first);
		stock->step_sat = tx->outputs[first + 1].value_sat - tx->outputs[first].value_sat;
	}
	if (!scene_ok(scene))
		return (struct chain_coin){0};
	struct chain_coin coin = stock->next;
	stock->left--;
	stock->next.idx++;
	stock->next.value_sat += stock->step_sat;
	return coin;
}

static struct tx *
make_small_tx(struct scene *scene)
{
	struct chain_coin coin = coins_take(scene);
	struct tx *tx = scene_tx(scene);

	blocks_spend(tx, &coin);
	for (int i = 0; i < SMALL_COINS; i++)
		blocks_pay(tx, SMALL_COIN_SAT + i * SMALL_COIN_STEP_SAT);
	return tx;
}

struct chain_coin
coins_take_small(struct scene *scene)
{
	return take_from(scene, &scene->coins->small, make_small_tx, SMALL_COINS);
}

struct tx *
coins_make_wide_tx(struct scene *scene)
{
	static const uint8_t op_return = SCRIPT_OP_RETURN;
	struct chain_coin coin = coins_take(scene);
	struct tx *tx = scene_tx(scene);

	blocks_spend(tx, &coin);
	/* These are not kept, so the UTXO set stays small. */
	for (int i = 0; i < WIDE_OUTPUTS - WIDE_COINS; i++)
		tx_add_output(tx, 0, &op_return, 1);
	for (int i = 0; i < WIDE_COINS; i++)
		blocks_pay(tx, WIDE_COIN_SAT + i);
	return tx;
}

struct chain_coin
coins_take_wide(struct scene *scene)
{
	return take_from(scene, &scene->coins->wide, coins_make_wide_tx, WIDE_COINS);
}

/* Takes coins for the cold ones, then restarts the node, which empties the cache. */
static void
chill_coins(struct scene *scene)
{
	static struct chain_coin (*const kinds[])(struct scene *) = {coins_take_wide, take_worthless,
								     coins_take_high, coins_take_plain};
	struct coin_pool *pool = scene->coins;

	pool->cold_cnt = 0;
	for (size_t i = 0; i < COLD_COINS_MAX; i++)
		pool->cold[i] = kinds[i % COLD_KINDS](scene);
	/* This writes everything to disk, so a kill does the same as an orderly shutdown, and is quicker. */
	scene_call(scene, "gettxoutsetinfo", "[\"none\"]");
	if (!scene_ok(scene))
		return;
	scene->err = node_kill(scene->node, &scene->diag);
	if (!scene->err)
		scene->err = node_restart(scene->node, NULL, &scene->diag);
	if (!scene->err)
		scene->err = node_wait_ready(scene->node, scene->deadline, &scene->diag);
	if (scene->err)
		return;
	pool->cold_cnt = COLD_COINS_MAX;
	if (pool->on_restart)
		pool->on_restart(scene);
}

void
coins_take_cold(struct scene *scene, struct chain_coin *coins, size_t cnt)
{
	struct coin_pool *pool = scene->coins;

	/* What an earlier scenario left of a turn is not used. */
	pool->cold_cnt -= pool->cold_cnt % COLD_KINDS;
	if (scene_ok(scene) && pool->cold_cnt < cnt)
		chill_coins(scene);
	const bool ok = scene_ok(scene);
	for (size_t i = 0; i < cnt; i++)
		coins[i] = ok ? pool->cold[--pool->cold_cnt] : (struct chain_coin){0};
}

struct block *
coins_spend_in_block(struct scene *scene, unsigned txs)
{
	struct chain_coin *coins = xcalloc(txs + 1, sizeof(*coins));

	for (unsigned i = 0; i < txs; i++)
		coins[i] = coins_take(scene);
	struct block *block = blocks_begin(scene, 0);
	for (unsigned i = 0; i < txs; i++) {
		struct tx *tx = scene_tx(scene);

		blocks_spend(tx, &coins[i]);
		blocks_pay(tx, coins[i].value_sat - FEE_SAT);
		block_add_tx(block, tx);
	}
	blocks_submit(scene, block);
	free(coins);
	return block;
}
