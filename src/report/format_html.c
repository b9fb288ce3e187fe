/* HTML: one page that is complete in itself. It works without scripts, loads nothing (its policy forbids both), and
 * filters by radio buttons and CSS. Texts come from the node and its peers: they never become markup, and never stand
 * in attributes; what is invisible or changes the direction of text is shown as \xNN. */
#include "base/utf8.h"
#include "base/xmem.h"
#include "report/format.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SUBJECTS_MAX = 64 };

static const char style[] =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--soft:#f6f8fa;\n"
	"--good:#1a7f37;--bad:#b3261e;--warn:#8a5a00;--mark:#ffe3e0;--ok:#d9f5e0}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#12161b;--fg:#e4e8ec;--dim:#9aa4ae;--line:#3a424b;\n"
	"--soft:#1b2128;--good:#56d37d;--bad:#ff8a80;--warn:#f0b95a;--mark:#5a2320;--ok:#173d25}}\n"
	"*{box-sizing:border-box}body{margin:0 auto;padding:1rem;max-width:76rem;background:var(--bg);\n"
	"color:var(--fg);font:1rem/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:0;overflow-wrap:anywhere}\n"
	"header{border-left:.4rem solid var(--good);padding:.2rem .8rem;margin-bottom:1rem}\n"
	"header.fail{border-color:var(--bad)}header.error,header.skip{border-color:var(--warn)}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.5rem 0}\n"
	"dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}\n"
	"section{border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem;margin:.5rem 0}\n"
	"section>h2::before{display:inline-block;min-width:3.4rem;font-size:.8rem;content:attr(data-o)}\n"
	".pass>h2::before{color:var(--good)}.fail>h2::before{color:var(--bad)}\n"
	".error>h2::before,.skip>h2::before{color:var(--warn)}\n"
	"article{border-top:1px solid var(--line);margin-top:.6rem;padding-top:.6rem}p{margin:.3rem 0;\n"
	"overflow-wrap:anywhere}small{color:var(--dim)}\n"
	".pair{display:grid;grid-template-columns:1fr 1fr;gap:.6rem}@media(max-width:40rem){\n"
	".pair{grid-template-columns:1fr}}.pair>div{min-width:0}\n"
	"pre{margin:.2rem 0;padding:.5rem;background:var(--soft);border:1px solid var(--line);\n"
	"border-radius:.3rem;font:.82rem/1.45 ui-monospace,monospace;white-space:pre-wrap;\n"
	"overflow-wrap:anywhere;max-height:30rem;overflow:auto}\n"
	".pair mark{color:inherit;font-weight:700;background:var(--mark)}.pair .want mark{background:var(--ok)}\n"
	"pre b{display:block;background:var(--mark);font-weight:inherit}\n"
	"fieldset{border:0;padding:0;margin:.4rem 0}.filter{position:absolute;opacity:0;pointer-events:none}\n"
	"label{display:inline-block;padding:.15rem .6rem;margin:.1rem;border:1px solid var(--line);\n"
	"border-radius:1rem;font-size:.85rem;cursor:pointer;overflow-wrap:anywhere}summary{cursor:pointer}\n"
	".filter:focus-visible~nav{outline:2px solid}\n";

struct state {
	FILE *out;
	const struct report_head *head;
};

static void
print_text_len(FILE *out, const char *text, size_t len)
{
	char shown[UTF8_SHOWN_BYTES];

	for (size_t i = 0; i < len;) {
		if (text[i] == '\n' || text[i] == '\t') {
			fputc(text[i++], out);
			continue;
		}
		i += utf8_show(text + i, len - i, shown);
		for (const char *c = shown; *c; c++)
			switch (*c) {
			case '&':
				fputs("&amp;", out);
				break;
			case '<':
				fputs("&lt;", out);
				break;
			case '>':
				fputs("&gt;", out);
				break;
			case '"':
				fputs("&quot;", out);
				break;
			case '\'':
				fputs("&#39;", out);
				break;
			default:
				fputc(*c, out);
			}
	}
}

static void
print_text(FILE *out, const char *text)
{
	print_text_len(out, text, strlen(text));
}

static void
print_row(FILE *out, const char *title, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(out, "<dt>%s<dd>", title);
	print_text(out, text);
	fputc('\n', out);
}

/* "net:inbound_message" of "net.inbound_message.ping"; the caller frees it. */
static char *
subject_of(const char *name)
{
	char *subject = xstrdup(name), *dot = strchr(subject, '.'), *end = dot ? strchr(dot + 1, '.') : NULL;

	if (dot)
		*dot = ':';
	if (end)
		*end = '\0';
	return subject;
}

/* The tracepoints of a run; an index is a filter's number. */
struct subjects {
	char *names[SUBJECTS_MAX];
	size_t cnt;
};

static size_t
subject_index(struct subjects *subjects, const char *name)
{
	size_t i = 0;

	while (i < subjects->cnt && strcmp(subjects->names[i], name))
		i++;
	if (i == subjects->cnt && i < SUBJECTS_MAX)
		subjects->names[subjects->cnt++] = xstrdup(name);
	return i;
}

static bool
has_details(const struct report_result *result)
{
	return result->outcome != OUTCOME_PASS || result->findings.cnt;
}

static void
collect(struct subjects *subjects, const struct report_run *run)
{
	*subjects = (struct subjects){.cnt = 0};
	for (size_t i = 0; i < run->results_cnt; i++) {
		const struct report_result *result = &run->results[i];
		char *subject = subject_of(result->name);

		subject_index(subjects, subject);
		free(subject);
		for (size_t f = 0; f < result->findings.cnt; f++)
			if (result->findings.items[f].tracepoint)
				subject_index(subjects, result->findings.items[f].tracepoint);
	}
}

/* The radio buttons stand before everything that they filter; their labels stand where people see them. */
static void
print_filter_inputs(FILE *out, const struct subjects *subjects, const struct report_run *run)
{
	fputs("<input class=filter type=radio name=o id=o checked>", out);
	for (int o = OUTCOME_PASS; o <= OUTCOME_ERROR; o++)
		fprintf(out, "<input class=filter type=radio name=o id=o%d>", o);
	fputs("\n<input class=filter type=radio name=t id=t checked>", out);
	for (size_t i = 0; i < subjects->cnt; i++)
		fprintf(out, "<input class=filter type=radio name=t id=t%zu>", i);
	fputs("\n<input class=filter type=radio name=s id=s checked>", out);
	for (size_t i = 0; i < run->results_cnt; i++)
		if (has_details(&run->results[i]))
			fprintf(out, "<input class=filter type=radio name=s id=s%zu>", i);
	fputs("\n<style>", out);
	for (int o = OUTCOME_PASS; o <= OUTCOME_ERROR; o++)
		fprintf(out, "#o%d:checked~main>section:not(.%s),", o, outcome_name((enum outcome)o));
	for (size_t i = 0; i < subjects->cnt; i++)
		fprintf(out, "#t%zu:checked~main>section:not(.t%zu),", i, i);
	for (size_t i = 0; i < run->results_cnt; i++)
		if (has_details(&run->results[i]))
			fprintf(out, "#s%zu:checked~main>section:not(.s%zu),", i, i);
	fputs("#none{display:none}\n", out);
	for (int o = OUTCOME_PASS; o <= OUTCOME_ERROR; o++)
		fprintf(out, "#o%d:checked~nav label[for=o%d],", o, o);
	for (size_t i = 0; i < subjects->cnt; i++)
		fprintf(out, "#t%zu:checked~nav label[for=t%zu],", i, i);
	for (size_t i = 0; i < run->results_cnt; i++)
		if (has_details(&run->results[i]))
			fprintf(out, "#s%zu:checked~nav label[for=s%zu],", i, i);
	fputs("#o:checked~nav label[for=o],#t:checked~nav label[for=t],#s:checked~nav label[for=s]\n"
	      "{background:var(--fg);color:var(--bg)}</style>\n",
	      out);
}

static void
print_filter_labels(FILE *out, const struct subjects *subjects, const struct report_run *run)
{
	fputs("<nav><fieldset><small>Outcome</small> <label for=o>all</label>", out);
	for (int o = OUTCOME_PASS; o <= OUTCOME_ERROR; o++)
		fprintf(out, "<label for=o%d>%s</label>", o, outcome_name((enum outcome)o));
	fputs("</fieldset>\n<details><summary>Filter by tracepoint</summary><fieldset><label for=t>all</label>",
	      out);
	for (size_t i = 0; i < subjects->cnt; i++) {
		fprintf(out, "<label for=t%zu>", i);
		print_text(out, subjects->names[i]);
		fputs("</label>", out);
	}
	fputs("</fieldset></details>\n<details><summary>Filter by scenario</summary><fieldset><label for=s>all</label>",
	      out);
	for (size_t i = 0; i < run->results_cnt; i++)
		if (has_details(&run->results[i])) {
			fprintf(out, "<label for=s%zu>", i);
			print_text(out, run->results[i].name);
			fputs("</label>", out);
		}
	fputs("</fieldset></details></nav>\n", out);
}

/* The event that a finding is about: the first marked line of its context. */
static const char *
marked_event(const struct finding *finding, size_t *len)
{
	const char *line = finding->context;

	while (line && *line) {
		size_t line_len = strcspn(line, "\n");
		const char *event =
			finding->tracepoint && *line == '>' ? strstr(line, finding->tracepoint) : NULL;

		if (event && event < line + line_len) {
			*len = line_len - (size_t)(event - line);
			return event;
		}
		line += line_len + (line[line_len] == '\n');
	}
	return NULL;
}

/* An argument of the event that a finding is about, and was found wrong by that finding or another. */
struct difference {
	const struct finding *finding;
	const char *name, *value; /* where they stand in the event: "..., >NAME=VALUE<, ..." */
	size_t value_len;
};
enum { DIFFERENCES_MAX = 32 };

static bool
find_difference(const struct finding *finding, const char *event, size_t len, struct difference *out)
{
	if (!finding->argument_name || !finding->got)
		return false;
	char *key = xasprintf("%s=%s", finding->argument_name, finding->got);
	size_t key_len = strlen(key), name_len = strlen(finding->argument_name);
	bool found = false;

	for (size_t i = 1; i + key_len <= len && !found; i++) {
		found = !strncmp(event + i, key, key_len) && strchr("( >", event[i - 1]) &&
			(i + key_len == len || strchr(",)< ", event[i + key_len]));
		*out = (struct difference){.finding = finding,
					   .name = event + i,
					   .value = event + i + name_len + 1,
					   .value_len = key_len - name_len - 1};
	}
	free(key);
	return found;
}

/* Those of a finding and of all others about the same event, in its order. */
static size_t
find_differences(const struct finding *finding, const struct findings *all, const char *event, size_t len,
		 struct difference out[DIFFERENCES_MAX])
{
	size_t cnt = 0;

	for (size_t i = 0; i < all->cnt && cnt < DIFFERENCES_MAX; i++) {
		const struct finding *other = &all->items[i];
		struct difference found;

		if (!other->context || strcmp(other->context, finding->context) ||
		    !find_difference(other, event, len, &found))
			continue;
		size_t at = cnt++;
		for (; at && out[at - 1].name > found.name; at--)
			out[at] = out[at - 1];
		out[at] = found;
	}
	return cnt;
}

static void
print_event(FILE *out, const char *event, size_t len, const struct difference *differences, size_t cnt,
	    bool as_expected)
{
	const char *from = event;

	fputs("<pre>", out);
	for (size_t i = 0; i < cnt && differences[i].name >= from; i++) {
		const struct difference *difference = &differences[i];
		const char *want = difference->finding->want ? difference->finding->want : "";
		bool has_marks = difference->name[-1] == '>';

		print_text_len(out, from, (size_t)(difference->name - from) - has_marks);
		print_text_len(out, difference->name, (size_t)(difference->value - difference->name));
		fputs("<mark>", out);
		print_text(out, as_expected ? want : difference->finding->got);
		fputs("</mark>", out);
		from = difference->value + difference->value_len;
		from += has_marks && from < event + len && *from == '<';
	}
	print_text_len(out, from, (size_t)(event + len - from));
	fputs("</pre>", out);
}

/* What was expected and what came, side by side. */
static void
print_pair(FILE *out, const struct finding *finding, const struct findings *all)
{
	struct difference differences[DIFFERENCES_MAX], own;
	size_t len = 0, cnt = 0;
	const char *event = marked_event(finding, &len);

	if (!finding->want && !finding->got)
		return;
	if (event && find_difference(finding, event, len, &own))
		cnt = find_differences(finding, all, event, len, differences);
	fputs("<div class=pair><div class=want><small>expected", out);
	if (finding->source) {
		fputs(" (", out);
		print_text(out, finding->source);
		fputc(')', out);
	}
	fputs("</small>", out);
	const char *values[] = {finding->want ? finding->want : "", finding->got ? finding->got : ""};
	for (int i = 0; i < 2; i++) {
		if (i)
			fputs("</div><div class=got><small>actual</small>", out);
		if (cnt) {
			print_event(out, event, len, differences, cnt, i == 0);
		} else {
			fputs("<pre><mark>", out);
			print_text(out, values[i]);
			fputs("</mark></pre>", out);
		}
	}
	fputs("</div></div>\n", out);
}

/* The events around it; those that are marked stand out. */
static void
print_context(FILE *out, const struct finding *finding)
{
	const char *line = finding->context;

	if (!line || !*line)
		return;
	fprintf(out, "<details open><summary>%s</summary><pre>",
		finding->kind == FINDING_SANITIZER ? "The report begins" : "Events around it, in order");
	while (*line) {
		size_t len = strcspn(line, "\n");
		bool is_marked = *line == '>';

		fputs(is_marked ? "<b>" : "", out);
		print_text_len(out, line, len);
		fputs(is_marked ? "</b>" : "\n", out);
		line += len + (line[len] == '\n');
	}
	fputs("</pre></details>\n", out);
}

static void
print_finding(FILE *out, const struct finding *finding, const struct findings *all)
{
	fprintf(out, "<article><p><small>[%s]</small> ", finding_kind_name(finding->kind));
	print_text(out, finding->message);
	fputs("\n", out);
	print_pair(out, finding, all);
	print_context(out, finding);
	fputs("</article>\n", out);
}

static void
print_tail(FILE *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(out, "<details><summary>The end of the node's %s</summary><pre>", name);
	print_text(out, text);
	fputs("</pre></details>\n", out);
}

static void
print_result(FILE *out, struct subjects *subjects, const struct report_result *result, size_t number)
{
	const char *outcome = outcome_name(result->outcome);
	char *subject = subject_of(result->name);

	fprintf(out, "<section class=\"%s s%zu t%zu", outcome, number, subject_index(subjects, subject));
	for (size_t f = 0; f < result->findings.cnt; f++)
		if (result->findings.items[f].tracepoint)
			fprintf(out, " t%zu", subject_index(subjects, result->findings.items[f].tracepoint));
	fprintf(out, "\"><h2 data-o=%s>", outcome);
	print_text(out, result->name);
	fprintf(out, " <small>%.1f s</small></h2>\n", (double)result->duration_ms / 1000);
	if (result->reason) {
		fputs("<p>", out);
		print_text(out, result->reason);
		fputc('\n', out);
	}
	for (size_t f = 0; f < result->findings.cnt; f++)
		print_finding(out, &result->findings.items[f], &result->findings);
	if (result->outcome == OUTCOME_FAIL || result->outcome == OUTCOME_ERROR) {
		print_tail(out, "debug.log", result->log_tail);
		print_tail(out, "output.txt", result->output_tail);
		fputs("<dl>", out);
		print_row(out, "artifacts", result->artifacts);
		print_row(out, "repeat", result->repeat);
		fputs("</dl>", out);
	}
	fputs("</section>\n", out);
	free(subject);
}

/* In the words of doctor, for a reader who did not choose it. */
static const char *
attach_text(const char *attach)
{
	static const struct {
		const char *name, *text;
	} ways[] = {
		{"multi", "BPF (one link for all probes)"},
		{"perf", "BPF (one perf event for each probe)"},
		{"tracefs", "BPF (one tracefs event for each probe)"},
	};

	for (size_t i = 0; attach && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(attach, ways[i].name))
			return ways[i].text;
	return attach;
}

static void
print_header(const struct state *state, const struct report_run *run)
{
	struct report_summary summary = report_summarize(run);
	enum exit_code code = report_exit_code(run, state->head->require);
	const char *verdict = code == EXIT_PASSED    ? "pass"
			      : code == EXIT_FAILED  ? "fail"
			      : code == EXIT_SKIPPED ? "skip"
						     : "error";
	static const char *const titles[] = {"The tracepoints do what is documented",
					     "The tracepoints do not do what is documented",
					     "Nothing could be checked", "No verdict"};
	int title = code == EXIT_PASSED ? 0 : code == EXIT_FAILED ? 1 : code == EXIT_SKIPPED ? 2 : 3;
	char version[32], started[64] = "";
	struct tm tm;

	report_format_version(run->node_version, version, sizeof(version));
	if (gmtime_r(&state->head->started, &tm))
		strftime(started, sizeof(started), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(state->out,
		"<header class=%s><h1>%s</h1><p>%zu passed, %zu failed, %zu skipped, %zu errors%s</header>\n<dl>",
		verdict, titles[title], summary.passed, summary.failed, summary.skipped, summary.errors,
		run->interrupted ? "; interrupted" : "");
	print_row(state->out, "bitcoind", run->node_path);
	print_row(state->out, "version", run->node_version ? version : NULL);
	print_row(state->out, "checked against", run->release);
	print_row(state->out, "observed by", attach_text(run->attach));
	print_row(state->out, "because", run->attach_why);
	print_row(state->out, "host", state->head->host);
	print_row(state->out, "started", started);
	fprintf(state->out, "<dt>took<dd>%.1f s</dl>\n", (double)run->duration_ms / 1000);
}

static void *
begin(FILE *out, const struct report_head *head)
{
	struct state *state = xcalloc(1, sizeof(*state));

	*state = (struct state){.out = out, .head = head};
	return state;
}

static void
end(void *cookie, const struct report_run *run)
{
	struct state *state = cookie;
	struct subjects subjects;
	FILE *out = state->out;

	collect(&subjects, run);
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=en><meta charset=utf-8>\n"
		"<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
		"<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=referrer content=no-referrer>\n<title>tpcheck</title>\n<style>\n%s</style>\n<body>\n",
		style);
	print_header(state, run);
	print_filter_inputs(out, &subjects, run);
	print_filter_labels(out, &subjects, run);
	fputs("<main>\n", out);
	for (size_t i = 0; i < run->results_cnt; i++)
		if (has_details(&run->results[i]))
			print_result(out, &subjects, &run->results[i], i);
	for (size_t i = 0; i < run->results_cnt; i++)
		if (!has_details(&run->results[i]))
			print_result(out, &subjects, &run->results[i], i);
	fputs("</main>\n</html>\n", out);
	for (size_t i = 0; i < subjects.cnt; i++)
		free(subjects.names[i]);
	free(state);
}

const struct report_format report_format_html = {.name = "html", .begin = begin, .end = end};
