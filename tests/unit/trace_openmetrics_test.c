/* Statistics as metrics: names, units, labels, bounds. */
#include "base/xmem.h"
#include "trace/stats_groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
add_message(struct stats *stats, const char *type, size_t type_len, uint64_t size)
{
	struct event event = {.tracepoint = TP_NET_INBOUND_MESSAGE, .args_cnt = 6};

	event.args[0] = (struct value){.type = VALUE_INT, .i = 3};
	for (int i = 1; i <= 3; i++)
		event.args[i] = (struct value){.type = VALUE_STRING,
					       .bytes = (const uint8_t *)(i == 3 ? type : "x"),
					       .len = i == 3 ? type_len : 1};
	event.args[4] = (struct value){.type = VALUE_UINT, .u = size};
	event.args[5] = (struct value){.type = VALUE_UINT, .u = 0x1234};
	stats_add(stats, contract_get(TP_NET_INBOUND_MESSAGE), &event, 0);
}

static void
add_block(struct stats *stats, int64_t duration_ns)
{
	struct event event = {.tracepoint = TP_VALIDATION_BLOCK_CONNECTED, .args_cnt = 6};

	for (int i = 0; i < 6; i++)
		event.args[i] = (struct value){.type = VALUE_INT, .i = 100 + i};
	event.args[5].i = duration_ns;
	stats_add(stats, contract_get(TP_VALIDATION_BLOCK_CONNECTED), &event, 0);
}

/* The caller frees it. */
static char *
exposition(const struct stats *stats, bool is_prometheus)
{
	const struct contract_tracepoint *const rows[] = {contract_get(TP_NET_INBOUND_MESSAGE), NULL,
							  contract_get(TP_MEMPOOL_ADDED)};
	const struct stats_openmetrics_opts opts = {
		.is_prometheus = is_prometheus,
		.started_s = 1795691375.25,
		.losses = {{"full_ring", 5}, {"slow_reader", 0}, {"too_many_threads", 0}, {"missing", 1}},
		.late = 2,
		.filtered = 7,
		.rows = rows,
		.rows_cnt = 3,
	};
	struct buf out;

	buf_init(&out, 1 << 22);
	stats_openmetrics(stats, &opts, &out);
	assert_false(out.overflow);
	return buf_take(&out);
}

static const struct stats_opts by_type = {.by = {"message_type"}, .by_cnt = 1, .with_labels = true};

static void
assert_has(const char *text, const char *lines)
{
	if (!strstr(text, lines))
		fail_msg("'%s' is not in\n%s", lines, text);
}

static void
test_whole(void **state)
{
	const struct stats_opts opts = {
		.by = {"message_type"}, .by_cnt = 1, .of = {"size"}, .of_cnt = 1, .with_labels = true};
	struct stats *stats = stats_new(&opts, 0);

	(void)state;
	add_message(stats, "ping", 4, 8);
	add_message(stats, "ping", 4, 9);
	char *text = exposition(stats, false);
	assert_string_equal(
		text,
		"# TYPE tpcheck_events counter\n# HELP tpcheck_events Events of the tracepoint.\n"
		"tpcheck_events_total{tracepoint=\"net:inbound_message\",message_type=\"ping\"} 2\n"
		"tpcheck_events_total{tracepoint=\"mempool:added\"} 0\n"
		"# TYPE tpcheck_event_size_bytes counter\n# UNIT tpcheck_event_size_bytes bytes\n"
		"# HELP tpcheck_event_size_bytes Sum of the argument size of the tracepoint's events.\n"
		"tpcheck_event_size_bytes_total{tracepoint=\"net:inbound_message\",message_type=\"ping\"} 17\n"
		"# TYPE tpcheck_lost_events counter\n"
		"# HELP tpcheck_lost_events Events that were counted, but lost.\n"
		"tpcheck_lost_events_total{reason=\"full_ring\"} 5\n"
		"tpcheck_lost_events_total{reason=\"slow_reader\"} 0\n"
		"tpcheck_lost_events_total{reason=\"too_many_threads\"} 0\n"
		"tpcheck_lost_events_total{reason=\"missing\"} 1\n"
		"# TYPE tpcheck_late_events counter\n"
		"# HELP tpcheck_late_events Events that were shown out of order.\n"
		"tpcheck_late_events_total 2\n"
		"# TYPE tpcheck_filtered_events counter\n"
		"# HELP tpcheck_filtered_events Events that --where has filtered out.\n"
		"tpcheck_filtered_events_total 7\n"
		"# TYPE tpcheck_trace_start_time_seconds gauge\n"
		"# UNIT tpcheck_trace_start_time_seconds seconds\n"
		"# HELP tpcheck_trace_start_time_seconds When the trace began, since the epoch.\n"
		"tpcheck_trace_start_time_seconds 1795691375.250\n# EOF\n");
	free(text);
	text = exposition(stats, true);
	assert_has(text, "# TYPE tpcheck_events_total counter\n# HELP tpcheck_events_total Events");
	assert_has(text,
		   "# TYPE tpcheck_event_size_bytes_total counter\n# HELP tpcheck_event_size_bytes_total ");
	assert_null(strstr(text, "# UNIT"));
	assert_null(strstr(text, "# EOF"));
	free(text);
	stats_free(stats);
}

/* Whatever a peer sends, there is one label for what the protocol does not know. */
static void
test_unknown_types(void **state)
{
	struct stats *stats = stats_new(&by_type, 0);
	char type[16];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(type, sizeof(type), "x%d", i);

		add_message(stats, type, (size_t)len, 1);
	}
	add_message(stats, "ping\0", 5, 1);
	add_message(stats, "other", 5, 1);
	add_message(stats, "\xff\"\\\n\x1b", 5, 1);
	assert_int_equal(stats->groups_cnt, 1);
	char *text = exposition(stats, false);
	assert_has(
		text,
		"\ntpcheck_events_total{tracepoint=\"net:inbound_message\",message_type=\"other\"} 5003\n");
	free(text);
	stats_free(stats);
}

/* Each value that can be a label by request: hostile strings, too many of them, and what cannot be read. */
static void
test_hostile_labels(void **state)
{
	const struct stats_opts opts = {.by = {"wallet"}, .by_cnt = 1, .with_labels = true};
	const struct contract_tracepoint *row = contract_get(TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX);
	static const char hostile[] = "a\"b\\c\nd\xff\xc2\x9b}";
	struct stats *stats = stats_new(&opts, 0);
	struct event event = {.tracepoint = row->id, .args_cnt = 1};

	(void)state;
	event.args[0] = (struct value){
		.type = VALUE_STRING, .bytes = (const uint8_t *)hostile, .len = sizeof(hostile) - 1};
	stats_add(stats, row, &event, 0);
	event.args[0] = (struct value){.type = VALUE_STRING, .state = VALUE_BAD_POINTER, .u = 8, .error = 14};
	stats_add(stats, row, &event, 0);
	for (int i = 0; i < 2000; i++) {
		char name[16];

		event.args[0] = (struct value){.type = VALUE_STRING,
					       .bytes = (const uint8_t *)name,
					       .len = (size_t)snprintf(name, sizeof(name), "w%d", i)};
		stats_add(stats, row, &event, 0);
	}
	char *text = exposition(stats, false);
	assert_has(text, "wallet=\"a\\\"b\\\\c\\\\x0ad\\\\xff\\\\xc2\\\\x9b}\"} 1\n");
	assert_has(text, "wallet=\"<not readable at 0x8: Bad address>\"} 1\n");
	assert_has(text, "wallet=\"other\"} 1002\n");
	free(text);
	stats_free(stats);
}

/* Bounds are exact, in whatever unit the argument is. */
static void
test_durations(void **state)
{
	struct stats *stats = stats_new(&by_type, 0);

	(void)state;
	add_block(stats, 10000);
	add_block(stats, 10001);
	add_block(stats, INT64_C(100000000000));
	add_block(stats, INT64_C(100000000001));
	char *text = exposition(stats, false);
#define BLOCK "{tracepoint=\"validation:block_connected\""
	assert_has(text, "# UNIT tpcheck_event_duration_seconds seconds\n");
	assert_has(text, "_bucket" BLOCK ",le=\"1e-05\"} 1\n");
	assert_has(text, "_bucket" BLOCK ",le=\"2.5e-05\"} 2\n");
	assert_has(text, "_bucket" BLOCK ",le=\"50.0\"} 2\n");
	assert_has(text, "_bucket" BLOCK ",le=\"100.0\"} 3\n");
	assert_has(text, "_bucket" BLOCK ",le=\"+Inf\"} 4\n");
	assert_has(text, "_count" BLOCK "} 4\n");
	assert_has(text, "_sum" BLOCK "} 200.000020002\n");
	assert_has(text, "tpcheck_last_height" BLOCK "} 101\n");
	free(text);
	/* The sum of negative numbers would not be a counter. */
	add_block(stats, -1);
	text = exposition(stats, false);
	assert_has(text, "_bucket" BLOCK ",le=\"1e-05\"} 2\n");
	assert_null(strstr(text, "duration_seconds_sum"));
	free(text);
	stats_free(stats);
}

/* A counter never falls. */
static void
test_negative(void **state)
{
	const struct stats_opts opts = {.of = {"peer_id"}, .of_cnt = 1, .with_labels = true};
	const struct contract_tracepoint *row = contract_get(TP_NET_MISBEHAVING_CONNECTION);
	struct stats *stats = stats_new(&opts, 0);
	struct event event = {.tracepoint = row->id, .args_cnt = 1};

	(void)state;
	event.args[0] = (struct value){.type = VALUE_INT, .i = 7, .u = 7};
	stats_add(stats, row, &event, 0);
	event.args[0] = (struct value){.type = VALUE_INT, .i = -5, .u = (uint64_t)-5};
	stats_add(stats, row, &event, 0);
	char *text = exposition(stats, false);
	assert_has(text, "tpcheck_event_peer_id_total{tracepoint=\"net:misbehaving_connection\"} 7\n");
	free(text);
	stats_free(stats);
}

/* Names of enumerations are labels. */
static void
test_enumeration(void **state)
{
	const struct stats_opts opts = {.by = {"mode"}, .by_cnt = 1, .with_labels = true};
	const struct contract_tracepoint *row = contract_get(TP_UTXOCACHE_FLUSH);
	struct stats *stats = stats_new(&opts, 0);
	struct event event = {.tracepoint = row->id, .args_cnt = 2};

	(void)state;
	event.args[0] = (struct value){.type = VALUE_INT, .i = 1};
	event.args[1] = (struct value){.type = VALUE_UINT, .u = 4};
	stats_add(stats, row, &event, 0);
	event.args[1].u = 77;
	stats_add(stats, row, &event, 0);
	char *text = exposition(stats, false);
	assert_has(text, "tpcheck_events_total{tracepoint=\"utxocache:flush\",mode=\"FORCE_SYNC\"} 1\n");
	assert_has(text, "tpcheck_events_total{tracepoint=\"utxocache:flush\",mode=\"77\"} 1\n");
	free(text);
	stats_free(stats);
}

/* The name of an undocumented tracepoint comes from a file. */
static void
test_hostile_tracepoint(void **state)
{
	struct contract_tracepoint row = {.full_name = "a\"}\n:b\\", .args_cnt = 1};
	struct event event = {.args_cnt = 1};
	struct stats *stats = stats_new(&by_type, 0);

	(void)state;
	row.args[0] = (struct contract_arg){.name = "arg1"};
	stats_add(stats, &row, &event, 0);
	char *text = exposition(stats, false);
	assert_has(text, "tpcheck_events_total{tracepoint=\"a\\\"}\\\\x0a:b\\\\\"} 1\n");
	free(text);
	stats_free(stats);
}

/* Whatever is measured in whichever release, two tracepoints never make one metric of two kinds. */
static void
test_names(void **state)
{
	(void)state;
	for (int a = 0; a < TRACEPOINTS_CNT; a++)
		for (int b = 0; b < TRACEPOINTS_CNT; b++)
			for (unsigned i = 0; i < contract_get(a)->args_cnt; i++)
				for (unsigned k = 0; k < contract_get(b)->args_cnt; k++) {
					const struct contract_arg *one = &contract_get(a)->args[i],
								  *two = &contract_get(b)->args[k];
					const struct stats_metric *m = stats_metric_of(one),
								  *n = stats_metric_of(two);

					if (strcmp(one->name, two->name) != 0)
						continue;
					/* "last" is part of the name. */
					if ((m->kind == STATS_LAST) != (n->kind == STATS_LAST))
						continue;
					assert_int_equal(m->kind, n->kind);
					assert_true(m->unit == n->unit || !strcmp(m->unit, n->unit));
				}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_hostile_labels),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_negative),
		cmocka_unit_test(test_enumeration),
		cmocka_unit_test(test_hostile_tracepoint),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
