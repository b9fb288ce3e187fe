/* What many events have in common: how many, how often, and how their durations, sizes and amounts are spread; by
 * tracepoint and, if wanted, by the values of arguments. Memory is bounded: after STATS_GROUPS_MAX groups, further
 * values of an argument are counted together. */
#ifndef TPCHECK_TRACE_STATS_H
#define TPCHECK_TRACE_STATS_H

#include "base/buf.h"
#include "trace/selection.h"

enum { STATS_GROUPS_MAX = 1000, STATS_NAMES_MAX = 16 };

struct stats_opts {
	/* Names of arguments by whose values events are told apart; a tracepoint without that argument is not
	 * divided. */
	const char *by[STATS_NAMES_MAX];
	size_t by_cnt;
	/* Names of the arguments that are measured; none: those with a unit of time, size or amount. */
	const char *of[STATS_NAMES_MAX];
	size_t of_cnt;
};

struct stats;

/* opts is copied, its strings are borrowed. */
struct stats *stats_new(const struct stats_opts *opts, uint64_t now_ns);
void stats_free(struct stats *stats); /* NULL is fine */

void stats_add(struct stats *stats, const struct contract_tracepoint *row, const struct event *event);

/* A table for people: one line for each group and measured argument. With_now it has the rate since the last one as
 * well. No line has more than columns (0: any number of) columns and there are not more than lines (0: any number
 * of). */
struct stats_table_opts {
	bool with_now;
	unsigned columns, lines;
};
void stats_table(const struct stats *stats, uint64_t now_ns, const struct stats_table_opts *opts,
		 struct buf *out);
/* One JSON object and a newline; doc/trace.md tells its members. */
struct stats_losses {
	uint64_t lost, late;
};
void stats_json(const struct stats *stats, uint64_t now_ns, uint64_t epoch_ns,
		const struct stats_losses *losses, struct buf *out);
/* From here on the next "since the last one". */
void stats_next(struct stats *stats, uint64_t now_ns);

/* Whether an argument of that unit is measured without being asked for. */
bool stats_measures(const char *unit);

#endif
