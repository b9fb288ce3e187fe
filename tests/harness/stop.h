/* To stop a process so that none of its threads does anything any more. */
#ifndef TPCHECK_TESTS_HARNESS_STOP_H
#define TPCHECK_TESTS_HARNESS_STOP_H

#include "base/clock.h"
#include "base/proc_stat.h"
#include "base/text.h"

#include <glob.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

static inline bool
is_stopped(pid_t pid)
{
	char pattern[64];
	struct proc_stat stat;
	bool stopped = true;
	glob_t tasks;

	snprintf(pattern, sizeof(pattern), "/proc/%d/task/*", (int)pid);
	if (glob(pattern, 0, NULL, &tasks))
		return false;
	for (size_t i = 0; i < tasks.gl_pathc; i++) {
		const char *name = strrchr(tasks.gl_pathv[i], '/') + 1;
		uint64_t tid;

		stopped &= parse_u64(name, &tid) && proc_stat_read((pid_t)tid, &stat) && stat.state == 'T';
	}
	globfree(&tasks);
	return stopped;
}

/* False if it is not stopped within a minute. kill returns earlier: the thread that gets the signal stops the others
 * once it has a processor. */
static inline bool
stop_process(pid_t pid)
{
	struct deadline deadline = deadline_in_ms(60000);

	if (kill(pid, SIGSTOP))
		return false;
	while (!is_stopped(pid) && !deadline_has_passed(deadline))
		clock_pause_ms(1, deadline);
	return is_stopped(pid);
}

#endif
