/* JSON-RPC over HTTP to 127.0.0.1, over connections that stay open. Below node_call, which other modules use. */
#ifndef TPCHECK_NODE_RPC_H
#define TPCHECK_NODE_RPC_H

#include "base/clock.h"
#include "base/diag.h"
#include "base/json.h"
#include "node/network.h"

#include <stdatomic.h>
#include <stdint.h>

struct rpc;

enum {
	RPC_IN_WARMUP = -28, /* the error code of bitcoind while it loads */
};

struct rpc_opts {
	uint16_t port;                 /* on 127.0.0.1 */
	const char *cookie;            /* the content of the cookie file: "user:password" */
	const struct network *network; /* where the port is; outlives the rpc */
	int ended_fd;                  /* readable once the server's process has ended; -1: none */
	const atomic_int *interrupted; /* see struct node_opts */
};

/* Does not connect yet. Never NULL. */
struct rpc *rpc_new(const struct rpc_opts *opts);
void rpc_free(struct rpc *rpc); /* NULL is fine */
/* The message of the last RPC error; "" if there was none. Lent until the next call. */
const char *rpc_message(const struct rpc *rpc);

/* wallet is a wallet's name; NULL: the call is for no wallet. params is the text of a JSON array. *result is the member
 * "result", the caller's to json_free; result may be NULL. Errors are those of node_call; *rpc_code is the code of the
 * RPC error with -EREMOTEIO, else 0. */
int rpc_call(struct rpc *rpc, struct deadline deadline, const char *wallet, const char *method,
	     const char *params, struct json **result, int *rpc_code, struct diag *diag);

/* Wakes the server's I/O loop: somebody connects to the port, and leaves. */
void rpc_knock(const struct network *network, uint16_t port);

#endif
