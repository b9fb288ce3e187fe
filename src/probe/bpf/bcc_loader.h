/* The shim is a module of its own, because libbcc, and LLVM with it, is neither needed nor loaded where probes are
 * observed by ptrace. The functions of bcc_shim.h may be called once it is loaded. */
#ifndef TPCHECK_PROBE_BPF_BCC_LOADER_H
#define TPCHECK_PROBE_BPF_BCC_LOADER_H

#include "base/diag.h"

#include <stddef.h>

/* Loads the module, once; it stays. -ELIBACC: it, or a library that it needs, is not there; the text says which, and
 * what to install. */
int bcc_loader_load(struct diag *diag);
/* Its path, whether or not it is there; errors of module_find. */
int bcc_loader_path(char *path, size_t path_sz);

#endif
