/* Whether ptrace works here: see probe.h. */
#ifndef TPCHECK_PROBE_PTRACE_OBSTACLES_H
#define TPCHECK_PROBE_PTRACE_OBSTACLES_H

#include "probe/probe.h"

size_t ptrace_try_features(struct probe_feature features[], const char *kernel_source);
bool ptrace_find_early_obstacle(enum probe_method method, char *reason, size_t reason_sz);
bool ptrace_find_obstacle(enum probe_method method, char *reason, size_t reason_sz);

#endif
