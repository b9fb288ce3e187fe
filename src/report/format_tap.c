/* TAP 14 (https://testanything.org/tap-version-14-specification.html): first the plan, then a line for each result as
 * it comes, with a block of YAML that has the content of the JSON report.
 *
 * All strings in the YAML are double-quoted and on one line. Simple YAML readers, such as the one in Perl's
 * TAP::Parser, understand that, and no line of a node's output can be mistaken for one of the report. "tap13" is the
 * same for consumers that refuse version 14, such as prove before Test::Harness 3.48 (in Debian 13); it needs nothing
 * that is new in 14. */
#include "base/utf8.h"
#include "base/xmem.h"
#include "report/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct state {
	FILE *out;
	bool require;
	size_t number;
};

/* Text on one line: blanks replace what would end the line, move the cursor, or be invisible. */
static void
print_plain(FILE *out, const char *text, const char *escaped)
{
	size_t len;

	for (; *text; text += len) {
		uint32_t code = utf8_first(text, &len);

		if (code == 0xfffd)
			fputs("\xef\xbf\xbd", out);
		else if (!utf8_is_plain(text, len))
			fputc(' ', out);
		else
			fprintf(out, "%s%.*s", code < 0x80 && strchr(escaped, (int)code) ? "\\" : "",
				(int)len, text);
	}
}

/* The text up to the first line break. An unescaped # would begin a directive. */
static void
print_first_line(FILE *out, const char *text)
{
	char *line = strndup(text, strcspn(text, "\n"));

	if (line)
		print_plain(out, line, "#\\");
	free(line);
}

/* Escapes what is not printable in YAML 1.1 or 1.2, and what a terminal does not simply show. */
static void
print_quoted(FILE *out, const char *text)
{
	size_t len;

	fputc('"', out);
	for (; *text; text += len) {
		uint32_t code = utf8_first(text, &len);

		if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (int)code);
		else if (code == '\n')
			fputs("\\n", out);
		else if (code == 0xfffd)
			fputs("\xef\xbf\xbd", out);
		else if (code == 0xfffe || code == 0xffff || !utf8_is_plain(text, len))
			fprintf(out,
				code < 0x100     ? "\\x%02" PRIX32
				: code < 0x10000 ? "\\u%04" PRIX32
						 : "\\U%08" PRIX32,
				code);
		else
			fwrite(text, 1, len, out);
	}
	fputc('"', out);
}

static void
print_member(FILE *out, const char *key, const char *value)
{
	fputs(key, out);
	if (value)
		print_quoted(out, value);
	else
		fputc('~', out);
	fputc('\n', out);
}

static void
print_findings(FILE *out, const struct findings *findings)
{
	fputs("  findings:\n", out);
	for (size_t i = 0; i < findings->cnt; i++) {
		const struct finding *finding = &findings->items[i];

		print_member(out, "    - tracepoint: ", finding->tracepoint);
		if (finding->argument)
			fprintf(out, "      argument: %u\n", finding->argument);
		else
			print_member(out, "      argument: ", NULL);
		print_member(out, "      argument_name: ", finding->argument_name);
		print_member(out, "      kind: ", finding_kind_name(finding->kind));
		print_member(out, "      want: ", finding->want);
		print_member(out, "      got: ", finding->got);
		print_member(out, "      source: ", finding->source);
		print_member(out, "      message: ", finding->message);
		print_member(out, "      context: ", finding->context);
	}
}

static void
print_diagnostics(FILE *out, const struct report_result *result, bool is_ok)
{
	const struct finding *first = result->findings.cnt ? result->findings.items : NULL;
	const char *message = first ? first->message : result->reason;

	fputs("  ---\n", out);
	if (message)
		print_member(out, "  message: ", message);
	print_member(out, "  severity: ", is_ok ? "comment" : "fail");
	print_member(out, "  outcome: ", outcome_name(result->outcome));
	if (result->reason)
		print_member(out, "  reason: ", result->reason);
	if (first && first->want)
		print_member(out, "  wanted: ", first->want);
	if (first && first->got)
		print_member(out, "  found: ", first->got);
	fprintf(out, "  duration_ms: %" PRIu64 "\n", result->duration_ms);
	if (result->findings.cnt)
		print_findings(out, &result->findings);
	if (result->artifacts)
		print_member(out, "  artifacts: ", result->artifacts);
	if (result->repeat)
		print_member(out, "  repeat: ", result->repeat);
	fputs("  ...\n", out);
}

static void *
begin_version(FILE *out, const struct report_head *head, int version)
{
	struct state *state = xcalloc(1, sizeof(*state));

	*state = (struct state){.out = out, .require = head->require};
	fprintf(out, "TAP version %d\n1..%zu\n", version, head->results_cnt);
	for (const char *line = head->notice ? head->notice : ""; *line; line += *line == '\n') {
		fputs("# ", out);
		print_first_line(out, line);
		fputc('\n', out);
		line += strcspn(line, "\n");
	}
	return state;
}

static void *
begin(FILE *out, const struct report_head *head)
{
	return begin_version(out, head, 14);
}

static void *
begin_13(FILE *out, const struct report_head *head)
{
	return begin_version(out, head, 13);
}

static void
write_result(void *opaque, const struct report_result *result)
{
	struct state *state = opaque;
	bool is_skip = result->outcome == OUTCOME_SKIP && !state->require;
	bool is_ok = result->outcome == OUTCOME_PASS || is_skip;

	fprintf(state->out, "%sok %zu - ", is_ok ? "" : "not ", ++state->number);
	print_plain(state->out, result->name, "#\\");
	if (is_skip) {
		fputs(" # SKIP ", state->out);
		print_first_line(state->out, result->reason ? result->reason : "");
	}
	fputc('\n', state->out);
	print_diagnostics(state->out, result, is_ok);
}

static void
end(void *opaque, const struct report_run *run)
{
	struct state *state = opaque;

	if (run->attach) {
		fputs("# attach: ", state->out);
		print_first_line(state->out, run->attach);
		fputc('\n', state->out);
	}
	if (run->attach_why) {
		fputs("# attach_why: ", state->out);
		print_first_line(state->out, run->attach_why);
		fputc('\n', state->out);
	}
	if (run->interrupted)
		fputs("Bail out! interrupted\n", state->out);
	free(state);
}

const struct report_format report_format_tap = {
	.name = "tap", .begin = begin, .result = write_result, .end = end};
const struct report_format report_format_tap13 = {
	.name = "tap13", .begin = begin_13, .result = write_result, .end = end};
