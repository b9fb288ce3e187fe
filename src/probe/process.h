/* Looks into a process that is or will be probed, through /proc. Private to src/probe. */
#ifndef TPCHECK_PROBE_PROCESS_H
#define TPCHECK_PROBE_PROCESS_H

#include "base/diag.h"
#include "base/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* -ENXIO when the process does not run the program that the points are from: a trap anywhere but on the nop that
 * <sys/sdt.h> leaves would break it. */
int process_check_program(pid_t pid, const struct probe_point *points, size_t points_cnt, struct diag *diag);
/* Whether there are probes for this machine: for the one that the program was built for, if uname -m says the same. */
bool process_has_probes(const char *kernel_name);
/* How many bytes the nop of <sys/sdt.h> has that is at that address; 0: none of this machine's. */
size_t process_nop_bytes(uint64_t address, const uint8_t *bytes, size_t cnt);
/* -ENXIO when a point is not trapped or a semaphore is not raised. semaphore_hint is appended to the text in the latter
 * case; may be NULL. */
int process_check_probes(pid_t pid, const struct probe_point *points, size_t points_cnt,
			 const char *semaphore_hint, struct diag *diag);

/* A place of the executable in the memory of the process. */
struct process_place {
	uint64_t file_offset;
	bool is_data;     /* look for private writable data, not for code */
	uint64_t address; /* found; 0: not mapped */
};
/* Fills the addresses. Places with file_offset 0 are left out. */
int process_find_places(pid_t pid, struct process_place *places, size_t cnt, struct diag *diag);
/* When the process was started, in clock ticks after boot: with its PID it names one process. 0: it is gone. */
uint64_t process_start_time(pid_t pid);

/* The process that traces a thread by ptrace; 0: none, or that cannot be found out. */
pid_t process_tracer(pid_t tid);

bool process_is_under_valgrind(void);
/* Whether thread numbers of the initial PID namespace, which the kernel reports, are those that /proc shows. */
bool process_shows_threads(void);
/* Whether a thread of that process has ended. Valid only if process_shows_threads. */
bool process_has_thread_ended(pid_t pid, uint32_t tid);

#endif
