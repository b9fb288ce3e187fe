/* The HTML report: the argument that is wrong stands out in both events, and no text becomes markup. */
#include "base/xmem.h"
#include "report/format.h"
#include "report/report.h"
#include "surroundings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *attach; /* of the page's run */

/* The page of a run with one result; the caller frees it. */
static char *
page(struct report_result *result)
{
	const struct report_head head = {.terminal_fd = -1, .host = "h<o>st", .results_cnt = 1};
	struct report_run run = {.node_path = "/a/\"bitcoind\"",
				 .node_subversion = "",
				 .attach = attach,
				 .results = result,
				 .results_cnt = 1};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	report_format_html.end(report_format_html.begin(out, &head), &run);
	fclose(out);
	report_result_fini(result);
	/* By hand, to look at them. */
	static int number;
	const char *prefix = getenv("TPCHECK_HTML");
	char *path = prefix ? xasprintf("%s%d.html", prefix, number++) : NULL;
	FILE *file = path ? fopen(path, "we") : NULL;
	if (file) {
		fputs(text, file);
		fclose(file);
	}
	free(path);
	return text;
}

static void
assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in\n%s", part, strstr(text, "<main>"));
}

static void
test_pair(void **state)
{
	struct report_result result = {.name = "utxocache.spent.inputs", .outcome = OUTCOME_FAIL};
	struct finding *finding = findings_add(
		&result.findings, FINDING_CONTRACT, "utxocache:spent", 3, "height", "101", "102", "gettxout",
		"argument 3 (height) of utxocache:spent, the coin: want 101, got 102");

	(void)state;
	finding->context = xstrdup(
		"      +0.000 ms #1 utxocache:add(txid=aa, vout=0, height=102, value=5000000000 sat)\n"
		">     +0.123 ms #2 utxocache:spent(txid=bb, vout=102, height=102, value=102 sat)\n"
		"      +0.300 ms #3 utxocache:spent(txid=cc, vout=0, height=101, value=7 sat)\n");
	char *text = page(&result);
	assert_has(text, "<h1>The tracepoints do not do what is documented</h1>");
	assert_has(
		text,
		"<small>expected (gettxout)</small><pre>utxocache:spent(txid=bb, vout=102, height=<mark>101</mark>, value=102 sat)</pre>");
	assert_has(
		text,
		"<small>actual</small><pre>utxocache:spent(txid=bb, vout=102, height=<mark>102</mark>, value=102 sat)</pre>");
	assert_has(text, "<b>&gt;     +0.123 ms #2 utxocache:spent(");
	assert_has(text, "<label for=t0>utxocache:spent</label>");
	assert_has(text, "<label for=s0>utxocache.spent.inputs</label>");
	assert_has(text, "<section class=\"fail s0 t0 t0\">");
	assert_has(text, "/a/&quot;bitcoind&quot;");
	assert_has(text, "h&lt;o&gt;st");
	free(text);
}

/* A scenario that passed without a finding cannot be chosen, one that was skipped can. */
static void
test_filters(void **state)
{
	(void)state;
	for (int outcome = OUTCOME_PASS; outcome <= OUTCOME_ERROR; outcome++) {
		struct report_result result = {.name = "utxocache.spent.inputs",
					       .outcome = (enum outcome)outcome};
		char *text = page(&result);
		bool is_there = outcome != OUTCOME_PASS;

		assert_int_equal(strstr(text, "<label for=s0>utxocache.spent.inputs</label>") != NULL,
				 is_there);
		assert_int_equal(strstr(text, "id=s0>") != NULL, is_there);
		assert_int_equal(strstr(text, "#s0:checked") != NULL, is_there);
		/* Each selector before it ends with a comma. */
		assert_has(text, ",#none{display:none}\n");
		free(text);
	}
}

/* Whatever stands in a text, the tags are those of the format, and their attributes are its own. */
static void
assert_only_own_tags(const char *text)
{
	static const char *const tags[] = {"!DOCTYPE html",
					   "html",
					   "meta",
					   "title",
					   "style",
					   "body",
					   "header",
					   "h1",
					   "h2",
					   "p",
					   "dl",
					   "dt",
					   "dd",
					   "input",
					   "nav",
					   "fieldset",
					   "small",
					   "label",
					   "details",
					   "summary",
					   "main",
					   "section",
					   "article",
					   "div",
					   "pre",
					   "mark",
					   "b"};

	for (const char *at = text; (at = strchr(at, '<')); at++) {
		const char *name = at + 1 + (at[1] == '/');
		bool is_known = false;

		for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]) && !is_known; i++) {
			size_t len = strlen(tags[i]);

			is_known = !strncmp(name, tags[i], len) && (name[len] == '>' || name[len] == ' ');
		}
		if (!is_known)
			fail_msg("an unknown tag: %.60s", at);
		const char *end = strchr(at, '>');
		assert_non_null(end);
		for (const char *c = at; c < end; c++)
			if (!strncmp(c, "evil", 4))
				fail_msg("a text in a tag: %.60s", at);
	}
}

/* Each finding shows the whole event as it should be, with all that is wrong in it, and without the marks of text. */
static void
test_several_arguments(void **state)
{
	static const char context[] =
		">     +0.123 ms #2 utxocache:spent(txid=bb, >vout=3<, >height=10<, value=102 sat)\n";
	struct report_result result = {.name = "utxocache.spent.inputs", .outcome = OUTCOME_FAIL};

	(void)state;
	/* In another order than in the event. */
	findings_add(&result.findings, FINDING_CONTRACT, "utxocache:spent", 3, "height", "101", "10", NULL,
		     "b")
		->context = xstrdup(context);
	findings_add(&result.findings, FINDING_CONTRACT, "utxocache:spent", 2, "vout", "0", "3", NULL, "a")
		->context = xstrdup(context);
	/* About another event. */
	findings_add(&result.findings, FINDING_CONTRACT, "utxocache:spent", 4, "value", "7", "102", NULL, "c")
		->context = xstrdup(
		">     +0.123 ms #1 utxocache:spent(txid=aa, vout=1, height=1024, >value=102< sat)\n");
	char *text = page(&result);
	static const char pair[] =
		"<small>expected</small><pre>utxocache:spent(txid=bb, vout=<mark>0</mark>, height=<mark>101</mark>, value=102 sat)</pre>"
		"</div><div class=got><small>actual</small><pre>utxocache:spent(txid=bb, vout=<mark>3</mark>, height=<mark>10</mark>, value=102 sat)</pre>";
	assert_has(text, pair);
	assert_has(strstr(text, pair) + 1, pair);
	assert_has(
		text,
		"<small>expected</small><pre>utxocache:spent(txid=aa, vout=1, height=1024, value=<mark>7</mark> sat)</pre>");
	free(text);
}

static void
test_hostile(void **state)
{
	static const char *const texts[] = {
		"evil<script>alert(1)</script>",
		"evil\" onmouseover=\"alert(1)",
		"evil' onmouseover='alert(1)",
		"evil--></style></pre></section><img src=x onerror=alert(1)>",
		"evil&lt;b&gt;&#60;b&#62;",
		"evil\xe2\x80\xae\x1b[31m\x01\x7f\xff\xc2\x9b",
		"evil\n> evil:evil(evil=<b>evil</b>)\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *hostile = texts[i];
		struct report_result result = {.name = hostile,
					       .outcome = OUTCOME_FAIL,
					       .reason = xstrdup(hostile),
					       .artifacts = xstrdup(hostile),
					       .repeat = xstrdup(hostile)};

		findings_add(&result.findings, FINDING_DETAIL, hostile, 1, hostile, hostile, hostile, hostile,
			     hostile)
			->context = xasprintf("> %s(%s=%s)\n", hostile, hostile, hostile);
		char *text = page(&result);
		assert_only_own_tags(text);
		assert_null(strstr(text, "<script"));
		assert_null(strstr(text, "\xe2\x80\xae"));
		for (const char *c = text; *c; c++)
			assert_true((unsigned char)*c >= 0x20 || *c == '\n' || *c == '\t');
		free(text);
	}
}

/* Nothing is loaded, and nothing runs. */
static void
test_alone(void **state)
{
	struct report_result result = {
		.name = "net.inbound_message.ping", .outcome = OUTCOME_SKIP, .reason = xstrdup("no BPF")};
	char *text = page(&result);

	(void)state;
	assert_has(text, "content=\"default-src 'none'; style-src 'unsafe-inline'\"");
	static const char *const loads[] = {"src=",  "href=",  "url(",    "@import",
					    "http:", "https:", "<script", "<link"};
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		if (strstr(text, loads[i]))
			fail_msg("'%s' is in the page", loads[i]);
	assert_has(text, "Nothing could be checked");
	assert_has(text, "<p>no BPF");
	free(text);
}

/* The end of the node's log, as it was when it was kept. */
static void
test_log(void **state)
{
	struct report_result result = {.name = "net.inbound_message.ping",
				       .outcome = OUTCOME_ERROR,
				       .reason = xstrdup("the node ended"),
				       .log_tail = xstrdup("line 1 of <the log>\n"),
				       .output_tail = xstrdup("evil<script>")};
	char *text = page(&result);

	(void)state;
	assert_has(text, "debug.log</summary><pre>line 1 of &lt;the log&gt;\n</pre>");
	assert_has(text, "output.txt</summary><pre>evil&lt;script&gt;</pre>");
	assert_only_own_tags(text);
	free(text);
	result = (struct report_result){.name = "a.b.c",
					.outcome = OUTCOME_ERROR,
					.log_tail = xstrdup(""),
					.artifacts = xstrdup("x")};
	text = page(&result);
	assert_null(strstr(text, "<summary>The end of"));
	free(text);
}

/* Under sudo the folder is the caller's, who may put anything there meanwhile: it is not looked into. */
static void
test_folder(void **state)
{
	char *folder = test_make_dir();
	struct report_result result = {.name = "a.b.c", .outcome = OUTCOME_ERROR};

	(void)state;
	assert_non_null(folder);
	char *fifo = xasprintf("%s/output.txt", folder), *link = xasprintf("%s/debug.log", folder);
	char *secret = xasprintf("%s/secret", folder);
	FILE *file = fopen(secret, "we");
	assert_non_null(file);
	fputs("evil secret\n", file);
	fclose(file);
	assert_int_equal(symlink(secret, link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	result.artifacts = xstrdup(folder);
	alarm(20);
	char *text = page(&result);
	alarm(0);
	unlink(fifo);
	unlink(link);
	unlink(secret);
	rmdir(folder);
	assert_has(text, folder);
	assert_null(strstr(text, "evil"));
	free(text);
	free(folder);
	free(fifo);
	free(link);
	free(secret);
}

static void
test_attach(void **state)
{
	static const char *const texts[][2] = {
		{"multi", "BPF (one link for all probes)"},
		{"perf", "BPF (one perf event for each probe)"},
		{"tracefs", "BPF (one tracefs event for each probe)"},
		{"ptrace", "ptrace"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		attach = texts[i][0];
		char *text = page(&(struct report_result){.name = "a.b.c"});
		char *row = xasprintf("<dt>observed by<dd>%s\n", texts[i][1]);

		assert_has(text, row);
		free(row);
		free(text);
	}
	attach = NULL;
	char *text = page(&(struct report_result){.name = "a.b.c"});
	assert_null(strstr(text, "observed by"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair),    cmocka_unit_test(test_several_arguments),
		cmocka_unit_test(test_filters), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_alone),   cmocka_unit_test(test_log),
		cmocka_unit_test(test_folder),  cmocka_unit_test(test_attach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
