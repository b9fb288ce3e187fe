#include "run/selftest.h"

#include "base/xmem.h"
#include "run/plan.h"
#include "run/specimen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	COLLECT_MS = 10000,
	BURST_HITS = 20000,
};

enum { RESULTS = 5 };
static const char *const names[RESULTS + 1] = {"selftest.typical", "selftest.least", "selftest.greatest",
					       "selftest.beyond", "selftest.burst"};
static const enum specimen_round rounds[RESULTS - 1] = {SPECIMEN_TYPICAL, SPECIMEN_LEAST, SPECIMEN_GREATEST,
							SPECIMEN_BEYOND};

static struct report_result *
add_result(struct report_run *run, const char *name)
{
	run->results = xreallocarray(run->results, run->results_cnt + 1, sizeof(*run->results));
	struct report_result *result = &run->results[run->results_cnt++];

	*result = (struct report_result){.name = name};
	return result;
}

static void
check_round(enum specimen_round round, const struct event *events, size_t cnt, struct report_result *result)
{
	struct expect *x = expect_new();
	struct diag diag;

	specimen_expect(x, round, UINT64_MAX);
	if (expect_match(x, TP_NET_INBOUND_MESSAGE, events, cnt, &result->findings, &diag)) {
		result->outcome = OUTCOME_ERROR;
		result->reason = xstrdup(diag.text);
	} else if (result->findings.cnt) {
		result->outcome = OUTCOME_FAIL;
	}
	expect_free(x);
}

/* Every number from 0, once and in order. */
static void
check_burst(const struct event *events, size_t cnt, struct report_result *result)
{
	char want[32], got[64];
	size_t i = 0;

	while (i < cnt && events[i].tracepoint == TP_UTXOCACHE_ADD && events[i].args[1].u == i)
		i++;
	if (i == BURST_HITS && cnt == BURST_HITS)
		return;
	snprintf(want, sizeof(want), "%d events", BURST_HITS);
	snprintf(got, sizeof(got), "%zu events, %zu of them in order", cnt, i);
	findings_add(&result->findings, FINDING_CONTRACT, "utxocache:add", 0, NULL, want, got,
		     "the specimen's burst", "not every event of a burst arrived once and in order");
	result->outcome = OUTCOME_FAIL;
}

static void
run_one(size_t idx, struct specimen *specimen, struct probe_set *set, const struct plan *plan,
	struct report_result *result)
{
	struct record_list records;
	struct event *events = NULL;
	struct diag diag;
	char command[32];
	bool is_burst = idx == RESULTS - 1;

	if (is_burst)
		snprintf(command, sizeof(command), "burst %d", BURST_HITS);
	else
		snprintf(command, sizeof(command), "round %d", (int)rounds[idx]);
	int err = probe_set_arm(set, UINT64_MAX, &diag);
	if (!err)
		err = specimen_command(specimen, command, &diag);
	if (!err)
		err = probe_set_collect(set, deadline_in_ms(COLLECT_MS), &records, NULL, &diag);
	if (!err)
		err = plan_decode(plan, &records, &events, &diag);
	if (err) {
		result->outcome = OUTCOME_ERROR;
		result->reason = xstrdup(diag.text);
	} else if (is_burst) {
		check_burst(events, records.cnt, result);
	} else {
		check_round(rounds[idx], events, records.cnt, result);
	}
	free(events);
}

static int
prepare(const struct selftest_opts *opts, struct notes **notes, struct plan *plan, struct probe_set **set,
	struct specimen **specimen, struct diag *diag)
{
	char reason[600];

	if (probe_find_early_obstacle(opts->probe.method, reason, sizeof(reason)))
		return diag_fail(diag, -EOPNOTSUPP, "%s", reason);
	int err = notes_open(notes, opts->program ? opts->program : "/proc/self/exe", diag);
	if (err)
		return err;
	plan_make(plan, *notes, RELEASE_MASTER, UINT64_MAX);
	for (int id = 0; id < TRACEPOINTS_CNT; id++)
		if (plan->findings[id].cnt)
			return diag_fail(diag, -EBADMSG,
					 "selftest: the specimen's notes are not as documented: %s%s",
					 plan->findings[id].items[0].message,
					 plan->missing & TP_BIT(id)
						 ? "; a new row needs its call in src/run/specimen_fire.c"
						 : "");
	struct probe_opts probe = opts->probe;
	probe.owns_process = true;
	err = probe_set_new(set, plan->points, plan->points_cnt, &probe, diag);
	if (!err)
		err = specimen_start(specimen, opts->program, diag);
	if (!err)
		err = probe_set_attach(*set, specimen_pid(*specimen), diag);
	return err;
}

const char *const *
selftest_names(void)
{
	return names;
}

void
selftest_run(const struct selftest_opts *opts, struct report_run *run)
{
	uint64_t start_ns = clock_now_ns();
	struct notes *notes = NULL;
	struct plan plan = {0};
	struct probe_set *set = NULL;
	struct specimen *specimen = NULL;
	struct diag diag;
	char reason[600];

	if (opts->on_begin)
		opts->on_begin(opts->cookie, "selftest: compiling and attaching", 1, RESULTS);
	int err = prepare(opts, &notes, &plan, &set, &specimen, &diag);
	bool is_obstacle = err && (probe_find_early_obstacle(opts->probe.method, reason, sizeof(reason)) ||
				   probe_find_obstacle(opts->probe.method, reason, sizeof(reason)));
	if (set)
		run->attach = probe_method_name(probe_set_method(set));
	if (set)
		run->attach_why = xstrdup_or_null(probe_set_why(set));
	for (size_t i = 0; i < RESULTS; i++) {
		struct report_result *result = add_result(run, names[i]);
		uint64_t result_start_ns = clock_now_ns();

		if (opts->on_begin)
			opts->on_begin(opts->cookie, names[i], i + 1, RESULTS);
		if (opts->interrupted && *opts->interrupted) {
			run->interrupted = true;
			result->outcome = OUTCOME_ERROR;
			result->reason = xstrdup("interrupted");
		} else if (err) {
			result->outcome = is_obstacle ? OUTCOME_SKIP : OUTCOME_ERROR;
			result->reason = xstrdup(is_obstacle ? reason : diag.text);
			result->omit_from_text = is_obstacle; /* the summary has the reason, once */
		} else {
			run_one(i, specimen, set, &plan, result);
		}
		result->duration_ms = (clock_now_ns() - result_start_ns) / 1000000;
		if (opts->on_end)
			opts->on_end(opts->cookie, result);
	}
	run->duration_ms = (clock_now_ns() - start_ns) / 1000000;
	specimen_stop(specimen);
	probe_set_free(set);
	plan_fini(&plan);
	notes_free(notes);
}
