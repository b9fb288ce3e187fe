/* How two interfaces are compared.
 *
 * Notes have widths and signs of arguments, not names. The arguments of a tracepoint, before and after, are therefore
 * two words over a small alphabet, and the changes are the shortest edit from one to the other: letters added, removed
 * and replaced. The same letters in another order are reported as reordered, with a guess at what went where. If a side
 * is a known release, and its notes are as documented, the letters get names, and changes of meaning that the contract
 * knows of are reported as well.
 *
 * What breaks: consumers read arguments by number and width (libbcc refuses another width and reads nothing). They do
 * not see a new argument at the end, but one before others moves these. If only the sign changes, the same bytes are
 * read, but half of the numbers mean something else. */
#include "contract/diff.h"

#include "base/buf.h"
#include "base/xmem.h"
#include "contract/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct argument {
	unsigned width;
	bool is_signed;
	const struct contract_arg *arg; /* NULL: unknown */
};

/* One tracepoint of one side. */
struct point {
	char full_name[132];
	const struct contract_tracepoint *row; /* of the side's release; NULL */
	bool has_semaphore;
	unsigned args_cnt;
	struct argument args[SITE_ARGS_MAX];
};

struct points {
	struct point *items; /* by name */
	size_t cnt;
};

static bool
is_like(const struct argument *a, const struct argument *b)
{
	return a->width == b->width && a->is_signed == b->is_signed;
}

static void
read_row(struct point *point, const struct contract_tracepoint *row, const struct diff_side *side)
{
	*point = (struct point){
		.row = row,
		.has_semaphore = side->release >= RELEASE_SEMAPHORES,
		.args_cnt = row->args_cnt,
	};
	snprintf(point->full_name, sizeof(point->full_name), "%s", row->full_name);
	for (unsigned i = 0; i < row->args_cnt; i++)
		point->args[i] = (struct argument){
			.width = contract_arg_width(&row->args[i], side->pointer_bytes),
			.is_signed = arg_type_is_signed(row->args[i].code_type),
			.arg = &row->args[i],
		};
}

static void
read_site(struct point *point, const struct site *site, const struct diff_side *side)
{
	const struct contract_tracepoint *row = contract_find(site->provider, site->name);
	struct findings findings = {0};

	*point = (struct point){
		.row = row && side->release ? contract_at(row->id, side->release) : NULL,
		.has_semaphore = site->semaphore_address != 0,
		.args_cnt = site->args_cnt,
	};
	snprintf(point->full_name, sizeof(point->full_name), "%s:%s", site->provider, site->name);
	/* Arguments get names only if they are as documented. */
	bool named = point->row && !contract_check_site(point->row, site, &findings);
	for (unsigned i = 0; i < site->args_cnt; i++)
		point->args[i] = (struct argument){
			.width = site->args[i].width_bytes,
			.is_signed = site->args[i].is_signed,
			.arg = named && i < point->row->args_cnt ? &point->row->args[i] : NULL,
		};
	findings_fini(&findings);
}

static int
compare_points(const void *a, const void *b)
{
	return strcmp(((const struct point *)a)->full_name, ((const struct point *)b)->full_name);
}

static struct points
read_side(const struct diff_side *side)
{
	struct points points = {0};

	if (side->sites) {
		const struct site **sorted = sites_sort(side->sites, side->sites_cnt);

		points.items = xcalloc(side->sites_cnt ? side->sites_cnt : 1, sizeof(*points.items));
		for (size_t i = 0; i < side->sites_cnt; i++)
			if (i == 0 || !site_is_like(sorted[i - 1], sorted[i]))
				read_site(&points.items[points.cnt++], sorted[i], side);
		free(sorted);
	} else {
		points.items = xcalloc(TRACEPOINTS_CNT, sizeof(*points.items));
		for (int id = 0; id < TRACEPOINTS_CNT; id++) {
			const struct contract_tracepoint *row =
				contract_at((enum tracepoint_id)id, side->release);

			if (row)
				read_row(&points.items[points.cnt++], row, side);
		}
	}
	qsort(points.items, points.cnt, sizeof(*points.items), compare_points);
	return points;
}

/* "int32 (4 bytes, signed)", or without a name "4 bytes, signed". */
static void
describe(const struct argument *argument, char out[80])
{
	char type[32];

	contract_describe_operand(argument->width, argument->is_signed, type);
	if (argument->arg)
		snprintf(out, 80, "%s (%s)", arg_type_name(argument->arg->type), type);
	else
		snprintf(out, 80, "%s", type);
}

struct differ {
	struct changes *changes;
	const struct point *before, *after;
	unsigned release_before, release_after; /* 0: unknown */
	unsigned pointer_bytes;
};

static struct change *
add(const struct differ *differ, enum change_kind kind, bool breaks, unsigned argument,
    const struct contract_arg *arg, const char *before, const char *after, const char *message)
{
	struct change change = {
		.kind = kind,
		.breaks = breaks,
		.tracepoint = (char *)(differ->after ? differ->after : differ->before)->full_name,
		.argument = argument,
		.argument_name = arg ? (char *)(uintptr_t)arg->name : NULL,
		.before = (char *)(uintptr_t)before,
		.after = (char *)(uintptr_t)after,
		.message = (char *)(uintptr_t)message,
	};

	return changes_add(differ->changes, &change);
}

/* Appends what the contract says about changes of that argument's type between the releases; true if one breaks. */
static bool
known_changes(const struct differ *differ, unsigned argument, struct buf *text)
{
	const struct contract_change *change;
	bool breaks = false;

	for (size_t i = 0; differ->release_before && (change = contract_change(i)); i++) {
		if (!differ->after->row || change->id != differ->after->row->id ||
		    change->argument != argument || !change->before ||
		    change->release <= differ->release_before || change->release > differ->release_after)
			continue;
		buf_printf(text, "%s%s", text->len ? "; " : "", change->what);
		breaks |= change->breaks;
	}
	return breaks;
}

static void
add_retyped(const struct differ *differ, unsigned old, unsigned new)
{
	const struct argument *before = &differ->before->args[old], *after = &differ->after->args[new];
	bool breaks = before->width != after->width;
	char was[80], is[80], *message;
	struct buf known;

	buf_init(&known, 1024);
	describe(before, was);
	describe(after, is);
	breaks |= known_changes(differ, new + 1, &known);
	if (!known.len)
		buf_puts(&known,
			 breaks ? "consumers that read the old width read nothing, or a wrong value"
				: "the same bytes are read, but half of the values mean another number");
	message = xasprintf("%s, was %s: %s", is, was, known.data);
	add(differ, CHANGE_RETYPED, breaks, new + 1, after->arg ? after->arg : before->arg, was, is, message);
	free(message);
	buf_fini(&known);
}

/* is_last: no existing argument follows it. */
static void
add_inserted(const struct differ *differ, unsigned new, bool is_last)
{
	const struct argument *argument = &differ->after->args[new];
	char is[80], message[256];

	describe(argument, is);
	snprintf(message, sizeof(message), "new: %s%s", is,
		 is_last ? ", after the existing ones" : "; the arguments after it are renumbered");
	add(differ, CHANGE_ARGUMENT_ADDED, !is_last, new + 1, argument->arg, NULL, is, message);
}

static void
add_deleted(const struct differ *differ, unsigned old)
{
	const struct argument *argument = &differ->before->args[old];
	char was[80], message[256];

	describe(argument, was);
	snprintf(message, sizeof(message), "removed, was %s%s", was,
		 old + 1 < differ->before->args_cnt ? "; the arguments after it are renumbered" : "");
	add(differ, CHANGE_ARGUMENT_REMOVED, true, old + 1, argument->arg, was, NULL, message);
}

/* The same letters in another order: which argument may be which. */
static bool
add_reordered(const struct differ *differ)
{
	const struct point *before = differ->before, *after = differ->after;
	unsigned cnt = before->args_cnt, from[SITE_ARGS_MAX];
	uint32_t used = 0;
	struct buf text;

	if (cnt != after->args_cnt)
		return false;
	/* An argument stays in its place if it can, else it comes from the first place that is free. */
	for (unsigned i = 0; i < cnt; i++) {
		from[i] = is_like(&before->args[i], &after->args[i]) ? i : cnt;
		if (from[i] == i)
			used |= UINT32_C(1) << i;
	}
	for (unsigned i = 0; i < cnt; i++)
		for (unsigned k = 0; k < cnt && from[i] == cnt; k++)
			if (!(used & UINT32_C(1) << k) && is_like(&before->args[k], &after->args[i])) {
				from[i] = k;
				used |= UINT32_C(1) << k;
			}
	for (unsigned i = 0; i < cnt; i++)
		if (from[i] == cnt)
			return false;
	buf_init(&text, 1024);
	buf_puts(&text, "the arguments are in another order: by width and sign,");
	for (unsigned i = 0, moved = 0; i < cnt; i++)
		if (from[i] != i)
			buf_printf(&text, "%s argument %u may be the former %u", moved++ ? "," : "", i + 1,
				   from[i] + 1);
	add(differ, CHANGE_REORDERED, true, 0, NULL, NULL, NULL, text.data);
	buf_fini(&text);
	return true;
}

/* Whether the new type is the one that is documented, which the old code did not pass. */
static bool
becomes_documented(const struct differ *differ, const struct argument *before, const struct argument *after)
{
	return before->arg && after->width == arg_type_width(before->arg->type, differ->pointer_bytes) &&
	       after->is_signed == arg_type_is_signed(before->arg->type);
}

/* What it costs to take an argument for that earlier one. */
static unsigned
retyping_cost(const struct differ *differ, const struct argument *before, const struct argument *after)
{
	return !is_like(before, after) && !becomes_documented(differ, before, after);
}

/* The shortest edit; of equally short ones the one that keeps arguments in their places, and adds and removes after
 * them.
 */
static void
compare_arguments(const struct differ *differ)
{
	const struct point *before = differ->before, *after = differ->after;
	unsigned n = before->args_cnt, m = after->args_cnt;
	unsigned cost[SITE_ARGS_MAX + 1][SITE_ARGS_MAX + 1]; /* of the rest, from there on */

	for (unsigned i = n + 1; i-- > 0;)
		for (unsigned k = m + 1; k-- > 0;) {
			if (i == n || k == m) {
				cost[i][k] = n - i + m - k;
				continue;
			}
			unsigned same =
				cost[i + 1][k + 1] + retyping_cost(differ, &before->args[i], &after->args[k]);
			unsigned deleted = cost[i + 1][k] + 1, inserted = cost[i][k + 1] + 1;
			unsigned least = same < deleted ? same : deleted;
			cost[i][k] = least < inserted ? least : inserted;
		}
	for (unsigned i = 0, k = 0; i < n || k < m;) {
		if (i < n && k < m) {
			const struct argument *from = &before->args[i], *to = &after->args[k];

			if (cost[i][k] == cost[i + 1][k + 1] + retyping_cost(differ, from, to)) {
				if (!is_like(from, to))
					add_retyped(differ, i, k);
				i++;
				k++;
				continue;
			}
		}
		if (k < m && cost[i][k] == cost[i][k + 1] + 1)
			add_inserted(differ, k++, i == n);
		else
			add_deleted(differ, i++);
	}
}

static void
compare_pair(const struct differ *differ)
{
	const struct point *before = differ->before, *after = differ->after;
	bool same = before->args_cnt == after->args_cnt;

	for (unsigned i = 0; same && i < before->args_cnt; i++)
		same = is_like(&before->args[i], &after->args[i]);
	if (!same && !add_reordered(differ))
		compare_arguments(differ);
}

static void
add_semaphores(const struct differ *differ, bool all)
{
	bool has = differ->after->has_semaphore;
	struct change *change = add(
		differ, CHANGE_SEMAPHORE, false, 0, NULL, has ? "none" : "a semaphore",
		has ? "a semaphore" : "none",
		has ? "has a semaphore now: tracers must raise it, as libbcc, bpftrace and libbpf do for a given process; one that only sets a breakpoint sees nothing, as arguments are computed only while somebody is tracing"
		    : "no longer has a semaphore: its arguments are computed even when nobody is tracing");

	if (all) {
		free(change->tracepoint);
		change->tracepoint = NULL;
	}
}

/* What the contract knows and notes cannot show. */
static void
add_meanings(struct differ *differ, const struct points *before, const struct points *after)
{
	const struct contract_change *known;
	unsigned low = differ->release_before, high = differ->release_after;
	bool back = low > high;
	size_t reported = differ->changes->cnt;

	if (back) {
		low = differ->release_after;
		high = differ->release_before;
	}
	for (size_t i = 0; (known = contract_change(i)); i++) {
		const struct contract_tracepoint *row = contract_get(known->id);
		struct point key;
		bool is_known = false;
		char message[640], name[16];

		if (known->release <= low || known->release > high)
			continue;
		snprintf(key.full_name, sizeof(key.full_name), "%s", row->full_name);
		const struct point *old =
			bsearch(&key, before->items, before->cnt, sizeof(key), compare_points);
		const struct point *new =
			bsearch(&key, after->items, after->cnt, sizeof(key), compare_points);
		if (!old || !new)
			continue;
		for (size_t k = 0; k < reported && !is_known; k++) {
			const struct change *change = &differ->changes->items[k];

			is_known = change->kind == CHANGE_RETYPED && known->before && change->tracepoint &&
				   !strcmp(change->tracepoint, row->full_name) &&
				   change->argument == known->argument;
		}
		if (is_known)
			continue;
		differ->before = old;
		differ->after = new;
		snprintf(message, sizeof(message), "%s%s (%s)",
			 back ? "goes back to before this change: " : "", known->what,
			 release_name(known->release, name));
		add(differ, CHANGE_MEANING, known->breaks, known->argument,
		    known->argument ? &row->args[known->argument - 1] : NULL, NULL, NULL, message);
	}
}

static void
add_whole(struct differ *differ, bool is_new)
{
	const struct point *point = is_new ? differ->after : differ->before;
	struct buf text;

	buf_init(&text, 1024);
	buf_printf(&text, "%s, with %u argument%s", is_new ? "new" : "removed", point->args_cnt,
		   point->args_cnt == 1 ? "" : "s");
	for (unsigned i = 0; i < point->args_cnt; i++) {
		char type[80];

		describe(&point->args[i], type);
		if (point->args[i].arg)
			buf_printf(&text, "%s %s %s", i ? "," : ":", point->args[i].arg->name,
				   arg_type_name(point->args[i].arg->type));
		else
			buf_printf(&text, "%s %s", i ? ";" : ":", type);
	}
	add(differ, is_new ? CHANGE_ADDED : CHANGE_REMOVED, !is_new, 0, NULL, NULL, NULL, text.data);
	buf_fini(&text);
}

static int
compare_changes(const void *pa, const void *pb)
{
	const struct change *a = *(const struct change *const *)pa, *b = *(const struct change *const *)pb;
	int order = strcmp(a->tracepoint ? a->tracepoint : "", b->tracepoint ? b->tracepoint : "");

	if (order)
		return order;
	if (a->argument != b->argument)
		return a->argument < b->argument ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Changes of one argument come together. */
static void
sort_changes(struct changes *changes)
{
	struct change **order = xcalloc(changes->cnt + 1, sizeof(*order));
	struct change *sorted = xcalloc(changes->cnt + 1, sizeof(*sorted));

	for (size_t i = 0; i < changes->cnt; i++)
		order[i] = &changes->items[i];
	qsort(order, changes->cnt, sizeof(*order), compare_changes);
	for (size_t i = 0; i < changes->cnt; i++)
		sorted[i] = *order[i];
	if (changes->cnt)
		memcpy(changes->items, sorted, changes->cnt * sizeof(*sorted));
	free(sorted);
	free(order);
}

void
diff_interfaces(const struct diff_side *before, const struct diff_side *after, struct changes *changes)
{
	struct points olds = read_side(before), news = read_side(after);
	struct differ differ = {
		.changes = changes,
		.release_before = before->release,
		.release_after = after->release,
		.pointer_bytes = before->pointer_bytes,
	};
	size_t common = 0, switched = 0, added = 0;

	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0, k = 0; i < olds.cnt || k < news.cnt;) {
			int order = i == olds.cnt   ? 1
				    : k == news.cnt ? -1
						    : compare_points(&olds.items[i], &news.items[k]);

			differ.before = order <= 0 ? &olds.items[i++] : NULL;
			differ.after = order >= 0 ? &news.items[k++] : NULL;
			if (pass == 0 && order != 0) {
				add_whole(&differ, order > 0);
			} else if (pass == 0) {
				compare_pair(&differ);
				common++;
				switched += differ.before->has_semaphore != differ.after->has_semaphore;
			} else if (order == 0 &&
				   differ.before->has_semaphore != differ.after->has_semaphore &&
				   (switched < common || added++ == 0)) {
				add_semaphores(&differ, switched == common && common > 1);
			}
		}
	if (before->release && after->release)
		add_meanings(&differ, &olds, &news);
	sort_changes(changes);
	free(olds.items);
	free(news.items);
}
