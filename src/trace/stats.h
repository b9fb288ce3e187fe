/* What many events have in common: how many, how often, and how their durations, sizes and amounts are distributed; by
 * tracepoint and optionally by the values of arguments. Memory is bounded: after STATS_GROUPS_MAX groups, events with
 * further values are counted together. */
#ifndef TPCHECK_TRACE_STATS_H
#define TPCHECK_TRACE_STATS_H

#include "base/buf.h"
#include "trace/selection.h"

enum { STATS_GROUPS_MAX = 1000, STATS_NAMES_MAX = 16 };

struct stats_opts {
	/* Names of arguments to divide events by. A tracepoint without such an argument is not divided. */
	const char *by[STATS_NAMES_MAX];
	size_t by_cnt;
	/* Names of arguments to measure; none: those with a unit of time, size or amount. */
	const char *of[STATS_NAMES_MAX];
	size_t of_cnt;
	/* For stats_openmetrics: events are divided by labels, and states such as a height are measured as well. */
	bool with_labels;
};

struct stats;

/* opts is copied, its strings are borrowed. */
struct stats *stats_new(const struct stats_opts *opts, uint64_t now_ns);
void stats_free(struct stats *stats); /* NULL is fine */

/* pid: of the event's process, which "pid" among the names divides by. */
void stats_add(struct stats *stats, const struct contract_tracepoint *row, const struct event *event,
	       int64_t pid);

/* A table for people: a line for each group and measured argument. with_now adds the rate since the last stats_next. No
 * line is wider than columns, and there are at most that many lines; 0: any number. */
struct stats_table_opts {
	bool with_now;
	unsigned columns, lines;
};
void stats_table(const struct stats *stats, uint64_t now_ns, const struct stats_table_opts *opts,
		 struct buf *out);
/* One JSON object and a newline; doc/trace.md lists its members. */
struct stats_losses {
	uint64_t lost, late, filtered;
};
void stats_json(const struct stats *stats, uint64_t now_ns, uint64_t epoch_ns,
		const struct stats_losses *losses, struct buf *out);

/* All metrics as OpenMetrics has them or, for older readers, Prometheus's text format; doc/metrics.md lists them. */
struct stats_openmetrics_opts {
	bool is_prometheus; /* the older format */
	double started_s;   /* since the epoch */
	struct stats_loss {
		const char *reason; /* the value of a label */
		uint64_t cnt;
	} losses[4];
	uint64_t late, filtered;
	/* What is shown: tracepoints that are not divided begin with 0. Each may be NULL. */
	const struct contract_tracepoint *const *rows;
	size_t rows_cnt;
};
void stats_openmetrics(const struct stats *stats, const struct stats_openmetrics_opts *opts, struct buf *out);

/* Starts the next interval. */
void stats_next(struct stats *stats, uint64_t now_ns);

#endif
