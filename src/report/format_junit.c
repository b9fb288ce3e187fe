/* JUnit's XML, as Jenkins, GitLab and others read it: testsuites, testsuite, testcase with failure, error or skipped,
 * and system-out. tests/report/junit.xsd is its schema.
 *
 * Written without a library, because none does the hard part: libxml2's writer escapes, but passes on characters that
 * XML forbids and bytes that are not UTF-8. It would also load ICU into a program that starts in milliseconds. */
#include "base/utf8.h"
#include "base/xmem.h"
#include "report/format.h"
#include "report/format_text.h"

#include <stdlib.h>
#include <string.h>

struct state {
	FILE *out;
	const struct report_head *head;
};

/* What XML 1.0 does not allow, not even as a reference, becomes U+FFFD. Readers would normalize tabs and newlines in
 * attributes, and carriage returns everywhere. */
static void
print_escaped(FILE *out, const char *text, bool in_attribute)
{
	size_t len;

	for (; *text; text += len) {
		uint32_t code = utf8_first(text, &len);

		if (code == '&')
			fputs("&amp;", out);
		else if (code == '<')
			fputs("&lt;", out);
		else if (code == '>')
			fputs("&gt;", out);
		else if (code == '"')
			fputs("&quot;", out);
		else if (code == '\r' || (in_attribute && (code == '\n' || code == '\t')))
			fprintf(out, "&#%u;", (unsigned)code);
		else if ((code < 0x20 && code != '\n' && code != '\t') || code == 0xfffd || code == 0xfffe ||
			 code == 0xffff)
			fputs("\xef\xbf\xbd", out);
		else
			fwrite(text, 1, len, out);
	}
}

static void
print_attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	print_escaped(out, value, true);
	fputc('"', out);
}

static void
print_property(FILE *out, const char *name, const char *value)
{
	fputs("      <property", out);
	print_attribute(out, "name", name);
	print_attribute(out, "value", value);
	fputs("/>\n", out);
}

static void
print_raw(FILE *out, const char *text)
{
	fputs(text, out);
}

/* The reason and the findings, for people; not yet escaped. */
static char *
details_of(const struct report_result *result)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return xstrdup("");
	if (result->reason)
		fprintf(out, "%s\n", result->reason);
	for (size_t i = 0; i < result->findings.cnt; i++)
		report_print_finding(out, &result->findings.items[i], false, print_raw);
	fclose(out);
	return text;
}

static void
print_element(FILE *out, const char *element, const char *type, const char *message, const char *text)
{
	fprintf(out, "      <%s", element);
	print_attribute(out, "message", message);
	print_attribute(out, "type", type);
	fputc('>', out);
	print_escaped(out, text, false);
	fprintf(out, "</%s>\n", element);
}

/* A test has one verdict: many consumers show only the first. */
static void
print_verdict(FILE *out, const struct report_result *result, bool require)
{
	const char *reason = result->reason ? result->reason : "";
	const struct finding *first = result->findings.cnt ? result->findings.items : NULL;
	char *details = details_of(result);

	switch (result->outcome) {
	case OUTCOME_PASS:
		break;
	case OUTCOME_FAIL:
		print_element(out, "failure", first ? finding_kind_name(first->kind) : "failure",
			      first ? first->message : reason, details);
		break;
	case OUTCOME_SKIP:
		if (require) {
			print_element(out, "error", "skip", reason,
				      "a skip counts as an error here (--require)");
		} else {
			fputs("      <skipped", out);
			print_attribute(out, "message", reason);
			fputs("/>\n", out);
		}
		break;
	case OUTCOME_ERROR:
		print_element(out, "error", "error", reason, details);
		break;
	}
	free(details);
}

static void
print_output(FILE *out, const struct report_result *result)
{
	bool has_warnings = result->outcome == OUTCOME_PASS && result->findings.cnt;

	if (!result->artifacts && !result->repeat && !has_warnings)
		return;
	fputs("      <system-out>", out);
	if (has_warnings) {
		char *details = details_of(result);

		print_escaped(out, details, false);
		free(details);
	}
	if (result->artifacts) {
		fputs("kept: ", out);
		print_escaped(out, result->artifacts, false);
		fputc('\n', out);
	}
	if (result->repeat) {
		fputs("repeat with: ", out);
		print_escaped(out, result->repeat, false);
		fputc('\n', out);
	}
	fputs("</system-out>\n", out);
}

/* Of context.tracepoint.behaviour, the last part is the test's name, and the rest its class. */
static void
print_case(FILE *out, const struct report_result *result, bool require)
{
	const char *dot = strrchr(result->name, '.');
	char *class = dot ? strndup(result->name, (size_t)(dot - result->name)) : NULL;

	fputs("    <testcase", out);
	print_attribute(out, "classname", class ? class : "tpcheck");
	print_attribute(out, "name", dot ? dot + 1 : result->name);
	fprintf(out, " time=\"%.3f\">\n", (double)result->duration_ms / 1e3);
	print_verdict(out, result, require);
	print_output(out, result);
	fputs("    </testcase>\n", out);
	free(class);
}

static void *
begin(FILE *out, const struct report_head *head)
{
	struct state *state = xcalloc(1, sizeof(*state));

	*state = (struct state){.out = out, .head = head};
	return state;
}

static void
end(void *opaque, const struct report_run *run)
{
	struct state *state = opaque;
	FILE *out = state->out;
	struct report_summary summary = report_summarize(run);
	bool require = state->head->require;
	char counts[160], started[32], version[32];
	struct tm tm;

	snprintf(counts, sizeof(counts), " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\"",
		 run->results_cnt, summary.failed, summary.errors + (require ? summary.skipped : 0),
		 (double)run->duration_ms / 1e3);
	gmtime_r(&state->head->started, &tm);
	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tpcheck\"%s>\n", counts);
	/* In Jenkins' schema, testsuites has no count of skips. */
	fprintf(out, "  <testsuite name=\"tpcheck\"%s skipped=\"%zu\" timestamp=\"%s\"", counts,
		require ? 0 : summary.skipped, started);
	print_attribute(out, "hostname", state->head->host ? state->head->host : "localhost");
	fputs(">\n    <properties>\n", out);
	print_property(out, "interrupted", run->interrupted ? "true" : "false");
	if (run->node_path)
		print_property(out, "bitcoind", run->node_path);
	if (run->node_version) {
		report_format_version(run->node_version, version, sizeof(version));
		print_property(out, "version", version);
		print_property(out, "subversion", run->node_subversion);
	}
	if (run->attach)
		print_property(out, "attach", run->attach);
	if (run->attach_why)
		print_property(out, "attach_why", run->attach_why);
	fputs("    </properties>\n", out);
	for (size_t i = 0; i < run->results_cnt; i++)
		print_case(out, &run->results[i], require);
	fputs("  </testsuite>\n</testsuites>\n", out);
	free(state);
}

const struct report_format report_format_junit = {.name = "junit", .begin = begin, .end = end};
