/* Whoever can set a variable of root's shell, or calls a tpcheck that has file capabilities, must not choose by it what
 * is compiled into the kernel or run: clang includes from CPATH, libbcc compiles the headers in BCC_KERNEL_SOURCE,
 * libcrypto loads the modules that OPENSSL_CONF names, libcurl asks the proxy in http_proxy. There are more such names
 * than anybody knows, so those that are read here are listed, and the rest goes: for everybody, as it also makes a run
 * depend on less. What the loader obeys (LD_PRELOAD) is over when a program can look; it ignores that by itself where a
 * file has capabilities, and sudo takes it away. */
#include "cli/environment.h"

#include "base/privileges.h"
#include "base/xmem.h"
#include "probe/probe.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* tests/cli/privileges_test.sh compares these with what the sources read. */
static const char *const kept[] = {
	"PATH",     /* where bitcoind is looked for; it never runs with our privileges */
	"BITCOIND", /* the same */
	"TMPDIR",   /* see environment_check_tmpdir */
	"SUDO_UID", /* whom bitcoind runs as, and whom what is kept belongs to; never root */
	"SUDO_GID", /* the same */
	"HOME",     /* where a bitcoind that trace starts as ourselves has its datadir */
	"TERM",     /* whether a terminal has colours and a cursor that moves */
	"NO_COLOR", /* https://no-color.org */
	"TZ",       /* of the times that trace tells; the C library takes nothing else from it */
};

/* Those who may do no more than we can choose what is compiled. */
static const char *const kept_unless_raised[] = {
	"BCC_KERNEL_SOURCE", /* for --headers=system */
};

static bool
is_among(const char *const *names, size_t cnt, const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < cnt; i++)
		if (strlen(names[i]) == len && !strncmp(names[i], variable, len))
			return true;
	return false;
}

static bool
is_kept(const char *variable)
{
#ifdef __SANITIZE_ADDRESS__
	if (strstr(variable, "SAN_OPTIONS="))
		return true;
#endif
	return is_among(kept, sizeof(kept) / sizeof(kept[0]), variable) ||
	       (!privileges_are_raised() &&
		is_among(kept_unless_raised, sizeof(kept_unless_raised) / sizeof(kept_unless_raised[0]),
			 variable));
}

void
environment_reduce(void)
{
	char **to = environ;

	/* Not by unsetenv: it leaves alone what has no name ("=x") and what is there twice. */
	for (char **from = environ; from && *from; from++)
		if (is_kept(*from))
			*to++ = *from;
	if (to)
		*to = NULL;
}

struct environment
environment_read(void)
{
	return (struct environment){
		.bitcoind = getenv("BITCOIND"),
		.path = getenv("PATH"),
		.tmpdir = getenv("TMPDIR"),
		.home = getenv("HOME"),
		.sudo_uid = getenv("SUDO_UID"),
	};
}

void
environment_fill_probe_opts(struct probe_opts *opts)
{
	const char *tmpdir = getenv("TMPDIR");

	/* A relative one would depend on the working directory. */
	opts->tmpdir = tmpdir && *tmpdir == '/' ? tmpdir : NULL;
	opts->kernel_source = getenv("BCC_KERNEL_SOURCE");
}

/* Root's, and nobody else can rename what root made in it. */
static bool
is_safe(const struct stat *st)
{
	return st->st_uid == 0 && (!(st->st_mode & (S_IWGRP | S_IWOTH)) || st->st_mode & S_ISVTX);
}

int
environment_check_tmpdir(struct diag *diag)
{
	const char *given = getenv("TMPDIR");
	int code = 0;

	/* In a user namespace owners are not known, and nothing can be compiled into the kernel. */
	if (geteuid() != 0 || privileges_are_confined())
		return 0;
	/* One that is not there is told where it is used. */
	char *path = realpath(given && *given ? given : "/tmp", NULL);
	char *end = path ? path + strlen(path) : NULL;
	while (path && !code && end) {
		struct stat st;

		*end = '\0';
		const char *folder = *path ? path : "/";
		if (!stat(folder, &st) && !is_safe(&st))
			code = diag_fail(
				diag, -EPERM,
				"failed to use '%s' for temporary files: others than root can change '%s' (user %u, mode %04o), and root would use what they put there; set TMPDIR to a folder like /tmp, with the sticky bit (chmod +t)",
				given && *given ? given : "/tmp", folder, (unsigned)st.st_uid,
				(unsigned)(st.st_mode & 07777));
		end = *path ? strrchr(path, '/') : NULL;
	}
	free(path);
	return code;
}
