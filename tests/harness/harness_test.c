/* The probes on specimens, with this machine's kernel and libbcc, and by ptrace. BPF requires root or the capabilities
 * that doctor names; whatever does not work here is left out. */
#include "base/signals.h"
#include "base/xmem.h"
#include "probe/bpf/kernel_tree.h"
#include "run/plan.h"
#include "run/specimen.h"
#include "stop.h"
#include "surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { COLLECT_MS = 20000, PATIENCE_MS = 60000 };

/* The plan and the probes for a binary, with the method that the test chooses. */
struct fixture {
	struct notes *notes;
	struct plan plan;
	struct probe_set *set;
};

/* The methods that work on this machine: at least one, the quicker ones first. */
static enum probe_method methods[4];
static size_t methods_cnt;
/* One of each backend: the first of BPF, and ptrace. */
static enum probe_method backends[2];
static size_t backends_cnt;

static bool
works(enum probe_method method)
{
	for (size_t m = 0; m < methods_cnt; m++)
		if (methods[m] == method)
			return true;
	return false;
}

static void
must(int err, const struct diag *diag)
{
	if (err)
		fail_msg("%s", diag->text);
}

static void
fixture_open_with(struct fixture *fixture, const char *program, const struct probe_opts *opts,
		  uint64_t tracepoints)
{
	struct diag diag;

	must(notes_open(&fixture->notes, program, &diag), &diag);
	plan_make(&fixture->plan, fixture->notes, RELEASE_MASTER, tracepoints);
	must(probe_set_new(&fixture->set, fixture->plan.points, fixture->plan.points_cnt, opts, &diag),
	     &diag);
	assert_int_equal(probe_set_method(fixture->set), opts->method);
}

static void
fixture_open(struct fixture *fixture, const char *program, enum probe_method method, uint64_t tracepoints,
	     size_t ring_bytes)
{
	const struct probe_opts opts = {.method = method, .ring_bytes = ring_bytes, .owns_process = true};

	fixture_open_with(fixture, program, &opts, tracepoints);
}

static void
fixture_close(struct fixture *fixture)
{
	probe_set_free(fixture->set);
	plan_fini(&fixture->plan);
	notes_free(fixture->notes);
}

static void
attach_and_arm(struct fixture *fixture, const struct specimen *specimen)
{
	struct diag diag;

	must(probe_set_attach(fixture->set, specimen_pid(specimen), &diag), &diag);
	must(probe_set_arm(fixture->set, UINT64_MAX, &diag), &diag);
}

/* Attaches to a specimen, has it carry out a command, and returns the events. */
static struct event *
record(struct fixture *fixture, struct specimen *specimen, const char *command, size_t *cnt)
{
	struct record_list records;
	struct event *events;
	struct diag diag;

	attach_and_arm(fixture, specimen);
	must(specimen_command(specimen, command, &diag), &diag);
	must(probe_set_collect(fixture->set, deadline_in_ms(COLLECT_MS), &records, NULL, &diag), &diag);
	must(plan_decode(&fixture->plan, &records, &events, &diag), &diag);
	*cnt = records.cnt;
	return events;
}

static struct specimen *
start(const char *program, const char *broken)
{
	struct specimen *specimen;
	struct diag diag;

	if (broken)
		setenv("BREAK", broken, 1);
	must(specimen_start(&specimen, program, &diag), &diag);
	unsetenv("BREAK");
	return specimen;
}

/* Runs a round on a broken specimen and returns the findings. */
static struct findings
find_breakage(struct fixture *fixture, const char *broken, enum specimen_round round)
{
	struct specimen *specimen = start(BROKEN_SPECIMEN, broken);
	struct findings findings = {0};
	struct expect *x = expect_new();
	struct diag diag;
	char command[32];
	size_t cnt;

	snprintf(command, sizeof(command), "round %d", (int)round);
	struct event *events = record(fixture, specimen, command, &cnt);
	specimen_expect(x, round, UINT64_MAX);
	must(expect_match(x, TP_UTXOCACHE_ADD, events, cnt, &findings, &diag), &diag);
	expect_free(x);
	free(events);
	specimen_stop(specimen);
	return findings;
}

static void
assert_payloads(const struct event *events, size_t cnt, enum value_state state, bool is_longer)
{
	unsigned seen = 0;

	for (size_t i = 0; i < cnt; i++)
		for (unsigned n = 0; n < events[i].args_cnt; n++) {
			const struct value *value = &events[i].args[n];

			if (value->type != VALUE_BYTES)
				continue;
			assert_int_equal(value->state, state);
			assert_int_equal(value->len, RECORD_PAYLOAD_BYTES);
			assert_int_equal(value->full_len > value->len, is_longer);
			seen++;
		}
	assert_true(seen >= 4);
}

/* A payload that just fills its room is complete; one that is longer is marked as cut. */
static void
check_what_is_cut(enum probe_method method)
{
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	struct fixture fixture;
	char command[32];
	size_t cnt;

	fixture_open(&fixture, BROKEN_SPECIMEN, method, UINT64_MAX, 0);
	snprintf(command, sizeof(command), "round %d", (int)SPECIMEN_GREATEST);
	struct event *events = record(&fixture, specimen, command, &cnt);
	assert_payloads(events, cnt, VALUE_READ, false);
	free(events);
	snprintf(command, sizeof(command), "round %d", (int)SPECIMEN_BEYOND);
	events = record(&fixture, specimen, command, &cnt);
	assert_payloads(events, cnt, VALUE_CUT, true);
	free(events);
	fixture_close(&fixture);
	specimen_stop(specimen);
}

static void
test_only_what_is_cut_is_marked(void **state)
{
	(void)state;
	for (size_t b = 0; b < backends_cnt; b++)
		check_what_is_cut(backends[b]);
}

/* Every finding must be about that tracepoint and argument, and there must be cnt of them. */
static void
assert_named(struct findings *findings, const char *broken, const char *tracepoint, unsigned argument,
	     size_t cnt)
{
	for (size_t i = 0; i < findings->cnt; i++)
		if (strcmp(findings->items[i].tracepoint, tracepoint) ||
		    findings->items[i].argument != argument)
			fail_msg("%s: blamed is %s argument %u: %s", broken, findings->items[i].tracepoint,
				 findings->items[i].argument, findings->items[i].message);
	if (findings->cnt != cnt)
		fail_msg("%s: %zu findings, want %zu", broken, findings->cnt, cnt);
	findings_fini(findings);
}

static void
test_sound_specimen_has_no_findings(void **state)
{
	(void)state;
	for (size_t m = 0; m < methods_cnt; m++) {
		struct fixture fixture;

		fixture_open(&fixture, BROKEN_SPECIMEN, methods[m], UINT64_MAX, 0);
		for (int round = 0; round < SPECIMEN_ROUNDS; round++) {
			struct findings findings = find_breakage(&fixture, NULL, (enum specimen_round)round);

			assert_named(&findings, "nothing broken", "", 0, 0);
		}
		fixture_close(&fixture);
	}
}

#ifdef LLD_SPECIMEN
/* lld has the file's page between code and data mapped twice; the semaphores are in one of the two mappings. */
static void
test_specimen_of_another_linker(void **state)
{
	(void)state;
	for (size_t m = 0; m < methods_cnt; m++) {
		struct specimen *specimen = start(LLD_SPECIMEN, NULL);
		struct findings findings = {0};
		struct expect *x = expect_new();
		struct fixture fixture;
		struct diag diag;
		size_t cnt;

		fixture_open(&fixture, LLD_SPECIMEN, methods[m], UINT64_MAX, 0);
		struct event *events = record(&fixture, specimen, "round 0", &cnt);
		specimen_expect(x, SPECIMEN_TYPICAL, UINT64_MAX);
		must(expect_match(x, TP_UTXOCACHE_ADD, events, cnt, &findings, &diag), &diag);
		assert_named(&findings, "nothing broken", "", 0, 0);
		expect_free(x);
		free(events);
		fixture_close(&fixture);
		specimen_stop(specimen);
	}
}
#endif

static void
break_each_value(enum probe_method method)
{
	struct fixture fixture;
	char broken[32];

	fixture_open(&fixture, BROKEN_SPECIMEN, method, UINT64_MAX, 0);
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);

		for (unsigned n = 1; n <= row->args_cnt; n++) {
			enum arg_type type = row->args[n - 1].type;

			snprintf(broken, sizeof(broken), "value:%u:%u", id, n);
			struct findings findings = find_breakage(&fixture, broken, SPECIMEN_TYPICAL);
			/* A wrong length makes the following bytes wrong as well. */
			if (n < row->args_cnt && row->args[n].type == ARG_BYTES) {
				assert_int_equal(findings.cnt, 4);
				assert_int_equal(findings.items[0].argument, n);
				findings_fini(&findings);
			} else {
				assert_named(&findings, broken, row->full_name, n, 2);
			}
			if (type != ARG_HASH && type != ARG_STRING && type != ARG_BYTES)
				continue;
			snprintf(broken, sizeof(broken), "pointer:%u:%u", id, n);
			findings = find_breakage(&fixture, broken, SPECIMEN_TYPICAL);
			assert_true(findings.cnt &&
				    strstr(findings.items[0].got, "not readable at 0x8: Bad address"));
			assert_named(&findings, broken, row->full_name, n, 2);
		}
	}
	fixture_close(&fixture);
}

static void
test_each_wrong_value_is_named(void **state)
{
	(void)state;
	for (size_t b = 0; b < backends_cnt; b++)
		break_each_value(backends[b]);
}

static void
break_each_event(enum probe_method method)
{
	struct fixture fixture;
	char broken[32];

	fixture_open(&fixture, BROKEN_SPECIMEN, method, UINT64_MAX, 0);
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const char *name = contract_get((enum tracepoint_id)id)->full_name;

		snprintf(broken, sizeof(broken), "never:%u:0", id);
		struct findings findings = find_breakage(&fixture, broken, SPECIMEN_TYPICAL);
		assert_true(findings.cnt && strstr(findings.items[0].message, "did not fire"));
		assert_named(&findings, broken, name, 0, 2);
		snprintf(broken, sizeof(broken), "twice:%u:0", id);
		findings = find_breakage(&fixture, broken, SPECIMEN_TYPICAL);
		assert_true(findings.cnt && strstr(findings.items[0].message, "fired unexpectedly"));
		assert_named(&findings, broken, name, 0, 2);
	}
	fixture_close(&fixture);
}

static void
test_each_missing_and_doubled_event_is_named(void **state)
{
	(void)state;
	for (size_t b = 0; b < backends_cnt; b++)
		break_each_event(backends[b]);
}

/* A type of another width shows in the notes before anything is attached. */
static void
test_each_wrong_width_is_named(void **state)
{
	struct notes *notes;
	struct plan plan;
	struct diag diag;
	unsigned seen = 0;

	(void)state;
	must(notes_open(&notes, WIDE_SPECIMEN, &diag), &diag);
	plan_make(&plan, notes, RELEASE_MASTER, UINT64_MAX);
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get((enum tracepoint_id)id);
		const struct findings *findings = &plan.findings[id];
		size_t at = 0;

		for (unsigned n = 1; n <= row->args_cnt; n++) {
			enum arg_type type = row->args[n - 1].type;

			if (type != ARG_INT32 && type != ARG_UINT32)
				continue;
			assert_true(at < findings->cnt);
			assert_int_equal(findings->items[at].argument, n);
			assert_non_null(strstr(findings->items[at].got, "8 bytes"));
			assert_non_null(strstr(findings->items[at].want, "4 bytes"));
			/* utxocache:add has a second site, in burst, whose types are right. */
			at++, seen++;
		}
		assert_int_equal(at, findings->cnt);
	}
	assert_true(seen > 15);
	plan_fini(&plan);
	notes_free(notes);
}

static void
test_only_the_given_process_is_seen(void **state)
{
	(void)state;
	for (size_t m = 0; m < methods_cnt; m++) {
		struct specimen *one = start(BROKEN_SPECIMEN, NULL), *other = start(BROKEN_SPECIMEN, NULL);
		struct record_list records;
		struct fixture fixture;
		struct diag diag;

		fixture_open(&fixture, BROKEN_SPECIMEN, methods[m], UINT64_MAX, 0);
		attach_and_arm(&fixture, one);
		must(specimen_command(other, "burst 1000", &diag), &diag);
		must(specimen_command(one, "burst 7", &diag), &diag);
		must(specimen_command(other, "round 0", &diag), &diag);
		must(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS), &records, NULL, &diag),
		     &diag);
		assert_int_equal(records.cnt, 7);
		fixture_close(&fixture);
		specimen_stop(one);
		specimen_stop(other);
	}
}

static void
check_mask(enum probe_method method)
{
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	struct record_list records;
	struct fixture fixture;
	struct diag diag;

	fixture_open(&fixture, BROKEN_SPECIMEN, method, UINT64_MAX, 0);
	must(probe_set_attach(fixture.set, specimen_pid(specimen), &diag), &diag);
	must(specimen_command(specimen, "round 0", &diag), &diag);
	must(probe_set_arm(fixture.set, TP_BIT(TP_MEMPOOL_REPLACED), &diag), &diag);
	must(specimen_command(specimen, "round 0", &diag), &diag);
	must(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS), &records, NULL, &diag), &diag);
	assert_int_equal(records.cnt, 2); /* two threads */
	must(specimen_command(specimen, "round 0", &diag), &diag);
	/* Events between two armings belong to neither. */
	must(probe_set_arm(fixture.set, UINT64_MAX, &diag), &diag);
	must(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS), &records, NULL, &diag), &diag);
	assert_int_equal(records.cnt, 0);
	fixture_close(&fixture);
	specimen_stop(specimen);
}

static void
test_mask_chooses_what_is_recorded(void **state)
{
	(void)state;
	for (size_t b = 0; b < backends_cnt; b++)
		check_mask(backends[b]);
}

static void
check_order(enum probe_method method)
{
	size_t hits = method == PROBE_METHOD_PTRACE ? 200000 : 1000000;
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	struct deadline patience = deadline_in_ms(PATIENCE_MS);
	struct record_list records;
	struct fixture fixture;
	struct event *events;
	struct diag diag;
	char command[32];
	int err;

	fixture_open(&fixture, BROKEN_SPECIMEN, method, TP_BIT(TP_UTXOCACHE_ADD), 0);
	snprintf(command, sizeof(command), "burst %zu", hits);
	attach_and_arm(&fixture, specimen);
	/* BPF does not hold the process up: on a machine that is busy with other things, some are lost. */
	for (;;) {
		must(specimen_command(specimen, command, &diag), &diag);
		err = probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS), &records, NULL, &diag);
		if (err != -EOVERFLOW || method == PROBE_METHOD_PTRACE || deadline_has_passed(patience))
			break;
		/* For want of room in the kernel, and nowhere else. */
		assert_non_null(strstr(diag.text, " did not fit into the buffers, 0 came from more threads"));
		assert_null(strstr(diag.text, "more than can be kept"));
		printf("once more: %s\n", diag.text);
		must(probe_set_arm(fixture.set, TP_BIT(TP_UTXOCACHE_ADD), &diag), &diag);
	}
	must(err, &diag);
	must(plan_decode(&fixture.plan, &records, &events, &diag), &diag);
	assert_int_equal(records.cnt, hits);
	for (size_t i = 0; i < records.cnt; i++)
		if (events[i].args[1].u != i)
			fail_msg("event %zu has number %" PRIu64, i, events[i].args[1].u);
	free(events);
	fixture_close(&fixture);
	specimen_stop(specimen);
}

static void
test_many_events_arrive_in_order(void **state)
{
	(void)state;
	for (size_t b = 0; b < backends_cnt; b++)
		check_order(backends[b]);
}

/* The specimen carries out a command while nobody reads: this process is stopped meanwhile, by another. */
static void
command_unread(struct specimen *specimen, const char *command)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		int failed = !stop_process(getppid()) || specimen_command(specimen, command, NULL);

		_exit(kill(getppid(), SIGCONT) || failed);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The specimen fires more than fits into a ring that is much too small. The reader is quicker than ptrace. */
static void
overfill(struct specimen *specimen, enum probe_method method, unsigned hits)
{
	char command[32];
	struct diag diag;

	snprintf(command, sizeof(command), "burst %u", hits);
	if (method == PROBE_METHOD_PTRACE)
		command_unread(specimen, command);
	else
		must(specimen_command(specimen, command, &diag), &diag);
}

/* The loss is an error with its figures, and does not carry over to the next arming. */
static void
lose_events(enum probe_method method)
{
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	unsigned hits = method == PROBE_METHOD_PTRACE ? 20000 : 500000;
	struct record_list records;
	struct probe_counts counts;
	struct fixture fixture;
	struct diag diag;

	fixture_open(&fixture, BROKEN_SPECIMEN, method, TP_BIT(TP_UTXOCACHE_ADD), 1);
	attach_and_arm(&fixture, specimen);
	overfill(specimen, method, hits);
	assert_int_equal(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS), &records, &counts, &diag),
			 -EOVERFLOW);
	assert_non_null(strstr(diag.text, "events were lost"));
	assert_int_equal(counts.attempts, hits);
	assert_true(counts.failed > 0);
	assert_int_equal(counts.delivered, counts.attempts - counts.failed);
	must(probe_set_arm(fixture.set, UINT64_MAX, &diag), &diag);
	must(specimen_command(specimen, "burst 10", &diag), &diag);
	must(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS), &records, &counts, &diag), &diag);
	assert_int_equal(records.cnt, 10);
	fixture_close(&fixture);
	specimen_stop(specimen);
}

/* Records with payloads reach the ring in another way than those whose size is known. */
static void
lose_payloads(enum probe_method method)
{
	const uint64_t messages = TP_BIT(TP_NET_INBOUND_MESSAGE) | TP_BIT(TP_NET_OUTBOUND_MESSAGE);
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	struct record_list records;
	struct probe_counts counts;
	struct fixture fixture;
	struct diag diag;
	char command[32];

	snprintf(command, sizeof(command), "round %d", (int)SPECIMEN_BEYOND);
	fixture_open(&fixture, BROKEN_SPECIMEN, method, messages, 1);
	attach_and_arm(&fixture, specimen);
	command_unread(specimen, command);
	assert_int_equal(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS), &records, &counts, &diag),
			 -EOVERFLOW);
	assert_non_null(strstr(diag.text, "events were lost"));
	assert_int_equal(counts.attempts, 4);
	assert_true(counts.failed > 0);
	assert_int_equal(counts.delivered, counts.attempts - counts.failed);
	fixture_close(&fixture);
	specimen_stop(specimen);
}

static void
test_a_loss_is_an_error(void **state)
{
	(void)state;
	for (size_t b = 0; b < backends_cnt; b++) {
		lose_events(backends[b]);
		if (backends[b] != PROBE_METHOD_PTRACE)
			lose_payloads(backends[b]);
	}
}

/* Hits of threads that the program in the kernel has no room for are counted, and the arming is an error. (ptrace gives
 * the place of a thread that has ended to another.) */
static void
lose_threads(enum probe_method method)
{
	enum { THREADS = 3000 };
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	struct record_list records;
	struct probe_counts counts;
	struct fixture fixture;
	struct diag diag;
	char command[32];

	snprintf(command, sizeof(command), "threads %d", (int)THREADS);
	fixture_open(&fixture, BROKEN_SPECIMEN, method, TP_BIT(TP_UTXOCACHE_ADD), 0);
	attach_and_arm(&fixture, specimen);
	must(specimen_command(specimen, command, &diag), &diag);
	assert_int_equal(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS), &records, &counts, &diag),
			 -EOVERFLOW);
	assert_non_null(strstr(diag.text, " came from more threads than there is room for"));
	assert_true(counts.attempts > 0 && counts.no_memory > 0);
	assert_int_equal(counts.attempts + counts.no_memory, THREADS);
	assert_int_equal(counts.delivered, counts.attempts);
	fixture_close(&fixture);
	specimen_stop(specimen);
}

static void
test_more_threads_than_slots_are_an_error(void **state)
{
	(void)state;
	for (size_t b = 0; b < backends_cnt; b++)
		if (backends[b] != PROBE_METHOD_PTRACE)
			lose_threads(backends[b]);
}

static void
assert_same_value(const struct value *a, const struct value *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->error, b->error);
	assert_int_equal(a->u, b->u);
	assert_int_equal(a->i, b->i);
	assert_int_equal(a->full_len, b->full_len);
	assert_int_equal(a->len, b->len);
	if (a->len)
		assert_memory_equal(a->bytes, b->bytes, a->len);
}

/* In a PID namespace BPF and ptrace number threads differently. */
static bool
sees_all_processes(void)
{
	char target[64];
	ssize_t len = readlink("/proc/self/ns/pid", target, sizeof(target) - 1);

	assert_true(len > 0);
	target[len] = '\0';
	return !strcmp(target, "pid:[4026531836]"); /* the kernel's PROC_PID_INIT_INO */
}

/* Of a round: in all but the time and the number of the second thread. */
static void
assert_same_events(const struct event *a, size_t a_cnt, const struct event *b, size_t b_cnt, pid_t pid)
{
	assert_int_equal(a_cnt, b_cnt);
	for (size_t i = 0; i < a_cnt; i++) {
		assert_int_equal(a[i].tracepoint, b[i].tracepoint);
		assert_int_equal(a[i].release, b[i].release);
		assert_int_equal(a[i].site, b[i].site);
		assert_int_equal(a[i].seq, b[i].seq);
		assert_int_equal(a[i].tid == a[0].tid, b[i].tid == b[0].tid);
		if (sees_all_processes())
			assert_int_equal(a[i].tid == (uint32_t)pid, b[i].tid == (uint32_t)pid);
		assert_int_equal(a[i].args_cnt, b[i].args_cnt);
		for (unsigned n = 0; n < a[i].args_cnt; n++)
			assert_same_value(&a[i].args[n], &b[i].args[n]);
	}
}

/* The same acts of the same process, so that pointers are equal as well. By ptrace first: it refuses a process in which
 * the kernel has yet to take out the traps of another method. */
static void
compare_round(struct fixture *fixtures, const char *broken, int round)
{
	struct specimen *specimen = start(BROKEN_SPECIMEN, broken);
	struct event *first = NULL;
	size_t first_cnt = 0, cnt;
	char command[32];

	snprintf(command, sizeof(command), "round %d", round);
	for (size_t m = methods_cnt; m-- > 0;) {
		struct event *events = record(&fixtures[m], specimen, command, &cnt);

		probe_set_detach(fixtures[m].set);
		assert_int_equal(cnt, 2 * TRACEPOINTS_CNT);
		if (first) {
			assert_same_events(first, first_cnt, events, cnt, specimen_pid(specimen));
			free(events);
		} else {
			first = events;
			first_cnt = cnt;
		}
	}
	free(first);
	specimen_stop(specimen);
}

static void
test_all_methods_see_the_same(void **state)
{
	static const struct {
		int id;
		unsigned argument;
	} pointers[] = {{TP_NET_INBOUND_MESSAGE, 6}, {TP_UTXOCACHE_ADD, 1}, {TP_MEMPOOL_REJECTED, 2}};
	struct fixture fixtures[sizeof(methods) / sizeof(methods[0])];
	char broken[32];

	(void)state;
	for (size_t m = 0; m < methods_cnt; m++)
		fixture_open(&fixtures[m], BROKEN_SPECIMEN, methods[m], UINT64_MAX, 0);
	for (int round = 0; round < SPECIMEN_ROUNDS; round++)
		compare_round(fixtures, NULL, round);
	for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
		snprintf(broken, sizeof(broken), "pointer:%d:%u", pointers[i].id, pointers[i].argument);
		compare_round(fixtures, broken, SPECIMEN_TYPICAL);
	}
	for (size_t m = 0; m < methods_cnt; m++)
		fixture_close(&fixtures[m]);
}

/* Whoever attaches next waits for the end. With perf events, what was attached stays. */
static void
attach_after_beginning_to_detach(enum probe_method method)
{
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	struct probe_opts opts = {.method = method, .owns_process = true};
	struct fixture fixture;
	struct diag diag;

	must(keeper_start(&opts.keeper, NULL, &diag), &diag);
	fixture_open_with(&fixture, BROKEN_SPECIMEN, &opts, UINT64_MAX);
	for (int i = 0; i < 3; i++) {
		size_t cnt;

		free(record(&fixture, specimen, "round 0", &cnt));
		assert_int_equal(cnt, 2 * TRACEPOINTS_CNT);
		probe_set_detach_begin(fixture.set);
	}
	probe_set_detach(fixture.set);
	must(probe_check_quiet(specimen_pid(specimen), fixture.plan.points, fixture.plan.points_cnt, &diag),
	     &diag);
	/* Nobody else waits for this one. */
	must(probe_set_attach(fixture.set, specimen_pid(specimen), &diag), &diag);
	probe_set_detach_begin(fixture.set);
	fixture_close(&fixture);
	must(keeper_stop(opts.keeper, &diag), &diag);
	specimen_stop(specimen);
}

static void
test_beginning_to_detach(void **state)
{
	(void)state;
	for (size_t m = 0; m < methods_cnt; m++)
		if (methods[m] == PROBE_METHOD_MULTI || methods[m] == PROBE_METHOD_PTRACE)
			attach_after_beginning_to_detach(methods[m]);
}

/* One that a folder keeps is loaded without compiling; one of other kernel headers is not kept. */
static void
test_kept_programs(void **state)
{
	char dir[] = "/tmp/tpcheck-test-XXXXXX";
	struct probe_opts opts = {.method = methods[0], .owns_process = true, .cache_dir = dir};
	struct folder tree = {0};
	struct fixture fixture;
	struct diag diag;

	(void)state;
	if (methods[0] == PROBE_METHOD_PTRACE)
		return;
	assert_non_null(mkdtemp(dir));
	must(kernel_tree_write(&tree, NULL, dir, &diag), &diag);
	char *headers = xstrdup(tree.path), *cache = xasprintf("%s/cache", dir),
	     *pattern = xasprintf("%s/*", cache);
	opts.cache_dir = cache;
	opts.headers = PROBE_HEADERS_SYSTEM;
	opts.kernel_source = headers;
	fixture_open_with(&fixture, BROKEN_SPECIMEN, &opts, UINT64_MAX);
	fixture_close(&fixture);
	assert_int_equal(access(cache, F_OK), -1);
	opts.headers = PROBE_HEADERS_BUILTIN;
	ino_t first = 0;
	for (int i = 0; i < 2; i++) {
		struct stat st;
		glob_t found;

		fixture_open_with(&fixture, BROKEN_SPECIMEN, &opts, UINT64_MAX);
		assert_int_equal(glob(pattern, 0, NULL, &found), 0);
		assert_int_equal(found.gl_pathc, 1);
		assert_int_equal(stat(found.gl_pathv[0], &st), 0);
		globfree(&found);
		assert_true(!first || first == st.st_ino); /* one that was compiled replaces it */
		first = st.st_ino;
		struct findings findings = find_breakage(&fixture, NULL, SPECIMEN_TYPICAL);
		assert_int_equal(findings.cnt, 0);
		findings_fini(&findings);
		fixture_close(&fixture);
	}
	kernel_tree_remove(&tree);
	char *command = xasprintf("rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
	free(command);
	free(headers);
	free(pattern);
	free(cache);
}

static uint16_t
semaphore_of(struct specimen *specimen, const struct site *site)
{
	char path[64], line[512];
	uint16_t value = UINT16_MAX;
	uint64_t start_at, end, offset;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)specimen_pid(specimen));
	FILE *maps = fopen(path, "re");
	assert_non_null(maps);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)specimen_pid(specimen));
	int mem = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(mem >= 0);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t at = site->semaphore_file_offset;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw-p %" SCNx64, &start_at, &end, &offset) == 3 &&
		    strstr(line, "specimen") && at >= offset && at - offset < end - start_at)
			assert_int_equal(pread(mem, &value, 2, (off_t)(start_at + at - offset)), 2);
	}
	close(mem);
	fclose(maps);
	return value;
}

static void
test_semaphores_are_lowered_even_when_killed(void **state)
{
	(void)state;
	for (size_t m = 0; m < methods_cnt; m++) {
		struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
		struct fixture fixture;
		struct diag diag;
		int fds[2];
		char byte;

		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			/* In a process of its own, which will be killed. */
			const struct probe_opts opts = {.method = methods[m]};

			fixture_open_with(&fixture, BROKEN_SPECIMEN, &opts, TP_BIT(TP_UTXOCACHE_ADD));
			must(probe_set_attach(fixture.set, specimen_pid(specimen), &diag), &diag);
			if (write(fds[1], "x", 1) == 1)
				pause();
			_exit(1);
		}
		close(fds[1]);
		assert_int_equal(read(fds[0], &byte, 1), 1);
		must(notes_open(&fixture.notes, BROKEN_SPECIMEN, &diag), &diag);
		const struct site *site = notes_find(fixture.notes, "utxocache", "add", 0);
		assert_non_null(site);
		assert_int_not_equal(semaphore_of(specimen, site), 0);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		/* The kernel lowers it in its own time. */
		struct deadline deadline = deadline_in_ms(5000);
		while (semaphore_of(specimen, site) && !deadline_has_passed(deadline))
			clock_pause_ms(5, deadline);
		assert_int_equal(semaphore_of(specimen, site), 0);
		must(specimen_command(specimen, "round 0", &diag), &diag);
		notes_free(fixture.notes);
		close(fds[0]);
		specimen_stop(specimen);
	}
}

/* A thread that looks where it is, again and again. */
struct watcher {
	pthread_t thread;
	char home[PATH_MAX];
	atomic_bool is_over, has_moved, has_own;
};

static void *
watch(void *arg)
{
	struct watcher *watcher = arg;
	char path[PATH_MAX];

	while (!watcher->is_over)
		if (!getcwd(path, sizeof(path)) || strcmp(path, watcher->home))
			watcher->has_moved = true;
	/* A sandbox may refuse it. */
	watcher->has_own = !unshare(CLONE_FS);
	return NULL;
}

/* While one thread compiles, others can use relative paths: nodes are started then. */
static void
test_compiling_moves_no_other_thread(void **state)
{
	static struct watcher watcher;
	struct fixture fixture;
	char path[PATH_MAX];

	(void)state;
	if (backends[0] == PROBE_METHOD_PTRACE)
		skip();
	assert_non_null(getcwd(watcher.home, sizeof(watcher.home)));
	assert_int_equal(pthread_create(&watcher.thread, NULL, watch, &watcher), 0);
	fixture_open(&fixture, BROKEN_SPECIMEN, backends[0], TP_BIT(TP_UTXOCACHE_ADD), 0);
	fixture_close(&fixture);
	watcher.is_over = true;
	pthread_join(watcher.thread, NULL);
	assert_true(!watcher.has_moved || !watcher.has_own);
	assert_string_equal(getcwd(path, sizeof(path)), watcher.home);
}

/* No method works without it: none is recommended. */
static void
test_a_keeper_that_was_killed(void **state)
{
	static const enum probe_method asked[] = {PROBE_METHOD_AUTO, PROBE_METHOD_MULTI};
	struct probe_set *set;
	struct keeper *keeper;
	struct notes *notes;
	struct plan plan;
	struct diag diag;

	(void)state;
	if (!works(PROBE_METHOD_MULTI))
		skip();
	must(notes_open(&notes, BROKEN_SPECIMEN, &diag), &diag);
	plan_make(&plan, notes, RELEASE_MASTER, TP_BIT(TP_UTXOCACHE_ADD));
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		char want[200];

		must(keeper_start(&keeper, NULL, &diag), &diag);
		kill(keeper_pid(keeper), SIGKILL);
		const struct probe_opts opts = {.method = asked[i], .keeper = keeper};
		assert_int_equal(probe_set_new(&set, plan.points, plan.points_cnt, &opts, &diag), -EPIPE);
		snprintf(want, sizeof(want), "keeper: the process %d (usdt-keeper) was killed",
			 (int)keeper_pid(keeper));
		if (!strstr(diag.text, want) || strstr(diag.text, "--attach"))
			fail_msg("%s", diag.text);
		keeper_stop(keeper, NULL);
	}
	plan_fini(&plan);
	notes_free(notes);
}

/* Whether tracefs has definitions by that tpcheck. */
static bool
is_defined(pid_t tpcheck)
{
	static const char *const places[] = {"/sys/kernel/tracing/uprobe_events",
					     "/sys/kernel/debug/tracing/uprobe_events"};
	char line[512];
	FILE *file = fopen(places[0], "re");
	bool found = false;

	if (!file)
		file = fopen(places[1], "re");
	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file)) {
		int pid;

		found = sscanf(line, "p:tpcheck_%*u_%d_", &pid) == 1 && pid == tpcheck;
	}
	fclose(file);
	return found;
}

/* The next tpcheck removes the definitions of one that was killed, but none that is in use. */
static void
test_definitions_in_tracefs_do_not_stay(void **state)
{
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	struct fixture fixture;
	struct diag diag;
	int fds[2];
	char byte;

	(void)state;
	if (!works(PROBE_METHOD_TRACEFS)) {
		specimen_stop(specimen);
		skip();
	}
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t parent = getpid(), pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		signals_end_with(parent);
		fixture_open(&fixture, BROKEN_SPECIMEN, PROBE_METHOD_TRACEFS, TP_BIT(TP_UTXOCACHE_ADD), 0);
		must(probe_set_attach(fixture.set, specimen_pid(specimen), &diag), &diag);
		if (write(fds[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	assert_true(is_defined(pid));
	probe_sweep();
	assert_true(is_defined(pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* Any other tpcheck may remove it from now on. The kernel may still be closing what was killed. */
	struct deadline deadline = deadline_in_ms(5000);
	for (probe_sweep(); is_defined(pid) && !deadline_has_passed(deadline); probe_sweep())
		clock_pause_ms(5, deadline);
	assert_false(is_defined(pid));
	fixture_open(&fixture, BROKEN_SPECIMEN, PROBE_METHOD_TRACEFS, TP_BIT(TP_UTXOCACHE_ADD), 0);
	must(probe_set_attach(fixture.set, specimen_pid(specimen), &diag), &diag);
	assert_true(is_defined(getpid()));
	fixture_close(&fixture);
	assert_false(is_defined(getpid()));
	specimen_stop(specimen);
}

static void
test_processes_that_cannot_be_attached_to(void **state)
{
	struct specimen *specimen = start(BROKEN_SPECIMEN, NULL);
	struct fixture fixture;
	struct diag diag;

	(void)state;
	for (size_t m = 0; m < methods_cnt; m++) {
		fixture_open(&fixture, BROKEN_SPECIMEN, methods[m], TP_BIT(TP_UTXOCACHE_ADD), 0);
		/* Not the program that the plan is for. */
		assert_int_equal(probe_set_attach(fixture.set, getpid(), &diag), -ENXIO);
		assert_non_null(strstr(diag.text, "does not run the program"));
		pid_t gone = fork();
		if (!gone)
			_exit(0);
		waitpid(gone, NULL, 0);
		assert_int_not_equal(probe_set_attach(fixture.set, gone, &diag), 0);
		/* The set still works. */
		must(probe_set_attach(fixture.set, specimen_pid(specimen), &diag), &diag);
		fixture_close(&fixture);
	}
	specimen_stop(specimen);
}

static void
add_method(enum probe_method method)
{
	if (!methods_cnt || method == PROBE_METHOD_PTRACE)
		backends[backends_cnt++] = method;
	methods[methods_cnt++] = method;
}

int
main(void)
{
	char reason[600];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_specimen_has_no_findings),
#ifdef LLD_SPECIMEN
		cmocka_unit_test(test_specimen_of_another_linker),
#endif
		cmocka_unit_test(test_only_what_is_cut_is_marked),
		cmocka_unit_test(test_each_wrong_value_is_named),
		cmocka_unit_test(test_each_missing_and_doubled_event_is_named),
		cmocka_unit_test(test_each_wrong_width_is_named),
		cmocka_unit_test(test_only_the_given_process_is_seen),
		cmocka_unit_test(test_mask_chooses_what_is_recorded),
		cmocka_unit_test(test_many_events_arrive_in_order),
		cmocka_unit_test(test_a_loss_is_an_error),
		cmocka_unit_test(test_more_threads_than_slots_are_an_error),
		cmocka_unit_test(test_all_methods_see_the_same),
		cmocka_unit_test(test_beginning_to_detach),
		cmocka_unit_test(test_kept_programs),
		cmocka_unit_test(test_semaphores_are_lowered_even_when_killed),
		cmocka_unit_test(test_compiling_moves_no_other_thread),
		cmocka_unit_test(test_a_keeper_that_was_killed),
		cmocka_unit_test(test_definitions_in_tracefs_do_not_stay),
		cmocka_unit_test(test_processes_that_cannot_be_attached_to),
	};

	test_mount_tracefs();
	for (enum probe_method method = PROBE_METHOD_MULTI; method <= PROBE_METHOD_PTRACE; method++)
		if (!probe_find_early_obstacle(method, reason, sizeof(reason)) &&
		    !probe_find_obstacle(method, reason, sizeof(reason)))
			add_method(method);
		else
			printf("not tried, --attach=%s: %s\n", probe_method_name(method), reason);
	if (!methods_cnt) {
		printf("SKIP: %s\n", reason);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
