/* For a step of GitHub Actions: the text for people, followed by annotations, which GitHub shows with the run.
 *
 * The runner treats every line that begins with "::", after optional blanks, as a command, and also "##[" anywhere.
 * Output of a node or a binary must not be one: while text is written, commands are disabled with a random token.
 * GitHub shows at most ten errors of a step, so there is one for each tracepoint and argument, not for each finding,
 * and one for each reason.
 *
 * Annotations have no file and no line, because tracepoints have none in the tested repository. */
#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/xmem.h"
#include "report/format.h"
#include "report/format_text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { NAMES_SHOWN = 10 };

struct state {
	FILE *out;
	const struct report_head *head;
	struct report_text text;
	char token[33];
};

static void *
begin(FILE *out, const struct report_head *head)
{
	struct state *state = xcalloc(1, sizeof(*state));
	/* The runner's log is not a terminal. */
	struct report_head plain = *head;
	uint8_t bytes[16];

	*state = (struct state){.out = out, .head = head};
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
		uint64_t now_ns = clock_now_ns();

		memset(bytes, (int)getpid(), sizeof(bytes));
		memcpy(bytes, &now_ns, sizeof(now_ns));
	}
	format_hex(bytes, sizeof(bytes), state->token);
	plain.may_color = plain.may_move_cursor = false;
	fprintf(out, "::stop-commands::%s\n", state->token);
	report_text_open(&state->text, out, &plain);
	return state;
}

static void
write_result(void *opaque, const struct report_result *result)
{
	struct state *state = opaque;

	report_text_result(&state->text, result, state->head->require);
}

/* The runner decodes %25, %0D and %0A everywhere, and %3A and %2C in properties. What a terminal could obey is shown as
 * in text. */
static void
print_escaped(FILE *out, const char *text, bool in_property)
{
	char shown[UTF8_SHOWN_BYTES];
	size_t len;

	for (; *text; text += len) {
		len = utf8_show(text, strnlen(text, 4), shown);
		if (*text == '%' || *text == '\n' || (in_property && (*text == ':' || *text == ',')))
			fprintf(out, "%%%02X", (unsigned char)*text);
		else if (*text == '\t')
			fputc('\t', out);
		else
			fputs(shown, out);
	}
}

/* An annotation that is being written: its parts go to streams, and are escaped at the end. */
struct annotation {
	char *title, *message;
	size_t title_sz, message_sz;
	FILE *to_title, *to_message;
};

static bool
annotation_begin(struct annotation *annotation)
{
	*annotation = (struct annotation){0};
	annotation->to_title = open_memstream(&annotation->title, &annotation->title_sz);
	annotation->to_message = open_memstream(&annotation->message, &annotation->message_sz);
	if (annotation->to_title && annotation->to_message)
		return true;
	if (annotation->to_title)
		fclose(annotation->to_title);
	if (annotation->to_message)
		fclose(annotation->to_message);
	free(annotation->title);
	free(annotation->message);
	return false;
}

static void
annotation_end(struct annotation *annotation, FILE *out, const char *level)
{
	fclose(annotation->to_title);
	fclose(annotation->to_message);
	fprintf(out, "::%s title=", level);
	print_escaped(out, annotation->title, true);
	fputs("::", out);
	print_escaped(out, annotation->message, false);
	fputc('\n', out);
	free(annotation->title);
	free(annotation->message);
}

static void
annotate_blame(FILE *out, const struct report_blame *blame)
{
	const struct finding *finding = blame->finding;
	struct annotation annotation;

	if (!annotation_begin(&annotation))
		return;
	if (finding->tracepoint)
		report_print_subject(annotation.to_title, finding);
	else
		fputs(blame->first->name, annotation.to_title);
	fprintf(annotation.to_message, "%s\n", finding->message);
	if (finding->want)
		fprintf(annotation.to_message, "want: %s\n", finding->want);
	if (finding->source)
		fprintf(annotation.to_message, "from: %s\n", finding->source);
	if (finding->got)
		fprintf(annotation.to_message, "got: %s\n", finding->got);
	fprintf(annotation.to_message, "%zu finding%s in %zu scenario%s, first in %s", blame->findings,
		blame->findings == 1 ? "" : "s", blame->scenarios, blame->scenarios == 1 ? "" : "s",
		blame->first->name);
	if (blame->first->repeat)
		fprintf(annotation.to_message, "\nrepeat with: %s", blame->first->repeat);
	annotation_end(&annotation, out, blame->fails ? "error" : "warning");
}

static bool
has_reason(const struct report_result *result, const struct report_result *other)
{
	return result->outcome == other->outcome &&
	       !strcmp(result->reason ? result->reason : "", other->reason ? other->reason : "");
}

/* One annotation for all results with the outcome and reason of run->results[first]; none if that is not the first. */
static void
annotate_reason(FILE *out, const struct report_run *run, size_t first, bool require)
{
	const struct report_result *result = &run->results[first];
	bool is_skip = result->outcome == OUTCOME_SKIP;
	struct annotation annotation;
	size_t cnt = 0;

	for (size_t i = 0; i < run->results_cnt; i++)
		if (has_reason(&run->results[i], result)) {
			if (i < first)
				return;
			cnt++;
		}
	if (!annotation_begin(&annotation))
		return;
	if (cnt == 1)
		fprintf(annotation.to_title, "%s: %s", result->name, is_skip ? "skipped" : "no verdict");
	else
		fprintf(annotation.to_title, "%zu scenarios: %s", cnt, is_skip ? "skipped" : "no verdict");
	fprintf(annotation.to_message, "%s", result->reason ? result->reason : "");
	if (is_skip && require)
		fputs("\na skip counts as an error here (--require)", annotation.to_message);
	for (size_t i = first, shown = 0; cnt > 1 && i < run->results_cnt && shown <= NAMES_SHOWN; i++)
		if (has_reason(&run->results[i], result)) {
			if (shown++ < NAMES_SHOWN)
				fprintf(annotation.to_message, "\n%s", run->results[i].name);
			else
				fprintf(annotation.to_message, "\nand %zu more", cnt - NAMES_SHOWN);
		}
	annotation_end(&annotation, out, !is_skip || require ? "error" : "warning");
}

static void
end(void *opaque, const struct report_run *run)
{
	struct state *state = opaque;
	struct report_blame blames[REPORT_BLAMES_MAX];
	size_t cnt = report_find_blames(run, blames);

	report_text_summary(&state->text, run, state->head->require);
	report_text_close(&state->text);
	fprintf(state->out, "::%s::\n", state->token);
	for (size_t i = 0; i < cnt; i++)
		annotate_blame(state->out, &blames[i]);
	for (size_t i = 0; i < run->results_cnt; i++)
		if (run->results[i].outcome == OUTCOME_ERROR || run->results[i].outcome == OUTCOME_SKIP)
			annotate_reason(state->out, run, i, state->head->require);
	free(state);
}

const struct report_format report_format_github = {
	.name = "github", .begin = begin, .result = write_result, .end = end};
