/* What tpcheck takes from its environment. */
#ifndef TPCHECK_CLI_ENVIRONMENT_H
#define TPCHECK_CLI_ENVIRONMENT_H

#include "base/diag.h"

#include <sys/types.h>

struct probe_opts;

/* Removes all variables that tpcheck does not read itself, because libbcc's clang, libcrypto, libcurl and the C library
 * obey some of them. Call this first. */
void environment_reduce(void);

/* The variables that lower layers are given, as they are set; NULL for one that is not. Lent. */
struct environment {
	const char *bitcoind; /* $BITCOIND */
	const char *path;     /* $PATH */
	const char *tmpdir;   /* $TMPDIR */
	const char *home;     /* $HOME */
	const char *sudo_uid; /* $SUDO_UID */
};
struct environment environment_read(void);
/* Which of the caller's variables, of those that people set for a bitcoind, are neither passed on to it nor in env,
 * which is NULL-terminated or NULL; and how to pass them on. NULL if there are none; the caller frees it. */
char *environment_hint(const char *const *env);
/* Where root keeps compiled programs. */
#define ENVIRONMENT_CACHE_DIR "/var/cache/tpcheck"
/* Sets what the probes take from the environment: tmpdir, kernel_source and cache_dir. */
void environment_fill_probe_opts(struct probe_opts *opts);

/* Checks, as root, that the temporary folder is safe. -EPERM if others than root could change or replace our files
 * there, some of which are compiled into the kernel. From then on the folder is used by a name without links. */
int environment_check_tmpdir(struct diag *diag);

/* $TMPDIR, else /tmp. */
const char *environment_tmp_dir(void);
/* Where the probes put the kernel headers for libbcc: the same if it is absolute, else /tmp. */
const char *environment_probe_dir(void);
/* A folder in memory, if nothing is said about folders: without TMPDIR /dev/shm where it is a safe tmpfs; else NULL. */
const char *environment_memory_dir(void);
/* Where run puts its nodes' datadirs: in memory if there is room, else as environment_tmp_dir. */
const char *environment_node_dir(void);
/* Who called sudo; 0 and 0 if nobody did. */
void environment_sudo_caller(uid_t *uid, gid_t *gid);

#endif
