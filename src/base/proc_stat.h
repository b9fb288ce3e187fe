/* What /proc/PID/stat says of a process: see proc(5). Allocates no memory. */
#ifndef TPCHECK_BASE_PROC_STAT_H
#define TPCHECK_BASE_PROC_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char state;            /* 'R', 'S', 'T', ... */
	uint64_t start_ticks;  /* of CLOCK_BOOTTIME */
	uint64_t memory_bytes; /* 0: it has no memory, as a zombie or a kernel thread */
	uint64_t env_start;    /* where its environment was */
	uint64_t env_end;      /* 0 within execve, when there is no environment yet */
};

/* False, and all zero, if there is no such process or /proc is not mounted. */
bool proc_stat_read(pid_t pid, struct proc_stat *out);

#endif
