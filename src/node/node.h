/* A bitcoind on regtest that is started, spoken to and ended without leaving a trace.
 *
 * The order of use: node_start, node_wait_ready, node_call..., node_stop, (node_restart, node_wait_ready,
 * ...,) node_free. node_free is enough at any point: it kills what runs and removes the datadir. A node
 * belongs to the thread that started it, which has to live as long as the node does: bitcoind gets SIGKILL
 * when that thread ends. There may be any number of nodes. */
#ifndef TPCHECK_NODE_NODE_H
#define TPCHECK_NODE_NODE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/json.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct node;
struct stand_in; /* node/stand_in.h */

/* What a node's own network has besides 127.0.0.0/8 and ::1, which are not routable: */
#define NODE_IPV4  "1.2.3.4" /* and everything else in 1.0.0.0/8 */
#define NODE_IPV6  "1111:1111::5"
#define NODE_CJDNS "fc00::5"

struct node_opts {
	const char *bitcoind;    /* path, as node_find_bitcoind gives it; never NULL */
	const char *parent_dir;  /* where the datadir is made; NULL: $TMPDIR, else /tmp */
	const char *const *args; /* more arguments, ended by NULL; may be NULL. They come last and win */
	/* Likewise, but one that this bitcoind does not know is left out: see node_has_arg. */
	const char *const *args_if_known;
	/* Whom bitcoind runs as when we are root: a name or a uid. NULL: who called sudo, else nobody.
	 * "root" is taken at its word. When we are not root it has to be NULL or ourselves. */
	const char *user;
	bool listen; /* for P2P on a free port of 127.0.0.1; else -listen=0 */
	/* In a network of its own, with nothing but the addresses above; with listen on ::1 as well. Where the machine
	 * does not allow it the node is in the machine's: see node_network_lack. */
	bool own_network;
	/* It may look for peers by itself; else -connect=0. There are none to find unless it is told of them: it knows
	 * no seeds. */
	bool finds_peers;
	bool proxy; /* -proxy names one of our own, node_proxy, through which all that is routable goes */
	bool i2p;   /* -i2psam names one of our own, node_i2p */
	/* When it becomes non-zero, everything that waits returns -EINTR within 0.1 s; may be NULL. */
	const volatile sig_atomic_t *interrupted;
};

/* The bitcoind to use: given, else $BITCOIND, else the first in $PATH. *path is absolute, without symbolic
 * links, and the caller's to free. -ENOENT: there is none; -EISDIR, -EINVAL (no regular file), -EACCES
 * (not executable). */
int node_find_bitcoind(const char *given, char **path, struct diag *diag);

/* Makes the datadir and starts bitcoind; does not wait for it. *out is NULL on failure, and nothing is
 * left over. Copies what it needs of opts except interrupted. -EPERM, -EACCES, -ENOENT, -ENOEXEC and
 * others as the step that failed gave them. */
int node_start(struct node **out, const struct node_opts *opts, struct diag *diag);

/* Returns when RPC answers, the warm-up is over and the mempool is loaded. Starts bitcoind anew, up to 5
 * times, if it ended because one of its ports had been taken meanwhile: so the pid is only sure
 * afterwards. -ECHILD: bitcoind ended, the text says how and what it printed last; -EINVAL: the program is
 * a script that runs bitcoind as a child; -EADDRINUSE; -ETIMEDOUT; -EINTR. */
int node_wait_ready(struct node *node, struct deadline deadline, struct diag *diag);

/* Ends bitcoind by the RPC stop (by SIGTERM where RPC does not answer) and waits for its end. -EIO: it
 * ended with an exit status other than 0 or by a signal; -ECHILD: it had ended before; -ETIMEDOUT, -EINTR:
 * it may run yet. */
int node_stop(struct node *node, struct deadline deadline, struct diag *diag);

/* Starts a node that has ended again on the same datadir and, if they are free, ports; node_wait_ready has
 * to follow. args replaces those of the options; NULL keeps them. -EBUSY: it runs. */
int node_restart(struct node *node, const char *const *args, struct diag *diag);

/* SIGKILL, and waits for the end. Nothing happens when it has ended. */
void node_kill(struct node *node);

/* Kills it if it runs, removes the datadir (see node_set_keep) and frees all; NULL is fine. */
void node_free(struct node *node);

/* Whether node_free leaves the datadir where it is. */
void node_set_keep(struct node *node, bool keep);

/* Sends a signal to bitcoind. -ESRCH: it has ended. */
int node_signal(struct node *node, int signo, struct diag *diag);
/* Whether it runs at this moment. */
bool node_is_alive(struct node *node);
/* How it ended, e.g. "bitcoind (pid 17) was killed by signal 9 (SIGKILL)"; "" while it runs. Lent. */
const char *node_end_text(struct node *node);

pid_t node_pid(const struct node *node);           /* of bitcoind; the last one when it has ended */
const char *node_datadir(const struct node *node); /* absolute path; chain data is in its regtest/ */
uid_t node_uid(const struct node *node);           /* whom it runs as */
uint16_t node_p2p_port(const struct node *node);   /* on 127.0.0.1, host order; 0 without listen */
uint16_t node_onion_port(const struct node *node); /* likewise; for peers that come by way of Tor */
uint16_t node_rpc_port(const struct node *node);
/* Whether its options' interrupted is non-zero. */
bool node_is_interrupted(const struct node *node);
/* A socket in the node's network, non-blocking and not inherited; or a negative errno value. */
int node_socket(const struct node *node, int domain, int type);
/* Why the node's network has no routable addresses of that domain (AF_INET, AF_INET6), and what helps; NULL when it
 * has. Lent. */
const char *node_network_lack(const struct node *node, int domain);
/* Whether an argument of args_if_known, as it stands there, is in use; known after node_wait_ready. */
bool node_has_arg(const struct node *node, const char *arg);
/* The servers of the options proxy and i2p, else NULL; lent. */
struct stand_in *node_proxy(const struct node *node);
struct stand_in *node_i2p(const struct node *node);
/* Known after node_wait_ready, else 0 and "". E.g. 319900 for 31.99.0, and "/Satoshi:31.99.0/". */
int node_version(const struct node *node);
const char *node_subversion(const struct node *node);

/* Calls a method. params_fmt makes the JSON text of the params array, "[]" or "[\"%s\", %d]"; strings that
 * may hold a quote or a backslash go through json_quote. *result (NULL when not wanted) is the member
 * "result", the caller's to json_free; NULL on failure. -EREMOTEIO: bitcoind answered with an error, see
 * node_rpc_code; -ECONNREFUSED, -ECONNRESET, -EACCES (cookie), -ETIMEDOUT, -EINTR, -EMSGSIZE (answer above
 * 256 MiB), -EBADMSG; -ECHILD: bitcoind ended, and the text says how. */
int node_call(struct node *node, struct deadline deadline, struct json **result, struct diag *diag,
	      const char *method, const char *params_fmt, ...) __attribute__((format(printf, 6, 7)));
/* The same for a wallet that is loaded, by its name, which may be any; "" is the unnamed one. */
int node_wallet_call(struct node *node, struct deadline deadline, const char *wallet, struct json **result,
		     struct diag *diag, const char *method, const char *params_fmt, ...)
	__attribute__((format(printf, 7, 8)));
enum { NODE_RPC_NO_METHOD = -32601 };
/* The error code of the last of these calls that gave -EREMOTEIO, e.g. NODE_RPC_NO_METHOD; 0 after any other. */
int node_rpc_code(const struct node *node);
/* Its message, as bitcoind gave it; "" after any other. Lent until the next call. */
const char *node_rpc_message(const struct node *node);

/* The size of debug.log now, in bytes; 0 when there is none. */
uint64_t node_log_mark(struct node *node);
/* Adds what was logged since a mark, in whole what is there now; when the bound of out is less, its first
 * bytes, and out->overflow is set. */
int node_log_read(struct node *node, uint64_t from, struct buf *out, struct diag *diag);
/* Makes or overwrites a file for bitcoind to read, in the datadir: its path is node_datadir()/name. */
int node_write_file(struct node *node, const char *name, const void *bytes, size_t len, struct diag *diag);
/* Copies debug.log to dest_path, which is made or overwritten. */
int node_save_log(struct node *node, const char *dest_path, struct diag *diag);

#endif
