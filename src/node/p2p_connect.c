#include "node/p2p_internal.h"

#include "base/text.h"
#include "base/xmem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BOX_MAX = 64 << 20, /* bytes of an inbox or outbox */
	BACKLOG = 16,
};

struct p2p_listener {
	struct node *node;
	int fd;
	uint16_t port;
};

/* "127.0.0.1", or with port "127.0.0.1:80" or "[::1]:80". */
static bool
parse_address(const char *text, bool with_port, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *ip4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)out;
	char host[P2P_ADDRESS_SZ];
	uint64_t port = 0;
	const char *colon = with_port ? strrchr(text, ':') : NULL;
	size_t host_len = colon ? (size_t)(colon - text) : strlen(text);

	memset(out, 0, sizeof(*out));
	if ((with_port && (!colon || !parse_u64(colon + 1, &port) || port > UINT16_MAX)) ||
	    host_len >= sizeof(host))
		return false;
	bool bracketed = host_len > 1 && text[0] == '[' && text[host_len - 1] == ']';
	snprintf(host, sizeof(host), "%.*s", (int)(bracketed ? host_len - 2 : host_len), text + bracketed);
	if (!bracketed && inet_pton(AF_INET, host, &ip4->sin_addr) == 1) {
		ip4->sin_family = AF_INET;
		ip4->sin_port = htons((uint16_t)port);
		*len = sizeof(*ip4);
		return true;
	}
	if (inet_pton(AF_INET6, host, &ip6->sin6_addr) == 1) {
		ip6->sin6_family = AF_INET6;
		ip6->sin6_port = htons((uint16_t)port);
		*len = sizeof(*ip6);
		return true;
	}
	return false;
}

/* Returns the port. */
static uint16_t
format_address(const struct sockaddr_storage *address, char out[P2P_ADDRESS_SZ])
{
	const struct sockaddr_in *ip4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *ip6 = (const struct sockaddr_in6 *)address;
	char host[INET6_ADDRSTRLEN] = "";

	*out = '\0';
	if (address->ss_family == AF_INET && inet_ntop(AF_INET, &ip4->sin_addr, host, sizeof(host)))
		snprintf(out, P2P_ADDRESS_SZ, "%s:%u", host, ntohs(ip4->sin_port));
	else if (address->ss_family == AF_INET6 && inet_ntop(AF_INET6, &ip6->sin6_addr, host, sizeof(host)))
		snprintf(out, P2P_ADDRESS_SZ, "[%s]:%u", host, ntohs(ip6->sin6_port));
	return ntohs(address->ss_family == AF_INET ? ip4->sin_port : ip6->sin6_port);
}

struct p2p_peer *
p2p_adopt(struct node *node, int fd)
{
	struct p2p_peer *peer = xcalloc(1, sizeof(*peer));
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	int one = 1;

	peer->node = node;
	peer->fd = fd;
	buf_init(&peer->inbox, BOX_MAX);
	buf_init(&peer->outbox, BOX_MAX);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!getsockname(fd, (struct sockaddr *)&address, &len))
		peer->port = format_address(&address, peer->address);
	return peer;
}

void
p2p_set_begins(struct p2p_peer *peer)
{
	peer->begins = true;
}

void
p2p_set_silent(struct p2p_peer *peer)
{
	peer->silent = true;
}

int
p2p_keep_little(struct p2p_peer *peer, struct diag *diag)
{
	const int least = 1 << 16;

	if (setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)))
		return diag_fail(diag, -errno, "p2p: failed to make the buffer of a socket smaller: %s",
				 strerror(errno));
	return 0;
}

void
p2p_free(struct p2p_peer *peer)
{
	if (!peer)
		return;
	close(peer->fd);
	for (size_t i = 0; i < peer->transcript_cnt; i++)
		free(peer->transcript[i].payload);
	free(peer->transcript);
	buf_fini(&peer->inbox);
	buf_fini(&peer->outbox);
	free(peer);
}

const char *
p2p_address(const struct p2p_peer *peer)
{
	return peer->address;
}

/* Waits for a connect that is in progress. *errno_value is its result, 0 on success. */
static int
finish_connect(struct node *node, int fd, int *errno_value, const char *doing, struct deadline deadline,
	       struct diag *diag)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(*errno_value);
	int err;

	do {
		err = p2p_wait_fd(node, fd, POLLOUT, doing, deadline, diag);
		if (err)
			return err;
	} while (poll(&pollfd, 1, 0) != 1);
	*errno_value = 0;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, errno_value, &len);
	return 0;
}

int
p2p_connect(struct p2p_peer **out, struct node *node, const char *from, const char *to,
	    struct deadline deadline, struct diag *diag)
{
	struct sockaddr_storage local, remote;
	socklen_t local_len = 0, remote_len;
	char default_to[P2P_ADDRESS_SZ], doing[100];
	int err = 0, errno_value = 0;

	*out = NULL;
	snprintf(default_to, sizeof(default_to), "127.0.0.1:%u", node_p2p_port(node));
	to = to ? to : default_to;
	if (!parse_address(to, true, &remote, &remote_len) ||
	    (from && !parse_address(from, false, &local, &local_len)))
		return diag_fail(diag, -EINVAL,
				 "p2p: failed to connect to '%s' from '%s': one is not an address", to,
				 from ? from : "");
	snprintf(doing, sizeof(doing), "connect to '%s'%s%s", to, from ? " from " : "", from ? from : "");
	int fd = node_socket(node, remote.ss_family, SOCK_STREAM);
	if (fd < 0)
		return diag_fail(diag, fd, "p2p: failed to %s: %s", doing, strerror(-fd));
	if ((from && bind(fd, (struct sockaddr *)&local, local_len)) ||
	    connect(fd, (struct sockaddr *)&remote, remote_len))
		errno_value = errno;
	if (errno_value == EINPROGRESS || errno_value == EINTR)
		err = finish_connect(node, fd, &errno_value, doing, deadline, diag);
	if (!err && errno_value)
		err = diag_fail(diag, -errno_value, "p2p: failed to %s: %s", doing, strerror(errno_value));
	if (err) {
		close(fd);
		return err;
	}
	*out = p2p_adopt(node, fd);
	p2p_set_begins(*out);
	return 0;
}

int
p2p_listen(struct p2p_listener **out, struct node *node, struct diag *diag)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = node_socket(node, AF_INET, SOCK_STREAM), err = fd < 0 ? fd : 0;

	*out = NULL;
	if (!err && (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG) ||
		     getsockname(fd, (struct sockaddr *)&address, &len)))
		err = -errno;
	if (err) {
		if (fd >= 0)
			close(fd);
		return diag_fail(diag, err, "p2p: failed to listen on 127.0.0.1: %s", strerror(-err));
	}
	*out = xcalloc(1, sizeof(**out));
	**out = (struct p2p_listener){.node = node, .fd = fd, .port = ntohs(address.sin_port)};
	return 0;
}

uint16_t
p2p_listener_port(const struct p2p_listener *listener)
{
	return listener->port;
}

int
p2p_accept(struct p2p_peer **out, struct p2p_listener *listener, struct deadline deadline, struct diag *diag)
{
	*out = NULL;
	for (;;) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			*out = p2p_adopt(listener->node, fd);
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return diag_fail(diag, -errno, "p2p: failed to accept a connection: %s",
					 strerror(errno));
		int err = p2p_wait_fd(listener->node, listener->fd, POLLIN, "accept a connection of the node",
				      deadline, diag);
		if (err)
			return err;
	}
}

void
p2p_listener_free(struct p2p_listener *listener)
{
	if (listener)
		close(listener->fd);
	free(listener);
}
