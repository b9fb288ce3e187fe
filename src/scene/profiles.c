#include "scene/profiles.h"

#include "scene/blocks.h"
#include "scene/peers.h"

/* default, coins */

static void
warm_default(struct scene *scene)
{
	coins_warm(scene);
	peers_warm_ids(scene);
}

const struct profile profile_default = {
	.name = "default",
	.cost_ms = 1000,
	.args =
		(const char *const[]){
			"-whitelist=noban@" PEER_NOBAN_ADDRESS,
			/* Without it the node disconnects whoever asks for its mempool or sends a filter. */
			"-peerbloomfilters=1",
			/* So that coin_selection.normal_create_tx_internal.aps_off needs no node of its own. */
			"-maxapsfee=-1",
			NULL,
		},
	.listen = true,
	.tip = LEAST_TIP,
	.warm = warm_default,
};

const struct profile profile_coins = {.name = "coins",
				      .cost_ms = 700,
				      .args = (const char *const[]){NULL},
				      .tip = LEAST_TIP,
				      .warm = coins_warm};

/* narrow */

/* With -fastprune a block file holds 64 KiB: one larger block fills it. It is prunable once 288 blocks follow. */
enum { FILLING_BYTES = 65000, BLOCKS_TO_KEEP = 288 };

const struct profile profile_narrow = {
	.name = "narrow",
	.cost_ms = 120,
	.args = (const char *const[]){"-prune=1", "-fastprune", "-maxmempool=5", "-acceptnonstdtxn=1", NULL},
	.tip = NARROW_FILLED_HEIGHT + BLOCKS_TO_KEEP + 2,
	.filler_bytes = FILLING_BYTES,
	.submits_blocks = true,
};

/* small_cache */

const struct profile profile_small_cache = {
	.name = "small_cache",
	.cost_ms = 350,
	/* -maxmempool must be at least 40 times what limits a cluster, before v31 what limits descendants. */
	.args = (const char *const[]){"-dbcache=4", "-maxmempool=2", "-limitdescendantsize=40",
				      "-checkmempool=1", NULL},
	.args_if_known = (const char *const[]){"-limitclustersize=40", NULL},
	.tip = COINBASE_MATURITY,
};
