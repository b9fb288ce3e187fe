/* A line on a terminal that shows what is running, and for how long. Private to src/report. */
#ifndef TPCHECK_REPORT_LIVE_H
#define TPCHECK_REPORT_LIVE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

/* out writes to the terminal fd (in tests, to anything; fd may be -1) with ANSI's "erase the rest of the line". The line is
 * redrawn every tick_ms. Between live_show and live_hide nobody else may write to out. interrupted: see
 * base/writer.h. */
struct live;
struct live *live_new(FILE *out, int fd, const atomic_int *interrupted, unsigned tick_ms);
/* Shows "[number/total] name ... 0.0 s" in place of the previous line. */
void live_show(struct live *live, const char *name, size_t number, size_t total);
/* Erases the line; afterwards nothing is written until live_show. NULL is fine, for both. */
void live_hide(struct live *live);
void live_free(struct live *live);

#endif
