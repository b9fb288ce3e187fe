/* The network that bitcoind is in: the machine's, or one of its own. Below node.h, which names the addresses.
 *
 * A network of its own is a network namespace with only a loopback device. The machine's network stays as it is, and
 * the kernel removes the namespace with the last process or descriptor that holds it, however these end. Without
 * CAP_SYS_ADMIN and CAP_NET_ADMIN it is inside a user namespace: see broker.h. */
#ifndef TPCHECK_NODE_NETWORK_H
#define TPCHECK_NODE_NETWORK_H

#include "base/diag.h"

struct broker;
struct process_user; /* node/process.h */

struct network {
	int fd;                /* of the namespace; -1: the machine's */
	int home_fd;           /* of the namespace that we are in; -1 with a broker, or with fd -1 */
	int user_fd;           /* of the user namespace that it is inside; -1: ours */
	struct broker *broker; /* opens sockets in it, where we cannot enter it; else NULL */
	char *obstacle;        /* why it is not one of its own, and what helps; NULL when it is */
	char *obstacle_ip6;    /* why its own has no IPv6; NULL when it has */
};

/* The machine's network. */
void network_init(struct network *network);
/* One of its own if the machine allows it; else the machine's, and obstacle says why. user runs the node in it. It may
 * belong to the calling thread, which has to live as long. */
void network_make(struct network *network, const struct process_user *user);
void network_fini(struct network *network);

/* -ENETDOWN: the machine's loopback device is down, as in a new network namespace (unshare -n). */
int network_check_loopback(struct diag *diag);

/* A socket in the network, close-on-exec, or a negative errno value. -EPIPE: the broker was killed. */
int network_socket(const struct network *network, int domain, int type);

#endif
