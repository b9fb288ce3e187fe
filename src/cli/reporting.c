#include "cli/reporting.h"

#include "base/xmem.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OPTION_FORMAT = 512, OPTION_OUTPUT, OPTION_REPORT, FORMATS_MAX = 16 };
enum {
	RESERVE_BYTES = 8 << 20, /* for completing the reports without other memory */
	LOCK_MS = 3000,
	COMPLETE_S = 10,
	SCARCE_BYTES = 128 << 20, /* memory is scarce if so much cannot be had at once */
};

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
			{"format", OPTION_FORMAT, "text|json|tap|tap13|junit|github|html", 0,
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
reporting_expect(struct reporting *reporting, const char *name)
{
	cli_append(&reporting->names, &reporting->names_cnt, name);
}

/* Recursive: the thread that runs out of memory may be the one that is writing a report. */
static void
make_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t recursive;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(lock, &recursive);
	pthread_mutexattr_destroy(&recursive);
}

static void
on_alarm(int signo)
{
	(void)signo;
	_exit(EXIT_ERROR);
}

/* LLVM calls abort when memory runs out. */
static void
on_abort(int signo)
{
	void *memory = mmap(NULL, SCARCE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		xmem_run_out();
	signal(signo, SIG_DFL); /* and abort ends the process */
}

/* The hook of xmem.h. Other threads run on, but none that writes a report. */
static void
complete_without_memory(void *cookie)
{
	struct reporting *reporting = cookie;
	struct timespec until;
	struct diag diag;

	signal(SIGALRM, on_alarm);
	alarm(COMPLETE_S);
	dup2(reporting->error_fd, STDERR_FILENO);
	/* Readers that do not read are given up: not by this thread alone, which may block the signal. */
	pid_t self = getpid();
	if (self > 0) /* it may be refused; -1 would be everybody */
		kill(self, SIGTERM);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOCK_MS / 1000;
	if (pthread_mutex_clocklock(&reporting->lock, CLOCK_MONOTONIC, &until))
		return;
	struct report_run run = *reporting->run;
	run.interrupted = true;
	run.results = xcalloc(reporting->names_cnt, sizeof(*run.results));
	run.results_cnt = reporting->names_cnt;
	for (size_t i = 0; i < run.results_cnt; i++)
		run.results[i] =
			i < reporting->done_cnt
				? reporting->run->results[i]
				: (struct report_result){.name = reporting->names[i],
							 .outcome = OUTCOME_ERROR,
							 .reason = xstrdup("interrupted: out of memory")};
	if (reports_end(reporting->reports, &run, &diag))
		fprintf(stderr, "%s: %s\n", reporting->command, diag.text);
}

void
reporting_begin(struct reporting *reporting, const char *notice, const struct report_run *run)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool is_able = term && *term && strcmp(term, "dumb") != 0;

	if (gethostname(reporting->host, sizeof(reporting->host) - 1))
		reporting->host[0] = '\0';
	reporting->head = (struct report_head){
		.notice = notice,
		.results_cnt = reporting->names_cnt,
		.require = reporting->require,
		.host = reporting->host[0] ? reporting->host : NULL,
		.started = time(NULL),
		/* https://no-color.org */
		.may_color = is_able && !(no_color && *no_color),
		.may_move_cursor = is_able,
	};
	reporting->run = run;
	make_lock(&reporting->lock);
	reports_begin(reporting->reports, &reporting->head);
	reporting->error_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	xmem_set_hook(complete_without_memory, reporting, RESERVE_BYTES);
	signal(SIGABRT, on_abort);
}

enum exit_code
reporting_end(struct reporting *reporting)
{
	struct diag diag;

	pthread_mutex_lock(&reporting->lock);
	int err = reports_end(reporting->reports, reporting->run, &diag);
	signal(SIGABRT, SIG_DFL);
	xmem_set_hook(NULL, NULL, 0);
	close(reporting->error_fd);
	pthread_mutex_unlock(&reporting->lock);
	if (!err)
		return report_exit_code(reporting->run, reporting->require);
	fprintf(stderr, "%s: %s\n", reporting->command, diag.text);
	return EXIT_ERROR;
}

void
reporting_fini(struct reporting *reporting, struct report_run *run)
{
	reports_free(reporting->reports);
	free(reporting->more);
	free(reporting->names);
	for (size_t i = 0; i < run->results_cnt; i++)
		report_result_fini(&run->results[i]);
	free(run->results);
	free(run->attach_why);
}

void
reporting_on_begin(void *cookie, const char *name, size_t number, size_t total)
{
	struct reporting *reporting = cookie;

	pthread_mutex_lock(&reporting->lock);
	reports_start(reporting->reports, name, number, total);
	pthread_mutex_unlock(&reporting->lock);
}

void
reporting_on_end(void *cookie, const struct report_result *result)
{
	struct reporting *reporting = cookie;

	pthread_mutex_lock(&reporting->lock);
	reporting->done_cnt++;
	reports_result(reporting->reports, result);
	pthread_mutex_unlock(&reporting->lock);
}
