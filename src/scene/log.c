#include "scene/log.h"

#include "base/buf.h"
#include "base/xmem.h"
#include "scene/log_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_BACKWARDS "log: the stamps in bitcoind's debug.log run backwards: the clock was set"

enum {
	LOG_BYTES_MAX = 256 << 20,
	/* Four figures, each rounded to 0.01 ms, plus 1 us each for the clock's own resolution. */
	TIMING_SLACK_US = 4 * 5 + 4,
};
#define DAY_US (INT64_C(24) * 3600 * 1000000)

/* Steps through lines: *line is the next one, *len its length; false at the end. */
static bool
next_line(const char **at, const char **line, size_t *len)
{
	if (!**at)
		return false;
	*line = *at;
	*len = strcspn(*at, "\n");
	*at += *len + ((*at)[*len] == '\n');
	return true;
}

static const char *
find_in(const char *line, size_t len, const char *what)
{
	return memmem(line, len, what, strlen(what));
}

/* The line from at on as a string: sscanf would go on to the next line, and take the length of the whole log first. */
static const char *
rest_of(const char *line, size_t len, const char *at, char out[64])
{
	size_t rest = len - (size_t)(at - line);

	if (rest > 63)
		rest = 63;
	memcpy(out, at, rest);
	out[rest] = '\0';
	return out;
}

/* "Sanity checks: 0.01ms": the figure after the words, in us; -1 when the line does not have them. */
static int64_t
figure_us(const char *line, size_t len, const char *words)
{
	const char *at = find_in(line, len, words);
	char rest[64];
	double ms;
	int end = 0;

	if (!at || sscanf(rest_of(line, len, at + strlen(words), rest), "%lfms%n", &ms, &end) != 1 || !end ||
	    !(ms >= 0 && ms < 1e9))
		return -1;
	return (int64_t)(ms * 1000 + 0.5);
}

/* Of what bitcoind measures while it connects a block, the parts that block_connected's duration covers. */
enum { SANITY, FORK, VERIFY, UNDO, PARTS };

static void
forget_parts(int64_t part_us[PARTS])
{
	for (int i = 0; i < PARTS; i++)
		part_us[i] = -1;
}

static void
read_parts(const char *line, size_t len, int64_t part_us[PARTS])
{
	int64_t us;

	if (find_in(line, len, log_words(LOG_LOAD)))
		forget_parts(part_us);
	if (find_in(line, len, log_words(LOG_SANITY))) {
		/* Checking a block without connecting it logs the first parts as well: start anew. */
		forget_parts(part_us);
		part_us[SANITY] = figure_us(line, len, log_words(LOG_SANITY));
	}
	if (find_in(line, len, log_words(LOG_FORK)))
		part_us[FORK] = figure_us(line, len, log_words(LOG_FORK));
	/* "- Verify 3 txins: 0.02ms" */
	if (find_in(line, len, log_words(LOG_VERIFY)))
		part_us[VERIFY] = figure_us(line, len, log_words(LOG_VERIFIED));
	if (find_in(line, len, log_words(LOG_UNDO)))
		part_us[UNDO] = figure_us(line, len, log_words(LOG_UNDO));
	/* v23, whose lines do not name their category, logs one figure for undo data and index. */
	us = find_in(line, len, "[bench]") ? -1 : figure_us(line, len, log_words(LOG_INDEX));
	if (part_us[UNDO] < 0)
		part_us[UNDO] = us;
}

/* How many of the parts are known; *sum_us is their sum. */
static int
add_parts(const int64_t part_us[PARTS], int64_t *sum_us)
{
	int present = 0;

	*sum_us = 0;
	for (int i = 0; i < PARTS; i++) {
		present += part_us[i] >= 0;
		*sum_us += part_us[i];
	}
	return present;
}

int
log_parse_block_timing(const char *log, const char *hash_hex, int64_t *sum_us)
{
	int64_t part_us[PARTS];
	const char *line;
	size_t len;
	int err = -ENOENT;

	*sum_us = 0;
	forget_parts(part_us);
	while (next_line(&log, &line, &len)) {
		int64_t us;

		read_parts(line, len, part_us);
		if (!find_in(line, len, log_words(LOG_TIP)))
			continue;
		int present = add_parts(part_us, &us);
		/* A block also becomes the tip when the one above it is disconnected; then there are no parts. */
		if (present && find_in(line, len, hash_hex)) {
			err = present == PARTS ? 0 : -ENOENT;
			*sum_us = us;
		}
		forget_parts(part_us);
	}
	return err;
}

static struct block_timing
bound_timing(int64_t sum_us)
{
	struct block_timing timing = {
		.least_ns = sum_us > TIMING_SLACK_US ? (sum_us - TIMING_SLACK_US) * 1000 : 1,
		.most_ns = (sum_us + TIMING_SLACK_US) * 1000,
	};

	snprintf(
		timing.source, sizeof(timing.source),
		"bitcoind's log: its four parts (bench: sanity and fork checks, verify, write undo data; in v23 index writing) add up to %" PRId64
		" us",
		sum_us);
	return timing;
}

void
log_parse_timings(const char *log, struct log_timings *timings)
{
	int64_t part_us[PARTS], sum_us;
	const char *line;
	size_t len;

	*timings = (struct log_timings){0};
	forget_parts(part_us);
	while (next_line(&log, &line, &len)) {
		read_parts(line, len, part_us);
		if (add_parts(part_us, &sum_us) < PARTS)
			continue;
		timings->items = xreallocarray(timings->items, timings->cnt + 1, sizeof(*timings->items));
		timings->items[timings->cnt++] = bound_timing(sum_us);
		forget_parts(part_us);
	}
}

/* "2026-11-23T14:07:35.041480Z": microseconds of the day; -1 when there is no such stamp. */
static int64_t
stamp_us(const char *line, size_t len)
{
	unsigned hour, minute, second, us;

	if (len < 27 || sscanf(line, "%*4u-%*2u-%*2uT%2u:%2u:%2u.%6uZ", &hour, &minute, &second, &us) != 4)
		return -1;
	return ((int64_t)(hour * 3600 + minute * 60 + second)) * 1000000 + us;
}

/* From one stamp to another; -ENOENT: one is missing, -EAGAIN: they run backwards. */
static int
us_between(int64_t first_us, int64_t last_us, int64_t *us)
{
	*us = 0;
	if (first_us < 0 || last_us < 0)
		return -ENOENT;
	*us = last_us - first_us;
	/* At midnight the stamps start again; any other way back is a clock that was set. */
	if (*us < -DAY_US / 2)
		*us += DAY_US;
	return *us < 0 ? -EAGAIN : 0;
}

int
log_parse_flush(const char *log, size_t nth, int64_t *least_us, int64_t *critical_bytes)
{
	int64_t first_us = -1, last_us = -1, bytes = -1;
	const char *line;
	size_t len, seen = 0;

	*least_us = 0;
	*critical_bytes = -1;
	while (next_line(&log, &line, &len)) {
		const char *size = find_in(line, len, log_words(LOG_SIZE));
		bool is_coins = find_in(line, len, log_words(LOG_COINS));

		if (size && find_in(line, len, log_words(LOG_EXCEEDS)) &&
		    sscanf(size + strlen(log_words(LOG_SIZE)), "%" SCNd64 ")", &bytes) != 1)
			bytes = -1;
		if (find_in(line, len, log_words(LOG_FLUSH_BEGINS)))
			first_us = stamp_us(line, len);
		if (is_coins ? find_in(line, len, " started") : find_in(line, len, log_words(LOG_OLD_COINS)))
			last_us = stamp_us(line, len);
		if (!is_coins || !find_in(line, len, "completed"))
			continue;
		/* Up to v30 the line reads "write coins cache to disk (12 coins, 3.45KiB) completed" and is written
		 * after the tracepoint has fired, so the duration need not reach that time. */
		if (find_in(line, len, " cached coins)"))
			last_us = stamp_us(line, len);
		if (seen++ == nth) {
			int err = us_between(first_us, last_us, least_us);

			*critical_bytes = err ? -1 : bytes;
			return err;
		}
		first_us = last_us = bytes = -1;
	}
	return -ENOENT;
}

int
log_parse_cache(const char *log, struct cache_state *state)
{
	const char *line;
	size_t len;
	int err = -ENOENT;

	*state = (struct cache_state){0};
	while (next_line(&log, &line, &len)) {
		const char *at = find_in(line, len, log_words(LOG_TIP))
					 ? find_in(line, len, log_words(LOG_CACHE))
					 : NULL;
		char rest[64];
		double mib;
		int64_t coins;
		int end = 0;

		if (!at ||
		    sscanf(rest_of(line, len, at + strlen(log_words(LOG_CACHE)), rest),
			   "%lfMiB(%" SCNd64 "txo)%n", &mib, &coins, &end) != 2 ||
		    !end)
			continue;
		*state = (struct cache_state){
			.coins = coins,
			.least_bytes = (int64_t)((mib - 0.05) * 1048576),
			.most_bytes = (int64_t)((mib + 0.05) * 1048576) + 1,
		};
		if (state->least_bytes < 1)
			state->least_bytes = 1;
		err = 0;
	}
	return err;
}

size_t
log_parse_selections(const char *log, struct log_selection *selections, size_t max)
{
	const char *words = log_words(LOG_SELECTION);
	const char *line;
	size_t len, cnt = 0;

	while (cnt < max && next_line(&log, &line, &len)) {
		const char *at = find_in(line, len, words);
		struct log_selection *selection = &selections[cnt];
		char rest[64];

		if (at && sscanf(rest_of(line, len, at + strlen(words), rest),
				 "%31[^,], Waste Metric Score:%" SCNd64, selection->algorithm,
				 &selection->waste_sat) == 2)
			cnt++;
	}
	return cnt;
}

void
log_parse_misbehaviours(const char *log, int64_t peer_id, struct log_texts *reasons)
{
	const char *line;
	size_t len;

	*reasons = (struct log_texts){0};
	while (next_line(&log, &line, &len)) {
		const char *at = find_in(line, len, log_words(LOG_MISBEHAVING));
		char rest[64];
		int64_t id;
		int end = 0;

		if (!at)
			continue;
		at += strlen(log_words(LOG_MISBEHAVING));
		if (sscanf(rest_of(line, len, at, rest), "%" SCNd64 "%n", &id, &end) != 1 || id != peer_id)
			continue;
		at += end;
		size_t left = len - (size_t)(at - line);
		bool has_reason = left > 2 && !strncmp(at, ": ", 2);
		reasons->items = xreallocarray(reasons->items, reasons->cnt + 1, sizeof(*reasons->items));
		reasons->items[reasons->cnt++] =
			has_reason ? xasprintf("%.*s", (int)left - 2, at + 2) : xstrdup("");
	}
}

void
log_texts_fini(struct log_texts *texts)
{
	for (size_t i = 0; i < texts->cnt; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct log_texts){0};
}

/* Reads what was logged since a mark; false on failure. Either way log holds a string, and is the caller's to fini. */
static bool
read_log(struct scene *scene, uint64_t from, struct buf *log)
{
	buf_init(log, LOG_BYTES_MAX);
	if (scene_ok(scene))
		scene->err = node_log_read(scene->node, from, log, &scene->diag);
	if (log->overflow)
		scene_fail(scene, -EFBIG, "log: bitcoind's debug.log is too long");
	if (!log->data)
		buf_puts(log, "");
	return !scene->err;
}

/* Whether the whole log has what parse finds in it, so that its words are known. */
static bool
is_logged_at_all(struct scene *scene, bool (*parse)(const char *log))
{
	struct buf log;
	bool found = read_log(scene, 0, &log) && parse(log.data);

	buf_fini(&log);
	return found;
}

static bool
has_block_timings(const char *log)
{
	struct log_timings timings;

	log_parse_timings(log, &timings);
	free(timings.items);
	return timings.cnt > 0;
}

static bool
has_tip(const char *log)
{
	return find_in(log, strlen(log), log_words(LOG_TIP));
}

/* For a bitcoind whose log does not say it. */
static struct block_timing
unknown_timing(struct scene *scene)
{
	struct block_timing timing = {.least_ns = 1,
				      .most_ns = (int64_t)(scene->act_end_ns - scene->act_start_ns)};

	snprintf(timing.source, sizeof(timing.source), "how long the scenario's action took");
	log_report_unknown(scene, LOG_FACT_DURATION);
	return timing;
}

struct block_timing
log_block_timing(struct scene *scene, const char *hash_hex)
{
	struct buf log;
	int64_t sum_us = 0;
	bool found = read_log(scene, scene->log_mark, &log) &&
		     !log_parse_block_timing(log.data, hash_hex, &sum_us);

	buf_fini(&log);
	if (!found && scene_ok(scene) &&
	    (!is_logged_at_all(scene, has_block_timings) || !is_logged_at_all(scene, has_tip)))
		return unknown_timing(scene);
	if (!found)
		scene_fail(scene, -ENOENT,
			   "log: bitcoind's debug.log does not show how long it took to connect %s",
			   hash_hex);
	return scene_ok(scene) ? bound_timing(sum_us) : (struct block_timing){.least_ns = 0};
}

struct block_timing
log_nth_timing(struct scene *scene, const struct log_timings *timings, size_t nth)
{
	if (!scene_ok(scene))
		return (struct block_timing){.least_ns = 0};
	if (nth < timings->cnt)
		return timings->items[nth];
	if (!timings->cnt && !is_logged_at_all(scene, has_block_timings))
		return unknown_timing(scene);
	scene_fail(scene, -ENOENT,
		   "log: bitcoind's debug.log does not show how long it took to connect block number %zu",
		   nth + 1);
	return (struct block_timing){.least_ns = 0};
}

static void
fini_timings(void *kept)
{
	free(((struct log_timings *)kept)->items);
}

const struct log_timings *
log_timings(struct scene *scene)
{
	struct log_timings *timings = scene_keep(scene, sizeof(*timings), fini_timings);
	struct buf log;

	if (read_log(scene, scene->log_mark, &log))
		log_parse_timings(log.data, timings);
	buf_fini(&log);
	return timings;
}

struct cache_state
log_cache_state(struct scene *scene)
{
	struct cache_state state = {.coins = 0};
	struct buf log;

	if (read_log(scene, 0, &log) && log_parse_cache(log.data, &state)) {
		state = (struct cache_state){.is_unknown = true, .most_bytes = INT64_MAX};
		log_report_unknown(scene, LOG_FACT_CACHE);
	}
	buf_fini(&log);
	return state;
}

static bool
has_words(struct scene *scene, const char *words)
{
	struct buf log;
	bool found = read_log(scene, scene->log_mark, &log) && strstr(log.data, words);

	buf_fini(&log);
	return found;
}

void
log_wait(struct scene *scene, const char *words, unsigned most_ms)
{
	struct deadline soon = deadline_in_ms(most_ms);

	for (;;) {
		/* Asked before reading, because what the node wrote before it ended counts too. */
		bool alive = scene_ok(scene) && node_is_alive(scene->node);

		if (has_words(scene, words) || !scene_ok(scene) || (alive && deadline_has_passed(soon)))
			return;
		if (!alive)
			scene_fail(scene, -ECHILD, "log: '%s' was not logged: %s", words,
				   node_end_text(scene->node));
		else if (node_is_interrupted(scene->node))
			scene_fail(scene, -EINTR, "log: interrupted while waiting for '%s'", words);
		else if (deadline_has_passed(scene->deadline))
			scene_fail(scene, -ETIMEDOUT, "log: '%s' was not logged in time", words);
		else
			clock_pause_ms(1, scene->deadline);
	}
}

struct flush_timing
log_flush(struct scene *scene, size_t nth)
{
	struct flush_timing timing = {.critical_bytes = -1};
	struct buf log;

	if (read_log(scene, scene->log_mark, &log)) {
		int err = log_parse_flush(log.data, nth, &timing.least_us, &timing.critical_bytes);

		if (err == -EAGAIN)
			scene_fail(scene, err, RUN_BACKWARDS);
		else if (err)
			log_report_unknown(scene, LOG_FACT_FLUSH);
	}
	buf_fini(&log);
	return timing;
}

static bool
has_flush(const char *log)
{
	return find_in(log, strlen(log), log_words(LOG_COINS)) != NULL;
}

bool
log_shows_flushes(struct scene *scene)
{
	return is_logged_at_all(scene, has_flush);
}

size_t
log_flushes(struct scene *scene)
{
	struct buf log;
	int64_t us, bytes;
	size_t cnt = 0;
	int err = 0;

	if (read_log(scene, scene->log_mark, &log))
		while (!(err = log_parse_flush(log.data, cnt, &us, &bytes)))
			cnt++;
	if (err == -EAGAIN)
		scene_fail(scene, err, RUN_BACKWARDS);
	buf_fini(&log);
	return cnt;
}

size_t
log_selections(struct scene *scene, struct log_selection *selections, size_t max)
{
	struct buf log;

	size_t cnt =
		read_log(scene, scene->log_mark, &log) ? log_parse_selections(log.data, selections, max) : 0;
	buf_fini(&log);
	return cnt;
}

static void
fini_texts(void *kept)
{
	log_texts_fini(kept);
}

const struct log_texts *
log_misbehaviours(struct scene *scene, int64_t peer_id)
{
	struct log_texts *reasons = scene_keep(scene, sizeof(*reasons), fini_texts);
	struct buf log;

	if (read_log(scene, scene->log_mark, &log))
		log_parse_misbehaviours(log.data, peer_id, reasons);
	buf_fini(&log);
	return reasons;
}
