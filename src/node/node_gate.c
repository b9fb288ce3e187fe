/* Holding a bitcoind that starts, so that probes can be attached before it does its work.
 *
 * A thread of bitcoind first indexes its block files (-reindex), then reads the files of -loadblock, then connects the
 * blocks that it has, then loads its mempool. The file that we give it is a FIFO, the gate: it waits there, first for
 * somebody to open the other end and then for him to close it, and finds nothing in it. That works in all releases. */
#include "node/node_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 1 };

static int
make_gate(struct node *node, struct diag *diag)
{
	const int dir_fd = node->datadir.fd;
	int err = 0;

	datadir_remove(&node->datadir, NULL, NODE_GATE_FILE);
	if (mkfifoat(dir_fd, NODE_GATE_FILE, 0600) ||
	    (node->user.change &&
	     fchownat(dir_fd, NODE_GATE_FILE, node->user.uid, node->user.gid, AT_SYMLINK_NOFOLLOW)))
		err = diag_fail(diag, -errno, "node: failed to make a FIFO in '%s': %s", node->datadir.path,
				strerror(errno));
	return err;
}

/* Our end; -ENXIO: bitcoind has not opened its own. */
static int
open_gate(const struct node *node)
{
	struct stat st;
	int fd = openat(node->datadir.fd, NODE_GATE_FILE, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISFIFO(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

static int
wait_at_gate(struct node *node, struct deadline deadline, struct diag *diag)
{
	const struct diag missing = {.text = "it has not begun to load blocks"};
	int err = 0;

	for (;;) {
		node->gate_fd = open_gate(node);
		if (node->gate_fd >= 0)
			return 0;
		if (node->gate_fd != -ENXIO)
			return diag_fail(diag, node->gate_fd, "node: failed to open the FIFO '%s/%s': %s",
					 node->datadir.path, NODE_GATE_FILE, strerror(-node->gate_fd));
		if (!node_is_alive(node))
			err = node_start_after_end(node, diag);
		if (err)
			return err;
		idle_look(&node->idle, &node->process);
		if (node_is_interrupted(node))
			return diag_fail(diag, -EINTR, "node: failed to wait for bitcoind: interrupted");
		if (deadline_has_passed(deadline))
			return node_fail_timeout(node, &missing, diag);
		process_wait(&node->process,
			     deadline_earlier(deadline, deadline_in_ms(idle_wait_ms(&node->idle, POLL_MS))),
			     node->interrupted);
	}
}

int
node_restart_held(struct node *node, const char *const *args, struct deadline deadline, struct diag *diag)
{
	int err = node_is_alive(node) ? 0 : make_gate(node, diag);

	if (err)
		return err;
	node->held = true;
	err = node_restart(node, args, diag);
	if (!err)
		err = wait_at_gate(node, deadline, diag);
	idle_end(&node->idle, &node->process);
	if (err)
		node_release(node);
	return err;
}

void
node_release(struct node *node)
{
	if (node->gate_fd >= 0)
		close(node->gate_fd);
	node->gate_fd = -1;
	node->held = false;
}
