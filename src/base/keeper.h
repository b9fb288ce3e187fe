/* A process that outlives this one, to undo what this one did.
 *
 * A process that is being killed by SIGKILL cannot undo anything: it leaves its folders behind, and the kernel
 * fails to take its uprobes out of another process ("failed to unregister, leaking uprobe"), whose traps and
 * semaphores then stay for good. So whatever must be undone is done by the keeper: a child that is forked before
 * anything else, that nobody has a reason to kill, and that undoes all of it, the last first, when this process
 * has ended in whatever way.
 *
 * It runs the same program image without an exec. Therefore a request names its functions by their addresses.
 *
 * A deed is something to be undone: a function that does it, a function that undoes it, and the state between the
 * two, plain memory. Calls may be made by any thread. Without a keeper (NULL), everything is done in this process. */
#ifndef TPCHECK_BASE_KEEPER_H
#define TPCHECK_BASE_KEEPER_H

#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct keeper;

struct keeper_opts {
	/* Called in the keeper first; may be NULL. An error is that of keeper_start. */
	int (*prepare)(void *cookie, struct diag *diag);
	void *cookie;
	/* The program's arguments, which the keeper overwrites in its own memory: nobody who kills tpcheck by its
	 * command line should kill the keeper too. NULL: they stay. */
	char **argv;
};

/* To be called before there is a second thread. opts may be NULL. */
int keeper_start(struct keeper **out, const struct keeper_opts *opts, struct diag *diag);
/* Has it undo what was not undone yet, and waits for its end; NULL is fine. -ETIMEDOUT: somebody stopped it, and it
 * will do that when it goes on. */
int keeper_stop(struct keeper *keeper, struct diag *diag);
pid_t keeper_pid(const struct keeper *keeper);
/* -EPIPE: it was killed, so what its deeds hold open is no longer open, or not for long; 0: all that was not undone
 * still is. NULL is fine. */
int keeper_check(struct keeper *keeper, struct diag *diag);

enum { KEEPER_ARGS_MAX = 96 << 10, KEEPER_STATE_MAX = 8 << 10 };

struct keeper_desc {
	size_t state_sz; /* at most KEEPER_STATE_MAX */
	/* state is all zeros. The descriptors (at most FDS_MAX) are closed afterwards. After an error there is nothing
	 * to undo. */
	int (*work)(void *state, const void *args, size_t args_sz, const int *fds, size_t fds_cnt,
		    struct diag *diag);
	int (*undo)(void *state, struct diag *diag);
	/* undo may also be called in another process than work: state has no descriptors, or knows whose they are.
	 * So it is called here when the keeper is gone. */
	bool undo_anywhere;
};

/* All zeros: nothing was done. */
struct keeper_deed {
	struct keeper *keeper;
	const struct keeper_desc *desc;
	unsigned id;
	void *state; /* for reading: a copy of the keeper's; NULL: nothing was done */
	bool is_undoing;
	int undone_fd; /* then: where the keeper answers */
};

/* -EPIPE: the keeper is gone; -ETIMEDOUT: somebody stopped it, and it is not asked again; else as work. */
int keeper_do(struct keeper *keeper, struct keeper_deed *deed, const struct keeper_desc *desc,
	      const void *args, size_t args_sz, const int *fds, size_t fds_cnt, struct diag *diag);
/* Nothing if nothing was done. Errors as undo; nothing is left to be undone in any case. */
int keeper_undo(struct keeper_deed *deed, struct diag *diag);
/* For what takes long to undo: the keeper begins with it in a thread of its own, and serves others meanwhile; undo must
 * allow that. It is over when keeper_undo returns, which must follow. */
void keeper_undo_begin(struct keeper_deed *deed);

/* For a process that a deed forks: closes all descriptors from 3 on but one. */
void keeper_close_all_but(int kept);

#endif
