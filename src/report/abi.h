/* The output of tpcheck abi and tpcheck diff, for people and machines. */
#ifndef TPCHECK_REPORT_ABI_H
#define TPCHECK_REPORT_ABI_H

#include "base/change.h"
#include "base/finding.h"
#include "base/site.h"
#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A file, or a release in its place. */
struct report_binary {
	const char *path;    /* NULL: a release */
	const char *release; /* "v28", "master"; NULL: unknown */
	const char *version; /* that the file gives, "v28.0.0"; NULL */
	const char *why;     /* why that release */
	const char *machine; /* NULL: the file was not read */
	unsigned address_bytes;
	bool is_big_endian, is_position_independent;
	const struct site *sites;
	size_t sites_cnt;
};

struct report_abi {
	enum outcome outcome;
	const char *reason; /* of a skip or an error; NULL */
	struct report_binary binary;
	const struct findings *wrong, *known, *remarks;
	/* Whether the release documents the tracepoint. */
	bool (*is_documented)(const struct site *site, void *cookie);
	void *cookie;
};
void report_abi_text(FILE *out, const struct report_abi *abi);
/* One JSON object (doc/json.md), with a final newline; the caller frees it. */
char *report_abi_json(const struct report_abi *abi);

struct report_diff {
	enum outcome outcome; /* OUTCOME_FAIL: something breaks */
	const char *reason;   /* of a skip or an error; NULL */
	const char *loss;     /* why the new file has no tracepoints; NULL */
	struct report_binary before, after;
	const struct changes *changes;
};
/* Markdown, for a pull request. */
void report_diff_text(FILE *out, const struct report_diff *diff);
char *report_diff_json(const struct report_diff *diff);

#endif
