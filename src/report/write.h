/* What the JSON reports share. Private to src/report. */
#ifndef TPCHECK_REPORT_WRITE_H
#define TPCHECK_REPORT_WRITE_H

#include "base/finding.h"
#include "base/json.h"

void report_write_findings(struct json_writer *w, const struct findings *findings);
/* Ends the document and the writer; the caller frees the text. */
char *report_take_with_newline(struct json_writer *w);

#endif
