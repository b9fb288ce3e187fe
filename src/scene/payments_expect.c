#include "scene/abilities.h"
#include "scene/log.h"
#include "scene/payment_sums.h"
#include "scene/payments.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SELECTIONS_MAX = 64 };

/* The coin selections that the wallets logged, to be taken one after the other. */
struct selection_log {
	struct log_selection items[SELECTIONS_MAX];
	size_t cnt, next;
};

/* What is expected to be reported of one of the two transactions. */
struct outcome {
	bool success;
	int64_t fee_sat;
	int position;
	bool is_position_drawn;
};

/* What was logged about the selection of that transaction; NULL when nothing was. */
static const struct log_selection *
next_logged(struct selection_log *log)
{
	return log->next < log->cnt ? &log->items[log->next++] : NULL;
}

/* A transaction is made, and its selection logged. */
static bool
is_made(const struct creation *creation)
{
	return creation->coins && !creation->fails;
}

static const struct creation *
second_creation(const struct payment *payment)
{
	return payment->aps == APS_OTHER ? &payment->grouped : &payment->normal;
}

static bool
has_second(const struct payment *payment)
{
	return payment->aps != APS_NONE && is_made(&payment->normal);
}

static void
want_algorithm(struct expected *e, const struct creation *creation, const struct log_selection *logged)
{
	const char *names[] = {creation->algorithm, creation->or_algorithm};
	size_t cnt = creation->or_algorithm ? 2 : 1;

	for (size_t i = 0; i < cnt && logged; i++)
		if (!strcmp(logged->algorithm, names[i])) {
			want_string(e, "algorithm", logged->algorithm);
			return;
		}
	want_string_of(e, "algorithm", names, cnt);
	if (logged)
		want_kind(e, FINDING_DETAIL);
}

/* A selection that came to nothing is not logged: only today's definition gives its waste. */
static void
want_waste(struct scene *scene, struct expected *e, const struct payment *payment,
	   const struct creation *creation, const struct log_selection *logged)
{
	int64_t waste = payment_waste_sat(scene, payment, creation->coins, false);
	int64_t waste_with_presets = payment_waste_sat(scene, payment, creation->coins, true);
	bool is_known = logged && (logged->waste_sat == waste || logged->waste_sat == waste_with_presets);

	want_int(e, "waste", is_known ? logged->waste_sat : waste);
	if (logged ? !is_known : creation->fails)
		want_kind(e, FINDING_DETAIL);
}

static void
expect_selected(struct scene *scene, const struct payment *payment, const struct creation *creation,
		struct selection_log *log, const char *what)
{
	const struct log_selection *logged = is_made(creation) ? next_logged(log) : NULL;

	if (!creation->coins)
		return;
	struct expected *e = expect_event(scene->expect, TP_COIN_SELECTION_SELECTED_COINS, FINDING_CONTRACT,
					  "the coins of %s", what);
	want_string(e, "wallet", payment_wallet(payment));
	want_algorithm(e, creation, logged);
	want_int(e, "target", payment_target_sat(payment));
	want_waste(scene, e, payment, creation, logged);
	want_int(e, "selected", payment_selected_sat(scene, creation->coins));
}

/* The answer says what became of the transaction that was taken; the wallet is asked about the other by giving it the
 * inputs. */
static struct outcome
get_outcome(struct scene *scene, const struct payment *payment, const struct creation *creation,
	    bool is_taken)
{
	struct payment asked = *payment;

	if (!is_made(creation))
		return (struct outcome){.position = scene_has(scene, ABILITY_NO_POSITION) ? -1 : 0};
	if (!is_taken) {
		asked.by = PAY_BY_FUND;
		asked.offer = asked.max_weight = 0;
		asked.presets = creation->coins;
		asked.presets_only = true;
		if (creation->coins != payment->coins)
			payment_make(scene, &asked);
	}
	return (struct outcome){
		.success = true,
		.fee_sat = asked.fee_sat,
		.position = asked.position,
		.is_position_drawn =
			!is_taken && payment->change_position == POSITION_DRAWN && asked.position >= 0,
	};
}

static struct expected *
expect_creation(struct scene *scene, enum tracepoint_id id, const struct payment *payment,
		const struct outcome *outcome, const char *what)
{
	struct expected *e = expect_event(scene->expect, id, FINDING_CONTRACT, "%s", what);

	want_string(e, "wallet", payment_wallet(payment));
	want_bool(e, "success", outcome->success);
	want_int(e, "fee", outcome->fee_sat);
	if (outcome->is_position_drawn)
		want_range(e, "change_position", 0, payment->others_cnt + 1);
	else
		want_int(e, "change_position", outcome->position);
	return e;
}

static void
expect_second(struct scene *scene, const struct payment *payment, bool use_aps, struct selection_log *log,
	      const char *what)
{
	const struct creation *second = second_creation(payment);
	struct outcome outcome = get_outcome(scene, payment, second, use_aps);
	struct expected *e = expect_event(scene->expect, TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX,
					  FINDING_CONTRACT, "%s", what);

	want_string(e, "wallet", payment_wallet(payment));
	expect_selected(scene, payment, second, log, what);
	e = expect_creation(scene, TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL, payment, &outcome, what);
	want_bool(e, "use_aps", use_aps);
}

static void
expect_payment(struct scene *scene, const struct payment *payment, size_t number, struct selection_log *log)
{
	const struct creation *normal = &payment->normal, *second = second_creation(payment);
	bool use_aps = has_second(payment) && is_made(second) && payment->coins == second->coins;
	const struct creation *taken = use_aps ? second : normal;
	char what[64], second_what[64];

	snprintf(what, sizeof(what), "payment %zu", number);
	snprintf(second_what, sizeof(second_what), "the grouped payment %zu", number);
	if (!payment->is_refused && payment->coins != taken->coins)
		scene_fail(scene, -EBADMSG,
			   "payments: for payment %zu the wallet chose other coins than were arranged",
			   number);
	struct outcome outcome = get_outcome(scene, payment, normal, !use_aps);
	expect_selected(scene, payment, normal, log, what);
	expect_creation(scene, TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL, payment, &outcome, what);
	if (has_second(payment))
		expect_second(scene, payment, use_aps, log, second_what);
}

static size_t
count_made(const struct payments *payments)
{
	size_t made = 0;

	for (size_t i = 0; i < payments->cnt; i++) {
		const struct payment *payment = &payments->items[i];

		made += is_made(&payment->normal);
		made += has_second(payment) && is_made(second_creation(payment));
	}
	return made;
}

void
payments_expect(struct scene *scene)
{
	struct payments *payments = scene->state;
	struct selection_log log = {.next = 0};

	/* Read first, because the wallet also logs what it is asked below. */
	log.cnt = log_selections(scene, log.items, SELECTIONS_MAX);
	for (size_t i = 0; i < payments->cnt; i++)
		if (payments->items[i].by == PAY_BY_ADDRESS && !payments->items[i].is_refused)
			payment_read_sent(scene, &payments->items[i]);
	/* A log that differs from what it is today is not used at all. */
	if (log.cnt != count_made(payments))
		log.cnt = 0;
	expect_source(scene->expect, "the wallet's answers%s, and the coins and payments that it was given",
		      log.cnt ? " and its log (Coin Selection: ...)" : "");
	for (size_t i = 0; i < payments->cnt; i++)
		if (payments->items[i].by != PAY_NOBODY)
			expect_payment(scene, &payments->items[i], i + 1, &log);
}
