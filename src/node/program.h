/* A bitcoind that runs with the caller's arguments, datadir and chain. All we know of it is how it was started and how
 * it ended. (node.h is for a node of tpcheck's own.) */
#ifndef TPCHECK_NODE_PROGRAM_H
#define TPCHECK_NODE_PROGRAM_H

#include "base/clock.h"
#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct program;

struct program_opts {
	const char *bitcoind;        /* path, from node_find_bitcoind */
	const char *const *args;     /* NULL-terminated */
	const char *user, *sudo_uid; /* as in struct node_opts */
	bool same_user;              /* the same */
	const char *const *env;      /* more variables, as in struct node_opts */
	/* Gets all that it prints, on a thread of its own, until program_output or program_free; may be NULL. */
	void (*on_output)(void *cookie, const char *text, size_t len);
	void *cookie;
	const char *home; /* $HOME, for a bitcoind that runs as ourselves; NULL: from the user database */
	const char *dir;  /* its working directory; NULL: ours */
};

/* Starts it as that user and with that user's HOME, without privileges and without our open files. Its output is read
 * and discarded except for the last lines: see program_output. It gets SIGKILL when the thread that started it ends.
 * *out is NULL on failure. */
int program_start(struct program **out, const struct program_opts *opts, struct diag *diag);
/* Kills it, if it runs; NULL is fine. */
void program_free(struct program *program);

pid_t program_pid(const struct program *program);
int program_signal(struct program *program, int signo);
bool program_is_alive(struct program *program);
/* Only once it has ended: "bitcoind (pid 17) exited with status 1", and whether that was status 0. Lent. */
const char *program_end_text(struct program *program);
bool program_ended_well(struct program *program);
/* Only once it has ended: the last lines that it printed, or "". Lent. */
const char *program_output(struct program *program);

#endif
