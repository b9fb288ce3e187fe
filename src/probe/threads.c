/* The threads that hit, by tid. */
#include "base/xmem.h"
#include "probe/set.h"

#include <stdlib.h>
#include <string.h>

static struct thread_entry *
find(const struct thread_table *table, uint32_t tid)
{
	/* Numbers that follow one another are spread well by their low bits. */
	size_t at = tid & (table->cap - 1);

	while (table->entries[at].tid && table->entries[at].tid != tid)
		at = (at + 1) & (table->cap - 1);
	return &table->entries[at];
}

void
thread_table_init(struct thread_table *table, size_t threads_max)
{
	*table = (struct thread_table){.cap = 64};
	while (table->cap < 2 * threads_max)
		table->cap *= 2;
	table->entries = xcalloc(table->cap, sizeof(*table->entries));
}

struct thread_entry *
thread_table_get(struct thread_table *table, uint32_t tid)
{
	struct thread_entry *entry = find(table, tid);

	if (entry->tid)
		return entry;
	if (2 * (table->cnt + 1) > table->cap) {
		struct thread_table old = *table;

		*table = (struct thread_table){.cap = 2 * old.cap, .cnt = old.cnt};
		table->entries = xcalloc(table->cap, sizeof(*table->entries));
		for (size_t i = 0; i < old.cap; i++)
			if (old.entries[i].tid)
				*find(table, old.entries[i].tid) = old.entries[i];
		free(old.entries);
		entry = find(table, tid);
	}
	*entry = (struct thread_entry){.tid = tid};
	table->cnt++;
	return entry;
}

void
thread_table_remove(struct thread_table *table, uint32_t tid)
{
	struct thread_entry *entry = find(table, tid);
	size_t at = (size_t)(entry - table->entries);

	if (!entry->tid)
		return;
	*entry = (struct thread_entry){0};
	table->cnt--;
	/* Entries behind it may have been pushed there by it. */
	for (at = (at + 1) & (table->cap - 1); table->entries[at].tid; at = (at + 1) & (table->cap - 1)) {
		struct thread_entry moved = table->entries[at];

		table->entries[at] = (struct thread_entry){0};
		*find(table, moved.tid) = moved;
	}
}

void
thread_table_clear(struct thread_table *table)
{
	memset(table->entries, 0, table->cap * sizeof(*table->entries));
	table->cnt = 0;
}

void
thread_table_fini(struct thread_table *table)
{
	free(table->entries);
	*table = (struct thread_table){0};
}
