/* The reports of a run: any number, each with a format and a destination. */
#ifndef TPCHECK_REPORT_REPORTS_H
#define TPCHECK_REPORT_REPORTS_H

#include "base/diag.h"
#include "report/report.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* All formats; ends with NULL. */
struct report_format;
extern const struct report_format *const report_formats[];
const char *report_format_name(const struct report_format *format);

/* What is known before the first result. */
struct report_head {
	const char *notice; /* lines for people: what is checked, or why nothing is */
	size_t results_cnt; /* how many will come */
	bool require;       /* a skip counts as an error */
	const char *host;   /* the machine's name; NULL */
	time_t started;
	/* What may be sent to a terminal; nothing else gets it. */
	bool may_color, may_move_cursor;
	/* For the formats; reports_begin sets them. */
	int terminal_fd; /* the report goes to this terminal; -1: to something else */
	const atomic_int *interrupted;
};

/* new, add each, begin, (start, result) for each result, end, free. Files are truncated by begin: after an earlier
 * error they are as before. A report whose reader is stuck is given up a second after *interrupted is set, and the
 * others are completed (see base/writer.h); NULL: never. */
struct reports;
struct reports *reports_new(const atomic_int *interrupted);
/* path "-" is standard output. A FIFO's reader is waited for, with a message on standard error. -EBUSY: the file already
 * has a report; -EINTR: interrupted before the FIFO had a reader; others: it cannot be opened. */
int reports_add(struct reports *reports, const struct report_format *format, const char *path,
		struct diag *diag);
/* head is borrowed until reports_end. */
void reports_begin(struct reports *reports, const struct report_head *head);
/* A scenario begins, number of total; number 0: a step before the first scenario. */
void reports_start(struct reports *reports, const char *name, size_t number, size_t total);
/* The result's texts must live until reports_end. */
void reports_result(struct reports *reports, const struct report_result *result);
/* Completes and closes all reports, after writing the run's results that are not in them yet. The error is that of the
 * first one that could not be written. May be called within another call of the same thread, for example when memory
 * runs out there; the report that this other call is writing is left as it is. */
int reports_end(struct reports *reports, const struct report_run *run, struct diag *diag);
void reports_free(struct reports *reports);

#endif
