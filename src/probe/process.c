#include "probe/process.h"

#include "base/machine.h"
#include "base/proc_stat.h"
#include "base/xmem.h"
#include "probe/probe.h"

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

	*view = (struct view){.pid = pid, .mem_fd = -1, .exe_fd = -1};
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	view->exe_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (view->exe_fd >= 0) {
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

/* A page that two segments share is mapped more than once; take the mapping that the kernel takes, the first. */
static void
match_mapping(const char *line, ino_t exe_inode, struct process_place *places, size_t cnt)
{
	uint64_t start, end, offset, inode;
	char permissions[5];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64, &start, &end, permissions,
		   &offset, &inode) != 5)
		return;
	/* The device is not compared: overlay file systems show another one here than stat does. */
	if (inode != exe_inode)
		return;
	for (size_t i = 0; i < cnt; i++) {
		struct process_place *place = &places[i];

		if (place->is_data ? strncmp(permissions + 1, "w-p", 3) : permissions[2] != 'x')
			continue;
		if (place->file_offset && !place->address && place->file_offset >= offset &&
		    place->file_offset - offset < end - start)
			place->address = start + (place->file_offset - offset);
	}
}

int
process_find_places(pid_t pid, struct process_place *places, size_t cnt, struct diag *diag)
{
	char path[64], *line = NULL;
	size_t line_sz = 0;
	struct stat st;

	for (size_t i = 0; i < cnt; i++)
		places[i].address = 0;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st))
		return diag_fail(diag, -errno, "probe: failed to read '%s': %s", path, strerror(errno));
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return diag_fail(diag, -errno, "probe: failed to open '%s': %s", path, strerror(errno));
	while (getline(&line, &line_sz, maps) > 0)
		match_mapping(line, st.st_ino, places, cnt);
	free(line);
	fclose(maps);
	return 0;
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

bool
process_has_probes(const char *kernel_name)
{
	const struct machine_desc *machine = machine_native();

	return machine && !strcmp(machine->kernel_name, kernel_name);
}

size_t
process_nop_bytes(uint64_t address, const uint8_t *bytes, size_t cnt)
{
	const struct machine_desc *machine = machine_native();

	return machine ? machine_nop_bytes(machine->machine, false, address, bytes, cnt) : 0;
}

int
process_check_program(pid_t pid, const struct probe_point *points, size_t points_cnt, struct diag *diag)
{
	struct view view;
	int err = view_open(&view, pid, diag);

	for (size_t i = 0; i < points_cnt && !err; i++) {
		const struct site *site = points[i].site;
		uint8_t bytes[MACHINE_NOP_BYTES_MAX];
		ssize_t n = pread(view.exe_fd, bytes, sizeof(bytes), (off_t)site->file_offset);

		if (n <= 0 || !process_nop_bytes(site->address, bytes, (size_t)n))
			err = diag_fail(
				diag, -ENXIO,
				"probe: process %d does not run the program whose tracepoints were read: it has no %s:%s at offset 0x%" PRIx64,
				(int)pid, site->provider, site->name, site->file_offset);
	}
	view_close(&view);
	return err;
}

static int
check_place(const struct view *view, const struct process_place *place, struct diag *diag)
{
	if (place->address)
		return 0;
	return diag_fail(diag, -ENOENT,
			 "probe: failed to find offset 0x%" PRIx64 " of the executable in '/proc/%d/maps'",
			 place->file_offset, (int)view->pid);
}

static int
check_trap(const struct view *view, const struct site *site, const struct process_place *place,
	   struct diag *diag)
{
	uint8_t in_memory[MACHINE_TRAP_BYTES_MAX], in_file[MACHINE_TRAP_BYTES_MAX];
	const struct machine_desc *machine = machine_native();
	size_t cnt = machine ? machine->trap_bytes : 1;
	int err = check_place(view, place, diag);

	if (!err)
		err = view_read_memory(view, place->address, in_memory, cnt, diag);
	if (!err)
		err = view_read_file(view, site->file_offset, in_file, cnt, diag);
	if (err || memcmp(in_memory, in_file, cnt))
		return err;
	return diag_fail(diag, -ENXIO,
			 "probe: %s:%s is attached to process %d, but the kernel has set no trap there",
			 site->provider, site->name, (int)view->pid);
}

static int
read_semaphore(const struct view *view, const struct process_place *place, uint16_t *semaphore,
	       struct diag *diag)
{
	int err = check_place(view, place, diag);

	*semaphore = 0;
	return err ? err : view_read_memory(view, place->address, semaphore, sizeof(*semaphore), diag);
}

static int
check_semaphore(const struct view *view, const struct site *site, const struct process_place *place,
		const char *hint, struct diag *diag)
{
	uint16_t semaphore;

	if (!site->semaphore_file_offset)
		return 0;
	int err = read_semaphore(view, place, &semaphore, diag);
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
	/* Of each point its trap and its semaphore. */
	struct process_place *places = xcalloc(2 * points_cnt, sizeof(*places));
	struct view view;
	int err = view_open(&view, pid, diag);

	for (size_t i = 0; i < points_cnt; i++) {
		places[2 * i].file_offset = points[i].site->file_offset;
		places[2 * i + 1].file_offset = points[i].site->semaphore_file_offset;
		places[2 * i + 1].is_data = true;
	}
	if (!err)
		err = process_find_places(pid, places, 2 * points_cnt, diag);
	for (size_t i = 0; i < points_cnt && !err; i++) {
		err = check_trap(&view, points[i].site, &places[2 * i], diag);
		if (!err)
			err = check_semaphore(&view, points[i].site, &places[2 * i + 1], semaphore_hint,
					      diag);
	}
	view_close(&view);
	free(places);
	return err;
}

int
probe_check_quiet(pid_t pid, const struct probe_point *points, size_t points_cnt, struct diag *diag)
{
	struct process_place *places = xcalloc(points_cnt, sizeof(*places));
	struct view view;
	int err = view_open(&view, pid, diag);

	for (size_t i = 0; i < points_cnt; i++)
		places[i] = (struct process_place){.file_offset = points[i].site->semaphore_file_offset,
						   .is_data = true};
	if (!err)
		err = process_find_places(pid, places, points_cnt, diag);
	for (size_t i = 0; i < points_cnt && !err; i++) {
		const struct site *site = points[i].site;
		uint16_t semaphore;

		if (!site->semaphore_file_offset)
			continue;
		err = read_semaphore(&view, &places[i], &semaphore, diag);
		if (!err && semaphore)
			err = diag_fail(
				diag, -EBUSY,
				"probe: the semaphore of %s:%s is raised in process %d: another tracer is attached to the same file; end it first",
				site->provider, site->name, (int)pid);
	}
	view_close(&view);
	free(places);
	return err;
}

bool
process_is_under_valgrind(void)
{
	char line[4096];
	FILE *file = fopen("/proc/self/maps", "re");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "/valgrind/") != NULL;
	if (file)
		fclose(file);
	return found;
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

uint64_t
process_start_time(pid_t pid)
{
	struct proc_stat stat;

	proc_stat_read(pid, &stat);
	return stat.start_ticks;
}

pid_t
process_tracer(pid_t tid)
{
	char path[64], line[256];
	int tracer = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	FILE *file = fopen(path, "re");
	while (file && !tracer && fgets(line, sizeof(line), file))
		if (sscanf(line, "TracerPid: %d", &tracer) != 1)
			tracer = 0;
	if (file)
		fclose(file);
	return tracer;
}
