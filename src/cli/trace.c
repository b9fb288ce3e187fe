#include "cli/cli.h"

#include "cli/trace_display.h"
#include "cli/trace_follow.h"
#include "cli/trace_many.h"
#include "cli/trace_options.h"
#include "report/report.h"
#include "run/tracer.h"
#include "run/tracer_group.h"

#include <errno.h>
#include <string.h>

static bool
on_event(void *cookie, const struct contract_tracepoint *row, const struct event *event)
{
	struct trace_session *session = cookie;

	return trace_display_event(&session->display, session->pid, row, event);
}

static bool
on_pause(void *cookie)
{
	struct trace_session *session = cookie;

	return trace_display_pause(&session->display);
}

static bool
must_end(void *cookie)
{
	return trace_is_over(cookie);
}

static void
on_loss(void *cookie, const struct probe_counts *counts, uint64_t lost)
{
	struct trace_session *session = cookie;

	trace_display_loss(&session->display, 0, counts, lost);
}

/* The exit code for an error. If the machine does not allow tracing at all, diag becomes the reason for that. */
static enum exit_code
exit_code_of(const struct trace_session *session, int err, struct diag *diag)
{
	char reason[600];

	if (session->is_usage_error)
		return EXIT_USAGE;
	if (err == -ENODATA)
		return EXIT_SKIPPED;
	if (probe_find_early_obstacle(session->options->probe.method, reason, sizeof(reason)) ||
	    probe_find_obstacle(session->options->probe.method, reason, sizeof(reason))) {
		diag_fail(diag, err, "%s", reason);
		return EXIT_SKIPPED;
	}
	return err == -EPERM || err == -EACCES || err == -ENETDOWN ? EXIT_SKIPPED : EXIT_ERROR;
}

static enum exit_code
finish(struct trace_session *session, int err, struct diag *diag)
{
	struct trace_display *display = &session->display;
	struct probe_counts counts;

	trace_display_end(display);
	if (display->output.state == OUTPUT_CLOSED)
		return EXIT_PASSED;
	if (display->output.state == OUTPUT_BROKEN) {
		trace_display_say(display, "failed to write to standard output: %s",
				  strerror(display->output.writer.error));
		return EXIT_ERROR;
	}
	if (display->started_ns)
		trace_display_summary(display);
	if (err) {
		enum exit_code code = exit_code_of(session, err, diag);

		trace_display_say(display, "%s", diag->text);
		return code;
	}
	if (session->group)
		tracer_group_counts(session->group, &counts);
	else
		tracer_counts(session->tracer, &counts);
	if (probe_counts_lost(&counts) || display->output.unwritten_lines || display->has_failed ||
	    session->was_process_untraced)
		return EXIT_ERROR;
	return EXIT_PASSED;
}

static int
run(int argc, char **argv)
{
	struct trace_options options;
	struct trace_session session = {.options = &options};
	struct diag diag = {""};

	trace_options_parse(&options, argc, argv);
	session.interrupted = cli_catch_signals();
	/* A bitcoind that is not ours must outlive us. */
	options.probe.owns_process = options.bitcoind != NULL;
	struct tracer_opts tracer_opts = {
		.probe = options.probe,
		.patterns = options.patterns,
		.patterns_cnt = options.patterns_cnt,
		.payload_bytes = options.payload_bytes,
		.where = options.where,
		.where_cnt = options.where_cnt,
		.by = {options.stats_opts.by, options.by_given_cnt},
		.of = {options.stats_opts.of, options.stats_opts.of_cnt},
		.sink = {.on_event = on_event,
			 .on_pause = on_pause,
			 .must_end = must_end,
			 .on_loss = on_loss,
			 .cookie = &session},
	};
	session.tracer = tracer_new(&tracer_opts);
	if (trace_options_has_many(&options))
		session.group = trace_many_new(&session, &tracer_opts);
	trace_display_init(&session.display, &options, session.tracer, must_end, &session);
	session.display.group = session.group;
	int err = trace_display_open(&session.display, &diag);
	/* Not the user's: a library that is missing, the keeper's end. */
	session.is_usage_error = err && err != -ELIBACC && err != -EPIPE && err != -ETIMEDOUT;
	if (!err)
		err = session.group ? trace_many_follow(&session, &diag) : trace_follow(&session, &diag);
	enum exit_code code = finish(&session, err, &diag);
	tracer_group_free(session.group);
	tracer_free(session.tracer);
	trace_display_fini(&session.display);
	trace_options_fini(&options);
	return code;
}

const struct command command_trace = {"trace", "print the events of a process's tracepoints as they happen",
				      run};
