/* What an expectation compares. */
#include "base/checked.h"

#include "base/xmem.h"
#include "contract/expect_private.h"

#include <stdlib.h>

static enum checked_kind
kind_of_number(uint64_t value)
{
	if (!value)
		return CHECKED_ZERO;
	return value <= UINT8_MAX    ? CHECKED_8_BITS
	       : value <= UINT16_MAX ? CHECKED_16_BITS
	       : value <= UINT32_MAX ? CHECKED_32_BITS
				     : CHECKED_64_BITS;
}

static bool
is_all_zero(const struct want *want)
{
	for (size_t i = 0; i < want->len; i++)
		if (want->bytes[i])
			return false;
	return true;
}

static enum checked_kind
kind_of_want(const struct want *want)
{
	switch (want->op) {
	case WANT_INT:
		return want->lo < 0 ? CHECKED_NEGATIVE : kind_of_number((uint64_t)want->lo);
	case WANT_UINT:
		return kind_of_number(want->u);
	case WANT_BOOL:
		return want->u ? CHECKED_TRUE : CHECKED_FALSE;
	case WANT_HASH:
		return is_all_zero(want) ? CHECKED_ZERO : CHECKED_HASH;
	case WANT_STRING:
		return want->len ? CHECKED_BYTES : CHECKED_EMPTY;
	case WANT_CUT_STRING:
		return CHECKED_CUT;
	case WANT_BYTES:
		return want->len > RECORD_PAYLOAD_BYTES ? CHECKED_CUT
		       : want->len                      ? CHECKED_BYTES
							: CHECKED_EMPTY;
	case WANT_RANGE:
	case WANT_STRING_OF:
	case WANT_NOTHING:
		break;
	}
	return CHECKED_MEASURED;
}

static void
add_event(struct checked_tracepoint *to, const struct expected *e)
{
	to->name = contract_get(e->tracepoint)->full_name;
	to->events++;
	to->args_cnt = e->row->args_cnt;
	for (unsigned i = 0; i < e->row->args_cnt; i++) {
		to->args[i].name = e->row->args[i].name;
		to->args[i].kinds |= 1U << kind_of_want(&e->wants[i]);
	}
}

void
expect_describe(const struct expect *x, struct checked *checked)
{
	struct checked_tracepoint all[TRACEPOINTS_CNT] = {0};

	for (size_t i = 0; i < x->cnt; i++)
		if (!(x->dropped & TP_BIT(x->items[i]->tracepoint)))
			add_event(&all[x->items[i]->tracepoint], x->items[i]);
	*checked = (struct checked){.items = xcalloc(TRACEPOINTS_CNT, sizeof(*checked->items))};
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++)
		if (all[id].events)
			checked->items[checked->cnt++] = all[id];
}
