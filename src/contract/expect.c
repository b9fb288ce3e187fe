/* Expectations, as a scenario builds them. */
#include "contract/expect.h"

#include "base/xmem.h"
#include "contract/expect_private.h"

#include <errno.h>
#include <stdlib.h>

struct expect *
expect_new(void)
{
	struct expect *x = xcalloc(1, sizeof(*x));

	x->lanes = xcalloc(1, sizeof(*x->lanes));
	x->lanes_cnt = 1;
	x->release = RELEASE_MASTER;
	return x;
}

void
expect_release(struct expect *x, unsigned release)
{
	x->release = release;
}

void
want_fini(struct want *want)
{
	for (size_t c = 0; want->choices && c < want->choices_cnt; c++)
		free(want->choices[c]);
	free(want->choices);
	free(want->bytes);
}

void
expect_free(struct expect *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->cnt; i++) {
		for (unsigned a = 0; a <= x->items[i]->args_cnt; a++)
			want_fini(&x->items[i]->wants[a]);
		free(x->items[i]->what);
		free(x->items[i]);
	}
	for (unsigned i = 0; i < x->lanes_cnt; i++) {
		free(x->lanes[i].name);
		free((char *)(uintptr_t)x->lanes[i].select.int_argument);
		free((char *)(uintptr_t)x->lanes[i].select.string_argument);
		free((char *)(uintptr_t)x->lanes[i].select.string_value);
	}
	for (size_t i = 0; i < x->sources_cnt; i++)
		free(x->sources[i]);
	findings_fini(&x->details);
	free(x->sources);
	free(x->items);
	free(x->lanes);
	free(x->broken);
	free(x);
}

void
expect_set_broken(struct expect *x, const char *fmt, ...)
{
	va_list ap;

	if (x->broken)
		return;
	va_start(ap, fmt);
	x->broken = xvasprintf(fmt, ap);
	va_end(ap);
}

void
expect_source(struct expect *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	x->sources = xreallocarray(x->sources, x->sources_cnt + 1, sizeof(*x->sources));
	x->sources[x->sources_cnt++] = xvasprintf(fmt, ap);
	va_end(ap);
}

const char *
expect_current_source(const struct expect *x)
{
	return x->sources_cnt ? x->sources[x->sources_cnt - 1] : NULL;
}

struct expected *
expect_event(struct expect *x, enum tracepoint_id tracepoint, enum finding_kind kind, const char *what, ...)
{
	const struct contract_tracepoint *row = contract_at(tracepoint, x->release);

	/* What the release does not have is dropped before anything is compared. */
	if (!row)
		row = contract_get(tracepoint);
	unsigned args_cnt = row->args_cnt;
	struct expected *e = xcalloc(1, sizeof(*e) + (args_cnt + 1) * sizeof(*e->wants));
	va_list ap;

	va_start(ap, what);
	e->owner = x;
	e->tracepoint = tracepoint;
	e->row = row;
	e->kind = kind;
	e->lane = x->lane;
	e->what = xvasprintf(what, ap);
	e->source = expect_current_source(x);
	e->last_want = e->args_cnt = args_cnt;
	va_end(ap);
	if (x->lanes[x->lane].order == LANE_IGNORED)
		expect_set_broken(x, "%s is expected in the ignored lane '%s'",
				  contract_get(tracepoint)->full_name, x->lanes[x->lane].name);
	if (x->cnt == x->cap) {
		x->cap = x->cap ? 2 * x->cap : 64;
		x->items = xreallocarray(x->items, x->cap, sizeof(*x->items));
	}
	x->items[x->cnt++] = e;
	return e;
}

void
expect_lane(struct expect *x, const char *name, enum lane_order order, const struct lane_select *select)
{
	x->lanes = xreallocarray(x->lanes, x->lanes_cnt + 1, sizeof(*x->lanes));
	x->lane = x->lanes_cnt++;
	x->lanes[x->lane] = (struct lane){.name = xstrdup(name), .order = order, .select = *select};
	struct lane_select *own = &x->lanes[x->lane].select;
	own->int_argument = xstrdup_or_null(select->int_argument);
	own->string_argument = xstrdup_or_null(select->string_argument);
	own->string_value = xstrdup_or_null(select->string_value);
}

void
expect_main_lane(struct expect *x)
{
	x->lane = 0;
}

void
expect_extra_kind(struct expect *x, enum finding_kind kind)
{
	x->lanes[x->lane].extra_kind = kind;
}

void
expect_detail(struct expect *x, enum tracepoint_id tracepoint, const char *message, ...)
{
	va_list ap;

	va_start(ap, message);
	char *text = xvasprintf(message, ap);
	va_end(ap);
	findings_add(&x->details, FINDING_DETAIL, contract_get(tracepoint)->full_name, 0, NULL, NULL, NULL,
		     expect_current_source(x), text);
	free(text);
}

void
expect_drop(struct expect *x, uint64_t tracepoints)
{
	x->dropped |= tracepoints;
}

int
expect_check(const struct expect *x, enum tracepoint_id subject, struct diag *diag)
{
	bool control = false;

	if (x->broken)
		return diag_fail(diag, -EINVAL, "expect: %s", x->broken);
	for (size_t i = 0; i < x->cnt; i++) {
		const struct expected *e = x->items[i];
		const struct contract_tracepoint *row = e->row;

		for (unsigned a = 0; a < row->args_cnt && !(x->dropped & TP_BIT(e->tracepoint)); a++)
			if (e->wants[a].op == WANT_NOTHING)
				return diag_fail(diag, -EINVAL,
						 "expect: argument %u (%s) of %s is left unchecked (%s)",
						 a + 1, row->args[a].name, row->full_name, e->what);
		control |= e->tracepoint == subject && !(x->dropped & TP_BIT(e->tracepoint));
	}
	if (!control)
		return diag_fail(diag, -EINVAL,
				 "expect: no event of %s is expected; without one, silence proves nothing",
				 contract_get(subject)->full_name);
	return 0;
}
