/* Standard error, as people and logs get it. Messages contain what others wrote: arguments, paths, a node's last words.
 * So control characters and bytes that are not UTF-8 are shown as \xNN, and of a line that is too long the middle is
 * left out. A reader that reads nothing does not keep tpcheck from ending: see base/writer.h. */
#ifndef TPCHECK_CLI_MESSAGES_H
#define TPCHECK_CLI_MESSAGES_H

#include <stdatomic.h>

/* It is time to end once *interrupted is set. */
void messages_set_up(const atomic_int *interrupted);

#endif
