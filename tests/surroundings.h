/* Where tests may write, and what they may trace. */
#ifndef TPCHECK_TESTS_SURROUNDINGS_H
#define TPCHECK_TESTS_SURROUNDINGS_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether everybody may enter the folder: root starts bitcoind as another user. */
static inline bool
test_is_for_everybody(const char *dir)
{
	char path[PATH_MAX];
	struct stat st;

	if (!realpath(dir, path))
		return false;
	for (char *end = path + strlen(path); end; end = strrchr(path, '/')) {
		*end = '\0';
		if (stat(*path ? path : "/", &st) || !(st.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

/* $TMPDIR, if it is good for all; else /tmp. */
static inline const char *
test_tmp(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir == '/' && (geteuid() != 0 || test_is_for_everybody(dir)) ? dir : "/tmp";
}

/* Makes a folder there that everybody may enter; the caller removes it and frees the name. NULL if it cannot. */
static inline char *
test_make_dir(void)
{
	const char *parent = test_tmp();
	size_t size = strlen(parent) + sizeof("/tpcheck-test-XXXXXX");
	char *dir = malloc(size);

	if (!dir)
		return NULL;
	snprintf(dir, size, "%s/tpcheck-test-XXXXXX", parent);
	if (mkdtemp(dir) && !chmod(dir, 0755))
		return dir;
	free(dir);
	return NULL;
}

/* Copies the program into the folder; the caller removes the copy and frees its name. NULL if it cannot. Whoever traces
 * the copy disturbs nobody who traces the original, and the other way round. */
static inline char *
test_copy_program(const char *program, const char *dir)
{
	const char *name = strrchr(program, '/');
	size_t size = strlen(dir) + strlen(name) + 1;
	char *copy = malloc(size);

	if (!copy)
		return NULL;
	snprintf(copy, size, "%s%s", dir, name);
	int from = open(program, O_RDONLY | O_CLOEXEC);
	int to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n = from < 0 || to < 0 ? -1 : 1;
	while (n > 0)
		n = sendfile(to, from, NULL, 1 << 20);
	if (from >= 0)
		close(from);
	if (to >= 0 && (fchmod(to, 0755) || close(to)))
		n = -1;
	if (!n)
		return copy;
	free(copy);
	return NULL;
}

/* The open descriptors of this process; 0 if /proc does not show them. */
static inline unsigned
test_count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned cnt = 0;

	while (dir && readdir(dir))
		cnt++;
	if (dir)
		closedir(dir);
	return cnt;
}

/* The first child of a process; 0 if there is none. */
static inline pid_t
test_child_of(pid_t pid)
{
	char path[64];
	int child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *file = fopen(path, "re");
	if (file && fscanf(file, "%d", &child) != 1)
		child = 0;
	if (file)
		fclose(file);
	return child;
}

/* Mounts tracefs, if it is not mounted, in a mount namespace of our own. To be called while there is one thread. */
static inline void
test_mount_tracefs(void)
{
	if (access("/sys/kernel/tracing/uprobe_events", F_OK) && !unshare(CLONE_NEWNS) &&
	    !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
}

#endif
