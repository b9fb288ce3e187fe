#include "scenario/registry.h"

const struct profile profile_default = {.name = "default"};

/* The order: those that share a node stand together, and one that ends it comes last. */
const struct scenario *const scenarios[] = {
	&sc_validation_block_connected_generate,
	&sc_validation_block_connected_submit,
	&sc_validation_block_connected_many,
	&sc_validation_block_connected_sigops_coinbase,
	&sc_validation_block_connected_sigops_transactions,
	&sc_validation_block_connected_sigops_script_sig,
	&sc_validation_block_connected_reconsider,
	&sc_validation_block_connected_reorg,
	&sc_validation_block_connected_proposal,
	&sc_validation_block_connected_invalid,
	&sc_utxocache_add_outputs,
	&sc_utxocache_add_positions,
	&sc_utxocache_add_unspendable,
	&sc_utxocache_add_generate,
	&sc_utxocache_add_disconnect,
	&sc_utxocache_spent_inputs,
	&sc_utxocache_spent_chain,
	&sc_utxocache_spent_disconnect,
	&sc_utxocache_uncache_rejected,
	&sc_utxocache_uncache_accepted,
	&sc_utxocache_uncache_cached,
	&sc_utxocache_uncache_missing,
	&sc_utxocache_uncache_package,
	&sc_utxocache_flush_gettxoutsetinfo,
	&sc_utxocache_flush_scantxoutset,
	&sc_utxocache_flush_dumptxoutset,
	&sc_utxocache_flush_quiet,
	&sc_utxocache_flush_periodic,
	&sc_utxocache_flush_shutdown,
	&sc_utxocache_flush_if_needed,
	&sc_utxocache_flush_prune,
	NULL,
};
