#include "run/plan.h"

#include "base/xmem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A note that gave no site may be the one that is looked for: the first such, or NULL. */
static const char *
unusable_note(const struct notes *notes)
{
	for (size_t i = 0; i < notes_problems_cnt(notes); i++)
		if (!notes_problem_site(notes, i))
			return notes_problem(notes, i);
	return NULL;
}

void
plan_make(struct plan *plan, const struct notes *notes, unsigned release, uint64_t tracepoints)
{
	*plan = (struct plan){.release = release};
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_at((enum tracepoint_id)id, release);
		const struct site *site;
		size_t nth = 0, placed = 0;
		char message[1024];

		if (!(tracepoints & TP_BIT(id)))
			continue;
		if (!row) {
			plan->later |= TP_BIT(id);
			continue;
		}
		for (; (site = notes_find(notes, row->context, row->name, nth)); nth++) {
			contract_check_site(row, site, &plan->findings[id]);
			/* Without a place in the file there is nothing to attach to; the problem's text follows. */
			if (!site->file_offset)
				continue;
			plan->points =
				xreallocarray(plan->points, plan->points_cnt + 1, sizeof(*plan->points));
			contract_plan(row, site, &plan->points[plan->points_cnt++]);
			placed++;
		}
		for (size_t i = 0; i < notes_problems_cnt(notes); i++) {
			const struct site *of = notes_problem_site(notes, i);

			if (of && !strcmp(of->provider, row->context) && !strcmp(of->name, row->name))
				findings_add(&plan->findings[id], FINDING_CONTRACT, row->full_name, 0, NULL,
					     NULL, NULL, ".note.stapsdt", notes_problem(notes, i));
		}
		/* One that is noted but nowhere to be found is as good as missing; the problem's text was told
		 * above. */
		if (!placed)
			plan->missing |= TP_BIT(id);
		if (nth)
			continue;
		const char *unusable = unusable_note(notes);
		snprintf(
			message, sizeof(message),
			"%s is not in the binary: its .note.stapsdt has no such probe, documented since v%u%s%s",
			row->full_name, row->since, unusable ? "; a note that cannot be used: " : "",
			unusable ? unusable : "");
		findings_add(&plan->findings[id], FINDING_CONTRACT, row->full_name, 0, NULL,
			     "a probe of that name", "none", "doc/tracing.md; .note.stapsdt", message);
	}
}

void
plan_fini(struct plan *plan)
{
	for (int id = 0; id < TRACEPOINTS_CNT; id++)
		findings_fini(&plan->findings[id]);
	free(plan->points);
	*plan = (struct plan){0};
}

int
plan_decode(const struct plan *plan, const struct record_list *records, struct event **events,
	    struct diag *diag)
{
	*events = xcalloc(records->cnt, sizeof(**events));
	for (size_t i = 0; i < records->cnt; i++) {
		const struct record *record = records->items[i];
		const struct probe_point *point =
			record->head.point < plan->points_cnt ? &plan->points[record->head.point] : NULL;
		int code = point ? contract_decode(contract_at(point->tracepoint, plan->release), point,
						   record, record->head.size, &(*events)[i])
				 : -EBADMSG;

		if (code) {
			free(*events);
			*events = NULL;
			return diag_fail(
				diag, code,
				"plan: record %zu of %zu (probe point %u, %u bytes) is not as planned", i + 1,
				records->cnt, record->head.point, record->head.size);
		}
	}
	return 0;
}
