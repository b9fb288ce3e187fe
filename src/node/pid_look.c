#include "node/pid_look.h"

#include "base/xmem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 16 << 10, NAMESPACES_MAX = 32, CGROUP_DEPTH_MAX = 8 };
#define CGROUP_ROOT "/sys/fs/cgroup"

/* Reads a file of /proc/PID, with a NUL at its end; its length, 0 if it cannot be read. */
static size_t
read_file(pid_t pid, const char *name, char text[FILE_BYTES])
{
	char path[64];
	size_t len = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < FILE_BYTES - 1 && (n = read(fd, text + len, FILE_BYTES - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	text[len] = '\0';
	return len;
}

/* What follows "NAME:" and blanks in /proc/PID/status; NULL. */
static const char *
find_field(const char *status, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

static pid_t
field_pid(const char *status, const char *name)
{
	const char *field = find_field(status, name);

	return field ? (pid_t)strtol(field, NULL, 10) : 0;
}

/* Only printable ASCII may reach a terminal. */
static void
copy_printable(char *out, size_t out_sz, const char *text, size_t len)
{
	if (len > out_sz - 1)
		len = out_sz - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f ? '?' : text[i];
	out[len] = '\0';
}

static void
read_exe(pid_t pid, struct pid_look *look)
{
	char path[64], exe[sizeof(look->exe)];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(path, exe, sizeof(exe));
	copy_printable(look->exe, sizeof(look->exe), exe, n > 0 ? (size_t)n : 0);
}

static void
read_program(pid_t pid, struct pid_look *look)
{
	char text[FILE_BYTES];
	size_t len = read_file(pid, "cmdline", text), at = strlen(text) + 1;

	while (at < len && text[at] == '-')
		at += strlen(text + at) + 1;
	if (at < len)
		copy_printable(look->program, sizeof(look->program), text + at, strlen(text + at));
}

static void
find_library(pid_t pid, struct pid_look *look)
{
	char path[64], *line = NULL;
	size_t line_sz = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps && !*look->library && getline(&line, &line_sz, maps) > 0) {
		const char *file = strchr(line, '/');

		if (file && strstr(file, "/libbitcoin"))
			copy_printable(look->library, sizeof(look->library), file, strcspn(file, "\n"));
	}
	if (maps)
		fclose(maps);
	free(line);
}

bool
pid_look(pid_t pid, struct pid_look *look)
{
	char status[FILE_BYTES], text[FILE_BYTES];

	*look = (struct pid_look){0};
	if (!read_file(pid, "status", status))
		return false;
	const char *name = find_field(status, "Name"), *state = find_field(status, "State");
	look->process = field_pid(status, "Tgid");
	look->parent = field_pid(status, "PPid");
	if (name)
		copy_printable(look->name, sizeof(look->name), name, strcspn(name, "\n"));
	look->has_ended = state && (*state == 'Z' || *state == 'X');
	read_exe(pid, look);
	look->is_kernel = !look->has_ended && !*look->exe && !find_field(status, "VmSize") &&
			  !read_file(pid, "cmdline", text);
	read_program(pid, look);
	find_library(pid, look);
	return look->process > 0;
}

struct relative {
	pid_t pid, parent;
	pid_t inner[NAMESPACES_MAX]; /* its numbers in the namespaces below ours, then 0 */
};

static void
read_numbers(const char *status, struct relative *relative)
{
	const char *field = find_field(status, "NSpid");
	size_t cnt = 0;
	char *end;

	/* The first is our own number for it. */
	for (bool is_first = true; field && cnt < NAMESPACES_MAX - 1; is_first = false) {
		long number = strtol(field, &end, 10);

		if (end == field || memchr(field, '\n', (size_t)(end - field)))
			break;
		if (!is_first)
			relative->inner[cnt++] = (pid_t)number;
		field = end;
	}
}

/* All processes; the caller frees them. */
static struct relative *
list_processes(size_t *cnt)
{
	struct relative *all = NULL;
	char status[FILE_BYTES];
	const struct dirent *entry;
	DIR *proc = opendir("/proc");

	*cnt = 0;
	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (!isdigit((unsigned char)*entry->d_name) || !read_file(pid, "status", status))
			continue;
		all = xreallocarray(all, *cnt + 1, sizeof(*all));
		all[*cnt] = (struct relative){.pid = pid, .parent = field_pid(status, "PPid")};
		read_numbers(status, &all[(*cnt)++]);
	}
	if (proc)
		closedir(proc);
	return all;
}

static void
add_pid(struct pids *pids, pid_t pid)
{
	if (pids->cnt == pids->cap) {
		pids->cap = pids->cap ? 2 * pids->cap : 64;
		pids->items = xreallocarray(pids->items, pids->cap, sizeof(*pids->items));
	}
	pids->items[pids->cnt++] = pid;
}

void
pids_fini(struct pids *pids)
{
	free(pids->items);
	*pids = (struct pids){.cnt = 0};
}

void
pid_descendants(pid_t pid, struct pids *found)
{
	size_t cnt;
	struct relative *all = list_processes(&cnt);

	*found = (struct pids){.cnt = 0};
	for (size_t done = 0;; done++) {
		pid_t parent = done ? found->items[done - 1] : pid;

		for (size_t i = 0; i < cnt; i++)
			if (all[i].parent == parent)
				add_pid(found, all[i].pid);
		if (done == found->cnt)
			break;
	}
	free(all);
}

void
pid_named(const char *name, struct pids *found)
{
	char path[64], exe[4096];
	const struct dirent *entry;
	DIR *proc = opendir("/proc");

	*found = (struct pids){.cnt = 0};
	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
		ssize_t n = readlink(path, exe, sizeof(exe) - 1);
		exe[n > 0 ? n : 0] = '\0';
		/* The file may have been replaced. */
		char *deleted = strstr(exe, " (deleted)");
		if (deleted)
			*deleted = '\0';
		const char *slash = strrchr(exe, '/');
		if (slash && !strcmp(slash + 1, name))
			add_pid(found, pid);
	}
	if (proc)
		closedir(proc);
}

static void
add_cgroup(const char *folder, unsigned depth, struct pids *found)
{
	char *path = xasprintf("%s/cgroup.procs", folder);
	FILE *file = fopen(path, "re");
	const struct dirent *entry;
	int pid;

	free(path);
	while (file && fscanf(file, "%d", &pid) == 1)
		if (pid > 0)
			add_pid(found, pid);
	if (file)
		fclose(file);
	DIR *dir = depth < CGROUP_DEPTH_MAX ? opendir(folder) : NULL;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;
		char *below = xasprintf("%s/%s", folder, entry->d_name);
		add_cgroup(below, depth + 1, found);
		free(below);
	}
	if (dir)
		closedir(dir);
}

int
pid_in_cgroup(const char *cgroup, struct pids *found, struct diag *diag)
{
	bool is_whole = !strncmp(cgroup, CGROUP_ROOT "/", strlen(CGROUP_ROOT) + 1);
	char *folder = xasprintf("%s%s%s", is_whole ? "" : CGROUP_ROOT, *cgroup == '/' ? "" : "/", cgroup);
	int err = 0;

	*found = (struct pids){.cnt = 0};
	if (access(folder, F_OK))
		err = diag_fail(diag, -errno, "there is no control group '%s'", folder);
	else
		add_cgroup(folder, 0, found);
	free(folder);
	return err;
}

void
pid_in_containers(pid_t number, struct pids *found)
{
	size_t cnt;
	struct relative *all = list_processes(&cnt);

	*found = (struct pids){.cnt = 0};
	for (size_t i = 0; i < cnt; i++)
		for (size_t n = 0; all[i].inner[n]; n++)
			if (all[i].inner[n] == number) {
				add_pid(found, all[i].pid);
				break;
			}
	free(all);
}
