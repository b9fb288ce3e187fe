/* Holding a bitcoind that starts, so that probes can be attached before it does its work: by a FIFO, the gate, in the
 * place of a file that it reads. It waits there, first for somebody to open the other end and then for him to close it,
 * and finds nothing in it. Both ways work in all releases.
 *
 * Before it imports blocks (NODE_HOLD_IMPORT): a thread of bitcoind first indexes its block files (-reindex), then
 * reads the files of -loadblock, the gate among these, then connects the blocks that it has, then loads its mempool.
 *
 * Before it loads its chain state (NODE_HOLD_CHAIN_STATE): shortly before, its main thread reads the list of banned
 * peers. It makes a new one when that is empty, so the gate must be gone before it is opened. */
#include "node/node_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 1 };

#define BANS_FILE "banlist.json" /* in NODE_CHAIN_DIR */

static const char *
gate_name(enum node_hold hold)
{
	return hold == NODE_HOLD_CHAIN_STATE ? BANS_FILE : NODE_GATE_FILE;
}

/* The folder that the gate is in, NULL for the datadir itself. */
static const char *
gate_dir(enum node_hold hold)
{
	return hold == NODE_HOLD_CHAIN_STATE ? NODE_CHAIN_DIR : NULL;
}

static void
remove_gate(struct node *node, enum node_hold hold)
{
	datadir_remove(&node->datadir, gate_dir(hold), gate_name(hold));
}

int
node_make_gate(struct node *node, enum node_hold hold, struct diag *diag)
{
	const char *name = gate_name(hold);
	const int dir_fd = datadir_open_dir(&node->datadir, gate_dir(hold));
	int err = dir_fd < 0 ? dir_fd : 0;

	remove_gate(node, hold);
	if (!err && (mkfifoat(dir_fd, name, 0600) ||
		     (node->user.change &&
		      fchownat(dir_fd, name, node->user.uid, node->user.gid, AT_SYMLINK_NOFOLLOW))))
		err = -errno;
	if (dir_fd >= 0)
		close(dir_fd);
	return err ? diag_fail(diag, err, "node: failed to make a FIFO in '%s': %s", node->datadir.path,
			       strerror(-err))
		   : 0;
}

/* Our end; -ENXIO: bitcoind has not opened its own. */
static int
open_gate(const struct node *node)
{
	const int dir_fd = datadir_open_dir(&node->datadir, gate_dir(node->hold));
	struct stat st;

	if (dir_fd < 0)
		return dir_fd;
	int fd = openat(dir_fd, gate_name(node->hold), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;
	close(dir_fd);
	if (err)
		return err;
	if (fstat(fd, &st) || !S_ISFIFO(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int
node_wait_at_gate(struct node *node, struct deadline deadline, struct diag *diag)
{
	struct diag missing;

	snprintf(missing.text, sizeof(missing.text), "it has not begun to load %s",
		 node->hold == NODE_HOLD_CHAIN_STATE ? "its chain state" : "blocks");
	for (;;) {
		node->gate_fd = open_gate(node);
		if (node->gate_fd >= 0)
			return 0;
		if (node->gate_fd != -ENXIO)
			return diag_fail(diag, node->gate_fd,
					 "node: failed to open the FIFO '%s' in '%s': %s",
					 gate_name(node->hold), node->datadir.path, strerror(-node->gate_fd));
		int err = node_go_on_waiting(node, deadline, &missing, diag);
		if (err)
			return err;
		process_wait(&node->process,
			     deadline_earlier(deadline, deadline_in_ms(idle_wait_ms(&node->idle, POLL_MS))),
			     node->interrupted);
	}
}

void
node_release(struct node *node)
{
	if (node->hold == NODE_HOLD_CHAIN_STATE)
		remove_gate(node, node->hold);
	if (node->gate_fd >= 0)
		close(node->gate_fd);
	node->gate_fd = -1;
	node->hold = NODE_HOLD_NONE;
}
