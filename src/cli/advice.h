/* What doctor recommends: which of the ways in doc/privileges.md is the shortest for this user and machine. */
#ifndef TPCHECK_CLI_ADVICE_H
#define TPCHECK_CLI_ADVICE_H

#include "probe/probe.h"

#include <stdio.h>

/* Prints which method is used, what it needs that is not there, by name, and how to get it; or what else could be
 * gained. bpf_reason: why it is not BPF; NULL when it is. can_isolate: a node can have a network of its own.
 * run_options: what the command that it prints has after "run". */
void advice_print(const struct probe_feature *features, size_t features_cnt, const char *bpf_reason,
		  bool can_isolate, const char *run_options, FILE *out);

#endif
