#include "probe/ptrace/traps.h"

#include "base/machine.h"
#include "probe/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
open_memory(pid_t pid, struct diag *diag)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return diag_fail(diag, -errno, "probe: failed to open '%s': %s", path, strerror(errno));
	return fd;
}

/* The kernel reads and writes nothing, without an error, when the memory is gone: the process has ended, or executed
 * another program. */
static int
to_err(ssize_t n, size_t bytes)
{
	return n == (ssize_t)bytes ? 0 : n < 0 ? -errno : n ? -EIO : -ESRCH;
}

static int
write_memory(int mem_fd, uint64_t address, const void *from, size_t bytes)
{
	return to_err(pwrite(mem_fd, from, bytes, (off_t)address), bytes);
}

static int
read_memory(int mem_fd, uint64_t address, void *to, size_t bytes)
{
	return to_err(pread(mem_fd, to, bytes, (off_t)address), bytes);
}

/* Traps, as this machine has them. Nothing is attached on one without. */

static size_t
trap_bytes(void)
{
	const struct machine_desc *machine = machine_native();

	return machine ? machine->trap_bytes : 0;
}

static int
write_trap(int mem_fd, uint64_t address)
{
	const struct machine_desc *machine = machine_native();

	return machine ? write_memory(mem_fd, address, machine->trap, machine->trap_bytes) : -EOPNOTSUPP;
}

static bool
is_trap(const uint8_t *bytes)
{
	const struct machine_desc *machine = machine_native();

	return machine && !memcmp(bytes, machine->trap, machine->trap_bytes);
}

uint64_t
traps_stop_address(uint64_t trap_address)
{
	const struct machine_desc *machine = machine_native();

	return trap_address + (machine ? machine->trap_moves : 0);
}

/* The nop at the address, whose size goes to trap->nop_bytes; 0: there is none. The memory behind it may end. */
static int
read_nop(int mem_fd, struct ptrace_trap *trap)
{
	uint8_t bytes[MACHINE_NOP_BYTES_MAX] = {0};
	ssize_t n = pread(mem_fd, bytes, sizeof(bytes), (off_t)trap->address);

	if (n < (ssize_t)trap_bytes())
		return to_err(n, trap_bytes());
	memcpy(trap->original, bytes, sizeof(trap->original));
	trap->nop_bytes = (uint8_t)process_nop_bytes(trap->address, bytes, (size_t)n);
	return 0;
}

static int
check_nops(struct ptrace_area *area, int mem_fd, pid_t pid, struct diag *diag)
{
	for (size_t i = 0; i < area->shared->points_cnt; i++) {
		struct ptrace_trap *trap = &area->traps[i];
		int err = read_nop(mem_fd, trap);

		if (err)
			return diag_fail(diag, err, "probe: failed to read 0x%" PRIx64 " of process %d: %s",
					 trap->address, (int)pid, strerror(-err));
		if (is_trap(trap->original))
			return diag_fail(
				diag, -EBUSY,
				"probe: another tracer has set a trap in process %d at offset 0x%" PRIx64
				" of its program; end it first",
				(int)pid, area->points[i].file_offset);
		if (!trap->nop_bytes)
			return diag_fail(diag, -ENXIO,
					 "probe: process %d has no nop at offset 0x%" PRIx64
					 " of its program, where a tracepoint should be",
					 (int)pid, area->points[i].file_offset);
	}
	return 0;
}

static int
find_addresses(struct ptrace_area *area, pid_t pid, struct diag *diag)
{
	size_t cnt = area->shared->points_cnt;
	/* Of each point its trap and its semaphore. Not by xmem.h: this may be the keeper. */
	struct process_place *places = calloc(2 * cnt, sizeof(*places));

	if (!places)
		return diag_fail(diag, -ENOMEM, "probe: out of memory");
	for (size_t i = 0; i < cnt; i++) {
		places[2 * i].file_offset = area->points[i].file_offset;
		places[2 * i + 1].file_offset = area->points[i].semaphore_file_offset;
		places[2 * i + 1].is_data = true;
	}
	int err = process_find_places(pid, places, 2 * cnt, diag);
	for (size_t i = 0; i < cnt && !err; i++) {
		bool has_semaphore = places[2 * i + 1].file_offset;

		area->traps[i].address = places[2 * i].address;
		area->traps[i].semaphore_address = places[2 * i + 1].address;
		if (!places[2 * i].address || (has_semaphore && !places[2 * i + 1].address))
			err = diag_fail(diag, -ENOENT,
					"probe: failed to find offset 0x%" PRIx64
					" of the executable in '/proc/%d/maps'",
					places[2 * i + (places[2 * i].address ? 1 : 0)].file_offset,
					(int)pid);
	}
	free(places);
	return err;
}

int
traps_open(struct ptrace_area *area, pid_t pid, int *mem_fd, struct diag *diag)
{
	traps_forget(area);
	*mem_fd = open_memory(pid, diag);
	if (*mem_fd < 0)
		return *mem_fd;
	int err = find_addresses(area, pid, diag);
	if (!err)
		err = check_nops(area, *mem_fd, pid, diag);
	if (err) {
		close(*mem_fd);
		*mem_fd = -1;
	}
	return err;
}

/* Whoever finds this interrupted can see from the semaphore whether it was written. */
static int
move_semaphore(int mem_fd, struct ptrace_trap *trap, enum trap_move move)
{
	uint16_t semaphore;
	int err = read_memory(mem_fd, trap->semaphore_address, &semaphore, sizeof(semaphore));

	if (err)
		return err;
	if (move == MOVES_UP)
		semaphore++;
	else if (semaphore)
		semaphore--;
	trap->moves_to = semaphore;
	atomic_store(&trap->moves, move);
	err = write_memory(mem_fd, trap->semaphore_address, &semaphore, sizeof(semaphore));
	if (!err)
		atomic_store(&trap->is_raised, move == MOVES_UP);
	atomic_store(&trap->moves, MOVES_NOT);
	return err;
}

static void
settle_semaphore(int mem_fd, struct ptrace_trap *trap)
{
	enum trap_move move = atomic_load(&trap->moves);
	uint16_t semaphore;

	if (move == MOVES_NOT || read_memory(mem_fd, trap->semaphore_address, &semaphore, sizeof(semaphore)))
		return;
	bool is_written = move == MOVES_UP ? semaphore >= trap->moves_to : semaphore <= trap->moves_to;
	atomic_store(&trap->is_raised, is_written == (move == MOVES_UP));
	atomic_store(&trap->moves, MOVES_NOT);
}

static int
set_one(int mem_fd, struct ptrace_trap *trap)
{
	uint8_t found[MACHINE_TRAP_BYTES_MAX];

	atomic_store(&trap->is_set, 1);
	int err = write_trap(mem_fd, trap->address);
	if (!err)
		err = read_memory(mem_fd, trap->address, found, trap_bytes());
	if (!err && !is_trap(found))
		err = -EIO;
	if (!err && trap->semaphore_address && !atomic_load(&trap->is_raised))
		err = move_semaphore(mem_fd, trap, MOVES_UP);
	return err;
}

/* The semaphore first: then few threads run into the trap at the end. */
static int
clear_one(int mem_fd, struct ptrace_trap *trap)
{
	int err = 0;

	if (atomic_load(&trap->is_raised))
		err = move_semaphore(mem_fd, trap, MOVES_DOWN);
	/* A trap that stays does more harm than a semaphore. */
	if (atomic_load(&trap->is_set)) {
		int trap_err = write_memory(mem_fd, trap->address, trap->original, trap_bytes());

		if (!trap_err)
			atomic_store(&trap->is_set, 0);
		else
			err = trap_err;
	}
	return err;
}

/* What cannot be set ends it; what cannot be removed does not keep others from being removed. */
int
traps_set(struct ptrace_area *area, int mem_fd, uint64_t mask, struct diag *diag)
{
	int first_err = 0;

	for (size_t i = 0; i < area->shared->points_cnt; i++) {
		struct ptrace_trap *trap = &area->traps[i];
		bool wanted = mask >> area->points[i].tracepoint & 1;
		bool is_set = atomic_load(&trap->is_set);
		int err = wanted == is_set ? 0 : wanted ? set_one(mem_fd, trap) : clear_one(mem_fd, trap);

		if (!err || first_err)
			continue;
		first_err = diag_fail(diag, err,
				      "probe: failed to %s the trap at offset 0x%" PRIx64
				      " of process %d's program: %s",
				      wanted ? "set" : "remove", area->points[i].file_offset,
				      (int)atomic_load(&area->shared->pid), strerror(-err));
		if (wanted)
			break;
	}
	return first_err;
}

/* What the semaphore of a point was raised to, by all of its points. */
static uint16_t
raised_to(const struct ptrace_area *area, uint64_t address)
{
	uint16_t most = 0;

	for (size_t i = 0; i < area->shared->points_cnt; i++)
		if (area->traps[i].semaphore_address == address && atomic_load(&area->traps[i].is_raised) &&
		    area->traps[i].moves_to > most)
			most = area->traps[i].moves_to;
	return most;
}

/* True also where memory cannot be read: the process has ended. */
static bool
is_undisturbed(const struct ptrace_area *area, int mem_fd, const struct ptrace_trap *trap)
{
	uint8_t found[MACHINE_TRAP_BYTES_MAX];
	uint16_t semaphore;

	if (!atomic_load(&trap->is_set) || read_memory(mem_fd, trap->address, found, trap_bytes()))
		return true;
	if (!is_trap(found))
		return false;
	return !atomic_load(&trap->is_raised) ||
	       read_memory(mem_fd, trap->semaphore_address, &semaphore, sizeof(semaphore)) ||
	       semaphore <= raised_to(area, trap->semaphore_address);
}

int
traps_check(const struct ptrace_area *area, int mem_fd, pid_t pid, struct diag *diag)
{
	for (size_t i = 0; i < area->shared->points_cnt; i++)
		if (!is_undisturbed(area, mem_fd, &area->traps[i]))
			return diag_fail(
				diag, -EBUSY,
				"probe: another tracer has meanwhile attached to process %d, or to another one of the same file, so hits were missed: use BPF beside it (CAP_BPF and CAP_PERFMON), or begin when it has ended",
				(int)pid);
	return 0;
}

int
traps_clear(struct ptrace_area *area, int mem_fd, struct diag *diag)
{
	return traps_set(area, mem_fd, 0, diag);
}

/* What others have added to the semaphore of a point. */
static uint16_t
semaphore_of_others(const struct ptrace_area *area, int mem_fd, uint64_t address)
{
	uint16_t semaphore = 0;

	if (read_memory(mem_fd, address, &semaphore, sizeof(semaphore)))
		return 0;
	for (size_t i = 0; i < area->shared->points_cnt && semaphore; i++)
		if (area->traps[i].semaphore_address == address && atomic_load(&area->traps[i].is_raised))
			semaphore--;
	return semaphore;
}

int
traps_set_at(int mem_fd, uint64_t address, struct traps_code *before)
{
	int err = read_memory(mem_fd, address, before->bytes, trap_bytes());

	return err ? err : write_trap(mem_fd, address);
}

int
traps_clear_at(int mem_fd, uint64_t address, const struct traps_code *before)
{
	return write_memory(mem_fd, address, before->bytes, trap_bytes());
}

void
traps_clear_other(pid_t pid, uint64_t address, const struct traps_code *before)
{
	int mem_fd = open_memory(pid, NULL);

	if (mem_fd < 0)
		return;
	traps_clear_at(mem_fd, address, before);
	close(mem_fd);
}

/* Without it the semaphore is not raised either: the trap was not written yet, or already taken out, or this is the
 * memory of another program that the process has executed. */
static bool
has_trap(int mem_fd, const struct ptrace_trap *trap)
{
	uint8_t found[MACHINE_TRAP_BYTES_MAX];

	return !read_memory(mem_fd, trap->address, found, trap_bytes()) && is_trap(found);
}

void
traps_clear_copy(const struct ptrace_area *area, int mem_fd, pid_t child)
{
	int child_fd = open_memory(child, NULL);

	for (size_t i = 0; i < area->shared->points_cnt && child_fd >= 0; i++) {
		const struct ptrace_trap *trap = &area->traps[i];

		if (has_trap(child_fd, trap))
			write_memory(child_fd, trap->address, trap->original, trap_bytes());
		if (trap->semaphore_address) {
			uint16_t semaphore = semaphore_of_others(area, mem_fd, trap->semaphore_address);

			write_memory(child_fd, trap->semaphore_address, &semaphore, sizeof(semaphore));
		}
	}
	if (child_fd >= 0)
		close(child_fd);
}

static void
forget_trap(struct ptrace_trap *trap)
{
	atomic_store(&trap->is_set, 0);
	atomic_store(&trap->is_raised, 0);
	atomic_store(&trap->moves, MOVES_NOT);
}

void
traps_forget(struct ptrace_area *area)
{
	for (size_t i = 0; i < area->shared->points_cnt; i++)
		forget_trap(&area->traps[i]);
}

int
traps_rescue(struct ptrace_area *area, struct diag *diag)
{
	pid_t pid = atomic_load(&area->shared->pid);

	if (!pid || process_start_time(pid) != area->shared->start_time)
		return 0;
	int mem_fd = open_memory(pid, diag);
	if (mem_fd < 0)
		return process_start_time(pid) ? mem_fd : 0;
	for (size_t i = 0; i < area->shared->points_cnt; i++)
		if (has_trap(mem_fd, &area->traps[i]))
			settle_semaphore(mem_fd, &area->traps[i]);
		else
			forget_trap(&area->traps[i]);
	int err = traps_clear(area, mem_fd, diag);
	close(mem_fd);
	if (!err)
		atomic_store(&area->shared->pid, 0);
	return err;
}
