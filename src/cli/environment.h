/* What tpcheck takes from its environment. */
#ifndef TPCHECK_CLI_ENVIRONMENT_H
#define TPCHECK_CLI_ENVIRONMENT_H

#include "base/diag.h"

struct probe_opts;

/* Takes all variables away that tpcheck does not read itself: libbcc's clang, libcrypto, libcurl and the C library
 * would obey some. To be called first of all. */
void environment_reduce(void);

/* The variables that lower layers are given: as they are set, NULL for one that is not. Lent. */
struct environment {
	const char *bitcoind; /* $BITCOIND */
	const char *path;     /* $PATH */
	const char *tmpdir;   /* $TMPDIR */
	const char *home;     /* $HOME */
	const char *sudo_uid; /* $SUDO_UID */
};
struct environment environment_read(void);
/* Sets what the probes take from the environment: tmpdir and kernel_source. */
void environment_fill_probe_opts(struct probe_opts *opts);

/* As root: may files be made in the temporary folder? -EPERM when others than root could change or replace what we make
 * there, as we compile some of it into the kernel. */
int environment_check_tmpdir(struct diag *diag);

#endif
