/* From a site to the plan of its records, from a record to an event, from an event to text. */
#include "base/buf.h"
#include "base/text.h"
#include "contract/contract.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Helpers: a site that fits a row, and a record as a probe would write it */

static struct site
matching_site(const struct contract_tracepoint *row)
{
	struct site site = {.args_cnt = row->args_cnt};

	for (unsigned i = 0; i < row->args_cnt; i++)
		site.args[i] = (struct operand){
			.kind = OPERAND_REGISTER,
			.width_bytes = (uint8_t)arg_type_width(row->args[i].code_type, 8),
			.is_signed = arg_type_is_signed(row->args[i].code_type),
		};
	return site;
}

struct draft {
	const struct contract_tracepoint *row;
	struct site site;
	struct probe_point point;
	struct record_head head;
	struct record_arg args[SITE_ARGS_MAX];
	/* What follows the arguments, at the offsets of the plan. */
	uint8_t bytes[RECORD_PAYLOAD_BYTES + 8192];
};

static void
put_head(struct draft *draft)
{
	draft->head.args_cnt = (uint16_t)draft->site.args_cnt;
	draft->head.size = draft->point.fixed_bytes;
}

/* A record of zeros for the site. */
static void
plan(struct draft *draft)
{
	contract_plan(draft->row, &draft->site, &draft->point);
	draft->head = (struct record_head){
		.time_ns = 1234567890123, .seq = 17, .tid = 4242, .generation = 3, .point = 5};
	memset(draft->args, 0, sizeof(draft->args));
	memset(draft->bytes, 0, sizeof(draft->bytes));
	put_head(draft);
}

static struct draft *
draft_new(enum tracepoint_id id)
{
	struct draft *draft = calloc(1, sizeof(*draft));

	assert_non_null(draft);
	draft->row = contract_get(id);
	draft->site = matching_site(draft->row);
	plan(draft);
	return draft;
}

/* Adds what the pointer of argument i points to; a payload makes the record longer. */
static void
put_bytes(struct draft *draft, unsigned i, const void *bytes, size_t len)
{
	const struct record_slot *slot = &draft->point.slots[i];

	assert_int_not_equal(slot->reader, READER_INTEGER);
	assert_in_range(slot->slot_offset + len, 0, sizeof(draft->bytes));
	memcpy(draft->bytes + slot->slot_offset, bytes, len);
	draft->args[i].len = (uint32_t)len;
	if (slot->reader == READER_PAYLOAD)
		draft->head.size = slot->slot_offset + (uint32_t)len;
}

/* The record in memory of exactly sz bytes, so that sanitizers notice any read beyond it. */
static void *
record_new(const struct draft *draft, size_t sz)
{
	size_t args_sz = draft->site.args_cnt * sizeof(draft->args[0]);
	size_t whole = sizeof(draft->bytes);
	uint8_t *record = malloc(sz ? sz : 1), *all = malloc(whole);

	assert_non_null(record);
	assert_non_null(all);
	memcpy(all, draft->bytes, whole);
	memcpy(all, &draft->head, sizeof(draft->head));
	memcpy(all + sizeof(draft->head), draft->args, args_sz);
	assert_in_range(sz, 0, whole);
	memcpy(record, all, sz);
	free(all);
	return record;
}

/* Decodes; the event borrows from *record, which the caller frees. */
static void
decode(const struct draft *draft, struct event *event, void **record)
{
	*record = record_new(draft, draft->head.size);
	int code = contract_decode(draft->row, &draft->point, *record, draft->head.size, event);
	if (code)
		fail_msg("%s: %s", draft->row->full_name, strerror(-code));
	assert_int_equal(event->tracepoint, draft->row->id);
	assert_int_equal(event->site, draft->head.point);
	assert_true(event->time_ns == draft->head.time_ns);
	assert_int_equal(event->tid, draft->head.tid);
	assert_true(event->seq == draft->head.seq);
	assert_int_equal(event->args_cnt, draft->site.args_cnt);
}

static void
assert_bad(const struct draft *draft, size_t sz)
{
	struct event event;
	void *record = record_new(draft, sz);

	assert_int_equal(contract_decode(draft->row, &draft->point, record, sz, &event), -EBADMSG);
	free(record);
}

static void
assert_text(const struct draft *draft, const struct event *event, unsigned i, const char *want)
{
	struct buf got;

	buf_init(&got, 1 << 16);
	contract_format_value(&draft->row->args[i], &event->args[i], &got);
	assert_string_equal(got.data, want);
	buf_fini(&got);
}

/* Plan */

static void
test_plan_of_rows(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);
		struct site site = matching_site(row);
		struct probe_point point;
		uint32_t at =
			(uint32_t)(sizeof(struct record_head) + row->args_cnt * sizeof(struct record_arg));
		uint32_t payload = 0;

		contract_plan(row, &site, &point);
		assert_ptr_equal(point.site, &site);
		assert_int_equal(point.tracepoint, id);
		for (unsigned i = 0; i < row->args_cnt; i++) {
			const struct record_slot *slot = &point.slots[i];

			switch (row->args[i].code_type) {
			case ARG_HASH:
				assert_int_equal(slot->reader, READER_BLOCK);
				assert_int_equal(slot->slot_bytes, RECORD_HASH_BYTES);
				break;
			case ARG_STRING:
				assert_int_equal(slot->reader, READER_STRING);
				assert_int_equal(slot->slot_bytes, RECORD_STRING_BYTES);
				/* Room for the documented maximum, and its NUL. */
				assert_in_range(row->args[i].max_chars + 1, 1, slot->slot_bytes);
				break;
			case ARG_BYTES:
				assert_int_equal(slot->reader, READER_PAYLOAD);
				assert_int_equal(slot->slot_bytes, RECORD_PAYLOAD_BYTES);
				assert_int_equal(slot->size_idx, row->args[i].size_arg - 1);
				payload = slot->slot_bytes;
				break;
			default:
				assert_int_equal(slot->reader, READER_INTEGER);
				assert_int_equal(slot->slot_bytes, 0);
				break;
			}
			/* One after the other, aligned, with the payload at the end. */
			if (slot->reader != READER_INTEGER && slot->reader != READER_PAYLOAD) {
				assert_int_equal(slot->slot_offset, at);
				assert_int_equal(slot->slot_offset % 8, 0);
				at += slot->slot_bytes;
			}
		}
		for (unsigned i = 0; i < row->args_cnt; i++)
			if (point.slots[i].reader == READER_PAYLOAD)
				assert_int_equal(point.slots[i].slot_offset, at);
		assert_int_equal(point.fixed_bytes, at);
		assert_int_equal(point.record_bytes, at + payload);
	}
}

/* A pointer that cannot be followed is read as a number. */
static void
test_plan_of_odd_sites(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		const struct contract_tracepoint *row = contract_get(id);

		for (unsigned i = 0; i < row->args_cnt; i++) {
			for (unsigned width = 1; width <= 4; width *= 2) {
				struct site site = matching_site(row);
				struct probe_point point;

				site.args[i].width_bytes = (uint8_t)width;
				contract_plan(row, &site, &point);
				assert_int_equal(point.slots[i].reader, READER_INTEGER);
				assert_int_equal(point.slots[i].slot_bytes, 0);
			}
			struct site site = matching_site(row);
			struct probe_point point;

			site.args[i].kind = OPERAND_UNREADABLE;
			contract_plan(row, &site, &point);
			assert_int_equal(point.slots[i].reader, READER_INTEGER);
		}
	}
}

static void
test_plan_of_other_counts(void **state)
{
	const struct contract_tracepoint *row = contract_get(TP_MEMPOOL_REJECTED);
	struct site site = matching_site(row);
	struct probe_point point;

	(void)state;
	/* More than the row has: numbers. */
	site.args_cnt = SITE_ARGS_MAX;
	for (unsigned i = row->args_cnt; i < SITE_ARGS_MAX; i++)
		site.args[i] = (struct operand){.kind = OPERAND_REGISTER, .width_bytes = 8};
	contract_plan(row, &site, &point);
	assert_int_equal(point.slots[1].reader, READER_STRING);
	for (unsigned i = row->args_cnt; i < SITE_ARGS_MAX; i++)
		assert_int_equal(point.slots[i].reader, READER_INTEGER);
	assert_int_equal(point.fixed_bytes, sizeof(struct record_head) +
						    SITE_ARGS_MAX * sizeof(struct record_arg) +
						    RECORD_HASH_BYTES + RECORD_STRING_BYTES);

	/* Fewer: the bytes of a message without its length cannot be read. */
	row = contract_get(TP_NET_INBOUND_MESSAGE);
	struct contract_tracepoint swapped = *row;
	swapped.args[0] = row->args[5];
	site = matching_site(row);
	site.args[0] = site.args[5];
	site.args_cnt = 4;
	contract_plan(&swapped, &site, &point);
	assert_int_equal(point.slots[0].reader, READER_INTEGER);
	assert_int_equal(point.fixed_bytes, point.record_bytes);
	site.args_cnt = 5;
	contract_plan(&swapped, &site, &point);
	assert_int_equal(point.slots[0].reader, READER_PAYLOAD);
	assert_int_equal(point.slots[0].size_idx, 4);

	site.args_cnt = 0;
	contract_plan(row, &site, &point);
	assert_int_equal(point.fixed_bytes, sizeof(struct record_head));
	assert_int_equal(point.record_bytes, sizeof(struct record_head));
}

/* Decode: numbers */

static void
test_numbers(void **state)
{
	struct draft *draft = draft_new(TP_UTXOCACHE_FLUSH);
	struct event event;
	void *record;

	(void)state;
	draft->args[0].value = (uint64_t)-5;          /* duration: int64, us */
	draft->args[1].value = 4;                     /* mode: uint32 with names */
	draft->args[2].value = UINT64_MAX;            /* coins: uint64 */
	draft->args[3].value = UINT64_C(1) << 63 | 1; /* memory: uint64, B */
	draft->args[4].value = 1;                     /* for_prune: bool */
	decode(draft, &event, &record);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(event.args[i].state, VALUE_READ);
		assert_int_equal(event.args[i].error, 0);
		assert_true(event.args[i].u == draft->args[i].value);
		assert_null(event.args[i].bytes);
		assert_int_equal(event.args[i].len, 0);
	}
	assert_int_equal(event.args[0].type, VALUE_INT);
	assert_int_equal(event.args[1].type, VALUE_UINT);
	assert_int_equal(event.args[2].type, VALUE_UINT);
	assert_int_equal(event.args[4].type, VALUE_BOOL);
	assert_true(event.args[0].i == -5);
	assert_text(draft, &event, 0, "-5 us");
	assert_text(draft, &event, 1, "4 (FORCE_SYNC)");
	assert_text(draft, &event, 2, "18446744073709551615");
	assert_text(draft, &event, 3, "9223372036854775809 B");
	assert_text(draft, &event, 4, "true");
	free(record);

	/* Values outside of their enumeration or type are shown as they are. */
	draft->args[1].value = 5;
	draft->args[4].value = 2;
	decode(draft, &event, &record);
	assert_text(draft, &event, 1, "5");
	assert_text(draft, &event, 4, "2 (not a bool)");
	free(record);
	draft->args[1].value = 0;
	draft->args[4].value = 0;
	decode(draft, &event, &record);
	assert_text(draft, &event, 1, "0 (NONE)");
	assert_text(draft, &event, 4, "false");
	free(record);
	free(draft);
}

/* The record holds the operand's bits; the sign is that of the operand, whatever its width. */
static void
test_sign_extension(void **state)
{
	static const struct {
		unsigned width;
		uint64_t bits;
		int64_t value;
	} rows[] = {
		{1, 0x00, 0},
		{1, 0x7f, 127},
		{1, 0x80, -128},
		{1, 0xff, -1},
		{2, 0x7fff, 32767},
		{2, 0x8000, -32768},
		{2, 0x00ff, 255},
		{2, 0xffff, -1},
		{4, 0x7fffffff, 2147483647},
		{4, 0x80000000, INT64_C(-2147483648)},
		{4, 0x0000ffff, 65535},
		{4, 0xffffffff, -1},
		{8, UINT64_C(0x7fffffffffffffff), INT64_MAX},
		{8, UINT64_C(0x8000000000000000), INT64_MIN},
		{8, UINT64_C(0x00000000ffffffff), INT64_C(4294967295)},
		{8, UINT64_MAX, -1},
	};
	struct draft *draft = draft_new(TP_MEMPOOL_ADDED);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int is_signed = 0; is_signed < 2; is_signed++) {
			struct event event;
			void *record;

			draft->site.args[1].width_bytes = (uint8_t)rows[i].width;
			draft->site.args[1].is_signed = is_signed;
			plan(draft);
			draft->args[1].value = rows[i].bits;
			decode(draft, &event, &record);
			assert_int_equal(event.args[1].type, VALUE_INT);
			assert_true(event.args[1].u == rows[i].bits);
			if (is_signed)
				assert_true(event.args[1].i == rows[i].value);
			else
				assert_true(event.args[1].i == (int64_t)rows[i].bits);
			free(record);
		}
	free(draft);
}

/* Where the document says unsigned and the code passes signed, the event says what the code passed. */
static void
test_documented_otherwise(void **state)
{
	struct draft *draft = draft_new(TP_VALIDATION_BLOCK_CONNECTED);
	struct event event;
	void *record;

	(void)state;
	draft->args[1].value = 0xffffffff;
	draft->args[5].value = (uint64_t)-3;
	decode(draft, &event, &record);
	assert_int_equal(draft->row->args[5].type, ARG_UINT64);
	assert_int_equal(event.args[5].type, VALUE_INT);
	assert_true(event.args[5].i == -3);
	assert_text(draft, &event, 5, "-3 ns");
	assert_text(draft, &event, 1, "-1");
	free(record);
	free(draft);
}

static void
test_undocumented_arguments(void **state)
{
	struct draft *draft = draft_new(TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX);
	struct event event;
	struct buf text;
	void *record;

	(void)state;
	draft->site.args_cnt = 3;
	draft->site.args[1] = (struct operand){.kind = OPERAND_REGISTER, .width_bytes = 4, .is_signed = true};
	draft->site.args[2] = (struct operand){.kind = OPERAND_REGISTER, .width_bytes = 8};
	plan(draft);
	put_bytes(draft, 0, "w", 2);
	draft->args[1].value = 0xfffffffe;
	draft->args[2].value = 7;
	decode(draft, &event, &record);
	assert_int_equal(event.args[1].type, VALUE_INT);
	assert_int_equal(event.args[2].type, VALUE_UINT);
	buf_init(&text, 4096);
	contract_format_event(&event, &text);
	assert_string_equal(
		text.data,
		"coin_selection:attempting_aps_create_tx(wallet='w', undocumented argument 2=-2, undocumented argument 3=7)");
	buf_fini(&text);
	free(record);
	free(draft);
}

/* Decode: what pointers point to */

static void
test_hash(void **state)
{
	static const char display[] = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
	struct draft *draft = draft_new(TP_MEMPOOL_ADDED);
	struct event event;
	uint8_t wire[32];
	void *record;

	(void)state;
	assert_true(parse_hash(display, wire));
	draft->args[0].value = UINT64_C(0x7ffe12345678);
	put_bytes(draft, 0, wire, 32);
	decode(draft, &event, &record);
	assert_int_equal(event.args[0].type, VALUE_HASH);
	assert_int_equal(event.args[0].state, VALUE_READ);
	assert_true(event.args[0].u == UINT64_C(0x7ffe12345678));
	assert_int_equal(event.args[0].len, 32);
	assert_true(event.args[0].full_len == 32);
	assert_memory_equal(event.args[0].bytes, wire, 32);
	assert_ptr_equal(event.args[0].bytes, (uint8_t *)record + draft->point.slots[0].slot_offset);
	assert_text(draft, &event, 0, display);
	free(record);
	free(draft);
}

static void
test_strings(void **state)
{
	static const struct {
		const char *bytes;
		size_t len; /* with the NUL */
		const char *text;
	} rows[] = {
		{"", 1, "''"},
		{"bad-txns", 9, "'bad-txns'"},
		{"it's", 5, "'it\\'s'"},
		{"a\\b", 4, "'a\\\\b'"},
		{"\n\x01\x1f\x7f", 5, "'\\x0a\\x01\\x1f\\x7f'"},
		{"gr\xc3\xbc\xc3\x9f", 7, "'gr\xc3\xbc\xc3\x9f'"},
		{"%s%n", 5, "'%s%n'"},
		{"\xff\xc3(", 4, "'\\xff\\xc3('"},                          /* not UTF-8 */
		{"\xc2\x9b\xe2\x80\xae", 6, "'\\xc2\\x9b\\xe2\\x80\\xae'"}, /* CSI, and right to left */
	};
	struct draft *draft = draft_new(TP_MEMPOOL_REJECTED);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event event;
		void *record;

		put_bytes(draft, 1, rows[i].bytes, rows[i].len);
		decode(draft, &event, &record);
		assert_int_equal(event.args[1].type, VALUE_STRING);
		assert_int_equal(event.args[1].state, VALUE_READ);
		assert_int_equal(event.args[1].len, rows[i].len - 1);
		assert_true(event.args[1].full_len == rows[i].len - 1);
		assert_memory_equal(event.args[1].bytes, rows[i].bytes, rows[i].len - 1);
		assert_text(draft, &event, 1, rows[i].text);
		free(record);
	}
	free(draft);
}

static void
test_cut_string(void **state)
{
	struct draft *draft = draft_new(TP_MEMPOOL_REJECTED);
	char s[RECORD_STRING_BYTES], want[RECORD_STRING_BYTES + 64];
	struct event event;
	void *record;

	(void)state;
	memset(s, 'x', sizeof(s));
	s[sizeof(s) - 1] = '\0';
	put_bytes(draft, 1, s, sizeof(s));
	draft->args[1].flags = RECORD_CUT;
	decode(draft, &event, &record);
	assert_int_equal(event.args[1].state, VALUE_CUT);
	assert_int_equal(event.args[1].len, RECORD_STRING_BYTES - 1);
	snprintf(want, sizeof(want), "'%s' <cut after %d bytes>", s, RECORD_STRING_BYTES - 1);
	assert_text(draft, &event, 1, want);
	free(record);

	/* The longest that is complete, and one of which nothing came. */
	draft->args[1].flags = 0;
	decode(draft, &event, &record);
	assert_int_equal(event.args[1].state, VALUE_READ);
	free(record);
	draft->args[1].len = 0;
	decode(draft, &event, &record);
	assert_int_equal(event.args[1].len, 0);
	assert_text(draft, &event, 1, "''");
	free(record);
	free(draft);
}

static void
test_payload(void **state)
{
	struct draft *draft = draft_new(TP_NET_INBOUND_MESSAGE);
	uint8_t payload[RECORD_PAYLOAD_BYTES];
	struct event event;
	void *record;

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned i = 1; i <= 3; i++)
		put_bytes(draft, i, "abc", 4);

	draft->args[4].value = 0;
	decode(draft, &event, &record);
	assert_int_equal(event.args[5].type, VALUE_BYTES);
	assert_int_equal(event.args[5].state, VALUE_READ);
	assert_int_equal(event.args[5].len, 0);
	assert_true(event.args[5].full_len == 0);
	assert_text(draft, &event, 5, "0 bytes ");
	free(record);

	draft->args[4].value = 24;
	put_bytes(draft, 5, payload, 24);
	decode(draft, &event, &record);
	assert_int_equal(event.args[5].len, 24);
	assert_true(event.args[5].full_len == 24);
	assert_memory_equal(event.args[5].bytes, payload, 24);
	assert_text(draft, &event, 5, "24 bytes 00070e151c232a31383f464d545b626970777e858c939aa1");
	free(record);

	draft->args[4].value = 25;
	put_bytes(draft, 5, payload, 25);
	decode(draft, &event, &record);
	assert_text(draft, &event, 5, "25 bytes 00070e151c232a31383f464d545b626970777e858c939aa1...");
	assert_text(draft, &event, 4, "25 B");
	free(record);

	/* More than there is room for: the full length is the one that the tracepoint passed. */
	draft->args[4].value = 4000000;
	put_bytes(draft, 5, payload, sizeof(payload));
	draft->args[5].flags = RECORD_CUT;
	assert_int_equal(draft->head.size, draft->point.record_bytes);
	decode(draft, &event, &record);
	assert_int_equal(event.args[5].state, VALUE_CUT);
	assert_int_equal(event.args[5].len, RECORD_PAYLOAD_BYTES);
	assert_true(event.args[5].full_len == 4000000);
	assert_memory_equal(event.args[5].bytes, payload, sizeof(payload));
	assert_text(
		draft, &event, 5,
		"32768 bytes 00070e151c232a31383f464d545b626970777e858c939aa1... <cut: 4000000 bytes in full>");
	free(record);
	free(draft);
}

/* Decode: what could not be read */

static void
test_failed_operand(void **state)
{
	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		struct draft *draft = draft_new(id);

		for (unsigned i = 0; i < draft->row->args_cnt; i++) {
			struct event event;
			void *record;

			plan(draft);
			/* The other fields are ignored. */
			draft->args[i] = (struct record_arg){
				.flags = RECORD_OPERAND_FAILED | RECORD_POINTER_FAILED | RECORD_CUT,
				.error = -EFAULT,
				.len = UINT32_MAX,
			};
			decode(draft, &event, &record);
			for (unsigned j = 0; j < draft->row->args_cnt; j++)
				assert_int_equal(event.args[j].state,
						 i == j ? VALUE_BAD_OPERAND : VALUE_READ);
			assert_int_equal(event.args[i].error, EFAULT);
			assert_null(event.args[i].bytes);
			assert_int_equal(event.args[i].len, 0);
			assert_text(draft, &event, i, "<argument not readable: Bad address>");
			free(record);
		}
		free(draft);
	}
}

static void
test_failed_pointer(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		struct draft *draft = draft_new(id);

		for (unsigned i = 0; i < draft->row->args_cnt; i++) {
			struct event event;
			void *record;

			if (draft->point.slots[i].reader == READER_INTEGER)
				continue;
			tried++;
			plan(draft);
			draft->args[i] = (struct record_arg){
				.value = 0xdead0,
				.flags = RECORD_POINTER_FAILED,
				.error = -EFAULT,
				.len = UINT32_MAX,
			};
			decode(draft, &event, &record);
			for (unsigned j = 0; j < draft->row->args_cnt; j++)
				assert_int_equal(event.args[j].state,
						 i == j ? VALUE_BAD_POINTER : VALUE_READ);
			assert_int_equal(event.args[i].error, EFAULT);
			assert_null(event.args[i].bytes);
			assert_true(event.args[i].u == 0xdead0);
			assert_text(draft, &event, i, "<not readable at 0xdead0: Bad address>");
			free(record);
		}
		free(draft);
	}
	assert_true(tried > 20);
}

/* A note may have an impossible width, with a sign. */
static void
test_operand_without_width(void **state)
{
	struct draft *draft = draft_new(TP_NET_MISBEHAVING_CONNECTION);
	struct event event;
	void *record;

	(void)state;
	draft->site.args[0] = (struct operand){.kind = OPERAND_UNREADABLE, .is_signed = true};
	plan(draft);
	draft->args[0] = (struct record_arg){.flags = RECORD_OPERAND_FAILED, .error = -EINVAL};
	decode(draft, &event, &record);
	assert_int_equal(event.args[0].state, VALUE_BAD_OPERAND);
	assert_text(draft, &event, 0, "<argument not readable: Invalid argument>");
	free(record);
	free(draft);
}

/* Half a pointer is not followed, and not shown as a value. */
static void
test_narrow_pointer(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		struct draft *draft = draft_new(id);

		for (unsigned i = 0; i < draft->row->args_cnt; i++) {
			enum arg_type type = draft->row->args[i].code_type;
			struct event event;
			void *record;

			if (type != ARG_HASH && type != ARG_STRING && type != ARG_BYTES)
				continue;
			tried++;
			draft->site = matching_site(draft->row);
			draft->site.args[i].width_bytes = 4;
			plan(draft);
			draft->args[i].value = 0x12345678;
			decode(draft, &event, &record);
			assert_int_equal(event.args[i].state, VALUE_BAD_POINTER);
			assert_int_equal(event.args[i].error, EINVAL);
			assert_null(event.args[i].bytes);
			assert_text(draft, &event, i, "<not readable at 0x12345678: Invalid argument>");
			free(record);
		}
		free(draft);
	}
	assert_true(tried > 20);
}

/* Decode: what is not a record of the point */

static void
test_wrong_heads(void **state)
{
	struct draft *draft = draft_new(TP_UTXOCACHE_ADD);
	struct event event;

	(void)state;
	for (unsigned cnt = 0; cnt <= 2 * SITE_ARGS_MAX; cnt++) {
		put_head(draft);
		draft->head.args_cnt = (uint16_t)cnt;
		if (cnt != draft->site.args_cnt)
			assert_bad(draft, draft->point.fixed_bytes);
	}
	draft->head.args_cnt = UINT16_MAX;
	assert_bad(draft, draft->point.fixed_bytes);

	put_head(draft);
	draft->head.size = draft->point.fixed_bytes + 1;
	assert_bad(draft, draft->point.fixed_bytes);
	draft->head.size = UINT32_MAX;
	assert_bad(draft, draft->point.fixed_bytes);
	draft->head.size = draft->point.fixed_bytes - 1;
	assert_bad(draft, draft->point.fixed_bytes);
	draft->head.size = 0;
	assert_bad(draft, draft->point.fixed_bytes);

	/* A refused record leaves no usable event. */
	memset(&event, 0xff, sizeof(event));
	void *record = record_new(draft, draft->point.fixed_bytes);
	assert_int_equal(contract_decode(draft->row, &draft->point, record, draft->point.fixed_bytes, &event),
			 -EBADMSG);
	assert_int_equal(event.args_cnt, 0);
	assert_true(event.seq == 0);
	free(record);

	/* The kernel pads samples: bytes after the record do no harm. */
	put_head(draft);
	for (size_t padding = 0; padding <= 8; padding++) {
		record = record_new(draft, draft->point.fixed_bytes + padding);
		assert_int_equal(contract_decode(draft->row, &draft->point, record,
						 draft->point.fixed_bytes + padding, &event),
				 0);
		free(record);
	}
	free(draft);
}

static void
test_lengths_beyond(void **state)
{
	static const uint8_t zeros[RECORD_PAYLOAD_BYTES];

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		struct draft *draft = draft_new(id);

		for (unsigned i = 0; i < draft->row->args_cnt; i++) {
			const struct record_slot *slot = &draft->point.slots[i];

			plan(draft);
			if (slot->reader == READER_INTEGER) {
				struct event event;
				void *record;

				/* There are no bytes for the length. */
				draft->args[i].len = UINT32_MAX;
				decode(draft, &event, &record);
				assert_null(event.args[i].bytes);
				free(record);
				continue;
			}
			draft->args[i].len = slot->slot_bytes + 1;
			assert_bad(draft, draft->point.fixed_bytes);
			draft->args[i].len = UINT32_MAX;
			assert_bad(draft, draft->point.fixed_bytes);
			/* Offset and length add up to 0 in 32 bits, or slightly more. */
			draft->args[i].len = 0u - slot->slot_offset;
			assert_bad(draft, draft->point.fixed_bytes);
			draft->args[i].len = 1u - slot->slot_offset;
			assert_bad(draft, draft->point.fixed_bytes);
			if (slot->reader != READER_PAYLOAD)
				continue;
			/* Inside its slot, but beyond the end of the record. */
			for (uint32_t len = 1; len <= slot->slot_bytes; len = len * 3 + 1) {
				put_bytes(draft, i, zeros, len);
				draft->head.size--;
				assert_bad(draft, draft->head.size);
				assert_bad(draft, draft->head.size + 8);
			}
		}
		free(draft);
	}
}

/* Every truncated record is refused, and nothing after its end is read. */
static void
test_truncations(void **state)
{
	static const uint8_t payload[100] = {1, 2, 3};

	(void)state;
	for (unsigned id = 0; id < TRACEPOINTS_CNT; id++) {
		struct draft *draft = draft_new(id);
		uint32_t whole;

		for (unsigned i = 0; i < draft->row->args_cnt; i++) {
			draft->args[i].value = 1;
			if (draft->point.slots[i].reader == READER_BLOCK)
				put_bytes(draft, i, payload, 32);
			else if (draft->point.slots[i].reader == READER_STRING)
				put_bytes(draft, i, "a string", 9);
			else if (draft->point.slots[i].reader == READER_PAYLOAD)
				put_bytes(draft, i, payload, sizeof(payload));
		}
		whole = draft->head.size;
		for (uint32_t sz = 0; sz < whole; sz++) {
			/* As it was, and as one that agrees with its size: the payload's length is then
			 * beyond the end. */
			draft->head.size = whole;
			assert_bad(draft, sz);
			draft->head.size = sz;
			assert_bad(draft, sz);
		}
		draft->head.size = whole;
		struct event event;
		void *record;
		decode(draft, &event, &record);
		/* Everything that the event lends is inside the record. */
		for (unsigned i = 0; i < event.args_cnt; i++)
			if (event.args[i].bytes)
				assert_in_range((size_t)(event.args[i].bytes - (uint8_t *)record) +
							event.args[i].len,
						1, whole);
		free(record);
		free(draft);
	}
}

/* Records are not aligned in the buffers that they come from. */
static void
test_unaligned(void **state)
{
	struct draft *draft = draft_new(TP_MEMPOOL_REMOVED);
	size_t sz = draft->head.size;

	(void)state;
	put_bytes(draft, 1, "expiry", 7);
	draft->args[4].value = 1800000000;
	for (size_t shift = 0; shift < 8; shift++) {
		uint8_t *room = malloc(shift + sz);
		void *record = record_new(draft, sz);
		struct event event;

		memcpy(room + shift, record, sz);
		free(record);
		assert_int_equal(contract_decode(draft->row, &draft->point, room + shift, sz, &event), 0);
		assert_text(draft, &event, 1, "'expiry'");
		assert_text(draft, &event, 4, "1800000000 s since the epoch");
		free(room);
	}
	free(draft);
}

/* Format */

static void
test_format_event(void **state)
{
	struct draft *draft = draft_new(TP_UTXOCACHE_SPENT);
	struct event event;
	struct buf text;
	void *record;

	(void)state;
	draft->args[1].value = 3;
	draft->args[2].value = 101;
	draft->args[3].value = 5000000000;
	draft->args[4].value = 1;
	put_bytes(draft, 0,
		  "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16"
		  "\x17\x18"
		  "\x19\x1a\x1b\x1c\x1d\x1e\x1f\x20",
		  32);
	decode(draft, &event, &record);
	buf_init(&text, 4096);
	buf_puts(&text, "> ");
	contract_format_event(&event, &text);
	assert_string_equal(
		text.data,
		"> utxocache:spent(txid=201f1e1d1c1b1a191817161514131211100f0e0d0c0b0a090807060504030201, vout=3, height=101, value=5000000000 sat, is_coinbase=true)");
	buf_reset(&text);
	event.args_cnt = 0;
	contract_format_event(&event, &text);
	assert_string_equal(text.data, "utxocache:spent()");
	buf_fini(&text);
	free(record);
	free(draft);
}

/* Without an argument of the contract there are neither names nor units. */
static void
test_format_without_argument(void **state)
{
	const struct value value = {.type = VALUE_UINT, .u = 4, .i = 4};
	struct buf text;

	(void)state;
	buf_init(&text, 4096);
	contract_format_value(NULL, &value, &text);
	assert_string_equal(text.data, "4");
	buf_fini(&text);
}

/* The length may be the first argument; bytes without a length are not read. */
static void
test_plan_of_length_arguments(void **state)
{
	const struct contract_tracepoint *row = contract_get(TP_NET_INBOUND_MESSAGE);
	struct contract_tracepoint swapped = *row;
	struct site site = matching_site(row);
	struct probe_point point;

	(void)state;
	assert_int_equal(row->args[5].size_arg, 5);
	swapped.args[0] = row->args[4];
	swapped.args[5].size_arg = 1;
	site.args[0] = site.args[4];
	contract_plan(&swapped, &site, &point);
	assert_int_equal(point.slots[5].reader, READER_PAYLOAD);
	assert_int_equal(point.slots[5].size_idx, 0);
	swapped.args[5].size_arg = 0;
	contract_plan(&swapped, &site, &point);
	assert_int_equal(point.slots[5].reader, READER_INTEGER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_of_rows),
		cmocka_unit_test(test_plan_of_odd_sites),
		cmocka_unit_test(test_plan_of_other_counts),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_sign_extension),
		cmocka_unit_test(test_documented_otherwise),
		cmocka_unit_test(test_undocumented_arguments),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_cut_string),
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_failed_operand),
		cmocka_unit_test(test_failed_pointer),
		cmocka_unit_test(test_operand_without_width),
		cmocka_unit_test(test_narrow_pointer),
		cmocka_unit_test(test_wrong_heads),
		cmocka_unit_test(test_lengths_beyond),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_format_event),
		cmocka_unit_test(test_format_without_argument),
		cmocka_unit_test(test_plan_of_length_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
