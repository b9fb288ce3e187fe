/* Whether a uprobe_multi link sees every thread of a process. */
#ifndef TPCHECK_PROBE_BPF_MULTI_H
#define TPCHECK_PROBE_BPF_MULTI_H

#include "base/diag.h"
#include "base/keeper.h"

#include <stddef.h>
#include <stdint.h>

/* Tries it with that program on tpcheck itself. -EOPNOTSUPP: it does not. The caller undoes the trial,
 * which takes the kernel 20 ms. */
int multi_try(struct keeper *keeper, int prog_fd, int counters_fd, struct keeper_deed *trial,
	      struct diag *diag);
/* The code that trials attach to: a path of its file, and the offset in it. */
int multi_try_target(char *path, size_t path_sz, uint64_t *file_offset);

#endif
