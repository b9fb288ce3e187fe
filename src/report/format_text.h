/* Text for people, and the parts that other formats use as well. Private to src/report. */
#ifndef TPCHECK_REPORT_FORMAT_TEXT_H
#define TPCHECK_REPORT_FORMAT_TEXT_H

#include "report/live.h"
#include "report/report.h"
#include "report/reports.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct report_text {
	FILE *out;
	struct live *live; /* the line while a scenario runs; NULL: none */
	bool colored;
	const char *last_reason; /* of the previous result, borrowed: a repeated reason is printed once */
	size_t same, folded;     /* how many in a row repeated it, and how many of these were not printed */
	const char *last_folded; /* the name of the last of these, borrowed */
};
/* Only a terminal gets colours and a live line. */
void report_text_open(struct report_text *text, FILE *out, const struct report_head *head);
void report_text_start(struct report_text *text, const char *name, size_t number, size_t total);
void report_text_result(struct report_text *text, const struct report_result *result, bool require);
void report_text_summary(struct report_text *text, const struct report_run *run, bool require);
void report_text_close(struct report_text *text);

/* A finding; brief: only its message. print writes what others may have written, such as a node. */
void report_print_finding(FILE *out, const struct finding *finding, bool brief,
			  void (*print)(FILE *out, const char *text));

/* The findings of all scenarios about one tracepoint and argument. */
struct report_blame {
	const struct finding *finding; /* the first */
	size_t findings, scenarios;
	const struct report_result *first, *last; /* of the scenarios */
	bool fails;                               /* a scenario failed; else there were only warnings */
};
enum { REPORT_BLAMES_MAX = 300 }; /* more than there are tracepoints and arguments */
size_t report_find_blames(const struct report_run *run, struct report_blame blames[REPORT_BLAMES_MAX]);
/* "utxocache:add argument 4 (value)"; nothing without a tracepoint. */
void report_print_subject(FILE *out, const struct finding *finding);

#endif
