/* Nobody may choose by an environment variable what a privileged tpcheck compiles into the kernel or runs: neither
 * someone who can set a variable of root's shell, nor the caller of a tpcheck with file capabilities. clang includes
 * from CPATH, libbcc compiles the headers in BCC_KERNEL_SOURCE, libcrypto loads the modules that OPENSSL_CONF names,
 * libcurl uses http_proxy. There are more such names than anybody knows. Therefore only the variables listed here are
 * kept, for everybody, which also makes runs more alike. By the time a program can act, the dynamic loader has obeyed
 * its variables (LD_PRELOAD); it ignores them if the file has capabilities, and sudo removes them. */
#include "cli/environment.h"

#include "base/buf.h"
#include "base/privileges.h"
#include "base/text.h"
#include "base/xmem.h"
#include "probe/probe.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

extern char **environ;

/* tests/cli/privileges_test.sh compares these with what the sources read. */
static const char *const allowed[] = {
	"PATH",     /* where to look for bitcoind, which never runs with our privileges */
	"BITCOIND", /* the same */
	"TMPDIR",   /* see environment_check_tmpdir */
	"SUDO_UID", /* the user to run bitcoind as, and the owner of artifacts; never root */
	"SUDO_GID", /* the same */
	"HOME",     /* the datadir of a bitcoind that trace starts as the same user */
	"TERM",     /* whether a terminal has colours and a movable cursor */
	"NO_COLOR", /* https://no-color.org */
	"TZ",       /* the time zone of trace's times; the C library takes nothing else from it */
};

/* For callers who could compile it into the kernel themselves. */
static const char *const allowed_unless_raised[] = {
	"BCC_KERNEL_SOURCE", /* for --headers=system */
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

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
is_allowed(const char *variable)
{
#ifdef __SANITIZE_ADDRESS__
	if (strstr(variable, "SAN_OPTIONS="))
		return true;
#endif
	return is_among(allowed, COUNT(allowed), variable) ||
	       (!privileges_are_raised() &&
		is_among(allowed_unless_raised, COUNT(allowed_unless_raised), variable));
}

static bool
ends_with(const char *text, size_t len, const char *suffix)
{
	size_t suffix_len = strlen(suffix);

	return len >= suffix_len && !strncmp(text + len - suffix_len, suffix, suffix_len);
}

/* Whether people set it for a bitcoind: to find its libraries, or for a sanitizer. */
static bool
is_for_node(const char *variable)
{
	static const char *const names[] = {"LD_LIBRARY_PATH", "LD_PRELOAD"};
	size_t len = strcspn(variable, "=");

	return is_among(names, COUNT(names), variable) || ends_with(variable, len, "SAN_OPTIONS") ||
	       ends_with(variable, len, "SAN_SYMBOLIZER_PATH");
}

/* Those that were set for a bitcoind. */
static const char *for_node[8];
static size_t for_node_cnt;

/* Whether libraries may have been loaded, or would be, that are not those of the system. */
static bool has_other_libraries;

void
environment_reduce(void)
{
	char **to = environ;

	/* unsetenv would miss entries without a name ("=x") and duplicates. */
	for (char **from = environ; from && *from; from++) {
		if (is_for_node(*from) && for_node_cnt < COUNT(for_node))
			for_node[for_node_cnt++] = *from;
		has_other_libraries |= !strncmp(*from, "LD_", 3);
		if (is_allowed(*from))
			*to++ = *from;
	}
	if (to)
		*to = NULL;
	/* What is set while a text is compiled. To add a variable can move all of them, which crashes another thread
	 * that reads them; one that is there is replaced in its place. */
	setenv("BCC_KERNEL_SOURCE", "", 0);
	setenv("PATH", "", 0);
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

static bool
is_given(const char *const *env, const char *variable)
{
	size_t name_len = strcspn(variable, "=") + 1;

	for (; env && *env; env++)
		if (!strncmp(*env, variable, name_len))
			return true;
	return false;
}

char *
environment_hint(const char *const *env)
{
	struct buf hint;
	size_t cnt = 0;

	buf_init(&hint, 1024);
	for (size_t i = 0; i < for_node_cnt; i++) {
		int len = (int)strcspn(for_node[i], "=");

		if (!is_given(env, for_node[i]))
			buf_printf(&hint, "%s%.*s is not passed on to bitcoind, use --env=%.*s=...",
				   cnt++ ? "; " : "", len, for_node[i], len, for_node[i]);
	}
	if (cnt)
		return buf_take(&hint);
	buf_fini(&hint);
	return NULL;
}

void
environment_fill_probe_opts(struct probe_opts *opts)
{
	opts->tmpdir = environment_probe_dir();
	const char *kernel_source = getenv("BCC_KERNEL_SOURCE");
	opts->kernel_source = kernel_source && *kernel_source ? kernel_source : NULL;
	/* What is there is loaded into the kernel. Only root has a place where nobody with fewer privileges can write;
	 * an ordinary user whom capabilities let load programs compiles them. */
	opts->cache_dir =
		geteuid() == 0 && getuid() == 0 && !has_other_libraries ? ENVIRONMENT_CACHE_DIR : NULL;
}

const char *
environment_tmp_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/tmp";
}

const char *
environment_probe_dir(void)
{
	const char *dir = environment_tmp_dir();

	/* A relative one would depend on the working directory. */
	return *dir == '/' ? dir : "/tmp";
}

/* It is root's, and nobody else can rename what root created in it. */
static bool
is_safe(const struct stat *st)
{
	return st->st_uid == 0 && (!(st->st_mode & (S_IWGRP | S_IWOTH)) || st->st_mode & S_ISVTX);
}

static bool tmpdir_is_ours; /* TMPDIR was set by environment_check_tmpdir alone */

/* bitcoind waits for the disk again and again, which in memory takes no time. */
#define MEMORY_DIR "/dev/shm"
enum { MEMORY_DIR_MIB = 1024 }; /* for many nodes at a time; a container's has 64 MiB by default */

const char *
environment_memory_dir(void)
{
	const char *dir = getenv("TMPDIR");
	struct statfs fs;
	struct stat st;

	if (dir && *dir && !tmpdir_is_ours)
		return NULL;
	if (lstat(MEMORY_DIR, &st) || !S_ISDIR(st.st_mode) || !is_safe(&st) ||
	    access(MEMORY_DIR, W_OK | X_OK) || statfs(MEMORY_DIR, &fs) || fs.f_type != TMPFS_MAGIC)
		return NULL;
	return MEMORY_DIR;
}

const char *
environment_node_dir(void)
{
	const char *dir = environment_memory_dir();
	struct statfs fs;

	if (!dir || statfs(dir, &fs) || fs.f_bavail * (uint64_t)fs.f_bsize >> 20 < MEMORY_DIR_MIB)
		return environment_tmp_dir();
	return dir;
}

int
environment_check_tmpdir(struct diag *diag)
{
	const char *given = environment_tmp_dir();
	int err = 0;

	/* In a user namespace, owners are unknown and nothing can be loaded into the kernel. */
	if (geteuid() != 0 || privileges_are_confined())
		return 0;
	/* Whoever uses a folder that does not exist reports that. */
	char *path = realpath(given, NULL), *resolved = path ? xstrdup(path) : NULL;
	char *end = path ? path + strlen(path) : NULL;
	while (path && !err && end) {
		struct stat st;

		*end = '\0';
		const char *folder = *path ? path : "/";
		if (!stat(folder, &st) && !is_safe(&st))
			err = diag_fail(
				diag, -EPERM,
				"failed to use '%s' for temporary files: users other than root can change '%s' (user %u, mode %04o), and root would use what they put there; set TMPDIR to a folder like /tmp, with the sticky bit (chmod +t)",
				given, folder, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
		end = *path ? strrchr(path, '/') : NULL;
	}
	/* Others could make a link on the way lead somewhere else after this. */
	if (!err && resolved) {
		const char *dir = getenv("TMPDIR");

		tmpdir_is_ours = !dir || !*dir;
		setenv("TMPDIR", resolved, 1);
	}
	free(resolved);
	free(path);
	return err;
}

void
environment_sudo_caller(uid_t *uid, gid_t *gid)
{
	const char *uid_text = getenv("SUDO_UID"), *gid_text = getenv("SUDO_GID");
	uint64_t uid_given, gid_given;
	bool is_given = uid_text && gid_text && parse_u64(uid_text, &uid_given) &&
			parse_u64(gid_text, &gid_given) && uid_given < UINT32_MAX && gid_given < UINT32_MAX;

	*uid = is_given ? (uid_t)uid_given : 0;
	*gid = is_given ? (gid_t)gid_given : 0;
}
