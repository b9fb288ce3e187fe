#include "probe/bpf/sys.h"

#include "base/signals.h"

#include <ctype.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The part of union bpf_attr that a uprobe_multi link needs, from include/uapi/linux/bpf.h of Linux 6.6. It is repeated
 * here because distributions build with headers older than the kernels they run on. */
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

/* Internal to the kernel, but some of its calls return it. */
#define ENOTSUPP 524

enum { LOAD_TRIALS = 10 };

static int
bpf(int command, void *attr, size_t attr_sz)
{
	long result = syscall(SYS_bpf, command, attr, attr_sz);

	return result < 0 ? -errno : (int)result;
}

/* The kernel gives up with EAGAIN when a signal comes, even SIGCHLD, which is ignored, or when we are stopped, which
 * cannot be blocked. */
static int
load(void *attr, size_t attr_sz)
{
	sigset_t before;
	int fd = -EAGAIN;

	signals_block(&before);
	for (int i = 0; i < LOAD_TRIALS && fd == -EAGAIN; i++)
		fd = bpf(BPF_PROG_LOAD, attr, attr_sz);
	signals_restore(&before);
	return fd;
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
bpf_map_take(int map_fd, const void *key, void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = pointer(key);
	attr.value = pointer(value);
	int err = bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &attr, sizeof(attr));
	if (err != -ENOTSUP && err != -EINVAL && err != -ENOTSUPP)
		return err;
	err = bpf_map_read(map_fd, key, value);
	return err ? err : bpf_map_delete(map_fd, key);
}

/* out is zeroed. The kernel takes letters, digits, "_" and ".". */
static void
copy_name(char out[BPF_OBJ_NAME_LEN], const char *name)
{
	for (size_t i = 0; i < BPF_OBJ_NAME_LEN - 1 && name[i]; i++)
		out[i] = name[i] == '.' || isalnum((unsigned char)name[i]) ? name[i] : '_';
}

int
bpf_map_make(uint32_t type, const char *name, uint32_t key_bytes, uint32_t value_bytes, uint32_t entries,
	     uint32_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = key_bytes;
	attr.value_size = value_bytes;
	attr.max_entries = entries;
	attr.map_flags = flags;
	copy_name(attr.map_name, name);
	return bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

int
bpf_program_load(const void *insns, size_t cnt, const char *name, int expected_attach_type, char *log,
		 uint32_t log_bytes)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_KPROBE;
	attr.insns = pointer(insns);
	attr.insn_cnt = (uint32_t)cnt;
	attr.license = pointer("GPL");
	attr.expected_attach_type = (uint32_t)expected_attach_type;
	copy_name(attr.prog_name, name);
	if (log_bytes) {
		attr.log_level = 1;
		attr.log_buf = pointer(log);
		attr.log_size = log_bytes;
	}
	return load(&attr, sizeof(attr));
}

int
bpf_map_make_ring(uint32_t bytes)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_RINGBUF;
	attr.max_entries = bytes;
	return bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

int
bpf_link_uprobe_multi(int prog_fd, const char *path, const uint64_t *offsets,
		      const uint64_t *semaphore_offsets, const uint64_t *cookies, uint32_t cnt, pid_t pid)
{
	struct link_create_uprobe_multi attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_fd = (uint32_t)prog_fd;
	attr.attach_type = MULTI_ATTACH_TYPE;
	attr.path = pointer(path);
	attr.offsets = pointer(offsets);
	attr.ref_ctr_offsets = pointer(semaphore_offsets);
	attr.cookies = pointer(cookies);
	attr.cnt = cnt;
	attr.pid = (uint32_t)pid;
	return bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int
bpf_try_map(uint32_t value_bytes, uint32_t entries)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = 4;
	attr.value_size = value_bytes;
	attr.max_entries = entries;
	attr.map_flags = BPF_F_NO_PREALLOC; /* counts for the limit, but takes no memory */
	return bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

int
bpf_try_program(int expected_attach_type, uint32_t flags)
{
	/* "return 0" */
	static const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_KPROBE;
	attr.insns = pointer(program);
	attr.insn_cnt = sizeof(program) / sizeof(*program);
	attr.license = pointer("GPL");
	attr.prog_flags = flags;
	attr.expected_attach_type = (uint32_t)expected_attach_type;
	return load(&attr, sizeof(attr));
}

static int
perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	attr->size = sizeof(*attr);
	long fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

int
perf_try_uprobe(const char *path, uint64_t file_offset)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	struct perf_event_attr attr = {.config1 = pointer(path), .config2 = file_offset};
	int type = -1;

	if (!file)
		return -ENOENT;
	if (fscanf(file, "%d", &type) != 1)
		type = -1;
	fclose(file);
	if (type < 0)
		return -ENOENT;
	attr.type = (uint32_t)type;
	return perf_event_open(&attr, getpid(), -1);
}

int
perf_attach_tracepoint(int prog_fd, uint64_t event_id, pid_t pid)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .config = event_id, .sample_period = 1};
	int fd = perf_event_open(&attr, pid, -1);

	if (fd < 0)
		return fd;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd) || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}
