#include "scene/profiles.h"

#include "base/xmem.h"
#include "node/script.h"
#include "scene/blocks.h"
#include "scene/peers.h"

#include <stdlib.h>

/* default */

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
	.warm = warm_default,
};

/* narrow */

/* With -fastprune a block file holds 64 KiB: one larger block fills it. It is prunable once 288 blocks follow. */
enum { FILLING_BYTES = 65000, BLOCKS_TO_KEEP = 288 };

/* The first block that is mined here is the one that fills a file. */
static void
warm_narrow(struct scene *scene)
{
	struct block *block = blocks_begin(scene, 0);
	uint8_t *script = xcalloc(1, FILLING_BYTES);

	script[0] = SCRIPT_OP_RETURN;
	block_add_output(block, 0, script, FILLING_BYTES);
	blocks_submit(scene, block);
	blocks_mine(scene, BLOCKS_TO_KEEP + 2);
	free(script);
}

const struct profile profile_narrow = {
	.name = "narrow",
	.cost_ms = 120,
	.args = (const char *const[]){"-prune=1", "-fastprune", "-maxmempool=5", "-acceptnonstdtxn=1", NULL},
	.warm = warm_narrow,
};

/* small_cache */

const struct profile profile_small_cache = {
	.name = "small_cache",
	.cost_ms = 250,
	.args = (const char *const[]){"-dbcache=4", "-maxmempool=5", "-checkmempool=1", NULL},
};
