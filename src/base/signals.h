/* Threads and children without signals, which other threads handle; children that end with their parent. */
#ifndef TPCHECK_BASE_SIGNALS_H
#define TPCHECK_BASE_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

/* Blocks all of them in this thread, and in what it starts until signals_restore. */
void signals_block(sigset_t *before);
/* Leaves errno as it is. */
void signals_restore(const sigset_t *before);

/* Starts a thread with all signals blocked; 0 or a negative errno value. */
int signals_start_thread(pthread_t *thread, void *(*work)(void *), void *arg);

/*
 * For a child just forked: it is killed when the thread that forked it ends; if that thread's process has ended
 * already, it ends at once, with the exit code 137. Returns 0 or a negative errno value. The kernel forgets it when the
 * user changes. Not for a child in a new PID namespace, which does not see its parent.
 */
int signals_end_with(pid_t parent);

#endif
