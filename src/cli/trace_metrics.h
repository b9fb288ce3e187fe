/* The metrics of a trace (--format=openmetrics and prometheus): in a file that is replaced as a whole, or served by
 * HTTP. */
#ifndef TPCHECK_CLI_TRACE_METRICS_H
#define TPCHECK_CLI_TRACE_METRICS_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/keeper.h"
#include "cli/trace_options.h"

#include <stdbool.h>
#include <stdint.h>

struct http;

struct trace_metrics {
	const struct trace_options *options;
	/* Adds all metrics as they are now. */
	void (*render)(void *cookie, bool is_prometheus, struct buf *out);
	void *cookie;
	char *new_path;             /* next to the file, which it replaces */
	struct keeper_deed removal; /* of that, should tpcheck be killed */
	struct http *http;
	char url[64];
	uint64_t written_ns; /* when the file was last due */
	bool has_failed;     /* to write the file; reported once */
};

/* Opens what the options name, and writes the file for the first time. -EINVAL and the system's errors: it cannot be
 * used. trace_metrics_close is due even after an error. */
int trace_metrics_open(struct trace_metrics *metrics, struct diag *diag);
/* Answers requests, and writes the file if that is due. diag: why the file could not be written, once; else "". */
void trace_metrics_pause(struct trace_metrics *metrics, struct diag *diag);
/* The same, and writes the file in any case. */
void trace_metrics_end(struct trace_metrics *metrics, struct diag *diag);
void trace_metrics_close(struct trace_metrics *metrics);

#endif
