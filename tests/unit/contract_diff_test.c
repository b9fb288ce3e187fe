/* Comparing two interfaces. */
#include "contract/diff.h"

#include "contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "8 -4 1": widths, negative for signed ones. */
static struct site
make_site(const char *provider, const char *name, const char *types)
{
	struct site site = {.address_bytes = 8};

	snprintf(site.provider, sizeof(site.provider), "%s", provider);
	snprintf(site.name, sizeof(site.name), "%s", name);
	while (*types) {
		long width = strtol(types, (char **)(uintptr_t)&types, 10);

		site.args[site.args_cnt++] = (struct operand){
			.kind = OPERAND_REGISTER,
			.width_bytes = (uint8_t)labs(width),
			.is_signed = width < 0,
		};
	}
	return site;
}

/* Each change in a line, as "kind argument! message", with '!' if it breaks. */
static void
assert_diff(const struct diff_side *before, const struct diff_side *after, const char *want)
{
	struct changes changes = {0};
	char got[8192] = "";

	diff_interfaces(before, after, &changes);
	for (size_t i = 0; i < changes.cnt; i++) {
		const struct change *change = &changes.items[i];

		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s: %s%s %u%s%s %s\n",
			 change->tracepoint ? change->tracepoint : "*", change_kind_name(change->kind),
			 change->breaks ? "!" : "", change->argument, change->argument_name ? " " : "",
			 change->argument_name ? change->argument_name : "", change->message);
	}
	assert_string_equal(got, want);
	changes_fini(&changes);
}

static void
assert_arguments(const char *before, const char *after, const char *want)
{
	struct site old = make_site("a", "b", before), new = make_site("a", "b", after);

	assert_diff(&(struct diff_side){.sites = &old, .sites_cnt = 1, .pointer_bytes = 8},
		    &(struct diff_side){.sites = &new, .sites_cnt = 1, .pointer_bytes = 8}, want);
}

static void
arguments(void **state)
{
	(void)state;
	assert_arguments("", "", "");
	assert_arguments("8 -4 1", "8 -4 1", "");
	assert_arguments("8", "8 -4",
			 "a:b: argument added 2 new: 4 bytes, signed, after the existing ones\n");
	assert_arguments("", "8 8",
			 "a:b: argument added 1 new: 8 bytes, unsigned, after the existing ones\n"
			 "a:b: argument added 2 new: 8 bytes, unsigned, after the existing ones\n");
	assert_arguments("8 -4", "8", "a:b: argument removed! 2 removed, was 4 bytes, signed\n");
	assert_arguments(
		"8 -4 8", "8 8",
		"a:b: argument removed! 2 removed, was 4 bytes, signed; the arguments after it are renumbered\n");
	assert_arguments(
		"8 -4", "1 8 -4",
		"a:b: argument added! 1 new: 1 byte, unsigned; the arguments after it are renumbered\n");
	assert_arguments(
		"8 -4 1", "8 -8 1",
		"a:b: retyped! 2 8 bytes, signed, was 4 bytes, signed: consumers that read the old width read nothing, or a wrong value\n");
	assert_arguments(
		"8 -4", "-8 -4",
		"a:b: retyped 1 8 bytes, signed, was 8 bytes, unsigned: the same bytes are read, but half of the values mean another number\n");
	assert_arguments(
		"8 -4 1", "-4 8 1",
		"a:b: reordered! 0 the arguments are in another order: by width and sign, argument 1 may be the former 2, argument 2 may be the former 1\n");
	assert_arguments(
		"8 -4 1", "1 8 -4",
		"a:b: reordered! 0 the arguments are in another order: by width and sign, argument 1 may be the former 3, argument 2 may be the former 1, argument 3 may be the former 2\n");
	/* Two at once. */
	assert_arguments(
		"8 -4 8 8", "8 4 8 8 1",
		"a:b: retyped 2 4 bytes, unsigned, was 4 bytes, signed: the same bytes are read, but half of the values mean another number\n"
		"a:b: argument added 5 new: 1 byte, unsigned, after the existing ones\n");
}

/* Any two words: there are as many changes as needed, and they add up. */
static void
random_arguments(void **state)
{
	static const char *const types[] = {"8", "-8", "4", "-4", "1"};
	uint32_t random = 1;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		char words[2][64] = {"", ""};
		unsigned cnt[2];
		struct changes changes = {0};

		for (int side = 0; side < 2; side++) {
			random = random * 1664525 + 1013904223;
			cnt[side] = (random >> 16) % (SITE_ARGS_MAX + 1);
			for (unsigned i = 0; i < cnt[side]; i++) {
				random = random * 1664525 + 1013904223;
				snprintf(words[side] + strlen(words[side]), 4, "%s%s", i ? " " : "",
					 types[(random >> 16) % 5]);
			}
		}
		struct site old = make_site("a", "b", words[0]), new = make_site("a", "b", words[1]);
		diff_interfaces(&(struct diff_side){.sites = &old, .sites_cnt = 1, .pointer_bytes = 8},
				&(struct diff_side){.sites = &new, .sites_cnt = 1, .pointer_bytes = 8},
				&changes);
		size_t added = 0, removed = 0;
		for (size_t i = 0; i < changes.cnt; i++) {
			added += changes.items[i].kind == CHANGE_ARGUMENT_ADDED;
			removed += changes.items[i].kind == CHANGE_ARGUMENT_REMOVED;
		}
		assert_true(changes.cnt <= (cnt[0] > cnt[1] ? cnt[0] : cnt[1]));
		assert_int_equal(cnt[0] + added, cnt[1] + removed);
		assert_int_equal(changes.cnt == 0, !strcmp(words[0], words[1]));
		changes_fini(&changes);
	}
}

static void
tracepoints(void **state)
{
	struct site old[] = {make_site("net", "one", "8"), make_site("net", "two", "8 -4"),
			     make_site("net", "two", "8 1")};
	struct site new[] = {make_site("zmq", "three", ""), make_site("net", "one", "8")};
	struct diff_side before = {.sites = old, .sites_cnt = 3, .pointer_bytes = 8};
	struct diff_side after = {.sites = new, .sites_cnt = 2, .pointer_bytes = 8};

	(void)state;
	assert_diff(&before, &after,
		    "net:two: removed! 0 removed, with 2 arguments: 8 bytes, unsigned; 4 bytes, signed\n"
		    "zmq:three: added 0 new, with 0 arguments\n");
	assert_diff(&before, &before, "");
	new[1].semaphore_address = 0x1000;
	assert_diff(
		&before, &after,
		"net:one: semaphore 0 has a semaphore now: tracers must raise it, as libbcc, bpftrace and libbpf do for a given process; one that only sets a breakpoint sees nothing, as arguments are computed only while somebody is tracing\n"
		"net:two: removed! 0 removed, with 2 arguments: 8 bytes, unsigned; 4 bytes, signed\n"
		"zmq:three: added 0 new, with 0 arguments\n");
	assert_diff(&after, &after, "");
}

/* The documentation of that release. */
static struct diff_side
documented(unsigned release)
{
	return (struct diff_side){.release = release, .pointer_bytes = 8};
}

static size_t
count(unsigned before, unsigned after, enum change_kind kind, bool breaks)
{
	struct diff_side old = documented(before), new = documented(after);
	struct changes changes = {0};
	size_t cnt = 0;

	diff_interfaces(&old, &new, &changes);
	for (size_t i = 0; i < changes.cnt; i++)
		cnt += changes.items[i].kind == kind && changes.items[i].breaks == breaks;
	changes_fini(&changes);
	return cnt;
}

static void
releases(void **state)
{
	struct diff_side old, new;

	(void)state;
	for (unsigned release = RELEASE_FIRST; release <= RELEASE_MASTER; release++) {
		old = documented(release);
		assert_diff(&old, &old, "");
	}
	old = documented(26);
	new = documented(27);
	assert_diff(
		&old, &new,
		"coin_selection:aps_create_tx_internal: meaning! 5 change_position the change position is -1 after a failure; it was 0 (v27)\n"
		"coin_selection:normal_create_tx_internal: meaning! 4 change_position the change position is -1 after a failure; it was 0 (v27)\n"
		"coin_selection:selected_coins: meaning 2 algorithm there is a new algorithm, cg (v27)\n");
	/* In reverse. */
	assert_diff(
		&new, &old,
		"coin_selection:aps_create_tx_internal: meaning! 5 change_position goes back to before this change: the change position is -1 after a failure; it was 0 (v27)\n"
		"coin_selection:normal_create_tx_internal: meaning! 4 change_position goes back to before this change: the change position is -1 after a failure; it was 0 (v27)\n"
		"coin_selection:selected_coins: meaning 2 algorithm goes back to before this change: there is a new algorithm, cg (v27)\n");
	/* A change of type is reported once, with what the contract knows about it. */
	old = documented(25);
	new = documented(26);
	assert_diff(
		&old, &new,
		"mempool:added: retyped! 2 vsize int32 (4 bytes, signed), was uint64 (8 bytes, unsigned): the virtual size is an int32; it was a uint64\n"
		"mempool:removed: retyped! 3 vsize int32 (4 bytes, signed), was uint64 (8 bytes, unsigned): the virtual size is an int32; it was a uint64\n"
		"mempool:replaced: retyped! 2 replaced_vsize int32 (4 bytes, signed), was uint64 (8 bytes, unsigned): the virtual size is an int32; it was a uint64\n"
		"mempool:replaced: retyped! 6 replacement_vsize int32 (4 bytes, signed), was uint64 (8 bytes, unsigned): the virtual size is an int32; it was a uint64\n");
	/* The duration's unit changed with its sign: that breaks. */
	old = documented(24);
	new = documented(25);
	assert_int_equal(count(24, 25, CHANGE_RETYPED, true), 1);
	assert_int_equal(count(24, 25, CHANGE_ADDED, false), 4);
	assert_int_equal(count(25, 24, CHANGE_REMOVED, true), 4);
	/* v25 to v28 as a whole, and v28 to v31. */
	assert_int_equal(count(25, 28, CHANGE_RETYPED, true), 4);
	assert_int_equal(count(25, 28, CHANGE_MEANING, true), 2);
	assert_int_equal(count(25, 28, CHANGE_MEANING, false), 2);
	assert_int_equal(count(25, 28, CHANGE_ADDED, false) + count(25, 28, CHANGE_SEMAPHORE, false), 0);
	assert_int_equal(count(28, 31, CHANGE_ADDED, false), 5);
	assert_int_equal(count(28, 31, CHANGE_ARGUMENT_ADDED, false), 1);
	assert_int_equal(count(28, 31, CHANGE_RETYPED, false), 1);
	assert_int_equal(count(28, 31, CHANGE_RETYPED, true), 0);
	assert_int_equal(count(28, 31, CHANGE_SEMAPHORE, false), 1);
	assert_int_equal(count(28, 31, CHANGE_MEANING, true), 5);
}

/* Arguments that are not as documented in the known release get no names. */
static void
names(void **state)
{
	struct site good = make_site("mempool", "rejected", "8 8"),
		    bad = make_site("mempool", "rejected", "8 -4");
	struct diff_side before = {.sites = &good, .sites_cnt = 1, .pointer_bytes = 8, .release = 28};
	struct diff_side after = {.sites = &bad, .sites_cnt = 1, .pointer_bytes = 8, .release = 28};

	(void)state;
	assert_diff(
		&before, &after,
		"mempool:rejected: retyped! 2 reason 4 bytes, signed, was pointer to C string (8 bytes, unsigned): consumers that read the old width read nothing, or a wrong value\n");
	after.release = 0;
	assert_diff(&after, &after, "");
}

/* As many as switched, unless all did. */
static void
semaphores_of_some(void **state)
{
	struct site old[] = {make_site("net", "one", "8"), make_site("net", "three", "8"),
			     make_site("net", "two", "8")};
	struct site new[] = {make_site("net", "one", "8"), make_site("net", "three", "8"),
			     make_site("net", "two", "8")};
	struct diff_side before = {.sites = old, .sites_cnt = 3, .pointer_bytes = 8};
	struct diff_side after = {.sites = new, .sites_cnt = 3, .pointer_bytes = 8};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		old[i].semaphore_address = 0x1000;
	new[1].semaphore_address = 0x1000;
	assert_diff(
		&before, &after,
		"net:one: semaphore 0 no longer has a semaphore: its arguments are computed even when nobody is tracing\n"
		"net:two: semaphore 0 no longer has a semaphore: its arguments are computed even when nobody is tracing\n");
	new[1].semaphore_address = 0;
	assert_diff(
		&before, &after,
		"*: semaphore 0 no longer has a semaphore: its arguments are computed even when nobody is tracing\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),   cmocka_unit_test(random_arguments),
		cmocka_unit_test(tracepoints), cmocka_unit_test(releases),
		cmocka_unit_test(names),       cmocka_unit_test(semaphores_of_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
