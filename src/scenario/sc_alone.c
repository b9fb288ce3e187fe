/* Each tracepoint attached by itself: it fires as it does in company. bitcoind prepares the arguments of a tracepoint
 * only while its semaphore is raised; one that looks at another's semaphore, by a mistake in copying, fires for whoever
 * attaches both. */
#include "scenario/registry.h"
#include "scene/connections.h"
#include "scene/pair.h"
#include "scene/profiles.h"
#include "scene/wallets.h"

#define ALONE_WITH(context_, tracepoint_, id_, behaviour_, ...)                                              \
	DEFINE_SCENARIO(context_, tracepoint_, alone,                                                        \
			.summary = #context_ ":" #tracepoint_                                                \
				   " fires as in '" #behaviour_ "' when no other tracepoint is attached",    \
			.subject = id_, .tracepoints = TP_BIT(id_),                                          \
			.alone_of = &sc_##context_##_##tracepoint_##_##behaviour_, __VA_ARGS__)

/* The profile is that of the behaviour. */
#define ALONE(profile_name_, context_, tracepoint_, id_, behaviour_)                                         \
	ALONE_WITH(context_, tracepoint_, id_, behaviour_, .profile = &profile_##profile_name_)
ALONE(default, validation, block_connected, TP_VALIDATION_BLOCK_CONNECTED, submit);
ALONE(default, net, inbound_message, TP_NET_INBOUND_MESSAGE, requests);
ALONE(default, net, outbound_message, TP_NET_OUTBOUND_MESSAGE, answers);
ALONE(default, net, misbehaving_connection, TP_NET_MISBEHAVING_CONNECTION, peers);
ALONE(default, mempool, added, TP_MEMPOOL_ADDED, tried);
ALONE(default, mempool, removed, TP_MEMPOOL_REMOVED, conflict);
ALONE(default, mempool, replaced, TP_MEMPOOL_REPLACED, one);
ALONE(default, mempool, rejected, TP_MEMPOOL_REJECTED, rpc);
ALONE(coins, utxocache, add, TP_UTXOCACHE_ADD, outputs);
ALONE(coins, utxocache, spent, TP_UTXOCACHE_SPENT, inputs);
ALONE(coins, utxocache, uncache, TP_UTXOCACHE_UNCACHE, rejected);
ALONE(coins, utxocache, flush, TP_UTXOCACHE_FLUSH, gettxoutsetinfo);
ALONE(network, net, inbound_connection, TP_NET_INBOUND_CONNECTION, peers);
ALONE(network, net, outbound_connection, TP_NET_OUTBOUND_CONNECTION, types);
ALONE(network, net, closed_connection, TP_NET_CLOSED_CONNECTION, remote);
/* "relay" needs fewer peers than "full". */
ALONE(pair, net, evicted_inbound_connection, TP_NET_EVICTED_INBOUND_CONNECTION, relay);

#define ALONE_WALLET(tracepoint_, id_, behaviour_)                                                           \
	ALONE_WITH(coin_selection, tracepoint_, id_, behaviour_, .profile = &profile_wallet,                 \
		   .needs_wallet = true)
ALONE_WALLET(selected_coins, TP_COIN_SELECTION_SELECTED_COINS, manual);
ALONE_WALLET(normal_create_tx_internal, TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL, change_position);
ALONE_WALLET(attempting_aps_create_tx, TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX, no_fee);
ALONE_WALLET(aps_create_tx_internal, TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL, used);
