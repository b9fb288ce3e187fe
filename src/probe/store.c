/* The records between their arrival and their reader.
 *
 * Records are copied into chunks in order of arrival and never move. After a collect they are all forgotten at once.
 * When streaming, they are given back one by one, and a chunk whose last record was given back is used again: the
 * memory in use is what waits to be read, and it has a bound. A record beyond the bound is dropped here and counted
 * as dropped; for the comparison with the backend's counts it has arrived. */
#include "base/condition.h"
#include "base/xmem.h"
#include "probe/set.h"

#include <stdlib.h>
#include <string.h>

enum { SPARE_CHUNKS = 8 };

static struct store_chunk *
add_chunk(struct probe_set *set)
{
	struct store_chunk *chunk = set->spare_chunks;

	if (chunk) {
		set->spare_chunks = chunk->next;
		set->spare_cnt--;
	} else {
		chunk = xaligned(STORE_CHUNK_BYTES, sizeof(*chunk));
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
remove_chunk(struct probe_set *set, struct store_chunk *chunk)
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

/* What a record of that size takes up. */
static size_t
room_for(uint32_t record_bytes)
{
	return (record_bytes + 7u) & ~(size_t)7;
}

/* The kernel pads samples, so there may be more than the record's own size, never less. */
static bool
is_well_formed(const struct probe_set *set, const struct record_head *head, size_t record_sz)
{
	return head->size <= record_sz && head->point < set->points_cnt &&
	       head->size >= set->points[head->point].fixed_bytes &&
	       head->size <= set->points[head->point].record_bytes;
}

/* Room for a record, or NULL when the store is full. */
static void *
reserve(struct probe_set *set, size_t room)
{
	if (set->store_bytes + room > set->store_max)
		return NULL;
	if (!set->last_chunk || set->last_chunk->used + room > STORE_CHUNK_ROOM)
		add_chunk(set);
	struct store_chunk *chunk = set->last_chunk;
	void *at = chunk->bytes + chunk->used;
	chunk->used += room;
	chunk->live++;
	set->store_bytes += room;
	return at;
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
	if (!is_well_formed(set, &head, record_sz)) {
		set->malformed++;
		return;
	}
	if (head.generation != set->generation)
		return;
	const struct probe_point *point = &set->points[head.point];
	if (!conditions_hold(point->conditions, point->conditions_cnt, point->slots, record)) {
		set->filtered++;
		return;
	}
	void *copy = reserve(set, room_for(head.size));
	if (!copy) {
		set->dropped++;
		return;
	}
	memcpy(copy, record, head.size);
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
		struct store_chunk *chunk = (struct store_chunk *)(at - at % STORE_CHUNK_BYTES);

		set->store_bytes -= room_for(records[i]->head.size);
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
		struct store_chunk *next = set->spare_chunks->next;

		free(set->spare_chunks);
		set->spare_chunks = next;
	}
	free(set->records);
}

static bool
comes_before(const struct record *a, const struct record *b)
{
	/* Within a thread the clock never runs backwards, so the two criteria cannot contradict each other. */
	if (a->head.tid == b->head.tid)
		return a->head.seq < b->head.seq;
	if (a->head.time_ns != b->head.time_ns)
		return a->head.time_ns < b->head.time_ns;
	return a->head.tid < b->head.tid;
}

/* Merges two neighbouring runs; room holds the first meanwhile. */
static void
merge(const struct record **at, size_t first_cnt, size_t cnt, const struct record **room)
{
	size_t a = 0, b = first_cnt;

	memcpy(room, at, first_cnt * sizeof(*at));
	for (size_t to = 0; a < first_cnt; to++)
		at[to] = b < cnt && comes_before(at[b], room[a]) ? at[b++] : room[a++];
}

/* Records arrive in runs that are in order; those of a single thread are one. So runs are found, and merged with their
 * neighbours in rounds. */
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
