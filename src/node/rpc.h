/* JSON-RPC over HTTP to 127.0.0.1: one connection that is kept. Below node_call, which is what others use. */
#ifndef TPCHECK_NODE_RPC_H
#define TPCHECK_NODE_RPC_H

#include "base/clock.h"
#include "base/diag.h"
#include "base/json.h"
#include "node/network.h"

#include <signal.h>
#include <stdint.h>

struct rpc;

enum {
	RPC_IN_WARMUP = -28, /* bitcoind's code while it loads */
};

struct rpc_opts {
	uint16_t port;                 /* on 127.0.0.1 */
	const char *cookie;            /* "user:password", as the cookie file has it */
	const struct network *network; /* where the port is; outlives the rpc */
	int ended_fd;                  /* becomes readable when the server's process ends; -1: none */
	const volatile sig_atomic_t *interrupted; /* see struct node_opts */
};

/* Does not connect yet. Never NULL. */
struct rpc *rpc_new(const struct rpc_opts *opts);
void rpc_free(struct rpc *rpc); /* NULL is fine */
/* The RPC error's message of the last call that gave -EREMOTEIO; "" before. Lent until the next call. */
const char *rpc_message(const struct rpc *rpc);

/* wallet is the name of the one that is meant, or NULL for what is no wallet's. params is the text of a JSON array.
 * *result is the member "result", the caller's; NULL when not wanted. Errors as with node_call; *code is the RPC
 * error's code with -EREMOTEIO, else 0. */
int rpc_call(struct rpc *rpc, struct deadline deadline, const char *wallet, const char *method,
	     const char *params, struct json **result, int *code, struct diag *diag);

#endif
