/* Reading bitcoind's debug.log. The lines are those of a real bitcoind of master (2026-06) with -debug=bench,
 * -debug=coindb and -logtimemicros; those of older releases follow src/validation.cpp, src/txdb.cpp and
 * src/logging/timer.h of v25, v28 and v30. */
#include "scene/log.h"
#include "scene/log_lines.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HASH_108  "18421b9b79dae8777cc2bc9fe195823e1ae629e0c51d9549acb71ed042ac6a8f"
#define HASH_109  "59630a42c9be84c41f3877a087f51665cdd03ece913a2cdf1e6308a5a0ced8f6"
#define HASH_NONE "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

/* generateblock checks an empty block and then the real one (TestBlockValidity), and then connects the real one. */
#define CHECKS_108                                                                                                                     \
	"2026-11-23T14:38:12.227406Z CreateNewBlock(): block weight: 800 txs: 0 fees: 0 sigops 400\n"                                  \
	"2026-11-23T14:38:12.227492Z [bench]     - Sanity checks: 0.00ms [0.00s (0.00ms/blk)]\n"                                       \
	"2026-11-23T14:38:12.227519Z [bench]     - Fork checks: 0.04ms [0.04s (0.20ms/blk)]\n"                                         \
	"2026-11-23T14:38:12.227528Z [bench]       - Connect 1 transactions: 0.01ms (0.006ms/tx, 0.000ms/txin) [0.02s (0.08ms/blk)]\n" \
	"2026-11-23T14:38:12.227534Z [bench]     - Verify 0 txins: 0.01ms (0.000ms/txin) [0.02s (0.08ms/blk)]\n"                       \
	"2026-11-23T14:38:12.227539Z [bench] CreateNewBlock() chunks: 0.01ms, validity: 0.17ms (total 0.18ms)\n"                       \
	"2026-11-23T14:38:12.228165Z [bench]     - Sanity checks: 0.26ms [0.00s (0.00ms/blk)]\n"                                       \
	"2026-11-23T14:38:12.241999Z [bench]     - Fork checks: 13.80ms [0.06s (0.26ms/blk)]\n"                                        \
	"2026-11-23T14:38:12.247991Z [bench]       - Connect 2 transactions: 6.00ms (2.998ms/tx, 5.997ms/txin) [0.02s (0.10ms/blk)]\n" \
	"2026-11-23T14:38:12.248023Z [bench]     - Verify 1 txins: 6.05ms (6.053ms/txin) [0.02s (0.11ms/blk)]\n"
#define LOAD_108                                                                                             \
	"2026-11-23T14:38:12.250723Z [bench]   - Using cached block\n"                                       \
	"2026-11-23T14:38:12.250741Z [bench]   - Load block from disk: 0.02ms\n"
#define SANITY_108 "2026-11-23T14:38:12.250750Z [bench]     - Sanity checks: 0.00ms [0.00s (0.00ms/blk)]\n"
#define FORK_108   "2026-11-23T14:38:12.264481Z [bench]     - Fork checks: 13.71ms [0.07s (0.32ms/blk)]\n"
#define CONNECT_108                                                                                          \
	"2026-11-23T14:38:12.268924Z [bench]       - Connect 2 transactions: 4.45ms (2.225ms/tx, 4.451ms/txin) [0.03s (0.12ms/blk)]\n"
#define VERIFY_108                                                                                           \
	"2026-11-23T14:38:12.268948Z [bench]     - Verify 1 txins: 4.49ms (4.493ms/txin) [0.03s (0.13ms/blk)]\n"
#define UNDO_108 "2026-11-23T14:38:12.269041Z [bench]     - Write undo data: 0.09ms [0.00s (0.01ms/blk)]\n"
#define REST_108                                                                                             \
	"2026-11-23T14:38:12.269046Z [bench]     - Index writing: 0.01ms [0.00s (0.00ms/blk)]\n"             \
	"2026-11-23T14:38:12.269057Z [bench]   - Connect total: 18.32ms [0.05s (0.24ms/blk)]\n"              \
	"2026-11-23T14:38:12.280399Z [bench]   - Flush: 11.32ms [0.03s (0.13ms/blk)]\n"
#define FLUSH_108                                                                                                                           \
	"2026-11-23T14:38:12.280444Z Cache size (8548096) exceeds total space (6835008)\n"                                                  \
	"2026-11-23T14:38:12.280456Z [coindb] Writing chainstate to disk: flush mode=IF_NEEDED, prune=0, large=0, critical=1, periodic=0\n" \
	"2026-11-23T14:38:12.280478Z [bench] FlushStateToDisk: write block and undo data to disk started\n"                                 \
	"2026-11-23T14:38:12.282817Z [bench] FlushStateToDisk: write block and undo data to disk completed (2.33ms)\n"                      \
	"2026-11-23T14:38:12.282835Z [bench] FlushStateToDisk: write block index to disk started\n"                                         \
	"2026-11-23T14:38:12.283224Z [bench] FlushStateToDisk: write block index to disk completed (0.38ms)\n"                              \
	"2026-11-23T14:38:12.283249Z [bench] BatchWrite: write coins cache to disk (60108 out of 60108 cached coins) started\n"             \
	"2026-11-23T14:38:12.295747Z [coindb] Writing final batch of 4.36 MiB\n"                                                            \
	"2026-11-23T14:38:12.328209Z [coindb] Committed 60108 changed transaction outputs (out of 60108) to coin database...\n"             \
	"2026-11-23T14:38:12.328252Z [bench] BatchWrite: write coins cache to disk (60108 out of 60108 cached coins) completed (44.98ms)\n" \
	"2026-11-23T14:38:12.333105Z [bench]   - Writing chainstate: 52.71ms [0.05s (0.24ms/blk)]\n"
#define TIP_108                                                                                                                       \
	"2026-11-23T14:38:12.333194Z UpdateTip: new best=" HASH_108                                                                   \
	" height=108 version=0x20000000 log2_work=7.768184 tx=112 date='2026-11-23T14:38:28Z' progress=1.000000 cache=0.3MiB(0txo)\n" \
	"2026-11-23T14:38:12.333201Z [bench]   - Connect postprocess: 0.12ms [0.01s (0.03ms/blk)]\n"                                  \
	"2026-11-23T14:38:12.333205Z [bench] - Connect block: 82.48ms [0.14s (0.65ms/blk)]\n"
#define BLOCK_108 LOAD_108 SANITY_108 FORK_108 CONNECT_108 VERIFY_108 UNDO_108 REST_108 FLUSH_108 TIP_108
enum { SUM_108_US = 0 + 13710 + 4490 + 90 };

#define BLOCK_109                                                                                                                         \
	"2026-11-23T14:38:12.747245Z CreateNewBlock(): block weight: 800 txs: 0 fees: 0 sigops 400\n"                                     \
	"2026-11-23T14:38:12.748185Z [bench]     - Sanity checks: 0.36ms [0.00s (0.01ms/blk)]\n"                                          \
	"2026-11-23T14:38:12.765777Z [bench]     - Fork checks: 17.56ms [0.09s (0.40ms/blk)]\n"                                           \
	"2026-11-23T14:38:12.769597Z [bench]       - Connect 2 transactions: 3.83ms (1.917ms/tx, 3.834ms/txin) [0.03s (0.14ms/blk)]\n"    \
	"2026-11-23T14:38:12.769621Z [bench]     - Verify 1 txins: 3.88ms (3.879ms/txin) [0.03s (0.15ms/blk)]\n"                          \
	"2026-11-23T14:38:12.772222Z [bench]   - Using cached block\n"                                                                    \
	"2026-11-23T14:38:12.772234Z [bench]   - Load block from disk: 0.01ms\n"                                                          \
	"2026-11-23T14:38:12.772241Z [bench]     - Sanity checks: 0.02ms [0.00s (0.01ms/blk)]\n"                                          \
	"2026-11-23T14:38:12.781743Z [bench]     - Fork checks: 9.50ms [0.10s (0.44ms/blk)]\n"                                            \
	"2026-11-23T14:38:12.785459Z [bench]       - Connect 2 transactions: 3.71ms (1.855ms/tx, 3.710ms/txin) [0.03s (0.16ms/blk)]\n"    \
	"2026-11-23T14:38:12.785472Z [bench]     - Verify 1 txins: 3.73ms (3.735ms/txin) [0.04s (0.16ms/blk)]\n"                          \
	"2026-11-23T14:38:12.785533Z [bench]     - Write undo data: 0.06ms [0.00s (0.01ms/blk)]\n"                                        \
	"2026-11-23T14:38:12.785537Z [bench]     - Index writing: 0.00ms [0.00s (0.00ms/blk)]\n"                                          \
	"2026-11-23T14:38:12.785548Z [bench]   - Connect total: 13.32ms [0.07s (0.30ms/blk)]\n"                                           \
	"2026-11-23T14:38:12.789770Z [bench]   - Flush: 4.21ms [0.03s (0.15ms/blk)]\n"                                                    \
	"2026-11-23T14:38:12.789788Z [bench]   - Writing chainstate: 0.03ms [0.05s (0.24ms/blk)]\n"                                       \
	"2026-11-23T14:38:12.789827Z UpdateTip: new best=" HASH_109                                                                       \
	" height=109 version=0x20000000 log2_work=7.781360 tx=114 date='2026-11-23T14:38:28Z' progress=1.000000 cache=2.7MiB(20002txo)\n" \
	"2026-11-23T14:38:12.789832Z [bench]   - Connect postprocess: 0.04ms [0.01s (0.03ms/blk)]\n"                                      \
	"2026-11-23T14:38:12.789836Z [bench] - Connect block: 17.61ms [0.16s (0.72ms/blk)]\n"
enum { SUM_109_US = 20 + 9500 + 3730 + 60 };

/* With a mock time, which does not affect the stamps of the log. */
#define FLUSH_MOCKED                                                                                                                                                        \
	"2026-11-23T14:38:13.210034Z (mocktime: 2027-01-15T08:00:00Z) [coindb] Writing chainstate to disk: flush mode=PERIODIC, prune=0, large=0, critical=0, periodic=1\n" \
	"2026-11-23T14:38:13.210068Z (mocktime: 2027-01-15T08:00:00Z) [bench] FlushStateToDisk: write block and undo data to disk started\n"                                \
	"2026-11-23T14:38:13.211918Z (mocktime: 2027-01-15T08:00:00Z) [bench] FlushStateToDisk: write block and undo data to disk completed (1.84ms)\n"                     \
	"2026-11-23T14:38:13.212128Z (mocktime: 2027-01-15T08:00:00Z) [bench] BatchWrite: write coins cache to disk (40005 out of 40005 cached coins) started\n"            \
	"2026-11-23T14:38:13.252457Z (mocktime: 2027-01-15T08:00:00Z) [coindb] Committed 40005 changed transaction outputs (out of 40005) to coin database...\n"            \
	"2026-11-23T14:38:13.252495Z (mocktime: 2027-01-15T08:00:00Z) [bench] BatchWrite: write coins cache to disk (40005 out of 40005 cached coins) completed (40.35ms)\n"

/* The parts joined. The two latest texts stay valid. */
#define LOG(...) join((const char *const[]){__VA_ARGS__, NULL})

static const char *
join(const char *const *parts)
{
	static char texts[2][16384];
	static unsigned turn;
	char *text = texts[turn++ % 2];
	size_t len = 0;

	for (text[0] = '\0'; *parts; parts++)
		len += (size_t)snprintf(text + len, sizeof(texts[0]) - len, "%s", *parts);
	assert_in_range(len, 0, sizeof(texts[0]) - 1);
	return text;
}

static void
assert_timing(const char *log, const char *hash_hex, int64_t want_us)
{
	int64_t sum_us = -77;
	int err = log_parse_block_timing(log, hash_hex, &sum_us);

	if (err || sum_us != want_us)
		fail_msg("%d, %lld us, want %lld", err, (long long)sum_us, (long long)want_us);
}

static void
assert_no_timing(const char *log, const char *hash_hex)
{
	int64_t sum_us;

	assert_int_equal(log_parse_block_timing(log, hash_hex, &sum_us), -ENOENT);
}

static void
assert_flush(const char *log, size_t nth, int64_t want_us, int64_t want_bytes)
{
	int64_t least_us = -77, bytes = -77;
	int err = log_parse_flush(log, nth, &least_us, &bytes);

	if (err || least_us != want_us || bytes != want_bytes)
		fail_msg("%d, %lld us, %lld bytes; want %lld, %lld", err, (long long)least_us,
			 (long long)bytes, (long long)want_us, (long long)want_bytes);
}

static void
assert_no_flush(const char *log, size_t nth)
{
	int64_t least_us, bytes;

	assert_int_equal(log_parse_flush(log, nth, &least_us, &bytes), -ENOENT);
	assert_true(bytes == -1);
}

static void
assert_cache(const char *log, int64_t coins, double mib)
{
	struct cache_state cache;

	assert_int_equal(log_parse_cache(log, &cache), 0);
	assert_true(cache.coins == coins);
	/* Half of the last digit to either side, in bytes. */
	assert_in_range(cache.least_bytes, 1, (uint64_t)(mib * 1048576));
	assert_true((double)cache.least_bytes <= (mib - 0.0499) * 1048576 || cache.least_bytes == 1);
	assert_true((double)cache.least_bytes >= (mib - 0.0501) * 1048576);
	assert_true((double)cache.most_bytes >= (mib + 0.05) * 1048576);
	assert_true((double)cache.most_bytes <= (mib + 0.0501) * 1048576);
}

static void
assert_no_cache(const char *log)
{
	struct cache_state cache;

	assert_int_equal(log_parse_cache(log, &cache), -ENOENT);
	assert_true(cache.coins == 0 && cache.least_bytes == 0 && cache.most_bytes == 0);
}

/* The first len bytes of the log, in memory of just that size. */
static char *
cut(const char *log, size_t len)
{
	char *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, log, len);
	copy[len] = '\0';
	return copy;
}

/* Block timing */

/* v23 */
#define BLOCK_359                                                                                                              \
	"2026-11-26T12:08:34.568442Z   - Load block from disk: 0.00ms [0.00s]\n"                                               \
	"2026-11-26T12:08:34.568451Z     - Sanity checks: 0.01ms [0.00s (0.00ms/blk)]\n"                                       \
	"2026-11-26T12:08:34.568457Z     - Fork checks: 0.02ms [0.01s (0.01ms/blk)]\n"                                         \
	"2026-11-26T12:08:34.568464Z       - Connect 1 transactions: 0.01ms (0.006ms/tx, 0.000ms/txin) [0.00s (0.01ms/blk)]\n" \
	"2026-11-26T12:08:34.568469Z     - Verify 0 txins: 0.03ms (0.000ms/txin) [0.01s (0.01ms/blk)]\n"
#define INDEX_359 "2026-11-26T12:08:34.568486Z     - Index writing: 0.05ms [0.01s (0.01ms/blk)]\n"
#define TIP_359                                                                                              \
	"2026-11-26T12:08:34.568496Z   - Connect total: 0.06ms [0.02s (0.03ms/blk)]\n"                       \
	"2026-11-26T12:08:34.568593Z UpdateTip: new best=" HASH_109 " height=359 version=0x30000000\n"

static void
test_block_of_v23(void **state)
{
	(void)state;
	assert_timing(BLOCK_359 INDEX_359 TIP_359, HASH_109, 110);
	assert_no_timing(BLOCK_359 TIP_359, HASH_109);
}

static void
test_block(void **state)
{
	(void)state;
	assert_timing(BLOCK_108, HASH_108, SUM_108_US);
	/* The checks before it belong to a block that is not connected. */
	assert_timing(LOG(CHECKS_108, BLOCK_108), HASH_108, SUM_108_US);
	assert_no_timing(BLOCK_108, HASH_NONE);
	assert_no_timing(CHECKS_108, HASH_108);
	assert_no_timing("", HASH_108);
}

static void
test_several_blocks(void **state)
{
	const char *log = LOG(CHECKS_108, BLOCK_108, BLOCK_109);

	(void)state;
	assert_timing(log, HASH_108, SUM_108_US);
	assert_timing(log, HASH_109, SUM_109_US);
	assert_no_timing(log, HASH_NONE);
	/* Connected twice: the last time counts. */
	assert_timing(
		LOG(BLOCK_108, BLOCK_109,
		    "2026-11-23T14:38:20.811201Z [bench] - Disconnect block: 0.16ms\n"
		    "2026-11-23T14:38:20.811244Z UpdateTip: new best=" HASH_NONE
		    " height=108 version=0x20000000 log2_work=3.000000 tx=4 date='2026-11-23T14:37:48Z' progress=0.869565 cache=0.3MiB(4txo)\n"
		    "2026-11-23T14:38:20.820745Z [bench]   - Load block from disk: 0.05ms\n"
		    "2026-11-23T14:38:20.820777Z [bench]     - Sanity checks: 0.01ms [0.00s (0.00ms/blk)]\n"
		    "2026-11-23T14:38:20.820797Z [bench]     - Fork checks: 0.02ms [0.00s (0.01ms/blk)]\n"
		    "2026-11-23T14:38:20.820817Z [bench]     - Verify 0 txins: 1000.00ms (0.000ms/txin) [0.00s (0.02ms/blk)]\n"
		    "2026-11-23T14:38:20.820822Z [bench]     - Write undo data: 0.04ms [0.00s (0.04ms/blk)]\n"
		    "2026-11-23T14:38:20.820879Z UpdateTip: new best=" HASH_109
		    " height=109 version=0x20000000 log2_work=3.321928 tx=5 date='2026-11-23T14:37:49Z' progress=1.000000 cache=0.3MiB(4txo)\n"),
		HASH_109, 10 + 20 + 1000000 + 40);
}

/* A block with a missing line has no sum, and does not get one from the lines of another block. */
static void
test_missing_lines(void **state)
{
	(void)state;
	assert_no_timing(CHECKS_108 LOAD_108 SANITY_108 CONNECT_108 VERIFY_108 UNDO_108 TIP_108, HASH_108);
	assert_no_timing(CHECKS_108 LOAD_108 SANITY_108 FORK_108 CONNECT_108 UNDO_108 TIP_108, HASH_108);
	assert_no_timing(CHECKS_108 LOAD_108 SANITY_108 FORK_108 CONNECT_108 VERIFY_108 TIP_108, HASH_108);
	assert_no_timing(LOAD_108 FORK_108 CONNECT_108 VERIFY_108 UNDO_108 TIP_108, HASH_108);
	assert_no_timing(LOG(BLOCK_109, LOAD_108, FORK_108, CONNECT_108, VERIFY_108, UNDO_108, TIP_108),
			 HASH_108);
	assert_no_timing(TIP_108, HASH_108);
	/* The lines of the block before it do not count. */
	assert_no_timing(LOG(BLOCK_109, TIP_108), HASH_108);
	assert_no_timing(LOG(BLOCK_109, SANITY_108, VERIFY_108, UNDO_108, TIP_108), HASH_108);
	/* The missing line does not affect the block after it. */
	assert_timing(LOG(SANITY_108, TIP_108, BLOCK_109), HASH_109, SUM_109_US);
	/* The lines of a block that failed its check belong to no other block. */
	assert_timing(LOG(SANITY_108, FORK_108, VERIFY_108, BLOCK_109), HASH_109, SUM_109_US);
}

/* A line that ends too early has no figure, whatever the next line begins with. */
static void
test_cut_lines(void **state)
{
	static const char *const ends[] = {"",      "0.0",   "0.01",    "0.01m", "0.01s",
					   "nanms", "infms", "-1.00ms", "1e30ms"};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line), "2026-11-23T14:38:12.250750Z [bench]     - Sanity checks: %s\n",
			 ends[i]);
		assert_no_timing(LOG(line, FORK_108, VERIFY_108, UNDO_108, TIP_108), HASH_108);
		snprintf(line, sizeof(line), "2026-11-23T14:38:12.250750Z [bench]     - Verify 1 txins: %s\n",
			 ends[i]);
		assert_no_timing(LOG(SANITY_108, FORK_108, line, UNDO_108, TIP_108), HASH_108);
	}
}

/* When a block is disconnected, the one below becomes the tip again. It is not connected anew: its first sum stays. */
static void
test_tip_again(void **state)
{
	assert_timing(LOG(BLOCK_108, BLOCK_109,
			  "2026-11-23T14:38:20.811201Z [bench] - Disconnect block: 0.16ms\n", TIP_108),
		      HASH_108, SUM_108_US);
	(void)state;
}

/* The lines of a check do not count for the connecting that follows. */
static void
test_missing_after_check(void **state)
{
	(void)state;
	assert_no_timing(LOG(CHECKS_108, LOAD_108, FORK_108, VERIFY_108, UNDO_108, TIP_108), HASH_108);
	assert_no_timing(LOG(CHECKS_108, LOAD_108, FORK_108, UNDO_108, TIP_108), HASH_108);
}

/* v25 and v28 use the same words; so does v23, but without categories in front. */
static void
test_block_of_old_releases(void **state)
{
	static const char v28[] =
		"2024-10-02T09:00:00.000001Z [bench]   - Using cached block\n"
		"2024-10-02T09:00:00.000100Z [bench]     - Sanity checks: 0.01ms [0.00s (0.00ms/blk)]\n"
		"2024-10-02T09:00:00.000200Z [bench]     - Fork checks: 0.03ms [0.00s (0.02ms/blk)]\n"
		"2024-10-02T09:00:00.000300Z [bench]       - Connect 3 transactions: 0.25ms (0.083ms/tx, 0.125ms/txin) [0.00s (0.08ms/blk)]\n"
		"2024-10-02T09:00:00.000400Z [bench]     - Verify 2 txins: 0.31ms (0.155ms/txin) [0.00s (0.09ms/blk)]\n"
		"2024-10-02T09:00:00.000500Z [bench]     - Write undo data: 12.50ms [0.01s (0.05ms/blk)]\n"
		"2024-10-02T09:00:00.000600Z [bench]     - Index writing: 0.01ms [0.00s (0.01ms/blk)]\n"
		"2024-10-02T09:00:00.000700Z UpdateTip: new best=" HASH_109
		" height=109 version=0x20000000 log2_work=7.781360 tx=114 date='2024-10-02T09:00:00Z' progress=1.000000 cache=2.7MiB(20002txo) warning='This is a pre-release test build - use at your own risk'\n";
	static const char v23[] =
		"2022-04-25T09:00:00.000100Z     - Sanity checks: 0.01ms [0.00s (0.00ms/blk)]\n"
		"2022-04-25T09:00:00.000200Z     - Fork checks: 0.03ms [0.00s (0.02ms/blk)]\n"
		"2022-04-25T09:00:00.000400Z     - Verify 2 txins: 0.31ms (0.155ms/txin) [0.00s (0.09ms/blk)]\n"
		"2022-04-25T09:00:00.000500Z     - Write undo data: 0.05ms [0.01s (0.05ms/blk)]\n"
		"2022-04-25T09:00:00.000700Z UpdateTip: new best=" HASH_109
		" height=109 version=0x20000000 log2_work=7.781360 tx=114 date='2022-04-25T09:00:00Z' progress=1.000000 cache=2.7MiB(20002txo)\n";

	(void)state;
	assert_timing(v28, HASH_109, 10 + 30 + 310 + 12500);
	assert_cache(v28, 20002, 2.7);
	assert_timing(v23, HASH_109, 10 + 30 + 310 + 50);
	assert_cache(v23, 20002, 2.7);
}

/* In binary 2.30 * 1000 and the like are a little less than a whole number. */
static void
test_block_figures(void **state)
{
	(void)state;
	for (int64_t us = 0; us <= 20000; us += 10) {
		char figures[64], log[1024];

		snprintf(figures, sizeof(figures), "%lld.%02lldms", (long long)us / 1000,
			 (long long)us % 1000 / 10);
		snprintf(
			log, sizeof(log),
			"    - Sanity checks: %s [0.00s (0.00ms/blk)]\n    - Fork checks: %s [0.00s (0.00ms/blk)]\n"
			"    - Verify 12 txins: %s (0.155ms/txin) [0.00s (0.09ms/blk)]\n"
			"    - Write undo data: %s [0.01s (0.05ms/blk)]\nUpdateTip: new best=" HASH_109
			" height=109\n",
			figures, figures, figures, figures);
		assert_timing(log, HASH_109, 4 * us);
	}
}

/* With other options lines begin with more. */
static void
test_block_with_prefixes(void **state)
{
	static const char log[] =
		"2026-11-23T14:38:12.250750Z (mocktime: 2027-01-15T08:00:00Z) [http.1] [validation.cpp:2459] [ConnectBlock] [bench]     - Sanity checks: 0.01ms [0.00s (0.00ms/blk)]\n"
		"2026-11-23T14:38:12.264481Z [msghand] [bench:debug]     - Fork checks: 0.02ms [0.07s (0.32ms/blk)]\n"
		"[bench]     - Verify 1 txins: 0.04ms (4.493ms/txin) [0.03s (0.13ms/blk)]\n"
		"    - Write undo data: 0.08ms [0.00s (0.01ms/blk)]\n"
		"UpdateTip: new best=" HASH_108 " height=108 version=0x20000000 cache=0.3MiB(0txo)";

	(void)state;
	assert_timing(log, HASH_108, 10 + 20 + 40 + 80);
	assert_cache(log, 0, 0.3);
}

static void
test_block_rubbish(void **state)
{
	static const char *const figures[] = {"", "ms", "x.xxms", "-", "--1ms", "ms 0.01"};

	(void)state;
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		char log[2048];

		snprintf(log, sizeof(log),
			 SANITY_108
			 "2026-11-23T14:38:12.264481Z [bench]     - Fork checks: %s [\n" VERIFY_108 UNDO_108
				 TIP_108,
			 figures[i]);
		assert_no_timing(log, HASH_108);
		snprintf(log, sizeof(log),
			 SANITY_108 FORK_108
			 "2026-11-23T14:38:12.268948Z [bench]     - Verify 1 txins: %s [\n" UNDO_108 TIP_108,
			 figures[i]);
		assert_no_timing(log, HASH_108);
	}
	/* The words are there, but not before the figure. */
	assert_no_timing(SANITY_108 FORK_108 "[bench]     - Verify 4.49ms\n" UNDO_108 TIP_108, HASH_108);
	assert_no_timing("\n\n\n", HASH_108);
	assert_no_timing("UpdateTip: new best=\n" HASH_108 "\n", HASH_108);
	assert_no_timing("\xff\xfe" HASH_108 "\x80\n", HASH_108);
}

/* The log is read while bitcoind writes it, so it may end anywhere. */
static void
test_block_cut(void **state)
{
	static const char log[] = CHECKS_108 BLOCK_108;
	size_t present_from = (size_t)(strstr(log, HASH_108) - log) + strlen(HASH_108), len;

	(void)state;
	for (len = 0; len < sizeof(log); len++) {
		char *copy = cut(log, len);

		if (len < present_from)
			assert_no_timing(copy, HASH_108);
		else
			assert_timing(copy, HASH_108, SUM_108_US);
		free(copy);
	}
}

/* Flush */

static void
test_flush(void **state)
{
	(void)state;
	/* From 12.280478 to 12.328252. */
	assert_flush(FLUSH_108, 0, 47774, 8548096);
	assert_flush(LOG(CHECKS_108, BLOCK_108, BLOCK_109), 0, 47774, 8548096);
	assert_no_flush(FLUSH_108, 1);
	assert_no_flush(BLOCK_109, 0);
	assert_no_flush("", 0);
	assert_flush(FLUSH_MOCKED, 0, 42427, -1);
}

static void
test_several_flushes(void **state)
{
	const char *log = LOG(BLOCK_108, BLOCK_109, FLUSH_MOCKED, FLUSH_108);

	(void)state;
	assert_flush(log, 0, 47774, 8548096);
	/* The size belongs only to the flush that it caused. */
	assert_flush(log, 1, 42427, -1);
	assert_flush(log, 2, 47774, 8548096);
	assert_no_flush(log, 3);
	assert_no_flush(log, SIZE_MAX);
}

/* Up to v30 the tracepoint fired while the timer of "write coins cache to disk" still ran. That line may therefore be
 * later than the end of what the tracepoint measured: it is not a lower bound. The database's own line is. */
static void
test_flush_of_old_releases(void **state)
{
	static const char *const units[] = {"3.45kB", "3.45KiB", "3.00kB"};

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		char log[4096];

		snprintf(
			log, sizeof(log),
			"2023-05-25T11:10:39.100000Z [bench] FlushStateToDisk: write block and undo data to disk started\n"
			"2023-05-25T11:10:39.101000Z [bench] FlushStateToDisk: write block and undo data to disk completed (1.00ms)\n"
			"2023-05-25T11:10:39.101010Z [bench] FlushStateToDisk: write block index to disk started\n"
			"2023-05-25T11:10:39.102000Z [bench] FlushStateToDisk: write block index to disk completed (0.99ms)\n"
			"2023-05-25T11:10:39.102010Z [bench] FlushStateToDisk: write coins cache to disk (12 coins, %s) started\n"
			"2023-05-25T11:10:39.102500Z [coindb] Writing final batch of 0.00 MiB\n"
			"2023-05-25T11:10:39.102700Z [coindb] Committed 12 changed transaction outputs (out of 12) to coin database...\n"
			"2023-05-25T11:10:39.109000Z [bench] FlushStateToDisk: write coins cache to disk (12 coins, %s) completed (6.99ms)\n",
			units[i], units[i]);
		assert_flush(log, 0, 2700, -1);
		assert_no_flush(log, 1);
		/* The same between flushes of master. */
		const char *both = LOG(FLUSH_108, log, FLUSH_MOCKED);
		assert_flush(both, 0, 47774, 8548096);
		assert_flush(both, 1, 2700, -1);
		assert_flush(both, 2, 42427, -1);
	}
	/* Without -debug=coindb there are fewer lines. */
	assert_flush(
		"2023-05-25T11:10:39.100000Z [bench] FlushStateToDisk: write block and undo data to disk started\n"
		"2023-05-25T11:10:39.102010Z [bench] FlushStateToDisk: write coins cache to disk (12 coins, 3.45kB) started\n"
		"2023-05-25T11:10:39.109000Z [bench] FlushStateToDisk: write coins cache to disk (12 coins, 3.45kB) completed (6.99ms)\n",
		0, 2010, -1);
	/* Before v28 the blocks were also written without the coins: that is not a flush, nor the start of one. */
	assert_flush(
		"2023-05-25T11:00:00.000000Z [bench] FlushStateToDisk: write block and undo data to disk started\n"
		"2023-05-25T11:00:00.100000Z [bench] FlushStateToDisk: write block and undo data to disk completed (100.00ms)\n"
		"2023-05-25T11:10:39.100000Z FlushStateToDisk: write block and undo data to disk started\n"
		"2023-05-25T11:10:39.102010Z FlushStateToDisk: write coins cache to disk (12 coins, 3.45kB) started\n"
		"2023-05-25T11:10:39.102700Z Committed 12 changed transaction outputs (out of 12) to coin database...\n"
		"2023-05-25T11:10:39.109000Z FlushStateToDisk: write coins cache to disk (12 coins, 3.45kB) completed (6.99ms)\n",
		0, 2700, -1);
}

static void
test_flush_over_midnight(void **state)
{
	(void)state;
	assert_flush(
		"2026-12-31T23:59:59.999990Z [bench] FlushStateToDisk: write block and undo data to disk started\n"
		"2027-01-01T00:00:00.000015Z [bench] BatchWrite: write coins cache to disk (3 out of 3 cached coins) completed (0.03ms)\n",
		0, 25, -1);
	assert_flush(
		"2026-12-31T00:00:00.000000Z [bench] FlushStateToDisk: write block and undo data to disk started\n"
		"2026-12-31T23:59:59.999999Z [bench] BatchWrite: write coins cache to disk (3 out of 3 cached coins) completed (0.03ms)\n",
		0, INT64_C(86399999999), -1);
	assert_flush(
		"2026-12-31T12:00:00.000001Z [bench] FlushStateToDisk: write block and undo data to disk started\n"
		"2026-12-31T12:00:00.000001Z [bench] BatchWrite: write coins cache to disk (3 out of 3 cached coins) completed (0.00ms)\n",
		0, 0, -1);
}

/* Missing lines, stamps without microseconds, and figures that are not numbers. */
static void
test_flush_rubbish(void **state)
{
	static const char completed[] =
		"2026-11-23T14:38:12.328252Z [bench] BatchWrite: write coins cache to disk (3 out of 3 cached coins) completed (0.03ms)\n";
	static const char *const stamps[] = {"",
					     "2026-11-23T14:38:12Z ",
					     "2026-11-23T14:38:12.Z ",
					     "2026-11-23T14:38:12.xxxxxxZ ",
					     "2026-11-23 14:38:12.280478 ",
					     "yyyy-mm-ddThh:mm:ss.uuuuuuZ ",
					     "[bench] "};

	(void)state;
	assert_no_flush(completed, 0);
	for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++) {
		char log[1024];

		snprintf(log, sizeof(log),
			 "%sFlushStateToDisk: write block and undo data to disk started\n%s", stamps[i],
			 completed);
		assert_no_flush(log, 0);
		snprintf(
			log, sizeof(log),
			"2026-11-23T14:38:12.280478Z FlushStateToDisk: write block and undo data to disk started\n"
			"%sBatchWrite: write coins cache to disk (3 out of 3 cached coins) completed (0.03ms)\n",
			stamps[i]);
		assert_no_flush(log, 0);
	}
	assert_flush(
		"Cache size (many) exceeds total space (6835008)\n"
		"2026-11-23T14:38:12.328000Z FlushStateToDisk: write block and undo data to disk started\n"
		"2026-11-23T14:38:12.328252Z [bench] BatchWrite: write coins cache to disk (3 out of 3 cached coins) completed (0.03ms)\n",
		0, 252, -1);
	assert_flush(
		"Cache size (12) is fine\n"
		"2026-11-23T14:38:12.328000Z FlushStateToDisk: write block and undo data to disk started\n"
		"2026-11-23T14:38:12.328252Z [bench] BatchWrite: write coins cache to disk (3 out of 3 cached coins) completed (0.03ms)\n",
		0, 252, -1);
}

static void
test_flush_cut(void **state)
{
	static const char log[] = FLUSH_MOCKED FLUSH_108;
	size_t first = (size_t)(strstr(log, "completed (40.35ms)") - log) + strlen("completed");
	size_t second = (size_t)(strstr(log, "completed (44.98ms)") - log) + strlen("completed");

	(void)state;
	for (size_t len = 0; len < sizeof(log); len++) {
		char *copy = cut(log, len);

		if (len < first)
			assert_no_flush(copy, 0);
		else
			assert_flush(copy, 0, 42427, -1);
		if (len < second)
			assert_no_flush(copy, 1);
		else
			assert_flush(copy, 1, 47774, 8548096);
		assert_no_flush(copy, 2);
		free(copy);
	}
}

/* Cache */

static void
test_cache(void **state)
{
	struct cache_state cache;

	(void)state;
	assert_cache(BLOCK_109, 20002, 2.7);
	assert_cache(BLOCK_108, 0, 0.3);
	/* The last line counts. */
	assert_cache(LOG(BLOCK_109, BLOCK_108), 0, 0.3);
	assert_cache(LOG(BLOCK_108, BLOCK_109, CHECKS_108, FLUSH_108), 20002, 2.7);
	assert_cache("UpdateTip: new best=00 cache=4096.0MiB(34567890123txo)\n", INT64_C(34567890123),
		     4096.0);
	/* A size that rounds to 0 is more than 0. */
	assert_int_equal(log_parse_cache("UpdateTip: new best=00 cache=0.0MiB(1txo)\n", &cache), 0);
	assert_true(cache.least_bytes == 1);
	assert_in_range(cache.most_bytes, 52428, 52430);
	assert_no_cache("");
	assert_no_cache(CHECKS_108 FLUSH_108);
}

static void
test_cache_rubbish(void **state)
{
	static const char *const tails[] = {
		"",
		" cache=",
		" cache=MiB(3txo)",
		" cache=xMiB(3txo)",
		" cache=0.3MiB(",
		" cache=0.3MiB(txo)",
		" cache=0.3KiB(3txo)",
		" cache=0.3",
		" cache=0.3MiB(3",
		" cache=0.3MiB(3tx)",
		" Cache=0.3MiB(3txo)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		char log[2048];

		snprintf(log, sizeof(log), "UpdateTip: new best=" HASH_108 " height=1%s", tails[i]);
		assert_no_cache(log);
		/* The values of the line before stay. */
		assert_cache(LOG(BLOCK_109, log), 20002, 2.7);
	}
	assert_no_cache("something else: new best=00 cache=0.3MiB(3txo)\n");
	assert_no_cache("UpdateTip: new best=00\n cache=0.3MiB(3txo)\n");
}

static void
test_cache_cut(void **state)
{
	static const char log[] = BLOCK_109;
	size_t present_from = (size_t)(strstr(log, "txo)") - log) + strlen("txo)");

	(void)state;
	for (size_t len = 0; len < sizeof(log); len++) {
		char *copy = cut(log, len);

		if (len < present_from)
			assert_no_cache(copy);
		else
			assert_cache(copy, 20002, 2.7);
		/* A node that was killed and started again begins a new line. */
		if (len < present_from)
			assert_no_cache(LOG(copy, "\n", CHECKS_108));
		free(copy);
	}
}

/* Lines of master. A wallet can have any name. */
static void
test_selections(void **state)
{
	static const char log[] =
		"2026-11-23T16:51:58.203133Z [purse] Coin Selection: Algorithm:bnb, Waste Metric Score:0\n"
		"2026-11-23T16:51:58.203138Z [purse] Fee Calculation: Fee:1230 Bytes:123 Tgt:0 (requested 0) Reason:\"None\" Decay 0.00000: Estimation: (0 - 0) 0.00% 0.0/(0.0 0 mem 0.0 out) Fail: (0 - 0)\n"
		"2026-11-23T16:51:58.203200Z [a, b] Coin Selection: Algorithm:knapsack, Waste Metric Score:-4304044020\n"
		"2026-11-23T16:51:58.203300Z [purse] Coin Selection: Algorithm:cg\n"
		"2026-11-23T16:51:58.203400Z [purse] Fee non-grouped = 1, grouped = 2, using grouped\n"
		"2026-11-23T16:51:58.203500Z [purse] Coin Selection: Algorithm:srd, Waste Metric Score:17";
	struct log_selection selections[4];

	(void)state;
	assert_int_equal(log_parse_selections(log, selections, 4), 3);
	assert_string_equal(selections[0].algorithm, "bnb");
	assert_int_equal(selections[0].waste_sat, 0);
	assert_string_equal(selections[1].algorithm, "knapsack");
	assert_int_equal(selections[1].waste_sat, INT64_C(-4304044020));
	assert_string_equal(selections[2].algorithm, "srd");
	assert_int_equal(selections[2].waste_sat, 17);
	assert_int_equal(log_parse_selections(log, selections, 1), 1);
	assert_int_equal(log_parse_selections("", selections, 4), 0);
}

static void
test_misbehaviours(void **state)
{
	static const char log[] =
		"2026-11-23T17:10:43.731833Z [net] Misbehaving: peer=0: inv message size = 50003\n"
		"2026-11-23T17:10:43.731840Z [warning] Not punishing noban peer 0!\n"
		"2026-11-23T17:10:43.746800Z [net] Misbehaving: peer=10: mutated block\n"
		"2026-11-23T17:10:43.746801Z [net] Misbehaving: peer=1\n"
		"2026-11-23T17:10:43.746802Z [net] Misbehaving: peer=x: no number\n"
		"2026-11-23T17:10:43.746803Z [net] Misbehaving: peer=1: a: b";
	struct log_texts reasons;

	(void)state;
	log_parse_misbehaviours(log, 1, &reasons);
	assert_int_equal(reasons.cnt, 2);
	assert_string_equal(reasons.items[0], "");
	assert_string_equal(reasons.items[1], "a: b");
	log_texts_fini(&reasons);
	log_parse_misbehaviours(log, 0, &reasons);
	assert_int_equal(reasons.cnt, 1);
	assert_string_equal(reasons.items[0], "inv message size = 50003");
	log_texts_fini(&reasons);
	log_parse_misbehaviours(log, 2, &reasons);
	assert_int_equal(reasons.cnt, 0);
	log_texts_fini(&reasons);
	log_parse_misbehaviours("Misbehaving: peer=", 0, &reasons);
	assert_int_equal(reasons.cnt, 0);
	log_texts_fini(&reasons);
}

/* In the order in which they were connected. What is only checked does not count. */
static void
test_timings(void **state)
{
	const char *log = LOG(BLOCK_108, BLOCK_109, SANITY_108, FORK_108, VERIFY_108, UNDO_108);
	const int64_t want_us[] = {SUM_108_US, SUM_109_US, SUM_108_US};
	struct log_timings timings;

	(void)state;
	log_parse_timings(log, &timings);
	assert_int_equal(timings.cnt, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_in_range(want_us[i] * 1000, timings.items[i].least_ns, timings.items[i].most_ns);
		assert_in_range(timings.items[i].most_ns - timings.items[i].least_ns, 1, 100000);
		/* Four figures are rounded to 10 us, and the clocks that were read to whole microseconds. */
		int64_t least_ns = (want_us[i] - 24) * 1000;
		assert_int_equal(timings.items[i].least_ns, least_ns > 0 ? least_ns : 1);
		assert_int_equal(timings.items[i].most_ns, (want_us[i] + 24) * 1000);
	}
	free(timings.items);
	log_parse_timings("", &timings);
	assert_int_equal(timings.cnt, 0);
}

/* What the log does not say is reported once in a run, whichever scenario notices it. */
static void
test_unknown_once(void **state)
{
	unsigned reported = 0;
	size_t total = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		struct scene scene = {.expect = expect_new(), .reported = round < 2 ? &reported : NULL};
		struct findings findings = {0};
		struct diag diag;

		for (int fact = 0; fact < LOG_FACTS_CNT; fact++)
			log_report_unknown(&scene, (enum log_fact)fact);
		/* The one event that each comparison needs. */
		struct expected *e = expect_event(scene.expect, TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX,
						  FINDING_CONTRACT, "an event");
		want_string(e, "wallet", "");
		assert_int_equal(expect_match(scene.expect, TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX, NULL,
					      0, &findings, &diag),
				 0);
		for (size_t i = 0; i < findings.cnt; i++) {
			if (findings.items[i].kind == FINDING_CONTRACT)
				continue;
			assert_int_equal(findings.items[i].kind, FINDING_DETAIL);
			assert_non_null(
				strstr(findings.items[i].message, "debug.log does not have the line '"));
			total++;
		}
		findings_fini(&findings);
		expect_free(scene.expect);
		if (!round)
			assert_int_equal(total, LOG_FACTS_CNT);
	}
	assert_int_equal(total, LOG_FACTS_CNT);
}

static void
test_words(void **state)
{
	(void)state;
	for (int line = 0; line < LOG_LINES_CNT; line++) {
		assert_non_null(log_words((enum log_line)line));
		assert_true(strlen(log_words((enum log_line)line)) > 3);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timings),
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_block_of_v23),
		cmocka_unit_test(test_several_blocks),
		cmocka_unit_test(test_missing_lines),
		cmocka_unit_test(test_cut_lines),
		cmocka_unit_test(test_tip_again),
		cmocka_unit_test(test_missing_after_check),
		cmocka_unit_test(test_block_of_old_releases),
		cmocka_unit_test(test_block_figures),
		cmocka_unit_test(test_block_with_prefixes),
		cmocka_unit_test(test_block_rubbish),
		cmocka_unit_test(test_block_cut),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_several_flushes),
		cmocka_unit_test(test_flush_of_old_releases),
		cmocka_unit_test(test_flush_over_midnight),
		cmocka_unit_test(test_flush_rubbish),
		cmocka_unit_test(test_flush_cut),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_rubbish),
		cmocka_unit_test(test_cache_cut),
		cmocka_unit_test(test_selections),
		cmocka_unit_test(test_misbehaviours),
		cmocka_unit_test(test_unknown_once),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
