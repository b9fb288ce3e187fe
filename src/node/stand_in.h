/* Servers that a node goes through to other networks, played by us: a SOCKS5 proxy (-proxy), which takes any
 * destination, and an I2P router's SAM bridge (-i2psam). The destinations are played by us as well: a connection that
 * the node asked for is handed over as a socket, for p2p_adopt.
 *
 * A server answers in a thread of its own, because the RPC that makes the node connect waits for the answer; when the
 * RPC is over, the connection is there. */
#ifndef TPCHECK_NODE_STAND_IN_H
#define TPCHECK_NODE_STAND_IN_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct stand_in;

enum stand_in_kind { STAND_IN_SOCKS5, STAND_IN_SAM };
enum {
	STAND_IN_HOST_SZ = 256,
	STAND_IN_ADDRESS_SZ = 68, /* "<52 characters>.b32.i2p:0" and NUL */
};

/* Takes over the listening socket, also on failure. interrupted may be NULL; see struct node_opts. */
int stand_in_start(struct stand_in **out, enum stand_in_kind kind, int listen_fd,
		   const volatile sig_atomic_t *interrupted, struct diag *diag);
/* Asks has_gone now and then, in the caller's thread, while something waits for the node: -ECHILD then. */
void stand_in_watch(struct stand_in *server, bool (*has_gone)(void *cookie), void *cookie);
/* Ends the thread and closes all but what was handed over; NULL is fine. */
void stand_in_free(struct stand_in *server);

/* The oldest connection that the node asked for and nobody took: its socket, which is the caller's, or a negative
 * errno value (-ETIMEDOUT, -EINTR). host (may be NULL) is the destination as the node named it, port (may be NULL) is
 * 0 with SAM. */
int stand_in_take(struct stand_in *server, char host[STAND_IN_HOST_SZ], uint16_t *port,
		  struct deadline deadline, struct diag *diag);

/* SAM: waits until the node is ready to accept. As it asks again when it has dealt with a connection, this also tells
 * that it has. */
int stand_in_wait_accepting(struct stand_in *server, struct deadline deadline, struct diag *diag);
/* SAM: lets down a node that is ready to accept. One that is ending looks up from that wait once a second only. */
void stand_in_hang_up(struct stand_in *server);
/* SAM: connects to the node as the I2P destination number nth, whose address gets into address as the node writes it.
 * A socket, which is the caller's, or a negative errno value. */
int stand_in_connect(struct stand_in *server, unsigned nth, char address[STAND_IN_ADDRESS_SZ],
		     struct deadline deadline, struct diag *diag);

/* What follows is between stand_in.c and the protocols, socks5.c and sam.c. */

struct stand_in_client {
	struct buf in;  /* what came and was not dealt with; a protocol takes from its front */
	struct buf out; /* what is to be sent */
	unsigned step;  /* of the protocol */
	char host[STAND_IN_HOST_SZ];
	uint16_t port;
};

enum stand_in_verdict {
	STAND_IN_MORE,      /* more has to come */
	STAND_IN_CONNECTED, /* it is connected to host */
	STAND_IN_ACCEPTING, /* it waits for somebody to connect to it */
	STAND_IN_REFUSED,   /* out is sent, and the connection closed */
};

/* Deals with what came. Nothing may be left in client->in when it is connected or accepting. */
enum stand_in_verdict socks5_feed(struct stand_in_client *client);
enum stand_in_verdict sam_feed(struct stand_in_client *client);
/* Takes len bytes from the front. */
void stand_in_drop(struct stand_in_client *client, size_t len);
/* The destination number nth: what the bridge says of it, one line without its end, and its address. */
void sam_destination(unsigned nth, struct buf *line, char address[STAND_IN_ADDRESS_SZ]);

#endif
