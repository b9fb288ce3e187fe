/* What puts traps and semaphores into a process, made and taken out by the keeper: a process that is being killed
 * cannot take them out, and they would stay in the other process for good. */
#ifndef TPCHECK_PROBE_BPF_LINKS_H
#define TPCHECK_PROBE_BPF_LINKS_H

#include "base/keeper.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As bpf_link_uprobe_multi. A deed, or a negative errno value. */
int links_make_multi(struct keeper *keeper, struct keeper_deed *deed, int prog_fd, const char *path,
		     const uint64_t *offsets, const uint64_t *semaphore_offsets, const uint64_t *cookies,
		     uint32_t cnt, pid_t pid, struct diag *diag);

/* A perf event for one point; semaphore_offset 0: none. */
struct links_event {
	char name[64]; /* in tracefs, as long as it needs one there */
	char path[64];
	uint64_t offset, semaphore_offset;
	pid_t pid;
};
/* Opened by libbcc; diag is what it printed. */
int links_make_perf(struct keeper *keeper, struct keeper_deed *deed, int prog_fd,
		    const struct links_event *event, struct diag *diag);
/* By an event of tracefs. */
int links_make_tracefs(struct keeper *keeper, struct keeper_deed *deed, int prog_fd,
		       const struct links_event *event, struct diag *diag);

#endif
