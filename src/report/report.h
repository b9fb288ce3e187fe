/* The results of a run, for people and machines. */
#ifndef TPCHECK_REPORT_REPORT_H
#define TPCHECK_REPORT_REPORT_H

#include "base/checked.h"
#include "base/diag.h"
#include "base/finding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum outcome {
	OUTCOME_PASS,
	OUTCOME_FAIL,  /* the interface is not as documented */
	OUTCOME_SKIP,  /* could not be checked here; the reason says why, and what would help */
	OUTCOME_ERROR, /* no verdict: tpcheck, node or machine failed, or events were lost */
};
const char *outcome_name(enum outcome outcome); /* "pass", "fail", "skip", "error" */

enum exit_code {
	EXIT_PASSED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_SKIPPED = 77,
	EXIT_ERROR = 99,
};

enum exit_code report_outcome_code(enum outcome outcome);

struct report_result {
	const char *name; /* borrowed */
	enum outcome outcome;
	enum outcome ended; /* how its steps ended, whatever was found: a pass, a skip or an error */
	char *reason;       /* of a skip or an error; NULL */
	uint64_t duration_ms;
	struct findings findings; /* with OUTCOME_PASS: warnings */
	struct checked checked;   /* what was compared; empty if nothing was */
	char *artifacts;          /* the folder that was kept for it; NULL */
	char *repeat;             /* the command that repeats it; NULL */
	/* The end of the node's debug.log and of what it printed, if something was kept; NULL or "": there is none. */
	char *log_tail, *output_tail;
	bool omit_from_text;
};
void report_result_fini(struct report_result *result);

struct report_run {
	const char *node_path;       /* NULL: none was found */
	const char *node_subversion; /* "" if it did not start */
	int node_version;            /* as getnetworkinfo says, e.g. 319900; 0: unknown */
	const char *release;         /* that it was checked against: "v30", "master"; NULL */
	const char *attach;          /* "multi", "perf", "tracefs", "ptrace" or NULL */
	char *attach_why;            /* why --attach=auto did not take BPF, in one line; NULL: it did */
	struct report_result *results;
	size_t results_cnt;
	uint64_t duration_ms;
	bool interrupted;
};

struct report_summary {
	size_t passed, failed, skipped, errors;
};
struct report_summary report_summarize(const struct report_run *run);
/* A failure wins over an error; if everything was skipped, or there was nothing, 77. With require, a skip is an
 * error. */
enum exit_code report_exit_code(const struct report_run *run, bool require);

/* The run as one JSON object (doc/json.md), with a final newline; the caller frees it. */
char *report_json(const struct report_run *run);
/* Findings as a JSON array; likewise. */
char *report_findings_json(const struct findings *findings);

/* "v31.99.0" from 319900; "unknown version" from 0. */
void report_format_version(int version, char *out, size_t out_sz);

#endif
