#include "base/clock.h"

#include <poll.h>
#include <stddef.h>
#include <time.h>

uint64_t
clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct deadline
deadline_in_ms(uint64_t ms)
{
	uint64_t now = clock_now_ns();

	return (struct deadline){.at_ns = ms > (UINT64_MAX - now) / 1000000u ? UINT64_MAX
									     : now + ms * 1000000u};
}

struct deadline
deadline_earlier(struct deadline a, struct deadline b)
{
	return a.at_ns < b.at_ns ? a : b;
}

uint64_t
deadline_left_ms(struct deadline deadline)
{
	uint64_t now = clock_now_ns();

	return now >= deadline.at_ns ? 0 : (deadline.at_ns - now + 999999u) / 1000000u;
}

bool
deadline_has_passed(struct deadline deadline)
{
	return clock_now_ns() >= deadline.at_ns;
}

void
clock_pause_ms(unsigned ms, struct deadline deadline)
{
	uint64_t left = deadline_left_ms(deadline);

	poll(NULL, 0, (int)(left < ms ? left : ms));
}
