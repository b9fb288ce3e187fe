/* Which tracepoints of a binary are traced, and under which names. */
#include "trace/selection.h"

#include "trace/args.h"
#include "trace/where.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct site
site_of(const char *provider, const char *name)
{
	struct site site = {.file_offset = 0x1000, .address = 0x1000, .address_bytes = 8};

	snprintf(site.provider, sizeof(site.provider), "%s", provider);
	snprintf(site.name, sizeof(site.name), "%s", name);
	return site;
}

static void
add_arg(struct site *site, int width)
{
	site->args[site->args_cnt++] = (struct operand){.kind = OPERAND_REGISTER,
							.width_bytes = (uint8_t)abs(width),
							.is_signed = width < 0,
							.base = REGISTER_AX};
}

/* A site that matches the row of the contract. */
static struct site
documented(enum tracepoint_id id)
{
	const struct contract_tracepoint *row = contract_get(id);
	struct site site = site_of(row->context, row->name);

	for (unsigned i = 0; i < row->args_cnt; i++)
		add_arg(&site, (arg_type_is_signed(row->args[i].code_type) ? -1 : 1) *
				       (int)contract_arg_width(&row->args[i], 8));
	return site;
}

static struct selection_opts
opts_of(const char *const *patterns, size_t cnt)
{
	return (struct selection_opts){.release = RELEASE_MASTER, .patterns = patterns, .patterns_cnt = cnt};
}

static void
must(int err, const struct diag *diag)
{
	if (err)
		fail_msg("%s", diag->text);
}

static void
test_patterns(void **state)
{
	struct site sites[] = {documented(TP_UTXOCACHE_ADD), documented(TP_NET_INBOUND_MESSAGE),
			       site_of("qemu", "thing"), documented(TP_UTXOCACHE_ADD),
			       documented(TP_UTXOCACHE_SPENT)};
	const char *utxocache[] = {"utxocache:*"}, *two[] = {"qemu:thing", "*:inbound_*"}, *all[] = {"*"},
		   *none[] = {"utxocache:add", "utxocache:spend"};
	struct selection selection;
	struct selection_opts opts = opts_of(NULL, 0);
	struct diag diag;

	(void)state;
	/* No pattern: everything documented. */
	must(selection_make(&selection, sites, 5, &opts, &diag), &diag);
	assert_int_equal(selection.points_cnt, 4);
	assert_non_null(selection_row(&selection, TP_UTXOCACHE_ADD));
	assert_null(selection_row(&selection, TRACEPOINTS_CNT));
	selection_fini(&selection);
	opts = opts_of(utxocache, 1);
	must(selection_make(&selection, sites, 5, &opts, &diag), &diag);
	assert_int_equal(selection.points_cnt, 3);
	assert_null(selection_row(&selection, TP_NET_INBOUND_MESSAGE));
	selection_fini(&selection);
	opts = opts_of(two, 2);
	must(selection_make(&selection, sites, 5, &opts, &diag), &diag);
	assert_int_equal(selection.points_cnt, 2);
	assert_string_equal(selection_row(&selection, TRACEPOINTS_CNT)->full_name, "qemu:thing");
	selection_fini(&selection);
	opts = opts_of(all, 1);
	must(selection_make(&selection, sites, 5, &opts, &diag), &diag);
	assert_int_equal(selection.points_cnt, 5);
	selection_fini(&selection);
	opts = opts_of(none, 2);
	assert_int_equal(selection_make(&selection, sites, 5, &opts, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "'utxocache:spend'"));
	assert_non_null(strstr(diag.text, "net:inbound_message, qemu:thing, utxocache:add, utxocache:spent"));
	selection_fini(&selection);
}

static void
test_nothing_documented(void **state)
{
	struct site sites[] = {site_of("qemu", "thing"), site_of("qemu", "nowhere")};
	struct selection_opts opts = opts_of(NULL, 0);
	struct selection selection;
	struct diag diag;

	(void)state;
	sites[1].file_offset = 0;
	must(selection_make(&selection, sites, 2, &opts, &diag), &diag);
	assert_int_equal(selection.points_cnt, 1);
	selection_fini(&selection);
	assert_int_equal(selection_make(&selection, sites + 1, 1, &opts, &diag), -ENODATA);
	selection_fini(&selection);
	assert_int_equal(selection_make(&selection, NULL, 0, &opts, &diag), -ENODATA);
	selection_fini(&selection);
}

static void
test_no_more_than_a_mask_holds(void **state)
{
	struct site sites[SELECTION_MAX + 1];
	const char *all[] = {"*"};
	struct selection_opts opts = opts_of(all, 1);
	struct selection selection;
	struct diag diag;
	size_t room = SELECTION_MAX - TRACEPOINTS_CNT;
	char name[16];

	(void)state;
	for (size_t i = 0; i <= room; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		sites[i] = site_of("p", name);
	}
	must(selection_make(&selection, sites, room, &opts, &diag), &diag);
	for (size_t i = 0; i < selection.points_cnt; i++)
		assert_true(selection.points[i].tracepoint < 64);
	selection_fini(&selection);
	assert_int_equal(selection_make(&selection, sites, room + 1, &opts, &diag), -E2BIG);
	assert_non_null(strstr(diag.text, "name fewer"));
	selection_fini(&selection);
}

static struct event
decode(const struct selection *selection, uint64_t a, uint64_t b)
{
	struct {
		struct record_head head;
		struct record_arg args[2];
	} record = {.head = {.args_cnt = 2, .size = sizeof(record)}, .args = {{.value = a}, {.value = b}}};
	struct event event;

	assert_int_equal(selection_decode(selection, &record, sizeof(record), &event), 0);
	return event;
}

static void
test_undocumented_arguments_by_width_and_sign(void **state)
{
	struct site site = site_of("qemu", "thing");
	struct selection_opts opts = opts_of(NULL, 0);
	struct selection selection;
	struct diag diag;
	char room[16];

	(void)state;
	add_arg(&site, -2);
	add_arg(&site, 4);
	must(selection_make(&selection, &site, 1, &opts, &diag), &diag);
	struct event event = decode(&selection, 0xfffe, 0xfffffffe);
	assert_int_equal(event.args[0].type, VALUE_INT);
	assert_int_equal(event.args[0].i, -2);
	assert_int_equal(event.args[1].type, VALUE_UINT);
	assert_true(event.args[1].u == 0xfffffffe);
	const struct contract_tracepoint *row = selection_row(&selection, event.tracepoint);
	assert_string_equal(args_name(row, 1, room), "arg2");
	assert_string_equal(args_name(row, 7, room), "arg8");
	assert_int_equal(selection.differences.cnt, 0);
	selection_fini(&selection);
}

/* mempool:rejected is documented with a hash and a string; here it has two numbers. */
static void
test_notes_that_differ_are_followed(void **state)
{
	struct site site = site_of("mempool", "rejected"), more = documented(TP_MEMPOOL_ADDED);
	struct selection_opts opts = opts_of(NULL, 0);
	struct selection selection;
	struct diag diag;

	(void)state;
	add_arg(&site, 4);
	add_arg(&site, -4);
	must(selection_make(&selection, &site, 1, &opts, &diag), &diag);
	assert_int_equal(selection.differences.cnt, 2);
	struct event event = decode(&selection, 7, 0xffffffff);
	assert_int_equal(event.args[0].state, VALUE_READ);
	assert_true(event.args[0].u == 7);
	assert_int_equal(event.args[1].i, -1);
	assert_string_equal(selection_row(&selection, TP_MEMPOOL_REJECTED)->args[1].name, "reason");
	selection_fini(&selection);
	/* More arguments than names. */
	add_arg(&more, -8);
	must(selection_make(&selection, &more, 1, &opts, &diag), &diag);
	assert_int_equal(selection.differences.cnt, 1);
	assert_int_equal(selection.points[0].site->args_cnt, 4);
	selection_fini(&selection);
}

static void
test_payloads_only_when_asked_for(void **state)
{
	struct site site = documented(TP_NET_INBOUND_MESSAGE);
	struct selection_opts opts = opts_of(NULL, 0);
	struct selection selection;
	struct diag diag;

	(void)state;
	must(selection_make(&selection, &site, 1, &opts, &diag), &diag);
	const struct contract_tracepoint *row = selection_row(&selection, TP_NET_INBOUND_MESSAGE);
	assert_int_equal(selection.points[0].slots[5].reader, READER_INTEGER);
	assert_int_equal(selection.points[0].record_bytes, selection.points[0].fixed_bytes);
	assert_int_equal(selection.differences.cnt, 0);
	assert_false(selection_shows(row, 5, &(struct value){.type = VALUE_UINT}));
	assert_true(selection_shows(row, 4, &(struct value){.type = VALUE_UINT}));
	selection_fini(&selection);
	opts.payload_bytes = 100;
	must(selection_make(&selection, &site, 1, &opts, &diag), &diag);
	row = selection_row(&selection, TP_NET_INBOUND_MESSAGE);
	assert_int_equal(selection.points[0].slots[5].reader, READER_PAYLOAD);
	assert_int_equal(selection.points[0].record_bytes, selection.points[0].fixed_bytes + 100);
	assert_true(selection_shows(row, 5, &(struct value){.type = VALUE_BYTES}));
	selection_fini(&selection);
	opts.payload_bytes = RECORD_PAYLOAD_BYTES;
	must(selection_make(&selection, &site, 1, &opts, &diag), &diag);
	assert_int_equal(selection.points[0].slots[5].slot_bytes, RECORD_PAYLOAD_BYTES);
	selection_fini(&selection);
}

/* A release that was guessed too low: a later tracepoint has its names, the others are as they were in that release. */
static void
test_releases(void **state)
{
	struct site sites[] = {documented(TP_NET_MISBEHAVING_CONNECTION),
			       documented(TP_VALIDATION_BLOCK_CONNECTED)};
	struct selection_opts opts = opts_of(NULL, 0);
	struct selection selection;
	struct diag diag;

	(void)state;
	opts.release = 24;
	must(selection_make(&selection, sites, 2, &opts, &diag), &diag);
	assert_string_equal(selection_row(&selection, TP_NET_MISBEHAVING_CONNECTION)->args[1].name, "reason");
	assert_string_equal(selection_row(&selection, TP_VALIDATION_BLOCK_CONNECTED)->args[5].unit, "us");
	selection_fini(&selection);
}

/* --by=name or --of=name, for inbound_message, add and an undocumented tracepoint: NULL if that is accepted. */
static void
name(bool is_by, const char *name, const char *want)
{
	struct site sites[] = {documented(TP_NET_INBOUND_MESSAGE), documented(TP_UTXOCACHE_ADD),
			       site_of("qemu", "thing")};
	const char *all[] = {"*"}, *names[] = {is_by ? "pid" : "size", name};
	struct selection_opts opts = opts_of(all, 1);
	struct selection selection;
	struct diag diag = {""};

	add_arg(&sites[2], -4);
	*(is_by ? &opts.by : &opts.of) = (struct argument_names){names, 2};
	int err = selection_make(&selection, sites, 3, &opts, &diag);
	selection_fini(&selection);
	if (!want) {
		must(err, &diag);
		return;
	}
	assert_int_equal(err, strstr(want, "no selected") ? -ENOENT : -EDOM);
	assert_string_equal(diag.text, want);
}

/* A name is one of at least one of the tracepoints, and for --of a number there. */
static void
test_names_for_statistics(void **state)
{
	(void)state;
	name(true, "txid", NULL);
	name(true, "message_type", NULL);
	name(true, "is_coinbase", NULL);
	name(true, "arg1", NULL);
	name(true, "pid", NULL);
	name(true, "arg2",
	     "--by=arg2: no selected tracepoint has an argument 'arg2'; they have peer_id, address, connection_type, message_type, size, arg1, txid, vout, height, value, is_coinbase");
	name(true, "payload",
	     "--by=payload: payload of net:inbound_message is not read; they have peer_id, address, connection_type, message_type, size, arg1, txid, vout, height, value, is_coinbase");
	name(false, "vout", NULL);
	name(false, "arg1", NULL);
	name(false, "pid",
	     "--of=pid: no selected tracepoint has an argument 'pid'; these can be measured: peer_id, size, arg1, vout, height, value");
	name(false, "txid",
	     "--of=txid: txid of utxocache:add is no number; these can be measured: peer_id, size, arg1, vout, height, value");
	name(false, "is_coinbase",
	     "--of=is_coinbase: is_coinbase of utxocache:add is no number; these can be measured: peer_id, size, arg1, vout, height, value");
	name(false, "payload",
	     "--of=payload: payload of net:inbound_message is no number; these can be measured: peer_id, size, arg1, vout, height, value");
}

/* Conditions leave tracepoints out, and their arguments with them. */
static void
test_names_beside_conditions(void **state)
{
	struct site sites[] = {documented(TP_NET_INBOUND_MESSAGE), documented(TP_UTXOCACHE_ADD)};
	const char *names[] = {"size"};
	struct where_term term;
	struct selection_opts opts = {
		.release = RELEASE_MASTER, .where = &term, .where_cnt = 1, .by = {names, 1}};
	struct selection selection;
	struct diag diag;

	(void)state;
	must(where_parse("vout=1", &term, &diag), &diag);
	assert_int_equal(selection_make(&selection, sites, 2, &opts, &diag), -ENOENT);
	assert_string_equal(
		diag.text,
		"--by=size: no selected tracepoint has an argument 'size'; they have txid, vout, height, value, is_coinbase");
	selection_fini(&selection);
}

static void
test_malformed_records(void **state)
{
	struct site site = site_of("qemu", "thing");
	struct selection_opts opts = opts_of(NULL, 0);
	struct record_head head = {.point = 1, .size = sizeof(head)};
	struct selection selection;
	struct event event;
	struct diag diag;

	(void)state;
	must(selection_make(&selection, &site, 1, &opts, &diag), &diag);
	assert_int_equal(selection_decode(&selection, &head, sizeof(head), &event), -EBADMSG);
	assert_int_equal(selection_decode(&selection, &head, 8, &event), -EBADMSG);
	head.point = 0;
	assert_int_equal(selection_decode(&selection, &head, sizeof(head), &event), 0);
	selection_fini(&selection);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_nothing_documented),
		cmocka_unit_test(test_no_more_than_a_mask_holds),
		cmocka_unit_test(test_undocumented_arguments_by_width_and_sign),
		cmocka_unit_test(test_notes_that_differ_are_followed),
		cmocka_unit_test(test_payloads_only_when_asked_for),
		cmocka_unit_test(test_releases),
		cmocka_unit_test(test_names_for_statistics),
		cmocka_unit_test(test_names_beside_conditions),
		cmocka_unit_test(test_malformed_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
