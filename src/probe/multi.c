/* Tries the uprobe_multi link on tpcheck itself: the kernels 6.6 to 6.9 have the link, but some of them take the
 * PID for a thread's and see the main thread only. A try with a second thread tells; a version check
 * would not. */
#include "probe/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRY_HITS = 3 };

__attribute__((noinline)) static void
try_target(volatile unsigned *hits)
{
	__asm__ volatile(""); /* keeps the compiler from making variants of it */
	++*hits;
}

static void *
hit_try_target(void *arg)
{
	(void)arg;
	volatile unsigned hits = 0;

	while (hits < TRY_HITS)
		try_target(&hits);
	return NULL;
}

/* The file offset of a function of this program. */
static int
own_file_offset(const void *function, uint64_t *out, char *path, size_t path_sz)
{
	char *line = NULL;
	size_t line_sz = 0;
	uint64_t address = (uint64_t)(uintptr_t)function;
	int result = -ENOENT;
	FILE *maps = fopen("/proc/self/maps", "re");

	if (!maps)
		return -errno;
	while (result && getline(&line, &line_sz, maps) > 0) {
		uint64_t start, end, offset;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64, &start, &end, &offset) != 3)
			continue;
		if (address < start || address >= end)
			continue;
		/* Not the path that stands there: the file may have been replaced meanwhile. */
		snprintf(path, path_sz, "/proc/self/exe");
		*out = offset + (address - start);
		result = 0;
	}
	free(line);
	fclose(maps);
	return result;
}

int
multi_try_target(char *path, size_t path_sz, uint64_t *file_offset)
{
	return own_file_offset((const void *)(uintptr_t)try_target, file_offset, path, path_sz);
}

int
multi_try(int prog_fd, int counters_fd, int *tried_fd, struct diag *diag)
{
	uint64_t offset, no_semaphore = 0, cookie = TEXT_TRY_COOKIE;
	struct counters_value before, after;
	uint32_t zero = 0;
	char path[64];
	pthread_t thread;
	int result = multi_try_target(path, sizeof(path), &offset);

	*tried_fd = -1;
	if (result)
		return diag_fail(diag, result, "probe: failed to find tpcheck's own code in memory: %s",
				 strerror(-result));
	result = bpf_map_read(counters_fd, &zero, &before);
	if (result)
		return diag_fail(diag, result, "probe: failed to read the counters: %s", strerror(-result));
	int link_fd = bpf_link_uprobe_multi(prog_fd, path, &offset, &no_semaphore, &cookie, 1, getpid());
	if (link_fd < 0)
		return diag_fail(diag, link_fd, "probe: failed to create a uprobe_multi link: %s",
				 strerror(-link_fd));
	result = -pthread_create(&thread, NULL, hit_try_target, NULL);
	if (!result)
		pthread_join(thread, NULL);
	if (!result)
		result = bpf_map_read(counters_fd, &zero, &after);
	*tried_fd = link_fd;
	if (result)
		return diag_fail(diag, result, "probe: failed to try a uprobe_multi link: %s",
				 strerror(-result));
	if (after.tried - before.tried != TRY_HITS)
		return diag_fail(
			diag, -EOPNOTSUPP,
			"probe: this kernel's uprobe_multi link does not see all threads of a process (%" PRIu64
			" of %d hits in a second thread)",
			after.tried - before.tried, TRY_HITS);
	return 0;
}
