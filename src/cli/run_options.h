/* The command line of tpcheck run. */
#ifndef TPCHECK_CLI_RUN_OPTIONS_H
#define TPCHECK_CLI_RUN_OPTIONS_H

#include "cli/reporting.h"
#include "probe/probe.h"
#include "scene/scenario.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUN_DEFAULT_TIMEOUT_S = 60, RUN_MAX_JOBS = 64 };

struct run_options {
	const char *bitcoind, *artifacts, *user; /* NULL: not given */
	const char **env;                        /* "NAME=VALUE", NULL-terminated; NULL: none */
	size_t env_cnt;
	bool list, details_warn;
	unsigned timeout_s;
	unsigned jobs;    /* 0: not given */
	unsigned release; /* 0: not given */
	uint32_t seed;    /* of --shuffle; 0: not given */
	struct reporting reporting;
	struct probe_opts probe;
	const char **patterns;
	size_t patterns_cnt;
	const struct scenario **chosen; /* the scenarios that match; NULL-terminated */
	size_t chosen_cnt;
};

/* Ends the program if the command line is wrong. */
void run_options_parse(struct run_options *options, int argc, char **argv);
/* All but the reporting. */
void run_options_fini(struct run_options *options);

#endif
