/* A clock that moves only when the thread that set it looks at it or waits, in place of the C library's: no thread that
 * is kept waiting for a processor makes a test run out of time. For tests of one thread; others have the system's. */
#ifndef TPCHECK_TESTS_FAKE_CLOCK_H
#define TPCHECK_TESTS_FAKE_CLOCK_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FAKE_CLOCK_LOOK_NS = 1000 }; /* how long it takes to look */

static _Thread_local uint64_t fake_clock_ns; /* 0: not set */

static inline void
fake_clock_set(void)
{
	fake_clock_ns = 1000000000;
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
	if (id != CLOCK_MONOTONIC || !fake_clock_ns)
		return (int)syscall(SYS_clock_gettime, id, out);
	fake_clock_ns += FAKE_CLOCK_LOOK_NS;
	*out = (struct timespec){.tv_sec = (time_t)(fake_clock_ns / 1000000000),
				 .tv_nsec = (long)(fake_clock_ns % 1000000000)};
	return 0;
}

/* Nobody signals it. */
int
pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *at)
{
	uint64_t at_ns = (uint64_t)at->tv_sec * 1000000000 + (uint64_t)at->tv_nsec;

	(void)cond, (void)mutex;
	if (!fake_clock_ns)
		abort(); /* no other thread of these tests waits so */
	if (fake_clock_ns < at_ns)
		fake_clock_ns = at_ns;
	return ETIMEDOUT;
}

int
poll(struct pollfd *fds, nfds_t cnt, int timeout_ms)
{
	struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

	if (cnt || timeout_ms < 0 || !fake_clock_ns)
		return (int)syscall(SYS_ppoll, fds, cnt, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
	fake_clock_ns += (uint64_t)timeout_ms * 1000000;
	return 0;
}

#endif
