/* The loopback device of the network namespace that the calling thread is in. Below network.h. */
#ifndef TPCHECK_NODE_LOOPBACK_H
#define TPCHECK_NODE_LOOPBACK_H

/* Brings it up and gives it the addresses of node.h. Async-signal-safe. 0 or a negative errno value; *err_ip6 is the
 * same for its IPv6 addresses, without which there is still a network. */
int loopback_configure(int *err_ip6);

#endif
