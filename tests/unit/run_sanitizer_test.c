/* Reports of sanitizers, as the runtimes of LLVM 14 to 19 and GCC 12 print them. */
#include "base/xmem.h"
#include "run/sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char use_after_free[] =
	"=================================================================\n"
	"==22547==ERROR: AddressSanitizer: heap-use-after-free on address 0x50b0 at pc 0x5592 bp 0x7fbe sp 0x7fbd\n"
	"READ of size 100 at 0x50b0 thread T1\n"
	"    #0 0x5592bc2723c3 in memcpy (/b/bitcoind+0xb453c3) (BuildId: 34beb0c46ebe)\n"
	"    #1 0x5592bc272400 in std::vector<int>::at(unsigned long) /usr/include/c++/12/bits/stl_vector.h:1:2\n"
	"    #2 0x7fbeb86a01b9 in CCoinsViewCache::AddCoin(COutPoint const&, Coin&&, bool) /b/src/coins.cpp:97:5\n"
	"    #3 0x7fbeb80a71f4 in start_thread nptl/pthread_create.c:442:8\n"
	"\n"
	"SUMMARY: AddressSanitizer: heap-use-after-free (/b/bitcoind+0xb453c3) in memcpy\n"
	"==22547==ABORTING\n";

static const char leaks[] = "==6711==ERROR: LeakSanitizer: detected memory leaks\n"
			    "\n"
			    "Direct leak of 303 byte(s) in 3 object(s) allocated from:\n"
			    "    #0 0x5562 in operator new(unsigned long) (/b/bitcoind+0xb463bf)\n"
			    "    #1 0x7f0b in node::MakeThing() src/node/thing.cpp:12:3\n"
			    "\n"
			    "SUMMARY: AddressSanitizer: 303 byte(s) leaked in 3 allocation(s).\n";

static const char race[] = "==================\n"
			   "WARNING: ThreadSanitizer: data race (pid=4711)\n"
			   "  Write of size 8 at 0x7b04 by main thread:\n"
			   "    #0 Scheduler::run() src/scheduler.cpp:40:9 (bitcoind+0x1234) (BuildId: 12)\n"
			   "SUMMARY: ThreadSanitizer: data race src/scheduler.cpp:40:9 in Scheduler::run()\n"
			   "==================\n";

static void
scan_into(struct findings *findings, const char *text)
{
	struct sanitizer_scan *scan = sanitizer_scan_new();

	sanitizer_scan_feed(scan, text, strlen(text), findings);
	sanitizer_scan_flush(scan, findings);
	sanitizer_scan_free(scan);
}

/* The text must be one report with that message. */
static void
assert_reports(const char *text, const char *message)
{
	struct findings findings = {0};

	scan_into(&findings, text);
	if (findings.cnt != 1 || strcmp(findings.items[0].message, message) != 0)
		fail_msg("%zu findings; '%s' is not '%s'", findings.cnt,
			 findings.cnt ? findings.items[0].message : "", message);
	assert_int_equal(findings.items[0].kind, FINDING_SANITIZER);
	assert_int_equal(findings.items[0].argument, 0);
	assert_null(findings.items[0].tracepoint);
	findings_fini(&findings);
}

static void
test_each_sanitizer(void **state)
{
	(void)state;
	assert_reports(
		use_after_free,
		"AddressSanitizer: heap-use-after-free in CCoinsViewCache::AddCoin(COutPoint const&, Coin&&, bool) /b/src/coins.cpp:97:5");
	assert_reports(
		leaks,
		"LeakSanitizer: 303 byte(s) leaked in 3 allocation(s), the first in node::MakeThing() src/node/thing.cpp:12:3");
	assert_reports(
		race,
		"ThreadSanitizer: data race in Scheduler::run() src/scheduler.cpp:40:9 (bitcoind+0x1234)");
	assert_reports(
		"coins.cpp:97:5: runtime error: signed integer overflow: 1 + 2147483647\n",
		"UndefinedBehaviorSanitizer: coins.cpp:97:5: runtime error: signed integer overflow: 1 + 2147483647");
	assert_reports("<unknown>: runtime error: load of null pointer\n",
		       "UndefinedBehaviorSanitizer: <unknown>: runtime error: load of null pointer");
	assert_reports("ubsan: add-overflow by 0x55d0\n",
		       "UndefinedBehaviorSanitizer: add-overflow by 0x55d0");
	assert_reports(
		"AddressSanitizer:DEADLYSIGNAL\n"
		"==9==ERROR: AddressSanitizer: SEGV on unknown address 0x0 (pc 0x55 bp 0x7f sp 0x7f T0)\n"
		"    #0 0x55d0 in main src/bitcoind.cpp:1\n",
		"AddressSanitizer: SEGV on unknown address 0x0 in main src/bitcoind.cpp:1");
	assert_reports("==9==WARNING: MemorySanitizer: use-of-uninitialized-value\n"
		       "    #0 0x55d0 in f() (/b/bitcoind+0x1)\n",
		       "MemorySanitizer: use-of-uninitialized-value in f() (/b/bitcoind+0x1)");
	assert_reports("==9==AddressSanitizer: CHECK failed: asan_thread.cpp:1 \"((a)) != (0)\"\n",
		       "AddressSanitizer: CHECK failed: asan_thread.cpp:1 \"((a)) != (0)\"");
	assert_reports("==9==ERROR: AddressSanitizer failed to allocate 0x1000 bytes\n",
		       "AddressSanitizer failed to allocate 0x1000 bytes");
	assert_reports("FATAL: ThreadSanitizer: unexpected memory mapping 0x1-0x2\n",
		       "ThreadSanitizer: unexpected memory mapping 0x1-0x2");
}

/* A frame is given where it adds something: UBSan names a place, which may be in a library. */
static void
test_frames_of_ubsan(void **state)
{
	(void)state;
	assert_reports(
		"src/coins.cpp:97:5: runtime error: index 4 out of bounds\n"
		"    #0 0x55d0 in Coin::at src/coins.cpp:97:5\n"
		"SUMMARY: UndefinedBehaviorSanitizer: undefined-behavior src/coins.cpp:97:5\n",
		"UndefinedBehaviorSanitizer: src/coins.cpp:97:5: runtime error: index 4 out of bounds");
	assert_reports(
		"/usr/include/c++/12/bit:182:46: runtime error: left shift\n"
		"    #0 0x55d0 in std::__rotl /usr/include/c++/12/bit:182:46\n"
		"    #1 0x55d0 in Hash() src/hash.cpp:3:1\n",
		"UndefinedBehaviorSanitizer: /usr/include/c++/12/bit:182:46: runtime error: left shift in Hash() src/hash.cpp:3:1");
	/* Better than none. */
	assert_reports(
		"==9==ERROR: AddressSanitizer: alloc-dealloc-mismatch\n    #0 0x55d0 in free (/b/bitcoind+0x1)\n",
		"AddressSanitizer: alloc-dealloc-mismatch in free (/b/bitcoind+0x1)");
}

static void
test_what_is_no_report(void **state)
{
	static const char *const texts[] = {
		"",
		"Error: Unable to bind to 127.0.0.1:1 on this computer.\n",
		"terminate called after throwing an instance of 'std::runtime_error'\n  what():  no\n",
		"wallet: runtime error: none\n",
		"==9==WARNING: ASan doesn't fully support makecontext/swapcontext functions\n",
		"==9==WARNING: AddressSanitizer failed to allocate 0x1 bytes\n",
		"ERROR: Sanitize your inputs\n",
		"AddressSanitizer: CHECK failed without a PID\n",
		"    #0 0x55d0 in main src/bitcoind.cpp:1\nSUMMARY: AddressSanitizer: nothing before it\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct findings findings = {0};

		scan_into(&findings, texts[i]);
		if (findings.cnt)
			fail_msg("'%s' is taken for a report", texts[i]);
		findings_fini(&findings);
	}
}

static void
test_first_lines_are_kept_and_cannot_control_a_terminal(void **state)
{
	struct findings findings = {0};

	(void)state;
	scan_into(&findings, use_after_free);
	assert_non_null(strstr(findings.items[0].context, "READ of size 100"));
	assert_non_null(strstr(findings.items[0].context, "#2 0x7fbeb86a01b9 in CCoinsViewCache::AddCoin"));
	assert_null(strstr(findings.items[0].context, "ABORTING"));
	findings_fini(&findings);
	scan_into(&findings, "a.cpp:1:2: runtime error: \x1b[31mred\x9b\x07\n");
	assert_string_equal(findings.items[0].message,
			    "UndefinedBehaviorSanitizer: a.cpp:1:2: runtime error: ?[31mred??");
	assert_null(strchr(findings.items[0].context, '\x1b'));
	findings_fini(&findings);
}

/* However the node's output is cut into pieces. */
static void
test_pieces(void **state)
{
	char *text = xasprintf("some words\n%s%s%slast words", use_after_free, race, leaks);
	size_t len = strlen(text);

	(void)state;
	for (size_t piece = 1; piece < 40; piece++) {
		struct sanitizer_scan *scan = sanitizer_scan_new();
		struct findings findings = {0};

		for (size_t at = 0; at < len; at += piece)
			sanitizer_scan_feed(scan, text + at, at + piece < len ? piece : len - at, &findings);
		assert_int_equal(findings.cnt, 3);
		assert_non_null(strstr(findings.items[0].message, "heap-use-after-free"));
		assert_non_null(strstr(findings.items[1].message, "data race"));
		assert_non_null(strstr(findings.items[2].message, "303 byte(s) leaked"));
		sanitizer_scan_free(scan);
		findings_fini(&findings);
	}
	free(text);
}

/* The node ends after most reports, which are waited for; after those of UBSan and TSan it goes on. */
static void
test_what_is_waited_for(void **state)
{
	struct sanitizer_scan *scan = sanitizer_scan_new();
	struct findings findings = {0};
	const char *summary = strstr(use_after_free, "SUMMARY");

	(void)state;
	assert_false(sanitizer_scan_is_reporting(scan));
	sanitizer_scan_feed(scan, use_after_free, (size_t)(summary - use_after_free), &findings);
	assert_true(sanitizer_scan_is_reporting(scan));
	assert_int_equal(findings.cnt, 0);
	sanitizer_scan_feed(scan, summary, strlen(summary), &findings);
	assert_false(sanitizer_scan_is_reporting(scan));
	assert_int_equal(findings.cnt, 1);
	sanitizer_scan_feed(scan, race, strlen(race) / 2, &findings);
	assert_false(sanitizer_scan_is_reporting(scan));
	assert_int_equal(findings.cnt, 1);
	sanitizer_scan_flush(scan, &findings);
	assert_int_equal(findings.cnt, 2);
	sanitizer_scan_flush(scan, &findings);
	assert_int_equal(findings.cnt, 2);
	sanitizer_scan_free(scan);
	findings_fini(&findings);
}

/* UBSan goes on, and reports each time. What ends the node is never left out. */
static void
test_many_reports(void **state)
{
	struct sanitizer_scan *scan = sanitizer_scan_new();
	struct findings findings = {0};
	char line[100];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(line, sizeof(line), "a.cpp:%d:1: runtime error: %d is odd\n", i % 100, i);
		sanitizer_scan_feed(scan, line, strlen(line), &findings);
	}
	sanitizer_scan_flush(scan, &findings);
	assert_int_equal(findings.cnt, 41);
	assert_string_equal(findings.items[40].message,
			    "and 2960 more reports of sanitizers, of these faults or of others");
	sanitizer_scan_feed(scan, line, strlen(line), &findings);
	sanitizer_scan_flush(scan, &findings);
	assert_int_equal(findings.cnt, 41);
	assert_string_equal(findings.items[40].message,
			    "and 2961 more reports of sanitizers, of these faults or of others");
	sanitizer_scan_feed(scan, use_after_free, strlen(use_after_free), &findings);
	assert_int_equal(findings.cnt, 42);
	assert_non_null(strstr(findings.items[41].message, "heap-use-after-free"));
	findings_fini(&findings);

	/* The next scenario starts again. */
	for (int i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), "a.cpp:%d:1: runtime error: %d is odd\n", i % 5, i);
		sanitizer_scan_feed(scan, line, strlen(line), &findings);
	}
	sanitizer_scan_flush(scan, &findings);
	assert_int_equal(findings.cnt, 6);
	assert_non_null(strstr(findings.items[5].message, "and 45 more"));
	findings_fini(&findings);
	sanitizer_scan_feed(scan, line, strlen(line), &findings);
	sanitizer_scan_flush(scan, &findings);
	assert_int_equal(findings.cnt, 1);
	sanitizer_scan_free(scan);
	findings_fini(&findings);
}

static void
test_long_lines(void **state)
{
	struct findings findings = {0};
	char *name = xcalloc(100001, 1);

	(void)state;
	memset(name, 'x', 100000);
	char *text = xasprintf("==9==ERROR: AddressSanitizer: %s\n    #0 0x1 in %s\n%s", name, name, leaks);
	scan_into(&findings, text);
	assert_int_equal(findings.cnt, 2);
	assert_non_null(strstr(findings.items[1].message, "303 byte(s) leaked"));
	findings_fini(&findings);
	free(text);
	free(name);
}

static void
test_leaks_that_could_not_be_looked_for(void **state)
{
	static const char text[] =
		"==16280==LeakSanitizer has encountered a fatal error.\n"
		"==16280==HINT: For debugging, try setting environment variable LSAN_OPTIONS=verbosity=1:log_threads=1\n"
		"==16280==HINT: LeakSanitizer does not work under ptrace (strace, gdb, etc)\n";
	struct sanitizer_scan *scan = sanitizer_scan_new();
	struct findings findings = {0};

	(void)state;
	assert_null(sanitizer_scan_take_obstacle(scan));
	sanitizer_scan_feed(scan, text, strlen(text), &findings);
	sanitizer_scan_flush(scan, &findings);
	assert_int_equal(findings.cnt, 0);
	const char *obstacle = sanitizer_scan_take_obstacle(scan);
	assert_non_null(obstacle);
	assert_non_null(strstr(obstacle, "ptrace"));
	assert_non_null(strstr(obstacle, "detect_leaks=0"));
	assert_null(sanitizer_scan_take_obstacle(scan));
	sanitizer_scan_free(scan);
}

static void
test_binaries(void **state)
{
	(void)state;
	assert_false(sanitizer_is_in("/bin/true"));
	assert_false(sanitizer_is_in("/nonexistent"));
	assert_false(sanitizer_is_in("/"));
#ifdef SANITIZED_SHARED
	assert_true(sanitizer_is_in(SANITIZED_SHARED));
#endif
#ifdef SANITIZED_STATIC
	assert_true(sanitizer_is_in(SANITIZED_STATIC));
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_sanitizer),
		cmocka_unit_test(test_frames_of_ubsan),
		cmocka_unit_test(test_what_is_no_report),
		cmocka_unit_test(test_first_lines_are_kept_and_cannot_control_a_terminal),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_what_is_waited_for),
		cmocka_unit_test(test_many_reports),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_leaks_that_could_not_be_looked_for),
		cmocka_unit_test(test_binaries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
