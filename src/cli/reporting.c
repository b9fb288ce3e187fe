#include "cli/reporting.h"

#include "base/xmem.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_FORMAT = 512, OPTION_OUTPUT, OPTION_REPORT, FORMATS_MAX = 16 };

static const struct report_format *
choose_format(struct argp_state *state, const char *option, const char *value)
{
	const char *names[FORMATS_MAX] = {NULL};

	for (size_t i = 0; i + 1 < FORMATS_MAX && report_formats[i]; i++)
		names[i] = report_format_name(report_formats[i]);
	return report_formats[cli_choice(state, option, value, names)];
}

static void
add_report(struct argp_state *state, struct reporting *reporting, const char *arg)
{
	const char *equals = strchr(arg, '=');

	if (!equals || !equals[1])
		argp_error(
			state,
			"--report=%s names no file; use FORMAT=FILE, such as junit=report.xml (- is standard output)",
			arg);
	char *format = xasprintf("%.*s", (int)(equals - arg), arg);
	reporting->more = xreallocarray(reporting->more, reporting->more_cnt + 1, sizeof(*reporting->more));
	reporting->more[reporting->more_cnt++] =
		(struct reporting_place){choose_format(state, "report", format), equals + 1};
	free(format);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct reporting *reporting = state->input;

	switch (key) {
	case OPTION_FORMAT:
		reporting->format = choose_format(state, "format", arg);
		return 0;
	case OPTION_OUTPUT:
		reporting->output = arg;
		return 0;
	case OPTION_REPORT:
		add_report(state, reporting, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp reporting_argp = {
	.options =
		(const struct argp_option[]){
			{"format", OPTION_FORMAT, "text|json|tap|tap13|junit|github", 0,
			 "Report format (default: text); tap13 is for older TAP consumers, github is text with annotations for GitHub Actions",
			 0},
			{"output", OPTION_OUTPUT, "FILE", 0,
			 "Write the report to this file (default: standard output)", 0},
			{"report", OPTION_REPORT, "FORMAT=FILE", 0,
			 "Write another report to another file; may be given several times", 0},
			{0},
		},
	.parser = parse,
};

static bool
claims_stdout(const struct reporting *reporting)
{
	for (size_t i = 0; i < reporting->more_cnt; i++)
		if (!strcmp(reporting->more[i].path, "-"))
			return true;
	return false;
}

/* Standard output gets the report of --format. If --output sends that to a file, standard output gets text, for whoever
 * is watching; unless the report is text anyway, or a --report goes to standard output. */
enum exit_code
reporting_open(struct reporting *reporting)
{
	const struct report_format *text = report_formats[0];
	const struct report_format *format = reporting->format ? reporting->format : text;
	bool is_taken = claims_stdout(reporting);
	struct diag diag;
	int err = 0;

	reporting->reports = reports_new(reporting->interrupted);
	if (reporting->output && format != text && !is_taken)
		err = reports_add(reporting->reports, text, "-", &diag);
	if (!err && (reporting->format || reporting->output || !is_taken))
		err = reports_add(reporting->reports, format, reporting->output ? reporting->output : "-",
				  &diag);
	for (size_t i = 0; !err && i < reporting->more_cnt; i++)
		err = reports_add(reporting->reports, reporting->more[i].format, reporting->more[i].path,
				  &diag);
	if (!err)
		return EXIT_PASSED;
	fprintf(stderr, "%s: %s\n", reporting->command, diag.text);
	return err == -EINTR ? EXIT_ERROR : EXIT_USAGE;
}

void
reporting_begin(struct reporting *reporting, const char *notice, size_t results_cnt)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool is_able = term && *term && strcmp(term, "dumb") != 0;

	if (gethostname(reporting->host, sizeof(reporting->host) - 1))
		reporting->host[0] = '\0';
	reporting->head = (struct report_head){
		.notice = notice,
		.results_cnt = results_cnt,
		.require = reporting->require,
		.host = reporting->host[0] ? reporting->host : NULL,
		.started = time(NULL),
		/* https://no-color.org */
		.may_color = is_able && !(no_color && *no_color),
		.may_move_cursor = is_able,
	};
	reports_begin(reporting->reports, &reporting->head);
}

enum exit_code
reporting_end(struct reporting *reporting, const struct report_run *run)
{
	struct diag diag;

	if (!reports_end(reporting->reports, run, &diag))
		return report_exit_code(run, reporting->require);
	fprintf(stderr, "%s: %s\n", reporting->command, diag.text);
	return EXIT_ERROR;
}

void
reporting_fini(struct reporting *reporting, struct report_run *run)
{
	reports_free(reporting->reports);
	free(reporting->more);
	for (size_t i = 0; i < run->results_cnt; i++)
		report_result_fini(&run->results[i]);
	free(run->results);
	free(run->attach_why);
}

void
reporting_on_begin(void *cookie, const char *name, size_t number, size_t total)
{
	const struct reporting *reporting = cookie;

	reports_start(reporting->reports, name, number, total);
}

void
reporting_on_end(void *cookie, const struct report_result *result)
{
	const struct reporting *reporting = cookie;

	reports_result(reporting->reports, result);
}
