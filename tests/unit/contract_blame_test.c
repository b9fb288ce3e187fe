/* Whom findings blame, over thousands of small sequences with known changes: whether there is a finding at all must not
 * depend on how events are paired, and the first one must name the change. The sequences are random, but always the
 * same. */
#include "base/buf.h"
#include "contract/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS_MAX = 24, VALUES = 6, ROUNDS = 4000, FRESH = 5000 };

/* An event, expected or actual: a number stands for each argument. */
struct item {
	enum tracepoint_id id;
	unsigned values[VALUES];
};

struct sequence {
	struct item items[ITEMS_MAX];
	size_t cnt;
};

static uint64_t seed;

static unsigned
choose(size_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((seed >> 33) % below);
}

/* Lanes: inbound messages in order, removed without order, all others in order. */

enum { LANES = 3, LANE_OF_MESSAGES = 1, LANE_OF_REMOVED = 2 };

static unsigned
lane_of(const struct item *item)
{
	return item->id == TP_NET_INBOUND_MESSAGE ? LANE_OF_MESSAGES
	       : item->id == TP_MEMPOOL_REMOVED   ? LANE_OF_REMOVED
						  : 0;
}

static bool
is_equal(const struct item *a, const struct item *b)
{
	return a->id == b->id && !memcmp(a->values, b->values, sizeof(a->values));
}

static struct sequence
only_lane(const struct sequence *all, unsigned lane)
{
	struct sequence of_lane = {.cnt = 0};

	for (size_t i = 0; i < all->cnt; i++)
		if (lane_of(&all->items[i]) == lane)
			of_lane.items[of_lane.cnt++] = all->items[i];
	return of_lane;
}

/* The position of the item in its lane. */
static size_t
place_in_lane(const struct sequence *all, size_t at)
{
	size_t place = 0;

	for (size_t i = 0; i < at; i++)
		place += lane_of(&all->items[i]) == lane_of(&all->items[at]);
	return place;
}

static size_t
count_equal(const struct sequence *sequence, const struct item *item)
{
	size_t cnt = 0;

	for (size_t i = 0; i < sequence->cnt; i++)
		cnt += is_equal(&sequence->items[i], item);
	return cnt;
}

/* What passes, by definition: each lane's events equal those expected, in order if the lane has one. */

static bool
has_equal_items(const struct sequence *wants, const struct sequence *gots)
{
	for (size_t i = 0; i < wants->cnt; i++)
		if (count_equal(wants, &wants->items[i]) != count_equal(gots, &wants->items[i]))
			return false;
	return wants->cnt == gots->cnt;
}

static bool
passes(const struct sequence *wants, const struct sequence *gots)
{
	for (unsigned lane = 0; lane < LANES; lane++) {
		struct sequence want = only_lane(wants, lane), got = only_lane(gots, lane);

		if (!has_equal_items(&want, &got))
			return false;
		for (size_t i = 0; i < want.cnt && lane != LANE_OF_REMOVED; i++)
			if (!is_equal(&want.items[i], &got.items[i]))
				return false;
	}
	return true;
}

/* Items as expectations and events */

static const char *const strings[] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"};

/* Strings and hashes of number n; they live until the next call with the same slot. */
static const char *
string_of(unsigned n, unsigned slot)
{
	static char texts[ITEMS_MAX * VALUES][12];

	if (n < sizeof(strings) / sizeof(strings[0]))
		return strings[n];
	snprintf(texts[slot], sizeof(texts[slot]), "s%u", n);
	return texts[slot];
}

static const uint8_t *
hash_of(unsigned n, unsigned slot)
{
	static uint8_t hashes[ITEMS_MAX * VALUES][32];

	memset(hashes[slot], 0x5a, 32);
	memcpy(hashes[slot], &n, sizeof(n));
	return hashes[slot];
}

static struct expect *
build(const struct sequence *wants)
{
	static const struct lane_select selects[LANES] = {
		[LANE_OF_MESSAGES] = {.tracepoints = TP_BIT(TP_NET_INBOUND_MESSAGE)},
		[LANE_OF_REMOVED] = {.tracepoints = TP_BIT(TP_MEMPOOL_REMOVED)},
	};
	struct expect *x = expect_new();

	for (unsigned lane = 0; lane < LANES; lane++) {
		if (lane)
			expect_lane(x, "lane", lane == LANE_OF_REMOVED ? LANE_ANY_ORDER : LANE_ORDERED,
				    &selects[lane]);
		for (size_t i = 0; i < wants->cnt; i++) {
			const struct item *item = &wants->items[i];
			const struct contract_tracepoint *row = contract_get(item->id);

			if (lane_of(item) != lane)
				continue;
			struct expected *e = expect_event(x, item->id, FINDING_CONTRACT, "item %zu.", i);
			for (unsigned a = 0; a < row->args_cnt; a++) {
				const char *name = row->args[a].name, *text = string_of(item->values[a], 0);

				if (row->args[a].type == ARG_HASH)
					want_hash(e, name, hash_of(item->values[a], 0));
				else if (row->args[a].type == ARG_STRING)
					want_string(e, name, text);
				else if (row->args[a].type == ARG_BYTES)
					want_bytes(e, name, text, strlen(text));
				else if (row->args[a].type == ARG_BOOL)
					want_bool(e, name, item->values[a] & 1);
				else if (arg_type_is_signed(row->args[a].type))
					want_int(e, name, item->values[a]);
				else
					want_uint(e, name, item->values[a]);
			}
		}
	}
	return x;
}

static struct value
value_of(enum arg_type type, unsigned n, unsigned slot)
{
	struct value value = {.u = n, .i = n, .type = arg_type_is_signed(type) ? VALUE_INT : VALUE_UINT};

	if (type == ARG_BOOL) {
		value.type = VALUE_BOOL;
		value.u = value.i = n & 1;
	} else if (type == ARG_HASH) {
		value.type = VALUE_HASH;
		value.bytes = hash_of(n, slot);
		value.len = value.full_len = 32;
	} else if (type == ARG_STRING || type == ARG_BYTES) {
		value.type = type == ARG_STRING ? VALUE_STRING : VALUE_BYTES;
		value.bytes = (const uint8_t *)string_of(n, slot);
		value.len = value.full_len = strlen((const char *)value.bytes);
	}
	return value;
}

static void
make_events(const struct sequence *gots, struct event events[ITEMS_MAX])
{
	for (size_t i = 0; i < gots->cnt; i++) {
		const struct item *item = &gots->items[i];
		const struct contract_tracepoint *row = contract_get(item->id);

		events[i] = (struct event){.tracepoint = item->id,
					   .release = RELEASE_MASTER,
					   .time_ns = 1000000 * (i + 1),
					   .args_cnt = row->args_cnt};
		for (unsigned a = 0; a < row->args_cnt; a++)
			events[i].args[a] =
				value_of(row->args[a].type, item->values[a], (unsigned)i * VALUES + a);
	}
}

/* Sequences and changes */

static unsigned next_number;

/* A value that no argument has had. */
static unsigned
fresh(void)
{
	return next_number++;
}

/* With is_distinct, items have nothing in common but bools; otherwise they are alike, and many are equal. */
static struct item
random_item(bool is_distinct)
{
	static const enum tracepoint_id ids[] = {TP_UTXOCACHE_ADD,         TP_UTXOCACHE_ADD,
						 TP_UTXOCACHE_SPENT,       TP_VALIDATION_BLOCK_CONNECTED,
						 TP_NET_INBOUND_MESSAGE,   TP_MEMPOOL_REMOVED,
						 TP_NET_CLOSED_CONNECTION, TP_MEMPOOL_REJECTED};
	struct item item = {.id = ids[choose(sizeof(ids) / sizeof(ids[0]))]};

	for (unsigned a = 0; a < contract_get(item.id)->args_cnt; a++)
		item.values[a] = contract_get(item.id)->args[a].type == ARG_BOOL ? choose(2)
				 : is_distinct                                   ? fresh()
										 : choose(2);
	return item;
}

static struct sequence
random_sequence(bool is_distinct)
{
	struct sequence sequence = {.cnt = 2 + choose(ITEMS_MAX / 2 - 2)};

	next_number = FRESH;
	for (size_t i = 0; i < sequence.cnt; i++) {
		sequence.items[i] = random_item(is_distinct);
		if (!is_distinct && i && !choose(3))
			sequence.items[i] = sequence.items[choose(i)];
	}
	return sequence;
}

static void
insert(struct sequence *sequence, size_t at, struct item item)
{
	memmove(&sequence->items[at + 1], &sequence->items[at], (sequence->cnt - at) * sizeof(item));
	sequence->items[at] = item;
	sequence->cnt++;
}

static struct item
take_out(struct sequence *sequence, size_t at)
{
	struct item item = sequence->items[at];

	sequence->cnt--;
	memmove(&sequence->items[at], &sequence->items[at + 1], (sequence->cnt - at) * sizeof(item));
	return item;
}

static unsigned
change(struct item *item)
{
	unsigned a = choose(contract_get(item->id)->args_cnt);

	item->values[a] = contract_get(item->id)->args[a].type == ARG_BOOL ? !item->values[a] : fresh();
	return a;
}

/* Comparing */

struct trial {
	struct sequence wants, gots;
	struct findings findings;
	const char *what; /* the change, for messages */
	unsigned round;
};

static void
fail_trial(const struct trial *trial, const char *why)
{
	struct event events[ITEMS_MAX];

	printf("round %u, %s:\n", trial->round, trial->what);
	for (int side = 0; side < 2; side++) {
		const struct sequence *sequence = side ? &trial->gots : &trial->wants;

		make_events(sequence, events);
		for (size_t i = 0; i < sequence->cnt; i++) {
			struct buf text;

			buf_init(&text, 4096);
			contract_format_event(&events[i], &text);
			printf("  %s %zu. %s\n", side ? "got" : "want", i, text.data);
			buf_fini(&text);
		}
	}
	for (size_t i = 0; i < trial->findings.cnt; i++)
		printf("  finding: %s\n", trial->findings.items[i].message);
	fail_msg("round %u, %s: %s", trial->round, trial->what, why);
}

/* Compares, and checks that there are findings if and only if there have to be, of the kind that there has to be. */
static void
run_trial(struct trial *trial)
{
	struct expect *x = build(&trial->wants);
	struct event events[ITEMS_MAX];
	struct diag diag;
	bool has_contract = false, differs = false;

	make_events(&trial->gots, events);
	trial->findings = (struct findings){0};
	if (expect_match(x, trial->wants.items[0].id, events, trial->gots.cnt, &trial->findings, &diag))
		fail_msg("%s", diag.text);
	expect_free(x);
	for (size_t i = 0; i < trial->findings.cnt; i++)
		has_contract |= trial->findings.items[i].kind == FINDING_CONTRACT;
	for (unsigned lane = 0; lane < LANES; lane++) {
		struct sequence want = only_lane(&trial->wants, lane), got = only_lane(&trial->gots, lane);

		differs |= !has_equal_items(&want, &got);
	}
	if (!trial->findings.cnt && !passes(&trial->wants, &trial->gots))
		fail_trial(trial, "it passes, but does not fit");
	if (trial->findings.cnt && passes(&trial->wants, &trial->gots))
		fail_trial(trial, "it fits, but does not pass");
	if (has_contract != differs)
		fail_trial(trial, "events in another order are a detail, others are not");
}

/* Whether the finding is about an expected event that equals this item. */
static bool
is_about(const struct trial *trial, const struct finding *finding, const struct item *item)
{
	char name[32];

	for (size_t i = 0; i < trial->wants.cnt; i++) {
		snprintf(name, sizeof(name), "item %zu.", i);
		if (strstr(finding->message, name))
			return is_equal(&trial->wants.items[i], item);
	}
	return false;
}

static void
check_one(const struct trial *trial, const struct item *item, unsigned argument, const char *how)
{
	const struct finding *finding = trial->findings.items;

	if (trial->findings.cnt != 1 || finding->argument != argument ||
	    (how && !strstr(finding->message, how)))
		fail_trial(trial, "the finding is another");
	if (item && !is_about(trial, finding, item))
		fail_trial(trial, "the finding is about another event");
}

static bool
are_all_moved(const struct trial *trial)
{
	for (size_t i = 0; i < trial->findings.cnt; i++)
		if (!strstr(trial->findings.items[i].message, "fired out of order"))
			return false;
	return true;
}

/* One change each */

static void
try_missing(struct trial *trial, bool is_distinct)
{
	struct item item = take_out(&trial->gots, choose(trial->gots.cnt));

	(void)is_distinct;
	trial->what = "an event is missing";
	run_trial(trial);
	check_one(trial, &item, 0, "did not fire");
}

static void
try_extra(struct trial *trial, bool is_distinct)
{
	struct item item = choose(2) ? trial->gots.items[choose(trial->gots.cnt)] : random_item(is_distinct);
	struct event events[ITEMS_MAX];
	struct sequence one = {.items = {item}, .cnt = 1};
	struct buf text;

	trial->what = "an event too many";
	insert(&trial->gots, choose(trial->gots.cnt + 1), item);
	run_trial(trial);
	check_one(trial, NULL, 0, "fired unexpectedly");
	buf_init(&text, 4096);
	make_events(&one, events);
	contract_format_event(&events[0], &text);
	if (strcmp(trial->findings.items[0].got, text.data) != 0)
		fail_trial(trial, "the finding is about another event");
	buf_fini(&text);
}

static void
try_changed(struct trial *trial, bool is_distinct)
{
	size_t at = choose(trial->gots.cnt);
	struct item item = trial->gots.items[at];
	unsigned argument = change(&trial->gots.items[at]);

	(void)is_distinct;
	trial->what = "a wrong argument";
	/* A bool has only one other value, and another event may have it: then this is another change. */
	if (count_equal(&trial->wants, &trial->gots.items[at])) {
		run_trial(trial);
		return;
	}
	run_trial(trial);
	check_one(trial, &item, argument + 1, NULL);
	/* It is marked, and nothing else is. */
	const struct finding *finding = trial->findings.items;
	char mark[40];
	snprintf(mark, sizeof(mark), ">%s=", finding->argument_name);
	const char *marked = strstr(finding->context, mark), *end = strchr(finding->context, '<');
	if (!marked || !end || end < marked || strchr(end + 1, '<'))
		fail_trial(trial, "the argument is not marked");
}

static void
try_moved(struct trial *trial, bool is_distinct)
{
	size_t from = choose(trial->gots.cnt), to = choose(trial->gots.cnt);
	struct item item = take_out(&trial->gots, from);
	size_t before = place_in_lane(&trial->wants, from);

	trial->what = "an event is in another place";
	insert(&trial->gots, to, item);
	run_trial(trial);
	if (passes(&trial->wants, &trial->gots))
		return;
	check_one(trial, NULL, 0, "fired out of order");
	size_t after = place_in_lane(&trial->gots, to);
	/* Of two neighbours, either has changed places. */
	if (is_distinct && after != before + 1 && before != after + 1)
		check_one(trial, &item, 0, NULL);
}

static void
try_swapped(struct trial *trial, bool is_distinct)
{
	size_t a = choose(trial->gots.cnt), b = choose(trial->gots.cnt);
	struct item one = trial->wants.items[a], other = trial->wants.items[b];

	trial->what = "two events have changed places";
	trial->gots.items[a] = other;
	trial->gots.items[b] = one;
	run_trial(trial);
	if (trial->findings.cnt > 2 || !are_all_moved(trial))
		fail_trial(trial, "others are blamed");
	for (size_t i = 0; i < trial->findings.cnt && is_distinct && lane_of(&one) == lane_of(&other); i++)
		if (!is_about(trial, &trial->findings.items[i], &one) &&
		    !is_about(trial, &trial->findings.items[i], &other))
			fail_trial(trial, "an event between them is blamed");
}

/* Late, and different for that: it must not be taken for those that came instead. */
static void
try_moved_and_changed(struct trial *trial, bool is_distinct)
{
	size_t from = choose(trial->gots.cnt), to = choose(trial->gots.cnt);
	struct item item = take_out(&trial->gots, from), changed = item;
	unsigned argument = change(&changed);

	trial->what = "an event is in another place, with a wrong argument";
	insert(&trial->gots, to, changed);
	run_trial(trial);
	for (size_t i = 0; i < trial->findings.cnt && is_distinct; i++) {
		const struct finding *finding = &trial->findings.items[i];

		if (finding->argument &&
		    (finding->argument != argument + 1 || !is_about(trial, finding, &item)))
			fail_trial(trial, "another argument is blamed");
		if (!finding->argument && !strstr(finding->message, "fired out of order"))
			fail_trial(trial, "more than the order and the argument is blamed");
	}
	if (is_distinct && (!trial->findings.cnt || trial->findings.cnt > 2))
		fail_trial(trial, "others are blamed");
}

static void
try_missing_and_changed(struct trial *trial, bool is_distinct)
{
	size_t gone = choose(trial->gots.cnt);
	struct item missing = take_out(&trial->gots, gone);
	size_t at = choose(trial->gots.cnt);
	struct item item = trial->gots.items[at];
	unsigned argument = change(&trial->gots.items[at]);
	bool has_missing = false, has_changed = false;

	trial->what = "an event is missing, and another has a wrong argument";
	run_trial(trial);
	if (!is_distinct)
		return;
	for (size_t i = 0; i < trial->findings.cnt; i++) {
		const struct finding *finding = &trial->findings.items[i];

		has_missing |= !finding->argument && is_about(trial, finding, &missing);
		has_changed |= finding->argument == argument + 1 && is_about(trial, finding, &item);
	}
	if (trial->findings.cnt != 2 || !has_missing || !has_changed)
		fail_trial(trial, "others are blamed");
}

/* Anything: only whether it passes counts. */
static void
try_many_changes(struct trial *trial, bool is_distinct)
{
	trial->what = "several changes";
	for (unsigned changes = choose(5); changes--;) {
		size_t cnt = trial->gots.cnt, at = cnt ? choose(cnt) : 0;

		switch (choose(4)) {
		case 0:
			if (cnt)
				take_out(&trial->gots, at);
			break;
		case 1:
			insert(&trial->gots, at, random_item(is_distinct));
			break;
		case 2:
			if (cnt)
				insert(&trial->gots, choose(cnt), take_out(&trial->gots, at));
			break;
		default:
			if (cnt)
				trial->gots.items[at].values[choose(2)] = choose(2);
		}
	}
	run_trial(trial);
}

static void
test_changes(void **state)
{
	static void (*const tries[])(struct trial * trial, bool is_distinct) = {
		try_missing,
		try_extra,
		try_changed,
		try_moved,
		try_swapped,
		try_moved_and_changed,
		try_missing_and_changed,
		try_many_changes,
	};

	(void)state;
	seed = 20261128;
	for (unsigned round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
			for (int is_distinct = 0; is_distinct < 2; is_distinct++) {
				struct trial trial = {.wants = random_sequence(is_distinct), .round = round};

				trial.gots = trial.wants;
				tries[i](&trial, is_distinct);
				findings_fini(&trial.findings);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
