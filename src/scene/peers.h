/* Peers in scenarios: joining and leaving the node, what the node says of them, and what the message tracepoints must
 * show of them.
 *
 * Order. bitcoind handles all peers in one thread: a message that it takes in, then what it answers. So if the
 * scenario waits for each answer before it sends anything more, to whatever peer, the order of all messages in both
 * directions is known: it is the transcripts' (peers_expect_dialogue). Otherwise the order holds in each direction
 * (peers_expect_lanes).
 *
 * Haste. bitcoind's threads look for work every 50 and 100 ms unless the network wakes them. What it does of itself,
 * such as sending a version to a peer that it has connected to, or closing a connection, is done at once when another
 * peer sends it something: see peer_wake. */
#ifndef TPCHECK_SCENE_PEERS_H
#define TPCHECK_SCENE_PEERS_H

#include "node/p2p.h"
#include "scene/scenario.h"

struct peer {
	struct p2p_peer *p2p;
	struct p2p_listener *listener; /* when the node connected to us */
	size_t mark;                   /* what is expected begins here in the transcript; see peers_mark */
	size_t end;                    /* and ends before this one; 0: with the last */
	/* As getpeerinfo tells; see peers_learn. */
	int64_t id;
	char address[128]; /* set before, it is what the peer is found by; else p2p_address is */
	char connection_type[32];
	char network[32];    /* "not_publicly_routable", "ipv4", ... */
	int64_t connected_s; /* Unix time */
};

/* Whoever comes from here has the permission noban on a node of profile_default. */
#define PEER_NOBAN_ADDRESS "127.0.0.2"

/* To be called before the first peer joins, when the last block is made: the node tells its peers of a block some time
 * after it has connected it, and those who came meanwhile as well. */
int peers_begin(struct scene *scene, struct diag *diag);
/* Connects to the node from an address (NULL: 127.0.0.1), without a handshake. */
int peer_connect(struct scene *scene, struct peer *peer, const char *from, struct diag *diag);
/* Asks the node to connect to an address: type as addconnection names it, or "manual". */
int peers_ask_for(struct scene *scene, const char *type, const char *address, struct diag *diag);
/* Lets the node connect: type as addconnection names it ("outbound-full-relay", ...), or "manual". waker is a peer
 * with a finished handshake, which wakes the node. Without a handshake. */
int peer_call_in(struct scene *scene, struct peer *peer, const char *type, struct peer *waker,
		 struct diag *diag);
/* The handshake, and p2p_settle. */
int peer_greet(struct scene *scene, struct peer *peer, const struct p2p_version *version, struct diag *diag);
/* peer_connect and peer_greet. */
int peer_join(struct scene *scene, struct peer *peer, const char *from, const struct p2p_version *version,
	      struct diag *diag);

int peer_send(struct scene *scene, struct peer *peer, const char *type, const void *payload, size_t size,
	      struct diag *diag);
/* Sends it and waits for an answer of that type. */
int peer_ask(struct scene *scene, struct peer *peer, const char *type, const void *payload, size_t size,
	     const char *answer, struct p2p_message *message, struct diag *diag);
/* The same with a payload in a buffer, which they use up. */
int peer_send_buf(struct scene *scene, struct peer *peer, const char *type, struct buf *payload,
		  struct diag *diag);
int peer_ask_buf(struct scene *scene, struct peer *peer, const char *type, struct buf *payload,
		 const char *answer, struct diag *diag);
/* Sends a message that has no answer, so that the node goes on at once with what it does of itself. */
int peer_wake(struct scene *scene, struct peer *peer, struct diag *diag);
/* Waits until the node has closed the peer's connection, with another peer to wake it. */
int peer_wait_closed(struct scene *scene, struct peer *peer, struct peer *waker, struct diag *diag);
/* See p2p_sync; it wakes the node as well. */
int peer_sync(struct scene *scene, struct peer *peer, struct diag *diag);

/* Asks getpeerinfo, once for all of them, which have to be connected. */
int peers_learn(struct scene *scene, struct peer *peers, size_t cnt, struct diag *diag);
/* What is expected begins here, and ends with the last message. */
void peers_mark(struct peer *peers, size_t cnt);
/* Ends the connections and waits until the node has forgotten them: to be called at the end of expect. */
int peers_leave(struct scene *scene, struct peer *peers, size_t cnt, struct diag *diag);
/* Frees; for clean. */
void peers_fini(struct peer *peers, size_t cnt);

/* Makes sure that a new peer's id has more than 8 bits. */
int peers_raise_ids(struct scene *scene, struct diag *diag);

/* The event of one message. */
void peer_expect_message(struct scene *scene, const struct peer *peer, const struct p2p_message *message);
/* All messages from the marks to the ends, in both directions, in one order, in the current lane. */
void peers_expect_dialogue(struct scene *scene, const struct peer *peers, size_t cnt);
/* The same in two lanes, one a direction, each with an order of its own or none: for all peers of a scenario. */
void peers_expect_lanes(struct scene *scene, const struct peer *peers, size_t cnt, enum lane_order sent,
			enum lane_order received);

#endif
