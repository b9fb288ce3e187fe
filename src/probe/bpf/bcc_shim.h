/* All that tpcheck uses of libbcc, as C. Private to src/probe/bpf.
 *
 * Nothing of C++ crosses: every function catches what is thrown, returns 0 or a negative errno value and fills the
 * caller's text, which includes what libbcc printed meanwhile. */
#ifndef TPCHECK_PROBE_BPF_BCC_SHIM_H
#define TPCHECK_PROBE_BPF_BCC_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The release of libbcc, "0.26.0"; static text. */
const char *bcc_shim_version(void);

/* As for BPF_MAP_CREATE; fd stands for it in instructions, and is closed when bcc_shim_compile returns. */
struct bcc_shim_map {
	const char *name;
	uint32_t type, key_bytes, value_bytes, entries, flags;
	int fd;
};

/* Is given what was compiled, the maps first. All is lent. */
struct bcc_shim_sink {
	void *cookie;
	void (*on_map)(void *cookie, const struct bcc_shim_map *map);
	void (*on_function)(void *cookie, const char *name, const void *insns, size_t bytes);
};

/* Compiles a text. kernel_tree is the kernel's source tree; NULL lets libbcc look for headers itself. While this runs,
 * libbcc owns the process's working directory, environment, stdout and stderr. */
int bcc_shim_compile(const char *text, const char *const *cflags, size_t cflags_cnt, const char *kernel_tree,
		     const struct bcc_shim_sink *sink, char *error, size_t error_sz);

/* Attaches by one perf event, libbcc's own way. The descriptor belongs to the caller, closing it detaches;
 * event_name is the name in tracefs if libbcc had to go through it. */
int bcc_shim_attach_uprobe(int prog_fd, const char *event_name, const char *binary, uint64_t file_offset,
			   pid_t pid, uint32_t semaphore_file_offset, int *event_fd, char *error,
			   size_t error_sz);
/* Removes a name from tracefs. */
void bcc_shim_forget_event(const char *event_name);

#ifdef __cplusplus
}
#endif

#endif
