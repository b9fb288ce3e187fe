#include "node/node_internal.h"

#include "base/xmem.h"
#include "node/env.h"
#include "node/stand_in.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ports. */

/* A socket bound to *port of 127.0.0.1, or to any free port if that is 0, which is then set; or a negative errno
 * value. */
static int
bind_port(const struct network *network, uint16_t *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int one = 1, fd = network_socket(network, AF_INET, SOCK_STREAM);

	if (fd < 0)
		return fd;
	if (*port) /* as bitcoind does, so that old connections don't block the bind */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len)) {
		int err = -errno;

		close(fd);
		return err;
	}
	*port = ntohs(addr.sin_port);
	return fd;
}

/* Keeps the ports that the node has where they are free, and finds others where they are not. */
static int
choose_ports(struct node *node, struct diag *diag)
{
	int fds[PORT_CNT], err = 0, cnt = 0;

	/* All are held until all are found, so that they differ. */
	for (; cnt < PORT_CNT; cnt++) {
		fds[cnt] = bind_port(&node->network, &node->ports[cnt]);
		if (fds[cnt] < 0 && node->ports[cnt]) {
			node->ports[cnt] = 0;
			fds[cnt] = bind_port(&node->network, &node->ports[cnt]);
		}
		if (fds[cnt] < 0) {
			err = diag_fail(diag, fds[cnt], "node: failed to find a free port on 127.0.0.1: %s",
					strerror(-fds[cnt]));
			break;
		}
	}
	for (int i = 0; i < cnt; i++)
		close(fds[i]);
	return err;
}

/* Stand-ins. */

static bool
has_ended(void *node)
{
	return !node_is_alive(node);
}

static int
start_server(struct node *node, struct node_server *server, enum stand_in_kind kind, struct diag *diag)
{
	int fd = bind_port(&node->network, &server->port);

	if (fd < 0 || listen(fd, SOMAXCONN)) {
		int err = fd < 0 ? fd : -errno;

		if (fd >= 0)
			close(fd);
		return diag_fail(diag, err, "node: failed to listen on 127.0.0.1: %s", strerror(-err));
	}
	int err = stand_in_start(&server->stand_in, kind, fd, node->interrupted, diag);
	if (!err)
		stand_in_watch(server->stand_in, has_ended, node);
	return err;
}

int
node_start_servers(struct node *node, const struct node_opts *opts, struct diag *diag)
{
	int err = 0;

	if (opts->proxy)
		err = start_server(node, &node->proxy, STAND_IN_SOCKS5, diag);
	if (!err && opts->i2p)
		err = start_server(node, &node->i2p, STAND_IN_SAM, diag);
	return err;
}

/* Arguments. */

char **
node_copy_args(const char *const *args)
{
	size_t cnt = 0;

	while (args && args[cnt])
		cnt++;
	char **copy = xcalloc(cnt + 1, sizeof(*copy));
	for (size_t i = 0; i < cnt; i++)
		copy[i] = xstrdup(args[i]);
	return copy;
}

void
node_free_args(char **args)
{
	for (char **arg = args; arg && *arg; arg++)
		free(*arg);
	free(args);
}

struct strings {
	char **items; /* NULL-terminated */
	size_t cnt;
};

static void __attribute__((format(printf, 2, 3))) add_string(struct strings *strings, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strings->items = xreallocarray(strings->items, strings->cnt + 2, sizeof(*strings->items));
	strings->items[strings->cnt++] = xvasprintf(fmt, ap);
	strings->items[strings->cnt] = NULL;
	va_end(ap);
}

static void
add_strings(struct strings *strings, char *const *items)
{
	for (; *items; items++)
		add_string(strings, "%s", *items);
}

/* What scenarios rely on. The first ones silence and speed up; the others are defaults that a release may change. */
static const char *const usual_args[] = {
	"-natpmp=0",
	/* regtest's self-checks cost more than everything else. */
	"-checkmempool=0",
	"-checkblockindex=0",
	/* What is not needed takes time at each start: 32 MiB that are filled, 16 threads. */
	"-maxsigcachesize=1",
	"-rpcthreads=4",
	"-par=1",
	"-persistmempool=0",
	"-fallbackfee=0.0002",
	"-mempoolexpiry=336",
	"-minrelaytxfee=0.00001",
	"-incrementalrelayfee=0.00001",
	"-dustrelayfee=0.00003",
	"-permitbaremultisig=1",
	NULL,
};

char **
node_join_usual_args(const char *const *args_if_known)
{
	struct strings all = {0};

	for (size_t i = 0; usual_args[i]; i++)
		add_string(&all, "%s", usual_args[i]);
	for (; args_if_known && *args_if_known; args_if_known++)
		add_string(&all, "%s", *args_if_known);
	return all.items;
}

/* Only options that all releases from v23.0 on have: bitcoind refuses unknown ones. */
static void
add_fixed_args(struct strings *argv)
{
	static const char *const fixed[] = {
		"-regtest",
		"-server=1",
		"-rpcbind=127.0.0.1",
		"-rpcallowip=127.0.0.1",
		/* Nothing leaves this machine. */
		"-dnsseed=0",
		"-fixedseeds=0",
		"-discover=0",
		"-listenonion=0",
		"-printtoconsole=0",
		"-logtimemicros=1",
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		add_string(argv, "%s", fixed[i]);
}

/* The caller's arguments come last: bitcoind takes the last of several. */
static char **
make_argv(const struct node *node)
{
	struct strings argv = {0};

	add_string(&argv, "%s", node->binary);
	add_string(&argv, "-datadir=%s", node->datadir.path);
	add_string(&argv, "-conf=%s/bitcoin.conf", node->datadir.path);
	add_fixed_args(&argv);
	if (!node->short_log) {
		add_string(&argv, "-debug=bench");
		add_string(&argv, "-debug=coindb");
	}
	if (!node->finds_peers)
		add_string(&argv, "-connect=0");
	add_string(&argv, "-rpcport=%u", node->ports[PORT_RPC]);
	if (node->proxy.stand_in)
		add_string(&argv, "-proxy=127.0.0.1:%u", node->proxy.port);
	if (node->i2p.stand_in)
		add_string(&argv, "-i2psam=127.0.0.1:%u", node->i2p.port);
	add_string(&argv, "-listen=%d", (int)node->listen);
	if (node->listen) {
		add_string(&argv, "-bind=127.0.0.1:%u", node->ports[PORT_P2P]);
		add_string(&argv, "-bind=127.0.0.1:%u=onion", node->ports[PORT_ONION]);
		if (!node_network_lack(node, AF_INET6))
			add_string(&argv, "-bind=[::1]:%u", node->ports[PORT_P2P]);
	}
	if (node->imports)
		add_string(&argv, "-loadblock=%s/" NODE_BLOCKS_FILE, node->datadir.path);
	if (node->hold == NODE_HOLD_IMPORT)
		add_string(&argv, "-loadblock=%s/" NODE_GATE_FILE, node->datadir.path);
	add_strings(&argv, node->args_if_known);
	add_strings(&argv, node->args);
	return argv.items;
}

/* Starting. */

/* Makes an empty bitcoin.conf and, unless it is there, the file for bitcoind's output, whose descriptor is returned; or
 * a negative errno value. */
static int
make_files(struct node *node, struct diag *diag)
{
	int conf_fd = node_open_file(node, "bitcoin.conf");
	int output_fd = conf_fd < 0 ? conf_fd : node_open_file(node, NODE_OUTPUT_FILE);
	int err = output_fd < 0 ? output_fd : 0;

	if (!err) {
		off_t end = lseek(output_fd, 0, SEEK_END);

		node->output_start = end > 0 ? (uint64_t)end : 0;
	}
	if (conf_fd >= 0)
		close(conf_fd);
	if (!err)
		return output_fd;
	if (output_fd >= 0)
		close(output_fd);
	return diag_fail(
		diag, err, "node: failed to make a file in '%s': %s%s", node->datadir.path, strerror(-err),
		err == -ENOSPC || err == -EDQUOT ? "; make room there, or set TMPDIR to another directory"
						 : "");
}

int
node_spawn(struct node *node, struct diag *diag)
{
	node_close_rpc(node);
	node->end_text[0] = '\0';
	node->starts++;
	int err = choose_ports(node, diag);
	if (err)
		return err;
	datadir_remove(&node->datadir, NODE_CHAIN_DIR, ".cookie"); /* left by a bitcoind that was killed */
	node->log_start = node_log_mark(node);
	int output_fd = make_files(node, diag);
	if (output_fd < 0)
		return output_fd;
	if (node->blocks)
		err = node_write_file(node, NODE_BLOCKS_FILE, node->blocks->data, node->blocks->len, diag);
	if (err) {
		close(output_fd);
		return err;
	}
	char **argv = make_argv(node);
	char *home = xasprintf("HOME=%s", node->datadir.path);
	char *tmpdir = xasprintf("TMPDIR=%s", node->datadir.path);
	const char *const ours[] = {ENV_PATH,     ENV_LOCALE, ENV_POISON, ENV_HUGE_PAGES,
				    ENV_ONE_HEAP, home,       tmpdir,     NULL};
	const char **env = env_merge(ours, (const char *const *)node->env);
	err = process_start(&node->process,
			    &(struct process_opts){
				    .program = node->binary,
				    .argv = argv,
				    .envp = (char *const *)(uintptr_t)env,
				    .dir = node->datadir.path,
				    .output_fd = output_fd,
				    .network_fd = node->network.fd,
				    .user_ns_fd = node->network.user_fd,
				    .user = &node->user,
			    },
			    diag);
	node->idle = (struct idle){.state = IDLE_LOOKS};
	node_free_args(argv);
	free(env);
	free(home);
	free(tmpdir);
	close(output_fd);
	return err;
}
