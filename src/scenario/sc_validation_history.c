/* validation:block_connected for blocks that bitcoind has already: it connects them again when it starts with -reindex
 * or -reindex-chainstate, and verifychain connects them in a temporary cache. */
#include "scenario/registry.h"
#include "scene/history.h"
#include "scene/log.h"

#include <errno.h>

#define BLOCKS_AND_CACHE                                                                                     \
	(TP_BIT(TP_VALIDATION_BLOCK_CONNECTED) | TP_BIT(TP_UTXOCACHE_ADD) | TP_BIT(TP_UTXOCACHE_SPENT) |     \
	 TP_BIT(TP_UTXOCACHE_FLUSH) | TP_BIT(TP_UTXOCACHE_UNCACHE))

#define HISTORY_SCENARIO(behaviour_, ...)                                                                    \
	DEFINE_SCENARIO(validation, block_connected, behaviour_, .subject = TP_VALIDATION_BLOCK_CONNECTED,   \
			.tracepoints = BLOCKS_AND_CACHE, .profile = &profile_history, __VA_ARGS__)

static void
expect_chain(struct scene *scene)
{
	const struct log_timings *timings = log_timings(scene);
	const uint32_t tip = blocks_tip(scene).height;

	if (scene_ok(scene) && tip < HISTORY_TIP)
		scene_fail(scene, -EBADMSG, "the chain has %u blocks, not %d or more", tip, HISTORY_TIP);
	const struct json *block = history_block(scene, 1);
	for (uint32_t height = 1; scene_ok(scene) && height <= tip; height++) {
		const char *next = json_string(json_get(block, "nextblockhash"));

		blocks_expect_connected_coins(scene, block, FINDING_CONTRACT, "connecting the block again");
		blocks_expect_nth_connected(scene, block, timings, height - 1);
		block = next && height < tip ? blocks_get(scene, next) : NULL;
	}
}

/* reindex */

static void
reindex_prepare(struct scene *scene)
{
	history_restart(scene, "-reindex");
}

HISTORY_SCENARIO(reindex,
		 .summary = "with -reindex each block of the chain fires again, in order, with its coins",
		 .prepare = reindex_prepare, .act = history_release, .expect = expect_chain, );

/* reindex_chainstate */

static void
reindex_chainstate_prepare(struct scene *scene)
{
	history_restart(scene, "-reindex-chainstate");
}

HISTORY_SCENARIO(
	reindex_chainstate,
	.summary = "with -reindex-chainstate each block of the chain fires again, in order, with its coins",
	.prepare = reindex_chainstate_prepare, .act = history_release, .expect = expect_chain, );

/* verifychain: the last blocks are disconnected and connected again, in a temporary cache */

enum { VERIFIED = 5 };

static void
verifychain_act(struct scene *scene)
{
	bool ok;
	const struct json *answer = scene_call(scene, "verifychain", "[4, %d]", VERIFIED);

	if (!(json_bool(answer, &ok) && ok))
		scene_fail(scene, -EBADMSG, "verifychain did not answer true");
}

static void
verifychain_expect(struct scene *scene)
{
	const struct log_timings *timings = log_timings(scene);
	const uint32_t tip = blocks_tip(scene).height;

	/* What bitcoind does in a temporary cache is its own business, except for the blocks. */
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	for (uint32_t i = 0; i < VERIFIED; i++)
		blocks_expect_disconnected_coins(scene, history_block(scene, tip - i), FINDING_DETAIL,
						 "disconnecting the block in a temporary cache");
	for (uint32_t i = 0; i < VERIFIED; i++) {
		const struct json *block = history_block(scene, tip + 1 - VERIFIED + i);

		blocks_expect_connected_coins(scene, block, FINDING_DETAIL,
					      "connecting the block in a temporary cache");
		blocks_expect_nth_connected(scene, block, timings, i);
	}
}

HISTORY_SCENARIO(verifychain,
		 .summary = "verifychain at level 4 connects the last blocks again: each fires once more",
		 .act = verifychain_act, .expect = verifychain_expect, );
