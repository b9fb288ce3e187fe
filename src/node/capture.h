/* What bitcoind captured of a peer's messages (-capturemessages): files with every message that it handed over for
 * sending, or took in, each with its whole payload. */
#ifndef TPCHECK_NODE_CAPTURE_H
#define TPCHECK_NODE_CAPTURE_H

#include "node/node.h"
#include "node/p2p.h"

struct capture {
	struct p2p_message *messages; /* in order; payloads point into bytes; without times */
	size_t cnt;
	struct buf bytes;
};

/* Reads what is there by now; a message at the end that is not complete yet is left out. address is the peer's, as in
 * getpeerinfo; sent: by that peer, so bitcoind received it. A file that does not exist is empty. -EBADMSG, -EFBIG, or
 * errors of open(2). capture is the caller's to fini, also after a failure. */
int capture_read(struct capture *capture, const struct node *node, const char *address, bool sent,
		 struct diag *diag);
void capture_fini(struct capture *capture);
/* For tests: the same from bytes, which capture takes over. -EBADMSG. */
int capture_parse(struct capture *capture, enum p2p_direction direction);

#endif
