#include "run/checks.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t
clock_offset_ns(void)
{
	struct timespec wall;
	int64_t monotonic_ns = (int64_t)clock_now_ns();

	clock_gettime(CLOCK_REALTIME, &wall);
	return (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - monotonic_ns;
}

static bool
is_mapped(pid_t pid, uint64_t address)
{
	char path[64], line[512], readable;
	bool mapped = false;
	uint64_t start, end;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps && !mapped && fgets(line, sizeof(line), maps))
		mapped = sscanf(line, "%" SCNx64 "-%" SCNx64 " %c", &start, &end, &readable) == 3 &&
			 readable == 'r' && address >= start && address < end;
	if (maps)
		fclose(maps);
	return mapped;
}

const struct machine machine_real = {.clock_offset_ns = clock_offset_ns, .is_mapped = is_mapped};

bool
checks_clock_was_set(int64_t before_ns, int64_t after_ns, uint64_t duration_ns)
{
	int64_t moved_ns = after_ns - before_ns;
	/* More than reading the two clocks one after the other and the clock's own discipline explain. */
	int64_t allowed_ns = 20000000 + (int64_t)duration_ns / 1000;

	return moved_ns > allowed_ns || moved_ns < -allowed_ns;
}

unsigned
checks_find_absent_page(const struct machine *machine, pid_t pid, const struct event *event)
{
	for (unsigned n = 0; n < event->args_cnt; n++) {
		const struct value *value = &event->args[n];

		if (value->state == VALUE_BAD_POINTER && value->error == EFAULT &&
		    machine->is_mapped(pid, value->u))
			return n + 1;
	}
	return 0;
}

void
timeouts_count(struct timeouts *timeouts, const char *name, int err)
{
	timeouts->in_a_row = err == -ETIMEDOUT ? timeouts->in_a_row + 1 : 0;
	if (timeouts->in_a_row < TIMEOUTS_MAX)
		return;
	timeouts->all = timeouts->context;
	timeouts->context = name;
	timeouts->in_a_row = 0;
}

bool
timeouts_rule_out(const struct timeouts *timeouts, const char *name)
{
	size_t len = strcspn(name, ".");

	return timeouts->context && strcspn(timeouts->context, ".") == len &&
	       !strncmp(timeouts->context, name, len);
}
