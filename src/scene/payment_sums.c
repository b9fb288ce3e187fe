#include "scene/payment_sums.h"

enum {
	OUTPUT_VBYTES = 43,        /* size of an output to P2WSH, which all payees have */
	FOREIGN_SPEND_VBYTES = 91, /* size that the wallet assumes of an input that it cannot sign */
	DUST_SPEND_VBYTES = 67,    /* size of an input that spends a witness output, for the dust limit */
};

/* Rounded up as Bitcoin Core does. */
static int64_t
fee_sat(int64_t rate, int64_t vbytes)
{
	return (rate * vbytes + 999) / 1000;
}

/* Version, lock time, the two counts, the outputs. */
static int64_t
fixed_vbytes(const struct payment *payment)
{
	int64_t outputs = payment->others_cnt + 1;

	return 4 + 4 + 1 + 1 + (outputs < 253 ? 1 : 3) + outputs * OUTPUT_VBYTES;
}

int64_t
payment_target_sat(const struct payment *payment)
{
	int64_t outputs_sat = payment->first_sat + payment->others_cnt * payment->other_sat;

	return outputs_sat + (payment->subtract_fee ? 0 : fee_sat(payment->rate, fixed_vbytes(payment)));
}

static int64_t
input_vbytes(const struct payment *payment, int coin)
{
	bool is_given = payment->presets & COIN_BIT(coin) && payment->preset_vbytes;

	return is_given ? payment->preset_vbytes : WALLET_COIN_VBYTES;
}

int64_t
payment_selected_sat(const struct scene *scene, unsigned coins)
{
	int64_t sum = 0;

	for (int i = 0; i < PURSE_COINS; i++)
		if (coins & COIN_BIT(i))
			sum += scene->wallets->coins[i].value_sat;
	return sum;
}

int64_t
payment_effective_sat(const struct scene *scene, const struct payment *payment, unsigned coins)
{
	int64_t sum = payment_selected_sat(scene, coins) - payment->bump_sat;

	for (int i = 0; i < PURSE_COINS && !payment->subtract_fee; i++)
		if (coins & COIN_BIT(i))
			sum -= fee_sat(payment->rate, input_vbytes(payment, i));
	return sum;
}

int64_t
payment_waste_sat(const struct scene *scene, const struct payment *payment, unsigned coins,
		  bool presets_cost_later)
{
	int64_t change_vbytes = payment->foreign_change ? OUTPUT_VBYTES : WALLET_CHANGE_VBYTES;
	int64_t spend_vbytes = payment->foreign_change ? FOREIGN_SPEND_VBYTES : WALLET_COIN_VBYTES;
	int64_t making_sat = fee_sat(payment->rate, change_vbytes);
	int64_t spending_sat = fee_sat(WALLET_DISCARD_RATE, spend_vbytes);
	int64_t dust_sat = fee_sat(WALLET_DISCARD_RATE, change_vbytes + DUST_SPEND_VBYTES);
	int64_t excess_sat = payment_effective_sat(scene, payment, coins) - payment_target_sat(payment);
	int64_t change_sat = excess_sat - (payment->subtract_fee ? 0 : making_sat);
	bool has_change = change_sat >= dust_sat && change_sat > spending_sat;
	int64_t waste = payment->bump_sat + (has_change ? making_sat + spending_sat : excess_sat);

	for (int i = 0; i < PURSE_COINS; i++) {
		if (!(coins & COIN_BIT(i)))
			continue;
		waste += fee_sat(payment->rate, input_vbytes(payment, i));
		if (presets_cost_later || !(payment->presets & COIN_BIT(i)))
			waste -= fee_sat(WALLET_LONG_TERM_RATE, input_vbytes(payment, i));
	}
	return waste;
}
