/* Each tracepoint attached by itself: it fires as it does in company. bitcoind prepares the arguments of a tracepoint
 * only while its semaphore is raised; one that looks at another's semaphore, by a mistake in copying, fires for whoever
 * attaches both. */
#include "scenario/registry.h"
#include "scene/connections.h"
#include "scene/pair.h"
#include "scene/profiles.h"
#include "scene/wallets.h"

#define ALONE(context_, tracepoint_, id_, behaviour_, ...)                                                   \
	DEFINE_SCENARIO(context_, tracepoint_, alone,                                                        \
			.summary = #context_ ":" #tracepoint_                                                \
				   " fires as in '" #behaviour_ "' when no other tracepoint is attached",    \
			.subject = id_, .tracepoints = TP_BIT(id_),                                          \
			.alone_of = &sc_##context_##_##tracepoint_##_##behaviour_, __VA_ARGS__)

#define ALONE_DEFAULT(context_, tracepoint_, id_, behaviour_)                                                \
	ALONE(context_, tracepoint_, id_, behaviour_, .profile = &profile_default)
ALONE_DEFAULT(validation, block_connected, TP_VALIDATION_BLOCK_CONNECTED, submit);
ALONE_DEFAULT(net, inbound_message, TP_NET_INBOUND_MESSAGE, requests);
ALONE_DEFAULT(net, outbound_message, TP_NET_OUTBOUND_MESSAGE, answers);
ALONE_DEFAULT(net, misbehaving_connection, TP_NET_MISBEHAVING_CONNECTION, peers);
ALONE_DEFAULT(mempool, added, TP_MEMPOOL_ADDED, tried);
ALONE_DEFAULT(mempool, removed, TP_MEMPOOL_REMOVED, conflict);
ALONE_DEFAULT(mempool, replaced, TP_MEMPOOL_REPLACED, one);
ALONE_DEFAULT(mempool, rejected, TP_MEMPOOL_REJECTED, rpc);

#define ALONE_COINS(context_, tracepoint_, id_, behaviour_)                                                  \
	ALONE(context_, tracepoint_, id_, behaviour_, .profile = &profile_coins)
ALONE_COINS(utxocache, add, TP_UTXOCACHE_ADD, outputs);
ALONE_COINS(utxocache, spent, TP_UTXOCACHE_SPENT, inputs);
ALONE_COINS(utxocache, uncache, TP_UTXOCACHE_UNCACHE, rejected);
ALONE_COINS(utxocache, flush, TP_UTXOCACHE_FLUSH, gettxoutsetinfo);

#define ALONE_WALLET(tracepoint_, id_, behaviour_)                                                           \
	ALONE(coin_selection, tracepoint_, id_, behaviour_, .profile = &profile_wallet, .needs_wallet = true)
ALONE_WALLET(selected_coins, TP_COIN_SELECTION_SELECTED_COINS, manual);
ALONE_WALLET(normal_create_tx_internal, TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL, change_position);
ALONE_WALLET(attempting_aps_create_tx, TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX, no_fee);
ALONE_WALLET(aps_create_tx_internal, TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL, used);

#define ALONE_NETWORK(tracepoint_, id_, behaviour_)                                                          \
	ALONE(net, tracepoint_, id_, behaviour_, .profile = &profile_network)
ALONE_NETWORK(inbound_connection, TP_NET_INBOUND_CONNECTION, peers);
ALONE_NETWORK(outbound_connection, TP_NET_OUTBOUND_CONNECTION, types);
ALONE_NETWORK(closed_connection, TP_NET_CLOSED_CONNECTION, remote);

/* Where fewer peers are enough. */
ALONE(net, evicted_inbound_connection, TP_NET_EVICTED_INBOUND_CONNECTION, relay, .profile = &profile_pair);
