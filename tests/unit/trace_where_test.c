/* What --where means: compared with the arithmetic of numbers of 128 bits, for every width and sign. */
#include "trace/selection.h"
#include "trace/where.h"

#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

__extension__ typedef __int128 wide;

static const char *const operator_texts[] = {"=", "!=", "<", ">", "<=", ">="};

/* One argument, and a record with it. */
struct draft {
	struct contract_tracepoint row;
	struct site site;
	struct probe_point point;
	struct {
		struct record_head head;
		struct record_arg arg;
		uint8_t bytes[RECORD_STRING_BYTES];
	} record;
};

static void
draft_argument(struct draft *draft, const struct contract_arg *arg, unsigned width_bytes, bool is_signed)
{
	*draft = (struct draft){.row = {.full_name = "a:b", .args_cnt = 1}, .site = {.args_cnt = 1}};
	draft->row.args[0] = *arg;
	draft->row.args[0].name = "x";
	draft->site.args[0] = (struct operand){
		.kind = OPERAND_REGISTER, .width_bytes = (uint8_t)width_bytes, .is_signed = is_signed};
	contract_plan(&draft->row, &draft->site, &draft->point);
}

static bool
holds(const struct draft *draft, const char *text)
{
	struct where_term term;
	struct condition condition;
	struct diag diag;
	char record[sizeof(draft->record) + 1];

	assert_int_equal(where_parse(text, &term, &diag), 0);
	assert_true(where_has_argument(&term, &draft->row, &draft->site));
	if (where_compile(&term, &draft->row, &draft->point, &condition, &diag))
		fail_msg("%s", diag.text);
	/* Not aligned, as in a ring. */
	memcpy(record + 1, &draft->record, sizeof(draft->record));
	return condition_holds(&condition, draft->point.slots, record + 1);
}

static const uint64_t edges[] = {0,
				 1,
				 2,
				 0x7f,
				 0x80,
				 0xff,
				 0x7fff,
				 0x8000,
				 0xffff,
				 0x7fffffff,
				 0x80000000,
				 0xffffffff,
				 0x100000000,
				 0x7ffffffffffffffe,
				 0x7fffffffffffffff,
				 0x8000000000000000,
				 0x8000000000000001,
				 0xffffffffffffffff};
#define EDGES_CNT (sizeof(edges) / sizeof(edges[0]))

static bool
compare(int op, wide a, wide b)
{
	const bool results[] = {a == b, a != b, a<b, a> b, a <= b, a >= b};

	return results[op];
}

/* A number as the argument shows it. */
static wide
shown(uint64_t raw, unsigned width_bytes, bool is_signed)
{
	wide value = raw;

	if (is_signed && raw >> (8 * width_bytes - 1))
		value -= (wide)1 << 8 * width_bytes;
	return value;
}

static void
compare_with(struct draft *draft, wide value, const char *literal, wide number)
{
	char text[64];

	for (int op = 0; op < 6; op++) {
		snprintf(text, sizeof(text), "x%s%s", operator_texts[op], literal);
		if (holds(draft, text) != compare(op, value, number))
			fail_msg("%s, raw 0x%llx, width %u", text,
				 (unsigned long long)draft->record.arg.value,
				 draft->site.args[0].width_bytes);
	}
}

static void
test_numbers(void **state)
{
	static const unsigned widths[] = {1, 2, 4, 8};
	char literal[32];
	struct draft draft;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		unsigned width = widths[i / 2];
		bool is_signed = i % 2;
		const struct contract_arg arg = {.code_type = is_signed ? ARG_INT64 : ARG_UINT64};

		draft_argument(&draft, &arg, width, is_signed);
		for (size_t v = 0; v < EDGES_CNT; v++) {
			uint64_t raw = width < 8 ? edges[v] & ((UINT64_C(1) << 8 * width) - 1) : edges[v];

			draft.record.arg.value = raw;
			for (size_t l = 0; l < EDGES_CNT; l++) {
				snprintf(literal, sizeof(literal), "%llu", (unsigned long long)edges[l]);
				compare_with(&draft, shown(raw, width, is_signed), literal, edges[l]);
				snprintf(literal, sizeof(literal), "%lld", (long long)edges[l]);
				compare_with(&draft, shown(raw, width, is_signed), literal,
					     (wide)(int64_t)edges[l]);
			}
		}
	}
}

/* What could not be read fulfils nothing. */
static void
test_unreadable(void **state)
{
	const struct contract_arg number = {.code_type = ARG_INT64}, string = {.code_type = ARG_STRING};
	struct draft draft;

	(void)state;
	draft_argument(&draft, &number, 8, true);
	draft.record.arg.flags = RECORD_OPERAND_FAILED;
	assert_false(holds(&draft, "x=0"));
	assert_false(holds(&draft, "x!=5"));
	assert_false(holds(&draft, "x<18446744073709551615")); /* otherwise always true */
	draft_argument(&draft, &string, 8, false);
	draft.record.arg.flags = RECORD_POINTER_FAILED;
	assert_false(holds(&draft, "x="));
	assert_false(holds(&draft, "x!=a"));
	assert_false(holds(&draft, "x~*"));
	/* Pointers of a wrong width are not followed. */
	draft_argument(&draft, &string, 4, false);
	assert_false(holds(&draft, "x!=a"));
	assert_false(holds(&draft, "x~*"));
}

static void
put_string(struct draft *draft, const char *text)
{
	size_t len = strlen(text) + 1;

	memset(draft->record.bytes, 0xee, sizeof(draft->record.bytes));
	memcpy(draft->record.bytes, text, len);
	draft->record.arg.len = (uint32_t)len;
}

static void
test_strings(void **state)
{
	const struct contract_arg string = {.code_type = ARG_STRING};
	char longest[CONDITION_BYTES_MAX + 3] = "x=";
	struct draft draft;

	(void)state;
	draft_argument(&draft, &string, 8, false);
	put_string(&draft, "ping");
	assert_true(holds(&draft, "x=ping"));
	assert_true(holds(&draft, "x==ping"));
	assert_false(holds(&draft, "x=pin"));
	assert_false(holds(&draft, "x=pingg"));
	assert_false(holds(&draft, "x=Ping"));
	assert_false(holds(&draft, "x="));
	assert_false(holds(&draft, "x!=ping"));
	assert_true(holds(&draft, "x!=pin"));
	assert_true(holds(&draft, "x~p*"));
	assert_true(holds(&draft, "x~p?ng"));
	assert_true(holds(&draft, "x~[!q]ing"));
	assert_false(holds(&draft, "x~p"));
	put_string(&draft, "");
	assert_true(holds(&draft, "x="));
	assert_true(holds(&draft, "x~*"));
	assert_false(holds(&draft, "x!="));
	put_string(&draft, "a/b=c ~<");
	assert_true(holds(&draft, "x=a/b=c ~<"));
	assert_true(holds(&draft, "x~a*"));
	memset(longest + 2, 'y', CONDITION_BYTES_MAX);
	put_string(&draft, longest + 2);
	assert_true(holds(&draft, longest));
	/* Only the first bytes were read. */
	memset(draft.record.bytes, 'y', sizeof(draft.record.bytes));
	draft.record.bytes[sizeof(draft.record.bytes) - 1] = '\0';
	draft.record.arg.len = sizeof(draft.record.bytes);
	draft.record.arg.flags = RECORD_CUT;
	assert_false(holds(&draft, "x=y"));
	assert_true(holds(&draft, "x!=y"));
	assert_true(holds(&draft, "x~yy*"));
}

static void
test_hashes(void **state)
{
	const struct contract_arg hash = {.code_type = ARG_HASH};
	static const char hex[] = "000000000000000000001122334455667788990011223344556677889900aabb";
	struct draft draft;
	char text[80];

	(void)state;
	draft_argument(&draft, &hash, 8, false);
	assert_true(parse_hash(hex, draft.record.bytes));
	draft.record.arg.len = RECORD_HASH_BYTES;
	snprintf(text, sizeof(text), "x=%s", hex);
	assert_true(holds(&draft, text));
	snprintf(text, sizeof(text), "x!=%s", hex);
	assert_false(holds(&draft, text));
	assert_true(holds(&draft, "x~0000*aabb"));
	assert_false(holds(&draft, "x~bbaa*"));
	draft.record.bytes[31] ^= 1;
	assert_true(holds(&draft, text));
}

static void
test_names(void **state)
{
	static const char *const names[] = {"NONE", "IF_NEEDED", NULL};
	const struct contract_arg mode = {.code_type = ARG_UINT32, .value_names = names};
	const struct contract_arg flag = {.code_type = ARG_BOOL};
	struct draft draft;

	(void)state;
	draft_argument(&draft, &mode, 4, false);
	draft.record.arg.value = 1;
	assert_true(holds(&draft, "x=IF_NEEDED"));
	assert_true(holds(&draft, "x=if_needed"));
	assert_true(holds(&draft, "x=1"));
	assert_true(holds(&draft, "x>NONE"));
	assert_false(holds(&draft, "x=NONE"));
	draft_argument(&draft, &flag, 1, false);
	draft.record.arg.value = 1;
	assert_true(holds(&draft, "x=true"));
	assert_true(holds(&draft, "x!=false"));
	assert_true(holds(&draft, "x=1"));
	/* Neither. */
	draft.record.arg.value = 2;
	assert_false(holds(&draft, "x=true"));
	assert_false(holds(&draft, "x=false"));
}

static void
test_form(void **state)
{
	static const char *const bad[] = {"",    "x",     "=1",    "x 1",  "x = 1", "x =1", "x!1",
					  "X=1", "x-y=1", "x:y=1", " x=1", "x!",    "*=1",  "x&1"};
	char longest[100] = "";
	struct where_term term;
	struct diag diag;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(where_parse(bad[i], &term, &diag), -EINVAL);
		assert_non_null(strstr(diag.text, "is not of the form NAME=VALUE"));
	}
	memset(longest, 'x', 80);
	longest[80] = '=';
	assert_int_equal(where_parse(longest, &term, &diag), -EINVAL);
	assert_int_equal(where_parse("peer_id<=-7", &term, &diag), 0);
	assert_string_equal(term.name, "peer_id");
	assert_int_equal(term.op, CONDITION_LE);
	assert_string_equal(term.value, "-7");
}

static void
complains(const struct contract_arg *arg, unsigned width_bytes, const char *text, const char *want)
{
	struct draft draft;
	struct where_term term;
	struct condition condition;
	struct diag diag;

	draft_argument(&draft, arg, width_bytes, arg_type_is_signed(arg->code_type));
	assert_int_equal(where_parse(text, &term, &diag), 0);
	assert_int_equal(where_compile(&term, &draft.row, &draft.point, &condition, &diag), -EDOM);
	if (!strstr(diag.text, want) || !strstr(diag.text, text))
		fail_msg("'%s' is not in '%s'", want, diag.text);
}

static void
test_wrong_types(void **state)
{
	static const char *const names[] = {"NONE", "IF_NEEDED", NULL};
	const struct contract_arg number = {.code_type = ARG_INT64}, hash = {.code_type = ARG_HASH},
				  string = {.code_type = ARG_STRING}, flag = {.code_type = ARG_BOOL},
				  mode = {.code_type = ARG_UINT32, .value_names = names},
				  payload = {.type = ARG_BYTES, .code_type = ARG_UINT64};
	char longest[200] = "x=";

	(void)state;
	complains(&number, 8, "x=a", "--where='x=a': x of a:b is a whole number, not 'a'");
	complains(&number, 8, "x=1.5", "is a whole number");
	complains(&number, 8, "x= 1", "is a whole number");
	complains(&number, 8, "x=", "is a whole number");
	complains(&number, 8, "x=-9223372036854775809", "is a whole number");
	complains(&number, 8, "x=18446744073709551616", "is a whole number");
	complains(&number, 8, "x~1*", "is a number: compare it by = != < > <= >=");
	complains(&flag, 1, "x=yes", "is true or false, not 'yes'");
	complains(&mode, 4, "x=ALL", "is a whole number, not 'ALL'; its names are NONE, IF_NEEDED");
	complains(&hash, 8, "x=00", "is 64 hex digits");
	complains(&hash, 8, "x<00", "is a hash: compare it by = != ~");
	complains(&string, 8, "x<a", "is a string: compare it by = != ~");
	complains(&payload, 8, "x=1", "has no value that could be compared");
	memset(longest + 2, 'y', CONDITION_BYTES_MAX + 1);
	complains(&string, 8, longest, "at most 128 bytes");
}

/* Selections: tracepoints without the argument are left out. */
static void
test_selection(void **state)
{
	struct site sites[2] = {{.provider = "net", .name = "closed_connection", .file_offset = 1},
				{.provider = "utxocache", .name = "flush", .file_offset = 2}};
	struct where_term terms[2];
	struct selection_opts opts = {.release = RELEASE_MASTER, .where = terms, .where_cnt = 1};
	struct selection selection;
	struct diag diag;

	(void)state;
	for (int s = 0; s < 2; s++) {
		const struct contract_tracepoint *row = contract_find(sites[s].provider, sites[s].name);

		sites[s].args_cnt = row->args_cnt;
		for (unsigned i = 0; i < row->args_cnt; i++)
			sites[s].args[i] = (struct operand){
				.kind = OPERAND_REGISTER,
				.width_bytes = (uint8_t)contract_arg_width(&row->args[i], 8),
				.is_signed = arg_type_is_signed(row->args[i].code_type),
			};
	}
	assert_int_equal(where_parse("peer_id=17", &terms[0], &diag), 0);
	assert_int_equal(selection_make(&selection, sites, 2, &opts, &diag), 0);
	assert_int_equal(selection.points_cnt, 1);
	assert_non_null(selection.rows[TP_NET_CLOSED_CONNECTION]);
	assert_null(selection.rows[TP_UTXOCACHE_FLUSH]);
	assert_int_equal(selection.points[0].conditions_cnt, 1);
	selection_fini(&selection);
	/* A misspelt name. */
	assert_int_equal(where_parse("peerid=17", &terms[0], &diag), 0);
	assert_int_equal(selection_make(&selection, sites, 2, &opts, &diag), -ENOENT);
	assert_string_equal(
		diag.text,
		"--where='peerid=17': no selected tracepoint has an argument 'peerid'; they have peer_id, address, connection_type, network, established, duration, mode, coins, memory, for_prune");
	selection_fini(&selection);
	/* Names that no tracepoint has together. */
	assert_int_equal(where_parse("peer_id=17", &terms[0], &diag), 0);
	assert_int_equal(where_parse("mode=1", &terms[1], &diag), 0);
	opts.where_cnt = 2;
	assert_int_equal(selection_make(&selection, sites, 2, &opts, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "has all the arguments that --where names"));
	selection_fini(&selection);
	opts.where_cnt = 1;
	assert_int_equal(where_parse("peer_id=x", &terms[0], &diag), 0);
	assert_int_equal(selection_make(&selection, sites, 2, &opts, &diag), -EDOM);
	selection_fini(&selection);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),     cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_strings),     cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_names),       cmocka_unit_test(test_form),
		cmocka_unit_test(test_wrong_types), cmocka_unit_test(test_selection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
