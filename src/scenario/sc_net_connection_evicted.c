/* net:evicted_inbound_connection, with the newcomer's inbound_connection and the evicted peer's closed_connection, in
 * one order.
 *
 * Who is evicted is not ours to say, but bitcoind's rules (SelectNodeToEvict in src/node/eviction.cpp) leave little
 * choice. Peers with the permission noban are no candidates. Of the candidates are protected: 4 for their network
 * group, by a secret key, so that it may be any; 8 for a low ping; 4 for transactions and 4 for blocks, both of which
 * nobody here has sent, so that it is those who came first; of the rest half, those who came first. The one who came
 * last has to go. So when the node is full with
 *
 *	EARLY_CNT who came first and have answered a ping,
 *	MIDDLE_CNT who came then,
 *	LATE_CNT who came last, all by one network,
 *
 * and else with peers that are noban, it is one of the late ones. Which one is seen by its connection's end. With one
 * candidate less all are protected, and the newcomer is refused. For the next network those of the late ones that are
 * left are the middle. */
#include "scenario/registry.h"
#include "scene/connections.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	INBOUND_MAX = CONNECTIONS_MAX - 11, /* the rest is for outbound ones */
	EARLY_CNT = 12,
	MIDDLE_CNT = 4,
	LATE_CNT = 5,
	ROUNDS_MAX = 6,
	LEAVERS_CNT = MIDDLE_CNT + 1, /* between two rounds, of whom one is noban */
	NOBAN_CNT = INBOUND_MAX - 1 - EARLY_CNT - MIDDLE_CNT - LATE_CNT,
};

/* In the state. Of the newcomers the last one is refused. */
enum {
	FENCE,
	EARLY,
	NEWCOMERS = EARLY + EARLY_CNT,
	MIDDLE = NEWCOMERS + ROUNDS_MAX + 1,
	LATE = MIDDLE + MIDDLE_CNT,
	NOBAN = LATE + LATE_CNT * ROUNDS_MAX,
	PEERS_CNT = NOBAN + NOBAN_CNT,
};

enum way { WAY_IP6, WAY_CJDNS, WAY_IP4, WAY_I2P, WAY_MACHINE, WAY_ONION };

struct round {
	enum way way;
	struct peer *leavers[LEAVERS_CNT]; /* before it; none before the first one */
	struct peer *late, *newcomer;
	struct peer *evicted; /* of the late ones */
};

struct state {
	struct peer peers[PEERS_CNT];
	struct round rounds[ROUNDS_MAX];
	size_t rounds_cnt;
	int64_t time_s;
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

/* All who are to come until now have come; those who come from now on do so later. */
static int
next_time(struct scene *scene, int64_t cnt, struct diag *diag)
{
	struct state *state = scene->state;
	int code = connections_wait(scene, fence(scene), cnt, diag);

	state->time_s += 11;
	return code ? code : connections_set_time(scene, state->time_s, diag);
}

static void
plan_rounds(struct scene *scene)
{
	static const enum way ways[ROUNDS_MAX] = {WAY_IP6,     WAY_I2P, WAY_CJDNS,
						  WAY_MACHINE, WAY_IP4, WAY_ONION};
	struct state *state = scene->state;
	bool has_ip4 = !node_network_lack(scene->node, AF_INET);
	bool has_ip6 = !node_network_lack(scene->node, AF_INET6);

	for (size_t i = 0; i < ROUNDS_MAX; i++) {
		size_t nth = state->rounds_cnt;

		if ((ways[i] == WAY_IP4 && !has_ip4) ||
		    ((ways[i] == WAY_IP6 || ways[i] == WAY_CJDNS) && !has_ip6))
			continue;
		state->rounds[state->rounds_cnt++] = (struct round){
			.way = ways[i],
			.late = &state->peers[LATE + nth * LATE_CNT],
			.newcomer = &state->peers[NEWCOMERS + nth],
		};
	}
}

static int
enter_late(struct scene *scene, const struct round *round, size_t nth, struct diag *diag)
{
	struct peer *peer = &round->late[nth];

	switch (round->way) {
	case WAY_IP6:
		return connection_enter_from(scene, peer, NODE_IPV6, diag);
	case WAY_CJDNS:
		return connection_enter_from(scene, peer, NODE_CJDNS, diag);
	case WAY_IP4:
		return connection_enter_from(scene, peer, NODE_IPV4, diag);
	case WAY_I2P:
		return connection_enter_i2p(scene, peer, 100 + (unsigned)nth, diag);
	case WAY_ONION:
		return connection_enter_onion(scene, peer, diag);
	case WAY_MACHINE:
		break;
	}
	return peer_connect(scene, peer, NULL, diag);
}

/* The node is full afterwards. */
static int
enter_all_late(struct scene *scene, const struct round *round, struct diag *diag)
{
	int code = 0;

	for (size_t i = 0; i < LATE_CNT && !code; i++)
		code = enter_late(scene, round, i, diag);
	return code ? code : next_time(scene, INBOUND_MAX, diag);
}

static int
prepare(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = connections_check_limit(scene, diag);

	if (code)
		return code;
	plan_rounds(scene);
	state->time_s = CONNECTIONS_TIME;
	code = connections_set_time(scene, state->time_s, diag);
	if (!code)
		code = connections_begin(scene, fence(scene), diag);
	for (size_t i = EARLY; i < EARLY + EARLY_CNT && !code; i++)
		code = peer_join(scene, &state->peers[i], NULL, NULL, diag);
	for (size_t i = NOBAN; i < PEERS_CNT && !code; i++)
		code = peer_connect(scene, &state->peers[i], PEER_NOBAN_ADDRESS, diag);
	if (!code)
		code = next_time(scene, INBOUND_MAX - MIDDLE_CNT - LATE_CNT, diag);
	for (size_t i = MIDDLE; i < MIDDLE + MIDDLE_CNT && !code; i++)
		code = peer_connect(scene, &state->peers[i], NULL, diag);
	if (!code)
		code = next_time(scene, INBOUND_MAX - LATE_CNT, diag);
	if (!code)
		code = enter_all_late(scene, &state->rounds[0], diag);
	/* The middle and the first late ones, and of the noban ones those who will leave. */
	if (!code)
		code = peers_learn(scene, &state->peers[MIDDLE], MIDDLE_CNT + LATE_CNT, diag);
	return code ? code : peers_learn(scene, &state->peers[NOBAN], ROUNDS_MAX, diag);
}

/* The middle of before and one who is noban make room for the late ones of this round. */
static int
begin_round(struct scene *scene, size_t nth, struct diag *diag)
{
	struct state *state = scene->state;
	struct round *round = &state->rounds[nth], *before = &state->rounds[nth - 1];
	size_t leavers_cnt = 0;
	int code = 0;

	round->leavers[leavers_cnt++] = &state->peers[NOBAN + nth - 1];
	if (nth == 1) {
		for (size_t i = 0; i < MIDDLE_CNT; i++)
			round->leavers[leavers_cnt++] = &state->peers[MIDDLE + i];
	} else {
		for (size_t i = 0; i < LATE_CNT; i++)
			if (&before[-1].late[i] != before[-1].evicted)
				round->leavers[leavers_cnt++] = &before[-1].late[i];
	}
	for (size_t i = 0; i < LEAVERS_CNT && !code; i++) {
		p2p_close(round->leavers[i]->p2p);
		code = connections_wait(scene, fence(scene), INBOUND_MAX - 1 - (int64_t)i, diag);
	}
	if (!code)
		code = enter_all_late(scene, round, diag);
	return code ? code : peers_learn(scene, round->late, LATE_CNT, diag);
}

/* Waits until one of the late ones has lost its connection. */
static int
find_evicted(struct scene *scene, struct round *round, struct diag *diag)
{
	int code = 0;

	while (!code && !round->evicted) {
		bool refused = p2p_has_closed(round->newcomer->p2p);

		for (size_t i = 0; i < LATE_CNT; i++)
			if (p2p_has_closed(round->late[i].p2p))
				round->evicted = &round->late[i];
		if (refused && !round->evicted)
			return diag_fail(diag, -EBADMSG, "the node did not make room for a newcomer");
		code = peer_sync(scene, fence(scene), diag);
	}
	return code;
}

static int
act(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	struct peer *refused = &state->peers[NEWCOMERS + state->rounds_cnt];
	int code = 0;

	for (size_t i = 0; i < state->rounds_cnt && !code; i++) {
		struct round *round = &state->rounds[i];

		if (i)
			code = begin_round(scene, i, diag);
		if (!code)
			code = peer_connect(scene, round->newcomer, PEER_NOBAN_ADDRESS, diag);
		if (!code)
			code = find_evicted(scene, round, diag);
		if (!code)
			code = next_time(scene, INBOUND_MAX, diag);
	}
	if (!code)
		code = peer_connect(scene, refused, NULL, diag);
	return code ? code : p2p_wait_closed(refused->p2p, scene->deadline, diag);
}

static int
expect(struct scene *scene, struct diag *diag)
{
	struct state *state = scene->state;
	int code = peers_learn(scene, &state->peers[NEWCOMERS], state->rounds_cnt, diag);

	expect_source(scene->expect, "getpeerinfo; whose connection the node closed");
	for (size_t i = 0; i < state->rounds_cnt && !code; i++) {
		const struct round *round = &state->rounds[i];

		for (size_t k = 0; i && k < LEAVERS_CNT; k++)
			connection_expect_closed(scene, round->leavers[k]);
		for (size_t k = 0; i && k < LATE_CNT; k++)
			connection_expect_opened(scene, &round->late[k], true,
						 INBOUND_MAX - LATE_CNT + 1 + (int64_t)k);
		connection_expect_evicted(scene, round->evicted);
		/* The evicted one is counted until it is closed. */
		connection_expect_opened(scene, round->newcomer, true, INBOUND_MAX + 1);
		connection_expect_closed(scene, round->evicted);
	}
	return code ? code : connections_end(scene, state->peers, PEERS_CNT, diag);
}

const struct scenario sc_net_evicted_inbound_connection_full = {
	.name = "net.evicted_inbound_connection.full",
	.summary =
		"a full node makes room for newcomers, if somebody is not protected: eviction of a peer of each network, the newcomer, the end of the connection",
	.subject = TP_NET_EVICTED_INBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_network,
	.state_sz = sizeof(struct state),
	.prepare = prepare,
	.act = act,
	.expect = expect,
	.clean = clean,
};
