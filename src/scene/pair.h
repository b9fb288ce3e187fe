/* Two nodes of the same binary that talk to each other, one of them traced: the scene's node and its partner. What one
 * of them sent is what the other received, and both write it down (see node/capture.h): the events of the one are
 * compared with what the other wrote. They speak the v2 transport, which encrypts, so nobody else could. */
#ifndef TPCHECK_SCENE_PAIR_H
#define TPCHECK_SCENE_PAIR_H

#include "scene/peers.h"
#include "scene/scenario.h"

/* Both listen and have the same mature chain. Each sends transactions without delay to a peer that called it. There is
 * room for few peers (11 connections are kept for outbound ones), of which not all may want transactions if bitcoind
 * knows PAIR_RELAY_ARG (see node_has_arg). Peers from 127.0.0.1 have the permission noban. */
extern const struct profile profile_pair;
enum { PAIR_CONNECTIONS_MAX = 40, PAIR_RELAY_PERCENT = 90 };
#define PAIR_RELAY_ARG "-inboundrelaypercent=90"

/* A connection between the two, from pair_connect to pair_disconnect. */
struct pair {
	bool called;                    /* by the partner; else the scene's node called */
	struct peer peer;               /* the partner, as the scene's node knows it */
	char address[P2P_ADDRESS_SZ];   /* of the scene's node, as the partner knows it */
	size_t sent_before, got_before; /* messages that the partner wrote down before, of the same address */
	size_t own_sent_before, own_got_before; /* the same of the scene's node */
};

/* The scene's functions use the other one from now on. */
void pair_swap(struct scene *scene);
/* Connects them by the v2 transport; called: by the partner. */
void pair_connect(struct scene *scene, struct pair *pair, bool called);
/* Waits until both have the same tip. */
void pair_wait_tip(struct scene *scene);
/* Waits until the scene's node has taken in a message of that type from the partner, or the other way round, nth (from
 * 1) on this connection. */
void pair_wait_message(struct scene *scene, const struct pair *pair, const char *type, bool from_partner,
		       size_t nth);
/* Waits until each has processed what the other sent, as far as it can be known, then disconnects them and waits until
 * both have forgotten the connection. */
void pair_disconnect(struct scene *scene, struct pair *pair);

/* All events of the connection: it opens, all messages in both directions, it closes. */
void pair_expect(struct scene *scene, struct pair *pair);
/* Fails unless there was a message of that type: the scenario would not show what it is meant to. */
void pair_require(struct scene *scene, const struct pair *pair, const char *type, bool from_partner);

#endif
