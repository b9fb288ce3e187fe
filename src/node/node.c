/* A bitcoind and everything that belongs to it.
 *
 * Life. node_start makes the datadir and forks; what runs after the fork and how privileges are dropped is in
 * process.c. node_wait_ready looks every few milliseconds at what can be seen from outside, in this order: has the
 * process ended (then why), is the cookie there, does RPC answer, is the warm-up over (code -28 until then), is the
 * mempool loaded (getmempoolinfo.loaded, the last step of bitcoind's initial load). Nothing sleeps for readiness.
 *
 *	               node_start            node_wait_ready
 *	   (nothing) -------------> running -----------------> ready
 *	                              ^                          |  node_stop, node_kill, or it ends by itself
 *	                              | node_restart             v
 *	                              +----------------------- ended --- node_free --> (nothing)
 *
 * Ports. bitcoind cannot report which port it got, so free ones are found by binding port 0 and closing the socket.
 * Someone else may take such a port before bitcoind does. bitcoind then ends (or, before v28, goes on without the P2P
 * port); node_wait_ready sees that in its output and starts it again on other ports. If some other server answers on
 * our RPC port meanwhile, no harm is done: it does not know our cookie.
 *
 * No traces. All that bitcoind writes is below the datadir, which is also its HOME, TMPDIR and working directory; the
 * empty bitcoin.conf keeps it from reading anybody's own. Unless the options ask for more, it makes no outbound
 * connection (-connect=0), looks up no seed and contacts no router or Tor; with such options it reaches nothing but our
 * stand-ins. It listens on 127.0.0.1 only, and in a network of its own on ::1 as well. It gets SIGKILL when our thread
 * ends, and node_free reaps it and removes the datadir.
 *
 * Trust. bitcoind is code under test and runs as an unprivileged user if possible; we may be root. So its files are
 * opened without following symbolic links and read up to bounds, and only processes that we forked and have not reaped
 * are ever signalled. */
#include "node/node_internal.h"

#include "base/xmem.h"
#include "node/stand_in.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KNOCK_MAX_MS = 64 };

static int
find_user(struct process_user *user, const struct node_opts *opts, struct diag *diag)
{
	return process_find_user(user,
				 &(struct process_user_opts){.name = opts->user,
							     .sudo_uid = opts->sudo_uid,
							     .same_user = opts->same_user},
				 diag);
}

int
node_find_user(struct node_user *out, const struct node_opts *opts, struct diag *diag)
{
	struct process_user user;
	int err = find_user(&user, opts, diag);

	*out = (struct node_user){.is_other = user.change};
	snprintf(out->name, sizeof(out->name), "%s", user.name);
	snprintf(out->note, sizeof(out->note), "%s", user.note);
	return err;
}

int
node_check_machine(struct diag *diag)
{
	return network_check_loopback(diag);
}

int
node_start(struct node **out, const struct node_opts *opts, struct diag *diag)
{
	struct node *node = xcalloc(1, sizeof(*node));

	*out = NULL;
	node->process.fd = node->datadir.fd = node->gate_fd = -1;
	network_init(&node->network);
	node->args = node_copy_args(opts->args);
	node->args_if_known = node_join_usual_args(opts->args_if_known);
	node->env = node_copy_args(opts->env);
	node->start_hint = xstrdup(opts->start_hint ? opts->start_hint : "");
	node->short_log = opts->short_log;
	node->listen = opts->listen;
	node->finds_peers = opts->finds_peers;
	node->interrupted = opts->interrupted;
	node->subversion = xstrdup("");
	int err = find_user(&node->user, opts, diag);
	if (!err && opts->own_network) {
		network_fini(&node->network);
		network_make(&node->network, &node->user);
	}
	if (!err && node->network.fd < 0)
		err = network_check_loopback(diag);
	if (!err)
		err = node_check_binary(opts->bitcoind, "", &node->binary, diag);
	if (!err)
		err = datadir_make(&node->datadir, opts->keeper, opts->parent_dir, node->user.uid,
				   node->user.gid, diag);
	if (!err)
		err = node_start_servers(node, opts, diag);
	node->imports = opts->blocks != NULL;
	node->blocks = opts->blocks;
	if (!err)
		err = node_spawn(node, diag);
	node->blocks = NULL;
	if (err)
		node_free(node);
	else
		*out = node;
	return err;
}

int
node_restart(struct node *node, const char *const *args, struct diag *diag)
{
	int err;

	if (node_is_alive(node))
		return diag_fail(diag, -EBUSY,
				 "node: failed to restart bitcoind: it runs (pid %d); stop it first",
				 (int)node->process.pid);
	if (args) {
		char **old = node->args;

		node->args = node_copy_args(args); /* first, as they may be the same */
		node_free_args(old);
	}
	err = process_kill(&node->process, diag);
	if (err)
		return err;
	node->starts = 0;
	node->imports = node->short_log = false;
	return node_spawn(node, diag);
}

int
node_log_details(struct node *node, struct deadline deadline, struct diag *diag)
{
	int err = node->short_log
			  ? node_call(node, deadline, NULL, diag, "logging", "[[\"bench\", \"coindb\"]]")
			  : 0;

	/* One that knows no such details writes none. */
	if (err == -EREMOTEIO)
		err = 0;
	if (!err)
		node->short_log = false;
	return err;
}

int
node_restart_held(struct node *node, const char *const *args, enum node_hold hold, struct deadline deadline,
		  struct diag *diag)
{
	int err = node_is_alive(node) ? 0 : node_make_gate(node, hold, diag);

	if (err)
		return err;
	node->hold = hold;
	err = node_restart(node, args, diag);
	if (!err)
		err = node_wait_at_gate(node, deadline, diag);
	idle_end(&node->idle, &node->process);
	if (err)
		node_release(node);
	return err;
}

/* Its HTTP server ends when its I/O loop next wakes up, within 50 ms unless somebody knocks. */
static bool
wait_end(struct node *node, struct deadline deadline)
{
	unsigned wait_ms = 1;

	while (!process_wait(&node->process, deadline_earlier(deadline, deadline_in_ms(wait_ms)),
			     node->interrupted)) {
		if (node_is_interrupted(node) || deadline_has_passed(deadline))
			return false;
		rpc_knock(&node->network, node->ports[PORT_RPC]);
		wait_ms = wait_ms < KNOCK_MAX_MS ? 2 * wait_ms : KNOCK_MAX_MS;
	}
	return true;
}

int
node_stop(struct node *node, struct deadline deadline, struct diag *diag)
{
	struct diag ignored;
	int err = -ECONNREFUSED;

	if (!node_is_alive(node))
		return node_fail_ended(node, "stop bitcoind", diag);
	if (node->rpc)
		err = rpc_call(node->rpc, deadline, NULL, "stop", "[]", NULL, &node->rpc_code, &ignored);
	if (err)
		process_signal(&node->process, SIGTERM); /* bitcoind does the same for it */
	node_close_rpc(node);                            /* an open connection would delay the end */
	if (node->i2p.stand_in)
		stand_in_hang_up(node->i2p.stand_in);
	if (!wait_end(node, deadline)) {
		if (node_is_interrupted(node))
			return diag_fail(diag, -EINTR,
					 "node: failed to wait for the end of bitcoind: interrupted");
		return diag_fail(diag, -ETIMEDOUT, "node: failed to stop bitcoind (pid %d) in time",
				 (int)node->process.pid);
	}
	if (!node->process.status_known || node->process.status) {
		node_fail_ended(node, "stop bitcoind", diag);
		return -EIO;
	}
	return 0;
}

int
node_kill(struct node *node, struct diag *diag)
{
	int err = process_kill(&node->process, diag);

	node_close_rpc(node);
	node_release(node);
	return err;
}

int
node_free(struct node *node)
{
	struct diag diag;

	if (!node)
		return 0;
	int err = node_kill(node, &diag);
	if (err)
		fprintf(stderr, "tpcheck: %s\n", diag.text);
	int remove_err = datadir_remove_all(&node->datadir, &diag);
	if (remove_err && !err)
		fprintf(stderr, "tpcheck: %s\n", diag.text);
	stand_in_free(node->proxy.stand_in);
	stand_in_free(node->i2p.stand_in);
	network_fini(&node->network);
	node_free_args(node->args);
	node_free_args(node->args_if_known);
	node_free_args(node->env);
	free(node->start_hint);
	free(node->binary);
	free(node->subversion);
	free(node);
	return err ? err : remove_err;
}

int
node_signal(struct node *node, int signo, struct diag *diag)
{
	int err = process_signal(&node->process, signo);

	return err ? diag_fail(diag, err, "node: failed to send signal %d to bitcoind (pid %d): %s", signo,
			       (int)node->process.pid, strerror(-err))
		   : 0;
}
