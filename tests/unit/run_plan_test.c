/* From notes to probe points. The notes are those of this program, which contains the specimen with all tracepoints of
 * the contract, and of copies of it with a note changed. */
#include "run/plan.h"
#include "run/specimen.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Keeps the linker from leaving the specimen out. */
int (*const specimen)(void) = specimen_main;

/* What a note has before its provider's name: the addresses of the probe, of .stapsdt.base and of the semaphore. */
enum { NOTE_ADDRESSES_BYTES = 3 * 8 };

struct fixture {
	struct notes *notes;
	struct plan plan;
};

static void
open_notes(struct fixture *fixture, int fd, unsigned release, uint64_t tracepoints)
{
	struct diag diag;

	if (notes_open_fd(&fixture->notes, fd, "the test", &diag))
		fail_msg("%s", diag.text);
	plan_make(&fixture->plan, fixture->notes, release, tracepoints);
	close(fd);
}

static void
close_notes(struct fixture *fixture)
{
	plan_fini(&fixture->plan);
	notes_free(fixture->notes);
}

/* Changes all notes of a tracepoint in a copy of this program. */
typedef void (*change_note)(uint8_t *addresses, char *arguments);

static int
changed_copy(const char *provider, const char *name, change_note change)
{
	char path[] = "/tmp/tpcheck-test-XXXXXX", names[128];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = mkostemp(path, O_CLOEXEC);
	size_t names_sz = (size_t)snprintf(names, sizeof(names), "%s%c%s", provider, '\0', name) + 1;
	unsigned changed = 0;
	struct stat st;

	assert_true(from >= 0 && to >= 0 && !unlink(path) && !fstat(from, &st));
	size_t sz = (size_t)st.st_size;
	uint8_t *bytes = malloc(sz), *at = bytes;
	assert_non_null(bytes);
	assert_int_equal(pread(from, bytes, sz, 0), sz);
	while ((at = memmem(at, sz - (size_t)(at - bytes), names, names_sz))) {
		char *arguments = (char *)at + names_sz;

		/* Other texts of this program may begin like it, but no operand follows them. */
		if (arguments[0] && strchr("-1248", arguments[0]) && strchr(arguments, '@')) {
			change(at - NOTE_ADDRESSES_BYTES, arguments);
			changed++;
		}
		at += names_sz;
	}
	assert_true(changed);
	assert_int_equal(write(to, bytes, sz), sz);
	free(bytes);
	close(from);
	return to;
}

static void
place_nowhere(uint8_t *addresses, char *arguments)
{
	static const uint64_t nowhere = UINT64_C(0x7000000000000000);

	(void)arguments;
	memcpy(addresses, &nowhere, sizeof(nowhere));
}

/* The first operand, of 8 bytes, becomes one of 1. */
static void
make_narrow(uint8_t *addresses, char *arguments)
{
	(void)addresses;
	arguments[arguments[0] == '-'] = '1';
}

static size_t
points_of(const struct plan *plan, enum tracepoint_id id)
{
	size_t cnt = 0;

	for (size_t i = 0; i < plan->points_cnt; i++)
		cnt += plan->points[i].tracepoint == id;
	return cnt;
}

static void
test_all_tracepoints(void **state)
{
	struct fixture fixture;

	(void)state;
	open_notes(&fixture, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), RELEASE_MASTER, UINT64_MAX);
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		assert_int_equal(fixture.plan.findings[id].cnt, 0);
		assert_true(points_of(&fixture.plan, (enum tracepoint_id)id) > 0);
	}
	assert_int_equal(fixture.plan.missing | fixture.plan.later, 0);
	assert_int_equal(plan_left_out(&fixture.plan, TP_UTXOCACHE_ADD), 0);
	close_notes(&fixture);
}

static void
test_only_the_requested_ones(void **state)
{
	struct fixture fixture;

	(void)state;
	open_notes(&fixture, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), RELEASE_FIRST,
		   TP_BIT(TP_UTXOCACHE_SPENT) | TP_BIT(TP_MEMPOOL_ADDED));
	assert_int_equal(points_of(&fixture.plan, TP_UTXOCACHE_SPENT), fixture.plan.points_cnt);
	assert_int_equal(fixture.plan.later, TP_BIT(TP_MEMPOOL_ADDED));
	assert_int_equal(fixture.plan.missing, 0);
	assert_int_equal(plan_left_out(&fixture.plan, TP_UTXOCACHE_SPENT), TP_BIT(TP_MEMPOOL_ADDED));
	close_notes(&fixture);
}

/* There is nothing to attach to: a point with offset 0 would be the ELF header. */
static void
test_a_site_without_a_place_in_the_file(void **state)
{
	struct fixture fixture;

	(void)state;
	open_notes(&fixture, changed_copy("utxocache", "spent", place_nowhere), RELEASE_MASTER, UINT64_MAX);
	assert_int_equal(points_of(&fixture.plan, TP_UTXOCACHE_SPENT), 0);
	for (size_t i = 0; i < fixture.plan.points_cnt; i++)
		assert_int_not_equal(fixture.plan.points[i].site->file_offset, 0);
	assert_int_equal(fixture.plan.missing, TP_BIT(TP_UTXOCACHE_SPENT));
	const struct findings *findings = &fixture.plan.findings[TP_UTXOCACHE_SPENT];
	assert_int_equal(findings->cnt, 1);
	assert_string_equal(findings->items[0].tracepoint, "utxocache:spent");
	assert_non_null(strstr(findings->items[0].message, "0x7000000000000000"));
	assert_int_equal(plan_left_out(&fixture.plan, TP_UTXOCACHE_ADD), TP_BIT(TP_UTXOCACHE_SPENT));
	close_notes(&fixture);
}

/* Left out by the scenarios of others, but not by its own. */
static void
test_a_companion_with_a_wrong_note(void **state)
{
	struct fixture fixture;

	(void)state;
	open_notes(&fixture, changed_copy("validation", "block_connected", make_narrow), RELEASE_MASTER,
		   UINT64_MAX);
	const struct findings *findings = &fixture.plan.findings[TP_VALIDATION_BLOCK_CONNECTED];
	assert_int_equal(findings->cnt, 1);
	assert_int_equal(findings->items[0].argument, 1);
	assert_int_equal(fixture.plan.missing, 0);
	assert_int_equal(plan_left_out(&fixture.plan, TP_UTXOCACHE_ADD),
			 TP_BIT(TP_VALIDATION_BLOCK_CONNECTED));
	assert_int_equal(plan_left_out(&fixture.plan, TP_VALIDATION_BLOCK_CONNECTED), 0);
	close_notes(&fixture);
}

static void
rename_provider(uint8_t *addresses, char *arguments)
{
	(void)arguments;
	addresses[NOTE_ADDRESSES_BYTES] = 'x';
}

static void
make_unprintable(uint8_t *addresses, char *arguments)
{
	(void)arguments;
	addresses[NOTE_ADDRESSES_BYTES] = '\001';
}

/* A tracepoint without a note is missing. A note that cannot be used may be the one. */
static void
test_a_tracepoint_without_a_note(void **state)
{
	static const char absent[] =
		"utxocache:spent is not in the binary: its .note.stapsdt has no such probe, documented since v23";
	static const char unusable[] = "; a note that cannot be used: ";

	(void)state;
	for (int renamed = 0; renamed <= 1; renamed++) {
		struct fixture fixture;

		open_notes(&fixture,
			   changed_copy("utxocache", "spent", renamed ? rename_provider : make_unprintable),
			   RELEASE_MASTER, UINT64_MAX);
		const struct findings *findings = &fixture.plan.findings[TP_UTXOCACHE_SPENT];
		assert_int_equal(findings->cnt, 1);
		assert_int_equal(findings->items[0].kind, FINDING_CONTRACT);
		const char *message = findings->items[0].message;
		assert_memory_equal(message, absent, sizeof(absent) - 1);
		message += sizeof(absent) - 1;
		if (renamed)
			assert_string_equal(message, "");
		else
			assert_memory_equal(message, unusable, sizeof(unusable) - 1);
		assert_int_equal(fixture.plan.missing, TP_BIT(TP_UTXOCACHE_SPENT));
		assert_int_equal(points_of(&fixture.plan, TP_UTXOCACHE_SPENT), 0);
		close_notes(&fixture);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_tracepoints),
		cmocka_unit_test(test_only_the_requested_ones),
		cmocka_unit_test(test_a_site_without_a_place_in_the_file),
		cmocka_unit_test(test_a_companion_with_a_wrong_note),
		cmocka_unit_test(test_a_tracepoint_without_a_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
