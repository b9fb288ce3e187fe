#include "probe/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct view {
	pid_t pid;
	int mem_fd, exe_fd;
	ino_t inode;
};

static void
view_close(struct view *view)
{
	if (view->mem_fd >= 0)
		close(view->mem_fd);
	if (view->exe_fd >= 0)
		close(view->exe_fd);
}

/* To be closed after an error as well. */
static int
view_open(struct view *view, pid_t pid, struct diag *diag)
{
	char path[64];
	struct stat st;

	*view = (struct view){.pid = pid, .mem_fd = -1, .exe_fd = -1};
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	view->exe_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (view->exe_fd >= 0 && !fstat(view->exe_fd, &st)) {
		view->inode = st.st_ino;
		snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
		view->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (view->mem_fd >= 0)
		return 0;
	int err = -errno;
	bool refused = err == -EACCES || err == -EPERM;
	return diag_fail(
		diag, err, "probe: failed to open '%s': %s%s", path, strerror(-err),
		refused ? "; a process of another user, one that may not be dumped, and, where kernel.yama.ptrace_scope is not 0, one that tpcheck did not start, require CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (in a container: --cap-add=SYS_PTRACE)"
			: "");
}

/* Where the byte at a file offset of the executable is mapped: as code, or as private writable data. */
static int
view_address(const struct view *view, uint64_t file_offset, bool writable, uint64_t *address,
	     struct diag *diag)
{
	char path[64];
	char *line = NULL;
	size_t line_sz = 0;
	int err = -ENOENT;

	*address = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)view->pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return diag_fail(diag, -errno, "probe: failed to open '%s': %s", path, strerror(errno));
	/* The device is not compared: overlay file systems show another one here than stat does. */
	while (err && getline(&line, &line_sz, maps) > 0) {
		uint64_t start, end, offset, inode;
		char permissions[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64, &start, &end,
			   permissions, &offset, &inode) != 5)
			continue;
		/* A page that two segments share is mapped more than once; take the mapping that the kernel
		 * takes. */
		if (writable ? strncmp(permissions + 1, "w-p", 3) : permissions[2] != 'x')
			continue;
		if (inode == view->inode && file_offset >= offset && file_offset - offset < end - start) {
			*address = start + (file_offset - offset);
			err = 0;
		}
	}
	free(line);
	fclose(maps);
	if (err)
		diag_fail(diag, err, "probe: failed to find offset 0x%" PRIx64 " of the executable in '%s'",
			  file_offset, path);
	return err;
}

static int
view_read_memory(const struct view *view, uint64_t address, void *to, size_t bytes, struct diag *diag)
{
	ssize_t n = pread(view->mem_fd, to, bytes, (off_t)address);

	if (n == (ssize_t)bytes)
		return 0;
	int err = n < 0 ? -errno : -EIO;
	return diag_fail(diag, err, "probe: failed to read 0x%" PRIx64 " of process %d: %s", address,
			 (int)view->pid, strerror(-err));
}

static int
view_read_file(const struct view *view, uint64_t file_offset, void *to, size_t bytes, struct diag *diag)
{
	ssize_t n = pread(view->exe_fd, to, bytes, (off_t)file_offset);

	if (n == (ssize_t)bytes)
		return 0;
	int err = n < 0 ? -errno : -EIO;
	return diag_fail(diag, err,
			 "probe: failed to read offset 0x%" PRIx64 " of the executable of process %d: %s",
			 file_offset, (int)view->pid, strerror(-err));
}

int
process_check_program(pid_t pid, const struct probe_point *points, size_t points_cnt, struct diag *diag)
{
	struct view view;
	int err = view_open(&view, pid, diag);

	for (size_t i = 0; i < points_cnt && !err; i++) {
		const struct site *site = points[i].site;
		uint8_t byte = 0;

		err = view_read_file(&view, site->file_offset, &byte, 1, diag);
		/* A nop of one byte, or of five in newer versions of sys/sdt.h. */
		if (err || (byte != 0x90 && byte != 0x0f))
			err = diag_fail(
				diag, -ENXIO,
				"probe: process %d does not run the program whose tracepoints were read: it has no %s:%s at offset 0x%" PRIx64,
				(int)pid, site->provider, site->name, site->file_offset);
	}
	view_close(&view);
	return err;
}

static int
check_trap(const struct view *view, const struct site *site, struct diag *diag)
{
	uint8_t in_memory, in_file;
	uint64_t address;
	int err = view_address(view, site->file_offset, false, &address, diag);

	if (!err)
		err = view_read_memory(view, address, &in_memory, 1, diag);
	if (!err)
		err = view_read_file(view, site->file_offset, &in_file, 1, diag);
	if (err || in_memory != in_file)
		return err;
	return diag_fail(diag, -ENXIO,
			 "probe: %s:%s is attached to process %d, but the kernel has set no trap there",
			 site->provider, site->name, (int)view->pid);
}

static int
check_semaphore(const struct view *view, const struct site *site, const char *hint, struct diag *diag)
{
	uint16_t semaphore = 0;
	uint64_t address;

	if (!site->semaphore_file_offset)
		return 0;
	int err = view_address(view, site->semaphore_file_offset, true, &address, diag);
	if (!err)
		err = view_read_memory(view, address, &semaphore, sizeof(semaphore), diag);
	if (err || semaphore)
		return err;
	return diag_fail(diag, -ENXIO,
			 "probe: %s:%s is attached to process %d, but its semaphore is still 0%s",
			 site->provider, site->name, (int)view->pid, hint ? hint : "");
}

int
process_check_probes(pid_t pid, const struct probe_point *points, size_t points_cnt,
		     const char *semaphore_hint, struct diag *diag)
{
	struct view view;
	int err = view_open(&view, pid, diag);

	for (size_t i = 0; i < points_cnt && !err; i++) {
		err = check_trap(&view, points[i].site, diag);
		if (!err)
			err = check_semaphore(&view, points[i].site, semaphore_hint, diag);
	}
	view_close(&view);
	return err;
}

bool
process_shows_threads(void)
{
	struct stat st;

	/* The initial namespace's number, PROC_PID_INIT_INO in linux/proc_ns.h. */
	return !stat("/proc/self/ns/pid", &st) && st.st_ino == 0xeffffffc;
}

bool
process_has_thread_ended(pid_t pid, uint32_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%u", (int)pid, tid);
	return access(path, F_OK) && errno == ENOENT;
}
