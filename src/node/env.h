/* The environment that a bitcoind is started with. */
#ifndef TPCHECK_NODE_ENV_H
#define TPCHECK_NODE_ENV_H

/* What every bitcoind gets unless it is overridden. */
#define ENV_PATH   "PATH=/usr/local/bin:/usr/bin:/bin"
#define ENV_LOCALE "LC_ALL=C"
/* glibc fills freed memory with this byte: a tracepoint that passes a pointer into it is found out each time. */
#define ENV_POISON "MALLOC_PERTURB_=165"
/* Memory in huge pages where the kernel offers them, and from one heap for all threads. A page fault for each 4 KiB
 * that is new to a thread was a sixth of a run's CPU time on a virtual machine where such faults are slow. */
#define ENV_HUGE_PAGES "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"
#define ENV_ONE_HEAP   "MALLOC_ARENA_MAX=1"

/* All of ours and of theirs, which are NULL-terminated; of several with one name only the last. theirs may be NULL. The
 * caller frees the array, whose strings are borrowed. */
const char **env_merge(const char *const *ours, const char *const *theirs);

#endif
