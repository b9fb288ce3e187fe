/* The built-in kernel headers (probes/kernel) as a directory, for libbcc. */
#ifndef TPCHECK_PROBE_BPF_KERNEL_TREE_H
#define TPCHECK_PROBE_BPF_KERNEL_TREE_H

#include "base/diag.h"

/* Writes them to a new directory below tmpdir, an absolute path; NULL: /tmp. *path is handed back to
 * kernel_tree_remove. */
int kernel_tree_write(char **path, const char *tmpdir, struct diag *diag);
/* Frees path too; NULL is fine. */
void kernel_tree_remove(char *path);

#endif
