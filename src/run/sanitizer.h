/* What the sanitizers that a bitcoind was built with (AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer,
 * ThreadSanitizer, ...) print to standard error, as findings. Pure, but for sanitizer_is_in. */
#ifndef TPCHECK_RUN_SANITIZER_H
#define TPCHECK_RUN_SANITIZER_H

#include "base/finding.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads what one node prints, piece by piece. */
struct sanitizer_scan;

struct sanitizer_scan *sanitizer_scan_new(void);
void sanitizer_scan_free(struct sanitizer_scan *scan); /* NULL is fine */

/* Reads the next piece, which may end anywhere, and adds a finding for each report that is complete. */
void sanitizer_scan_feed(struct sanitizer_scan *scan, const char *text, size_t len,
			 struct findings *findings);
/* Whether the node is in the middle of a report after which it ends by itself. */
bool sanitizer_scan_is_reporting(const struct sanitizer_scan *scan);
/* To be called at the end of a scenario: adds the finding for a report that has begun, as no more of it is waited for,
 * and one for all reports that were left out because they are like others, or too many. */
void sanitizer_scan_flush(struct sanitizer_scan *scan, struct findings *findings);
/* Why leaks could not be looked for, or NULL; forgets it. */
const char *sanitizer_scan_take_obstacle(struct sanitizer_scan *scan);

/* Whether the program, or the shared library, was built with a sanitizer. False for what cannot be read. */
bool sanitizer_is_in(const char *path);

#endif
