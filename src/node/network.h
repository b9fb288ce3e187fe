/* The network that a bitcoind is in: the machine's, or one of its own. Below node.h, which names the addresses.
 *
 * One of its own is a network namespace with nothing but a loopback device. Nothing of the machine's network is
 * changed, and the kernel removes the namespace with the last process or descriptor that holds it, however these
 * end. */
#ifndef TPCHECK_NODE_NETWORK_H
#define TPCHECK_NODE_NETWORK_H

#include "base/diag.h"

#include <stdbool.h>

struct network {
	int fd;         /* of the namespace; -1: the machine's */
	int home_fd;    /* of the namespace that we are in; -1 with fd -1 */
	char *lack;     /* why there is none of its own, and what helps; NULL when there is */
	char *lack_ip6; /* why there is no IPv6 in it; NULL when there is */
};

/* The machine's network. */
void network_init(struct network *network);
/* One of its own if the machine allows it; else it is the machine's, and lack says why. */
void network_make(struct network *network);
void network_fini(struct network *network);

/* A socket in the network, close-on-exec, or a negative errno value. */
int network_socket(const struct network *network, int domain, int type);

#endif
