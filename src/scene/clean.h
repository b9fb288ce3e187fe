/* Whether a node is as every scenario expects to find it. */
#ifndef TPCHECK_SCENE_CLEAN_H
#define TPCHECK_SCENE_CLEAN_H

#include "scene/scenario.h"

/* Lets the node's clock run, then fails the scene unless the mempool is empty, no peer is connected, and the chain with
 * the most work is the active one, not shorter than it has been. What is on its way (a peer that leaves, the last of
 * a block's callbacks) is waited for. */
void clean_require(struct scene *scene);

#endif
