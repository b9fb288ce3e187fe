/* The private directory of a node. Its content belongs to the user that bitcoind runs as, and we may be root: no path
 * in it is followed through a symbolic link, neither for reading nor for removing. Below node.h. */
#ifndef TPCHECK_NODE_DATADIR_H
#define TPCHECK_NODE_DATADIR_H

#include "base/diag.h"

#include <sys/types.h>

struct datadir {
	char *path;       /* absolute; owned */
	const char *name; /* the last part of path */
	int parent_fd, fd;
};

/* Makes tpcheck-node-XXXXXX with mode 0700 in parent (NULL or "": /tmp) for that user. */
int datadir_make(struct datadir *datadir, const char *parent, uid_t uid, gid_t gid, struct diag *diag);
/* Removes it with everything in it, as far as possible. */
void datadir_remove_all(struct datadir *datadir);

/* Opens dir/name, or name when dir is NULL: only a regular file with a single link; a descriptor or a negative errno
 * value. */
int datadir_open(const struct datadir *datadir, const char *dir, const char *name, int flags);
void datadir_remove(const struct datadir *datadir, const char *dir, const char *name);

#endif
