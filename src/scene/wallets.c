#include "scene/wallets.h"

#include "base/text.h"
#include "base/xmem.h"
#include "node/script.h"
#include "scene/blocks.h"
#include "scene/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PARAMS_MAX = 1 << 20,
	SELECTIONS_MAX = 64,
	OUTPUT_VBYTES = 43,        /* of an output to P2WSH */
	FOREIGN_SPEND_VBYTES = 91, /* what the wallet takes an input for that it cannot sign */
	DUST_SPEND_VBYTES = 67,    /* what spending a witness output counts for the limit of dust */
	/* bitcoind's codes: */
	RPC_TYPE_ERROR = -3,
	RPC_WALLET_ERROR = -4,
	RPC_WALLET_INSUFFICIENT_FUNDS = -6,
	RPC_INVALID_PARAMETER = -8,
};

/* P2WSH of OP_TRUE as an address on regtest. */
#define ANYONE "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"

/* The two purses' keys: of addresses, and of change. What they guard exists on our own regtest alone. */
#define MASTER_KEY                                                                                           \
	"tprv8ZgxMBicQKsPduh337P2rnUV2UoLF5arQ3Dz7fKw2BQZGkFbYwJUNpuoKmi7R4MHBqrPbNxXdTnsasYgaouLXoezj6d6x1qmaBwrCqpCCPK"
#define ADDRESSES        "wpkh(" MASTER_KEY "/0/*)#zw3kl2w3"
#define CHANGE           "wpkh(" MASTER_KEY "/1/*)#n65hzl7f"
#define SECOND_ADDRESSES "wpkh(" MASTER_KEY "/2/*)#f0m5vf8g"
#define SECOND_CHANGE    "wpkh(" MASTER_KEY "/3/*)#cm743uhs"

enum { PURSE_ADDRESSES = 9 };

/* Value, and the number of the address; those of the second purse follow the first's. The values differ in all digits
 * that could be lost. */
static const struct {
	int64_t value_sat;
	unsigned address;
} coins[PURSE_COINS] = {
	[COIN_LARGE] = {6012345678, 0}, [COIN_LARGE_TWIN] = {3801234567, 0}, [COIN_FINE] = {3000007, 1},
	[COIN_FINE_TWIN] = {9001, 1},   [COIN_EQUAL_1] = {40003, 2},         [COIN_EQUAL_2] = {40003, 3},
	[COIN_EQUAL_3] = {40003, 4},    [COIN_BIG] = {1000011, 5},           [COIN_SMALL_1] = {31013, 6},
	[COIN_SMALL_2] = {33517, 7},    [COIN_SMALL_3] = {37129, 8},         [COIN_SECOND] = {2000003, 9},
	[COIN_SECOND_TWIN] = {8009, 9},
};

static const char *const wallet_args[] = {
	"-unsafesqlitesync=1", /* no waiting for the disk */
	"-keypool=1",
	"-walletbroadcast=0", /* the mempool stays empty */
	"-consolidatefeerate=0.0001",
	"-discardfee=0.00012",
	"-maxapsfee=0.00002",
	"-maxtxfee=50",
	NULL,
};

/* Making the wallets */

static int
make_wallet(struct scene *scene, const char *name, bool avoid_reuse, const char *addresses, unsigned last,
	    const char *change, struct diag *diag)
{
	int code = node_call(scene->node, scene->deadline, NULL, diag, "createwallet",
			     "[\"%s\", false, true, null, %s]", name, avoid_reuse ? "true" : "false");

	if (!code)
		code = node_wallet_call(
			scene->node, scene->deadline, name, NULL, diag, "importdescriptors",
			"[[{\"desc\": \"%s\", \"timestamp\": \"now\", \"range\": [0, %u]}, {\"desc\": \"%s\", \"timestamp\": \"now\", \"range\": [0, 1], \"active\": true, \"internal\": true}]]",
			addresses, last, change);
	return code;
}

/* Adds "{address: amount}, " for each address of the descriptor, up to number last. */
static int
add_addresses(struct scene *scene, const char *descriptor, unsigned last, struct buf *out, struct diag *diag)
{
	struct json *addresses = NULL;
	int code = node_call(scene->node, scene->deadline, &addresses, diag, "deriveaddresses",
			     "[\"%s\", [0, %u]]", descriptor, last);

	for (size_t i = 0; i < json_cnt(addresses); i++) {
		const char *address = json_string(json_at(addresses, i));

		buf_printf(out, "%s{\"%s\": 1}", out->len ? ", " : "", address ? address : "");
	}
	json_free(addresses);
	return code;
}

/* A transaction that pays to each address of the purses, in order, for its scripts. */
static int
get_scripts(struct scene *scene, struct tx *scripts, struct diag *diag)
{
	struct json *hex = NULL;
	struct buf outputs;

	buf_init(&outputs, PARAMS_MAX);
	int code = add_addresses(scene, ADDRESSES, PURSE_ADDRESSES - 1, &outputs, diag);
	if (!code)
		code = add_addresses(scene, SECOND_ADDRESSES, 0, &outputs, diag);
	if (!code)
		code = node_call(scene->node, scene->deadline, &hex, diag, "createrawtransaction",
				 "[[{\"txid\": \"%064d\", \"vout\": 0}], [%s]]", 1, outputs.data);
	if (!code)
		code = tx_parse_hex(scripts, json_string(hex) ? json_string(hex) : "", diag);
	if (!code && scripts->outputs_cnt != PURSE_ADDRESSES + 1)
		code = diag_fail(diag, -EBADMSG,
				 "wallets: bitcoind's createrawtransaction gave %zu outputs, not %d",
				 scripts->outputs_cnt, PURSE_ADDRESSES + 1);
	buf_fini(&outputs);
	json_free(hex);
	return code;
}

/* Adds two coinbases' coins as inputs. For those of blocks_take_coin more blocks would have to be mined. */
static int
spend_coinbases(struct scene *scene, struct tx *tx, struct diag *diag)
{
	uint32_t *next = &scene->coins->next_height;
	struct chain_tip tip;
	int code = chain_tip(scene->node, scene->deadline, &tip, diag);

	*next = *next ? *next : 1;
	uint32_t least = *next + 1 + COINBASE_MATURITY - 1;
	if (!code && tip.height < least)
		code = blocks_mine(scene, least - tip.height, diag);
	for (int i = 0; i < 2 && !code; i++) {
		struct chain_coin coin;

		code = chain_coinbase(scene->node, scene->deadline, (*next)++, &coin, diag);
		if (!code)
			tx_spend(tx, &coin);
	}
	return code;
}

static int
fund(struct scene *scene, struct diag *diag)
{
	struct block block = {0};
	struct tx tx, scripts;

	tx_init(&tx);
	tx_init(&scripts);
	int code = get_scripts(scene, &scripts, diag);
	if (!code)
		code = spend_coinbases(scene, &tx, diag);
	if (!code)
		code = blocks_begin(scene, &block, 0, diag);
	if (!code) {
		for (int i = 0; i < PURSE_COINS; i++) {
			const struct tx_bytes *script = &scripts.outputs[coins[i].address].script;

			tx_add_output(&tx, coins[i].value_sat, script->data, script->len);
		}
		block_add_tx(&block, &tx);
		code = blocks_submit(scene, &block, diag);
	}
	for (uint32_t i = 0; i < PURSE_COINS && !code; i++)
		scene->wallets->coins[i] = tx_coin(&tx, i);
	block_fini(&block);
	tx_fini(&tx);
	tx_fini(&scripts);
	return code;
}

static int
make_wallets(struct scene *scene, struct diag *diag)
{
	int code = make_wallet(scene, PURSE_NAME, false, ADDRESSES, PURSE_ADDRESSES - 1, CHANGE, diag);
	if (!code)
		code = make_wallet(scene, SECOND_PURSE_NAME, true, SECOND_ADDRESSES, 0, SECOND_CHANGE, diag);
	if (!code)
		code = fund(scene, diag);
	scene->wallets->made = !code;
	scene->wallets->offered = ~COINS_SECOND & (COIN_BIT(PURSE_COINS) - 1);
	return code;
}

static int
warm(struct scene *scene, struct diag *diag)
{
	int code = make_wallets(scene, diag);

	/* Those who need the wallet will be skipped. */
	return code == -EREMOTEIO && node_rpc_code(scene->node) == NODE_RPC_NO_METHOD ? 0 : code;
}

const struct profile profile_wallet = {.name = "wallet", .args = wallet_args, .warm = warm};

void
payments_lend(struct scene *scene, const struct chain_coin *coin)
{
	*scene->wallets = (struct wallet_pool){.made = true, .coins = {[COIN_LARGE] = *coin}};
}

void
payments_end(struct scene *scene)
{
	*scene->wallets = (struct wallet_pool){.made = false};
}

/* Adds "{"txid": ..., "vout": ...}, " for each of the coins; with a weight unless that is 0. */
static void
add_coins(const struct scene *scene, unsigned which, unsigned weight, struct buf *out)
{
	bool first = true;

	for (int i = 0; i < PURSE_COINS; i++) {
		const struct chain_coin *coin = &scene->wallets->coins[i];
		char txid[65];

		if (!(which & COIN_BIT(i)))
			continue;
		format_hash(coin->txid_wire, txid);
		buf_printf(out, "%s{\"txid\": \"%s\", \"vout\": %u", first ? "" : ", ", txid, coin->idx);
		if (weight)
			buf_printf(out, ", \"weight\": %u", weight);
		buf_puts(out, "}");
		first = false;
	}
}

static int
set_locks(struct scene *scene, unsigned which, bool lock, struct diag *diag)
{
	struct buf list;

	if (!which)
		return 0;
	buf_init(&list, PARAMS_MAX);
	add_coins(scene, which, 0, &list);
	int code = node_wallet_call(scene->node, scene->deadline, PURSE_NAME, NULL, diag, "lockunspent",
				    "[%s, [%s]]", lock ? "false" : "true", list.data);
	buf_fini(&list);
	return code;
}

static int
offer(struct scene *scene, unsigned which, struct diag *diag)
{
	unsigned *offered = &scene->wallets->offered;
	int code = set_locks(scene, *offered & ~which, true, diag);

	if (!code)
		code = set_locks(scene, which & ~*offered, false, diag);
	*offered = which;
	return code;
}

/* Sums */

/* What a number of virtual bytes costs, rounded up as Bitcoin Core does. */
static int64_t
fee_sat_of(int64_t rate, int64_t vbytes)
{
	return (rate * vbytes + 999) / 1000;
}

static int64_t
outputs_sat(const struct payment *payment)
{
	return payment->first_sat + payment->others_cnt * payment->other_sat;
}

/* What is neither input nor change: version, lock time, the two counts, the outputs. */
static int64_t
rest_vbytes(const struct payment *payment)
{
	int64_t outputs = payment->others_cnt + 1;

	return 4 + 4 + 1 + 1 + (outputs < 253 ? 1 : 3) + outputs * OUTPUT_VBYTES;
}

static int64_t
target_sat(const struct payment *payment)
{
	return outputs_sat(payment) +
	       (payment->subtract_fee ? 0 : fee_sat_of(payment->rate, rest_vbytes(payment)));
}

static int64_t
coin_vbytes(const struct payment *payment, int coin)
{
	bool is_told = payment->presets & COIN_BIT(coin) && payment->preset_vbytes;

	return is_told ? payment->preset_vbytes : WALLET_COIN_VBYTES;
}

static int64_t
selected_sat(const struct scene *scene, unsigned which)
{
	int64_t sum = 0;

	for (int i = 0; i < PURSE_COINS; i++)
		if (which & COIN_BIT(i))
			sum += scene->wallets->coins[i].value_sat;
	return sum;
}

/* What the coins are worth after the fee for spending them. */
static int64_t
effective_sat(const struct scene *scene, const struct payment *payment, unsigned which)
{
	int64_t sum = selected_sat(scene, which);

	for (int i = 0; i < PURSE_COINS && !payment->subtract_fee; i++)
		if (which & COIN_BIT(i))
			sum -= fee_sat_of(payment->rate, coin_vbytes(payment, i));
	return sum;
}

/* Coins that were preset cost nothing later, as today's wallet has it (FetchSelectedInputs leaves their long_term_fee
 * at 0), unless presets_too. */
static int64_t
waste_sat(const struct scene *scene, const struct payment *payment, unsigned which, bool presets_too)
{
	int64_t change_vbytes = payment->foreign_change ? OUTPUT_VBYTES : WALLET_CHANGE_VBYTES;
	int64_t making_sat = fee_sat_of(payment->rate, change_vbytes);
	int64_t spending_sat = fee_sat_of(WALLET_DISCARD_RATE, payment->foreign_change ? FOREIGN_SPEND_VBYTES
										       : WALLET_COIN_VBYTES);
	int64_t dust_sat = fee_sat_of(WALLET_DISCARD_RATE, change_vbytes + DUST_SPEND_VBYTES);
	int64_t excess_sat = effective_sat(scene, payment, which) - target_sat(payment);
	int64_t change_sat = excess_sat - (payment->subtract_fee ? 0 : making_sat);
	bool has_change = change_sat >= dust_sat && change_sat > spending_sat;
	int64_t waste = has_change ? making_sat + spending_sat : excess_sat;

	for (int i = 0; i < PURSE_COINS; i++) {
		if (!(which & COIN_BIT(i)))
			continue;
		waste += fee_sat_of(payment->rate, coin_vbytes(payment, i));
		if (presets_too || !(payment->presets & COIN_BIT(i)))
			waste -= fee_sat_of(WALLET_LONG_TERM_RATE, coin_vbytes(payment, i));
	}
	return waste;
}

/* Paying */

static const char *
wallet_name(const struct payment *payment)
{
	return payment->wallet ? payment->wallet : PURSE_NAME;
}

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
	if (payment->most_weight)
		buf_printf(out, ", \"max_tx_weight\": %u", payment->most_weight);
	if (payment->preset_vbytes) {
		buf_puts(out, ", \"input_weights\": [");
		add_coins(scene, payment->presets, 4 * payment->preset_vbytes, out);
		buf_puts(out, "]");
	}
	buf_puts(out, "}");
}

static void
add_fund(const struct scene *scene, const struct payment *payment, struct buf *out)
{
	struct tx tx;

	tx_init(&tx);
	for (int i = 0; i < PURSE_COINS; i++) {
		const struct chain_coin *coin = &scene->wallets->coins[i];

		if (payment->presets & COIN_BIT(i))
			tx_add_input(&tx, coin->txid_wire, coin->idx, TX_SEQUENCE_RBF);
	}
	for (unsigned i = 0; i <= payment->others_cnt; i++)
		tx_pay(&tx, i ? payment->other_sat : payment->first_sat);
	char *hex = tx_hex(&tx);
	buf_printf(out, "[\"%s\", ", hex);
	add_options(scene, payment, out);
	buf_puts(out, ", false]");
	free(hex);
	tx_fini(&tx);
}

/* The method, and its parameters into out. */
static const char *
write_call(const struct scene *scene, const struct payment *payment, struct buf *out)
{
	switch (payment->by) {
	case PAY_BY_PSBT:
		buf_puts(out, "[[], [{\"" ANYONE "\": ");
		add_btc(payment->first_sat, out);
		buf_puts(out, "}], 0, ");
		add_options(scene, payment, out);
		buf_puts(out, "]");
		return "walletcreatefundedpsbt";
	case PAY_BY_ADDRESS:
		buf_puts(out, "[\"" ANYONE "\", ");
		add_btc(payment->first_sat, out);
		buf_puts(out, ", \"\", \"\", false, true, null, \"unset\", null, ");
		add_rate(payment, out);
		buf_puts(out, "]");
		return "sendtoaddress";
	case PAY_BY_SEND:
		buf_puts(out, "[[{\"" ANYONE "\": ");
		add_btc(payment->first_sat, out);
		buf_puts(out, "}], null, \"unset\", ");
		add_rate(payment, out);
		buf_puts(out, "]");
		return "send";
	case PAY_NOBODY:
		buf_puts(out, "[\"\", {}]");
		return "sendmany";
	case PAY_BY_FUND:
		break;
	}
	add_fund(scene, payment, out);
	return "fundrawtransaction";
}

/* Which of the purses' coins it spends; all others are an error. */
static int
read_coins(const struct scene *scene, const struct tx *tx, unsigned *which, struct diag *diag)
{
	*which = 0;
	for (size_t i = 0; i < tx->inputs_cnt; i++) {
		const struct tx_input *input = &tx->inputs[i];

		if (input->prev_idx >= PURSE_COINS ||
		    memcmp(input->prev_txid_wire, scene->wallets->coins[input->prev_idx].txid_wire, 32) != 0)
			return diag_fail(diag, -EBADMSG,
					 "wallets: the wallet spends a coin that it was not given");
		*which |= COIN_BIT(input->prev_idx);
	}
	return 0;
}

static int
lacks(const char *method, struct diag *diag)
{
	return diag_fail(diag, -EBADMSG, "wallets: bitcoind's %s lacks something", method);
}

static int
read_answer(const struct scene *scene, struct payment *payment, const char *method, const struct json *answer,
	    struct diag *diag)
{
	int64_t position;
	struct tx tx;

	if (payment->by == PAY_BY_ADDRESS) {
		const char *txid = json_string(answer);

		snprintf(payment->txid, sizeof(payment->txid), "%s", txid ? txid : "");
		return txid ? 0 : lacks(method, diag);
	}
	if (!json_sat(json_get(answer, "fee"), &payment->fee_sat) ||
	    !json_i64(json_get(answer, "changepos"), &position))
		return lacks(method, diag);
	payment->position = (int)position;
	/* A PSBT does not tell of its inputs without another call. */
	payment->coins = payment->normal.coins;
	if (payment->by == PAY_BY_PSBT)
		return 0;
	const char *hex = json_string(json_get(answer, "hex"));
	int code = hex ? tx_parse_hex(&tx, hex, diag) : lacks(method, diag);
	if (hex) {
		code = code ? code : read_coins(scene, &tx, &payment->coins, diag);
		tx_fini(&tx);
	}
	return code;
}

static int
pay(struct scene *scene, struct payment *payment, struct diag *diag)
{
	struct json *answer = NULL;
	struct buf params;
	int code =
		payment->offer ? offer(scene, payment->offer, diag) : 0; /* no call where nothing changes */

	if (code)
		return code;
	buf_init(&params, PARAMS_MAX);
	const char *method = write_call(scene, payment, &params);
	code = node_wallet_call(scene->node, scene->deadline, wallet_name(payment), &answer, diag, method,
				"%s", params.data);
	int rpc_code = node_rpc_code(scene->node);
	if (code == -EREMOTEIO && payment->most_weight &&
	    (rpc_code == RPC_TYPE_ERROR || rpc_code == RPC_INVALID_PARAMETER))
		code = scenario_skip(
			diag,
			"this bitcoind's fundrawtransaction does not know max_tx_weight; v29 and newer do");
	else if (code == -EREMOTEIO && payment->is_refused &&
		 (rpc_code == RPC_WALLET_ERROR || rpc_code == RPC_WALLET_INSUFFICIENT_FUNDS))
		code = 0;
	else if (!code && payment->is_refused)
		code = diag_fail(diag, -EBADMSG, "wallets: %s did what it had to refuse", method);
	else if (!code)
		code = read_answer(scene, payment, method, answer, diag);
	json_free(answer);
	buf_fini(&params);
	return code;
}

int
payments_begin(struct scene *scene, const struct payment *list, size_t cnt, struct diag *diag)
{
	struct payments *payments = scene->state;

	memcpy(payments->items, list, cnt * sizeof(*list));
	payments->cnt = cnt;
	int code = scene->wallets->made ? 0 : make_wallets(scene, diag);
	for (size_t i = 0; i < cnt && !code; i++) {
		struct payment *p = &payments->items[i];

		if (!p->first_sat)
			p->first_sat =
				effective_sat(scene, p, p->normal.coins) - p->excess_sat - target_sat(p);
	}
	return code || !list->offer ? code : offer(scene, list->offer, diag);
}

int
payments_act(struct scene *scene, struct diag *diag)
{
	struct payments *payments = scene->state;
	int code = 0;

	for (size_t i = 0; i < payments->cnt && !code; i++)
		code = pay(scene, &payments->items[i], diag);
	return code;
}

/* Fee, change and inputs of what sendtoaddress made; then the wallet forgets it. */
static int
read_sent(struct scene *scene, struct payment *payment, struct diag *diag)
{
	const char *wallet = wallet_name(payment);
	struct json *answer = NULL;
	struct tx tx;
	int code = node_wallet_call(scene->node, scene->deadline, wallet, &answer, diag, "gettransaction",
				    "[\"%s\"]", payment->txid);
	const char *hex = json_string(json_get(answer, "hex"));

	if (!code && (!json_sat(json_get(answer, "fee"), &payment->fee_sat) || !hex))
		code = lacks("gettransaction", diag);
	if (!code) {
		code = tx_parse_hex(&tx, hex, diag);
		payment->fee_sat = -payment->fee_sat;
		payment->position = -1;
		for (size_t i = 0; i < tx.outputs_cnt; i++)
			if (tx.outputs[i].script.len != SCRIPT_P2WSH_SZ)
				payment->position = (int)i;
		if (!code)
			code = read_coins(scene, &tx, &payment->coins, diag);
		tx_fini(&tx);
	}
	json_free(answer);
	return code ? code
		    : node_wallet_call(scene->node, scene->deadline, wallet, NULL, diag, "abandontransaction",
				       "[\"%s\"]", payment->txid);
}

/* Expecting */

/* What is to be told of one of the two transactions. */
struct outcome {
	bool success;
	int64_t fee_sat;
	int position;
	bool position_drawn;
};

static void
want_position(struct expected *e, const struct payment *payment, const struct outcome *outcome)
{
	if (outcome->position_drawn)
		want_range(e, "change_position", 0, payment->others_cnt + 1);
	else
		want_int(e, "change_position", outcome->position);
}

static void
want_algorithm(struct expected *e, const struct creation *creation, const struct log_selection *log)
{
	const char *names[] = {creation->algorithm, creation->or_algorithm};
	size_t cnt = creation->or_algorithm ? 2 : 1;

	for (size_t i = 0; i < cnt && log; i++)
		if (!strcmp(log->algorithm, names[i])) {
			want_string(e, "algorithm", log->algorithm);
			return;
		}
	want_string_of(e, "algorithm", names, cnt);
	if (log)
		want_kind(e, FINDING_DETAIL);
}

/* What is not logged, as it came to nothing, has but today's definition for it. */
static void
want_waste(struct scene *scene, struct expected *e, const struct payment *payment,
	   const struct creation *creation, const struct log_selection *log)
{
	int64_t waste = waste_sat(scene, payment, creation->coins, false);
	bool is_known = log && (log->waste_sat == waste ||
				log->waste_sat == waste_sat(scene, payment, creation->coins, true));

	want_int(e, "waste", is_known ? log->waste_sat : waste);
	if (log ? !is_known : creation->fails)
		want_kind(e, FINDING_DETAIL);
}

static void
expect_selected(struct scene *scene, const struct payment *payment, const struct creation *creation,
		const struct log_selection *log, const char *what)
{
	if (!creation->coins)
		return;
	struct expected *e = expect_event(scene->expect, TP_COIN_SELECTION_SELECTED_COINS, FINDING_CONTRACT,
					  "the coins of %s", what);
	want_string(e, "wallet", wallet_name(payment));
	want_algorithm(e, creation, log);
	want_int(e, "target", target_sat(payment));
	want_waste(scene, e, payment, creation, log);
	want_int(e, "selected", selected_sat(scene, creation->coins));
}

/* How many of the two can be made, and logged. */
static bool
is_made(const struct creation *creation)
{
	return creation->coins && !creation->fails;
}

/* What became of a transaction: of the one that was taken the answer says it, else the wallet is asked what it would
 * say if it were given these inputs. */
static int
get_outcome(struct scene *scene, const struct payment *payment, const struct creation *creation,
	    bool is_taken, struct outcome *outcome, struct diag *diag)
{
	/* Up to v26 a failure has position 0. */
	*outcome = (struct outcome){.position = node_version(scene->node) < 270000 ? 0 : -1};
	if (!is_made(creation))
		return 0;
	struct payment asked = *payment;
	if (!is_taken) {
		asked.by = PAY_BY_FUND;
		asked.offer = asked.most_weight = 0;
		asked.presets = creation->coins;
		asked.presets_only = true;
		int code = creation->coins == payment->coins ? 0 : pay(scene, &asked, diag);
		if (code)
			return code;
	}
	*outcome = (struct outcome){
		.success = true,
		.fee_sat = asked.fee_sat,
		.position = asked.position,
		.position_drawn =
			!is_taken && payment->change_position == POSITION_DRAWN && asked.position >= 0,
	};
	return 0;
}

static int
expect_payment(struct scene *scene, struct payment *payment, size_t number, const struct log_selection *log,
	       size_t log_cnt, size_t *logged, struct diag *diag)
{
	const struct creation *normal = &payment->normal;
	const struct creation *grouped = payment->aps == APS_OTHER ? &payment->grouped : normal;
	bool is_tried = payment->aps != APS_NONE && is_made(normal);
	bool use_aps = is_tried && is_made(grouped) && payment->coins == grouped->coins;
	const char *wallet = wallet_name(payment);
	const struct log_selection *of[2] = {NULL};
	struct outcome outcome;
	char what[64];

	if (is_made(normal) && *logged < log_cnt)
		of[0] = &log[(*logged)++];
	if (is_tried && is_made(grouped) && *logged < log_cnt)
		of[1] = &log[(*logged)++];
	if (!payment->is_refused && payment->coins != (use_aps ? grouped : normal)->coins)
		return diag_fail(
			diag, -EBADMSG,
			"wallets: of payment %zu the wallet chose other coins than were arranged for",
			number);
	snprintf(what, sizeof(what), "payment %zu", number);
	int code = get_outcome(scene, payment, normal, !use_aps, &outcome, diag);
	if (code)
		return code;
	expect_selected(scene, payment, normal, of[0], what);
	struct expected *e = expect_event(scene->expect, TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL,
					  FINDING_CONTRACT, "%s", what);
	want_string(e, "wallet", wallet);
	want_bool(e, "success", outcome.success);
	want_int(e, "fee", outcome.fee_sat);
	want_position(e, payment, &outcome);
	if (!is_tried)
		return 0;

	code = get_outcome(scene, payment, grouped, use_aps, &outcome, diag);
	if (code)
		return code;
	e = expect_event(scene->expect, TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX, FINDING_CONTRACT,
			 "the grouped %s", what);
	want_string(e, "wallet", wallet);
	snprintf(what, sizeof(what), "the grouped payment %zu", number);
	expect_selected(scene, payment, grouped, of[1], what);
	e = expect_event(scene->expect, TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL, FINDING_CONTRACT, "%s",
			 what);
	want_string(e, "wallet", wallet);
	want_bool(e, "use_aps", use_aps);
	want_bool(e, "success", outcome.success);
	want_int(e, "fee", outcome.fee_sat);
	want_position(e, payment, &outcome);
	return 0;
}

int
payments_expect(struct scene *scene, struct diag *diag)
{
	struct payments *payments = scene->state;
	struct log_selection log[SELECTIONS_MAX];
	size_t log_cnt, logged = 0, made = 0;
	/* First, as questions are logged as well. */
	int code = log_selections(scene, log, SELECTIONS_MAX, &log_cnt, diag);

	for (size_t i = 0; i < payments->cnt && !code; i++) {
		struct payment *p = &payments->items[i];

		made += is_made(&p->normal);
		if (is_made(&p->normal) && p->aps != APS_NONE)
			made += is_made(p->aps == APS_OTHER ? &p->grouped : &p->normal);
		if (p->by == PAY_BY_ADDRESS && !p->is_refused)
			code = read_sent(scene, p, diag);
	}
	/* Not the log that we know: it tells nothing. */
	if (log_cnt != made)
		log_cnt = 0;
	expect_source(scene->expect, "the wallet's answers%s, and the coins and payments that it was given",
		      log_cnt ? " and its log (Coin Selection: ...)" : "");
	for (size_t i = 0; i < payments->cnt && !code; i++)
		if (payments->items[i].by != PAY_NOBODY)
			code = expect_payment(scene, &payments->items[i], i + 1, log, log_cnt, &logged, diag);
	return code;
}
