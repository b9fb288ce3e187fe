/* Whether a uprobe_multi link sees every thread of a process. */
#ifndef TPCHECK_PROBE_BPF_MULTI_H
#define TPCHECK_PROBE_BPF_MULTI_H

#include "base/diag.h"

#include <stddef.h>
#include <stdint.h>

/* Tries it with that program on tpcheck itself. -EOPNOTSUPP: it does not. *trial_fd is the link, or -1; the caller
 * closes it, which takes the kernel 20 ms. */
int multi_try(int prog_fd, int counters_fd, int *trial_fd, struct diag *diag);
/* The code that trials attach to: a path of its file, and the offset in it. */
int multi_try_target(char *path, size_t path_sz, uint64_t *file_offset);

#endif
