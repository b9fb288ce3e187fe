/* Connections in scenarios: peers on every network and in both directions, and the events that the connection
 * tracepoints must fire.
 *
 * When an event has fired. bitcoind's socket thread accepts peers, notices that a peer has gone and takes connections
 * down. I2P peers come in through a thread of their own. Outbound connections are made by the thread of the RPC that
 * asks for them, before it answers. A connection is counted (getconnectioncount) just before its inbound event fires,
 * and counted until after its closed event has fired. The socket thread does one thing after the other: once it has
 * brought us the pong to a ping that was sent after the connection was counted, the event has fired. So there is a
 * peer whose only purpose is to ping the node: the fence. Its pings also wake the socket thread, which otherwise looks
 * only every 50 ms for connections that other threads want closed. */
#ifndef TPCHECK_SCENE_CONNECTIONS_H
#define TPCHECK_SCENE_CONNECTIONS_H

#include "scene/peers.h"
#include "scene/scenario.h"

/* Listens on IPv4, on IPv6 where it can, for Tor and I2P, and reaches everything through stand-ins. Peers from
 * PEER_NOBAN_ADDRESS have the permission noban. */
extern const struct profile profile_network;
/* An argument of it, used if the node knows it: see node_has_arg. */
#define CONNECTIONS_PRIVATE "-privatebroadcast=1"

enum { CONNECTIONS_MAX = 270 }; /* as -maxconnections: more inbound ones than 8 bits can count */
/* A time for the node's clock: of 32 bits, as late as setmocktime allows, and neither now nor a round number. */
#define CONNECTIONS_TIME INT64_C(3402341479)

/* What every connection scenario checks. */
#define CONNECTION_TRACEPOINTS                                                                               \
	(TP_BIT(TP_NET_INBOUND_CONNECTION) | TP_BIT(TP_NET_OUTBOUND_CONNECTION) |                            \
	 TP_BIT(TP_NET_EVICTED_INBOUND_CONNECTION) | TP_BIT(TP_NET_CLOSED_CONNECTION) |                      \
	 TP_BIT(TP_NET_MISBEHAVING_CONNECTION))

/* A scenario on that node whose state is struct state. */
#define CONNECTION_SCENARIO(tracepoint_, behaviour_, ...)                                                    \
	DEFINE_SCENARIO(net, tracepoint_, behaviour_, .tracepoints = CONNECTION_TRACEPOINTS,                 \
			.profile = &profile_network, .state_sz = sizeof(struct state), __VA_ARGS__)

/* Skips where bitcoind may not open enough files for CONNECTIONS_MAX. For prepare. */
void connections_check_limit(struct scene *scene);
/* Waits until nobody is connected, and connects the fence, inbound. For prepare. */
void connections_begin(struct scene *scene, struct peer *fence);
/* Waits until the node has cnt connections, the fence included, and all earlier events have fired. */
void connections_wait(struct scene *scene, struct peer *fence, int64_t cnt);
/* Waits until the node has no connections, so that all closed events have fired. */
void connections_wait_none(struct scene *scene);
/* How many the node reports; 0 after a failure. */
void connections_cnt(struct scene *scene, int64_t *inbound, int64_t *outbound);

/* Comes in by the port for Tor. */
void connection_enter_onion(struct scene *scene, struct peer *peer);
/* Comes in from an address of the node's own network: NODE_IPV4 or its like, NODE_IPV6, NODE_CJDNS. */
void connection_enter_from(struct scene *scene, struct peer *peer, const char *from);
/* Comes in by I2P as destination number nth; its event has fired afterwards. */
void connection_enter_i2p(struct scene *scene, struct peer *peer, unsigned nth);
/* Makes the node connect to an address or name through a stand-in; type as for peers_ask_for. Its event has fired
 * afterwards. */
void connection_call(struct scene *scene, struct peer *peer, const char *type, const char *address);
/* The same when the node connects of its own accord. Its event may still be to come. */
void connection_take_call(struct scene *scene, struct peer *peer, const char *address);

/* Ends the connections of peers, waits until nobody is connected, and lets the clock run; for the end of expect. */
void connections_end(struct scene *scene, struct peer *peers, size_t cnt);

/* One event each, from what peers_learn learnt. cnt: how many connections of that direction there are then. */
void connection_expect_opened(struct scene *scene, const struct peer *peer, bool inbound, int64_t cnt);
void connection_expect_evicted(struct scene *scene, const struct peer *peer);
void connection_expect_closed(struct scene *scene, const struct peer *peer);

#endif
