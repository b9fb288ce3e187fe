/* A peer of a node: speaks Bitcoin's P2P protocol (v1 transport, regtest) over a socket of its own.
 *
 * It runs in the caller's thread: nothing is read but in p2p_wait and those that wait, which answer the node's pings
 * on the way. Whatever was sent and received is kept whole and in order, as the transcript: what the tracepoints for
 * messages must show is computed from it.
 *
 * There may be any number of peers of a node. All functions with a diag return 0 or a negative errno value:
 * -ECONNREFUSED, -ECONNRESET (the node closed the connection), -ETIMEDOUT, -EINTR, -EBADMSG (no P2P message). */
#ifndef TPCHECK_NODE_P2P_H
#define TPCHECK_NODE_P2P_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "node/node.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	P2P_TYPE_SZ = 13,          /* 12 characters and NUL */
	P2P_HEADER_SZ = 24,        /* magic, type, size, checksum */
	P2P_ADDRESS_SZ = 64,       /* "[ip6]:port" and NUL */
	P2P_PROTOCOL = 70016,      /* the version we speak */
	P2P_PAYLOAD_MAX = 4000000, /* in bytes; who sends more is no peer, for bitcoind and for us */
};

struct p2p_peer;

enum p2p_direction {
	P2P_SENT,     /* by us; inbound to the node */
	P2P_RECEIVED, /* by us; outbound from the node */
};

struct p2p_message {
	enum p2p_direction direction;
	char type[P2P_TYPE_SZ]; /* "ping" */
	const uint8_t *payload; /* belongs to the peer; stays until p2p_free */
	size_t size;            /* of the payload, in bytes */
	uint64_t time_ns;       /* CLOCK_MONOTONIC: before the node had it, or after it had sent it */
};

/* Connects to the node. from is the address to come from, an IPv4 or IPv6 address that the node's network has; NULL:
 * what the system chooses (127.0.0.1). to is "address:port" as in getnetworkinfo's localaddresses; NULL:
 * node_p2p_port on 127.0.0.1. *out is NULL on failure; else the caller's to p2p_free. */
int p2p_connect(struct p2p_peer **out, struct node *node, const char *from, const char *to,
		struct deadline deadline, struct diag *diag);
/* A peer on a connected socket, which it owns from here; for listeners and proxies. node is for its interruption and
 * may be NULL. The node begins the handshake, unless p2p_set_begins says that we do. */
struct p2p_peer *p2p_adopt(struct node *node, int fd);
void p2p_set_begins(struct p2p_peer *peer);
/* From now on pings are not answered, so that the node waits. */
void p2p_set_silent(struct p2p_peer *peer);
/* Closes the connection and frees all; NULL is fine. */
void p2p_free(struct p2p_peer *peer);

/* A socket that waits for the node to connect (addconnection, addnode). It is in the node's network. */
struct p2p_listener;
int p2p_listen(struct p2p_listener **out, struct node *node, struct diag *diag);
uint16_t p2p_listener_port(const struct p2p_listener *listener); /* on 127.0.0.1 */
int p2p_accept(struct p2p_peer **out, struct p2p_listener *listener, struct deadline deadline,
	       struct diag *diag);
void p2p_listener_free(struct p2p_listener *listener); /* NULL is fine */

/* What our version message tells; {0} is a peer that has and wants nothing, not even transactions. A node closes
 * outbound connections of most types to a peer without P2P_NETWORK and P2P_WITNESS. */
struct p2p_version {
	uint64_t services; /* P2P_NETWORK and so on */
	bool relay;        /* transactions are wanted */
	bool wtxid_relay;  /* sends wtxidrelay before verack (BIP339) */
	bool no_verack;    /* ours is not sent: for feelers, which the node closes after its own */
	int32_t height;
	const char *user_agent; /* NULL: "/tpcheck/" */
};
enum { P2P_NETWORK = 1 << 0, P2P_BLOOM = 1 << 2, P2P_WITNESS = 1 << 3 };

/* The version handshake, by whoever has to begin it. Our verack goes out when the node's has come, and ends it.
 * version may be NULL ({0}). */
int p2p_handshake(struct p2p_peer *peer, const struct p2p_version *version, struct deadline deadline,
		  struct diag *diag);
/* After a handshake: returns when the node has sent what it sends to a new peer of itself (its first ping and
 * feefilter among it) and got its answer, so that nothing but time or we make it send more. Not for feelers, which
 * get nothing after the handshake, nor for private broadcast, where our answers make the node go on. */
int p2p_settle(struct p2p_peer *peer, struct deadline deadline, struct diag *diag);

/* Sends one message; the type has at most 12 characters, the payload is copied. Does not wait for an answer, but
 * reads what the node sends meanwhile. */
int p2p_send(struct p2p_peer *peer, const char *type, const void *payload, size_t size,
	     struct deadline deadline, struct diag *diag);
/* The same, but it goes out together with what is sent next, so that the node gets both at once. */
int p2p_queue(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct diag *diag);
/* Adds the bytes of a message, header and payload, to out: to be damaged and sent by p2p_send_bytes. */
bool p2p_format(const char *type, const void *payload, size_t size, struct buf *out);
/* Sends bytes as they are; they are not in the transcript. */
int p2p_send_bytes(struct p2p_peer *peer, const void *bytes, size_t len, struct deadline deadline,
		   struct diag *diag);

/* Reads until a message of the type came from the node, in the transcript at index from or later; *message may be
 * NULL. */
int p2p_wait(struct p2p_peer *peer, const char *type, size_t from, struct p2p_message *message,
	     struct deadline deadline, struct diag *diag);
/* Sends a ping and waits for its pong: the node has handled all that was sent before, and we have read what it
 * answered to it at once. */
int p2p_sync(struct p2p_peer *peer, struct deadline deadline, struct diag *diag);
/* Reads until the node has closed the connection. */
int p2p_wait_closed(struct p2p_peer *peer, struct deadline deadline, struct diag *diag);
/* Whether the node has closed the connection by now. */
bool p2p_has_closed(struct p2p_peer *peer);
/* Ends our side, as a peer that leaves: the node will close the connection (see p2p_wait_closed). The transcript
 * stays. */
void p2p_close(struct p2p_peer *peer);

/* The messages so far: p2p_cnt is a mark to count from. */
size_t p2p_cnt(const struct p2p_peer *peer);
struct p2p_message p2p_at(const struct p2p_peer *peer, size_t idx);

/* Our end's address and port, as the node names the peer: "127.0.0.1:40123", "[1111:1111::5]:40123". Lent. */
const char *p2p_address(const struct p2p_peer *peer);

#endif
