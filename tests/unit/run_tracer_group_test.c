/* The merging of several processes' events, with tracers that hand over what a test says. They take the place of
 * run/tracer.c. */
#include "base/xmem.h"
#include "run/tracer_group.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 4, RECORDS = 4, PROCESSES = 3, WRONG_POINT = 7 };

/* What a tracer hands over at once. */
struct round {
	struct record_head records[RECORDS]; /* until one without a time */
	uint64_t until_ns;
	int err;
};

static struct tracer {
	struct selection selection;
	struct round rounds[ROUNDS], last; /* by tracer_take, and by tracer_finish */
	unsigned taken;
	bool is_finished, is_free;
	const struct record *lent[RECORDS];
	struct probe_counts counts;
	size_t by_cnt, of_cnt; /* names to check */
	int end_fd;
} tracers[PROCESSES];
static unsigned tracers_cnt;

static struct site site = {
	.provider = "some", .name = "thing", .file_offset = 0x1000, .address = 0x1000, .address_bytes = 8};

struct tracer *
tracer_new(const struct tracer_opts *opts)
{
	static const char *const all[] = {"*"};
	const struct selection_opts selection_opts = {.patterns = all, .patterns_cnt = 1};
	struct tracer *tracer = &tracers[tracers_cnt++];
	struct diag diag;

	tracer->by_cnt = opts->by.cnt;
	tracer->of_cnt = opts->of.cnt;
	if (selection_make(&tracer->selection, &site, 1, &selection_opts, &diag))
		fail_msg("%s", diag.text);
	return tracer;
}

void
tracer_free(struct tracer *tracer)
{
	selection_fini(&tracer->selection);
	tracer->is_free = true;
}

int
tracer_load(struct tracer *tracer, const char *path, unsigned release, struct diag *diag)
{
	(void)tracer, (void)path, (void)release, (void)diag;
	return 0;
}

int
tracer_attach(struct tracer *tracer, pid_t pid, struct diag *diag)
{
	(void)tracer, (void)pid, (void)diag;
	return 0;
}

const struct selection *
tracer_selection(const struct tracer *tracer)
{
	return &tracer->selection;
}

void
tracer_counts(const struct tracer *tracer, struct probe_counts *counts)
{
	*counts = tracer->counts;
}

static int
lend(struct tracer *tracer, struct round *round, struct record_list *records, struct diag *diag)
{
	*records = (struct record_list){.items = tracer->lent};
	while (records->cnt < RECORDS && round->records[records->cnt].time_ns) {
		struct record_head *head = &round->records[records->cnt];

		head->size = sizeof(*head);
		tracer->lent[records->cnt++] = (const struct record *)head;
	}
	tracer->counts.delivered += records->cnt;
	return round->err ? diag_fail(diag, round->err, "the tracer died") : 0;
}

int
tracer_take(struct tracer *tracer, struct record_list *records, uint64_t *until_ns, struct diag *diag)
{
	assert_false(tracer->is_finished);
	assert_true(tracer->taken < ROUNDS);
	struct round *round = &tracer->rounds[tracer->taken++];
	*until_ns = round->until_ns;
	return lend(tracer, round, records, diag);
}

int
tracer_finish(struct tracer *tracer, struct record_list *records, struct diag *diag)
{
	assert_false(tracer->is_finished);
	tracer->is_finished = true;
	return lend(tracer, &tracer->last, records, diag);
}

/* What the group reported: "1@5 2@6" for events, "1:end 0" for an end with its error. */
static char seen[4096];

static bool
on_event(void *cookie, pid_t pid, const struct contract_tracepoint *row, const struct event *event)
{
	size_t len = strlen(seen);

	(void)cookie;
	assert_string_equal(row->full_name, "some:thing");
	snprintf(seen + len, sizeof(seen) - len, "%d@%u ", (int)pid, (unsigned)event->time_ns);
	return true;
}

static void
on_loss(void *cookie, pid_t pid, const struct probe_counts *counts, uint64_t lost)
{
	(void)cookie, (void)pid, (void)counts, (void)lost;
}

static void
on_end(void *cookie, pid_t pid, const struct probe_counts *counts, int err, const struct diag *diag)
{
	size_t len = strlen(seen);

	(void)cookie;
	snprintf(seen + len, sizeof(seen) - len, "%d:end %u%s%s ", (int)pid, (unsigned)counts->delivered,
		 err ? " " : "", err ? diag->text : "");
}

/* A group of the processes 1, 2, ... */
static struct tracer_group *
group_of(unsigned cnt)
{
	static const char *const names[] = {"a", "b", "c"};
	struct tracer_group *group = tracer_group_new(&(struct tracer_group_opts){
		.tracer = {.by = {names, 1}, .of = {names + 1, 2}},
		.on_event = on_event,
		.on_loss = on_loss,
		.on_end = on_end,
	});

	memset(tracers, 0, sizeof(tracers));
	tracers_cnt = 0;
	seen[0] = '\0';
	for (unsigned i = 0; i < cnt; i++) {
		const struct tracer *made;
		struct diag diag;
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		tracers[i].end_fd = fds[1];
		assert_int_equal(tracer_group_add(group, (pid_t)i + 1, fds[0], "", 0, &made, &diag), 0);
		assert_ptr_equal(made, &tracers[i]);
	}
	return group;
}

static void
end_process(unsigned i)
{
	assert_int_equal(write(tracers[i].end_fd, "", 1), 1);
}

/* Reports so much since the last call, and leaves so many processes. */
static void
assert_step(struct tracer_group *group, const char *want, size_t left)
{
	bool enough;

	tracer_group_step(group, &enough);
	assert_false(enough);
	assert_string_equal(seen, want);
	assert_int_equal(tracer_group_cnt(group), left);
	seen[0] = '\0';
}

static void
finish(struct tracer_group *group, const char *want)
{
	struct probe_counts counts;

	tracer_group_finish(group);
	assert_string_equal(seen, want);
	assert_int_equal(tracer_group_cnt(group), 0);
	uint64_t delivered = 0;
	for (unsigned i = 0; i < tracers_cnt; i++)
		delivered += tracers[i].counts.delivered;
	tracer_group_counts(group, &counts);
	assert_int_equal(counts.delivered, delivered);
	tracer_group_free(group);
	for (unsigned i = 0; i < tracers_cnt; i++) {
		assert_true(tracers[i].is_free);
		close(tracers[i].end_fd);
	}
}

/* Of several processes only the first has to have the arguments that statistics name. */
static void
test_names_are_checked_once(void **state)
{
	struct tracer_group *group = group_of(3);

	(void)state;
	assert_int_equal(tracers[0].by_cnt, 1);
	assert_int_equal(tracers[0].of_cnt, 2);
	for (unsigned i = 1; i < 3; i++)
		assert_int_equal(tracers[i].by_cnt + tracers[i].of_cnt, 0);
	finish(group, "1:end 0 2:end 0 3:end 0 ");
}

static void
test_order(void **state)
{
	struct tracer_group *group = group_of(2);

	(void)state;
	tracers[0].rounds[0] = (struct round){.records = {{.time_ns = 1}, {.time_ns = 4}}, .until_ns = 5};
	tracers[1].rounds[0] = (struct round){.records = {{.time_ns = 2}}, .until_ns = 3};
	tracers[0].rounds[1] = (struct round){.until_ns = 9};
	tracers[1].rounds[1] = (struct round){.records = {{.time_ns = 3}, {.time_ns = 5}}, .until_ns = 8};
	tracers[0].last = (struct round){.records = {{.time_ns = 12}}};
	tracers[1].last = (struct round){.records = {{.time_ns = 11}}};
	assert_step(group, "1@1 2@2 ", 2);
	assert_step(group, "2@3 1@4 2@5 ", 2);
	finish(group, "2@11 1@12 1:end 3 2:end 4 ");
}

/* The others go on; the end comes after the last event. */
static void
test_end(void **state)
{
	struct tracer_group *group = group_of(2);

	(void)state;
	end_process(0);
	tracers[0].last = (struct round){.records = {{.time_ns = 1}, {.time_ns = 7}}};
	tracers[1].rounds[0] = (struct round){.records = {{.time_ns = 2}}, .until_ns = 3};
	tracers[1].rounds[1] = (struct round){.until_ns = 8};
	assert_step(group, "1@1 2@2 ", 2);
	assert_step(group, "1@7 1:end 2 ", 1);
	finish(group, "2:end 1 ");
}

/* All events that came before a tracer failed are handed over, those that came with the error as well. */
static void
test_tracer_fails(void **state)
{
	struct tracer_group *group = group_of(2);

	(void)state;
	tracers[0].rounds[0] = (struct round){.records = {{.time_ns = 1}, {.time_ns = 5}}, .until_ns = 6};
	tracers[1].rounds[0] = (struct round){.until_ns = 2};
	tracers[0].rounds[1] = (struct round){.records = {{.time_ns = 7}}, .until_ns = 8, .err = -EPIPE};
	tracers[1].rounds[1] = (struct round){.records = {{.time_ns = 6}}, .until_ns = 9};
	assert_step(group, "1@1 ", 2);
	assert_step(group, "1@5 2@6 1@7 1:end 3 the tracer died ", 1);
	finish(group, "2:end 1 ");
}

/* Nothing of that process is handed over behind it, and the error stays, even if the process ends meanwhile. */
static void
test_record_does_not_fit(void **state)
{
	struct tracer_group *group = group_of(2);

	(void)state;
	tracers[0].rounds[0] = (struct round){.records = {{.time_ns = 1},
							  {.time_ns = 2, .point = WRONG_POINT},
							  {.time_ns = 3},
							  {.time_ns = 6}},
					      .until_ns = 7};
	tracers[1].rounds[0] = (struct round){.records = {{.time_ns = 4}}, .until_ns = 5};
	tracers[1].rounds[1] = (struct round){.records = {{.time_ns = 5}}, .until_ns = 8};
	assert_step(group, "1@1 2@4 ", 2);
	end_process(0);
	assert_step(group, "2@5 1:end 4 a record (probe point 7, 32 bytes) does not fit its probe point ", 1);
	finish(group, "2:end 2 ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_checked_once),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_tracer_fails),
		cmocka_unit_test(test_record_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
