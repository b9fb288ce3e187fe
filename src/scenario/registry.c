#include "scenario/registry.h"

#include "scenario/blocks.h"
#include "scenario/peers.h"

/* Peers get ids of more than 8 bits. */
static int
warm(struct scene *scene, struct diag *diag)
{
	int code = blocks_warm(scene, diag);

	return code ? code : peers_raise_ids(scene, diag);
}

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
	.warm = warm,
};

const struct scenario *const scenarios[] = {
#define SCENARIO(name) &name,
#include "scenario/scenarios.def"
#undef SCENARIO
	NULL,
};
