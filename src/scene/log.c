#include "scene/log.h"

#include "base/buf.h"
#include "base/xmem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOG_BYTES_MAX = 256 << 20,
	/* Four figures, each rounded to 0.01 ms, and as many again for the clock's own grain. */
	TIMING_SLACK_US = 4 * 5 + 4,
};

/* Walks lines: *line is the next one, *len its length; false at the end. */
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

/* The line from at on as a string: sscanf would go on to the next line, and measure all of the log first. */
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

/* "Sanity checks: 0.01ms": the figure behind the words, in us; -1 when the line does not have them. */
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

int
log_parse_block_timing(const char *log, const char *hash_hex, int64_t *sum_us)
{
	static const char *const parts[] = {"- Sanity checks: ", "- Fork checks: ", "- Verify ",
					    "- Write undo data: "};
	int64_t part_us[4] = {-1, -1, -1, -1};
	const char *line;
	size_t len;
	int result = -ENOENT;

	*sum_us = 0;
	while (next_line(&log, &line, &len)) {
		for (int i = 0; i < 4; i++) {
			const char *at = find_in(line, len, parts[i]);
			int64_t us;

			if (!at)
				continue;
			/* "Verify 3 txins: 0.02ms" */
			us = i == 2 ? figure_us(at, len - (size_t)(at - line), " txins: ")
				    : figure_us(line, len, parts[i]);
			/* A check of a block that is not connected logs the first parts as well. */
			if (i == 0)
				part_us[1] = part_us[2] = part_us[3] = -1;
			part_us[i] = us;
		}
		/* v23, whose lines do not name their category, tells of undo data and index together. */
		if (part_us[3] < 0 && !find_in(line, len, "[bench]"))
			part_us[3] = figure_us(line, len, "- Index writing: ");
		if (find_in(line, len, "- Load block from disk: "))
			part_us[0] = part_us[1] = part_us[2] = part_us[3] = -1;
		if (!find_in(line, len, "UpdateTip: new best="))
			continue;
		/* Disconnecting the block above it makes a block the tip as well: that tells nothing of the time. */
		bool connected = part_us[0] >= 0 || part_us[1] >= 0 || part_us[2] >= 0 || part_us[3] >= 0;
		if (connected && find_in(line, len, hash_hex)) {
			result = 0;
			*sum_us = 0;
			for (int i = 0; i < 4; i++) {
				if (part_us[i] < 0)
					result = -ENOENT;
				*sum_us += part_us[i];
			}
		}
		part_us[0] = part_us[1] = part_us[2] = part_us[3] = -1;
	}
	return result;
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

int
log_parse_flush(const char *log, size_t nth, int64_t *least_us, int64_t *critical_bytes)
{
	int64_t first_us = -1, last_us = -1, bytes = -1;
	const char *line;
	size_t len, seen = 0;

	*least_us = 0;
	*critical_bytes = -1;
	while (next_line(&log, &line, &len)) {
		const char *at = find_in(line, len, "Cache size (");
		bool is_coins = find_in(line, len, "write coins cache to disk");

		if (at && find_in(line, len, "exceeds total space"))
			if (sscanf(at, "Cache size (%" SCNd64 ")", &bytes) != 1)
				bytes = -1;
		if (find_in(line, len, "write block and undo data to disk started"))
			first_us = stamp_us(line, len);
		if (is_coins ? find_in(line, len, " started") : find_in(line, len, " to coin database..."))
			last_us = stamp_us(line, len);
		if (!is_coins || !find_in(line, len, "completed"))
			continue;
		/* Up to v30 the line says "write coins cache to disk (12 coins, 3.45KiB) completed" and is
		 * written after the tracepoint was hit: the time that it tells is none that the duration has to
		 * reach. */
		if (find_in(line, len, " cached coins)"))
			last_us = stamp_us(line, len);
		if (seen++ == nth) {
			if (first_us < 0 || last_us < 0)
				return -ENOENT;
			/* Over midnight the day's microseconds start again; any other way back is a clock that
			 * was set. */
			*least_us = last_us - first_us;
			if (*least_us < -INT64_C(43200000000))
				*least_us += INT64_C(86400000000);
			if (*least_us < 0)
				return -EAGAIN;
			*critical_bytes = bytes;
			return 0;
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
	int result = -ENOENT;

	*state = (struct cache_state){0};
	while (next_line(&log, &line, &len)) {
		const char *at =
			find_in(line, len, "UpdateTip: new best=") ? find_in(line, len, " cache=") : NULL;
		char rest[64];
		double mib;
		int64_t coins;
		int end = 0;

		if (!at ||
		    sscanf(rest_of(line, len, at, rest), " cache=%lfMiB(%" SCNd64 "txo)%n", &mib, &coins,
			   &end) != 2 ||
		    !end)
			continue;
		*state = (struct cache_state){
			.coins = coins,
			.least_bytes = (int64_t)((mib - 0.05) * 1048576),
			.most_bytes = (int64_t)((mib + 0.05) * 1048576) + 1,
		};
		if (state->least_bytes < 1)
			state->least_bytes = 1;
		result = 0;
	}
	return result;
}

size_t
log_parse_selections(const char *log, struct log_selection *selections, size_t max)
{
	static const char words[] = "Coin Selection: Algorithm:";
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
		const char *at = find_in(line, len, "Misbehaving: peer=");
		char rest[64];
		int64_t id;
		int end = 0;

		if (!at ||
		    sscanf(rest_of(line, len, at, rest), "Misbehaving: peer=%" SCNd64 "%n", &id, &end) != 1 ||
		    id != peer_id)
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

static int
read_log(struct scene *scene, uint64_t from, struct buf *log, struct diag *diag)
{
	buf_init(log, LOG_BYTES_MAX);
	int code = node_log_read(scene->node, from, log, diag);

	if (!code && !log->data)
		buf_puts(log, "");
	if (!code && log->overflow)
		code = diag_fail(diag, -EFBIG, "log: bitcoind's debug.log is too long");
	return code;
}

int
log_block_timing(struct scene *scene, const char *hash_hex, struct block_timing *timing, struct diag *diag)
{
	struct buf log;
	int64_t sum_us;
	int code = read_log(scene, scene->log_mark, &log, diag);

	if (!code)
		code = log_parse_block_timing(log.data, hash_hex, &sum_us);
	if (code == -ENOENT)
		diag_fail(diag, code, "log: bitcoind's debug.log does not tell how long connecting %s took",
			  hash_hex);
	if (!code) {
		timing->least_ns = sum_us > TIMING_SLACK_US ? (sum_us - TIMING_SLACK_US) * 1000 : 1;
		timing->most_ns = (sum_us + TIMING_SLACK_US) * 1000;
		snprintf(
			timing->source, sizeof(timing->source),
			"bitcoind's log: its four parts (bench: sanity and fork checks, verify, write undo data; in v23 index writing) sum up to %" PRId64
			" us",
			sum_us);
	}
	buf_fini(&log);
	return code;
}

int
log_cache_state(struct scene *scene, struct cache_state *state, struct diag *diag)
{
	struct buf log;
	int code = read_log(scene, 0, &log, diag);

	if (!code) {
		code = log_parse_cache(log.data, state);
		if (code)
			diag_fail(diag, code,
				  "log: bitcoind's debug.log has no UpdateTip line with the cache's size");
	}
	buf_fini(&log);
	return code;
}

int
log_wait(struct scene *scene, const char *words, struct diag *diag)
{
	for (;;) {
		struct buf log;
		/* What the node wrote before it ended is read as well. */
		bool alive = node_is_alive(scene->node);
		int code = read_log(scene, scene->log_mark, &log, diag);
		bool found = !code && log.data && strstr(log.data, words);

		buf_fini(&log);
		if (code || found)
			return code;
		if (!alive)
			return diag_fail(diag, -ECHILD, "log: '%s' was not logged: %s", words,
					 node_end_text(scene->node));
		if (node_is_interrupted(scene->node))
			return diag_fail(diag, -EINTR, "log: '%s' was waited for: interrupted", words);
		if (deadline_has_passed(scene->deadline))
			return diag_fail(diag, -ETIMEDOUT, "log: '%s' was not logged in time", words);
		clock_pause_ms(1, scene->deadline);
	}
}

int
log_flush(struct scene *scene, size_t nth, struct flush_timing *timing, struct diag *diag)
{
	struct buf log;
	int code = read_log(scene, scene->log_mark, &log, diag);

	if (!code) {
		code = log_parse_flush(log.data, nth, &timing->least_us, &timing->critical_bytes);
		if (code == -EAGAIN)
			diag_fail(diag, code,
				  "log: the stamps in bitcoind's debug.log run backwards: the clock was set");
		else if (code)
			diag_fail(diag, code, "log: bitcoind's debug.log does not tell of flush number %zu",
				  nth + 1);
	}
	buf_fini(&log);
	return code;
}

int
log_flushes(struct scene *scene, size_t *cnt, struct diag *diag)
{
	struct buf log;
	int64_t us, bytes;
	int code = read_log(scene, scene->log_mark, &log, diag);

	*cnt = 0;
	while (!code && !log_parse_flush(log.data, *cnt, &us, &bytes))
		++*cnt;
	buf_fini(&log);
	return code;
}

int
log_selections(struct scene *scene, struct log_selection *selections, size_t max, size_t *cnt,
	       struct diag *diag)
{
	struct buf log;
	int code = read_log(scene, scene->log_mark, &log, diag);

	*cnt = code ? 0 : log_parse_selections(log.data, selections, max);
	buf_fini(&log);
	return code;
}

int
log_misbehaviours(struct scene *scene, int64_t peer_id, struct log_texts *reasons, struct diag *diag)
{
	struct buf log;
	int code = read_log(scene, scene->log_mark, &log, diag);

	*reasons = (struct log_texts){0};
	if (!code)
		log_parse_misbehaviours(log.data, peer_id, reasons);
	buf_fini(&log);
	return code;
}
