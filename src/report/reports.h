/* The reports of a run as they are written: each of a format, to a place of its own, several at once. */
#ifndef TPCHECK_REPORT_REPORTS_H
#define TPCHECK_REPORT_REPORTS_H

#include "base/diag.h"
#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* All formats; ends with NULL. */
struct report_format;
extern const struct report_format *const report_formats[];
const char *report_format_name(const struct report_format *format);

/* What is known before the first result. */
struct report_head {
	const char *notice; /* lines for people: what is judged, or why nothing is */
	size_t results_cnt; /* as many will come */
	bool require;       /* a skip counts as an error */
	const char *host;   /* the machine's name; NULL */
	time_t started;
	/* What a terminal may be sent; never sent to anything else. */
	bool may_color, may_move_cursor;
};

/* new, add each, begin, (start, result) for each result, end, free. Only begin takes away what was in the files: what
 * goes wrong before leaves them as they were. */
struct reports;
struct reports *reports_new(void);
/* path "-" is standard output. -EINVAL and the like: the file cannot be opened; -EBUSY: it has a report already. */
int reports_add(struct reports *reports, const struct report_format *format, const char *path,
		struct diag *diag);
/* head is borrowed until reports_end. */
void reports_begin(struct reports *reports, const struct report_head *head);
/* A scenario begins; number 0: something before the first one does. */
void reports_start(struct reports *reports, const char *name, size_t number, size_t of);
/* The result's texts have to live until reports_end. */
void reports_result(struct reports *reports, const struct report_result *result);
/* Completes and closes all files. -EIO and the like names the first one that could not be written; that of standard
 * output is left for who closes that. */
int reports_end(struct reports *reports, const struct report_run *run, struct diag *diag);
void reports_free(struct reports *reports);

#endif
