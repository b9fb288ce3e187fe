/* Everything that a run does, on the specimen: compile, attach, record, decode, match. Each round is a result. */
#ifndef TPCHECK_RUN_SELFTEST_H
#define TPCHECK_RUN_SELFTEST_H

#include "base/diag.h"
#include "probe/probe.h"
#include "report/report.h"

#include <stdatomic.h>

struct selftest_opts {
	struct probe_opts probe;
	const char *program;           /* for tests: another specimen than this program; else NULL */
	const atomic_int *interrupted; /* may be NULL */
	void (*on_begin)(void *cookie, const char *name, size_t number, size_t cnt);
	void (*on_end)(void *cookie, const struct report_result *result);
	void *cookie;
};

/* The names of the results that selftest_run appends, whatever happens; NULL-terminated. */
const char *const *selftest_names(void);
/* Appends to run->results, and sets run->attach and the duration. */
void selftest_run(const struct selftest_opts *opts, struct report_run *run);

#endif
