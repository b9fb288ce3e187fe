/* A format of reports. A new one is a file with such a row, and an entry in reports.c. Private to src/report. */
#ifndef TPCHECK_REPORT_FORMAT_H
#define TPCHECK_REPORT_FORMAT_H

#include "report/report.h"
#include "report/reports.h"

#include <stdio.h>

struct report_format {
	const char *name; /* as --format and --report know it */
	/* Writes what comes first, if anything, and returns the state for the other functions. */
	void *(*begin)(FILE *out, const struct report_head *head);
	void (*start)(void *state, const char *name, size_t number, size_t total); /* NULL: writes nothing */
	void (*result)(void *state, const struct report_result *result); /* NULL: all is written at the end */
	/* Writes the rest and frees the state. */
	void (*end)(void *state, const struct report_run *run);
};

extern const struct report_format report_format_text, report_format_json, report_format_tap,
	report_format_tap13, report_format_junit, report_format_github, report_format_html;

#endif
