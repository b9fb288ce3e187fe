/* net:evicted_inbound_connection, in one order with the newcomer's inbound_connection and the evicted peer's
 * closed_connection.
 *
 * Who is evicted is not ours to choose, but bitcoind's rules (SelectNodeToEvict in src/node/eviction.cpp) leave little
 * choice. Peers with the permission noban are no candidates. Protected among the candidates are: 4 for their network
 * group, by a secret key, so it may be any of them; 8 for a low ping; 4 for transactions and 4 for blocks, neither of
 * which anybody here has sent, so these are the ones that came first; and half of the rest, again those that came
 * first. The last to come has to go. So if the node is full with
 *
 *	early peers, which came first and have answered a ping,
 *	middle peers, which came next,
 *	late peers, which came last, all by one network,
 *
 * and otherwise with noban peers, it evicts one of the late ones: the one whose connection it closes. With one
 * candidate fewer all are protected, and the newcomer is refused. The late ones that are left are the middle for the
 * next network.
 *
 * None of these numbers is promised. How many connections the node accepts is found out by connecting until it refuses
 * one; how many early and late peers it takes, by trying: one early one more while a newcomer is refused, one fewer
 * while it is not a late one that goes. */
#include "scenario/registry.h"
#include "scene/connections.h"
#include "scene/pair.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	EARLY_CNT = 12, /* to begin with */
	EARLY_MAX = 40,
	LATE_CNT = 5, /* likewise */
	LATE_MAX = 12,
	TRIALS_MAX = 60,
	ROUNDS_MAX = 6,
	NOBAN_MAX = CONNECTIONS_MAX,
};

/* In the state's peers. The last of the newcomers is refused. */
enum {
	FENCE,
	EARLY,
	TRIAL = EARLY + EARLY_MAX,
	NEWCOMERS,
	MIDDLE = NEWCOMERS + ROUNDS_MAX + 1,
	LATE = MIDDLE + LATE_MAX - 1,
	NOBAN = LATE + LATE_MAX * ROUNDS_MAX,
	PEERS_CNT = NOBAN + NOBAN_MAX,
};

enum way { WAY_IP6, WAY_CJDNS, WAY_IP4, WAY_I2P, WAY_MACHINE, WAY_ONION };

struct round {
	enum way way;
	/* Who leave before it, one of them noban; unused in the first round. */
	struct peer *leavers[LATE_MAX];
	struct peer *late, *newcomer;
	struct peer *evicted; /* one of the late ones */
};

struct state {
	struct peer *peers;
	int64_t inbound_max;         /* how many the node accepts */
	size_t early_cnt, noban_cnt; /* how many of them are connected */
	size_t refused_at;           /* how many early ones there were when a newcomer was refused */
	size_t late_cnt;             /* how many come by one network; there is one fewer in the middle */
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
			.late = &state->peers[LATE + nth * LATE_MAX],
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

static int64_t
inbound_max(struct scene *scene)
{
	return ((struct state *)scene->state)->inbound_max;
}

static size_t
late_cnt(struct scene *scene)
{
	return ((struct state *)scene->state)->late_cnt;
}

static size_t
middle_cnt(struct scene *scene)
{
	return late_cnt(scene) - 1;
}

/* The node is full afterwards. */
static void
enter_all_late(struct scene *scene, const struct round *round)
{
	for (size_t i = 0; i < late_cnt(scene); i++)
		enter_late(scene, round, i);
	next_time(scene, inbound_max(scene));
}

static void
forget(struct peer *peer)
{
	peer_drop(peer);
	*peer = (struct peer){0};
}

static size_t
count_closed(const struct peer *peers, size_t cnt)
{
	size_t closed = 0;

	for (size_t i = 0; i < cnt; i++)
		closed += peers[i].p2p && p2p_has_closed(peers[i].p2p);
	return closed;
}

/* Connects noban peers, who are never evicted, until the node refuses some. */
static void
fill_with_noban(struct scene *scene)
{
	struct state *state = scene->state;
	struct peer *noban = &state->peers[NOBAN];
	int64_t inbound = 0, outbound, closed = 0;

	for (size_t i = 0; i < NOBAN_MAX; i++)
		peer_connect(scene, &noban[i], PEER_NOBAN_ADDRESS);
	while (scene_ok(scene) && inbound + closed != 1 + NOBAN_MAX) {
		peer_sync(scene, fence(scene));
		closed = (int64_t)count_closed(noban, NOBAN_MAX);
		connections_cnt(scene, &inbound, &outbound);
	}
	if (scene_ok(scene) && !closed)
		scene_skip(scene,
			   "this bitcoind accepts %d inbound connections or more with -maxconnections=%d",
			   1 + NOBAN_MAX, CONNECTIONS_MAX);
	if (!scene_ok(scene))
		return;
	state->inbound_max = inbound;
	/* Those that are left come first. */
	for (size_t i = 0; i < NOBAN_MAX; i++)
		if (p2p_has_closed(noban[i].p2p))
			forget(&noban[i]);
		else if (state->noban_cnt != i) {
			noban[state->noban_cnt++] = noban[i];
			noban[i] = (struct peer){0};
		} else
			state->noban_cnt++;
}

/* Ends the connections of the last noban peers, so that so many can come; or lets some come, so that none can. */
static void
leave_room(struct scene *scene, size_t room)
{
	struct state *state = scene->state;
	struct peer *noban = &state->peers[NOBAN];
	size_t cnt = (size_t)state->inbound_max - 1 - room;

	while (scene_ok(scene) && state->noban_cnt > cnt)
		forget(&noban[--state->noban_cnt]);
	while (scene_ok(scene) && state->noban_cnt < cnt)
		peer_connect(scene, &noban[state->noban_cnt++], PEER_NOBAN_ADDRESS);
	next_time(scene, state->inbound_max - (int64_t)room);
}

/* Connects early ones until there are so many, all with a ping that they have answered. */
static void
enter_early(struct scene *scene, size_t cnt)
{
	struct peer *early = &((struct state *)scene->state)->peers[EARLY];

	for (size_t i = 0; i < cnt; i++)
		peer_join(scene, &early[i], NULL, NULL);
	/* A bitcoind may not ping of its own accord. */
	scene_call(scene, "ping", "[]");
	for (size_t i = 0; i < cnt; i++)
		peer_settle(scene, &early[i]);
}

/* Everybody comes, in the order that decides who is evicted. The node is full afterwards. */
static void
enter_all(struct scene *scene)
{
	struct state *state = scene->state;
	struct peer *middle = &state->peers[MIDDLE];

	leave_room(scene, state->early_cnt + middle_cnt(scene) + late_cnt(scene));
	enter_early(scene, state->early_cnt);
	next_time(scene, state->inbound_max - (int64_t)(middle_cnt(scene) + late_cnt(scene)));
	for (size_t i = 0; i < middle_cnt(scene); i++)
		peer_connect(scene, &middle[i], NULL);
	next_time(scene, state->inbound_max - (int64_t)late_cnt(scene));
	enter_all_late(scene, &state->rounds[0]);
}

/* All but the fence and the noban ones go. */
static void
empty(struct scene *scene)
{
	struct state *state = scene->state;

	for (size_t i = EARLY; i < NOBAN; i++)
		forget(&state->peers[i]);
	next_time(scene, 1 + (int64_t)state->noban_cnt);
}

/* Waits until the node has refused the newcomer (returns it), or closed the connection of another one. */
static struct peer *
find_closed(struct scene *scene, struct peer *newcomer)
{
	struct peer *peers = ((struct state *)scene->state)->peers;

	while (scene_ok(scene)) {
		bool refused = p2p_has_closed(newcomer->p2p);

		for (size_t i = EARLY; i < NOBAN; i++)
			if (&peers[i] != newcomer && peers[i].p2p && !peers[i].end &&
			    p2p_has_closed(peers[i].p2p))
				return &peers[i];
		if (refused)
			return newcomer;
		peer_sync(scene, fence(scene));
	}
	return newcomer;
}

static bool
is_late(const struct round *round, const struct peer *peer)
{
	return peer >= round->late && peer < round->late + LATE_MAX;
}

/* The late one that the node evicted in the trial is replaced by another one, and the newcomer goes. */
static void
undo_trial(struct scene *scene, struct peer *evicted, struct peer *newcomer)
{
	struct state *state = scene->state;
	const struct round *round = &state->rounds[0];
	size_t nth = (size_t)(evicted - round->late);

	forget(evicted);
	forget(newcomer);
	next_time(scene, state->inbound_max - 1);
	enter_late(scene, round, nth);
	next_time(scene, state->inbound_max);
}

/* After a trial in which the newcomer was refused, or somebody else than a late one evicted. If it is one or the other,
 * all late ones are protected for what they have in common. False if there is nothing left to try. */
static bool
change_cnts(struct state *state, bool refused)
{
	if (refused && state->early_cnt == state->refused_at) {
		state->late_cnt++;
		state->early_cnt = EARLY_CNT;
		state->refused_at = 0;
		return state->late_cnt <= LATE_MAX;
	}
	if (refused)
		state->refused_at = state->early_cnt;
	else if (!state->early_cnt)
		return false;
	state->early_cnt = refused ? state->early_cnt + 1 : state->early_cnt - 1;
	return state->early_cnt <= EARLY_MAX;
}

/* Finds out how many early and late ones it takes until the node evicts a late one. All are connected then. */
static void
find_cnts(struct scene *scene)
{
	struct state *state = scene->state;
	struct peer *newcomer = &state->peers[TRIAL];

	state->early_cnt = EARLY_CNT;
	state->late_cnt = LATE_CNT;
	for (int trials = 0; scene_ok(scene); trials++) {
		enter_all(scene);
		peer_connect(scene, newcomer, PEER_NOBAN_ADDRESS);
		struct peer *closed = find_closed(scene, newcomer);
		if (!scene_ok(scene))
			return;
		if (is_late(&state->rounds[0], closed)) {
			undo_trial(scene, closed, newcomer);
			return;
		}
		if (trials == TRIALS_MAX || !change_cnts(state, closed == newcomer))
			scene_skip(scene,
				   "it was not found out which peers this bitcoind evicts, in %d trials",
				   trials + 1);
		empty(scene);
	}
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
	fill_with_noban(scene);
	find_cnts(scene);
	/* Who may be evicted, and the noban ones that will leave. */
	peers_learn(scene, &state->peers[EARLY], NOBAN + ROUNDS_MAX - EARLY);
}

/* Who leaves before round nth: the middle of the round before, and one noban peer. */
static void
choose_leavers(struct scene *scene, size_t nth)
{
	struct state *state = scene->state;
	struct round *round = &state->rounds[nth];
	size_t cnt = 0;

	round->leavers[cnt++] = &state->peers[NOBAN + nth - 1];
	if (nth == 1) {
		for (size_t i = 0; i < middle_cnt(scene); i++)
			round->leavers[cnt++] = &state->peers[MIDDLE + i];
		return;
	}
	const struct round *earlier = &state->rounds[nth - 2];
	for (size_t i = 0; i < late_cnt(scene); i++)
		if (&earlier->late[i] != earlier->evicted)
			round->leavers[cnt++] = &earlier->late[i];
}

/* Some leave to make room for the late ones of this round. */
static void
begin_round(struct scene *scene, size_t nth)
{
	struct state *state = scene->state;
	struct round *round = &state->rounds[nth];

	choose_leavers(scene, nth);
	for (size_t i = 0; i < late_cnt(scene); i++) {
		peer_close(round->leavers[i]);
		connections_wait(scene, fence(scene), inbound_max(scene) - 1 - (int64_t)i);
		round->leavers[i]->end = 1; /* no longer of interest */
	}
	enter_all_late(scene, round);
	peers_learn(scene, round->late, late_cnt(scene));
}

/* Whether the node has other rules than any release so far. It may then evict one who came earlier, depending on its
 * secret key and on the network. */
static bool
has_other_rules(const struct state *state)
{
	return state->early_cnt != EARLY_CNT || state->late_cnt != LATE_CNT;
}

/* Waits until the node has closed the connection of one of the late ones. */
static void
find_evicted(struct scene *scene, struct round *round)
{
	const struct state *state = scene->state;
	struct peer *closed = find_closed(scene, round->newcomer);

	if (!scene_ok(scene))
		return;
	if (is_late(round, closed) || (has_other_rules(state) && closed != round->newcomer))
		round->evicted = closed;
	else if (closed == round->newcomer)
		scene_fail(scene, -EBADMSG, "the node did not make room for a newcomer");
	else
		scene_fail(scene, -EBADMSG,
			   "the node evicted another peer than before, not one that came last");
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
		next_time(scene, inbound_max(scene));
		if (!round->evicted)
			return;
		round->evicted->end = 1;
		if (!is_late(round, round->evicted)) {
			state->rounds_cnt = i + 1;
			return;
		}
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

		for (size_t k = 0; i && k < late_cnt(scene); k++)
			connection_expect_closed(scene, round->leavers[k]);
		for (size_t k = 0; i && k < late_cnt(scene); k++)
			connection_expect_opened(scene, &round->late[k], true,
						 inbound_max(scene) - (int64_t)(late_cnt(scene) - 1 - k));
		connection_expect_evicted(scene, round->evicted);
		/* The evicted peer is counted until its connection is closed. */
		connection_expect_opened(scene, round->newcomer, true, inbound_max(scene) + 1);
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

/* relay: on a smaller node, whose peers all want transactions. One more wants them than -inboundrelaypercent allows: it
 * stays, and one of the others has to go, by the same rules. A bitcoind that does not know this limit is full then. */

enum {
	SMALL_INBOUND_MAX = PAIR_CONNECTIONS_MAX - 11,
	RELAY_MAX = SMALL_INBOUND_MAX * PAIR_RELAY_PERCENT / 100,
};

#define NOT_NOBAN "127.5.4.3"

enum { ROOM_MS = 3000, LOOKS_MIN = 5 };

struct relay_state {
	struct peer *peers; /* the fence, those that want transactions, and the newcomer */
	struct peer *newcomer, *evicted;
	bool is_limited;
};

static void
relay_prepare(struct scene *scene)
{
	static const struct p2p_version version = {.relay = true};
	struct relay_state *state = scene->state;

	state->is_limited = node_has_arg(scene->node, PAIR_RELAY_ARG);
	state->peers = peers_new(scene, SMALL_INBOUND_MAX + 1);
	state->newcomer = &state->peers[state->is_limited ? RELAY_MAX + 1 : SMALL_INBOUND_MAX];
	scene_set_time(scene, CONNECTIONS_TIME);
	connections_begin(scene, state->peers);
	for (struct peer *peer = state->peers + 1; peer < state->newcomer; peer++) {
		peer_join(scene, peer, NOT_NOBAN, &version);
		scene_set_time(scene, scene->node_time + 7);
	}
	peers_learn(scene, state->peers, (size_t)(state->newcomer - state->peers));
}

/* Waits a moment for the node to close the connection of one of those that were there. */
static void
find_relay_evicted(struct scene *scene)
{
	struct relay_state *state = scene->state;
	struct deadline soon = deadline_in_ms(ROOM_MS);
	unsigned looks_cnt = 0;

	do {
		peer_sync(scene, state->peers);
		for (struct peer *peer = state->peers + 1; peer < state->newcomer; peer++)
			if (p2p_has_closed(peer->p2p))
				state->evicted = peer;
		looks_cnt++;
	} while (scene_ok(scene) && !state->evicted && (looks_cnt < LOOKS_MIN || !deadline_has_passed(soon)));
}

static void
relay_act(struct scene *scene)
{
	static const struct p2p_version version = {.relay = true};
	struct relay_state *state = scene->state;
	const int before = (int)(state->newcomer - state->peers);

	peer_connect(scene, state->newcomer, NOT_NOBAN);
	if (!scene_ok(scene))
		return;
	peer_handshake(scene, state->newcomer, &version);
	if (p2p_has_closed(state->newcomer->p2p)) {
		/* How far the handshake came says nothing; the others know whether the node lives. */
		scene->err = 0;
		peer_sync(scene, state->peers);
	} else
		find_relay_evicted(scene);
	/* Its limits and rules are not promised. */
	if (scene_ok(scene) && !state->evicted)
		scene_skip(
			scene,
			"this bitcoind did not evict one of %d peers for a newcomer, with -maxconnections=%d%s",
			before, PAIR_CONNECTIONS_MAX, state->is_limited ? " and " PAIR_RELAY_ARG : "");
	connections_wait(scene, state->peers, before);
	peers_learn(scene, state->newcomer, 1);
}

static void
relay_expect(struct scene *scene)
{
	struct relay_state *state = scene->state;
	const int64_t cnt = state->newcomer - state->peers + 1;

	expect_source(scene->expect, "getpeerinfo; whose connection the node closed");
	if (!state->evicted)
		return;
	/* The limit counts when the newcomer says that it wants transactions; before that, it is in. */
	if (state->is_limited)
		connection_expect_opened(scene, state->newcomer, true, cnt);
	connection_expect_evicted(scene, state->evicted);
	if (!state->is_limited)
		connection_expect_opened(scene, state->newcomer, true, cnt);
	connection_expect_closed(scene, state->evicted);
	connections_end(scene, state->peers, SMALL_INBOUND_MAX + 1);
}

DEFINE_SCENARIO(net, evicted_inbound_connection, relay,
	.summary = "too many peers, or from v32 on too many that want transactions: the node evicts one of them",
	.subject = TP_NET_EVICTED_INBOUND_CONNECTION,
	.tracepoints = CONNECTION_TRACEPOINTS,
	.profile = &profile_pair,
	.state_sz = sizeof(struct relay_state),
	.prepare = relay_prepare,
	.act = relay_act,
	.expect = relay_expect,
);
