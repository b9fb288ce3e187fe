/* Every scenario, declared. A new one is added here and in registry.c. */
#ifndef TPCHECK_SCENARIO_REGISTRY_H
#define TPCHECK_SCENARIO_REGISTRY_H

#include "scenario/scenario.h"

extern const struct scenario sc_validation_block_connected_generate;
extern const struct scenario sc_validation_block_connected_submit;
extern const struct scenario sc_validation_block_connected_many;
extern const struct scenario sc_validation_block_connected_sigops_coinbase;
extern const struct scenario sc_validation_block_connected_sigops_transactions;
extern const struct scenario sc_validation_block_connected_sigops_script_sig;
extern const struct scenario sc_validation_block_connected_reconsider;
extern const struct scenario sc_validation_block_connected_reorg;
extern const struct scenario sc_validation_block_connected_proposal;
extern const struct scenario sc_validation_block_connected_invalid;
extern const struct scenario sc_utxocache_add_outputs;
extern const struct scenario sc_utxocache_add_positions;
extern const struct scenario sc_utxocache_add_unspendable;
extern const struct scenario sc_utxocache_add_generate;
extern const struct scenario sc_utxocache_add_disconnect;
extern const struct scenario sc_utxocache_spent_inputs;
extern const struct scenario sc_utxocache_spent_chain;
extern const struct scenario sc_utxocache_spent_disconnect;
extern const struct scenario sc_utxocache_uncache_rejected;
extern const struct scenario sc_utxocache_uncache_accepted;
extern const struct scenario sc_utxocache_uncache_cached;
extern const struct scenario sc_utxocache_uncache_missing;
extern const struct scenario sc_utxocache_uncache_package;
extern const struct scenario sc_utxocache_flush_gettxoutsetinfo;
extern const struct scenario sc_utxocache_flush_scantxoutset;
extern const struct scenario sc_utxocache_flush_dumptxoutset;
extern const struct scenario sc_utxocache_flush_quiet;
extern const struct scenario sc_utxocache_flush_periodic;
extern const struct scenario sc_utxocache_flush_if_needed;
extern const struct scenario sc_utxocache_flush_large;
extern const struct scenario sc_utxocache_flush_prune;
extern const struct scenario sc_utxocache_flush_shutdown;

#endif
