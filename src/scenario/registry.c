#include "scenario/registry.h"

#include "scenario/blocks.h"
#include "scenario/peers.h"

const struct profile profile_default = {
	.name = "default",
	.args =
		(const char *const[]){
			"-whitelist=noban@" PEER_NOBAN_ADDRESS,
			/* Without it the node breaks off when asked for its mempool or sent a filter. */
			"-peerbloomfilters=1",
			/* For coin_selection.normal_create_tx_internal.aps_off, which needs no node of its own so. */
			"-maxapsfee=-1",
			NULL,
		},
	.listen = true,
	.warm = blocks_warm,
};

const struct scenario *const scenarios[] = {
#define SCENARIO(name) &name,
#include "scenario/scenarios.def"
#undef SCENARIO
	NULL,
};
