#include "probe/bpf/ring.h"

#include "probe/bpf/sys.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

/* Edge-triggered: a ring counts as readable as long as there is anything in it, and nobody should be woken up for
 * that. */
static int
open_wait(int map_fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!epoll_ctl(fd, EPOLL_CTL_ADD, map_fd, &event))
		return fd;
	int err = -errno;
	close(fd);
	return err;
}

static int
map_memory(struct bpf_ring *ring)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->map_fd, 0);

	if (page == MAP_FAILED)
		return -errno;
	ring->read_page = page;
	ring->rest_bytes = page_bytes + 2 * ring->bytes;
	void *rest = mmap(NULL, ring->rest_bytes, PROT_READ, MAP_SHARED, ring->map_fd, (off_t)page_bytes);
	if (rest == MAP_FAILED)
		return -errno;
	ring->rest = rest;
	ring->read_until = page;
	ring->written_until = rest;
	ring->data = (const char *)rest + page_bytes;
	return 0;
}

int
bpf_ring_open(struct bpf_ring *ring, size_t bytes)
{
	*ring = (struct bpf_ring){.bytes = bytes, .map_fd = -1, .wait_fd = -1};
	int err = bpf_map_make_ring((uint32_t)bytes);
	if (err < 0)
		return err;
	ring->map_fd = err;
	err = open_wait(ring->map_fd);
	if (err >= 0) {
		ring->wait_fd = err;
		err = map_memory(ring);
	}
	if (err)
		bpf_ring_close(ring);
	return err;
}

void
bpf_ring_close(struct bpf_ring *ring)
{
	if (ring->rest)
		munmap(ring->rest, ring->rest_bytes);
	if (ring->read_page)
		munmap(ring->read_page, (size_t)sysconf(_SC_PAGESIZE));
	if (ring->wait_fd >= 0)
		close(ring->wait_fd);
	if (ring->map_fd >= 0)
		close(ring->map_fd);
	*ring = (struct bpf_ring){.map_fd = -1, .wait_fd = -1};
}

void
bpf_ring_drain(struct bpf_ring *ring, const struct record_sink *sink)
{
	uint64_t at = *ring->read_until, until = __atomic_load_n(ring->written_until, __ATOMIC_ACQUIRE);

	while (at < until) {
		const char *head = ring->data + (at & (ring->bytes - 1));
		uint32_t size = __atomic_load_n((const uint32_t *)(const void *)head, __ATOMIC_ACQUIRE);

		if (size & BPF_RING_BUSY)
			break;
		if (!(size & BPF_RING_DISCARD))
			sink->on_record(sink->cookie, head + BPF_RING_HEAD_BYTES, size);
		size &= ~BPF_RING_DISCARD;
		at += (size + BPF_RING_HEAD_BYTES + 7) & ~UINT64_C(7);
		__atomic_store_n(ring->read_until, at, __ATOMIC_RELEASE);
	}
}

void
bpf_ring_wait(const struct bpf_ring *ring, int timeout_ms)
{
	struct epoll_event event;

	epoll_wait(ring->wait_fd, &event, 1, timeout_ms);
}
