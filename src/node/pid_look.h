/* What a PID is, as /proc shows it: people give the PID of a shell, of an init, of a thread, or the number that a
 * process has in its container. All of it may change at any time, so it is good for messages and for finding a process,
 * which is then to be opened by pid_open. */
#ifndef TPCHECK_NODE_PID_LOOK_H
#define TPCHECK_NODE_PID_LOOK_H

#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pid_look {
	pid_t process; /* the same number, unless it is a thread's */
	pid_t parent;
	bool is_kernel; /* a thread of the kernel */
	bool has_ended; /* only its parent has not noticed yet */
	char name[32];  /* what ps shows; printable ASCII, as the others */
	char exe[1024]; /* the path of its program; "" if that may not be read */
	char program
		[1024]; /* its program's arguments up to the first that does not begin with '-', the last of them:
			      * what a loader or valgrind was asked to run; "" if there is none */
	char library[1024]; /* a mapped file named libbitcoin...; "" */
};

/* False: there is no such process or thread. */
bool pid_look(pid_t pid, struct pid_look *look);

/* However many there are. Whoever gets them calls pids_fini, even if there are none. */
struct pids {
	pid_t *items;
	size_t cnt, cap;
};
void pids_fini(struct pids *pids);
/* The children of a process, their children and so on, nearest first. */
void pid_descendants(pid_t pid, struct pids *found);
/* The processes that run a program of that name, whatever the folder. */
void pid_named(const char *name, struct pids *found);
/* The processes of a control group and of those below it: a folder in /sys/fs/cgroup, or a path as /proc/PID/cgroup
 * shows it. -ENOENT: there is no such group now. */
int pid_in_cgroup(const char *cgroup, struct pids *found, struct diag *diag);
/* The processes that have that number in a PID namespace of their own. */
void pid_in_containers(pid_t number, struct pids *found);

#endif
