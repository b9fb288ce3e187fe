#include "run/verdict.h"

#include "base/xmem.h"
#include "scene/log_lines.h"

#include <stdlib.h>
#include <string.h>

bool
verdict_has_failed(const struct runner_opts *opts, const struct findings *findings)
{
	for (size_t i = 0; i < findings->cnt; i++)
		if (findings->items[i].kind != FINDING_DETAIL || !opts->details_warn)
			return true;
	return false;
}

/* What the notes show to be wrong is wrong whether or not the rest could be tried. */
static void
set_outcome(const struct runner_opts *opts, struct report_result *result)
{
	result->outcome = verdict_has_failed(opts, &result->findings) ? OUTCOME_FAIL : result->ended;
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

void
verdict_decide(const struct runner_opts *opts, const struct scene *scene, struct report_result *result)
{
	if (scene->err)
		result->ended = scene_is_skipped(scene) ? OUTCOME_SKIP : OUTCOME_ERROR;
	else
		result->ended = OUTCOME_PASS;
	set_outcome(opts, result);
	if (result->ended == OUTCOME_ERROR || result->outcome == OUTCOME_SKIP)
		result->reason = xstrdup(scene->diag.text);
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
		bool is_repeated = finding->kind == FINDING_DETAIL &&
				   log_is_about_unknown(finding->message) &&
				   !is_new(reported, finding->message);

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
