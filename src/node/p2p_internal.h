/* Between the files of p2p.h. Each may call those above it:
 *
 *	p2p_message.c  bytes to messages and back; the transcript
 *	p2p.c          input and output, waiting, the handshake
 *	p2p_connect.c  addresses, connecting and accepting; a peer's begin and end */
#ifndef TPCHECK_NODE_P2P_INTERNAL_H
#define TPCHECK_NODE_P2P_INTERNAL_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "node/node.h"
#include "node/p2p.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	P2P_TYPE_CHARS = P2P_TYPE_SZ - 1,
	P2P_NONCE_SZ = 8,
};

struct p2p_entry {
	struct p2p_message message;
	uint8_t *payload;
};

struct p2p_peer {
	struct node *node; /* may be NULL */
	int fd;
	bool begins; /* the handshake: we connected */
	bool closed; /* by the node; everything that it sent has been read */
	bool send_failed;
	bool silent; /* does not answer pings */
	struct p2p_entry *transcript;
	size_t transcript_cnt, transcript_cap;
	struct buf inbox, outbox;
	size_t sent; /* bytes of the outbox */
	uint64_t pings;
	char address[P2P_ADDRESS_SZ];
	uint16_t port; /* of the address */
};

/* p2p_message.c */
void p2p_put_le(uint8_t *out, uint64_t n, size_t len);
/* Puts a message into the outbox and the transcript. */
int p2p_post(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct diag *diag);
/* Moves all complete messages from the inbox to the transcript, and answers pings. */
int p2p_take_messages(struct p2p_peer *peer, struct diag *diag);

/* p2p.c */
/* Waits for poll events of fd, but only for a short while, so the caller has to look and call again. node may be
 * NULL. */
int p2p_wait_fd(struct node *node, int fd, short events, const char *doing, struct deadline deadline,
		struct diag *diag);

#endif
