/* The report: JSON, which is valid whatever the findings contain, text, and exit codes. */
#include "base/json.h"
#include "report/format_text.h"
#include "report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *
dup_or_null(const char *s)
{
	char *copy = s ? strdup(s) : NULL;

	assert_int_equal(copy != NULL, s != NULL);
	return copy;
}

static struct report_result
result_of(const char *name, enum outcome outcome, const char *reason, uint64_t duration_ms)
{
	return (struct report_result){
		.name = name, .outcome = outcome, .reason = dup_or_null(reason), .duration_ms = duration_ms};
}

static void
fini(struct report_run *run)
{
	for (size_t i = 0; i < run->results_cnt; i++)
		report_result_fini(&run->results[i]);
}

static void
add_wrong_argument(struct report_result *result)
{
	struct finding *finding =
		findings_add(&result->findings, FINDING_CONTRACT, "utxocache:add", 4, "value", "5000 sat",
			     "4999 sat", "getblock 00ab 3",
			     "argument 4 (value) of utxocache:add, output 2: want 5000 sat, got 4999 sat");

	finding->context = dup_or_null("       +0.000 ms #1 utxocache:add(vout=1)\n"
				       ">      +0.125 ms #2 utxocache:add(vout=2)\n"
				       "       +0.250 ms #3 utxocache:add(vout=3)\n");
}

/* JSON */

static struct json *
parse_report(const struct report_run *run)
{
	char *text = report_json(run);
	struct diag diag;
	struct json *doc;
	size_t len;

	assert_non_null(text);
	len = strlen(text);
	assert_in_range(len, 2, 1 << 20);
	assert_int_equal(text[len - 1], '\n');
	assert_int_not_equal(text[len - 2], '\n');
	if (json_parse(&doc, text, len, &diag))
		fail_msg("%s\n%s", diag.text, text);
	free(text);
	assert_true(json_is_object(doc));
	return doc;
}

static void
assert_u64(const struct json *object, const char *key, uint64_t want)
{
	uint64_t got;

	if (!json_u64(json_get(object, key), &got) || got != want)
		fail_msg("%s is not %llu", key, (unsigned long long)want);
}

static void
assert_text(const struct json *object, const char *key, const char *want)
{
	const struct json *member = json_get(object, key);

	if (want) {
		assert_non_null(json_string(member));
		assert_string_equal(json_string(member), want);
	} else if (!json_is_null(member)) {
		fail_msg("%s is not null", key);
	}
}

static void
test_json_of_nothing(void **state)
{
	const struct report_run run = {0};
	struct json *doc = parse_report(&run);
	bool interrupted;

	(void)state;
	assert_int_equal(json_cnt(doc), 6);
	assert_int_equal(json_cnt(json_get(doc, "summary")), 6);
	assert_u64(json_get(doc, "summary"), "passed", 0);
	assert_u64(json_get(doc, "summary"), "duration_ms", 0);
	assert_true(json_bool(json_get(json_get(doc, "summary"), "interrupted"), &interrupted));
	assert_false(interrupted);
	assert_true(json_is_null(json_get(doc, "node")));
	assert_text(doc, "release", NULL);
	assert_text(doc, "attach", NULL);
	assert_text(doc, "attach_why", NULL);
	assert_true(json_is_array(json_get(doc, "scenarios")));
	assert_int_equal(json_cnt(json_get(doc, "scenarios")), 0);
	json_free(doc);
}

/* Every mix of up to two of each outcome. */
static void
test_json_of_outcomes(void **state)
{
	static const char *const names[] = {"pass", "fail", "skip", "error"};

	(void)state;
	for (unsigned mix = 0; mix < 81; mix++) {
		const unsigned cnts[4] = {mix % 3, mix / 3 % 3, mix / 9 % 3, mix / 27};
		struct report_result results[8];
		struct report_run run = {.results = results, .duration_ms = mix, .interrupted = mix & 1};
		bool interrupted;

		for (int outcome = OUTCOME_PASS; outcome <= OUTCOME_ERROR; outcome++)
			for (unsigned i = 0; i < cnts[outcome]; i++) {
				struct report_result *result = &results[run.results_cnt++];

				*result = result_of("net.inbound_message.ping", (enum outcome)outcome,
						    outcome >= OUTCOME_SKIP ? "because" : NULL, 10 + i);
				if (outcome == OUTCOME_FAIL)
					add_wrong_argument(result);
				if (outcome == OUTCOME_FAIL)
					result->repeat = dup_or_null("tpcheck run 'net.*.ping'");
			}
		struct json *doc = parse_report(&run);
		const struct json *summary = json_get(doc, "summary"),
				  *scenarios = json_get(doc, "scenarios");
		assert_u64(summary, "passed", cnts[OUTCOME_PASS]);
		assert_u64(summary, "failed", cnts[OUTCOME_FAIL]);
		assert_u64(summary, "skipped", cnts[OUTCOME_SKIP]);
		assert_u64(summary, "errors", cnts[OUTCOME_ERROR]);
		assert_u64(summary, "duration_ms", mix);
		assert_true(json_bool(json_get(summary, "interrupted"), &interrupted));
		assert_int_equal(interrupted, mix & 1);
		assert_int_equal(json_cnt(scenarios), run.results_cnt);
		for (size_t i = 0; i < run.results_cnt; i++) {
			const struct json *scenario = json_at(scenarios, i);

			assert_int_equal(json_cnt(scenario), 8);
			assert_text(scenario, "name", results[i].name);
			assert_text(scenario, "outcome", names[results[i].outcome]);
			assert_text(scenario, "reason", results[i].reason);
			assert_u64(scenario, "duration_ms", results[i].duration_ms);
			assert_true(json_is_array(json_get(scenario, "findings")));
			assert_int_equal(json_cnt(json_get(scenario, "findings")),
					 results[i].outcome == OUTCOME_FAIL);
			assert_text(scenario, "artifacts", NULL);
			assert_text(scenario, "repeat", results[i].repeat);
		}
		json_free(doc);
		fini(&run);
	}
}

static void
test_json_of_checked(void **state)
{
	struct checked_tracepoint items[] = {
		{.name = "utxocache:add",
		 .events = 3,
		 .args_cnt = 2,
		 .args = {{"txid", 1U << CHECKED_HASH},
			  {"vout", 1U << CHECKED_ZERO | 1U << CHECKED_16_BITS | 1U << CHECKED_MEASURED}}},
		{.name = "utxocache:spent",
		 .events = 4,
		 .args_cnt = 1,
		 .args = {{"txid", 1U << CHECKED_HASH}}},
	};
	struct report_result result = result_of("utxocache.add.outputs", OUTCOME_PASS, NULL, 1);
	struct report_run run = {.results = &result, .results_cnt = 1};

	(void)state;
	struct json *doc = parse_report(&run);
	assert_true(json_is_null(json_get(json_at(json_get(doc, "scenarios"), 0), "checked")));
	json_free(doc);
	result.checked = (struct checked){.items = items, .cnt = 2};
	doc = parse_report(&run);
	const struct json *checked = json_get(json_at(json_get(doc, "scenarios"), 0), "checked");
	assert_u64(checked, "events", 7);
	assert_u64(checked, "arguments", 3 * 2 + 4 * 1);
	assert_int_equal(json_cnt(json_get(checked, "tracepoints")), 2);
	const struct json *first = json_at(json_get(checked, "tracepoints"), 0);
	assert_text(first, "tracepoint", "utxocache:add");
	assert_u64(first, "events", 3);
	assert_text(json_get(first, "values"), "txid", "hash");
	assert_text(json_get(first, "values"), "vout", "zero, 16 bits, measured");
	json_free(doc);
	result.checked = (struct checked){0};
	report_result_fini(&result);
}

static void
test_json_of_findings(void **state)
{
	struct report_result result = result_of("utxocache.add.outputs", OUTCOME_FAIL, NULL, 1234);
	struct report_run run = {.results = &result, .results_cnt = 1};
	const struct findings none = {0};
	struct diag diag;

	(void)state;
	add_wrong_argument(&result);
	findings_add(&result.findings, FINDING_DETAIL, "utxocache:spent", 0, NULL, "no such event",
		     "utxocache:spent()", NULL, "utxocache:spent fired unexpectedly");
	findings_add(&result.findings, FINDING_DETAIL, NULL, 0, NULL, NULL, NULL, NULL, "something else");
	result.artifacts = dup_or_null("/tmp/run-1/utxocache.add.outputs");

	struct json *doc = parse_report(&run);
	const struct json *scenario = json_at(json_get(doc, "scenarios"), 0),
			  *findings = json_get(scenario, "findings");
	assert_text(scenario, "artifacts", "/tmp/run-1/utxocache.add.outputs");
	assert_int_equal(json_cnt(findings), 3);
	const struct json *finding = json_at(findings, 0);
	assert_int_equal(json_cnt(finding), 9);
	assert_text(finding, "tracepoint", "utxocache:add");
	assert_u64(finding, "argument", 4);
	assert_text(finding, "argument_name", "value");
	assert_text(finding, "kind", "contract");
	assert_text(finding, "want", "5000 sat");
	assert_text(finding, "got", "4999 sat");
	assert_text(finding, "source", "getblock 00ab 3");
	assert_text(finding, "message",
		    "argument 4 (value) of utxocache:add, output 2: want 5000 sat, got 4999 sat");
	assert_text(finding, "context", result.findings.items[0].context);
	assert_non_null(result.findings.items[0].context);
	/* About the event as a whole: the argument is null, not 0. */
	finding = json_at(findings, 1);
	assert_text(finding, "tracepoint", "utxocache:spent");
	assert_true(json_is_null(json_get(finding, "argument")));
	assert_text(finding, "argument_name", NULL);
	assert_text(finding, "kind", "detail");
	assert_text(finding, "source", NULL);
	finding = json_at(findings, 2);
	assert_text(finding, "tracepoint", NULL);
	assert_text(finding, "want", NULL);
	assert_text(finding, "got", NULL);
	assert_text(finding, "message", "something else");
	assert_text(finding, "context", NULL);
	json_free(doc);

	/* The findings by themselves. */
	char *text = report_findings_json(&result.findings);
	assert_int_equal(json_parse(&doc, text, strlen(text), &diag), 0);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_true(json_is_array(doc));
	assert_int_equal(json_cnt(doc), 3);
	assert_u64(json_at(doc, 0), "argument", 4);
	json_free(doc);
	free(text);
	fini(&run);

	text = report_findings_json(&none);
	assert_int_equal(json_parse(&doc, text, strlen(text), &diag), 0);
	assert_true(json_is_array(doc));
	assert_int_equal(json_cnt(doc), 0);
	json_free(doc);
	free(text);
}

/* Texts of a node or a binary can be anything. */
static void
test_json_of_rubbish(void **state)
{
	static const struct {
		const char *bytes, *want;
	} rows[] = {
		{"", ""},
		{"\x01\x02\x1f\x7f", "\x01\x02\x1f\x7f"},
		{"\b\f\n\r\t", "\b\f\n\r\t"},
		{"\"\\/", "\"\\/"},
		{"</script>\xe2\x80\xa8", "</script>\xe2\x80\xa8"},
		{"\xff", "\xef\xbf\xbd"},
		{"a\xc3", "a\xef\xbf\xbd"},
		{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"\x1b[2J", "\x1b[2J"},
	};
	static const char *const members[] = {"tracepoint", "argument_name", "want",
					      "got",        "source",        "message"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *bytes = rows[i].bytes, *want = rows[i].want;
		struct report_result result = result_of(bytes, OUTCOME_ERROR, bytes, 1);
		struct report_run run = {
			.node_path = bytes,
			.node_subversion = bytes,
			.node_version = 250000,
			.attach = bytes,
			.attach_why = dup_or_null(bytes),
			.results = &result,
			.results_cnt = 1,
		};

		findings_add(&result.findings, FINDING_CONTRACT, bytes, 1, bytes, bytes, bytes, bytes, bytes);
		result.artifacts = dup_or_null(bytes);
		struct json *doc = parse_report(&run);
		const struct json *scenario = json_at(json_get(doc, "scenarios"), 0);
		const struct json *finding = json_at(json_get(scenario, "findings"), 0);
		for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++)
			assert_text(finding, members[m], want);
		assert_text(scenario, "name", want);
		assert_text(scenario, "reason", want);
		assert_text(scenario, "artifacts", want);
		assert_text(json_get(doc, "node"), "path", want);
		assert_text(json_get(doc, "node"), "subversion", want);
		assert_text(doc, "attach", want);
		assert_text(doc, "attach_why", want);
		json_free(doc);
		free(run.attach_why);
		fini(&run);
	}
}

static void
test_json_of_node(void **state)
{
	struct report_run run = {.node_path = "/usr/bin/bitcoind",
				 .node_subversion = "/Satoshi:31.99.0/",
				 .node_version = 319900,
				 .release = "v31",
				 .attach = "multi"};
	struct json *doc = parse_report(&run);

	(void)state;
	assert_int_equal(json_cnt(json_get(doc, "node")), 3);
	assert_text(json_get(doc, "node"), "path", "/usr/bin/bitcoind");
	assert_text(json_get(doc, "node"), "version", "v31.99.0");
	assert_text(json_get(doc, "node"), "subversion", "/Satoshi:31.99.0/");
	assert_text(doc, "release", "v31");
	assert_text(doc, "attach", "multi");
	json_free(doc);

	/* It was found, but did not start. */
	run = (struct report_run){.node_path = "/usr/bin/bitcoind", .node_subversion = ""};
	doc = parse_report(&run);
	assert_text(json_get(doc, "node"), "path", "/usr/bin/bitcoind");
	assert_text(json_get(doc, "node"), "version", NULL);
	assert_text(json_get(doc, "node"), "subversion", NULL);
	json_free(doc);
}

/* Summary, exit codes, version */

/* One result for each of p, f, s, e. */
static void
make_run(const char *outcomes, struct report_result results[8], struct report_run *run)
{
	static const char letters[] = "pfse";

	*run = (struct report_run){.results = results};
	for (; *outcomes; outcomes++)
		results[run->results_cnt++] = (struct report_result){
			.name = "a.b.c", .outcome = (enum outcome)(strchr(letters, *outcomes) - letters)};
}

static void
test_summary(void **state)
{
	struct report_result results[8];
	struct report_run run;

	(void)state;
	make_run("pfsepppe", results, &run);
	struct report_summary summary = report_summarize(&run);
	assert_int_equal(summary.passed, 4);
	assert_int_equal(summary.failed, 1);
	assert_int_equal(summary.skipped, 1);
	assert_int_equal(summary.errors, 2);
	make_run("", results, &run);
	summary = report_summarize(&run);
	assert_int_equal(summary.passed + summary.failed + summary.skipped + summary.errors, 0);
	assert_string_equal(outcome_name(OUTCOME_PASS), "pass");
	assert_string_equal(outcome_name(OUTCOME_FAIL), "fail");
	assert_string_equal(outcome_name(OUTCOME_SKIP), "skip");
	assert_string_equal(outcome_name(OUTCOME_ERROR), "error");
}

static void
test_exit_codes(void **state)
{
	static const struct {
		const char *outcomes;
		int code, required; /* as it is; with --require */
		int interrupted;    /* with it and without */
	} rows[] = {
		{"", 77, 99, 99},    {"p", 0, 0, 99},    {"pp", 0, 0, 99},   {"f", 1, 1, 1},
		{"s", 77, 99, 99},   {"ss", 77, 99, 99}, {"e", 99, 99, 99},  {"ps", 0, 99, 99},
		{"sp", 0, 99, 99},   {"pf", 1, 1, 1},    {"fp", 1, 1, 1},    {"fs", 1, 1, 1},
		{"fe", 1, 1, 1},     {"ef", 1, 1, 1},    {"pe", 99, 99, 99}, {"es", 99, 99, 99},
		{"pse", 99, 99, 99}, {"pfse", 1, 1, 1},  {"esfp", 1, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report_result results[8];
		struct report_run run;

		make_run(rows[i].outcomes, results, &run);
		int code = report_exit_code(&run, false), required = report_exit_code(&run, true);
		run.interrupted = true;
		int interrupted = report_exit_code(&run, false), both = report_exit_code(&run, true);
		if (code != rows[i].code || required != rows[i].required ||
		    interrupted != rows[i].interrupted || both != rows[i].interrupted)
			fail_msg("'%s': %d, %d, %d, %d", rows[i].outcomes, code, required, interrupted, both);
	}
	/* These numbers are documented. */
	assert_int_equal(EXIT_PASSED, 0);
	assert_int_equal(EXIT_FAILED, 1);
	assert_int_equal(EXIT_USAGE, 2);
	assert_int_equal(EXIT_SKIPPED, 77);
	assert_int_equal(EXIT_ERROR, 99);
}

static void
test_version(void **state)
{
	static const struct {
		int version;
		const char *text;
	} rows[] = {
		{319900, "v31.99.0"},   {250000, "v25.0.0"},     {250100, "v25.1.0"},
		{290001, "v29.0.1"},    {279999, "v27.99.99"},   {99, "v0.0.99"},
		{0, "unknown version"}, {-1, "unknown version"}, {2147483647, "v214748.36.47"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[32];

		report_format_version(rows[i].version, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

/* Text */

struct screen {
	struct report_text text;
	char *bytes;
	size_t len;
};

static void
screen_open(struct screen *screen, bool live)
{
	*screen = (struct screen){0};
	FILE *out = open_memstream(&screen->bytes, &screen->len);

	assert_non_null(out);
	/* A tick that does not come. */
	screen->text =
		(struct report_text){.out = out, .live = live ? live_new(out, -1, NULL, 3600000) : NULL};
}

static void
screen_close(struct screen *screen)
{
	report_text_close(&screen->text);
	assert_int_equal(fclose(screen->text.out), 0);
	free(screen->bytes);
}

/* Everything printed since the last call. */
static void
assert_screen(struct screen *screen, const char *want)
{
	bool live = screen->text.live != NULL;

	assert_int_equal(fflush(screen->text.out), 0);
	assert_string_equal(screen->bytes, want);
	screen_close(screen);
	screen_open(screen, live);
}

static void
test_text_of_a_failure(void **state)
{
	struct report_result result = result_of("utxocache.add.outputs", OUTCOME_FAIL, NULL, 1234);
	struct screen screen;

	(void)state;
	add_wrong_argument(&result);
	result.artifacts = dup_or_null("/tmp/run-1/utxocache.add.outputs");
	result.repeat = dup_or_null("tpcheck run 'utxocache.add.outputs'");
	screen_open(&screen, false);
	report_text_start(&screen.text, result.name, 1, 1);
	report_text_result(&screen.text, &result, false);
	assert_screen(
		&screen,
		"FAIL  utxocache.add.outputs (1.234 s)\n"
		"    [contract] argument 4 (value) of utxocache:add, output 2: want 5000 sat, got 4999 sat\n"
		"      want: 5000 sat\n"
		"      from: getblock 00ab 3\n"
		"      got:  4999 sat\n"
		"      events around it, in order:\n"
		"               +0.000 ms #1 utxocache:add(vout=1)\n"
		"        >      +0.125 ms #2 utxocache:add(vout=2)\n"
		"               +0.250 ms #3 utxocache:add(vout=3)\n"
		"    kept: /tmp/run-1/utxocache.add.outputs\n"
		"    repeat with: tpcheck run 'utxocache.add.outputs'\n");
	screen_close(&screen);
	report_result_fini(&result);
}

/* Findings with few members; and no text is used as a format. */
static void
test_text_of_bare_findings(void **state)
{
	struct report_result result = result_of("a.b.c", OUTCOME_FAIL, NULL, 5);
	struct screen screen;

	(void)state;
	findings_add(&result.findings, FINDING_DETAIL, NULL, 0, NULL, NULL, NULL, NULL, "100%s of it");
	findings_add(&result.findings, FINDING_DETAIL, NULL, 0, NULL, NULL, NULL, NULL, "context is empty")
		->context = dup_or_null("");
	findings_add(&result.findings, FINDING_CONTRACT, NULL, 0, NULL, NULL, NULL, NULL,
		     "last line not ended")
		->context = dup_or_null("one\n\ntwo %d");
	screen_open(&screen, false);
	report_text_result(&screen.text, &result, false);
	assert_screen(&screen, "FAIL  a.b.c (0.005 s)\n"
			       "    [detail] 100%s of it\n"
			       "    [detail] context is empty\n"
			       "    [contract] last line not ended\n"
			       "      events around it, in order:\n"
			       "        one\n"
			       "        \n"
			       "        two %d\n");
	screen_close(&screen);
	report_result_fini(&result);
}

static void
test_text_of_a_sanitizers_report(void **state)
{
	struct report_result result = result_of("a.b.c", OUTCOME_FAIL, NULL, 5);
	struct screen screen;

	(void)state;
	findings_add(&result.findings, FINDING_SANITIZER, NULL, 0, NULL, NULL, NULL, NULL,
		     "it is used after free")
		->context = dup_or_null("==9==ERROR\n    #0\n");
	screen_open(&screen, false);
	report_text_result(&screen.text, &result, false);
	assert_screen(&screen, "FAIL  a.b.c (0.005 s)\n"
			       "    [sanitizer] it is used after free\n"
			       "      the report begins:\n"
			       "        ==9==ERROR\n"
			       "            #0\n");
	screen_close(&screen);
	report_result_fini(&result);
}

static void
test_text_of_other_outcomes(void **state)
{
	struct report_result pass = result_of("a.b.pass", OUTCOME_PASS, NULL, 0);
	struct report_result skip =
		result_of("a.b.skip", OUTCOME_SKIP, "no such tracepoint\nwas added in v29", 10);
	struct report_result error = result_of("a.b.error", OUTCOME_ERROR, "3 events were lost\n", 60000);
	struct screen screen;

	(void)state;
	error.repeat = dup_or_null("tpcheck run 'a.b.error'");
	screen_open(&screen, false);
	report_text_result(&screen.text, &pass, true);
	assert_screen(&screen, "PASS  a.b.pass (0.000 s)\n");
	report_text_result(&screen.text, &skip, false);
	assert_screen(&screen, "SKIP  a.b.skip (0.010 s)\n    no such tracepoint\n    was added in v29\n");
	report_text_result(&screen.text, &skip, true);
	assert_screen(&screen, "SKIP  a.b.skip (0.010 s)\n    no such tracepoint\n    was added in v29\n"
			       "    a skip counts as an error here (--require)\n");
	report_text_result(&screen.text, &error, true);
	assert_screen(&screen, "ERROR a.b.error (60.000 s)\n    3 events were lost\n"
			       "    repeat with: tpcheck run 'a.b.error'\n");
	/* Findings of a pass are warnings, and shown. */
	findings_add(&pass.findings, FINDING_DETAIL, "net:x", 0, NULL, NULL, NULL, NULL, "net:x is odd");
	report_text_result(&screen.text, &pass, false);
	assert_screen(&screen, "PASS  a.b.pass (0.000 s) with warnings\n    [detail] net:x is odd\n");
	/* With omit_from_text it is only counted. */
	pass.omit_from_text = true;
	report_text_result(&screen.text, &pass, false);
	assert_screen(&screen, "");
	screen_close(&screen);
	report_result_fini(&pass);
	report_result_fini(&skip);
	report_result_fini(&error);
}

static void
test_text_of_many_findings(void **state)
{
	(void)state;
	for (size_t cnt = 7; cnt <= 20; cnt++) {
		struct report_result result = result_of("a.b.c", OUTCOME_FAIL, NULL, 0);
		struct screen screen;
		size_t shown = 0;
		char text[64];

		for (size_t i = 0; i < cnt; i++) {
			snprintf(text, sizeof(text), "finding %zu", i);
			findings_add(&result.findings, FINDING_CONTRACT, NULL, 0, NULL, NULL, NULL, NULL,
				     text);
		}
		if (cnt & 1)
			result.artifacts = dup_or_null("/tmp/x");
		screen_open(&screen, false);
		report_text_result(&screen.text, &result, false);
		assert_int_equal(fflush(screen.text.out), 0);
		for (size_t i = 0; i < cnt; i++) {
			snprintf(text, sizeof(text), "] finding %zu\n", i);
			shown += strstr(screen.bytes, text) != NULL;
		}
		/* The others are counted, with a hint where they are, if anywhere. */
		snprintf(text, sizeof(text), "... and %zu more", cnt - shown);
		assert_int_equal(strstr(screen.bytes, text) != NULL, shown < cnt);
		assert_int_equal(strstr(screen.bytes, "findings.json") != NULL, shown < cnt && (cnt & 1));
		assert_in_range(shown, cnt < 8 ? cnt : 8, cnt);
		screen_close(&screen);
		report_result_fini(&result);
	}
}

static void
test_live_line(void **state)
{
	struct report_result pass = result_of("a.b.c", OUTCOME_PASS, NULL, 1);
	const struct report_run run = {.results = &pass, .results_cnt = 1, .duration_ms = 1};
	struct screen screen;

	(void)state;
	screen_open(&screen, true);
	report_text_start(&screen.text, "a.b.c", 3, 26);
	/* At once, before the stream's buffer is full. */
	assert_int_equal(screen.len, strlen("[3/26] a.b.c ... 0.0 s"));
	report_text_result(&screen.text, &pass, false);
	assert_screen(&screen, "[3/26] a.b.c ... 0.0 s\r\033[KPASS  a.b.c (0.001 s)\n");

	/* The next line and the summary replace a live line, which is cleared once. */
	report_text_start(&screen.text, "a.b.c", 1, 2);
	report_text_start(&screen.text, "a.b.d", 2, 2);
	report_text_summary(&screen.text, &run, false);
	live_hide(screen.text.live);
	assert_screen(
		&screen,
		"[1/2] a.b.c ... 0.0 s\r\033[K[2/2] a.b.d ... 0.0 s\r\033[K1 passed, 0 failed, 0 skipped, 0 errors in 0.0 s\n");
	report_text_start(&screen.text, "a.b.c", 1, 1);
	live_hide(screen.text.live);
	live_hide(screen.text.live);
	assert_screen(&screen, "[1/1] a.b.c ... 0.0 s\r\033[K");
	screen_close(&screen);

	/* No terminal: no line, and no control characters. */
	screen_open(&screen, false);
	report_text_start(&screen.text, "a.b.c", 1, 1);
	live_hide(screen.text.live);
	report_text_result(&screen.text, &pass, false);
	assert_screen(&screen, "PASS  a.b.c (0.001 s)\n");
	screen_close(&screen);
	report_result_fini(&pass);
}

static void
test_colors(void **state)
{
	struct report_result result = result_of("a.b.c", OUTCOME_PASS, NULL, 1);
	struct screen screen;

	(void)state;
	screen_open(&screen, false);
	screen.text.colored = true;
	report_text_result(&screen.text, &result, false);
	result.outcome = OUTCOME_FAIL;
	report_text_result(&screen.text, &result, false);
	result.outcome = OUTCOME_SKIP;
	report_text_result(&screen.text, &result, false);
	result.outcome = OUTCOME_ERROR;
	report_text_result(&screen.text, &result, false);
	assert_screen(&screen,
		      "\033[32mPASS \033[0m a.b.c (0.001 s)\n\033[31mFAIL \033[0m a.b.c (0.001 s)\n"
		      "\033[33mSKIP \033[0m a.b.c (0.001 s)\n\033[35mERROR\033[0m a.b.c (0.001 s)\n");
	screen_close(&screen);
	report_result_fini(&result);
}

static void
test_text_of_summary(void **state)
{
	struct report_result results[8];
	struct report_run run;
	struct screen screen;

	(void)state;
	make_run("ppfsse", results, &run);
	run.duration_ms = 12345;
	run.node_version = 319900;
	screen_open(&screen, false);
	report_text_summary(&screen.text, &run, false);
	assert_screen(&screen, "2 passed, 1 failed, 2 skipped, 1 errors in 12.3 s (bitcoind v31.99.0)\n");
	run.interrupted = true;
	run.node_version = 0;
	report_text_summary(&screen.text, &run, true);
	assert_screen(&screen, "interrupted: scenarios that had not finished count as errors\n"
			       "2 skipped; --require makes that an error\n"
			       "2 passed, 1 failed, 2 skipped, 1 errors in 12.3 s\n");
	make_run("p", results, &run);
	report_text_summary(&screen.text, &run, true);
	assert_screen(&screen, "1 passed, 0 failed, 0 skipped, 0 errors in 0.0 s\n");
	screen_close(&screen);
}

/* A node's last words are shown, and cannot control the terminal. */
static void
test_text_hostile(void **state)
{
	struct report_result result = result_of(
		"a.b.c", OUTCOME_ERROR,
		"bitcoind said: \033[2Jgone\rnew\n\tna\xc3\xafve \xe2\x82\xbf \xff\xe2\x80\xaeturned", 5);
	struct screen screen;

	(void)state;
	screen_open(&screen, false);
	report_text_result(&screen.text, &result, false);
	fclose(screen.text.out);
	assert_string_equal(screen.bytes, "ERROR a.b.c (0.005 s)\n"
					  "    bitcoind said: \\x1b[2Jgone\\x0dnew\n"
					  "    \tna\xc3\xafve \xe2\x82\xbf \\xff\\xe2\\x80\\xaeturned\n");
	free(screen.bytes);
	report_result_fini(&result);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_of_nothing),
		cmocka_unit_test(test_json_of_outcomes),
		cmocka_unit_test(test_json_of_checked),
		cmocka_unit_test(test_json_of_findings),
		cmocka_unit_test(test_json_of_rubbish),
		cmocka_unit_test(test_json_of_node),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_text_hostile),
		cmocka_unit_test(test_text_of_a_failure),
		cmocka_unit_test(test_text_of_bare_findings),
		cmocka_unit_test(test_text_of_a_sanitizers_report),
		cmocka_unit_test(test_text_of_other_outcomes),
		cmocka_unit_test(test_text_of_many_findings),
		cmocka_unit_test(test_live_line),
		cmocka_unit_test(test_colors),
		cmocka_unit_test(test_text_of_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
