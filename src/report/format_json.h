/* Members that several JSON documents have in common. Private to src/report. */
#ifndef TPCHECK_REPORT_FORMAT_JSON_H
#define TPCHECK_REPORT_FORMAT_JSON_H

#include "base/finding.h"
#include "base/json.h"
#include "report/report.h"

/* "outcome" and "reason". */
void report_write_outcome(struct json_writer *w, enum outcome outcome, const char *reason);
/* "tracepoint", "argument" and "argument_name". */
void report_write_subject(struct json_writer *w, const char *tracepoint, unsigned argument,
			  const char *argument_name);
/* An array of findings. */
void report_write_findings(struct json_writer *w, const struct findings *findings);
/* Ends the document with a newline and frees the writer; the caller frees the text. */
char *report_take_json(struct json_writer *w);

#endif
