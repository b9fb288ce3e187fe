/* net:evicted_inbound_connection, in one order with the newcomer's inbound_connection and the evicted peer's
 * closed_connection.
 *
 * Who is evicted is not ours to choose, but bitcoind's rules (SelectNodeToEvict in src/node/eviction.cpp) leave little
 * choice. Peers with the permission noban are no candidates. Protected among the candidates are: 4 for their network
 * group, by a secret key, so it may be any of them; 8 for a low ping; 4 for transactions and 4 for blocks, neither of
 * which anybody here has sent, so these are the ones that came first; and half of the rest, again those that came
 * first. The last to come has to go. So if the node is full with
 *
 *	EARLY_CNT peers that came first and have answered a ping,
 *	MIDDLE_CNT peers that came next,
 *	LATE_CNT peers that came last, all by one network,
 *
 * and otherwise with noban peers, it evicts one of the late ones: the one whose connection it closes. With one
 * candidate fewer all are protected, and the newcomer is refused. The late ones that are left are the middle for the
 * next network. */
#include "scenario/registry.h"
#include "scene/connections.h"

#include <sys/socket.h>

enum {
	INBOUND_MAX = CONNECTIONS_MAX - 11, /* the rest is for outbound ones */
	EARLY_CNT = 12,
	MIDDLE_CNT = 4,
	LATE_CNT = 5,
	ROUNDS_MAX = 6,
	LEAVERS_CNT = MIDDLE_CNT + 1, /* between two rounds; one of them is noban */
	NOBAN_CNT = INBOUND_MAX - 1 - EARLY_CNT - MIDDLE_CNT - LATE_CNT,
};

/* In the state's peers. The last of the newcomers is refused. */
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
	struct peer *leavers[LEAVERS_CNT]; /* who leave before it; unused in the first round */
	struct peer *late, *newcomer;
	struct peer *evicted; /* one of the late ones */
};

struct state {
	struct peer *peers;
	struct round rounds[ROUNDS_MAX];
	size_t rounds_cnt;
};

static struct peer *
fence(struct scene *scene)
{
	return &((struct state *)scene->state)->peers[FENCE];
}

/* Waits until the node has cnt connections; whoever comes from now on comes later by its clock. */
static void
next_time(struct scene *scene, int64_t cnt)
{
	connections_wait(scene, fence(scene), cnt);
	scene_set_time(scene, scene->node_time + 11);
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

static void
enter_late(struct scene *scene, const struct round *round, size_t nth)
{
	struct peer *peer = &round->late[nth];

	switch (round->way) {
	case WAY_IP6:
		connection_enter_from(scene, peer, NODE_IPV6);
		break;
	case WAY_CJDNS:
		connection_enter_from(scene, peer, NODE_CJDNS);
		break;
	case WAY_IP4:
		connection_enter_from(scene, peer, NODE_IPV4);
		break;
	case WAY_I2P:
		connection_enter_i2p(scene, peer, 100 + (unsigned)nth);
		break;
	case WAY_ONION:
		connection_enter_onion(scene, peer);
		break;
	case WAY_MACHINE:
		peer_connect(scene, peer, NULL);
		break;
	}
}

/* The node is full afterwards. */
static void
enter_all_late(struct scene *scene, const struct round *round)
{
	for (size_t i = 0; i < LATE_CNT; i++)
		enter_late(scene, round, i);
	next_time(scene, INBOUND_MAX);
}

static void
full_prepare(struct scene *scene)
{
	struct state *state = scene->state;

	state->peers = peers_new(scene, PEERS_CNT);
	connections_check_limit(scene);
	plan_rounds(scene);
	scene_set_time(scene, CONNECTIONS_TIME);
	connections_begin(scene, fence(scene));
	for (size_t i = EARLY; i < EARLY + EARLY_CNT; i++)
		peer_join(scene, &state->peers[i], NULL, NULL);
	for (size_t i = NOBAN; i < PEERS_CNT; i++)
		peer_connect(scene, &state->peers[i], PEER_NOBAN_ADDRESS);
	next_time(scene, INBOUND_MAX - MIDDLE_CNT - LATE_CNT);
	for (size_t i = MIDDLE; i < MIDDLE + MIDDLE_CNT; i++)
		peer_connect(scene, &state->peers[i], NULL);
	next_time(scene, INBOUND_MAX - LATE_CNT);
	enter_all_late(scene, &state->rounds[0]);
	/* The middle and the first late ones, and the noban ones that will leave. */
	peers_learn(scene, &state->peers[MIDDLE], MIDDLE_CNT + LATE_CNT);
	peers_learn(scene, &state->peers[NOBAN], ROUNDS_MAX);
}

/* Who leaves before round nth: the middle of the round before, and one noban peer. */
static void
choose_leavers(struct state *state, size_t nth)
{
	struct round *round = &state->rounds[nth];
	size_t cnt = 0;

	round->leavers[cnt++] = &state->peers[NOBAN + nth - 1];
	if (nth == 1) {
		for (size_t i = 0; i < MIDDLE_CNT; i++)
			round->leavers[cnt++] = &state->peers[MIDDLE + i];
		return;
	}
	const struct round *earlier = &state->rounds[nth - 2];
	for (size_t i = 0; i < LATE_CNT; i++)
		if (&earlier->late[i] != earlier->evicted)
			round->leavers[cnt++] = &earlier->late[i];
}

/* Some leave to make room for the late ones of this round. */
static void
begin_round(struct scene *scene, size_t nth)
{
	struct state *state = scene->state;
	struct round *round = &state->rounds[nth];

	choose_leavers(state, nth);
	for (size_t i = 0; i < LEAVERS_CNT; i++) {
		peer_close(round->leavers[i]);
		connections_wait(scene, fence(scene), INBOUND_MAX - 1 - (int64_t)i);
	}
	enter_all_late(scene, round);
	peers_learn(scene, round->late, LATE_CNT);
}

/* Waits until the node has closed the connection of one of the late ones. */
static void
find_evicted(struct scene *scene, struct round *round)
{
	while (scene_ok(scene) && !round->evicted) {
		bool refused = p2p_has_closed(round->newcomer->p2p);

		for (size_t i = 0; i < LATE_CNT; i++)
			if (p2p_has_closed(round->late[i].p2p))
				round->evicted = &round->late[i];
		if (refused && !round->evicted)
			scene_fail(scene, -EBADMSG, "the node did not make room for a newcomer");
		peer_sync(scene, fence(scene));
	}
}

static void
full_act(struct scene *scene)
{
	struct state *state = scene->state;
	struct peer *refused = &state->peers[NEWCOMERS + state->rounds_cnt];

	/* A round builds on who was evicted before. */
	for (size_t i = 0; i < state->rounds_cnt && scene_ok(scene); i++) {
		struct round *round = &state->rounds[i];

		if (i)
			begin_round(scene, i);
		peer_connect(scene, round->newcomer, PEER_NOBAN_ADDRESS);
		find_evicted(scene, round);
		next_time(scene, INBOUND_MAX);
	}
	peer_connect(scene, refused, NULL);
	peer_wait_closed(scene, refused, NULL);
}

static void
full_expect(struct scene *scene)
{
	struct state *state = scene->state;

	peers_learn(scene, &state->peers[NEWCOMERS], state->rounds_cnt);
	expect_source(scene->expect, "getpeerinfo; whose connection the node closed");
	for (size_t i = 0; i < state->rounds_cnt; i++) {
		const struct round *round = &state->rounds[i];

		for (size_t k = 0; i && k < LEAVERS_CNT; k++)
			connection_expect_closed(scene, round->leavers[k]);
		for (size_t k = 0; i && k < LATE_CNT; k++)
			connection_expect_opened(scene, &round->late[k], true,
						 INBOUND_MAX - LATE_CNT + 1 + (int64_t)k);
		connection_expect_evicted(scene, round->evicted);
		/* The evicted peer is counted until its connection is closed. */
		connection_expect_opened(scene, round->newcomer, true, INBOUND_MAX + 1);
		connection_expect_closed(scene, round->evicted);
	}
	connections_end(scene, state->peers, PEERS_CNT);
}

CONNECTION_SCENARIO(evicted_inbound_connection, full,
	.summary = "a full node evicts peers to make room for newcomers, one of each network, and refuses a newcomer when all are protected",
	.subject = TP_NET_EVICTED_INBOUND_CONNECTION,
	.prepare = full_prepare,
	.act = full_act,
	.expect = full_expect,
);
