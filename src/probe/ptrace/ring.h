/* The ring of records: see shared.h. */
#ifndef TPCHECK_PROBE_PTRACE_RING_H
#define TPCHECK_PROBE_PTRACE_RING_H

#include "probe/backend.h"
#include "probe/ptrace/shared.h"

#include <stddef.h>

/* The writer: room for a record of at most that many bytes, or NULL when the ring is full. Nothing of it can be seen
 * before ring_commit. */
void *ring_reserve(struct ptrace_area *area, size_t bytes);
/* Like ring_reserve, but waits while the ring is full. After timeout_ms without progress it gives up, and does not wait
 * again until the reader has read something. */
void *ring_reserve_patiently(struct ptrace_area *area, size_t bytes, int timeout_ms);
/* bytes: what the record takes; at most those reserved. */
void ring_commit(struct ptrace_area *area, size_t bytes);

/* The reader: hands over all records that are there. */
void ring_drain(struct ptrace_area *area, const struct record_sink *sink);
/* Waits until the ring begins to fill up or the writer waits for room, for timeout_ms at most. */
void ring_wait(struct ptrace_area *area, int timeout_ms);

#endif
