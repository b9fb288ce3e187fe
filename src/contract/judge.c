#include "contract/judge.h"

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
	TEXT_MAX = 4096,
};

/* The places of one tracepoint. */
struct places {
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

__attribute__((format(printf, 3, 4))) static void
say(struct findings *findings, const char *tracepoint, const char *fmt, ...)
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

/* What check appends for each place, once: a message that comes for several places says for which. */
static void
add_by_place(struct findings *findings, const struct places *places, const struct contract_tracepoint *row,
	     size_t (*check)(const struct contract_tracepoint *row, const struct site *site,
			     struct findings *findings))
{
	/* Of each message those places are kept that are shown. */
	struct group {
		size_t places;
		uint64_t shown[ADDRESSES_SHOWN];
	} *groups = NULL;
	struct findings once = {0}, found;
	bool more = false;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	for (size_t p = 0; p < places->cnt; p++) {
		found = (struct findings){0};
		check(row, places->sites[p], &found);
		for (size_t i = 0; i < found.cnt; i++) {
			const struct finding *finding = &found.items[i];
			size_t at = 0;

			while (at < once.cnt && strcmp(once.items[at].message, finding->message) != 0)
				at++;
			if (at == MESSAGES_MAX) {
				more = true;
				continue;
			}
			if (at == once.cnt) {
				findings_add(&once, finding->kind, finding->tracepoint, finding->argument,
					     finding->argument_name, finding->want, finding->got,
					     finding->source, finding->message);
				groups = xreallocarray(groups, once.cnt, sizeof(*groups));
				groups[at] = (struct group){0};
			}
			if (groups[at].places < ADDRESSES_SHOWN)
				groups[at].shown[groups[at].places] = places->sites[p]->address;
			groups[at].places++;
		}
		findings_fini(&found);
	}
	for (size_t i = 0; i < once.cnt; i++) {
		const struct finding *finding = &once.items[i];

		buf_reset(&text);
		buf_puts(&text, finding->message);
		if (places->cnt > 1) {
			buf_printf(&text, " (at %zu of %zu locations:", groups[i].places, places->cnt);
			for (size_t k = 0; k < groups[i].places && k < ADDRESSES_SHOWN; k++)
				buf_printf(&text, "%s 0x%" PRIx64, k ? "," : "", groups[i].shown[k]);
			buf_puts(&text, groups[i].places > ADDRESSES_SHOWN ? ", ...)" : ")");
		}
		findings_add(findings, finding->kind, finding->tracepoint, finding->argument,
			     finding->argument_name, finding->want, finding->got, finding->source, text.data);
	}
	if (more)
		say(findings, row->full_name, "%s: further findings are not listed", row->full_name);
	free(groups);
	buf_fini(&text);
	findings_fini(&once);
}

/* Operands that tpcheck can read, but not those who use libbcc. */
static size_t
check_readers(const struct contract_tracepoint *row, const struct site *site, struct findings *findings)
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

static bool
has_type(const struct operand *operand, unsigned width, bool is_signed)
{
	return operand->width_bytes == width && operand->is_signed == is_signed;
}

/* Where the binary is as the code is known to be, and the document says something else. */
static size_t
check_known(const struct contract_tracepoint *row, const struct site *site, struct findings *findings)
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
				"argument %u (%s) of %s: documented as %s; the code passes a size_t, which has %u bytes on this machine: a consumer has to read as many",
				i + 1, arg->name, row->full_name, arg_type_name(arg->type), width);
		else
			snprintf(message, sizeof(message), "argument %u (%s) of %s: %s", i + 1, arg->name,
				 row->full_name,
				 arg->difference ? arg->difference : "the code's type differs");
		add(findings, row->full_name, i + 1, arg->name, want, got, message);
	}
	return findings->cnt - before;
}

/* Differences of meaning, of which notes tell nothing. */
static size_t
count_meanings(const struct contract_tracepoint *row)
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
		snprintf(out, 32, "not there");
}

/* A consumer reads an argument in one way, wherever it is hit. */
static void
compare_places(struct findings *findings, const struct places *places, const char *full_name)
{
	const struct site *first = places->sites[0];
	bool told_semaphore = false;
	uint32_t told = 0;

	for (size_t p = 1; p < places->cnt; p++) {
		const struct site *other = places->sites[p];
		unsigned cnt = first->args_cnt > other->args_cnt ? first->args_cnt : other->args_cnt;

		for (unsigned i = 0; i < cnt; i++) {
			char here[32], there[32], message[512];

			describe_arg(first, i, here);
			describe_arg(other, i, there);
			if ((told & UINT32_C(1) << i) || !strcmp(here, there))
				continue;
			told |= UINT32_C(1) << i;
			snprintf(message, sizeof(message),
				 "the locations of %s differ in argument %u: it is %s at 0x%" PRIx64
				 " and %s at 0x%" PRIx64 "; a consumer reads all in one way",
				 full_name, i + 1, here, first->address, there, other->address);
			add(findings, full_name, i + 1, NULL, here, there, message);
		}
		if (first->semaphore_address != other->semaphore_address && !told_semaphore) {
			told_semaphore = true;
			say(findings, full_name,
			    "the locations of %s differ in their semaphores: 0x%" PRIx64 " at 0x%" PRIx64
			    " and 0x%" PRIx64 " at 0x%" PRIx64 "; a tracer raises one of them",
			    full_name, first->semaphore_address, first->address, other->semaphore_address,
			    other->address);
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
			"%s has no semaphore, which every tracepoint has since v%d: its arguments are prepared while nobody listens",
			row->full_name, RELEASE_SEMAPHORES);
		add(findings, row->full_name, 0, NULL, "a semaphore", "none", message);
		return 1;
	}
	if (!site->semaphore_is_stray)
		return 0;
	snprintf(
		message, sizeof(message),
		"the semaphore of %s, at 0x%" PRIx64
		", lies outside the section .probes, which is for them: tracers count up something else there",
		row->full_name, site->semaphore_address);
	add(findings, row->full_name, 0, NULL, "a semaphore in .probes", "one elsewhere", message);
	return 1;
}

static int
compare_semaphores(const void *pa, const void *pb)
{
	const struct site *a = *(const struct site *const *)pa, *b = *(const struct site *const *)pb;

	if (a->semaphore_address != b->semaphore_address)
		return a->semaphore_address < b->semaphore_address ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Two tracepoints with one semaphore: whoever listens to one activates both, and the count is nobody's. */
static void
find_shared_semaphores(struct findings *findings, const struct site *sites, size_t cnt)
{
	const struct site **sorted = sites_sort(sites, cnt);
	enum { SHARED_MAX = 64 };
	size_t told = 0;

	qsort(sorted, cnt, sizeof(const struct site *), compare_semaphores);
	for (size_t i = 1; i < cnt && told < SHARED_MAX; i++) {
		const struct site *pair[] = {sorted[i - 1], sorted[i]};

		if (!pair[0]->semaphore_address || pair[0]->semaphore_address != pair[1]->semaphore_address ||
		    site_is_like(pair[0], pair[1]))
			continue;
		for (size_t k = 0; k < 2; k++) {
			const struct contract_tracepoint *row =
				contract_find(pair[k]->provider, pair[k]->name);

			if (!row)
				continue;
			told++;
			say(findings, row->full_name,
			    "%s has the semaphore of %s:%s, at 0x%" PRIx64
			    ": one of the two does not activate what it should",
			    row->full_name, pair[!k]->provider, pair[!k]->name, pair[k]->semaphore_address);
		}
	}
	free(sorted);
}

static int
compare_addresses(const void *pa, const void *pb)
{
	const struct site *a = *(const struct site *const *)pa, *b = *(const struct site *const *)pb;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Two tracepoints at one place, as a linker leaves them that folds functions of equal code. */
static void
find_shared_places(struct findings *findings, const struct site *sites, size_t cnt)
{
	const struct site **sorted = sites_sort(sites, cnt);
	enum { SHARED_MAX = 64 };
	size_t told = 0;

	qsort(sorted, cnt, sizeof(const struct site *), compare_addresses);
	for (size_t i = 1; i < cnt && told < SHARED_MAX; i++) {
		const struct site *pair[] = {sorted[i - 1], sorted[i]};

		if (pair[0]->address != pair[1]->address || site_is_like(pair[0], pair[1]))
			continue;
		for (size_t k = 0; k < 2; k++) {
			const struct contract_tracepoint *row =
				contract_find(pair[k]->provider, pair[k]->name);

			if (!row)
				continue;
			told++;
			say(findings, row->full_name,
			    "%s is at the same location as %s:%s, 0x%" PRIx64 ": each fires for both",
			    row->full_name, pair[!k]->provider, pair[!k]->name, pair[k]->address);
		}
	}
	free(sorted);
}

static struct places
find_places(const struct site *const *sorted, size_t cnt, const char *context, const char *name)
{
	struct places places = {0};

	for (size_t i = 0; i < cnt; i++)
		if (site_is_of(sorted[i], context, name)) {
			if (!places.cnt)
				places.sites = &sorted[i];
			places.cnt++;
		}
	return places;
}

static void
say_undocumented(struct findings *remarks, const struct places *places, unsigned release)
{
	const struct site *site = places->sites[0];
	const struct contract_tracepoint *row = contract_find(site->provider, site->name);
	char full_name[160], name[16];
	struct buf text;

	snprintf(full_name, sizeof(full_name), "%s:%s", site->provider, site->name);
	buf_init(&text, TEXT_MAX);
	buf_printf(&text, "%s is not documented in %s", full_name, release_name(release, name));
	if (row)
		buf_printf(&text, ", but since v%u", row->since);
	buf_printf(&text, ": %u argument%s", site->args_cnt, site->args_cnt == 1 ? "" : "s");
	for (unsigned i = 0; i < site->args_cnt; i++) {
		char type[32];

		describe_arg(site, i, type);
		buf_printf(&text, "%s%s", i ? "; " : " (", type);
	}
	buf_printf(&text, "%s, %zu location%s", site->args_cnt ? ")" : "", places->cnt,
		   places->cnt == 1 ? "" : "s");
	add(remarks, full_name, 0, NULL, NULL, NULL, text.data);
	buf_fini(&text);
	compare_places(remarks, places, full_name);
}

static void
judge_row(const struct judged_binary *binary, const struct contract_tracepoint *row,
	  const struct places *places, struct judgement *judgement)
{
	char name[16];

	if (!places->cnt) {
		if (binary->lacks_the_wallet && !strcmp(row->context, "coin_selection")) {
			say(&judgement->known, row->full_name,
			    "%s is not there: it is the wallet's, and the binary has none", row->full_name);
			return;
		}
		say(&judgement->wrong, row->full_name,
		    "%s is missing: the binary's notes have no tracepoint of that name, %s documents it (since v%u)",
		    row->full_name, release_name(binary->release, name), row->since);
		return;
	}
	add_by_place(&judgement->wrong, places, row, contract_check_site);
	if (binary->has_bcc)
		add_by_place(&judgement->wrong, places, row, check_readers);
	compare_places(&judgement->wrong, places, row->full_name);
	if (binary->release >= RELEASE_SEMAPHORES)
		add_by_place(&judgement->wrong, places, row, check_semaphore);
	add_by_place(&judgement->known, places, row, check_known);
}

/* On 32-bit machines a number of 64 bits can be in two registers. */
static void
say_halves(struct findings *remarks, const struct site *sites, size_t cnt)
{
	size_t halves = 0;

	for (size_t i = 0; i < cnt; i++)
		for (unsigned k = 0; k < sites[i].args_cnt; k++)
			halves += sites[i].args[k].is_half;
	if (halves)
		say(remarks, NULL,
		    "%zu argument%s of 8 bytes %s in two registers, and the note names one: tracers see half of the value",
		    halves, halves == 1 ? "" : "s", halves == 1 ? "is" : "are");
}

void
judge(const struct judged_binary *binary, struct judgement *judgement)
{
	const struct site **sorted = sites_sort(binary->sites, binary->sites_cnt);
	size_t cnt = binary->sites_cnt, meanings = 0, early = 0;
	char name[16];

	*judgement = (struct judgement){0};
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_at((enum tracepoint_id)id, binary->release);

		if (!row)
			continue;
		struct places places = find_places(sorted, cnt, row->context, row->name);
		judge_row(binary, row, &places, judgement);
		if (!places.cnt)
			continue;
		meanings += count_meanings(row);
		early += binary->release < RELEASE_SEMAPHORES && places.sites[0]->semaphore_address;
	}
	if (meanings)
		say(&judgement->known, NULL,
		    "%zu more known difference%s between document and code %s of meaning: tpcheck list tracepoints --release=%s",
		    meanings, meanings == 1 ? "" : "s", meanings == 1 ? "is" : "are",
		    release_name(binary->release, name) + (name[0] == 'v'));
	if (early)
		say(&judgement->remarks, NULL,
		    "%zu of the tracepoints ha%s a semaphore, as all have since v%d: a tracer has to raise it",
		    early, early == 1 ? "s" : "ve", RELEASE_SEMAPHORES);
	find_shared_semaphores(&judgement->wrong, binary->sites, cnt);
	find_shared_places(&judgement->wrong, binary->sites, cnt);

	for (size_t i = 0; i < cnt;) {
		struct places places = {.sites = &sorted[i]};
		const struct contract_tracepoint *row = contract_find(sorted[i]->provider, sorted[i]->name);

		while (i < cnt && site_is_like(places.sites[0], sorted[i])) {
			places.cnt++;
			i++;
		}
		if (!row || !contract_at(row->id, binary->release))
			say_undocumented(&judgement->remarks, &places, binary->release);
	}
	say_halves(&judgement->remarks, binary->sites, cnt);
	if (!binary->has_bcc && cnt)
		say(&judgement->remarks, NULL,
		    "libbcc has no reader of arguments for %s: consumers that use it see none there",
		    binary->machine);
	free(sorted);
}

void
judgement_fini(struct judgement *judgement)
{
	findings_fini(&judgement->wrong);
	findings_fini(&judgement->known);
	findings_fini(&judgement->remarks);
}
