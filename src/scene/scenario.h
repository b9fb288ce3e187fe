/* A scenario makes a node do one thing and says which events this must fire, and that nothing else fires.
 *
 * It has three steps, each of which may use the node:
 *   prepare  brings the node to where this can be done; not recorded
 *   act      does it; recorded
 *   expect   computes the expected events from the node's own answers; not recorded
 * Between act and expect the runner waits for what the node does in the background, collects all events and proves
 * that none was lost.
 *
 * Errors stick to the scene. A step is written as if nothing could fail:
 *
 *	state->block = coins_spend_in_block(scene, 1);
 *	blocks_call(scene, "invalidateblock", state->block);
 *
 * After the first failure every function that takes a scene does nothing, and returns something empty but valid: a
 * coin of value 0, a block without hash, NULL for a struct json (which json_get accepts). The runner checks after each
 * step. Objects that are built without asking the node (transactions, payloads, expected events) are built all the
 * same. Only code that loops until the node has done something, or that calls a function of node/ itself, has to check
 * scene_ok first.
 *
 * Scenarios of one profile share a node, one after the other; a scenario makes in prepare what it needs of the chain,
 * and relies on nothing that others did. doc/writing-a-test.md shows how to write one. */
#ifndef TPCHECK_SCENE_SCENARIO_H
#define TPCHECK_SCENE_SCENARIO_H

#include "base/buf.h"
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
	/* See struct node_opts: */
	const char *const *args_if_known;
	bool listen, own_network, finds_peers, proxy, i2p;
	bool no_blocks; /* it starts without any, so scenarios take no coins */
	/* The blocks are submitted instead: v25 crashes when it imports some while it prunes. */
	bool submits_blocks;
	/* How many blocks it starts with, ODD_BLOCKS at least, and how many bytes an additional output of the first one
	 * after these has (0: none); see coins_start_chain. */
	unsigned tip, filler_bytes;
	/* How long all its scenarios take together, roughly: those of the profiles that take longest begin first when
	 * several run at a time. */
	unsigned cost_ms;
	/* Of a second node, which is started with the first one and never traced; NULL: there is none. Only name, args,
	 * args_if_known and listen count; it starts with the same blocks. */
	const struct profile *partner;
	/* Brings the new node to where its first scenario can begin, while others run; may be NULL. Its scene has
	 * only node, partner, deadline, coins and wallets. */
	void (*warm)(struct scene *scene);
};

struct scene {
	unsigned release; /* of Bitcoin Core, whose contract is checked: RELEASE_MASTER or less */
	struct node *node;
	struct node *partner;        /* the second node of the profile; else NULL */
	struct deadline deadline;    /* of the scenario; for node_call and its like */
	struct expect *expect;       /* to be filled */
	void *state;                 /* state_sz bytes of the scenario's own, zero at first */
	struct coin_pool *coins;     /* of the node; see blocks.h */
	struct wallet_pool *wallets; /* of the node; see wallets.h */
	int64_t node_time;           /* what scene_set_time set the node's clock to; 0: it runs */

	/* The first failure; see scene_fail. */
	int err; /* negative errno value; 0: none */
	struct diag diag;

	/* Set before act: */
	uint64_t act_start_ns; /* CLOCK_MONOTONIC, as events have it */
	uint64_t log_mark;     /* for node_log_read: what was logged since */
	/* Set before expect: */
	uint64_t act_end_ns;
	const struct event *events; /* what was recorded, in order */
	size_t events_cnt;

	unsigned odd_taken; /* see coins_take_odd */
	/* What was reported and is not reported again, see log_lines.h; NULL: nothing is reported. */
	unsigned *reported;
	struct scene_kept *kept; /* see scene_keep */
	/* For tests: the scene fails at the nth call of scene_ok; 0: never. */
	unsigned fail_at, asked;
};

struct scenario {
	const char *name;           /* context.tracepoint.behaviour */
	const char *summary;        /* one line: what it shows */
	enum tracepoint_id subject; /* the tracepoint it is about */
	uint64_t
		tracepoints; /* TP_BIT of all whose events are recorded and compared; the subject is one of them */
	const struct profile *profile;
	/* It has no steps of its own, but those of this one, and no other tracepoint than the subject is attached. A
	 * tracepoint that fires only while another one is attached as well is silent then. NULL for most. */
	const struct scenario *alone_of;
	/* Where this costs little (by BPF with uprobe_multi), no tracepoint but its own is attached: it makes the node
	 * hit others so often that this would take long. */
	bool attaches_own;
	bool needs_wallet; /* skipped where bitcoind was built without the wallet */
	bool ends_node; /* it leaves the node in a state that others must not find: the next one gets a new node */
	size_t state_sz;
	void (*prepare)(struct scene *scene); /* may be NULL */
	void (*act)(struct scene *scene);
	void (*expect)(struct scene *scene);
};

/* Defines sc_<context>_<tracepoint>_<behaviour>, and its name; the other members follow these three. */
#define DEFINE_SCENARIO(context_, tracepoint_, behaviour_, ...)                                              \
	const struct scenario sc_##context_##_##tracepoint_##_##behaviour_ = {                               \
		.name = #context_ "." #tracepoint_ "." #behaviour_, __VA_ARGS__}

/* The scenario whose steps are those of this one. */
static inline const struct scenario *
scenario_steps(const struct scenario *scenario)
{
	return scenario->alone_of ? scenario->alone_of : scenario;
}

/* Whether nothing has failed so far. The functions of src/scene check it before they do anything with the node. */
bool scene_ok(struct scene *scene);
/* Makes the scene fail, with a negative errno value and the reason: the scenario's outcome is an error. Only the first
 * failure counts. */
void scene_fail(struct scene *scene, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same for what cannot be checked here: the outcome is a skip, and the text says why. */
void scene_skip(struct scene *scene, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool scene_is_skipped(const struct scene *scene);
/* Puts the text and ": " before the reason, if the scene has failed. Call it only right after what may have failed: an
 * earlier failure would get the text as well. */
void scene_prefix(struct scene *scene, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* node_call and node_wallet_call with the scene's node and deadline. The answer belongs to the scene; NULL on
 * failure. */
const struct json *scene_call(struct scene *scene, const char *method, const char *params_fmt, ...)
	__attribute__((format(printf, 3, 4)));
const struct json *scene_wallet_call(struct scene *scene, const char *wallet, const char *method,
				     const char *params_fmt, ...) __attribute__((format(printf, 4, 5)));
/* A call that bitcoind may answer with an error: true if it succeeded. False if bitcoind answered with an error (see
 * node_rpc_code and node_rpc_message), which is no failure of the scene, and if the scene has failed. */
bool scene_call_succeeds(struct scene *scene, const char *method, const char *params_fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Stops the node's clock there, or lets it run again (0); Unix time in seconds. */
void scene_set_time(struct scene *scene, int64_t time_s);

/* sz bytes, zero at first, that live as long as the scene; fini (NULL: none) is called on them before they are freed,
 * the last kept first. Never NULL. */
void *scene_keep(struct scene *scene, size_t sz, void (*fini)(void *kept));
/* A transaction, and a buffer of at most max_bytes, that live as long as the scene. */
struct tx *scene_tx(struct scene *scene);
struct buf *scene_buf(struct scene *scene, size_t max_bytes);
/* Frees all that was kept; for the runner. */
void scene_release(struct scene *scene);
/* Frees what was kept since scene_mark: for a loop that asks the node again and again. */
const struct scene_kept *scene_mark(const struct scene *scene);
void scene_release_since(struct scene *scene, const struct scene_kept *mark);

#endif
