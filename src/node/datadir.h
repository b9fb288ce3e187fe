/* The private directory of a node. Its content belongs to the user that bitcoind runs as, and we may be root: no path
 * in it is followed through a symbolic link, neither for reading nor for removing. Below node.h. */
#ifndef TPCHECK_NODE_DATADIR_H
#define TPCHECK_NODE_DATADIR_H

#include "base/folder.h"

#include <sys/types.h>

struct datadir {
	struct folder folder;
	const char *path; /* absolute; lent */
	int fd;
};

/* Makes tpcheck-node-XXXXXX with mode 0700 in parent (NULL or "": /tmp) for that user. */
int datadir_make(struct datadir *datadir, struct keeper *keeper, const char *parent, uid_t uid, gid_t gid,
		 struct diag *diag);
/* Kills the processes whose HOME it is, then removes it with everything in it: see folder.h. */
int datadir_remove_all(struct datadir *datadir, struct diag *diag);

/* Opens dir/name, or name when dir is NULL: only a regular file with a single link; a descriptor or a negative errno
 * value. */
int datadir_open(const struct datadir *datadir, const char *dir, const char *name, int flags);
/* The folder dir in it, or the datadir itself when dir is NULL: a descriptor of the caller's, or a negative errno
 * value. */
int datadir_open_dir(const struct datadir *datadir, const char *dir);
void datadir_remove(const struct datadir *datadir, const char *dir, const char *name);

#endif
