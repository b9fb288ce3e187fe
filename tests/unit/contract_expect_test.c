/* Expectations: what fits and what does not, and whether findings blame the right thing. */
#include "base/text.h"
#include "contract/expect.h"
#include "slowness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Events, as decoded */

static const uint8_t hash_a[32] = {0xa1, 0xa2, [31] = 0xaf};
static const uint8_t hash_b[32] = {0xa1, 0xa2, [31] = 0xbf}; /* differs only in the last byte */
static const char hash_a_hex[] = "af0000000000000000000000000000000000000000000000000000000000a2a1";
static const char hash_b_hex[] = "bf0000000000000000000000000000000000000000000000000000000000a2a1";

static struct value
value_int(int64_t i)
{
	return (struct value){.type = VALUE_INT, .u = (uint64_t)i, .i = i};
}

static struct value
value_uint(uint64_t u)
{
	return (struct value){.type = VALUE_UINT, .u = u, .i = (int64_t)u};
}

static struct value
value_bool(uint64_t u)
{
	return (struct value){.type = VALUE_BOOL, .u = u, .i = (int64_t)u};
}

static struct value
value_hash(const uint8_t hash[32])
{
	return (struct value){.type = VALUE_HASH, .u = 0x7000, .bytes = hash, .len = 32, .full_len = 32};
}

static struct value
value_string(const char *s)
{
	return (struct value){.type = VALUE_STRING,
			      .u = 0x7000,
			      .bytes = (const uint8_t *)s,
			      .len = strlen(s),
			      .full_len = strlen(s)};
}

static struct value
value_bytes(const void *bytes, size_t len)
{
	return (struct value){.type = VALUE_BYTES, .u = 0x7000, .bytes = bytes, .len = len, .full_len = len};
}

static struct value
unread(struct value value, enum value_state state)
{
	value.state = state;
	value.error = EFAULT;
	return value;
}

/* The 91st event of a thread, and so on: only the arguments of an event are compared. */
static struct event
event_of(enum tracepoint_id id)
{
	static uint64_t seq = 90;

	seq++;
	return (struct event){.tracepoint = id,
			      .site = (unsigned)(seq % 3),
			      .time_ns = seq * 1000000,
			      .tid = (uint32_t)(seq % 7),
			      .seq = seq,
			      .args_cnt = contract_get(id)->args_cnt};
}

static struct event
coin_event(enum tracepoint_id id, const uint8_t txid[32], uint32_t vout, int64_t value_sat)
{
	struct event event = event_of(id);

	event.args[0] = value_hash(txid);
	event.args[1] = value_uint(vout);
	event.args[2] = value_uint(101);
	event.args[3] = value_int(value_sat);
	event.args[4] = value_bool(0);
	return event;
}

static struct event
add_event(uint32_t vout)
{
	return coin_event(TP_UTXOCACHE_ADD, hash_a, vout, 5000);
}

static struct event
rejected_event(const char *reason)
{
	struct event event = event_of(TP_MEMPOOL_REJECTED);

	event.args[0] = value_hash(hash_a);
	event.args[1] = value_string(reason);
	return event;
}

static struct event
message_event(int64_t peer, const char *type, const void *payload, size_t len)
{
	struct event event = event_of(TP_NET_INBOUND_MESSAGE);

	event.args[0] = value_int(peer);
	event.args[1] = value_string("127.0.0.1:8333");
	event.args[2] = value_string("inbound");
	event.args[3] = value_string(type);
	event.args[4] = value_uint(len);
	event.args[5] = value_bytes(payload, len);
	return event;
}

static struct event
removed_event(const char *reason, int64_t vsize, uint64_t entry_time)
{
	struct event event = event_of(TP_MEMPOOL_REMOVED);

	event.args[0] = value_hash(hash_a);
	event.args[1] = value_string(reason);
	event.args[2] = value_int(vsize);
	event.args[3] = value_int(1000);
	event.args[4] = value_uint(entry_time);
	return event;
}

/* Expectations of them */

static struct expected *
expect_coin(struct expect *x, enum tracepoint_id id, const uint8_t txid[32], uint32_t vout, int64_t value_sat)
{
	struct expected *e = expect_event(x, id, FINDING_CONTRACT, "output %u", vout);

	want_hash(e, "txid", txid);
	want_uint(e, "vout", vout);
	want_uint(e, "height", 101);
	want_int(e, "value", value_sat);
	want_bool(e, "is_coinbase", false);
	return e;
}

static struct expected *
expect_add(struct expect *x, uint32_t vout)
{
	return expect_coin(x, TP_UTXOCACHE_ADD, hash_a, vout, 5000);
}

static struct expected *
expect_message(struct expect *x, int64_t peer, const char *type, const void *payload, size_t len)
{
	struct expected *e =
		expect_event(x, TP_NET_INBOUND_MESSAGE, FINDING_CONTRACT, "%s of peer %d", type, (int)peer);

	want_int(e, "peer_id", peer);
	want_string(e, "address", "127.0.0.1:8333");
	want_string(e, "connection_type", "inbound");
	want_string(e, "message_type", type);
	want_uint(e, "size", len);
	want_bytes(e, "payload", payload, len);
	return e;
}

/* mempool:removed with all arguments except one, which the caller adds. */
static struct expected *
expect_removed_but(struct expect *x, const char *left_out)
{
	struct expected *e = expect_event(x, TP_MEMPOOL_REMOVED, FINDING_CONTRACT, "the one removed");

	if (strcmp(left_out, "txid"))
		want_hash(e, "txid", hash_a);
	if (strcmp(left_out, "reason"))
		want_string(e, "reason", "expiry");
	if (strcmp(left_out, "vsize"))
		want_int(e, "vsize", 141);
	if (strcmp(left_out, "fee"))
		want_int(e, "fee", 1000);
	if (strcmp(left_out, "entry_time"))
		want_uint(e, "entry_time", 1800000000);
	return e;
}

/* Matches, which must be possible; returns the number of findings. */
static size_t
match(const struct expect *x, enum tracepoint_id subject, const struct event *events, size_t cnt,
      struct findings *findings)
{
	struct diag diag = {0};

	*findings = (struct findings){0};
	if (expect_match(x, subject, events, cnt, findings, &diag))
		fail_msg("%s", diag.text);
	assert_string_equal(diag.text, "");
	for (size_t i = 0; i < findings->cnt; i++) {
		const struct finding *finding = &findings->items[i];

		/* Every finding is complete. */
		assert_non_null(finding->tracepoint);
		assert_non_null(finding->message);
		assert_null(strchr(finding->message, '\n'));
		assert_non_null(strstr(finding->message, finding->tracepoint));
		assert_non_null(finding->want);
		assert_non_null(finding->got);
		assert_non_null(finding->context);
		assert_int_equal(finding->argument != 0, finding->argument_name != NULL);
	}
	return findings->cnt;
}

static void
assert_no_findings(const struct expect *x, enum tracepoint_id subject, const struct event *events, size_t cnt)
{
	struct findings findings;

	if (match(x, subject, events, cnt, &findings))
		fail_msg("%zu findings, the first: %s", findings.cnt, findings.items[0].message);
	findings_fini(&findings);
}

static void
assert_contains(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text ? text : "NULL");
}

/* Line idx, from 0, of a text begins with that. */
static void
assert_line(const char *text, unsigned idx, const char *beginning)
{
	const char *at = text;

	for (unsigned i = 0; i < idx && at; i++) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	if (!at || strncmp(at, beginning, strlen(beginning)) != 0)
		fail_msg("line %u does not begin with '%s':\n%s", idx + 1, beginning, text);
}

static void
assert_argument(const struct finding *finding, unsigned number, const char *name, const char *want,
		const char *got)
{
	char text[64];

	assert_int_equal(finding->argument, number);
	assert_string_equal(finding->argument_name, name);
	assert_string_equal(finding->want, want);
	assert_string_equal(finding->got, got);
	snprintf(text, sizeof(text), "argument %u (%s) of %s", number, name, finding->tracepoint);
	assert_contains(finding->message, text);
	assert_contains(finding->message, want);
	assert_contains(finding->message, got);
	if (finding->context[0] != '>')
		assert_contains(finding->context, "\n> ");
}

/* One event against one expectation. */
static void
assert_fits(const struct expect *x, const struct event *event)
{
	assert_no_findings(x, event->tracepoint, event, 1);
}

static void
assert_differs(const struct expect *x, const struct event *event, unsigned number, const char *name,
	       const char *want, const char *got)
{
	struct findings findings;

	assert_int_equal(match(x, event->tracepoint, event, 1, &findings), 1);
	assert_argument(&findings.items[0], number, name, want, got);
	findings_fini(&findings);
}

/* Exact, and each kind of want */

static void
test_exact(void **state)
{
	struct expect *x = expect_new();
	struct event events[5];

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		expect_add(x, i);
		events[i] = add_event(i);
	}
	assert_no_findings(x, TP_UTXOCACHE_ADD, events, 5);
	expect_free(x);
	expect_free(NULL);
}

static void
test_want_int(void **state)
{
	struct expect *x = expect_new();
	struct event event = removed_event("expiry", -7, 1800000000);

	(void)state;
	want_int(expect_removed_but(x, "vsize"), "vsize", -7);
	assert_fits(x, &event);
	event.args[2] = value_int(7);
	assert_differs(x, &event, 3, "vsize", "-7 vB", "7 vB");
	event.args[2] = value_int(INT64_MIN);
	assert_differs(x, &event, 3, "vsize", "-7 vB", "-9223372036854775808 vB");
	/* Read without its sign. */
	event.args[2] = (struct value){.type = VALUE_INT, .u = 0xfffffff9, .i = 0xfffffff9};
	assert_differs(x, &event, 3, "vsize", "-7 vB", "4294967289 vB");
	expect_free(x);
}

static void
test_want_uint(void **state)
{
	struct expect *x = expect_new();
	struct event event = removed_event("expiry", 141, UINT64_MAX);

	(void)state;
	want_uint(expect_removed_but(x, "entry_time"), "entry_time", UINT64_MAX);
	assert_fits(x, &event);
	event.args[4] = value_uint(UINT32_MAX);
	assert_differs(x, &event, 5, "entry_time", "18446744073709551615 s since the epoch",
		       "4294967295 s since the epoch");
	expect_free(x);
}

static void
test_want_bool(void **state)
{
	(void)state;
	for (unsigned want = 0; want < 2; want++) {
		struct expect *x = expect_new();
		struct expected *e = expect_event(x, TP_UTXOCACHE_ADD, FINDING_CONTRACT, "a coin");
		struct event event = add_event(1);

		want_hash(e, "txid", hash_a);
		want_uint(e, "vout", 1);
		want_uint(e, "height", 101);
		want_int(e, "value", 5000);
		want_bool(e, "is_coinbase", want);
		event.args[4] = value_bool(want);
		assert_fits(x, &event);
		event.args[4] = value_bool(!want);
		assert_differs(x, &event, 5, "is_coinbase", want ? "true" : "false", want ? "false" : "true");
		event.args[4] = value_bool(2);
		assert_differs(x, &event, 5, "is_coinbase", want ? "true" : "false", "2 (not a bool)");
		expect_free(x);
	}
}

static void
test_want_hash(void **state)
{
	struct expect *x = expect_new();
	struct event event = removed_event("expiry", 141, 1800000000);
	uint8_t reversed[32], copy[32];

	(void)state;
	memcpy(copy, hash_a, 32);
	want_hash(expect_removed_but(x, "txid"), "txid", copy);
	memset(copy, 0, 32); /* it was copied */
	assert_fits(x, &event);
	event.args[0] = value_hash(hash_b);
	assert_differs(x, &event, 1, "txid", hash_a_hex, hash_b_hex);
	for (int i = 0; i < 32; i++)
		reversed[i] = hash_a[31 - i];
	event.args[0] = value_hash(reversed);
	assert_differs(x, &event, 1, "txid", hash_a_hex,
		       "a1a20000000000000000000000000000000000000000000000000000000000af");
	expect_free(x);
}

static void
test_want_string(void **state)
{
	static const char *const others[] = {"expir", "expiry ", "expirx", "Expiry", ""};
	struct expect *x = expect_new();
	struct event event = removed_event("expiry", 141, 1800000000);

	(void)state;
	want_string(expect_removed_but(x, "reason"), "reason", "expiry");
	assert_fits(x, &event);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char got[16];

		event.args[1] = value_string(others[i]);
		snprintf(got, sizeof(got), "'%s'", others[i]);
		assert_differs(x, &event, 2, "reason", "'expiry'", got);
	}
	expect_free(x);

	x = expect_new();
	want_string(expect_removed_but(x, "reason"), "reason", "");
	event.args[1] = value_string("");
	assert_fits(x, &event);
	event.args[1] = value_string("x");
	assert_differs(x, &event, 2, "reason", "''", "'x'");
	expect_free(x);
}

/* A string that was cut never fits want_string, be it equal as far as it goes; a whole one never
 * want_cut_string. */
static void
test_cut_strings(void **state)
{
	struct expect *whole = expect_new(), *cut = expect_new();
	struct event event = removed_event("expi", 141, 1800000000);

	(void)state;
	want_string(expect_removed_but(whole, "reason"), "reason", "expi");
	want_cut_string(expect_removed_but(cut, "reason"), "reason", "expiry");
	assert_fits(whole, &event);
	assert_differs(cut, &event, 2, "reason", "'expiry'", "'expi'");
	event.args[1].state = VALUE_CUT;
	assert_differs(whole, &event, 2, "reason", "'expi'", "'expi' <cut after 4 bytes>");
	assert_fits(cut, &event);
	/* Another beginning; all of it, so that it cannot have been cut; more than that. */
	event.args[1] = value_string("expo");
	event.args[1].state = VALUE_CUT;
	assert_differs(cut, &event, 2, "reason", "'expiry'", "'expo' <cut after 4 bytes>");
	event.args[1] = value_string("expiry");
	event.args[1].state = VALUE_CUT;
	assert_differs(cut, &event, 2, "reason", "'expiry'", "'expiry' <cut after 6 bytes>");
	event.args[1] = value_string("expiry!");
	event.args[1].state = VALUE_CUT;
	assert_differs(cut, &event, 2, "reason", "'expiry'", "'expiry!' <cut after 7 bytes>");
	expect_free(whole);
	expect_free(cut);
}

static void
test_want_bytes(void **state)
{
	static uint8_t payload[RECORD_PAYLOAD_BYTES + 1000];
	struct expect *x = expect_new();
	struct event event = message_event(1, "ping", "\x01\x02\x03\x04\x05\x06\x07\x08", 8);

	(void)state;
	expect_message(x, 1, "ping", "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_fits(x, &event);
	event.args[5] = value_bytes("\x01\x02\x03\x04\x05\x06\x07\x09", 8);
	assert_differs(x, &event, 6, "payload", "8 bytes 0102030405060708", "8 bytes 0102030405060709");
	event.args[5] = value_bytes("\x01\x02\x03\x04\x05\x06\x07", 7);
	assert_differs(x, &event, 6, "payload", "8 bytes 0102030405060708", "7 bytes 01020304050607");
	/* Fewer bytes than there was room for, and another length than the bytes have. */
	event.args[5].full_len = 8;
	assert_differs(x, &event, 6, "payload", "8 bytes 0102030405060708", "7 bytes 01020304050607");
	event.args[5].state = VALUE_CUT;
	assert_differs(x, &event, 6, "payload", "8 bytes 0102030405060708",
		       "7 bytes 01020304050607 <cut: 8 bytes in full>");
	event.args[5] = value_bytes("\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	event.args[5].full_len = 9;
	assert_differs(x, &event, 6, "payload", "8 bytes 0102030405060708", "8 bytes 0102030405060708");
	expect_free(x);

	x = expect_new();
	expect_message(x, 1, "verack", NULL, 0);
	event = message_event(1, "verack", NULL, 0);
	assert_fits(x, &event);
	event.args[5] = value_bytes("\0", 1);
	assert_differs(x, &event, 6, "payload", "0 bytes ", "1 bytes 00");
	expect_free(x);

	/* Longer than a record has room for. */
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i % 251);
	x = expect_new();
	expect_message(x, 1, "block", payload, sizeof(payload));
	event = message_event(1, "block", payload, sizeof(payload));
	event.args[5].len = RECORD_PAYLOAD_BYTES;
	event.args[5].state = VALUE_CUT;
	assert_fits(x, &event);
	event.args[5].len--;
	struct findings findings;
	assert_int_equal(match(x, TP_NET_INBOUND_MESSAGE, &event, 1, &findings), 1);
	assert_int_equal(findings.items[0].argument, 6);
	assert_contains(findings.items[0].got, "<cut: 33768 bytes in full>");
	findings_fini(&findings);
	event.args[5].len++;
	event.args[5].state = VALUE_READ;
	assert_int_equal(match(x, TP_NET_INBOUND_MESSAGE, &event, 1, &findings), 1);
	findings_fini(&findings);
	event.args[5].state = VALUE_CUT;
	event.args[5].full_len--;
	assert_int_equal(match(x, TP_NET_INBOUND_MESSAGE, &event, 1, &findings), 1);
	findings_fini(&findings);
	/* The last byte that came. */
	event.args[5].full_len++;
	uint8_t *copy = malloc(RECORD_PAYLOAD_BYTES);
	memcpy(copy, payload, RECORD_PAYLOAD_BYTES);
	copy[RECORD_PAYLOAD_BYTES - 1] ^= 1;
	event.args[5].bytes = copy;
	assert_int_equal(match(x, TP_NET_INBOUND_MESSAGE, &event, 1, &findings), 1);
	findings_fini(&findings);
	free(copy);
	expect_free(x);
}

static void
test_want_range(void **state)
{
	struct expect *x = expect_new();
	struct event event = removed_event("expiry", 141, 1800000000);

	(void)state;
	want_range(expect_removed_but(x, "vsize"), "vsize", -2, 141);
	assert_fits(x, &event);
	event.args[2] = value_int(-2);
	assert_fits(x, &event);
	event.args[2] = value_int(-3);
	assert_differs(x, &event, 3, "vsize", "-2 to 141 vB", "-3 vB");
	event.args[2] = value_int(142);
	assert_differs(x, &event, 3, "vsize", "-2 to 141 vB", "142 vB");
	expect_free(x);

	/* An unsigned argument; what does not fit a signed number is above any range. */
	x = expect_new();
	want_range(expect_removed_but(x, "entry_time"), "entry_time", 0, INT64_MAX);
	event = removed_event("expiry", 141, 0);
	assert_fits(x, &event);
	event.args[4] = value_uint(INT64_MAX);
	assert_fits(x, &event);
	event.args[4] = value_uint(UINT64_MAX);
	assert_differs(x, &event, 5, "entry_time", "0 to 9223372036854775807 s since the epoch",
		       "18446744073709551615 s since the epoch");
	expect_free(x);

	/* Also above one that begins below 0. */
	x = expect_new();
	want_range(expect_removed_but(x, "entry_time"), "entry_time", -5, 5);
	event = removed_event("expiry", 141, 0);
	assert_fits(x, &event);
	event.args[4] = value_uint(UINT64_MAX);
	assert_differs(x, &event, 5, "entry_time", "-5 to 5 s since the epoch",
		       "18446744073709551615 s since the epoch");
	expect_free(x);

	/* A range of one value. */
	x = expect_new();
	want_range(expect_removed_but(x, "vsize"), "vsize", 5, 5);
	event = removed_event("expiry", 5, 1800000000);
	assert_fits(x, &event);
	event.args[2] = value_int(6);
	assert_differs(x, &event, 3, "vsize", "5 to 5 vB", "6 vB");
	expect_free(x);
}

static void
test_want_of(void **state)
{
	static const char *const algorithms[] = {"knapsack", "srd", ""};
	struct expect *x = expect_new();
	struct event event = removed_event("srd", 141, 1800000000);

	(void)state;
	want_string_of(expect_removed_but(x, "reason"), "reason", algorithms, 3);
	assert_fits(x, &event);
	event.args[1] = value_string("knapsack");
	assert_fits(x, &event);
	event.args[1] = value_string("");
	assert_fits(x, &event);
	event.args[1] = value_string("bnb");
	assert_differs(x, &event, 2, "reason", "'knapsack' or 'srd' or ''", "'bnb'");
	event.args[1] = value_string("sr");
	assert_differs(x, &event, 2, "reason", "'knapsack' or 'srd' or ''", "'sr'");
	event.args[1] = value_string("srd");
	event.args[1].state = VALUE_CUT;
	assert_differs(x, &event, 2, "reason", "'knapsack' or 'srd' or ''", "'srd' <cut after 3 bytes>");
	expect_free(x);

	/* A choice of nothing fits nothing. */
	x = expect_new();
	want_string_of(expect_removed_but(x, "reason"), "reason", NULL, 0);
	struct findings findings = {0};
	struct diag diag;
	int code = expect_match(x, TP_MEMPOOL_REMOVED, &event, 1, &findings, &diag);
	assert_true(code == -EINVAL || (!code && findings.cnt == 1));
	findings_fini(&findings);
	expect_free(x);
}

/* What could not be read fits nothing, not even zeros. */
static void
test_unread_values(void **state)
{
	static const char *const empty[] = {""};

	(void)state;
	for (int round = 0; round < 8; round++) {
		static const char *const names[] = {"vsize", "vsize",  "entry_time", "entry_time",
						    "txid",  "reason", "reason",     "reason"};
		static const unsigned numbers[] = {3, 3, 5, 5, 1, 2, 2, 2};
		static const uint8_t zeros[32];
		struct expect *x = expect_new();
		struct expected *e = expect_removed_but(x, names[round]);
		struct event good = removed_event("expiry", 141, 1800000000);

		switch (round) {
		case 0:
			want_int(e, "vsize", 0);
			break;
		case 1:
			want_range(e, "vsize", INT64_MIN, INT64_MAX);
			break;
		case 2:
			want_uint(e, "entry_time", 0);
			break;
		case 3:
			want_range(e, "entry_time", 0, 0);
			break;
		case 4:
			want_hash(e, "txid", zeros);
			break;
		case 5:
			want_string(e, "reason", "");
			break;
		case 6:
			want_string_of(e, "reason", empty, 1);
			break;
		case 7:
			want_cut_string(e, "reason", "x");
			break;
		}
		for (int state_nr = VALUE_BAD_OPERAND; state_nr <= VALUE_BAD_POINTER; state_nr++) {
			struct event event = good;
			struct findings findings;
			unsigned number = numbers[round];

			event.args[number - 1] = (struct value){.type = good.args[number - 1].type,
								.state = (enum value_state)state_nr,
								.error = EFAULT};
			assert_int_equal(match(x, TP_MEMPOOL_REMOVED, &event, 1, &findings), 1);
			assert_argument(&findings.items[0], number, names[round], findings.items[0].want,
					state_nr == VALUE_BAD_OPERAND ? "<argument not readable: Bad address>"
								      : "<not readable at 0x0: Bad address>");
			findings_fini(&findings);
		}
		expect_free(x);
	}
	/* The same with bool and bytes. */
	struct expect *x = expect_new();
	struct event event = message_event(1, "verack", NULL, 0);
	expect_message(x, 1, "verack", NULL, 0);
	event.args[5] = unread(event.args[5], VALUE_BAD_POINTER);
	assert_differs(x, &event, 6, "payload", "0 bytes ", "<not readable at 0x7000: Bad address>");
	expect_free(x);
	x = expect_new();
	event = add_event(1);
	expect_add(x, 1);
	event.args[4] = unread(event.args[4], VALUE_BAD_OPERAND);
	assert_differs(x, &event, 5, "is_coinbase", "false", "<argument not readable: Bad address>");
	expect_free(x);
}

/* An event of a binary whose tracepoint has fewer arguments, or more than the contract knows. */
static void
test_other_number_of_arguments(void **state)
{
	struct expect *x = expect_new();
	struct event event = add_event(1);
	struct findings findings;

	(void)state;
	expect_add(x, 1);
	event.args_cnt = 3;
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, &event, 1, &findings), 2);
	assert_argument(&findings.items[0], 4, "value", "5000 sat", "no such argument");
	assert_argument(&findings.items[1], 5, "is_coinbase", "false", "no such argument");
	findings_fini(&findings);
	event.args_cnt = 6;
	event.args[5] = value_uint(77);
	assert_fits(x, &event);
	expect_free(x);
}

/* The sequence */

static void
test_missing(void **state)
{
	(void)state;
	for (uint32_t missing = 0; missing < 5; missing++) {
		struct expect *x = expect_new();
		struct event events[5];
		struct findings findings;
		char text[64];
		size_t cnt = 0;

		for (uint32_t i = 0; i < 5; i++) {
			expect_source(x, "source of %u", i);
			expect_add(x, i);
			if (i != missing)
				events[cnt++] = add_event(i);
		}
		assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, cnt, &findings), 1);
		const struct finding *finding = &findings.items[0];
		assert_int_equal(finding->argument, 0);
		assert_string_equal(finding->tracepoint, "utxocache:add");
		assert_string_equal(finding->got, "no such event");
		snprintf(text, sizeof(text), "vout=%u, height=101, value=5000 sat, is_coinbase=false)",
			 missing);
		assert_contains(finding->want, text);
		assert_contains(finding->want, hash_a_hex);
		snprintf(text, sizeof(text), "utxocache:add did not fire: output %u", missing);
		assert_string_equal(finding->message, text);
		snprintf(text, sizeof(text), "source of %u", missing);
		assert_string_equal(finding->source, text);
		/* At most three before it, then the place where it should have been. */
		assert_line(finding->context, missing < 3 ? missing : 3, ">            (here)");
		findings_fini(&findings);
		expect_free(x);
	}
}

static void
test_nothing_came(void **state)
{
	struct expect *x = expect_new();
	struct findings findings;

	(void)state;
	expect_add(x, 0);
	expect_add(x, 1);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, NULL, 0, &findings), 2);
	assert_contains(findings.items[0].message, "did not fire: output 0");
	assert_contains(findings.items[1].message, "did not fire: output 1");
	findings_fini(&findings);
	expect_free(x);
}

static void
test_extra(void **state)
{
	(void)state;
	for (uint32_t extra = 0; extra <= 4; extra++) {
		struct expect *x = expect_new();
		struct event events[5];
		struct findings findings;
		char text[64];
		size_t cnt = 0;

		for (uint32_t i = 0; i <= 4; i++) {
			if (i == extra)
				events[cnt++] = coin_event(TP_UTXOCACHE_SPENT, hash_b, 77, 1);
			if (i < 4) {
				expect_add(x, i);
				events[cnt++] = add_event(i);
			}
		}
		assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, cnt, &findings), 1);
		const struct finding *finding = &findings.items[0];
		assert_int_equal(finding->argument, 0);
		assert_string_equal(finding->tracepoint, "utxocache:spent");
		assert_string_equal(finding->want, "no such event");
		assert_contains(finding->got, hash_b_hex);
		assert_contains(finding->got, "vout=77");
		assert_contains(finding->message,
				"utxocache:spent fired unexpectedly: utxocache:spent(txid=");
		assert_line(finding->context, extra < 3 ? extra : 3, "> ");
		snprintf(text, sizeof(text), "#%u utxocache:spent", extra + 1);
		assert_contains(finding->context, text);
		findings_fini(&findings);
		expect_free(x);
	}
}

static void
test_doubled(void **state)
{
	struct expect *x = expect_new();
	struct event events[6] = {add_event(0), add_event(1), add_event(2),
				  add_event(2), add_event(3), add_event(4)};
	struct findings findings;

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		expect_add(x, i);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 6, &findings), 1);
	assert_contains(findings.items[0].message, "fired unexpectedly");
	assert_contains(findings.items[0].got, "vout=2");
	findings_fini(&findings);
	expect_free(x);

	/* The reverse: expected twice, came once. */
	x = expect_new();
	expect_add(x, 0);
	expect_add(x, 1);
	expect_add(x, 1);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 2, &findings), 1);
	assert_contains(findings.items[0].message, "did not fire: output 1");
	findings_fini(&findings);
	expect_free(x);
}

static void
test_out_of_order(void **state)
{
	struct expect *x = expect_new();
	struct event events[4] = {add_event(0), coin_event(TP_UTXOCACHE_SPENT, hash_b, 9, 1), add_event(1),
				  add_event(2)};
	struct findings findings;

	(void)state;
	expect_add(x, 0);
	expect_add(x, 1);
	expect_coin(x, TP_UTXOCACHE_SPENT, hash_b, 9, 1);
	expect_add(x, 2);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 4, &findings), 1);
	assert_contains(findings.items[0].message, "fired out of order");
	assert_contains(findings.items[0].context, "(here)");
	findings_fini(&findings);
	expect_free(x);

	/* Two neighbours swapped. */
	x = expect_new();
	expect_add(x, 1);
	expect_coin(x, TP_UTXOCACHE_SPENT, hash_b, 9, 1);
	struct event swapped[2] = {events[1], events[2]};
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, swapped, 2, &findings), 1);
	assert_contains(findings.items[0].message, "fired out of order");
	findings_fini(&findings);
	expect_free(x);

	/* From the very end to the very beginning. */
	x = expect_new();
	struct event moved[9] = {coin_event(TP_UTXOCACHE_SPENT, hash_b, 9, 1)};
	for (uint32_t i = 0; i < 8; i++) {
		expect_add(x, i);
		moved[i + 1] = add_event(i);
	}
	expect_coin(x, TP_UTXOCACHE_SPENT, hash_b, 9, 1);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, moved, 9, &findings), 1);
	assert_string_equal(findings.items[0].message, "utxocache:spent fired out of order: output 9");
	findings_fini(&findings);
	expect_free(x);
}

/* Events of one tracepoint that changed places are reported as such, not as neighbours with wrong arguments. */
static void
test_out_of_order_of_one_tracepoint(void **state)
{
	enum { CNT = 12 };

	(void)state;
	for (uint32_t from = 0; from < CNT; from++)
		for (uint32_t to = 0; to < CNT; to++) {
			struct expect *x = expect_new();
			struct event events[CNT];
			struct findings findings;
			char text[64];
			uint32_t next = 0;

			/* Event number from comes at position to, the others keep their order. */
			for (uint32_t i = 0; i < CNT; i++) {
				expect_add(x, i);
				next += next == from;
				events[i] = add_event(i == to ? from : next++);
			}
			if (from == to) {
				assert_no_findings(x, TP_UTXOCACHE_ADD, events, CNT);
			} else {
				assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, CNT, &findings), 1);
				const char *message = findings.items[0].message;
				snprintf(text, sizeof(text), "utxocache:add fired out of order: output %u",
					 from);
				/* Of two swapped neighbours it may be either. */
				if (strcmp(message, text) != 0 && (from == to + 1 || to == from + 1))
					snprintf(text, sizeof(text),
						 "utxocache:add fired out of order: output %u", to);
				assert_string_equal(message, text);
				findings_fini(&findings);
			}
			expect_free(x);
		}
}

static void
test_needle_in_haystack(void **state)
{
	enum { CNT = 1000, WRONG = 537 };
	static struct event events[CNT];
	struct expect *x = expect_new();
	struct findings findings;

	(void)state;
	for (size_t i = 0; i < CNT; i++) {
		struct expected *e = expect_event(x, TP_UTXOCACHE_ADD, FINDING_CONTRACT, "coin %zu", i);

		expect_source(x, "getblock %zu", i);
		want_hash(e, "txid", hash_a);
		want_uint(e, "vout", 7);
		want_uint(e, "height", 101);
		want_int(e, "value", 5000);
		want_bool(e, "is_coinbase", false);
		events[i] = add_event(7);
	}
	for (unsigned a = 0; a < 5; a++) {
		static const char *const names[] = {"txid", "vout", "height", "value", "is_coinbase"};
		struct value good = events[WRONG].args[a];
		char text[64];

		events[WRONG].args[a] = a == 0   ? value_hash(hash_b)
					: a == 3 ? value_int(-1)
					: a == 4 ? value_bool(1)
						 : value_uint(8);
		assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, CNT, &findings), 1);
		const struct finding *finding = &findings.items[0];
		assert_int_equal(finding->argument, a + 1);
		assert_string_equal(finding->argument_name, names[a]);
		snprintf(text, sizeof(text), "coin %d: want ", WRONG);
		assert_contains(finding->message, text);
		snprintf(text, sizeof(text), "getblock %d", WRONG);
		assert_string_equal(finding->source, text);
		/* The context marks the event itself: its number, its time since the first, and its
		 * neighbours; and in it, the argument. */
		assert_line(finding->context, 3,
			    a ? ">   +537.000 ms #538 utxocache:add(txid="
			      : ">   +537.000 ms #538 utxocache:add(>txid=");
		snprintf(text, sizeof(text), ">%s=", names[a]);
		assert_contains(finding->context, text);
		assert_string_equal(strchr(finding->context, '<'),
				    strstr(strstr(finding->context, text), a == 4 ? "<)" : "<, "));
		assert_null(strchr(strchr(finding->context, '<') + 1, '<'));
		assert_line(finding->context, 2, "    +536.000 ms #537 utxocache:add(txid=");
		assert_line(finding->context, 5, "    +539.000 ms #540 utxocache:add(txid=");
		findings_fini(&findings);
		events[WRONG].args[a] = good;
	}
	assert_no_findings(x, TP_UTXOCACHE_ADD, events, CNT);
	expect_free(x);
}

/* Several mistakes at once are distinguished. */
static void
test_several(void **state)
{
	struct expect *x = expect_new();
	struct event events[5] = {
		add_event(0),
		coin_event(TP_UTXOCACHE_ADD, hash_a, 2, 4999),
		coin_event(TP_UTXOCACHE_UNCACHE, hash_a, 5, 1),
		add_event(3),
		add_event(4),
	};
	struct findings findings;

	(void)state;
	/* 1 does not come, 2 has another value, and there is an uncache. */
	for (uint32_t i = 0; i < 5; i++)
		expect_add(x, i);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 5, &findings), 3);
	assert_contains(findings.items[0].message, "did not fire: output 1");
	assert_argument(&findings.items[1], 4, "value", "5000 sat", "4999 sat");
	assert_contains(findings.items[1].message, "output 2");
	assert_contains(findings.items[2].message, "utxocache:uncache fired unexpectedly");
	findings_fini(&findings);
	expect_free(x);
}

/* Findings are added to existing ones. */
static void
test_appends(void **state)
{
	struct expect *x = expect_new();
	struct findings findings = {0};
	struct diag diag;

	(void)state;
	findings_add(&findings, FINDING_DETAIL, NULL, 0, NULL, NULL, NULL, NULL, "found before");
	expect_add(x, 0);
	assert_int_equal(expect_match(x, TP_UTXOCACHE_ADD, NULL, 0, &findings, &diag), 0);
	assert_int_equal(findings.cnt, 2);
	assert_string_equal(findings.items[0].message, "found before");
	findings_fini(&findings);
	expect_free(x);
}

/* Lanes */

static const struct lane_select adds = {.tracepoints = TP_BIT(TP_UTXOCACHE_ADD)};

static void
test_any_order(void **state)
{
	enum { CNT = 7 };
	struct expect *x = expect_new();
	struct event events[CNT];
	struct findings findings;

	(void)state;
	expect_lane(x, "adds", LANE_ANY_ORDER, &adds);
	for (uint32_t i = 0; i < CNT; i++) {
		expect_add(x, i);
		events[i] = add_event(i * 3 % CNT);
	}
	assert_no_findings(x, TP_UTXOCACHE_ADD, events, CNT);

	/* A wrong argument is blamed on the most similar pair. */
	events[4] = coin_event(TP_UTXOCACHE_ADD, hash_a, 5, 4999);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, CNT, &findings), 1);
	assert_argument(&findings.items[0], 4, "value", "5000 sat", "4999 sat");
	assert_contains(findings.items[0].message, "output 5");
	findings_fini(&findings);
	/* Missing and extra. */
	events[4] = events[5];
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, CNT - 2, &findings), 2);
	assert_contains(findings.items[0].message, "did not fire: output 4");
	assert_contains(findings.items[1].message, "did not fire: output 5");
	findings_fini(&findings);
	expect_free(x);

	/* Each of several wrong ones is paired with the one that differs least, in any order. */
	x = expect_new();
	expect_lane(x, "adds", LANE_ANY_ORDER, &adds);
	for (uint32_t i = 0; i < 3; i++) {
		expect_add(x, i);
		events[i] = coin_event(TP_UTXOCACHE_ADD, hash_a, 2 - i, 1);
	}
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 3, &findings), 3);
	for (size_t i = 0; i < 3; i++)
		assert_argument(&findings.items[i], 4, "value", "5000 sat", "1 sat");
	findings_fini(&findings);
	expect_free(x);

	x = expect_new();
	expect_lane(x, "adds", LANE_ANY_ORDER, &adds);
	expect_add(x, 3);
	events[0] = add_event(0);
	events[1] = add_event(3);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 2, &findings), 1);
	assert_contains(findings.items[0].message, "fired unexpectedly");
	assert_contains(findings.items[0].got, "vout=0");
	findings_fini(&findings);
	expect_free(x);
}

/* Each peer's messages in order, with those of the other in between. */
static void
test_lanes_by_int(void **state)
{
	struct expect *x = expect_new();
	const struct lane_select peer_2 = {.int_argument = "peer_id", .int_value = 2};
	struct lane_select peer_3 = {
		.tracepoints = TP_BIT(TP_NET_INBOUND_MESSAGE), .int_argument = "peer_id", .int_value = 3};
	struct event events[5];
	struct findings findings;

	(void)state;
	expect_lane(x, "peer 2", LANE_ORDERED, &peer_2);
	expect_message(x, 2, "version", "v", 1);
	expect_message(x, 2, "verack", NULL, 0);
	expect_lane(x, "peer 3", LANE_ORDERED, &peer_3);
	peer_3 = (struct lane_select){0}; /* it was copied */
	expect_message(x, 3, "version", "w", 1);
	expect_message(x, 3, "verack", NULL, 0);
	expect_main_lane(x);
	expect_message(x, -1, "ping", "p", 1);

	events[0] = message_event(3, "version", "w", 1);
	events[1] = message_event(2, "version", "v", 1);
	events[2] = message_event(2, "verack", NULL, 0);
	events[3] = message_event(-1, "ping", "p", 1);
	events[4] = message_event(3, "verack", NULL, 0);
	assert_no_findings(x, TP_NET_INBOUND_MESSAGE, events, 5);

	/* Order matters within a lane, and does not affect the other. */
	struct event swap = events[0];
	events[0] = events[4];
	events[4] = swap;
	assert_in_range(match(x, TP_NET_INBOUND_MESSAGE, events, 5, &findings), 1, 6);
	for (size_t i = 0; i < findings.cnt; i++) {
		assert_contains(findings.items[i].message, "peer 3");
		/* The context shows only the lane's events. */
		assert_null(strstr(findings.items[i].context, "peer_id=2"));
	}
	findings_fini(&findings);

	/* An event whose peer cannot be read is in the main lane. */
	swap = events[0];
	events[0] = events[4];
	events[4] = swap;
	events[1].args[0] = unread(events[1].args[0], VALUE_BAD_OPERAND);
	assert_int_equal(match(x, TP_NET_INBOUND_MESSAGE, events, 5, &findings), 2);
	assert_contains(findings.items[0].message, "net:inbound_message fired unexpectedly");
	assert_contains(findings.items[0].got, "peer_id=<argument not readable");
	assert_contains(findings.items[1].message, "did not fire: version of peer 2");
	findings_fini(&findings);
	expect_free(x);
}

static void
test_lanes_by_string(void **state)
{
	const struct lane_select pings = {.string_argument = "message_type", .string_value = "ping"};
	const struct lane_select of_1 = {.int_argument = "peer_id",
					 .int_value = 1,
					 .string_argument = "message_type",
					 .string_value = "pong"};
	struct expect *x = expect_new();
	struct event events[5];
	struct findings findings;

	(void)state;
	expect_lane(x, "pings", LANE_ORDERED, &pings);
	expect_message(x, 5, "ping", "a", 1);
	expect_message(x, 6, "ping", "b", 1);
	expect_lane(x, "pongs of 1", LANE_ORDERED, &of_1);
	expect_message(x, 1, "pong", "c", 1);
	expect_main_lane(x);
	expect_message(x, 2, "pong", "d", 1);
	expect_message(x, 1, "pin", "e", 1);

	events[0] = message_event(2, "pong", "d", 1);
	events[1] = message_event(5, "ping", "a", 1);
	events[2] = message_event(1, "pin", "e", 1);
	events[3] = message_event(6, "ping", "b", 1);
	events[4] = message_event(1, "pong", "c", 1);
	assert_no_findings(x, TP_NET_INBOUND_MESSAGE, events, 5);

	/* A type that was cut, or that could not be read, is not selected. */
	for (int state_nr = VALUE_CUT; state_nr <= VALUE_BAD_POINTER; state_nr++) {
		events[3] = message_event(6, "ping", "b", 1);
		events[3].args[3] = unread(events[3].args[3], (enum value_state)state_nr);
		assert_int_equal(match(x, TP_NET_INBOUND_MESSAGE, events, 5, &findings), 2);
		assert_contains(findings.items[0].message, "fired unexpectedly");
		assert_contains(findings.items[1].message, "did not fire: ping of peer 6");
		findings_fini(&findings);
	}
	expect_free(x);

	/* Nor is an event without the argument. */
	x = expect_new();
	expect_lane(x, "pings", LANE_IGNORED, &pings);
	expect_main_lane(x);
	expect_add(x, 0);
	struct event add = add_event(0);
	assert_fits(x, &add);
	expect_free(x);
}

/* An event belongs to the first lane that selects it. */
static void
test_first_lane_wins(void **state)
{
	const struct lane_select all = {0};
	struct expect *x = expect_new();
	struct event events[3] = {add_event(1), coin_event(TP_UTXOCACHE_SPENT, hash_a, 5, 1), add_event(2)};

	(void)state;
	expect_lane(x, "adds", LANE_ORDERED, &adds);
	expect_add(x, 1);
	expect_add(x, 2);
	expect_lane(x, "the rest", LANE_IGNORED, &all);
	assert_no_findings(x, TP_UTXOCACHE_ADD, events, 3);
	expect_free(x);
}

static void
test_ignored_lane(void **state)
{
	const struct lane_select spents = {.tracepoints =
						   TP_BIT(TP_UTXOCACHE_SPENT) | TP_BIT(TP_UTXOCACHE_UNCACHE)};
	struct event events[4] = {coin_event(TP_UTXOCACHE_SPENT, hash_a, 1, 1), add_event(0),
				  coin_event(TP_UTXOCACHE_UNCACHE, hash_a, 2, 1),
				  coin_event(TP_UTXOCACHE_SPENT, hash_b, 3, 1)};
	struct expect *x = expect_new();
	struct findings findings;

	(void)state;
	expect_lane(x, "spents", LANE_IGNORED, &spents);
	expect_main_lane(x);
	expect_add(x, 0);
	assert_no_findings(x, TP_UTXOCACHE_ADD, events, 4);
	/* It does not swallow the events of others. */
	events[3] = add_event(1);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 4, &findings), 1);
	assert_string_equal(findings.items[0].tracepoint, "utxocache:add");
	findings_fini(&findings);
	expect_free(x);
}

/* Kinds and sources */

static void
test_kinds(void **state)
{
	struct expect *x = expect_new();
	struct event event = add_event(1);
	struct findings findings;

	(void)state;
	struct expected *e = expect_event(x, TP_UTXOCACHE_ADD, FINDING_DETAIL, "a coin");
	want_hash(e, "txid", hash_a);
	expect_source(x, "the contract");
	want_uint(e, "vout", 2);
	want_kind(e, FINDING_CONTRACT);
	expect_source(x, "the %s", "code");
	want_uint(e, "height", 102);
	want_int(e, "value", 5000);
	want_bool(e, "is_coinbase", true);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, &event, 1, &findings), 3);
	assert_argument(&findings.items[0], 2, "vout", "2", "1");
	assert_int_equal(findings.items[0].kind, FINDING_CONTRACT);
	assert_string_equal(findings.items[0].source, "the contract");
	assert_argument(&findings.items[1], 3, "height", "102", "101");
	assert_int_equal(findings.items[1].kind, FINDING_DETAIL);
	assert_string_equal(findings.items[1].source, "the code");
	assert_int_equal(findings.items[2].kind, FINDING_DETAIL);
	findings_fini(&findings);

	/* Its absence has the kind of the event, and what came instead has that of the lane. */
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, NULL, 0, &findings), 1);
	assert_int_equal(findings.items[0].kind, FINDING_DETAIL);
	assert_null(findings.items[0].source);
	findings_fini(&findings);
	expect_free(x);

	x = expect_new();
	e = expect_add(x, 1);
	want_kind(e, FINDING_DETAIL); /* of is_coinbase, the last */
	event.args[4] = value_bool(1);
	event.args[1] = value_uint(0);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, &event, 1, &findings), 2);
	assert_int_equal(findings.items[0].kind, FINDING_CONTRACT);
	assert_int_equal(findings.items[1].kind, FINDING_DETAIL);
	findings_fini(&findings);
	expect_free(x);
}

static void
test_extra_kinds(void **state)
{
	const struct lane_select spents = {.tracepoints = TP_BIT(TP_UTXOCACHE_SPENT)};
	struct event events[3] = {add_event(0), add_event(1), coin_event(TP_UTXOCACHE_SPENT, hash_a, 5, 1)};

	(void)state;
	for (int round = 0; round < 4; round++) {
		enum finding_kind of_main = round & 1 ? FINDING_DETAIL : FINDING_CONTRACT;
		enum finding_kind of_spents = round & 2 ? FINDING_DETAIL : FINDING_CONTRACT;
		struct expect *x = expect_new();
		struct findings findings;

		expect_add(x, 0);
		if (of_main != FINDING_CONTRACT)
			expect_extra_kind(x, of_main);
		expect_lane(x, "spents", LANE_ORDERED, &spents);
		if (of_spents != FINDING_CONTRACT)
			expect_extra_kind(x, of_spents);
		assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 3, &findings), 2);
		assert_contains(findings.items[0].got, "utxocache:add(");
		assert_int_equal(findings.items[0].kind, of_main);
		assert_contains(findings.items[1].got, "utxocache:spent(");
		assert_int_equal(findings.items[1].kind, of_spents);
		findings_fini(&findings);
		expect_free(x);
	}
}

static void
test_drop(void **state)
{
	struct expect *x = expect_new();
	struct event events[2] = {add_event(0), add_event(1)};
	struct findings findings;

	(void)state;
	expect_add(x, 0);
	expect_coin(x, TP_UTXOCACHE_SPENT, hash_a, 5, 1);
	expect_add(x, 1);
	expect_coin(x, TP_UTXOCACHE_UNCACHE, hash_a, 5, 1);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 2, &findings), 2);
	findings_fini(&findings);
	expect_drop(x, TP_BIT(TP_UTXOCACHE_SPENT));
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 2, &findings), 1);
	assert_string_equal(findings.items[0].tracepoint, "utxocache:uncache");
	findings_fini(&findings);
	/* Both are dropped now; the others are compared as before. */
	expect_drop(x, TP_BIT(TP_UTXOCACHE_UNCACHE));
	assert_no_findings(x, TP_UTXOCACHE_ADD, events, 2);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 1, &findings), 1);
	findings_fini(&findings);
	/* Without its subject a scenario proves nothing. */
	struct diag diag;
	expect_drop(x, TP_BIT(TP_UTXOCACHE_ADD));
	assert_int_equal(expect_match(x, TP_UTXOCACHE_ADD, NULL, 0, &findings, &diag), -EINVAL);
	assert_contains(diag.text, "no event of utxocache:add is expected");
	expect_free(x);
}

/* Expectations that are not sound */

static void
assert_unsound(struct expect *x, enum tracepoint_id subject, const char *text)
{
	const struct event event = add_event(0);
	struct findings findings = {0};
	struct diag diag = {0};

	assert_int_equal(expect_match(x, subject, &event, 1, &findings, &diag), -EINVAL);
	assert_int_equal(findings.cnt, 0);
	assert_string_equal(diag.text, text);
	expect_free(x);
}

static void
test_unknown_argument(void **state)
{
	struct expect *x = expect_new();
	struct expected *e = expect_add(x, 0);

	(void)state;
	want_uint(e, "vuot", 0);
	assert_unsound(x, TP_UTXOCACHE_ADD, "expect: utxocache:add has no argument 'vuot'");

	x = expect_new();
	e = expect_add(x, 0);
	want_string(e, "", "x");
	want_hash(e, "nor this", hash_a); /* the first mistake is reported */
	want_bytes(e, "nor that", "x", 1);
	static const char *const strings[] = {"x", "y"};
	want_string_of(e, "nor these", strings, 2);
	want_range(e, "nor those", 0, 1);
	want_string_of(e, "nor these", strings, 2);
	assert_unsound(x, TP_UTXOCACHE_ADD, "expect: utxocache:add has no argument ''");
}

static void
test_wrong_type(void **state)
{
	static const char *const strings[] = {"x"};
	static const struct {
		enum tracepoint_id id;
		const char *argument, *full_name;
	} args[] = {
		{TP_MEMPOOL_ADDED, "fee", "mempool:added"},                 /* int64 */
		{TP_MEMPOOL_ADDED, "vsize", "mempool:added"},               /* int32 */
		{TP_MEMPOOL_REMOVED, "entry_time", "mempool:removed"},      /* uint64 */
		{TP_UTXOCACHE_ADD, "vout", "utxocache:add"},                /* uint32 */
		{TP_UTXOCACHE_ADD, "is_coinbase", "utxocache:add"},         /* bool */
		{TP_UTXOCACHE_ADD, "txid", "utxocache:add"},                /* hash */
		{TP_MEMPOOL_REMOVED, "reason", "mempool:removed"},          /* string */
		{TP_NET_INBOUND_MESSAGE, "payload", "net:inbound_message"}, /* bytes */
	};
	/* For each op below, in order: the arguments above that it fits. */
	static const char *const allowed[] = {
		"11000000", "00110000", "00001000", "00000100", "00000010",
		"00000010", "00000001", "11110000", "00000010",
	};

	(void)state;
	for (size_t a = 0; a < sizeof(args) / sizeof(args[0]); a++)
		for (size_t op = 0; op < sizeof(allowed) / sizeof(allowed[0]); op++) {
			struct expect *x = expect_new();
			struct expected *e = expect_event(x, args[a].id, FINDING_CONTRACT, "an event");
			const char *name = args[a].argument;
			struct findings findings = {0};
			struct diag diag = {0};
			char text[200];

			switch (op) {
			case 0:
				want_int(e, name, 1);
				break;
			case 1:
				want_uint(e, name, 1);
				break;
			case 2:
				want_bool(e, name, true);
				break;
			case 3:
				want_hash(e, name, hash_a);
				break;
			case 4:
				want_string(e, name, "x");
				break;
			case 5:
				want_cut_string(e, name, "x");
				break;
			case 6:
				want_bytes(e, name, "x", 1);
				break;
			case 7:
				want_range(e, name, 0, 1);
				break;
			case 8:
				want_string_of(e, name, strings, 1);
				break;
			}
			assert_int_equal(expect_match(x, args[a].id, NULL, 0, &findings, &diag), -EINVAL);
			assert_int_equal(findings.cnt, 0);
			/* All these lack other arguments; which of the two is reported shows whether the type was
			 * taken. */
			if (allowed[op][a] == '1') {
				if (!strstr(diag.text, "is left unchecked"))
					fail_msg("op %zu for %s: %s", op, name, diag.text);
			} else {
				const struct contract_tracepoint *row = contract_get(args[a].id);
				unsigned i = 0;

				while (strcmp(row->args[i].name, name))
					i++;
				snprintf(text, sizeof(text),
					 "expect: argument '%s' of %s is %s; another type is expected of it",
					 name, args[a].full_name, arg_type_name(row->args[i].type));
				assert_string_equal(diag.text, text);
			}
			findings_fini(&findings);
			expect_free(x);
		}
}

/* The documented type counts: scenarios follow the document. */
static void
test_documented_type_counts(void **state)
{
	struct expect *x = expect_new();
	struct expected *e = expect_event(x, TP_VALIDATION_BLOCK_CONNECTED, FINDING_CONTRACT, "block");
	struct event event = event_of(TP_VALIDATION_BLOCK_CONNECTED);
	struct findings findings;

	(void)state;
	want_hash(e, "hash", hash_a);
	want_int(e, "height", 101);
	want_uint(e, "transactions", 1);
	want_int(e, "inputs", 1);
	want_uint(e, "sigops", 4);
	want_range(e, "duration", 1, 1000);
	event.args[0] = value_hash(hash_a);
	event.args[1] = value_int(101);
	event.args[2] = value_uint(1);
	event.args[3] = value_int(1);
	event.args[4] = value_int(4); /* as the code passes it */
	event.args[5] = value_int(999);
	assert_fits(x, &event);
	event.args[4] = value_int(-4);
	event.args[5] = value_int(-1);
	assert_int_equal(match(x, TP_VALIDATION_BLOCK_CONNECTED, &event, 1, &findings), 2);
	assert_argument(&findings.items[0], 5, "sigops", "4", "-4");
	assert_argument(&findings.items[1], 6, "duration", "1 to 1000 ns", "-1 ns");
	findings_fini(&findings);
	expect_free(x);

	x = expect_new();
	e = expect_event(x, TP_VALIDATION_BLOCK_CONNECTED, FINDING_CONTRACT, "block");
	want_int(e, "sigops", 4);
	assert_unsound(
		x, TP_VALIDATION_BLOCK_CONNECTED,
		"expect: argument 'sigops' of validation:block_connected is uint64; another type is expected of it");
}

static void
test_wanted_twice(void **state)
{
	struct expect *x = expect_new();

	(void)state;
	want_uint(expect_add(x, 0), "vout", 0);
	assert_unsound(x, TP_UTXOCACHE_ADD, "expect: argument 'vout' of utxocache:add is expected twice");
	x = expect_new();
	want_hash(expect_add(x, 0), "txid", hash_a);
	assert_unsound(x, TP_UTXOCACHE_ADD, "expect: argument 'txid' of utxocache:add is expected twice");
	x = expect_new();
	want_range(expect_add(x, 0), "height", 0, 1000);
	assert_unsound(x, TP_UTXOCACHE_ADD, "expect: argument 'height' of utxocache:add is expected twice");
}

static void
test_left_unchecked(void **state)
{
	static const char *const names[] = {"txid", "reason", "vsize", "fee", "entry_time"};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct expect *x = expect_new();
		char text[128];

		expect_removed_but(x, "");
		expect_removed_but(x, names[i]);
		snprintf(text, sizeof(text),
			 "expect: argument %u (%s) of mempool:removed is left unchecked (the one removed)",
			 i + 1, names[i]);
		assert_unsound(x, TP_MEMPOOL_REMOVED, text);
	}
}

static void
test_no_control(void **state)
{
	struct expect *x = expect_new();

	(void)state;
	assert_unsound(x, TP_UTXOCACHE_ADD,
		       "expect: no event of utxocache:add is expected; without one, silence proves nothing");
	x = expect_new();
	expect_add(x, 0);
	assert_unsound(
		x, TP_UTXOCACHE_SPENT,
		"expect: no event of utxocache:spent is expected; without one, silence proves nothing");
}

static void
test_empty_range(void **state)
{
	struct expect *x = expect_new();

	(void)state;
	want_range(expect_removed_but(x, "vsize"), "vsize", 2, 1);
	assert_unsound(x, TP_MEMPOOL_REMOVED,
		       "expect: argument 'vsize' of mempool:removed is expected between 2 and 1");
}

static void
test_expecting_in_ignored_lane(void **state)
{
	struct expect *x = expect_new();

	(void)state;
	expect_add(x, 0);
	expect_lane(x, "noise", LANE_IGNORED, &adds);
	expect_add(x, 1);
	assert_unsound(x, TP_UTXOCACHE_ADD, "expect: utxocache:add is expected in the ignored lane 'noise'");
}

static void
test_want_kind_first(void **state)
{
	struct expect *x = expect_new();
	struct expected *e = expect_event(x, TP_MEMPOOL_REJECTED, FINDING_CONTRACT, "a rejection");
	const struct event event = rejected_event("bad-txns");
	struct findings findings = {0};
	struct diag diag;

	(void)state;
	want_kind(e, FINDING_DETAIL);
	want_hash(e, "txid", hash_a);
	want_string(e, "reason", "bad-txns");
	assert_int_equal(expect_match(x, TP_MEMPOOL_REJECTED, &event, 1, &findings, &diag), -EINVAL);
	assert_string_equal(diag.text, "expect: want_kind of mempool:rejected comes before any argument");
	expect_free(x);
}

/* Size: however different both are, there is an answer */

enum { MANY = 5000 };

static void
assert_quick(const struct expect *x, const struct event *events, size_t cnt, size_t least, size_t most)
{
	struct findings findings;
	clock_t start = clock();

	assert_in_range(match(x, TP_UTXOCACHE_ADD, events, cnt, &findings), least, most);
	/* About a second of the processor's time; much more with sanitizers. */
	assert_in_range((clock() - start) / CLOCKS_PER_SEC, 0, 30 * test_slowness());
	findings_fini(&findings);
}

static void
test_many_different(void **state)
{
	static struct event events[MANY];
	const struct lane_select all = {0};

	(void)state;
	/* Same tracepoint, other values; other tracepoint; as many as can be aligned; without order. */
	for (int round = 0; round < 4; round++) {
		size_t cnt = round == 2 ? 4000 : MANY;
		struct expect *x = expect_new();

		if (round == 3)
			expect_lane(x, "all", LANE_ANY_ORDER, &all);
		for (uint32_t i = 0; i < cnt; i++) {
			expect_add(x, i);
			events[i] = coin_event(round == 1 ? TP_UTXOCACHE_SPENT : TP_UTXOCACHE_ADD, hash_a,
					       MANY + i, 5000);
		}
		/* A wrong argument each, or one missing and one extra each. */
		size_t findings_cnt = round == 1 ? 2 * cnt : cnt;
		assert_quick(x, events, cnt, findings_cnt, findings_cnt);
		expect_free(x);
	}
}

static void
test_many_equal(void **state)
{
	static struct event events[MANY];
	struct expect *x = expect_new();

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		expect_add(x, i);
		events[i] = add_event(i);
	}
	assert_quick(x, events, MANY, 0, 0);
	assert_quick(x, events, MANY - 1, 1, 1);
	assert_quick(x, events + 1, MANY - 1, 1, 1);
	expect_free(x);
}

/* One missing and one extra, and thousands in between that are merely shifted: as many as can be aligned at once, and
 * more. */
static void
test_far_apart(void **state)
{
	enum { CNT = 9000 };
	static struct event events[CNT];

	(void)state;
	for (uint32_t cnt = 1500; cnt <= CNT; cnt += CNT - 1500) {
		struct expect *x = expect_new();
		struct findings findings;

		for (uint32_t i = 0; i < cnt; i++) {
			expect_add(x, i);
			if (i != 100)
				events[i < 100 ? i : i - 1] = add_event(i);
		}
		events[cnt / 2] = coin_event(TP_UTXOCACHE_ADD, hash_a, cnt / 2 + 1, 4999);
		events[cnt - 1] = coin_event(TP_UTXOCACHE_SPENT, hash_b, 9, 1);
		assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, cnt, &findings), 3);
		assert_contains(findings.items[0].message, "did not fire: output 100");
		assert_argument(&findings.items[1], 4, "value", "5000 sat", "4999 sat");
		assert_contains(findings.items[2].message, "utxocache:spent fired unexpectedly");
		findings_fini(&findings);
		expect_free(x);
	}
}

/* The context of an event in another place shows the place and the event. */
static void
test_context_of_moved(void **state)
{
	enum { CNT = 12 };

	(void)state;
	for (int is_late = 0; is_late < 2; is_late++)
		for (uint32_t by = 2; by < CNT; by++) {
			struct expect *x = expect_new();
			struct event events[CNT];
			struct findings findings;
			uint32_t from = is_late ? 0 : CNT - 1, to = is_late ? by : CNT - 1 - by, next = 0;
			char line[64];

			for (uint32_t i = 0; i < CNT; i++) {
				expect_add(x, i);
				next += next == from;
				events[i] = add_event(i == to ? from : next++);
				events[i].time_ns = 1000000 * i;
			}
			assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, CNT, &findings), 1);
			const struct finding *finding = &findings.items[0];
			snprintf(line, sizeof(line), "the event in another place, as #%u", to + 1);
			assert_string_equal(finding->got, line);
			assert_contains(finding->context, ">            (here)\n");
			snprintf(line, sizeof(line), "> %+10.3f ms #%u utxocache:add(", (double)to, to + 1);
			assert_contains(finding->context, line);
			/* What lies between is left out if it is far away. */
			assert_int_equal(strstr(finding->context, "  ...\n") != NULL, by > 2);
			assert_null(strchr(finding->context, '<'));
			findings_fini(&findings);
			expect_free(x);
		}
}

/* An event that is late and has another argument is not taken for the one in its place. */
static void
test_moved_and_wrong(void **state)
{
	struct expect *x = expect_new();
	struct event events[2] = {add_event(1), coin_event(TP_UTXOCACHE_ADD, hash_a, 0, 4999)};
	struct findings findings;

	(void)state;
	expect_add(x, 0);
	expect_add(x, 1);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 2, &findings), 2);
	assert_argument(&findings.items[0], 4, "value", "5000 sat", "4999 sat");
	assert_contains(findings.items[0].message, "output 0");
	assert_string_equal(findings.items[1].message, "utxocache:add fired out of order: output 0");
	assert_contains(findings.items[1].context, "vout=0, height=101, >value=4999 sat<, ");
	findings_fini(&findings);
	/* Another coin is none that is late. */
	events[1] = coin_event(TP_UTXOCACHE_ADD, hash_b, 0, 4999);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 2, &findings), 2);
	assert_string_equal(findings.items[0].message, "utxocache:add did not fire: output 0");
	assert_contains(findings.items[1].message, "fired unexpectedly");
	findings_fini(&findings);
	expect_free(x);

	/* A wrong detail is not all there is to say if the event itself is none. */
	x = expect_new();
	for (uint32_t i = 0; i < 2; i++) {
		struct expected *e = expect_event(x, TP_UTXOCACHE_ADD, FINDING_CONTRACT, "output %u", i);

		want_hash(e, "txid", hash_a);
		want_uint(e, "vout", i);
		want_uint(e, "height", 101);
		want_int(e, "value", 5000);
		want_kind(e, FINDING_DETAIL);
		want_bool(e, "is_coinbase", false);
	}
	events[1] = coin_event(TP_UTXOCACHE_ADD, hash_a, 0, 4999);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 2, &findings), 2);
	assert_int_equal(findings.items[0].kind, FINDING_CONTRACT);
	assert_string_equal(findings.items[0].message, "utxocache:add did not fire: output 0");
	findings_fini(&findings);
	expect_free(x);
}

/* The first finding is about what came, or did not come, first, in whatever lane. */
static void
test_findings_by_time(void **state)
{
	static const struct lane_select spents = {.tracepoints = TP_BIT(TP_UTXOCACHE_SPENT)};
	struct expect *x = expect_new();
	struct event events[6] = {
		coin_event(TP_UTXOCACHE_SPENT, hash_a, 0, 5000),
		add_event(0),
		coin_event(TP_UTXOCACHE_SPENT, hash_a, 2, 5000),
		coin_event(TP_UTXOCACHE_ADD, hash_a, 1, 4999),
		coin_event(TP_UTXOCACHE_UNCACHE, hash_b, 7, 1),
		coin_event(TP_UTXOCACHE_SPENT, hash_a, 3, 4998),
	};
	struct findings findings;

	(void)state;
	expect_add(x, 0);
	expect_add(x, 1);
	expect_lane(x, "spents", LANE_ORDERED, &spents);
	for (uint32_t i = 0; i < 4; i++)
		expect_coin(x, TP_UTXOCACHE_SPENT, hash_a, i, 5000);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 6, &findings), 4);
	assert_string_equal(findings.items[0].message, "utxocache:spent did not fire: output 1");
	assert_argument(&findings.items[1], 4, "value", "5000 sat", "4999 sat");
	assert_contains(findings.items[2].message, "utxocache:uncache fired unexpectedly");
	assert_argument(&findings.items[3], 4, "value", "5000 sat", "4998 sat");
	findings_fini(&findings);
	expect_free(x);
}

/* Without order, an event that is missing does not take the one of another that has a wrong argument. */
static void
test_any_order_blames_the_right_one(void **state)
{
	struct expect *x = expect_new();
	struct event event = coin_event(TP_UTXOCACHE_ADD, hash_b, 2, 4999);
	struct findings findings;

	(void)state;
	expect_lane(x, "adds", LANE_ANY_ORDER, &adds);
	expect_coin(x, TP_UTXOCACHE_ADD, hash_a, 1, 5000);
	expect_coin(x, TP_UTXOCACHE_ADD, hash_b, 2, 5000);
	assert_int_equal(match(x, TP_UTXOCACHE_ADD, &event, 1, &findings), 2);
	assert_argument(&findings.items[0], 4, "value", "5000 sat", "4999 sat");
	assert_string_equal(findings.items[1].message, "utxocache:add did not fire: output 1");
	findings_fini(&findings);
	expect_free(x);
}

/* Older releases: written for master, compared as in the release. */

static void
test_an_argument_that_came_later(void **state)
{
	struct expect *x = expect_new();
	struct event event = event_of(TP_MEMPOOL_REPLACED);

	(void)state;
	expect_release(x, 25);
	struct expected *e = expect_event(x, TP_MEMPOOL_REPLACED, FINDING_CONTRACT, "the replaced one");
	want_hash(e, "replaced_txid", hash_a);
	want_int(e, "replaced_vsize", 200);
	want_int(e, "replaced_fee", 1000);
	want_uint(e, "replaced_entry_time", 1700000000);
	want_hash(e, "replacement_hash", hash_b);
	want_int(e, "replacement_vsize", 300);
	want_int(e, "replacement_fee", 2000);
	want_bool(e, "is_txid", true);
	want_kind(e, FINDING_DETAIL);
	event.release = 25;
	event.args_cnt = 7;
	event.args[0] = value_hash(hash_a);
	event.args[1] = value_uint(200); /* a size_t then */
	event.args[2] = value_int(1000);
	event.args[3] = value_uint(1700000000);
	event.args[4] = value_hash(hash_b);
	event.args[5] = value_uint(300);
	event.args[6] = value_int(2000);
	assert_fits(x, &event);
	event.args[5] = value_uint(UINT64_C(300) << 32);
	assert_differs(x, &event, 6, "replacement_vsize", "300 vB", "1288490188800 vB");
	expect_free(x);
}

static void
want_duration(struct expect *x)
{
	struct expected *e = expect_event(x, TP_VALIDATION_BLOCK_CONNECTED, FINDING_CONTRACT, "the block");

	want_hash(e, "hash", hash_a);
	want_int(e, "height", 7);
	want_uint(e, "transactions", 1);
	want_int(e, "inputs", 1);
	want_uint(e, "sigops", 4);
	want_range(e, "duration", 1500000, 2500000);
}

static void
test_a_unit_that_was_another(void **state)
{
	static const struct {
		unsigned release;
		int64_t duration;
		const char *want, *got;
	} cases[] = {
		{24, 2000, NULL, NULL},
		{24, 2000000, "1500 to 2501 us", "2000000 us"},
		{25, 2000000, NULL, NULL},
		{25, 2000, "1500000 to 2500000 ns", "2000 ns"},
		{RELEASE_MASTER, 2000000, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct expect *x = expect_new();
		struct event event = event_of(TP_VALIDATION_BLOCK_CONNECTED);

		expect_release(x, cases[i].release);
		want_duration(x);
		event.release = cases[i].release;
		event.args[0] = value_hash(hash_a);
		event.args[1] = value_int(7);
		event.args[2] = value_uint(1);
		event.args[3] = value_int(1);
		event.args[4] = value_uint(4);
		event.args[5] = value_int(cases[i].duration);
		if (cases[i].want)
			assert_differs(x, &event, 6, "duration", cases[i].want, cases[i].got);
		else
			assert_fits(x, &event);
		expect_free(x);
	}
}

static void
test_a_tracepoint_that_came_later(void **state)
{
	struct expect *x = expect_new();
	struct event event = add_event(1);

	(void)state;
	expect_release(x, 24);
	expect_add(x, 1);
	expect_event(x, TP_MEMPOOL_ADDED, FINDING_CONTRACT, "what there was no tracepoint for");
	expect_drop(x, TP_BIT(TP_MEMPOOL_ADDED));
	assert_fits(x, &event);
	expect_free(x);
}

/* The one that differs least, wherever it is among the others. */
static void
test_any_order_takes_the_most_similar(void **state)
{
	(void)state;
	for (size_t place = 0; place < 3; place++) {
		struct expect *x = expect_new();
		struct event events[3];
		struct findings findings;

		expect_lane(x, "adds", LANE_ANY_ORDER, &adds);
		expect_add(x, 1);
		for (size_t i = 0; i < 3; i++)
			events[i] = coin_event(TP_UTXOCACHE_ADD, hash_a, i == place ? 1 : 9, 4999);
		assert_int_equal(match(x, TP_UTXOCACHE_ADD, events, 3, &findings), 3);
		assert_argument(&findings.items[0], 4, "value", "5000 sat", "4999 sat");
		for (size_t i = 1; i < 3; i++)
			assert_contains(findings.items[i].got, "vout=9");
		findings_fini(&findings);
		expect_free(x);
	}
}

static void
test_a_detail_that_is_no_event(void **state)
{
	struct expect *x = expect_new();
	struct findings findings = {0};
	struct event event = add_event(1);
	struct diag diag;

	(void)state;
	expect_add(x, 1);
	expect_source(x, "the peer");
	expect_detail(x, TP_UTXOCACHE_ADD, "the node did not %s %d", "do", 7);
	assert_int_equal(expect_match(x, TP_UTXOCACHE_ADD, &event, 1, &findings, &diag), 0);
	assert_int_equal(findings.cnt, 1);
	assert_int_equal(findings.items[0].kind, FINDING_DETAIL);
	assert_string_equal(findings.items[0].tracepoint, "utxocache:add");
	assert_int_equal(findings.items[0].argument, 0);
	assert_string_equal(findings.items[0].source, "the peer");
	assert_string_equal(findings.items[0].message, "the node did not do 7");
	findings_fini(&findings);
	expect_free(x);
}

/* What is compared, with the kinds of values of all events. */
static void
test_describe(void **state)
{
	static const uint8_t zeros[32];
	static uint8_t payload[RECORD_PAYLOAD_BYTES + 1];
	static const int64_t numbers[] = {0, 255, 256, 65535, 65536, UINT32_MAX, INT64_C(1) << 32, -1};
	static const unsigned kinds[] = {CHECKED_ZERO,    CHECKED_8_BITS,  CHECKED_16_BITS, CHECKED_16_BITS,
					 CHECKED_32_BITS, CHECKED_32_BITS, CHECKED_64_BITS, CHECKED_NEGATIVE};
	struct expect *x = expect_new();
	struct checked checked;

	(void)state;
	expect_describe(x, &checked);
	assert_int_equal(checked.cnt, 0);
	free(checked.items);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct expect *one = expect_new();

		expect_coin(one, TP_UTXOCACHE_ADD, hash_a, 1, numbers[i]);
		expect_describe(one, &checked);
		assert_int_equal(checked.cnt, 1);
		assert_string_equal(checked.items[0].args[3].name, "value");
		assert_int_equal(checked.items[0].args[3].kinds, 1U << kinds[i]);
		free(checked.items);
		expect_free(one);
	}
	expect_message(x, 300, "verack", NULL, 0);
	expect_message(x, 300, "", payload, sizeof(payload));
	expect_message(x, 300, "x", payload, RECORD_PAYLOAD_BYTES);
	expect_coin(x, TP_UTXOCACHE_ADD, hash_a, 0, 5000);
	expect_coin(x, TP_UTXOCACHE_ADD, zeros, 70000, 5000);
	expect_coin(x, TP_UTXOCACHE_SPENT, hash_a, 0, 5000);
	expect_drop(x, TP_BIT(TP_UTXOCACHE_SPENT));
	want_range(expect_removed_but(x, "vsize"), "vsize", 1, 1);
	expect_describe(x, &checked);
	assert_int_equal(checked.cnt, 3);
	assert_string_equal(checked.items[0].name, "net:inbound_message");
	assert_int_equal(checked.items[0].events, 3);
	assert_int_equal(checked.items[0].args_cnt, 6);
	assert_int_equal(checked.items[0].args[0].kinds, 1U << CHECKED_16_BITS);
	assert_int_equal(checked.items[0].args[3].kinds, 1U << CHECKED_EMPTY | 1U << CHECKED_BYTES);
	assert_int_equal(checked.items[0].args[5].kinds,
			 1U << CHECKED_EMPTY | 1U << CHECKED_BYTES | 1U << CHECKED_CUT);
	assert_string_equal(checked.items[1].name, "utxocache:add");
	assert_int_equal(checked.items[1].events, 2);
	assert_int_equal(checked.items[1].args[0].kinds, 1U << CHECKED_HASH | 1U << CHECKED_ZERO);
	assert_int_equal(checked.items[1].args[1].kinds, 1U << CHECKED_ZERO | 1U << CHECKED_32_BITS);
	assert_int_equal(checked.items[1].args[4].kinds, 1U << CHECKED_FALSE);
	assert_string_equal(checked.items[2].name, "mempool:removed");
	assert_int_equal(checked.items[2].args[2].kinds, 1U << CHECKED_MEASURED);
	free(checked.items);
	expect_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_a_detail_that_is_no_event),
		cmocka_unit_test(test_an_argument_that_came_later),
		cmocka_unit_test(test_a_unit_that_was_another),
		cmocka_unit_test(test_a_tracepoint_that_came_later),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_want_int),
		cmocka_unit_test(test_want_uint),
		cmocka_unit_test(test_want_bool),
		cmocka_unit_test(test_want_hash),
		cmocka_unit_test(test_want_string),
		cmocka_unit_test(test_cut_strings),
		cmocka_unit_test(test_want_bytes),
		cmocka_unit_test(test_want_range),
		cmocka_unit_test(test_want_of),
		cmocka_unit_test(test_unread_values),
		cmocka_unit_test(test_other_number_of_arguments),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_nothing_came),
		cmocka_unit_test(test_extra),
		cmocka_unit_test(test_doubled),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_out_of_order_of_one_tracepoint),
		cmocka_unit_test(test_needle_in_haystack),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_lanes_by_int),
		cmocka_unit_test(test_lanes_by_string),
		cmocka_unit_test(test_first_lane_wins),
		cmocka_unit_test(test_ignored_lane),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_extra_kinds),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_unknown_argument),
		cmocka_unit_test(test_wrong_type),
		cmocka_unit_test(test_documented_type_counts),
		cmocka_unit_test(test_wanted_twice),
		cmocka_unit_test(test_left_unchecked),
		cmocka_unit_test(test_no_control),
		cmocka_unit_test(test_empty_range),
		cmocka_unit_test(test_expecting_in_ignored_lane),
		cmocka_unit_test(test_want_kind_first),
		cmocka_unit_test(test_many_different),
		cmocka_unit_test(test_many_equal),
		cmocka_unit_test(test_far_apart),
		cmocka_unit_test(test_context_of_moved),
		cmocka_unit_test(test_moved_and_wrong),
		cmocka_unit_test(test_findings_by_time),
		cmocka_unit_test(test_any_order_blames_the_right_one),
		cmocka_unit_test(test_any_order_takes_the_most_similar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
