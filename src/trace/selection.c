#include "trace/selection.h"

#include "base/condition.h"
#include "base/xmem.h"
#include "trace/args.h"
#include "trace/where.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
keep(struct selection *selection, char *string)
{
	struct strings *strings = &selection->strings;

	strings->items = xreallocarray(strings->items, strings->cnt + 1, sizeof(*strings->items));
	strings->items[strings->cnt++] = string;
	return string;
}

static bool
is_pointer(enum arg_type type)
{
	return type == ARG_HASH || type == ARG_STRING || type == ARG_BYTES;
}

static enum arg_type
type_of_operand(const struct operand *operand)
{
	return operand->is_signed ? ARG_INT64 : ARG_UINT64;
}

/* Changes the documented types of arguments that are different in the binary. */
static void
adapt(struct contract_tracepoint *row, const struct site *site, uint32_t payload_bytes)
{
	for (unsigned i = 0; i < row->args_cnt && i < site->args_cnt; i++) {
		struct contract_arg *arg = &row->args[i];
		const struct operand *operand = &site->args[i];
		bool fits = operand->width_bytes == contract_arg_width(arg, 8) &&
			    operand->is_signed == arg_type_is_signed(arg->code_type);

		if (arg->code_type == ARG_BYTES && fits && !payload_bytes)
			/* Only the address is read; arg->type is still ARG_BYTES, see selection_shows. */
			arg->code_type = ARG_UINT64;
		else if (is_pointer(arg->code_type) ? operand->width_bytes != 8 && operand->width_bytes
						    : !fits && operand->width_bytes)
			arg->type = arg->code_type = type_of_operand(operand);
	}
}

/* The documented row, or NULL. The release may be a guess: a tracepoint that only a later release documents counts as
 * documented. */
static const struct contract_tracepoint *
find_row(const struct site *site, unsigned release)
{
	const struct contract_tracepoint *known = contract_find(site->provider, site->name);
	const struct contract_tracepoint *row = known ? contract_at(known->id, release) : NULL;

	return row ? row : known;
}

static struct contract_tracepoint *
make_row(struct selection *selection, const struct site *site, unsigned id, const struct selection_opts *opts)
{
	const struct contract_tracepoint *documented = find_row(site, opts->release);
	struct contract_tracepoint *row = xcalloc(1, sizeof(*row));

	selection->rows[id] = row;
	selection->is_documented[id] = documented != NULL;
	if (documented) {
		*row = *documented;
		return row;
	}
	row->id = (enum tracepoint_id)id;
	row->release = opts->release;
	row->full_name = keep(selection, xasprintf("%s:%s", site->provider, site->name));
	row->context = site->provider;
	row->name = site->name;
	row->args_cnt = site->args_cnt;
	for (unsigned i = 0; i < site->args_cnt; i++)
		row->args[i] = (struct contract_arg){
			.name = keep(selection, xasprintf("arg%u", i + 1)),
			.type = type_of_operand(&site->args[i]),
			.code_type = type_of_operand(&site->args[i]),
		};
	return row;
}

static void
add_point(struct selection *selection, const struct site *site, unsigned id, uint32_t payload_bytes)
{
	selection->points =
		xreallocarray(selection->points, selection->points_cnt + 1, sizeof(*selection->points));
	struct probe_point *point = &selection->points[selection->points_cnt++];
	contract_plan(selection->rows[id], site, point);
	for (unsigned i = 0; i < site->args_cnt; i++)
		if (point->slots[i].reader == READER_PAYLOAD && payload_bytes < point->slots[i].slot_bytes)
			point->slots[i].slot_bytes = payload_bytes;
	record_lay_out(point);
}

/* "net:inbound_message, net:outbound_message, ..." */
static void
list_names(const struct site *const *sorted, size_t cnt, struct buf *out)
{
	for (size_t i = 0; i < cnt; i++) {
		if (i && site_is_like(sorted[i], sorted[i - 1]))
			continue;
		if (!buf_printf(out, "%s%s:%s", i ? ", " : "", sorted[i]->provider, sorted[i]->name)) {
			buf_puts(out, ", ...");
			break;
		}
	}
}

/* A pattern that matches nothing is a mistake: the trace would show nothing. */
static int
check_patterns(const struct site *const *sorted, size_t cnt, const struct selection_opts *opts,
	       struct diag *diag)
{
	char name[130];

	for (size_t p = 0; p < opts->patterns_cnt; p++) {
		bool matches = false;

		for (size_t i = 0; i < cnt && !matches; i++) {
			snprintf(name, sizeof(name), "%s:%s", sorted[i]->provider, sorted[i]->name);
			matches = !fnmatch(opts->patterns[p], name, 0);
		}
		if (matches)
			continue;
		struct buf names;
		buf_init(&names, sizeof(diag->text) - 300);
		list_names(sorted, cnt, &names);
		diag_fail(diag, -ENOENT, "no tracepoint of the binary matches '%.100s'; it has %s",
			  opts->patterns[p], names.data ? names.data : "none");
		buf_fini(&names);
		return -ENOENT;
	}
	return 0;
}

static bool
is_selected(const struct site *site, const struct selection_opts *opts, bool any_documented)
{
	char name[130];

	if (!opts->patterns_cnt)
		return !any_documented || find_row(site, opts->release);
	snprintf(name, sizeof(name), "%s:%s", site->provider, site->name);
	for (size_t p = 0; p < opts->patterns_cnt; p++)
		if (!fnmatch(opts->patterns[p], name, 0))
			return true;
	return false;
}

static int
add_sites(struct selection *selection, const struct site *const *sorted, size_t cnt,
	  const struct selection_opts *opts, struct diag *diag)
{
	unsigned next = TRACEPOINTS_CNT, id = 0;
	bool any_documented = false;

	for (size_t i = 0; i < cnt; i++)
		any_documented |= find_row(sorted[i], opts->release) != NULL;
	for (size_t from = 0, to; from < cnt; from = to) {
		const struct site *first = sorted[from];

		for (to = from + 1; to < cnt && site_is_like(sorted[to], first);)
			to++;
		if (!is_selected(first, opts, any_documented))
			continue;
		const struct contract_tracepoint *documented = find_row(first, opts->release);
		id = documented ? documented->id : next++;
		if (id >= SELECTION_MAX)
			return diag_fail(
				diag, -E2BIG,
				"too many tracepoints: at most %d undocumented ones can be traced at once; name fewer",
				SELECTION_MAX - TRACEPOINTS_CNT);
		struct contract_tracepoint *row = make_row(selection, first, id, opts);
		/* Before adapt makes the row match the binary. */
		if (selection->is_documented[id])
			for (size_t i = from; i < to; i++) {
				contract_check_site(row, sorted[i], &selection->differences);
				contract_check_new_args(row, sorted[i], &selection->differences);
			}
		for (size_t i = from; i < to; i++)
			adapt(row, sorted[i], opts->payload_bytes);
		for (size_t i = from; i < to; i++)
			if (sorted[i]->file_offset)
				add_point(selection, sorted[i], id, opts->payload_bytes);
	}
	return 0;
}

/* What an argument is named for. */
enum purpose { PURPOSE_WHERE, PURPOSE_BY, PURPOSE_OF };

static bool
suits(enum purpose purpose, const struct contract_tracepoint *row, const struct site *site, unsigned idx)
{
	struct value value = {.type = contract_value_type(row, idx, &site->args[idx])};

	if (purpose == PURPOSE_WHERE)
		return true;
	return selection_shows(row, idx, &value) &&
	       (purpose == PURPOSE_BY || value.type == VALUE_INT || value.type == VALUE_UINT);
}

/* "peer_id, address, ...": what the tracepoints have for that purpose. */
static void
list_arguments(const struct selection *selection, enum purpose purpose, struct buf *out)
{
	char room[16], entry[80];

	for (size_t p = 0; p < selection->points_cnt; p++) {
		const struct probe_point *point = &selection->points[p];
		const struct contract_tracepoint *row = selection->rows[point->tracepoint];

		for (unsigned i = 0; i < point->site->args_cnt; i++) {
			if (!suits(purpose, row, point->site, i))
				continue;
			snprintf(entry, sizeof(entry), "%s%s", out->len ? ", " : "", args_name(row, i, room));
			const char *name = entry + (out->len ? 2 : 0);
			const char *known = out->len ? strstr(out->data, name) : NULL;
			size_t len = strlen(name);

			/* As a whole word. */
			while (known && !((known == out->data || known[-1] == ' ') &&
					  (known[len] == ',' || !known[len])))
				known = strstr(known + 1, name);
			if (!known)
				buf_puts(out, entry);
		}
	}
}

static int
fail_unknown(const struct selection *selection, const struct where_term *term, struct diag *diag)
{
	struct buf names;

	buf_init(&names, sizeof(diag->text) - 400);
	list_arguments(selection, PURPOSE_WHERE, &names);
	diag_fail(diag, -ENOENT,
		  "--where='%.200s': no selected tracepoint has an argument '%s'; they have %s", term->text,
		  term->name, names.data ? names.data : "none");
	buf_fini(&names);
	return -ENOENT;
}

static bool
has_arguments(const struct selection *selection, const struct probe_point *point,
	      const struct selection_opts *opts)
{
	for (size_t w = 0; w < opts->where_cnt; w++)
		if (!where_has_argument(&opts->where[w], selection->rows[point->tracepoint], point->site))
			return false;
	return true;
}

/* Keeps the points that have all arguments of the terms, and the rows of tracepoints with such a point. */
static void
keep_points(struct selection *selection, const struct selection_opts *opts)
{
	bool is_kept[SELECTION_MAX] = {false};
	size_t kept = 0;

	for (size_t p = 0; p < selection->points_cnt; p++) {
		if (!has_arguments(selection, &selection->points[p], opts))
			continue;
		is_kept[selection->points[p].tracepoint] = true;
		selection->points[kept++] = selection->points[p];
	}
	selection->points_cnt = kept;
	for (size_t i = 0; i < SELECTION_MAX; i++) {
		if (is_kept[i])
			continue;
		free(selection->rows[i]);
		selection->rows[i] = NULL;
	}
}

static int
add_conditions(struct selection *selection, const struct selection_opts *opts, struct diag *diag)
{
	for (size_t w = 0; w < opts->where_cnt; w++) {
		bool is_known = false;

		for (size_t p = 0; p < selection->points_cnt && !is_known; p++)
			is_known = where_has_argument(&opts->where[w],
						      selection->rows[selection->points[p].tracepoint],
						      selection->points[p].site);
		if (!is_known)
			return fail_unknown(selection, &opts->where[w], diag);
	}
	keep_points(selection, opts);
	if (!selection->points_cnt)
		return diag_fail(diag, -ENOENT,
				 "no selected tracepoint has all the arguments that --where names");
	selection->conditions =
		xcalloc(selection->points_cnt * opts->where_cnt, sizeof(*selection->conditions));
	for (size_t p = 0; p < selection->points_cnt; p++) {
		struct probe_point *point = &selection->points[p];
		struct condition *conditions = selection->conditions + p * opts->where_cnt;

		for (size_t w = 0; w < opts->where_cnt; w++) {
			int err = where_compile(&opts->where[w], selection->rows[point->tracepoint], point,
						&conditions[w], diag);

			if (err)
				return err;
		}
		point->conditions = conditions;
		point->conditions_cnt = opts->where_cnt;
	}
	return 0;
}

/* unsuitable: a tracepoint that has the argument, but not for that purpose; NULL: there is none. */
static int
fail_unsuitable(const struct selection *selection, enum purpose purpose, const char *name,
		const char *unsuitable, struct diag *diag)
{
	bool is_by = purpose == PURPOSE_BY;
	struct buf names;
	int err;

	buf_init(&names, sizeof(diag->text) - 400);
	list_arguments(selection, purpose, &names);
	const char *listed = names.data ? names.data : "none";
	const char *intro = is_by ? "they have" : "these can be measured:";
	if (unsuitable)
		err = diag_fail(diag, -EDOM, "--%s=%.64s: %.64s of %s %s; %s %s", is_by ? "by" : "of", name,
				name, unsuitable, is_by ? "is not read" : "is no number", intro, listed);
	else
		err = diag_fail(diag, -ENOENT,
				"--%s=%.64s: no selected tracepoint has an argument '%.64s'; %s %s",
				is_by ? "by" : "of", name, name, intro, listed);
	buf_fini(&names);
	return err;
}

/* A name that suits no tracepoint is a mistake: statistics would be without it. */
static int
check_names(const struct selection *selection, enum purpose purpose, const struct argument_names *names,
	    struct diag *diag)
{
	for (size_t n = 0; n < names->cnt; n++) {
		const char *name = names->items[n], *unsuitable = NULL;
		bool is_known = purpose == PURPOSE_BY && !strcmp(name, "pid");

		for (size_t p = 0; p < selection->points_cnt && !is_known; p++) {
			const struct probe_point *point = &selection->points[p];
			const struct contract_tracepoint *row = selection->rows[point->tracepoint];
			unsigned idx = args_find(row, point->site->args_cnt, name);

			if (idx == point->site->args_cnt)
				continue;
			is_known = suits(purpose, row, point->site, idx);
			unsuitable = row->full_name;
		}
		if (!is_known)
			return fail_unsuitable(selection, purpose, name, unsuitable, diag);
	}
	return 0;
}

int
selection_make(struct selection *selection, const struct site *sites, size_t sites_cnt,
	       const struct selection_opts *opts, struct diag *diag)
{
	const struct site **sorted = sites_sort(sites, sites_cnt);

	*selection = (struct selection){0};
	int err = sites_cnt ? check_patterns(sorted, sites_cnt, opts, diag) : 0;
	if (!err)
		err = add_sites(selection, sorted, sites_cnt, opts, diag);
	if (!err && !selection->points_cnt)
		err = diag_fail(diag, -ENODATA, "the binary has no tracepoints to attach to");
	if (!err && opts->where_cnt)
		err = add_conditions(selection, opts, diag);
	if (!err)
		err = check_names(selection, PURPOSE_BY, &opts->by, diag);
	if (!err)
		err = check_names(selection, PURPOSE_OF, &opts->of, diag);
	free(sorted);
	return err;
}

void
selection_fini(struct selection *selection)
{
	for (size_t i = 0; i < SELECTION_MAX; i++)
		free(selection->rows[i]);
	for (size_t i = 0; i < selection->strings.cnt; i++)
		free(selection->strings.items[i]);
	free(selection->strings.items);
	free(selection->points);
	free(selection->conditions);
	findings_fini(&selection->differences);
	*selection = (struct selection){0};
}

const struct contract_tracepoint *
selection_row(const struct selection *selection, unsigned tracepoint)
{
	return tracepoint < SELECTION_MAX ? selection->rows[tracepoint] : NULL;
}

bool
selection_shows(const struct contract_tracepoint *row, unsigned idx, const struct value *value)
{
	return idx >= row->args_cnt || row->args[idx].type != ARG_BYTES || value->type == VALUE_BYTES;
}

int
selection_decode(const struct selection *selection, const void *record, size_t record_sz, struct event *event)
{
	struct record_head head;

	if (record_sz < sizeof(head))
		return -EBADMSG;
	memcpy(&head, record, sizeof(head));
	if (head.point >= selection->points_cnt)
		return -EBADMSG;
	const struct probe_point *point = &selection->points[head.point];
	return contract_decode(selection->rows[point->tracepoint], point, record, record_sz, event);
}
