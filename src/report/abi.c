#include "report/abi.h"

#include "report/write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "x86-64, 20 tracepoints at 21 locations" */
static void
print_file(FILE *out, const struct report_binary *binary, const struct site *const *sorted)
{
	size_t tracepoints = 0;

	for (size_t i = 0; i < binary->sites_cnt; i++)
		tracepoints += i == 0 || !site_is_like(sorted[i - 1], sorted[i]);
	fprintf(out, "%s: %s, %zu tracepoint%s at %zu location%s\n", binary->path, binary->machine,
		tracepoints, tracepoints == 1 ? "" : "s", binary->sites_cnt,
		binary->sites_cnt == 1 ? "" : "s");
}

static void
print_findings(FILE *out, const char *word, const struct findings *findings)
{
	for (size_t i = 0; i < findings->cnt; i++)
		fprintf(out, "%s %s\n", word, findings->items[i].message);
}

void
report_abi_text(FILE *out, const struct report_abi *abi)
{
	const struct report_binary *binary = &abi->binary;

	if (abi->reason) {
		fprintf(out, "%s %s\n", abi->outcome == OUTCOME_SKIP ? "SKIP " : "ERROR", abi->reason);
		return;
	}
	const struct site **sorted = sites_sort(binary->sites, binary->sites_cnt);

	print_file(out, binary, sorted);
	free(sorted);
	fprintf(out, "compared with %s: %s\n", binary->release, binary->why);
	print_findings(out, "note: ", abi->known);
	print_findings(out, "info: ", abi->remarks);
	print_findings(out, "WRONG:", abi->wrong);
	if (abi->wrong->cnt)
		fprintf(out, "%zu finding%s: the tracepoints are not as %s promises\n", abi->wrong->cnt,
			abi->wrong->cnt == 1 ? "" : "s", binary->release);
	else
		fprintf(out, "the tracepoints are as %s promises\n", binary->release);
}

static void
write_binary(struct json_writer *w, const struct report_binary *binary)
{
	json_writer_begin_object(w);
	json_writer_key(w, "path");
	json_writer_string(w, binary->path);
	json_writer_key(w, "release");
	json_writer_string(w, binary->release);
	json_writer_key(w, "version");
	json_writer_string(w, binary->version);
	json_writer_key(w, "why");
	json_writer_string(w, binary->why);
	json_writer_key(w, "machine");
	json_writer_string(w, binary->machine);
	json_writer_key(w, "bits");
	if (binary->machine)
		json_writer_u64(w, 8u * binary->address_bytes);
	else
		json_writer_null(w);
	json_writer_key(w, "byte_order");
	json_writer_string(w, !binary->machine ? NULL : binary->is_big_endian ? "big" : "little");
	json_writer_key(w, "position_independent");
	if (binary->machine)
		json_writer_bool(w, binary->is_position_independent);
	else
		json_writer_null(w);
	json_writer_end_object(w);
}

static void
write_address(struct json_writer *w, uint64_t address)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	json_writer_string(w, text);
}

static void
write_location(struct json_writer *w, const struct site *site)
{
	json_writer_begin_object(w);
	json_writer_key(w, "address");
	write_address(w, site->address);
	json_writer_key(w, "semaphore");
	if (site->semaphore_address)
		write_address(w, site->semaphore_address);
	else
		json_writer_null(w);
	json_writer_key(w, "arguments");
	json_writer_begin_array(w);
	for (unsigned i = 0; i < site->args_cnt; i++) {
		const struct operand *operand = &site->args[i];

		json_writer_begin_object(w);
		json_writer_key(w, "bytes");
		if (operand->width_bytes)
			json_writer_u64(w, operand->width_bytes);
		else
			json_writer_null(w);
		json_writer_key(w, "signed");
		json_writer_bool(w, operand->is_signed);
		json_writer_key(w, "operand");
		json_writer_string(w, operand->text);
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

	json_writer_begin_array(w);
	for (size_t i = 0; i < binary->sites_cnt;) {
		const struct site *first = sorted[i];
		char full_name[sizeof(first->provider) + sizeof(first->name) + 1];

		snprintf(full_name, sizeof(full_name), "%s:%s", first->provider, first->name);
		json_writer_begin_object(w);
		json_writer_key(w, "tracepoint");
		json_writer_string(w, full_name);
		json_writer_key(w, "documented");
		json_writer_bool(w, abi->is_documented(first, abi->cookie));
		json_writer_key(w, "locations");
		json_writer_begin_array(w);
		for (; i < binary->sites_cnt && site_is_like(first, sorted[i]); i++)
			write_location(w, sorted[i]);
		json_writer_end_array(w);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
	free(sorted);
}

static void
write_outcome(struct json_writer *w, enum outcome outcome, const char *reason)
{
	json_writer_key(w, "outcome");
	json_writer_string(w, outcome_name(outcome));
	json_writer_key(w, "reason");
	json_writer_string(w, reason);
}

char *
report_abi_json(const struct report_abi *abi)
{
	static const struct findings none;
	struct json_writer *w = json_writer_new(true);

	json_writer_begin_object(w);
	write_outcome(w, abi->outcome, abi->reason);
	json_writer_key(w, "binary");
	write_binary(w, &abi->binary);
	json_writer_key(w, "findings");
	report_write_findings(w, abi->wrong ? abi->wrong : &none);
	json_writer_key(w, "notes");
	report_write_findings(w, abi->known ? abi->known : &none);
	json_writer_key(w, "information");
	report_write_findings(w, abi->remarks ? abi->remarks : &none);
	json_writer_key(w, "tracepoints");
	write_tracepoints(w, abi);
	json_writer_end_object(w);
	return report_take_with_newline(w);
}

static void
print_side(FILE *out, const struct report_binary *binary)
{
	if (binary->path)
		fprintf(out, "`%s` (%s)", binary->path, binary->version ? binary->version : binary->release);
	else
		fprintf(out, "what %s promises", binary->release);
}

static void
print_changes(FILE *out, const struct changes *changes, bool breaking)
{
	for (size_t i = 0; i < changes->cnt; i++) {
		const struct change *change = &changes->items[i];

		if (change->breaks != breaking)
			continue;
		if (change->tracepoint)
			fprintf(out, "- `%s`", change->tracepoint);
		else
			fputs("- every tracepoint", out);
		if (change->argument)
			fprintf(out, " argument %u", change->argument);
		if (change->argument_name)
			fprintf(out, " (%s)", change->argument_name);
		fprintf(out, ": %s\n", change->message);
	}
}

void
report_diff_text(FILE *out, const struct report_diff *diff)
{
	size_t breaking = 0;

	if (diff->reason) {
		fprintf(out, "%s %s\n", diff->outcome == OUTCOME_SKIP ? "SKIP " : "ERROR", diff->reason);
		return;
	}
	for (size_t i = 0; i < diff->changes->cnt; i++)
		breaking += diff->changes->items[i].breaks;
	fputs("Tracepoints of ", out);
	print_side(out, &diff->after);
	fputs(", compared with ", out);
	print_side(out, &diff->before);
	fputs(":\n", out);
	if (!diff->changes->cnt)
		fputs("\nNo change.\n", out);
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

		if (binary->path && !binary->version)
			fprintf(out, "%s`%s` was taken for %s: %s.\n",
				i == 0 || !diff->before.path || diff->before.version ? "\n" : "",
				binary->path, binary->release, binary->why);
	}
	fputs("\nELF notes tell names of tracepoints, and widths and signs of arguments; not what arguments mean, nor whether two of equal width and sign changed places.\n",
	      out);
}

char *
report_diff_json(const struct report_diff *diff)
{
	struct json_writer *w = json_writer_new(true);
	size_t breaking = 0, cnt = diff->changes ? diff->changes->cnt : 0;

	for (size_t i = 0; i < cnt; i++)
		breaking += diff->changes->items[i].breaks;
	json_writer_begin_object(w);
	write_outcome(w, diff->outcome, diff->reason);
	json_writer_key(w, "old");
	write_binary(w, &diff->before);
	json_writer_key(w, "new");
	write_binary(w, &diff->after);
	json_writer_key(w, "breaking");
	json_writer_u64(w, breaking);
	json_writer_key(w, "compatible");
	json_writer_u64(w, cnt - breaking);
	json_writer_key(w, "changes");
	json_writer_begin_array(w);
	for (size_t i = 0; i < cnt; i++) {
		const struct change *change = &diff->changes->items[i];

		json_writer_begin_object(w);
		json_writer_key(w, "kind");
		json_writer_string(w, change_kind_name(change->kind));
		json_writer_key(w, "breaking");
		json_writer_bool(w, change->breaks);
		json_writer_key(w, "tracepoint");
		json_writer_string(w, change->tracepoint);
		json_writer_key(w, "argument");
		if (change->argument)
			json_writer_u64(w, change->argument);
		else
			json_writer_null(w);
		json_writer_key(w, "argument_name");
		json_writer_string(w, change->argument_name);
		json_writer_key(w, "old");
		json_writer_string(w, change->before);
		json_writer_key(w, "new");
		json_writer_string(w, change->after);
		json_writer_key(w, "message");
		json_writer_string(w, change->message);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
	json_writer_end_object(w);
	return report_take_with_newline(w);
}
