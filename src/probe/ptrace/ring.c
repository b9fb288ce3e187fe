#include "probe/ptrace/ring.h"

#include "base/clock.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD_BYTES = 8,
	REUSE_BYTES = 256 << 10,
};

static size_t
align(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

static void
write_head(struct ptrace_area *area, uint64_t at, uint64_t head)
{
	memcpy(area->ring + at % area->shared->ring_bytes, &head, sizeof(head));
}

void *
ring_reserve(struct ptrace_area *area, size_t bytes)
{
	struct ptrace_shared *shared = area->shared;
	uint64_t written = atomic_load_explicit(&shared->written, memory_order_relaxed);
	uint64_t read = atomic_load_explicit(&shared->read, memory_order_acquire);
	size_t room = shared->ring_bytes - (size_t)(written - read);
	size_t needed = HEAD_BYTES + align(bytes);
	size_t to_end = shared->ring_bytes - (size_t)(written % shared->ring_bytes);

	/* Nothing waits to be read: what was used is used again. So a ring that never fills up takes little memory. */
	bool starts_again = room == shared->ring_bytes && shared->ring_bytes - to_end >= REUSE_BYTES &&
			    to_end + needed <= room;

	if (needed > to_end || starts_again) {
		if (to_end + needed > room)
			return NULL;
		write_head(area, written, RING_WRAP);
		written += to_end;
		atomic_store_explicit(&shared->written, written, memory_order_release);
	} else if (needed > room) {
		return NULL;
	}
	return area->ring + written % shared->ring_bytes + HEAD_BYTES;
}

static void
ring_bell(_Atomic uint32_t *bell)
{
	atomic_fetch_add(bell, 1);
	syscall(SYS_futex, bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Waits until the reader has moved past read, or for the deadline; returns whether it has moved. */
static bool
wait_for_reader(struct ptrace_shared *shared, uint64_t read, struct deadline deadline)
{
	for (;;) {
		uint32_t room = atomic_load(&shared->room);
		uint64_t ms = deadline_left_ms(deadline);
		struct timespec timeout = {.tv_sec = (time_t)(ms / 1000),
					   .tv_nsec = (long)(ms % 1000) * 1000000L};

		atomic_store(&shared->writer_waits, 1);
		/* The reader may be asleep until a quarter is full. */
		ring_bell(&shared->bell);
		if (atomic_load(&shared->read) != read || deadline_has_passed(deadline))
			break;
		syscall(SYS_futex, &shared->room, FUTEX_WAIT, room, &timeout, NULL, 0);
	}
	atomic_store(&shared->writer_waits, 0);
	return atomic_load(&shared->read) != read;
}

void *
ring_reserve_patiently(struct ptrace_area *area, size_t bytes, int timeout_ms)
{
	struct ptrace_shared *shared = area->shared;

	for (;;) {
		uint64_t read = atomic_load(&shared->read);
		void *room = ring_reserve(area, bytes);

		if (room || (shared->reader_is_late && shared->late_at == read))
			return room;
		shared->reader_is_late = !wait_for_reader(shared, read, deadline_in_ms(timeout_ms));
		shared->late_at = read;
	}
}

void
ring_commit(struct ptrace_area *area, size_t bytes)
{
	struct ptrace_shared *shared = area->shared;
	uint64_t written = atomic_load_explicit(&shared->written, memory_order_relaxed);

	write_head(area, written, bytes);
	written += HEAD_BYTES + align(bytes);
	atomic_store_explicit(&shared->written, written, memory_order_seq_cst);
	if (written - atomic_load_explicit(&shared->read, memory_order_relaxed) < shared->ring_bytes / 4 ||
	    !atomic_load(&shared->reader_waits))
		return;
	atomic_store(&shared->reader_waits, 0);
	ring_bell(&shared->bell);
}

void
ring_drain(struct ptrace_area *area, const struct record_sink *sink)
{
	struct ptrace_shared *shared = area->shared;
	uint64_t read = atomic_load_explicit(&shared->read, memory_order_relaxed);
	uint64_t written = atomic_load_explicit(&shared->written, memory_order_acquire);

	while (read != written) {
		size_t at = (size_t)(read % shared->ring_bytes);
		uint64_t head;

		memcpy(&head, area->ring + at, sizeof(head));
		if (head == RING_WRAP) {
			read += shared->ring_bytes - at;
		} else {
			sink->on_record(sink->cookie, area->ring + at + HEAD_BYTES, (size_t)head);
			read += HEAD_BYTES + align((size_t)head);
		}
		atomic_store(&shared->read, read);
	}
	/* The flag goes, so that ring_wait waits again even if the writer was killed. */
	if (atomic_exchange(&shared->writer_waits, 0))
		ring_bell(&shared->room);
}

void
ring_wait(struct ptrace_area *area, int timeout_ms)
{
	struct ptrace_shared *shared = area->shared;
	struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
	uint32_t bell = atomic_load(&shared->bell);

	atomic_store(&shared->reader_waits, 1);
	if (atomic_load(&shared->written) - atomic_load(&shared->read) < shared->ring_bytes / 4 &&
	    !atomic_load(&shared->writer_waits))
		syscall(SYS_futex, &shared->bell, FUTEX_WAIT, bell, &timeout, NULL, 0);
	atomic_store(&shared->reader_waits, 0);
}
