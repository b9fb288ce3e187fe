/* The three ways to follow a process: by its PID, by a PID file over restarts, and from the start of a bitcoind. */
#ifndef TPCHECK_CLI_TRACE_FOLLOW_H
#define TPCHECK_CLI_TRACE_FOLLOW_H

#include "base/diag.h"
#include "cli/trace_display.h"
#include "cli/trace_options.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct tracer;
struct tracer_group;

/* A trace while it runs. */
struct trace_session {
	const struct trace_options *options;
	const atomic_int *interrupted;
	struct tracer *tracer;
	struct tracer_group *group; /* of several processes; NULL */
	struct trace_display display;
	pid_t pid;                 /* the process that is attached to, or was last */
	struct stat binary;        /* the file that the probes are made for; st_ino 0: none */
	bool is_ending;            /* by itself: its processes have not ended */
	bool is_attached;          /* the current process could be attached to */
	bool is_waiting_announced; /* for the PID file */
	bool is_usage_error;       /* what failed is what the caller named */
	bool was_process_untraced; /* a process that the PID file named could not be traced */
};

/* Whether it is time to end. */
bool trace_is_over(const struct trace_session *session);

/* Reports that a process is attached to, once it is; the first one starts the clock. */
void trace_say_attached(struct trace_session *session, const struct tracer *tracer, pid_t pid);
/* Reports what differs from the documentation in a binary, unless that was the last one that this was reported of. */
void trace_say_differences(struct trace_session *session, const struct tracer *tracer,
			   const struct stat *binary);
/* Whether an error means that the caller named tracepoints or arguments that do not exist, or too many. */
bool trace_is_usage_error(int err, const char *path);

/* Follows until it is time to end, or the process has ended. */
int trace_follow(struct trace_session *session, struct diag *diag);

#endif
