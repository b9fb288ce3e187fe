/* A scenario makes a node do one thing and says which events must come of it, and that no others come.
 *
 * It has three steps, each of which may use the node:
 *   prepare  brings the node to where the thing can be done; nothing is recorded
 *   act      does it; recorded
 *   expect   computes from the node's own answers what must have come; not recorded
 * Between act and expect the runner waits for what the node does in the background, fetches all events and proves
 * that none was lost. A step returns 0, or a negative errno value with the reason, which makes the outcome an
 * error; scenario_skip makes it a skip.
 *
 * Scenarios with one profile share a node, one after the other; what a scenario needs of the chain it makes in
 * prepare, and it counts on nothing that others did. doc/writing-a-test.md shows how to write one. */
#ifndef TPCHECK_SCENE_SCENARIO_H
#define TPCHECK_SCENE_SCENARIO_H

#include "base/clock.h"
#include "base/diag.h"
#include "base/json.h"
#include "contract/expect.h"
#include "node/chain.h"
#include "node/node.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scene;

/* How a node is started. */
struct profile {
	const char *name;
	const char *const *args; /* for bitcoind, besides the usual ones; ends with NULL */
	bool own_node;           /* every scenario gets a new node of its own */
	/* See struct node_opts: */
	const char *const *args_if_known;
	bool listen, own_network, finds_peers, proxy, i2p;
	/* Brings the new node to where its first scenario can begin, while others run; may be NULL. Its scene has
	 * node, deadline, coins and wallets alone. */
	int (*warm)(struct scene *scene, struct diag *diag);
};

struct scene {
	unsigned release; /* of Bitcoin Core, whose contract is judged: RELEASE_MASTER or less */
	struct node *node;
	struct deadline deadline;    /* of the scenario; for node_call and its like */
	struct expect *expect;       /* to be filled */
	void *state;                 /* state_sz bytes of the scenario's own, zero at first */
	struct coin_pool *coins;     /* of the node; see blocks.h */
	struct wallet_pool *wallets; /* of the node; see wallets.h */

	/* Set before act: */
	uint64_t act_start_ns; /* CLOCK_MONOTONIC, as events have it */
	uint64_t log_mark;     /* for node_log_read: what was logged since */
	/* Set before expect: */
	uint64_t act_end_ns;
	const struct event *events; /* what came, in order */
	size_t events_cnt;

	struct scene_kept *kept; /* see scene_keep */
};

struct scenario {
	const char *name;           /* context.tracepoint.behaviour */
	const char *summary;        /* one line, what it shows */
	enum tracepoint_id subject; /* the tracepoint it is about */
	uint64_t tracepoints; /* TP_BIT of all whose events are recorded and judged; the subject among them */
	const struct profile *profile;
	bool needs_wallet; /* skipped where bitcoind was built without the wallet */
	size_t state_sz;
	int (*prepare)(struct scene *scene, struct diag *diag); /* may be NULL */
	int (*act)(struct scene *scene, struct diag *diag);
	int (*expect)(struct scene *scene, struct diag *diag);
	void (*clean)(struct scene *scene); /* frees what state owns; may be NULL */
};

/* sz bytes, zero at first, that live as long as the scene; fini (NULL: none) is called on them before they are freed,
 * what was kept last first. So that a scenario needs no clean of its own. */
void *scene_keep(struct scene *scene, size_t sz, void (*fini)(void *kept));
/* Frees all that was kept; for the runner. */
void scene_release(struct scene *scene);

/* "return scenario_skip(diag, ...)": this cannot be judged here; the text says why. */
int scenario_skip(struct diag *diag, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool scenario_is_skip(int code);

#endif
