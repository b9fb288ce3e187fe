#include "report/format_text.h"

#include "base/utf8.h"
#include "base/xmem.h"
#include "report/format.h"

#include <stdlib.h>
#include <string.h>

enum {
	FINDINGS_SHOWN = 8,
	TICK_MS = 300,
	REPEATED_MAX = 3, /* results in a row with one reason of which no more are printed */
};

/* Prints lines, each with an indent. Texts that others wrote, such as a node's last words, must not control the
 * terminal. */
static void
print_indented(FILE *out, const char *indent, const char *lines)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		char *line = xasprintf("%.*s", (int)len, lines);

		fputs(indent, out);
		utf8_print(out, line, "\t");
		fputc('\n', out);
		free(line);
		lines += len + (lines[len] == '\n');
	}
}

void
report_text_open(struct report_text *text, FILE *out, const struct report_head *head)
{
	bool is_terminal = head->terminal_fd >= 0;

	*text = (struct report_text){.out = out, .colored = is_terminal && head->may_color};
	if (is_terminal && head->may_move_cursor)
		text->live = live_new(out, head->terminal_fd, head->interrupted, TICK_MS);
	if (head->notice)
		print_indented(out, "", head->notice);
}

void
report_text_start(struct report_text *text, const char *name, size_t number, size_t total)
{
	if (text->live)
		live_show(text->live, name, number, total);
}

static bool
is_like(const struct finding *a, const struct finding *b)
{
	return a->argument == b->argument && a->tracepoint && b->tracepoint &&
	       !strcmp(a->tracepoint, b->tracepoint);
}

static void
print_line(FILE *out, const char *text)
{
	utf8_print(out, text, "\t");
}

/* Prints "title: text"; nothing if text is NULL. */
static void
print_field(FILE *out, const char *title, const char *text, void (*print)(FILE *out, const char *text))
{
	if (!text)
		return;
	fputs(title, out);
	print(out, text);
	fputc('\n', out);
}

void
report_print_finding(FILE *out, const struct finding *finding, bool brief,
		     void (*print)(FILE *out, const char *text))
{
	fprintf(out, "    [%s]", finding_kind_name(finding->kind));
	print_field(out, " ", finding->message, print);
	if (brief)
		return;
	print_field(out, "      want: ", finding->want, print);
	print_field(out, "      from: ", finding->source, print);
	print_field(out, "      got:  ", finding->got, print);
	if (finding->context && *finding->context) {
		fputs(finding->kind == FINDING_SANITIZER ? "      the report begins:\n"
							 : "      events around it, in order:\n",
		      out);
		print_indented(out, "        ", finding->context);
	}
}

/* Reports what was left out because it would only have repeated a reason. */
static void
print_folded(struct report_text *text)
{
	if (text->folded)
		fprintf(text->out, "... and %zu more scenario%s, up to %s, for the same reason\n",
			text->folded, text->folded == 1 ? "" : "s", text->last_folded);
	text->folded = 0;
}

/* Whether the result says nothing that the ones before it have not said. Every machine's report has it. */
static bool
fold(struct report_text *text, const struct report_result *result)
{
	bool repeats = result->reason && text->last_reason && !result->findings.cnt &&
		       !strcmp(result->reason, text->last_reason);

	text->same = repeats ? text->same + 1 : 0;
	if (text->same < REPEATED_MAX) {
		print_folded(text);
		return false;
	}
	text->folded++;
	text->last_folded = result->name;
	text->last_reason = result->reason;
	return true;
}

void
report_text_result(struct report_text *text, const struct report_result *result, bool require)
{
	static const struct {
		const char *word, *color; /* green, red, yellow, magenta */
	} looks[] = {
		{"PASS ", "\033[32m"}, {"FAIL ", "\033[31m"}, {"SKIP ", "\033[33m"}, {"ERROR", "\033[35m"}};
	FILE *out = text->out;

	live_hide(text->live);
	if (result->omit_from_text || fold(text, result))
		return;
	fprintf(out, "%s%s%s %s (%.3f s)%s\n", text->colored ? looks[result->outcome].color : "",
		looks[result->outcome].word, text->colored ? "\033[0m" : "", result->name,
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
		report_print_finding(out, finding, again, print_line);
	}
	if (result->findings.cnt > FINDINGS_SHOWN)
		fprintf(out, "    ... and %zu more findings%s\n", result->findings.cnt - FINDINGS_SHOWN,
			result->artifacts ? ", all in findings.json" : "");
	print_field(out, "    kept: ", result->artifacts, print_line);
	print_field(out, "    repeat with: ", result->repeat, print_line);
}

static bool
has_one_subject(const struct finding *a, const struct finding *b)
{
	return is_like(a, b) || (!a->tracepoint && !b->tracepoint);
}

size_t
report_find_blames(const struct report_run *run, struct report_blame blames[REPORT_BLAMES_MAX])
{
	size_t cnt = 0;

	for (size_t r = 0; r < run->results_cnt; r++)
		for (size_t f = 0; f < run->results[r].findings.cnt; f++) {
			const struct report_result *result = &run->results[r];
			const struct finding *finding = &result->findings.items[f];
			size_t at = 0;

			while (at < cnt && !has_one_subject(finding, blames[at].finding))
				at++;
			if (at == REPORT_BLAMES_MAX)
				continue;
			if (at == cnt)
				blames[cnt++] = (struct report_blame){.finding = finding, .first = result};
			blames[at].findings++;
			blames[at].scenarios += blames[at].last != result;
			blames[at].last = result;
			blames[at].fails |= result->outcome == OUTCOME_FAIL;
		}
	return cnt;
}

void
report_print_subject(FILE *out, const struct finding *finding)
{
	if (finding->tracepoint)
		fputs(finding->tracepoint, out);
	if (finding->tracepoint && finding->argument)
		fprintf(out, " argument %u (%s)", finding->argument, finding->argument_name);
}

static void
print_blame(FILE *out, const struct report_run *run)
{
	struct report_blame blames[REPORT_BLAMES_MAX];
	size_t cnt = report_find_blames(run, blames);

	for (size_t i = 0; i < cnt; i++) {
		if (!blames[i].finding->tracepoint)
			continue;
		report_print_subject(out, blames[i].finding);
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

	live_hide(text->live);
	print_folded(text);
	print_blame(text->out, run);
	if (run->interrupted)
		fputs("interrupted: scenarios that had not finished count as errors\n", text->out);
	if (summary.skipped && summary.skipped == run->results_cnt && run->results[0].reason) {
		fputs("nothing could be checked:\n", text->out);
		print_indented(text->out, "    ", run->results[0].reason);
		fputs("run 'tpcheck doctor' for details\n", text->out);
	}
	if (run->attach_why && summary.skipped < run->results_cnt) {
		char *line = xasprintf("observed by %s, because BPF cannot be used here: %s",
				       run->attach ? run->attach : "nothing", run->attach_why);
		print_indented(text->out, "", line);
		free(line);
	}
	if (require && summary.skipped)
		fprintf(text->out, "%zu skipped; --require makes that an error\n", summary.skipped);
	fprintf(text->out, "%zu passed, %zu failed, %zu skipped, %zu errors in %.1f s", summary.passed,
		summary.failed, summary.skipped, summary.errors, (double)run->duration_ms / 1e3);
	if (run->node_version) {
		report_format_version(run->node_version, version, sizeof(version));
		fprintf(text->out, " (bitcoind %s)", version);
	}
	fputc('\n', text->out);
}

void
report_text_close(struct report_text *text)
{
	live_free(text->live);
	text->live = NULL;
}

/* The format */

struct state {
	struct report_text text;
	const struct report_head *head;
};

static void *
begin(FILE *out, const struct report_head *head)
{
	struct state *state = xcalloc(1, sizeof(*state));

	state->head = head;
	report_text_open(&state->text, out, head);
	return state;
}

static void
start(void *opaque, const char *name, size_t number, size_t total)
{
	struct state *state = opaque;

	report_text_start(&state->text, name, number, total);
}

static void
write_result(void *opaque, const struct report_result *result)
{
	struct state *state = opaque;

	report_text_result(&state->text, result, state->head->require);
}

static void
end(void *opaque, const struct report_run *run)
{
	struct state *state = opaque;

	report_text_summary(&state->text, run, state->head->require);
	report_text_close(&state->text);
	free(state);
}

const struct report_format report_format_text = {
	.name = "text", .begin = begin, .start = start, .result = write_result, .end = end};
