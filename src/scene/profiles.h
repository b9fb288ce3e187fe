/* The profiles that scenarios of several contexts share. Others stand beside what they are for (wallets.h,
 * connections.h). */
#ifndef TPCHECK_SCENE_PROFILES_H
#define TPCHECK_SCENE_PROFILES_H

#include "scene/blocks.h"
#include "scene/coins.h"
#include "scene/scenario.h"

extern const struct profile profile_default;
/* Without peers. The scenarios of one node run one after the other, and one node for all would take longest. */
extern const struct profile profile_coins;

/* Prunes, has a mempool of 5 MB and accepts non-standard transactions. */
extern const struct profile profile_narrow;
/* The block at this height fills a block file, so there is something to prune. */
enum { NARROW_FILLED_HEIGHT = ODD_BLOCKS + 1 };

/* Has room for less than 4 MB of coins, of which the mempool may take 2. The mempool checks itself, which costs next to
 * nothing while it is empty. */
extern const struct profile profile_small_cache;

#endif
