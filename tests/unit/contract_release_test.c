/* Finding the release of a binary. */
#include "contract/release.h"

#include "contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(text)  text, sizeof(text) - 1

/* In memory of exactly that size, so that sanitizers notice any read beyond it. */
static void
feed(struct release_traces *traces, const char *bytes, size_t sz, struct chunk chunk)
{
	char *exact = malloc(sz ? sz : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, sz);
	chunk.bytes = exact;
	chunk.sz = sz;
	bool more = release_traces_feed(traces, &chunk);
	assert_int_equal(more, traces->version[0] == '\0');
	free(exact);
}

static void
versions_in_data(void **state)
{
	static const struct {
		const char *bytes;
		size_t sz;
		const char *version, *doubtful;
	} rows[] = {
		{BYTES("\0v25.0.0\0%d.%d.%d"), "v25.0.0", ""},
		{BYTES("\0v25.0\0"), "v25.0", ""},
		{BYTES("\0v28.0rc2\0"), "v28.0rc2", ""},
		{BYTES("\0v28.0.0rc2\0"), "v28.0.0rc2", ""},
		{BYTES("\0v28.0rc12-x"), "v28.0rc12", ""},
		{BYTES("\0v28.0rc123\0"), "", "v28.0"},
		{BYTES("v31.99.0-d84fc35uint32_t arith_uint256::GetCompact"), "v31.99.0", ""},
		{BYTES("x\x01v31.99.0-d84fc352cbc1-dirty"), "v31.99.0", ""},
		{BYTES("\0v29.0.0-gd84fc352cbc1\0"), "v29.0.0", ""},
		{BYTES("\0v27.1.0-unk\0"), "v27.1.0", ""},
		{BYTES("\0v22.0.0\0"), "v22.0.0", ""},
		{BYTES("v30.0"), "v30.0", ""},
		{BYTES("\0v30.0-unk"), "v30.0", ""},
		{BYTES("\0v30.0-un"), "", "v30.0"},
		{BYTES("removed in v31.0."), "", "v31.0"},
		{BYTES("removed in v31.0\0"), "", "v31.0"},
		{BYTES("removed in v31.0. \0v30.0.0\0"), "v30.0.0", "v31.0"},
		{BYTES("(v31.0)"), "", "v31.0"},
		{BYTES("libv25.0.0\0"), "", "v25.0.0"},
		{BYTES("\0v31.0."), "", "v31.0"},
		{BYTES("\0v25.\0"), "", ""},
		{BYTES("\0v2.0\0"), "", ""},
		{BYTES("\0v100.0\0"), "", ""},
		{BYTES("\0v25.123\0"), "", ""},
		{BYTES("\0v25,0\0"), "", ""},
		{BYTES("\0v1.2.3\0 25.0.0"), "", ""},
		{BYTES("v"), "", ""},
		{BYTES("v25"), "", ""},
		{BYTES(""), "", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct release_traces traces = {0};

		feed(&traces, rows[i].bytes, rows[i].sz, (struct chunk){.is_first = true, .is_last = true});
		if (strcmp(traces.version, rows[i].version) != 0 ||
		    strcmp(traces.doubtful, rows[i].doubtful) != 0)
			fail_msg("row %zu: '%s' and '%s', wanted '%s' and '%s'", i, traces.version,
				 traces.doubtful, rows[i].version, rows[i].doubtful);
	}
}

static void
versions_in_code(void **state)
{
	static const struct {
		const char *bytes;
		size_t sz;
		const char *version, *doubtful;
	} rows[] = {
		{BYTES("\xc7\x00v25.\xc7\x40\x03.0.0"), "v25.0.0", ""},
		{BYTES("\x48\xb8v28.0rc2\x48"), "v28.0rc2", ""},
		{BYTES("\x01v31.99.0-unk\x48"), "v31.99.0", ""},
		{BYTES("\x48\xb8v28.0.0r\x66\xc7\x40\x08"
		       "c2"),
		 "v28.0.0", ""},
		/* What stands before it may look like a letter or a blank. */
		{BYTES("\xc7\x44\x24\x20v28.0.0r\x66\xc7"), "v28.0.0", ""},
		{BYTES("\xc7\x44\x24\x20v28.0rc2\x66\xc7"), "v28.0", ""},
		{BYTES("\x48\xb8v28.0rc\x66\xc7\x40\x07\x32"), "v28.0", ""},
		{BYTES("\x48\xb8v28.0re\x66\xc7\x40\x07\x32"), "", "v28"},
		{BYTES("\xc7\x00v25.\xc6\x40\x04\x30"), "", "v25"},
		{BYTES("\xc7\x00v27.H.p.H.=.>..H...t.....t...0.0"), "v27.0.0", ""},
		{BYTES("\xc7\x00v25.01234567890123456789012345678901234567890123456789012345678901234567.0.0"),
		 "", "v25"},
		{BYTES("\xc7\x00v25"), "", ""},
		{BYTES("\xc7\x00v25."), "", "v25"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct release_traces traces = {0};

		feed(&traces, rows[i].bytes, rows[i].sz,
		     (struct chunk){.is_first = true, .is_last = true, .is_code = true});
		if (strcmp(traces.version, rows[i].version) != 0 ||
		    strcmp(traces.doubtful, rows[i].doubtful) != 0)
			fail_msg("row %zu: '%s' and '%s', wanted '%s' and '%s'", i, traces.version,
				 traces.doubtful, rows[i].version, rows[i].doubtful);
	}
}

/* The result does not depend on where chunks are cut. */
static void
cut_anywhere(void **state)
{
	enum { TEXT_AT = 700, SZ = 1500 };
	static const struct {
		const char *text, *version, *doubtful;
	} rows[] = {{"v31.99.0-d84fc352cbc1", "v31.99.0", ""}, {"in v31.0", "", "v31.0"}};
	char bytes[SZ];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t cut = TEXT_AT - 300; cut < TEXT_AT + 300; cut++) {
			struct release_traces traces = {0};

			memset(bytes, 0, sizeof(bytes));
			memcpy(bytes + TEXT_AT, rows[i].text, strlen(rows[i].text));
			feed(&traces, bytes, cut, (struct chunk){.is_first = true});
			if (!traces.version[0])
				feed(&traces, bytes + cut - CHUNK_OVERLAP, SZ - cut + CHUNK_OVERLAP,
				     (struct chunk){.is_last = true});
			if (strcmp(traces.version, rows[i].version) != 0 ||
			    strcmp(traces.doubtful, rows[i].doubtful) != 0)
				fail_msg("cut at %zu: '%s' and '%s'", cut, traces.version, traces.doubtful);
		}
}

struct fake {
	struct site sites[TRACEPOINTS_CNT + 1];
	size_t cnt;
};

static void
make(struct fake *fake, unsigned release)
{
	*fake = (struct fake){0};
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_at((enum tracepoint_id)id, release);
		struct site *site = &fake->sites[fake->cnt];

		if (!row)
			continue;
		fake->cnt++;
		*site = (struct site){.address_bytes = 8, .args_cnt = row->args_cnt};
		snprintf(site->provider, sizeof(site->provider), "%s", row->context);
		snprintf(site->name, sizeof(site->name), "%s", row->name);
		for (unsigned i = 0; i < row->args_cnt; i++)
			site->args[i] = (struct operand){
				.kind = OPERAND_REGISTER,
				.width_bytes = (uint8_t)contract_arg_width(&row->args[i], 8),
				.is_signed = arg_type_is_signed(row->args[i].code_type),
			};
	}
}

static struct release_guess
guess(const struct release_traces *traces, const struct fake *fake)
{
	struct release_guess out;

	release_guess(traces, fake->sites, fake->cnt, &out);
	assert_true(out.why[0]);
	return out;
}

static void
by_version(void **state)
{
	static const struct {
		const char *version;
		unsigned release;
		bool is_sure;
		const char *why;
	} rows[] = {
		{"v28.0rc2", 28, true, "the file says v28.0rc2"},
		{"v31.99.0", 32, true, "the file says v31.99.0"},
		{"v23.0.0", 23, true, "the file says v23.0.0"},
		{"v32.99.0", RELEASE_MASTER, false,
		 "the file says v32.99.0; master is the last release that tpcheck knows"},
		{"v33.0.0", RELEASE_MASTER, false,
		 "the file says v33.0.0; master is the last release that tpcheck knows"},
		{"v22.0.0", 23, false, "the file says v22.0.0; v23 is the first release that tpcheck knows"},
		{"v40.1.0", 32, false,
		 "the file says v40.1.0; master is the last release that tpcheck knows"},
	};
	struct fake fake;

	(void)state;
	/* The tracepoints do not matter: they may be wrong. */
	make(&fake, 25);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct release_traces traces = {0};

		snprintf(traces.version, sizeof(traces.version), "%s", rows[i].version);
		struct release_guess out = guess(&traces, &fake);
		assert_int_equal(out.release, rows[i].release);
		assert_int_equal(out.is_sure, rows[i].is_sure);
		assert_string_equal(out.why, rows[i].why);
	}
}

/* The last release whose tracepoints are those of v29: master, as long as it has no new ones. */
static unsigned
last_like_29(void)
{
	for (int id = 0; id < TRACEPOINTS_CNT; id++)
		if (contract_get((enum tracepoint_id)id)->since == RELEASE_MASTER)
			return RELEASE_MASTER - 1;
	return RELEASE_MASTER;
}

static void
by_tracepoints(void **state)
{
	const unsigned now = last_like_29();
	const unsigned last[] = {23, 24, 25, 28, 28, 28, now, now, now, RELEASE_MASTER};
	static const struct release_traces none;
	struct fake fake;

	(void)state;
	for (unsigned release = RELEASE_FIRST; release <= RELEASE_MASTER; release++) {
		make(&fake, release);
		struct release_guess out = guess(&none, &fake);
		assert_int_equal(out.release, last[release - RELEASE_FIRST]);
		assert_false(out.is_sure);
		assert_int_equal(strncmp(out.why, BYTES("the file gives no version; its tracepoints fit ")),
				 0);
		/* A missing one, and one with a wrong type, do not make it another release. */
		if (release < 25 || (release == RELEASE_MASTER && now != RELEASE_MASTER))
			continue;
		fake.sites[0].name[0] = 'X';
		fake.sites[5].args[0].width_bytes = 2;
		assert_int_equal(guess(&none, &fake).release, last[release - RELEASE_FIRST]);
	}
	make(&fake, 28);
	assert_string_equal(guess(&none, &fake).why,
			    "the file gives no version; its tracepoints fit v26 to v28 best");
	/* No documented tracepoint. */
	fake.cnt = 0;
	struct release_guess out = guess(&none, &fake);
	assert_int_equal(out.release, RELEASE_MASTER);
	assert_string_equal(out.why, "the file gives no version, and none of its tracepoints is documented");
}

static void
by_texts(void **state)
{
	static const char v27[] = "Invalid nblocks. Must be a positive number or -1.";
	static const char v28[] = "main, test, testnet4, signet, regtest";
	static const char v30[] = "mempool-script-verify-flag-failed";
	static const char v31[] = "cluster size limit exceeded";
	struct release_traces traces = {0};
	char last[16], why[320];
	struct fake fake;

	(void)state;
	make(&fake, 28);
	release_traces_feed_marks(&traces, &(struct chunk){.bytes = "abc", .sz = 3});
	assert_true(traces.has_marks);
	assert_int_equal(guess(&traces, &fake).release, 28); /* without v26's text the others prove nothing */
	release_traces_feed_marks(&traces,
				  &(struct chunk){.bytes = BYTES("..detecting (peer could be v1 or v2)..")});
	assert_int_equal(guess(&traces, &fake).release, 26);
	release_traces_feed_marks(&traces, &(struct chunk){.bytes = v27, .sz = sizeof(v27)});
	struct release_guess out = guess(&traces, &fake);
	assert_int_equal(out.release, 27);
	assert_string_equal(
		out.why,
		"the file gives no version; its tracepoints fit v26 to v28 best, and the texts found in it ('Invalid nblocks. Must be a positive number or -1.', ...) point to v27");
	release_traces_feed_marks(&traces, &(struct chunk){.bytes = v28, .sz = sizeof(v28)});
	assert_int_equal(guess(&traces, &fake).release, 28);

	make(&fake, 31);
	out = guess(&traces, &fake);
	assert_int_equal(out.release, 29);
	release_name(last_like_29(), last);
	snprintf(
		why, sizeof(why),
		"the file gives no version; its tracepoints fit v29 to %s best, and the texts missing from it point to v29",
		last);
	assert_string_equal(out.why, why);
	assert_int_equal(guess(&traces, &fake).release, 29);
	release_traces_feed_marks(&traces, &(struct chunk){.bytes = v30, .sz = sizeof(v30)});
	assert_int_equal(guess(&traces, &fake).release, 30);
	release_traces_feed_marks(&traces, &(struct chunk){.bytes = v31, .sz = sizeof(v31)});
	out = guess(&traces, &fake);
	assert_int_equal(out.release, last_like_29());
	assert_non_null(strstr(out.why, "point to v31"));

	/* A doubtful version counts if nothing contradicts it. */
	snprintf(traces.doubtful, sizeof(traces.doubtful), "v31");
	out = guess(&traces, &fake);
	assert_int_equal(out.release, 31);
	assert_false(out.is_sure);
	snprintf(why, sizeof(why), "the file contains the text v31, and its tracepoints fit v29 to %s best",
		 last);
	assert_string_equal(out.why, why);
	snprintf(traces.doubtful, sizeof(traces.doubtful), "v25");
	assert_int_equal(guess(&traces, &fake).release, last_like_29());

	assert_false(traces.has_wallet_mark);
	release_traces_feed_marks(
		&traces,
		&(struct chunk){
			.bytes = BYTES("Transaction needs a change address, but we can't generate it.")});
	assert_true(traces.has_wallet_mark);
}

/* Each tracepoint counts, also if it is the only one or the first. */
static void
by_a_single_tracepoint(void **state)
{
	static const struct release_traces none;
	struct fake fake;

	(void)state;
	make(&fake, 23);
	for (size_t i = 0; i < fake.cnt; i++) {
		struct fake one = {.sites = {fake.sites[i]}, .cnt = 1};

		assert_string_equal(guess(&none, &one).why,
				    "the file gives no version; its tracepoints fit v23 best");
	}
}

/* The development version after master is compared with the last one that is known, whatever its tracepoints fit. */
static void
by_version_of_the_future(void **state)
{
	struct release_traces traces = {.version = "v32.99.0"};
	struct fake fake;

	(void)state;
	make(&fake, 25);
	struct release_guess out = guess(&traces, &fake);
	assert_int_equal(out.release, RELEASE_MASTER);
	assert_false(out.is_sure);
	assert_string_equal(out.why, "the file says v32.99.0; master is the last release that tpcheck knows");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_in_data),       cmocka_unit_test(versions_in_code),
		cmocka_unit_test(cut_anywhere),           cmocka_unit_test(by_version),
		cmocka_unit_test(by_tracepoints),         cmocka_unit_test(by_texts),
		cmocka_unit_test(by_a_single_tracepoint), cmocka_unit_test(by_version_of_the_future),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
