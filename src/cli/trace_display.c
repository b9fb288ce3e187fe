#include "cli/trace_display.h"

#include "base/clock.h"
#include "base/xmem.h"
#include "run/tracer.h"
#include "run/tracer_group.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { REFRESH_MS = 1000 }; /* of the table on a terminal */

static void
get_counts(const struct trace_display *display, struct probe_counts *counts)
{
	if (display->group)
		tracer_group_counts(display->group, counts);
	else
		tracer_counts(display->tracer, counts);
}

static void
render_metrics(void *cookie, bool is_prometheus, struct buf *out)
{
	const struct trace_display *display = cookie;
	const struct selection *selection =
		display->group ? tracer_group_selection(display->group) : tracer_selection(display->tracer);
	struct stats *none = display->stats ? NULL : stats_new(&display->options->stats_opts, 0);
	struct probe_counts counts;

	get_counts(display, &counts);
	struct stats_openmetrics_opts opts = {
		.is_prometheus = is_prometheus,
		.started_s = (double)line_clock_epoch_ns(&display->clock, display->created_ns) / 1e9,
		.losses = {{"full_ring", counts.failed},
			   {"slow_reader", counts.dropped},
			   {"too_many_threads", counts.no_memory},
			   {"missing", counts.missing}},
		.late = counts.late,
		.filtered = counts.filtered,
		.rows = selection ? (const struct contract_tracepoint *const *)selection->rows : NULL,
		.rows_cnt = selection ? SELECTION_MAX : 0,
	};
	stats_openmetrics(none ? none : display->stats, &opts, out);
	stats_free(none);
}

void
trace_display_init(struct trace_display *display, const struct trace_options *options,
		   const struct tracer *tracer, bool (*must_end)(void *cookie), void *cookie)
{
	*display = (struct trace_display){.options = options, .tracer = tracer, .created_ns = clock_now_ns()};
	line_clock_init(&display->clock);
	display->metrics =
		(struct trace_metrics){.options = options, .render = render_metrics, .cookie = display};
	output_init(&display->output, STDOUT_FILENO, must_end, cookie);
}

void
trace_display_fini(struct trace_display *display)
{
	trace_metrics_close(&display->metrics);
	stats_free(display->stats);
	output_fini(&display->output);
}

int
trace_display_open(struct trace_display *display, struct diag *diag)
{
	if (!display->options->output && !display->options->listen)
		return 0;
	int err = trace_metrics_open(&display->metrics, diag);

	if (!err && display->metrics.http)
		trace_display_say(display, "metrics are at %s/metrics", display->metrics.url);
	return err;
}

void
trace_display_start(struct trace_display *display)
{
	if (display->started_ns)
		return;
	display->started_ns = display->refreshed_ns = clock_now_ns();
	display->stats = stats_new(&display->options->stats_opts, display->started_ns);
}

void
trace_display_say(struct trace_display *display, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	fprintf(stderr, "tpcheck trace: %s\n", text);
	free(text);
	/* On a terminal the message is below the table, which therefore stays. */
	display->table_lines = 0;
}

void
trace_display_loss(struct trace_display *display, pid_t pid, const struct probe_counts *counts, uint64_t lost)
{
	char *process = pid ? xasprintf("process %d: ", (int)pid) : xstrdup("");

	trace_display_say(display,
			  "%slost %" PRIu64 " event%s (so far %" PRIu64 ": %" PRIu64
			  " did not fit into the rings, %" PRIu64
			  " came faster than they could be shown, %" PRIu64
			  " came from more threads than there is room for, %" PRIu64 " did not arrive)",
			  process, lost, lost == 1 ? "" : "s", probe_counts_lost(counts), counts->failed,
			  counts->dropped, counts->no_memory, counts->missing);
	free(process);
}

static void
add_summary(const struct trace_display *display, uint64_t now_ns, struct buf *out)
{
	double seconds = display->started_ns ? (double)(now_ns - display->started_ns) / 1e9 : 0;
	struct probe_counts counts;

	get_counts(display, &counts);
	uint64_t lost = probe_counts_lost(&counts);

	buf_printf(out, "%" PRIu64 " event%s in %.1f s", display->events_cnt,
		   display->events_cnt == 1 ? "" : "s", seconds);
	if (display->options->where_cnt)
		buf_printf(out, ", %" PRIu64 " others filtered out", counts.filtered);
	if (lost)
		buf_printf(out, ", %" PRIu64 " lost", lost);
	else
		buf_puts(out, ", none lost");
	if (counts.late)
		buf_printf(out, ", %" PRIu64 " out of order", counts.late);
}

static void
print_table(struct trace_display *display, uint64_t now_ns, bool is_last)
{
	struct stats_table_opts opts = {.with_now = !is_last};
	struct buf *out = &display->output.buf;
	bool is_on_terminal = display->output.is_terminal && !is_last;
	struct winsize size = {0};
	size_t start;

	if (is_on_terminal && !ioctl(display->output.writer.fd, TIOCGWINSZ, &size)) {
		opts.columns = size.ws_col;
		opts.lines = size.ws_row > 3 ? size.ws_row - 3u : 0;
	}
	if (display->table_lines)
		buf_printf(out, "\033[%uA\r\033[J", display->table_lines);
	start = out->len;
	line_time(&display->clock, now_ns, out);
	buf_puts(out, "  ");
	add_summary(display, now_ns, out);
	buf_puts(out, "\n");
	stats_table(display->stats, now_ns, &opts, out);
	if (!display->output.is_terminal && !is_last)
		buf_putc(out, '\n');
	display->table_lines = 0;
	for (size_t i = start; is_on_terminal && i < out->len; i++)
		display->table_lines += out->data[i] == '\n';
}

static void
print_stats(struct trace_display *display, bool is_last)
{
	uint64_t now_ns = clock_now_ns();
	struct probe_counts counts;

	if (trace_options_has_metrics(display->options)) {
		render_metrics(display, display->options->format == TRACE_FORMAT_PROMETHEUS,
			       &display->output.buf);
	} else if (display->options->format == TRACE_FORMAT_JSON) {
		get_counts(display, &counts);
		stats_json(display->stats, now_ns, line_clock_epoch_ns(&display->clock, now_ns),
			   &(struct stats_losses){.lost = probe_counts_lost(&counts),
						  .late = counts.late,
						  .filtered = counts.filtered},
			   &display->output.buf);
	} else {
		print_table(display, now_ns, is_last);
	}
	stats_next(display->stats, now_ns);
	output_flush(&display->output);
}

static void
refresh_stats(struct trace_display *display)
{
	uint64_t interval_ns = display->options->interval_ns;

	if (!interval_ns && display->output.is_terminal && display->options->format == TRACE_FORMAT_TEXT)
		interval_ns = REFRESH_MS * UINT64_C(1000000);
	if (!interval_ns || !display->started_ns || clock_now_ns() - display->refreshed_ns < interval_ns)
		return;
	/* From when it was due, not from now, so that intervals do not drift. */
	display->refreshed_ns += interval_ns;
	if (clock_now_ns() - display->refreshed_ns >= interval_ns)
		display->refreshed_ns = clock_now_ns();
	print_stats(display, false);
}

bool
trace_display_event(struct trace_display *display, pid_t pid, const struct contract_tracepoint *row,
		    const struct event *event)
{
	const struct trace_options *options = display->options;
	struct output *output = &display->output;

	display->events_cnt++;
	/* Nobody reads any more; the rest is only counted. */
	if (output->state == OUTPUT_STUCK) {
		output->unwritten_lines++;
		return true;
	}
	if (options->stats)
		stats_add(display->stats, row, event, pid);
	else if (options->format == TRACE_FORMAT_JSON)
		line_json(&display->clock, row, event, pid, &output->buf);
	else
		line_text(&display->clock, row, event, trace_options_has_many(options) ? pid : 0,
			  &output->buf);
	if (options->count && display->events_cnt >= options->count)
		return false;
	return output_spill(output) || output->state == OUTPUT_STUCK;
}

/* Metrics go elsewhere than to standard output. */
static bool
has_outlet(const struct trace_display *display)
{
	return display->metrics.http || display->metrics.new_path;
}

static void
complain(struct trace_display *display, const struct diag *diag)
{
	if (!*diag->text)
		return;
	trace_display_say(display, "%s", diag->text);
	display->has_failed = true;
}

bool
trace_display_pause(struct trace_display *display)
{
	struct diag diag;

	if (has_outlet(display)) {
		trace_metrics_pause(&display->metrics, &diag);
		complain(display, &diag);
	} else if (display->options->stats) {
		refresh_stats(display);
	}
	return output_flush(&display->output) || display->output.state == OUTPUT_STUCK;
}

void
trace_display_end(struct trace_display *display)
{
	struct diag diag;

	if (has_outlet(display)) {
		trace_metrics_end(&display->metrics, &diag);
		complain(display, &diag);
	} else if (display->stats && display->options->stats && display->output.state == OUTPUT_GOOD)
		print_stats(display, true);
	output_flush(&display->output);
}

void
trace_display_summary(struct trace_display *display)
{
	uint64_t unwritten = display->output.unwritten_lines;
	struct buf summary;

	buf_init(&summary, 4096);
	add_summary(display, clock_now_ns(), &summary);
	if (unwritten)
		buf_printf(&summary, "; %" PRIu64 " of these were not shown, because nobody read them",
			   unwritten);
	trace_display_say(display, "%s", summary.data);
	buf_fini(&summary);
}
