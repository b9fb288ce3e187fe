/* What a trace prints: events as lines or as a table of statistics on standard output, messages on standard error. */
#ifndef TPCHECK_CLI_TRACE_DISPLAY_H
#define TPCHECK_CLI_TRACE_DISPLAY_H

#include "cli/output.h"
#include "cli/trace_metrics.h"
#include "cli/trace_options.h"
#include "probe/probe.h"
#include "trace/line.h"
#include "trace/stats.h"

#include <stdbool.h>
#include <stdint.h>

struct tracer;
struct tracer_group;

struct trace_display {
	const struct trace_options *options;
	const struct tracer *tracer;      /* for its counts */
	const struct tracer_group *group; /* instead, if there are several processes; NULL */
	struct output output;
	struct line_clock clock;
	struct trace_metrics metrics;
	struct stats *stats;   /* NULL before trace_display_start */
	uint64_t events_cnt;   /* including those that nobody read */
	uint64_t created_ns;   /* when the trace began */
	uint64_t started_ns;   /* 0 before trace_display_start */
	uint64_t refreshed_ns; /* when the table was last due */
	bool has_failed;       /* a file of metrics could not be written */
	unsigned table_lines;  /* of the table that the next one replaces on the terminal */
};

/* Options and tracer are borrowed. must_end: see struct output. */
void trace_display_init(struct trace_display *display, const struct trace_options *options,
			const struct tracer *tracer, bool (*must_end)(void *cookie), void *cookie);
void trace_display_fini(struct trace_display *display);

/* Opens what metrics go to, if anything; errors as trace_metrics_open. */
int trace_display_open(struct trace_display *display, struct diag *diag);

/* Starts the clock of rates and of --duration, unless it has been started. */
void trace_display_start(struct trace_display *display);

/* These return false when the trace should end: enough was shown, or the reader has gone. */
bool trace_display_event(struct trace_display *display, pid_t pid, const struct contract_tracepoint *row,
			 const struct event *event);
bool trace_display_pause(struct trace_display *display);

/* Prints the last table of --stats and writes what is left. */
void trace_display_end(struct trace_display *display);
/* Reports a loss; pid: of one of several processes, or 0. */
void trace_display_loss(struct trace_display *display, pid_t pid, const struct probe_counts *counts,
			uint64_t lost);
/* "1830 events in 60.0 s, none lost", as a message. */
void trace_display_summary(struct trace_display *display);

/* Prints "tpcheck trace: ..." on standard error. */
void trace_display_say(struct trace_display *display, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
