/* The groups behind struct stats, for stats.c, which fills them, and for what prints them: stats_table.c and
 * stats_json.c, stats_openmetrics.c. */
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
	double sum_before;                 /* at the last stats_next */
	const struct stats_metric *metric; /* with labels only */
	uint64_t *buckets;                 /* of a distribution: numbers up to each bound, not cumulated */
	struct number last;
};

/* How an argument becomes a metric, by its unit: stats_metrics.c. */
enum stats_kind { STATS_SUM, STATS_DISTRIBUTION, STATS_LAST };
struct stats_metric {
	enum stats_kind kind;
	const char *unit;     /* of OpenMetrics: "seconds", "bytes"; NULL: none */
	double per_unit;      /* the argument's units in one of these */
	const double *bounds; /* of a distribution, in the unit; bounds_cnt of them */
	size_t bounds_cnt;
};
const struct stats_metric *stats_metric_of(const struct contract_arg *arg);
/* Adds a number to the buckets. */
void stats_metric_add(struct stats_measure *measure, struct number n);
/* Adds the label of a value, such as message_type="ping". */
void stats_label_add(const char *name, const struct contract_arg *arg, const struct value *value, bool others,
		     struct buf *out);
/* What OpenMetrics has between quotes; bytes that are not UTF-8, control characters and the like as \xNN. */
void stats_escape(const char *text, size_t len, struct buf *out);

/* Events of one tracepoint, and of one combination of values if the events are divided. */
struct stats_group {
	char *tracepoint;
	char *text;    /* the values, for people; "" if the events are not divided */
	char *members; /* the values as members of a JSON object, or as labels */
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
	struct value pid;            /* of the event that is being added */
	uint16_t slots[STATS_SLOTS]; /* a hash table; index + 1 of the group */
	struct buf key;
};

/* Tracepoints in the order of their first events, and the groups of each by falling count; the caller frees it. */
const struct stats_group **stats_sort(const struct stats *stats);

double stats_seconds(uint64_t from_ns, uint64_t to_ns);
/* n per second; 0 in no time. */
double stats_rate(double n, double seconds);

#endif
