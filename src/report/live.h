/* A line on a terminal that says what is going on, and for how long already. Private to src/report. */
#ifndef TPCHECK_REPORT_LIVE_H
#define TPCHECK_REPORT_LIVE_H

#include <stddef.h>
#include <stdio.h>

/* out is a terminal (for tests, anything) that understands ANSI's "erase the rest of the line". The line is drawn anew
 * every tick_ms. Between live_show and live_hide nobody else may write to out. */
struct live;
struct live *live_new(FILE *out, unsigned tick_ms);
/* Shows "[number/of] name ... 0.0 s" in place of what was shown before. */
void live_show(struct live *live, const char *name, size_t number, size_t of);
/* Takes the line off the screen; when it returns, nothing is written until live_show. NULL is fine, for free too. */
void live_hide(struct live *live);
void live_free(struct live *live);

#endif
