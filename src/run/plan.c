#include "run/plan.h"

#include "base/xmem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Plans the points of a tracepoint, and checks its notes. Returns how many notes it has. */
static size_t
add_points(struct plan *plan, const struct notes *notes, const struct contract_tracepoint *row)
{
	const struct site *site;
	size_t cnt = 0, placed = 0;

	for (; (site = notes_find(notes, row->context, row->name, cnt)); cnt++) {
		contract_check_site(row, site, &plan->findings[row->id]);
		/* Once, although it may be true of several locations. */
		if (!cnt)
			contract_check_new_args(row, site, &plan->news[row->id]);
		/* Without a place in the file there is nothing to attach to. add_problems says why. */
		if (!site->file_offset)
			continue;
		plan->points = xreallocarray(plan->points, plan->points_cnt + 1, sizeof(*plan->points));
		contract_plan(row, site, &plan->points[plan->points_cnt++]);
		placed++;
	}
	if (!placed)
		plan->missing |= TP_BIT(row->id);
	return cnt;
}

static void
add_problems(struct plan *plan, const struct notes *notes, const struct contract_tracepoint *row)
{
	for (size_t i = 0; i < notes_problems_cnt(notes); i++) {
		const struct site *site = notes_problem_site(notes, i);

		if (site && !strcmp(site->provider, row->context) && !strcmp(site->name, row->name))
			findings_add(&plan->findings[row->id], FINDING_CONTRACT, row->full_name, 0, NULL,
				     NULL, NULL, ".note.stapsdt", notes_problem(notes, i));
	}
}

/* The first note without a site, which may be the one that is missed; NULL if there is none. */
static const char *
unusable_note(const struct notes *notes)
{
	for (size_t i = 0; i < notes_problems_cnt(notes); i++)
		if (!notes_problem_site(notes, i))
			return notes_problem(notes, i);
	return NULL;
}

static void
add_absence(struct plan *plan, const struct notes *notes, const struct contract_tracepoint *row)
{
	const char *unusable = unusable_note(notes);
	char message[1024];

	snprintf(message, sizeof(message),
		 "%s is not in the binary: its .note.stapsdt has no such probe, documented since v%u%s%s",
		 row->full_name, row->since, unusable ? "; a note that cannot be used: " : "",
		 unusable ? unusable : "");
	findings_add(&plan->findings[row->id], FINDING_CONTRACT, row->full_name, 0, NULL,
		     "a probe of that name", "none", "doc/tracing.md; .note.stapsdt", message);
}

void
plan_make(struct plan *plan, const struct notes *notes, unsigned release, uint64_t tracepoints)
{
	*plan = (struct plan){.release = release};
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_at((enum tracepoint_id)id, release);

		if (!(tracepoints & TP_BIT(id)))
			continue;
		if (!row) {
			plan->later |= TP_BIT(id);
			continue;
		}
		size_t notes_of_row = add_points(plan, notes, row);
		add_problems(plan, notes, row);
		if (!notes_of_row)
			add_absence(plan, notes, row);
	}
}

void
plan_fini(struct plan *plan)
{
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		findings_fini(&plan->findings[id]);
		findings_fini(&plan->news[id]);
	}
	free(plan->points);
	*plan = (struct plan){0};
}

uint64_t
plan_left_out(const struct plan *plan, enum tracepoint_id subject)
{
	uint64_t tracepoints = plan->missing | plan->later;

	for (int id = 0; id < TRACEPOINTS_CNT; id++)
		if (plan->findings[id].cnt && id != (int)subject)
			tracepoints |= TP_BIT(id);
	return tracepoints;
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
		int err = point ? contract_decode(contract_at(point->tracepoint, plan->release), point,
						  record, record->head.size, &(*events)[i])
				: -EBADMSG;

		if (err) {
			free(*events);
			*events = NULL;
			return diag_fail(
				diag, err,
				"plan: record %zu of %zu (probe point %u, %u bytes) does not fit the plan",
				i + 1, records->cnt, record->head.point, record->head.size);
		}
	}
	return 0;
}
