/* The capabilities of this process (capabilities(7)), wherever they come from: root, an ambient set, the program's
 * file. doc/privileges.md has a table of what needs which. */
#ifndef TPCHECK_BASE_PRIVILEGES_H
#define TPCHECK_BASE_PRIVILEGES_H

#include "base/diag.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether this process may do more than the one that started it: it is root, or the program's file has capabilities or
 * is setuid. The environment is then not to be trusted. */
bool privileges_are_raised(void);

/* Whether this process is in a user namespace: its capabilities then do not count for BPF and perf events. */
bool privileges_are_confined(void);

/* Whether a capability (CAP_BPF, ...) is in the effective set; false also where that cannot be read. */
bool privileges_has(unsigned capability);
/* Whether it is in the bounding set: what is not can be given by no user, not even root, and no file. False also
 * where that cannot be read. */
bool privileges_can_have(unsigned capability);

/* Gives up all capabilities but these, in all sets, if permitted also in the bounding set. Those that are kept become
 * effective, and child processes get them only as root. To be called before there is a second thread. */
int privileges_keep(const unsigned *capabilities, size_t cnt, struct diag *diag);

/* For a child between fork and exec; both are async-signal-safe. The first empties the bounding set if permitted, so
 * that exec gives capabilities to nobody, not even to root. The second gives up all capabilities, and prevents exec
 * from giving new ones; it returns 0, or -1 with errno. */
void privileges_empty_bounds(void);
int privileges_drop(void);

#endif
