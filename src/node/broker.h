/* A network namespace for users who may not make one: inside a user namespace of their own.
 *
 * Inside a user namespace every capability can be had, and counts for what belongs to it. But a process with several
 * threads, such as this one, cannot enter a user namespace, nor without it the network namespace. Therefore a child of
 * this process, the broker, makes both, sets up the loopback device, and stays there to open sockets, which it passes
 * on. The node's process enters both before it executes bitcoind: the kernel grants a user all capabilities over the
 * user namespaces that this user made.
 *
 * The broker ends with the thread that started it, and when the socket to this process closes, however this process
 * ends; the namespaces end with the last process and descriptor. Whoever runs in them is mapped to the same user and
 * group, can be traced from outside by that user, and belongs to the same groups. Below network.h.
 */
#ifndef TPCHECK_NODE_BROKER_H
#define TPCHECK_NODE_BROKER_H

#include "node/process.h"

struct broker;

enum broker_step {
	BROKER_FORK,
	BROKER_PREPARE, /* giving up what it inherits */
	BROKER_USER_NAMESPACE,
	BROKER_NETWORK_NAMESPACE,
	BROKER_LOOPBACK,
	BROKER_OPEN, /* the namespaces, in /proc */
};

struct broker_result {
	enum broker_step step;   /* the one that failed */
	int err_ip6;             /* why the network has no IPv6, or 0 */
	int user_fd, network_fd; /* of the namespaces; the caller's to close. -1 after a failure */
};

/* The namespaces belong to the user that the node runs as. 0 or a negative errno value; *out is then NULL. */
int broker_start(struct broker **out, const struct process_user *user, struct broker_result *result);
/* Waits for its end; NULL is fine. */
void broker_stop(struct broker *broker);
/* A socket in that network, close-on-exec, or a negative errno value. -EPIPE: the broker was killed. Any thread may
 * call. */
int broker_socket(struct broker *broker, int domain, int type);
pid_t broker_pid(const struct broker *broker);

#endif
