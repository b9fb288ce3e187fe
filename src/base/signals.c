#include "base/signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

void
signals_block(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

void
signals_restore(const sigset_t *before)
{
	int errno_value = errno;

	pthread_sigmask(SIG_SETMASK, before, NULL);
	errno = errno_value;
}

int
signals_start_thread(pthread_t *thread, void *(*work)(void *), void *arg)
{
	sigset_t before;

	signals_block(&before);
	int err = -pthread_create(thread, NULL, work, arg);
	signals_restore(&before);
	return err;
}

int
signals_end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	/* If the parent ended before that, no signal comes. No kill(getpid()): a sandbox that refuses getpid makes that
	 * kill(-1), all processes. */
	if (getppid() != parent)
		_exit(128 + SIGKILL);
	return 0;
}
