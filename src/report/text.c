#include "report/report.h"

#include <string.h>

enum { FINDINGS_SHOWN = 8 };

void
report_text_clear(struct report_text *text)
{
	if (text->shown)
		fputs("\r\033[K", text->out);
	text->shown = false;
}

void
report_text_begin(struct report_text *text, const char *name, size_t number, size_t of)
{
	if (!text->live)
		return;
	report_text_clear(text);
	fprintf(text->out, "[%zu/%zu] %s ...", number, of, name);
	fflush(text->out);
	text->shown = true;
}

/* Prints lines, each behind an indent. */
static void
print_indented(FILE *out, const char *indent, const char *lines)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		fprintf(out, "%s%.*s\n", indent, (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}

static bool
is_like(const struct finding *a, const struct finding *b)
{
	return a->argument == b->argument && a->tracepoint && b->tracepoint &&
	       !strcmp(a->tracepoint, b->tracepoint);
}

/* In whole when brief is false; its message alone tells what is wrong, too. */
static void
print_finding(FILE *out, const struct finding *finding, bool brief)
{
	fprintf(out, "    [%s] %s\n", finding_kind_name(finding->kind), finding->message);
	if (brief)
		return;
	if (finding->want)
		fprintf(out, "      want: %s\n", finding->want);
	if (finding->source)
		fprintf(out, "      from: %s\n", finding->source);
	if (finding->got)
		fprintf(out, "      got:  %s\n", finding->got);
	if (finding->context && *finding->context) {
		fputs("      events around it, in order:\n", out);
		print_indented(out, "        ", finding->context);
	}
}

void
report_text_end(struct report_text *text, const struct report_result *result, bool require)
{
	static const char *const words[] = {"PASS ", "FAIL ", "SKIP ", "ERROR"};
	FILE *out = text->out;

	report_text_clear(text);
	fprintf(out, "%s %s (%.3f s)%s\n", words[result->outcome], result->name,
		(double)result->duration_ms / 1e3,
		result->outcome == OUTCOME_PASS && result->findings.cnt ? " with warnings" : "");
	if (result->reason && text->last_reason && !strcmp(result->reason, text->last_reason))
		fputs("    (for the same reason)\n", out);
	else if (result->reason)
		print_indented(out, "    ", result->reason);
	text->last_reason = result->reason;
	if (result->outcome == OUTCOME_SKIP && require)
		fputs("    a skip counts as an error here (--require)\n", out);
	for (size_t i = 0; i < result->findings.cnt && i < FINDINGS_SHOWN; i++) {
		const struct finding *finding = &result->findings.items[i];
		bool again = false;

		for (size_t before = 0; before < i; before++)
			again |= is_like(finding, &result->findings.items[before]);
		print_finding(out, finding, again);
	}
	if (result->findings.cnt > FINDINGS_SHOWN)
		fprintf(out, "    ... and %zu more findings%s\n", result->findings.cnt - FINDINGS_SHOWN,
			result->artifacts ? ", all in findings.json" : "");
	if (result->artifacts)
		fprintf(out, "    kept: %s\n", result->artifacts);
	if (result->repeat)
		fprintf(out, "    repeat with: %s\n", result->repeat);
	fflush(out);
}

/* What is wrong, over all scenarios: one line for each tracepoint and argument. */
static void
print_blame(FILE *out, const struct report_run *run)
{
	enum { BLAMES_MAX = 300 }; /* more than there are tracepoints and arguments */
	struct blame {
		const struct finding *finding;
		size_t findings, scenarios, last_result;
	} blames[BLAMES_MAX];
	size_t cnt = 0;

	for (size_t r = 0; r < run->results_cnt; r++)
		for (size_t f = 0; f < run->results[r].findings.cnt; f++) {
			const struct finding *finding = &run->results[r].findings.items[f];
			size_t at = 0;

			while (at < cnt && !is_like(finding, blames[at].finding))
				at++;
			if (at == BLAMES_MAX || !finding->tracepoint)
				continue;
			if (at == cnt)
				blames[cnt++] = (struct blame){.finding = finding, .last_result = SIZE_MAX};
			blames[at].findings++;
			blames[at].scenarios += blames[at].last_result != r;
			blames[at].last_result = r;
		}
	for (size_t i = 0; i < cnt; i++) {
		const struct finding *finding = blames[i].finding;

		fprintf(out, "%s", finding->tracepoint);
		if (finding->argument)
			fprintf(out, " argument %u (%s)", finding->argument, finding->argument_name);
		fprintf(out, ": %zu finding%s in %zu scenario%s\n", blames[i].findings,
			blames[i].findings == 1 ? "" : "s", blames[i].scenarios,
			blames[i].scenarios == 1 ? "" : "s");
	}
}

void
report_text_summary(struct report_text *text, const struct report_run *run, bool require)
{
	struct report_summary summary = report_summarize(run);
	char version[32];

	report_text_clear(text);
	print_blame(text->out, run);
	if (run->interrupted)
		fputs("interrupted: what had not ended counts as an error\n", text->out);
	if (require && summary.skipped)
		fprintf(text->out, "%zu skipped, which --require makes an error\n", summary.skipped);
	fprintf(text->out, "%zu passed, %zu failed, %zu skipped, %zu errors in %.1f s", summary.passed,
		summary.failed, summary.skipped, summary.errors, (double)run->duration_ms / 1e3);
	if (run->node_version) {
		report_format_version(run->node_version, version, sizeof(version));
		fprintf(text->out, " (bitcoind %s)", version);
	}
	fputc('\n', text->out);
	fflush(text->out);
}
