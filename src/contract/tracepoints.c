/* The rows. Order and wording of the arguments follow doc/tracing.md; "since" follows the release branches. */
#include "contract/contract.h"

#include <string.h>

static const char *const flush_modes[] = {"NONE", "IF_NEEDED", "PERIODIC", "FORCE_FLUSH", "FORCE_SYNC", NULL};
static const char *const networks[] = {"unroutable", "IPv4",  "IPv6",     "Onion",
				       "I2P",        "CJDNS", "internal", NULL};

#define NETWORK_DIFFERENCE                                                                                   \
	"the document lists 1 to 5; 0 (not routable, every loopback peer) and 6 (internal) occur as well"
#define ESTABLISHED_DIFFERENCE "documented as uint64; the code passes a signed 64-bit count of seconds"
#define HEIGHT_DIFFERENCE(verb)                                                                              \
	"the document says the height at which the coin was " verb                                           \
	"; the code passes the height at which it was created"

#define INT64(n, u, m)                                                                                       \
	{                                                                                                    \
		.name = n, .type = ARG_INT64, .code_type = ARG_INT64, .unit = u, .meaning = m                \
	}
#define UINT64(n, u, m)                                                                                      \
	{                                                                                                    \
		.name = n, .type = ARG_UINT64, .code_type = ARG_UINT64, .unit = u, .meaning = m              \
	}
#define INT32(n, u, m)                                                                                       \
	{                                                                                                    \
		.name = n, .type = ARG_INT32, .code_type = ARG_INT32, .unit = u, .meaning = m                \
	}
#define UINT32(n, u, m)                                                                                      \
	{                                                                                                    \
		.name = n, .type = ARG_UINT32, .code_type = ARG_UINT32, .unit = u, .meaning = m              \
	}
#define BOOL(n, m)                                                                                           \
	{                                                                                                    \
		.name = n, .type = ARG_BOOL, .code_type = ARG_BOOL, .meaning = m                             \
	}
#define HASH(n, m)                                                                                           \
	{                                                                                                    \
		.name = n, .type = ARG_HASH, .code_type = ARG_HASH, .meaning = m                             \
	}
#define STRING(n, max, m)                                                                                    \
	{                                                                                                    \
		.name = n, .type = ARG_STRING, .code_type = ARG_STRING, .max_chars = max, .meaning = m       \
	}
#define UINT64_PASSED_SIGNED(n, u, m, d)                                                                     \
	{                                                                                                    \
		.name = n, .type = ARG_UINT64, .code_type = ARG_INT64, .unit = u, .meaning = m,              \
		.difference = d                                                                              \
	}

#define PEER_ID INT64("peer_id", NULL, "peer id")
#define PEER_ADDRESS                                                                                         \
	STRING("address", 68,                                                                                \
	       "peer address and port (an Onion v3 address with port has 68 characters; host names may be "  \
	       "longer)")
#define CONNECTION_TYPE                                                                                      \
	STRING("connection_type", 20, "connection type (inbound, feeler, outbound-full-relay, ...)")
#define NETWORK                                                                                              \
	{                                                                                                    \
		.name = "network", .type = ARG_UINT32, .code_type = ARG_UINT32, .value_names = networks,     \
		.meaning = "network of the peer", .difference = NETWORK_DIFFERENCE                           \
	}
#define ESTABLISHED                                                                                          \
	UINT64_PASSED_SIGNED("established", "s since the epoch", "when the connection was established",      \
			     ESTABLISHED_DIFFERENCE)
#define MESSAGE_ARGS                                                                                         \
	PEER_ID, PEER_ADDRESS, CONNECTION_TYPE, STRING("message_type", 20, "message type (inv, ping, ...)"), \
		UINT64("size", "B", "message size"),                                                         \
	{                                                                                                    \
		.name = "payload", .type = ARG_BYTES, .code_type = ARG_BYTES, .size_arg = 5,                 \
		.meaning = "message bytes; more than 32 KiB may be cut"                                      \
	}
#define COIN_ARGS(height_meaning, height_difference)                                                         \
	HASH("txid", "transaction id"), UINT32("vout", NULL, "output index"),                                \
		{.name = "height",                                                                           \
		 .type = ARG_UINT32,                                                                         \
		 .code_type = ARG_UINT32,                                                                    \
		 .meaning = height_meaning,                                                                  \
		 .difference = height_difference},                                                           \
		INT64("value", "sat", "value of the coin"),                                                  \
		BOOL("is_coinbase", "whether the coin is a coinbase")
#define ROW(ID, c, n) .id = ID, .context = c, .name = n, .full_name = c ":" n

/* One row a tracepoint, laid out by hand. */
// clang-format off
static const struct contract_tracepoint rows[TRACEPOINTS_CNT] = {
	[TP_NET_INBOUND_MESSAGE] = {
		ROW(TP_NET_INBOUND_MESSAGE, "net", "inbound_message"), .since = 23,
		.when = "a message was received from a peer",
		.args_cnt = 6, .args = {MESSAGE_ARGS},
	},
	[TP_NET_OUTBOUND_MESSAGE] = {
		ROW(TP_NET_OUTBOUND_MESSAGE, "net", "outbound_message"), .since = 23,
		.when = "a message is sent to a peer",
		.args_cnt = 6, .args = {MESSAGE_ARGS},
	},
	[TP_NET_INBOUND_CONNECTION] = {
		ROW(TP_NET_INBOUND_CONNECTION, "net", "inbound_connection"), .since = 29,
		.when = "a new inbound connection was opened to the node",
		.args_cnt = 5,
		.args = {PEER_ID, PEER_ADDRESS, CONNECTION_TYPE, NETWORK,
			 UINT64("connections", NULL, "inbound connections, this one included")},
	},
	[TP_NET_OUTBOUND_CONNECTION] = {
		ROW(TP_NET_OUTBOUND_CONNECTION, "net", "outbound_connection"), .since = 29,
		.when = "a new outbound connection was opened by the node",
		.args_cnt = 5,
		.args = {PEER_ID, PEER_ADDRESS, CONNECTION_TYPE, NETWORK,
			 UINT64("connections", NULL, "outbound connections, this one included")},
	},
	[TP_NET_EVICTED_INBOUND_CONNECTION] = {
		ROW(TP_NET_EVICTED_INBOUND_CONNECTION, "net", "evicted_inbound_connection"), .since = 29,
		.when = "the node evicts an inbound connection",
		.args_cnt = 5, .args = {PEER_ID, PEER_ADDRESS, CONNECTION_TYPE, NETWORK, ESTABLISHED},
	},
	[TP_NET_MISBEHAVING_CONNECTION] = {
		ROW(TP_NET_MISBEHAVING_CONNECTION, "net", "misbehaving_connection"), .since = 29,
		.when = "a peer misbehaves",
		.args_cnt = 2, .args = {PEER_ID, STRING("reason", 128, "why the peer is misbehaving")},
	},
	[TP_NET_CLOSED_CONNECTION] = {
		ROW(TP_NET_CLOSED_CONNECTION, "net", "closed_connection"), .since = 29,
		.when = "a connection is closed",
		.args_cnt = 5, .args = {PEER_ID, PEER_ADDRESS, CONNECTION_TYPE, NETWORK, ESTABLISHED},
	},
	[TP_VALIDATION_BLOCK_CONNECTED] = {
		ROW(TP_VALIDATION_BLOCK_CONNECTED, "validation", "block_connected"), .since = 23,
		.when = "after a block was connected to the chain",
		.args_cnt = 6,
		.args = {
			HASH("hash", "block header hash"),
			INT32("height", NULL, "block height"),
			UINT64("transactions", NULL, "transactions in the block"),
			{.name = "inputs", .type = ARG_INT32, .code_type = ARG_INT32,
			.meaning = "inputs spent in the block",
			 .difference = "the coinbase's one input is counted too: 1 for an empty block"},
			UINT64_PASSED_SIGNED("sigops", NULL, "signature operations in the block",
				"documented as a count without the coinbase's; the code passes the sigop cost (legacy "
				"ones count 4), the coinbase's legacy ones included, as a signed number"),
			UINT64_PASSED_SIGNED("duration", "ns", "time it took to connect the block",
				"documented as uint64; the code passes a signed 64-bit count of nanoseconds"),
		},
	},
	[TP_UTXOCACHE_FLUSH] = {
		ROW(TP_UTXOCACHE_FLUSH, "utxocache", "flush"), .since = 23,
		.when = "after the in-memory UTXO cache was flushed",
		.args_cnt = 5,
		.args = {
			INT64("duration", "us", "time it took to flush the cache"),
			{.name = "mode", .type = ARG_UINT32, .code_type = ARG_UINT32, .value_names = flush_modes,
			 .meaning = "flush state mode"},
			UINT64("coins", NULL, "coins in the cache before the flush"),
			UINT64("memory", "B", "memory the cache used before the flush"),
			BOOL("for_prune", "whether pruning caused the flush"),
		},
	},
	[TP_UTXOCACHE_ADD] = {
		ROW(TP_UTXOCACHE_ADD, "utxocache", "add"), .since = 23,
		.when = "a coin is added to a UTXO cache, which can be a temporary one",
		.args_cnt = 5, .args = {COIN_ARGS("block height at which the coin was added to the UTXO set", NULL)},
	},
	[TP_UTXOCACHE_SPENT] = {
		ROW(TP_UTXOCACHE_SPENT, "utxocache", "spent"), .since = 23,
		.when = "a coin is spent from a UTXO cache, which can be a temporary one",
		.args_cnt = 5, .args = {COIN_ARGS("block height of the coin", HEIGHT_DIFFERENCE("spent"))},
	},
	[TP_UTXOCACHE_UNCACHE] = {
		ROW(TP_UTXOCACHE_UNCACHE, "utxocache", "uncache"), .since = 23,
		.when = "a coin is purposefully unloaded from a UTXO cache",
		.args_cnt = 5, .args = {COIN_ARGS("block height of the coin", HEIGHT_DIFFERENCE("uncached"))},
	},
	[TP_COIN_SELECTION_SELECTED_COINS] = {
		ROW(TP_COIN_SELECTION_SELECTED_COINS, "coin_selection", "selected_coins"), .since = 24,
		.when = "SelectCoins completed",
		.difference = "it fires only when the selection succeeds",
		.args_cnt = 5,
		.args = {STRING("wallet", 0, "wallet name"), STRING("algorithm", 0, "coin selection algorithm"),
			 INT64("target", "sat", "selection target value"),
			 INT64("waste", "sat", "waste metric of the solution"),
			 INT64("selected", "sat", "total value of the selected inputs")},
	},
	[TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL] = {
		ROW(TP_COIN_SELECTION_NORMAL_CREATE_TX_INTERNAL, "coin_selection", "normal_create_tx_internal"),
		.since = 24,
		.when = "the first CreateTransactionInternal completed",
		.args_cnt = 4,
		.args = {STRING("wallet", 0, "wallet name"), BOOL("success", "whether it succeeded"),
			 INT64("fee", "sat", "expected transaction fee"),
			 INT32("change_position", NULL, "position of the change output; -1 when there is none")},
	},
	[TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX] = {
		ROW(TP_COIN_SELECTION_ATTEMPTING_APS_CREATE_TX, "coin_selection", "attempting_aps_create_tx"),
		.since = 24,
		.when = "before the second CreateTransactionInternal, which avoids partial spends",
		.args_cnt = 1, .args = {STRING("wallet", 0, "wallet name")},
	},
	[TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL] = {
		ROW(TP_COIN_SELECTION_APS_CREATE_TX_INTERNAL, "coin_selection", "aps_create_tx_internal"),
		.since = 24,
		.when = "the second CreateTransactionInternal, which avoids partial spends, completed",
		.args_cnt = 5,
		.args = {STRING("wallet", 0, "wallet name"), BOOL("use_aps", "whether this solution will be used"),
			 BOOL("success", "whether it succeeded"), INT64("fee", "sat", "expected transaction fee"),
			 INT32("change_position", NULL, "position of the change output; -1 when there is none")},
	},
	[TP_MEMPOOL_ADDED] = {
		ROW(TP_MEMPOOL_ADDED, "mempool", "added"), .since = 25,
		.when = "a transaction was added to the mempool",
		.args_cnt = 3,
		.args = {HASH("txid", "transaction id"), INT32("vsize", "vB", "virtual size"),
		INT64("fee", "sat", "fee")},
	},
	[TP_MEMPOOL_REMOVED] = {
		ROW(TP_MEMPOOL_REMOVED, "mempool", "removed"), .since = 25,
		.when = "a transaction is removed from the mempool",
		.args_cnt = 5,
		.args = {HASH("txid", "transaction id"), STRING("reason", 9, "removal reason"),
		INT32("vsize", "vB", "virtual size"),
			 INT64("fee", "sat", "fee"),
			 UINT64("entry_time", "s since the epoch", "when it entered the mempool")},
	},
	[TP_MEMPOOL_REPLACED] = {
		ROW(TP_MEMPOOL_REPLACED, "mempool", "replaced"), .since = 25,
		.when = "a transaction in the mempool is replaced; once for each one replaced",
		.args_cnt = 8,
		.args = {HASH("replaced_txid", "id of the replaced transaction"),
			 INT32("replaced_vsize", "vB", "its virtual size"),
			 INT64("replaced_fee", "sat", "its fee"),
			 UINT64("replaced_entry_time", "s since the epoch", "when it entered the mempool"),
			 HASH("replacement_hash", "id of the replacement transaction, or the package hash"),
			 INT32("replacement_vsize", "vB", "virtual size of the replacement"),
			 INT64("replacement_fee", "sat", "fee of the replacement"),
			 {.name = "is_txid", .type = ARG_BOOL, .code_type = ARG_BOOL, .since = 29,
			  .meaning = "whether argument 5 is a transaction id (else a package hash)"}},
	},
	[TP_MEMPOOL_REJECTED] = {
		ROW(TP_MEMPOOL_REJECTED, "mempool", "rejected"), .since = 25,
		.when = "a transaction is not permitted to enter the mempool",
		.args_cnt = 2, .args = {HASH("txid", "transaction id"), STRING("reason", 118, "reject reason")},
	},
};
// clang-format on

const struct contract_tracepoint *
contract_get(enum tracepoint_id id)
{
	return &rows[id];
}

const struct contract_tracepoint *
contract_find(const char *context, const char *name)
{
	for (int i = 0; i < TRACEPOINTS_CNT; i++)
		if (!strcmp(rows[i].context, context) && !strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

const char *
arg_type_name(enum arg_type type)
{
	switch (type) {
	case ARG_INT64:
		return "int64";
	case ARG_UINT64:
		return "uint64";
	case ARG_INT32:
		return "int32";
	case ARG_UINT32:
		return "uint32";
	case ARG_BOOL:
		return "bool";
	case ARG_HASH:
		return "pointer to 32 bytes";
	case ARG_STRING:
		return "pointer to C string";
	case ARG_BYTES:
		return "pointer to bytes";
	}
	return "?";
}

unsigned
arg_type_width(enum arg_type type, unsigned pointer_bytes)
{
	switch (type) {
	case ARG_INT64:
	case ARG_UINT64:
		return 8;
	case ARG_INT32:
	case ARG_UINT32:
		return 4;
	case ARG_BOOL:
		return 1;
	case ARG_HASH:
	case ARG_STRING:
	case ARG_BYTES:
		return pointer_bytes;
	}
	return 0;
}

bool
arg_type_is_signed(enum arg_type type)
{
	return type == ARG_INT64 || type == ARG_INT32;
}
