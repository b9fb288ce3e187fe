/* Transactions for the mempool, made without a wallet, and what the mempool's tracepoints must show of them.
 *
 * The state of a scenario that uses this begins with a struct pool, and pool_clean is its clean step. What is wanted
 * follows from the transactions as they were made and sent: ids and sizes from their bytes, fees from their inputs
 * and outputs, entry times from the node's clock, which pool_set_time stops.
 *
 * Order and number follow the code (MemPoolAccept in src/validation.cpp, and src/txmempool.cpp): replaced for each
 * transaction that has to go, then removed for each of these, then added for the new ones, then removed for those
 * that went for time or room. Several that go for one cause go in the order of their ids' bytes (pool_sort). */
#ifndef TPCHECK_SCENE_POOL_H
#define TPCHECK_SCENE_POOL_H

#include "node/tx.h"
#include "scene/blocks.h"
#include "scene/scenario.h"

#define POOL_TRACEPOINTS                                                                                     \
	(TP_BIT(TP_MEMPOOL_ADDED) | TP_BIT(TP_MEMPOOL_REMOVED) | TP_BIT(TP_MEMPOOL_REPLACED) |               \
	 TP_BIT(TP_MEMPOOL_REJECTED))

enum {
	POOL_TIME = 1600000000,   /* a time that is not now, for pool_set_time; Unix time */
	POOL_WIDE_OUTPUTS = 1600, /* make a virtual size of more than 16 bits */
	POOL_REASON_SZ = 256,     /* of a refusal, NUL included */
	POOL_SIGOP_WEIGHT = 20,   /* weight that a signature operation counts at least (-bytespersigop) */
	POOL_MULTISIG_SIGOPS = 4 * 20, /* cost of an output with bare CHECKMULTISIG */
};

struct pool_tx {
	const char *name; /* for findings: "the child"; lent */
	struct tx tx;
	int64_t inputs_sat;          /* worth of what it spends */
	int64_t sigops_cost;         /* as far as it is not next to nothing */
	int64_t delta_sat;           /* what prioritisetransaction put on its fee */
	uint64_t entry_time;         /* set when it is sent; Unix time */
	char reason[POOL_REASON_SZ]; /* why it was refused, as RPC told */
};

struct pool {
	struct pool_tx **txs; /* owned */
	size_t txs_cnt;
	uint64_t now;       /* what the node's clock stands at; 0: it runs */
	struct block block; /* where a scenario needs one of its own; freed like the rest */
};

/* A scenario on the usual node, whose state is struct state and whose steps are named after its behaviour. */
#define POOL_SCENARIO(tracepoint, id, behaviour, text)                                                       \
	const struct scenario sc_mempool_##tracepoint##_##behaviour = {                                      \
		.name = "mempool." #tracepoint "." #behaviour,                                               \
		.summary = text,                                                                             \
		.subject = id,                                                                               \
		.tracepoints = POOL_TRACEPOINTS,                                                             \
		.profile = &profile_default,                                                                 \
		.state_sz = sizeof(struct state),                                                            \
		.prepare = behaviour##_prepare,                                                              \
		.act = behaviour##_act,                                                                      \
		.expect = behaviour##_expect,                                                                \
		.clean = pool_clean,                                                                         \
	}

void pool_clean(struct scene *scene);

/* Making them. The result is one of struct pool's; it may be changed until it is sent. */

/* Without inputs and outputs. */
struct pool_tx *pool_new(struct scene *scene, const char *name);
void pool_spend(struct pool_tx *ptx, const struct chain_coin *coin);
/* Adds outputs, each worth enough for a child; the last one gets all that is left but the fee. */
void pool_pay(struct pool_tx *ptx, unsigned outputs, int64_t fee_sat);
/* Spends coins of the chain that nobody used. For prepare. */
int pool_make(struct scene *scene, struct pool_tx **ptx, const char *name, unsigned coins, unsigned outputs,
	      int64_t fee_sat, struct diag *diag);
/* Spends an output of another. */
struct pool_tx *pool_child(struct scene *scene, const char *name, const struct pool_tx *parent, uint32_t idx,
			   unsigned outputs, int64_t fee_sat);
/* Spends what the others spend, which have one input each. */
struct pool_tx *pool_rival(struct scene *scene, const char *name, struct pool_tx *const *others, size_t cnt,
			   unsigned outputs, int64_t fee_sat);
/* Outputs at the end that take their value from another: with bare multisig; and one that is spent without a witness
 * (P2SH of OP_TRUE), which pool_spend_bare does. */
void pool_add_multisig(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat);
void pool_add_bare(struct pool_tx *ptx, uint32_t from_idx, int64_t value_sat);
void pool_spend_bare(struct pool_tx *ptx, const struct chain_coin *coin);
/* Whether a child may pay for a parent that costs less than the least fee: in v26 and v27 none may. */
bool pool_may_child_pay(const struct scene *scene);
/* Lets it do so; for children of one input. Before v31 both have to be of version 3 for that, once releases know it. */
void pool_let_child_pay(const struct scene *scene, struct pool_tx *parent, struct pool_tx *child);
/* What its first input shows, in place of what its coin asks for. */
void pool_set_witness(struct pool_tx *ptx, const void *item, size_t len);

/* Using the node. */

/* Stops its clock there; 0 lets it run again. */
int pool_set_time(struct scene *scene, uint64_t time, struct diag *diag);
int pool_prioritise(struct scene *scene, struct pool_tx *ptx, int64_t delta_sat, struct diag *diag);
/* sendrawtransaction without a limit on the fee, which has to be accepted. */
int pool_send(struct scene *scene, struct pool_tx *ptx, struct diag *diag);
int pool_send_at(struct scene *scene, struct pool_tx *ptx, uint64_t time, struct diag *diag);
/* The same, which has to be refused; fills its reason. */
int pool_send_refused(struct scene *scene, struct pool_tx *ptx, struct diag *diag);
/* submitpackage; accepted says whether the answer has to be "success". */
int pool_submit_package(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, bool accepted,
			struct diag *diag);
/* testmempoolaccept of all together, which have to be accepted or refused, all of them; fills their reasons. */
int pool_try(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, bool accepted, struct diag *diag);
/* Mines a block of these, in this order, whether they are in the mempool or not. hash_hex may be NULL. */
int pool_mine(struct scene *scene, struct pool_tx *const *ptxs, size_t cnt, char hash_hex[65],
	      struct diag *diag);
/* Lets the clock run and empties the mempool by a block: for the end of expect. */
int pool_clear(struct scene *scene, struct diag *diag);

/* What must come. */

/* Into the order in which they go when they go together. */
void pool_sort(struct pool_tx **ptxs, size_t cnt);
void expect_added(struct scene *scene, const struct pool_tx *ptx);
void expect_removed(struct scene *scene, const struct pool_tx *ptx, const char *reason);
/* replaced, by one transaction or a package. */
void expect_replaced(struct scene *scene, const struct pool_tx *old, struct pool_tx *const *by,
		     size_t by_cnt);
/* rejected with the reason that RPC told. known is what the reason has been in all releases, or NULL: where RPC told
 * another one or none, that is what is wanted, as a detail. */
void expect_rejected(struct scene *scene, const struct pool_tx *ptx, const char *known);

#endif
