/* The ring of records: see shared.h. */
#ifndef TPCHECK_PROBE_PTRACE_RING_H
#define TPCHECK_PROBE_PTRACE_RING_H

#include "probe/backend.h"
#include "probe/ptrace/shared.h"

#include <stddef.h>

/* The writer: room for a record of at most that many bytes, or NULL when the ring is full. Nothing of it can be seen
 * before ring_commit. */
void *ring_reserve(struct ptrace_area *area, size_t bytes);
/* The same, but waits while the ring is full, until the reader goes on. One that does nothing for timeout_ms is not
 * waited for again until it has read something. */
void *ring_reserve_patiently(struct ptrace_area *area, size_t bytes, int timeout_ms);
/* bytes: what the record takes; at most those reserved. */
void ring_commit(struct ptrace_area *area, size_t bytes);

/* The reader: hands over all records that are there. */
void ring_drain(struct ptrace_area *area, const struct record_sink *sink);
/* Waits until the ring begins to fill up, for timeout_ms at most. */
void ring_wait(struct ptrace_area *area, int timeout_ms);

#endif
