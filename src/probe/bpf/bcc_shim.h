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

struct bcc_shim;

/* The release of libbcc, "0.26.0"; static text. */
const char *bcc_shim_version(void);

/* Compiles a text. kernel_tree is the kernel's source tree; NULL lets libbcc look for headers itself. While this runs,
 * libbcc owns the process's working directory, environment, stdout and stderr. */
int bcc_shim_compile(struct bcc_shim **out, const char *text, const char *const *cflags, size_t cflags_cnt,
		     const char *kernel_tree, char *error, size_t error_sz);
/* Another one of the same instructions, with maps of its own; nothing is compiled. The model must outlive it. Any
 * thread may make one. */
int bcc_shim_copy(struct bcc_shim **out, struct bcc_shim *model, char *error, size_t error_sz);
/* Unloads what is loaded; NULL is fine. */
void bcc_shim_free(struct bcc_shim *shim);

/* What is loaded from now on uses that map where the text has bpf_pseudo_fd(1, number). The caller closes it. */
void bcc_shim_use_map(struct bcc_shim *shim, int number, int map_fd);
/* Loads a function as a uprobe program; attach_type 0, or the kernel's number of an expected attach type.
 * The descriptor belongs to the shim. */
int bcc_shim_load(struct bcc_shim *shim, const char *function, int attach_type, int *prog_fd, char *error,
		  size_t error_sz);
/* The descriptor of a map, or a negative errno value. Belongs to the shim. */
int bcc_shim_map_fd(struct bcc_shim *shim, const char *map);

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
