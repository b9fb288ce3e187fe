#include "probe/ptrace/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RING_ALIGNMENT = 64 };

static size_t
align(size_t n)
{
	return (n + RING_ALIGNMENT - 1) / RING_ALIGNMENT * RING_ALIGNMENT;
}

static size_t
points_offset(void)
{
	return align(sizeof(struct ptrace_shared));
}

static size_t
traps_offset(size_t points_cnt)
{
	return align(points_offset() + points_cnt * sizeof(struct ptrace_point));
}

static size_t
ring_offset(size_t points_cnt)
{
	return align(traps_offset(points_cnt) + points_cnt * sizeof(struct ptrace_trap));
}

static void
fill_operand(struct ptrace_operand *to, const struct operand *from)
{
	uint64_t mask = from->width_bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * from->width_bytes) - 1;

	*to = (struct ptrace_operand){
		.kind = (uint8_t)from->kind,
		.width_bytes = from->width_bytes,
		.shift_bits = from->shift_bits,
		.scale = from->scale ? from->scale : 1,
		.base = (uint8_t)from->base,
		.index = (uint8_t)from->index,
		.extension = (uint8_t)from->extension,
		.displacement = from->displacement,
		.constant = (uint64_t)from->constant & mask,
	};
}

static void
fill_point(struct ptrace_point *to, const struct probe_point *from)
{
	const struct site *site = from->site;

	*to = (struct ptrace_point){
		.file_offset = site->file_offset,
		.semaphore_file_offset = site->semaphore_file_offset,
		.tracepoint = (uint16_t)from->tracepoint,
		.args_cnt = (uint16_t)site->args_cnt,
		.fixed_bytes = from->fixed_bytes,
		.record_bytes = from->record_bytes,
	};
	for (unsigned n = 0; n < site->args_cnt; n++) {
		fill_operand(&to->operands[n], &site->args[n]);
		to->slots[n] = from->slots[n];
	}
	for (size_t i = 0; i < from->conditions_cnt && to->conditions_cnt < CONDITIONS_MAX; i++)
		if (condition_is_early(&from->conditions[i]))
			to->conditions[to->conditions_cnt++] = from->conditions[i];
}

/* memfd_create may be refused (seccomp); a file without a name does as well. */
static int
make_file(const char *tmpdir, size_t bytes)
{
	int fd = memfd_create("tpcheck-records", MFD_CLOEXEC);

	if (fd < 0)
		fd = open(tmpdir ? tmpdir : "/tmp", O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int
map(struct ptrace_area *area, int fd, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	area->shared = at;
	return 0;
}

static void
find_parts(struct ptrace_area *area)
{
	unsigned char *start = (unsigned char *)area->shared;

	area->points = (struct ptrace_point *)(start + points_offset());
	area->traps = (struct ptrace_trap *)(start + traps_offset(area->shared->points_cnt));
	area->ring = start + ring_offset(area->shared->points_cnt);
}

int
ptrace_area_make(struct ptrace_area *area, int *fd, const struct probe_point *points, size_t points_cnt,
		 size_t ring_bytes, const char *tmpdir, struct diag *diag)
{
	size_t bytes = ring_offset(points_cnt) + ring_bytes;
	int err = 0;

	*area = (struct ptrace_area){0};
	*fd = make_file(tmpdir, bytes);
	if (*fd < 0)
		return diag_fail(diag, *fd, "probe: failed to make a file for records in memory: %s",
				 strerror(-*fd));
	err = map(area, *fd, bytes);
	if (err) {
		close(*fd);
		*fd = -1;
		return diag_fail(diag, err, "probe: failed to map memory for records: %s", strerror(-err));
	}
	area->shared->bytes = bytes;
	area->shared->ring_bytes = ring_bytes;
	area->shared->points_cnt = (uint32_t)points_cnt;
	find_parts(area);
	for (size_t i = 0; i < points_cnt; i++)
		fill_point(&area->points[i], &points[i]);
	return 0;
}

int
ptrace_area_map(struct ptrace_area *area, int fd, struct diag *diag)
{
	size_t bytes = sizeof(struct ptrace_shared);

	*area = (struct ptrace_area){0};
	int err = map(area, fd, bytes);
	if (!err) {
		struct ptrace_shared *head = area->shared;

		bytes = head->bytes;
		munmap(head, sizeof(*head));
		area->shared = NULL;
		err = map(area, fd, bytes);
	}
	if (err)
		return diag_fail(diag, err, "probe: failed to map memory for records: %s", strerror(-err));
	find_parts(area);
	return 0;
}

void
ptrace_area_unmap(struct ptrace_area *area)
{
	if (area->shared)
		munmap(area->shared, area->shared->bytes);
	*area = (struct ptrace_area){0};
}
