/* A peer of a node: speaks Bitcoin's P2P protocol (v1 transport, regtest) over a socket of its own.
 *
 * It runs in the caller's thread: messages are read only in p2p_wait and the functions that wait, which answer the
 * node's pings meanwhile. Everything that was sent and received is stored in order, as the transcript: what the
 * tracepoints for messages must show is computed from it.
 *
 * A node may have any number of peers. All functions with a diag return 0 or a negative errno value: -ECONNREFUSED,
 * -ECONNRESET (the node closed the connection), -ETIMEDOUT, -EINTR, -EBADMSG (not a P2P message). */
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
	P2P_PROTOCOL = 70016,      /* the version that we speak */
	P2P_PAYLOAD_MAX = 4000000, /* in bytes; bitcoind, and we, disconnect whoever sends more */
};

struct p2p_peer;

enum p2p_direction {
	P2P_SENT,     /* by us; inbound to the node */
	P2P_RECEIVED, /* by us; outbound from the node */
};

struct p2p_message {
	enum p2p_direction direction;
	char type[P2P_TYPE_SZ]; /* "ping" */
	const uint8_t *payload; /* the peer's; valid until p2p_free */
	size_t size;            /* of the payload, in bytes */
	/* CLOCK_MONOTONIC: before the node had it, or after the node sent it; of what p2p_sync moves, when its pong
	 * came. */
	uint64_t time_ns;
};

/* Connects to the node. from is the address to connect from, an IPv4 or IPv6 address of the node's network; NULL: the
 * system's choice (127.0.0.1). to is "address:port" as in getnetworkinfo's localaddresses; NULL: node_p2p_port on
 * 127.0.0.1. *out is NULL on failure, else the caller's to p2p_free. */
int p2p_connect(struct p2p_peer **out, struct node *node, const char *from, const char *to,
		struct deadline deadline, struct diag *diag);
/* A peer on a connected socket, which it takes over; for listeners and stand-ins. Waits are interrupted with those of
 * node, which may be NULL. The node begins the handshake, unless p2p_set_begins is called: then we do. */
struct p2p_peer *p2p_adopt(struct node *node, int fd);
void p2p_set_begins(struct p2p_peer *peer);
/* Pings are not answered from now on, so the node keeps waiting. */
void p2p_set_silent(struct p2p_peer *peer);
/* The system's buffer for what the node has sent and we have not read gets as small as it can be. */
int p2p_keep_little(struct p2p_peer *peer, struct diag *diag);
/* Closes the connection and frees everything; NULL is fine. */
void p2p_free(struct p2p_peer *peer);

/* A socket in the node's network that waits for the node to connect (addconnection, addnode). */
struct p2p_listener;
int p2p_listen(struct p2p_listener **out, struct node *node, struct diag *diag);
uint16_t p2p_listener_port(const struct p2p_listener *listener); /* on 127.0.0.1 */
int p2p_accept(struct p2p_peer **out, struct p2p_listener *listener, struct deadline deadline,
	       struct diag *diag);
void p2p_listener_free(struct p2p_listener *listener); /* NULL is fine */

/* The content of our version message. {0} is a peer without services that wants nothing, not even transactions. A node
 * closes outbound connections of most types to a peer without P2P_NETWORK and P2P_WITNESS. */
struct p2p_version {
	uint64_t services; /* P2P_NETWORK and so on */
	bool relay;        /* the node may send transactions */
	bool wtxid_relay;  /* sends wtxidrelay before verack (BIP339) */
	bool no_verack;    /* our verack is not sent: for feelers, which the node closes after its own */
	int32_t height;
	const char *user_agent; /* NULL: "/tpcheck/" */
};
enum { P2P_NETWORK = 1 << 0, P2P_WITNESS = 1 << 3 };

/* The version handshake, begun by whichever side has to. It ends with our verack, which is sent once the node's has
 * arrived. version may be NULL ({0}). */
int p2p_handshake(struct p2p_peer *peer, const struct p2p_version *version, struct deadline deadline,
		  struct diag *diag);
/* After a handshake: waits until the node has sent what it sends to every new peer (its first ping and feefilter among
 * that) and has our answer; from then on it sends more only when time passes or we make it. Not for feelers, which get
 * nothing after the handshake, nor for private broadcast, where our answers make the node continue. */
int p2p_settle(struct p2p_peer *peer, struct deadline deadline, struct diag *diag);

/* Sends one message; the type has at most 12 characters, the payload is copied. Does not wait for an answer, but reads
 * what the node sends meanwhile. */
int p2p_send(struct p2p_peer *peer, const char *type, const void *payload, size_t size,
	     struct deadline deadline, struct diag *diag);
/* The same, but the message goes out together with the next one that is sent, so the node gets both at once. */
int p2p_queue(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct diag *diag);
/* Adds the bytes of a message, header and payload, to out: to be damaged and sent by p2p_send_bytes. */
bool p2p_format(const char *type, const void *payload, size_t size, struct buf *out);
/* Sends bytes unchanged; they do not go to the transcript. */
int p2p_send_bytes(struct p2p_peer *peer, const void *bytes, size_t len, struct deadline deadline,
		   struct diag *diag);

/* Reads until the transcript has a message of that type from the node, at index from or later; message may be NULL. */
int p2p_wait(struct p2p_peer *peer, const char *type, size_t from, struct p2p_message *message,
	     struct deadline deadline, struct diag *diag);
/* Sends a ping and waits for its pong: the node has then handled everything sent earlier, and we have read whatever it
 * answered immediately. In the transcript the two follow what the node sent meanwhile, as they do in the node: messages
 * between them change their places, others do not. */
int p2p_sync(struct p2p_peer *peer, struct deadline deadline, struct diag *diag);
/* Reads until the node has closed the connection. */
int p2p_wait_closed(struct p2p_peer *peer, struct deadline deadline, struct diag *diag);
/* Whether the node has closed the connection by now. */
bool p2p_has_closed(struct p2p_peer *peer);
/* Closes our side, like a peer that leaves; the node will close the connection (see p2p_wait_closed). The transcript
 * stays. */
void p2p_close(struct p2p_peer *peer);

/* The number of messages in the transcript, which is also a mark to wait from, and one of them. */
size_t p2p_cnt(const struct p2p_peer *peer);
struct p2p_message p2p_at(const struct p2p_peer *peer, size_t idx);

/* Our address and port, in the node's notation: "127.0.0.1:40123", "[1111:1111::5]:40123". Lent. */
const char *p2p_address(const struct p2p_peer *peer);

#endif
