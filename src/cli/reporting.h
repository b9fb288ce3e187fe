/* The options by which run and selftest report: --format, --output, --report. */
#ifndef TPCHECK_CLI_REPORTING_H
#define TPCHECK_CLI_REPORTING_H

#include "report/reports.h"

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

struct reporting_place {
	const struct report_format *format;
	const char *path;
};

struct reporting {
	const struct report_format *format; /* NULL: not given */
	const char *output;                 /* NULL: not given */
	struct reporting_place *more;       /* of --report */
	size_t more_cnt;
	bool require; /* the command's to set, before it begins */
	struct report_head head;
	char host[256];
};

/* For a command's argp: a child whose input is a struct reporting, zero at first. */
extern const struct argp reporting_argp;

/* Opens all places, and changes nothing in what is there. NULL, and the reason on stderr, when that cannot be: wrong
 * usage. */
struct reports *reporting_open(const struct reporting *reporting, const char *command);
/* Tells what comes; notice is borrowed, as reporting is, until reporting_end. */
void reporting_begin(struct reporting *reporting, struct reports *reports, const char *notice,
		     size_t results_cnt);
/* False, and the reason on stderr, when a report could not be written. */
bool reporting_end(struct reports *reports, const struct report_run *run, const char *command);
void reporting_fini(struct reporting *reporting);

/* The runner's and the selftest's callbacks; cookie is the struct reports. */
void reporting_on_begin(void *cookie, const char *name, size_t number, size_t of);
void reporting_on_end(void *cookie, const struct report_result *result);

#endif
