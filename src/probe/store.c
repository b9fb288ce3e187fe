/* The records between their arrival and the one who reads them, and who they came from.
 *
 * Records are copied into chunks in the order of their arrival and never move. Recorded once and collected, they go
 * all at once. Streaming, they are given back one by one, and a chunk whose last record was given back is used
 * again: the memory in use is what waits to be read, and has a bound. What is over the bound is counted and dropped
 * here: it has arrived as far as the kernel's count is concerned. */
#include "base/xmem.h"
#include "probe/set.h"

#include <stdlib.h>
#include <string.h>

enum { SPARE_CHUNKS = 8 };

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
	/* Those behind it may have been pushed there by it. */
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

static struct chunk *
add_chunk(struct probe_set *set)
{
	struct chunk *chunk = set->spare_chunks;

	if (chunk) {
		set->spare_chunks = chunk->next;
		set->spare_cnt--;
	} else {
		chunk = xaligned(CHUNK_BYTES, sizeof(*chunk));
	}
	chunk->prev = set->last_chunk;
	chunk->next = NULL;
	chunk->used = chunk->live = 0;
	if (set->last_chunk)
		set->last_chunk->next = chunk;
	else
		set->chunks = chunk;
	set->last_chunk = chunk;
	return chunk;
}

static void
remove_chunk(struct probe_set *set, struct chunk *chunk)
{
	if (chunk->prev)
		chunk->prev->next = chunk->next;
	else
		set->chunks = chunk->next;
	if (chunk->next)
		chunk->next->prev = chunk->prev;
	else
		set->last_chunk = chunk->prev;
	if (set->spare_cnt == SPARE_CHUNKS) {
		free(chunk);
		return;
	}
	chunk->next = set->spare_chunks;
	set->spare_chunks = chunk;
	set->spare_cnt++;
}

static size_t
room_of(const struct record *record)
{
	return (record->head.size + 7u) & ~(size_t)7;
}

void
store_on_record(void *cookie, const void *record, size_t record_sz)
{
	struct probe_set *set = cookie;
	struct record_head head;

	set->delivered++;
	if (record_sz < sizeof(head)) {
		set->malformed++;
		return;
	}
	memcpy(&head, record, sizeof(head));
	thread_table_get(&set->threads, head.tid)->delivered++;
	/* The kernel pads samples, so there may be more than the record's own size, never less. */
	if (head.size > record_sz || head.size > set->record_bytes || head.point >= set->points_cnt ||
	    head.size < set->points[head.point].fixed_bytes) {
		set->malformed++;
		return;
	}
	if (head.generation != set->generation)
		return;
	size_t room = (head.size + 7u) & ~(size_t)7;
	if (set->store_bytes + room > set->store_max) {
		set->dropped++;
		return;
	}
	if (!set->last_chunk || set->last_chunk->used + room > CHUNK_ROOM)
		add_chunk(set);
	struct chunk *chunk = set->last_chunk;
	void *copy = chunk->bytes + chunk->used;
	memcpy(copy, record, head.size);
	chunk->used += room;
	chunk->live++;
	set->store_bytes += room;
	if (set->records_cnt == set->records_cap) {
		set->records_cap = set->records_cap ? 2 * set->records_cap : 1024;
		set->records = xreallocarray(set->records, set->records_cap, sizeof(*set->records));
	}
	set->records[set->records_cnt++] = copy;
}

void
store_give_back(struct probe_set *set, const struct record *const *records, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		uintptr_t at = (uintptr_t)records[i];
		struct chunk *chunk = (struct chunk *)(at - at % CHUNK_BYTES);

		set->store_bytes -= room_of(records[i]);
		if (--chunk->live)
			continue;
		if (chunk == set->last_chunk)
			chunk->used = 0;
		else
			remove_chunk(set, chunk);
	}
}

void
store_clear(struct probe_set *set)
{
	while (set->chunks)
		remove_chunk(set, set->chunks);
	set->store_bytes = 0;
	set->records_cnt = 0;
}

void
store_free(struct probe_set *set)
{
	store_clear(set);
	while (set->spare_chunks) {
		struct chunk *next = set->spare_chunks->next;

		free(set->spare_chunks);
		set->spare_chunks = next;
	}
	free(set->records);
}

static bool
comes_before(const struct record *a, const struct record *b)
{
	/* Within a thread the clock never runs backwards, so that the two criteria do not contradict. */
	if (a->head.tid == b->head.tid)
		return a->head.seq < b->head.seq;
	if (a->head.time_ns != b->head.time_ns)
		return a->head.time_ns < b->head.time_ns;
	return a->head.tid < b->head.tid;
}

/* Merges two neighbouring runs by way of room for the first. */
static void
merge(const struct record **at, size_t first_cnt, size_t cnt, const struct record **room)
{
	size_t a = 0, b = first_cnt;

	memcpy(room, at, first_cnt * sizeof(*at));
	for (size_t to = 0; a < first_cnt; to++)
		at[to] = b < cnt && comes_before(at[b], room[a]) ? at[b++] : room[a++];
}

/* Each CPU's records come as a run that is in order already but for what was preempted: so runs are found and
 * merged, in rounds of neighbours. */
void
store_sort(const struct record **records, size_t cnt)
{
	size_t runs_cnt = 0, runs_cap = 64;
	size_t *ends = xreallocarray(NULL, runs_cap, sizeof(*ends));

	for (size_t i = 1; i <= cnt; i++) {
		if (i < cnt && comes_before(records[i - 1], records[i]))
			continue;
		if (runs_cnt == runs_cap)
			ends = xreallocarray(ends, runs_cap *= 2, sizeof(*ends));
		ends[runs_cnt++] = i;
	}
	const struct record **room = runs_cnt > 1 ? xreallocarray(NULL, cnt, sizeof(*room)) : NULL;
	while (runs_cnt > 1) {
		size_t start = 0, to = 0;

		for (size_t i = 0; i < runs_cnt; i += 2) {
			size_t end = i + 1 < runs_cnt ? ends[i + 1] : ends[i];

			if (i + 1 < runs_cnt)
				merge(records + start, ends[i] - start, end - start, room);
			ends[to++] = start = end;
		}
		runs_cnt = to;
	}
	free(room);
	free(ends);
}
