/* Transactions for the mempool, made without a wallet, and what the mempool's tracepoints must report of them.
 *
 * What is expected follows from the transactions as they were made and sent: ids and sizes from their bytes, fees from
 * their inputs and outputs, entry times from the node's clock, which scene_set_time stops.
 *
 * Order and number follow the code (MemPoolAccept in src/validation.cpp, and src/txmempool.cpp): replaced for each
 * transaction that has to go, then removed for each of these, then added for the new ones, then removed for those that
 * expire or are evicted to make room. Several that are removed for the same reason go in the order of
 * their ids' bytes. */
#ifndef TPCHECK_SCENE_POOL_H
#define TPCHECK_SCENE_POOL_H

#include "node/tx.h"
#include "scene/blocks.h"
#include "scene/coins.h"
#include "scene/scenario.h"

#define POOL_TRACEPOINTS                                                                                     \
	(TP_BIT(TP_MEMPOOL_ADDED) | TP_BIT(TP_MEMPOOL_REMOVED) | TP_BIT(TP_MEMPOOL_REPLACED) |               \
	 TP_BIT(TP_MEMPOOL_REJECTED))

#define POOL_WIDE_FEE_SAT (INT64_C(1) << 32) /* a fee of more than 32 bits */

enum {
	POOL_TIME = 1600000000,        /* a time that is not now, for scene_set_time; Unix time */
	POOL_WIDE_OUTPUTS = 1600,      /* make a virtual size of more than 16 bits */
	POOL_REASON_SZ = 256,          /* of a rejection, NUL included */
	POOL_SIGOP_WEIGHT = 20,        /* least weight of a signature operation (-bytespersigop) */
	POOL_MULTISIG_SIGOPS = 4 * 20, /* cost of an output with bare CHECKMULTISIG */
};

struct pool_tx {
	const char *name; /* for findings: "the child"; lent */
	struct tx tx;
	int64_t inputs_sat;            /* value of what it spends */
	int64_t sigops_cost;           /* where it is not negligible */
	int64_t delta_sat;             /* what prioritisetransaction added to its fee */
	uint64_t entry_time;           /* set when it is sent; Unix time */
	char reason[POOL_REASON_SZ];   /* why RPC rejected it, without details; "" if it did not */
	char foreseen[POOL_REASON_SZ]; /* see pool_foresee; "": not known */
};

/* A scenario on the usual node, whose state is struct state. */
#define POOL_SCENARIO(tracepoint_, behaviour_, ...)                                                          \
	DEFINE_SCENARIO(mempool, tracepoint_, behaviour_, .tracepoints = POOL_TRACEPOINTS,                   \
			.profile = &profile_default, .state_sz = sizeof(struct state), __VA_ARGS__)

/* Making transactions. They belong to the scene, and may be changed until they are sent. */

/* Without inputs and outputs. */
struct pool_tx *pool_new(struct scene *scene, const char *name);
void pool_spend(struct pool_tx *ptx, const struct chain_coin *coin);
/* Adds outputs, each worth enough for a child; the last one gets all that is left after the fee. */
void pool_pay(struct pool_tx *ptx, unsigned outputs, int64_t fee_sat);
/* Spends that many small coins of the chain. For prepare. */
struct pool_tx *pool_make(struct scene *scene, const char *name, unsigned coins, unsigned outputs,
			  int64_t fee_sat);
/* Spends that coin. */
struct pool_tx *pool_spender(struct scene *scene, const char *name, struct chain_coin coin, unsigned outputs,
			     int64_t fee_sat);
/* Spends an output of another. */
struct pool_tx *pool_child(struct scene *scene, const char *name, const struct pool_tx *parent, uint32_t idx,
			   unsigned outputs, int64_t fee_sat);
/* Spends what the others spend, which have one input each. */
struct pool_tx *pool_rival(struct scene *scene, const char *name, struct pool_tx *const *others, size_t cnt,
			   unsigned outputs, int64_t fee_sat);
/* These append an output, whose value is taken from that of output from_idx: one with bare multisig, and one that is
 * spent without a witness (P2SH of OP_TRUE), by pool_spend_bare. */
void pool_add_multisig(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat);
void pool_add_bare(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat);
void pool_spend_bare(struct pool_tx *ptx, const struct chain_coin *coin);
/* Lets the child, which has one input, pay for a parent below the minimum fee (ABILITY_CHILD_PAYS). Releases that know
 * transactions of version 3 require that version. */
void pool_let_child_pay(const struct scene *scene, struct pool_tx *parent, struct pool_tx *child);
/* Replaces the witness of the first input. */
void pool_set_witness(struct pool_tx *ptx, const void *item, size_t len);
/* The first output of the coinbase at that height, spent or not; all zero after a failure. */
struct chain_coin pool_coinbase(struct scene *scene, uint32_t height);

/* Using the node. */

void pool_prioritise(struct scene *scene, struct pool_tx *ptx, int64_t delta_sat);
/* sendrawtransaction without a limit on the fee; it must accept the transaction. */
void pool_send(struct scene *scene, struct pool_tx *ptx);
/* The same with the node's clock stopped at that time. */
void pool_send_at(struct scene *scene, struct pool_tx *ptx, uint64_t time);
/* Asks testmempoolaccept why it would be rejected: it answers with the reason alone, while sendrawtransaction may put
 * anything around it. For prepare, because it fires events. */
void pool_foresee(struct scene *scene, struct pool_tx *ptx);
/* sendrawtransaction, which must reject it; sets its reason. */
void pool_send_refused(struct scene *scene, struct pool_tx *ptx);
/* submitpackage, which must accept all of them, or not all. */
void pool_submit_package(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, bool accepted);
/* testmempoolaccept of all together, which must accept, or reject, each of them; sets their reasons. */
void pool_try(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, bool accepted);
/* Mines a block of these, in this order, whether they are in the mempool or not. hash_hex may be NULL. */
void pool_mine(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, char hash_hex[65]);
/* Lets the clock run and empties the mempool by mining a block: for the end of expect. */
void pool_clear(struct scene *scene);

/* Expected events. */

void pool_expect_added(struct scene *scene, const struct pool_tx *ptx);
void pool_expect_removed(struct scene *scene, const struct pool_tx *ptx, const char *reason);
/* removed for each of several that are removed together, in the order in which they are. */
void pool_expect_all_removed(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt,
			     const char *reason);
/* All events of a replacement: replaced and removed for each of the old ones, then added for the new one, or for each
 * of a package. */
void pool_expect_replacement(struct scene *scene, struct pool_tx *const *old, size_t old_cnt,
			     struct pool_tx *const *by, size_t by_cnt);
/* rejected with the reason that RPC gave. known is the reason in all releases so far, or NULL: where RPC gave another
 * reason or none, known is expected, as a detail. */
void pool_expect_rejected(struct scene *scene, const struct pool_tx *ptx, const char *known);

/* Compares two hashes in wire order as numbers, which is how their digits in display order sort. For qsort. */
int pool_compare_hashes(const void *left_wire, const void *right_wire);

#endif
