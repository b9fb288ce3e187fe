#include "run/verdict.h"

#include "base/xmem.h"
#include "scene/log_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
counts(const struct runner_opts *opts, const struct finding *finding)
{
	return finding->kind != FINDING_DETAIL || !opts->details_warn;
}

static bool
is_about_log(const struct finding *finding)
{
	return finding->kind == FINDING_DETAIL && log_is_about_unknown(finding->message);
}

/* What the notes show to be wrong is wrong whether or not the rest could be tried. */
static void
set_outcome(const struct runner_opts *opts, struct report_result *result)
{
	result->outcome = result->ended;
	for (size_t i = 0; i < result->findings.cnt; i++)
		if (counts(opts, &result->findings.items[i]))
			result->outcome = OUTCOME_FAIL;
}

bool
verdict_doubts_node(const struct runner_opts *opts, const struct scene *scene,
		    const struct findings *findings)
{
	bool doubts = scene->err;

	for (size_t i = 0; i < findings->cnt; i++)
		doubts |= counts(opts, &findings->items[i]) && !is_about_log(&findings->items[i]);
	return doubts;
}

bool
verdict_has_sanitizer_finding(const struct findings *findings)
{
	for (size_t i = 0; i < findings->cnt; i++)
		if (findings->items[i].kind == FINDING_SANITIZER)
			return true;
	return false;
}

void
verdict_mark_as_late(struct findings *findings, size_t first, unsigned scenarios_cnt)
{
	for (size_t i = first; i < findings->cnt && scenarios_cnt > 1; i++) {
		struct finding *finding = &findings->items[i];
		char *message = xasprintf("%s; reported when the node exited, after %u scenarios",
					  finding->message, scenarios_cnt);

		free(finding->message);
		finding->message = message;
	}
}

/* The caller frees it. */
static char *
reason_of(const struct runner_opts *opts, const struct scene *scene)
{
	if (scene->err == -ETIMEDOUT && deadline_has_passed(scene->deadline))
		return xasprintf("%s; a scenario may take %g s, its node's start included (--timeout)",
				 scene->diag.text, opts->timeout_ms / 1000.0);
	return xstrdup(scene->diag.text);
}

void
verdict_decide(const struct runner_opts *opts, const struct scene *scene, struct report_result *result)
{
	if (scene->err)
		result->ended = scene_is_skipped(scene) ? OUTCOME_SKIP : OUTCOME_ERROR;
	else
		result->ended = OUTCOME_PASS;
	set_outcome(opts, result);
	if (result->ended == OUTCOME_ERROR || result->outcome == OUTCOME_SKIP)
		result->reason = reason_of(opts, scene);
	else if (!scene->err && opts->env_hint && verdict_has_sanitizer_finding(&result->findings))
		result->reason = xstrdup(opts->env_hint);
}

static bool
is_new(struct verdict_messages *messages, const char *message)
{
	for (size_t i = 0; i < messages->cnt; i++)
		if (!strcmp(messages->items[i], message))
			return false;
	messages->items = xreallocarray(messages->items, messages->cnt + 1, sizeof(*messages->items));
	messages->items[messages->cnt++] = xstrdup(message);
	return true;
}

void
verdict_messages_fini(struct verdict_messages *messages)
{
	for (size_t i = 0; i < messages->cnt; i++)
		free(messages->items[i]);
	free(messages->items);
}

bool
verdict_drop_repeated(const struct runner_opts *opts, struct verdict_messages *reported,
		      struct report_result *result)
{
	bool dropped = false;

	for (size_t i = 0; i < result->findings.cnt;) {
		const struct finding *finding = &result->findings.items[i];
		bool is_repeated = is_about_log(finding) && !is_new(reported, finding->message);

		if (is_repeated)
			findings_remove(&result->findings, i);
		else
			i++;
		dropped |= is_repeated;
	}
	if (dropped)
		set_outcome(opts, result);
	return dropped;
}
