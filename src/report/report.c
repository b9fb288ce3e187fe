#include "report/report.h"

#include <stdlib.h>

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
	free(result->log_tail);
	free(result->output_tail);
	findings_fini(&result->findings);
	free(result->checked.items);
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
