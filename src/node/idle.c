#include "node/idle.h"

#include "base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MS         UINT64_C(1000000)
#define HASHING_NS (100 * MS)  /* as long as it lasts */
#define LOOK_NS    (1000 * MS) /* if it has not begun by then, it is not waited for */
#define SURE_NS    MS          /* of CPU time in which nothing else happened */

static bool
read_file(pid_t pid, const char *name, char *text, size_t sz)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sz - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The CPU time of the process's only thread, and its page faults; false if it has others, or cannot be looked at. */
static bool
read_process(pid_t pid, uint64_t *cpu_ns, uint64_t *faults)
{
	char text[1024];
	unsigned threads = 0;

	if (!read_file(pid, "schedstat", text, sizeof(text)) || sscanf(text, "%" SCNu64, cpu_ns) != 1)
		return false;
	if (!read_file(pid, "stat", text, sizeof(text)))
		return false;
	/* The name, in parentheses, may contain any character. */
	const char *rest = strrchr(text, ')');
	return rest &&
	       sscanf(rest + 1,
		      " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %*u %*u %*u %*u %*d %*d %*d %*d %u",
		      faults, &threads) == 2 &&
	       threads == 1;
}

unsigned
idle_wait_ms(const struct idle *idle, unsigned usual_ms)
{
	uint64_t now_ns = clock_now_ns();

	if (idle->state != IDLE_STOPPED || idle->until_ns <= now_ns)
		return usual_ms;
	return (unsigned)((idle->until_ns - now_ns) / MS) + 1;
}

void
idle_end(struct idle *idle, struct process *process)
{
	if (idle->state == IDLE_STOPPED)
		process_signal(process, SIGCONT);
	idle->state = IDLE_OVER;
}

void
idle_look(struct idle *idle, struct process *process)
{
	uint64_t now_ns = clock_now_ns(), cpu_ns, faults;

	if (idle->state == IDLE_STOPPED && now_ns >= idle->until_ns)
		idle_end(idle, process);
	if (idle->state != IDLE_LOOKS)
		return;
	bool is_first = !idle->began_ns;
	if (is_first)
		idle->began_ns = now_ns;
	if (now_ns - idle->began_ns > LOOK_NS || !read_process(process->pid, &cpu_ns, &faults)) {
		idle->state = IDLE_OVER;
		return;
	}
	if (!is_first && faults == idle->faults && cpu_ns - idle->cpu_ns < SURE_NS)
		return;
	if (!is_first && faults == idle->faults && !process_signal(process, SIGSTOP)) {
		idle->state = IDLE_STOPPED;
		idle->until_ns = idle->at_ns + HASHING_NS;
		return;
	}
	idle->cpu_ns = cpu_ns;
	idle->faults = faults;
	idle->at_ns = now_ns;
}
