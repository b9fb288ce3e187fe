/* The built-in kernel headers (probes/kernel) as a directory, for libbcc. */
#ifndef TPCHECK_PROBE_BPF_KERNEL_TREE_H
#define TPCHECK_PROBE_BPF_KERNEL_TREE_H

#include "base/folder.h"

/* Writes them to a new directory below tmpdir, an absolute path; NULL: /tmp. kernel_tree_remove
 * removes it. */
int kernel_tree_write(struct folder *folder, struct keeper *keeper, const char *tmpdir, struct diag *diag);
void kernel_tree_remove(struct folder *folder);

#endif
