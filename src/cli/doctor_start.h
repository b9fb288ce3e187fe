/* Whether bitcoind can be started at all, as run would start it. */
#ifndef TPCHECK_CLI_DOCTOR_START_H
#define TPCHECK_CLI_DOCTOR_START_H

#include "base/diag.h"

/* Runs "bitcoind -version" in a folder such as run makes for each node, as that user (NULL: as run chooses), with these
 * variables in addition (NULL-terminated; may be NULL). 0: diag has the first line that it printed. Otherwise diag has
 * the reason, with the last lines of its output. Takes DOCTOR_START_MS at most. */
int doctor_start(const char *bitcoind, const char *user, const char *const *env, struct diag *diag);
enum { DOCTOR_START_MS = 20000 };

#endif
