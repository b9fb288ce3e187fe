/* What this process may do beyond others of its user: its capabilities (capabilities(7)), whoever gave them: root, an
 * ambient set, file capabilities. doc/privileges.md has the measured table of what is needed for what. */
#ifndef TPCHECK_BASE_PRIVILEGES_H
#define TPCHECK_BASE_PRIVILEGES_H

#include "base/diag.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether whoever started us could do less than we can: we are root, or the program's file has capabilities (or is
 * setuid). What they told us beside the command line, the environment that is, is then not to be trusted. */
bool privileges_are_raised(void);

/* Whether we are in a user namespace: what is in the sets there does not count for BPF and perf events. */
bool privileges_are_confined(void);

/* Whether a capability (CAP_BPF, ...) is in the effective set. */
bool privileges_has(unsigned capability);
/* Whether it is in the bounding set: no user, root included, and no file can give what is not. */
bool privileges_can_have(unsigned capability);

/* Gives up all capabilities but those in kept, in all sets, the bounding set included where we may; what is kept
 * becomes effective for us, and goes to nobody whom we start unless they are root. To be called before there is a
 * second thread. */
int privileges_keep(const unsigned *kept, size_t kept_cnt, struct diag *diag);

/* For a child between fork and exec: they make async-signal-safe calls alone. The first makes sure, where we may, that
 * not even root gets any capability by exec; the second gives up all that there are, and makes exec give none. It
 * returns 0, or -1 with errno. */
void privileges_empty_bounds(void);
int privileges_drop(void);

#endif
