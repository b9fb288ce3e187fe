/* Peers in scenarios: joining and leaving the node, what the node reports about them, and the events that their
 * messages must fire.
 *
 * Order. bitcoind handles the messages of all peers in one thread: it takes in one message, then sends its answers. If
 * a scenario waits for each answer before it sends anything else, by any peer, the order of all messages in both
 * directions is therefore known: it is the order of the transcripts (peers_expect_dialogue). Otherwise each direction
 * has an order of its own (peers_expect_lanes).
 *
 * Waking the node. bitcoind's threads look for work every 50 or 100 ms, unless the network wakes them. What the node
 * does of its own accord, such as sending its version to a peer that it connected to, or closing a connection, it does
 * at once when another peer sends something: see peer_wake. */
#ifndef TPCHECK_SCENE_PEERS_H
#define TPCHECK_SCENE_PEERS_H

#include "node/p2p.h"
#include "scene/scenario.h"

struct peer {
	struct p2p_peer *p2p;          /* NULL until it is connected */
	struct p2p_listener *listener; /* if the node connected to us */
	size_t mark; /* where in the transcript the expected messages begin; see peers_mark */
	size_t end;  /* and where they end (exclusive); 0: with the last one */
	/* From getpeerinfo; see peers_learn. */
	int64_t id;
	char address[128]; /* set before, it is what the peer is found by; otherwise p2p_address is */
	char connection_type[32];
	char network[32];    /* "not_publicly_routable", "ipv4", ... */
	int64_t connected_s; /* Unix time */
};

/* A peer from here has the permission noban on a node of profile_default. */
#define PEER_NOBAN_ADDRESS "127.0.0.2"

/* cnt peers, none of them connected. The scene frees them, which ends their connections. */
struct peer *peers_new(struct scene *scene, size_t cnt);
/* Call it after the last block is made and before the first peer joins: the node announces a block to its peers some
 * time after it has connected it, also to those that have joined since. */
void peers_begin(struct scene *scene);

/* Connecting. */

/* Connects to the node from an address (NULL: 127.0.0.1), without a handshake. */
void peer_connect(struct scene *scene, struct peer *peer, const char *from);
/* Makes the node try to connect to an address: type as addconnection names it ("outbound-full-relay", ...), or
 * "manual". */
void peers_ask_for(struct scene *scene, const char *type, const char *address);
/* Makes the node connect to a port of ours on 127.0.0.1, without a handshake; type as for peers_ask_for. waker is a
 * peer that has done its handshake, which then wakes the node; NULL: none does. */
void peer_call_in(struct scene *scene, struct peer *peer, const char *type, struct peer *waker);
/* The handshake; version may be NULL, see p2p_handshake. */
void peer_handshake(struct scene *scene, struct peer *peer, const struct p2p_version *version);
/* After a handshake: waits until the node has nothing left to say of its own accord; see p2p_settle. */
void peer_settle(struct scene *scene, struct peer *peer);
/* peer_handshake and peer_settle. */
void peer_greet(struct scene *scene, struct peer *peer, const struct p2p_version *version);
/* peer_connect and peer_greet. */
void peer_join(struct scene *scene, struct peer *peer, const char *from, const struct p2p_version *version);

/* Messages. */

/* How many the transcript has; 0 for a peer that was never connected. */
size_t peer_message_cnt(const struct peer *peer);
void peer_send(struct scene *scene, struct peer *peer, const char *type, const void *payload, size_t size);
/* Waits for a message of that type at index from of the transcript or later. All zero after a failure. */
struct p2p_message peer_wait(struct scene *scene, struct peer *peer, const char *type, size_t from);
/* peer_send, then peer_wait for an answer of that type, which the node must send before it deals with anything else.
 * Fails with -ENOMSG, long before the scene's deadline, if it sends none. */
struct p2p_message peer_ask(struct scene *scene, struct peer *peer, const char *type, const void *payload,
			    size_t size, const char *answer);
/* The same with a payload in a buffer. */
void peer_send_buf(struct scene *scene, struct peer *peer, const char *type, const struct buf *payload);
struct p2p_message peer_ask_buf(struct scene *scene, struct peer *peer, const char *type,
				const struct buf *payload, const char *answer);
/* The same where the node answers at once, or not at all: peer_send_buf, then peer_sync. Whether the answer came. */
bool peer_gets_answer(struct scene *scene, struct peer *peer, const char *type, const struct buf *payload,
		      const char *answer);
/* Sends bytes that need not be a message; they are not in the transcript. */
void peer_send_bytes(struct scene *scene, struct peer *peer, const void *bytes, size_t len);
/* Sends a message that has no answer, so that the node does at once what it has to do of its own accord. */
void peer_wake(struct scene *scene, struct peer *peer);
/* From now on the system keeps as little as it can of what we have not read: the rest waits in the node. */
void peer_keep_little(struct scene *scene, struct peer *peer);
/* See p2p_sync; wakes the node as well. */
void peer_sync(struct scene *scene, struct peer *peer);

/* Disconnecting. */

/* Ends our side of the connection, without waiting for the node to close it. Also after a failure. */
void peer_close(struct peer *peer);
/* Disconnects at once and discards the transcript; the node sees a reset if some of what it sent has not been read.
 * Also after a failure. */
void peer_drop(struct peer *peer);
/* Waits until the node has closed the connection; waker is another peer, which wakes the node; NULL: none does. */
void peer_wait_closed(struct scene *scene, struct peer *peer, struct peer *waker);
/* Ends the connections and waits until the node has forgotten the peers. For the end of expect. */
void peers_leave(struct scene *scene, struct peer *peers, size_t cnt);

/* What the node reports. */

/* Fills in what getpeerinfo reports, in one call, about all that have connected, or whose address is set; they must
 * still be connected. */
void peers_learn(struct scene *scene, struct peer *peers, size_t cnt);
/* Waits until getpeerinfo lists it. */
void peer_wait_listed(struct scene *scene, struct peer *peer);
/* Makes sure that the ids of peers that join later have more than 8 bits. */
void peers_raise_ids(struct scene *scene);
/* The same for the warm-up of a profile, and whenever its node is restarted: only if the node manages that in time,
 * because a failure must not affect scenarios that have nothing to do with peers. */
void peers_warm_ids(struct scene *scene);

/* Expected events. */

/* The expected messages begin here, and end with the last one. */
void peers_mark(struct peer *peers, size_t cnt);
/* The event of one message. */
void peer_expect_message(struct scene *scene, const struct peer *peer, const struct p2p_message *message);
/* All messages from the marks to the ends, in both directions, in one order, in the current lane. */
void peers_expect_dialogue(struct scene *scene, const struct peer *peers, size_t cnt);
/* The same in two lanes, one for each direction, which is ordered or not. peers are all peers of the scenario. */
void peers_expect_lanes(struct scene *scene, const struct peer *peers, size_t cnt, enum lane_order sent,
			enum lane_order received);

#endif
