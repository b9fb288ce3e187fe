/* Every character that a report format must escape: whatever others wrote neither breaks the format nor controls what
 * shows it. Each row is a class of characters that is escaped for a reason of its own. */
#include "base/buf.h"
#include "base/xmem.h"
#include "report/abi.h"
#include "report/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REPLACED "\xef\xbf\xbd"
#define PLAIN    "na\xc3\xafve \xe2\x82\xbf \xf0\x9f\x98\x80"

struct row {
	const char *bytes, *want;
};

static const struct report_format *
format_of(const char *name)
{
	for (size_t i = 0; report_formats[i]; i++)
		if (!strcmp(report_format_name(report_formats[i]), name))
			return report_formats[i];
	fail_msg("no format %s", name);
	return NULL;
}

/* A report in which every text that others may have written is this one; the caller frees it. */
static char *
report_of(const char *format_name, const char *bytes, enum outcome outcome)
{
	const struct report_format *format = format_of(format_name);
	struct report_result result = {
		.name = "a.b.c", .outcome = outcome, .artifacts = xstrdup(bytes), .repeat = xstrdup(bytes)};
	struct report_run run = {.node_path = bytes,
				 .node_subversion = bytes,
				 .node_version = 310000,
				 .results = &result,
				 .results_cnt = 1};
	struct report_head head = {.notice = bytes, .results_cnt = 1, .host = bytes, .terminal_fd = -1};
	char *text = NULL;
	size_t sz;
	FILE *out = open_memstream(&text, &sz);

	assert_non_null(out);
	if (outcome == OUTCOME_FAIL) {
		struct finding *finding = findings_add(&result.findings, FINDING_CONTRACT, "net:x", 1, "y",
						       bytes, bytes, bytes, bytes);

		finding->context = xstrdup(bytes);
	} else {
		result.reason = xstrdup(bytes);
	}
	void *state = format->begin(out, &head);
	if (format->result)
		format->result(state, &result);
	format->end(state, &run);
	assert_int_equal(fclose(out), 0);
	report_result_fini(&result);
	return text;
}

static bool
is_github_command(const char *line)
{
	return !strncmp(line, "::", 2);
}

/* The bytes stand between {( and )}, so that each place is found; all have to be as wanted. */
static void
assert_escaped(const char *format, const char *bytes, const char *want, enum outcome outcome, size_t places)
{
	char *framed = xasprintf("{(%s)}", bytes), *wanted = xasprintf("{(%s)}", want);
	char *text = report_of(format, framed, outcome);
	size_t found = 0, all = 0;

	for (const char *at = text; (at = strstr(at, "{(")); at++)
		all++;
	for (const char *at = text; (at = strstr(at, wanted)); at++)
		found++;
	if (found != places || all != places)
		fail_msg("%s: %zu of %zu places as wanted, want %zu of '%s' in:\n%s", format, found, all,
			 places, wanted, text);
	free(text);
	free(wanted);
	free(framed);
}

static void
check_rows(const char *format, const struct row *rows, size_t cnt, size_t in_fail, size_t in_error)
{
	for (size_t i = 0; i < cnt; i++) {
		assert_escaped(format, rows[i].bytes, rows[i].want, OUTCOME_FAIL, in_fail);
		assert_escaped(format, rows[i].bytes, rows[i].want, OUTCOME_ERROR, in_error);
	}
}
#define CHECK_ROWS(format, rows, in_fail, in_error)                                                          \
	check_rows(format, rows, sizeof(rows) / sizeof((rows)[0]), in_fail, in_error)

/* What a terminal may obey, or what people do not see; as text and GitHub show it. */
#define ROWS_SHOWN                                                                                           \
	{PLAIN, PLAIN}, {"\t", "\t"}, {"\\", "\\"}, {"\x01", "\\x01"}, {"\a", "\\x07"}, {"\b", "\\x08"},     \
		{"\r", "\\x0d"}, {"\033[2J", "\\x1b[2J"}, {"\x1f", "\\x1f"}, {"\x7f", "\\x7f"},              \
		{"\xc2\x80", "\\xc2\\x80"},                                      /* C1 */                    \
		{"\xc2\x9b", "\\xc2\\x9b"},                                      /* CSI */                   \
		{"\xc2\x9f", "\\xc2\\x9f"}, {"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* right to left */         \
		{"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},                             /* no width */              \
		{"\xc2\xad", "\\xc2\\xad"}, {"\xcd\x8f", "\\xcd\\x8f"}, {"\xd8\x9c", "\\xd8\\x9c"},          \
		{"\xe1\x85\x9f", "\\xe1\\x85\\x9f"}, {"\xe1\x85\xa0", "\\xe1\\x85\\xa0"},                    \
		{"\xe1\xa0\x8e", "\\xe1\\xa0\\x8e"}, {"\xe3\x85\xa4", "\\xe3\\x85\\xa4"},                    \
		{"\xef\xbe\xa0", "\\xef\\xbe\\xa0"}, {"\xe2\x80\x8f", "\\xe2\\x80\\x8f"},                    \
		{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, {"\xe2\x81\xa0", "\\xe2\\x81\\xa0"},                    \
		{"\xe2\x81\xaf", "\\xe2\\x81\\xaf"}, {"\xef\xb8\x80", "\\xef\\xb8\\x80"},                    \
		{"\xef\xb8\x8f", "\\xef\\xb8\\x8f"}, {"\xef\xbf\xb0", "\\xef\\xbf\\xb0"},                    \
		{"\xef\xbf\xbb", "\\xef\\xbf\\xbb"},                                                         \
		{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},          /* byte order mark */                          \
		{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"}, /* a tag */                                    \
		{"\x80", "\\x80"},                            /* from here on not UTF-8 */                   \
		{"\x9b", "\\x9b"}, {"\xff", "\\xff"}, {"\xc0\x80", "\\xc0\\x80"},                            \
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, {"\xc3(", "\\xc3("},                                    \
	{                                                                                                    \
		"\xe2\x82", "\\xe2\\x82"                                                                     \
	}

static void
test_text(void **state)
{
	static const struct row rows[] = {ROWS_SHOWN};

	(void)state;
	/* The notice, the folder and the command; message, want, source, got and context, or the reason. */
	CHECK_ROWS("text", rows, 8, 4);
}

/* A text of several lines stays within its place: no line of a report can be forged. */
static void
test_text_lines(void **state)
{
	char *text = report_of("text", "one\nPASS  forged\n::error::forged", OUTCOME_FAIL);

	(void)state;
	const char *past_notice = strstr(text, "FAIL ");
	assert_non_null(past_notice);
	assert_null(strstr(past_notice, "\nPASS"));
	assert_non_null(strstr(past_notice, "[contract] one\\x0aPASS  forged\\x0a::error::forged\n"));
	assert_non_null(strstr(past_notice, "        one\n        PASS  forged\n        ::error::forged\n"));
	free(text);
	text = report_of("text", "one\nPASS  forged", OUTCOME_ERROR);
	assert_non_null(strstr(text, "    one\n    PASS  forged\n"));
	free(text);
}

static void
test_json(void **state)
{
	static const struct row rows[] = {
		{PLAIN, PLAIN},
		{"\"", "\\\""},
		{"\\", "\\\\"},
		{"\b\f\n\r\t", "\\b\\f\\n\\r\\t"},
		{"\x01", "\\u0001"},
		{"\x1b", "\\u001B"},
		{"\x1f", "\\u001F"},
		{"\x80", REPLACED},
		{"\xff", REPLACED},
		{"\xc0\x80", REPLACED REPLACED},
		{"\xed\xa0\x80", REPLACED REPLACED REPLACED},
		{"\xe2\x82", REPLACED REPLACED},
		{"\xf4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED},
	};

	(void)state;
	/* The path and the subversion, the folder and the command; message, want, source and got, or the reason. */
	CHECK_ROWS("json", rows, 9, 5);
}

/* In XML's text; in attributes, see below. What XML forbids cannot be escaped, only replaced. */
static void
test_junit(void **state)
{
	static const struct row rows[] = {
		{PLAIN, PLAIN},
		{"&", "&amp;"},
		{"&#0;", "&amp;#0;"},
		{"<", "&lt;"},
		{"]]>", "]]&gt;"},
		{"\"", "&quot;"},
		{"\r", "&#13;"},
		{"\x01", REPLACED},
		{"\x08", REPLACED},
		{"\x0b", REPLACED},
		{"\x0c", REPLACED},
		{"\x0e", REPLACED},
		{"\x1b", REPLACED},
		{"\x1f", REPLACED},
		{"\xef\xbf\xbe", REPLACED}, /* U+FFFE */
		{"\xef\xbf\xbf", REPLACED},
		{"\x80", REPLACED},
		{"\xff", REPLACED},
		{"\xc0\x80", REPLACED REPLACED},
		{"\xed\xa0\x80", REPLACED REPLACED REPLACED},
		{"\xe2\x82", REPLACED REPLACED},
	};

	(void)state;
	/* host, path, subversion, folder, command; message twice, want, source and got, or the reason twice. The
	 * context is in it as text shows it. */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_escaped("junit", rows[i].bytes, rows[i].want, OUTCOME_ERROR, 7);
	char *text = report_of("junit", "{(&<\x01\xff)}", OUTCOME_FAIL);
	size_t found = 0;
	for (const char *at = text; (at = strstr(at, "{(&amp;&lt;" REPLACED REPLACED ")}")); at++)
		found++;
	assert_int_equal(found, 10);
	assert_non_null(strstr(text, "        {(&amp;&lt;\\x01\\xff)}\n"));
	free(text);
}

/* Readers normalize blanks in attributes. */
static void
test_junit_attributes(void **state)
{
	char *text = report_of("junit", "a\nb\tc", OUTCOME_ERROR);

	(void)state;
	assert_non_null(strstr(text, " hostname=\"a&#10;b&#9;c\""));
	assert_non_null(strstr(text, " message=\"a&#10;b&#9;c\""));
	assert_non_null(strstr(text, ">a\nb\tc\n</error>"));
	assert_non_null(strstr(text, "kept: a\nb\tc\n"));
	free(text);
}

/* No attribute has a text that others wrote. */
static void
test_html(void **state)
{
	static const struct row rows[] = {
		ROWS_SHOWN,    {"&", "&amp;"},   {"&#60;", "&amp;#60;"}, {"<", "&lt;"},
		{">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"},
	};

	(void)state;
	/* host, path, folder, command; message, want, source, got and context, or the reason. */
	CHECK_ROWS("html", rows, 9, 5);
}

/* In the YAML. */
static void
test_tap(void **state)
{
	static const struct row rows[] = {
		{PLAIN, PLAIN},
		{"\"", "\\\""},
		{"\\", "\\\\"},
		{"\n", "\\n"},
		{"\t", "\\x09"},
		{"\r", "\\x0D"},
		{"\x01", "\\x01"},
		{"\x1b", "\\x1B"},
		{"\x7f", "\\x7F"},
		{"\xc2\x80", "\\x80"},
		{"\xc2\x85", "\\x85"}, /* a line break in YAML 1.1 */
		{"\xc2\x9b", "\\x9B"},
		{"\xc2\xad", "\\xAD"},
		{"\xe2\x80\xae", "\\u202E"},         /* right to left */
		{"\xe2\x80\x8b", "\\u200B"},         /* no width */
		{"\xf3\xa0\x81\x81", "\\U000E0041"}, /* a tag */
		{"\xe2\x80\xa8", "\\u2028"},
		{"\xe2\x80\xa9", "\\u2029"},
		{"\xef\xbb\xbf", "\\uFEFF"},
		{"\xef\xbf\xbe", "\\uFFFE"},
		{"\xef\xbf\xbf", "\\uFFFF"},
		{"\x80", REPLACED},
		{"\xff", REPLACED},
		{"\xe2\x82", REPLACED REPLACED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *bytes = xasprintf("{(%s)}", rows[i].bytes),
		     *want = xasprintf(": \"{(%s)}\"\n", rows[i].want);
		char *text = report_of("tap", bytes, OUTCOME_FAIL);
		size_t found = 0;

		for (const char *at = text; (at = strstr(at, want)); at++)
			found++;
		/* message, wanted, found, folder, command, and the finding's five */
		if (found != 10)
			fail_msg("%zu times, want 10 of '%s' in:\n%s", found, want, text);
		free(text);
		free(want);
		free(bytes);
	}
}

/* In the lines of TAP itself: the notice, and the reason of a skip. */
static void
test_tap_lines(void **state)
{
	static const struct row rows[] = {
		{PLAIN, PLAIN},     {"#", "\\#"}, /* would begin a directive */
		{"\\", "\\\\"},     {"\t", " "},           {"\r", " "},           {"\x1b", " "},
		{"\x7f", " "},      {"\xc2\x85", " "},     {"\xe2\x80\xa8", " "}, {"\xe2\x80\xa9", " "},
		{"\xff", REPLACED}, {"\xe2\x80\xae", " "}, {"\xe2\x80\x8b", " "}, {"\xf3\xa0\x81\x81", " "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *bytes = xasprintf("{(%s)}", rows[i].bytes);
		char *notice = xasprintf("\n# {(%s)}\n", rows[i].want);
		char *skip = xasprintf("\nok 1 - a.b.c # SKIP {(%s)}\n", rows[i].want);
		char *text = report_of("tap", bytes, OUTCOME_SKIP);

		if (!strstr(text, notice) || !strstr(text, skip))
			fail_msg("no '%s' or no '%s' in:\n%s", notice, skip, text);
		free(text);
		free(skip);
		free(notice);
		free(bytes);
	}
	char *text = report_of("tap", "one\nnot ok 2 - forged\nBail out! forged", OUTCOME_SKIP);
	assert_non_null(strstr(text, "\n# one\n# not ok 2 - forged\n# Bail out! forged\n"));
	assert_non_null(strstr(text, " # SKIP one\n"));
	assert_null(strstr(text, "\nnot ok"));
	assert_null(strstr(text, "\nBail"));
	free(text);
}

/* In the text, which cannot have commands, and in annotations. */
static void
test_github(void **state)
{
	static const struct row rows[] = {ROWS_SHOWN}, commands[] = {
							       {"%", "%25"},  {"%0A", "%250A"},
							       {"\n", "%0A"}, {"\n::error::", "%0A::error::"},
							       {"::", "::"},  {":,", ":,"},
						       };

	(void)state;
	/* As text; and message, want, source, got and command, or the reason. */
	CHECK_ROWS("github", rows, 13, 5);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char *bytes = xasprintf("{(%s)}", commands[i].bytes);
		char *want = xasprintf("no verdict::{(%s)}\n", commands[i].want);
		char *text = report_of("github", bytes, OUTCOME_ERROR);
		const char *token = strstr(text, "::stop-commands::");

		assert_ptr_equal(token, text);
		const char *annotations = strstr(text + strlen("::stop-commands::"), "\n::error title=");
		assert_non_null(annotations);
		if (!strstr(annotations, want))
			fail_msg("no '%s' in:\n%s", want, annotations);
		/* One line for each annotation. */
		for (const char *line = annotations + 1; *line; line += strcspn(line, "\n") + 1)
			assert_true(is_github_command(line));
		free(text);
		free(want);
		free(bytes);
	}
}

/* Titles are properties: these end at a colon or a comma. */
static void
test_github_title(void **state)
{
	struct report_result result = {.name = "a,b:c%d\re\nf\x1b", .outcome = OUTCOME_ERROR};
	struct report_run run = {.results = &result, .results_cnt = 1};
	struct report_head head = {.results_cnt = 1, .terminal_fd = -1};
	char *text = NULL;
	size_t sz;
	FILE *out = open_memstream(&text, &sz);

	(void)state;
	assert_non_null(out);
	void *opaque = report_format_github.begin(out, &head);
	report_format_github.end(opaque, &run);
	fclose(out);
	assert_non_null(strstr(text, "\n::error title=a%2Cb%3Ac%25d\\x0de%0Af\\x1b%3A no verdict::\n"));
	free(text);
}

/* abi and diff, whose texts come from files that nobody trusts. */
static void
test_abi_and_diff(void **state)
{
	static const struct row rows[] = {ROWS_SHOWN,
					  {"\nthe tracepoints are as", "\\x0athe tracepoints are as"}};
	static const char *const wants[] = {"(%s): x86-64, 0", "compared with v30: (%s)\n", "WRONG: (%s)\n",
					    "note:  (%s)\n", "info:  (%s)\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *bytes = xasprintf("(%s)", rows[i].bytes);
		struct findings findings = {0};
		struct report_abi abi = {
			.outcome = OUTCOME_FAIL,
			.binary = {.path = bytes, .release = "v30", .why = bytes, .machine = "x86-64"},
			.wrong = &findings,
			.known = &findings,
			.remarks = &findings};
		struct changes changes = {0};
		struct report_diff diff = {.outcome = OUTCOME_ERROR,
					   .reason = bytes,
					   .before = abi.binary,
					   .after = abi.binary,
					   .changes = &changes};
		char *text = NULL;
		size_t sz;

		findings_add(&findings, FINDING_CONTRACT, NULL, 0, NULL, NULL, NULL, NULL, bytes);
		FILE *out = open_memstream(&text, &sz);
		assert_non_null(out);
		report_abi_text(out, &abi);
		report_diff_text(out, &diff);
		diff.reason = NULL;
		diff.outcome = OUTCOME_PASS;
		report_diff_text(out, &diff);
		fclose(out);
		for (size_t w = 0; w < sizeof(wants) / sizeof(wants[0]); w++) {
			struct buf want;

			buf_init(&want, 256);
			const char *hole = strstr(wants[w], "%s");
			buf_add(&want, wants[w], (size_t)(hole - wants[w]));
			buf_puts(&want, rows[i].want);
			buf_puts(&want, hole + 2);
			if (!strstr(text, want.data))
				fail_msg("no '%s' in:\n%s", want.data, text);
			buf_fini(&want);
		}
		char *quoted = xasprintf("`(%s)` (v30), compared", rows[i].want);
		char *reason = xasprintf("ERROR (%s)\n", rows[i].want);
		char *why = xasprintf("` is taken for v30: (%s).\n", rows[i].want);
		assert_non_null(strstr(text, quoted));
		assert_non_null(strstr(text, reason));
		assert_non_null(strstr(text, why));
		free(quoted);
		free(reason);
		free(why);
		free(text);
		free(bytes);
		findings_fini(&findings);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_lines),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_junit),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_junit_attributes),
		cmocka_unit_test(test_tap_lines),
		cmocka_unit_test(test_github),
		cmocka_unit_test(test_github_title),
		cmocka_unit_test(test_abi_and_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
