/* The runner: the one place that wires notes, contract, probes, node and report together. */
#ifndef TPCHECK_RUN_RUNNER_H
#define TPCHECK_RUN_RUNNER_H

#include "probe/probe.h"
#include "report/report.h"
#include "run/artifacts.h"
#include "run/checks.h"
#include "scene/scenario.h"

#include <stdatomic.h>

struct runner_opts {
	const char *bitcoind;   /* absolute path */
	unsigned release;       /* whose contract it is checked against; 0: master's */
	const char *user;       /* who bitcoind runs as when we are root; NULL: see struct node_opts */
	const char *sudo_uid;   /* $SUDO_UID, see struct node_opts */
	bool same_user;         /* see struct node_opts */
	const char *tmpdir;     /* where the nodes' datadirs are made; NULL or "": /tmp */
	const char *const *env; /* more variables for the nodes, see struct node_opts; NULL: none */
	const char *env_hint;   /* which of the caller's variables they are not given; NULL: nothing to say */
	const struct scenario *const *scenarios; /* in the order in which they run; NULL-terminated */
	unsigned jobs;                           /* how many run at a time, at most; 0: 1 */
	struct probe_opts probe;
	unsigned timeout_ms;           /* of one scenario, its node's start included */
	bool details_warn;             /* findings about details do not fail a scenario */
	struct artifacts *artifacts;   /* where to keep what explains a failure */
	const char *repeat_prefix;     /* "tpcheck run --bitcoind=...", to which a scenario's name is added */
	unsigned fail_at;              /* for tests: see struct scene */
	const struct machine *machine; /* for tests; NULL: machine_real */
	const atomic_int *interrupted;
	void (*on_begin)(void *cookie, const char *name, size_t number, size_t cnt);
	void (*on_end)(void *cookie, const struct report_result *result);
	void *cookie;
};

/* Runs them. run->results gets one entry for each scenario whatever happens. All that was started has ended when it
 * returns, except what runner_finish ends. */
struct runner *runner_run(const struct runner_opts *opts, struct report_run *run);
/* Whether runner_finish will take seconds. */
bool runner_finishes_slowly(const struct runner *runner);
/* Detaches what takes long to detach; for after the verdict was reported. NULL is fine. An error, reported on standard
 * error, if a node or a datadir could not be removed. */
int runner_finish(struct runner *runner);

#endif
