/* A bitcoind on regtest that is started, called and ended without leaving traces.
 *
 * Use in this order: node_start, node_wait_ready, node_call..., node_stop, (node_restart, node_wait_ready, ...,)
 * node_free. node_free is enough at any point: it kills what runs and removes the datadir. A node belongs to the
 * thread that started it, which must live as long as the node: bitcoind gets SIGKILL when that thread ends. There
 * may be any number of nodes. */
#ifndef TPCHECK_NODE_NODE_H
#define TPCHECK_NODE_NODE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/keeper.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct node;
struct stand_in; /* node/stand_in.h */

/* The addresses of a node's own network besides 127.0.0.0/8 and ::1, which are not routable. */
#define NODE_IPV4  "1.2.3.4" /* and the rest of 1.0.0.0/8 */
#define NODE_IPV6  "1111:1111::5"
#define NODE_CJDNS "fc00::5"

struct node_opts {
	const char *bitcoind;    /* path, from node_find_bitcoind; never NULL */
	const char *parent_dir;  /* where the datadir is made; NULL or "": /tmp */
	struct keeper *keeper;   /* removes the datadir if this process is killed; NULL: nobody does */
	const char *const *args; /* more arguments, NULL-terminated; may be NULL. They override all others */
	/* The same, but those that this bitcoind does not know are left out: see node_has_arg. */
	const char *const *args_if_known;
	/* More variables for bitcoind's environment, "NAME=VALUE", NULL-terminated; may be NULL. They override ours; of
	 * two with one name the last counts. HOME is not allowed: a node is found by it. */
	const char *const *env;
	const char *start_hint; /* added to the error when bitcoind ends before it is ready; may be NULL */
	/* The user to run bitcoind as when we are root: a name or a uid; "root" is allowed. NULL: who called sudo,
	 * else nobody. When we are not root it has to be NULL or ourselves. */
	const char *user;
	const char *
		sudo_uid; /* who called sudo: $SUDO_UID. NULL, or anything but an ordinary user's uid: nobody did */
	/* As root without user: run bitcoind as root as well, because another user's process could not be looked into
	 * (CAP_SYS_PTRACE). Root also does so where it cannot become the other user. See node_find_user. */
	bool same_user;
	/* What bitcoind imports when it is started first, before it is ready: see chain_add_record. NULL: nothing. */
	const struct buf *blocks;
	/* bitcoind writes what scenarios read in debug.log (-debug=bench, -debug=coindb) only after node_log_details or
	 * a restart: twelve lines for each block take time. */
	bool short_log;
	bool listen; /* for P2P on a free port of 127.0.0.1; else -listen=0 */
	/* In a network of its own, which has only the addresses above; with listen, on ::1 as well. Where the machine
	 * does not allow that, the node uses the machine's network: see node_network_lack. */
	bool own_network;
	/* bitcoind may look for peers by itself; else -connect=0. It finds none unless it is given addresses: it
	 * knows no seeds. */
	bool finds_peers;
	bool proxy; /* -proxy names a proxy of ours, node_proxy, through which all routable connections go */
	bool i2p;   /* -i2psam names a bridge of ours, node_i2p */
	/* Once it is non-zero, everything that waits returns -EINTR within 0.1 s; may be NULL. */
	const atomic_int *interrupted;
};

/* Where to look for bitcoind: the first that is set. */
struct node_search {
	const char *given;        /* by the user; NULL: not given */
	const char *bitcoind_env; /* $BITCOIND; NULL or "": not set */
	const char *path_env;     /* $PATH, whose relative folders are skipped; may be NULL */
};

/* The bitcoind to use. *path is absolute, without symbolic links, and the caller's to free. -ENOENT: there is none;
 * -EISDIR, -EINVAL (not a regular file), -EACCES (not executable). */
int node_find_bitcoind(const struct node_search *search, char **path, struct diag *diag);

/* Who bitcoind runs as. */
struct node_user {
	bool is_other; /* than we are */
	char name[64]; /* the uid when there is no name */
	/* Why it is not the user that root would run it as by default, in one line; "" when it is. */
	char note[256];
};

/* Finds out by the options user, sudo_uid and same_user, as node_start does. -ENOENT: there is no such user; -EPERM:
 * only root can choose. */
int node_find_user(struct node_user *out, const struct node_opts *opts, struct diag *diag);

/* Whether the machine lets any node start. -ENETDOWN: its loopback device is down. */
int node_check_machine(struct diag *diag);

/* Makes the datadir and starts bitcoind; does not wait until it is ready. On failure *out is NULL and nothing is left
 * behind. Copies what it needs of opts except interrupted. -EPERM, -EACCES, -ENOENT, -ENOEXEC and others, depending on
 * the step that failed; -ENETDOWN: the machine's loopback device is down. */
int node_start(struct node **out, const struct node_opts *opts, struct diag *diag);

/* Returns when RPC answers, the warm-up is over and the mempool is loaded. Starts bitcoind again, up to 5 times,
 * if it ended because one of its ports was taken meanwhile: the pid is final only afterwards. -ECHILD: bitcoind
 * ended, and the text has how, and what it wrote last; -EINVAL: the program is a script that runs bitcoind as a
 * child; -EADDRINUSE; -ETIMEDOUT; -EINTR. */
int node_wait_ready(struct node *node, struct deadline deadline, struct diag *diag);

/* See short_log; nothing if they are being written already, or if this bitcoind knows no such details. Other errors as
 * node_call. */
int node_log_details(struct node *node, struct deadline deadline, struct diag *diag);

/* Ends bitcoind by the RPC stop (by SIGTERM where RPC does not answer) and waits for its end. -EIO: it ended with an
 * exit status other than 0 or by a signal; -ECHILD: it had ended already; -ETIMEDOUT, -EINTR: it may still run. */
int node_stop(struct node *node, struct deadline deadline, struct diag *diag);

/* Starts a node that has ended again on the same datadir and, if they are free, the same ports; call node_wait_ready
 * next. args replaces that of the options; NULL leaves it. -EBUSY: bitcoind runs. */
int node_restart(struct node *node, const char *const *args, struct diag *diag);

enum node_hold {
	NODE_HOLD_NONE,
	NODE_HOLD_CHAIN_STATE, /* before it loads its chain state, and repairs it after a crash */
	NODE_HOLD_IMPORT, /* before it connects the blocks that it has, or indexes, and loads its mempool: it has been
			   * indexing if args has -reindex */
};
/* The same, but the new bitcoind is held there. RPC may not answer before node_release. Returns once it is there, so
 * its pid is final. Errors as node_restart and node_wait_ready. */
int node_restart_held(struct node *node, const char *const *args, enum node_hold hold,
		      struct deadline deadline, struct diag *diag);
/* Lets it go on; call node_wait_ready next. Does nothing to a node that is not held. */
void node_release(struct node *node);

/* Kills bitcoind, if it runs, and waits for the end. Errors of kill(2); -ETIMEDOUT: it has not ended after some
 * seconds. The text names the process. */
int node_kill(struct node *node, struct diag *diag);

/* Kills bitcoind, if it runs, and whatever it started, removes the datadir and frees everything; NULL is fine. An
 * error is reported on standard error too: -EPERM or another: a process does not let itself be killed, and may
 * still run; -ENOTEMPTY or another: the datadir is still there. */
int node_free(struct node *node);

/* Sends a signal to bitcoind. -ESRCH: it has ended. */
int node_signal(struct node *node, int signo, struct diag *diag);
bool node_is_alive(struct node *node);
/* After the node closed a connection: whether that was because it ends. Its sockets end a little before it does, so
 * this waits for a moment, or until the deadline. */
bool node_is_dying(struct node *node, struct deadline deadline);
/* How bitcoind ended, e.g. "bitcoind (pid 17) was killed by signal 9 (SIGKILL)"; "" while it runs. Lent. */
const char *node_end_text(struct node *node);

pid_t node_pid(const struct node *node);           /* of bitcoind; of the last one when it has ended */
const char *node_datadir(const struct node *node); /* absolute path; chain data is in its regtest/ */
uint16_t node_p2p_port(const struct node *node);   /* on 127.0.0.1, host order; 0 without listen */
uint16_t node_onion_port(const struct node *node); /* the same, for peers that connect through Tor */
uint16_t node_rpc_port(const struct node *node);
/* Whether interrupted of the options is non-zero. */
bool node_is_interrupted(const struct node *node);
/* A socket in the node's network, non-blocking and close-on-exec; or a negative errno value. */
int node_socket(const struct node *node, int domain, int type);
/* Why the node's network has no routable addresses of that domain (AF_INET, AF_INET6), and what helps; NULL when it
 * has. Lent. */
const char *node_network_lack(const struct node *node, int domain);
/* Whether an argument of args_if_known, spelled as there, is in use; valid after node_wait_ready. */
bool node_has_arg(const struct node *node, const char *arg);
/* The servers of the options proxy and i2p, else NULL; lent. */
struct stand_in *node_proxy(const struct node *node);
struct stand_in *node_i2p(const struct node *node);
/* 319900 for 31.99.0, and "/Satoshi:31.99.0/"; 0 and "" before node_wait_ready. */
int node_version(const struct node *node);
const char *node_subversion(const struct node *node);

/* Calls a method. params_fmt makes the JSON text of the params array, "[]" or "[\"%s\", %d]"; strings that may
 * contain a quote or a backslash go through json_quote. *result is the member "result", the caller's to json_free,
 * and NULL on failure; result may be NULL. -EREMOTEIO: bitcoind answered with an error, see node_rpc_code;
 * -ECONNREFUSED, -ECONNRESET, -EACCES (cookie), -ETIMEDOUT, -EINTR, -EMSGSIZE (answer above 256 MiB), -EBADMSG;
 * -ECHILD: bitcoind ended, and the text has how. */
int node_call(struct node *node, struct deadline deadline, struct json **result, struct diag *diag,
	      const char *method, const char *params_fmt, ...) __attribute__((format(printf, 6, 7)));
/* The same for a loaded wallet, by its name, which may contain any character; "" is the unnamed wallet. */
int node_wallet_call(struct node *node, struct deadline deadline, const char *wallet, struct json **result,
		     struct diag *diag, const char *method, const char *params_fmt, ...)
	__attribute__((format(printf, 7, 8)));
enum { NODE_RPC_NO_METHOD = -32601 };
/* If the last of these calls failed with -EREMOTEIO: the code and the message of bitcoind's error; else 0 and "". The
 * message is lent until the next call. */
int node_rpc_code(const struct node *node);
const char *node_rpc_message(const struct node *node);

/* The size of debug.log now, in bytes; 0 when there is none. */
uint64_t node_log_mark(struct node *node);
/* Adds what was logged since a mark. If that exceeds the bound of out, its first bytes are added and out->overflow is
 * set. */
int node_log_read(struct node *node, uint64_t from, struct buf *out, struct diag *diag);
/* Makes or overwrites a file for bitcoind to read: node_datadir()/name. */
int node_write_file(struct node *node, const char *name, const void *bytes, size_t len, struct diag *diag);
/* Copies debug.log to an open file. -ENOENT: there is none yet. */
int node_save_log(struct node *node, int to, struct diag *diag);
/* The last lines of debug.log, in bytes at most; \x00 for each NUL; "" if there is none. The caller frees it. */
char *node_log_tail(struct node *node, size_t bytes);
/* Reads what bitcoind printed, from byte from on: at most sz bytes; 0 at the end or when there is none. Everything
 * since node_start stays there, over all restarts. */
size_t node_read_output(struct node *node, uint64_t from, char *text, size_t sz);
/* The same as node_save_log and node_log_tail, for what bitcoind printed. */
int node_save_output(struct node *node, int to, struct diag *diag);
char *node_output_tail(struct node *node, size_t bytes);

#endif
