/* How many workers and nodes there are at a time. */
#include "run/team.h"

#include "base/resources.h"
#include "base/xmem.h"
#include "surroundings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PROFILES = 20 };

static struct profile profiles[PROFILES];
static struct scenario scenarios[PROFILES];
static const struct scenario *list[PROFILES + 1];

static unsigned long memory_mb;
static char *root; /* of the files that tell it; NULL: memory_mb does */

static unsigned long
given_memory(void)
{
	return root ? resources_memory_mb(root) : memory_mb;
}

/* Chooses for that many jobs and groups of scenarios, and requires what is wanted. */
static void
assert_size(bool has_sanitizer, unsigned jobs, size_t groups_cnt, unsigned want_workers, unsigned want_ahead)
{
	const struct machine machine = {.memory_mb = given_memory};
	struct runner_opts opts = {.jobs = jobs, .machine = &machine};
	struct report_run run = {0};
	struct team team;

	for (size_t i = 0; i < groups_cnt; i++) {
		scenarios[i].profile = &profiles[i];
		list[i] = &scenarios[i];
	}
	list[groups_cnt] = NULL;
	team_init(&team, &opts, &run);
	queue_init(&team.queue, list, true);
	team.has_sanitizer = has_sanitizer;
	team_choose_size(&team);
	assert_int_equal(team.workers_cnt, want_workers);
	assert_int_equal(team.ahead_max, want_ahead);
	team_fini(&team);
}

static void
test_jobs_and_groups(void **state)
{
	(void)state;
	memory_mb = 100000;
	assert_size(false, 1, PROFILES, 1, 1);
	assert_size(false, 4, PROFILES, 4, 8);
	assert_size(true, 4, PROFILES, 4, 8);
	assert_size(false, 4, 3, 3, 8);
	assert_size(false, 4, 1, 1, 1);
}

static void
test_memory(void **state)
{
	(void)state;
	memory_mb = 0;
	assert_size(false, 4, PROFILES, 1, 1);
	memory_mb = 1;
	assert_size(false, 4, PROFILES, 1, 1);
	memory_mb = 1400;
	assert_size(false, 4, PROFILES, 2, 1);
	assert_size(true, 4, PROFILES, 1, 1);
	memory_mb = 9000;
	assert_size(false, 4, PROFILES, 4, 8);
	assert_size(true, 4, PROFILES, 2, 1);
}

static void
put(const char *path, const char *text)
{
	char *command = xasprintf("cd '%s' && mkdir -p \"$(dirname %s)\" && printf %%s '%s' >%s", root, path,
				  text, path);

	assert_int_equal(system(command), 0);
	free(command);
}

/* A container gets fewer than the machine could have. */
static void
test_control_groups(void **state)
{
	(void)state;
	root = test_make_dir();
	assert_non_null(root);
	put("proc/meminfo", "MemAvailable: 102400000 kB\n");
	put("proc/self/cgroup", "4:memory:/old\n0::/new\n");
	assert_size(false, 4, PROFILES, 4, 8);
	put("sys/fs/cgroup/new/memory.max", "1468006400\n");
	put("sys/fs/cgroup/new/memory.current", "0\n");
	assert_size(false, 4, PROFILES, 2, 1);
	put("sys/fs/cgroup/new/memory.max", "max\n");
	assert_size(false, 4, PROFILES, 4, 8);
	put("sys/fs/cgroup/memory/old/memory.limit_in_bytes", "1468006400\n");
	put("sys/fs/cgroup/memory/old/memory.usage_in_bytes", "0\n");
	assert_size(false, 4, PROFILES, 2, 1);
	char *command = xasprintf("rm -rf '%s'", root);
	assert_int_equal(system(command), 0);
	free(command);
	free(root);
	root = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs_and_groups),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_control_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
