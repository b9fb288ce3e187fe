/* The contract's history: each release's rows against an independent list. */
#include "contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t
cnt_at(unsigned release)
{
	size_t cnt = 0;

	for (int id = 0; id < TRACEPOINTS_CNT; id++)
		cnt += contract_at((enum tracepoint_id)id, release) != NULL;
	return cnt;
}

static void
test_counts(void **state)
{
	static const size_t want[] = {7, 11, 15, 15, 15, 15, 20, 20, 20}; /* released */

	(void)state;
	assert_int_equal(cnt_at(RELEASE_FIRST - 1), 0);
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(cnt_at(RELEASE_FIRST + i), want[i]);
	assert_int_equal(RELEASE_MASTER, RELEASE_FIRST + sizeof(want) / sizeof(want[0]));
	assert_int_equal(cnt_at(RELEASE_MASTER), TRACEPOINTS_CNT);
	assert_int_equal(cnt_at(RELEASE_MASTER + 1), 0);
}

/* "8 -4": widths in a release's notes, negative for signed ones. */
static void
check_widths(enum tracepoint_id id, unsigned first, unsigned last, const char *want)
{
	for (unsigned release = first; release <= last; release++) {
		const struct contract_tracepoint *row = contract_at(id, release);
		char got[100] = "";

		assert_non_null(row);
		for (unsigned i = 0; i < row->args_cnt; i++) {
			enum arg_type type = row->args[i].code_type;

			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s%u", i ? " " : "",
				 arg_type_is_signed(type) ? "-" : "", arg_type_width(type, 8));
		}
		if (strcmp(got, want))
			fail_msg("%s in v%u: %s, wanted %s", row->full_name, release, got, want);
	}
}

static void
test_widths(void **state)
{
	(void)state;
	check_widths(TP_VALIDATION_BLOCK_CONNECTED, 23, 24, "8 -4 8 -4 -8 -8");
	check_widths(TP_VALIDATION_BLOCK_CONNECTED, 25, 28, "8 -4 8 -4 -8 8");
	check_widths(TP_VALIDATION_BLOCK_CONNECTED, 29, 32, "8 -4 8 -4 -8 -8");
	check_widths(TP_MEMPOOL_ADDED, 25, 25, "8 8 -8");
	check_widths(TP_MEMPOOL_ADDED, 26, 32, "8 -4 -8");
	check_widths(TP_MEMPOOL_REMOVED, 25, 25, "8 8 8 -8 8");
	check_widths(TP_MEMPOOL_REMOVED, 26, 32, "8 8 -4 -8 8");
	check_widths(TP_MEMPOOL_REPLACED, 25, 25, "8 8 -8 8 8 8 -8");
	check_widths(TP_MEMPOOL_REPLACED, 26, 28, "8 -4 -8 8 8 -4 -8");
	check_widths(TP_MEMPOOL_REPLACED, 29, 32, "8 -4 -8 8 8 -4 -8 1");
	check_widths(TP_UTXOCACHE_FLUSH, 23, 32, "-8 4 8 8 1");
	check_widths(TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL, 24, 32, "8 1 1 -8 -4");
}

static void
test_master_is_the_row(void **state)
{
	(void)state;
	for (int id = 0; id < TRACEPOINTS_CNT; id++)
		assert_memory_equal(contract_at((enum tracepoint_id)id, RELEASE_MASTER),
				    contract_get((enum tracepoint_id)id), sizeof(struct contract_tracepoint));
}

static void
test_units_and_names(void **state)
{
	(void)state;
	assert_string_equal(contract_at(TP_VALIDATION_BLOCK_CONNECTED, 24)->args[5].unit, "us");
	assert_string_equal(contract_at(TP_VALIDATION_BLOCK_CONNECTED, 25)->args[5].unit, "ns");
	assert_string_equal(contract_at(TP_UTXOCACHE_FLUSH, 30)->args[1].value_names[3], "ALWAYS");
	assert_null(contract_at(TP_UTXOCACHE_FLUSH, 30)->args[1].value_names[4]);
	assert_string_equal(contract_at(TP_UTXOCACHE_FLUSH, 31)->args[1].value_names[3], "FORCE_FLUSH");
}

static void
test_changes(void **state)
{
	const struct contract_change *change;
	unsigned before = RELEASE_FIRST;

	(void)state;
	for (size_t i = 0; (change = contract_change(i)); i++) {
		const struct contract_tracepoint *row = contract_at(change->id, change->release);

		assert_true(change->release >= before && change->release <= RELEASE_MASTER);
		before = change->release;
		assert_non_null(row);
		/* What is new in a release cannot be changed by it. */
		assert_true(row->since < change->release);
		assert_true(change->argument <= row->args_cnt);
		assert_true(strlen(change->what) > 10 && change->what[strlen(change->what) - 1] != '.');
		if (change->before) {
			assert_true(change->argument > 0);
			assert_string_equal(change->before->name, row->args[change->argument - 1].name);
		}
	}
}

static void
test_parse_release(void **state)
{
	static const struct {
		const char *text;
		unsigned release;
	} good[] = {{"23", 23},      {"v28", 28},
		    {"28.1", 28},    {"v28.0rc2", 28},
		    {"31.99.0", 32}, {"v30.99", 31},
		    {"31", 31},      {"master", 32},
		    {"32", 32},      {"v31.99.0-d84fc352cb", 32},
		    {"32.99", 32},   {"v33.99.0", 32}};
	static const char *const bad[] = {"",    "22",  "33",     "v",    "x28",    "2",    "280",
					  "28 ", "-28", "0.21.1", "28,1", "Master", "33.98"};
	unsigned release;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!release_parse(good[i].text, &release))
			fail_msg("'%s' was not understood", good[i].text);
		assert_int_equal(release, good[i].release);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (release_parse(bad[i], &release))
			fail_msg("'%s' was taken", bad[i]);
}

/* What changed in which release: a second look at the document, without the words. '!': consumers must change. */
static void
test_list_of_changes(void **state)
{
	static const char want[] = "25 validation:block_connected 6!, was uint64 us\n"
				   "25 utxocache:flush 1\n"
				   "26 mempool:added 2!, was uint64 vB\n"
				   "26 mempool:removed 3!, was uint64 vB\n"
				   "26 mempool:replaced 2!, was uint64 vB\n"
				   "26 mempool:replaced 6!, was uint64 vB\n"
				   "27 coin_selection:selected_coins 2\n"
				   "27 coin_selection:normal_create_tx_internal 4!, was int32\n"
				   "27 coin_selection:aps_create_tx_internal 5!, was int32\n"
				   "28 mempool:replaced 0\n"
				   "29 validation:block_connected 6, was uint64 ns\n"
				   "29 mempool:replaced 5!, was pointer to 32 bytes\n"
				   "29 mempool:replaced 6\n"
				   "29 mempool:replaced 7!, was int64 sat\n"
				   "29 net:inbound_message 2, was pointer to C string\n"
				   "29 net:outbound_message 2, was pointer to C string\n"
				   "30 utxocache:flush 1\n"
				   "30 utxocache:flush 2\n"
				   "30 net:misbehaving_connection 0!\n"
				   "30 mempool:rejected 2!\n"
				   "31 utxocache:flush 2!, was uint32\n"
				   "31 net:outbound_connection 3\n"
				   "31 mempool:rejected 2!\n";
	const struct contract_change *change;
	char got[4096] = "";

	(void)state;
	for (size_t i = 0; (change = contract_change(i)); i++) {
		size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, "%u %s %u%s%s%s%s%s\n", change->release,
			 contract_get(change->id)->full_name, change->argument, change->breaks ? "!" : "",
			 change->before ? ", was " : "",
			 change->before ? arg_type_name(change->before->type) : "",
			 change->before && change->before->unit ? " " : "",
			 change->before && change->before->unit ? change->before->unit : "");
	}
	assert_string_equal(got, want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_master_is_the_row),
		cmocka_unit_test(test_units_and_names),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_parse_release),
		cmocka_unit_test(test_list_of_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
