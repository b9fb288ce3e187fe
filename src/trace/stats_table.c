#include "trace/stats_groups.h"

#include "base/xmem.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 13, CELL_CHARS = 80, KEY_CHARS = 40 };
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Three significant digits, and a unit that suits them. */
static void
format_scaled(double n, const char *unit, char out[CELL_CHARS])
{
	static const char *const times[] = {"ns", "us", "ms", "s"};
	static const char *const sizes[] = {"B", "kB", "MB", "GB", "TB"};
	const char *const *units = NULL;
	size_t at = 0, cnt = 0;

	for (size_t i = 0; unit && i < COUNT(times); i++)
		if (!strcmp(unit, times[i])) {
			units = times;
			cnt = COUNT(times);
			at = i;
		}
	if (unit && !strcmp(unit, "B")) {
		units = sizes;
		cnt = COUNT(sizes);
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
	for (int q = 0; q < STATS_QUANTILES; q++)
		snprintf(cell(table, QUANTILE_1 + (unsigned)q), CELL_CHARS, "%s", stats_quantile_names[q]);
	snprintf(cell(table, MAX), CELL_CHARS, "max");
}

static void
fill_measure(struct table *table, const struct stats_measure *measure, double sum_rate)
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
	for (int q = 0; q < STATS_QUANTILES; q++)
		format_scaled(number_as_double(histogram_quantile(histogram, stats_quantiles[q])),
			      measure->unit, cell(table, QUANTILE_1 + (unsigned)q));
	format_scaled(number_as_double(histogram->max), measure->unit, cell(table, MAX));
}

static void
add_group(const struct stats *stats, const struct stats_group *group, uint64_t now_ns, bool with_now,
	  struct table *table)
{
	double whole_s = stats_seconds(stats->started_ns, now_ns),
	       now_s = stats_seconds(stats->last_ns, now_ns);

	add_line(table);
	snprintf(cell(table, NAME), CELL_CHARS, "%.*s", CELL_CHARS - 1, group->tracepoint);
	snprintf(cell(table, VALUES), CELL_CHARS, "%.*s%s", KEY_CHARS, group->text,
		 strlen(group->text) > KEY_CHARS ? "..." : "");
	snprintf(cell(table, CNT), CELL_CHARS, "%" PRIu64, group->cnt);
	format_rate(stats_rate((double)group->cnt, whole_s), cell(table, RATE));
	if (with_now)
		format_rate(stats_rate((double)(group->cnt - group->cnt_before), now_s), cell(table, NOW));
	for (size_t m = 0; m < group->measures_cnt; m++) {
		const struct stats_measure *measure = &group->measures[m];

		if (m)
			add_line(table);
		fill_measure(table, measure,
			     with_now ? stats_rate(measure->histogram.sum - measure->sum_before, now_s)
				      : stats_rate(measure->histogram.sum, whole_s));
	}
}

/* Columns on a terminal, roughly: one per character. */
static size_t
columns_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Adds a line with no more of the text than fits into that many columns; 0: all of it. */
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
measure_columns(const struct table *table, size_t widths[CELLS])
{
	for (size_t l = 0; l < table->lines_cnt; l++)
		for (unsigned c = 0; c < CELLS; c++) {
			size_t width = columns_of(table->cells[l][c]);

			widths[c] = width > widths[c] ? width : widths[c];
		}
}

static void
print_line(char (*cells)[CELL_CHARS], const size_t widths[CELLS], struct buf *line)
{
	size_t blanks = 0;

	buf_reset(line);
	for (unsigned c = 0; c < CELLS; c++) {
		size_t gap = widths[c] - columns_of(cells[c]);
		bool is_left = c == NAME || c == VALUES || c == ARGUMENT;

		if (!widths[c])
			continue;
		/* Kept until a text follows, so that no line ends with blanks. */
		blanks += is_left ? 0 : gap;
		if (*cells[c]) {
			buf_printf(line, "%*s%s", (int)blanks, "", cells[c]);
			blanks = 0;
		}
		blanks += 2 + (is_left ? gap : 0);
	}
}

static void
print_table(const struct table *table, const struct stats_table_opts *opts, struct buf *out)
{
	size_t widths[CELLS] = {0};
	struct buf line;

	measure_columns(table, widths);
	buf_init(&line, 4096);
	for (size_t l = 0; l < table->lines_cnt && (!opts->lines || l < opts->lines); l++) {
		print_line(table->cells[l], widths, &line);
		add_cut(line.data ? line.data : "", opts->columns, out);
	}
	buf_fini(&line);
}

void
stats_table(const struct stats *stats, uint64_t now_ns, const struct stats_table_opts *opts, struct buf *out)
{
	const struct stats_group **groups = stats_sort(stats);
	struct table table = {0};

	add_heads(&table, opts->with_now);
	for (size_t i = 0; i < stats->groups_cnt; i++)
		add_group(stats, groups[i], now_ns, opts->with_now, &table);
	print_table(&table, opts, out);
	if (stats->is_full && !opts->lines)
		buf_printf(out, "after %d groups, further values are counted as (others)\n",
			   STATS_GROUPS_MAX);
	free(table.cells);
	free(groups);
}
