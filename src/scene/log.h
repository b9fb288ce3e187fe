/* Durations and sizes from the node's own log, for the bounds of measured arguments. This needs -debug=bench and
 * -logtimemicros, with which every node is started.
 *
 * After a failure everything is zero or empty. */
#ifndef TPCHECK_SCENE_LOG_H
#define TPCHECK_SCENE_LOG_H

#include "scene/scenario.h"

struct block_timing {
	int64_t least_ns, most_ns;
	char source[256]; /* for expect_source */
};
/* How long it took to connect that block, the last time since scene->log_mark. The log has four parts (sanity checks,
 * fork checks, verifying, writing undo data; in v23 the index as well), each rounded to 0.01 ms; all must be there.
 * Where the log has them of no block, the bounds are wide, which is reported (see log_lines.h). */
struct block_timing log_block_timing(struct scene *scene, const char *hash_hex);

/* The same for all blocks that were connected since then, in order, whether or not they became the tip. The scene's;
 * as many as there are expected events may be asked for at no further cost. */
struct log_timings {
	struct block_timing *items;
	size_t cnt;
};
const struct log_timings *log_timings(struct scene *scene);
/* The nth of them (from 0). It fails if there are fewer; wide if the log has none at all. */
struct block_timing log_nth_timing(struct scene *scene, const struct log_timings *timings, size_t nth);

/* The UTXO cache as the last line about a new tip of the whole log describes it. */
struct cache_state {
	bool is_unknown; /* the log does not say it, which is reported */
	int64_t coins;
	int64_t least_bytes, most_bytes; /* the log has MiB with one decimal */
};
struct cache_state log_cache_state(struct scene *scene);

/* Flush number nth (from 0) since scene->log_mark. That the log does not have it is reported. */
struct flush_timing {
	int64_t least_us; /* from the log's stamps: first to last line of the flush; 0: not logged */
	int64_t critical_bytes; /* memory, as logged just before a flush of a cache that is too large; -1: not logged */
};
struct flush_timing log_flush(struct scene *scene, size_t nth);
/* How many flushes of the chain state there are since scene->log_mark. */
size_t log_flushes(struct scene *scene);
/* Whether the whole log has any. */
bool log_shows_flushes(struct scene *scene);

/* Waits until the log since scene->log_mark has these words, but no longer than most_ms. Fails with -ETIMEDOUT (that of
 * the scene), -EINTR, -ECHILD. */
void log_wait(struct scene *scene, const char *words, unsigned most_ms);

/* How the wallets chose coins for the transactions that they were able to make since scene->log_mark, in order, as far
 * as the log shows; returns how many, max at most. */
struct log_selection {
	char algorithm[32];
	int64_t waste_sat;
};
size_t log_selections(struct scene *scene, struct log_selection *selections, size_t max);

struct log_texts {
	char **items;
	size_t cnt;
};
/* The reason for each misbehaviour of the peer since scene->log_mark, "" where the log has none. Needs -debug=net.
 * The scene's. */
const struct log_texts *log_misbehaviours(struct scene *scene, int64_t peer_id);
void log_texts_fini(struct log_texts *texts);

/* For tests: the same from a text. -ENOENT: it is not there; -EAGAIN: the stamps run backwards. */
int log_parse_block_timing(const char *log, const char *hash_hex, int64_t *sum_us);
void log_parse_timings(const char *log, struct log_timings *timings); /* the caller frees items */
int log_parse_flush(const char *log, size_t nth, int64_t *least_us, int64_t *critical_bytes);
int log_parse_cache(const char *log, struct cache_state *state);
size_t log_parse_selections(const char *log, struct log_selection *selections, size_t max);
void log_parse_misbehaviours(const char *log, int64_t peer_id, struct log_texts *reasons);

#endif
