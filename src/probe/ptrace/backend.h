/* The backend that observes probes by ptrace: no privilege, no BPF, and nothing to compile. */
#ifndef TPCHECK_PROBE_PTRACE_BACKEND_H
#define TPCHECK_PROBE_PTRACE_BACKEND_H

#include "probe/backend.h"

extern const struct probe_backend ptrace_backend;

#endif
