/* The rows of tracepoints.def, and their macros. */
#include "contract/contract.h"

#include <string.h>

static const char *const flush_modes[] = {"NONE", "IF_NEEDED", "PERIODIC", "FORCE_FLUSH", "FORCE_SYNC", NULL};
static const char *const networks[] = {"unroutable", "IPv4",  "IPv6",     "Onion",
				       "I2P",        "CJDNS", "internal", NULL};

#define NETWORK_DIFFERENCE                                                                                   \
	"the document lists 1 to 5; 0 (not routable, such as every loopback peer) and 6 (internal) occur as well"
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
#define SIZE(n, u, m)                                                                                        \
	{                                                                                                    \
		.name = n, .type = ARG_UINT64, .code_type = ARG_UINT64, .is_size = true, .unit = u,          \
		.meaning = m                                                                                 \
	}
#define LEVEL(arg_type, n, u, m)                                                                             \
	{                                                                                                    \
		.name = n, .type = arg_type, .code_type = arg_type, .is_level = true, .unit = u,             \
		.meaning = m                                                                                 \
	}
#define SIZE_LEVEL(n, u, m)                                                                                  \
	{                                                                                                    \
		.name = n, .type = ARG_UINT64, .code_type = ARG_UINT64, .is_size = true, .is_level = true,   \
		.unit = u, .meaning = m                                                                      \
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
/* An argument that says what the event is about. */
#define KEY(n, t, ...)                                                                                       \
	{                                                                                                    \
		.name = n, .type = t, .code_type = t, .identifies = true, __VA_ARGS__                        \
	}
#define HASH(n, m) KEY(n, ARG_HASH, .meaning = m)
#define STRING(n, max, m)                                                                                    \
	{                                                                                                    \
		.name = n, .type = ARG_STRING, .code_type = ARG_STRING, .max_chars = max, .meaning = m       \
	}
#define UINT64_PASSED_SIGNED(n, u, m, d)                                                                     \
	{                                                                                                    \
		.name = n, .type = ARG_UINT64, .code_type = ARG_INT64, .unit = u, .meaning = m,              \
		.difference = d                                                                              \
	}

#define PEER_ID KEY("peer_id", ARG_INT64, .meaning = "peer id")
#define PEER_ADDRESS                                                                                         \
	KEY("address", ARG_STRING, .max_chars = 68,                                                          \
	    .meaning =                                                                                       \
		    "peer address and port (an Onion v3 address with port has 68 characters; host names may be longer)")
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
	PEER_ID, PEER_ADDRESS, CONNECTION_TYPE,                                                              \
		KEY("message_type", ARG_STRING, .max_chars = 20,                                             \
		    .meaning = "message type (inv, ping, ...)"),                                             \
		SIZE("size", "B", "message size"),                                                           \
	{                                                                                                    \
		.name = "payload", .type = ARG_BYTES, .code_type = ARG_BYTES, .size_arg = 5,                 \
		.meaning = "message bytes; messages over 32 KiB may be cut"                                  \
	}
#define COIN_ARGS(height_meaning, height_difference)                                                         \
	HASH("txid", "transaction id"), KEY("vout", ARG_UINT32, .meaning = "output index"),                  \
		{.name = "height",                                                                           \
		 .type = ARG_UINT32,                                                                         \
		 .code_type = ARG_UINT32,                                                                    \
		 .meaning = height_meaning,                                                                  \
		 .difference = height_difference},                                                           \
		INT64("value", "sat", "value of the coin"),                                                  \
		BOOL("is_coinbase", "whether the coin is a coinbase")

static const struct contract_tracepoint rows[TRACEPOINTS_CNT] = {
#define TRACEPOINT(ID, c, n, ...)                                                                            \
	[TP_##ID] = {.id = TP_##ID,                                                                          \
		     .context = #c,                                                                          \
		     .name = #n,                                                                             \
		     .full_name = #c ":" #n,                                                                 \
		     .release = RELEASE_MASTER,                                                              \
		     __VA_ARGS__},
#include "contract/tracepoints.def"
#undef TRACEPOINT
};

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

bool
contract_knows_message_type(const uint8_t *type, size_t len)
{
	static const char *const types[] = {
		"addr",        "addrv2",      "block",      "blocktxn",    "cfcheckpt",    "cfheaders",
		"cfilter",     "cmpctblock",  "feature",    "feefilter",   "filteradd",    "filterclear",
		"filterload",  "getaddr",     "getblocks",  "getblocktxn", "getcfcheckpt", "getcfheaders",
		"getcfilters", "getdata",     "getheaders", "headers",     "inv",          "mempool",
		"merkleblock", "notfound",    "ping",       "pong",        "sendaddrv2",   "sendcmpct",
		"sendheaders", "sendtxrcncl", "tx",         "verack",      "version",      "wtxidrelay",
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i]) == len && !memcmp(types[i], type, len))
			return true;
	return false;
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
