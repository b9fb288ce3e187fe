/* What the node's own log says of durations and sizes: the other side of the bounds of measures. Read with
 * -debug=bench and -logtimemicros, which every node here is started with. */
#ifndef TPCHECK_SCENE_LOG_H
#define TPCHECK_SCENE_LOG_H

#include "scene/scenario.h"

struct block_timing {
	int64_t least_ns, most_ns;
	char source[256]; /* for expect_source */
};
/* How long the last connecting of that block since scene->log_mark took, as the log says in four parts (sanity and
 * fork checks, verifying, writing undo data; in v23 the index, too), each rounded to 0.01 ms. -ENOENT: the log lacks
 * one of them. */
int log_block_timing(struct scene *scene, const char *hash_hex, struct block_timing *timing,
		     struct diag *diag);

/* The UTXO cache as the last "UpdateTip" line in the whole log describes it. */
struct cache_state {
	int64_t coins;
	int64_t least_bytes, most_bytes; /* the log says MiB with one digit behind the point */
};
int log_cache_state(struct scene *scene, struct cache_state *state, struct diag *diag);

/* Flush number nth (from 0) since scene->log_mark. */
struct flush_timing {
	int64_t least_us;       /* from the log's stamps: first to last line of the flush */
	int64_t critical_bytes; /* memory as the log says just before a flush for size; -1 when it does not */
};
int log_flush(struct scene *scene, size_t nth, struct flush_timing *timing, struct diag *diag);
/* Waits until the log since scene->log_mark has these words. -ETIMEDOUT, -EINTR, -ECHILD. */
int log_wait(struct scene *scene, const char *words, struct diag *diag);
/* How many flushes of the chain state the log since scene->log_mark tells of. */
int log_flushes(struct scene *scene, size_t *cnt, struct diag *diag);

/* How the wallets chose coins for the transactions that they could make since scene->log_mark, in order, as far as
 * the log tells: *cnt, max at most. */
struct log_selection {
	char algorithm[32];
	int64_t waste_sat;
};
int log_selections(struct scene *scene, struct log_selection *selections, size_t max, size_t *cnt,
		   struct diag *diag);

struct log_texts {
	char **items;
	size_t cnt;
};
/* Why that peer misbehaved, each time since scene->log_mark: "" where the log names no reason. Needs -debug=net. The
 * caller's to log_texts_fini, also on failure. */
int log_misbehaviours(struct scene *scene, int64_t peer_id, struct log_texts *reasons, struct diag *diag);
void log_texts_fini(struct log_texts *texts);

/* For tests: the same from a text. -ENOENT: the log does not tell; -EAGAIN: its stamps run backwards. */
int log_parse_block_timing(const char *log, const char *hash_hex, int64_t *sum_us);
int log_parse_flush(const char *log, size_t nth, int64_t *least_us, int64_t *critical_bytes);
int log_parse_cache(const char *log, struct cache_state *state);
size_t log_parse_selections(const char *log, struct log_selection *selections, size_t max);
void log_parse_misbehaviours(const char *log, int64_t peer_id, struct log_texts *reasons);

#endif
