#include "base/text.h"
#include "base/xmem.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/blocks.h"
#include "scene/log.h"
#include "scene/profiles.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* enum FlushStateMode in src/validation.h. Up to v30 there was no FORCE_SYNC: what asks for it today flushed. */
enum flush_mode {
	MODE_NONE = 0,
	MODE_IF_NEEDED = 1,
	MODE_PERIODIC = 2,
	MODE_FORCE_FLUSH = 3,
	MODE_FORCE_SYNC = 4,
};

struct state {
	struct cache_state cache; /* before the flush */
	struct cache_state later; /* before a second one */
	int64_t stopped_s;        /* what the node's clock stands at */
	struct block block;
};

/* A coin that a flush drops is not told as one that was unloaded on purpose. */
#define JUDGED (TP_BIT(TP_UTXOCACHE_FLUSH) | TP_BIT(TP_UTXOCACHE_UNCACHE))

static enum flush_mode
sync_mode(struct scene *scene)
{
	return node_version(scene->node) >= 310000 ? MODE_FORCE_SYNC : MODE_FORCE_FLUSH;
}

static void
clean(struct scene *scene)
{
	block_fini(&((struct state *)scene->state)->block);
}

/* After a block of its own the last UpdateTip line tells the cache as it is. */
static int
mine_and_look(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = blocks_mine(scene, 1, diag);

	return code ? code : log_cache_state(scene, &state->cache, diag);
}

/* An upper bound of the duration of flush number nth: it began after the action did and ended with its event. Where
 * there are more or fewer events than flushes in the log, the event is not known, and the action's end serves. */
static int
us_since_start(struct scene *scene, size_t nth, int64_t *most_us, struct diag *diag)
{
	uint64_t end_ns = scene->act_end_ns;
	size_t events = 0, flushes;
	int code = log_flushes(scene, &flushes, diag);

	for (size_t i = 0; i < scene->events_cnt && !code; i++)
		events += scene->events[i].tracepoint == TP_UTXOCACHE_FLUSH;
	for (size_t i = 0; i < scene->events_cnt && events == flushes; i++)
		if (scene->events[i].tracepoint == TP_UTXOCACHE_FLUSH && !nth--)
			end_ns = scene->events[i].time_ns;
	*most_us = (int64_t)((end_ns - scene->act_start_ns) / 1000);
	return code;
}

/* Flush number nth of the action. cache is what it was before; kind that of the event. */
static int
expect_flush(struct scene *scene, size_t nth, enum flush_mode mode, const struct cache_state *cache,
	     bool for_prune, enum finding_kind kind, const char *what, struct diag *diag)
{
	struct flush_timing timing;
	int64_t most_us;
	int code = log_flush(scene, nth, &timing, diag);

	if (!code)
		code = us_since_start(scene, nth, &most_us, diag);
	if (code)
		return code;
	expect_source(scene->expect, "the flush mode that Bitcoin Core gives to this cause");
	struct expected *e = expect_event(scene->expect, TP_UTXOCACHE_FLUSH, kind, "%s", what);
	want_uint(e, "mode", mode);
	want_bool(e, "for_prune", for_prune);
	expect_source(scene->expect, "bitcoind's log: coins in the cache");
	want_uint(e, "coins", (uint64_t)cache->coins);
	expect_source(scene->expect, "bitcoind's log: memory of the cache");
	want_range(e, "memory", cache->least_bytes, cache->most_bytes);
	expect_source(scene->expect,
		      "bitcoind's log: its writing took %" PRId64 " us; since the action began %" PRId64
		      " us went by",
		      timing.least_us, most_us);
	want_range(e, "duration", timing.least_us, most_us > timing.least_us ? most_us : timing.least_us);
	return 0;
}

/* sync: what asks for the coins on disk flushes the cache without emptying it */

static int
sync_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return expect_flush(scene, 0, sync_mode(scene), &state->cache, false, FINDING_CONTRACT,
			    "flush for the coins on disk", diag);
}

static int
gettxoutsetinfo_act(struct scene *scene, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, NULL, diag, "gettxoutsetinfo", "[\"none\"]");
}

static int
scantxoutset_act(struct scene *scene, struct diag *diag)
{
	return node_call(scene->node, scene->deadline, NULL, diag, "scantxoutset",
			 "[\"start\", [\"raw(52)\"]]");
}

static int
dumptxoutset_act(struct scene *scene, struct diag *diag)
{
	/* The path is relative to the datadir; the type came with v29. */
	const char *type = node_version(scene->node) >= 290000 ? ", \"latest\"" : "";
	struct chain_tip tip;
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);

	return code ? code
		    : node_call(scene->node, scene->deadline, NULL, diag, "dumptxoutset",
				"[\"utxo-%u.dat\"%s]", tip.height, type);
}

#define SYNC_SCENARIO(rpc)                                                                                   \
	const struct scenario sc_utxocache_flush_##rpc = {                                                   \
		.name = "utxocache.flush." #rpc,                                                             \
		.summary = #rpc " flushes the cache (FORCE_SYNC since v31, before it FORCE_FLUSH)",          \
		.subject = TP_UTXOCACHE_FLUSH,                                                               \
		.tracepoints = JUDGED,                                                                       \
		.profile = &profile_default,                                                                 \
		.state_sz = sizeof(struct state),                                                            \
		.prepare = mine_and_look,                                                                    \
		.act = rpc##_act,                                                                            \
		.expect = sync_expect,                                                                       \
		.clean = clean,                                                                              \
	}

SYNC_SCENARIO(gettxoutsetinfo);
SYNC_SCENARIO(scantxoutset);
SYNC_SCENARIO(dumptxoutset);

/* quiet: blocks alone flush nothing; a flush before and one after show that the tracepoint works */

static int
quiet_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	char hash[65];
	int code = gettxoutsetinfo_act(scene, diag);

	if (!code)
		code = blocks_mine(scene, 5, diag);
	if (!code)
		code = blocks_tip_hash(scene, hash, diag);
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "invalidateblock", "[\"%s\"]",
				 hash);
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "reconsiderblock", "[\"%s\"]",
				 hash);
	if (!code)
		code = log_cache_state(scene, &state->later, diag);
	return code ? code : gettxoutsetinfo_act(scene, diag);
}

static int
quiet_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = expect_flush(scene, 0, sync_mode(scene), &state->cache, false, FINDING_CONTRACT,
				"the flush before the blocks", diag);

	return code ? code
		    : expect_flush(scene, 1, sync_mode(scene), &state->later, false, FINDING_CONTRACT,
				   "the flush after the blocks", diag);
}

const struct scenario sc_utxocache_flush_quiet = {
	.name = "utxocache.flush.quiet",
	.summary = "connecting and disconnecting blocks flushes nothing by itself",
	.subject = TP_UTXOCACHE_FLUSH,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = mine_and_look,
	.act = quiet_act,
	.expect = quiet_expect,
	.clean = clean,
};

/* periodic: after 50 to 70 minutes, before v30 after 24 hours, the chain state is written when a block comes */

static int
periodic_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	if (scene->release >= 25 && scene->release < 30)
		return scenario_skip(
			diag,
			"from v25 to v29 the periodic flush comes after 24 hours of a clock that cannot be set");
	int code = mine_and_look(scene, diag);
	if (!code)
		code = blocks_begin(scene, &state->block, 0, diag);
	if (!code)
		code = block_finish(&state->block, diag);
	state->stopped_s = (int64_t)time(NULL) + (scene->release < 30 ? 24 * 3600 + 100 : 4300);
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "setmocktime", "[%" PRId64 "]",
				 state->stopped_s);
	return code;
}

static int
periodic_act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	return chain_submit(scene->node, scene->deadline, &state->block, NULL, diag);
}

/* Measured by a clock that stands still it is 0. v23 and v24 take the beginning from that clock, but the end from the
 * machine's. */
static void
want_stopped_duration(struct scene *scene, struct expected *e)
{
	const struct state *state = scene->state;
	struct timespec wall;

	if (scene->release >= 30) {
		expect_source(scene->expect, "the node's clock, which setmocktime had stopped");
		want_int(e, "duration", 0);
	} else {
		int64_t monotonic_us = (int64_t)(clock_now_ns() / 1000);

		clock_gettime(CLOCK_REALTIME, &wall);
		int64_t ahead_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000 - monotonic_us -
				   state->stopped_s * 1000000;
		expect_source(scene->expect, "from what setmocktime had set to the machine's time");
		want_range(e, "duration", (int64_t)(scene->act_start_ns / 1000) + ahead_us,
			   (int64_t)(scene->act_end_ns / 1000) + ahead_us);
	}
	want_kind(e, FINDING_DETAIL);
}

static int
periodic_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct cache_state cache;
	int code = node_call(scene->node, scene->deadline, NULL, diag, "setmocktime", "[0]");

	/* The new block's coin is in the cache before the flush, and told by the block's own UpdateTip line. */
	if (!code)
		code = log_cache_state(scene, &cache, diag);
	if (!code && cache.coins != state->cache.coins + 1)
		code = diag_fail(diag, -EBADMSG,
				 "the cache had %" PRId64 " coins, and with one more %" PRId64,
				 state->cache.coins, cache.coins);
	if (code)
		return code;
	expect_source(scene->expect, "the flush mode that Bitcoin Core gives to this cause");
	struct expected *e =
		expect_event(scene->expect, TP_UTXOCACHE_FLUSH, FINDING_CONTRACT, "periodic flush");
	want_uint(e, "mode", MODE_PERIODIC);
	want_bool(e, "for_prune", false);
	expect_source(scene->expect, "bitcoind's log: coins and memory of the cache");
	want_uint(e, "coins", (uint64_t)cache.coins);
	want_range(e, "memory", cache.least_bytes, cache.most_bytes);
	want_stopped_duration(scene, e);
	return 0;
}

const struct scenario sc_utxocache_flush_periodic = {
	.name = "utxocache.flush.periodic",
	.summary = "70 minutes later, before v30 a day, a block brings the periodic flush",
	.subject = TP_UTXOCACHE_FLUSH,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = periodic_prepare,
	.act = periodic_act,
	.expect = periodic_expect,
	.clean = clean,
};

/* if_needed and large: more coins than -dbcache allows, and nearly as many */

/* With these the cache may take nearly 7 MB (of -dbcache 1.75 MiB are for it, and it may use the 5 MB that the mempool
 * does not); in the last tenth below that it counts as large and is flushed when there is time. A coin takes about 140
 * bytes here. So one block of FILL_MANY coins jumps over that tenth and past the limit; blocks of FILL_FEW cannot
 * jump over it, growth of the hash table included. */
enum {
	FILL_MANY = 60000,
	FILL_SOME = 20000,
	FILL_FEW = 1000,
	FILL_BLOCKS_MAX = 60,
	FILL_SOME_BELOW_BYTES = 2 << 20
};
static const char *const small_cache_args[] = {"-dbcache=4", "-maxmempool=5", NULL};
static const struct profile small_cache = {.name = "small_cache", .args = small_cache_args};

struct fill {
	struct cache_state before; /* the block that brought the flush */
	struct {
		char hash[65];
		uint32_t height;
	} blocks[FILL_BLOCKS_MAX];
	size_t blocks_cnt;
};

/* Submits blocks of so many coins until bitcoind's log tells of a flush; of at_first coins while the cache is small. */
static int
fill_cache(struct scene *scene, int at_first, int later, struct diag *diag)
{
	struct fill *fill = scene->state;
	size_t flushes = 0;
	struct block_draft draft;
	int code = chain_draft(scene->node, scene->deadline, &draft, diag);

	while (!code && !flushes && fill->blocks_cnt < FILL_BLOCKS_MAX) {
		struct block block;

		code = log_cache_state(scene, &fill->before, diag);
		int coins = fill->before.most_bytes < FILL_SOME_BELOW_BYTES ? at_first : later;
		block_init(&block, &draft);
		block_add_output(&block, block_regtest_subsidy_sat(draft.height), script_p2wsh_op_true,
				 sizeof(script_p2wsh_op_true));
		for (int i = 0; i < coins && !code; i++)
			block_add_output(&block, 0, script_op_true, sizeof(script_op_true));
		if (!code)
			code = blocks_submit(scene, &block, diag);
		format_hash(block.hash_wire, fill->blocks[fill->blocks_cnt].hash);
		fill->blocks[fill->blocks_cnt++].height = draft.height;
		draft = blocks_next_draft(&block);
		block_fini(&block);
		if (!code)
			code = log_flushes(scene, &flushes, diag);
	}
	if (!code && !flushes)
		code = diag_fail(diag, -EBADMSG, "%zu blocks of %d coins did not make bitcoind flush",
				 fill->blocks_cnt, later);
	return code;
}

static int
fill_prepare(struct scene *scene, struct diag *diag)
{
	return blocks_mine(scene, 1, diag);
}

/* The blocks, and the flush behind the last. */
static int
expect_filled(struct scene *scene, enum flush_mode mode, const struct cache_state *cache, const char *what,
	      struct diag *diag)
{
	const struct fill *fill = scene->state;
	int code = 0;

	for (size_t i = 0; i < fill->blocks_cnt && !code; i++)
		code = expect_coinbase_connected(scene, fill->blocks[i].hash, fill->blocks[i].height, diag);
	return code ? code : expect_flush(scene, 0, mode, cache, false, FINDING_CONTRACT, what, diag);
}

static int
if_needed_act(struct scene *scene, struct diag *diag)
{
	return fill_cache(scene, FILL_MANY, FILL_MANY, diag);
}

static int
if_needed_expect(struct scene *scene, struct diag *diag)
{
	const struct fill *fill = scene->state;
	struct cache_state cache = fill->before;
	struct flush_timing timing;
	int code = log_flush(scene, 0, &timing, diag);

	if (code)
		return code;
	/* It comes after the block's coins were added and before the UpdateTip line that would tell. */
	cache.coins += FILL_MANY + 1;
	if (timing.critical_bytes < 0)
		return diag_fail(diag, -EBADMSG,
				 "bitcoind's log does not tell the size of the cache that made it flush");
	cache.least_bytes = cache.most_bytes = timing.critical_bytes;
	return expect_filled(scene, MODE_IF_NEEDED, &cache, "flush of a cache that is too large", diag);
}

const struct scenario sc_utxocache_flush_if_needed = {
	.name = "utxocache.flush.if_needed",
	.summary =
		"more coins than a small -dbcache holds are flushed after the block, told with exact number and memory",
	.subject = TP_UTXOCACHE_FLUSH,
	.tracepoints = JUDGED | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &small_cache,
	.state_sz = sizeof(struct fill),
	.prepare = fill_prepare,
	.act = if_needed_act,
	.expect = if_needed_expect,
};

static int
large_act(struct scene *scene, struct diag *diag)
{
	return fill_cache(scene, FILL_SOME, FILL_FEW, diag);
}

static int
large_expect(struct scene *scene, struct diag *diag)
{
	struct flush_timing timing;
	struct cache_state cache;
	/* The last block's own UpdateTip line, which comes before this flush, tells the cache. */
	int code = log_cache_state(scene, &cache, diag);

	if (!code)
		code = log_flush(scene, 0, &timing, diag);
	if (!code && timing.critical_bytes >= 0)
		code = diag_fail(
			diag, -EBADMSG,
			"the cache ran past its limit: it was not to be filled up to its last tenth");
	return code ? code
		    : expect_filled(scene, MODE_PERIODIC, &cache, "flush of a cache that is nearly too large",
				    diag);
}

const struct scenario sc_utxocache_flush_large = {
	.name = "utxocache.flush.large",
	.summary = "a cache in the last tenth of what -dbcache allows is flushed by the periodic check",
	.subject = TP_UTXOCACHE_FLUSH,
	.tracepoints = JUDGED | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &small_cache,
	.state_sz = sizeof(struct fill),
	.prepare = fill_prepare,
	.act = large_act,
	.expect = large_expect,
};

/* prune: pruning flushes, and says so */

static int
prune_prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	/* Coins that were spent are in the cache until they are written: they are not to go by the first flush. */
	int code = gettxoutsetinfo_act(scene, diag);

	if (!code)
		code = blocks_mine(scene, 1, diag);
	return code ? code : log_cache_state(scene, &state->cache, diag);
}

static int
prune_act(struct scene *scene, struct diag *diag)
{
	int code = node_call(scene->node, scene->deadline, NULL, diag, "pruneblockchain", "[%u]",
			     NARROW_FILLED_HEIGHT + 1);

	/* There is nothing left to prune, and so nothing to write. */
	if (!code)
		code = node_call(scene->node, scene->deadline, NULL, diag, "pruneblockchain", "[%u]",
				 NARROW_FILLED_HEIGHT);
	/* On the same node, a flush that does not prune. */
	return code ? code : gettxoutsetinfo_act(scene, diag);
}

static int
prune_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;

	struct cache_state after = state->cache;

	int code = expect_flush(scene, 0, MODE_NONE, &state->cache, true, FINDING_CONTRACT,
				"flush for pruning", diag);

	/* Which emptied the cache once. */
	if (scene->release < 28)
		after.coins = after.least_bytes = 0;
	return code ? code
		    : expect_flush(scene, 1, sync_mode(scene), &after, false, FINDING_CONTRACT,
				   "flush of a node that has pruned before", diag);
}

const struct scenario sc_utxocache_flush_prune = {
	.name = "utxocache.flush.prune",
	.summary =
		"pruneblockchain flushes with mode NONE and the prune flag; another flush of that node is without it",
	.subject = TP_UTXOCACHE_FLUSH,
	.tracepoints = JUDGED,
	.profile = &profile_narrow,
	.state_sz = sizeof(struct state),
	.prepare = prune_prepare,
	.act = prune_act,
	.expect = prune_expect,
	.clean = clean,
};

/* shutdown: two flushes, of which the second finds an empty cache */

static int
shutdown_act(struct scene *scene, struct diag *diag)
{
	return node_stop(scene->node, scene->deadline, diag);
}

static int
shutdown_expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	/* An empty cache keeps some memory, and less than a full one. */
	struct cache_state empty = {.coins = 0, .least_bytes = 1, .most_bytes = state->cache.most_bytes};
	int code = expect_flush(scene, 0, MODE_FORCE_FLUSH, &state->cache, false, FINDING_CONTRACT,
				"flush at shutdown", diag);

	expect_extra_kind(scene->expect, FINDING_DETAIL);
	return code ? code
		    : expect_flush(scene, 1, MODE_FORCE_FLUSH, &empty, false, FINDING_DETAIL,
				   "second flush at shutdown", diag);
}

const struct scenario sc_utxocache_flush_shutdown = {
	.name = "utxocache.flush.shutdown",
	.summary = "the node's end flushes the whole cache, and then (a detail) once more",
	.subject = TP_UTXOCACHE_FLUSH,
	.tracepoints = JUDGED,
	.profile = &profile_default,
	.state_sz = sizeof(struct state),
	.prepare = mine_and_look,
	.act = shutdown_act,
	.expect = shutdown_expect,
	.clean = clean,
};
