/* Between the files of node.h. Each may call those above it:
 *
 *	node_files.c  the files that bitcoind reads and writes
 *	node_state.c  what is known of the node; how it ended
 *	node_call.c   calls by RPC
 *	node_spawn.c  ports, arguments and environment; one start of the process
 *	node_ready.c  from a started process to a ready node
 *	node_gate.c   holding a bitcoind that starts
 *	node.c        start, restart, stop and free
 *
 * and node_find.c, which needs no node. */
#ifndef TPCHECK_NODE_NODE_INTERNAL_H
#define TPCHECK_NODE_NODE_INTERNAL_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "node/datadir.h"
#include "node/idle.h"
#include "node/network.h"
#include "node/node.h"
#include "node/process.h"
#include "node/rpc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NODE_CHAIN_DIR   "regtest"
#define NODE_LOG_FILE    "debug.log" /* in NODE_CHAIN_DIR */
#define NODE_GATE_FILE   "gate"
#define NODE_BLOCKS_FILE "blocks.dat" /* what is imported */
#define NODE_OUTPUT_FILE "output.txt" /* stdout and stderr of bitcoind */

enum node_port {
	PORT_RPC,
	PORT_P2P,
	PORT_ONION, /* bitcoind before v28 binds one in any case; a fixed one unless given */
	PORT_CNT,
};

/* A server of ours that bitcoind is configured to use. */
struct node_server {
	struct stand_in *stand_in; /* NULL: none */
	uint16_t port;
};

struct node {
	char *binary;
	char **args,
		**args_if_known; /* of the options, NULL-terminated; args_if_known without the unknown ones */
	char **env;              /* of the options, NULL-terminated */
	char *start_hint;        /* or "" */
	bool listen, finds_peers;
	bool short_log;
	bool imports;             /* NODE_BLOCKS_FILE, at the next start */
	const struct buf *blocks; /* to be written there; NULL: nothing */
	const atomic_int *interrupted;
	struct process_user user;
	struct network network;
	struct node_server proxy, i2p;
	struct datadir datadir;
	struct process process;
	struct idle idle; /* of the process */
	struct rpc *rpc;  /* NULL until there is a cookie */
	uint16_t ports[PORT_CNT];
	enum node_hold hold; /* where bitcoind is started to wait; see node_gate.c */
	int gate_fd;         /* our end of the gate; -1: not open */
	/* The sizes of debug.log and of its output when bitcoind was started. */
	uint64_t log_start, output_start;
	unsigned starts; /* since node_start or node_restart */
	int version;
	char *subversion;
	int rpc_code;
	char end_text[160];
};

/* node_files.c */
/* Opens a file in the datadir, made for bitcoind's user if it is missing; a descriptor or a negative errno value. */
int node_open_file(struct node *node, const char *name);
/* Adds the last lines of bitcoind's output and of its log, each under the file's name, if there are any. */
void node_add_tails(struct node *node, struct buf *out);
/* Whether bitcoind printed the phrase since it was started: among the last 512 KiB of its output. */
bool node_printed(struct node *node, const char *phrase);
/* Whether bitcoind wrote the phrase since it was started: among the last 512 KiB of its output or of its log. */
bool node_wrote(struct node *node, const char *phrase);

/* node_state.c */
/* Fails with -ECHILD: how bitcoind ended, and what it wrote last. */
int node_fail_ended(struct node *node, const char *doing, struct diag *diag);

/* node_call.c */
void node_close_rpc(struct node *node); /* for when there is a new cookie, or the node ends */

/* node_spawn.c */
char **node_copy_args(const char *const *args); /* NULL-terminated; args may be NULL */
void node_free_args(char **args);               /* NULL is fine */
/* What every node is started with, followed by these (may be NULL), all of which are left out if bitcoind does not know
 * them; the caller's to free by node_free_args. */
char **node_join_usual_args(const char *const *args_if_known);
/* Makes the datadir's files and starts bitcoind once, on the ports that the node has if they are free. */
int node_spawn(struct node *node, struct diag *diag);
/* Starts the stand-ins that opts ask for. */
int node_start_servers(struct node *node, const struct node_opts *opts, struct diag *diag);

/* node_ready.c */
/* Between two looks at a bitcoind that is starting. If it has ended, it is started again where that is worth trying;
 * else -ECHILD. -EINTR; -ETIMEDOUT after the deadline, and missing is what it was waited for. */
int node_go_on_waiting(struct node *node, struct deadline deadline, const struct diag *missing,
		       struct diag *diag);

/* node_gate.c */
int node_make_gate(struct node *node, enum node_hold hold, struct diag *diag);
/* Until bitcoind, which was started since, is at the gate of node->hold. */
int node_wait_at_gate(struct node *node, struct deadline deadline, struct diag *diag);

/* node_find.c */
/* The absolute path of a bitcoind, without symbolic links. from is added to messages: " (from $BITCOIND)". */
int node_check_binary(const char *path, const char *from, char **out, struct diag *diag);

#endif
