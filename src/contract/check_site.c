#include "contract/contract.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

void
contract_describe_operand(unsigned width_bytes, bool is_signed, char out[32])
{
	snprintf(out, 32, "%u byte%s, %s", width_bytes, width_bytes == 1 ? "" : "s",
		 is_signed ? "signed" : "unsigned");
}

const char *
contract_bcc_effect(enum operand_bcc bcc)
{
	switch (bcc) {
	case OPERAND_BCC_READS:
		return "";
	case OPERAND_BCC_ZERO:
		return "; libbcc reads it as 0, without an error";
	case OPERAND_BCC_LEAVES:
		return "; libbcc skips it, and its users see the next argument in its place";
	case OPERAND_BCC_STOPS:
		return "; libbcc skips it and all arguments after it, and rejects programs that read them";
	case OPERAND_BCC_MISREADS:
		return "; libbcc reads another place";
	case OPERAND_BCC_REFUSES:
		return "; libbcc rejects programs that use this tracepoint";
	}
	return "";
}

unsigned
contract_arg_width(const struct contract_arg *arg, unsigned pointer_bytes)
{
	return arg->is_size ? pointer_bytes : arg_type_width(arg->code_type, pointer_bytes);
}

/* A master after the one that is known here may add arguments; the documents of a release are final. */
static bool
has_new_args(const struct contract_tracepoint *row, const struct site *site)
{
	return row->release >= RELEASE_MASTER && site->args_cnt > row->args_cnt;
}

size_t
contract_check_new_args(const struct contract_tracepoint *row, const struct site *site,
			struct findings *findings)
{
	char type[32], want[32], got[32];
	struct buf text;

	if (!has_new_args(row, site))
		return 0;
	snprintf(want, sizeof(want), "%u argument%s", row->args_cnt, row->args_cnt == 1 ? "" : "s");
	snprintf(got, sizeof(got), "%u", site->args_cnt);
	buf_init(&text, 2048);
	buf_printf(&text, "%s has %u arguments, and this tpcheck knows %u of them; new, and not checked:",
		   row->full_name, site->args_cnt, row->args_cnt);
	for (unsigned i = row->args_cnt; i < site->args_cnt; i++) {
		const struct operand *operand = &site->args[i];

		contract_describe_operand(operand->width_bytes, operand->is_signed, type);
		buf_printf(&text, "%s argument %u (%s%s%s)", i > row->args_cnt ? "," : "", i + 1, type,
			   operand->kind == OPERAND_UNREADABLE ? "; cannot be read: " : "",
			   operand->kind == OPERAND_UNREADABLE ? operand->reason : "");
	}
	findings_add(findings, FINDING_DETAIL, row->full_name, 0, NULL, want, got,
		     "doc/tracing.md; .note.stapsdt", text.data);
	buf_fini(&text);
	return 1;
}

size_t
contract_check_site(const struct contract_tracepoint *row, const struct site *site, struct findings *findings)
{
	static const char advice[] =
		"; the author of the tracepoint can avoid that: pass a local copy of the static object";
	unsigned pointer_bytes = site->address_bytes ? site->address_bytes : 8;
	size_t before = findings->cnt;
	char want[160], got[160], message[640];

	/* What a later master adds after the documented arguments is compatible. */
	if (site->args_cnt != row->args_cnt && !has_new_args(row, site)) {
		snprintf(want, sizeof(want), "%u argument%s", row->args_cnt, row->args_cnt == 1 ? "" : "s");
		snprintf(got, sizeof(got), "%u argument%s", site->args_cnt, site->args_cnt == 1 ? "" : "s");
		snprintf(message, sizeof(message), "%s has %s in the binary's note; %u %s documented",
			 row->full_name, got, row->args_cnt, row->args_cnt == 1 ? "is" : "are");
		findings_add(findings, FINDING_CONTRACT, row->full_name, 0, NULL, want, got,
			     "doc/tracing.md; .note.stapsdt", message);
	}
	for (unsigned i = 0; i < site->args_cnt && i < row->args_cnt; i++) {
		const struct contract_arg *arg = &row->args[i];
		const struct operand *operand = &site->args[i];
		unsigned width = contract_arg_width(arg, pointer_bytes);
		bool is_signed = arg_type_is_signed(arg->code_type);

		if (operand->kind == OPERAND_UNREADABLE) {
			snprintf(message, sizeof(message), "argument %u (%s) of %s cannot be read: %s%s%s",
				 i + 1, arg->name, row->full_name, operand->reason,
				 contract_bcc_effect(operand->bcc),
				 operand->source == OPERAND_FROM_LINKER ? advice : "");
			findings_add(findings, FINDING_CONTRACT, row->full_name, i + 1, arg->name,
				     "an operand that a tracer can read", operand->text,
				     "doc/tracing.md; .note.stapsdt", message);
			/* An impossible width is the same finding. */
			if (!operand->width_bytes)
				continue;
		}
		if (operand->width_bytes == width && operand->is_signed == is_signed)
			continue;
		/* As documented is fine as well. */
		if (operand->width_bytes == arg_type_width(arg->type, pointer_bytes) &&
		    operand->is_signed == arg_type_is_signed(arg->type))
			continue;
		contract_describe_operand(width, is_signed, want);
		contract_describe_operand(operand->width_bytes, operand->is_signed, got);
		snprintf(
			message, sizeof(message),
			"argument %u (%s) of %s is %s in the binary's note ('%s'), but %s is %s: consumers misread it",
			i + 1, arg->name, row->full_name, got, operand->text, arg_type_name(arg->code_type),
			want);
		findings_add(findings, FINDING_CONTRACT, row->full_name, i + 1, arg->name, want, got,
			     "doc/tracing.md; .note.stapsdt", message);
	}
	return findings->cnt - before;
}
