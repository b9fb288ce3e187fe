/* A P2P peer of a scripted node on a socket pair, and of a real bitcoind: $BITCOIND or the one in PATH. */
#include "base/buf.h"
#include "node/node.h"
#include "node/p2p.h"
#include "surroundings.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define check(call, diag)                                                                                    \
	do {                                                                                                 \
		if ((call) != 0)                                                                             \
			fail_msg("%s", (diag).text);                                                         \
	} while (0)

static char *bitcoind;

static struct deadline
soon(void)
{
	return deadline_in_ms(30000);
}

/* The scripted node. */

struct script {
	int fd;
	struct p2p_peer *peer;
	struct buf out;
};

static int
begin(void **state)
{
	struct script *script = calloc(1, sizeof(*script));
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	script->fd = fds[0];
	script->peer = p2p_adopt(NULL, fds[1]);
	buf_init(&script->out, 1 << 24);
	*state = script;
	return 0;
}

static int
end(void **state)
{
	struct script *script = *state;

	p2p_free(script->peer);
	if (script->fd >= 0)
		close(script->fd);
	buf_fini(&script->out);
	free(script);
	return 0;
}

static void
say(struct script *script, const char *type, const void *payload, size_t size)
{
	assert_true(p2p_format(type, payload, size, &script->out));
	assert_int_equal(send(script->fd, script->out.data, script->out.len, 0), script->out.len);
	buf_reset(&script->out);
}

/* The next message of the peer must be this. */
static void
hear(struct script *script, const char *type, const void *payload, size_t size)
{
	char got[1000];

	assert_true(p2p_format(type, payload, size, &script->out));
	assert_true(script->out.len <= sizeof(got));
	assert_int_equal(recv(script->fd, got, script->out.len, MSG_WAITALL), script->out.len);
	assert_memory_equal(got, script->out.data, script->out.len);
	buf_reset(&script->out);
}

static void
test_format(void **state)
{
	static const char verack[] = "\xfa\xbf\xb5\xdaverack\0\0\0\0\0\0\0\0\0\0\x5d\xf6\xe0\xe2";
	struct script *script = *state;

	assert_true(p2p_format("verack", NULL, 0, &script->out));
	assert_int_equal(script->out.len, P2P_HEADER_SZ);
	assert_memory_equal(script->out.data, verack, P2P_HEADER_SZ);
	buf_reset(&script->out);
	assert_true(p2p_format("getcfcheckpt", "abc", 3, &script->out));
	assert_memory_equal(script->out.data + 4, "getcfcheckpt\3\0\0\0", 16);
	assert_memory_equal(script->out.data + P2P_HEADER_SZ, "abc", 3);
	assert_false(p2p_format("thirteenchars", NULL, 0, &script->out));
}

/* What has come has come, even if there is nobody left to whom what is queued could be sent. */
static void
test_received_before_the_end(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};

	say(script, "alpha", "first", 5);
	check(p2p_wait(script->peer, "alpha", 0, NULL, soon(), &diag), diag);
	check(p2p_queue(script->peer, "gamma", "mine", 4, &diag), diag);
	close(script->fd);
	script->fd = -1;
	assert_int_equal(p2p_wait(script->peer, "alpha", 0, NULL, soon(), &diag), 0);
	assert_int_equal(p2p_wait(script->peer, "beta", 0, NULL, soon(), &diag), -ECONNRESET);
}

static void
test_transcript(void **state)
{
	struct script *script = *state;
	struct p2p_message message;
	struct diag diag = {0};

	assert_int_equal(p2p_cnt(script->peer), 0);
	say(script, "alpha", "first", 5);
	say(script, "beta", NULL, 0);
	say(script, "alpha", "second", 6);
	check(p2p_wait(script->peer, "beta", 0, &message, soon(), &diag), diag);
	assert_int_equal(message.size, 0);
	check(p2p_send(script->peer, "gamma", "mine", 4, soon(), &diag), diag);
	check(p2p_wait(script->peer, "alpha", 1, &message, soon(), &diag), diag);
	assert_int_equal(message.size, 6);
	assert_memory_equal(message.payload, "second", 6);
	assert_int_equal(p2p_cnt(script->peer), 4);
	assert_string_equal(p2p_at(script->peer, 0).type, "alpha");
	assert_int_equal(p2p_at(script->peer, 0).direction, P2P_RECEIVED);
	hear(script, "gamma", "mine", 4);

	/* Our own messages don't end a wait. */
	assert_int_equal(p2p_wait(script->peer, "gamma", 0, NULL, deadline_in_ms(1), &diag), -ETIMEDOUT);
	assert_string_equal(diag.text, "p2p: failed to receive 'gamma' in time");
	assert_int_equal(p2p_send(script->peer, "thirteenchars", NULL, 0, soon(), &diag), -EINVAL);
}

/* Byte by byte, from another thread. */
static void *
dribble(void *arg)
{
	struct script *script = arg;

	for (size_t i = 0; i < script->out.len; i++) {
		send(script->fd, script->out.data + i, 1, 0);
		if (i % 7 == 0)
			sched_yield();
	}
	return NULL;
}

static void
test_split_reads(void **state)
{
	struct script *script = *state;
	struct p2p_message message;
	struct diag diag = {0};
	pthread_t thread;
	uint8_t payload[300];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)i;
	for (int i = 0; i < 3; i++)
		assert_true(p2p_format(i == 1 ? "middle" : "other", payload, sizeof(payload) - (size_t)i,
				       &script->out));
	assert_int_equal(pthread_create(&thread, NULL, dribble, script), 0);
	check(p2p_wait(script->peer, "other", 1, &message, soon(), &diag), diag);
	pthread_join(thread, NULL);
	assert_int_equal(p2p_cnt(script->peer), 3);
	assert_int_equal(p2p_at(script->peer, 1).size, sizeof(payload) - 1);
	assert_memory_equal(p2p_at(script->peer, 1).payload, payload, sizeof(payload) - 1);
	assert_int_equal(message.size, sizeof(payload) - 2);
}

/* More than any socket buffer in both directions at once. */
static void *
echo(void *arg)
{
	struct script *script = arg;
	char bytes[8192];
	ssize_t n;

	while ((n = recv(script->fd, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t done = 0, step; done < n; done += step)
			if ((step = send(script->fd, bytes + done, (size_t)(n - done), 0)) < 0)
				return NULL;
	return NULL;
}

static void
test_large(void **state)
{
	struct script *script = *state;
	struct p2p_message message;
	struct diag diag = {0};
	pthread_t thread;
	uint8_t *payload = malloc(P2P_PAYLOAD_MAX);

	for (size_t i = 0; i < P2P_PAYLOAD_MAX; i++)
		payload[i] = (uint8_t)(i * 31 / 7);
	assert_int_equal(pthread_create(&thread, NULL, echo, script), 0);
	check(p2p_send(script->peer, "large", payload, P2P_PAYLOAD_MAX, soon(), &diag), diag);
	check(p2p_wait(script->peer, "large", 0, &message, soon(), &diag), diag);
	assert_int_equal(message.size, P2P_PAYLOAD_MAX);
	assert_memory_equal(message.payload, payload, P2P_PAYLOAD_MAX);
	p2p_close(script->peer);
	pthread_join(thread, NULL);
	free(payload);
}

/* The peer must reject these bytes, for this reason. */
static void
reject(struct script *script, const char *reason)
{
	struct diag diag = {0};

	assert_int_equal(send(script->fd, script->out.data, script->out.len, 0), script->out.len);
	assert_int_equal(p2p_wait(script->peer, "any", 0, NULL, soon(), &diag), -EBADMSG);
	assert_non_null(strstr(diag.text, reason));
	assert_int_equal(p2p_cnt(script->peer), 0);
}

static void
test_bad_magic(void **state)
{
	struct script *script = *state;

	p2p_format("any", "abc", 3, &script->out);
	script->out.data[3] ^= 1;
	reject(script, "begins with fabfb5db, not with the magic");
}

static void
test_bad_checksum(void **state)
{
	struct script *script = *state;

	p2p_format("any", "abc", 3, &script->out);
	script->out.data[P2P_HEADER_SZ + 1] ^= 1;
	reject(script, "failed to read 'any' from the node: its checksum is wrong");
}

static void
test_oversized(void **state)
{
	struct script *script = *state;

	p2p_format("any", NULL, 0, &script->out);
	memcpy(script->out.data + 16, "\x01\x09\x3d\x00", 4);
	reject(script, "its header announces 4000001 bytes");
}

static void
test_bad_type(void **state)
{
	struct script *script = *state;

	p2p_format("any", NULL, 0, &script->out);
	script->out.data[4 + 11] = 'x'; /* behind the NUL */
	reject(script, "the type of a message is not printable text");
}

static void
test_closed_midway(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};

	say(script, "whole", "abc", 3);
	p2p_format("any", "abc", 3, &script->out);
	assert_int_equal(send(script->fd, script->out.data, script->out.len - 1, 0), script->out.len - 1);
	close(script->fd);
	script->fd = -1;
	check(p2p_wait(script->peer, "whole", 0, NULL, soon(), &diag), diag);
	assert_int_equal(p2p_wait(script->peer, "any", 0, NULL, soon(), &diag), -ECONNRESET);
	assert_string_equal(diag.text, "p2p: failed to receive 'any': the node closed the connection");
	assert_int_equal(p2p_send(script->peer, "more", NULL, 0, soon(), &diag), -ECONNRESET);
	check(p2p_wait_closed(script->peer, soon(), &diag), diag);
	assert_int_equal(p2p_cnt(script->peer), 1);
}

/* What the node sent before it closed is there even if our answer comes too late. */
static void
test_last_words(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};

	say(script, "ping", "12345678", 8);
	say(script, "last", "abc", 3);
	close(script->fd);
	script->fd = -1;
	check(p2p_wait(script->peer, "last", 0, NULL, soon(), &diag), diag);
	check(p2p_wait_closed(script->peer, soon(), &diag), diag);
}

static void
test_ping_answered(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};

	say(script, "ping", "12345678", 8);
	say(script, "ping", NULL, 0); /* from before BIP31; gets no answer */
	say(script, "any", NULL, 0);
	check(p2p_wait(script->peer, "any", 0, NULL, soon(), &diag), diag);
	hear(script, "pong", "12345678", 8);
	assert_int_equal(p2p_cnt(script->peer), 4);
	size_t pongs = 0;
	for (size_t i = 0; i < p2p_cnt(script->peer); i++)
		pongs += !strcmp(p2p_at(script->peer, i).type, "pong");
	assert_int_equal(pongs, 1);
}

static void
test_silent(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};

	p2p_set_silent(script->peer);
	say(script, "ping", "12345678", 8);
	say(script, "any", NULL, 0);
	check(p2p_wait(script->peer, "any", 0, NULL, soon(), &diag), diag);
	assert_int_equal(p2p_cnt(script->peer), 2);
}

/* Answers pings, each after two wrong pongs. */
static void *
answer(void *arg)
{
	struct script *script = arg;
	char ping[P2P_HEADER_SZ + 8];

	while (recv(script->fd, ping, sizeof(ping), MSG_WAITALL) == sizeof(ping)) {
		struct buf out;

		buf_init(&out, 1000);
		p2p_format("pong", "87654321", 8, &out);
		p2p_format("pong", "", 0, &out);
		p2p_format("pong", ping + P2P_HEADER_SZ, 8, &out);
		if (send(script->fd, out.data, out.len, 0) < 0)
			break;
		buf_fini(&out);
	}
	return NULL;
}

static void
test_sync(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, answer, script), 0);
	check(p2p_sync(script->peer, soon(), &diag), diag);
	assert_int_equal(p2p_cnt(script->peer), 4);
	check(p2p_sync(script->peer, soon(), &diag), diag);
	assert_int_equal(p2p_cnt(script->peer), 8);
	assert_string_equal(p2p_at(script->peer, 2).type, "ping");
	assert_string_equal(p2p_at(script->peer, 6).type, "ping");
	assert_memory_not_equal(p2p_at(script->peer, 2).payload, p2p_at(script->peer, 6).payload, 8);
	p2p_close(script->peer);
	pthread_join(thread, NULL);
}

/* Says more before it answers one ping, and waits for an answer itself. */
static void *
answer_at_last(void *cookie)
{
	struct script *script = cookie;
	char message[P2P_HEADER_SZ + 8];
	struct buf out;

	assert_int_equal(recv(script->fd, message, sizeof(message), MSG_WAITALL), sizeof(message));
	buf_init(&out, 1000);
	p2p_format("late", "", 0, &out);
	p2p_format("ping", "12345678", 8, &out);
	assert_int_equal(send(script->fd, out.data, out.len, 0), out.len);
	buf_reset(&out);
	p2p_format("pong", message + P2P_HEADER_SZ, 8, &out);
	assert_int_equal(recv(script->fd, message, sizeof(message), MSG_WAITALL), sizeof(message));
	assert_int_equal(send(script->fd, out.data, out.len, 0), out.len);
	buf_fini(&out);
	return NULL;
}

/* The transcript is in the order in which the node deals with the messages. */
static void
test_order_around_a_sync(void **state)
{
	static const struct {
		enum p2p_direction direction;
		const char *type;
	} want[] = {{P2P_RECEIVED, "late"},
		    {P2P_RECEIVED, "ping"},
		    {P2P_SENT, "ping"},
		    {P2P_RECEIVED, "pong"},
		    {P2P_SENT, "pong"}};
	struct script *script = *state;
	uint64_t earlier_ns = 0;
	struct diag diag = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, answer_at_last, script), 0);
	check(p2p_sync(script->peer, soon(), &diag), diag);
	pthread_join(thread, NULL);
	assert_int_equal(p2p_cnt(script->peer), 5);
	for (size_t i = 0; i < 5; i++) {
		struct p2p_message message = p2p_at(script->peer, i);

		assert_int_equal(message.direction, want[i].direction);
		assert_string_equal(message.type, want[i].type);
		assert_true(message.time_ns >= earlier_ns);
		earlier_ns = message.time_ns;
	}
}

/* Answers each ping, and nothing else. */
static void *
answer_pings(void *cookie)
{
	struct script *script = cookie;
	uint8_t header[P2P_HEADER_SZ], payload[8];

	while (recv(script->fd, header, sizeof(header), MSG_WAITALL) == sizeof(header)) {
		struct buf out;

		if (memcmp(header + 4, "ping", 5) != 0)
			continue;
		if (recv(script->fd, payload, sizeof(payload), MSG_WAITALL) != sizeof(payload))
			break;
		buf_init(&out, 1000);
		p2p_format("pong", payload, sizeof(payload), &out);
		if (send(script->fd, out.data, out.len, 0) < 0)
			break;
		buf_fini(&out);
	}
	return NULL;
}

/* Whether or not the node pings of its own accord, settling ends. */
static void
test_settle(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, answer_pings, script), 0);
	check(p2p_settle(script->peer, soon(), &diag), diag);
	assert_int_equal(p2p_cnt(script->peer), 5);
	assert_string_equal(p2p_at(script->peer, 0).type, "ping");
	assert_string_equal(p2p_at(script->peer, 2).type, "settle");
	assert_string_equal(p2p_at(script->peer, 3).type, "ping");
	p2p_close(script->peer);
	pthread_join(thread, NULL);
}

static void
test_handshake(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};
	struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS,
				      .relay = true,
				      .wtxid_relay = true,
				      .height = -2,
				      .user_agent = "/a/"};

	/* The node begins the handshake, so its messages can be there already. */
	say(script, "version", "x", 1);
	say(script, "verack", NULL, 0);
	check(p2p_handshake(script->peer, &version, soon(), &diag), diag);
	assert_int_equal(p2p_cnt(script->peer), 5);
	struct p2p_message message = {0};
	for (size_t i = 0; i < p2p_cnt(script->peer); i++)
		if (p2p_at(script->peer, i).direction == P2P_SENT) {
			message = p2p_at(script->peer, i);
			break;
		}
	assert_string_equal(message.type, "version");
	assert_int_equal(message.size, 4 + 8 + 8 + 26 + 26 + 8 + 1 + 3 + 4 + 1);
	assert_memory_equal(message.payload, "\x80\x11\x01\0\x09\0\0\0\0\0\0", 12);
	assert_memory_equal(message.payload + 80, "\x03/a/\xfe\xff\xff\xff\x01", 9);
	hear(script, "version", message.payload, message.size);
	hear(script, "wtxidrelay", NULL, 0);
	hear(script, "verack", NULL, 0);
}

static void
test_handshake_begun(void **state)
{
	struct script *script = *state;
	struct diag diag = {0};

	p2p_set_begins(script->peer);
	say(script, "version", "x", 1);
	say(script, "verack", NULL, 0);
	check(p2p_handshake(script->peer, &(struct p2p_version){.no_verack = true}, soon(), &diag), diag);
	assert_int_equal(p2p_cnt(script->peer), 3);
	assert_int_equal(p2p_at(script->peer, 0).direction, P2P_SENT);
	assert_string_equal(p2p_at(script->peer, 0).type, "version");
}

/* The real node. */

static struct node *
start_ready(void)
{
	struct node_opts opts = {.bitcoind = bitcoind, .listen = true, .parent_dir = test_tmp()};
	struct diag diag = {0};
	struct node *node;

	check(node_start(&node, &opts, &diag), diag);
	check(node_wait_ready(node, soon(), &diag), diag);
	return node;
}

static bool
has_received(const struct p2p_peer *peer, const char *type)
{
	for (size_t i = 0; i < p2p_cnt(peer); i++)
		if (p2p_at(peer, i).direction == P2P_RECEIVED && !strcmp(p2p_at(peer, i).type, type))
			return true;
	return false;
}

static void
test_real_inbound(void **state)
{
	struct node *node = start_ready();
	struct p2p_peer *peers[3];
	struct diag diag = {0};
	struct json *info;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		check(p2p_connect(&peers[i], node, i == 2 ? "127.0.0.3" : NULL, NULL, soon(), &diag), diag);
		check(p2p_handshake(peers[i], NULL, soon(), &diag), diag);
		check(p2p_settle(peers[i], soon(), &diag), diag);
		assert_true(has_received(peers[i], "sendcmpct"));
		assert_true(has_received(peers[i], "feefilter"));
	}
	size_t cnt = p2p_cnt(peers[0]);
	check(p2p_sync(peers[0], soon(), &diag), diag);
	assert_int_equal(p2p_cnt(peers[0]), cnt + 2);

	check(node_call(node, soon(), &info, &diag, "getpeerinfo", "[]"), diag);
	assert_int_equal(json_cnt(info), 3);
	for (size_t i = 0; i < 3; i++) {
		const char *address = json_string(json_get(json_at(info, i), "addr"));

		assert_non_null(address);
		assert_string_equal(address, p2p_address(peers[i]));
	}
	json_free(info);
	assert_int_equal(strncmp(p2p_address(peers[2]), "127.0.0.3:", 10), 0);

	assert_false(p2p_has_closed(peers[0]));
	p2p_close(peers[0]);
	check(p2p_wait_closed(peers[0], soon(), &diag), diag);
	assert_true(p2p_has_closed(peers[0]));
	assert_false(p2p_has_closed(peers[1]));
	node_kill(node, NULL);
	while (!p2p_has_closed(peers[1]))
		clock_pause_ms(1, soon());
	check(p2p_wait_closed(peers[1], soon(), &diag), diag);
	assert_int_equal(p2p_sync(peers[2], soon(), &diag), -ECONNRESET);
	assert_non_null(strstr(diag.text, "was killed"));
	for (size_t i = 0; i < 3; i++)
		p2p_free(peers[i]);
	assert_int_equal(p2p_connect(&peers[0], node, NULL, NULL, soon(), &diag), -ECONNREFUSED);
	assert_null(peers[0]);
	node_free(node);
}

static void *
kill_soon(void *node)
{
	struct diag diag;

	clock_pause_ms(100, soon());
	check(node_signal(node, SIGKILL, &diag), diag);
	return NULL;
}

/* The sockets of a process end a little before it does. */
static void
test_real_dying(void **state)
{
	struct node *node = start_ready();
	struct diag diag = {0};
	pthread_t killer;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	struct p2p_peer *peer = p2p_adopt(node, fds[1]);
	close(fds[0]);
	assert_int_equal(pthread_create(&killer, NULL, kill_soon, node), 0);
	assert_int_equal(p2p_sync(peer, soon(), &diag), -ECONNRESET);
	assert_non_null(strstr(diag.text, "the node closed the connection: bitcoind (pid "));
	assert_non_null(strstr(diag.text, "was killed by signal 9"));
	assert_int_equal(pthread_join(killer, NULL), 0);
	p2p_free(peer);
	node_free(node);
}

static void
test_real_outbound(void **state)
{
	static const char *const types[] = {"outbound-full-relay", "block-relay-only", "addr-fetch", "feeler",
					    "manual"};
	enum { TYPES = sizeof(types) / sizeof(types[0]) };
	struct node *node = start_ready();
	struct p2p_peer *peers[TYPES];
	struct p2p_listener *listeners[TYPES];
	struct diag diag = {0};

	(void)state;
	for (size_t i = 0; i < TYPES; i++) {
		bool feeler = !strcmp(types[i], "feeler");
		struct p2p_version version = {.services = P2P_NETWORK | P2P_WITNESS, .no_verack = feeler};

		check(p2p_listen(&listeners[i], node, &diag), diag);
		uint16_t port = p2p_listener_port(listeners[i]);
		if (!strcmp(types[i], "manual"))
			check(node_call(node, soon(), NULL, &diag, "addnode",
					"[\"127.0.0.1:%u\", \"onetry\", false]", port),
			      diag);
		else
			check(node_call(node, soon(), NULL, &diag, "addconnection",
					"[\"127.0.0.1:%u\", \"%s\", false]", port, types[i]),
			      diag);
		check(p2p_accept(&peers[i], listeners[i], soon(), &diag), diag);
		check(p2p_handshake(peers[i], &version, soon(), &diag), diag);
		if (feeler)
			check(p2p_wait_closed(peers[i], soon(), &diag), diag);
		else
			check(p2p_settle(peers[i], soon(), &diag), diag);
		assert_int_equal(has_received(peers[i], "feefilter"), i != 1 && !feeler);
	}
	for (size_t i = 0; i < TYPES; i++) {
		p2p_free(peers[i]);
		p2p_listener_free(listeners[i]);
	}
	node_free(node);
}

/* Wherever it is, and whichever it is. */
static void
test_unprintable_types(void **state)
{
	static const char bytes[] = {'\x01', '\x1f', '\x7f', '\x80', '\xff'};

	for (size_t i = 0; i < 3 * sizeof(bytes); i++) {
		struct script *script;

		if (i > 0) {
			assert_int_equal(end(state), 0);
			assert_int_equal(begin(state), 0);
		}
		script = *state;
		p2p_format("getcfcheckpt", NULL, 0, &script->out);
		script->out.data[4 + 11 * (i / sizeof(bytes)) / 2] = bytes[i % sizeof(bytes)];
		reject(script, "the type of a message is not printable text");
	}
}

int
main(void)
{
	const struct CMUnitTest scripted[] = {
		cmocka_unit_test_setup_teardown(test_format, begin, end),
		cmocka_unit_test_setup_teardown(test_transcript, begin, end),
		cmocka_unit_test_setup_teardown(test_received_before_the_end, begin, end),
		cmocka_unit_test_setup_teardown(test_split_reads, begin, end),
		cmocka_unit_test_setup_teardown(test_large, begin, end),
		cmocka_unit_test_setup_teardown(test_bad_magic, begin, end),
		cmocka_unit_test_setup_teardown(test_bad_checksum, begin, end),
		cmocka_unit_test_setup_teardown(test_oversized, begin, end),
		cmocka_unit_test_setup_teardown(test_bad_type, begin, end),
		cmocka_unit_test_setup_teardown(test_closed_midway, begin, end),
		cmocka_unit_test_setup_teardown(test_last_words, begin, end),
		cmocka_unit_test_setup_teardown(test_ping_answered, begin, end),
		cmocka_unit_test_setup_teardown(test_silent, begin, end),
		cmocka_unit_test_setup_teardown(test_sync, begin, end),
		cmocka_unit_test_setup_teardown(test_order_around_a_sync, begin, end),
		cmocka_unit_test_setup_teardown(test_settle, begin, end),
		cmocka_unit_test_setup_teardown(test_handshake, begin, end),
		cmocka_unit_test_setup_teardown(test_handshake_begun, begin, end),
	};
	const struct CMUnitTest real[] = {
		cmocka_unit_test(test_real_inbound),
		cmocka_unit_test(test_real_dying),
		cmocka_unit_test(test_real_outbound),
		cmocka_unit_test_setup_teardown(test_unprintable_types, begin, end),
	};
	const struct node_search search = {.bitcoind_env = getenv("BITCOIND"), .path_env = getenv("PATH")};
	struct diag diag;

	int failed = cmocka_run_group_tests(scripted, NULL, NULL);
	if (node_find_bitcoind(&search, &bitcoind, &diag))
		print_message("without a bitcoind: %s\n", diag.text);
	else
		failed += cmocka_run_group_tests(real, NULL, NULL);
	free(bitcoind);
	return failed;
}
