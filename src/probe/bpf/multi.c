/* Some of the kernels 6.6 to 6.9 have the uprobe_multi link, but take the PID for a thread's and see only the main
 * thread. A trial with a second thread of tpcheck itself shows which; the kernel's version does not. */
#include "probe/bpf/multi.h"

#include "probe/bpf/bpf.h"
#include "probe/bpf/links.h"
#include "probe/bpf/sys.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIAL_HITS = 3 };

__attribute__((noinline)) static void
trial_target(volatile unsigned *hits)
{
	__asm__ volatile(""); /* keeps the compiler from cloning or merging it */
	++*hits;
}

static void *
hit_trial_target(void *arg)
{
	(void)arg;
	volatile unsigned hits = 0;

	while (hits < TRIAL_HITS)
		trial_target(&hits);
	return NULL;
}

/* The file offset of a function of this program. */
static int
own_file_offset(const void *function, uint64_t *out, char *path, size_t path_sz)
{
	char *line = NULL;
	size_t line_sz = 0;
	uint64_t address = (uint64_t)(uintptr_t)function;
	int err = -ENOENT;
	FILE *maps = fopen("/proc/self/maps", "re");

	if (!maps)
		return -errno;
	while (err && getline(&line, &line_sz, maps) > 0) {
		uint64_t start, end, offset;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64, &start, &end, &offset) != 3)
			continue;
		if (address < start || address >= end)
			continue;
		/* Not the path that is listed: the file may have been replaced meanwhile. */
		snprintf(path, path_sz, "/proc/self/exe");
		*out = offset + (address - start);
		err = 0;
	}
	free(line);
	fclose(maps);
	return err;
}

int
multi_try_target(char *path, size_t path_sz, uint64_t *file_offset)
{
	return own_file_offset((const void *)(uintptr_t)trial_target, file_offset, path, path_sz);
}

int
multi_try(struct keeper *keeper, int prog_fd, int counters_fd, struct keeper_deed *trial, struct diag *diag)
{
	uint64_t offset, no_semaphore = 0, cookie = BPF_TRIAL_COOKIE;
	struct counters_value counters;
	uint32_t zero = 0;
	char path[64];
	pthread_t thread;
	int err = multi_try_target(path, sizeof(path), &offset);

	*trial = (struct keeper_deed){0};
	if (err)
		return diag_fail(diag, err, "probe: failed to find tpcheck's own code in memory: %s",
				 strerror(-err));
	err = links_make_multi(keeper, trial, prog_fd, path, &offset, &no_semaphore, &cookie, 1, getpid(),
			       diag);
	if (err)
		return diag_prefix(diag, err, "probe: failed to create a uprobe_multi link");
	err = -pthread_create(&thread, NULL, hit_trial_target, NULL);
	if (!err)
		pthread_join(thread, NULL);
	if (!err)
		err = bpf_map_read(counters_fd, &zero, &counters);
	if (err)
		return diag_fail(diag, err, "probe: failed to try a uprobe_multi link: %s", strerror(-err));
	/* The program has just been loaded, so nothing else has hit it. */
	if (counters.tried != TRIAL_HITS)
		return diag_fail(
			diag, -EOPNOTSUPP,
			"probe: this kernel's uprobe_multi link does not see all threads of a process (%" PRIu64
			" of %d hits in a second thread)",
			counters.tried, TRIAL_HITS);
	return 0;
}
