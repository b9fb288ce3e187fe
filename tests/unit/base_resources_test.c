/* Memory and CPUs that the control groups leave, from folders made like /proc and /sys. */
#include "base/resources.h"

#include "base/xmem.h"
#include "surroundings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char *root;

static void
run(const char *command)
{
	char *text = xasprintf("cd '%s' && %s", root, command);

	assert_int_equal(system(text), 0);
	free(text);
}

/* A file, with the folders it is in. */
static void
put(const char *path, const char *text)
{
	char *command = xasprintf("mkdir -p \"$(dirname %s)\" && printf %%s '%s' >%s", path, text, path);

	run(command);
	free(command);
}

static int
make_root(void **state)
{
	(void)state;
	root = test_make_dir();
	return root ? 0 : -1;
}

static int
remove_root(void **state)
{
	char *command = xasprintf("rm -rf '%s'", root);
	int err = system(command);

	(void)state;
	free(command);
	free(root);
	return err;
}

#define GROUP2  "sys/fs/cgroup/a/b/"
#define MEMORY1 "sys/fs/cgroup/memory/a/b/"
#define CPU1    "sys/fs/cgroup/cpu/a/b/"

static void
put_machine(const char *cgroup)
{
	put("proc/meminfo",
	    "MemTotal:       16384000 kB\nMemFree:          10 kB\nMemAvailable:    8192000 kB\n");
	put("proc/self/cgroup", cgroup);
}

static void
test_no_limits(void **state)
{
	(void)state;
	assert_int_equal(resources_memory_mb(root), 0); /* not even /proc */
	unsigned cpus = resources_cpus(root);
	assert_true(cpus >= 1);
	put_machine("0::/a/b\n");
	assert_int_equal(resources_memory_mb(root), 8000);
	put(GROUP2 "memory.max", "max\n");
	put(GROUP2 "memory.current", "1048576\n");
	put(GROUP2 "cpu.max", "max 100000\n");
	assert_int_equal(resources_memory_mb(root), 8000);
	assert_int_equal(resources_cpus(root), cpus);
	put("proc/meminfo", "MemAvailable:   10 kB\n");
	assert_int_equal(resources_memory_mb(root), 1);
}

static void
test_version_2(void **state)
{
	(void)state;
	put_machine("0::/a/b\n");
	put(GROUP2 "memory.max", "1073741824\n");
	assert_int_equal(resources_memory_mb(root), 8000); /* nobody knows what is left */
	put(GROUP2 "memory.current", "629145600\n");
	assert_int_equal(resources_memory_mb(root), 424);
	/* Pages of files can be dropped. */
	put(GROUP2 "memory.stat",
	    "anon 1\nactive_anon 3\ninactive_file 209715200\nactive_file 104857600\nshmem 5\n");
	assert_int_equal(resources_memory_mb(root), 724);
	put(GROUP2 "memory.current", "2000000000\n");
	assert_int_equal(resources_memory_mb(root), 1);
	put(GROUP2 "memory.max", "17179869184\n"); /* more than the machine has */
	assert_int_equal(resources_memory_mb(root), 8000);
	/* The group above. */
	put("sys/fs/cgroup/a/memory.max", "524288000\n");
	put("sys/fs/cgroup/a/memory.current", "104857600\n");
	assert_int_equal(resources_memory_mb(root), 400);
	/* Another group's are not ours. */
	put("sys/fs/cgroup/c/memory.max", "1048576\n");
	put("sys/fs/cgroup/c/memory.current", "0\n");
	assert_int_equal(resources_memory_mb(root), 400);
}

static void
test_version_1(void **state)
{
	(void)state;
	put_machine("12:pids:/c\n4:hugetlb,memory:/a/b\n3:cpu,cpuacct:/a/b\n1:name=systemd:/c\n0::/c\n");
	put(MEMORY1 "memory.limit_in_bytes", "1073741824\n");
	put(MEMORY1 "memory.usage_in_bytes", "629145600\n");
	put(MEMORY1 "memory.stat",
	    "inactive_file 1\nactive_file 1\ntotal_inactive_file 209715200\ntotal_active_file 104857600\n");
	assert_int_equal(resources_memory_mb(root), 724);
	put(MEMORY1 "memory.limit_in_bytes", "9223372036854771712\n");
	assert_int_equal(resources_memory_mb(root), 8000);
	unsigned cpus = resources_cpus(root);
	put(CPU1 "cpu.cfs_quota_us", "-1\n");
	put(CPU1 "cpu.cfs_period_us", "100000\n");
	assert_int_equal(resources_cpus(root), cpus);
	put(CPU1 "cpu.cfs_quota_us", "100000\n");
	assert_int_equal(resources_cpus(root), 1);
}

/* As in a container: the path is the host's, and the container's own group is mounted. */
static void
test_a_group_whose_path_is_not_there(void **state)
{
	(void)state;
	put_machine("4:memory:/docker/0123\n3:cpu,cpuacct:/docker/0123\n0::/docker/0123\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "524288000\n");
	put("sys/fs/cgroup/memory/memory.usage_in_bytes", "0\n");
	assert_int_equal(resources_memory_mb(root), 500);
	put("sys/fs/cgroup/memory.max", "104857600\n");
	put("sys/fs/cgroup/memory.current", "0\n");
	assert_int_equal(resources_memory_mb(root), 100);
	put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
	put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	assert_int_equal(resources_cpus(root), 1);
}

static void
test_cpus(void **state)
{
	static const struct {
		const char *text;
		unsigned want; /* if the machine has as many */
	} rows[] = {{"50000 100000\n", 1},
		    {"100000 100000\n", 1},
		    {"150000 100000\n", 2},
		    {"200000 100000\n", 2},
		    {"250000 100000\n", 3}};
	unsigned cpus = resources_cpus(root);

	(void)state;
	put_machine("0::/a/b\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(GROUP2 "cpu.max", rows[i].text);
		assert_int_equal(resources_cpus(root), rows[i].want < cpus ? rows[i].want : cpus);
	}
	/* What makes no sense limits nothing. */
	put(GROUP2 "cpu.max", "0 0\n");
	assert_int_equal(resources_cpus(root), cpus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_limits, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_version_2, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_version_1, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_a_group_whose_path_is_not_there, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_cpus, make_root, remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
