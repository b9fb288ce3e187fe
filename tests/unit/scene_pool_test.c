/* What must be reported of transactions for the mempool, without a node. */
#include "scene/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct event
rejected_event(const uint8_t txid[32], const char *reason)
{
	struct event event = {.tracepoint = TP_MEMPOOL_REJECTED, .args_cnt = 2};

	event.args[0] =
		(struct value){.type = VALUE_BYTES, .u = 0x7000, .bytes = txid, .len = 32, .full_len = 32};
	event.args[1] = (struct value){.type = VALUE_STRING,
				       .u = 0x7000,
				       .bytes = (const uint8_t *)reason,
				       .len = strlen(reason),
				       .full_len = strlen(reason)};
	return event;
}

/* Which reason a rejection must have, and whether another one contradicts what is documented. */
static void
test_reason_of_a_rejection(void **state)
{
	static const struct {
		const char *by_rpc, *known, *got;
		bool is_right;
		enum finding_kind kind;
	} rows[] = {
		{"of-rpc", NULL, "of-rpc", true, FINDING_CONTRACT},
		{"of-rpc", NULL, "another", false, FINDING_CONTRACT},
		{"of-rpc", "of-rpc", "of-rpc", true, FINDING_CONTRACT},
		{"of-rpc", "of-rpc", "another", false, FINDING_CONTRACT},
		/* In doubt, the one of all releases so far; no such text is documented. */
		{"of-rpc", "known", "known", true, FINDING_DETAIL},
		{"of-rpc", "known", "of-rpc", false, FINDING_DETAIL},
		{"", "known", "known", true, FINDING_DETAIL},
		{"", "known", "another", false, FINDING_DETAIL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene scene = {.expect = expect_new()};
		struct pool_tx *ptx = pool_new(&scene, "the rejected one");
		struct findings findings = {0};
		struct diag diag = {0};
		uint8_t txid[32];

		snprintf(ptx->reason, sizeof(ptx->reason), "%s", rows[i].by_rpc);
		pool_expect_rejected(&scene, ptx, rows[i].known);
		assert_int_equal(scene.err, 0);
		tx_txid(&ptx->tx, txid);
		const struct event event = rejected_event(txid, rows[i].got);
		if (expect_match(scene.expect, TP_MEMPOOL_REJECTED, &event, 1, &findings, &diag))
			fail_msg("%s", diag.text);
		if (findings.cnt != !rows[i].is_right)
			fail_msg("row %zu: %zu findings", i, findings.cnt);
		if (findings.cnt) {
			assert_string_equal(findings.items[0].argument_name, "reason");
			assert_int_equal(findings.items[0].kind, rows[i].kind);
		}
		findings_fini(&findings);
		expect_free(scene.expect);
		scene_release(&scene);
	}
}

static void
test_rejection_without_a_reason(void **state)
{
	struct scene scene = {.expect = expect_new()};
	struct pool_tx *ptx = pool_new(&scene, "the rejected one");

	(void)state;
	pool_expect_rejected(&scene, ptx, NULL);
	assert_int_equal(scene.err, -EBADMSG);
	assert_string_equal(scene.diag.text, "pool: RPC gave no reason for rejecting the rejected one");
	expect_free(scene.expect);
	scene_release(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reason_of_a_rejection),
		cmocka_unit_test(test_rejection_without_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
