/* The process that a PID file is of. bitcoind writes the file (-pid) when it starts and removes it when it ends;
 * after a crash the file is left, and its number may be another process's by then. */
#ifndef TPCHECK_NODE_PID_FILE_H
#define TPCHECK_NODE_PID_FILE_H

#include "base/diag.h"

#include <stdbool.h>
#include <sys/types.h>

/* The process that the file names, and a pidfd of it, the caller's to close: it is readable when the process ended,
 * and never means another one. -EAGAIN: not now, and diag says why: there is no such file, it holds no PID yet, the
 * process has ended, or it began after the file was written and so is another one. -EACCES and others: never. */
int pid_file_open(const char *path, pid_t *pid, int *pidfd, struct diag *diag);

/* A pidfd of a process; -ESRCH. */
int pid_open(pid_t pid, int *pidfd, struct diag *diag);
/* Whether the process of a pidfd has ended. */
bool pidfd_has_ended(int pidfd);

#endif
