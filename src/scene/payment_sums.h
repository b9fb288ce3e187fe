/* What a wallet computes when it selects coins for a payment. All amounts are in satoshi; coins are COIN_BITs. */
#ifndef TPCHECK_SCENE_PAYMENT_SUMS_H
#define TPCHECK_SCENE_PAYMENT_SUMS_H

#include "scene/payments.h"

/* What the inputs have to be worth after the fees for spending them: outputs, and the fee for what is neither input nor
 * change. */
int64_t payment_target_sat(const struct payment *payment);
/* What coins are worth, and what is left of that after the fees for spending them. */
int64_t payment_selected_sat(const struct scene *scene, unsigned coins);
int64_t payment_effective_sat(const struct scene *scene, const struct payment *payment, unsigned coins);
/* Today's wallet counts the later cost of presets as 0 (FetchSelectedInputs does not set their long_term_fee);
 * presets_cost_later counts it as for other coins. */
int64_t payment_waste_sat(const struct scene *scene, const struct payment *payment, unsigned coins,
			  bool presets_cost_later);

#endif
