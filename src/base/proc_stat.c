#include "base/proc_stat.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Word N of the file, which starts at word 2: the name, in parentheses, in which anything may stand. */
static uint64_t
read_number(const char *at, int word)
{
	uint64_t number = 0;

	for (int i = 2; at && i < word; i++)
		at = strchr(at + 1, ' ');
	if (at)
		sscanf(at, "%" SCNu64, &number);
	return number;
}

bool
proc_stat_read(pid_t pid, struct proc_stat *out)
{
	char path[64], text[4096];

	*out = (struct proc_stat){0};
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *name_end = strrchr(text, ')');
	if (!name_end || sscanf(name_end, ") %c", &out->state) != 1)
		return false;
	out->start_ticks = read_number(name_end, 22);
	out->memory_bytes = read_number(name_end, 23);
	out->env_start = read_number(name_end, 50);
	out->env_end = read_number(name_end, 51);
	return true;
}
