/* A peer that the caller's thread drives.
 *
 * All input and output is in pump(), which waits for the socket once: it sends what is in the outbox and takes what
 * came into the inbox, out of which whole messages go to the transcript. A function that waits calls it until what it
 * waits for is there. A ping is answered as soon as it is taken out of the inbox: the pong goes to the outbox.
 *
 * The end. When the node closes the connection, what it sent before can still be read, whether our last messages
 * reached it or not. So a failed send only empties the outbox; the connection counts as closed when reading says so,
 * and the transcript is whole then.
 *
 * Settling. A bitcoind handles the messages of all peers in one thread: by turns it handles one message of a peer,
 * and then sends that peer what is due. What it sends to a new peer of itself is due from the verack on, so all of it
 * (sendcmpct, ping, getheaders when we have blocks, feefilter) comes before it handles anything that we send later.
 * When the pong of our own ping is here, it is all here; and as our pong to its first ping went out before our ping,
 * the node has handled that as well. */
#include "node/p2p.h"

#include "base/text.h"
#include "base/xmem.h"
#include "node/hash.h"
#include "node/tx.h"

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
#include <time.h>
#include <unistd.h>

enum {
	SLICE_MS = 50, /* how late an interrupt may be seen */
	CHUNK_SZ = 64 << 10,
	BOX_MAX = 64 << 20,
	TYPE_CHARS = P2P_TYPE_SZ - 1,
	BACKLOG = 16,
	NONCE_SZ = 8,
};

/* The nonces of our pings: a count, the peer's port, "check". */
#define NONCE_BASE (UINT64_C(0x6b63656863) << 24)

static const uint8_t magic[4] = {0xfa, 0xbf, 0xb5, 0xda}; /* regtest */

struct entry {
	struct p2p_message message;
	uint8_t *payload;
};

struct p2p_peer {
	struct node *node;
	int fd;
	bool begins; /* the handshake: we connected */
	bool closed; /* by the node; all that it sent has been read */
	bool send_failed;
	bool silent;           /* does not answer pings */
	struct entry *entries; /* the transcript */
	size_t entries_cnt, entries_cap;
	struct buf inbox, outbox;
	size_t sent; /* of the outbox */
	uint64_t pings;
	char address[P2P_ADDRESS_SZ];
	uint16_t port; /* of the address */
};

struct p2p_listener {
	struct node *node;
	int fd;
	uint16_t port;
};

/* Bytes. */

static void
put_le(uint8_t *out, uint64_t n, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(n >> (8 * i));
}

static uint32_t
get_le32(const uint8_t *in)
{
	return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static bool
add_le(struct buf *out, uint64_t n, size_t len)
{
	uint8_t bytes[8];

	put_le(bytes, n, len);
	return buf_add(out, bytes, len);
}

bool
p2p_format(const char *type, const void *payload, size_t size, struct buf *out)
{
	uint8_t header[P2P_HEADER_SZ] = {0}, hash[32];
	size_t chars = strlen(type);

	if (chars > TYPE_CHARS || size > UINT32_MAX)
		return false;
	memcpy(header, magic, sizeof(magic));
	memcpy(header + 4, type, chars);
	put_le(header + 16, size, 4);
	hash_sha256d(payload, size, hash);
	memcpy(header + 20, hash, 4);
	return buf_add(out, header, sizeof(header)) && (!size || buf_add(out, payload, size));
}

/* The transcript. */

static void
add_entry(struct p2p_peer *peer, enum p2p_direction direction, const char *type, const void *payload,
	  size_t size)
{
	if (peer->entries_cnt == peer->entries_cap) {
		peer->entries_cap = peer->entries_cap ? 2 * peer->entries_cap : 32;
		peer->entries = xreallocarray(peer->entries, peer->entries_cap, sizeof(*peer->entries));
	}
	struct entry *entry = &peer->entries[peer->entries_cnt++];
	*entry = (struct entry){.message = {.direction = direction, .size = size, .time_ns = clock_now_ns()}};
	memcpy(entry->message.type, type, strlen(type));
	entry->payload = xmalloc(size + 1);
	if (size)
		memcpy(entry->payload, payload, size);
	entry->message.payload = entry->payload;
}

size_t
p2p_cnt(const struct p2p_peer *peer)
{
	return peer->entries_cnt;
}

struct p2p_message
p2p_at(const struct p2p_peer *peer, size_t idx)
{
	return peer->entries[idx].message;
}

/* Takes one whole message out of the inbox at *from; false when there is none, with *code for why. */
static bool
take_message(struct p2p_peer *peer, size_t *from, int *code, struct diag *diag)
{
	const uint8_t *header = (const uint8_t *)peer->inbox.data + *from;
	size_t left = peer->inbox.len - *from;
	char type[P2P_TYPE_SZ] = "";
	uint8_t hash[32];

	if (left < P2P_HEADER_SZ)
		return false;
	if (memcmp(header, magic, sizeof(magic)) != 0) {
		*code = diag_fail(
			diag, -EBADMSG,
			"p2p: failed to read from the node: a message begins with %02x%02x%02x%02x, not with the magic of regtest",
			header[0], header[1], header[2], header[3]);
		return false;
	}
	memcpy(type, header + 4, TYPE_CHARS);
	for (size_t i = 0; i < TYPE_CHARS; i++) {
		bool ended = i > strlen(type);
		if (ended ? header[4 + i] != 0 : type[i] && (type[i] < ' ' || type[i] > '~')) {
			*code = diag_fail(diag, -EBADMSG,
					  "p2p: failed to read from the node: a message's type is no text");
			return false;
		}
	}
	uint32_t size = get_le32(header + 16);
	if (size > P2P_PAYLOAD_MAX) {
		*code = diag_fail(diag, -EBADMSG,
				  "p2p: failed to read '%s' from the node: it is said to have %u bytes", type,
				  size);
		return false;
	}
	if (left - P2P_HEADER_SZ < size)
		return false;
	const uint8_t *payload = header + P2P_HEADER_SZ;
	hash_sha256d(payload, size, hash);
	if (memcmp(hash, header + 20, 4) != 0) {
		*code = diag_fail(diag, -EBADMSG,
				  "p2p: failed to read '%s' from the node: its checksum is wrong", type);
		return false;
	}
	add_entry(peer, P2P_RECEIVED, type, payload, size);
	*from += P2P_HEADER_SZ + size;
	return true;
}

/* Puts a message into the outbox and the transcript. */
static int
post(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct diag *diag)
{
	if (peer->send_failed)
		return 0; /* the connection's end will be found by reading */
	if (!p2p_format(type, payload, size, &peer->outbox))
		return diag_fail(diag, -EMSGSIZE, "p2p: failed to send '%s': it is too long", type);
	add_entry(peer, P2P_SENT, type, payload, size);
	return 0;
}

static int
take_messages(struct p2p_peer *peer, struct diag *diag)
{
	size_t from = 0;
	int code = 0;

	while (!code && take_message(peer, &from, &code, diag)) {
		struct p2p_message last = p2p_at(peer, peer->entries_cnt - 1);

		if (!strcmp(last.type, "ping") && last.size == NONCE_SZ && !peer->silent)
			code = post(peer, "pong", last.payload, last.size, diag);
	}
	if (from) {
		peer->inbox.len -= from;
		memmove(peer->inbox.data, peer->inbox.data + from, peer->inbox.len);
	}
	return code;
}

/* Input and output. */

static int
fail_closed(struct p2p_peer *peer, const char *doing, struct diag *diag)
{
	const char *end = peer->node ? node_end_text(peer->node) : "";

	return diag_fail(diag, -ECONNRESET, "p2p: failed to %s: the node closed the connection%s%s", doing,
			 *end ? ": " : "", end);
}

/* Waits until fd is ready, as poll has it; for SLICE_MS at most. */
static int
wait_fd(struct node *node, int fd, short events, const char *doing, struct deadline deadline,
	struct diag *diag)
{
	uint64_t left = deadline_left_ms(deadline);
	struct pollfd pollfd = {.fd = fd, .events = events};

	if (node && node_is_interrupted(node))
		return diag_fail(diag, -EINTR, "p2p: failed to %s: interrupted", doing);
	int cnt = poll(&pollfd, 1, (int)(left < SLICE_MS ? left : SLICE_MS));
	if (cnt <= 0 && node && !node_is_alive(node))
		return diag_fail(diag, -ECHILD, "p2p: failed to %s: %s", doing, node_end_text(node));
	if (cnt <= 0 && !left)
		return diag_fail(diag, -ETIMEDOUT, "p2p: failed to %s in time", doing);
	return 0;
}

static void
send_outbox(struct p2p_peer *peer)
{
	while (peer->sent < peer->outbox.len) {
		ssize_t n = send(peer->fd, peer->outbox.data + peer->sent, peer->outbox.len - peer->sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			peer->send_failed = true;
			break;
		}
		peer->sent += (size_t)n;
	}
	buf_reset(&peer->outbox);
	peer->sent = 0;
}

static int
read_inbox(struct p2p_peer *peer, struct diag *diag)
{
	char chunk[CHUNK_SZ];

	for (;;) {
		ssize_t n = recv(peer->fd, chunk, sizeof(chunk), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0) {
			peer->closed = peer->send_failed = true;
			return 0;
		}
		buf_add(&peer->inbox, chunk, (size_t)n);
		int code = take_messages(peer, diag);
		if (code || n < (ssize_t)sizeof(chunk))
			return code;
	}
}

/* Sends what it can, waits for the socket, reads what is there. -ECONNRESET when it is closed. */
static int
pump(struct p2p_peer *peer, const char *doing, struct deadline deadline, struct diag *diag)
{
	if (peer->closed)
		return fail_closed(peer, doing, diag);
	send_outbox(peer);
	short events = (short)(POLLIN | (peer->outbox.len ? POLLOUT : 0));
	int code = wait_fd(peer->node, peer->fd, events, doing, deadline, diag);
	if (!code)
		code = read_inbox(peer, diag);
	if (!code)
		send_outbox(peer);
	return code;
}

/* Until all is sent, or the connection is seen to be closed. */
static int
flush(struct p2p_peer *peer, const char *doing, struct deadline deadline, struct diag *diag)
{
	int code = 0;

	send_outbox(peer);
	while (!code && (peer->outbox.len || peer->send_failed))
		code = pump(peer, doing, deadline, diag);
	return code;
}

int
p2p_queue(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct diag *diag)
{
	if (strlen(type) > TYPE_CHARS)
		return diag_fail(diag, -EINVAL, "p2p: failed to send '%s': a type has 12 characters at most",
				 type);
	return post(peer, type, payload, size, diag);
}

int
p2p_send(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct deadline deadline,
	 struct diag *diag)
{
	char doing[40];
	int code = p2p_queue(peer, type, payload, size, diag);

	snprintf(doing, sizeof(doing), "send '%s'", type);
	return code ? code : flush(peer, doing, deadline, diag);
}

int
p2p_send_bytes(struct p2p_peer *peer, const void *bytes, size_t len, struct deadline deadline,
	       struct diag *diag)
{
	if (!buf_add(&peer->outbox, bytes, len))
		return diag_fail(diag, -EMSGSIZE, "p2p: failed to send %zu bytes: too many", len);
	return flush(peer, "send bytes", deadline, diag);
}

int
p2p_wait(struct p2p_peer *peer, const char *type, size_t from, struct p2p_message *message,
	 struct deadline deadline, struct diag *diag)
{
	char doing[40];
	size_t idx = from;

	snprintf(doing, sizeof(doing), "receive '%s'", type);
	for (;;) {
		for (; idx < peer->entries_cnt; idx++) {
			const struct p2p_message *it = &peer->entries[idx].message;

			if (it->direction == P2P_RECEIVED && !strcmp(it->type, type)) {
				if (message)
					*message = *it;
				/* The pongs. The end of the connection is none of our business yet. */
				int code = peer->send_failed ? 0 : flush(peer, doing, deadline, diag);
				return code == -ECONNRESET ? 0 : code;
			}
		}
		int code = pump(peer, doing, deadline, diag);
		if (code)
			return code;
	}
}

int
p2p_sync(struct p2p_peer *peer, struct deadline deadline, struct diag *diag)
{
	uint8_t nonce[NONCE_SZ];
	size_t mark = peer->entries_cnt;
	struct p2p_message pong;

	put_le(nonce, NONCE_BASE | (uint64_t)peer->port << 8 | (++peer->pings & 0xff), sizeof(nonce));
	int code = p2p_send(peer, "ping", nonce, sizeof(nonce), deadline, diag);
	while (!code) {
		code = p2p_wait(peer, "pong", mark, &pong, deadline, diag);
		if (!code && pong.size == sizeof(nonce) && !memcmp(pong.payload, nonce, sizeof(nonce)))
			break;
		for (; mark < peer->entries_cnt && peer->entries[mark].message.payload != pong.payload;
		     mark++)
			;
		mark++;
	}
	return code;
}

int
p2p_wait_closed(struct p2p_peer *peer, struct deadline deadline, struct diag *diag)
{
	int code = 0;

	while (!code && !peer->closed)
		code = pump(peer, "wait for the end of the connection", deadline, diag);
	return code;
}

bool
p2p_has_closed(struct p2p_peer *peer)
{
	return peer->closed || read_inbox(peer, NULL) || peer->closed;
}

void
p2p_close(struct p2p_peer *peer)
{
	shutdown(peer->fd, SHUT_WR);
	peer->send_failed = true;
}

/* The handshake. */

static bool
add_version(struct buf *out, const struct p2p_version *version)
{
	static const uint8_t no_address[26];
	static uint64_t nonces;
	const char *agent = version->user_agent ? version->user_agent : "/tpcheck/";

	/* By the nonce a node knows itself: it only must not be one of the node's. */
	uint64_t nonce = clock_now_ns() + ++nonces;
	return add_le(out, P2P_PROTOCOL, 4) && add_le(out, version->services, 8) &&
	       add_le(out, (uint64_t)time(NULL), 8) && buf_add(out, no_address, sizeof(no_address)) &&
	       buf_add(out, no_address, sizeof(no_address)) && add_le(out, nonce, 8) &&
	       tx_add_compact_size(out, strlen(agent)) && buf_puts(out, agent) &&
	       add_le(out, (uint32_t)version->height, 4) && buf_putc(out, version->relay ? 1 : 0);
}

static int
send_version(struct p2p_peer *peer, const struct p2p_version *version, struct deadline deadline,
	     struct diag *diag)
{
	struct buf payload;

	buf_init(&payload, 1000);
	int code = add_version(&payload, version)
			   ? p2p_send(peer, "version", payload.data, payload.len, deadline, diag)
			   : diag_fail(diag, -EINVAL,
				       "p2p: failed to send 'version': the user agent is too long");
	buf_fini(&payload);
	return code;
}

int
p2p_handshake(struct p2p_peer *peer, const struct p2p_version *version, struct deadline deadline,
	      struct diag *diag)
{
	static const struct p2p_version nothing;
	int code = 0;

	version = version ? version : &nothing;
	if (peer->begins)
		code = send_version(peer, version, deadline, diag);
	if (!code)
		code = p2p_wait(peer, "version", 0, NULL, deadline, diag);
	if (!code && !peer->begins)
		code = send_version(peer, version, deadline, diag);
	if (!code && version->wtxid_relay)
		code = p2p_send(peer, "wtxidrelay", NULL, 0, deadline, diag);
	if (!code)
		code = p2p_wait(peer, "verack", 0, NULL, deadline, diag);
	if (!code && !version->no_verack)
		code = p2p_send(peer, "verack", NULL, 0, deadline, diag);
	return code;
}

int
p2p_settle(struct p2p_peer *peer, struct deadline deadline, struct diag *diag)
{
	int code = p2p_wait(peer, "ping", 0, NULL, deadline, diag);

	return code ? code : p2p_sync(peer, deadline, diag);
}

/* Connections. */

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

void
p2p_free(struct p2p_peer *peer)
{
	if (!peer)
		return;
	close(peer->fd);
	for (size_t i = 0; i < peer->entries_cnt; i++)
		free(peer->entries[i].payload);
	free(peer->entries);
	buf_fini(&peer->inbox);
	buf_fini(&peer->outbox);
	free(peer);
}

const char *
p2p_address(const struct p2p_peer *peer)
{
	return peer->address;
}

int
p2p_connect(struct p2p_peer **out, struct node *node, const char *from, const char *to,
	    struct deadline deadline, struct diag *diag)
{
	struct sockaddr_storage local, remote;
	socklen_t local_len = 0, remote_len, error_len;
	char default_to[P2P_ADDRESS_SZ], doing[100];
	int code = 0, error = 0;

	*out = NULL;
	snprintf(default_to, sizeof(default_to), "127.0.0.1:%u", node_p2p_port(node));
	to = to ? to : default_to;
	if (!parse_address(to, true, &remote, &remote_len) ||
	    (from && !parse_address(from, false, &local, &local_len)))
		return diag_fail(diag, -EINVAL, "p2p: failed to connect to '%s' from '%s': no such address",
				 to, from ? from : "");
	snprintf(doing, sizeof(doing), "connect to '%s'%s%s", to, from ? " from " : "", from ? from : "");
	int fd = node_socket(node, remote.ss_family, SOCK_STREAM);
	if (fd < 0)
		return diag_fail(diag, fd, "p2p: failed to %s: %s", doing, strerror(-fd));
	if (from && bind(fd, (struct sockaddr *)&local, local_len)) {
		code = -errno;
	} else if (connect(fd, (struct sockaddr *)&remote, remote_len)) {
		code = -errno;
		while (code == -EINPROGRESS || code == -EINTR) {
			struct pollfd pollfd = {.fd = fd, .events = POLLOUT};

			code = wait_fd(node, fd, POLLOUT, doing, deadline, diag);
			if (code)
				goto out;
			if (poll(&pollfd, 1, 0) != 1) {
				code = -EINPROGRESS;
				continue;
			}
			error_len = sizeof(error);
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
			code = -error;
		}
	}
	if (code) {
		diag_fail(diag, code, "p2p: failed to %s: %s", doing, strerror(-code));
		goto out;
	}
	*out = p2p_adopt(node, fd);
	p2p_set_begins(*out);
	fd = -1;
out:
	if (fd >= 0)
		close(fd);
	return code;
}

int
p2p_listen(struct p2p_listener **out, struct node *node, struct diag *diag)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = node_socket(node, AF_INET, SOCK_STREAM), code = fd;

	*out = NULL;
	if (fd >= 0)
		code = bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG) ||
				       getsockname(fd, (struct sockaddr *)&address, &len)
			       ? -errno
			       : 0;
	if (code) {
		if (fd >= 0)
			close(fd);
		return diag_fail(diag, code, "p2p: failed to listen on 127.0.0.1: %s", strerror(-code));
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
		int code = wait_fd(listener->node, listener->fd, POLLIN, "accept a connection of the node",
				   deadline, diag);
		if (code)
			return code;
	}
}

void
p2p_listener_free(struct p2p_listener *listener)
{
	if (listener)
		close(listener->fd);
	free(listener);
}
