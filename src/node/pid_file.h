/* From a PID file to the process. bitcoind writes the file (-pid) when it starts and removes it when it ends; after a
 * crash the file stays, and its number may belong to another process later. */
#ifndef TPCHECK_NODE_PID_FILE_H
#define TPCHECK_NODE_PID_FILE_H

#include "base/diag.h"

#include <stdbool.h>
#include <sys/types.h>

/* The process that the file names, and a pidfd for it, the caller's to close: readable once the process has ended, and
 * never another process's. -EAGAIN: trying again later may help: there is no such file, it has no PID, the process has
 * ended, or it started after the file was written and is therefore another one. -EACCES and others: it will not. */
int pid_file_open(const char *path, pid_t *pid, int *pidfd, struct diag *diag);

/* A pidfd for a process. -ESRCH: there is no such process. */
int pid_open(pid_t pid, int *pidfd, struct diag *diag);
/* Whether the process of a pidfd has ended. */
bool pidfd_has_ended(int pidfd);

#endif
