/* Groups, rates and tables. */
#include "base/json.h"
#include "trace/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

static struct event
message(enum tracepoint_id id, const char *type, uint64_t size)
{
	struct event event = {.tracepoint = id, .args_cnt = 6};

	event.args[0] = (struct value){.type = VALUE_INT, .i = 3};
	for (int i = 1; i <= 3; i++)
		event.args[i] = (struct value){.type = VALUE_STRING,
					       .bytes = (const uint8_t *)(i == 3 ? type : "x"),
					       .len = i == 3 ? strlen(type) : 1};
	event.args[4] = (struct value){.type = VALUE_UINT, .u = size};
	event.args[5] = (struct value){.type = VALUE_UINT, .u = 0x1234};
	return event;
}

static void
add(struct stats *stats, enum tracepoint_id id, const char *type, uint64_t size)
{
	struct event event = message(id, type, size);

	stats_add(stats, contract_get(id), &event, 0);
}

static struct json *
parse(const struct stats *stats, uint64_t now_ns)
{
	const struct stats_losses losses = {.lost = 7, .late = 1};
	struct json *doc = NULL;
	struct buf out;

	buf_init(&out, 1 << 22);
	stats_json(stats, now_ns, 99, &losses, &out);
	assert_false(out.overflow);
	assert_int_equal(json_parse(&doc, out.data, out.len, NULL), 0);
	buf_fini(&out);
	return doc;
}

static const char *
number(const struct json *object, const char *key)
{
	const char *text = json_number(json_get(object, key));

	return text ? text : "none";
}

static void
test_by_tracepoint(void **state)
{
	const struct stats_opts opts = {0};
	struct stats *stats = stats_new(&opts, 10 * S);

	(void)state;
	for (uint64_t i = 1; i <= 10; i++)
		add(stats, TP_NET_INBOUND_MESSAGE, "ping", i);
	add(stats, TP_NET_OUTBOUND_MESSAGE, "pong", 1000);
	stats_next(stats, 14 * S);
	add(stats, TP_NET_INBOUND_MESSAGE, "ping", 45);
	struct json *doc = parse(stats, 15 * S);
	assert_string_equal(number(doc, "events"), "12");
	assert_string_equal(number(doc, "lost"), "7");
	assert_string_equal(number(doc, "late"), "1");
	assert_string_equal(number(doc, "time_ns"), "99");
	assert_string_equal(number(doc, "seconds"), "5");
	assert_string_equal(number(doc, "interval_seconds"), "1");
	const struct json *groups = json_get(doc, "stats");
	assert_int_equal(json_cnt(groups), 2);
	const struct json *in = json_at(groups, 0);
	assert_string_equal(json_string(json_get(in, "tracepoint")), "net:inbound_message");
	assert_null(json_get(in, "by"));
	assert_string_equal(number(in, "count"), "11");
	assert_string_equal(number(in, "interval_count"), "1");
	assert_string_equal(number(in, "per_second"), "2.2");
	/* Only the size is measured, not the peer's number and not the pointer. */
	assert_int_equal(json_cnt(json_get(in, "args")), 1);
	const struct json *size = json_get(json_get(in, "args"), "size");
	assert_string_equal(json_string(json_get(size, "unit")), "B");
	assert_string_equal(number(size, "count"), "11");
	assert_string_equal(number(size, "sum"), "100");
	assert_string_equal(number(size, "interval_sum"), "45");
	assert_string_equal(number(size, "min"), "1");
	assert_string_equal(number(size, "median"), "6");
	assert_string_equal(number(size, "p90"), "10");
	assert_string_equal(number(size, "p99"), "45");
	assert_string_equal(number(size, "max"), "45");
	json_free(doc);
	stats_free(stats);
}

static void
test_by_values(void **state)
{
	const struct stats_opts opts = {
		.by = {"message_type", "peer_id", "nonsense"}, .by_cnt = 3, .of = {"peer_id"}, .of_cnt = 1};
	struct stats *stats = stats_new(&opts, 0);

	(void)state;
	add(stats, TP_NET_INBOUND_MESSAGE, "ping", 8);
	add(stats, TP_NET_INBOUND_MESSAGE, "pong", 8);
	add(stats, TP_NET_INBOUND_MESSAGE, "pong", 8);
	/* One value that looks like two. */
	add(stats, TP_NET_INBOUND_MESSAGE, "\",\"x\":\"\n", 8);
	struct json *doc = parse(stats, S);
	const struct json *groups = json_get(doc, "stats");
	assert_int_equal(json_cnt(groups), 3);
	/* The most frequent comes first. */
	assert_string_equal(json_string(json_get(json_get(json_at(groups, 0), "by"), "message_type")),
			    "pong");
	assert_string_equal(number(json_at(groups, 0), "count"), "2");
	assert_string_equal(number(json_get(json_at(groups, 0), "by"), "peer_id"), "3");
	assert_int_equal(json_cnt(json_get(json_at(groups, 0), "by")), 2);
	assert_string_equal(number(json_get(json_get(json_at(groups, 0), "args"), "peer_id"), "sum"), "6");
	assert_null(json_get(json_get(json_at(groups, 0), "args"), "size"));
	json_free(doc);
	stats_free(stats);
}

/* A peer may send a million different message types. */
static void
test_memory_is_bounded(void **state)
{
	const struct stats_opts opts = {.by = {"message_type"}, .by_cnt = 1};
	struct stats *stats = stats_new(&opts, 0);
	char type[16];
	struct buf out;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(type, sizeof(type), "t%d", i);
		add(stats, TP_NET_INBOUND_MESSAGE, type, 8);
		add(stats, TP_NET_OUTBOUND_MESSAGE, type, 8);
	}
	struct json *doc = parse(stats, S);
	const struct json *groups = json_get(doc, "stats");
	assert_int_equal(json_cnt(groups), STATS_GROUPS_MAX + 2);
	uint64_t sum = 0, others = 0, cnt;
	for (size_t i = 0; i < json_cnt(groups); i++) {
		assert_true(json_u64(json_get(json_at(groups, i), "count"), &cnt));
		sum += cnt;
		if (json_is_null(json_get(json_get(json_at(groups, i), "by"), "message_type")))
			others += cnt;
	}
	assert_int_equal(sum, 10000);
	assert_int_equal(others, 10000 - STATS_GROUPS_MAX);
	json_free(doc);
	buf_init(&out, 1 << 22);
	stats_table(stats, S, &(struct stats_table_opts){0}, &out);
	assert_non_null(strstr(out.data, "(others)"));
	assert_non_null(strstr(out.data, "after 1000 groups"));
	/* On a small screen. */
	buf_reset(&out);
	stats_table(stats, S, &(struct stats_table_opts){.with_now = true, .columns = 40, .lines = 5}, &out);
	int lines = 0;
	for (char *line = out.data, *end; (end = strchr(line, '\n')); line = end + 1, lines++)
		assert_true(end - line <= 40);
	assert_int_equal(lines, 5);
	buf_fini(&out);
	stats_free(stats);
}

/* Only what does not fit is cut. */
static void
test_long_values(void **state)
{
	const struct stats_opts opts = {.by = {"message_type"}, .by_cnt = 1};
	struct stats *stats = stats_new(&opts, 0);
	struct buf out;

	(void)state;
	add(stats, TP_NET_INBOUND_MESSAGE, "a234567890123456789012345678901234567890", 8);
	add(stats, TP_NET_INBOUND_MESSAGE, "b2345678901234567890123456789012345678901", 8);
	buf_init(&out, 1 << 20);
	stats_table(stats, S, &(struct stats_table_opts){0}, &out);
	assert_non_null(strstr(out.data, " a234567890123456789012345678901234567890 "));
	assert_non_null(strstr(out.data, " b234567890123456789012345678901234567890... "));
	buf_fini(&out);
	stats_free(stats);
}

/* Events that are not grouped by anything need no room among the groups. */
static void
test_nothing_to_group_by(void **state)
{
	const struct stats_opts opts = {.by = {"message_type"}, .by_cnt = 1};
	struct stats *stats = stats_new(&opts, 0);
	struct event block = {.tracepoint = TP_VALIDATION_BLOCK_CONNECTED, .args_cnt = 6};
	char type[16];
	struct buf out;

	(void)state;
	for (int i = 0; i < STATS_GROUPS_MAX; i++) {
		snprintf(type, sizeof(type), "t%d", i);
		add(stats, TP_NET_INBOUND_MESSAGE, type, 8);
	}
	stats_add(stats, contract_get(TP_VALIDATION_BLOCK_CONNECTED), &block, 0);
	buf_init(&out, 1 << 22);
	stats_table(stats, S, &(struct stats_table_opts){0}, &out);
	assert_null(strstr(out.data, "(others)"));
	assert_null(strstr(out.data, "groups"));
	buf_fini(&out);
	stats_free(stats);
}

static void
test_tables_for_people(void **state)
{
	const struct stats_opts opts = {.by = {"message_type"}, .by_cnt = 1};
	struct stats *stats = stats_new(&opts, 0);
	struct event block = {.tracepoint = TP_VALIDATION_BLOCK_CONNECTED, .args_cnt = 6};
	struct buf out;

	(void)state;
	add(stats, TP_NET_INBOUND_MESSAGE, "tx", 1500);
	add(stats, TP_NET_INBOUND_MESSAGE, "\x1b[2J", 20000000);
	block.args[5] = (struct value){.type = VALUE_INT, .i = 12345678};
	stats_add(stats, contract_get(TP_VALIDATION_BLOCK_CONNECTED), &block, 0);
	buf_init(&out, 1 << 20);
	stats_table(stats, 2 * S, &(struct stats_table_opts){0}, &out);
	assert_string_equal(
		out.data,
		"tracepoint                             count    /s  argument      sum    sum/s      min   median      p90      p99      max\n"
		"net:inbound_message         tx             1  0.50  size      1.50 kB    750 B  1.50 kB  1.50 kB  1.50 kB  1.50 kB  1.50 kB\n"
		"net:inbound_message         '\\x1b[2J'      1  0.50  size        20 MB    10 MB    20 MB    20 MB    20 MB    20 MB    20 MB\n"
		"validation:block_connected                 1  0.50  duration  12.3 ms  6.17 ms  12.3 ms  12.3 ms  12.3 ms  12.3 ms  12.3 ms\n");
	buf_fini(&out);
	stats_free(stats);
}

static void
test_unreadable_values_are_not_measured(void **state)
{
	const struct stats_opts opts = {0};
	struct stats *stats = stats_new(&opts, 0);
	struct event event = message(TP_NET_INBOUND_MESSAGE, "tx", 5);

	(void)state;
	event.args[4].state = VALUE_BAD_OPERAND;
	stats_add(stats, contract_get(TP_NET_INBOUND_MESSAGE), &event, 0);
	struct json *doc = parse(stats, S);
	const struct json *group = json_at(json_get(doc, "stats"), 0);
	assert_string_equal(number(group, "count"), "1");
	const struct json *size = json_get(json_get(group, "args"), "size");
	assert_string_equal(number(size, "count"), "0");
	assert_true(json_is_null(json_get(size, "median")));
	json_free(doc);
	stats_free(stats);
}

/* Groups by a number: it stands there without its unit and without its name, which are in the heading. */
static void
test_table_by_a_number(void **state)
{
	const struct stats_opts opts = {
		.by = {"size", "message_type"}, .by_cnt = 2, .of = {"peer_id"}, .of_cnt = 1};
	struct stats *stats = stats_new(&opts, 0);
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	add(stats, TP_NET_INBOUND_MESSAGE, "tx", 1500);
	stats_table(stats, 2 * S, &(struct stats_table_opts){0}, &out);
	assert_string_equal(
		out.data,
		"tracepoint                    count    /s  argument  sum  sum/s  min  median  p90  p99  max\n"
		"net:inbound_message  1500 tx      1  0.50  peer_id     3      2    3       3    3    3    3\n");
	buf_fini(&out);
	stats_free(stats);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_tracepoint),
		cmocka_unit_test(test_by_values),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_nothing_to_group_by),
		cmocka_unit_test(test_tables_for_people),
		cmocka_unit_test(test_unreadable_values_are_not_measured),
		cmocka_unit_test(test_table_by_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
