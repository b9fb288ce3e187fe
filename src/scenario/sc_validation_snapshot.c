/* validation:block_connected in initial block download, and with a UTXO snapshot, after which two chainstates connect
 * blocks: one on top of the snapshot, the other, in the background, up to it. */
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/log.h"
#include "scene/snapshot.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>

enum { DOWNLOADED = 5, ON_TOP = 3, IN_BACKGROUND = 12 };

struct state {
	struct block *chain;
	uint32_t first; /* height of the first block that is submitted */
};

#define SNAPSHOT_SCENARIO(behaviour_, ...)                                                                   \
	DEFINE_SCENARIO(validation, block_connected, behaviour_, .subject = TP_VALIDATION_BLOCK_CONNECTED,   \
			.tracepoints = TP_BIT(TP_VALIDATION_BLOCK_CONNECTED) | TP_BIT(TP_UTXOCACHE_ADD) |    \
				       TP_BIT(TP_UTXOCACHE_SPENT) | TP_BIT(TP_UTXOCACHE_FLUSH),                                          \
			.profile = &profile_bare, .state_sz = sizeof(struct state), __VA_ARGS__)

static void
require_download(struct scene *scene)
{
	bool downloads;

	if (!json_bool(json_get(scene_call(scene, "getblockchaininfo", "[]"), "initialblockdownload"),
		       &downloads) ||
	    !downloads)
		scene_fail(scene, -EBADMSG, "the node is not in initial block download");
}

/* The blocks from one height to another, of which the first was the nth that was connected. */
static void
expect_connected(struct scene *scene, uint32_t from, uint32_t to, size_t nth)
{
	const struct log_timings *timings = log_timings(scene);
	const struct state *state = scene->state;

	for (uint32_t height = from; scene_ok(scene) && height <= to; height++) {
		char hash_hex[65];

		format_hash(state->chain[height - 1].hash_wire, hash_hex);
		const struct json *block = blocks_get(scene, hash_hex);
		blocks_expect_connected_coins(scene, block, FINDING_CONTRACT, "connecting the block");
		blocks_expect_nth_connected(scene, block, timings, nth++);
	}
}

static void
download_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->chain = snapshot_chain(scene);
	snapshot_send_headers(scene, state->chain);
	state->first = blocks_tip(scene).height + 1;
	require_download(scene);
}

static void
download_act(struct scene *scene)
{
	const struct state *state = scene->state;

	snapshot_submit(scene, state->chain, state->first, state->first + DOWNLOADED - 1);
	require_download(scene);
}

static void
download_expect(struct scene *scene)
{
	const struct state *state = scene->state;

	expect_connected(scene, state->first, state->first + DOWNLOADED - 1, 0);
}

SNAPSHOT_SCENARIO(
	download,
	.summary =
		"blocks in initial block download, behind headers of more than two weeks and (from v30) -assumevalid",
	.prepare = download_prepare, .act = download_act, .expect = download_expect, );

/* snapshot */

static void
snapshot_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	scene_require(scene, ABILITY_SNAPSHOT);
	download_prepare(scene);
	/* As many coins in the cache as after download. */
	if (scene_ok(scene) && state->first == 1) {
		snapshot_submit(scene, state->chain, 1, DOWNLOADED);
		state->first += DOWNLOADED;
	}
}

/* Loading the snapshot adds no coins; but both chainstates get other caches, and are flushed for it: a detail. */
static void
expect_flushes(struct scene *scene)
{
	enum { FORCE_FLUSH = 3, MEMORY_MAX = 1 << 20 };
	static const struct lane_select flushes = {.tracepoints = TP_BIT(TP_UTXOCACHE_FLUSH)};
	const struct state *state = scene->state;
	/* Each block so far has left its coin. */
	const uint64_t coins[] = {state->first - 1, 0};

	expect_lane(scene->expect, "flushes", LANE_ORDERED, &flushes);
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	expect_source(scene->expect, "the caches of the two chainstates when the snapshot was loaded");
	for (int i = 0; i < 2; i++) {
		struct expected *e = expect_event(scene->expect, TP_UTXOCACHE_FLUSH, FINDING_DETAIL,
						  "flush for a cache of another size");
		want_range(e, "duration", 0, (int64_t)((scene->act_end_ns - scene->act_start_ns) / 1000));
		want_uint(e, "mode", FORCE_FLUSH);
		want_uint(e, "coins", coins[i]);
		want_range(e, "memory", 1, MEMORY_MAX);
		want_bool(e, "for_prune", false);
	}
	expect_main_lane(scene->expect);
}

static void
snapshot_act(struct scene *scene)
{
	const struct state *state = scene->state;

	if (scene_ok(scene))
		snapshot_load(scene, state->chain);
	snapshot_submit(scene, state->chain, SNAPSHOT_HEIGHT + 1, SNAPSHOT_HEIGHT + ON_TOP);
	snapshot_submit(scene, state->chain, state->first, state->first + IN_BACKGROUND - 1);
}

static void
snapshot_expect(struct scene *scene)
{
	const struct state *state = scene->state;

	expect_flushes(scene);
	expect_connected(scene, SNAPSHOT_HEIGHT + 1, SNAPSHOT_HEIGHT + ON_TOP, 0);
	expect_connected(scene, state->first, state->first + IN_BACKGROUND - 1, ON_TOP);
}

SNAPSHOT_SCENARIO(
	snapshot,
	.summary =
		"a UTXO snapshot adds no coins; blocks fire on top of it and in the background, each with its own height",
	.ends_node = true, .prepare = snapshot_prepare, .act = snapshot_act, .expect = snapshot_expect, );
