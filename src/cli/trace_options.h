/* The command line of tpcheck trace. */
#ifndef TPCHECK_CLI_TRACE_OPTIONS_H
#define TPCHECK_CLI_TRACE_OPTIONS_H

#include "cli/cli.h"
#include "probe/probe.h"
#include "trace/stats.h"
#include "trace/where.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum trace_format { TRACE_FORMAT_TEXT, TRACE_FORMAT_JSON, TRACE_FORMAT_OPENMETRICS, TRACE_FORMAT_PROMETHEUS };

struct trace_options {
	/* Exactly one of these is given. */
	pid_t *pids;
	size_t pids_cnt;
	const char *pid_file, *bitcoind, *name, *cgroup;
	const char *user; /* NULL: not given */
	const char **env; /* "NAME=VALUE", ended by NULL; NULL: none */
	size_t env_cnt;
	const char **node_args; /* ended by NULL */
	size_t node_args_cnt;
	const char **patterns;
	size_t patterns_cnt;
	enum trace_format format;
	const char *output, *listen;              /* of metrics; NULL: not given */
	uint64_t count, duration_ns, interval_ns; /* 0: not given */
	bool stats;
	struct stats_opts stats_opts;
	size_t by_given_cnt; /* of stats_opts.by; further ones are defaults */
	uint32_t payload_bytes;
	struct where_term where[CONDITIONS_MAX];
	size_t where_cnt;
	struct probe_opts probe;
	unsigned release; /* 0: not given */
};

/* Whether several processes were asked for, whatever their number is. */
bool trace_options_has_many(const struct trace_options *options);

/* Whether what is shown are metrics. */
bool trace_options_has_metrics(const struct trace_options *options);

/* Ends the program if the command line is wrong. */
void trace_options_parse(struct trace_options *options, int argc, char **argv);
void trace_options_fini(struct trace_options *options);

#endif
