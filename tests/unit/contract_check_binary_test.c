/* All notes of a binary against a release. */
#include "contract/check_binary.h"

#include "contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SITES_MAX = 40 };

struct fake {
	struct site sites[SITES_MAX];
	size_t cnt;
	unsigned release;
	bool has_no_wallet;
};

static struct site *
add_row(struct fake *fake, const struct contract_tracepoint *row, unsigned address_bytes)
{
	struct site *site = &fake->sites[fake->cnt];

	assert_true(fake->cnt < SITES_MAX);
	*site = (struct site){
		.address = 0x1000 + 0x10 * fake->cnt,
		.semaphore_address = fake->release >= RELEASE_SEMAPHORES ? 0x9000 + 2 * fake->cnt : 0,
		.address_bytes = (unsigned char)address_bytes,
		.args_cnt = row->args_cnt,
	};
	fake->cnt++;
	snprintf(site->provider, sizeof(site->provider), "%s", row->context);
	snprintf(site->name, sizeof(site->name), "%s", row->name);
	for (unsigned i = 0; i < row->args_cnt; i++) {
		site->args[i] = (struct operand){
			.kind = OPERAND_REGISTER,
			.width_bytes = (uint8_t)contract_arg_width(&row->args[i], address_bytes),
			.is_signed = arg_type_is_signed(row->args[i].code_type),
		};
		snprintf(site->args[i].text, sizeof(site->args[i].text), "operand %u", i + 1);
	}
	return site;
}

/* As compiled from that release. */
static void
make_clean(struct fake *fake, unsigned release, unsigned address_bytes)
{
	*fake = (struct fake){.release = release};
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_at((enum tracepoint_id)id, release);

		if (row)
			add_row(fake, row, address_bytes);
	}
}

static struct site *
find(struct fake *fake, const char *context, const char *name)
{
	for (size_t i = 0; i < fake->cnt; i++)
		if (site_is_of(&fake->sites[i], context, name))
			return &fake->sites[i];
	fail();
	return NULL;
}

static struct binary_findings
check_fake(const struct fake *fake)
{
	struct binary_findings findings;

	contract_check_binary(&(struct checked_binary){.sites = fake->sites,
						       .sites_cnt = fake->cnt,
						       .release = fake->release,
						       .machine = "x86-64",
						       .has_bcc = true,
						       .has_no_wallet = fake->has_no_wallet},
			      &findings);
	return findings;
}

/* There is exactly one finding, about that tracepoint and argument, with that message. */
static void
assert_one_wrong(const struct fake *fake, const char *tracepoint, unsigned argument, const char *message)
{
	struct binary_findings findings = check_fake(fake);

	if (findings.wrong.cnt != 1) {
		for (size_t i = 0; i < findings.wrong.cnt; i++)
			print_message("%s\n", findings.wrong.items[i].message);
		fail_msg("%zu findings instead of: %s", findings.wrong.cnt, message);
	}
	const struct finding *finding = &findings.wrong.items[0];
	assert_string_equal(finding->message, message);
	assert_string_equal(finding->tracepoint, tracepoint);
	assert_int_equal(finding->argument, argument);
	assert_int_equal(finding->kind, FINDING_CONTRACT);
	binary_findings_fini(&findings);
}

static void
clean_binaries(void **state)
{
	(void)state;
	for (unsigned release = RELEASE_FIRST; release <= RELEASE_MASTER; release++)
		for (unsigned bytes = 4; bytes <= 8; bytes += 4) {
			struct fake fake;

			make_clean(&fake, release, bytes);
			struct binary_findings findings = check_fake(&fake);
			if (findings.wrong.cnt)
				fail_msg("v%u: %s", release, findings.wrong.items[0].message);
			assert_int_equal(findings.remarks.cnt, 0);
			/* Signed arguments documented as unsigned, sizes on 32-bit machines, and the rest in one
			 * line. */
			size_t known = release >= 29 || release < 25 ? 2 : 1;
			known += release >= 29 ? 2 : 0;
			if (bytes == 4)
				known += 3 + (release >= 29 ? 2 : 0) + (release == 25 ? 4 : 0);
			assert_int_equal(findings.known.cnt, known + 1);
			binary_findings_fini(&findings);
		}
}

static void
known_differences(void **state)
{
	struct fake fake;

	(void)state;
	make_clean(&fake, RELEASE_MASTER, 4);
	struct binary_findings findings = check_fake(&fake);
	assert_string_equal(
		findings.known.items[0].message,
		"argument 5 (size) of net:inbound_message: documented as uint64; the code passes a size_t, which has 4 bytes on this machine, so consumers must read 4 bytes");
	assert_string_equal(findings.known.items[0].want, "8 bytes, unsigned");
	assert_string_equal(findings.known.items[0].got, "4 bytes, unsigned");
	binary_findings_fini(&findings);

	/* As documented: neither wrong nor a known difference. */
	make_clean(&fake, RELEASE_MASTER, 8);
	find(&fake, "net", "closed_connection")->args[4].is_signed = false;
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 0);
	assert_int_equal(findings.known.cnt, 4);
	assert_string_equal(
		findings.known.items[3].message,
		"8 more known differences between document and code concern meaning: see tpcheck list tracepoints --release=master");
	binary_findings_fini(&findings);
}

static void
missing_ones(void **state)
{
	struct fake fake;

	(void)state;
	make_clean(&fake, 28, 8);
	snprintf(find(&fake, "utxocache", "spent")->name, sizeof(fake.sites[0].name), "spenX");
	assert_one_wrong(
		&fake, "utxocache:spent", 0,
		"utxocache:spent is missing: v28 documents it (since v23), but the binary's notes have no tracepoint of that name");
	struct binary_findings findings = check_fake(&fake);
	assert_int_equal(findings.remarks.cnt, 1);
	assert_string_equal(
		findings.remarks.items[0].message,
		"utxocache:spenX is not documented in v28: 5 arguments (8 bytes, unsigned; 4 bytes, unsigned; 4 bytes, unsigned; 8 bytes, signed; 1 byte, unsigned), 1 location");
	binary_findings_fini(&findings);

	/* A later tracepoint. */
	make_clean(&fake, 28, 8);
	add_row(&fake, contract_get(TP_NET_MISBEHAVING_CONNECTION), 8);
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 0);
	assert_string_equal(
		findings.remarks.items[0].message,
		"net:misbehaving_connection is not documented in v28 (documented since v29): 2 arguments (8 bytes, signed; 8 bytes, unsigned), 1 location");
	binary_findings_fini(&findings);

	/* Without a wallet, only its tracepoints may be missing. */
	make_clean(&fake, 28, 8);
	for (size_t i = 0; i < fake.cnt; i++)
		if (!strcmp(fake.sites[i].provider, "coin_selection"))
			snprintf(fake.sites[i].provider, sizeof(fake.sites[i].provider), "elsewhere");
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 4);
	binary_findings_fini(&findings);
	fake.has_no_wallet = true;
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 0);
	assert_string_equal(findings.known.items[1].message,
			    "coin_selection:selected_coins is missing because the binary has no wallet");
	binary_findings_fini(&findings);
}

static void
several_places(void **state)
{
	struct fake fake;

	(void)state;
	make_clean(&fake, RELEASE_MASTER, 8);
	struct site *first = find(&fake, "net", "outbound_message");
	for (unsigned i = 0; i < 5; i++) {
		struct site *site = add_row(&fake, contract_get(TP_NET_OUTBOUND_MESSAGE), 8);

		site->semaphore_address = first->semaphore_address;
		site->address = 0x5000 + 0x100 * i;
	}
	struct binary_findings findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 0);
	binary_findings_fini(&findings);

	struct site *last = &fake.sites[fake.cnt - 1];
	last->args[4].width_bytes = 4;
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 2);
	assert_string_equal(
		findings.wrong.items[0].message,
		"argument 5 (size) of net:outbound_message is 4 bytes, unsigned in the binary's note ('operand 5'), but uint64 is 8 bytes, unsigned: consumers misread it (at 1 of 6 locations: 0x5400)");
	assert_string_equal(
		findings.wrong.items[1].message,
		"the locations of net:outbound_message differ in argument 5: it is 8 bytes, unsigned at 0x1010 and 4 bytes, unsigned at 0x5400; consumers read all locations alike");
	assert_int_equal(findings.wrong.items[1].argument, 5);
	binary_findings_fini(&findings);

	for (size_t i = 0; i < fake.cnt; i++)
		if (site_is_like(&fake.sites[i], last))
			fake.sites[i].args[4].width_bytes = 4;
	assert_one_wrong(
		&fake, "net:outbound_message", 5,
		"argument 5 (size) of net:outbound_message is 4 bytes, unsigned in the binary's note ('operand 5'), but uint64 is 8 bytes, unsigned: consumers misread it (at 6 of 6 locations: 0x1010, 0x5000, 0x5100, 0x5200, ...)");

	for (size_t i = 0; i < fake.cnt; i++)
		if (site_is_like(&fake.sites[i], last))
			fake.sites[i].args[4].width_bytes = 8;
	last->semaphore_address += 0x100;
	assert_one_wrong(
		&fake, "net:outbound_message", 0,
		"the locations of net:outbound_message differ in their semaphores: 0x9002 at 0x1010 and 0x9102 at 0x5400; tracers raise only one of them");
	last->semaphore_address -= 0x100;
	last->args_cnt = 5;
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 2);
	assert_string_equal(
		findings.wrong.items[0].message,
		"net:outbound_message has 5 arguments in the binary's note; 6 are documented (at 1 of 6 locations: 0x5400)");
	assert_string_equal(
		findings.wrong.items[1].message,
		"the locations of net:outbound_message differ in argument 6: it is 8 bytes, unsigned at 0x1010 and missing at 0x5400; consumers read all locations alike");
	binary_findings_fini(&findings);
}

static size_t
count_remarks(const struct binary_findings *findings, const char *text)
{
	size_t cnt = 0;

	for (size_t i = 0; i < findings->remarks.cnt; i++)
		cnt += strstr(findings->remarks.items[i].message, text) != NULL;
	return cnt;
}

/* What other tracers trip over is information. */
static void
other_tracers(void **state)
{
	struct fake fake;

	(void)state;
	make_clean(&fake, RELEASE_MASTER, 8);
	for (size_t i = 0; i < fake.cnt; i++)
		fake.sites[i].file_offset = fake.sites[i].perf_offset = 0x100 + i;
	struct binary_findings findings = check_fake(&fake);
	assert_int_equal(count_remarks(&findings, "perf"), 0);
	assert_int_equal(count_remarks(&findings, "libbpf"), 0);
	binary_findings_fini(&findings);

	fake.sites[3].perf_offset += 0x1000;
	fake.sites[0].args[1].index = REGISTER_AX;
	fake.sites[0].args[1].scale = 8;
	fake.sites[1].args[0].shift_bits = 8;
	fake.sites[2].args[0].source = OPERAND_FROM_SYMBOLS;
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 0);
	assert_int_equal(count_remarks(&findings, "perf places the probes of 1 of 20 locations elsewhere"),
			 1);
	assert_int_equal(count_remarks(&findings, "as far apart in the file as in memory"), 1);
	assert_int_equal(
		count_remarks(
			&findings,
			"libbpf before v1.7 rejects tracepoints with an index register in an operand: 1, such as 'operand 2'"),
		1);
	assert_int_equal(
		count_remarks(&findings,
			      "libbpf rejects tracepoints with such an operand: 2, such as 'operand 1'"),
		1);
	binary_findings_fini(&findings);

	fake.sites[3].has_no_base = true;
	findings = check_fake(&fake);
	assert_int_equal(count_remarks(&findings, "their notes have a base of 0"), 1);
	binary_findings_fini(&findings);
}

/* The number of findings is bounded, whatever the file contains. */
static void
many_messages(void **state)
{
	enum { MANY = 5000 };
	struct site *sites = calloc(MANY, sizeof(*sites));
	struct binary_findings findings;
	size_t removed = 0;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		sites[i] = (struct site){.address_bytes = 8, .address = i, .args_cnt = 3};
		snprintf(sites[i].provider, sizeof(sites[i].provider), "mempool");
		snprintf(sites[i].name, sizeof(sites[i].name), "removed");
		sites[i].args[0] = (struct operand){.kind = OPERAND_REGISTER, .width_bytes = 1};
		snprintf(sites[i].args[0].text, sizeof(sites[i].args[0].text), "operand %u", i);
	}
	contract_check_binary(
		&(struct checked_binary){.sites = sites, .sites_cnt = MANY, .release = RELEASE_MASTER},
		&findings);
	for (size_t i = 0; i < findings.wrong.cnt; i++)
		removed += !strcmp(findings.wrong.items[i].tracepoint, "mempool:removed");
	assert_in_range(removed, 64, 70);
	binary_findings_fini(&findings);
	free(sites);
}

static void
semaphores(void **state)
{
	struct fake fake;

	(void)state;
	make_clean(&fake, 31, 8);
	struct site *site = find(&fake, "mempool", "added"), *other = find(&fake, "mempool", "removed");
	uint64_t address = site->semaphore_address;
	site->semaphore_address = 0;
	assert_one_wrong(
		&fake, "mempool:added", 0,
		"mempool:added has no semaphore, as every tracepoint should since v29: its arguments are computed even when nobody is tracing");
	site->semaphore_address = address;
	site->semaphore_is_stray = true;
	assert_one_wrong(
		&fake, "mempool:added", 0,
		"the semaphore of mempool:added, at 0x9020, lies outside the section .probes: tracers would increment something else there");
	site->semaphore_is_stray = false;
	site->semaphore_address = other->semaphore_address;
	struct binary_findings findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 2);
	assert_string_equal(
		findings.wrong.items[0].message,
		"mempool:added has the same semaphore as mempool:removed, at 0x9022: it is the wrong one for one of the two");
	assert_string_equal(findings.wrong.items[0].tracepoint, "mempool:added");
	assert_string_equal(findings.wrong.items[1].tracepoint, "mempool:removed");
	binary_findings_fini(&findings);

	/* Two at one location. */
	site->semaphore_address = address;
	site->address = other->address;
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 2);
	assert_string_equal(
		findings.wrong.items[1].message,
		"mempool:removed is at the same location as mempool:added, 0x1110: both fire together");
	binary_findings_fini(&findings);

	make_clean(&fake, 28, 8);
	find(&fake, "mempool", "added")->semaphore_address = 0x9000;
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, 0);
	assert_string_equal(
		findings.remarks.items[0].message,
		"1 of the tracepoints already has a semaphore, as all do since v29: tracers must raise it");
	binary_findings_fini(&findings);
}

static void
operands_for_some(void **state)
{
	struct fake fake;

	(void)state;
	make_clean(&fake, RELEASE_MASTER, 8);
	struct operand *operand = &find(&fake, "mempool", "added")->args[1];
	operand->bcc = OPERAND_BCC_LEAVES;
	assert_one_wrong(
		&fake, "mempool:added", 2,
		"argument 2 (vsize) of mempool:added is in an operand ('operand 2') that libbcc does not read; libbcc skips it, and its users see the next argument in its place");
	operand->kind = OPERAND_UNREADABLE;
	snprintf(operand->reason, sizeof(operand->reason), "why not");
	assert_one_wrong(
		&fake, "mempool:added", 2,
		"argument 2 (vsize) of mempool:added cannot be read: why not; libbcc skips it, and its users see the next argument in its place");

	/* Only the linker knew a part of the address; or somebody else knows it, too. */
	operand->source = OPERAND_FROM_LINKER;
	assert_one_wrong(
		&fake, "mempool:added", 2,
		"argument 2 (vsize) of mempool:added cannot be read: why not; libbcc skips it, and its users see the next argument in its place; the author of the tracepoint can avoid that: pass a local copy of the static object");
	operand->kind = OPERAND_MEMORY;
	operand->bcc = OPERAND_BCC_READS;
	operand->displacement = 0x230;
	static const struct {
		enum operand_source source;
		const char *text;
	} sources[] = {{OPERAND_FROM_CODE, "the code around the tracepoint"},
		       {OPERAND_FROM_SYMBOLS, "the symbol table"}};
	for (size_t i = 0; i < 2; i++) {
		char want[512];

		operand->source = sources[i].source;
		struct binary_findings known = check_fake(&fake);
		snprintf(
			want, sizeof(want),
			"argument 2 (vsize) of mempool:added: the note ('operand 2') names the low bits of an address without their value; tpcheck takes it, 0x230, from %s",
			sources[i].text);
		assert_int_equal(known.wrong.cnt, 0);
		/* The second: libbpf does not read what is named by a symbol. */
		assert_int_equal(known.remarks.cnt, sources[i].source == OPERAND_FROM_SYMBOLS ? 2 : 1);
		assert_string_equal(known.remarks.items[0].message, want);
		binary_findings_fini(&known);
	}

	/* A machine that libbcc does not know is reported once. */
	make_clean(&fake, RELEASE_MASTER, 4);
	struct binary_findings findings;
	contract_check_binary(&(struct checked_binary){.sites = fake.sites,
						       .sites_cnt = fake.cnt,
						       .release = RELEASE_MASTER,
						       .machine = "arm"},
			      &findings);
	assert_int_equal(findings.wrong.cnt, 0);
	assert_int_equal(findings.remarks.cnt, 1);
	assert_string_equal(findings.remarks.items[0].message,
			    "libbcc cannot read arguments on arm: consumers that use it see none");
	binary_findings_fini(&findings);
}

/* Every wrong argument of every tracepoint in every release is found. */
static void
every_argument(void **state)
{
	(void)state;
	for (unsigned release = RELEASE_FIRST; release <= RELEASE_MASTER; release++) {
		struct fake fake;

		make_clean(&fake, release, 8);
		for (size_t s = 0; s < fake.cnt; s++) {
			struct site *site = &fake.sites[s];
			const struct site good = *site;
			char full_name[140];

			snprintf(full_name, sizeof(full_name), "%s:%s", site->provider, site->name);
			for (unsigned i = 0; i <= good.args_cnt; i++) {
				*site = good;
				if (i == good.args_cnt)
					site->args_cnt--;
				else
					site->args[i].width_bytes = site->args[i].width_bytes == 2 ? 1 : 2;
				struct binary_findings findings = check_fake(&fake);
				assert_int_equal(findings.wrong.cnt, 1);
				assert_string_equal(findings.wrong.items[0].tracepoint, full_name);
				assert_int_equal(findings.wrong.items[0].argument,
						 i == good.args_cnt ? 0 : i + 1);
				binary_findings_fini(&findings);
			}
			*site = good;
		}
	}
}

static void
nothing_and_strangers(void **state)
{
	struct fake fake = {.release = RELEASE_MASTER, .cnt = 1};
	struct binary_findings findings = check_fake(&(struct fake){.release = 24});

	(void)state;
	assert_int_equal(findings.wrong.cnt, 11);
	binary_findings_fini(&findings);
	snprintf(fake.sites[0].provider, sizeof(fake.sites[0].provider), "libc");
	snprintf(fake.sites[0].name, sizeof(fake.sites[0].name), "setjmp");
	findings = check_fake(&fake);
	assert_int_equal(findings.wrong.cnt, TRACEPOINTS_CNT);
	assert_string_equal(findings.remarks.items[0].message,
			    "libc:setjmp is not documented in master: 0 arguments, 1 location");
	binary_findings_fini(&findings);
}

/* What is not listed is mentioned, and only then. */
static void
findings_that_are_not_listed(void **state)
{
	enum { LISTED = 64, MANY = LISTED + 1 };
	static struct site sites[MANY];
	static const char rest[] = "mempool:removed: further findings are not listed";

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		struct fake fake = {.release = 28};

		sites[i] = *add_row(&fake, contract_at(TP_MEMPOOL_REMOVED, 28), 8);
		sites[i].address = i + 1;
		sites[i].args[0].width_bytes = 1;
		snprintf(sites[i].args[0].text, sizeof(sites[i].args[0].text), "operand %u", i);
	}
	for (size_t cnt = LISTED; cnt <= MANY; cnt++) {
		struct binary_findings findings;
		size_t listed = 0, mentioned = 0;

		contract_check_binary(
			&(struct checked_binary){.sites = sites, .sites_cnt = cnt, .release = 28}, &findings);
		for (size_t i = 0; i < findings.wrong.cnt; i++) {
			listed += findings.wrong.items[i].argument == 1;
			mentioned += !strcmp(findings.wrong.items[i].message, rest);
		}
		assert_int_equal(listed, LISTED);
		assert_int_equal(mentioned, cnt > LISTED);
		binary_findings_fini(&findings);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_binaries),
		cmocka_unit_test(known_differences),
		cmocka_unit_test(missing_ones),
		cmocka_unit_test(several_places),
		cmocka_unit_test(other_tracers),
		cmocka_unit_test(many_messages),
		cmocka_unit_test(semaphores),
		cmocka_unit_test(operands_for_some),
		cmocka_unit_test(every_argument),
		cmocka_unit_test(nothing_and_strangers),
		cmocka_unit_test(findings_that_are_not_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
