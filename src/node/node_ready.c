#include "node/node_internal.h"

#include "base/text.h"
#include "base/utf8.h"
#include "base/xmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	STARTS_MAX = 5,
	POLL_MS = 2,
};

/* Why bitcoind ended. */

static bool
ended_for_port(struct node *node)
{
	static const char *const phrases[] = {
		"Unable to bind",
		"Address already in use",
		"Unable to start HTTP server",
		"Failed to listen on any port",
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (node_wrote(node, phrases[i]))
			return true;
	return false;
}

/* Whether bitcoind ended because it does not know one of args_if_known, or its value, and printed that it does not; it
 * is removed from them. */
static bool
ended_for_arg(struct node *node)
{
	for (char **arg = node->args_if_known; *arg; arg++) {
		if (!node_printed(node, *arg))
			continue;
		free(*arg);
		for (; *arg; arg++)
			arg[0] = arg[1];
		return true;
	}
	return false;
}

/* Whether bitcoind runs without its P2P port, which before v28 is no error when it could bind another one. */
static bool
runs_without_p2p_port(struct node *node)
{
	if (!node->listen)
		return false;
	char *phrase = xasprintf("Unable to bind to 127.0.0.1:%u on", node->ports[PORT_P2P]);
	bool found = node_wrote(node, phrase);
	free(phrase);
	return found;
}

/* Reads a short file that bitcoind wrote, up to its first newline; false if there is nothing. */
static bool
read_line(struct node *node, const char *name, char *line, size_t size)
{
	int fd = datadir_open(&node->datadir, NODE_CHAIN_DIR, name, O_RDONLY);

	if (fd < 0)
		return false;
	ssize_t len = read(fd, line, size - 1);
	close(fd);
	line[len > 0 ? len : 0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	return len > 0;
}

/* Makes node->rpc once there is a cookie. */
static void
read_cookie(struct node *node)
{
	char cookie[256];

	if (read_line(node, ".cookie", cookie, sizeof(cookie)))
		node->rpc = rpc_new(&(struct rpc_opts){
			.port = node->ports[PORT_RPC],
			.cookie = cookie,
			.network = &node->network,
			.ended_fd = node->process.fd,
			.interrupted = node->interrupted,
		});
}

/* Refuses a script that runs bitcoind as a child: bitcoind then has a PID that we do not know. */
static int
check_pid(struct node *node, struct diag *diag)
{
	char text[32];
	uint64_t pid;

	/* The caller's arguments may have put the file elsewhere. */
	if (read_line(node, "bitcoind.pid", text, sizeof(text)) && parse_u64(text, &pid) &&
	    pid != (uint64_t)node->process.pid)
		return diag_fail(
			diag, -EINVAL,
			"node: failed to use '%s': it is process %d and runs bitcoind as process %s; a script has to exec bitcoind",
			node->binary, (int)node->process.pid, text);
	return 0;
}

static int
read_version(struct node *node, struct deadline deadline, struct diag *diag)
{
	struct json *info = NULL;
	int64_t version;
	int err = node_call(node, deadline, &info, diag, "getnetworkinfo", "[]");
	size_t len;
	const char *subversion = json_string_len(json_get(info, "subversion"), &len);

	if (!err && (!json_i64(json_get(info, "version"), &version) || !subversion))
		err = diag_fail(diag, -EBADMSG, "node: failed to read the version: getnetworkinfo has none");
	if (!err) {
		node->version = (int)version;
		free(node->subversion);
		node->subversion = utf8_show_nul(subversion, len);
	}
	json_free(info);
	return err;
}

/* Looks once whether the initial load is over. -EAGAIN: not yet, and diag says what is missing; anything else is
 * final. */
static int
look(struct node *node, struct deadline deadline, struct diag *diag)
{
	struct json *info;
	bool loaded;

	if (!node->rpc)
		read_cookie(node);
	if (!node->rpc)
		return diag_fail(diag, -EAGAIN, "it has not written its cookie file");
	int err = rpc_call(node->rpc, deadline, NULL, "getmempoolinfo", "[]", &info, &node->rpc_code, diag);
	if (!err && !(json_bool(json_get(info, "loaded"), &loaded) && loaded))
		err = diag_fail(diag, -EAGAIN, "its mempool is not loaded");
	json_free(info);
	if (err == -EACCES) /* an old cookie, or someone else's port */
		node_close_rpc(node);
	bool final = err == 0 || err == -ETIMEDOUT || err == -EINTR ||
		     (err == -EREMOTEIO && node->rpc_code != RPC_IN_WARMUP);
	return final ? err : -EAGAIN;
}

static int
start_on_other_ports(struct node *node, struct diag *diag)
{
	int err = process_kill(&node->process, diag);

	if (err)
		return err;
	memset(node->ports, 0, sizeof(node->ports));
	return node_spawn(node, diag);
}

static int
start_after_end(struct node *node, struct diag *diag)
{
	if (!ended_for_arg(node) && (node->starts >= STARTS_MAX || !ended_for_port(node)))
		return node_fail_ended(node, "start bitcoind", diag);
	return start_on_other_ports(node, diag);
}

static int
fail_timeout(struct node *node, const struct diag *missing, struct diag *diag)
{
	struct buf tails;

	buf_init(&tails, sizeof(diag->text));
	node_add_tails(node, &tails);
	diag_fail(diag, -ETIMEDOUT, "node: failed to start bitcoind (pid %d) in time: %s; allow more time%s",
		  (int)node->process.pid, missing->text, tails.data ? tails.data : "");
	buf_fini(&tails);
	return -ETIMEDOUT;
}

int
node_go_on_waiting(struct node *node, struct deadline deadline, const struct diag *missing, struct diag *diag)
{
	int err = node_is_alive(node) ? 0 : start_after_end(node, diag);

	if (err)
		return err;
	idle_look(&node->idle, &node->process);
	if (node_is_interrupted(node))
		return diag_fail(diag, -EINTR, "node: failed to wait for bitcoind: interrupted");
	return deadline_has_passed(deadline) ? fail_timeout(node, missing, diag) : 0;
}

/* One round of waiting. Sets *is_over when the node is ready or an error is returned; else missing says why it is not
 * ready. */
static int
wait_round(struct node *node, struct deadline deadline, struct diag *missing, bool *is_over,
	   struct diag *diag)
{
	int err = node_go_on_waiting(node, deadline, missing, diag);

	*is_over = true;
	if (err)
		return err;
	/* It would not answer. */
	if (node->idle.state == IDLE_STOPPED) {
		*is_over = false;
		return 0;
	}
	err = look(node, deadline, missing);
	if (!err && runs_without_p2p_port(node)) {
		if (node->starts >= STARTS_MAX)
			return diag_fail(
				diag, -EADDRINUSE,
				"node: failed to start bitcoind: %d ports for P2P were taken one after the other",
				STARTS_MAX);
		err = start_on_other_ports(node, diag);
		*is_over = err != 0;
		return err;
	}
	/* The next round reports a timeout, an interrupt or the end. */
	if (err == -EAGAIN || err == -ETIMEDOUT || err == -EINTR || (err && !node_is_alive(node))) {
		*is_over = false;
		return 0;
	}
	return err ? diag_fail(diag, err, "node: failed to start bitcoind: %s", missing->text) : 0;
}

int
node_wait_ready(struct node *node, struct deadline deadline, struct diag *diag)
{
	struct diag missing = {.text = "it has not written its cookie file"};
	bool is_over = false;
	int err = 0;

	if (!node->process.pid)
		return diag_fail(diag, -ECHILD, "node: failed to wait for bitcoind: it was not started");
	while (!is_over) {
		err = wait_round(node, deadline, &missing, &is_over, diag);
		if (is_over)
			idle_end(&node->idle, &node->process);
		else
			process_wait(&node->process,
				     deadline_earlier(deadline,
						      deadline_in_ms(idle_wait_ms(&node->idle, POLL_MS))),
				     node->interrupted);
	}
	if (!err)
		err = check_pid(node, diag);
	return err ? err : read_version(node, deadline, diag);
}
