#include "probe/internal.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The part of union bpf_attr that a uprobe_multi link needs. Written out here, as distributions build
 * with headers older than the kernels they run on. Source: include/uapi/linux/bpf.h of Linux 6.6. */
struct link_create_uprobe_multi {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

static int
bpf(int command, void *attr, size_t attr_sz)
{
	long result = syscall(SYS_bpf, command, attr, attr_sz);

	return result < 0 ? -errno : (int)result;
}

static uint64_t
pointer(const void *ptr)
{
	return (uint64_t)(uintptr_t)ptr;
}

int
bpf_map_write(int map_fd, const void *key, const void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = pointer(key);
	attr.value = pointer(value);
	return bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
}

int
bpf_map_read(int map_fd, const void *key, void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = pointer(key);
	attr.value = pointer(value);
	return bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr));
}

int
bpf_map_next_key(int map_fd, const void *key, void *next)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = pointer(key);
	attr.next_key = pointer(next);
	return bpf(BPF_MAP_GET_NEXT_KEY, &attr, sizeof(attr));
}

int
bpf_map_delete(int map_fd, const void *key)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = pointer(key);
	return bpf(BPF_MAP_DELETE_ELEM, &attr, sizeof(attr));
}

int
bpf_link_uprobe_multi(int prog_fd, const char *path, const uint64_t *offsets, const uint64_t *ref_ctr_offsets,
		      const uint64_t *cookies, uint32_t cnt, pid_t pid)
{
	struct link_create_uprobe_multi attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_fd = (uint32_t)prog_fd;
	attr.attach_type = MULTI_ATTACH_TYPE;
	attr.path = pointer(path);
	attr.offsets = pointer(offsets);
	attr.ref_ctr_offsets = pointer(ref_ctr_offsets);
	attr.cookies = pointer(cookies);
	attr.cnt = cnt;
	attr.pid = (uint32_t)pid;
	return bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}
