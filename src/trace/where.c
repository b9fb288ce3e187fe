#include "trace/where.h"

#include "base/text.h"
#include "trace/args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const operators[] = {"=", "!=", "<", ">", "<=", ">=", "~"};
static const char name_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

int
where_parse(const char *text, struct where_term *term, struct diag *diag)
{
	size_t name_len = strspn(text, name_chars), op_len = 0;
	const char *op = text + name_len;

	*term = (struct where_term){.text = text, .op = CONDITION_EQ};
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		size_t len = strlen(operators[i]);

		if (len > op_len && !strncmp(op, operators[i], len)) {
			op_len = len;
			term->op = (enum condition_operator)i;
		}
	}
	/* As in C. */
	if (!strncmp(op, "==", 2))
		op_len = 2;
	if (!name_len || name_len >= sizeof(term->name) || !op_len)
		return diag_fail(
			diag, -EINVAL,
			"'%s' is not of the form NAME=VALUE, without blanks around the operator, which is one of = != < > <= >= ~",
			text);
	memcpy(term->name, text, name_len);
	term->value = op + op_len;
	return 0;
}

/* The index of the argument; site->args_cnt if there is none. */
static unsigned
find_argument(const struct where_term *term, const struct contract_tracepoint *row, const struct site *site)
{
	return args_find(row, site->args_cnt, term->name);
}

bool
where_has_argument(const struct where_term *term, const struct contract_tracepoint *row,
		   const struct site *site)
{
	return find_argument(term, row, site) < site->args_cnt;
}

static int
fail(const struct where_term *term, const struct contract_tracepoint *row, const char *why, struct diag *diag)
{
	return diag_fail(diag, -EDOM, "--where='%s': %s of %s %s", term->text, term->name, row->full_name,
			 why);
}

/* A whole number of -2^63 to 2^64 - 1. */
struct whole {
	bool is_negative;
	uint64_t bits; /* as int64_t if it is negative */
};

static bool
parse_whole(const struct where_term *term, const struct contract_arg *arg, enum value_type type,
	    struct whole *out)
{
	const char *text = term->value;
	int64_t negative;

	*out = (struct whole){0};
	if (parse_u64(text, &out->bits))
		return true;
	if (*text == '-' && parse_i64(text, &negative)) {
		*out = (struct whole){.is_negative = negative < 0, .bits = (uint64_t)negative};
		return true;
	}
	if (type == VALUE_BOOL && (!strcasecmp(text, "true") || !strcasecmp(text, "false"))) {
		out->bits = !strcasecmp(text, "true");
		return true;
	}
	for (uint64_t i = 0; arg && arg->value_names && arg->value_names[i]; i++)
		if (!strcasecmp(text, arg->value_names[i])) {
			out->bits = i;
			return true;
		}
	return false;
}

/* Numbers are compared as such, whatever their types: -1 is less than any unsigned number. */
static void
compile_number(const struct operand *operand, enum value_type type, struct whole whole, struct condition *out)
{
	bool is_signed = type == VALUE_INT;
	bool is_below = whole.is_negative && !is_signed;
	bool is_above = !whole.is_negative && is_signed && whole.bits > INT64_MAX;

	out->kind = CONDITION_NUMBER;
	out->is_signed = is_signed;
	out->extend_bytes = is_signed && operand->is_signed ? operand->width_bytes : 0;
	out->number = whole.bits;
	if (!is_below && !is_above)
		return;
	/* All values are on the same side of it. */
	bool holds =
		out->op == CONDITION_NE || (is_below ? out->op == CONDITION_GT || out->op == CONDITION_GE
						     : out->op == CONDITION_LT || out->op == CONDITION_LE);
	out->kind = holds ? CONDITION_ALWAYS : CONDITION_NEVER;
}

static int
compile_whole(const struct where_term *term, const struct contract_tracepoint *row, const struct site *site,
	      enum value_type type, struct condition *out, struct diag *diag)
{
	const struct contract_arg *arg = args_get(row, out->arg);
	struct whole whole;
	char why[600] = "is a number: compare it by = != < > <= >=";
	size_t at;

	if (out->op == CONDITION_LIKE)
		return fail(term, row, why, diag);
	if (parse_whole(term, arg, type, &whole)) {
		compile_number(&site->args[out->arg], type, whole, out);
		return 0;
	}
	at = (size_t)snprintf(why, sizeof(why), "is %s, not '%.100s'",
			      type == VALUE_BOOL ? "true or false" : "a whole number", term->value);
	for (size_t i = 0; arg && arg->value_names && arg->value_names[i] && at < sizeof(why); i++)
		at += (size_t)snprintf(why + at, sizeof(why) - at, "%s%s", i ? ", " : "; its names are ",
				       arg->value_names[i]);
	return fail(term, row, why, diag);
}

static int
compile_hash(const struct where_term *term, const struct contract_tracepoint *row, struct condition *out,
	     struct diag *diag)
{
	if (out->op == CONDITION_LIKE) {
		out->kind = CONDITION_HASH_PATTERN;
		out->pattern = term->value;
		return 0;
	}
	if (out->op != CONDITION_EQ && out->op != CONDITION_NE)
		return fail(term, row, "is a hash: compare it by = != ~", diag);
	if (!parse_hash(term->value, out->bytes))
		return fail(term, row, "is 64 hex digits, as RPC shows it; for a part of it use ~", diag);
	out->kind = CONDITION_BYTES;
	out->bytes_len = RECORD_HASH_BYTES;
	return 0;
}

static int
compile_string(const struct where_term *term, const struct contract_tracepoint *row, struct condition *out,
	       struct diag *diag)
{
	size_t len = strlen(term->value);

	if (out->op == CONDITION_LIKE) {
		out->kind = CONDITION_STRING_PATTERN;
		out->pattern = term->value;
		return 0;
	}
	if (out->op != CONDITION_EQ && out->op != CONDITION_NE)
		return fail(term, row, "is a string: compare it by = != ~", diag);
	if (len > CONDITION_BYTES_MAX)
		return fail(term, row, "is compared with at most 128 bytes; use a pattern (~)", diag);
	out->kind = CONDITION_BYTES;
	memcpy(out->bytes, term->value, len);
	out->bytes_len = (uint8_t)len;
	return 0;
}

int
where_compile(const struct where_term *term, const struct contract_tracepoint *row,
	      const struct probe_point *point, struct condition *out, struct diag *diag)
{
	const struct site *site = point->site;
	unsigned idx = find_argument(term, row, site);
	enum value_type type = contract_value_type(row, idx, &site->args[idx]);
	bool is_pointer = type == VALUE_HASH || type == VALUE_STRING || type == VALUE_BYTES;
	int err = 0;

	*out = (struct condition){.op = (uint8_t)term->op, .arg = (uint8_t)idx};
	if (type == VALUE_BYTES || (idx < row->args_cnt && row->args[idx].type == ARG_BYTES))
		return fail(term, row, "has no value that could be compared", diag);
	if (type == VALUE_HASH)
		err = compile_hash(term, row, out, diag);
	else if (type == VALUE_STRING)
		err = compile_string(term, row, out, diag);
	else
		err = compile_whole(term, row, site, type, out, diag);
	/* What the pointer leads to is not read: see contract_plan. */
	if (!err && is_pointer && point->slots[idx].reader == READER_INTEGER)
		out->kind = CONDITION_NEVER;
	return err;
}
