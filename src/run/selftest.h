/* The whole way on the specimen: compile, attach, trap, ring, decode, match; each round a result. */
#ifndef TPCHECK_RUN_SELFTEST_H
#define TPCHECK_RUN_SELFTEST_H

#include "base/diag.h"
#include "probe/probe.h"
#include "report/report.h"

#include <signal.h>

struct selftest_opts {
	struct probe_opts probe;
	const char *program; /* another specimen than this program itself, for tests; NULL */
	const volatile sig_atomic_t *interrupted; /* may be NULL */
	void (*on_begin)(void *cookie, const char *name, size_t number, size_t of);
	void (*on_end)(void *cookie, const struct report_result *result);
	void *cookie;
};

/* How many results selftest_run gives, whatever happens. */
size_t selftest_results_cnt(void);
/* Appends to run->results, with run->attach. */
void selftest_run(const struct selftest_opts *opts, struct report_run *run);

#endif
