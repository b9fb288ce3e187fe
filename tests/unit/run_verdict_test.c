/* The outcome of a scenario. */
#include "run/verdict.h"

#include "base/xmem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char unknown[] =
	"this bitcoind's debug.log does not have the line '- Sanity checks: ...' as from v23 to v31: so what";

static const struct runner_opts strict = {.env_hint = "a hint"}, lenient = {.details_warn = true};

static void
add(struct report_result *result, enum finding_kind kind, const char *message)
{
	findings_add(&result->findings, kind, NULL, 0, NULL, NULL, NULL, NULL, message);
}

/* How a scene ended. */
static struct scene
passed(void)
{
	return (struct scene){0};
}

static struct scene
failed(void)
{
	struct scene scene = {0};

	scene_fail(&scene, -EIO, "it broke");
	return scene;
}

/* at_end: its deadline has passed; otherwise something else did not come in time. */
static struct scene
timed_out(bool at_end)
{
	struct scene scene = {.deadline = deadline_in_ms(at_end ? 0 : 3600000)};

	scene_fail(&scene, -ETIMEDOUT, "no answer");
	return scene;
}

static struct scene
skipped(void)
{
	struct scene scene = {0};

	scene_skip(&scene, "not here");
	return scene;
}

static void
assert_verdict(const struct report_result *result, enum outcome want, const char *want_reason)
{
	assert_string_equal(outcome_name(result->outcome), outcome_name(want));
	assert_string_equal(result->reason ? result->reason : "none", want_reason);
}

/* kind NULL: nothing was found. */
static void
assert_decides(const struct runner_opts *opts, struct scene scene, const enum finding_kind *kind,
	       enum outcome want, const char *want_reason)
{
	struct report_result result = {.name = "a.b.c"};

	if (kind)
		add(&result, *kind, "found");
	verdict_decide(opts, &scene, &result);
	assert_verdict(&result, want, want_reason);
	report_result_fini(&result);
}

static void
test_findings_and_the_end_decide(void **state)
{
	static const enum finding_kind contract = FINDING_CONTRACT, detail = FINDING_DETAIL,
				       sanitizer = FINDING_SANITIZER;

	(void)state;
	assert_decides(&strict, passed(), NULL, OUTCOME_PASS, "none");
	assert_decides(&strict, failed(), NULL, OUTCOME_ERROR, "it broke");
	assert_decides(&strict, skipped(), NULL, OUTCOME_SKIP, "not here");
	assert_decides(&strict, passed(), &contract, OUTCOME_FAIL, "none");
	assert_decides(&strict, failed(), &contract, OUTCOME_FAIL, "it broke");
	assert_decides(&strict, skipped(), &contract, OUTCOME_FAIL, "none");
	assert_decides(&strict, passed(), &detail, OUTCOME_FAIL, "none");
	assert_decides(&lenient, passed(), &detail, OUTCOME_PASS, "none");
	assert_decides(&lenient, failed(), &detail, OUTCOME_ERROR, "it broke");
	assert_decides(&lenient, skipped(), &detail, OUTCOME_SKIP, "not here");
	assert_decides(&strict, passed(), &sanitizer, OUTCOME_FAIL, "a hint");
	assert_decides(&lenient, passed(), &sanitizer, OUTCOME_FAIL, "none");
}

static void
test_the_time_limit_is_named(void **state)
{
	static const struct runner_opts opts = {.timeout_ms = 1500};

	(void)state;
	assert_decides(&opts, timed_out(true), NULL, OUTCOME_ERROR,
		       "no answer; a scenario may take 1.5 s, its node's start included (--timeout)");
	assert_decides(&opts, timed_out(false), NULL, OUTCOME_ERROR, "no answer");
}

/* Of a scenario that noticed what another one had reported, and found what is given. */
static void
assert_dropped(const struct runner_opts *opts, struct scene scene, const char *contract, enum outcome want,
	       const char *want_reason)
{
	struct report_result first = {.name = "a.b.c"}, second = {.name = "a.b.d"};
	struct verdict_messages reported = {0};

	add(&first, FINDING_DETAIL, unknown);
	add(&second, FINDING_DETAIL, unknown);
	if (contract)
		add(&second, FINDING_CONTRACT, contract);
	verdict_decide(opts, &(struct scene){0}, &first);
	verdict_decide(opts, &scene, &second);
	assert_false(verdict_drop_repeated(opts, &reported, &first));
	assert_int_equal(first.findings.cnt, 1);
	assert_verdict(&first, opts->details_warn ? OUTCOME_PASS : OUTCOME_FAIL, "none");
	assert_true(verdict_drop_repeated(opts, &reported, &second));
	assert_int_equal(second.findings.cnt, contract ? 1 : 0);
	assert_verdict(&second, want, want_reason);
	verdict_messages_fini(&reported);
	report_result_fini(&first);
	report_result_fini(&second);
}

static void
test_what_is_reported_once(void **state)
{
	(void)state;
	assert_dropped(&strict, passed(), NULL, OUTCOME_PASS, "none");
	assert_dropped(&lenient, passed(), NULL, OUTCOME_PASS, "none");
	assert_dropped(&strict, passed(), "wrong", OUTCOME_FAIL, "none");
	/* What else the scenario failed with remains. */
	assert_dropped(&strict, failed(), NULL, OUTCOME_ERROR, "it broke");
	assert_dropped(&lenient, failed(), NULL, OUTCOME_ERROR, "it broke");
	assert_dropped(&strict, failed(), "wrong", OUTCOME_FAIL, "it broke");
	assert_dropped(&lenient, skipped(), NULL, OUTCOME_SKIP, "not here");
}

static void
test_only_what_the_log_does_not_say_is_reported_once(void **state)
{
	struct report_result first = {.name = "a.b.c"}, second = {.name = "a.b.d"};
	struct verdict_messages reported = {0};

	(void)state;
	add(&first, FINDING_DETAIL, "out of order");
	add(&first, FINDING_CONTRACT, unknown);
	add(&second, FINDING_DETAIL, "out of order");
	add(&second, FINDING_CONTRACT, unknown);
	assert_false(verdict_drop_repeated(&strict, &reported, &first));
	assert_false(verdict_drop_repeated(&strict, &reported, &second));
	assert_int_equal(second.findings.cnt, 2);
	verdict_messages_fini(&reported);
	report_result_fini(&first);
	report_result_fini(&second);
}

static void
assert_doubt(const struct runner_opts *opts, struct scene scene, enum finding_kind kind, const char *message,
	     bool want)
{
	struct report_result result = {.name = "a.b.c"};

	add(&result, kind, message);
	assert_int_equal(verdict_doubts_node(opts, &scene, &result.findings), want);
	report_result_fini(&result);
}

static void
test_which_node_is_in_doubt(void **state)
{
	struct scene end_well = passed(), end_badly = failed(), end_early = skipped();

	(void)state;
	assert_false(verdict_doubts_node(&strict, &end_well, &(struct findings){0}));
	assert_true(verdict_doubts_node(&strict, &end_badly, &(struct findings){0}));
	assert_true(verdict_doubts_node(&strict, &end_early, &(struct findings){0}));
	assert_doubt(&strict, passed(), FINDING_CONTRACT, "wrong", true);
	assert_doubt(&lenient, passed(), FINDING_SANITIZER, "leak", true);
	assert_doubt(&strict, passed(), FINDING_DETAIL, "out of order", true);
	assert_doubt(&lenient, passed(), FINDING_DETAIL, "out of order", false);
	assert_doubt(&strict, passed(), FINDING_DETAIL, unknown, false);
	assert_doubt(&strict, failed(), FINDING_DETAIL, unknown, true);
}

static void
test_what_came_when_the_node_exited(void **state)
{
	struct findings findings = {0};

	(void)state;
	findings_add(&findings, FINDING_CONTRACT, NULL, 0, NULL, NULL, NULL, NULL, "wrong");
	findings_add(&findings, FINDING_SANITIZER, NULL, 0, NULL, NULL, NULL, NULL, "leak");
	verdict_mark_as_late(&findings, 1, 1);
	assert_string_equal(findings.items[1].message, "leak");
	verdict_mark_as_late(&findings, 1, 3);
	assert_string_equal(findings.items[0].message, "wrong");
	assert_string_equal(findings.items[1].message,
			    "leak; reported when the node exited, after 3 scenarios");
	assert_true(verdict_has_sanitizer_finding(&findings));
	findings_remove(&findings, 1);
	assert_false(verdict_has_sanitizer_finding(&findings));
	findings_fini(&findings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_findings_and_the_end_decide),
		cmocka_unit_test(test_the_time_limit_is_named),
		cmocka_unit_test(test_what_is_reported_once),
		cmocka_unit_test(test_only_what_the_log_does_not_say_is_reported_once),
		cmocka_unit_test(test_which_node_is_in_doubt),
		cmocka_unit_test(test_what_came_when_the_node_exited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
