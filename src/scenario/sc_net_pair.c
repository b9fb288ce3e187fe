/* Messages and connections between two bitcoinds that speak the v2 transport (BIP324), today's default. It encrypts,
 * and replaces message types by numbers; none of this may show. */
#include "scenario/registry.h"
#include "scene/abilities.h"
#include "scene/coins.h"
#include "scene/connections.h"
#include "scene/pair.h"
#include "scene/pool.h"

struct state {
	struct pair pair;
	struct pool_tx *relayed, *unknown;
};

#define PAIR_SCENARIO(tracepoint_, behaviour_, ...)                                                          \
	DEFINE_SCENARIO(net, tracepoint_, behaviour_,                                                        \
			.tracepoints = CONNECTION_TRACEPOINTS | TP_BIT(TP_NET_INBOUND_MESSAGE) |             \
				       TP_BIT(TP_NET_OUTBOUND_MESSAGE),                                      \
			.profile = &profile_pair, .state_sz = sizeof(struct state), __VA_ARGS__)

/* Coins at these heights are this scenario's. */
static void
prepare(struct scene *scene, uint32_t height)
{
	struct state *state = scene->state;

	scene_require(scene, ABILITY_V2_TRANSPORT);
	state->relayed = pool_spender(scene, "a transaction", pool_coinbase(scene, height), 3, 12345);
	state->unknown = pool_spender(scene, "a transaction that only a block has",
				      pool_coinbase(scene, height + 1), 700, 54321);
}

/* The node that is swapped in has news for the other one: a transaction, a block with it, one whose only transaction
 * the other one has to ask for, and an empty one. */
static void
spread_news(struct scene *scene, bool from_partner)
{
	struct state *state = scene->state;

	pool_send(scene, state->relayed);
	if (from_partner)
		pair_swap(scene);
	pair_wait_message(scene, &state->pair, "tx", from_partner, 1);
	if (from_partner)
		pair_swap(scene);
	blocks_mine(scene, 1);
	pair_wait_tip(scene);
	pool_mine(scene, &state->unknown, 1, NULL);
	pair_wait_tip(scene);
	blocks_mine(scene, 1);
	pair_wait_tip(scene);
}

static void
expect_all(struct scene *scene)
{
	static const char *const news[] = {"tx",      "cmpctblock", "blocktxn",  "block",
					   "headers", "version",    "sendaddrv2"};
	struct state *state = scene->state;

	for (size_t i = 0; i < sizeof(news) / sizeof(news[0]); i++)
		pair_require(scene, &state->pair, news[i], !state->pair.called);
	pair_expect(scene, &state->pair);
}

/* v2: the partner has the news; it relays a transaction at once to whoever called it */

static void
inbound_prepare(struct scene *scene)
{
	prepare(scene, 1);
	pair_swap(scene);
	blocks_mine(scene, 2);
	pair_swap(scene);
}

static void
inbound_act(struct scene *scene)
{
	struct state *state = scene->state;

	pair_connect(scene, &state->pair, false);
	pair_wait_tip(scene);
	pair_swap(scene);
	spread_news(scene, true);
	pair_swap(scene);
	blocks_mine(scene, 1);
	pair_wait_tip(scene);
	pair_disconnect(scene, &state->pair);
}

PAIR_SCENARIO(
	inbound_message, v2,
	.summary =
		"another bitcoind sends blocks, compact blocks and a transaction by the v2 transport: the events are as by v1",
	.subject = TP_NET_INBOUND_MESSAGE, .prepare = inbound_prepare, .act = inbound_act,
	.expect = expect_all, );

/* The same the other way round. */

static void
outbound_prepare(struct scene *scene)
{
	prepare(scene, 3);
	blocks_mine(scene, 2);
}

static void
outbound_act(struct scene *scene)
{
	struct state *state = scene->state;

	pair_connect(scene, &state->pair, true);
	pair_wait_tip(scene);
	spread_news(scene, false);
	pair_swap(scene);
	blocks_mine(scene, 1);
	pair_swap(scene);
	pair_wait_tip(scene);
	pair_disconnect(scene, &state->pair);
}

PAIR_SCENARIO(
	outbound_message, v2,
	.summary =
		"another bitcoind, connected to this one, is sent blocks, compact blocks and a transaction by the v2 transport",
	.subject = TP_NET_OUTBOUND_MESSAGE, .prepare = outbound_prepare, .act = outbound_act,
	.expect = expect_all, );
