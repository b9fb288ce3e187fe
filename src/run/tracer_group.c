#include "run/tracer_group.h"

#include "base/xmem.h"
#include "node/pid_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct member {
	struct tracer_group *group;
	struct tracer *tracer;
	pid_t pid;
	int pidfd;
	bool is_over;        /* it has ended, or failed: nothing more is taken */
	bool is_undecodable; /* nothing more is handed over either */
	int err;
	struct diag diag;
};

/* A record that waits, or that is lent by a tracer. */
struct pending {
	struct member *member;
	const struct record *record;
	size_t number; /* in order of arrival: within a member this is the order of events */
	bool is_copy;
};

struct tracer_group {
	struct tracer_group_opts opts;
	struct member **members;
	size_t members_cnt;
	struct pending *pending;
	size_t pending_cnt, pending_cap, number;
	struct probe_counts ended_counts;
	bool enough;
};

static bool
never(void *cookie)
{
	(void)cookie;
	return false;
}

static void
on_loss(void *cookie, const struct probe_counts *counts, uint64_t lost)
{
	struct member *member = cookie;

	member->group->opts.on_loss(member->group->opts.cookie, member->pid, counts, lost);
}

struct tracer_group *
tracer_group_new(const struct tracer_group_opts *opts)
{
	struct tracer_group *group = xcalloc(1, sizeof(*group));

	group->opts = *opts;
	return group;
}

static void
free_member(struct member *member)
{
	tracer_free(member->tracer);
	close(member->pidfd);
	free(member);
}

void
tracer_group_free(struct tracer_group *group)
{
	if (!group)
		return;
	for (size_t i = 0; i < group->pending_cnt; i++)
		if (group->pending[i].is_copy)
			free((void *)(uintptr_t)group->pending[i].record);
	for (size_t i = 0; i < group->members_cnt; i++)
		free_member(group->members[i]);
	free(group->members);
	free(group->pending);
	free(group);
}

int
tracer_group_add(struct tracer_group *group, pid_t pid, int pidfd, const char *path, unsigned release,
		 const struct tracer **made, struct diag *diag)
{
	struct member *member = xcalloc(1, sizeof(*member));
	struct tracer_opts opts = group->opts.tracer;

	*made = NULL;
	*member = (struct member){.group = group, .pid = pid, .pidfd = pidfd};
	opts.sink = (struct tracer_sink){.must_end = never, .on_loss = on_loss, .cookie = member};
	member->tracer = tracer_new(&opts);
	int err = tracer_load(member->tracer, path, release, diag);
	if (!err)
		err = tracer_attach(member->tracer, pid, diag);
	if (err) {
		free_member(member);
		return err;
	}
	group->opts.tracer.by = group->opts.tracer.of = (struct argument_names){0};
	group->members = xreallocarray(group->members, group->members_cnt + 1, sizeof(struct member *));
	group->members[group->members_cnt++] = member;
	*made = member->tracer;
	return 0;
}

size_t
tracer_group_cnt(const struct tracer_group *group)
{
	return group->members_cnt;
}

bool
tracer_group_has(const struct tracer_group *group, pid_t pid)
{
	for (size_t i = 0; i < group->members_cnt; i++)
		if (group->members[i]->pid == pid)
			return true;
	return false;
}

void
tracer_group_counts(const struct tracer_group *group, struct probe_counts *counts)
{
	struct probe_counts of_member;

	*counts = group->ended_counts;
	for (size_t i = 0; i < group->members_cnt; i++) {
		tracer_counts(group->members[i]->tracer, &of_member);
		probe_counts_add(counts, &of_member);
	}
}

const struct selection *
tracer_group_selection(const struct tracer_group *group)
{
	return group->members_cnt ? tracer_selection(group->members[0]->tracer) : NULL;
}

static void
add_records(struct member *member, const struct record_list *records)
{
	struct tracer_group *group = member->group;

	if (group->pending_cnt + records->cnt > group->pending_cap) {
		group->pending_cap = 2 * (group->pending_cnt + records->cnt);
		group->pending = xreallocarray(group->pending, group->pending_cap, sizeof(*group->pending));
	}
	for (size_t i = 0; i < records->cnt; i++)
		group->pending[group->pending_cnt++] = (struct pending){
			.member = member, .record = records->items[i], .number = group->number++};
}

static int
compare_pending(const void *pa, const void *pb)
{
	const struct pending *a = pa, *b = pb;

	if (a->record->head.time_ns != b->record->head.time_ns)
		return a->record->head.time_ns < b->record->head.time_ns ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

static void
hand_over(struct tracer_group *group, const struct pending *pending)
{
	struct member *member = pending->member;
	const struct record *record = pending->record;
	const struct selection *selection = tracer_selection(member->tracer);
	struct event event;

	if (member->is_undecodable || group->enough)
		return;
	int err = selection_decode(selection, record, record->head.size, &event);
	if (err) {
		member->is_undecodable = member->is_over = true;
		member->err = diag_fail(&member->diag, err,
					"a record (probe point %u, %u bytes) does not fit its probe point",
					record->head.point, record->head.size);
		return;
	}
	group->enough = !group->opts.on_event(group->opts.cookie, member->pid,
					      selection_row(selection, event.tracepoint), &event);
}

static struct record *
copy_of(const struct record *record)
{
	struct record *copy = xmalloc(record->head.size);

	memcpy(copy, record, record->head.size);
	return copy;
}

/* Hands over what is from before that moment, in order; the rest is copied, unless it has been. */
static void
release(struct tracer_group *group, uint64_t until_ns)
{
	size_t done = 0;

	if (group->pending_cnt)
		qsort(group->pending, group->pending_cnt, sizeof(*group->pending), compare_pending);
	for (; done < group->pending_cnt && group->pending[done].record->head.time_ns < until_ns; done++) {
		hand_over(group, &group->pending[done]);
		if (group->pending[done].is_copy)
			free((void *)(uintptr_t)group->pending[done].record);
	}
	group->pending_cnt -= done;
	if (group->pending_cnt)
		memmove(group->pending, group->pending + done, group->pending_cnt * sizeof(*group->pending));
	for (size_t i = 0; i < group->pending_cnt; i++) {
		struct pending *pending = &group->pending[i];

		if (!pending->is_copy)
			pending->record = copy_of(pending->record);
		pending->is_copy = true;
	}
}

/* What a member has recorded; returns the moment until which this is complete. */
static uint64_t
take(struct member *member, bool is_last)
{
	struct record_list records = {0};
	uint64_t until_ns = UINT64_MAX;
	int err;

	if (member->is_over)
		return UINT64_MAX;
	/* Before the take: all events until its end are in the finish. */
	member->is_over = is_last || pidfd_has_ended(member->pidfd);
	if (member->is_over)
		err = tracer_finish(member->tracer, &records, &member->diag);
	else
		err = tracer_take(member->tracer, &records, &until_ns, &member->diag);
	add_records(member, &records);
	member->err = err;
	member->is_over |= err != 0;
	return until_ns;
}

static bool
has_pending(const struct tracer_group *group, const struct member *member)
{
	for (size_t i = 0; i < group->pending_cnt; i++)
		if (group->pending[i].member == member)
			return true;
	return false;
}

/* Takes the members out that are over, once their events have been handed over. */
static void
remove_ended(struct tracer_group *group)
{
	size_t kept = 0;

	for (size_t i = 0; i < group->members_cnt; i++) {
		struct member *member = group->members[i];
		struct probe_counts counts;

		if (!member->is_over || has_pending(group, member)) {
			group->members[kept++] = member;
			continue;
		}
		tracer_counts(member->tracer, &counts);
		probe_counts_add(&group->ended_counts, &counts);
		group->opts.on_end(group->opts.cookie, member->pid, &counts, member->err, &member->diag);
		free_member(member);
	}
	group->members_cnt = kept;
}

void
tracer_group_step(struct tracer_group *group, bool *enough)
{
	uint64_t until_ns = UINT64_MAX;

	for (size_t i = 0; i < group->members_cnt; i++) {
		uint64_t of_member = take(group->members[i], false);

		until_ns = of_member < until_ns ? of_member : until_ns;
	}
	release(group, until_ns);
	remove_ended(group);
	*enough = group->enough;
}

void
tracer_group_finish(struct tracer_group *group)
{
	for (size_t i = 0; i < group->members_cnt; i++)
		take(group->members[i], true);
	release(group, UINT64_MAX);
	remove_ended(group);
}
