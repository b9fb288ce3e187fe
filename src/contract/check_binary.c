#include "contract/check_binary.h"

#include "base/buf.h"
#include "base/xmem.h"
#include "contract/contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "doc/tracing.md; .note.stapsdt";

enum {
	ADDRESSES_SHOWN = 4,
	MESSAGES_MAX = 64, /* different ones of one tracepoint; a real one has a handful */
	SHARED_MAX = 64,   /* findings about tracepoints that share an address */
	TEXT_MAX = 4096,
};

/* The locations of one tracepoint. */
struct locations {
	const struct site *const *sites;
	size_t cnt;
};

static void
add(struct findings *findings, const char *tracepoint, unsigned argument, const char *argument_name,
    const char *want, const char *got, const char *message)
{
	findings_add(findings, FINDING_CONTRACT, tracepoint, argument, argument_name, want, got, source,
		     message);
}

/* A finding that is a message only. tracepoint may be NULL. */
__attribute__((format(printf, 3, 4))) static void
add_message(struct findings *findings, const char *tracepoint, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, TEXT_MAX);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	add(findings, tracepoint, 0, NULL, NULL, NULL, text.data ? text.data : "");
	buf_fini(&text);
}

/* Findings of several locations of a tracepoint: those with the same message are one. */
struct group {
	size_t locations;
	uint64_t addresses[ADDRESSES_SHOWN]; /* of the first locations */
};
struct grouped {
	struct findings findings; /* one of each group */
	struct group *groups;
	bool is_full; /* some did not fit */
};

static void
group_finding(struct grouped *grouped, const struct finding *finding, uint64_t address)
{
	size_t at = 0;

	while (at < grouped->findings.cnt &&
	       strcmp(grouped->findings.items[at].message, finding->message) != 0)
		at++;
	if (at == MESSAGES_MAX) {
		grouped->is_full = true;
		return;
	}
	if (at == grouped->findings.cnt) {
		findings_add(&grouped->findings, finding->kind, finding->tracepoint, finding->argument,
			     finding->argument_name, finding->want, finding->got, finding->source,
			     finding->message);
		grouped->groups =
			xreallocarray(grouped->groups, grouped->findings.cnt, sizeof(*grouped->groups));
		grouped->groups[at] = (struct group){0};
	}
	struct group *group = &grouped->groups[at];
	if (group->locations < ADDRESSES_SHOWN)
		group->addresses[group->locations] = address;
	group->locations++;
}

static void
add_group(struct findings *findings, const struct finding *finding, const struct group *group,
	  size_t locations_cnt)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	buf_puts(&text, finding->message);
	if (locations_cnt > 1) {
		buf_printf(&text, " (at %zu of %zu locations:", group->locations, locations_cnt);
		for (size_t k = 0; k < group->locations && k < ADDRESSES_SHOWN; k++)
			buf_printf(&text, "%s 0x%" PRIx64, k ? "," : "", group->addresses[k]);
		buf_puts(&text, group->locations > ADDRESSES_SHOWN ? ", ...)" : ")");
	}
	findings_add(findings, finding->kind, finding->tracepoint, finding->argument, finding->argument_name,
		     finding->want, finding->got, finding->source, text.data);
	buf_fini(&text);
}

/* Checks every location; a finding of several locations is added once and says which they are. */
static void
check_locations(struct findings *findings, const struct locations *locations,
		const struct contract_tracepoint *row,
		size_t (*check)(const struct contract_tracepoint *row, const struct site *site,
				struct findings *findings))
{
	struct grouped grouped = {0};

	for (size_t p = 0; p < locations->cnt; p++) {
		struct findings found = {0};

		check(row, locations->sites[p], &found);
		for (size_t i = 0; i < found.cnt; i++)
			group_finding(&grouped, &found.items[i], locations->sites[p]->address);
		findings_fini(&found);
	}
	for (size_t i = 0; i < grouped.findings.cnt; i++)
		add_group(findings, &grouped.findings.items[i], &grouped.groups[i], locations->cnt);
	if (grouped.is_full)
		add_message(findings, row->full_name, "%s: further findings are not listed", row->full_name);
	free(grouped.groups);
	findings_fini(&grouped.findings);
}

/* Operands that tpcheck can read, but libbcc cannot. */
static size_t
check_bcc_readers(const struct contract_tracepoint *row, const struct site *site, struct findings *findings)
{
	size_t before = findings->cnt;
	char message[512];

	for (unsigned i = 0; i < site->args_cnt && i < row->args_cnt; i++) {
		const struct operand *operand = &site->args[i];

		if (operand->kind == OPERAND_UNREADABLE || operand->bcc == OPERAND_BCC_READS)
			continue;
		snprintf(message, sizeof(message),
			 "argument %u (%s) of %s is in an operand ('%s') that libbcc does not read%s", i + 1,
			 row->args[i].name, row->full_name, operand->text, contract_bcc_effect(operand->bcc));
		add(findings, row->full_name, i + 1, row->args[i].name, "an operand that libbcc can read",
		    operand->text, message);
	}
	return findings->cnt - before;
}

/* Operands of which the note has only a part, and the file the rest. */
static size_t
check_sources(const struct contract_tracepoint *row, const struct site *site, struct findings *findings)
{
	size_t before = findings->cnt;
	char message[640];

	for (unsigned i = 0; i < site->args_cnt && i < row->args_cnt; i++) {
		const struct operand *operand = &site->args[i];
		bool is_from_code = operand->source == OPERAND_FROM_CODE;

		if (!is_from_code && operand->source != OPERAND_FROM_SYMBOLS)
			continue;
		snprintf(
			message, sizeof(message),
			"argument %u (%s) of %s: the note ('%s') names the low bits of an address without their value; tpcheck takes it, 0x%" PRIx64
			", from %s",
			i + 1, row->args[i].name, row->full_name, operand->text,
			(uint64_t)operand->displacement,
			is_from_code ? "the code around the tracepoint" : "the symbol table");
		add(findings, row->full_name, i + 1, row->args[i].name,
		    "an operand that has all of the address", operand->text, message);
	}
	return findings->cnt - before;
}

static bool
has_type(const struct operand *operand, unsigned width, bool is_signed)
{
	return operand->width_bytes == width && operand->is_signed == is_signed;
}

/* Arguments as the code is known to pass them, where the document says something else. */
static size_t
check_known_differences(const struct contract_tracepoint *row, const struct site *site,
			struct findings *findings)
{
	unsigned pointer_bytes = site->address_bytes ? site->address_bytes : 8;
	size_t before = findings->cnt;
	char message[512], want[32], got[32];

	for (unsigned i = 0; i < site->args_cnt && i < row->args_cnt; i++) {
		const struct contract_arg *arg = &row->args[i];
		const struct operand *operand = &site->args[i];
		unsigned width = contract_arg_width(arg, pointer_bytes);
		bool is_signed = arg_type_is_signed(arg->code_type);
		unsigned documented_width = arg_type_width(arg->type, pointer_bytes);
		bool documented_sign = arg_type_is_signed(arg->type);

		if (!has_type(operand, width, is_signed) ||
		    has_type(operand, documented_width, documented_sign))
			continue;
		contract_describe_operand(documented_width, documented_sign, want);
		contract_describe_operand(width, is_signed, got);
		if (width != documented_width)
			snprintf(
				message, sizeof(message),
				"argument %u (%s) of %s: documented as %s; the code passes a size_t, which has %u bytes on this machine, so consumers must read %u bytes",
				i + 1, arg->name, row->full_name, arg_type_name(arg->type), width, width);
		else
			snprintf(message, sizeof(message), "argument %u (%s) of %s: %s", i + 1, arg->name,
				 row->full_name,
				 arg->difference ? arg->difference : "the code's type differs");
		add(findings, row->full_name, i + 1, arg->name, want, got, message);
	}
	return findings->cnt - before;
}

/* Differences that no note can show. */
static size_t
count_differences_of_meaning(const struct contract_tracepoint *row)
{
	size_t cnt = row->difference != NULL;

	for (unsigned i = 0; i < row->args_cnt; i++)
		cnt += row->args[i].difference && row->args[i].type == row->args[i].code_type;
	return cnt;
}

static void
describe_arg(const struct site *site, unsigned i, char out[32])
{
	if (i < site->args_cnt)
		contract_describe_operand(site->args[i].width_bytes, site->args[i].is_signed, out);
	else
		snprintf(out, 32, "missing");
}

/* Consumers read an argument in one way at all locations. */
static void
compare_locations(struct findings *findings, const struct locations *locations, const char *full_name)
{
	const struct site *first = locations->sites[0];
	bool reported_semaphores = false;
	uint32_t reported = 0;

	for (size_t p = 1; p < locations->cnt; p++) {
		const struct site *other = locations->sites[p];
		unsigned cnt = first->args_cnt > other->args_cnt ? first->args_cnt : other->args_cnt;

		for (unsigned i = 0; i < cnt; i++) {
			char here[32], there[32], message[512];

			describe_arg(first, i, here);
			describe_arg(other, i, there);
			if ((reported & UINT32_C(1) << i) || !strcmp(here, there))
				continue;
			reported |= UINT32_C(1) << i;
			snprintf(message, sizeof(message),
				 "the locations of %s differ in argument %u: it is %s at 0x%" PRIx64
				 " and %s at 0x%" PRIx64 "; consumers read all locations alike",
				 full_name, i + 1, here, first->address, there, other->address);
			add(findings, full_name, i + 1, NULL, here, there, message);
		}
		if (first->semaphore_address != other->semaphore_address && !reported_semaphores) {
			reported_semaphores = true;
			add_message(findings, full_name,
				    "the locations of %s differ in their semaphores: 0x%" PRIx64
				    " at 0x%" PRIx64 " and 0x%" PRIx64 " at 0x%" PRIx64
				    "; tracers raise only one of them",
				    full_name, first->semaphore_address, first->address,
				    other->semaphore_address, other->address);
		}
	}
}

static size_t
check_semaphore(const struct contract_tracepoint *row, const struct site *site, struct findings *findings)
{
	char message[320];

	if (!site->semaphore_address) {
		snprintf(
			message, sizeof(message),
			"%s has no semaphore, as every tracepoint should since v%d: its arguments are computed even when nobody is tracing",
			row->full_name, RELEASE_SEMAPHORES);
		add(findings, row->full_name, 0, NULL, "a semaphore", "none", message);
		return 1;
	}
	if (!site->semaphore_is_stray)
		return 0;
	snprintf(message, sizeof(message),
		 "the semaphore of %s, at 0x%" PRIx64
		 ", lies outside the section .probes: tracers would increment something else there",
		 row->full_name, site->semaphore_address);
	add(findings, row->full_name, 0, NULL, "a semaphore in .probes", "one elsewhere", message);
	return 1;
}

/* A site and the address that it may share with others. */
struct keyed_site {
	uint64_t address;
	const struct site *site;
};

static int
compare_keyed_sites(const void *pa, const void *pb)
{
	const struct keyed_site *a = pa, *b = pb;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->site < b->site ? -1 : a->site > b->site;
}

/* A finding about each of the two that is documented; returns how many there are. */
static size_t
add_shared(struct findings *findings, const struct keyed_site *pair, bool is_semaphore)
{
	size_t added = 0;

	for (size_t k = 0; k < 2; k++) {
		const struct site *site = pair[k].site, *other = pair[!k].site;
		const struct contract_tracepoint *row = contract_find(site->provider, site->name);

		if (!row)
			continue;
		added++;
		if (is_semaphore)
			add_message(findings, row->full_name,
				    "%s has the same semaphore as %s:%s, at 0x%" PRIx64
				    ": it is the wrong one for one of the two",
				    row->full_name, other->provider, other->name, pair[k].address);
		else
			add_message(findings, row->full_name,
				    "%s is at the same location as %s:%s, 0x%" PRIx64 ": both fire together",
				    row->full_name, other->provider, other->name, pair[k].address);
	}
	return added;
}

/* Different tracepoints that share a semaphore, or a location, as linkers leave it that fold identical functions. */
static void
find_shared(struct findings *findings, const struct site *sites, size_t cnt, bool semaphores)
{
	struct keyed_site *keyed = xcalloc(cnt, sizeof(*keyed));
	size_t keyed_cnt = 0, added = 0;

	for (size_t i = 0; i < cnt; i++) {
		if (semaphores && !sites[i].semaphore_address)
			continue;
		keyed[keyed_cnt++] = (struct keyed_site){
			.address = semaphores ? sites[i].semaphore_address : sites[i].address,
			.site = &sites[i],
		};
	}
	qsort(keyed, keyed_cnt, sizeof(*keyed), compare_keyed_sites);
	for (size_t i = 1; i < keyed_cnt && added < SHARED_MAX; i++)
		if (keyed[i - 1].address == keyed[i].address &&
		    !site_is_like(keyed[i - 1].site, keyed[i].site))
			added += add_shared(findings, &keyed[i - 1], semaphores);
	free(keyed);
}

static struct locations
find_locations(const struct site *const *sorted, size_t cnt, const char *context, const char *name)
{
	struct locations locations = {0};

	for (size_t i = 0; i < cnt; i++)
		if (site_is_of(sorted[i], context, name)) {
			if (!locations.cnt)
				locations.sites = &sorted[i];
			locations.cnt++;
		}
	return locations;
}

static void
add_undocumented(struct findings *remarks, const struct locations *locations, unsigned release)
{
	const struct site *site = locations->sites[0];
	const struct contract_tracepoint *row = contract_find(site->provider, site->name);
	char full_name[160], name[16];
	struct buf text;

	snprintf(full_name, sizeof(full_name), "%s:%s", site->provider, site->name);
	buf_init(&text, TEXT_MAX);
	buf_printf(&text, "%s is not documented in %s", full_name, release_name(release, name));
	if (row)
		buf_printf(&text, " (documented since v%u)", row->since);
	buf_printf(&text, ": %u argument%s", site->args_cnt, site->args_cnt == 1 ? "" : "s");
	for (unsigned i = 0; i < site->args_cnt; i++) {
		char type[32];

		describe_arg(site, i, type);
		buf_printf(&text, "%s%s", i ? "; " : " (", type);
	}
	buf_printf(&text, "%s, %zu location%s", site->args_cnt ? ")" : "", locations->cnt,
		   locations->cnt == 1 ? "" : "s");
	add(remarks, full_name, 0, NULL, NULL, NULL, text.data);
	buf_fini(&text);
	compare_locations(remarks, locations, full_name);
}

static void
check_tracepoint(const struct checked_binary *binary, const struct contract_tracepoint *row,
		 const struct locations *locations, struct binary_findings *findings)
{
	char name[16];

	if (!locations->cnt && binary->has_no_wallet && !strcmp(row->context, "coin_selection")) {
		add_message(&findings->known, row->full_name,
			    "%s is missing because the binary has no wallet", row->full_name);
		return;
	}
	if (!locations->cnt) {
		add_message(
			&findings->wrong, row->full_name,
			"%s is missing: %s documents it (since v%u), but the binary's notes have no tracepoint of that name",
			row->full_name, release_name(binary->release, name), row->since);
		return;
	}
	check_locations(&findings->wrong, locations, row, contract_check_site);
	if (binary->has_bcc)
		check_locations(&findings->wrong, locations, row, check_bcc_readers);
	compare_locations(&findings->wrong, locations, row->full_name);
	if (binary->release >= RELEASE_SEMAPHORES)
		check_locations(&findings->wrong, locations, row, check_semaphore);
	check_locations(&findings->known, locations, row, check_known_differences);
	check_locations(&findings->remarks, locations, row, contract_check_new_args);
	check_locations(&findings->remarks, locations, row, check_sources);
}

static void
check_tracepoints(const struct checked_binary *binary, const struct site *const *sorted,
		  struct binary_findings *findings)
{
	size_t meanings = 0, early_semaphores = 0;
	char name[16];

	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_at((enum tracepoint_id)id, binary->release);

		if (!row)
			continue;
		struct locations locations =
			find_locations(sorted, binary->sites_cnt, row->context, row->name);
		check_tracepoint(binary, row, &locations, findings);
		if (!locations.cnt)
			continue;
		meanings += count_differences_of_meaning(row);
		early_semaphores +=
			binary->release < RELEASE_SEMAPHORES && locations.sites[0]->semaphore_address;
	}
	if (meanings)
		add_message(
			&findings->known, NULL,
			"%zu more known difference%s between document and code concern%s meaning: see tpcheck list tracepoints --release=%s",
			meanings, meanings == 1 ? "" : "s", meanings == 1 ? "s" : "",
			release_name(binary->release, name) + (name[0] == 'v'));
	if (early_semaphores)
		add_message(
			&findings->remarks, NULL,
			"%zu of the tracepoints already ha%s a semaphore, as all do since v%d: tracers must raise it",
			early_semaphores, early_semaphores == 1 ? "s" : "ve", RELEASE_SEMAPHORES);
}

static void
add_undocumented_ones(const struct checked_binary *binary, const struct site *const *sorted,
		      struct findings *remarks)
{
	for (size_t i = 0; i < binary->sites_cnt;) {
		struct locations locations = {.sites = &sorted[i]};
		const struct contract_tracepoint *row = contract_find(sorted[i]->provider, sorted[i]->name);

		while (i < binary->sites_cnt && site_is_like(locations.sites[0], sorted[i])) {
			locations.cnt++;
			i++;
		}
		if (!row || !contract_at(row->id, binary->release))
			add_undocumented(remarks, &locations, binary->release);
	}
}

/* On 32-bit machines a number of 64 bits can be in two registers. */
static void
count_halves(struct findings *remarks, const struct site *sites, size_t cnt)
{
	size_t halves = 0;

	for (size_t i = 0; i < cnt; i++)
		for (unsigned k = 0; k < sites[i].args_cnt; k++)
			halves += sites[i].args[k].is_half;
	if (halves)
		add_message(
			remarks, NULL,
			"%zu argument%s of 8 bytes %s in two registers, and the note names only one: tracers see half of the value",
			halves, halves == 1 ? "" : "s", halves == 1 ? "is" : "are");
}

/* perf computes where a probe is in another way than libbcc, libbpf and bpftrace. */
static void
count_misplaced(struct findings *remarks, const struct site *sites, size_t cnt)
{
	size_t misplaced = 0, without_base = 0;

	for (size_t i = 0; i < cnt; i++) {
		bool differs = sites[i].file_offset && sites[i].perf_offset != sites[i].file_offset;

		misplaced += differs;
		without_base += differs && sites[i].has_no_base;
	}
	if (misplaced)
		add_message(
			remarks, NULL,
			"perf places the probes of %zu of %zu locations elsewhere, where they never fire or do harm: %s; libbcc, libbpf and bpftrace find them",
			misplaced, cnt,
			without_base
				? "their notes have a base of 0 (the linker dropped .stapsdt.base)"
				: "it takes .stapsdt.base and the code to be as far apart in the file as in memory");
}

/* libbpf knows fewer forms of operands on x86-64 than libbcc. */
static void
count_libbpf_operands(struct findings *remarks, const struct site *sites, size_t cnt)
{
	size_t indexed = 0, others = 0;
	const char *indexed_text = NULL, *other_text = NULL;

	for (size_t i = 0; i < cnt; i++)
		for (unsigned k = 0; k < sites[i].args_cnt; k++) {
			const struct operand *operand = &sites[i].args[k];

			if (operand->kind != OPERAND_REGISTER && operand->kind != OPERAND_MEMORY)
				continue;
			if (operand->shift_bits || operand->source == OPERAND_FROM_SYMBOLS) {
				others++;
				other_text = other_text ? other_text : operand->text;
			} else if (operand->index) {
				indexed++;
				indexed_text = indexed_text ? indexed_text : operand->text;
			}
		}
	if (indexed)
		add_message(
			remarks, NULL,
			"libbpf before v1.7 rejects tracepoints with an index register in an operand: %zu, such as '%s'",
			indexed, indexed_text);
	if (others)
		add_message(remarks, NULL,
			    "libbpf rejects tracepoints with such an operand: %zu, such as '%s'", others,
			    other_text);
}

void
contract_check_binary(const struct checked_binary *binary, struct binary_findings *findings)
{
	const struct site **sorted = sites_sort(binary->sites, binary->sites_cnt);

	*findings = (struct binary_findings){0};
	check_tracepoints(binary, sorted, findings);
	find_shared(&findings->wrong, binary->sites, binary->sites_cnt, true);
	find_shared(&findings->wrong, binary->sites, binary->sites_cnt, false);
	add_undocumented_ones(binary, sorted, &findings->remarks);
	count_halves(&findings->remarks, binary->sites, binary->sites_cnt);
	count_misplaced(&findings->remarks, binary->sites, binary->sites_cnt);
	count_libbpf_operands(&findings->remarks, binary->sites, binary->sites_cnt);
	if (!binary->has_bcc && binary->sites_cnt)
		add_message(&findings->remarks, NULL,
			    "libbcc cannot read arguments on %s: consumers that use it see none",
			    binary->machine);
	free(sorted);
}

void
binary_findings_fini(struct binary_findings *findings)
{
	findings_fini(&findings->wrong);
	findings_fini(&findings->known);
	findings_fini(&findings->remarks);
}
