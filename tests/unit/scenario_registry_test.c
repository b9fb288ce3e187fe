/* What every scenario has to have, and that it is called what it is about. */
#include "base/text.h"
#include "contract/contract.h"
#include "scenario/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* In the order of scenarios[]. */
static const char *const symbols[] = {
#define SCENARIO(name) #name,
#include "scenario/scenarios.def"
#undef SCENARIO
};

static void
test_names_follow_symbols(void **state)
{
	(void)state;
	for (size_t i = 0; scenarios[i]; i++) {
		char expected[128];

		snprintf(expected, sizeof(expected), "sc_%s", scenarios[i]->name);
		for (char *c = expected; *c; c++)
			if (*c == '.')
				*c = '_';
		assert_string_equal(symbols[i], expected);
	}
}

static void
test_names_begin_with_the_subject(void **state)
{
	(void)state;
	for (size_t i = 0; scenarios[i]; i++) {
		const struct scenario *scenario = scenarios[i];
		const struct contract_tracepoint *row = contract_get(scenario->subject);
		char expected[128];

		snprintf(expected, sizeof(expected), "%s.%s.", row->context, row->name);
		if (strncmp(scenario->name, expected, strlen(expected)))
			fail_msg("'%s' is about %s", scenario->name, row->full_name);
		if (strlen(scenario->name) == strlen(expected))
			fail_msg("'%s' does not name a behaviour", scenario->name);
		assert_true(scenario->tracepoints & TP_BIT(scenario->subject));
	}
}

static void
test_names_and_summaries_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; scenarios[i]; i++)
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(scenarios[i]->name, scenarios[k]->name);
			assert_string_not_equal(scenarios[i]->summary, scenarios[k]->summary);
		}
}

static void
test_all_is_there(void **state)
{
	uint64_t subjects = 0;

	(void)state;
	for (size_t i = 0; scenarios[i]; i++) {
		const struct scenario *scenario = scenarios[i];

		const struct scenario *steps = scenario_steps(scenario);

		assert_non_null(scenario->profile);
		assert_non_null(steps->act);
		assert_non_null(steps->expect);
		assert_true(strlen(scenario->summary) > 10);
		/* One line, a phrase. */
		if (strchr(scenario->summary, '\n') ||
		    scenario->summary[strlen(scenario->summary) - 1] == '.')
			fail_msg("the summary of '%s' is not one phrase: %s", scenario->name,
				 scenario->summary);
		subjects |= TP_BIT(scenario->subject);
	}
	/* Every tracepoint is some scenario's subject. */
	assert_int_equal(subjects, (UINT64_C(1) << TRACEPOINTS_CNT) - 1);
}

/* Each tracepoint is attached by itself in one scenario, whose steps are those of another about it. */
static void
test_each_is_alone_once(void **state)
{
	uint64_t alone = 0;

	(void)state;
	for (size_t i = 0; scenarios[i]; i++) {
		const struct scenario *scenario = scenarios[i], *steps = scenario->alone_of;

		if (!steps)
			continue;
		assert_false(alone & TP_BIT(scenario->subject));
		alone |= TP_BIT(scenario->subject);
		assert_null(steps->alone_of);
		assert_int_equal(steps->subject, scenario->subject);
		assert_true(scenario->tracepoints == TP_BIT(scenario->subject));
		assert_ptr_equal(steps->profile, scenario->profile);
		assert_int_equal(steps->needs_wallet, scenario->needs_wallet);
		assert_null(scenario->prepare);
		assert_null(scenario->act);
		assert_null(scenario->expect);
	}
	assert_int_equal(alone, (UINT64_C(1) << TRACEPOINTS_CNT) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_follow_symbols),
		cmocka_unit_test(test_names_begin_with_the_subject),
		cmocka_unit_test(test_names_and_summaries_are_unique),
		cmocka_unit_test(test_all_is_there),
		cmocka_unit_test(test_each_is_alone_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
