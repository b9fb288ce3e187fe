/* A bitcoind and all that belongs to it.
 *
 * Life. node_start makes the datadir and forks; what runs after the fork and how privileges are given up
 * is in process.c. node_wait_ready looks every few milliseconds at what can be seen from outside, in this
 * order: has the process ended (then why), is the cookie there, does RPC answer, is the warm-up over (code
 * -28 until then), is the mempool loaded (getmempoolinfo.loaded, the last thing of bitcoind's initial
 * load). Nothing sleeps for readiness.
 *
 *	               node_start            node_wait_ready
 *	   (nothing) -------------> running -----------------> ready
 *	                              ^                          |  node_stop, node_kill, or it ends by itself
 *	                              | node_restart             v
 *	                              +----------------------- ended --- node_free --> (nothing)
 *
 * Ports. bitcoind cannot say which port it got, so free ones are found by binding port 0 and letting go
 * again. Someone else may take one before bitcoind does; it then ends (or, before v28, goes on without the
 * P2P port), which node_wait_ready tells from its output and starts it anew with other ports. That some
 * other server answers on our RPC port in between does no harm: it does not know our cookie.
 *
 * No traces. All that bitcoind writes is below the datadir, which is also its HOME, TMPDIR and working
 * directory, and whose empty bitcoin.conf keeps it from reading anybody's own. It makes no outbound
 * connection unless told to (-connect=0), looks up no seed, asks no router and no Tor for anything; or,
 * where a scenario wants these, it reaches nothing but our stand-ins. It listens on 127.0.0.1 only, and on
 * ::1 of a network of its own. It ends with us: by SIGKILL when our
 * thread ends, and node_free reaps it and removes the datadir.
 *
 * Trust. bitcoind is code under test and runs as an unprivileged user if it can; we may be root. So its
 * files are opened without following symbolic links and read up to bounds, and only processes that we
 * forked and have not reaped are ever signalled. */
#include "node/node.h"

#include "base/text.h"
#include "base/xmem.h"
#include "node/datadir.h"
#include "node/network.h"
#include "node/process.h"
#include "node/rpc.h"
#include "node/stand_in.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHAIN_DIR   "regtest"
#define OUTPUT_FILE "output.txt" /* bitcoind's stdout and stderr */

enum {
	STARTS_MAX = 5,
	POLL_MS = 2,
	DYING_MS = 1000,   /* from the end of the connection to the end of the process */
	OUTPUT_TAIL = 600, /* bytes in an error text; both fit in a diag with the rest */
	LOG_TAIL = 900,
	LOG_SEARCH = 1 << 19, /* how much is searched for why it ended */
	ARGS_MAX = 64,
};

enum port_use {
	PORT_RPC,
	PORT_P2P,
	PORT_ONION, /* bitcoind before v28 binds one in any case; a fixed one unless told */
	PORT_CNT,
};

/* A server of ours that the node is told to use. */
struct helper {
	struct stand_in *server; /* NULL: none */
	uint16_t port;
};

struct node {
	char *binary;
	char **args, **args_if_known; /* of the caller, ended by NULL */
	bool listen, finds_peers, keep;
	const volatile sig_atomic_t *interrupted;
	struct process_user user;
	struct network network;
	struct helper proxy, i2p;
	struct datadir datadir;
	struct process process;
	struct rpc *rpc;
	uint16_t ports[PORT_CNT];
	uint64_t log_start; /* where debug.log began to be that of this start */
	unsigned starts;    /* since node_start or node_restart */
	bool ready;
	int version;
	char *subversion;
	int rpc_code;
	char end_text[160];
};

/* Finding bitcoind. */

static int
check_binary(const char *path, const char *from, char **out, struct diag *diag)
{
	struct stat st;

	*out = realpath(path, NULL);
	if (!*out || stat(*out, &st)) {
		int err = -errno;

		free(*out);
		*out = NULL;
		return diag_fail(diag, err,
				 "node: failed to use bitcoind '%s'%s: %s; give the path of a bitcoind", path,
				 from, strerror(-err));
	}
	int err = 0;
	if (S_ISDIR(st.st_mode)) {
		char *inner = xasprintf("%s/bin/bitcoind", *out);
		bool is_build = access(inner, X_OK) == 0;

		err = diag_fail(
			diag, -EISDIR,
			"node: failed to use bitcoind '%s'%s: it is a directory; give the path of the program%s%s",
			path, from, is_build ? ", which may be " : "", is_build ? inner : "");
		free(inner);
	} else if (!S_ISREG(st.st_mode)) {
		err = diag_fail(diag, -EINVAL, "node: failed to use bitcoind '%s'%s: it is no regular file",
				path, from);
	} else if (access(*out, X_OK)) {
		err = diag_fail(
			diag, -EACCES,
			"node: failed to use bitcoind '%s'%s: it is not executable; chmod a+x it, or give the path of another",
			path, from);
	}
	if (err) {
		free(*out);
		*out = NULL;
	}
	return err;
}

int
node_find_bitcoind(const char *given, char **path, struct diag *diag)
{
	const char *from_env = getenv("BITCOIND"), *dirs = getenv("PATH");

	*path = NULL;
	if (given)
		return check_binary(given, "", path, diag);
	if (from_env && *from_env)
		return check_binary(from_env, " (from $BITCOIND)", path, diag);
	for (const char *dir = dirs ? dirs : "", *end; *dir; dir = *end ? end + 1 : end) {
		end = dir + strcspn(dir, ":");
		if (*dir != '/')
			continue; /* the working directory says nothing about which bitcoind is meant */
		char *candidate = xasprintf("%.*s/bitcoind", (int)(end - dir), dir);
		int err = check_binary(candidate, "", path, NULL);
		free(candidate);
		if (!err)
			return 0;
	}
	return diag_fail(
		diag, -ENOENT,
		"node: failed to find bitcoind: there is none in PATH; give its path, or set BITCOIND to it");
}

/* Starting. */

static char **
copy_args(const char *const *args)
{
	size_t cnt = 0;

	while (args && args[cnt])
		cnt++;
	char **copy = xcalloc(cnt + 1, sizeof(*copy));
	for (size_t i = 0; i < cnt; i++)
		copy[i] = xstrdup(args[i]);
	return copy;
}

static void
free_strings(char **strings)
{
	for (; *strings; strings++)
		free(*strings);
}

static void
free_args(char **args)
{
	if (args)
		free_strings(args);
	free(args);
}

/* A socket bound to that port of 127.0.0.1 (0: any free one, which is told), or a negative errno value. */
static int
bind_port(const struct network *network, uint16_t *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int one = 1, fd = network_socket(network, AF_INET, SOCK_STREAM);

	if (fd < 0)
		return fd;
	if (*port) /* as bitcoind does, so that connections of before do not count */
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

/* Keeps the ports that there are and that are free, and finds others. */
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

static bool
has_gone(void *node)
{
	return !node_is_alive(node);
}

static int
start_helper(struct node *node, struct helper *helper, enum stand_in_kind kind, struct diag *diag)
{
	int fd = bind_port(&node->network, &helper->port);

	if (fd < 0 || listen(fd, SOMAXCONN)) {
		int err = fd < 0 ? fd : -errno;

		if (fd >= 0)
			close(fd);
		return diag_fail(diag, err, "node: failed to listen on 127.0.0.1: %s", strerror(-err));
	}
	int err = stand_in_start(&helper->server, kind, fd, node->interrupted, diag);
	if (!err)
		stand_in_watch(helper->server, has_gone, node);
	return err;
}

struct argv {
	char *items[ARGS_MAX]; /* ended by NULL */
	size_t cnt;
};

static void __attribute__((format(printf, 2, 3))) add_arg(struct argv *argv, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	argv->items[argv->cnt++] = xvasprintf(fmt, ap);
	va_end(ap);
}

/* Only options that v23.0 and all after it know: bitcoind refuses unknown ones. */
static void
add_base_args(const struct node *node, struct argv *argv)
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
		"-natpmp=0",
		/* What scenarios read in debug.log. */
		"-printtoconsole=0",
		"-logtimemicros=1",
		"-debug=bench",
		"-debug=coindb",
		/* regtest's self-checks cost more than all else. */
		"-checkmempool=0",
		"-checkblockindex=0",
		"-persistmempool=0",
		"-fallbackfee=0.0002",
	};

	add_arg(argv, "%s", node->binary);
	add_arg(argv, "-datadir=%s", node->datadir.path);
	add_arg(argv, "-conf=%s/bitcoin.conf", node->datadir.path);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		add_arg(argv, "%s", fixed[i]);
	if (!node->finds_peers)
		add_arg(argv, "-connect=0");
	add_arg(argv, "-rpcport=%u", node->ports[PORT_RPC]);
	if (node->proxy.server)
		add_arg(argv, "-proxy=127.0.0.1:%u", node->proxy.port);
	if (node->i2p.server)
		add_arg(argv, "-i2psam=127.0.0.1:%u", node->i2p.port);
	add_arg(argv, "-listen=%d", (int)node->listen);
	if (node->listen) {
		add_arg(argv, "-bind=127.0.0.1:%u", node->ports[PORT_P2P]);
		add_arg(argv, "-bind=127.0.0.1:%u=onion", node->ports[PORT_ONION]);
		if (!node_network_lack(node, AF_INET6))
			add_arg(argv, "-bind=[::1]:%u", node->ports[PORT_P2P]);
	}
}

static int
make_file(struct node *node, const char *name)
{
	int fd = datadir_open(&node->datadir, NULL, name, O_RDWR | O_APPEND | O_CREAT);

	if (fd >= 0 && node->user.change && fchown(fd, node->user.uid, node->user.gid)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* Starts bitcoind once on the datadir that is there. */
static int
spawn(struct node *node, struct diag *diag)
{
	struct argv env = {0}, base = {0};
	char **argv = NULL;
	size_t extra_cnt = 0, known_cnt = 0;
	int conf_fd = -1, output_fd = -1;

	rpc_free(node->rpc);
	node->rpc = NULL;
	node->ready = false;
	node->end_text[0] = '\0';
	node->starts++;
	int err = choose_ports(node, diag);
	if (err)
		goto out;
	datadir_remove(&node->datadir, CHAIN_DIR, ".cookie"); /* of a start that was killed */
	node->log_start = node_log_mark(node);
	conf_fd = make_file(node, "bitcoin.conf");
	output_fd = make_file(node, OUTPUT_FILE);
	if (conf_fd < 0 || output_fd < 0 || ftruncate(output_fd, 0)) {
		err = conf_fd < 0 ? conf_fd : output_fd < 0 ? output_fd : -errno;
		diag_fail(diag, err, "node: failed to make a file in '%s': %s", node->datadir.path,
			  strerror(-err));
		goto out;
	}

	add_arg(&env, "PATH=/usr/local/bin:/usr/bin:/bin");
	add_arg(&env, "LC_ALL=C");
	add_arg(&env, "HOME=%s", node->datadir.path);
	add_arg(&env, "TMPDIR=%s", node->datadir.path);
	add_base_args(node, &base);
	while (node->args[extra_cnt])
		extra_cnt++;
	while (node->args_if_known[known_cnt])
		known_cnt++;
	argv = xcalloc(base.cnt + known_cnt + extra_cnt + 1, sizeof(*argv));
	memcpy(argv, base.items, base.cnt * sizeof(*argv));
	memcpy(argv + base.cnt, node->args_if_known, known_cnt * sizeof(*argv));
	memcpy(argv + base.cnt + known_cnt, node->args, extra_cnt * sizeof(*argv));
	err = process_start(&node->process,
			    &(struct process_opts){
				    .program = node->binary,
				    .argv = argv,
				    .envp = env.items,
				    .dir = node->datadir.path,
				    .output_fd = output_fd,
				    .network_fd = node->network.fd,
				    .user = &node->user,
			    },
			    diag);
out:
	free_strings(base.items);
	free_strings(env.items);
	free(argv);
	if (conf_fd >= 0)
		close(conf_fd);
	if (output_fd >= 0)
		close(output_fd);
	return err;
}

int
node_start(struct node **out, const struct node_opts *opts, struct diag *diag)
{
	struct node *node = xcalloc(1, sizeof(*node));

	*out = NULL;
	node->process.fd = node->datadir.fd = node->datadir.parent_fd = -1;
	if (opts->own_network)
		network_make(&node->network);
	else
		network_init(&node->network);
	node->args = copy_args(opts->args);
	node->args_if_known = copy_args(opts->args_if_known);
	node->listen = opts->listen;
	node->finds_peers = opts->finds_peers;
	node->interrupted = opts->interrupted;
	node->subversion = xstrdup("");
	int err = check_binary(opts->bitcoind, "", &node->binary, diag);
	if (!err)
		err = process_find_user(&node->user, opts->user, diag);
	if (!err)
		err = datadir_make(&node->datadir, opts->parent_dir, node->user.uid, node->user.gid, diag);
	if (!err && opts->proxy)
		err = start_helper(node, &node->proxy, STAND_IN_SOCKS5, diag);
	if (!err && opts->i2p)
		err = start_helper(node, &node->i2p, STAND_IN_SAM, diag);
	if (!err)
		err = spawn(node, diag);
	if (err)
		node_free(node);
	else
		*out = node;
	return err;
}

int
node_restart(struct node *node, const char *const *args, struct diag *diag)
{
	if (node_is_alive(node))
		return diag_fail(diag, -EBUSY,
				 "node: failed to restart bitcoind: it runs (pid %d); stop it first",
				 (int)node->process.pid);
	if (args) {
		char **old = node->args;

		node->args = copy_args(args); /* first, as they may be the same */
		free_args(old);
	}
	process_kill(&node->process);
	node->starts = 0;
	return spawn(node, diag);
}

/* What it wrote. */

/* The last whole lines, bytes at most, of what a file in the datadir holds after from; the caller's to
 * free.
 * */
static char *
read_tail(struct node *node, const char *dir, const char *name, uint64_t from, size_t bytes)
{
	int fd = datadir_open(&node->datadir, dir, name, O_RDONLY);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), start = (off_t)from;
	char *text = xcalloc(bytes + 1, 1);

	if (end > start) {
		bool cut = end - start > (off_t)bytes;
		ssize_t len = pread(fd, text, bytes, cut ? end - (off_t)bytes : start);
		char *line = strchr(text, '\n');

		text[len > 0 ? len : 0] = '\0';
		if (cut && line && line[1])
			memmove(text, line + 1, strlen(line));
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* Adds the last lines of a file under a title, if there are any. */
static void
add_tail(struct node *node, const char *dir, const char *name, uint64_t from, size_t bytes, struct buf *out)
{
	char *text = read_tail(node, dir, name, from, bytes);

	if (*text)
		buf_printf(out, "\n  %s:", name);
	for (char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		buf_printf(out, "\n    %.*s", (int)len, line);
		line += len + (line[len] == '\n');
	}
	free(text);
}

/* Fails with -ECHILD, how bitcoind ended, and what it wrote last. */
static int
fail_ended(struct node *node, const char *doing, struct diag *diag)
{
	struct buf text;

	buf_init(&text, sizeof(diag->text) - 1);
	buf_printf(&text, "node: failed to %s: %s", doing, node_end_text(node));
	size_t len = text.len;
	add_tail(node, NULL, OUTPUT_FILE, 0, OUTPUT_TAIL, &text);
	add_tail(node, CHAIN_DIR, "debug.log", node->log_start, LOG_TAIL, &text);
	if (text.len == len)
		buf_puts(&text, " and left no output");
	diag_fail(diag, -ECHILD, "%s", text.data);
	buf_fini(&text);
	return -ECHILD;
}

/* Whether it wrote one of these, which end with NULL, since it was started. */
static bool
wrote(struct node *node, const char *const *phrases)
{
	char *output = read_tail(node, NULL, OUTPUT_FILE, 0, LOG_SEARCH);
	char *log = read_tail(node, CHAIN_DIR, "debug.log", node->log_start, LOG_SEARCH);
	bool found = false;

	for (; *phrases && !found; phrases++)
		found = strstr(output, *phrases) || strstr(log, *phrases);
	free(output);
	free(log);
	return found;
}

/* It ended: was it for a port that someone else had taken? */
static bool
ended_for_port(struct node *node)
{
	static const char *const phrases[] = {
		"Unable to bind",
		"Address already in use",
		"Unable to start HTTP server",
		"Failed to listen on any port",
		NULL,
	};

	return wrote(node, phrases);
}

/* It ended: was it for one of the arguments that it need not know? That one is left out from now on. */
static bool
ended_for_arg(struct node *node)
{
	for (char **arg = node->args_if_known; *arg; arg++) {
		char *phrase = xasprintf("Invalid parameter %s", *arg);
		bool unknown = wrote(node, (const char *const[]){phrase, NULL});

		free(phrase);
		if (!unknown)
			continue;
		free(*arg);
		for (; *arg; arg++)
			arg[0] = arg[1];
		return true;
	}
	return false;
}

/* It is ready: does it do without its P2P port? (Before v28 that is no error when it could bind another.) */
static bool
lacks_p2p_port(struct node *node)
{
	char *phrase = xasprintf("Unable to bind to 127.0.0.1:%u on", node->ports[PORT_P2P]);
	bool lacks = node->listen && wrote(node, (const char *const[]){phrase, NULL});

	free(phrase);
	return lacks;
}

uint64_t
node_log_mark(struct node *node)
{
	struct stat st;
	int fd = datadir_open(&node->datadir, CHAIN_DIR, "debug.log", O_RDONLY);

	if (fd < 0)
		return 0;
	uint64_t size = fstat(fd, &st) ? 0 : (uint64_t)st.st_size;
	close(fd);
	return size;
}

static int
open_log(struct node *node, struct diag *diag)
{
	int fd = datadir_open(&node->datadir, CHAIN_DIR, "debug.log", O_RDONLY);

	if (fd < 0)
		diag_fail(diag, fd, "node: failed to read '%s/" CHAIN_DIR "/debug.log': %s",
			  node->datadir.path, strerror(-fd));
	return fd;
}

int
node_log_read(struct node *node, uint64_t from, struct buf *out, struct diag *diag)
{
	char chunk[16384];
	ssize_t n;
	int fd = open_log(node, diag), err = 0;

	if (fd < 0)
		return fd;
	while ((n = pread(fd, chunk, sizeof(chunk), (off_t)from)) > 0) {
		if (!buf_add(out, chunk, (size_t)n)) {
			size_t room = out->max - out->len;

			buf_add(out, chunk, room < (size_t)n ? room : (size_t)n);
			break;
		}
		from += (uint64_t)n;
	}
	if (n < 0)
		err = diag_fail(diag, -errno, "node: failed to read debug.log: %s", strerror(errno));
	close(fd);
	return err;
}

static int
write_all(int fd, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)bytes + done, len - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int
node_write_file(struct node *node, const char *name, const void *bytes, size_t len, struct diag *diag)
{
	int fd = make_file(node, name), err = fd < 0 ? fd : 0;

	if (!err && ftruncate(fd, 0))
		err = -errno;
	if (!err)
		err = write_all(fd, bytes, len);
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	return err ? diag_fail(diag, err, "node: failed to write '%s' in '%s': %s", name, node->datadir.path,
			       strerror(-err))
		   : 0;
}

int
node_save_log(struct node *node, const char *dest_path, struct diag *diag)
{
	char chunk[16384];
	ssize_t n;
	int from = open_log(node, diag), err = 0;

	if (from < 0)
		return from;
	int to = open(dest_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (to < 0)
		err = -errno;
	while (!err && (n = read(from, chunk, sizeof(chunk))) != 0)
		err = n < 0 ? -errno : write_all(to, chunk, (size_t)n);
	if (to >= 0 && close(to) && !err)
		err = -errno;
	close(from);
	return err ? diag_fail(diag, err, "node: failed to save debug.log as '%s': %s", dest_path,
			       strerror(-err))
		   : 0;
}

/* Becoming ready. */

/* Makes node->rpc once there is a cookie. */
static void
read_cookie(struct node *node)
{
	char cookie[256];
	int fd = datadir_open(&node->datadir, CHAIN_DIR, ".cookie", O_RDONLY);

	if (fd < 0)
		return;
	ssize_t len = read(fd, cookie, sizeof(cookie) - 1);
	close(fd);
	if (len <= 0)
		return;
	cookie[len] = '\0';
	cookie[strcspn(cookie, "\r\n")] = '\0';
	node->rpc = rpc_new(&(struct rpc_opts){
		.port = node->ports[PORT_RPC],
		.cookie = cookie,
		.network = &node->network,
		.ended_fd = node->process.fd,
		.interrupted = node->interrupted,
	});
}

/* A script in place of bitcoind that does not exec it has another pid, which nothing could be attached to. */
static int
check_pid(struct node *node, struct diag *diag)
{
	char text[32];
	uint64_t pid;
	int fd = datadir_open(&node->datadir, CHAIN_DIR, "bitcoind.pid", O_RDONLY);

	if (fd < 0)
		return 0; /* the caller's arguments may have put it elsewhere */
	ssize_t len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (parse_u64(text, &pid) && pid != (uint64_t)node->process.pid)
		return diag_fail(
			diag, -EINVAL,
			"node: failed to use '%s': it is process %d and runs bitcoind as another, %s; a script has to exec bitcoind",
			node->binary, (int)node->process.pid, text);
	return 0;
}

static int
read_version(struct node *node, struct deadline deadline, struct diag *diag)
{
	struct json *info = NULL;
	int64_t version;
	int err = node_call(node, deadline, &info, diag, "getnetworkinfo", "[]");
	const char *subversion = json_string(json_get(info, "subversion"));

	if (!err && (!json_i64(json_get(info, "version"), &version) || !subversion))
		err = diag_fail(diag, -EBADMSG, "node: failed to read the version: getnetworkinfo has none");
	if (!err) {
		node->version = (int)version;
		free(node->subversion);
		node->subversion = xstrdup(subversion);
	}
	json_free(info);
	return err;
}

/* One look: 0 when the initial load is over; -EAGAIN when it is not, with what is missing in diag; else an
 * error. */
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
	if (err == -EACCES) { /* that was an old cookie, or someone else's port */
		rpc_free(node->rpc);
		node->rpc = NULL;
	}
	bool final = err == 0 || err == -ETIMEDOUT || err == -EINTR ||
		     (err == -EREMOTEIO && node->rpc_code != RPC_IN_WARMUP);
	return final ? err : -EAGAIN;
}

/* Starts it anew with other ports after a port was taken. */
static int
start_anew(struct node *node, struct diag *diag)
{
	process_kill(&node->process);
	memset(node->ports, 0, sizeof(node->ports));
	return spawn(node, diag);
}

int
node_wait_ready(struct node *node, struct deadline deadline, struct diag *diag)
{
	struct diag missing = {.text = "it has not written its cookie file"};

	if (!node->process.pid)
		return diag_fail(diag, -ECHILD, "node: failed to wait for bitcoind: it was not started");
	for (;;) {
		int err = 0;

		if (!node_is_alive(node)) {
			bool for_arg = ended_for_arg(node);

			if (!for_arg && (node->starts >= STARTS_MAX || !ended_for_port(node)))
				return fail_ended(node, "start bitcoind", diag);
			err = start_anew(node, diag);
			if (err)
				return err;
		}
		if (node_is_interrupted(node))
			return diag_fail(diag, -EINTR, "node: failed to wait for bitcoind: interrupted");
		if (deadline_has_passed(deadline)) {
			struct buf text;

			buf_init(&text, sizeof(diag->text));
			add_tail(node, NULL, OUTPUT_FILE, 0, OUTPUT_TAIL, &text);
			add_tail(node, CHAIN_DIR, "debug.log", node->log_start, LOG_TAIL, &text);
			diag_fail(diag, -ETIMEDOUT,
				  "node: failed to start bitcoind (pid %d) in time: %s; allow more time%s",
				  (int)node->process.pid, missing.text, text.data ? text.data : "");
			buf_fini(&text);
			return -ETIMEDOUT;
		}
		err = look(node, deadline, &missing);
		if (!err && lacks_p2p_port(node)) {
			if (node->starts >= STARTS_MAX)
				return diag_fail(
					diag, -EADDRINUSE,
					"node: failed to start bitcoind: %d ports for P2P were taken one after the other",
					STARTS_MAX);
			err = start_anew(node, diag);
			if (err)
				return err;
			continue;
		}
		if (!err)
			break;
		if (err != -EAGAIN && err != -ETIMEDOUT && err != -EINTR && node_is_alive(node))
			return diag_fail(diag, err, "node: failed to start bitcoind: %s", missing.text);
		process_wait(&node->process, deadline_earlier(deadline, deadline_in_ms(POLL_MS)),
			     node->interrupted);
	}
	node->ready = true;
	int err = check_pid(node, diag);
	return err ? err : read_version(node, deadline, diag);
}

/* Ending. */

int
node_stop(struct node *node, struct deadline deadline, struct diag *diag)
{
	struct diag ignored;

	if (!node_is_alive(node))
		return fail_ended(node, "stop bitcoind", diag);
	int err = -ECONNREFUSED;
	if (node->rpc)
		err = rpc_call(node->rpc, deadline, NULL, "stop", "[]", NULL, &node->rpc_code, &ignored);
	if (err)
		process_signal(&node->process, SIGTERM); /* it means the same to bitcoind */
	rpc_free(node->rpc);                             /* an open connection would hold up its end */
	node->rpc = NULL;
	node->ready = false;
	if (node->i2p.server)
		stand_in_hang_up(node->i2p.server);
	if (!process_wait(&node->process, deadline, node->interrupted)) {
		if (node_is_interrupted(node))
			return diag_fail(diag, -EINTR,
					 "node: failed to wait for the end of bitcoind: interrupted");
		return diag_fail(diag, -ETIMEDOUT, "node: failed to stop bitcoind (pid %d) in time",
				 (int)node->process.pid);
	}
	if (!node->process.status_known || node->process.status) {
		fail_ended(node, "stop bitcoind", diag);
		return -EIO;
	}
	return 0;
}

void
node_kill(struct node *node)
{
	process_kill(&node->process);
	rpc_free(node->rpc);
	node->rpc = NULL;
	node->ready = false;
}

void
node_free(struct node *node)
{
	if (!node)
		return;
	node_kill(node);
	datadir_end(&node->datadir, node->keep);
	stand_in_free(node->proxy.server);
	stand_in_free(node->i2p.server);
	network_fini(&node->network);
	free_args(node->args);
	free_args(node->args_if_known);
	free(node->binary);
	free(node->subversion);
	free(node);
}

void
node_set_keep(struct node *node, bool keep)
{
	node->keep = keep;
}

int
node_signal(struct node *node, int signo, struct diag *diag)
{
	int err = process_signal(&node->process, signo);

	return err ? diag_fail(diag, err, "node: failed to send signal %d to bitcoind (pid %d): %s", signo,
			       (int)node->process.pid, strerror(-err))
		   : 0;
}

bool
node_is_alive(struct node *node)
{
	return !process_has_ended(&node->process);
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

/* Asking. */

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

uid_t
node_uid(const struct node *node)
{
	return node->user.uid;
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

const char *
node_network_lack(const struct node *node, int domain)
{
	if (node->network.lack)
		return node->network.lack;
	return domain == AF_INET6 ? node->network.lack_ip6 : NULL;
}

uint16_t
node_rpc_port(const struct node *node)
{
	return node->ports[PORT_RPC];
}

bool
node_has_arg(const struct node *node, const char *wanted)
{
	for (char *const *arg = node->args_if_known; *arg; arg++)
		if (!strcmp(*arg, wanted))
			return true;
	return false;
}

struct stand_in *
node_proxy(const struct node *node)
{
	return node->proxy.server;
}

struct stand_in *
node_i2p(const struct node *node)
{
	return node->i2p.server;
}

bool
node_is_interrupted(const struct node *node)
{
	return node->interrupted && *node->interrupted;
}

int
node_socket(const struct node *node, int domain, int type)
{
	return network_socket(&node->network, domain, type | SOCK_NONBLOCK);
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

int
node_rpc_code(const struct node *node)
{
	return node->rpc_code;
}

const char *
node_rpc_message(const struct node *node)
{
	return node->rpc && node->rpc_code ? rpc_message(node->rpc) : "";
}

static int
call(struct node *node, struct deadline deadline, const char *wallet, struct json **result, struct diag *diag,
     const char *method, const char *params)
{
	if (result)
		*result = NULL;
	node->rpc_code = 0;
	char *doing = xasprintf("call rpc '%s'", method);
	int err;
	if (!node_is_alive(node)) {
		err = fail_ended(node, doing, diag);
	} else if (!node->rpc) {
		err = diag_fail(diag, -ECONNREFUSED, "node: failed to %s: bitcoind is not ready", doing);
	} else {
		err = rpc_call(node->rpc, deadline, wallet, method, params, result, &node->rpc_code, diag);
		/* Its sockets end a little before it does. */
		if ((err == -ECONNREFUSED || err == -ECONNRESET) &&
		    process_wait(&node->process, deadline_earlier(deadline, deadline_in_ms(DYING_MS)),
				 node->interrupted))
			err = fail_ended(node, doing, diag);
	}
	free(doing);
	return err;
}

int
node_call(struct node *node, struct deadline deadline, struct json **result, struct diag *diag,
	  const char *method, const char *params_fmt, ...)
{
	va_list ap;

	va_start(ap, params_fmt);
	char *params = params_fmt ? xvasprintf(params_fmt, ap) : xstrdup("[]");
	va_end(ap);
	int err = call(node, deadline, NULL, result, diag, method, params);
	free(params);
	return err;
}

int
node_wallet_call(struct node *node, struct deadline deadline, const char *wallet, struct json **result,
		 struct diag *diag, const char *method, const char *params_fmt, ...)
{
	va_list ap;

	va_start(ap, params_fmt);
	char *params = params_fmt ? xvasprintf(params_fmt, ap) : xstrdup("[]");
	va_end(ap);
	int err = call(node, deadline, wallet, result, diag, method, params);
	free(params);
	return err;
}
