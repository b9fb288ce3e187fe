#include "scenario/registry.h"

#include "scenario/blocks.h"
#include "scenario/peers.h"

enum { RAISE_MS = 3000 };

/* Peers get ids of more than 8 bits, if the node has time for it: those who need that make sure of it themselves. A
 * node without peers is not to spoil what has nothing to do with them. */
static int
warm(struct scene *scene, struct diag *diag)
{
	struct scene hasty = *scene;
	int code = blocks_warm(scene, diag);

	hasty.deadline = deadline_earlier(scene->deadline, deadline_in_ms(RAISE_MS));
	if (!code)
		peers_raise_ids(&hasty, NULL);
	return code;
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
