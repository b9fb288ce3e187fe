#include "run/checks.h"

#include "base/clock.h"
#include "base/record.h"
#include "base/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { READINGS_MAX = 20, READING_NS = 100000 /* more than it takes, even in an emulated machine */ };

/* Of several readings, the fastest counts: a thread may lose its processor between the two clocks. */
static int64_t
clock_offset_ns(void)
{
	int64_t offset_ns = 0, least_ns = INT64_MAX;

	for (int i = 0; i < READINGS_MAX && least_ns > READING_NS; i++) {
		struct timespec wall;
		int64_t before_ns = (int64_t)clock_now_ns();

		clock_gettime(CLOCK_REALTIME, &wall);
		int64_t took_ns = (int64_t)clock_now_ns() - before_ns;
		if (took_ns < least_ns) {
			least_ns = took_ns;
			offset_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - before_ns;
		}
	}
	return offset_ns;
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

/* The first number after a word in a file of /proc; 0: it is not there. */
static uint64_t
read_number(const char *path, const char *word)
{
	char line[256];
	uint64_t number = 0;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, word, strlen(word)) &&
		    sscanf(line + strlen(word), "%" SCNu64, &number) == 1)
			break;
	if (file)
		fclose(file);
	return number;
}

/* Whether the memory at that address belongs to a file. */
static bool
is_of_file(pid_t pid, uint64_t address)
{
	char path[64], line[512];
	uint64_t start, end, inode = 0;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps && !found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %" SCNu64, &start, &end, &inode) ==
				3 &&
			address >= start && address < end;
	if (maps)
		fclose(maps);
	return found && inode;
}

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)

static bool
takes_page(pid_t pid, uint64_t address, uint64_t entry)
{
	if ((entry & PAGEMAP_SWAPPED) || is_of_file(pid, address))
		return true;
	/* It may be back by now. */
	return (entry & PAGEMAP_PRESENT) && (read_number("/proc/meminfo", "SwapTotal:") ||
					     read_number("/proc/sys/kernel/numa_balancing", ""));
}

static bool
takes_pages(pid_t pid, uint64_t address, uint64_t len)
{
	const uint64_t page_sz = (uint64_t)sysconf(_SC_PAGESIZE);
	char path[64];
	bool taken = false;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	for (uint64_t page = address / page_sz; page <= (address + len - 1) / page_sz && !taken; page++) {
		uint64_t entry;

		taken = pread(fd, &entry, sizeof(entry), (off_t)(page * sizeof(entry))) != sizeof(entry) ||
			takes_page(pid, page * page_sz, entry);
	}
	close(fd);
	return taken;
}

static unsigned long
memory_mb(void)
{
	return resources_memory_mb("");
}

const struct machine machine_real = {
	.clock_offset_ns = clock_offset_ns,
	.is_mapped = is_mapped,
	.takes_pages = takes_pages,
	.memory_mb = memory_mb,
};

bool
checks_clock_was_set(int64_t before_ns, int64_t after_ns, uint64_t duration_ns)
{
	int64_t moved_ns = after_ns - before_ns;
	/* More than reading the two clocks one after the other and the clock's own discipline explain. */
	int64_t allowed_ns = 20000000 + (int64_t)duration_ns / 1000;

	return moved_ns > allowed_ns || moved_ns < -allowed_ns;
}

/* How much of what the argument points at the probe reads, as far as it is known. */
static uint64_t
bytes_to_read(const struct value *value)
{
	if (value->type == VALUE_BYTES && value->full_len)
		return value->full_len < RECORD_PAYLOAD_BYTES ? value->full_len : RECORD_PAYLOAD_BYTES;
	return value->type == VALUE_HASH ? 32 : 1;
}

static bool
is_all_mapped(const struct machine *machine, pid_t pid, uint64_t address, uint64_t len)
{
	const uint64_t page_sz = (uint64_t)sysconf(_SC_PAGESIZE), last = address + len - 1;

	if (last < address)
		return false;
	for (uint64_t at = address; at <= last; at = (at / page_sz + 1) * page_sz)
		if (!machine->is_mapped(pid, at))
			return false;
	return true;
}

unsigned
checks_find_absent_page(const struct machine *machine, pid_t pid, const struct event *event)
{
	for (unsigned n = 0; n < event->args_cnt; n++) {
		const struct value *value = &event->args[n];

		const uint64_t len = bytes_to_read(value);

		if (value->state == VALUE_BAD_POINTER && value->error == EFAULT &&
		    is_all_mapped(machine, pid, value->u, len) && machine->takes_pages(pid, value->u, len))
			return n + 1;
	}
	return 0;
}

static bool
is_same_context(const char *a, const char *b)
{
	size_t len = strcspn(a, ".");

	return strcspn(b, ".") == len && !strncmp(a, b, len);
}

/* The context's place, or a free one; the end if there is none. */
static size_t
find_context(const struct timeouts *timeouts, const char *name)
{
	size_t i = 0;

	while (i < TIMEOUTS_CONTEXTS_MAX && timeouts->contexts[i].name &&
	       !is_same_context(timeouts->contexts[i].name, name))
		i++;
	return i;
}

static bool
has_given_up_others(const struct timeouts *timeouts, size_t but)
{
	for (size_t i = 0; i < TIMEOUTS_CONTEXTS_MAX; i++)
		if (i != but && timeouts->contexts[i].is_out)
			return true;
	return false;
}

void
timeouts_count(struct timeouts *timeouts, const char *name, int err)
{
	size_t i = find_context(timeouts, name);
	struct timeouts_context *context = &timeouts->contexts[i];

	if (i == TIMEOUTS_CONTEXTS_MAX || context->is_out)
		return;
	context->name = name;
	context->in_a_row = err == -ETIMEDOUT ? context->in_a_row + 1 : 0;
	timeouts->in_a_row = err == -ETIMEDOUT ? timeouts->in_a_row + 1 : 0;
	context->is_out = context->in_a_row >= TIMEOUTS_MAX;
	if ((context->is_out && has_given_up_others(timeouts, i)) || timeouts->in_a_row >= 2 * TIMEOUTS_MAX)
		timeouts->all = true;
}

bool
timeouts_rule_out(const struct timeouts *timeouts, const char *name)
{
	size_t i = find_context(timeouts, name);

	return i < TIMEOUTS_CONTEXTS_MAX && timeouts->contexts[i].is_out;
}
