#include "report/report.h"

#include "base/json.h"
#include "report/format.h"
#include "report/write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *
outcome_name(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_PASS:
		return "pass";
	case OUTCOME_FAIL:
		return "fail";
	case OUTCOME_SKIP:
		return "skip";
	case OUTCOME_ERROR:
		return "error";
	}
	return "?";
}

enum exit_code
report_outcome_code(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_PASS:
		return EXIT_PASSED;
	case OUTCOME_FAIL:
		return EXIT_FAILED;
	case OUTCOME_SKIP:
		return EXIT_SKIPPED;
	case OUTCOME_ERROR:
		break;
	}
	return EXIT_ERROR;
}

void
report_result_fini(struct report_result *result)
{
	free(result->reason);
	free(result->artifacts);
	free(result->repeat);
	findings_fini(&result->findings);
}

struct report_summary
report_summarize(const struct report_run *run)
{
	struct report_summary summary = {0};

	for (size_t i = 0; i < run->results_cnt; i++) {
		switch (run->results[i].outcome) {
		case OUTCOME_PASS:
			summary.passed++;
			break;
		case OUTCOME_FAIL:
			summary.failed++;
			break;
		case OUTCOME_SKIP:
			summary.skipped++;
			break;
		case OUTCOME_ERROR:
			summary.errors++;
			break;
		}
	}
	return summary;
}

enum exit_code
report_exit_code(const struct report_run *run, bool require)
{
	struct report_summary summary = report_summarize(run);

	if (summary.failed)
		return EXIT_FAILED;
	if (summary.errors || run->interrupted || (require && (summary.skipped || !run->results_cnt)))
		return EXIT_ERROR;
	return summary.passed ? EXIT_PASSED : EXIT_SKIPPED;
}

void
report_format_version(int version, char *out, size_t out_sz)
{
	if (version <= 0)
		snprintf(out, out_sz, "unknown version");
	else
		snprintf(out, out_sz, "v%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

void
report_write_findings(struct json_writer *w, const struct findings *findings)
{
	json_writer_begin_array(w);
	for (size_t i = 0; i < findings->cnt; i++) {
		const struct finding *finding = &findings->items[i];

		json_writer_begin_object(w);
		json_writer_key(w, "tracepoint");
		json_writer_string(w, finding->tracepoint);
		json_writer_key(w, "argument");
		if (finding->argument)
			json_writer_u64(w, finding->argument);
		else
			json_writer_null(w);
		json_writer_key(w, "argument_name");
		json_writer_string(w, finding->argument_name);
		json_writer_key(w, "kind");
		json_writer_string(w, finding_kind_name(finding->kind));
		json_writer_key(w, "want");
		json_writer_string(w, finding->want);
		json_writer_key(w, "got");
		json_writer_string(w, finding->got);
		json_writer_key(w, "source");
		json_writer_string(w, finding->source);
		json_writer_key(w, "message");
		json_writer_string(w, finding->message);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
}

char *
report_take_with_newline(struct json_writer *w)
{
	size_t len;
	char *text = json_writer_take(w, &len);

	json_writer_free(w);
	if (len && text[len - 1] == '\n')
		return text;
	char *longer = realloc(text, len + 2);
	if (!longer)
		return text;
	longer[len] = '\n';
	longer[len + 1] = '\0';
	return longer;
}

char *
report_findings_json(const struct findings *findings)
{
	struct json_writer *w = json_writer_new(true);

	report_write_findings(w, findings);
	return report_take_with_newline(w);
}

char *
report_json(const struct report_run *run)
{
	struct json_writer *w = json_writer_new(true);
	struct report_summary summary = report_summarize(run);

	json_writer_begin_object(w);
	json_writer_key(w, "summary");
	json_writer_begin_object(w);
	json_writer_key(w, "passed");
	json_writer_u64(w, summary.passed);
	json_writer_key(w, "failed");
	json_writer_u64(w, summary.failed);
	json_writer_key(w, "skipped");
	json_writer_u64(w, summary.skipped);
	json_writer_key(w, "errors");
	json_writer_u64(w, summary.errors);
	json_writer_key(w, "duration_ms");
	json_writer_u64(w, run->duration_ms);
	json_writer_key(w, "interrupted");
	json_writer_bool(w, run->interrupted);
	json_writer_end_object(w);

	json_writer_key(w, "node");
	if (run->node_path) {
		char version[32];

		json_writer_begin_object(w);
		json_writer_key(w, "path");
		json_writer_string(w, run->node_path);
		json_writer_key(w, "version");
		report_format_version(run->node_version, version, sizeof(version));
		json_writer_string(w, run->node_version ? version : NULL);
		json_writer_key(w, "subversion");
		json_writer_string(w, run->node_version ? run->node_subversion : NULL);
		json_writer_end_object(w);
	} else {
		json_writer_null(w);
	}
	json_writer_key(w, "release");
	json_writer_string(w, run->release);
	json_writer_key(w, "attach");
	json_writer_string(w, run->attach);

	json_writer_key(w, "scenarios");
	json_writer_begin_array(w);
	for (size_t i = 0; i < run->results_cnt; i++) {
		const struct report_result *result = &run->results[i];

		json_writer_begin_object(w);
		json_writer_key(w, "name");
		json_writer_string(w, result->name);
		json_writer_key(w, "outcome");
		json_writer_string(w, outcome_name(result->outcome));
		json_writer_key(w, "reason");
		json_writer_string(w, result->reason);
		json_writer_key(w, "duration_ms");
		json_writer_u64(w, result->duration_ms);
		json_writer_key(w, "findings");
		report_write_findings(w, &result->findings);
		json_writer_key(w, "artifacts");
		json_writer_string(w, result->artifacts);
		json_writer_key(w, "repeat");
		json_writer_string(w, result->repeat);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
	json_writer_end_object(w);
	return report_take_with_newline(w);
}

/* The format: one object, at the end. */

static void *
begin(FILE *out, const struct report_head *head)
{
	(void)head;
	return out;
}

static void
end(void *out, const struct report_run *run)
{
	char *text = report_json(run);

	fputs(text, out);
	free(text);
}

const struct report_format report_format_json = {.name = "json", .begin = begin, .end = end};
