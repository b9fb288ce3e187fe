/* The system calls that libbcc does not make for us. All return 0 (or a descriptor) or a negative errno value. */
#ifndef TPCHECK_PROBE_BPF_SYS_H
#define TPCHECK_PROBE_BPF_SYS_H

#include <stdint.h>
#include <sys/types.h>

enum { MULTI_ATTACH_TYPE = 48 }; /* BPF_TRACE_UPROBE_MULTI, in linux/bpf.h since 6.6 */

int bpf_map_write(int map_fd, const void *key, const void *value);
int bpf_map_read(int map_fd, const void *key, void *value);
/* key NULL: the first one. -ENOENT after the last. */
int bpf_map_next_key(int map_fd, const void *key, void *next);
int bpf_map_delete(int map_fd, const void *key);
/* Reads and deletes; in one step where the kernel can (5.14 and newer). */
int bpf_map_take(int map_fd, const void *key, void *value);
/* Sizes in bytes; of the name, what the kernel takes. */
int bpf_map_make(uint32_t type, const char *name, uint32_t key_bytes, uint32_t value_bytes, uint32_t entries,
		 uint32_t flags);
/* A ring buffer (5.8 and newer). */
int bpf_map_make_ring(uint32_t bytes);
/* A uprobe program of cnt struct bpf_insn, with an expected attach type if that is not 0. log_bytes 0: without the
 * verifier's log. */
int bpf_program_load(const void *insns, size_t cnt, const char *name, int expected_attach_type, char *log,
		     uint32_t log_bytes);
/* Closing the descriptor detaches. A semaphore's offset of 0: none. */
int bpf_link_uprobe_multi(int prog_fd, const char *path, const uint64_t *offsets,
			  const uint64_t *semaphore_offsets, const uint64_t *cookies, uint32_t cnt,
			  pid_t pid);

/* Runs a program at each hit of an event of tracefs in a process. Closing the descriptor detaches. */
int perf_attach_tracepoint(int prog_fd, uint64_t event_id, pid_t pid);

/* Trials, for features.c: a descriptor or a negative errno value. */
int bpf_try_map(uint32_t value_bytes, uint32_t entries);
int bpf_try_program(int expected_attach_type, uint32_t flags);
/* On tpcheck's own code at that offset of the file. -ENOENT: the kernel has no uprobe PMU. */
int perf_try_uprobe(const char *path, uint64_t file_offset);

#endif
