/* Peers that misbehave, and the events of net:misbehaving_connection that this must fire.
 *
 * Why a peer misbehaves follows from what it sent; the reason says how many items were too many. A release may notice
 * fewer causes than another, or word one differently, and the node's own log (-debug=net) shows which it noticed: one
 * event is expected for each of these, with the text that we know. Where the log has another text, the reason
 * counts as a detail. Where the log says nothing, the events say which causes were noticed. */
#ifndef TPCHECK_SCENE_MISBEHAVIOUR_H
#define TPCHECK_SCENE_MISBEHAVIOUR_H

#include "node/block.h"
#include "scene/log.h"
#include "scene/peers.h"
#include "scene/scenario.h"

enum {
	MISBEHAVING_PEERS = 8,
	MISBEHAVIOURS_MAX = 24,
};

/* A message by which a peer misbehaves. */
struct misbehaviour {
	size_t peer; /* index of the peer */
	size_t at;   /* index of the message in the peer's transcript */
	const char *reason;
};

/* Of a scenario. */
struct misbehaviour_state {
	struct peer *peers;  /* MISBEHAVING_PEERS of them, to be connected from the first one on */
	struct block *block; /* finished, not submitted */
	struct misbehaviour done[MISBEHAVIOURS_MAX];
	size_t done_cnt;
	/* From misbehaviour_read_log on: */
	bool has_no_log; /* the log does not say what is misbehaviour, so the events have to */
	const struct log_texts *logged[MISBEHAVING_PEERS]; /* the reasons in the log, by peer */
	size_t logged_next[MISBEHAVING_PEERS];             /* the first that is not explained */
	size_t compared;                                   /* how many of done were compared with the log */
	size_t expected;                                   /* and how many of them were in it */
};

/* A scenario on the usual node. */
#define MISBEHAVIOUR_SCENARIO(behaviour_, ...)                                                               \
	DEFINE_SCENARIO(net, misbehaving_connection, behaviour_, .subject = TP_NET_MISBEHAVING_CONNECTION,   \
			.profile = &profile_default, .state_sz = sizeof(struct misbehaviour_state),          \
			__VA_ARGS__)

/* The beginning of prepare: makes the peers. No block may be made from here on until act. */
void misbehaviour_begin(struct scene *scene);
/* The end of prepare: makes the node log why peers misbehave. */
void misbehaviour_log(struct scene *scene);
/* Another block in the place of the state's, whose coinbase has no outputs. The scene's. */
struct block *misbehaviour_other_block(struct scene *scene);

/* Sends a message by which the peer misbehaves, and waits until the node has dealt with it. The peer must be one that
 * the node does not disconnect for it. */
void misbehave(struct scene *scene, size_t peer, const char *type, const struct buf *payload,
	       const char *reason);
/* The same for a peer that the node does disconnect; waker is the index of another one. */
void misbehave_and_part(struct scene *scene, size_t peer, const char *type, const struct buf *payload,
			const char *reason, size_t waker);

/* For expect, in this order. */

void misbehaviour_read_log(struct scene *scene);
/* Expects the event of the next message, if the log has it. */
void misbehaviour_expect_next(struct scene *scene);
/* Fails unless every reason in the log is explained and there are at least that many; then ends the connections. */
void misbehaviour_end(struct scene *scene, size_t least);
/* All three, for all messages. */
void misbehaviour_expect_all(struct scene *scene, size_t least);

#endif
