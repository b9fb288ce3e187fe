/* Attaching by uprobe events of tracefs: a line written to uprobe_events defines an event, and a perf event on its
 * number (PERF_TYPE_TRACEPOINT) switches it on for one process and runs our program. This requires CAP_BPF,
 * CAP_PERFMON and the right to open these files, which a group can be given; the uprobe PMU requires
 * CAP_SYS_ADMIN.
 *
 * p:tpcheck_4026531836_1234_77060/e1_7 /proc/1300/exe:0x1f00(0x84c2e)
 *
 * is the 8th point of the first attachment of tpcheck 1234, at 0x1f00 of the file, with its semaphore at 0x84c2e.
 * (libbcc can do this too, but leaves out the semaphore: tracepoints that check theirs stay silent.)
 *
 * What is left behind. The perf event goes with its descriptor, and traps and semaphores go with it. The
 * definition stays until it is removed: by us or our keeper or, if both were killed, by the next tpcheck, which
 * removes the definitions of processes that are gone. The name has the PID, the time when the process started
 * (field 22 of /proc/PID/stat), because PIDs are used again, and the number of the PID namespace, because a PID
 * means nothing in another one. The kernel refuses to remove a definition that is in use. */
#include "probe/bpf/tracefs.h"

#include "probe/bpf/sys.h"
#include "probe/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
#define NAME_FORMAT "tpcheck_%" PRIu64 "_%d_%" PRIu64 "/"

static int
open_file(const char *root, const char *name, int flags)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* -ENOENT only when tracefs is mounted nowhere: -EACCES says more. */
static int
open_events(int flags, const char **root)
{
	int fd = -ENOENT;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		int try_fd = open_file(roots[i], "uprobe_events", flags);

		*root = roots[i];
		if (try_fd >= 0)
			return try_fd;
		if (try_fd != -ENOENT)
			fd = try_fd;
	}
	return fd;
}

static uint64_t
pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : (uint64_t)st.st_ino;
}

static bool
may_run(pid_t pid, uint64_t started)
{
	if (kill(pid, 0) && errno == ESRCH)
		return false;
	uint64_t now = process_start_time(pid);
	return !now || !started || now == started;
}

static int
write_line(const char *line)
{
	const char *root;
	/* Without O_APPEND the kernel removes all definitions. */
	int fd = open_events(O_WRONLY | O_APPEND, &root);

	if (fd < 0)
		return fd;
	ssize_t n = write(fd, line, strlen(line));
	int err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

int
tracefs_try(void)
{
	const char *root;
	int fd = open_events(O_RDWR | O_APPEND, &root);

	if (fd < 0)
		return fd;
	close(fd);
	/* The event's number is read there. */
	fd = open_file(root, "events", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Removes what a line defines, if it is ours and its process is gone; returns whether it did. */
static bool
sweep_line(const char *line, uint64_t our_namespace)
{
	char remove[128];
	uint64_t namespace, started;
	int pid, at = 0;

	if (sscanf(line, "p:" NAME_FORMAT "%n", &namespace, &pid, &started, &at) != 3 || !at ||
	    namespace != our_namespace || pid <= 0 || may_run(pid, started))
		return false;
	int len = (int)strcspn(line, " ");
	return snprintf(remove, sizeof(remove), "-%.*s", len - 1, line + 1) < (int)sizeof(remove) &&
	       !write_line(remove);
}

static unsigned
sweep_once(void)
{
	unsigned removed = 0;
	const char *root;
	int fd = open_events(O_RDONLY, &root);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char *text = NULL, *rest = NULL;
	size_t text_sz = 0;

	if (fd >= 0 && !file)
		close(fd);
	/* All is read before any is removed: the kernel goes on reading at the next number, and would skip some. */
	if (file && getdelim(&text, &text_sz, '\0', file) > 0)
		for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			removed += sweep_line(line, pid_namespace());
	free(text);
	if (file)
		fclose(file);
	return removed;
}

/* Until nothing is left: another tpcheck that removes some meanwhile makes this one skip some. */
void
tracefs_sweep(void)
{
	while (sweep_once())
		;
}

void
tracefs_event_name(char *name, size_t name_sz, unsigned attachment, size_t idx)
{
	snprintf(name, name_sz, NAME_FORMAT "e%u_%zu", pid_namespace(), (int)getpid(),
		 process_start_time(getpid()), attachment, idx);
}

static int
read_number(const char *name, uint64_t *number)
{
	char path[160], text[32] = "";
	const char *root;
	int fd = open_events(O_RDONLY, &root);

	if (fd < 0)
		return fd;
	close(fd);
	snprintf(path, sizeof(path), "events/%s/id", name);
	fd = open_file(root, path, O_RDONLY);
	if (fd < 0)
		return fd;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	int err = n < 0 ? -errno : sscanf(text, "%" SCNu64, number) == 1 ? 0 : -EBADMSG;
	close(fd);
	return err;
}

int
tracefs_attach(int prog_fd, const char *name, const char *path, uint64_t file_offset,
	       uint64_t semaphore_file_offset, pid_t pid)
{
	char line[256], semaphore[32] = "";
	uint64_t number;

	if (semaphore_file_offset)
		snprintf(semaphore, sizeof(semaphore), "(0x%" PRIx64 ")", semaphore_file_offset);
	snprintf(line, sizeof(line), "p:%s %s:0x%" PRIx64 "%s", name, path, file_offset, semaphore);
	int err = write_line(line);
	if (err)
		return err;
	err = read_number(name, &number);
	if (!err)
		err = perf_attach_tracepoint(prog_fd, number, pid);
	if (err < 0)
		tracefs_forget(name);
	return err;
}

void
tracefs_forget(const char *name)
{
	char line[128];

	snprintf(line, sizeof(line), "-:%s", name);
	write_line(line);
}
