#include "cli/list_json.h"

#include "base/json.h"
#include "base/xmem.h"
#include "contract/contract.h"
#include "scenario/registry.h"

#include <stdlib.h>

static void
write_release(struct json_writer *w, const char *key, unsigned release)
{
	char name[16];

	json_member_string(w, key, release_name(release, name));
}

static void
write_values(struct json_writer *w, const char *const *names)
{
	if (!names) {
		json_member_null(w, "values");
		return;
	}
	json_member_begin_array(w, "values");
	for (size_t i = 0; names[i]; i++)
		json_writer_string(w, names[i]);
	json_writer_end_array(w);
}

static void
write_arg(struct json_writer *w, const struct contract_tracepoint *row, unsigned number)
{
	const struct contract_arg *arg = &row->args[number - 1];

	json_writer_begin_object(w);
	json_member_u64(w, "number", number);
	json_member_string(w, "name", arg->name);
	json_member_string(w, "type", arg_type_name(arg->type));
	json_member_string(w, "passed_type", arg->is_size ? "size_t" : arg_type_name(arg->code_type));
	json_member_string(w, "unit", arg->unit);
	json_member_string(w, "meaning", arg->meaning);
	write_release(w, "since", arg->since ? arg->since : row->since);
	json_member_u64_or_null(w, "max_characters", arg->max_chars);
	json_member_u64_or_null(w, "length_argument", arg->size_arg);
	write_values(w, arg->value_names);
	json_member_string(w, "note", arg->difference);
	json_writer_end_object(w);
}

static void
write_tracepoints(struct json_writer *w, unsigned release)
{
	write_release(w, "release", release);
	json_member_begin_array(w, "tracepoints");
	for (int id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_at((enum tracepoint_id)id, release);

		if (!row)
			continue;
		json_writer_begin_object(w);
		json_member_string(w, "tracepoint", row->full_name);
		json_member_string(w, "context", row->context);
		json_member_string(w, "name", row->name);
		write_release(w, "since", row->since);
		json_member_string(w, "when", row->when);
		json_member_string(w, "note", row->difference);
		json_member_begin_array(w, "arguments");
		for (unsigned i = 0; i < row->args_cnt; i++)
			write_arg(w, row, i + 1);
		json_writer_end_array(w);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
}

static void
write_scenarios(struct json_writer *w)
{
	json_member_begin_array(w, "scenarios");
	for (size_t i = 0; scenarios[i]; i++) {
		const struct scenario *scenario = scenarios[i];

		json_writer_begin_object(w);
		json_member_string(w, "name", scenario->name);
		json_member_string(w, "summary", scenario->summary);
		json_member_string(w, "subject", contract_get(scenario->subject)->full_name);
		json_member_begin_array(w, "tracepoints");
		for (int id = 0; id < TRACEPOINTS_CNT; id++)
			if (scenario->tracepoints & TP_BIT(id))
				json_writer_string(w, contract_get((enum tracepoint_id)id)->full_name);
		json_writer_end_array(w);
		json_member_string(w, "node", scenario->profile->name);
		json_member_bool(w, "needs_wallet", scenario->needs_wallet);
		json_writer_end_object(w);
	}
	json_writer_end_array(w);
}

static void
write_change(struct json_writer *w, const struct contract_tracepoint *row, unsigned release,
	     unsigned argument, const char *kind, bool breaks, const char *what)
{
	json_writer_begin_object(w);
	write_release(w, "release", release);
	json_member_string(w, "tracepoint", row->full_name);
	json_member_u64_or_null(w, "argument", argument);
	json_member_string(w, "argument_name", argument ? row->args[argument - 1].name : NULL);
	json_member_string(w, "kind", kind);
	json_member_bool(w, "breaking", breaks);
	json_member_string(w, "message", what);
	json_writer_end_object(w);
}

static void
write_additions(struct json_writer *w, const struct contract_tracepoint *row, unsigned release)
{
	if (row->since == release)
		write_change(w, row, release, 0, "added", false, NULL);
	for (unsigned i = 0; i < row->args_cnt; i++)
		if (row->args[i].since == release)
			write_change(w, row, release, i + 1, "argument added", false, NULL);
}

static void
write_history(struct json_writer *w)
{
	const struct contract_change *change;

	json_member_begin_array(w, "history");
	for (unsigned release = RELEASE_FIRST; release <= RELEASE_MASTER; release++) {
		for (int id = 0; id < TRACEPOINTS_CNT; id++)
			write_additions(w, contract_get((enum tracepoint_id)id), release);
		for (size_t i = 0; (change = contract_change(i)); i++)
			if (change->release == release)
				write_change(w, contract_get(change->id), release, change->argument,
					     "changed", change->breaks, change->what);
	}
	json_writer_end_array(w);
}

char *
list_json(const struct list_parts *parts)
{
	struct json_writer *w = json_writer_new(true);

	json_writer_begin_object(w);
	if (parts->tracepoints)
		write_tracepoints(w, parts->release);
	if (parts->scenarios)
		write_scenarios(w);
	if (parts->history)
		write_history(w);
	json_writer_end_object(w);
	char *text = json_writer_take(w, NULL), *line = xasprintf("%s\n", text);
	json_writer_free(w);
	free(text);
	return line;
}
