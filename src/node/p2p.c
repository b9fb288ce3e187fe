/* A peer that the caller's thread drives.
 *
 * All input and output is in pump(), which waits for the socket once: it sends what is in the outbox and reads what
 * arrived into the inbox, from which complete messages go to the transcript. A function that waits for something calls
 * pump() until it is there. A ping is answered as soon as it leaves the inbox: the pong goes to the outbox.
 *
 * The end. When the node closes the connection, what it sent earlier can still be read, whether or not our last
 * messages reached it. So a failed send only empties the outbox. The connection counts as closed once reading reports
 * its end; the transcript is complete then.
 *
 * Settling. bitcoind handles the messages of all peers in one thread, round robin: it handles one message of a peer,
 * then sends that peer what is due. What it sends to every new peer (sendcmpct, ping, getheaders when we have blocks,
 * feefilter) is due from the verack on, so it sends all of that before it handles anything that we send later. Once the
 * pong to our own ping has arrived, so has everything else, and our pong to the node's first ping has gone out. A
 * second ping shows that the node has handled that as well, and whatever it may do at the first message after the
 * handshake: one of an unknown type comes before that ping. None of the node's messages is required. */
#include "node/p2p_internal.h"

#include "base/xmem.h"
#include "node/tx.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
	SLICE_MS = 50, /* how late an interrupt may be noticed */
	CHUNK_SZ = 64 << 10,
};

/* The nonces of our pings, in wire order: a count, the peer's port, "check". */
#define NONCE_BASE (UINT64_C(0x6b63656863) << 24)

/* Input and output. */

static int
fail_closed(struct p2p_peer *peer, const char *doing, struct deadline deadline, struct diag *diag)
{
	bool is_dying = peer->node && node_is_dying(peer->node, deadline);

	return diag_fail(diag, -ECONNRESET, "p2p: failed to %s: the node closed the connection%s%s", doing,
			 is_dying ? ": " : "", is_dying ? node_end_text(peer->node) : "");
}

int
p2p_wait_fd(struct node *node, int fd, short events, const char *doing, struct deadline deadline,
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
		int err = p2p_take_messages(peer, diag);
		if (err || n < (ssize_t)sizeof(chunk))
			return err;
	}
}

/* Sends what it can, waits for the socket, reads what is there. -ECONNRESET: the connection is closed. */
static int
pump(struct p2p_peer *peer, const char *doing, struct deadline deadline, struct diag *diag)
{
	if (peer->closed)
		return fail_closed(peer, doing, deadline, diag);
	send_outbox(peer);
	short events = (short)(POLLIN | (peer->outbox.len ? POLLOUT : 0));
	int err = p2p_wait_fd(peer->node, peer->fd, events, doing, deadline, diag);
	if (!err)
		err = read_inbox(peer, diag);
	if (!err)
		send_outbox(peer);
	return err;
}

/* Until everything is sent, or the connection turns out to be closed. */
static int
flush(struct p2p_peer *peer, const char *doing, struct deadline deadline, struct diag *diag)
{
	int err = 0;

	send_outbox(peer);
	while (!err && (peer->outbox.len || peer->send_failed))
		err = pump(peer, doing, deadline, diag);
	return err;
}

int
p2p_queue(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct diag *diag)
{
	if (strlen(type) > P2P_TYPE_CHARS)
		return diag_fail(diag, -EINVAL, "p2p: failed to send '%s': a type has at most 12 characters",
				 type);
	return p2p_post(peer, type, payload, size, diag);
}

int
p2p_send(struct p2p_peer *peer, const char *type, const void *payload, size_t size, struct deadline deadline,
	 struct diag *diag)
{
	char doing[40];
	int err = p2p_queue(peer, type, payload, size, diag);

	snprintf(doing, sizeof(doing), "send '%s'", type);
	return err ? err : flush(peer, doing, deadline, diag);
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
		for (; idx < peer->transcript_cnt; idx++) {
			const struct p2p_message *it = &peer->transcript[idx].message;

			if (it->direction == P2P_RECEIVED && !strcmp(it->type, type)) {
				if (message)
					*message = *it;
				/* The pongs. That the connection has ended does not matter here. */
				int err = peer->send_failed ? 0 : flush(peer, doing, deadline, diag);
				return err == -ECONNRESET ? 0 : err;
			}
		}
		int err = pump(peer, doing, deadline, diag);
		if (err)
			return err;
	}
}

/* Puts the messages between our ping and its pong into the node's order. Whatever arrived before the pong was sent
 * before the node read the ping, which it answers at once; what we sent meanwhile reaches it after the ping. */
static void
order_around(struct p2p_peer *peer, size_t ping, size_t pong)
{
	const size_t cnt = pong - ping + 1;
	struct p2p_entry *copy = xcalloc(cnt, sizeof(*copy)), *to = &peer->transcript[ping];

	memcpy(copy, to, cnt * sizeof(*copy));
	for (size_t i = 0; i < cnt - 1; i++)
		if (copy[i].message.direction == P2P_SENT) /* the ping, too */
			copy[i].message.time_ns = copy[cnt - 1].message.time_ns;
	for (size_t i = 1; i < cnt - 1; i++)
		if (copy[i].message.direction == P2P_RECEIVED)
			*to++ = copy[i];
	*to++ = copy[0];
	*to++ = copy[cnt - 1];
	for (size_t i = 1; i < cnt - 1; i++)
		if (copy[i].message.direction == P2P_SENT)
			*to++ = copy[i];
	free(copy);
}

int
p2p_sync(struct p2p_peer *peer, struct deadline deadline, struct diag *diag)
{
	uint8_t nonce[P2P_NONCE_SZ];
	const size_t ping = peer->transcript_cnt;
	size_t mark = ping;
	struct p2p_message pong;

	p2p_put_le(nonce, NONCE_BASE | (uint64_t)peer->port << 8 | (++peer->pings & 0xff), sizeof(nonce));
	int err = p2p_send(peer, "ping", nonce, sizeof(nonce), deadline, diag);
	while (!err) {
		err = p2p_wait(peer, "pong", mark, &pong, deadline, diag);
		if (err)
			break;
		while (peer->transcript[mark].message.payload != pong.payload)
			mark++;
		if (pong.size == sizeof(nonce) && !memcmp(pong.payload, nonce, sizeof(nonce))) {
			order_around(peer, ping, mark);
			break;
		}
		mark++;
	}
	return err;
}

int
p2p_wait_closed(struct p2p_peer *peer, struct deadline deadline, struct diag *diag)
{
	int err = 0;

	while (!err && !peer->closed)
		err = pump(peer, "wait for the end of the connection", deadline, diag);
	return err;
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
add_le(struct buf *out, uint64_t n, size_t len)
{
	uint8_t bytes[8];

	p2p_put_le(bytes, n, len);
	return buf_add(out, bytes, len);
}

static bool
add_version(struct buf *out, const struct p2p_version *version)
{
	static const uint8_t no_address[26];
	static _Atomic uint64_t nonces;
	const char *agent = version->user_agent ? version->user_agent : "/tpcheck/";

	/* A node recognizes a connection to itself by the nonce, which therefore must not be one of its own. */
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
	int err = add_version(&payload, version)
			  ? p2p_send(peer, "version", payload.data, payload.len, deadline, diag)
			  : diag_fail(diag, -EINVAL,
				      "p2p: failed to send 'version': the user agent is too long");
	buf_fini(&payload);
	return err;
}

int
p2p_handshake(struct p2p_peer *peer, const struct p2p_version *version, struct deadline deadline,
	      struct diag *diag)
{
	static const struct p2p_version nothing;
	int err = 0;

	version = version ? version : &nothing;
	if (peer->begins)
		err = send_version(peer, version, deadline, diag);
	if (!err)
		err = p2p_wait(peer, "version", 0, NULL, deadline, diag);
	if (!err && !peer->begins)
		err = send_version(peer, version, deadline, diag);
	if (!err && version->wtxid_relay)
		err = p2p_send(peer, "wtxidrelay", NULL, 0, deadline, diag);
	if (!err)
		err = p2p_wait(peer, "verack", 0, NULL, deadline, diag);
	if (!err && !version->no_verack)
		err = p2p_send(peer, "verack", NULL, 0, deadline, diag);
	return err;
}

int
p2p_settle(struct p2p_peer *peer, struct deadline deadline, struct diag *diag)
{
	int err = p2p_sync(peer, deadline, diag);

	if (!err)
		err = p2p_send(peer, "settle", NULL, 0, deadline, diag);
	return err ? err : p2p_sync(peer, deadline, diag);
}
