/* A trace of several processes: those whose PIDs were given, or all that run a program of a name or are in a control
 * group, which come and go. */
#ifndef TPCHECK_CLI_TRACE_MANY_H
#define TPCHECK_CLI_TRACE_MANY_H

#include "base/diag.h"
#include "cli/trace_follow.h"

struct tracer_group;
struct tracer_opts;

/* The group of a session, which is borrowed. */
struct tracer_group *trace_many_new(struct trace_session *session, const struct tracer_opts *opts);

/* Follows until it is time to end, or all given processes have ended. */
int trace_many_follow(struct trace_session *session, struct diag *diag);

#endif
