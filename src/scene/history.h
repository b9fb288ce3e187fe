/* A node with a history: a short chain with transactions, which is restarted in scenarios, by history_restart in
 * prepare and history_release in act. What bitcoind does with its blocks and its mempool once it has started is
 * recorded, because it is held until the probes are attached; see node_restart_held. */
#ifndef TPCHECK_SCENE_HISTORY_H
#define TPCHECK_SCENE_HISTORY_H

#include "scene/blocks.h"
#include "scene/coins.h"

extern const struct profile profile_history;

enum {
	HISTORY_MATURE = 8, /* the coinbases up to this height are mature and unspent */
	/* The chain that a new node of this profile has; its last blocks have transactions. */
	HISTORY_BLOCKS_TXS = 2,
	HISTORY_TIP = ODD_BLOCKS + COINBASE_MATURITY + HISTORY_BLOCKS_TXS,
};

/* Writes everything to disk, then restarts the node with one more argument (NULL: none), and holds it before it
 * imports blocks. */
void history_restart(struct scene *scene, const char *arg);
/* The same with HISTORY_ARGS_MAX at most; the array ends with NULL. */
enum { HISTORY_ARGS_MAX = 4 };
void history_restart_with(struct scene *scene, const char *const *more_args);
/* Ends the node in its orderly way. */
void history_end(struct scene *scene);
/* Starts it again, with more arguments (NULL: none), and holds it there. */
void history_start(struct scene *scene, const char *const *more_args, enum node_hold hold);
/* Lets it go on, and waits until it is ready. */
void history_release(struct scene *scene);
/* getblock, verbosity 3, of the block at that height. */
const struct json *history_block(struct scene *scene, uint32_t height);

#endif
