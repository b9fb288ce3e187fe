/* How arguments become metrics, and their values labels. The metrics are few, whatever the tracepoints are called: an
 * argument's name and unit make the name of a metric, and the tracepoint is a label. Which values labels can have is
 * bounded, because peers choose many of them. */
#include "base/utf8.h"
#include "trace/line.h"
#include "trace/stats_groups.h"

#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const double seconds_bounds[] = {1e-5, 2.5e-5, 5e-5,   1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3,
					5e-3, 1e-2,   2.5e-2, 5e-2, 0.1,    0.25, 0.5,  1,
					2.5,  5,      10,     25,   50,     100};
static const double satoshi_bounds[] = {0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

#define SECONDS(per_second)                                                                                  \
	{                                                                                                    \
		STATS_DISTRIBUTION, "seconds", per_second, seconds_bounds, COUNT(seconds_bounds)             \
	}
static const struct {
	const char *unit; /* of the argument */
	struct stats_metric metric;
} metrics[] = {
	{"ns", SECONDS(1e9)},
	{"us", SECONDS(1e6)},
	{"ms", SECONDS(1e3)},
	{"s", SECONDS(1)},
	{"sat", {STATS_DISTRIBUTION, "satoshis", 1, satoshi_bounds, COUNT(satoshi_bounds)}},
	{"B", {STATS_SUM, "bytes", 1, NULL, 0}},
	{"vB", {STATS_SUM, "vbytes", 1, NULL, 0}},
};
static const struct stats_metric plain_sum = {STATS_SUM, NULL, 1, NULL, 0},
				 plain_last = {STATS_LAST, NULL, 1, NULL, 0},
				 bytes_last = {STATS_LAST, "bytes", 1, NULL, 0};

const struct stats_metric *
stats_metric_of(const struct contract_arg *arg)
{
	bool is_level = arg && arg->is_level;

	if (!arg || !arg->unit)
		return is_level ? &plain_last : &plain_sum;
	if (!strcmp(arg->unit, "s since the epoch"))
		return &plain_last;
	if (is_level && !strcmp(arg->unit, "B"))
		return &bytes_last;
	for (size_t i = 0; i < COUNT(metrics); i++)
		if (!strcmp(metrics[i].unit, arg->unit))
			return &metrics[i].metric;
	return is_level ? &plain_last : &plain_sum;
}

void
stats_metric_add(struct stats_measure *measure, struct number n)
{
	const struct stats_metric *metric = measure->metric;
	double value = number_as_double(n) / metric->per_unit;

	measure->last = n;
	/* A counter never falls. */
	if (metric->kind == STATS_SUM && n.is_negative)
		return;
	if (!measure->histogram.cnt || n.is_negative)
		measure->histogram.min = n;
	measure->histogram.cnt++;
	measure->histogram.sum += value;
	for (size_t i = 0; i < metric->bounds_cnt; i++)
		if (value <= metric->bounds[i]) {
			measure->buckets[i]++;
			return;
		}
}

void
stats_escape(const char *text, size_t len, struct buf *out)
{
	char shown[UTF8_SHOWN_BYTES];

	for (size_t i = 0; i < len;) {
		size_t n = utf8_show(text + i, len - i, shown);

		for (const char *c = shown; *c; c++) {
			if (*c == '\\' || *c == '"')
				buf_putc(out, '\\');
			buf_putc(out, *c);
		}
		i += n;
	}
}

void
stats_label_add(const char *name, const struct contract_arg *arg, const struct value *value, bool others,
		struct buf *out)
{
	struct contract_arg bare = {0};
	struct buf text;

	buf_puts(out, name);
	buf_puts(out, "=\"");
	if (others || (value->type == VALUE_STRING && !strcmp(name, "message_type") &&
		       !contract_knows_message_type(value->bytes, value->len))) {
		buf_puts(out, "other\"");
		return;
	}
	if (value->type == VALUE_STRING && (value->state == VALUE_READ || value->state == VALUE_CUT)) {
		stats_escape((const char *)value->bytes, value->len, out);
		buf_putc(out, '"');
		return;
	}
	buf_init(&text, 4096);
	for (uint64_t i = 0; arg && arg->value_names && arg->value_names[i] && value->type == VALUE_UINT; i++)
		if (i == value->u)
			buf_puts(&text, arg->value_names[i]);
	if (!text.len)
		line_value_text(&bare, value, &text);
	stats_escape(text.data, text.len, out);
	buf_putc(out, '"');
	buf_fini(&text);
}
