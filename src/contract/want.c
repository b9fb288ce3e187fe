/* The value that an argument should have. */
#include "base/xmem.h"
#include "contract/expect_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool
op_fits_type(enum want_op op, enum arg_type type)
{
	switch (op) {
	case WANT_INT:
		return type == ARG_INT64 || type == ARG_INT32;
	case WANT_UINT:
		return type == ARG_UINT64 || type == ARG_UINT32;
	case WANT_RANGE:
		return type == ARG_UINT64 || type == ARG_UINT32 || type == ARG_INT64 || type == ARG_INT32;
	case WANT_BOOL:
		return type == ARG_BOOL;
	case WANT_HASH:
		return type == ARG_HASH;
	case WANT_STRING:
	case WANT_CUT_STRING:
	case WANT_STRING_OF:
		return type == ARG_STRING;
	case WANT_BYTES:
		return type == ARG_BYTES;
	case WANT_NOTHING:
		break;
	}
	return false;
}

/* The want of an argument, to be filled; the spare one after a mistake, or for an argument that only later releases
 * have. Scenarios are written for master's rows, and arguments keep their places. */
static struct want *
begin_want(struct expected *e, const char *argument, enum want_op op)
{
	const struct contract_tracepoint *row = contract_get(e->tracepoint);
	unsigned i = 0;

	while (i < row->args_cnt && strcmp(row->args[i].name, argument))
		i++;
	if (i == row->args_cnt) {
		expect_set_broken(e->owner, "%s has no argument '%s'", row->full_name, argument);
	} else if (i < e->args_cnt && e->wants[i].op != WANT_NOTHING) {
		expect_set_broken(e->owner, "argument '%s' of %s is expected twice", argument,
				  row->full_name);
		i = row->args_cnt;
	} else if (!op_fits_type(op, row->args[i].type)) {
		expect_set_broken(e->owner, "argument '%s' of %s is %s; another type is expected of it",
				  argument, row->full_name, arg_type_name(row->args[i].type));
	}
	if (i > e->args_cnt)
		i = e->args_cnt;
	e->last_want = i;
	struct want *want = &e->wants[i];
	want_fini(want);
	*want = (struct want){.op = op, .kind = e->kind, .source = expect_current_source(e->owner)};
	return want;
}

void
want_int(struct expected *e, const char *argument, int64_t value)
{
	begin_want(e, argument, WANT_INT)->lo = value;
}

void
want_uint(struct expected *e, const char *argument, uint64_t value)
{
	begin_want(e, argument, WANT_UINT)->u = value;
}

void
want_bool(struct expected *e, const char *argument, bool value)
{
	begin_want(e, argument, WANT_BOOL)->u = value;
}

static void
set_bytes(struct want *want, const void *bytes, size_t len)
{
	want->bytes = xmalloc(len);
	if (len)
		memcpy(want->bytes, bytes, len);
	want->len = len;
}

void
want_hash(struct expected *e, const char *argument, const uint8_t hash_wire[32])
{
	set_bytes(begin_want(e, argument, WANT_HASH), hash_wire, 32);
}

void
want_string(struct expected *e, const char *argument, const char *value)
{
	set_bytes(begin_want(e, argument, WANT_STRING), value, strlen(value));
}

void
want_cut_string(struct expected *e, const char *argument, const char *value)
{
	set_bytes(begin_want(e, argument, WANT_CUT_STRING), value, strlen(value));
}

void
want_bytes(struct expected *e, const char *argument, const void *bytes, size_t len)
{
	set_bytes(begin_want(e, argument, WANT_BYTES), bytes, len);
}

static const char *
unit_of(const struct contract_arg *arg)
{
	return arg->unit ? arg->unit : "";
}

void
want_range(struct expected *e, const char *argument, int64_t lo, int64_t hi)
{
	struct want *want = begin_want(e, argument, WANT_RANGE);

	if (lo > hi)
		expect_set_broken(e->owner,
				  "argument '%s' of %s is expected between %" PRId64 " and %" PRId64,
				  argument, e->row->full_name, lo, hi);
	want->lo = lo;
	want->hi = hi;
	/* The only unit that ever changed: block_connected's duration was in microseconds. */
	if (e->last_want < e->args_cnt && !strcmp(unit_of(&e->row->args[e->last_want]), "us") &&
	    !strcmp(unit_of(&contract_get(e->tracepoint)->args[e->last_want]), "ns")) {
		want->lo = lo / 1000;
		want->hi = hi / 1000 + 1;
	}
}

void
want_string_of(struct expected *e, const char *argument, const char *const *values, size_t cnt)
{
	struct want *want = begin_want(e, argument, WANT_STRING_OF);

	want->choices = xcalloc(cnt, sizeof(*want->choices));
	for (size_t i = 0; i < cnt; i++)
		want->choices[i] = xstrdup(values[i]);
	want->choices_cnt = cnt;
}

void
want_kind(struct expected *e, enum finding_kind kind)
{
	/* With the spare one in use, the kind does not matter. */
	if (e->last_want < e->args_cnt || e->wants[e->args_cnt].op != WANT_NOTHING)
		e->wants[e->last_want].kind = kind;
	else
		expect_set_broken(e->owner, "want_kind of %s comes before any argument",
				  contract_get(e->tracepoint)->full_name);
}

bool
want_fits(const struct want *want, const struct value *value)
{
	if (value->state == VALUE_BAD_OPERAND || value->state == VALUE_BAD_POINTER)
		return false;
	if (value->state == VALUE_CUT && want->op != WANT_BYTES && want->op != WANT_CUT_STRING)
		return false;
	switch (want->op) {
	case WANT_INT:
		return value->i == want->lo;
	case WANT_UINT:
	case WANT_BOOL:
		return value->u == want->u;
	case WANT_RANGE:
		/* An unsigned value that does not fit a signed one is above any range. */
		if (value->type != VALUE_INT && value->u > INT64_MAX)
			return false;
		return value->i >= want->lo && value->i <= want->hi;
	case WANT_HASH:
	case WANT_STRING:
		return value->len == want->len &&
		       (!want->len || !memcmp(value->bytes, want->bytes, want->len));
	case WANT_CUT_STRING:
		return value->state == VALUE_CUT && value->len < want->len &&
		       !memcmp(value->bytes, want->bytes, value->len);
	case WANT_BYTES:
		if (value->full_len != want->len || value->len > want->len)
			return false;
		if (value->len < want->len &&
		    (value->state != VALUE_CUT || value->len < RECORD_PAYLOAD_BYTES))
			return false;
		return !value->len || !memcmp(value->bytes, want->bytes, value->len);
	case WANT_STRING_OF:
		for (size_t i = 0; i < want->choices_cnt; i++)
			if (strlen(want->choices[i]) == value->len &&
			    !memcmp(want->choices[i], value->bytes, value->len))
				return true;
		return false;
	case WANT_NOTHING:
		break;
	}
	return false;
}

void
want_format(const struct contract_arg *arg, const struct want *want, struct buf *out)
{
	struct value value = {
		.u = want->u, .i = want->lo, .bytes = want->bytes, .len = want->len, .full_len = want->len};

	switch (want->op) {
	case WANT_INT:
		value.type = VALUE_INT;
		break;
	case WANT_UINT:
		value.type = VALUE_UINT;
		break;
	case WANT_BOOL:
		value.type = VALUE_BOOL;
		break;
	case WANT_HASH:
		value.type = VALUE_HASH;
		break;
	case WANT_STRING:
	case WANT_CUT_STRING:
		value.type = VALUE_STRING;
		break;
	case WANT_BYTES:
		value.type = VALUE_BYTES;
		break;
	case WANT_RANGE:
		buf_printf(out, "%" PRId64 " to %" PRId64 "%s%s", want->lo, want->hi, arg->unit ? " " : "",
			   arg->unit ? arg->unit : "");
		return;
	case WANT_STRING_OF:
		for (size_t i = 0; i < want->choices_cnt; i++)
			buf_printf(out, "%s'%s'", i ? " or " : "", want->choices[i]);
		return;
	case WANT_NOTHING:
		buf_puts(out, "anything");
		return;
	}
	contract_format_value(arg, &value, out);
}
