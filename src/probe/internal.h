/* What the files of this folder share. */
#ifndef TPCHECK_PROBE_INTERNAL_H
#define TPCHECK_PROBE_INTERNAL_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/record.h"
#include "probe/probe.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	/* Threads of one process that are told apart: as many as have room, within these bounds. */
	TEXT_THREADS_MIN = 128,
	TEXT_THREADS_MAX = 1024,
	TEXT_THREADS_BYTES = 4 << 20,
	MULTI_ATTACH_TYPE = 48, /* BPF_TRACE_UPROBE_MULTI, linux/bpf.h since 6.6 */
};

/* The cookie of the try in multi.c; no point's, as theirs have a size in the upper half. */
#define TEXT_TRY_COOKIE UINT64_C(0xffff)

/* The maps' values, as in probes/prelude.bpf.c. */
struct control_value {
	uint64_t mask;
	uint32_t generation, pad;
};
struct counters_value {
	uint64_t no_memory, tried;
};

/* text.c: the text for libbcc. Function names of the perf method by text_function_name. */
void text_generate(const struct probe_point *points, size_t points_cnt, enum probe_method method,
		   struct buf *out);
#define TEXT_MULTI_FUNCTION "on_any_point"
void text_function_name(const struct probe_point *point, size_t idx, char *out, size_t out_sz);
/* What the kernel keeps with a point and hands to the program; prelude.bpf.c says what is where. */
uint64_t text_cookie(const struct probe_point *point, size_t idx);
uint32_t text_record_bytes(const struct probe_point *points, size_t points_cnt);
size_t text_threads(uint32_t record_bytes);

/* kernel_tree.c: the built-in headers as a directory. The path is owned by the caller. */
int kernel_tree_write(char **path, struct diag *diag);
void kernel_tree_remove(char *path);

/* bpf_sys.c: the bpf() calls that libbcc does not have. All return 0 (or a descriptor) or a negative errno. */
int bpf_map_write(int map_fd, const void *key, const void *value);
int bpf_map_read(int map_fd, const void *key, void *value);
/* key NULL: the first one. -ENOENT after the last. */
int bpf_map_next_key(int map_fd, const void *key, void *next);
int bpf_map_delete(int map_fd, const void *key);
/* Reads and deletes in one step, where the kernel can (5.14 and newer). */
int bpf_map_take(int map_fd, const void *key, void *value);
int bpf_link_uprobe_multi(int prog_fd, const char *path, const uint64_t *offsets,
			  const uint64_t *ref_ctr_offsets, const uint64_t *cookies, uint32_t cnt, pid_t pid);

/* bpf_sys.c: tries for probe_try_features. A descriptor or a negative errno. */
int bpf_try_map(void);
int bpf_try_program(int expected_attach_type);
int perf_try_ring(void);
/* On tpcheck's own code at that offset of the file; -ENOENT: the kernel has no uprobe PMU. */
int perf_try_uprobe(const char *path, uint64_t file_offset);

/* bpf_sys.c: a perf event that runs a program at each hit of an event of tracefs in a process. A descriptor, or a
 * negative errno. */
int perf_attach_tracepoint(int prog_fd, uint64_t number, pid_t pid);

/* tracefs.c: uprobe events by way of tracefs. */
/* 0 when this user can define events there; -ENOENT: it is not mounted. */
int tracefs_try(void);
/* Takes out what killed tpchecks left. */
void tracefs_sweep(void);
/* A name that no other running tpcheck has. */
void tracefs_event_name(char *name, size_t name_sz, unsigned attachment, size_t idx);
/* Defines the event and attaches; a descriptor whose close detaches, or a negative errno. semaphore_file_offset 0:
 * none. The definition stays until it is forgotten, after the close. */
int tracefs_attach(int prog_fd, const char *name, const char *path, uint64_t file_offset,
		   uint64_t semaphore_file_offset, pid_t pid);
void tracefs_forget(const char *name);

/* multi.c: does a link with this program see every thread of a process? Tried on tpcheck itself. *tried_fd is the link
 * that was tried, or -1: the caller's to close, which takes the kernel 20 ms. */
int multi_try(int prog_fd, int counters_fd, int *tried_fd, struct diag *diag);
/* Where in which file the code is that the tries attach to. */
int multi_try_target(char *path, size_t path_sz, uint64_t *file_offset);

/* process.c: looks into a process that is traced. */
struct process_view;
int process_view_open(struct process_view **out, pid_t pid, struct diag *diag);
void process_view_close(struct process_view *view);
/* Where the byte at a file offset of the process's executable is mapped: as code, or as private writable data. */
int process_view_address(struct process_view *view, uint64_t file_offset, bool writable, uint64_t *address,
			 struct diag *diag);
int process_view_read(struct process_view *view, uint64_t address, void *to, size_t bytes, struct diag *diag);
/* The same bytes in the file. */
int process_view_read_file(struct process_view *view, uint64_t file_offset, void *to, size_t bytes,
			   struct diag *diag);
/* Whether the numbers of threads that the kernel tells are those that /proc shows: not in another PID namespace. */
bool process_knows_threads(void);
/* Whether a thread of that process has ended. Not to be trusted unless process_knows_threads. */
bool process_thread_has_ended(pid_t pid, uint32_t tid);

#endif
