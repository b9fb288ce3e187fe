/* net:evicted_inbound_connection, with the newcomer's inbound_connection and the evicted peer's closed_connection, in
 * one order.
 *
 * Who is evicted is not ours to say, but bitcoind's rules (SelectNodeToEvict in src/node/eviction.cpp) leave little
 * choice. Peers with the permission noban are no candidates. Of the candidates 4 are protected for their network
 * group, by a secret key, and 8 for a low ping: among equals any. Then 4 for transactions and 4 for blocks, among
 * equals those who came first; of the rest half, those who came first; and the one who came last has to go. So with 8
 * who came early, LATE_CNT who came late and all others noban, it is always one of the late ones; when only 20
 * candidates are left, all are protected, and the newcomer is refused. Which late one it was is seen by its
 * connection's end. */
#include "scenario/connections.h"
#include "scenario/registry.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	INBOUND_MAX = CONNECTIONS_MAX - 11, /* the rest is for outbound ones */
	EARLY_CNT = 8,
	PROTECTED_MAX = 20,
	EVICTED_CNT = 3,
	LATE_CNT = PROTECTED_MAX - EARLY_CNT + EVICTED_CNT,
	BATCH_CNT = 4, /* late ones that come at the same time */
	NOBAN_CNT = INBOUND_MAX - EARLY_CNT - LATE_CNT - 1,
};

/* In the state. The last of the newcomers is refused. */
enum {
	FENCE,
	LATE,
	NEWCOMERS = LATE + LATE_CNT,
	EARLY = NEWCOMERS + EVICTED_CNT + 1,
	NOBAN = EARLY + EARLY_CNT,
	PEERS_CNT = NOBAN + NOBAN_CNT,
};

struct state {
	struct peer peers[PEERS_CNT];
	const struct peer *evicted[EVICTED_CNT];
};

static void
clean(struct scene *scene)
{
	peers_fini(((struct state *)scene->state)->peers, PEERS_CNT);
}

static struct peer *
fence(struct scene *scene)
{
	return &((struct state *)scene->state)->peers[FENCE];
}

static int
enter_late(struct scene *scene, size_t nth, struct diag *diag)
{
	struct peer *peer = &((struct state *)scene->state)->peers[LATE + nth];

	if (nth % 2)
		return connection_enter_onion(scene, peer, diag);
	if (!node_network_lack(scene->node, AF_INET))
		return connection_enter_from(scene, peer, NODE_IPV4, diag);
	return peer_connect(scene, peer, NULL, diag);
}

static int
prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int64_t time_s = CONNECTIONS_TIME;
	int code = connections_set_time(scene, time_s, diag);

	if (!code)
		code = connections_begin(scene, fence(scene), diag);
	for (size_t i = 0; i < EARLY_CNT && !code; i++)
		code = peer_connect(scene, &state->peers[EARLY + i], NULL, diag);
	for (size_t i = 0; i < NOBAN_CNT && !code; i++)
		code = peer_connect(scene, &state->peers[NOBAN + i], PEER_NOBAN_ADDRESS, diag);
	for (size_t i = 0; i < LATE_CNT && !code; i++) {
		if (i % BATCH_CNT == 0) {
			code = connections_wait(scene, fence(scene), INBOUND_MAX - LATE_CNT + (int64_t)i,
						diag);
			time_s += 11;
			if (!code)
				code = connections_set_time(scene, time_s, diag);
		}
		if (!code)
			code = enter_late(scene, i, diag);
	}
	if (!code)
		code = connections_wait(scene, fence(scene), INBOUND_MAX, diag);
	if (!code)
		code = peers_learn(scene, &state->peers[LATE], LATE_CNT, diag);
	return code ? code : connections_set_time(scene, time_s + 11, diag);
}

/* Waits until one of the late ones that was not evicted before has lost its connection. */
static int
find_evicted(struct scene *scene, size_t nth, struct diag *diag)
{
	struct state *state = scene->state;
	struct p2p_peer *newcomer = state->peers[NEWCOMERS + nth].p2p;
	int code = 0;

	while (!code) {
		bool refused = p2p_has_closed(newcomer);

		for (size_t i = 0; i < LATE_CNT; i++) {
			bool before = false;

			for (size_t k = 0; k < nth; k++)
				before |= state->evicted[k] == &state->peers[LATE + i];
			if (before || !p2p_has_closed(state->peers[LATE + i].p2p))
				continue;
			state->evicted[nth] = &state->peers[LATE + i];
			return 0;
		}
		if (refused)
			return diag_fail(diag, -EBADMSG, "the node did not make room for a newcomer");
		code = peer_sync(scene, fence(scene), diag);
	}
	return code;
}

static int
act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = 0;

	for (size_t i = 0; i < EVICTED_CNT && !code; i++) {
		code = peer_connect(scene, &state->peers[NEWCOMERS + i], PEER_NOBAN_ADDRESS, diag);
		if (!code)
			code = find_evicted(scene, i, diag);
		if (!code)
			code = connections_wait(scene, fence(scene), INBOUND_MAX, diag);
	}
	if (!code)
		code = peer_connect(scene, &state->peers[NEWCOMERS + EVICTED_CNT], NULL, diag);
	return code ? code
		    : p2p_wait_closed(state->peers[NEWCOMERS + EVICTED_CNT].p2p, scene->deadline, diag);
}

static int
expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = peers_learn(scene, &state->peers[NEWCOMERS], EVICTED_CNT, diag);

	expect_source(scene->expect, "getpeerinfo; whose connection the node closed");
	for (size_t i = 0; i < EVICTED_CNT && !code; i++) {
		connection_expect_evicted(scene, state->evicted[i]);
		/* The evicted one is counted until it is closed. */
		connection_expect_opened(scene, &state->peers[NEWCOMERS + i], true, INBOUND_MAX + 1);
		connection_expect_closed(scene, state->evicted[i]);
	}
	return code ? code : connections_end(scene, state->peers, PEERS_CNT, diag);
}

const struct scenario sc_net_evicted_inbound_connection_full = {
	.name = "net.evicted_inbound_connection.full",
	.summary = "a full node makes room for newcomers as long as somebody is not protected: eviction, the "
		   "newcomer, the end of the connection",
	.subject = TP_NET_EVICTED_INBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = prepare,
	.act = act,
	.expect = expect,
	.clean = clean,
};
