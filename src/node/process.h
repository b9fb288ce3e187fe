/* One child process: it inherits nothing of ours but what it needs, is watched, and is reaped exactly once. Below
 * node.h. */
#ifndef TPCHECK_NODE_PROCESS_H
#define TPCHECK_NODE_PROCESS_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct process {
	pid_t pid; /* 0: never started */
	int fd;    /* pidfd, readable once it has ended; -1: none */
	bool ended;
	bool status_known; /* false when someone else reaped it */
	int status;        /* from waitpid */
};

struct process_user {
	bool change; /* we are root and it must not be */
	uid_t uid;   /* valid whether or not it changes */
	gid_t gid;
	char name[64]; /* for messages; the uid when there is no name */
	/* Why it is root although another is the default, for people to read; "" when it is not so. */
	char note[256];
};

/* As user, sudo_uid and same_user of struct node_opts. */
struct process_user_opts {
	const char *name, *sudo_uid;
	bool same_user;
};

struct process_opts {
	const char *program; /* absolute path */
	char *const *argv, *const *envp;
	const char *dir; /* its working directory; NULL: ours, even one that the user could not enter */
	int output_fd;   /* becomes its stdout and stderr */
	int network_fd;  /* the network namespace to run in; -1: ours */
	int user_ns_fd;  /* the user namespace of that network, which the user made; -1: ours */
	const struct process_user *user;
};

/* The user to run as. Where root cannot become its default, which is tried, it is root; one that was named is not
 * tried. */
int process_find_user(struct process_user *user, const struct process_user_opts *opts, struct diag *diag);

/* For a child between fork and exec: becomes the user, if it changes. Async-signal-safe; 0, or -1 with errno. */
int process_become(const struct process_user *user);

/* Starts it in a session of its own; it is killed with SIGKILL when our thread ends. Returns once the program runs, or
 * with the step that failed and what helps. */
int process_start(struct process *process, const struct process_opts *opts, struct diag *diag);

/* Whether it has ended. If so, it is reaped and what is left of its process group is killed. */
bool process_has_ended(struct process *process);
/* Waits for its end; false if the deadline passes or *interrupted (may be NULL) is set first. */
bool process_wait(struct process *process, struct deadline deadline, const atomic_int *interrupted);
/* -ESRCH when it has ended. */
int process_signal(struct process *process, int signo);
/* Kills it, if it runs, reaps it and closes fd. Errors of kill(2); -ETIMEDOUT: it has not ended after some seconds. */
int process_kill(struct process *process, struct diag *diag);

/* Adds "bitcoind (pid 17) exited with status 1", name first. */
void process_describe_end(const struct process *process, const char *name, struct buf *out);

#endif
