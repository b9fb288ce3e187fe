/* Which bitcoind a command works with. */
#ifndef TPCHECK_CLI_BITCOIND_H
#define TPCHECK_CLI_BITCOIND_H

#include "base/diag.h"

#include <stdbool.h>

/* given is the value of --bitcoind, or NULL; see node_find_bitcoind. For the launcher "bitcoin", the node that it
 * starts. */
int bitcoind_find(const char *given, char **path, struct diag *diag);

/* Whether a bitcoind that we start has to run as our own user, because we could not look into another's process: we are
 * root without CAP_SYS_PTRACE. */
bool bitcoind_needs_same_user(void);
/* Why it runs as root without --user=root, in one line; NULL if it does not. user is the value of --user, or
 * NULL. The caller frees it. */
char *bitcoind_user_note(const char *user);

#endif
