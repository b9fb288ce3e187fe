/* The options --format, --output and --report of run and selftest, and the reports that they ask for. */
#ifndef TPCHECK_CLI_REPORTING_H
#define TPCHECK_CLI_REPORTING_H

#include "report/reports.h"

#include <argp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct reporting_place {
	const struct report_format *format;
	const char *path;
};

struct reporting {
	const char *command; /* "tpcheck run", for messages; the command sets it */
	bool require;        /* a skip counts as an error; the command sets it before reporting_begin */
	const atomic_int *interrupted;      /* see reports_new; the command sets it before reporting_open */
	const struct report_format *format; /* NULL: not given */
	const char *output;                 /* NULL: not given */
	struct reporting_place *more;       /* of --report */
	size_t more_cnt;
	struct reports *reports;
	struct report_head head;
	char host[256];
	const char **names; /* of the results to come */
	size_t names_cnt;
	const struct report_run *run;
	size_t done_cnt;      /* results that were reported */
	pthread_mutex_t lock; /* held while reports are written */
	int error_fd;         /* a copy of standard error's, which is redirected while libbcc prints */
};

/* For a command's argp: a child whose input is a struct reporting with nothing but command set. */
extern const struct argp reporting_argp;

/* Opens all places without changing what is there. If one cannot be opened, the reason goes to stderr: EXIT_USAGE, or
 * EXIT_ERROR if it was interrupted; else EXIT_PASSED. */
enum exit_code reporting_open(struct reporting *reporting);
/* Adds the name of a result that will be reported, before reporting_begin and in order. It is borrowed. */
void reporting_expect(struct reporting *reporting, const char *name);
/* notice, lines for people, may be NULL; it is borrowed until reporting_end, as run and reporting are. Until then the
 * reports are completed if memory runs out: what has no result yet gets an error. */
void reporting_begin(struct reporting *reporting, const char *notice, const struct report_run *run);
/* Completes the reports and returns the run's exit code: an error, with the reason on stderr, if a report could not be
 * written. */
enum exit_code reporting_end(struct reporting *reporting);
/* Frees the run's results, too. */
void reporting_fini(struct reporting *reporting, struct report_run *run);

/* Callbacks for the runner and the selftest; cookie is the struct reporting. */
void reporting_on_begin(void *cookie, const char *name, size_t number, size_t total);
void reporting_on_end(void *cookie, const struct report_result *result);

#endif
