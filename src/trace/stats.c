#include "trace/stats.h"

#include "base/json.h"
#include "base/xmem.h"
#include "trace/histogram.h"
#include "trace/line.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4096, CELLS = 13, CELL_CHARS = 80, KEY_CHARS = 40 };
_Static_assert(SLOTS > 2 * (STATS_GROUPS_MAX + SELECTION_MAX), "the hash table stays half empty");

static const double quantiles[] = {0.5, 0.9, 0.99};
static const char *const quantile_names[] = {"median", "p90", "p99"};
enum { QUANTILES = sizeof(quantiles) / sizeof(quantiles[0]) };

struct measure {
	char *name;
	const char *unit; /* NULL: a number without; borrowed from the contract */
	struct histogram histogram;
	double sum_before; /* at the last stats_next */
};

struct group {
	char *tracepoint;
	char *text; /* the values that it is of, for people; "" when it is not divided */
	char *json; /* the same as the members of an object */
	uint64_t cnt, cnt_before;
	struct measure *measures;
	size_t measures_cnt;
};

struct stats {
	struct stats_opts opts;
	uint64_t began_ns, last_ns, cnt, cnt_before;
	struct group *groups;
	size_t groups_cnt;
	bool is_full;
	uint16_t slots[SLOTS]; /* index + 1 of the group */
	struct buf key;
};

static const char *const measured_units[] = {"ns", "us", "ms", "s", "B", "vB", "sat"};

bool
stats_measures(const char *unit)
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
	stats->began_ns = stats->last_ns = now_ns;
	buf_init(&stats->key, 1 << 20);
	return stats;
}

void
stats_free(struct stats *stats)
{
	if (!stats)
		return;
	for (size_t i = 0; i < stats->groups_cnt; i++) {
		struct group *group = &stats->groups[i];

		for (size_t m = 0; m < group->measures_cnt; m++) {
			free(group->measures[m].name);
			histogram_fini(&group->measures[m].histogram);
		}
		free(group->measures);
		free(group->tracepoint);
		free(group->text);
		free(group->json);
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

/* The index of an argument by its name, or of none. */
static unsigned
find_arg(const struct contract_tracepoint *row, const struct event *event, const char *name)
{
	char room[16];
	unsigned i = 0;

	while (i < event->args_cnt && strcmp(selection_arg_name(row, i, room), name))
		i++;
	return i;
}

static const struct contract_arg *
arg_of(const struct contract_tracepoint *row, unsigned idx)
{
	return idx < row->args_cnt ? &row->args[idx] : NULL;
}

/* Adds the values that the event is divided by, as members of a JSON object. */
static void
add_members(const struct stats *stats, const struct contract_tracepoint *row, const struct event *event,
	    bool others, struct buf *out)
{
	bool first = true;

	for (size_t i = 0; i < stats->opts.by_cnt; i++) {
		unsigned n = find_arg(row, event, stats->opts.by[i]);

		if (n == event->args_cnt || !selection_shows(row, n, &event->args[n]))
			continue;
		buf_puts(out, first ? "" : ",");
		first = false;
		line_string_json((const uint8_t *)stats->opts.by[i], strlen(stats->opts.by[i]), out);
		buf_putc(out, ':');
		if (others)
			buf_puts(out, "null");
		else
			line_value_json(&event->args[n], out);
	}
}

/* The same for people: the values alone. */
static char *
values_text(const struct stats *stats, const struct contract_tracepoint *row, const struct event *event,
	    bool others)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < stats->opts.by_cnt; i++) {
		unsigned n = find_arg(row, event, stats->opts.by[i]);
		struct contract_arg bare = {0};

		if (n == event->args_cnt || !selection_shows(row, n, &event->args[n]))
			continue;
		if (out.len)
			buf_putc(&out, ' ');
		if (arg_of(row, n))
			bare = *arg_of(row, n);
		bare.unit = NULL;
		if (others)
			buf_puts(&out, "(others)");
		else
			line_value_text(&bare, &event->args[n], &out);
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
add_measures(const struct stats *stats, struct group *group, const struct contract_tracepoint *row,
	     const struct event *event)
{
	char room[16];

	for (unsigned i = 0; i < event->args_cnt; i++) {
		const struct contract_arg *arg = arg_of(row, i);
		const char *name = selection_arg_name(row, i, room);
		enum value_type type = event->args[i].type;

		if (stats->opts.of_cnt ? !has_name(stats->opts.of, stats->opts.of_cnt, name)
				       : !arg || !stats_measures(arg->unit))
			continue;
		if ((type != VALUE_INT && type != VALUE_UINT) || !selection_shows(row, i, &event->args[i]))
			continue;
		group->measures =
			xreallocarray(group->measures, group->measures_cnt + 1, sizeof(*group->measures));
		group->measures[group->measures_cnt++] =
			(struct measure){.name = xstrdup(name), .unit = arg ? arg->unit : NULL};
	}
}

/* The group of an event, made if there is room; else that of all others of the tracepoint, for which there is. */
static struct group *
find_group(struct stats *stats, const struct contract_tracepoint *row, const struct event *event, bool others)
{
	struct buf *key = &stats->key;

	buf_reset(key);
	buf_puts(key, row->full_name);
	buf_putc(key, '\n');
	size_t name_len = key->len;
	add_members(stats, row, event, others, key);
	uint64_t at = hash(key->data, key->len);
	for (;; at++) {
		uint16_t slot = stats->slots[at % SLOTS];

		if (!slot)
			break;
		struct group *group = &stats->groups[slot - 1];
		if (!strcmp(group->json, key->data + name_len) && !strcmp(group->tracepoint, row->full_name))
			return group;
	}
	if (stats->groups_cnt >= STATS_GROUPS_MAX && !others && key->len > name_len) {
		stats->is_full = true;
		return find_group(stats, row, event, true);
	}
	stats->groups = xreallocarray(stats->groups, stats->groups_cnt + 1, sizeof(*stats->groups));
	struct group *group = &stats->groups[stats->groups_cnt++];
	stats->slots[at % SLOTS] = (uint16_t)stats->groups_cnt;
	*group = (struct group){.tracepoint = xstrdup(row->full_name),
				.text = values_text(stats, row, event, others),
				.json = xstrdup(key->data + name_len)};
	add_measures(stats, group, row, event);
	return group;
}

void
stats_add(struct stats *stats, const struct contract_tracepoint *row, const struct event *event)
{
	struct group *group = find_group(stats, row, event, false);

	stats->cnt++;
	group->cnt++;
	for (size_t m = 0; m < group->measures_cnt; m++) {
		unsigned n = find_arg(row, event, group->measures[m].name);
		const struct value *value = n < event->args_cnt ? &event->args[n] : NULL;

		if (!value || value->state != VALUE_READ)
			continue;
		histogram_add(&group->measures[m].histogram,
			      value->type == VALUE_INT ? number_of_i64(value->i) : number_of_u64(value->u));
	}
}

void
stats_next(struct stats *stats, uint64_t now_ns)
{
	stats->last_ns = now_ns;
	stats->cnt_before = stats->cnt;
	for (size_t i = 0; i < stats->groups_cnt; i++) {
		struct group *group = &stats->groups[i];

		group->cnt_before = group->cnt;
		for (size_t m = 0; m < group->measures_cnt; m++)
			group->measures[m].sum_before = group->measures[m].histogram.sum;
	}
}

static double
seconds(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

static double
rate(double n, double in_seconds)
{
	return in_seconds > 0 ? n / in_seconds : 0;
}

/* Three digits that count, and the unit that suits them. */
static void
format_scaled(double n, const char *unit, char out[CELL_CHARS])
{
	static const char *const times[] = {"ns", "us", "ms", "s"};
	static const char *const sizes[] = {"B", "kB", "MB", "GB", "TB"};
	const char *const *units = NULL;
	size_t at = 0, cnt = 0;

	for (size_t i = 0; unit && i < sizeof(times) / sizeof(times[0]); i++)
		if (!strcmp(unit, times[i])) {
			units = times;
			cnt = sizeof(times) / sizeof(times[0]);
			at = i;
		}
	if (unit && !strcmp(unit, "B")) {
		units = sizes;
		cnt = sizeof(sizes) / sizeof(sizes[0]);
	}
	if (!units) {
		snprintf(out, CELL_CHARS, fabs(n) < 1e15 ? "%.0f" : "%.3g", n);
		return;
	}
	for (; at + 1 < cnt && fabs(n) >= 999.5; at++)
		n /= 1000;
	bool is_whole = n == floor(n);
	snprintf(out, CELL_CHARS, "%.*f %s",
		 is_whole || fabs(n) >= 100 ? 0
		 : fabs(n) >= 10            ? 1
					    : 2,
		 n, units[at]);
}

static void
format_rate(double n, char out[CELL_CHARS])
{
	snprintf(out, CELL_CHARS, "%.*f", n < 10 ? 2 : n < 100 ? 1 : 0, n);
}

/* Groups in the order of the tracepoints' first events, in each the most frequent first. */
static size_t
first_of(const struct stats *stats, const char *tracepoint)
{
	size_t i = 0;

	while (strcmp(stats->groups[i].tracepoint, tracepoint))
		i++;
	return i;
}

struct order {
	size_t first, idx;
	uint64_t cnt;
};

static int
compare_orders(const void *pa, const void *pb)
{
	const struct order *a = pa, *b = pb;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->cnt != b->cnt)
		return a->cnt > b->cnt ? -1 : 1;
	return a->idx < b->idx ? -1 : 1;
}

static struct order *
sort_groups(const struct stats *stats)
{
	struct order *orders = xcalloc(stats->groups_cnt, sizeof(*orders));

	for (size_t i = 0; i < stats->groups_cnt; i++)
		orders[i] = (struct order){.first = first_of(stats, stats->groups[i].tracepoint),
					   .idx = i,
					   .cnt = stats->groups[i].cnt};
	if (stats->groups_cnt)
		qsort(orders, stats->groups_cnt, sizeof(*orders), compare_orders);
	return orders;
}

struct table {
	char (*cells)[CELLS][CELL_CHARS];
	size_t lines_cnt;
};

static char *
cell(struct table *table, unsigned column)
{
	return table->cells[table->lines_cnt - 1][column];
}

static void
add_line(struct table *table)
{
	table->cells = xreallocarray(table->cells, table->lines_cnt + 1, sizeof(*table->cells));
	memset(table->cells[table->lines_cnt++], 0, sizeof(*table->cells));
}

enum column {
	NAME,
	VALUES,
	CNT,
	RATE,
	NOW,
	ARGUMENT,
	SUM,
	SUM_RATE,
	MIN,
	QUANTILE_1,
	QUANTILE_3 = QUANTILE_1 + 2,
	MAX
};
_Static_assert(MAX + 1 == CELLS, "a cell for each column");

static void
add_heads(struct table *table, bool with_now)
{
	add_line(table);
	snprintf(cell(table, NAME), CELL_CHARS, "tracepoint");
	snprintf(cell(table, CNT), CELL_CHARS, "count");
	snprintf(cell(table, RATE), CELL_CHARS, "/s");
	if (with_now)
		snprintf(cell(table, NOW), CELL_CHARS, "now/s");
	snprintf(cell(table, ARGUMENT), CELL_CHARS, "argument");
	snprintf(cell(table, SUM), CELL_CHARS, "sum");
	snprintf(cell(table, SUM_RATE), CELL_CHARS, "sum/s");
	snprintf(cell(table, MIN), CELL_CHARS, "min");
	for (int q = 0; q < QUANTILES; q++)
		snprintf(cell(table, QUANTILE_1 + (unsigned)q), CELL_CHARS, "%s", quantile_names[q]);
	snprintf(cell(table, MAX), CELL_CHARS, "max");
}

static void
fill_measure(struct table *table, const struct measure *measure, double sum_rate)
{
	const struct histogram *histogram = &measure->histogram;
	bool scales = measure->unit && (strchr("numB", measure->unit[0]) || !strcmp(measure->unit, "s"));

	snprintf(cell(table, ARGUMENT), CELL_CHARS, scales || !measure->unit ? "%.*s%s" : "%.*s %s",
		 KEY_CHARS, measure->name, scales || !measure->unit ? "" : measure->unit);
	if (!histogram->cnt)
		return;
	format_scaled(histogram->sum, measure->unit, cell(table, SUM));
	format_scaled(sum_rate, measure->unit, cell(table, SUM_RATE));
	format_scaled(number_as_double(histogram->min), measure->unit, cell(table, MIN));
	for (int q = 0; q < QUANTILES; q++)
		format_scaled(number_as_double(histogram_quantile(histogram, quantiles[q])), measure->unit,
			      cell(table, QUANTILE_1 + (unsigned)q));
	format_scaled(number_as_double(histogram->max), measure->unit, cell(table, MAX));
}

static void
add_group(const struct stats *stats, const struct group *group, uint64_t now_ns, bool with_now,
	  struct table *table)
{
	double whole_s = seconds(stats->began_ns, now_ns), now_s = seconds(stats->last_ns, now_ns);

	add_line(table);
	snprintf(cell(table, NAME), CELL_CHARS, "%.*s", CELL_CHARS - 1, group->tracepoint);
	snprintf(cell(table, VALUES), CELL_CHARS, "%.*s%s", KEY_CHARS, group->text,
		 strlen(group->text) > KEY_CHARS ? "..." : "");
	snprintf(cell(table, CNT), CELL_CHARS, "%" PRIu64, group->cnt);
	format_rate(rate((double)group->cnt, whole_s), cell(table, RATE));
	if (with_now)
		format_rate(rate((double)(group->cnt - group->cnt_before), now_s), cell(table, NOW));
	for (size_t m = 0; m < group->measures_cnt; m++) {
		const struct measure *measure = &group->measures[m];

		if (m)
			add_line(table);
		fill_measure(table, measure,
			     with_now ? rate(measure->histogram.sum - measure->sum_before, now_s)
				      : rate(measure->histogram.sum, whole_s));
	}
}

/* Columns as terminals count them, roughly: a character is one. */
static size_t
columns_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Adds no more than columns columns of text. */
static void
add_cut(const char *text, unsigned columns, struct buf *out)
{
	size_t n = 0;
	const char *end = text;

	while (*end && (((unsigned char)*end & 0xc0) == 0x80 || !columns || n < columns))
		n += ((unsigned char)*end++ & 0xc0) != 0x80;
	buf_add(out, text, (size_t)(end - text));
	buf_putc(out, '\n');
}

static void
print_table(const struct table *table, const struct stats_table_opts *opts, struct buf *out)
{
	size_t widths[CELLS] = {0};
	struct buf line;

	for (size_t l = 0; l < table->lines_cnt; l++)
		for (unsigned c = 0; c < CELLS; c++) {
			size_t width = columns_of(table->cells[l][c]);

			widths[c] = width > widths[c] ? width : widths[c];
		}
	buf_init(&line, 4096);
	for (size_t l = 0; l < table->lines_cnt && (!opts->lines || l < opts->lines); l++) {
		size_t blanks = 0;

		buf_reset(&line);
		for (unsigned c = 0; c < CELLS; c++) {
			const char *text = table->cells[l][c];
			size_t gap = widths[c] - columns_of(text);
			bool is_left = c == NAME || c == VALUES || c == ARGUMENT;

			if (!widths[c])
				continue;
			/* Blanks at the end of a line are left away. */
			blanks += is_left ? 0 : gap;
			if (*text) {
				buf_printf(&line, "%*s%s", (int)blanks, "", text);
				blanks = 0;
			}
			blanks += 2 + (is_left ? gap : 0);
		}
		add_cut(line.data ? line.data : "", opts->columns, out);
	}
	buf_fini(&line);
}

void
stats_table(const struct stats *stats, uint64_t now_ns, const struct stats_table_opts *opts, struct buf *out)
{
	struct order *orders = sort_groups(stats);
	struct table table = {0};

	add_heads(&table, opts->with_now);
	for (size_t i = 0; i < stats->groups_cnt; i++)
		add_group(stats, &stats->groups[orders[i].idx], now_ns, opts->with_now, &table);
	print_table(&table, opts, out);
	if (stats->is_full && !opts->lines)
		buf_printf(out, "after %d groups, further values are counted as (others)\n",
			   STATS_GROUPS_MAX);
	free(table.cells);
	free(orders);
}

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
write_measure(struct json_writer *w, const struct measure *measure)
{
	const struct histogram *histogram = &measure->histogram;

	json_writer_key(w, measure->name);
	json_writer_begin_object(w);
	json_writer_key(w, "unit");
	json_writer_string(w, measure->unit);
	json_writer_key(w, "count");
	json_writer_u64(w, histogram->cnt);
	json_writer_key(w, "sum");
	write_double(w, histogram->sum);
	json_writer_key(w, "interval_sum");
	write_double(w, histogram->sum - measure->sum_before);
	json_writer_key(w, "min");
	histogram->cnt ? write_number(w, histogram->min) : json_writer_null(w);
	for (int q = 0; q < QUANTILES; q++) {
		json_writer_key(w, quantile_names[q]);
		histogram->cnt ? write_number(w, histogram_quantile(histogram, quantiles[q]))
			       : json_writer_null(w);
	}
	json_writer_key(w, "max");
	histogram->cnt ? write_number(w, histogram->max) : json_writer_null(w);
	json_writer_end_object(w);
}

/* What was kept as the members of an object, as such. */
static void
write_members(struct json_writer *w, const char *members)
{
	char *text = xasprintf("{%s}", members);
	struct json *doc;
	bool value_bool;

	json_writer_begin_object(w);
	if (!json_parse(&doc, text, strlen(text), NULL)) {
		for (size_t i = 0; i < json_cnt(doc); i++) {
			const struct json *value = json_at(doc, i);
			size_t len;
			const char *string = json_string_len(value, &len);

			json_writer_key(w, json_key_at(doc, i));
			if (string)
				json_writer_string_len(w, string, len);
			else if (json_number(value))
				json_writer_number(w, json_number(value));
			else if (json_bool(value, &value_bool))
				json_writer_bool(w, value_bool);
			else
				json_writer_null(w);
		}
		json_free(doc);
	}
	json_writer_end_object(w);
	free(text);
}

static void
write_group(struct json_writer *w, const struct stats *stats, const struct group *group, uint64_t now_ns)
{
	json_writer_begin_object(w);
	json_writer_key(w, "tracepoint");
	json_writer_string(w, group->tracepoint);
	if (*group->json) {
		json_writer_key(w, "by");
		write_members(w, group->json);
	}
	json_writer_key(w, "count");
	json_writer_u64(w, group->cnt);
	json_writer_key(w, "per_second");
	write_double(w, rate((double)group->cnt, seconds(stats->began_ns, now_ns)));
	json_writer_key(w, "interval_count");
	json_writer_u64(w, group->cnt - group->cnt_before);
	json_writer_key(w, "args");
	json_writer_begin_object(w);
	for (size_t m = 0; m < group->measures_cnt; m++)
		write_measure(w, &group->measures[m]);
	json_writer_end_object(w);
	json_writer_end_object(w);
}

void
stats_json(const struct stats *stats, uint64_t now_ns, uint64_t epoch_ns, const struct stats_losses *losses,
	   struct buf *out)
{
	struct order *orders = sort_groups(stats);
	struct json_writer *w = json_writer_new(false);
	size_t len;

	json_writer_begin_object(w);
	json_writer_key(w, "time_ns");
	json_writer_u64(w, epoch_ns);
	json_writer_key(w, "seconds");
	write_double(w, seconds(stats->began_ns, now_ns));
	json_writer_key(w, "interval_seconds");
	write_double(w, seconds(stats->last_ns, now_ns));
	json_writer_key(w, "events");
	json_writer_u64(w, stats->cnt);
	json_writer_key(w, "lost");
	json_writer_u64(w, losses->lost);
	json_writer_key(w, "late");
	json_writer_u64(w, losses->late);
	json_writer_key(w, "stats");
	json_writer_begin_array(w);
	for (size_t i = 0; i < stats->groups_cnt; i++)
		write_group(w, stats, &stats->groups[orders[i].idx], now_ns);
	json_writer_end_array(w);
	json_writer_end_object(w);
	char *text = json_writer_take(w, &len);
	buf_add(out, text, len);
	buf_putc(out, '\n');
	free(text);
	json_writer_free(w);
	free(orders);
}
