#include "run/queue.h"

#include "base/xmem.h"

#include <stdlib.h>

/* Whether it needs another node than the one before it. */
static bool
begins_group(const struct scenario *const *list, size_t i)
{
	return !i || list[i - 1]->ends_node || list[i]->profile != list[i - 1]->profile;
}

/* Scenarios of one profile are taken to be equally long. */
static void
set_costs(struct queue *queue)
{
	for (size_t i = 0; i < queue->groups_cnt; i++) {
		struct group *group = &queue->groups[i];
		size_t cnt = 0;

		for (size_t j = 0; j < queue->groups_cnt; j++)
			if (queue->groups[j].profile == group->profile)
				cnt += queue->groups[j].cnt;
		group->cost_ms = (unsigned)(group->profile->cost_ms * group->cnt / cnt);
	}
}

void
queue_init(struct queue *queue, const struct scenario *const *list, bool longest_first)
{
	*queue = (struct queue){.longest_first = longest_first};
	for (size_t i = 0; list[i]; i++) {
		if (begins_group(list, i)) {
			queue->groups =
				xreallocarray(queue->groups, queue->groups_cnt + 1, sizeof(*queue->groups));
			queue->groups[queue->groups_cnt++] =
				(struct group){.first = i, .profile = list[i]->profile};
		}
		queue->groups[queue->groups_cnt - 1].cnt++;
	}
	set_costs(queue);
}

void
queue_fini(struct queue *queue)
{
	free(queue->groups);
	*queue = (struct queue){0};
}

/* The first in order of those that nobody has taken. */
static struct group *
find_next(const struct queue *queue, bool without_node)
{
	struct group *next = NULL;

	for (size_t i = 0; i < queue->groups_cnt; i++) {
		struct group *group = &queue->groups[i];

		if (group->is_taken || (without_node && group->node))
			continue;
		if (!next || (queue->longest_first && group->cost_ms > next->cost_ms))
			next = group;
	}
	return next;
}

bool
queue_take(struct queue *queue, struct group **group, size_t *idx, bool *is_last)
{
	if (!*group || (*group)->done == (*group)->cnt)
		*group = find_next(queue, false);
	if (!*group)
		return false;
	(*group)->is_taken = true;
	*idx = (*group)->first + (*group)->done++;
	*is_last = (*group)->done == (*group)->cnt;
	return true;
}

struct group *
queue_ahead(struct queue *queue)
{
	return find_next(queue, true);
}
