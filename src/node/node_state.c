#include "node/node_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
	DYING_MS = 1000, /* from the end of a connection to the end of the process */
};

bool
node_is_alive(struct node *node)
{
	return !process_has_ended(&node->process);
}

bool
node_is_dying(struct node *node, struct deadline deadline)
{
	return process_wait(&node->process, deadline_earlier(deadline, deadline_in_ms(DYING_MS)),
			    node->interrupted);
}

bool
node_is_interrupted(const struct node *node)
{
	return node->interrupted && *node->interrupted;
}

const char *
node_end_text(struct node *node)
{
	if (!node_is_alive(node) && !node->end_text[0] && node->process.pid) {
		struct buf text;

		buf_init(&text, sizeof(node->end_text) - 1);
		process_describe_end(&node->process, "bitcoind", &text);
		memcpy(node->end_text, text.data, text.len + 1);
		buf_fini(&text);
	}
	return node->end_text;
}

/* What would help a bitcoind that ended before it was ready. */
static void
add_start_hint(struct node *node, struct buf *text)
{
	if (node->start_hint[0])
		buf_printf(text, "; %s", node->start_hint);
	else if (node_wrote(node, "error while loading shared libraries"))
		buf_puts(text,
			 "; if its libraries are in a folder of their own, use --env=LD_LIBRARY_PATH=...");
}

int
node_fail_ended(struct node *node, const char *doing, struct diag *diag)
{
	struct buf text, tails;

	buf_init(&tails, sizeof(diag->text) - 1);
	node_add_tails(node, &tails);
	bool has_output = tails.len > 0;
	buf_fini(&tails);
	buf_init(&text, sizeof(diag->text) - 1);
	buf_printf(&text, "node: failed to %s: %s%s", doing, node_end_text(node),
		   has_output ? "" : " and left no output");
	if (node_wrote(node, "Disk space is too low"))
		buf_printf(&text, "; make room in '%s', or set TMPDIR to another directory",
			   node->datadir.path);
	if (!node->version)
		add_start_hint(node, &text);
	/* Last: of these, as many lines as there is room for. */
	node_add_tails(node, &text);
	diag_fail(diag, -ECHILD, "%s", text.data);
	buf_fini(&text);
	return -ECHILD;
}

pid_t
node_pid(const struct node *node)
{
	return node->process.pid;
}

const char *
node_datadir(const struct node *node)
{
	return node->datadir.path;
}

uint16_t
node_p2p_port(const struct node *node)
{
	return node->listen ? node->ports[PORT_P2P] : 0;
}

uint16_t
node_onion_port(const struct node *node)
{
	return node->listen ? node->ports[PORT_ONION] : 0;
}

uint16_t
node_rpc_port(const struct node *node)
{
	return node->ports[PORT_RPC];
}

const char *
node_network_lack(const struct node *node, int domain)
{
	if (node->network.obstacle)
		return node->network.obstacle;
	return domain == AF_INET6 ? node->network.obstacle_ip6 : NULL;
}

int
node_socket(const struct node *node, int domain, int type)
{
	return network_socket(&node->network, domain, type | SOCK_NONBLOCK);
}

bool
node_has_arg(const struct node *node, const char *arg)
{
	for (char *const *known = node->args_if_known; *known; known++)
		if (!strcmp(*known, arg))
			return true;
	return false;
}

struct stand_in *
node_proxy(const struct node *node)
{
	return node->proxy.stand_in;
}

struct stand_in *
node_i2p(const struct node *node)
{
	return node->i2p.stand_in;
}

int
node_version(const struct node *node)
{
	return node->version;
}

const char *
node_subversion(const struct node *node)
{
	return node->subversion;
}
