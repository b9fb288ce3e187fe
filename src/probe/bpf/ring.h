/* The kernel's ring buffer of records (BPF_MAP_TYPE_RINGBUF), from the side that empties it.
 *
 * It is a map, and mapped into memory: a page with the position up to which the host has read, one with the position up
 * to which there are records, then the data, twice in a row, so that each record is in one piece. A record follows a
 * head of 8 bytes, whose first 4 are its size and two bits: it is still being written; it is to be skipped. All CPUs
 * share the ring. What the kernel writes is released by it and acquired here, and the other way round. */
#ifndef TPCHECK_PROBE_BPF_RING_H
#define TPCHECK_PROBE_BPF_RING_H

#include "probe/backend.h"

#include <stddef.h>
#include <stdint.h>

#define BPF_RING_BUSY    (UINT32_C(1) << 31)
#define BPF_RING_DISCARD (UINT32_C(1) << 30)
enum { BPF_RING_HEAD_BYTES = 8 };

struct bpf_ring {
	int map_fd, wait_fd; /* -1: not open */
	size_t bytes;        /* a power of 2 */
	uint64_t *read_until;
	const uint64_t *written_until;
	const char *data;
	void *read_page, *rest;
	size_t rest_bytes;
};

/* Makes a ring of that many bytes, a power of 2 and whole pages; 0 or a negative errno value. */
int bpf_ring_open(struct bpf_ring *ring, size_t bytes);
void bpf_ring_close(struct bpf_ring *ring);
/* Delivers the records that are complete, up to the first that is not; those that come meanwhile wait. */
void bpf_ring_drain(struct bpf_ring *ring, const struct record_sink *sink);
/* Waits until a program wakes somebody up, for timeout_ms at most. */
void bpf_ring_wait(const struct bpf_ring *ring, int timeout_ms);

#endif
