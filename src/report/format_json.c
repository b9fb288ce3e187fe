/* JSON (doc/json.md): one object, written at the end. */
#include "report/format_json.h"

#include "base/buf.h"
#include "base/xmem.h"
#include "report/format.h"

#include <assert.h>
#include <stdlib.h>

void
report_write_outcome(struct json_writer *w, enum outcome outcome, const char *reason)
{
	json_member_string(w, "outcome", outcome_name(outcome));
	json_member_string(w, "reason", reason);
}

void
report_write_subject(struct json_writer *w, const char *tracepoint, unsigned argument,
		     const char *argument_name)
{
	json_member_string(w, "tracepoint", tracepoint);
	json_member_u64_or_null(w, "argument", argument);
	json_member_string(w, "argument_name", argument_name);
}

void
report_write_findings(struct json_writer *w, const struct findings *findings)
{
	json_writer_begin_array(w);
	for (size_t i = 0; i < findings->cnt; i++) {
		const struct finding *finding = &findings->items[i];

		json_writer_begin_object(w);
		report_write_subject(w, finding->tracepoint, finding->argument, finding->argument_name);
		json_member_string(w, "kind", finding_kind_name(finding->kind));
		json_member_string(w, "want", finding->want);
		json_member_string(w, "got", finding->got);
		json_member_string(w, "source", finding->source);
		json_member_string(w, "message", finding->message);
		json_member_string(w, "context", finding->context);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
}

char *
report_take_json(struct json_writer *w)
{
	assert(json_writer_is_ok(w));
	size_t len;
	char *text = json_writer_take(w, &len);

	json_writer_free(w);
	if (len && text[len - 1] == '\n')
		return text;
	text = xreallocarray(text, len + 2, 1);
	text[len] = '\n';
	text[len + 1] = '\0';
	return text;
}

char *
report_findings_json(const struct findings *findings)
{
	struct json_writer *w = json_writer_new(true);

	report_write_findings(w, findings);
	return report_take_json(w);
}

static void
write_summary(struct json_writer *w, const struct report_run *run)
{
	struct report_summary summary = report_summarize(run);

	json_member_begin_object(w, "summary");
	json_member_u64(w, "passed", summary.passed);
	json_member_u64(w, "failed", summary.failed);
	json_member_u64(w, "skipped", summary.skipped);
	json_member_u64(w, "errors", summary.errors);
	json_member_u64(w, "duration_ms", run->duration_ms);
	json_member_bool(w, "interrupted", run->interrupted);
	json_writer_end_object(w);
}

static void
write_node(struct json_writer *w, const struct report_run *run)
{
	char version[32];

	if (!run->node_path) {
		json_member_null(w, "node");
		return;
	}
	report_format_version(run->node_version, version, sizeof(version));
	json_member_begin_object(w, "node");
	json_member_string(w, "path", run->node_path);
	json_member_string(w, "version", run->node_version ? version : NULL);
	json_member_string(w, "subversion", run->node_version ? run->node_subversion : NULL);
	json_writer_end_object(w);
}

static void
write_kinds(struct json_writer *w, const char *argument, unsigned kinds)
{
	static const char *const names[CHECKED_KINDS_CNT] = {
		[CHECKED_ZERO] = "zero",         [CHECKED_8_BITS] = "8 bits",
		[CHECKED_16_BITS] = "16 bits",   [CHECKED_32_BITS] = "32 bits",
		[CHECKED_64_BITS] = "64 bits",   [CHECKED_NEGATIVE] = "negative",
		[CHECKED_FALSE] = "false",       [CHECKED_TRUE] = "true",
		[CHECKED_HASH] = "hash",         [CHECKED_EMPTY] = "empty",
		[CHECKED_BYTES] = "bytes",       [CHECKED_CUT] = "cut",
		[CHECKED_MEASURED] = "measured",
	};
	struct buf text;

	buf_init(&text, 256);
	for (unsigned kind = 0; kind < CHECKED_KINDS_CNT; kind++)
		if (kinds >> kind & 1)
			buf_printf(&text, "%s%s", text.len ? ", " : "", names[kind]);
	json_member_string(w, argument, text.data);
	buf_fini(&text);
}

static void
write_checked(struct json_writer *w, const struct checked *checked)
{
	size_t events = 0, arguments = 0;

	if (!checked->cnt) {
		json_member_null(w, "checked");
		return;
	}
	for (size_t i = 0; i < checked->cnt; i++) {
		events += checked->items[i].events;
		arguments += checked->items[i].events * checked->items[i].args_cnt;
	}
	json_member_begin_object(w, "checked");
	json_member_u64(w, "events", events);
	json_member_u64(w, "arguments", arguments);
	json_member_begin_array(w, "tracepoints");
	for (size_t i = 0; i < checked->cnt; i++) {
		const struct checked_tracepoint *tracepoint = &checked->items[i];

		json_writer_begin_object(w);
		json_member_string(w, "tracepoint", tracepoint->name);
		json_member_u64(w, "events", tracepoint->events);
		json_member_begin_object(w, "values");
		for (unsigned a = 0; a < tracepoint->args_cnt; a++)
			write_kinds(w, tracepoint->args[a].name, tracepoint->args[a].kinds);
		json_writer_end_object(w);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
	json_writer_end_object(w);
}

static void
write_result(struct json_writer *w, const struct report_result *result)
{
	json_writer_begin_object(w);
	json_member_string(w, "name", result->name);
	report_write_outcome(w, result->outcome, result->reason);
	json_member_u64(w, "duration_ms", result->duration_ms);
	write_checked(w, &result->checked);
	json_writer_key(w, "findings");
	report_write_findings(w, &result->findings);
	json_member_string(w, "artifacts", result->artifacts);
	json_member_string(w, "repeat", result->repeat);
	json_writer_end_object(w);
}

char *
report_json(const struct report_run *run)
{
	struct json_writer *w = json_writer_new(true);

	json_writer_begin_object(w);
	write_summary(w, run);
	write_node(w, run);
	json_member_string(w, "release", run->release);
	json_member_string(w, "attach", run->attach);
	json_member_string(w, "attach_why", run->attach_why);
	json_member_begin_array(w, "scenarios");
	for (size_t i = 0; i < run->results_cnt; i++)
		write_result(w, &run->results[i]);
	json_writer_end_array(w);
	json_writer_end_object(w);
	return report_take_json(w);
}

static void *
begin(FILE *out, const struct report_head *head)
{
	(void)head;
	return out;
}

static void
end(void *out, const struct report_run *run)
{
	char *text = report_json(run);

	fputs(text, out);
	free(text);
}

const struct report_format report_format_json = {.name = "json", .begin = begin, .end = end};
