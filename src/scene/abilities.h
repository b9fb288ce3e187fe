/* What a release of Bitcoin Core can do: the one place where scenarios and their toolbox look up release numbers. They
 * go by the version that the node reports. */
#ifndef TPCHECK_SCENE_ABILITIES_H
#define TPCHECK_SCENE_ABILITIES_H

#include "scene/scenario.h"

enum ability {
	ABILITY_PLAIN_TEMPLATES, /* a block from generatetoaddress is tried as it is submitted */
	ABILITY_V2_TRANSPORT,    /* BIP324, and the argument of addnode and addconnection that turns it off */
	ABILITY_IMPORTMEMPOOL,   /* the RPC */
	ABILITY_COIN_GRINDER,    /* the wallet's algorithm "cg" */
	ABILITY_BUMP_FEES,       /* a wallet pays for the unconfirmed parents of its inputs */
	ABILITY_NO_POSITION,     /* a failed attempt has change position -1; earlier, 0 */
	ABILITY_MAX_WEIGHT,      /* fundrawtransaction takes max_tx_weight */
	ABILITY_TRUC,            /* transactions of version 3 (BIP431) are standard */
	ABILITY_SIBLING_EVICTION, /* a transaction of version 3 replaces its sibling */
	ABILITY_PEER_PACKAGES,    /* a parent and its child from a peer are tried as a package */
	ABILITY_SUBMITPACKAGE,    /* the RPC */
	ABILITY_COPIES_UNCACHED, /* copies of unconfirmed coins are uncached once a transaction has been tried */
	ABILITY_CHILD_PAYS,      /* a child may pay for a parent below the minimum fee; TRUC, or before v26 */
	ABILITY_CHEAP_FULL_POOL,   /* -maxmempool=5 can be filled in moments */
	ABILITY_PRUNE_KEEPS_COINS, /* a flush for pruning leaves the cache as it is; earlier, it emptied it */
	ABILITY_ORDERED_WRITES,    /* coins are written in the order in which they changed */
	ABILITY_REPLACED_PACKAGES, /* mempool:replaced reports packages, and fees with prioritisetransaction */
	ABILITY_DUMP_TYPE,         /* dumptxoutset takes a type */
	ABILITY_PERIODIC_MOCKABLE, /* its clock is one that setmocktime sets */
	ABILITY_PERIODIC_STOPPED,  /* its whole duration is measured by that clock */
	ABILITY_FORCE_SYNC,        /* utxocache:flush has the mode FORCE_SYNC */
	ABILITY_SNAPSHOT,          /* loadtxoutset, and a snapshot of regtest for it */
	ABILITIES_CNT,
};

bool scene_has(const struct scene *scene, enum ability ability);
/* Skips the scenario where the node's release does not have it. */
void scene_require(struct scene *scene, enum ability ability);

#endif
