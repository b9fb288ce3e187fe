#include "run/queue.h"

#include "base/xmem.h"

#include <stdlib.h>

void
queue_init(struct queue *queue, const struct scenario *const *list, bool longest_first)
{
	*queue = (struct queue){.longest_first = longest_first};
	for (size_t i = 0; list[i]; i++) {
		if (!i || list[i]->profile != list[i - 1]->profile) {
			queue->groups =
				xreallocarray(queue->groups, queue->groups_cnt + 1, sizeof(*queue->groups));
			queue->groups[queue->groups_cnt++] =
				(struct group){.first = i, .profile = list[i]->profile};
		}
		queue->groups[queue->groups_cnt - 1].cnt++;
	}
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
		if (!next || (queue->longest_first && group->profile->cost_ms > next->profile->cost_ms))
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
