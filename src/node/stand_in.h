/* Servers through which a node reaches other networks, played by us: a SOCKS5 proxy (-proxy), which accepts any
 * destination, and an I2P router's SAM bridge (-i2psam). We play the destinations as well: a connection that the node
 * asked for is handed over as a socket, for p2p_adopt.
 *
 * A server answers in a thread of its own, because the RPC that makes the node connect waits for the answer; once the
 * RPC returns, the connection is there. */
#ifndef TPCHECK_NODE_STAND_IN_H
#define TPCHECK_NODE_STAND_IN_H

#include "base/clock.h"
#include "base/diag.h"

#include <stdatomic.h>
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
		   const atomic_int *interrupted, struct diag *diag);
/* Whoever waits for the node calls has_gone now and then, in the caller's thread; once it returns true the wait fails
 * with -ECHILD. */
void stand_in_watch(struct stand_in *server, bool (*has_gone)(void *cookie), void *cookie);
/* Ends the thread and closes everything that was not handed over; NULL is fine. */
void stand_in_free(struct stand_in *server);

/* Waits for a connection that the node asked for, and returns its socket, which is the caller's, or a negative errno
 * value (-ETIMEDOUT, -EINTR); the oldest first. host is the destination as the node named it; port is 0 with SAM; both
 * may be NULL. */
int stand_in_take(struct stand_in *server, char host[STAND_IN_HOST_SZ], uint16_t *port,
		  struct deadline deadline, struct diag *diag);

/* SAM: waits until the node is ready to accept. The node asks again after it has handled a connection, so this waits
 * for that as well. */
int stand_in_wait_accepting(struct stand_in *server, struct deadline deadline, struct diag *diag);
/* SAM: hangs up on a node waiting to accept. A node that is shutting down checks for that only once a second. */
void stand_in_hang_up(struct stand_in *server);
/* SAM: connects to the node as the I2P destination with that number. address is the destination's as the node writes
 * it. Returns a socket, which is the caller's, or a negative errno value. */
int stand_in_connect(struct stand_in *server, unsigned nth, char address[STAND_IN_ADDRESS_SZ],
		     struct deadline deadline, struct diag *diag);

#endif
