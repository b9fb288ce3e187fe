/* What a probe set is made of. Private to the shared part of src/probe; set.c explains how it works. */
#ifndef TPCHECK_PROBE_SET_H
#define TPCHECK_PROBE_SET_H

#include "base/diag.h"
#include "base/record.h"
#include "probe/backend.h"
#include "probe/probe.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of the memory that records are kept in. It is aligned to its size, so that a record's address leads to it. */
enum { STORE_CHUNK_BYTES = 1 << 20, STORE_CHUNK_ROOM = STORE_CHUNK_BYTES - 64 };
struct store_chunk {
	struct store_chunk *prev, *next;
	size_t used;
	size_t live; /* records in it that were not given back */
	_Alignas(64) char bytes[STORE_CHUNK_ROOM];
};

/* What arrived from one thread, and what the backend has counted of it. */
struct thread_entry {
	uint32_t tid; /* 0: free */
	uint64_t delivered;
	uint64_t failed; /* when the counts were last read; so is filtered */
	uint64_t filtered;
	uint64_t due;      /* its attempts when they were last marked as due */
	uint64_t last_seq; /* of the records that were looked at; used by the search for gaps */
};

/* By tid: open addressing, at most half full. */
struct thread_table {
	struct thread_entry *entries;
	size_t cap, cnt; /* cap is a power of 2 */
};

struct probe_set {
	const struct probe_backend *backend;
	struct probe_source *source;
	const struct probe_point *points;
	size_t points_cnt;
	struct probe_opts opts; /* as given, for copies */
	bool streams;
	char *why;                       /* see probe_set_why */
	struct probe_point *bare_points; /* without conditions; NULL unless the backend gets these */

	/* Shared with the draining thread, under lock. */
	pthread_mutex_t lock;
	pthread_cond_t wake, arrived;
	pthread_t drainer;
	bool drainer_runs, draining, stop;
	uint32_t generation;
	uint64_t delivered; /* all records that arrived, stale ones included */
	uint64_t malformed;
	uint64_t dropped;  /* records that the store had no room for */
	uint64_t filtered; /* records that arrived, but did not fulfil the conditions */
	struct thread_table threads;
	struct store_chunk *chunks, *last_chunk, *spare_chunks;
	size_t spare_cnt;
	uint64_t store_bytes, store_max;
	const struct record **records; /* in order of arrival */
	size_t records_cnt, records_cap;

	struct probe_counts armed_at; /* the counts at the last arming */
	struct thread_counts retired; /* sums of threads that ended or were detached from */

	/* Streaming only, and only by the set's user. */
	const struct record **held; /* in order; the first lent_cnt are lent */
	size_t held_cnt, held_cap, lent_cnt;
	uint64_t lent_until_ns; /* everything earlier was lent */
	uint64_t marked_at_ns;  /* when hits were last marked as due; 0: never */
	bool is_waiting;        /* for hits that are due */
	uint64_t swept_at_ns;
	uint64_t late, missing, reported_lost;
	struct probe_counts counts; /* as last read */
};

/* set.c: probe_set_new with a given backend. */
int set_new(struct probe_set **out, const struct probe_backend *backend, const struct probe_point *points,
	    size_t points_cnt, const struct probe_opts *opts, struct diag *diag);

/* store.c: keeps a record; a record_sink whose cookie is the set. With the lock held, as all of the store. */
void store_on_record(void *cookie, const void *record, size_t record_sz);
/* Forgets all records; keeps some memory. */
void store_clear(struct probe_set *set);
/* Gives back records of the store, in any order. */
void store_give_back(struct probe_set *set, const struct record *const *records, size_t cnt);
void store_free(struct probe_set *set);
/* Sorts by time, within a thread by seq. */
void store_sort(const struct record **records, size_t cnt);

/* threads.c */
void thread_table_init(struct thread_table *table, size_t threads_max);
/* The entry of a thread, added if there is none. */
struct thread_entry *thread_table_get(struct thread_table *table, uint32_t tid);
void thread_table_remove(struct thread_table *table, uint32_t tid);
void thread_table_clear(struct thread_table *table);
void thread_table_fini(struct thread_table *table);

/* counts.c: reads what the backend has counted, each thread's failures into the table as well. */
int counts_read(struct probe_set *set, struct probe_counts *counts, struct diag *diag);
/* The same, and marks all hits counted so far as due. */
int counts_mark_due(struct probe_set *set, struct probe_counts *counts, struct diag *diag);
/* How many of the hits that are due have neither arrived nor failed. With the lock held. */
uint64_t counts_outstanding(const struct probe_set *set);
/* Moves the counts of a thread that has ended from the backend to the sums. With the lock held, and drained. */
int counts_retire_thread(struct probe_set *set, uint32_t tid);
/* The same for all threads, before another process is attached to. */
int counts_retire_all(struct probe_set *set, struct diag *diag);

/* stream.c: forgets what was held; part of arming. */
void stream_reset(struct probe_set *set);

#endif
