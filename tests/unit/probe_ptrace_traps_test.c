/* Traps and semaphores in the memory of another process, and the memory that is shared with whoever must undo them. The
 * other process is a copy of this one, so its addresses are known. */
#include "base/clock.h"
#include "base/signals.h"
#include "probe/process.h"
#include "probe/ptrace/handler.h"
#include "probe/ptrace/traps.h"
#include "probe_ptrace_area.h"
#include "refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { POINTS = 3, RING = 4096 };

/* What traps are set into; never executed. */
#if defined(__aarch64__)
enum { LONG_NOP_BYTES = 4, TRAP_BYTES = 4 };
#define NOP       "\x1f\x20\x03\xd5"
#define OTHER_NOP NOP /* there are no longer ones */
#define TRAP      "\x00\x00\x20\xd4"
enum { AT_NOP = 0, AT_OTHER_NOP = 4, AT_TRAP = 8, AT_NO_NOP = 12, AT_LONG_NOP = 16 };
__asm__(".pushsection .text\n"
	".balign 4\n"
	"traps_test_nops:\n"
	"nop\nnop\nbrk #0\nret\nnop\n"
	".popsection\n");
#else
enum { LONG_NOP_BYTES = 5, TRAP_BYTES = 1 };
#define NOP       "\x90"
#define OTHER_NOP "\x0f" /* the first byte of a longer one */
#define TRAP      "\xcc"
__asm__(".pushsection .text\n"
	"traps_test_nops:\n"
	"nop\nnop\nint3\nret\n"
	".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
	".popsection\n");
enum { AT_NOP, AT_OTHER_NOP, AT_TRAP, AT_NO_NOP, AT_LONG_NOP };
#endif
extern const unsigned char traps_test_nops[];
/* Not 0, or they would not be in the file. */
static volatile uint16_t semaphores[2] = {7, 7};

struct fixture {
	struct site sites[POINTS];
	struct probe_point points[POINTS];
	struct ptrace_area area;
	pid_t child;
	int mem_fd;
};

static void
must(int err, const struct diag *diag)
{
	if (err)
		fail_msg("%s", diag->text);
}

/* The offset in this program's file of what is at an address. */
static uint64_t
file_offset(const volatile void *at)
{
	uint64_t start, end, offset, found = 0, address = (uintptr_t)at;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) == 3 &&
		    address >= start && address < end)
			found = address - start + offset;
	fclose(maps);
	return found;
}

static pid_t
start_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		signals_end_with(parent);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static void
end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Points 0 and 1, of tracepoint 3, have the first semaphore, point 2, of tracepoint 5, the second; each at that place
 * of the code. */
static struct fixture *
prepare(int first, int second, int third)
{
	static struct fixture fixture;
	const int at[POINTS] = {first, second, third};

	fixture = (struct fixture){.mem_fd = -1};
	for (int i = 0; i < POINTS; i++) {
		fixture.sites[i].file_offset = file_offset(traps_test_nops + at[i]);
		fixture.sites[i].semaphore_file_offset = file_offset(&semaphores[i / 2]);
		assert_true(fixture.sites[i].file_offset && fixture.sites[i].semaphore_file_offset);
		fixture.points[i] =
			(struct probe_point){.site = &fixture.sites[i], .tracepoint = i < 2 ? 3 : 5};
	}
	fixture.area = area_with(fixture.points, POINTS, RING);
	fixture.child = start_child();
	return &fixture;
}

static struct fixture *
begin(void)
{
	struct fixture *fixture = prepare(AT_NOP, AT_OTHER_NOP, AT_LONG_NOP);
	struct diag diag;

	must(traps_open(&fixture->area, fixture->child, &fixture->mem_fd, &diag), &diag);
	fixture->area.shared->start_time = process_start_time(fixture->child);
	atomic_store(&fixture->area.shared->pid, fixture->child);
	return fixture;
}

static void
end(struct fixture *fixture)
{
	if (fixture->child)
		end_child(fixture->child);
	if (fixture->mem_fd >= 0)
		close(fixture->mem_fd);
	ptrace_area_unmap(&fixture->area);
}

static int
open_memory(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void
assert_memory(pid_t pid, const char *const code[POINTS], uint16_t first, uint16_t second)
{
	int fd = open_memory(pid);
	const int at[POINTS] = {AT_NOP, AT_OTHER_NOP, AT_LONG_NOP};
	uint16_t found[2];

	for (int i = 0; i < POINTS; i++) {
		uint8_t bytes[TRAP_BYTES];

		assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)(uintptr_t)(traps_test_nops + at[i])),
				 sizeof(bytes));
		assert_memory_equal(bytes, code[i], sizeof(bytes));
	}
	assert_int_equal(pread(fd, found, sizeof(found), (off_t)(uintptr_t)semaphores), sizeof(found));
	assert_int_equal(found[0], first);
	assert_int_equal(found[1], second);
	close(fd);
}

static const char *const clean[POINTS] = {NOP, NOP, OTHER_NOP};
static const char *const trapped[POINTS] = {TRAP, TRAP, TRAP};

static void
poke(pid_t pid, const volatile void *at, const void *from, size_t bytes)
{
	int fd = open_memory(pid);

	assert_int_equal(pwrite(fd, from, bytes, (off_t)(uintptr_t)at), bytes);
	close(fd);
}

static void
poke_semaphore(pid_t pid, int idx, uint16_t value)
{
	poke(pid, &semaphores[idx], &value, sizeof(value));
}

static void
test_traps_are_set_and_removed(void **state)
{
	struct fixture *fixture = begin();
	struct diag diag;

	(void)state;
	assert_memory(fixture->child, clean, 7, 7);
	for (int i = 0; i < 3; i++) {
		must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
		assert_memory(fixture->child, trapped, 9, 8);
		must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
		assert_memory(fixture->child, trapped, 9, 8);
		must(traps_clear(&fixture->area, fixture->mem_fd, &diag), &diag);
		assert_memory(fixture->child, clean, 7, 7);
		must(traps_clear(&fixture->area, fixture->mem_fd, &diag), &diag);
		assert_memory(fixture->child, clean, 7, 7);
	}
	/* Others may change the semaphore meanwhile. */
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
	poke_semaphore(fixture->child, 0, 20);
	poke_semaphore(fixture->child, 1, 0);
	must(traps_clear(&fixture->area, fixture->mem_fd, &diag), &diag);
	assert_memory(fixture->child, clean, 18, 0);
	/* Nothing happened here. */
	assert_memory(getpid(), clean, 7, 7);
	end(fixture);
}

/* Another tracer that attached to the same places, and left, or raised a semaphore. */
static void
test_another_tracer_is_noticed(void **state)
{
	struct fixture *fixture = begin();
	struct diag diag;

	(void)state;
	must(traps_check(&fixture->area, fixture->mem_fd, fixture->child, &diag), &diag);
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
	must(traps_check(&fixture->area, fixture->mem_fd, fixture->child, &diag), &diag);
	poke(fixture->child, traps_test_nops + AT_OTHER_NOP, NOP, TRAP_BYTES);
	assert_int_equal(traps_check(&fixture->area, fixture->mem_fd, fixture->child, &diag), -EBUSY);
	assert_non_null(strstr(diag.text, "another tracer"));
	poke(fixture->child, traps_test_nops + AT_OTHER_NOP, TRAP, TRAP_BYTES);
	/* Lower is somebody else's who left. */
	poke_semaphore(fixture->child, 0, 8);
	must(traps_check(&fixture->area, fixture->mem_fd, fixture->child, &diag), &diag);
	poke_semaphore(fixture->child, 0, 10);
	assert_int_equal(traps_check(&fixture->area, fixture->mem_fd, fixture->child, &diag), -EBUSY);
	end(fixture);
}

static void
test_only_what_is_wanted_is_trapped(void **state)
{
	static const char *const third[POINTS] = {NOP, NOP, TRAP};
	static const char *const others[POINTS] = {TRAP, TRAP, OTHER_NOP};
	struct fixture *fixture = begin();
	struct diag diag;

	(void)state;
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_C(1) << 5, &diag), &diag);
	assert_memory(fixture->child, third, 7, 8);
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_C(1) << 3, &diag), &diag);
	assert_memory(fixture->child, others, 9, 7);
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_C(1) << 4, &diag), &diag);
	assert_memory(fixture->child, clean, 7, 7);
	end(fixture);
}

static void
refuse(int third, int want_err, const char *want_text)
{
	struct fixture *fixture = prepare(AT_NOP, AT_OTHER_NOP, third);
	struct diag diag;
	int mem_fd = 5;

	assert_int_equal(traps_open(&fixture->area, fixture->child, &mem_fd, &diag), want_err);
	assert_non_null(strstr(diag.text, want_text));
	assert_int_equal(mem_fd, -1);
	assert_memory(fixture->child, clean, 7, 7);
	end(fixture);
}

static void
test_what_is_no_nop_is_refused(void **state)
{
	(void)state;
	refuse(AT_TRAP, -EBUSY, "another tracer has set a trap");
	refuse(AT_NO_NOP, -ENXIO, "has no nop at offset");
}

/* What the nops and traps are taken for. */
static void
test_sizes(void **state)
{
	struct fixture *fixture = begin();
	int fd = open_memory(fixture->child);
	struct traps_code before;
	uint8_t found[TRAP_BYTES];
	uint64_t at = (uintptr_t)(traps_test_nops + AT_NO_NOP);

	(void)state;
	assert_int_equal(fixture->area.traps[0].nop_bytes, TRAP_BYTES);
	assert_int_equal(fixture->area.traps[2].nop_bytes, LONG_NOP_BYTES);
	/* A thread stops behind int3, and at brk. */
	assert_int_equal(traps_stop_address(0x1000), TRAP_BYTES == 1 ? 0x1001 : 0x1000);
	/* Elsewhere than at a nop: */
	assert_int_equal(traps_set_at(fd, at, &before), 0);
	assert_memory_equal(before.bytes, traps_test_nops + AT_NO_NOP, TRAP_BYTES);
	assert_int_equal(pread(fd, found, sizeof(found), (off_t)at), sizeof(found));
	assert_memory_equal(found, TRAP, sizeof(found));
	traps_clear_other(fixture->child, at, &before);
	assert_int_equal(pread(fd, found, sizeof(found), (off_t)at), sizeof(found));
	assert_memory_equal(found, traps_test_nops + AT_NO_NOP, sizeof(found));
	close(fd);
	end(fixture);
}

static void
test_what_is_not_mapped_is_refused(void **state)
{
	struct fixture *fixture = prepare(AT_NOP, AT_OTHER_NOP, AT_LONG_NOP);
	struct diag diag;
	int mem_fd;

	(void)state;
	fixture->area.points[1].file_offset = UINT64_C(1) << 40;
	assert_int_equal(traps_open(&fixture->area, fixture->child, &mem_fd, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "0x10000000000"));
	fixture->area.points[1].file_offset = fixture->sites[1].file_offset;
	/* A semaphore must be where data is. */
	fixture->area.points[1].semaphore_file_offset = fixture->sites[0].file_offset;
	assert_int_equal(traps_open(&fixture->area, fixture->child, &mem_fd, &diag), -ENOENT);
	end(fixture);
}

static void
test_a_process_that_has_ended(void **state)
{
	struct fixture *fixture = begin();
	struct diag diag;

	(void)state;
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
	end_child(fixture->child);
	assert_int_equal(traps_clear(&fixture->area, fixture->mem_fd, &diag), -ESRCH);
	must(traps_rescue(&fixture->area, &diag), &diag);
	fixture->child = 0;
	end(fixture);
}

/* A child process has what its parent had when it was made. */
static void
test_a_copy_is_cleaned(void **state)
{
	struct fixture *fixture = begin();
	pid_t copy = start_child();
	struct diag diag;

	(void)state;
	/* The copy was made when only the third trap was set and the semaphores were at 7 and 8, of which 1 is ours. */
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
	poke(copy, traps_test_nops + AT_LONG_NOP, TRAP, TRAP_BYTES);
	poke_semaphore(copy, 1, 8);
	traps_clear_copy(&fixture->area, fixture->mem_fd, copy);
	assert_memory(copy, clean, 7, 7);
	assert_memory(fixture->child, trapped, 9, 8);
	must(traps_clear(&fixture->area, fixture->mem_fd, &diag), &diag);
	assert_memory(fixture->child, clean, 7, 7);
	end_child(copy);
	end(fixture);
}

/* The tracer process was killed; whoever has the area undoes what it did. */
static void
test_a_rescue(void **state)
{
	struct fixture *fixture = begin();
	struct diag diag;

	(void)state;
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
	/* Not of another process that got the same number. */
	fixture->area.shared->start_time++;
	must(traps_rescue(&fixture->area, &diag), &diag);
	assert_memory(fixture->child, trapped, 9, 8);
	fixture->area.shared->start_time--;
	must(traps_rescue(&fixture->area, &diag), &diag);
	assert_memory(fixture->child, clean, 7, 7);
	assert_int_equal(atomic_load(&fixture->area.shared->pid), 0);
	/* Once is enough. */
	must(traps_rescue(&fixture->area, &diag), &diag);
	assert_memory(fixture->child, clean, 7, 7);
	end(fixture);
}

/* The process has executed another program since: where a trap was, there is none, and its data is not a semaphore. */
static void
test_a_rescue_of_another_program(void **state)
{
	static const char *const changed[POINTS] = {NOP, "\x42\x42\x42\x42", TRAP};
	static const char *const left[POINTS] = {NOP, "\x42\x42\x42\x42", OTHER_NOP};
	struct fixture *fixture = begin();
	struct diag diag;

	(void)state;
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
	poke(fixture->child, traps_test_nops + AT_NOP, changed[0], TRAP_BYTES);
	poke(fixture->child, traps_test_nops + AT_OTHER_NOP, changed[1], TRAP_BYTES);
	poke_semaphore(fixture->child, 0, 1000);
	must(traps_rescue(&fixture->area, &diag), &diag);
	assert_memory(fixture->child, left, 1000, 7);
	end(fixture);
}

/* Killed while the semaphore of the third point moves. */
static void
rescue_within(enum trap_move move, uint16_t before, uint16_t after, bool is_written)
{
	struct fixture *fixture = begin();
	struct ptrace_trap *trap = &fixture->area.traps[2];
	struct diag diag;

	poke_semaphore(fixture->child, 1, move == MOVES_UP ? before : after);
	must(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag), &diag);
	atomic_store(&trap->is_raised, move == MOVES_DOWN);
	trap->moves_to = after;
	atomic_store(&trap->moves, move);
	poke_semaphore(fixture->child, 1, is_written ? after : before);
	must(traps_rescue(&fixture->area, &diag), &diag);
	assert_memory(fixture->child, clean, 7, move == MOVES_UP ? before : after);
	end(fixture);
}

static void
test_a_rescue_while_a_semaphore_moves(void **state)
{
	(void)state;
	for (uint16_t others = 0; others < 3; others++)
		for (int is_written = 0; is_written < 2; is_written++) {
			rescue_within(MOVES_UP, others, others + 1, is_written);
			rescue_within(MOVES_DOWN, others + 1, others, is_written);
		}
}

/* Killed between the note that a trap will be set and the trap, or between its removal and the note of that. */
static void
test_a_rescue_beside_a_trap(void **state)
{
	struct fixture *fixture = begin();
	struct diag diag;

	(void)state;
	for (int i = 0; i < POINTS; i++)
		atomic_store(&fixture->area.traps[i].is_set, 1);
	must(traps_rescue(&fixture->area, &diag), &diag);
	assert_memory(fixture->child, clean, 7, 7);
	end(fixture);
}

/* In a process that sets the traps and removes them again: kills it where it enters or leaves a system call for the nth
 * time. False if it ended before. */
static bool
kill_at(struct fixture *fixture, int nth)
{
	struct diag diag;
	int status;
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		signals_end_with(parent);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
			_exit(77);
		_exit(traps_set(&fixture->area, fixture->mem_fd, UINT64_MAX, &diag) ||
		      traps_clear(&fixture->area, fixture->mem_fd, &diag));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < nth && WIFSTOPPED(status); i++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	if (WIFSTOPPED(status)) {
		end_child(pid);
		return true;
	}
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

/* Wherever the tracer process is killed, whether it has just written something and not noted it or the reverse. */
static void
test_a_rescue_after_any_system_call(void **state)
{
	int cnt = 0;
	bool was_killed = true;

	(void)state;
	while (was_killed) {
		struct fixture *fixture = begin();
		struct diag diag;

		was_killed = kill_at(fixture, cnt++);
		must(traps_rescue(&fixture->area, &diag), &diag);
		assert_memory(fixture->child, clean, 7, 7);
		end(fixture);
	}
	/* At least the writes: each trap and each semaphore, there and back. */
	assert_true(cnt > 2 * 4 * POINTS);
}

/* The shared memory */

static void
test_another_process_finds_the_same(void **state)
{
	struct fixture *fixture = prepare(AT_NOP, AT_OTHER_NOP, AT_LONG_NOP);
	struct ptrace_area made, mapped;
	struct diag diag;
	int fd;

	(void)state;
	fixture->sites[1].args_cnt = 1;
	fixture->sites[1].args[0] =
		(struct operand){.kind = OPERAND_CONSTANT, .width_bytes = 2, .constant = -1};
	must(ptrace_area_make(&made, &fd, fixture->points, POINTS, RING, NULL, &diag), &diag);
	must(ptrace_area_map(&mapped, fd, &diag), &diag);
	close(fd);
	assert_ptr_not_equal(made.shared, mapped.shared);
	assert_int_equal(mapped.shared->points_cnt, POINTS);
	assert_int_equal(mapped.shared->ring_bytes, RING);
	assert_int_equal(mapped.points[2].file_offset, fixture->sites[2].file_offset);
	assert_int_equal(mapped.points[2].semaphore_file_offset, fixture->sites[2].semaphore_file_offset);
	assert_int_equal(mapped.points[2].tracepoint, 5);
	assert_int_equal(mapped.points[1].args_cnt, 1);
	assert_int_equal(mapped.points[1].operands[0].constant, 0xffff);
	made.traps[2].moves_to = 77;
	assert_int_equal(mapped.traps[2].moves_to, 77);
	/* Each part to its end, without a part of another. */
	memset(made.ring, 0xaa, RING);
	memset(made.traps, 0xbb, POINTS * sizeof(*made.traps));
	assert_int_equal(mapped.ring[0], 0xaa);
	assert_int_equal(mapped.ring[RING - 1], 0xaa);
	assert_int_equal(mapped.points[2].tracepoint, 5);
	assert_true(mapped.ring + RING <= (unsigned char *)mapped.shared + mapped.shared->bytes);
	ptrace_area_unmap(&made);
	ptrace_area_unmap(&mapped);
	ptrace_area_unmap(&mapped);
	end(fixture);
}

static void
refuse_memfd(void)
{
	if (!test_refuse_call(SYS_memfd_create, EPERM))
		_exit(77);
}

/* In a child process, which can make no memfd: whether an area could be made all the same. */
static int
make_without_memfd(const char *tmpdir)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct ptrace_area area, mapped;
		struct diag diag;
		int fd;

		refuse_memfd();
		if (ptrace_area_make(&area, &fd, NULL, 0, RING, tmpdir, &diag))
			_exit(strstr(diag.text, "failed to make a file for records") && fd < 0 ? 1 : 2);
		area.ring[RING - 1] = 0x77;
		_exit(ptrace_area_map(&mapped, fd, &diag) || mapped.ring[RING - 1] != 0x77 ? 3 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_where_memfd_create_is_refused(void **state)
{
	char dir[] = "/tmp/traps-test-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	int code = make_without_memfd(dir);
	if (code == 77) {
		rmdir(dir);
		skip();
	}
	assert_int_equal(code, 0);
	assert_int_equal(rmdir(dir), 0); /* nothing is in it */
	assert_int_equal(make_without_memfd(dir), 1);
}

/* A thread is not let go while the signal of a trap is pending, which would end it. */
static void
test_the_signal_of_a_trap(void **state)
{
	int status;
	pid_t parent = getpid(), pid = fork();

	(void)state;
	if (!pid) {
		signals_end_with(parent);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_true(WIFSTOPPED(status));
	assert_false(handler_has_pending_trap(pid));
	assert_int_equal(syscall(SYS_tgkill, pid, pid, SIGUSR1), 0);
	assert_false(handler_has_pending_trap(pid));
	assert_int_equal(syscall(SYS_tgkill, pid, pid, SIGTRAP), 0);
	assert_true(handler_has_pending_trap(pid));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_false(handler_has_pending_trap(pid));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traps_are_set_and_removed),
		cmocka_unit_test(test_another_tracer_is_noticed),
		cmocka_unit_test(test_only_what_is_wanted_is_trapped),
		cmocka_unit_test(test_what_is_no_nop_is_refused),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_what_is_not_mapped_is_refused),
		cmocka_unit_test(test_a_process_that_has_ended),
		cmocka_unit_test(test_a_copy_is_cleaned),
		cmocka_unit_test(test_a_rescue),
		cmocka_unit_test(test_a_rescue_of_another_program),
		cmocka_unit_test(test_a_rescue_while_a_semaphore_moves),
		cmocka_unit_test(test_a_rescue_beside_a_trap),
		cmocka_unit_test(test_a_rescue_after_any_system_call),
		cmocka_unit_test(test_another_process_finds_the_same),
		cmocka_unit_test(test_where_memfd_create_is_refused),
		cmocka_unit_test(test_the_signal_of_a_trap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
