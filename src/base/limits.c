#include "base/limits.h"

#include <stdbool.h>
#include <sys/resource.h>

static struct rlimit original;
static bool is_raised;

void
limits_raise_memory(void)
{
	const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	if (is_raised || getrlimit(RLIMIT_MEMLOCK, &original))
		return;
	const struct rlimit most = {.rlim_cur = original.rlim_max, .rlim_max = original.rlim_max};
	is_raised = !setrlimit(RLIMIT_MEMLOCK, &none) || !setrlimit(RLIMIT_MEMLOCK, &most);
}

void
limits_restore_memory(void)
{
	if (is_raised)
		setrlimit(RLIMIT_MEMLOCK, &original);
}
