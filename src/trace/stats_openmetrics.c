/* Statistics as metrics.
 *
 * The format is https://github.com/OpenObservability/OpenMetrics, version 1.0. The older text format of Prometheus,
 * which node_exporter and promtool read, differs in three things: a counter's name in "# TYPE" and "# HELP" has its
 * _total, and there is neither "# UNIT" nor "# EOF". */
#include "base/xmem.h"
#include "trace/stats_groups.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct exposition {
	const struct stats_openmetrics_opts *opts;
	struct buf *out;
	char name[160]; /* of the metric, without _total and the like */
};

static void
begin_metric(struct exposition *x, const char *name, const char *type, const char *unit, const char *help)
{
	const char *total = x->opts->is_prometheus && !strcmp(type, "counter") ? "_total" : "";

	snprintf(x->name, sizeof(x->name), "%s%s%s", name, unit ? "_" : "", unit ? unit : "");
	buf_printf(x->out, "# TYPE %s%s %s\n", x->name, total, type);
	if (unit && !x->opts->is_prometheus)
		buf_printf(x->out, "# UNIT %s %s\n", x->name, unit);
	buf_printf(x->out, "# HELP %s%s %s\n", x->name, total, help);
}

/* A number as Go prints it, which is how labels of buckets have to look: "1e-05", "0.25", "10.0". */
static void
add_bound(double n, struct buf *out)
{
	char text[32];

	snprintf(text, sizeof(text), "%g", n);
	buf_puts(out, text);
	if (!strpbrk(text, ".e"))
		buf_puts(out, ".0");
}

static void
add_double(double n, struct buf *out)
{
	buf_printf(out, fabs(n) < 9e15 && n == floor(n) ? "%.0f" : "%.15g", n);
}

/* "tpcheck_events_total{tracepoint="net:inbound_message",message_type="ping"" */
static void
begin_sample(const struct exposition *x, const char *suffix, const char *tracepoint, const char *labels)
{
	buf_printf(x->out, "%s%s{tracepoint=\"", x->name, suffix);
	stats_escape(tracepoint, strlen(tracepoint), x->out);
	buf_printf(x->out, "\"%s%s", *labels ? "," : "", labels);
}

static void
add_sample(const struct exposition *x, const char *suffix, const struct stats_group *group, double value)
{
	begin_sample(x, suffix, group->tracepoint, group->members);
	buf_puts(x->out, "} ");
	add_double(value, x->out);
	buf_putc(x->out, '\n');
}

static void
add_distribution(const struct exposition *x, const struct stats_group *group,
		 const struct stats_measure *measure)
{
	const struct stats_metric *metric = measure->metric;
	uint64_t cnt = 0;

	for (size_t i = 0; i <= metric->bounds_cnt; i++) {
		begin_sample(x, "_bucket", group->tracepoint, group->members);
		buf_puts(x->out, ",le=\"");
		if (i < metric->bounds_cnt) {
			cnt += measure->buckets[i];
			add_bound(metric->bounds[i], x->out);
		} else {
			cnt = measure->histogram.cnt;
			buf_puts(x->out, "+Inf");
		}
		buf_printf(x->out, "\"} %" PRIu64 "\n", cnt);
	}
	add_sample(x, "_count", group, (double)measure->histogram.cnt);
	/* The sum would not be a counter's. */
	if (!measure->histogram.min.is_negative)
		add_sample(x, "_sum", group, measure->histogram.sum);
}

static void
add_measure(const struct exposition *x, const struct stats_group *group, const struct stats_measure *measure)
{
	switch (measure->metric->kind) {
	case STATS_SUM:
		add_sample(x, "_total", group, measure->histogram.sum);
		break;
	case STATS_DISTRIBUTION:
		add_distribution(x, group, measure);
		break;
	case STATS_LAST:
		if (measure->histogram.cnt)
			add_sample(x, "", group, number_as_double(measure->last));
		break;
	}
}

static bool
is_same_metric(const struct stats_measure *a, const struct stats_measure *b)
{
	return !strcmp(a->name, b->name) && a->metric->kind == b->metric->kind &&
	       (a->metric->unit == b->metric->unit ||
		(a->metric->unit && b->metric->unit && !strcmp(a->metric->unit, b->metric->unit)));
}

static void
begin_measure(struct exposition *x, const struct stats_measure *measure)
{
	static const char *const types[] = {"counter", "histogram", "gauge"};
	static const char *const helps[] = {"Sum of", "Distribution of", "Latest value of"};
	enum stats_kind kind = measure->metric->kind;
	char *name = xasprintf("tpcheck_%s_%s", kind == STATS_LAST ? "last" : "event", measure->name);
	char *help = xasprintf("%s the argument %s of the tracepoint's events.", helps[kind], measure->name);

	begin_metric(x, name, types[kind], measure->metric->unit, help);
	free(name);
	free(help);
}

/* Adds a measured argument with all groups that have it, unless an earlier group did. */
static void
add_family(struct exposition *x, const struct stats_group **groups, size_t groups_cnt, size_t first, size_t m)
{
	const struct stats_measure *measure = &groups[first]->measures[m];

	for (size_t g = 0; g < groups_cnt; g++)
		for (size_t i = 0; i < groups[g]->measures_cnt; i++)
			if (is_same_metric(&groups[g]->measures[i], measure)) {
				if (g < first)
					return;
				if (g == first && i == m)
					begin_measure(x, measure);
				add_measure(x, groups[g], &groups[g]->measures[i]);
			}
}

static bool
is_divided(const struct stats *stats, const struct contract_tracepoint *row)
{
	for (size_t b = 0; b < stats->opts.by_cnt; b++) {
		if (!strcmp(stats->opts.by[b], "pid"))
			return true;
		for (unsigned i = 0; i < row->args_cnt; i++)
			if (!strcmp(row->args[i].name, stats->opts.by[b]))
				return true;
	}
	return false;
}

static void
add_zeros(const struct exposition *x, const struct stats *stats)
{
	for (size_t r = 0; r < x->opts->rows_cnt; r++) {
		const struct contract_tracepoint *row = x->opts->rows[r];
		bool has_group = !row || is_divided(stats, row);

		for (size_t g = 0; g < stats->groups_cnt && !has_group; g++)
			has_group = !strcmp(stats->groups[g].tracepoint, row->full_name);
		if (has_group)
			continue;
		begin_sample(x, "_total", row->full_name, "");
		buf_puts(x->out, "} 0\n");
	}
}

void
stats_openmetrics(const struct stats *stats, const struct stats_openmetrics_opts *opts, struct buf *out)
{
	const struct stats_group **groups = stats_sort(stats);
	struct exposition x = {.opts = opts, .out = out};

	begin_metric(&x, "tpcheck_events", "counter", NULL, "Events of the tracepoint.");
	for (size_t g = 0; g < stats->groups_cnt; g++)
		add_sample(&x, "_total", groups[g], (double)groups[g]->cnt);
	add_zeros(&x, stats);
	for (size_t g = 0; g < stats->groups_cnt; g++)
		for (size_t m = 0; m < groups[g]->measures_cnt; m++)
			add_family(&x, groups, stats->groups_cnt, g, m);
	begin_metric(&x, "tpcheck_lost_events", "counter", NULL, "Events that were counted, but lost.");
	for (size_t i = 0; i < COUNT(opts->losses); i++)
		buf_printf(out, "tpcheck_lost_events_total{reason=\"%s\"} %" PRIu64 "\n",
			   opts->losses[i].reason, opts->losses[i].cnt);
	begin_metric(&x, "tpcheck_late_events", "counter", NULL, "Events that were shown out of order.");
	buf_printf(out, "tpcheck_late_events_total %" PRIu64 "\n", opts->late);
	begin_metric(&x, "tpcheck_filtered_events", "counter", NULL, "Events that --where has filtered out.");
	buf_printf(out, "tpcheck_filtered_events_total %" PRIu64 "\n", opts->filtered);
	begin_metric(&x, "tpcheck_trace_start_time", "gauge", "seconds",
		     "When the trace began, since the epoch.");
	buf_printf(out, "tpcheck_trace_start_time_seconds %.3f\n", opts->started_s);
	if (!opts->is_prometheus)
		buf_puts(out, "# EOF\n");
	free(groups);
}
