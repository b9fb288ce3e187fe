/* LeakSanitizer looks for leaks when the program ends by exit: a process that it makes stops all threads by ptrace, and
 * gives up if somebody else traces one. It runs behind all of the program's own code, so the tracer steps aside when a
 * thread enters exit, as no probe is hit after that. */
#ifndef TPCHECK_PROBE_PTRACE_ASIDE_H
#define TPCHECK_PROBE_PTRACE_ASIDE_H

#include <stdint.h>
#include <sys/types.h>

/* Where the C library's exit begins in a process with LeakSanitizer; 0: it has none, or that cannot be found out. */
uint64_t aside_find_exit(pid_t pid);

#endif
