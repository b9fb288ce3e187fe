#include "report/abi.h"

#include "base/utf8.h"
#include "report/format_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Text with what a file or the caller may have named. */
static void
print_text(FILE *out, const char *text)
{
	utf8_print(out, text, "\t");
}

static void
print_reason(FILE *out, enum outcome outcome, const char *reason)
{
	fputs(outcome == OUTCOME_SKIP ? "SKIP  " : "ERROR ", out);
	print_text(out, reason);
	fputc('\n', out);
}

/* "x86-64, 20 tracepoints at 21 locations" */
static void
print_file(FILE *out, const struct report_binary *binary, const struct site *const *sorted)
{
	size_t tracepoints = 0;

	for (size_t i = 0; i < binary->sites_cnt; i++)
		tracepoints += i == 0 || !site_is_like(sorted[i - 1], sorted[i]);
	print_text(out, binary->path);
	fprintf(out, ": %s, %zu tracepoint%s at %zu location%s\n", binary->machine, tracepoints,
		tracepoints == 1 ? "" : "s", binary->sites_cnt, binary->sites_cnt == 1 ? "" : "s");
}

static void
print_findings(FILE *out, const char *word, const struct findings *findings)
{
	for (size_t i = 0; i < findings->cnt; i++) {
		fprintf(out, "%s ", word);
		print_text(out, findings->items[i].message);
		fputc('\n', out);
	}
}

void
report_abi_text(FILE *out, const struct report_abi *abi)
{
	const struct report_binary *binary = &abi->binary;

	if (abi->reason) {
		print_reason(out, abi->outcome, abi->reason);
		return;
	}
	const struct site **sorted = sites_sort(binary->sites, binary->sites_cnt);

	print_file(out, binary, sorted);
	free(sorted);
	fprintf(out, "compared with %s: ", binary->release);
	print_text(out, binary->why);
	fputc('\n', out);
	print_findings(out, "note: ", abi->known);
	print_findings(out, "info: ", abi->remarks);
	print_findings(out, "WRONG:", abi->wrong);
	if (abi->wrong->cnt)
		fprintf(out, "%zu finding%s: the tracepoints are not as documented in %s\n", abi->wrong->cnt,
			abi->wrong->cnt == 1 ? "" : "s", binary->release);
	else
		fprintf(out, "the tracepoints are as documented in %s\n", binary->release);
}

static void
write_binary(struct json_writer *w, const char *key, const struct report_binary *binary)
{
	json_member_begin_object(w, key);
	json_member_string(w, "path", binary->path);
	json_member_string(w, "release", binary->release);
	json_member_string(w, "version", binary->version);
	json_member_string(w, "why", binary->why);
	json_member_string(w, "machine", binary->machine);
	if (binary->machine) {
		json_member_u64(w, "bits", 8u * binary->address_bytes);
		json_member_string(w, "byte_order", binary->is_big_endian ? "big" : "little");
		json_member_bool(w, "position_independent", binary->is_position_independent);
	} else {
		json_member_null(w, "bits");
		json_member_null(w, "byte_order");
		json_member_null(w, "position_independent");
	}
	json_writer_end_object(w);
}

/* 0 writes null. */
static void
write_address(struct json_writer *w, const char *key, uint64_t address)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	json_member_string(w, key, address ? text : NULL);
}

static void
write_location(struct json_writer *w, const struct site *site)
{
	json_writer_begin_object(w);
	write_address(w, "address", site->address);
	write_address(w, "semaphore", site->semaphore_address);
	json_member_begin_array(w, "arguments");
	for (unsigned i = 0; i < site->args_cnt; i++) {
		const struct operand *operand = &site->args[i];

		json_writer_begin_object(w);
		json_member_u64_or_null(w, "bytes", operand->width_bytes);
		json_member_bool(w, "signed", operand->is_signed);
		json_member_string(w, "operand", operand->text);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
	json_writer_end_object(w);
}

static void
write_tracepoints(struct json_writer *w, const struct report_abi *abi)
{
	const struct report_binary *binary = &abi->binary;
	const struct site **sorted = sites_sort(binary->sites, binary->sites_cnt);

	json_member_begin_array(w, "tracepoints");
	for (size_t i = 0; i < binary->sites_cnt;) {
		const struct site *first = sorted[i];
		char full_name[sizeof(first->provider) + sizeof(first->name) + 1];

		snprintf(full_name, sizeof(full_name), "%s:%s", first->provider, first->name);
		json_writer_begin_object(w);
		json_member_string(w, "tracepoint", full_name);
		json_member_bool(w, "documented", abi->is_documented(first, abi->cookie));
		json_member_begin_array(w, "locations");
		for (; i < binary->sites_cnt && site_is_like(first, sorted[i]); i++)
			write_location(w, sorted[i]);
		json_writer_end_array(w);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
	free(sorted);
}

static void
write_findings(struct json_writer *w, const char *key, const struct findings *findings)
{
	static const struct findings none;

	json_writer_key(w, key);
	report_write_findings(w, findings ? findings : &none);
}

char *
report_abi_json(const struct report_abi *abi)
{
	struct json_writer *w = json_writer_new(true);

	json_writer_begin_object(w);
	report_write_outcome(w, abi->outcome, abi->reason);
	write_binary(w, "binary", &abi->binary);
	write_findings(w, "findings", abi->wrong);
	write_findings(w, "notes", abi->known);
	write_findings(w, "information", abi->remarks);
	write_tracepoints(w, abi);
	json_writer_end_object(w);
	return report_take_json(w);
}

static void
print_path(FILE *out, const struct report_binary *binary)
{
	fputc('`', out);
	print_text(out, binary->path);
	fputc('`', out);
}

static void
print_side(FILE *out, const struct report_binary *binary)
{
	if (!binary->path) {
		fprintf(out, "the documentation of %s", binary->release);
		return;
	}
	print_path(out, binary);
	fputs(" (", out);
	print_text(out, binary->version ? binary->version : binary->release);
	fputc(')', out);
}

static void
print_changes(FILE *out, const struct changes *changes, bool breaking)
{
	for (size_t i = 0; i < changes->cnt; i++) {
		const struct change *change = &changes->items[i];

		if (change->breaks != breaking)
			continue;
		fputs(change->tracepoint ? "- `" : "- every tracepoint", out);
		if (change->tracepoint) {
			print_text(out, change->tracepoint);
			fputc('`', out);
		}
		if (change->argument)
			fprintf(out, " argument %u", change->argument);
		if (change->argument_name)
			fprintf(out, " (%s)", change->argument_name);
		fputs(": ", out);
		print_text(out, change->message);
		fputc('\n', out);
	}
}

static size_t
count_breaking(const struct changes *changes)
{
	size_t breaking = 0;

	for (size_t i = 0; changes && i < changes->cnt; i++)
		breaking += changes->items[i].breaks;
	return breaking;
}

void
report_diff_text(FILE *out, const struct report_diff *diff)
{
	if (diff->reason) {
		print_reason(out, diff->outcome, diff->reason);
		return;
	}
	size_t breaking = count_breaking(diff->changes);

	fputs("Tracepoints of ", out);
	print_side(out, &diff->after);
	fputs(", compared with ", out);
	print_side(out, &diff->before);
	fputs(":\n", out);
	if (!diff->changes->cnt)
		fputs("\nNo change.\n", out);
	if (diff->loss)
		fprintf(out, "\n%s.\n", diff->loss);
	if (breaking) {
		fputs("\nBreaking for consumers:\n\n", out);
		print_changes(out, diff->changes, true);
	}
	if (diff->changes->cnt > breaking) {
		fputs("\nCompatible:\n\n", out);
		print_changes(out, diff->changes, false);
	}
	for (int i = 0; i < 2; i++) {
		const struct report_binary *binary = i ? &diff->after : &diff->before;

		if (!binary->path || binary->version)
			continue;
		fputs(i == 0 || !diff->before.path || diff->before.version ? "\n" : "", out);
		print_path(out, binary);
		fprintf(out, " is taken for %s: ", binary->release);
		print_text(out, binary->why);
		fputs(".\n", out);
	}
	fputs("\nELF notes give the names of tracepoints, and the widths and signs of arguments. They do not show what arguments mean, or whether two of the same width and sign changed places.\n",
	      out);
}

static void
write_changes(struct json_writer *w, const struct changes *changes)
{
	json_member_begin_array(w, "changes");
	for (size_t i = 0; changes && i < changes->cnt; i++) {
		const struct change *change = &changes->items[i];

		json_writer_begin_object(w);
		json_member_string(w, "kind", change_kind_name(change->kind));
		json_member_bool(w, "breaking", change->breaks);
		report_write_subject(w, change->tracepoint, change->argument, change->argument_name);
		json_member_string(w, "old", change->before);
		json_member_string(w, "new", change->after);
		json_member_string(w, "message", change->message);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
}

char *
report_diff_json(const struct report_diff *diff)
{
	struct json_writer *w = json_writer_new(true);
	size_t breaking = count_breaking(diff->changes);
	size_t cnt = diff->changes ? diff->changes->cnt : 0;

	json_writer_begin_object(w);
	report_write_outcome(w, diff->outcome, diff->reason ? diff->reason : diff->loss);
	write_binary(w, "old", &diff->before);
	write_binary(w, "new", &diff->after);
	json_member_u64(w, "breaking", breaking);
	json_member_u64(w, "compatible", cnt - breaking);
	write_changes(w, diff->changes);
	json_writer_end_object(w);
	return report_take_json(w);
}
