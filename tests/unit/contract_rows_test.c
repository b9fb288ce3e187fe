/* The contract's rows: complete, and as in a real binary. */
#include "contract/contract.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Each released tracepoint again, from another source than doc/tracing.md: its first release, and the widths that
 * readelf -n shows of a bitcoind of master (2026-06), negative for signed ones. */
static const struct {
	const char *full_name;
	unsigned since;
	const char *widths;
} interface[] = {
	{"net:inbound_message", 23, "-8 8 8 8 8 8"},
	{"net:outbound_message", 23, "-8 8 8 8 8 8"},
	{"net:inbound_connection", 29, "-8 8 8 4 8"},
	{"net:outbound_connection", 29, "-8 8 8 4 8"},
	{"net:evicted_inbound_connection", 29, "-8 8 8 4 -8"},
	{"net:misbehaving_connection", 29, "-8 8"},
	{"net:closed_connection", 29, "-8 8 8 4 -8"},
	{"validation:block_connected", 23, "8 -4 8 -4 -8 -8"},
	{"utxocache:flush", 23, "-8 4 8 8 1"},
	{"utxocache:add", 23, "8 4 4 -8 1"},
	{"utxocache:spent", 23, "8 4 4 -8 1"},
	{"utxocache:uncache", 23, "8 4 4 -8 1"},
	{"coin_selection:selected_coins", 24, "8 8 -8 -8 -8"},
	{"coin_selection:normal_create_tx_internal", 24, "8 1 -8 -4"},
	{"coin_selection:attempting_aps_create_tx", 24, "8"},
	{"coin_selection:aps_create_tx_internal", 24, "8 1 1 -8 -4"},
	{"mempool:added", 25, "8 -4 -8"},
	{"mempool:removed", 25, "8 8 -4 -8 8"},
	{"mempool:replaced", 25, "8 -4 -8 8 8 -4 -8 1"},
	{"mempool:rejected", 25, "8 8"},
};

enum { TYPES_CNT = ARG_BYTES + 1 };

static bool
is_pointer(enum arg_type type)
{
	return type == ARG_HASH || type == ARG_STRING || type == ARG_BYTES;
}

/* Lower-case words with underscores, which can be the name of a field. */
static bool
is_word(const char *s)
{
	if (!islower((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

/* One line, not blank, without a dot or blank at its end, so that it fits into a message. */
static bool
is_phrase(const char *s)
{
	size_t len = s ? strlen(s) : 0;

	return len > 3 && !strchr(s, '\n') && s[0] != ' ' && s[len - 1] != ' ' && s[len - 1] != '.';
}

static void
test_rows_are_complete(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);
		char full_name[128];

		assert_non_null(row);
		assert_int_equal(row->id, id);
		assert_non_null(row->context);
		assert_non_null(row->name);
		assert_non_null(row->full_name);
		assert_true(is_word(row->context));
		assert_true(is_word(row->name));
		snprintf(full_name, sizeof(full_name), "%s:%s", row->context, row->name);
		assert_string_equal(row->full_name, full_name);
		if (!is_phrase(row->when))
			fail_msg("%s: when is '%s'", row->full_name, row->when ? row->when : "NULL");
		if (row->difference && !is_phrase(row->difference))
			fail_msg("%s: difference is '%s'", row->full_name, row->difference);
		assert_in_range(row->since, RELEASE_FIRST, RELEASE_MASTER);
		assert_in_range(row->args_cnt, 1, SITE_ARGS_MAX);
	}
}

static void
test_args_are_complete(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);

		for (unsigned i = 0; i < row->args_cnt; i++) {
			const struct contract_arg *arg = &row->args[i];

			if (!arg->name || !is_word(arg->name))
				fail_msg("argument %u of %s has no usable name", i + 1, row->full_name);
			for (unsigned j = 0; j < i; j++)
				if (!strcmp(arg->name, row->args[j].name))
					fail_msg("%s has two arguments %s", row->full_name, arg->name);
			if (!arg->meaning || !*arg->meaning)
				fail_msg("%s of %s has no meaning", arg->name, row->full_name);
			if (arg->unit && !*arg->unit)
				fail_msg("%s of %s has an empty unit", arg->name, row->full_name);
			if (arg->difference && !is_phrase(arg->difference))
				fail_msg("%s of %s: difference is '%s'", arg->name, row->full_name,
					 arg->difference);
			assert_in_range(arg->type, 0, TYPES_CNT - 1);
			assert_in_range(arg->code_type, 0, TYPES_CNT - 1);
			if (arg->since)
				assert_in_range(arg->since, row->since + 1, RELEASE_MASTER);
			if (arg->max_chars)
				assert_int_equal(arg->type, ARG_STRING);
			if (arg->unit)
				assert_false(is_pointer(arg->type) || arg->type == ARG_BOOL);
		}
		/* Nothing after the last one: a count that is too small would hide an argument. */
		for (unsigned i = row->args_cnt; i < SITE_ARGS_MAX; i++)
			if (row->args[i].name)
				fail_msg("%s has argument %u beyond its count", row->full_name, i + 1);
	}
}

static void
test_sizes_point_at_lengths(void **state)
{
	unsigned found = 0;

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);

		for (unsigned i = 0; i < row->args_cnt; i++) {
			const struct contract_arg *arg = &row->args[i];

			assert_int_equal(arg->size_arg != 0, arg->type == ARG_BYTES);
			if (!arg->size_arg)
				continue;
			found++;
			assert_in_range(arg->size_arg, 1, row->args_cnt);
			assert_int_not_equal(arg->size_arg, i + 1);
			assert_int_equal(row->args[arg->size_arg - 1].type, ARG_UINT64);
			assert_int_equal(row->args[arg->size_arg - 1].code_type, ARG_UINT64);
			/* The decoder reads the length before the bytes. */
			assert_in_range(arg->size_arg, 1, i);
		}
	}
	assert_true(found >= 2);
}

static void
test_value_names(void **state)
{
	const struct contract_tracepoint *flush = contract_get(TP_UTXOCACHE_FLUSH);
	const struct contract_tracepoint *closed = contract_get(TP_NET_CLOSED_CONNECTION);
	unsigned found = 0;

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);

		for (unsigned i = 0; i < row->args_cnt; i++) {
			const char *const *names = row->args[i].value_names;
			size_t cnt = 0;

			if (!names)
				continue;
			found++;
			/* The formatter uses names only for unsigned values. */
			assert_int_equal(row->args[i].code_type, ARG_UINT32);
			for (; names[cnt]; cnt++)
				for (size_t j = 0; j < cnt; j++)
					assert_string_not_equal(names[cnt], names[j]);
			assert_in_range(cnt, 2, 16);
		}
	}
	assert_true(found >= 5);
	assert_string_equal(flush->args[1].value_names[0], "NONE");
	assert_string_equal(flush->args[1].value_names[3], "FORCE_FLUSH");
	assert_string_equal(flush->args[1].value_names[4], "FORCE_SYNC");
	assert_null(flush->args[1].value_names[5]);
	assert_string_equal(closed->args[3].value_names[3], "Onion");
	assert_string_equal(closed->args[3].value_names[6], "internal");
	assert_null(closed->args[3].value_names[7]);
}

/* Every type that the code does not pass as documented is explained, and these are all of them. (An argument of the
 * right type may have a difference of meaning.) */
static void
test_differences(void **state)
{
	static const char *const differing[] = {
		"net:evicted_inbound_connection established",
		"net:closed_connection established",
		"validation:block_connected sigops",
		"validation:block_connected duration",
	};
	size_t found = 0, told = 0;

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);

		for (unsigned i = 0; i < row->args_cnt; i++) {
			const struct contract_arg *arg = &row->args[i];
			char name[128];

			told += arg->difference != NULL;
			if (arg->type == arg->code_type)
				continue;
			snprintf(name, sizeof(name), "%s %s", row->full_name, arg->name);
			assert_in_range(found, 0, sizeof(differing) / sizeof(differing[0]) - 1);
			assert_string_equal(name, differing[found++]);
			assert_non_null(arg->difference);
			/* Same width and kind: only the sign may differ, or the probes would read something
			 * else. */
			assert_int_equal(arg_type_width(arg->type, 8), arg_type_width(arg->code_type, 8));
			assert_int_equal(is_pointer(arg->type), is_pointer(arg->code_type));
			assert_int_not_equal(arg_type_is_signed(arg->type),
					     arg_type_is_signed(arg->code_type));
			assert_non_null(strstr(arg->difference, "documented as"));
		}
	}
	assert_int_equal(found, sizeof(differing) / sizeof(differing[0]));
	/* Besides these four, at least: the network of four connections, inputs, and the height of spent and uncache.
	 */
	assert_true(told >= found + 4 + 1 + 2);
	assert_non_null(contract_get(TP_COIN_SELECTION_SELECTED_COINS)->difference);
}

static void
test_names_are_unique(void **state)
{
	(void)state;
	for (unsigned a = 0; a < TRACEPOINTS_CNT; a++)
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(contract_get(a)->full_name, contract_get(b)->full_name);
}

static void
test_find_goes_round(void **state)
{
	static const char *const unknown[][2] = {
		{"net", "added"},
		{"mempool", "inbound_message"},
		{"net", ""},
		{"", "inbound_message"},
		{"", ""},
		{"net", "inbound_messag"},
		{"net", "inbound_message2"},
		{"NET", "inbound_message"},
		{"net:inbound_message", "inbound_message"},
	};

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);
		char context[64], name[64];

		/* Copies, so that pointers differ. */
		snprintf(context, sizeof(context), "%s", row->context);
		snprintf(name, sizeof(name), "%s", row->name);
		assert_ptr_equal(contract_find(context, name), row);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_null(contract_find(unknown[i][0], unknown[i][1]));
}

static void
test_interface_of_master(void **state)
{
	(void)state;
	unsigned released = 0;

	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++)
		released += contract_get(id)->since < RELEASE_MASTER;
	if (released != sizeof(interface) / sizeof(interface[0]))
		fail_msg("%u tracepoints are in a release; the list in this test has %zu", released,
			 sizeof(interface) / sizeof(interface[0]));
	for (size_t n = 0; n < sizeof(interface) / sizeof(interface[0]); n++) {
		char context[64], widths[128] = "";
		size_t len = 0, colon = strcspn(interface[n].full_name, ":");

		snprintf(context, sizeof(context), "%.*s", (int)colon, interface[n].full_name);
		const struct contract_tracepoint *row =
			contract_find(context, interface[n].full_name + colon + 1);
		if (!row)
			fail_msg("there is no row for %s", interface[n].full_name);

		for (unsigned i = 0; i < row->args_cnt; i++) {
			enum arg_type type = row->args[i].code_type;

			len += (size_t)snprintf(widths + len, sizeof(widths) - len, "%s%s%u", i ? " " : "",
						arg_type_is_signed(type) ? "-" : "", arg_type_width(type, 8));
		}
		if (strcmp(widths, interface[n].widths) != 0)
			fail_msg("%s has widths %s, in bitcoind they are %s", row->full_name, widths,
				 interface[n].widths);
		assert_int_equal(row->since, interface[n].since);
	}
}

static void
test_types(void **state)
{
	static const struct {
		enum arg_type type;
		unsigned width;
		bool is_signed;
	} expected[TYPES_CNT] = {
		{ARG_INT64, 8, true}, {ARG_UINT64, 8, false}, {ARG_INT32, 4, true},   {ARG_UINT32, 4, false},
		{ARG_BOOL, 1, false}, {ARG_HASH, 0, false},   {ARG_STRING, 0, false}, {ARG_BYTES, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < TYPES_CNT; i++) {
		enum arg_type type = expected[i].type;

		assert_int_equal(arg_type_width(type, 8), expected[i].width ? expected[i].width : 8);
		assert_int_equal(arg_type_width(type, 4), expected[i].width ? expected[i].width : 4);
		assert_int_equal(arg_type_is_signed(type), expected[i].is_signed);
		assert_string_not_equal(arg_type_name(type), "?");
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(arg_type_name(type), arg_type_name(expected[j].type));
	}
	assert_string_equal(arg_type_name(ARG_UINT64), "uint64");
	assert_string_equal(arg_type_name(ARG_BOOL), "bool");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_complete),
		cmocka_unit_test(test_args_are_complete),
		cmocka_unit_test(test_sizes_point_at_lengths),
		cmocka_unit_test(test_value_names),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_names_are_unique),
		cmocka_unit_test(test_find_goes_round),
		cmocka_unit_test(test_interface_of_master),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
