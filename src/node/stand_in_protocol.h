/* Between stand_in.c, which owns the sockets, and the protocols, socks5.c and sam.c, which read and write buffers. */
#ifndef TPCHECK_NODE_STAND_IN_PROTOCOL_H
#define TPCHECK_NODE_STAND_IN_PROTOCOL_H

#include "base/buf.h"
#include "node/stand_in.h"

#include <stdint.h>

struct stand_in_client {
	struct buf in;  /* received and not handled; a protocol takes from its front */
	struct buf out; /* to be sent */
	unsigned step;  /* of the protocol */
	char host[STAND_IN_HOST_SZ];
	uint16_t port;
};

enum stand_in_outcome {
	STAND_IN_MORE,      /* the client has to send more */
	STAND_IN_CONNECTED, /* the client is connected to host */
	STAND_IN_ACCEPTING, /* the client waits for somebody to connect to it */
	STAND_IN_REFUSED,   /* the connection is closed once out is sent */
};

/* Handles what is in client->in. A client that is connected or accepting must have sent nothing more than that. */
enum stand_in_outcome socks5_feed(struct stand_in_client *client);
enum stand_in_outcome sam_feed(struct stand_in_client *client);
/* The I2P destination with that number: adds what the bridge says of it to line, without a newline, and stores its
 * address. */
void sam_destination(unsigned nth, struct buf *line, char address[STAND_IN_ADDRESS_SZ]);

#endif
