/* Reports as files: when they are truncated, files that are used twice, writes that fail; and the live line, on a
 * terminal of the test. */
#include "base/clock.h"
#include "base/xmem.h"
#include "report/format.h"
#include "report/live.h"
#include "report/reports.h"
#include "surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

static char *folder;

static const char *
path_of(const char *name)
{
	static _Thread_local char paths[4][PATH_MAX];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *out = fopen(path_of(name), "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* The file's text, lent until the next call; NULL if there is no file. */
static const char *
text_of(const char *name)
{
	static char text[200000];
	FILE *in = fopen(path_of(name), "re");

	if (!in)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return text;
}

static const struct report_format *
format_of(const char *name)
{
	for (size_t i = 0; report_formats[i]; i++)
		if (!strcmp(report_format_name(report_formats[i]), name))
			return report_formats[i];
	fail_msg("no format %s", name);
	return NULL;
}

static int
add(struct reports *reports, const char *format, const char *name, struct diag *diag)
{
	return reports_add(reports, format_of(format), strcmp(name, "-") ? path_of(name) : name, diag);
}

static void
test_formats(void **state)
{
	static const char *const names[] = {"text", "json", "tap", "tap13", "junit", "github", "html"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(report_format_name(report_formats[i]), names[i]);
	assert_null(report_formats[sizeof(names) / sizeof(names[0])]);
}

static void
test_nothing_happens_before_begin(void **state)
{
	struct diag diag;

	(void)state;
	put("old", "precious");
	struct reports *reports = reports_new(NULL);
	assert_int_equal(add(reports, "tap", "old", &diag), 0);
	assert_int_equal(add(reports, "junit", "new", &diag), 0);
	assert_int_equal(add(reports, "json", "nowhere/new", &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "report: failed to open '"));
	assert_non_null(strstr(diag.text, "nowhere/new"));
	reports_free(reports);
	assert_string_equal(text_of("old"), "precious");
	assert_null(text_of("new"));

	reports = reports_new(NULL);
	assert_int_equal(reports_add(reports, format_of("json"), folder, &diag), -EISDIR);
	reports_free(reports);
	reports_free(NULL);
}

static void
test_places_taken_twice(void **state)
{
	struct diag diag;

	(void)state;
	put("one", "precious");
	assert_int_equal(symlink("one", path_of("link")), 0);
	assert_int_equal(link(path_of("one"), path_of("other")), 0);
	static const char *const again[] = {"one", "link", "other"};
	for (size_t i = 0; i < 3; i++) {
		struct reports *reports = reports_new(NULL);

		assert_int_equal(add(reports, "tap", "one", &diag), 0);
		assert_int_equal(add(reports, "junit", again[i], &diag), -EBUSY);
		assert_non_null(strstr(diag.text, "(tap and junit)"));
		assert_non_null(strstr(diag.text, again[i]));
		reports_free(reports);
	}
	assert_string_equal(text_of("one"), "precious");

	struct reports *reports = reports_new(NULL);
	assert_int_equal(add(reports, "text", "-", &diag), 0);
	assert_int_equal(add(reports, "json", "-", &diag), -EBUSY);
	assert_non_null(strstr(diag.text, "standard output"));
	reports_free(reports);
	/* A device can have any number. */
	reports = reports_new(NULL);
	assert_int_equal(reports_add(reports, format_of("tap"), "/dev/null", &diag), 0);
	assert_int_equal(reports_add(reports, format_of("junit"), "/dev/null", &diag), 0);
	reports_free(reports);
	assert_int_equal(access("/dev/null", F_OK), 0);
}

static void
test_several_at_once(void **state)
{
	struct report_result result = {.name = "a.b.c", .outcome = OUTCOME_PASS, .duration_ms = 12};
	struct report_run run = {.results = &result, .results_cnt = 1, .duration_ms = 34};
	struct report_head head = {.results_cnt = 1, .host = "here", .started = 1700000000};
	struct diag diag;

	(void)state;
	put("tap",
	    "a text that is longer than what comes, by far: 0123456789 0123456789 0123456789 01234567890123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n");
	put("xml", "old");
	struct reports *reports = reports_new(NULL);
	assert_int_equal(add(reports, "tap", "tap", &diag), 0);
	assert_int_equal(add(reports, "text", "txt", &diag), 0);
	assert_int_equal(add(reports, "junit", "xml", &diag), 0);
	reports_begin(reports, &head);
	/* A run that is killed now does not leave an old report. */
	assert_string_equal(text_of("xml"), "");
	assert_string_equal(text_of("tap"), "TAP version 14\n1..1\n");
	reports_start(reports, "a.b.c", 1, 1);
	reports_result(reports, &result);
	/* As it comes. */
	assert_string_equal(text_of("tap"),
			    "TAP version 14\n1..1\nok 1 - a.b.c\n  ---\n  severity: \"comment\"\n"
			    "  outcome: \"pass\"\n  duration_ms: 12\n  ...\n");
	assert_string_equal(text_of("txt"), "PASS  a.b.c (0.012 s)\n");
	assert_int_equal(reports_end(reports, &run, &diag), 0);
	reports_free(reports);
	assert_string_equal(
		text_of("xml"),
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"tpcheck\" tests=\"1\" failures=\"0\" errors=\"0\" time=\"0.034\">\n"
		"  <testsuite name=\"tpcheck\" tests=\"1\" failures=\"0\" errors=\"0\" time=\"0.034\" skipped=\"0\" timestamp=\"2023-11-14T22:13:20\" hostname=\"here\">\n"
		"    <properties>\n"
		"      <property name=\"interrupted\" value=\"false\"/>\n"
		"    </properties>\n"
		"    <testcase classname=\"a.b\" name=\"c\" time=\"0.012\">\n"
		"    </testcase>\n"
		"  </testsuite>\n"
		"</testsuites>\n");
	assert_string_equal(text_of("txt"), "PASS  a.b.c (0.012 s)\n"
					    "1 passed, 0 failed, 0 skipped, 0 errors in 0.0 s\n");
}

static void
test_writes_that_fail(void **state)
{
	static const char *const formats[] = {"text", "json", "tap", "junit", "github"};
	struct report_result result = {.name = "a.b.c", .outcome = OUTCOME_PASS};
	struct report_run run = {.results = &result, .results_cnt = 1};
	struct report_head head = {.results_cnt = 1};
	struct diag diag;

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct reports *reports = reports_new(NULL);

		assert_int_equal(reports_add(reports, format_of(formats[i]), "/dev/full", &diag), 0);
		assert_int_equal(add(reports, "json", "good", &diag), 0);
		reports_begin(reports, &head);
		reports_start(reports, "a.b.c", 1, 1);
		reports_result(reports, &result);
		assert_int_equal(reports_end(reports, &run, &diag), -ENOSPC);
		assert_non_null(strstr(diag.text, "report: failed to write the "));
		assert_non_null(strstr(diag.text, formats[i]));
		assert_non_null(strstr(diag.text, "'/dev/full': No space left on device"));
		reports_free(reports);
		/* The other report is not affected. */
		assert_non_null(strstr(text_of("good"), "\"passed\": 1"));
	}
}

/* What a node wrote, as a reason. Reports that people read in a terminal or a log pass on nothing that would control
 * it; those for programs pass on no C0 control characters and nothing that is not UTF-8. All keep what is around it. */
static void
test_hostile_text(void **state)
{
	static const char *const formats[] = {"text", "github", "tap", "tap13", "junit"};
	static const char *const hostile[] = {"\x1b[2J",
					      "\a",
					      "\b",
					      "\x9b"
					      "2J",
					      "\xff",
					      "\x7f",
					      "\xc2\x9b"
					      "2J",
					      "\xe2\x80\xae"};
	enum { FOR_PEOPLE = 2, FOR_ALL = 5 };
	struct diag diag;

	(void)state;
	for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++)
		for (size_t h = 0; h < (f < FOR_PEOPLE ? sizeof(hostile) / sizeof(hostile[0]) : FOR_ALL);
		     h++) {
			char *reason = xasprintf("before%safter", hostile[h]);
			struct report_result result = {
				.name = "a.b.c", .outcome = OUTCOME_ERROR, .reason = reason};
			struct report_run run = {.results = &result, .results_cnt = 1};
			struct report_head head = {.results_cnt = 1};
			struct reports *reports = reports_new(NULL);

			assert_int_equal(add(reports, formats[f], "txt", &diag), 0);
			reports_begin(reports, &head);
			reports_start(reports, "a.b.c", 1, 1);
			reports_result(reports, &result);
			assert_int_equal(reports_end(reports, &run, &diag), 0);
			reports_free(reports);
			const char *text = text_of("txt");
			assert_non_null(strstr(text, "before"));
			assert_non_null(strstr(text, "after"));
			if (strstr(text, hostile[h]))
				fail_msg("%s passes on hostile text %zu", formats[f], h);
			free(reason);
		}
}

/* Readers. Each test has an interrupt at some time, and would not end without it. */

enum { MANY = 400 };

/* A run whose results do not fit into a pipe. */
static void
report_much(struct reports *reports, const atomic_int *interrupted, const char *stuck)
{
	static struct report_result results[MANY];
	struct report_run run = {.results = results, .results_cnt = MANY, .interrupted = true};
	struct report_head head = {.results_cnt = MANY, .may_color = true, .may_move_cursor = true};
	uint64_t start_ns = clock_now_ns();
	struct diag diag;

	assert_int_equal(*interrupted, 1);
	reports_begin(reports, &head);
	for (size_t i = 0; i < MANY; i++) {
		results[i] = (struct report_result){.name = "a.b.c", .outcome = OUTCOME_PASS};
		reports_start(reports, "a.b.c", i + 1, MANY);
		reports_result(reports, &results[i]);
	}
	assert_int_equal(reports_end(reports, &run, &diag), -ETIMEDOUT);
	assert_non_null(strstr(diag.text, "report: gave up writing the "));
	assert_non_null(strstr(diag.text, stuck));
	/* A second for each stream, of which a terminal has two. */
	assert_in_range((clock_now_ns() - start_ns) / 1000000, 900, 8000);
	reports_free(reports);
	/* The other report is complete. */
	assert_non_null(strstr(text_of("good"), "\"passed\": 400"));
	assert_non_null(strstr(text_of("good"), "\"interrupted\": true"));
}

static void
test_stuck_reader(void **state)
{
	static const char *const formats[] = {"text", "json", "tap", "junit", "github"};
	atomic_int interrupted = 1;
	struct diag diag;

	(void)state;
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct reports *reports = reports_new(&interrupted);
		int reader = open(path_of("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		assert_true(fcntl(reader, F_SETPIPE_SZ, 4096) >= 4096);
		assert_int_equal(add(reports, formats[i], "fifo", &diag), 0);
		assert_int_equal(add(reports, "json", "good", &diag), 0);
		report_much(reports, &interrupted, formats[i]);
		close(reader);
	}
}

static void
test_fifo_without_reader(void **state)
{
	atomic_int interrupted = 1;
	struct diag diag;

	(void)state;
	struct reports *reports = reports_new(&interrupted);
	assert_int_equal(add(reports, "json", "fifo", &diag), -EINTR);
	assert_non_null(strstr(diag.text, "interrupted while nobody read the FIFO '"));
	reports_free(reports);
}

static void *
read_later(void *arg)
{
	clock_pause_ms(300, deadline_in_ms(300));
	FILE *in = fopen(path_of("fifo"), "re");

	if (in) {
		*(size_t *)arg = fread(((char *)arg) + sizeof(size_t), 1, 1000, in);
		fclose(in);
	}
	return NULL;
}

static void
test_fifo_with_late_reader(void **state)
{
	struct report_run run = {.results_cnt = 0};
	struct report_head head = {.results_cnt = 0};
	struct {
		size_t len;
		char text[1001];
	} got = {0};
	pthread_t thread;
	struct diag diag;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_later, &got), 0);
	struct reports *reports = reports_new(NULL);
	assert_int_equal(add(reports, "text", "fifo", &diag), 0);
	reports_begin(reports, &head);
	assert_int_equal(reports_end(reports, &run, &diag), 0);
	reports_free(reports);
	pthread_join(thread, NULL);
	assert_string_equal(got.text, "0 passed, 0 failed, 0 skipped, 0 errors in 0.0 s\n");
}

/* Memory that runs out while a report is written: a format that ends the reports within its second result. */

static struct {
	struct reports *reports;
	const struct report_run *run;
	unsigned results, ends;
} interrupted_format;

static void *
interrupted_begin(FILE *out, const struct report_head *head)
{
	(void)head;
	return out;
}

static void
interrupted_result(void *state, const struct report_result *result)
{
	struct diag diag;

	(void)state;
	(void)result;
	if (++interrupted_format.results == 2)
		assert_int_equal(reports_end(interrupted_format.reports, interrupted_format.run, &diag), 0);
}

static void
interrupted_end(void *state, const struct report_run *run)
{
	(void)state;
	(void)run;
	interrupted_format.ends++;
}

static void
test_end_within_call(void **state)
{
	static const struct report_format format = {.name = "interrupted",
						    .begin = interrupted_begin,
						    .result = interrupted_result,
						    .end = interrupted_end};
	struct report_result results[] = {
		{.name = "one"}, {.name = "two"}, {.name = "three"}, {.name = "four"}};
	struct report_run run = {.results = results, .results_cnt = 4, .interrupted = true};
	struct report_head head = {.results_cnt = 4};
	struct reports *reports = reports_new(NULL);
	struct diag diag;

	(void)state;
	interrupted_format.reports = reports;
	interrupted_format.run = &run;
	assert_int_equal(add(reports, "tap", "tap", &diag), 0);
	assert_int_equal(reports_add(reports, &format, path_of("txt"), &diag), 0);
	assert_int_equal(add(reports, "tap", "xml", &diag), 0);
	assert_int_equal(add(reports, "json", "good", &diag), 0);
	reports_begin(reports, &head);
	reports_result(reports, &results[0]);
	reports_result(reports, &results[1]);
	for (size_t i = 0; i < 4; i++) {
		static const char *const places[] = {"tap", "xml"};

		/* Each result once, whether the report had the second or not. */
		for (size_t k = 0; k < 2; k++) {
			char *line = xasprintf("\nok %zu - %s\n", i + 1, results[i].name);
			const char *found = strstr(text_of(places[k]), line);

			assert_non_null(found);
			assert_null(strstr(found + 1, line));
			free(line);
		}
	}
	assert_non_null(strstr(text_of("good"), "\"passed\": 4"));
	assert_int_equal(interrupted_format.ends, 0);
	reports_free(reports);
}

/* The live line */

struct terminal {
	int master;
	FILE *out;
	char bytes[4096];
	size_t len;
};

static void
terminal_open(struct terminal *terminal, unsigned short columns)
{
	struct winsize size = {.ws_row = 24, .ws_col = columns};
	char name[64];

	*terminal = (struct terminal){.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
	assert_true(terminal->master >= 0);
	assert_int_equal(grantpt(terminal->master), 0);
	assert_int_equal(unlockpt(terminal->master), 0);
	assert_int_equal(ptsname_r(terminal->master, name, sizeof(name)), 0);
	terminal->out = fopen(name, "r+e");
	assert_non_null(terminal->out);
	assert_int_equal(ioctl(terminal->master, TIOCSWINSZ, &size), 0);
}

static void
terminal_read(struct terminal *terminal, const char *text, struct deadline deadline)
{
	struct pollfd fd = {.fd = terminal->master, .events = POLLIN};

	if (poll(&fd, 1, (int)deadline_left_ms(deadline)) != 1)
		fail_msg("'%s' did not come, but: %s", text, terminal->bytes);
	ssize_t n = read(terminal->master, terminal->bytes + terminal->len,
			 sizeof(terminal->bytes) - 1 - terminal->len);
	assert_true(n > 0);
	terminal->len += (size_t)n;
}

/* Waits until the text has come, at most 5 s. */
static void
terminal_wait(struct terminal *terminal, const char *text)
{
	struct deadline deadline = deadline_in_ms(5000);

	while (!strstr(terminal->bytes, text))
		terminal_read(terminal, text, deadline);
}

/* The latest time that came after the text, in seconds; -1 if there is none. */
static double
latest_time(const char *bytes, const char *text)
{
	double latest = -1;

	for (const char *at = bytes; (at = strstr(at, text));) {
		char *end;
		double time = strtod(at += strlen(text), &end);

		if (end != at && !strncmp(end, " s", 2) && time > latest)
			latest = time;
	}
	return latest;
}

/* Waits until the text has come with this time or a later one. A busy machine skips times. */
static void
terminal_wait_time(struct terminal *terminal, const char *text, double least)
{
	struct deadline deadline = deadline_in_ms(5000);

	while (latest_time(terminal->bytes, text) < least)
		terminal_read(terminal, text, deadline);
}

static void
terminal_close(struct terminal *terminal)
{
	fclose(terminal->out);
	close(terminal->master);
}

static void
test_line_goes_on(void **state)
{
	struct terminal terminal;

	(void)state;
	terminal_open(&terminal, 80);
	struct live *live = live_new(terminal.out, fileno(terminal.out), NULL, 20);
	live_show(live, "a.b.c", 3, 26);
	terminal_wait(&terminal, "[3/26] a.b.c ... 0.0 s");
	terminal_wait_time(&terminal, "\r\033[K[3/26] a.b.c ... ", 0.1);
	terminal_wait_time(&terminal, "\r\033[K[3/26] a.b.c ... ", 0.2);
	live_show(live, "a.b.d", 4, 26);
	terminal_wait(&terminal, "\r\033[K[4/26] a.b.d ... 0.0 s");
	terminal_wait_time(&terminal, "\r\033[K[4/26] a.b.d ... ", 0.1);
	/* While it is hidden, nothing else is written, however long that takes. */
	live_hide(live);
	fputs("PASS", terminal.out);
	fflush(terminal.out);
	clock_pause_ms(100, deadline_in_ms(100));
	fputs(" end", terminal.out);
	fflush(terminal.out);
	terminal_wait(&terminal, "\r\033[KPASS end");
	live_show(live, "a.b.e", 5, 26);
	live_free(live);
	live_free(NULL);
	live_hide(NULL);
	fputs("|", terminal.out);
	fflush(terminal.out);
	terminal_wait(&terminal, "[5/26] a.b.e ... 0.0 s\r\033[K|");
	terminal_close(&terminal);
}

/* libbcc's output is captured by redirecting descriptors. */
static void
test_line_is_not_caught(void **state)
{
	struct terminal terminal;

	(void)state;
	terminal_open(&terminal, 80);
	struct live *live = live_new(terminal.out, fileno(terminal.out), NULL, 20);
	int caught = open(path_of("caught"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(caught >= 0);
	live_show(live, "a.b.c", 1, 1);
	assert_true(dup2(caught, fileno(terminal.out)) >= 0);
	close(caught);
	terminal_wait_time(&terminal, "[1/1] a.b.c ... ", 0.1);
	live_free(live);
	terminal_wait(&terminal, "\r\033[K");
	assert_string_equal(text_of("caught"), "");
	terminal_close(&terminal);
}

static void
test_line_is_cut(void **state)
{
	static const struct {
		unsigned short columns;
		const char *want;
	} rows[] = {
		{80, "[1/2] net.inbound_message.ping ... 0.0 s"},
		{41, "[1/2] net.inbound_message.ping ... 0.0 s"},
		{40, "[1/2] net.inbound_message.ping .. 0.0 s"},
		{20, "[1/2] net.inb 0.0 s"},
		{7, " 0.0 s"},
		{6, ""},
		{2, ""},
		{0, "[1/2] net.inbound_message.ping ... 0.0 s"}, /* nobody knows */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct terminal terminal;
		char want[128];

		terminal_open(&terminal, rows[i].columns);
		struct live *live = live_new(terminal.out, fileno(terminal.out), NULL, 3600000);
		live_show(live, "net.inbound_message.ping", 1, 2);
		live_free(live);
		snprintf(want, sizeof(want), "%s\r\033[K", rows[i].want);
		terminal_wait(&terminal, "\033[K");
		assert_string_equal(terminal.bytes, want);
		terminal_close(&terminal);
	}
}

/* Ctrl-S: the thread that draws the line is as stuck as everybody else. */
static void
test_stopped_terminal(void **state)
{
	atomic_int interrupted = 1;
	struct terminal terminal;
	struct diag diag;
	char name[64];

	(void)state;
	terminal_open(&terminal, 80);
	assert_int_equal(ptsname_r(terminal.master, name, sizeof(name)), 0);
	assert_int_equal(tcflow(fileno(terminal.out), TCOOFF), 0);
	struct reports *reports = reports_new(&interrupted);
	assert_int_equal(reports_add(reports, format_of("text"), name, &diag), 0);
	assert_int_equal(add(reports, "json", "good", &diag), 0);
	report_much(reports, &interrupted, "text");
	terminal_close(&terminal);
}

static int
set_up(void **state)
{
	(void)state;
	folder = test_make_dir();
	return folder ? 0 : -1;
}

static int
clean_up(void **state)
{
	static const char *const names[] = {"old", "one", "link", "other",  "tap",
					    "txt", "xml", "good", "caught", "fifo"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	/* Nothing else is in it. */
	int err = rmdir(folder);

	free(folder);
	return err;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_nothing_happens_before_begin),
		cmocka_unit_test(test_places_taken_twice),
		cmocka_unit_test(test_several_at_once),
		cmocka_unit_test(test_writes_that_fail),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_end_within_call),
		cmocka_unit_test(test_stuck_reader),
		cmocka_unit_test(test_fifo_without_reader),
		cmocka_unit_test(test_fifo_with_late_reader),
		cmocka_unit_test(test_stopped_terminal),
		cmocka_unit_test(test_line_goes_on),
		cmocka_unit_test(test_line_is_not_caught),
		cmocka_unit_test(test_line_is_cut),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
