#include "base/xmem.h"
#include "probe/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct process_view {
	pid_t pid;
	int mem_fd, exe_fd;
	ino_t inode;
};

int
process_view_open(struct process_view **out, pid_t pid, struct diag *diag)
{
	struct process_view *view = xcalloc(1, sizeof(*view));
	char path[64];
	struct stat st;

	*out = NULL;
	*view = (struct process_view){.pid = pid, .mem_fd = -1, .exe_fd = -1};
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	view->exe_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (view->exe_fd >= 0 && !fstat(view->exe_fd, &st)) {
		view->inode = st.st_ino;
		snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
		view->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (view->mem_fd < 0) {
		bool refused = errno == EACCES || errno == EPERM;
		int code = diag_fail(
			diag, -errno, "probe: failed to open '%s': %s%s", path, strerror(errno),
			refused ? "; a process of another user, one that may not be dumped, and, where kernel.yama.ptrace_scope is not 0, one that tpcheck did not start, take CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (in a container: --cap-add=SYS_PTRACE)"
				: "");

		process_view_close(view);
		return code;
	}
	*out = view;
	return 0;
}

void
process_view_close(struct process_view *view)
{
	if (!view)
		return;
	if (view->mem_fd >= 0)
		close(view->mem_fd);
	if (view->exe_fd >= 0)
		close(view->exe_fd);
	free(view);
}

int
process_view_address(struct process_view *view, uint64_t file_offset, bool writable, uint64_t *address,
		     struct diag *diag)
{
	char path[64];
	char *line = NULL;
	size_t line_sz = 0;
	int result = -ENOENT;

	*address = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)view->pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return diag_fail(diag, -errno, "probe: failed to open '%s': %s", path, strerror(errno));
	/* By inode alone: overlay file systems show another device here than stat does. */
	while (result && getline(&line, &line_sz, maps) > 0) {
		uint64_t start, end, offset, inode;
		char permissions[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64, &start, &end,
			   permissions, &offset, &inode) != 5)
			continue;
		/* Where segments share a page of the file it is mapped more than once; take the one that the
		 * kernel takes. */
		if (writable ? strncmp(permissions + 1, "w-p", 3) : permissions[2] != 'x')
			continue;
		if (inode == view->inode && file_offset >= offset && file_offset - offset < end - start) {
			*address = start + (file_offset - offset);
			result = 0;
		}
	}
	free(line);
	fclose(maps);
	if (result)
		diag_fail(diag, result,
			  "probe: failed to find offset 0x%" PRIx64 " of the executable in '%s'", file_offset,
			  path);
	return result;
}

int
process_view_read(struct process_view *view, uint64_t address, void *to, size_t bytes, struct diag *diag)
{
	ssize_t n = pread(view->mem_fd, to, bytes, (off_t)address);

	if (n == (ssize_t)bytes)
		return 0;
	int code = n < 0 ? -errno : -EIO;
	return diag_fail(diag, code, "probe: failed to read 0x%" PRIx64 " of process %d: %s", address,
			 (int)view->pid, strerror(-code));
}

int
process_view_read_file(struct process_view *view, uint64_t file_offset, void *to, size_t bytes,
		       struct diag *diag)
{
	ssize_t n = pread(view->exe_fd, to, bytes, (off_t)file_offset);

	if (n == (ssize_t)bytes)
		return 0;
	int code = n < 0 ? -errno : -EIO;
	return diag_fail(diag, code,
			 "probe: failed to read offset 0x%" PRIx64 " of the executable of process %d: %s",
			 file_offset, (int)view->pid, strerror(-code));
}

bool
process_knows_threads(void)
{
	struct stat st;

	/* The initial namespace's number, PROC_PID_INIT_INO in linux/proc_ns.h. */
	return !stat("/proc/self/ns/pid", &st) && st.st_ino == 0xeffffffc;
}

bool
process_thread_has_ended(pid_t pid, uint32_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%u", (int)pid, tid);
	return access(path, F_OK) && errno == ENOENT;
}
