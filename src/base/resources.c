/* A process is in one group of each hierarchy: there is one for all of version 2, and one for each controller of
 * version 1. Each group limits those below it as well. Inside a container the path in /proc/self/cgroup may be the
 * host's, which is not there; what is mounted is then the container's own group. So whatever is there is read, from the
 * group's folder up to where the hierarchy is mounted. */
#include "base/resources.h"

#include "base/xmem.h"

#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512 };

static FILE *
open_file(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	FILE *file = fopen(path, "re");

	free(path);
	return file;
}

/* The number after that word at the start of a line; false if there is none. */
static bool
find_number(const char *folder, const char *name, const char *word, uint64_t *number)
{
	FILE *file = open_file(folder, name);
	size_t len = strlen(word);
	char line[LINE_BYTES];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, word, len) && sscanf(line + len, "%" SCNu64, number) == 1;
	if (file)
		fclose(file);
	return found;
}

/* Whether the list of names, separated by commas, has that one. */
static bool
has_name(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, name, len) && (!at[len] || at[len] == ','))
			return true;
	}
	return false;
}

/* The group's path in the hierarchy of that controller, "": of version 2; the caller's to free. NULL: there is none. */
static char *
find_group(const char *root, const char *controller)
{
	FILE *file = open_file(root, "proc/self/cgroup");
	char *line = NULL, *path = NULL;
	size_t line_sz = 0;

	/* "4:cpu,cpuacct:/path", "0::/path" */
	while (file && !path && getline(&line, &line_sz, file) > 0) {
		char *rest = line, *id = strsep(&rest, ":"), *names = strsep(&rest, ":");

		if (id && names && rest && has_name(names, controller))
			path = xasprintf("%.*s", (int)strcspn(rest, "\n"), rest);
	}
	free(line);
	if (file)
		fclose(file);
	return path;
}

/* Makes it the path of the group above; false if that was the last. */
static bool
go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
	return slash;
}

/* What a kind of limit leaves, in a group's folder; false: the group has no such limit. */
typedef bool (*look_fn)(const char *folder, uint64_t *left);

/* The least that the group and those above it leave. */
static uint64_t
least_left(const char *root, const char *mount, const char *controller, look_fn look, uint64_t least)
{
	char *path = find_group(root, controller);

	for (bool has_more = path; has_more; has_more = go_up(path)) {
		char *folder = xasprintf("%s/%s/%s", root, mount, path);
		uint64_t left;

		if (look(folder, &left) && left < least)
			least = left;
		free(folder);
	}
	free(path);
	return least;
}

/* Pages of files count as used, and are dropped when others are needed. */
static uint64_t
memory_left(const char *folder, uint64_t limit, uint64_t used, const char *inactive, const char *active)
{
	uint64_t inactive_bytes = 0, active_bytes = 0;

	find_number(folder, "memory.stat", inactive, &inactive_bytes);
	find_number(folder, "memory.stat", active, &active_bytes);
	uint64_t files = inactive_bytes + active_bytes;
	used = used > files ? used - files : 0;
	return limit > used ? limit - used : 0;
}

static bool
look_at_memory(const char *folder, uint64_t *left)
{
	uint64_t limit, used;

	if (!find_number(folder, "memory.max", "", &limit) ||
	    !find_number(folder, "memory.current", "", &used))
		return false;
	*left = memory_left(folder, limit, used, "inactive_file ", "active_file ");
	return true;
}

static bool
look_at_old_memory(const char *folder, uint64_t *left)
{
	uint64_t limit, used;

	if (!find_number(folder, "memory.limit_in_bytes", "", &limit) ||
	    !find_number(folder, "memory.usage_in_bytes", "", &used))
		return false;
	*left = memory_left(folder, limit, used, "total_inactive_file ", "total_active_file ");
	return true;
}

unsigned long
resources_memory_mb(const char *root)
{
	uint64_t left = UINT64_MAX, kb;

	if (find_number(root, "proc/meminfo", "MemAvailable:", &kb))
		left = kb << 10;
	left = least_left(root, "sys/fs/cgroup", "", look_at_memory, left);
	left = least_left(root, "sys/fs/cgroup/memory", "memory", look_at_old_memory, left);
	if (left >> 20 > UINT32_MAX)
		return 0;
	return left >> 20 ? (unsigned long)(left >> 20) : 1;
}

/* A part of a CPU counts as one. -1, of version 1, is no limit. */
static bool
find_cpus(int64_t quota, int64_t period, uint64_t *cpus)
{
	if (quota <= 0 || period <= 0)
		return false;
	*cpus = (uint64_t)(quota / period + (quota % period != 0));
	return true;
}

static bool
look_at_cpus(const char *folder, uint64_t *left)
{
	FILE *file = open_file(folder, "cpu.max");
	int64_t quota = 0, period = 0;
	bool has = file && fscanf(file, "%" SCNd64 " %" SCNd64, &quota, &period) == 2;

	if (file)
		fclose(file);
	return has && find_cpus(quota, period, left);
}

static bool
look_at_old_cpus(const char *folder, uint64_t *left)
{
	uint64_t quota, period;

	return find_number(folder, "cpu.cfs_quota_us", "", &quota) &&
	       find_number(folder, "cpu.cfs_period_us", "", &period) &&
	       find_cpus((int64_t)quota, (int64_t)period, left);
}

unsigned
resources_cpus(const char *root)
{
	cpu_set_t cpus;
	int cnt = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
	uint64_t left = cnt > 0 ? (uint64_t)cnt : 1;

	left = least_left(root, "sys/fs/cgroup", "", look_at_cpus, left);
	left = least_left(root, "sys/fs/cgroup/cpu", "cpu", look_at_old_cpus, left);
	return (unsigned)left;
}
