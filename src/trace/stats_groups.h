/* The groups behind struct stats, for stats.c, which fills them, and for what prints them: stats_table.c and
 * stats_json.c. */
#ifndef TPCHECK_TRACE_STATS_GROUPS_H
#define TPCHECK_TRACE_STATS_GROUPS_H

#include "trace/histogram.h"
#include "trace/stats.h"

enum { STATS_QUANTILES = 3, STATS_SLOTS = 4096 };
extern const double stats_quantiles[STATS_QUANTILES];
extern const char *const stats_quantile_names[STATS_QUANTILES];

/* An argument that is measured. */
struct stats_measure {
	char *name;
	const char *unit; /* NULL: a number without one; borrowed from the contract */
	struct histogram histogram;
	double sum_before; /* at the last stats_next */
};

/* Events of one tracepoint, and of one combination of values if the events are divided. */
struct stats_group {
	char *tracepoint;
	char *text; /* the values, for people; "" if the events are not divided */
	char *json; /* the values as members of a JSON object */
	uint64_t cnt, cnt_before;
	struct stats_measure *measures;
	size_t measures_cnt;
};

struct stats {
	struct stats_opts opts;
	uint64_t started_ns, last_ns, cnt; /* last_ns: of the last stats_next */
	struct stats_group *groups;
	size_t groups_cnt;
	bool is_full;
	uint16_t slots[STATS_SLOTS]; /* a hash table; index + 1 of the group */
	struct buf key;
};

/* Tracepoints in the order of their first events, and the groups of each by falling count; the caller frees it. */
const struct stats_group **stats_sort(const struct stats *stats);

double stats_seconds(uint64_t from_ns, uint64_t to_ns);
/* n per second; 0 in no time. */
double stats_rate(double n, double seconds);

#endif
