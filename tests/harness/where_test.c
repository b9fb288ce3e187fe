/* Conditions on arguments: the same events whether they are checked in the kernel, by the tracer process, or once a
 * record has arrived; and every hit is accounted for. tests/unit/trace_where_test.c shows what conditions mean.
 * Requires what harness_test.c requires. */
#include "base/buf.h"
#include "notes/notes.h"
#include "probe/probe.h"
#include "run/specimen.h"
#include "trace/selection.h"
#include "trace/where.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FINISH_MS = 20000, ROUND_HITS = 2 };

static enum probe_method methods[4];
static size_t methods_cnt;

/* The first group of each line selects tracepoints. None matches all events of its tracepoints, and each some. */
static const struct line {
	const char *pattern;
	const char *terms[3];
} lines[] = {
	{"net:*_message", {"peer_id=1001"}},
	{"net:*_message", {"peer_id!=1001"}},
	{"net:*_message", {"size>0", "peer_id<1001"}},
	{"net:*_message", {"size>=100", "size<=100"}},
	{"net:*_message", {"message_type=t0a4"}},
	{"net:*_message", {"message_type="}},
	{"net:*_message", {"message_type!=t0a4"}},
	{"net:*_message", {"message_type~t?a4"}},
	{"net:*_message", {"connection_type~*", "peer_id>0", "address!="}},
	{"net:*_connection", {"network=2036"}},
	{"net:*_connection", {"network<2052", "address~t*"}},
	{"validation:*", {"height<0"}},
	{"validation:*", {"height>-1"}},
	{"validation:*", {"duration>=9223372036854775689"}},
	{"validation:*", {"hash=120b04fdf6efe8e1dad3ccc5beb7b0a9a29b948d867f78716a635c554e474039"}},
	{"validation:*", {"hash!=120b04fdf6efe8e1dad3ccc5beb7b0a9a29b948d867f78716a635c554e474039"}},
	{"utxocache:*", {"txid~*a5*"}},
	{"utxocache:*", {"value<=1148", "is_coinbase=false"}},
	{"utxocache:*", {"height>4294967147"}},
	{"utxocache:flush", {"memory>9223372036854775807"}},
	{"utxocache:flush", {"duration<-1"}},
	{"mempool:*", {"vsize<0"}},
	{"coin_selection:*", {"success=true"}},
};
#define LINES_CNT (sizeof(lines) / sizeof(lines[0]))

static void
must(int err, const struct diag *diag)
{
	if (err)
		fail_msg("%s", diag->text);
}

static void
make_selection(const struct line *line, const struct notes *notes, struct selection *selection,
	       struct where_term terms[3])
{
	struct selection_opts opts = {
		.release = RELEASE_MASTER, .patterns = &line->pattern, .patterns_cnt = 1, .where = terms};
	struct diag diag;

	while (opts.where_cnt < 3 && line->terms[opts.where_cnt]) {
		must(where_parse(line->terms[opts.where_cnt], &terms[opts.where_cnt], &diag), &diag);
		opts.where_cnt++;
	}
	must(selection_make(selection, notes_sites(notes), notes_cnt(notes), &opts, &diag), &diag);
}

/* Adds the events that are left, as text. */
static void
record_rounds(const struct selection *selection, enum probe_method method, bool filters_late,
	      struct specimen *specimen, struct buf *out, struct probe_counts *counts)
{
	const struct probe_opts opts = {.method = method, .streams = true, .filters_late = filters_late};
	struct probe_set *set = NULL;
	struct record_list records;
	struct event event;
	char command[32];
	struct diag diag;

	must(probe_set_new(&set, selection->points, selection->points_cnt, &opts, &diag), &diag);
	must(probe_set_attach(set, specimen_pid(specimen), &diag), &diag);
	must(probe_set_arm(set, UINT64_MAX, &diag), &diag);
	for (int round = 0; round < SPECIMEN_ROUNDS; round++) {
		snprintf(command, sizeof(command), "round %d", round);
		must(specimen_command(specimen, command, &diag), &diag);
	}
	must(probe_set_finish(set, deadline_in_ms(FINISH_MS), &records, counts, &diag), &diag);
	for (size_t i = 0; i < records.cnt; i++) {
		must(selection_decode(selection, records.items[i], records.items[i]->head.size, &event),
		     &diag);
		contract_format_event(&event, out);
		buf_putc(out, '\n');
	}
	assert_int_equal(counts->delivered, records.cnt);
	assert_int_equal(probe_counts_lost(counts), 0);
	assert_int_equal(counts->attempts, records.cnt + counts->filtered);
	probe_set_free(set);
}

/* How many tracepoints are attached. */
static size_t
rows_cnt(const struct selection *selection)
{
	size_t cnt = 0;

	for (size_t i = 0; i < SELECTION_MAX; i++)
		cnt += selection->rows[i] != NULL;
	return cnt;
}

static void
check_line(const struct line *line, const struct notes *notes, struct specimen *specimen)
{
	struct where_term terms[3];
	struct selection selection;
	struct probe_counts counts;
	struct buf want;

	make_selection(line, notes, &selection, terms);
	/* The reference: by ptrace, checked on arrival. */
	buf_init(&want, 8 << 20);
	buf_puts(&want, "");
	record_rounds(&selection, PROBE_METHOD_PTRACE, true, specimen, &want, &counts);
	if (!counts.filtered || !counts.delivered)
		fail_msg("%s, %s: %zu of %zu events are left", line->pattern, line->terms[0],
			 (size_t)counts.delivered, (size_t)counts.attempts);
	assert_int_equal(counts.attempts, rows_cnt(&selection) * SPECIMEN_ROUNDS * ROUND_HITS);
	for (size_t m = 0; m < methods_cnt; m++) {
		struct probe_counts found;
		struct buf got;

		buf_init(&got, 8 << 20);
		buf_puts(&got, "");
		record_rounds(&selection, methods[m], false, specimen, &got, &found);
		if (strcmp(want.data, got.data) != 0)
			fail_msg("%s, %s, by %s: want\n%s\ngot\n%s", line->pattern, line->terms[0],
				 probe_method_name(methods[m]), want.data, got.data);
		assert_int_equal(found.filtered, counts.filtered);
		buf_fini(&got);
	}
	buf_fini(&want);
	selection_fini(&selection);
}

static void
test_all_ways_agree(void **state)
{
	struct specimen *specimen = NULL;
	struct notes *notes = NULL;
	struct diag diag;

	(void)state;
	must(notes_open(&notes, "/proc/self/exe", &diag), &diag);
	must(specimen_start(&specimen, NULL, &diag), &diag);
	for (size_t i = 0; i < LINES_CNT; i++)
		check_line(&lines[i], notes, specimen);
	specimen_stop(specimen);
	notes_free(notes);
}

/* What is filtered takes no room: a ring that is far too small for all events loses none. */
static void
test_early(void **state)
{
	static const struct line rare = {"utxocache:add", {"vout=77"}};
	struct specimen *specimen = NULL;
	struct notes *notes = NULL;
	struct where_term terms[3];
	struct selection selection;
	struct diag diag;

	(void)state;
	must(notes_open(&notes, "/proc/self/exe", &diag), &diag);
	must(specimen_start(&specimen, NULL, &diag), &diag);
	make_selection(&rare, notes, &selection, terms);
	for (size_t m = 0; m < methods_cnt; m++) {
		const struct probe_opts opts = {.method = methods[m], .streams = true, .ring_bytes = 1};
		struct probe_set *set = NULL;
		struct record_list records;
		struct probe_counts counts;

		must(probe_set_new(&set, selection.points, selection.points_cnt, &opts, &diag), &diag);
		must(probe_set_attach(set, specimen_pid(specimen), &diag), &diag);
		must(probe_set_arm(set, UINT64_MAX, &diag), &diag);
		must(specimen_command(specimen, "burst 20000", &diag), &diag);
		must(probe_set_finish(set, deadline_in_ms(FINISH_MS), &records, &counts, &diag), &diag);
		assert_int_equal(records.cnt, 1);
		assert_int_equal(records.items[0]->args[1].value, 77);
		assert_int_equal(probe_counts_lost(&counts), 0);
		assert_int_equal(counts.filtered, 19999);
		assert_int_equal(counts.attempts, 20000);
		probe_set_free(set);
	}
	selection_fini(&selection);
	specimen_stop(specimen);
	notes_free(notes);
}

int
main(int argc, char **argv)
{
	static const enum probe_method all[] = {PROBE_METHOD_MULTI, PROBE_METHOD_PERF, PROBE_METHOD_PTRACE};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_ways_agree),
		cmocka_unit_test(test_early),
	};
	char reason[600];

	if (argc == 2 && !strcmp(argv[1], "__specimen"))
		return specimen_main();
	if (probe_find_early_obstacle(PROBE_METHOD_PTRACE, reason, sizeof(reason)) ||
	    probe_find_obstacle(PROBE_METHOD_PTRACE, reason, sizeof(reason))) {
		printf("SKIP: %s\n", reason);
		return 77;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!probe_find_early_obstacle(all[i], reason, sizeof(reason)) &&
		    !probe_find_obstacle(all[i], reason, sizeof(reason)))
			methods[methods_cnt++] = all[i];
		else
			printf("not tried: %s: %s\n", probe_method_name(all[i]), reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
