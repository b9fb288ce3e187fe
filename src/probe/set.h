/* What a probe set is made of. Private to set.c, store.c and stream.c; set.c tells how it works. */
#ifndef TPCHECK_PROBE_SET_H
#define TPCHECK_PROBE_SET_H

#include "probe/bcc_shim.h"
#include "probe/internal.h"

#include <pthread.h>

/* A piece of the memory that records are kept in. It lies at a multiple of its size, so that a record's address tells
 * its chunk. */
enum { CHUNK_BYTES = 1 << 20, CHUNK_ROOM = CHUNK_BYTES - 64 };
struct chunk {
	struct chunk *prev, *next;
	size_t used;
	size_t live; /* records in it that were not given back */
	_Alignas(64) char bytes[CHUNK_ROOM];
};

/* What arrived of one thread, and what the kernel says of it. */
struct thread_entry {
	uint32_t tid; /* 0: free */
	uint64_t delivered;
	uint64_t failed; /* when the kernel was asked last */
	uint64_t asked;  /* its hits when the kernel was asked for all */
};

/* By tid: open addressing, at most half full. */
struct thread_table {
	struct thread_entry *entries;
	size_t cap, cnt; /* cap is a power of 2 */
};

struct event_fd {
	int fd;
	char name[64]; /* in tracefs */
};

struct probe_set {
	const struct probe_point *points;
	size_t points_cnt;
	enum probe_method method;
	bool streams;
	char *text;
	uint32_t record_bytes;
	size_t threads_max;

	struct bcc_shim *shim;
	int control_fd, counters_fd, threads_fd;
	int *prog_fds; /* one with multi, else one for each point */
	void *thread_value;

	pid_t pid; /* 0: not attached */
	int link_fd;
	int tried_fd;               /* of multi_try; the draining thread closes it while others work */
	struct event_fd *event_fds; /* those of earlier attachments too */
	size_t event_fds_cnt;
	unsigned attachments_cnt;

	/* Shared with the draining thread, under lock. */
	pthread_mutex_t lock;
	pthread_cond_t wake, arrived;
	pthread_t drainer;
	bool drainer_runs, draining, stop;
	uint32_t generation;
	uint64_t delivered; /* all that arrived, stale ones included */
	uint64_t malformed;
	uint64_t dropped; /* what there was no room for here */
	struct thread_table threads;
	struct chunk *chunks, *last_chunk, *spare_chunks;
	size_t spare_cnt;
	uint64_t store_bytes, store_max;
	const struct record **records; /* as they came */
	size_t records_cnt, records_cap;

	uint64_t failed_before, no_memory_before, dropped_before; /* at the last arm */
	uint64_t retired_attempts, retired_failed; /* of threads that ended, or that were detached from */

	/* Of the streaming alone, and of its thread. */
	const struct record **held; /* in order; the first lent_cnt are lent */
	size_t held_cnt, held_cap, lent_cnt;
	uint64_t lent_until_ns; /* what came before was lent */
	uint64_t asked_at_ns;   /* when the kernel was asked for its counts; 0: not yet */
	bool is_asking;         /* and not all that was counted then has arrived */
	uint64_t swept_at_ns;
	uint64_t late, missing, told_lost;
	struct probe_counts counts; /* as the kernel had them when it was asked last */
};

/* store.c: takes what libbcc hands over; called with the lock held. cookie is the set. */
void store_on_record(void *cookie, const void *record, size_t record_sz);
/* Forgets all records; keeps some memory. */
void store_clear(struct probe_set *set);
/* Gives back records of the store, in any order. */
void store_give_back(struct probe_set *set, const struct record *const *records, size_t cnt);
void store_free(struct probe_set *set);
/* Sorts by time, within a thread by its count. */
void store_sort(const struct record **records, size_t cnt);

void thread_table_init(struct thread_table *table, size_t threads_max);
/* The entry of a thread, made if need be. */
struct thread_entry *thread_table_get(struct thread_table *table, uint32_t tid);
void thread_table_remove(struct thread_table *table, uint32_t tid);
void thread_table_clear(struct thread_table *table);
void thread_table_fini(struct thread_table *table);

/* set.c */
int set_write_control(struct probe_set *set, uint64_t mask, uint32_t generation, struct diag *diag);
/* The kernel's side of the count, of each thread into the table as well; its hits only if ask_all. */
int set_read_counts(struct probe_set *set, bool ask_all, struct probe_counts *counts, struct diag *diag);

/* stream.c: forgets what was held; with an arming. */
void stream_reset(struct probe_set *set);

#endif
