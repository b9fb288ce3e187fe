#include "scene/payments.h"

#include "node/script.h"
#include "scene/abilities.h"
#include "scene/blocks.h"
#include "scene/payment_sums.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PARAMS_MAX = 1 << 20,
	/* bitcoind's error codes: */
	RPC_WALLET_ERROR = -4,
	RPC_WALLET_INSUFFICIENT_FUNDS = -6,
};

/* P2WSH of OP_TRUE as an address on regtest. */
#define ANYONE "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"

const char *
payment_wallet(const struct payment *payment)
{
	return payment->wallet ? payment->wallet : PURSE_NAME;
}

/* Calls */

static void
add_rate(const struct payment *payment, struct buf *out)
{
	buf_printf(out, "%" PRId64 ".%03" PRId64, payment->rate / 1000, payment->rate % 1000);
}

static void
add_btc(int64_t sat, struct buf *out)
{
	buf_printf(out, "%" PRId64 ".%08" PRId64, sat / 100000000, sat % 100000000);
}

/* Options of fundrawtransaction and walletcreatefundedpsbt. */
static void
add_options(const struct scene *scene, const struct payment *payment, struct buf *out)
{
	buf_puts(out, "{\"fee_rate\": ");
	add_rate(payment, out);
	if (payment->change_position != POSITION_DRAWN)
		buf_printf(out, ", \"changePosition\": %d", payment->change_position);
	buf_puts(out, payment->foreign_change ? ", \"changeAddress\": \"" ANYONE "\""
					      : ", \"change_type\": \"bech32\"");
	if (payment->presets_only)
		buf_puts(out, ", \"add_inputs\": false");
	if (payment->subtract_fee)
		buf_puts(out, ", \"subtractFeeFromOutputs\": [0]");
	if (payment->max_weight)
		buf_printf(out, ", \"max_tx_weight\": %u", payment->max_weight);
	if (payment->preset_vbytes) {
		buf_puts(out, ", \"input_weights\": [");
		wallets_write_coins(scene, payment->presets, 4 * payment->preset_vbytes, out);
		buf_puts(out, "]");
	}
	buf_puts(out, "}");
}

static void
add_raw_tx(const struct scene *scene, const struct payment *payment, struct buf *out)
{
	struct tx tx;

	tx_init(&tx);
	for (int i = 0; i < PURSE_COINS; i++) {
		const struct chain_coin *coin = &scene->wallets->coins[i];

		if (payment->presets & COIN_BIT(i))
			tx_add_input(&tx, coin->txid_wire, coin->idx, TX_SEQUENCE_RBF);
	}
	blocks_pay(&tx, payment->first_sat);
	for (unsigned i = 0; i < payment->others_cnt; i++)
		blocks_pay(&tx, payment->other_sat);
	char *hex = tx_hex(&tx);
	buf_puts(out, hex);
	free(hex);
	tx_fini(&tx);
}

/* Returns the method, and adds its parameters. */
static const char *
write_call(const struct scene *scene, const struct payment *payment, struct buf *params)
{
	switch (payment->by) {
	case PAY_BY_PSBT:
		buf_puts(params, "[[], [{\"" ANYONE "\": ");
		add_btc(payment->first_sat, params);
		buf_puts(params, "}], 0, ");
		add_options(scene, payment, params);
		buf_puts(params, "]");
		return "walletcreatefundedpsbt";
	case PAY_BY_ADDRESS:
		buf_puts(params, "[\"" ANYONE "\", ");
		add_btc(payment->first_sat, params);
		buf_puts(params, ", \"\", \"\", false, true, null, \"unset\", null, ");
		add_rate(payment, params);
		buf_puts(params, "]");
		return "sendtoaddress";
	case PAY_BY_SEND:
		buf_puts(params, "[[{\"" ANYONE "\": ");
		add_btc(payment->first_sat, params);
		buf_puts(params, "}], null, \"unset\", ");
		add_rate(payment, params);
		buf_puts(params, "]");
		return "send";
	case PAY_NOBODY:
		buf_puts(params, "[\"\", {}]");
		return "sendmany";
	case PAY_BY_FUND:
		break;
	}
	buf_puts(params, "[\"");
	add_raw_tx(scene, payment, params);
	buf_puts(params, "\", ");
	add_options(scene, payment, params);
	buf_puts(params, ", false]");
	return "fundrawtransaction";
}

/* The purses' coins that it spends; other coins are an error. */
static unsigned
spent_coins(struct scene *scene, const struct tx *tx)
{
	unsigned which = 0;

	for (size_t i = 0; i < tx->inputs_cnt; i++) {
		const struct tx_input *input = &tx->inputs[i];

		if (input->prev_idx >= PURSE_COINS ||
		    memcmp(input->prev_txid_wire, scene->wallets->coins[input->prev_idx].txid_wire, 32) !=
			    0) {
			scene_fail(scene, -EBADMSG,
				   "payments: the wallet spends a coin that it was not given");
			return 0;
		}
		which |= COIN_BIT(input->prev_idx);
	}
	return which;
}

static void
read_answer(struct scene *scene, struct payment *payment, const char *method, const struct json *answer)
{
	int64_t position = 0;

	if (payment->by == PAY_BY_ADDRESS) {
		const char *txid = json_string(answer);

		snprintf(payment->txid, sizeof(payment->txid), "%s", txid ? txid : "");
		if (!txid)
			scene_fail(scene, -EBADMSG,
				   "payments: bitcoind's answer to %s is not a transaction id", method);
		return;
	}
	if (!json_sat(json_get(answer, "fee"), &payment->fee_sat) ||
	    !json_i64(json_get(answer, "changepos"), &position))
		scene_fail(scene, -EBADMSG, "payments: bitcoind's answer to %s has no fee or changepos",
			   method);
	payment->position = (int)position;
	/* The inputs of a PSBT can only be had by another call. */
	payment->coins =
		payment->by == PAY_BY_PSBT
			? payment->normal.coins
			: spent_coins(scene, wallets_read_tx(scene, json_get(answer, "hex"), method));
}

static void
call_refused(struct scene *scene, const char *wallet, const char *method, const char *params)
{
	if (!scene_ok(scene))
		return;
	int err = node_wallet_call(scene->node, scene->deadline, wallet, NULL, &scene->diag, method, "%s",
				   params);
	int rpc_code = node_rpc_code(scene->node);

	if (!err)
		scene_fail(scene, -EBADMSG, "payments: %s succeeded; the wallet should have rejected it",
			   method);
	else if (err != -EREMOTEIO ||
		 (rpc_code != RPC_WALLET_ERROR && rpc_code != RPC_WALLET_INSUFFICIENT_FUNDS))
		scene->err = err;
}

void
payment_make(struct scene *scene, struct payment *payment)
{
	struct buf *params = scene_buf(scene, PARAMS_MAX);
	const char *method = write_call(scene, payment, params);
	const char *wallet = payment_wallet(payment);

	if (payment->offer)
		wallets_offer(scene, payment->offer);
	if (payment->is_refused)
		call_refused(scene, wallet, method, params->data);
	else
		read_answer(scene, payment, method,
			    scene_wallet_call(scene, wallet, method, "%s", params->data));
}

void
payment_read_sent(struct scene *scene, struct payment *payment)
{
	const char *wallet = payment_wallet(payment);
	const struct json *answer =
		scene_wallet_call(scene, wallet, "gettransaction", "[\"%s\"]", payment->txid);
	const struct tx *tx = wallets_read_tx(scene, json_get(answer, "hex"), "gettransaction");

	if (!json_sat(json_get(answer, "fee"), &payment->fee_sat))
		scene_fail(scene, -EBADMSG, "payments: bitcoind's answer to gettransaction has no fee");
	payment->fee_sat = -payment->fee_sat;
	payment->position = -1;
	for (size_t i = 0; i < tx->outputs_cnt; i++)
		if (tx->outputs[i].script.len != SCRIPT_P2WSH_SZ)
			payment->position = (int)i;
	payment->coins = spent_coins(scene, tx);
	scene_wallet_call(scene, wallet, "abandontransaction", "[\"%s\"]", payment->txid);
}

/* Steps of a scenario */

static void
require_abilities(struct scene *scene, const struct payment *payment)
{
	if (payment->max_weight)
		scene_require(scene, ABILITY_MAX_WEIGHT);
	if (payment->normal.algorithm && !strcmp(payment->normal.algorithm, "cg"))
		scene_require(scene, ABILITY_COIN_GRINDER);
}

void
payments_begin(struct scene *scene, const struct payment *list, size_t cnt)
{
	struct payments *payments = scene->state;

	for (size_t i = 0; i < cnt; i++)
		require_abilities(scene, &list[i]);
	wallets_make(scene);
	payments->cnt = cnt;
	for (size_t i = 0; i < cnt; i++) {
		struct payment *p = &payments->items[i];

		*p = list[i];
		if (!p->first_sat)
			p->first_sat = payment_effective_sat(scene, p, p->normal.coins) - p->excess_sat -
				       payment_target_sat(p);
	}
	if (list->offer)
		wallets_offer(scene, list->offer);
}

void
payments_act(struct scene *scene)
{
	struct payments *payments = scene->state;

	for (size_t i = 0; i < payments->cnt; i++)
		payment_make(scene, &payments->items[i]);
}
