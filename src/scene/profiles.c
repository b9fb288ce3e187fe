#include "scene/profiles.h"

#include "base/xmem.h"
#include "node/script.h"
#include "scene/blocks.h"
#include "scene/peers.h"

#include <stdlib.h>

/* default */

enum { RAISE_MS = 3000 };

/* Peers get ids of more than 8 bits, if the node has time for it: those who need that make sure of it themselves. A
 * node without peers is not to spoil what has nothing to do with them. */
static int
warm_default(struct scene *scene, struct diag *diag)
{
	struct scene brief = *scene;
	int code = blocks_warm(scene, diag);

	brief.deadline = deadline_earlier(scene->deadline, deadline_in_ms(RAISE_MS));
	if (!code)
		peers_raise_ids(&brief, NULL);
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
	.warm = warm_default,
};

/* narrow */

/* With -fastprune a block file takes 64 KiB: one block that is larger fills it, and 288 blocks have to follow it. */
enum { FILLING_BYTES = 65000, KEPT_BLOCKS = 288 };

/* The filling block is the first that is mined here. */
static int
warm_narrow(struct scene *scene, struct diag *diag)
{
	uint8_t *script = xcalloc(1, FILLING_BYTES);
	struct block block = {0};
	int code = blocks_begin(scene, &block, 0, diag);

	script[0] = SCRIPT_OP_RETURN;
	if (!code) {
		block_add_output(&block, 0, script, FILLING_BYTES);
		code = blocks_submit(scene, &block, diag);
	}
	free(script);
	block_fini(&block);
	return code ? code : blocks_mine(scene, KEPT_BLOCKS + 2, diag);
}

const struct profile profile_narrow = {
	.name = "narrow",
	.args = (const char *const[]){"-prune=1", "-fastprune", "-maxmempool=5", "-acceptnonstdtxn=1", NULL},
	.warm = warm_narrow,
};
