/* Connections in scenarios: peers on every network and in both directions, and what the connection tracepoints must
 * show of them.
 *
 * When an event has fired. bitcoind's socket thread accepts, finds that a peer has gone and takes connections down;
 * I2P peers come in through a thread of their own; outbound connections are made by the thread of the RPC that asks
 * for them, before it answers. A connection is counted (getconnectioncount) just before its inbound event fires, and
 * is no longer counted only after its closed event has fired. The socket thread does one thing after the other: when
 * it has brought us a pong to a ping that was sent after the connection was counted, the event has fired. So there is
 * a peer that does nothing but answer for the node, the fence. Its pings also wake the socket thread, which would else
 * look every 50 ms what other threads want to be closed. */
#ifndef TPCHECK_SCENE_CONNECTIONS_H
#define TPCHECK_SCENE_CONNECTIONS_H

#include "scene/peers.h"
#include "scene/scenario.h"

/* Listens on IPv4, on IPv6 where it can, for Tor and I2P, and reaches everything through stand-ins. Whoever comes from
 * PEER_NOBAN_ADDRESS has the permission noban. */
extern const struct profile profile_network;
/* It has this if it knows it: see node_has_arg. */
#define CONNECTIONS_PRIVATE "-privatebroadcast=1"

enum { CONNECTIONS_MAX = 270 }; /* as -maxconnections: more inbound ones than 8 bits */
/* A time for the node's clock: of 32 bits, as far as setmocktime goes, and neither now nor a multiple of anything. */
#define CONNECTIONS_TIME INT64_C(3402341479)

/* What every connection scenario judges. */
#define CONNECTION_TRACEPOINTS                                                                               \
	(TP_BIT(TP_NET_INBOUND_CONNECTION) | TP_BIT(TP_NET_OUTBOUND_CONNECTION) |                            \
	 TP_BIT(TP_NET_EVICTED_INBOUND_CONNECTION) | TP_BIT(TP_NET_CLOSED_CONNECTION) |                      \
	 TP_BIT(TP_NET_MISBEHAVING_CONNECTION))

/* A skip where bitcoind may not open enough files for CONNECTIONS_MAX. For prepare. */
int connections_check_limit(struct scene *scene, struct diag *diag);
/* Waits until nobody is connected, and connects the fence, inbound. For prepare. */
int connections_begin(struct scene *scene, struct peer *fence, struct diag *diag);
/* Waits until the node has so many connections, the fence included, and all events until then have fired. */
int connections_wait(struct scene *scene, struct peer *fence, int64_t cnt, struct diag *diag);
/* Waits until the node has none at all, so that all closed events have fired. */
int connections_wait_none(struct scene *scene, struct diag *diag);
/* How many the node says it has. */
int connections_cnt(struct scene *scene, int64_t *inbound, int64_t *outbound, struct diag *diag);

/* Comes in by the port for Tor. */
int connection_enter_onion(struct scene *scene, struct peer *peer, struct diag *diag);
/* Comes in from an address of the node's own network: NODE_IPV4 or its like, NODE_IPV6, NODE_CJDNS. */
int connection_enter_from(struct scene *scene, struct peer *peer, const char *from, struct diag *diag);
/* Comes in by I2P as destination number nth; its event has fired then. */
int connection_enter_i2p(struct scene *scene, struct peer *peer, unsigned nth, struct diag *diag);
/* Makes the node connect to an address or name, which goes through a stand-in; type as addconnection has it or
 * "manual". Its event has fired then. */
int connection_call(struct scene *scene, struct peer *peer, const char *type, const char *address,
		    struct diag *diag);
/* The same when the node has its own reasons to connect. Its event may still have to fire. */
int connection_take_call(struct scene *scene, struct peer *peer, const char *address, struct diag *diag);
/* connection_call to a port of ours on 127.0.0.1, directly. */
int connection_call_directly(struct scene *scene, struct peer *peer, const char *type, struct diag *diag);

/* Sets the node's clock; 0: the real one. */
int connections_set_time(struct scene *scene, int64_t time_s, struct diag *diag);
/* Ends the connections of peers, waits until nobody is connected, and lets the clock go on; at the end of expect. */
int connections_end(struct scene *scene, struct peer *peers, size_t cnt, struct diag *diag);

/* An event of one of the four: its first four arguments as getpeerinfo told (peers_learn), and the fifth. */
void connection_expect_opened(struct scene *scene, const struct peer *peer, bool inbound, int64_t cnt);
void connection_expect_evicted(struct scene *scene, const struct peer *peer);
void connection_expect_closed(struct scene *scene, const struct peer *peer);

#endif
