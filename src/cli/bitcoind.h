/* Which bitcoind a command works with. */
#ifndef TPCHECK_CLI_BITCOIND_H
#define TPCHECK_CLI_BITCOIND_H

#include "base/diag.h"

/* given is the value of --bitcoind, or NULL; see node_find_bitcoind. */
int bitcoind_find(const char *given, char **path, struct diag *diag);

#endif
