/* The folder that a failed run leaves behind: a folder for each scenario that did not pass, with the node's debug.log
 * and what it printed (output.txt), the events as JSON lines, the findings, the text of the probes and the command that
 * repeats it. */
#ifndef TPCHECK_RUN_ARTIFACTS_H
#define TPCHECK_RUN_ARTIFACTS_H

#include "base/event.h"
#include "node/node.h"
#include "report/report.h"

#include <stddef.h>
#include <sys/types.h>

struct artifacts;

struct artifacts_opts {
	const char *dir;     /* NULL: a new folder in tmp_dir, made when the first scenario is kept */
	const char *tmp_dir; /* NULL: /tmp */
	uid_t uid;           /* whom the folders and files are given to if we are root; 0: they stay root's */
	gid_t gid;
};

/* Copies opts. */
struct artifacts *artifacts_new(const struct artifacts_opts *opts);
void artifacts_free(struct artifacts *artifacts); /* NULL is fine; leaves the files */

/* Makes the given folder and its parents, to find out before a run whether that is possible. 0 if none was given. */
int artifacts_prepare(struct artifacts *artifacts, struct diag *diag);

/* Returns the scenario's folder, which is always a new one: "NAME", else "NAME.2" and so on (the caller's to
 * free); NULL when it could not be made, after printing why to stderr. The end of the node's log and of its output are
 * kept in the result as well. node, events and probes_text may be NULL. May be called by several threads. */
char *artifacts_keep(struct artifacts *artifacts, const char *name, struct node *node,
		     const struct event *events, size_t events_cnt, struct report_result *result,
		     const char *probes_text);

/* Removes a folder that artifacts_keep made, unless something else was put in its place. */
void artifacts_drop(struct artifacts *artifacts, const char *dir);

#endif
