/* The backend that observes by uprobes and BPF programs, compiled by libbcc. */
#ifndef TPCHECK_PROBE_BPF_BACKEND_H
#define TPCHECK_PROBE_BPF_BACKEND_H

#include "probe/backend.h"

extern const struct probe_backend bpf_backend;

#endif
