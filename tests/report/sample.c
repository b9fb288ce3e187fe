/* Writes reports of an invented run, with texts that try to break every format:
 *
 *	sample [--require] [--interrupted] FORMAT=FILE...
 *
 * The other reports are compared with the one in json. */
#include "base/xmem.h"
#include "report/reports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const texts[] = {
	"plain",
	"",
	"two lines\nand not a third\n",
	"ok 1 - a result\nnot ok 2 - another\nBail out! now\n1..1\n",
	"...\n---\n  ...\nkey: [1, {\n",
	"# SKIP \\# TODO \\\\ \\",
	"<b>&amp;</b> ]]> <![CDATA[ \" ' &#0; <?xml?>",
	"::error title=x::y",
	"  ::add-mask::5\n\t::warning::z\r\n##[error]w ##[add-mask]1",
	"100% of %25 %0A, a:b,c %3A",
	"~",
	"null",
	"yes: 'no', - x, *a &b !c |d >e @f `g",
	" blanks \t at the ends \t ",
	"\x01\x02\x08\x0b\x0c\x1b[31m\x1f\x7f",
	"\r",
	"a\xc2\x85 b\xc2\x9f c\xe2\x80\xa8 d\xe2\x80\xa9 e\xef\xbb\xbf",
	"\xef\xbf\xbe \xef\xbf\xbf \xf0\x9f\x98\x80 \xc3\xa9",
	"\xff\xfe \xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82",
};
enum {
	TEXTS_CNT = sizeof(texts) / sizeof(*texts),
	BROKEN_CNT = 12, /* for the same reason */
	RESULTS_CNT = 4 * TEXTS_CNT + BROKEN_CNT,
};

/* A failure, a skip, an error, and a pass with a warning for each text; then errors with the same reason. */
static void
make_results(struct report_result *results)
{
	static const char *const ways[] = {"pass", "fail", "skip", "error"};

	for (size_t i = 0; i < 4 * TEXTS_CNT; i++) {
		struct report_result *result = &results[i];
		const char *text = texts[i / 4];

		/* Even names, although they never contain such texts. */
		*result = (struct report_result){
			.name = xasprintf("net.text_%zu%s.%s", i / 4, i / 4 == 5 ? text : "", ways[i % 4]),
			.outcome = (enum outcome)(i % 4),
			.duration_ms = 1001 * i};
		if (result->outcome == OUTCOME_SKIP || result->outcome == OUTCOME_ERROR) {
			result->reason = xstrdup(text);
		} else {
			findings_add(&result->findings, FINDING_CONTRACT, "net:text", 1 + (unsigned)i / 4,
				     text, text, text, text, text)
				->context = xstrdup(text);
			findings_add(&result->findings, FINDING_DETAIL, i % 8 ? NULL : "net:text", 0, NULL,
				     NULL, NULL, NULL, text);
		}
		if (result->outcome == OUTCOME_FAIL || result->outcome == OUTCOME_ERROR) {
			result->artifacts = xstrdup(text);
			result->repeat = xstrdup(text);
		}
	}
	for (size_t i = 4 * TEXTS_CNT; i < RESULTS_CNT; i++)
		results[i] = (struct report_result){.name = xasprintf("net.broken.nr_%zu", i),
						    .outcome = OUTCOME_ERROR,
						    .reason = xstrdup("the node\nbroke"),
						    .artifacts = xstrdup("kept"),
						    .repeat = xstrdup("kept")};
}

static const struct report_format *
find_format(const char *name, size_t len)
{
	for (size_t i = 0; report_formats[i]; i++) {
		const char *known = report_format_name(report_formats[i]);

		if (strlen(known) == len && !strncmp(known, name, len))
			return report_formats[i];
	}
	fprintf(stderr, "sample: no such format: %s\n", name);
	exit(2);
}

int
main(int argc, char **argv)
{
	static char why[] = "::error::x # SKIP \\ <b>&amp;</b> ]]> \" 100%0A \x1b[31m \xe2\x80\xa8";
	struct report_result results[RESULTS_CNT];
	struct report_run run = {.node_path = texts[6],
				 .node_subversion = texts[6],
				 .node_version = 319900,
				 .attach = "ptrace",
				 .attach_why = why,
				 .results = results,
				 .results_cnt = RESULTS_CNT,
				 .duration_ms = 61234};
	struct report_head head = {.notice = texts[3],
				   .results_cnt = RESULTS_CNT,
				   .host = "a<b",
				   .started = 1700000000,
				   .may_color = true,
				   .may_move_cursor = true};
	struct reports *reports = reports_new(NULL);
	struct diag diag;
	int code = 0;

	for (int i = 1; i < argc && !code; i++) {
		const char *equals = strchr(argv[i], '=');

		if (!strcmp(argv[i], "--require"))
			head.require = true;
		else if (!strcmp(argv[i], "--interrupted"))
			run.interrupted = true;
		else if (equals)
			code = reports_add(reports, find_format(argv[i], (size_t)(equals - argv[i])),
					   equals + 1, &diag);
	}
	make_results(results);
	if (!code) {
		reports_begin(reports, &head);
		for (size_t i = 0; i < run.results_cnt; i++) {
			reports_start(reports, results[i].name, i + 1, run.results_cnt);
			reports_result(reports, &results[i]);
		}
		code = reports_end(reports, &run, &diag);
	}
	if (code)
		fprintf(stderr, "sample: %s\n", diag.text);
	reports_free(reports);
	for (size_t i = 0; i < RESULTS_CNT; i++) {
		free((char *)(uintptr_t)results[i].name);
		report_result_fini(&results[i]);
	}
	return code ? EXIT_ERROR : EXIT_PASSED;
}
