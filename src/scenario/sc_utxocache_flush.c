#include "base/text.h"
#include "node/script.h"
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/blocks.h"
#include "scene/log.h"
#include "scene/log_lines.h"
#include "scene/pool.h"
#include "scene/profiles.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

/* enum FlushStateMode in src/validation.h. Up to v30 FORCE_FLUSH stood for FORCE_SYNC as well. */
enum flush_mode {
	MODE_NONE = 0,
	MODE_IF_NEEDED = 1,
	MODE_PERIODIC = 2,
	MODE_FORCE_FLUSH = 3,
	MODE_FORCE_SYNC = 4,
};

enum {
	TRANSACTIONS = 3, /* that trigger the periodic flush */
	FILL_BLOCKS_MAX = 60,
	COINS_MOST = 1000000, /* no scenario makes that many */
	MANY_COINS = 300,     /* more than 8 bits */
};

struct state {
	struct cache_state cache; /* before the first flush */
	struct cache_state next;  /* before the second one */
	struct block *block;
	struct pool_tx *sent, *refused, *tried[2];
	int64_t start_s; /* Unix time */
	/* After each of the transactions: */
	size_t logged[TRANSACTIONS];
	uint64_t end_ns[TRANSACTIONS];
	/* See fill_cache: */
	struct block *filled[FILL_BLOCKS_MAX];
	size_t filled_cnt;
};

/* A coin that a flush drops must not fire uncache. */
#define FLUSH_TRACEPOINTS (TP_BIT(TP_UTXOCACHE_FLUSH) | TP_BIT(TP_UTXOCACHE_UNCACHE))

#define FLUSH_SCENARIO(behaviour_, ...)                                                                      \
	DEFINE_SCENARIO(utxocache, flush, behaviour_, .subject = TP_UTXOCACHE_FLUSH,                         \
			.state_sz = sizeof(struct state), __VA_ARGS__)

/* The mode of RPCs that need the coins on disk. */
static enum flush_mode
sync_mode(const struct scene *scene)
{
	return scene_has(scene, ABILITY_FORCE_SYNC) ? MODE_FORCE_SYNC : MODE_FORCE_FLUSH;
}

static void
call_gettxoutsetinfo(struct scene *scene)
{
	scene_call(scene, "gettxoutsetinfo", "[\"none\"]");
}

/* After a block the last UpdateTip line describes the cache as it is. */
static void
mine_and_look(struct scene *scene)
{
	struct state *state = scene->state;

	blocks_mine(scene, 1);
	state->cache = log_cache_state(scene);
}

/* The same with many coins in the cache, whether or not another scenario has emptied it. */
static void
fill_and_look(struct scene *scene)
{
	struct state *state = scene->state;
	struct block *block = blocks_begin(scene, 0);

	for (int i = 0; i < MANY_COINS; i++)
		block_add_output(block, 0, script_p2wsh_op_true, sizeof(script_p2wsh_op_true));
	blocks_submit(scene, block);
	state->cache = log_cache_state(scene);
}

static size_t
flush_events(const struct scene *scene)
{
	size_t events = 0;

	for (size_t i = 0; i < scene->events_cnt; i++)
		events += scene->events[i].tracepoint == TP_UTXOCACHE_FLUSH;
	return events;
}

/* Whether each event is one flush in the log, and the nth event therefore the nth flush. A bitcoind may write the cache
 * in several steps, or log that in words that are not known. */
static bool
has_log_of_each(struct scene *scene)
{
	return flush_events(scene) == log_flushes(scene);
}

/* An upper bound for the duration of flush number nth: it began after the action did, and ended before its event. If
 * it is not clear which event that is, the end of the action serves. */
static int64_t
us_since_start(struct scene *scene, size_t nth, bool has_log)
{
	uint64_t end_ns = scene->act_end_ns;

	for (size_t i = 0; i < scene->events_cnt && has_log; i++)
		if (scene->events[i].tracepoint == TP_UTXOCACHE_FLUSH && !nth--)
			end_ns = scene->events[i].time_ns;
	return (int64_t)((end_ns - scene->act_start_ns) / 1000);
}

struct flush {
	const char *what;
	enum flush_mode mode;
	const struct cache_state *cache; /* before it */
	bool for_prune;
	enum finding_kind kind; /* FINDING_CONTRACT unless given */
};

static struct expected *
expect_mode(struct scene *scene, const struct flush *flush)
{
	expect_source(scene->expect, "the flush mode that Bitcoin Core has for this cause");
	struct expected *e = expect_event(scene->expect, TP_UTXOCACHE_FLUSH, flush->kind, "%s", flush->what);
	want_uint(e, "mode", flush->mode);
	want_bool(e, "for_prune", flush->for_prune);
	expect_source(scene->expect, "bitcoind's log: coins in the cache");
	if (flush->cache->is_unknown)
		want_range(e, "coins", 0, COINS_MOST);
	else
		want_uint(e, "coins", (uint64_t)flush->cache->coins);
	expect_source(scene->expect, "bitcoind's log: memory of the cache");
	want_range(e, "memory", flush->cache->least_bytes, flush->cache->most_bytes);
	return e;
}

/* Flush number nth of the action. */
static void
expect_flush(struct scene *scene, size_t nth, const struct flush *flush)
{
	const bool has_log = has_log_of_each(scene);
	const struct flush_timing timing = log_flush(scene, nth);
	const int64_t least_us = has_log ? timing.least_us : 0, most_us = us_since_start(scene, nth, has_log);
	struct expected *e = expect_mode(scene, flush);

	expect_source(scene->expect,
		      "bitcoind's log: writing took %" PRId64 " us; %" PRId64
		      " us passed since the action began",
		      least_us, most_us);
	want_range(e, "duration", least_us, most_us > least_us ? most_us : least_us);
}

/* Sync: an RPC that needs the coins on disk flushes the cache without emptying it. */

static void
sync_expect(struct scene *scene)
{
	const struct state *state = scene->state;

	expect_flush(scene, 0,
		     &(struct flush){.what = "flush for the coins on disk",
				     .mode = sync_mode(scene),
				     .cache = &state->cache});
}

static void
call_scantxoutset(struct scene *scene)
{
	scene_call(scene, "scantxoutset", "[\"start\", [\"raw(52)\"]]");
}

static void
call_dumptxoutset(struct scene *scene)
{
	/* The path is relative to the datadir. */
	scene_call(scene, "dumptxoutset", "[\"utxo-%" PRIu32 ".dat\"%s]", blocks_tip(scene).height,
		   scene_has(scene, ABILITY_DUMP_TYPE) ? ", \"latest\"" : "");
}

#define SYNC_SCENARIO(rpc_)                                                                                  \
	DEFINE_SCENARIO(utxocache, flush, rpc_,                                                              \
			.summary = #rpc_ " flushes the cache (mode FORCE_SYNC; before v31 FORCE_FLUSH)",     \
			.subject = TP_UTXOCACHE_FLUSH, .tracepoints = FLUSH_TRACEPOINTS,                     \
			.profile = &profile_coins, .state_sz = sizeof(struct state),                         \
			.prepare = fill_and_look, .act = call_##rpc_, .expect = sync_expect)

SYNC_SCENARIO(gettxoutsetinfo);
SYNC_SCENARIO(scantxoutset);
SYNC_SCENARIO(dumptxoutset);

/* quiet: a flush before the blocks and one after them show that the tracepoint works */

static void
quiet_act(struct scene *scene)
{
	struct state *state = scene->state;
	char hash_hex[65];

	call_gettxoutsetinfo(scene);
	blocks_mine(scene, 5);
	blocks_tip_hash(scene, hash_hex);
	scene_call(scene, "invalidateblock", "[\"%s\"]", hash_hex);
	scene_call(scene, "reconsiderblock", "[\"%s\"]", hash_hex);
	state->next = log_cache_state(scene);
	call_gettxoutsetinfo(scene);
}

static void
quiet_expect(struct scene *scene)
{
	const struct state *state = scene->state;

	expect_flush(scene, 0,
		     &(struct flush){.what = "the flush before the blocks",
				     .mode = sync_mode(scene),
				     .cache = &state->cache});
	expect_flush(scene, 1,
		     &(struct flush){.what = "the flush after the blocks",
				     .mode = sync_mode(scene),
				     .cache = &state->next});
}

FLUSH_SCENARIO(quiet,
	.summary = "connecting and disconnecting blocks does not flush the cache",
	.tracepoints = FLUSH_TRACEPOINTS,
	.profile = &profile_coins,
	.prepare = fill_and_look,
	.act = quiet_act,
	.expect = quiet_expect,
);

/* periodic: when a block comes 50 to 70 minutes after the last flush, before v30 24 hours. That is no promise: after
 * more than 24 hours it is due in any release. */

enum { LONG_AFTER_S = 24 * 3600 + 100 };

static void
periodic_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	scene_require(scene, ABILITY_PERIODIC_MOCKABLE);
	/* The time until the next flush begins here, whatever an earlier scenario did. */
	call_gettxoutsetinfo(scene);
	fill_and_look(scene);
	state->block = blocks_begin(scene, 0);
	scene_set_time(scene, time(NULL) + LONG_AFTER_S);
}

static void
periodic_act(struct scene *scene)
{
	const struct state *state = scene->state;

	blocks_submit(scene, state->block);
}

/* Measured by a clock that stands still, it is 0. v23 and v24 take the beginning from that clock, but the end from the
 * machine's. */
static void
want_stopped_duration(const struct scene *scene, struct expected *e, int64_t stopped_s)
{
	if (scene_has(scene, ABILITY_PERIODIC_STOPPED)) {
		expect_source(scene->expect, "the node's clock, which setmocktime had stopped");
		want_int(e, "duration", 0);
	} else {
		int64_t monotonic_us = (int64_t)(clock_now_ns() / 1000);
		struct timespec wall;

		clock_gettime(CLOCK_REALTIME, &wall);
		int64_t ahead_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000 - monotonic_us -
				   stopped_s * 1000000;
		expect_source(scene->expect, "from the time that setmocktime had set to the machine's time");
		want_range(e, "duration", (int64_t)(scene->act_start_ns / 1000) + ahead_us,
			   (int64_t)(scene->act_end_ns / 1000) + ahead_us);
	}
	want_kind(e, FINDING_DETAIL);
}

static void
periodic_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	const int64_t stopped_s = scene->node_time;

	scene_set_time(scene, 0);
	/* The new block's coin is in the cache before the flush, and in the block's own UpdateTip line. */
	struct cache_state cache = log_cache_state(scene);
	if (!flush_events(scene) && !log_flushes(scene))
		scene_skip(scene, "this bitcoind did not flush at a block %d seconds after the last flush",
			   LONG_AFTER_S);
	if (!cache.is_unknown && cache.coins != state->cache.coins + 1)
		scene_fail(scene, -EBADMSG,
			   "the cache had %" PRId64 " coins and now has %" PRId64 ", not one more",
			   state->cache.coins, cache.coins);
	/* Its duration is measured by another clock, which does not stand still. */
	char hash_hex[65];
	format_hash(state->block->hash_wire, hash_hex);
	blocks_expect_coinbase_connected(scene, hash_hex, state->block->draft.height);
	struct expected *e = expect_mode(
		scene, &(struct flush){.what = "periodic flush", .mode = MODE_PERIODIC, .cache = &cache});
	want_stopped_duration(scene, e, stopped_s);
}

FLUSH_SCENARIO(periodic,
	.summary = "a block 24 hours after the last flush triggers the periodic one",
	.tracepoints = FLUSH_TRACEPOINTS | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.profile = &profile_coins,
	.prepare = periodic_prepare,
	.act = periodic_act,
	.expect = periodic_expect,
);

/* transaction: the periodic flush also comes after a transaction, whether it is accepted, rejected, or tried together
 * with another */

static void
transaction_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	scene_require(scene, ABILITY_PERIODIC_STOPPED);
	state->sent = pool_make(scene, "the transaction that is accepted", 1, 2, 4567);
	state->refused = pool_make(scene, "the transaction that is rejected", 1, 1, 0);
	/* The time until the next flush begins here. Before v31 this also empties the cache. */
	call_gettxoutsetinfo(scene);
	/* Trying a valid transaction, on its own, loads its coin. */
	pool_try(scene, &state->sent, 1, true);
	for (int i = 0; i < 2; i++) {
		state->tried[i] = pool_make(scene, "a transaction of the package", 1, 2, 5678);
		pool_try(scene, &state->tried[i], 1, true);
	}
	pool_prioritise(scene, state->refused, 1000000);
	pool_try(scene, &state->refused, 1, true);
	pool_prioritise(scene, state->refused, -1000000);
	mine_and_look(scene);
	state->start_s = time(NULL);
}

static void
note_flushes(struct scene *scene, size_t i)
{
	struct state *state = scene->state;

	state->logged[i] = log_flushes(scene);
	state->end_ns[i] = clock_now_ns();
}

static void
transaction_act(struct scene *scene)
{
	struct state *state = scene->state;

	pool_send_at(scene, state->sent, (uint64_t)(state->start_s + LONG_AFTER_S));
	note_flushes(scene, 0);
	scene_set_time(scene, state->start_s + 2 * LONG_AFTER_S);
	pool_send_refused(scene, state->refused);
	note_flushes(scene, 1);
	scene_set_time(scene, state->start_s + 3 * LONG_AFTER_S);
	pool_try(scene, state->tried, 2, true);
	note_flushes(scene, 2);
}

/* Whether there is no flush after transaction i, by the log and by the events. A log without any may word it in another
 * way. */
static bool
lacks_flush(const struct scene *scene, size_t i)
{
	const struct state *state = scene->state;
	uint64_t begin_ns = i ? state->end_ns[i - 1] : scene->act_start_ns;

	for (size_t j = 0; j < scene->events_cnt; j++) {
		const struct event *event = &scene->events[j];

		if (event->tracepoint == TP_UTXOCACHE_FLUSH && event->time_ns >= begin_ns &&
		    event->time_ns < state->end_ns[i])
			return false;
	}
	return state->logged[TRANSACTIONS - 1] && state->logged[i] == (i ? state->logged[i - 1] : 0);
}

static void
transaction_expect(struct scene *scene)
{
	static const char *const causes[TRANSACTIONS] = {
		"flush after a transaction", "flush after a rejected one", "flush after a package was tried"};
	const struct state *state = scene->state;

	if (!flush_events(scene) && !log_flushes(scene))
		scene_skip(scene,
			   "this bitcoind did not flush at a transaction %d seconds after the last flush",
			   LONG_AFTER_S);
	for (size_t i = 0; i < TRANSACTIONS; i++) {
		if (lacks_flush(scene, i)) {
			expect_source(scene->expect, "bitcoind's log");
			expect_detail(
				scene->expect, TP_UTXOCACHE_FLUSH,
				"there is no %s, %d seconds after the last flush, in bitcoind's log either",
				causes[i], LONG_AFTER_S);
			continue;
		}
		struct expected *e = expect_mode(
			scene,
			&(struct flush){.what = causes[i], .mode = MODE_PERIODIC, .cache = &state->cache});
		want_stopped_duration(scene, e, scene->node_time);
	}
	pool_clear(scene);
}

FLUSH_SCENARIO(transaction,
	.summary = "a transaction 24 hours after the last flush triggers the periodic one: accepted, rejected, or tried in a package",
	.tracepoints = FLUSH_TRACEPOINTS,
	.profile = &profile_coins,
	.prepare = transaction_prepare,
	.act = transaction_act,
	.expect = transaction_expect,
);

/* if_needed and large: more coins than -dbcache allows, and nearly as many */

/* Here the cache may take nearly 4 MB: 1.75 MiB of -dbcache, and the 2 MB that the mempool does not use. In the last
 * tenth below that it is "large", and is flushed when there is time. A coin takes about 140 bytes. So one block of
 * FILL_MANY coins jumps over that tenth and past the limit; blocks of FILL_FEW cannot jump over it, even when the hash
 * table grows or the next piece of memory (256 KiB) is allocated. */
enum {
	FILL_MANY = 66000, /* more than 16 bits */
	FILL_SOME = 10000,
	FILL_FEW = 1000,
	FILL_SOME_BELOW_BYTES = 1 << 20,
};

/* Submits blocks until bitcoind's log has a flush: of at_first coins each while the cache is small, then of
 * after_that. */
static void
fill_cache(struct scene *scene, unsigned at_first, unsigned after_that)
{
	struct state *state = scene->state;
	struct block *block = blocks_begin(scene, 0);
	size_t flushes = 0;

	while (scene_ok(scene) && !flushes && state->filled_cnt < FILL_BLOCKS_MAX) {
		state->cache = log_cache_state(scene);
		unsigned coins = state->cache.most_bytes < FILL_SOME_BELOW_BYTES ? at_first : after_that;
		for (unsigned i = 0; i < coins; i++)
			block_add_output(block, 0, script_op_true, sizeof(script_op_true));
		blocks_submit(scene, block);
		state->filled[state->filled_cnt++] = block;
		block = blocks_begin_after(scene, block, 0);
		flushes = log_flushes(scene);
	}
	if (!flushes)
		scene_fail(scene, -EBADMSG, "%zu blocks of %u coins did not make bitcoind flush",
			   state->filled_cnt, after_that);
}

/* How full the cache is, and when it is flushed, only the log says. */
static void
fill_prepare(struct scene *scene)
{
	call_gettxoutsetinfo(scene);
	blocks_mine(scene, 1);
	if (!log_shows_flushes(scene) || log_cache_state(scene).is_unknown)
		scene_skip(
			scene,
			"this bitcoind's debug.log does not show the size of the cache, or when it is flushed, in words that tpcheck knows");
}

/* The blocks, and the flush after the last one. */
static void
expect_filled(struct scene *scene, const struct flush *flush)
{
	const struct state *state = scene->state;

	for (size_t i = 0; i < state->filled_cnt; i++) {
		const struct block *block = state->filled[i];
		char hash_hex[65];

		format_hash(block->hash_wire, hash_hex);
		blocks_expect_coinbase_connected(scene, hash_hex, block->draft.height);
	}
	expect_flush(scene, 0, flush);
}

static void
if_needed_act(struct scene *scene)
{
	fill_cache(scene, FILL_MANY, FILL_MANY);
}

static void
if_needed_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	struct flush_timing timing = log_flush(scene, 0);
	/* The flush comes after the block's coins were added, and before its UpdateTip line. */
	struct cache_state cache = {.coins = state->cache.coins + FILL_MANY + 1,
				    .least_bytes = timing.critical_bytes,
				    .most_bytes = timing.critical_bytes};

	if (timing.critical_bytes < 0) {
		log_report_unknown(scene, LOG_FACT_CRITICAL);
		cache.least_bytes = state->cache.least_bytes;
		cache.most_bytes = INT64_MAX;
	}
	expect_filled(scene, &(struct flush){.what = "flush of a cache that is too large",
					     .mode = MODE_IF_NEEDED,
					     .cache = &cache});
}

FLUSH_SCENARIO(if_needed,
	.summary = "a cache too large for -dbcache is flushed after the block, with its exact number of coins and memory",
	.tracepoints = FLUSH_TRACEPOINTS | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.attaches_own = true,
	.profile = &profile_small_cache,
	.prepare = fill_prepare,
	.act = if_needed_act,
	.expect = if_needed_expect,
);

static void
large_act(struct scene *scene)
{
	fill_cache(scene, FILL_SOME, FILL_FEW);
}

static void
large_expect(struct scene *scene)
{
	/* The last block's own UpdateTip line, which comes before this flush, describes the cache. */
	struct cache_state cache = log_cache_state(scene);

	if (log_flush(scene, 0).critical_bytes >= 0)
		scene_fail(scene, -EBADMSG,
			   "the cache went past its limit instead of stopping in its last tenth");
	expect_filled(scene, &(struct flush){.what = "flush of a cache that is nearly too large",
					     .mode = MODE_PERIODIC,
					     .cache = &cache});
}

FLUSH_SCENARIO(large,
	.summary = "a cache in the last tenth of what -dbcache allows is flushed by the periodic check",
	.tracepoints = FLUSH_TRACEPOINTS | TP_BIT(TP_VALIDATION_BLOCK_CONNECTED),
	.attaches_own = true,
	.profile = &profile_small_cache,
	.prepare = fill_prepare,
	.act = large_act,
	.expect = large_expect,
);

/* prune */

static void
prune_prepare(struct scene *scene)
{
	/* Spent coins stay in the cache until they are written: the first flush must not drop any. */
	call_gettxoutsetinfo(scene);
	mine_and_look(scene);
}

static void
prune_act(struct scene *scene)
{
	scene_call(scene, "pruneblockchain", "[%d]", NARROW_FILLED_HEIGHT + 1);
	/* There is nothing left to prune, and so nothing to write. */
	scene_call(scene, "pruneblockchain", "[%d]", NARROW_FILLED_HEIGHT);
	/* On the same node, a flush that does not prune. */
	call_gettxoutsetinfo(scene);
}

static void
prune_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	struct cache_state after = state->cache;

	if (!scene_has(scene, ABILITY_PRUNE_KEEPS_COINS))
		after.coins = after.least_bytes = 0;
	expect_flush(scene, 0,
		     &(struct flush){.what = "flush for pruning",
				     .mode = MODE_NONE,
				     .cache = &state->cache,
				     .for_prune = true});
	expect_flush(scene, 1,
		     &(struct flush){.what = "flush of a node that has pruned before",
				     .mode = sync_mode(scene),
				     .cache = &after});
}

FLUSH_SCENARIO(prune,
	.summary = "pruneblockchain flushes with mode NONE and the prune flag; the next flush is without the flag",
	.tracepoints = FLUSH_TRACEPOINTS,
	.profile = &profile_narrow,
	.prepare = prune_prepare,
	.act = prune_act,
	.expect = prune_expect,
);

/* shutdown: two flushes, of which the second finds an empty cache */

static void
shutdown_act(struct scene *scene)
{
	if (scene_ok(scene))
		scene->err = node_stop(scene->node, scene->deadline, &scene->diag);
}

static void
shutdown_expect(struct scene *scene)
{
	const struct state *state = scene->state;
	/* An empty cache keeps some memory, and less than a full one. */
	struct cache_state empty = {.coins = 0, .least_bytes = 1, .most_bytes = state->cache.most_bytes};

	expect_flush(scene, 0,
		     &(struct flush){
			     .what = "flush at shutdown", .mode = MODE_FORCE_FLUSH, .cache = &state->cache});
	expect_extra_kind(scene->expect, FINDING_DETAIL);
	expect_flush(scene, 1,
		     &(struct flush){.what = "second flush at shutdown",
				     .mode = MODE_FORCE_FLUSH,
				     .cache = &empty,
				     .kind = FINDING_DETAIL});
}

FLUSH_SCENARIO(shutdown,
	.summary = "shutdown flushes the whole cache, and then (a detail) once more",
	.tracepoints = FLUSH_TRACEPOINTS,
	.profile = &profile_coins,
	.prepare = mine_and_look,
	.act = shutdown_act,
	.expect = shutdown_expect,
);
