#include "node/node_internal.h"

#include "base/xmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static bool
is_on_noexec(const char *path)
{
	struct statvfs fs;

	return !statvfs(path, &fs) && (fs.f_flag & ST_NOEXEC);
}

static int
check_file(const char *resolved, mode_t mode, const char *path, const char *from, struct diag *diag)
{
	if (S_ISDIR(mode)) {
		char *inner = xasprintf("%s/bin/bitcoind", resolved);
		bool is_build = access(inner, X_OK) == 0;
		int err = diag_fail(
			diag, -EISDIR,
			"node: failed to use bitcoind '%s'%s: it is a directory; give the path of the program%s%s",
			path, from, is_build ? ", which may be " : "", is_build ? inner : "");

		free(inner);
		return err;
	}
	if (!S_ISREG(mode))
		return diag_fail(
			diag, -EINVAL,
			"node: failed to use bitcoind '%s'%s: it is not a regular file; give the path of the program",
			path, from);
	if (access(resolved, X_OK))
		return diag_fail(
			diag, -EACCES,
			"node: failed to use bitcoind '%s'%s: it is not executable; %s, or give the path of another",
			path, from,
			is_on_noexec(resolved)
				? "its file system is mounted with noexec: copy it to one that is not"
				: "chmod a+x it");
	return 0;
}

int
node_check_binary(const char *path, const char *from, char **out, struct diag *diag)
{
	struct stat st;
	int err;

	*out = realpath(path, NULL);
	if (!*out || stat(*out, &st)) {
		err = -errno;
		diag_fail(diag, err, "node: failed to use bitcoind '%s'%s: %s; give the path of a bitcoind",
			  path, from, strerror(-err));
	} else {
		err = check_file(*out, st.st_mode, path, from, diag);
	}
	if (err) {
		free(*out);
		*out = NULL;
	}
	return err;
}

int
node_find_bitcoind(const struct node_search *search, char **path, struct diag *diag)
{
	const char *dirs = search->path_env ? search->path_env : "";

	*path = NULL;
	if (search->given)
		return node_check_binary(search->given, "", path, diag);
	if (search->bitcoind_env && *search->bitcoind_env)
		return node_check_binary(search->bitcoind_env, " (from $BITCOIND)", path, diag);
	for (const char *dir = dirs, *end; *dir; dir = *end ? end + 1 : end) {
		end = dir + strcspn(dir, ":");
		if (*dir != '/')
			continue; /* what is in "." is a matter of chance */
		char *candidate = xasprintf("%.*s/bitcoind", (int)(end - dir), dir);
		int err = node_check_binary(candidate, "", path, NULL);
		free(candidate);
		if (!err)
			return 0;
	}
	return diag_fail(
		diag, -ENOENT,
		"node: failed to find bitcoind: there is none in PATH; give its path, or set BITCOIND to it");
}
