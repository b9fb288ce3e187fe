#include "scene/abilities.h"

/* Major versions. */
static const struct {
	unsigned since;
	unsigned gone, back; /* not in these: from gone on, until back; 0: none */
	const char *lack;    /* why a scenario is skipped */
} abilities[ABILITIES_CNT] = {
	[ABILITY_PLAIN_TEMPLATES] =
		{24, 0, 0,
		 "v23 tries a mined block with a coinbase other than the final one, and does not reveal it"},
	[ABILITY_V2_TRANSPORT] = {26, 0, 0, "the v2 transport came with v26"},
	[ABILITY_IMPORTMEMPOOL] = {26, 0, 0, "importmempool came with v26"},
	[ABILITY_COIN_GRINDER] = {27, 0, 0, "the wallet's algorithm cg came with v27"},
	[ABILITY_BUMP_FEES] = {26, 0, 0, "before v26 wallets do not pay for unconfirmed parents"},
	[ABILITY_NO_POSITION] = {27, 0, 0, "change position -1 came with v27"},
	[ABILITY_MAX_WEIGHT] = {28, 0, 0, "fundrawtransaction's max_tx_weight came with v28"},
	[ABILITY_TRUC] = {28, 0, 0, "before v28 transactions of version 3 are not standard"},
	[ABILITY_SIBLING_EVICTION] = {28, 0, 0, "before v28 no transaction replaces its sibling"},
	[ABILITY_PEER_PACKAGES] = {28, 0, 0, "before v28 packages from peers are not tried"},
	[ABILITY_SUBMITPACKAGE] = {24, 0, 0, "submitpackage came with v24"},
	[ABILITY_COPIES_UNCACHED] = {31, 0, 0, "before v31 bitcoind keeps its copies of unconfirmed coins"},
	[ABILITY_CHILD_PAYS] = {0, 26, 28,
				"in v26 and v27 no child may pay for a parent below the minimum fee"},
	[ABILITY_CHEAP_FULL_POOL] = {28, 0, 0, "before v28 there is no cheap way to fill a mempool of 5 MB"},
	[ABILITY_PRUNE_KEEPS_COINS] = {28, 0, 0, "before v28 a flush for pruning empties the cache"},
	[ABILITY_ORDERED_WRITES] = {28, 0, 0, "before v28 it cannot be foreseen which coin is written first"},
	[ABILITY_REPLACED_PACKAGES] = {29, 0, 0, "before v29 mempool:replaced does not report packages"},
	[ABILITY_DUMP_TYPE] = {29, 0, 0, "before v29 dumptxoutset takes no type"},
	[ABILITY_PERIODIC_MOCKABLE] =
		{0, 25, 30,
		 "from v25 to v29 the periodic flush comes after 24 hours of a clock that cannot be set"},
	[ABILITY_PERIODIC_STOPPED] = {30, 0, 0,
				      "before v30 the end of a flush is measured by the machine's clock"},
	[ABILITY_FORCE_SYNC] = {31, 0, 0, "the flush mode FORCE_SYNC came with v31"},
	[ABILITY_SNAPSHOT] = {30, 0, 0,
			      "before v30 there is no snapshot of regtest that can be made cheaply"},
};

bool
scene_has(const struct scene *scene, enum ability ability)
{
	unsigned major = (unsigned)node_version(scene->node) / 10000;

	return major >= abilities[ability].since &&
	       !(abilities[ability].gone && major >= abilities[ability].gone &&
		 major < abilities[ability].back);
}

void
scene_require(struct scene *scene, enum ability ability)
{
	if (scene_ok(scene) && !scene_has(scene, ability))
		scene_skip(scene, "%s", abilities[ability].lack);
}
