#include "trace/stats_groups.h"

#include "base/xmem.h"
#include "trace/args.h"
#include "trace/line.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(STATS_SLOTS > 2 * (STATS_GROUPS_MAX + SELECTION_MAX), "the hash table stays half empty");

const double stats_quantiles[STATS_QUANTILES] = {0.5, 0.9, 0.99};
const char *const stats_quantile_names[STATS_QUANTILES] = {"median", "p90", "p99"};

static const char *const measured_units[] = {"ns", "us", "ms", "s", "B", "vB", "sat"};

/* Whether an argument of that unit is measured by default. */
static bool
is_measured(const char *unit)
{
	for (size_t i = 0; unit && i < sizeof(measured_units) / sizeof(measured_units[0]); i++)
		if (!strcmp(unit, measured_units[i]))
			return true;
	return false;
}

struct stats *
stats_new(const struct stats_opts *opts, uint64_t now_ns)
{
	struct stats *stats = xcalloc(1, sizeof(*stats));

	stats->opts = *opts;
	stats->started_ns = stats->last_ns = now_ns;
	buf_init(&stats->key, 1 << 20);
	return stats;
}

void
stats_free(struct stats *stats)
{
	if (!stats)
		return;
	for (size_t i = 0; i < stats->groups_cnt; i++) {
		struct stats_group *group = &stats->groups[i];

		for (size_t m = 0; m < group->measures_cnt; m++) {
			free(group->measures[m].name);
			free(group->measures[m].buckets);
			histogram_fini(&group->measures[m].histogram);
		}
		free(group->measures);
		free(group->tracepoint);
		free(group->text);
		free(group->members);
	}
	free(stats->groups);
	buf_fini(&stats->key);
	free(stats);
}

static bool
has_name(const char *const *names, size_t cnt, const char *name)
{
	for (size_t i = 0; i < cnt; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* The value that the event is divided by under that name; NULL: the event has none, or it is not shown. */
static const struct value *
find_value(const struct stats *stats, const struct contract_tracepoint *row, const struct event *event,
	   const char *name, const struct contract_arg **arg)
{
	unsigned idx = args_find(row, event->args_cnt, name);

	*arg = args_get(row, idx);
	if (idx == event->args_cnt)
		return strcmp(name, "pid") ? NULL : &stats->pid;
	return selection_shows(row, idx, &event->args[idx]) ? &event->args[idx] : NULL;
}

/* Adds the values that the event is divided by, as members of a JSON object, null in the group of all others; or as
 * labels. */
static void
add_members(const struct stats *stats, const struct contract_tracepoint *row, const struct event *event,
	    bool others, struct buf *out)
{
	const char *separator = "";

	for (size_t i = 0; i < stats->opts.by_cnt; i++) {
		const char *name = stats->opts.by[i];
		const struct contract_arg *arg;
		const struct value *value = find_value(stats, row, event, name, &arg);

		if (!value)
			continue;
		buf_puts(out, separator);
		separator = ",";
		if (stats->opts.with_labels) {
			stats_label_add(name, arg, value, others, out);
			continue;
		}
		line_json_string((const uint8_t *)name, strlen(name), out);
		buf_putc(out, ':');
		if (others)
			buf_puts(out, "null");
		else
			line_value_json(value, out);
	}
}

/* The same values for people, without argument names and units. */
static char *
values_text(const struct stats *stats, const struct contract_tracepoint *row, const struct event *event,
	    bool others)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < stats->opts.by_cnt; i++) {
		const struct contract_arg *arg;
		const struct value *value = find_value(stats, row, event, stats->opts.by[i], &arg);
		struct contract_arg bare = {0};

		if (!value)
			continue;
		if (out.len)
			buf_putc(&out, ' ');
		if (arg)
			bare = *arg;
		bare.unit = NULL;
		if (others)
			buf_puts(&out, "(others)");
		else
			line_value_text(&bare, value, &out);
	}
	return buf_take(&out);
}

static uint64_t
hash(const char *bytes, size_t len)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)bytes[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

static void
add_measures(const struct stats *stats, struct stats_group *group, const struct contract_tracepoint *row,
	     const struct event *event)
{
	char room[16];

	for (unsigned i = 0; i < event->args_cnt; i++) {
		const struct contract_arg *arg = args_get(row, i);
		const char *name = args_name(row, i, room);
		enum value_type type = event->args[i].type;

		bool is_wanted = stats->opts.of_cnt ? has_name(stats->opts.of, stats->opts.of_cnt, name)
						    : arg && (is_measured(arg->unit) ||
							      (stats->opts.with_labels && arg->is_level));

		if (!is_wanted)
			continue;
		if ((type != VALUE_INT && type != VALUE_UINT) || !selection_shows(row, i, &event->args[i]))
			continue;
		group->measures =
			xreallocarray(group->measures, group->measures_cnt + 1, sizeof(*group->measures));
		struct stats_measure *measure = &group->measures[group->measures_cnt++];
		*measure = (struct stats_measure){.name = xstrdup(name), .unit = arg ? arg->unit : NULL};
		if (stats->opts.with_labels)
			measure->metric = stats_metric_of(arg);
		if (measure->metric && measure->metric->bounds_cnt)
			measure->buckets = xcalloc(measure->metric->bounds_cnt, sizeof(*measure->buckets));
	}
}

static struct stats_group *
add_group(struct stats *stats, const struct contract_tracepoint *row, const struct event *event, bool others,
	  const char *members)
{
	stats->groups = xreallocarray(stats->groups, stats->groups_cnt + 1, sizeof(*stats->groups));
	struct stats_group *group = &stats->groups[stats->groups_cnt++];
	*group = (struct stats_group){.tracepoint = xstrdup(row->full_name),
				      .text = values_text(stats, row, event, others),
				      .members = xstrdup(members)};
	add_measures(stats, group, row, event);
	return group;
}

/* The event's group, added if there is room; else the group of all other events of its tracepoint, for which room is
 * reserved. */
static struct stats_group *
find_group(struct stats *stats, const struct contract_tracepoint *row, const struct event *event, bool others)
{
	struct buf *key = &stats->key;

	buf_reset(key);
	buf_puts(key, row->full_name);
	buf_putc(key, '\n');
	size_t name_len = key->len;
	add_members(stats, row, event, others, key);
	const char *members = key->data + name_len;
	uint64_t at = hash(key->data, key->len);
	for (uint16_t slot; (slot = stats->slots[at % STATS_SLOTS]); at++) {
		struct stats_group *group = &stats->groups[slot - 1];

		if (!strcmp(group->members, members) && !strcmp(group->tracepoint, row->full_name))
			return group;
	}
	if (stats->groups_cnt >= STATS_GROUPS_MAX && !others && key->len > name_len) {
		stats->is_full = true;
		return find_group(stats, row, event, true);
	}
	struct stats_group *group = add_group(stats, row, event, others, members);
	stats->slots[at % STATS_SLOTS] = (uint16_t)stats->groups_cnt;
	return group;
}

void
stats_add(struct stats *stats, const struct contract_tracepoint *row, const struct event *event, int64_t pid)
{
	stats->pid = (struct value){.type = VALUE_INT, .i = pid};
	struct stats_group *group = find_group(stats, row, event, false);

	stats->cnt++;
	group->cnt++;
	for (size_t m = 0; m < group->measures_cnt; m++) {
		unsigned idx = args_find(row, event->args_cnt, group->measures[m].name);
		const struct value *value = idx < event->args_cnt ? &event->args[idx] : NULL;

		if (!value || value->state != VALUE_READ)
			continue;
		struct number n =
			value->type == VALUE_INT ? number_of_i64(value->i) : number_of_u64(value->u);
		if (group->measures[m].metric)
			stats_metric_add(&group->measures[m], n);
		else
			histogram_add(&group->measures[m].histogram, n);
	}
}

void
stats_next(struct stats *stats, uint64_t now_ns)
{
	stats->last_ns = now_ns;
	for (size_t i = 0; i < stats->groups_cnt; i++) {
		struct stats_group *group = &stats->groups[i];

		group->cnt_before = group->cnt;
		for (size_t m = 0; m < group->measures_cnt; m++)
			group->measures[m].sum_before = group->measures[m].histogram.sum;
	}
}

double
stats_seconds(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

double
stats_rate(double n, double seconds)
{
	return seconds > 0 ? n / seconds : 0;
}

struct order {
	size_t first; /* index of the tracepoint's first group */
	const struct stats_group *group;
};

static int
compare_orders(const void *pa, const void *pb)
{
	const struct order *a = pa, *b = pb;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->group->cnt != b->group->cnt)
		return a->group->cnt > b->group->cnt ? -1 : 1;
	return a->group < b->group ? -1 : 1;
}

static size_t
first_of(const struct stats *stats, const char *tracepoint)
{
	size_t i = 0;

	while (strcmp(stats->groups[i].tracepoint, tracepoint))
		i++;
	return i;
}

const struct stats_group **
stats_sort(const struct stats *stats)
{
	struct order *orders = xcalloc(stats->groups_cnt, sizeof(*orders));
	const struct stats_group **sorted = xcalloc(stats->groups_cnt, sizeof(*sorted));

	for (size_t i = 0; i < stats->groups_cnt; i++)
		orders[i] = (struct order){.first = first_of(stats, stats->groups[i].tracepoint),
					   .group = &stats->groups[i]};
	if (stats->groups_cnt)
		qsort(orders, stats->groups_cnt, sizeof(*orders), compare_orders);
	for (size_t i = 0; i < stats->groups_cnt; i++)
		sorted[i] = orders[i].group;
	free(orders);
	return sorted;
}
