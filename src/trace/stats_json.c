#include "trace/stats_groups.h"

#include "base/json.h"
#include "base/xmem.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
write_double(struct json_writer *w, double n)
{
	char text[48];

	if (n == floor(n) && fabs(n) < 9e15)
		snprintf(text, sizeof(text), "%.0f", n);
	else
		snprintf(text, sizeof(text), "%.6g", n);
	json_writer_number(w, text);
}

static void
write_number(struct json_writer *w, struct number n)
{
	char text[32];

	snprintf(text, sizeof(text), "%s%" PRIu64, n.is_negative ? "-" : "", n.magnitude);
	json_writer_number(w, text);
}

static void
member_u64(struct json_writer *w, const char *key, uint64_t n)
{
	json_member_u64(w, key, n);
}

static void
member_double(struct json_writer *w, const char *key, double n)
{
	json_writer_key(w, key);
	write_double(w, n);
}

/* null if nothing was measured. */
static void
member_number(struct json_writer *w, const char *key, const struct histogram *histogram, struct number n)
{
	json_writer_key(w, key);
	if (histogram->cnt)
		write_number(w, n);
	else
		json_writer_null(w);
}

static void
write_measure(struct json_writer *w, const struct stats_measure *measure)
{
	const struct histogram *histogram = &measure->histogram;

	json_member_begin_object(w, measure->name);
	json_member_string(w, "unit", measure->unit);
	member_u64(w, "count", histogram->cnt);
	member_double(w, "sum", histogram->sum);
	member_double(w, "interval_sum", histogram->sum - measure->sum_before);
	member_number(w, "min", histogram, histogram->min);
	for (int q = 0; q < STATS_QUANTILES; q++)
		member_number(w, stats_quantile_names[q], histogram,
			      histogram_quantile(histogram, stats_quantiles[q]));
	member_number(w, "max", histogram, histogram->max);
	json_writer_end_object(w);
}

static void
write_value(struct json_writer *w, const struct json *value)
{
	size_t len;
	const char *string = json_string_len(value, &len);
	bool value_bool;

	if (string)
		json_writer_string_len(w, string, len);
	else if (json_number(value))
		json_writer_number(w, json_number(value));
	else if (json_bool(value, &value_bool))
		json_writer_bool(w, value_bool);
	else
		json_writer_null(w);
}

/* Writes an object with these members, which a group keeps as text. */
static void
write_members(struct json_writer *w, const char *members)
{
	char *text = xasprintf("{%s}", members);
	struct json *doc;

	json_writer_begin_object(w);
	if (!json_parse(&doc, text, strlen(text), NULL)) {
		for (size_t i = 0; i < json_cnt(doc); i++) {
			json_writer_key(w, json_key_at(doc, i));
			write_value(w, json_at(doc, i));
		}
		json_free(doc);
	}
	json_writer_end_object(w);
	free(text);
}

static void
write_group(struct json_writer *w, const struct stats *stats, const struct stats_group *group,
	    uint64_t now_ns)
{
	json_writer_begin_object(w);
	json_member_string(w, "tracepoint", group->tracepoint);
	if (*group->members) {
		json_writer_key(w, "by");
		write_members(w, group->members);
	}
	member_u64(w, "count", group->cnt);
	member_double(w, "per_second",
		      stats_rate((double)group->cnt, stats_seconds(stats->started_ns, now_ns)));
	member_u64(w, "interval_count", group->cnt - group->cnt_before);
	json_member_begin_object(w, "args");
	for (size_t m = 0; m < group->measures_cnt; m++)
		write_measure(w, &group->measures[m]);
	json_writer_end_object(w);
	json_writer_end_object(w);
}

void
stats_json(const struct stats *stats, uint64_t now_ns, uint64_t epoch_ns, const struct stats_losses *losses,
	   struct buf *out)
{
	const struct stats_group **groups = stats_sort(stats);
	struct json_writer *w = json_writer_new(false);
	size_t len;

	json_writer_begin_object(w);
	member_u64(w, "time_ns", epoch_ns);
	member_double(w, "seconds", stats_seconds(stats->started_ns, now_ns));
	member_double(w, "interval_seconds", stats_seconds(stats->last_ns, now_ns));
	member_u64(w, "events", stats->cnt);
	member_u64(w, "lost", losses->lost);
	member_u64(w, "late", losses->late);
	member_u64(w, "filtered", losses->filtered);
	json_member_begin_array(w, "stats");
	for (size_t i = 0; i < stats->groups_cnt; i++)
		write_group(w, stats, groups[i], now_ns);
	json_writer_end_array(w);
	json_writer_end_object(w);
	char *text = json_writer_take(w, &len);
	buf_add(out, text, len);
	buf_putc(out, '\n');
	free(text);
	json_writer_free(w);
	free(groups);
}
