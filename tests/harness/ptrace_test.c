/* What a process does while it is traced by ptrace, and what happens to it and to those who trace it. Requires no
 * privilege; skipped where ptrace does not work.
 *
 * ptrace_test [HITS [TESTS]]: hits of each of the eight threads, 12500 (fewer on a slow machine) unless given; and only
 * the tests of that name, in which * and ? are as in a shell. */
#include "base/clock.h"
#include "base/keeper.h"
#include "base/text.h"
#include "base/xmem.h"
#include "run/plan.h"
#include "run/specimen.h"
#include "slowness.h"
#include "surroundings.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { COLLECT_MS = 20000, PATIENCE_MS = 30000, THREADS = 8, DETACHES = 100 };

static uint64_t hits_of_each;

struct fixture {
	struct notes *notes;
	struct plan plan;
	struct probe_set *set;
	struct specimen *victim;
	bool owns;
};

static void
must(int err, const struct diag *diag)
{
	if (err)
		fail_msg("%s", diag->text);
}

static void
command(struct fixture *fixture, const char *verb, uint64_t n)
{
	char *text = xasprintf("%s %" PRIu64, verb, n);
	struct diag diag;

	must(specimen_command(fixture->victim, text, &diag), &diag);
	free(text);
}

static void
attach(struct fixture *fixture)
{
	struct diag diag;

	must(probe_set_attach(fixture->set, specimen_pid(fixture->victim), &diag), &diag);
	must(probe_set_arm(fixture->set, UINT64_MAX, &diag), &diag);
}

static void
prepare(struct fixture *fixture, bool owns, struct keeper *keeper)
{
	const struct probe_opts opts = {
		.method = PROBE_METHOD_PTRACE, .owns_process = owns, .keeper = keeper};
	struct diag diag;

	fixture->owns = owns;
	must(notes_open(&fixture->notes, VICTIM, &diag), &diag);
	plan_make(&fixture->plan, fixture->notes, RELEASE_MASTER, TP_BIT(TP_UTXOCACHE_ADD));
	must(probe_set_new(&fixture->set, fixture->plan.points, fixture->plan.points_cnt, &opts, &diag),
	     &diag);
}

static void
begin(struct fixture *fixture, bool owns)
{
	struct diag diag;

	prepare(fixture, owns, NULL);
	must(specimen_start(&fixture->victim, VICTIM, &diag), &diag);
	attach(fixture);
}

/* The number of records since the last arming. */
static size_t
collect(struct fixture *fixture)
{
	struct record_list records;
	struct diag diag;

	must(probe_set_collect(fixture->set, deadline_in_ms(COLLECT_MS * test_slowness()), &records, NULL,
			       &diag),
	     &diag);
	return records.cnt;
}

/* It is as if nothing had been. */
static void
detach_and_check(struct fixture *fixture)
{
	probe_set_detach(fixture->set);
	command(fixture, "check", 0);
	command(fixture, "burst", 10);
}

static void
end(struct fixture *fixture)
{
	probe_set_free(fixture->set);
	specimen_stop(fixture->victim);
	plan_fini(&fixture->plan);
	notes_free(fixture->notes);
}

/* For a process that tpcheck started, and for another. */
static void
for_both(void (*test)(bool owns))
{
	test(true);
	test(false);
}

static char
state_of(pid_t pid)
{
	char path[64], state = '\0';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '\0';
	if (file)
		fclose(file);
	return state;
}

static void
trap_only_what_is_armed(bool owns)
{
	struct fixture fixture;
	struct diag diag;

	begin(&fixture, owns);
	command(&fixture, "burst", 7);
	assert_int_equal(collect(&fixture), 7);
	/* It is attached, but not recording. */
	command(&fixture, "check", 0);
	must(probe_set_arm(fixture.set, UINT64_MAX & ~TP_BIT(TP_UTXOCACHE_ADD), &diag), &diag);
	command(&fixture, "check", 0);
	command(&fixture, "burst", 7);
	assert_int_equal(collect(&fixture), 0);
	must(probe_set_arm(fixture.set, TP_BIT(TP_UTXOCACHE_ADD), &diag), &diag);
	command(&fixture, "burst", 7);
	assert_int_equal(collect(&fixture), 7);
	end(&fixture);
}

static void
test_traps_are_there_only_for_what_is_armed(void **state)
{
	(void)state;
	for_both(trap_only_what_is_armed);
}

/* Children: their memory is clean, and nothing of them is seen, but for one that shares the memory. */

static void
make_children(bool owns)
{
	struct fixture fixture;

	begin(&fixture, owns);
	command(&fixture, "fork", 3);
	command(&fixture, "spawn", 3);
	command(&fixture, "burst", 7);
	assert_int_equal(collect(&fixture), 7);
	detach_and_check(&fixture);
	end(&fixture);
}

static void
test_children_run_without_traps(void **state)
{
	(void)state;
	for_both(make_children);
}

static void
make_children_that_share_memory(bool owns)
{
	struct fixture fixture;

	begin(&fixture, owns);
	command(&fixture, "vfork", 3);
	command(&fixture, "burst", 7);
	assert_int_equal(collect(&fixture), 20 * 3 + 7);
	detach_and_check(&fixture);
	end(&fixture);
}

static void
test_a_child_that_shares_the_memory_is_traced_until_it_executes(void **state)
{
	(void)state;
	for_both(make_children_that_share_memory);
}

static void
execute(bool owns)
{
	struct fixture fixture;

	begin(&fixture, owns);
	command(&fixture, "burst", 5);
	command(&fixture, "exec", 0);
	command(&fixture, "check", 0);
	command(&fixture, "burst", 5);
	assert_int_equal(collect(&fixture), 5);
	attach(&fixture);
	command(&fixture, "burst", 3);
	assert_int_equal(collect(&fixture), 3);
	detach_and_check(&fixture);
	end(&fixture);
}

static void
test_another_program_is_left_alone(void **state)
{
	(void)state;
	for_both(execute);
}

/* Threads */

static void
come_and_go(bool owns)
{
	const uint64_t threads = 2000 / test_slowness();
	struct fixture fixture;
	struct diag diag;

	begin(&fixture, owns);
	command(&fixture, "start", 4);
	command(&fixture, "threads", threads);
	command(&fixture, "stop", 0);
	assert_true(collect(&fixture) > threads);
	detach_and_check(&fixture);
	/* Attached and let go while threads come and go. */
	command(&fixture, "churn", 4);
	for (int i = 0; i < (owns ? 50 : 10); i++) {
		int err = probe_set_attach(fixture.set, specimen_pid(fixture.victim), &diag);

		/* Whoever makes threads all the time blocks signals nearly all the time: then it is refused. */
		if (!owns && err == -EOPNOTSUPP) {
			assert_non_null(strstr(diag.text, "blocks SIGTRAP"));
			command(&fixture, "check", 0);
			continue;
		}
		must(err, &diag);
		must(probe_set_arm(fixture.set, UINT64_MAX, &diag), &diag);
		command(&fixture, "threads", 5);
		assert_true(collect(&fixture) >= 5);
		probe_set_detach(fixture.set);
		command(&fixture, "check", 0);
	}
	command(&fixture, "stop", 0);
	detach_and_check(&fixture);
	end(&fixture);
}

static void
test_threads_come_and_go(void **state)
{
	(void)state;
	for_both(come_and_go);
}

/* No thread's own order is violated, and what is seen is what was done. */
static void
test_hits_of_eight_threads_are_all_seen(void **state)
{
	uint64_t next[THREADS] = {0}, last_ns = 0;
	struct record_list records;
	struct fixture fixture;
	struct diag diag;

	(void)state;
	begin(&fixture, true);
	command(&fixture, "many", hits_of_each);
	must(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS * test_slowness()), &records, NULL,
			       &diag),
	     &diag);
	assert_int_equal(records.cnt, THREADS * hits_of_each);
	for (size_t i = 0; i < records.cnt; i++) {
		const struct record *record = records.items[i];
		uint64_t thread = record->args[3].value;

		assert_true(thread < THREADS);
		assert_true(record->args[1].value == next[thread]);
		assert_true(record->head.seq == next[thread] + 1);
		assert_true(record->head.time_ns >= last_ns);
		next[thread]++;
		last_ns = record->head.time_ns;
	}
	end(&fixture);
}

/* Signals */

static void
get_signals(bool owns)
{
	struct fixture fixture;

	begin(&fixture, owns);
	command(&fixture, "usr1", 300);
	assert_true(collect(&fixture) > 0);
	/* Also while we let go of it. */
	command(&fixture, "start", 4);
	for (int i = 0; i < 20; i++) {
		attach(&fixture);
		kill(specimen_pid(fixture.victim), SIGCHLD); /* ignored */
		probe_set_detach(fixture.set);
	}
	command(&fixture, "stop", 0);
	detach_and_check(&fixture);
	end(&fixture);
}

static void
test_signals_arrive(void **state)
{
	(void)state;
	for_both(get_signals);
}

/* A process with a handler of SIGTRAP of its own is only traced if tpcheck started it. */
static void
test_sigtrap_of_others_arrives(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture, true);
	command(&fixture, "trap", 300);
	assert_true(collect(&fixture) > 0);
	detach_and_check(&fixture);
	end(&fixture);
}

static void
wait_for_state(pid_t pid, bool stopped)
{
	struct deadline deadline = deadline_in_ms(PATIENCE_MS * test_slowness());
	int in_a_row = 0;

	/* On the way there the thread stops for the tracer, and goes on. */
	while (in_a_row < 10 && !deadline_has_passed(deadline)) {
		in_a_row = (strchr("Tt", state_of(pid)) != NULL) == stopped ? in_a_row + 1 : 0;
		clock_pause_ms(1, deadline);
	}
	assert_int_equal(in_a_row, 10);
}

static void
stop_and_continue(bool owns)
{
	struct fixture fixture;
	struct diag diag;

	begin(&fixture, owns);
	pid_t pid = specimen_pid(fixture.victim);
	command(&fixture, "start", 4);
	for (int i = 0; i < 10; i++) {
		kill(pid, SIGSTOP);
		wait_for_state(pid, true);
		/* Nothing moves once it is stopped. On a busy machine a thread may be on the way for long. */
		struct deadline deadline = deadline_in_ms(PATIENCE_MS * test_slowness());
		size_t cnt;
		do {
			collect(&fixture);
			must(probe_set_arm(fixture.set, UINT64_MAX, &diag), &diag);
			cnt = collect(&fixture);
			must(probe_set_arm(fixture.set, UINT64_MAX, &diag), &diag);
		} while (cnt && !deadline_has_passed(deadline));
		assert_int_equal(cnt, 0);
		kill(pid, SIGCONT);
		wait_for_state(pid, false);
	}
	command(&fixture, "stop", 0);
	detach_and_check(&fixture);
	end(&fixture);
}

static void
test_it_can_be_stopped_and_continued(void **state)
{
	(void)state;
	for_both(stop_and_continue);
}

static void
test_attaching_to_a_stopped_process(void **state)
{
	struct fixture fixture;
	struct diag diag;

	(void)state;
	for (int owns = 0; owns < 2; owns++) {
		prepare(&fixture, owns, NULL);
		must(specimen_start(&fixture.victim, VICTIM, &diag), &diag);
		pid_t pid = specimen_pid(fixture.victim);
		kill(pid, SIGSTOP);
		wait_for_state(pid, true);
		int err = probe_set_attach(fixture.set, pid, &diag);
		if (owns)
			must(err, &diag);
		else /* it cannot be protected, as that needs one of its threads */
			assert_int_equal(err, -EBUSY);
		wait_for_state(pid, true);
		kill(pid, SIGCONT);
		attach(&fixture);
		command(&fixture, "burst", 3);
		assert_int_equal(collect(&fixture), 3);
		detach_and_check(&fixture);
		end(&fixture);
	}
}

/* It stays stopped when we let go of it. */
static void
detach_stopped(bool owns)
{
	struct fixture fixture;

	begin(&fixture, owns);
	pid_t pid = specimen_pid(fixture.victim);
	command(&fixture, "start", 4);
	kill(pid, SIGSTOP);
	wait_for_state(pid, true);
	probe_set_detach(fixture.set);
	clock_pause_ms(20, deadline_in_ms(20));
	wait_for_state(pid, true);
	kill(pid, SIGCONT);
	wait_for_state(pid, false);
	command(&fixture, "stop", 0);
	detach_and_check(&fixture);
	attach(&fixture);
	command(&fixture, "burst", 3);
	assert_int_equal(collect(&fixture), 3);
	end(&fixture);
}

static void
test_a_stopped_process_stays_stopped(void **state)
{
	(void)state;
	for_both(detach_stopped);
}

/* Ends */

static void
die(bool owns, const char *how)
{
	struct probe_counts counts;
	struct record_list records;
	struct fixture fixture;
	struct diag diag;

	begin(&fixture, owns);
	if (how) {
		char *text = xasprintf("%s 8", how);

		assert_int_equal(specimen_command(fixture.victim, text, &diag), -EPIPE);
		free(text);
	} else {
		command(&fixture, "start", 8);
		kill(specimen_pid(fixture.victim), SIGKILL);
	}
	/* Whatever was counted has arrived. */
	must(probe_set_collect(fixture.set, deadline_in_ms(COLLECT_MS * test_slowness()), &records, &counts,
			       &diag),
	     &diag);
	assert_int_equal(counts.attempts, records.cnt);
	specimen_stop(fixture.victim);
	must(specimen_start(&fixture.victim, VICTIM, &diag), &diag);
	attach(&fixture);
	command(&fixture, "burst", 3);
	assert_int_equal(collect(&fixture), 3);
	end(&fixture);
}

static void
kill_it(bool owns)
{
	for (int i = 0; i < 20; i++)
		die(owns, NULL);
}

static void
let_it_exit(bool owns)
{
	for (int i = 0; i < 20; i++)
		die(owns, "die");
}

static void
test_it_is_killed_in_the_middle_of_hits(void **state)
{
	(void)state;
	for_both(kill_it);
}

static void
test_it_exits_in_the_middle_of_hits(void **state)
{
	(void)state;
	for_both(let_it_exit);
}

/* Others who trace */

static int
try_to_trace(pid_t pid, int request)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(ptrace((enum __ptrace_request)request, pid, NULL, NULL) ? errno : 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
refuse_debugger(bool owns)
{
	struct fixture fixture;

	begin(&fixture, owns);
	command(&fixture, "start", 4);
	assert_int_equal(try_to_trace(specimen_pid(fixture.victim), PTRACE_ATTACH), EPERM);
	assert_int_equal(try_to_trace(specimen_pid(fixture.victim), PTRACE_SEIZE), EPERM);
	command(&fixture, "stop", 0);
	assert_true(collect(&fixture) > 0);
	detach_and_check(&fixture);
	/* Now it may. */
	assert_int_equal(try_to_trace(specimen_pid(fixture.victim), PTRACE_SEIZE), 0);
	command(&fixture, "burst", 1);
	end(&fixture);
}

static void
test_a_debugger_that_comes_later_is_refused(void **state)
{
	(void)state;
	for_both(refuse_debugger);
}

static void
test_a_process_with_a_debugger_is_refused(void **state)
{
	struct fixture fixture;
	struct diag diag;
	int fds[2], status;
	char byte;

	(void)state;
	prepare(&fixture, false, NULL);
	must(specimen_start(&fixture.victim, VICTIM, &diag), &diag);
	assert_int_equal(pipe(fds), 0);
	pid_t debugger = fork();
	if (!debugger) {
		if (!ptrace(PTRACE_SEIZE, specimen_pid(fixture.victim), NULL, NULL) &&
		    write(fds[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(probe_set_attach(fixture.set, specimen_pid(fixture.victim), &diag), -EPERM);
	command(&fixture, "check", 0);
	kill(debugger, SIGKILL);
	waitpid(debugger, &status, 0);
	close(fds[0]);
	close(fds[1]);
	attach(&fixture);
	command(&fixture, "burst", 3);
	assert_int_equal(collect(&fixture), 3);
	end(&fixture);
}

/* Letting go */

static void
detach_often(bool owns)
{
	struct fixture fixture;

	begin(&fixture, owns);
	command(&fixture, "start", 4);
	for (int i = 0; i < DETACHES; i++) {
		struct deadline pause = deadline_in_ms(1);

		attach(&fixture);
		while (!deadline_has_passed(pause))
			;
		probe_set_detach(fixture.set);
		command(&fixture, "check", 0);
	}
	command(&fixture, "stop", 0);
	detach_and_check(&fixture);
	end(&fixture);
}

static void
test_detach_under_load_leaves_nothing(void **state)
{
	(void)state;
	for_both(detach_often);
}

/* A process that we started ends with us, whichever of us is killed */

enum target { TARGET_OWNER, TARGET_TRACER, TARGET_KEEPER, TARGETS };

/* Traces until it is killed, or stdin ends. */
static _Noreturn void
own(struct fixture *fixture, int ready_fd, int end_fd)
{
	struct keeper *keeper;
	struct diag diag;
	char byte;

	if (keeper_start(&keeper, NULL, &diag))
		_exit(1);
	prepare(fixture, true, keeper);
	attach(fixture);
	pid_t keeper_number = keeper_pid(keeper);
	if (write(ready_fd, &keeper_number, sizeof(keeper_number)) == sizeof(keeper_number) &&
	    read(end_fd, &byte, 1) < 0)
		_exit(1);
	/* Not more: this ends as a process does that does not clean up. */
	_exit(0);
}

static void
kill_one(enum target target)
{
	struct fixture fixture;
	int ready[2], end_of[2];
	struct diag diag;
	pid_t keeper;

	must(specimen_start(&fixture.victim, VICTIM, &diag), &diag);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end_of), 0);
	pid_t owner = fork();
	if (!owner) {
		close(end_of[1]);
		own(&fixture, ready[1], end_of[0]);
	}
	assert_int_equal(read(ready[0], &keeper, sizeof(keeper)), sizeof(keeper));
	pid_t tracer = test_child_of(keeper);
	assert_true(tracer > 0);
	command(&fixture, "start", 4);
	kill(target == TARGET_OWNER ? owner : target == TARGET_TRACER ? tracer : keeper, SIGKILL);
	if (target == TARGET_KEEPER) /* the others go on, until the owner ends */
		close(end_of[1]);
	siginfo_t info = {0};
	struct deadline deadline = deadline_in_ms(PATIENCE_MS * test_slowness());
	while (!info.si_pid && !deadline_has_passed(deadline)) {
		assert_int_equal(
			waitid(P_PID, (id_t)specimen_pid(fixture.victim), &info, WEXITED | WNOHANG | WNOWAIT),
			0);
		clock_pause_ms(1, deadline);
	}
	assert_int_equal(info.si_pid, specimen_pid(fixture.victim));
	assert_int_equal(info.si_status, SIGKILL);
	if (target != TARGET_KEEPER)
		close(end_of[1]);
	close(end_of[0]);
	close(ready[0]);
	close(ready[1]);
	waitpid(owner, NULL, 0);
	specimen_stop(fixture.victim);
}

static void
test_a_process_that_we_started_never_outlives_us(void **state)
{
	(void)state;
	for (int target = 0; target < TARGETS; target++)
		for (int i = 0; i < 5; i++)
			kill_one((enum target)target);
}

/* Whoever merges the records of several processes does not wait for those of one, which would notice it. */
static void
test_a_killed_tracer_is_noticed_when_records_are_taken(void **state)
{
	struct fixture fixture;
	struct record_list records;
	struct keeper *keeper;
	struct diag diag;
	uint64_t until_ns;

	(void)state;
	must(keeper_start(&keeper, NULL, &diag), &diag);
	prepare(&fixture, false, keeper);
	must(specimen_start(&fixture.victim, VICTIM, &diag), &diag);
	attach(&fixture);
	must(probe_set_take_now(fixture.set, &records, &until_ns, NULL, &diag), &diag);
	pid_t tracer = test_child_of(keeper_pid(keeper));
	assert_true(tracer > 0);
	kill(tracer, SIGKILL);
	struct deadline deadline = deadline_in_ms(PATIENCE_MS * test_slowness());
	while (!strchr("ZX", state_of(tracer)) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	assert_int_equal(probe_set_take_now(fixture.set, &records, &until_ns, NULL, &diag), -EPIPE);
	assert_non_null(strstr(diag.text, "(usdt-tracer), which traces by ptrace, was killed"));
	end(&fixture);
	keeper_stop(keeper, NULL);
}

int
main(int argc, char **argv)
{
	char reason[600];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traps_are_there_only_for_what_is_armed),
		cmocka_unit_test(test_children_run_without_traps),
		cmocka_unit_test(test_a_child_that_shares_the_memory_is_traced_until_it_executes),
		cmocka_unit_test(test_another_program_is_left_alone),
		cmocka_unit_test(test_threads_come_and_go),
		cmocka_unit_test(test_hits_of_eight_threads_are_all_seen),
		cmocka_unit_test(test_signals_arrive),
		cmocka_unit_test(test_sigtrap_of_others_arrives),
		cmocka_unit_test(test_it_can_be_stopped_and_continued),
		cmocka_unit_test(test_attaching_to_a_stopped_process),
		cmocka_unit_test(test_a_stopped_process_stays_stopped),
		cmocka_unit_test(test_it_is_killed_in_the_middle_of_hits),
		cmocka_unit_test(test_it_exits_in_the_middle_of_hits),
		cmocka_unit_test(test_a_debugger_that_comes_later_is_refused),
		cmocka_unit_test(test_a_process_with_a_debugger_is_refused),
		cmocka_unit_test(test_detach_under_load_leaves_nothing),
		cmocka_unit_test(test_a_process_that_we_started_never_outlives_us),
		cmocka_unit_test(test_a_killed_tracer_is_noticed_when_records_are_taken),
	};

	hits_of_each = 12500 / test_slowness();
	if (argc > 1 && !parse_u64(argv[1], &hits_of_each))
		return 2;
	if (probe_find_early_obstacle(PROBE_METHOD_PTRACE, reason, sizeof(reason)) ||
	    probe_find_obstacle(PROBE_METHOD_PTRACE, reason, sizeof(reason))) {
		printf("SKIP: %s\n", reason);
		return 77;
	}
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
