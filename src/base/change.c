#include "base/change.h"

#include "base/xmem.h"

#include <stdlib.h>

struct change *
changes_add(struct changes *changes, const struct change *change)
{
	/* Room for the next power of 2. */
	if (!(changes->cnt & (changes->cnt - 1)))
		changes->items = xreallocarray(changes->items, changes->cnt ? 2 * changes->cnt : 1,
					       sizeof(*changes->items));
	struct change *copy = &changes->items[changes->cnt++];

	*copy = *change;
	copy->tracepoint = xstrdup_or_null(change->tracepoint);
	copy->argument_name = xstrdup_or_null(change->argument_name);
	copy->before = xstrdup_or_null(change->before);
	copy->after = xstrdup_or_null(change->after);
	copy->message = xstrdup(change->message);
	return copy;
}

void
changes_fini(struct changes *changes)
{
	for (size_t i = 0; i < changes->cnt; i++) {
		free(changes->items[i].tracepoint);
		free(changes->items[i].argument_name);
		free(changes->items[i].before);
		free(changes->items[i].after);
		free(changes->items[i].message);
	}
	free(changes->items);
	*changes = (struct changes){0};
}

const char *
change_kind_name(enum change_kind kind)
{
	switch (kind) {
	case CHANGE_ADDED:
		return "added";
	case CHANGE_REMOVED:
		return "removed";
	case CHANGE_ARGUMENT_ADDED:
		return "argument added";
	case CHANGE_ARGUMENT_REMOVED:
		return "argument removed";
	case CHANGE_RETYPED:
		return "retyped";
	case CHANGE_REORDERED:
		return "reordered";
	case CHANGE_SEMAPHORE:
		return "semaphore";
	case CHANGE_MEANING:
		return "meaning";
	}
	return "?";
}
