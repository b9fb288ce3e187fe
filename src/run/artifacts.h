/* The folder that a failed run leaves behind: one folder for each scenario that did not pass, with the node's
 * debug.log, the events as JSON lines, the findings, the probes' text and the command to repeat it. */
#ifndef TPCHECK_RUN_ARTIFACTS_H
#define TPCHECK_RUN_ARTIFACTS_H

#include "base/event.h"
#include "node/node.h"
#include "report/report.h"

#include <stddef.h>

struct artifacts;

/* dir NULL: a new folder in the temporary directory, made when the first scenario is kept. Never NULL. */
struct artifacts *artifacts_new(const char *dir);
void artifacts_free(struct artifacts *artifacts); /* NULL is fine; leaves the files */

/* Makes the folder that was given, with those above it, so that a run does not end without one. 0 when none was
 * given. */
int artifacts_prepare(struct artifacts *artifacts, struct diag *diag);

/* Returns the scenario's folder, which is always a new one: "NAME", else "NAME.2" and so on (the caller's to
 * free), or NULL when nothing could be written, after telling why on stderr. node, events and probes_text may be
 * NULL. */
char *artifacts_keep(struct artifacts *artifacts, const char *name, struct node *node,
		     const struct event *events, size_t events_cnt, const struct report_result *result,
		     const char *probes_text);

/* One event as a JSON object on one line, without the newline; the caller's to free. */
char *event_json(const struct event *event);

#endif
