/* What tpcheck finds in the memory of a process, here its own: the places of probe points, traps and semaphores. */
#include "probe/probe.h"
#include "probe/process.h"
#include "surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Nops as <sys/sdt.h> leaves them, on x86-64 of one byte and of five; and what is none. Hidden: GNU ld for aarch64
 * gives local symbols the same entry of the global offset table. */
extern unsigned char short_nop[] __attribute__((visibility("hidden")));
extern unsigned char long_nop[] __attribute__((visibility("hidden")));
extern unsigned char no_nop[] __attribute__((visibility("hidden")));
#if defined(__aarch64__)
__asm__(".pushsection .text\n"
	".balign 4\n"
	"short_nop: nop\n"
	"long_nop: nop\n"
	"no_nop: ret\n"
	".popsection\n");
#else
__asm__(".pushsection .text\n"
	"short_nop: .byte 0x90\n"
	"long_nop: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
	"no_nop: .byte 0xc3\n"
	".popsection\n");
#endif

/* Data that is in the file, as semaphores are. */
static volatile uint16_t semaphores[2] __attribute__((section(".probes"))) = {0, 0};

/* Where in the file that address comes from. */
static uint64_t
file_offset_of(const volatile void *address)
{
	uint64_t start, end, offset;
	uint64_t at = (uintptr_t)address;
	char *line = NULL;
	size_t line_sz = 0;
	FILE *maps = fopen("/proc/self/maps", "re");

	assert_non_null(maps);
	while (getline(&line, &line_sz, maps) > 0)
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && at >= start && at < end) {
			free(line);
			fclose(maps);
			return at - start + offset;
		}
	fail_msg("not mapped");
	return 0;
}

static struct site
site_at(const unsigned char *nop, const volatile uint16_t *semaphore)
{
	struct site site = {.provider = "net", .name = "test", .file_offset = file_offset_of(nop)};

	if (semaphore)
		site.semaphore_file_offset = file_offset_of(semaphore);
	return site;
}

/* Also as the kernel does it: through write-protected memory. */
static void
write_code(unsigned char *at, unsigned char byte)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)(uintptr_t)at), 1);
	close(fd);
}

static void
assert_says(const struct diag *diag, const char *text)
{
	if (!strstr(diag->text, text))
		fail_msg("'%s' is not in: %s", text, diag->text);
}

static void
test_the_program(void **state)
{
	struct site sites[] = {site_at(short_nop, NULL), site_at(long_nop, NULL), site_at(no_nop, NULL)};
	struct probe_point points[] = {{.site = &sites[0]}, {.site = &sites[1]}, {.site = &sites[2]}};
	unsigned files = test_count_files();
	struct diag diag;

	(void)state;
	assert_int_equal(process_check_program(getpid(), points, 2, &diag), 0);
	assert_int_equal(process_check_program(getpid(), points, 3, &diag), -ENXIO);
	assert_says(&diag,
		    "does not run the program whose tracepoints were read: it has no net:test at offset");
	sites[1].file_offset = UINT64_C(1) << 40; /* beyond the end */
	assert_int_equal(process_check_program(getpid(), points, 2, &diag), -ENXIO);
	assert_int_equal(process_check_program(INT32_MAX, points, 1, &diag), -ENOENT);
	assert_says(&diag, "probe: failed to open '/proc/2147483647/exe': No such file");
	assert_int_equal(test_count_files(), files);
}

static void
test_places(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct process_place places[] = {
		{.file_offset = file_offset_of(short_nop)},
		{.file_offset = file_offset_of(&semaphores[1]), .is_data = true},
		{.file_offset = 0, .address = 77},
		{.file_offset = file_offset_of(short_nop), .is_data = true},
		{.file_offset = UINT64_C(1) << 40, .address = 78},
	};
	struct diag diag;

	(void)state;
	/* The same pages of the file once more, before the others, but neither to be executed nor written. */
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	char *maps[2];
	for (int i = 0; i < 2; i++) {
		off_t at = (off_t)(places[i].file_offset - places[i].file_offset % page);

		maps[i] = mmap((void *)(uintptr_t)(0x10000000 + (size_t)i * 0x1000000), page, PROT_READ,
			       MAP_PRIVATE, fd, at);
		assert_ptr_not_equal(maps[i], MAP_FAILED);
		assert_true((uintptr_t)maps[i] < (uintptr_t)short_nop);
	}
	close(fd);
	unsigned files = test_count_files();
	assert_int_equal(process_find_places(getpid(), places, 5, &diag), 0);
	assert_int_equal(places[0].address, (uintptr_t)short_nop);
	assert_int_equal(places[1].address, (uintptr_t)&semaphores[1]);
	assert_int_equal(places[2].address, 0);
	assert_int_equal(places[3].address, 0); /* code is no data */
	assert_int_equal(places[4].address, 0);
	/* The first byte of a mapping, and the one behind its last. */
	assert_int_equal(mprotect(maps[0], page, PROT_READ | PROT_EXEC), 0);
	places[0].file_offset -= places[0].file_offset % page;
	assert_int_equal(process_find_places(getpid(), places, 1, &diag), 0);
	assert_int_equal(places[0].address, (uintptr_t)maps[0]);
	places[0].file_offset += page;
	assert_int_equal(process_find_places(getpid(), places, 1, &diag), 0);
	assert_true(places[0].address != (uintptr_t)maps[0] + page);
	for (int i = 0; i < 2; i++)
		assert_int_equal(munmap(maps[i], page), 0);
	assert_int_equal(process_find_places(INT32_MAX, places, 5, &diag), -ENOENT);
	assert_int_equal(test_count_files(), files);
}

static void
test_traps_and_semaphores(void **state)
{
	struct site sites[] = {site_at(short_nop, &semaphores[0]), site_at(long_nop, &semaphores[1])};
	struct probe_point points[] = {{.site = &sites[0]}, {.site = &sites[1]}};
	const unsigned char code[] = {*short_nop, *long_nop};
	unsigned files = test_count_files();
	struct diag diag;

	(void)state;
	assert_int_equal(process_check_probes(getpid(), points, 2, NULL, &diag), -ENXIO);
	assert_says(&diag, "but the kernel has set no trap there");
	write_code(short_nop, 0xcc);
	assert_int_equal(process_check_probes(getpid(), points, 2, "; a hint", &diag), -ENXIO);
	assert_says(&diag, "but its semaphore is still 0; a hint");
	semaphores[0] = 1;
	assert_int_equal(process_check_probes(getpid(), points, 1, NULL, &diag), 0);
	assert_int_equal(process_check_probes(getpid(), points, 2, NULL, &diag), -ENXIO);
	assert_says(&diag, "but the kernel has set no trap there");
	write_code(long_nop, 0xcc);
	semaphores[1] = 0x100; /* all of its bits count */
	assert_int_equal(process_check_probes(getpid(), points, 2, NULL, &diag), 0);
	assert_int_equal(probe_check_quiet(getpid(), points, 2, &diag), -EBUSY);
	assert_says(&diag, "another tracer is attached to the same file");
	semaphores[0] = 0;
	assert_int_equal(probe_check_quiet(getpid(), points, 1, &diag), 0);
	assert_int_equal(probe_check_quiet(getpid(), points, 2, &diag), -EBUSY);
	semaphores[1] = 0;
	assert_int_equal(probe_check_quiet(getpid(), points, 2, &diag), 0);
	/* Without semaphores nothing has to be raised. */
	sites[0].semaphore_file_offset = sites[1].semaphore_file_offset = 0;
	assert_int_equal(process_check_probes(getpid(), points, 2, NULL, &diag), 0);
	assert_int_equal(probe_check_quiet(getpid(), points, 2, &diag), 0);
	sites[1].semaphore_file_offset = UINT64_C(1) << 40;
	assert_int_equal(process_check_probes(getpid(), points, 2, NULL, &diag), -ENOENT);
	assert_says(&diag, "failed to find offset 0x10000000000 of the executable");
	assert_int_equal(probe_check_quiet(getpid(), points, 2, &diag), -ENOENT);
	sites[0].file_offset = UINT64_C(1) << 40;
	assert_int_equal(process_check_probes(getpid(), points, 2, NULL, &diag), -ENOENT);
	assert_int_equal(process_check_probes(INT32_MAX, points, 2, NULL, &diag), -ENOENT);
	assert_int_equal(probe_check_quiet(INT32_MAX, points, 2, &diag), -ENOENT);
	write_code(short_nop, code[0]);
	write_code(long_nop, code[1]);
	assert_int_equal(test_count_files(), files);
}

static void
test_start_and_tracer(void **state)
{
	unsigned files = test_count_files();
	int status;

	(void)state;
	uint64_t start = process_start_time(getpid());
	assert_true(start > 0);
	/* Whatever it calls itself. */
	assert_int_equal(prctl(PR_SET_NAME, ") S 1 (", 0, 0, 0), 0);
	assert_int_equal(process_start_time(getpid()), start);
	assert_int_equal(process_start_time(INT32_MAX), 0);
	assert_int_equal(process_tracer(getpid()), 0);
	assert_int_equal(process_tracer(INT32_MAX), 0);
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(process_tracer(pid), getpid());
	assert_true(process_start_time(pid) >= start);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(process_has_thread_ended(getpid(), (uint32_t)getpid()));
	assert_true(process_has_thread_ended(getpid(), INT32_MAX));
	assert_int_equal(test_count_files(), files);
}

/* Whether ptrace can be used is tried on a child, of which nothing may be left. */
static void
test_trying_ptrace_leaves_nothing(void **state)
{
	unsigned files = test_count_files();
	char reason[600];

	(void)state;
	probe_find_obstacle(PROBE_METHOD_PTRACE, reason, sizeof(reason));
	assert_int_equal(test_count_files(), files);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_program),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_traps_and_semaphores),
		cmocka_unit_test(test_start_and_tracer),
		cmocka_unit_test(test_trying_ptrace_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
