/* A folder for temporary files that is removed again, whatever happens: by its owner, by the owner's keeper, or,
 * when both were killed, by the next tpcheck of the same user.
 *
 * Beside the folder PARENT/NAME is the file PARENT/NAME.lock. While they live, owner and keeper each hold a shared
 * lock (flock) on it. It contains the device and inode of the folder. folder_sweep removes a folder only if it has
 * such a file that belongs to this user, that is not locked, and that names just this folder: so it is ours, and
 * its owner is dead. */
#ifndef TPCHECK_BASE_FOLDER_H
#define TPCHECK_BASE_FOLDER_H

#include "base/diag.h"
#include "base/keeper.h"

#include <stdbool.h>

struct folder {
	struct keeper_deed deed;
	const char *path; /* absolute; lent; NULL: not made */
	int lock_fd;
};

enum folder_kind {
	FOLDER_PLAIN,
	/* Processes with HOME=path in the environment they were started with are killed before it is removed. */
	FOLDER_HOME,
};

/* Makes parent/prefixXXXXXX with mode 700; parent is absolute and has no symbolic links that can change. */
int folder_make(struct folder *folder, struct keeper *keeper, const char *parent, const char *prefix,
		enum folder_kind kind, struct diag *diag);
/* Removes it, with all that is in it, without following links or crossing to other file systems. Nothing if it was
 * not made. After an error, the text names what is left. */
int folder_remove(struct folder *folder, struct diag *diag);

/* Kills the processes that have HOME=path in the environment they were started with, and waits for their end. */
int folder_end_processes(const char *path, struct diag *diag);

/* Removes the folders with that prefix that killed processes of this user left in parent. Returns how many;
 * errors, if any, are reported by diag, which is otherwise "". */
unsigned folder_sweep(const char *parent, const char *prefix, struct diag *diag);

#endif
