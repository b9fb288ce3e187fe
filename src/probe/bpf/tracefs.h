/* uprobe events of tracefs. */
#ifndef TPCHECK_PROBE_BPF_TRACEFS_H
#define TPCHECK_PROBE_BPF_TRACEFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* 0 when this user can define events there. -ENOENT: it is not mounted. */
int tracefs_try(void);
/* Removes the definitions that killed tpchecks left behind, if this user may. */
void tracefs_sweep(void);
/* A name that no other running tpcheck uses. */
void tracefs_event_name(char *name, size_t name_sz, unsigned attachment, size_t idx);
/* Defines the event and attaches; a descriptor whose close detaches, or a negative errno value. A semaphore's offset of
 * 0: none. The definition stays until tracefs_forget, which is for after the close. */
int tracefs_attach(int prog_fd, const char *name, const char *path, uint64_t file_offset,
		   uint64_t semaphore_file_offset, pid_t pid);
void tracefs_forget(const char *name);

#endif
