/* Which of the ways in doc/privileges.md is nearest for whoever asks. */
#ifndef TPCHECK_CLI_NEAREST_H
#define TPCHECK_CLI_NEAREST_H

#include "probe/probe.h"

#include <stdio.h>

/* Tells on out what is lacking to trace, by name, and how to give it; or what more there would be. */
void nearest_tell(const struct probe_feature *features, size_t features_cnt, FILE *out);

#endif
