/* The limit of locked memory (RLIMIT_MEMLOCK), which is raised for this process, but not for what it executes. */
#ifndef TPCHECK_BASE_LIMITS_H
#define TPCHECK_BASE_LIMITS_H

/* Raises it as far as this process may: with CAP_SYS_RESOURCE there is none afterwards. */
void limits_raise_memory(void);

/* For a child between fork and exec: the limit is again what it was. Async-signal-safe. */
void limits_restore_memory(void);

#endif
