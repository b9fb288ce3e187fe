/* What this machine allows: one table of trials, in the order in which the probes need the features. `doctor` prints
 * the texts, and a skip gives one as its reason. */
#include "base/buf.h"
#include "base/machine.h"
#include "base/privileges.h"
#include "probe/bpf/bcc_loader.h"
#include "probe/bpf/bcc_shim.h"
#include "probe/bpf/bpf.h"
#include "probe/bpf/multi.h"
#include "probe/bpf/program_text.h"
#include "probe/bpf/sys.h"
#include "probe/bpf/tracefs.h"
#include "probe/process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { DESCRIPTORS_MIN = 20 };

#define DESCRIBE(feature, ...) snprintf((feature)->detail, sizeof((feature)->detail), __VA_ARGS__)

/* The first line of a small file; "" when it cannot be read. */
static const char *
read_line(const char *path, char *line, size_t line_sz)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (file) {
		if (!fgets(line, (int)line_sz, file))
			line[0] = '\0';
		fclose(file);
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void
try_machine(struct probe_feature *feature)
{
	struct utsname un;

	uname(&un);
	feature->ok = process_has_probes(un.machine);
	if (feature->ok)
		DESCRIBE(feature, "Linux %s on %s", un.release, un.machine);
	else
		DESCRIBE(
			feature,
			"Linux %s on %s; the probes read arguments on %s only: run tpcheck on such a machine",
			un.release, un.machine, machine_names());
}

static void
try_proc(struct probe_feature *feature)
{
	feature->ok = !access("/proc/self/exe", F_OK);
	DESCRIBE(feature, "%s",
		 feature->ok ? "mounted" : "/proc is not mounted; mount it: mount -t proc proc /proc");
}

/* How many more descriptors may be opened, counted up to enough. */
static unsigned long
count_free_descriptors(unsigned long enough)
{
	struct rlimit limit;
	unsigned long cnt = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return enough;
	for (rlim_t fd = 0; fd < limit.rlim_cur && fd < INT_MAX && cnt < enough; fd++)
		cnt += fcntl((int)fd, F_GETFD) < 0;
	return cnt;
}

/* What the probes and libbcc need; bitcoind reports by itself how many it needs. */
static void
try_files(struct probe_feature *feature)
{
	unsigned long left = count_free_descriptors(DESCRIPTORS_MIN);
	struct rlimit limit = {0};

	feature->ok = left >= DESCRIPTORS_MIN;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (feature->ok)
		DESCRIBE(feature, "enough can be opened");
	else
		DESCRIBE(
			feature,
			"only %lu more can be opened, and %d are required; the limit is %llu: raise it (ulimit -n, RLIMIT_NOFILE)",
			left, DESCRIPTORS_MIN, (unsigned long long)limit.rlim_cur);
}

static bool
tracing_capabilities(void)
{
	return !privileges_are_confined() &&
	       (privileges_has(CAP_SYS_ADMIN) || (privileges_has(CAP_BPF) && privileges_has(CAP_PERFMON)));
}

static void
try_user(struct probe_feature *feature)
{
	static const struct {
		unsigned number;
		const char *name;
	} interesting[] = {{CAP_BPF, "CAP_BPF"},
			   {CAP_PERFMON, "CAP_PERFMON"},
			   {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
			   {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
			   {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}};
	const char *help = "";
	struct buf names;

	buf_init(&names, 256);
	for (size_t i = 0; i < sizeof(interesting) / sizeof(*interesting); i++)
		if (privileges_has(interesting[i].number))
			buf_printf(&names, "%s%s", names.len ? ", " : "", interesting[i].name);
	feature->ok = tracing_capabilities();
	if (privileges_are_confined())
		help = ", in a user namespace, where they do not count for BPF; run it outside";
	else if (!feature->ok && privileges_has(CAP_BPF))
		help = ", but not CAP_PERFMON; it needs CAP_BPF and CAP_PERFMON";
	else if (!feature->ok && privileges_has(CAP_PERFMON))
		help = ", but not CAP_BPF; it needs CAP_BPF and CAP_PERFMON";
	else if (!feature->ok && geteuid() == 0)
		help = "; start the container with CAP_BPF and CAP_PERFMON";
	else if (!feature->ok)
		help = "; run it as root, or give it CAP_BPF and CAP_PERFMON";
	DESCRIBE(feature, "%d with %s%s", (int)geteuid(),
		 names.len ? names.data : "none of the capabilities that BPF requires", help);
	buf_fini(&names);
}

static void
try_lockdown(struct probe_feature *feature)
{
	char line[128];

	read_line("/sys/kernel/security/lockdown", line, sizeof(line));
	feature->ok = !strstr(line, "[confidentiality]");
	DESCRIBE(
		feature, "%s%s", *line ? line : "not in use",
		feature->ok
			? ""
			: "; lockdown=confidentiality forbids tracing programs to read memory: boot without it");
}

/* Privileges do not help if there are too few descriptors. */
static bool
describe_shortage(struct probe_feature *feature, int err)
{
	struct diag diag;

	if (err != -EMFILE && err != -ENFILE)
		return false;
	diag_fail(&diag, err, "%s", strerror(-err));
	DESCRIBE(feature, "%.*s", (int)sizeof(feature->detail) - 1, diag.text);
	return true;
}

static void
describe_result(struct probe_feature *feature, int fd, const char *good, const char *remedy)
{
	feature->ok = fd >= 0;
	if (fd >= 0)
		close(fd);
	if (feature->ok)
		DESCRIBE(feature, "%s", good);
	else if (!describe_shortage(feature, fd))
		DESCRIBE(feature, "%s; %s", strerror(-fd), remedy);
}

static int
try_small_map(void)
{
	return bpf_try_map(8, 1);
}

static int
try_large_map(void)
{
	return bpf_try_map(PROGRAM_TEXT_VALUE_BYTES_MAX, PROGRAM_TEXT_VALUES_MIN);
}

static void
try_map(struct probe_feature *feature)
{
	char line[64];

	int fd = try_small_map();

	feature->ok = fd >= 0;
	if (fd >= 0) {
		close(fd);
		DESCRIBE(feature, "maps can be made");
		return;
	}
	if (describe_shortage(feature, fd))
		return;
	DESCRIBE(
		feature,
		"%s (kernel.unprivileged_bpf_disabled is %s); run as root or with CAP_BPF and CAP_PERFMON; in a container, start it with --cap-add=BPF --cap-add=PERFMON (or --privileged), which its seccomp profile has to allow too",
		strerror(-fd), read_line("/proc/sys/kernel/unprivileged_bpf_disabled", line, sizeof(line)));
}

static bool
can_make_maps(void)
{
	int fd = try_small_map();

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Only the limit allows small maps and forbids large ones. */
static bool
lacks_memory(void)
{
	int fd = can_make_maps() ? try_large_map() : 0;

	if (fd > 0)
		close(fd);
	return fd == -EPERM;
}

bool
bpf_lacks_memory(void)
{
	return tracing_capabilities() && lacks_memory();
}

static void
try_memory(struct probe_feature *feature)
{
	struct rlimit limit = {0};

	feature->ok = !lacks_memory();
	feature->untried = !can_make_maps();
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (feature->ok)
		DESCRIBE(feature, "%s",
			 can_make_maps() ? "enough can be locked" : "not tried, as no maps can be made");
	else
		DESCRIBE(
			feature,
			"before Linux 5.11 maps count as locked memory, of which %d KiB are required, and the limit is %llu KiB: raise it (as root: ulimit -l unlimited, RLIMIT_MEMLOCK), or give tpcheck CAP_SYS_RESOURCE",
			PROGRAM_TEXT_VALUES_MIN * (PROGRAM_TEXT_VALUE_BYTES_MAX >> 10),
			(unsigned long long)limit.rlim_cur >> 10);
}

/* Before Linux 6.0 the kernel runs no program at a hit on a CPU that is busy with BPF already. It is so with preemption
 * disabled, when nothing can hit, or, from 5.11 on, in a bpf() call on a map, which is preempted only in kernels built
 * for that. Since 6.0 the programs of uprobes may sleep, and always run. */
bool
bpf_sees_each_hit(char *reason, size_t reason_sz, bool *untried)
{
	int fd = bpf_try_program(0, BPF_F_SLEEPABLE);
	struct utsname un;

	if (fd >= 0)
		close(fd);
	uname(&un);
	/* Any other error has another cause, which is reported where it matters. */
	bool is_old = fd == -EINVAL, is_preemptible = strstr(un.version, "PREEMPT");
	snprintf(
		reason, reason_sz, "%s",
		fd >= 0   ? "no probe misses one"
		: !is_old ? "not tried, as no programs can be loaded"
		: !is_preemptible
			? "no probe misses one, because this kernel is not preemptible"
			: "this kernel is older than 6.0 and preemptible (uname -v): probes may miss hits while other programs use BPF; use a newer kernel, or one that is not preemptible");
	if (untried)
		*untried = fd < 0 && !is_old;
	return !is_old || !is_preemptible;
}

static void
try_hits(struct probe_feature *feature)
{
	feature->ok = bpf_sees_each_hit(feature->detail, sizeof(feature->detail), &feature->untried);
}

static void
try_program(struct probe_feature *feature)
{
	describe_result(feature, bpf_try_program(0, 0), "tracing programs can be loaded",
			"run as root or with CAP_BPF and CAP_PERFMON");
}

static void
try_ring(struct probe_feature *feature)
{
	describe_result(feature, bpf_map_make_ring((uint32_t)sysconf(_SC_PAGESIZE)), "can be made",
			"run as root or with CAP_BPF, on Linux 5.8 or newer");
}

static void
try_multi(struct probe_feature *feature)
{
	uint64_t offset, zero = 0;
	char path[64];
	int prog_fd = bpf_try_program(MULTI_ATTACH_TYPE, 0);
	int link_fd = prog_fd;

	if (prog_fd >= 0) {
		link_fd = multi_try_target(path, sizeof(path), &offset);
		if (!link_fd)
			link_fd = bpf_link_uprobe_multi(prog_fd, path, &offset, &zero, &zero, 1, getpid());
		close(prog_fd);
	}
	describe_result(feature, link_fd,
			"one link for all probes: the quick way, CAP_BPF and CAP_PERFMON are enough",
			link_fd == -EPERM || link_fd == -EACCES
				? "needs CAP_BPF and CAP_PERFMON"
				: "needs Linux 6.6 or newer; perf events are the other way");
}

static void
try_perf(struct probe_feature *feature)
{
	uint64_t offset;
	char path[64];
	int fd = multi_try_target(path, sizeof(path), &offset);

	if (!fd)
		fd = perf_try_uprobe(path, offset);
	describe_result(feature, fd, "the uprobe PMU works: one perf event for each probe",
			"needs CAP_SYS_ADMIN; the uprobe_multi link (--attach=multi) does not");
}

static void
try_tracefs(struct probe_feature *feature)
{
	int err = tracefs_try();

	feature->ok = !err && tracing_capabilities();
	if (feature->ok)
		DESCRIBE(feature, "its events can be defined: one for each probe, without CAP_SYS_ADMIN");
	else if (!err)
		DESCRIBE(feature, "its events can be defined; needs CAP_BPF and CAP_PERFMON too");
	else if (err == -ENOENT)
		DESCRIBE(feature, "not mounted: mount -t tracefs tracefs /sys/kernel/tracing");
	else
		DESCRIBE(feature,
			 "%s; needs its uprobe_events to be writable: by its group, or CAP_DAC_OVERRIDE",
			 strerror(-err));
}

static void
describe_headers(struct probe_feature *feature, const char *kernel_source)
{
	struct utsname un;
	char path[512];

	uname(&un);
	snprintf(path, sizeof(path), "/lib/modules/%s/build", un.release);
	if (kernel_source)
		DESCRIBE(feature,
			 "built in, no package is needed (for --headers=system: BCC_KERNEL_SOURCE is %.300s)",
			 kernel_source);
	else
		DESCRIBE(feature, "built in, no package is needed (for --headers=system: %.300s is %s)", path,
			 !access(path, F_OK)                            ? "there"
			 : !access("/sys/kernel/kheaders.tar.xz", F_OK) ? "not there, but kheaders are"
									: "not there");
}

static void
try_headers(struct probe_feature *feature)
{
	feature->ok = true;
}

static void
try_libbcc(struct probe_feature *feature)
{
	struct diag diag;

	feature->ok = !bcc_loader_load(&diag);
	DESCRIBE(feature, "%.*s", (int)sizeof(feature->detail) - 1,
		 feature->ok ? bcc_shim_version() : diag.text);
}

static void
try_valgrind(struct probe_feature *feature)
{
	feature->ok = !process_is_under_valgrind();
	DESCRIBE(
		feature, "%s",
		feature->ok
			? "not running under it"
			: "running under it: a process under valgrind dies at a trap; run tpcheck and bitcoind without it");
}

static const struct {
	const char *name;
	bool needed;
	void (*try)(struct probe_feature *feature);
} tries[] = {
	/* The first EARLY_CNT are those of find_early_obstacle: they try nothing in the kernel. */
	{"proc", true, try_proc},
	{"machine", true, try_machine},
	{"valgrind", true, try_valgrind},
	{"lockdown", true, try_lockdown},
	{"open files", true, try_files}, /* before what opens some */
	{"user", true, try_user},
	{"libbcc", true, try_libbcc},
	{"kernel headers", true, try_headers},
	{"bpf maps", true, try_map},
	{"locked memory", true, try_memory},
	{"bpf programs", true, try_program},
	{"hits", true, try_hits},
	{"bpf rings", true, try_ring},
	{"attach: multi", false, try_multi},
	{"attach: perf", false, try_perf},
	{"attach: tracefs", false, try_tracefs},
};
enum { TRIES_CNT = sizeof(tries) / sizeof(*tries), EARLY_CNT = 6 };
_Static_assert((int)TRIES_CNT <= (int)PROBE_FEATURES_MAX, "room for all");

size_t
bpf_try_features(struct probe_feature features[PROBE_FEATURES_MAX], const char *kernel_source)
{
	for (size_t i = 0; i < TRIES_CNT; i++) {
		features[i] = (struct probe_feature){.name = tries[i].name, .needed = tries[i].needed};
		tries[i].try(&features[i]);
		if (tries[i].try == try_headers)
			describe_headers(&features[i], kernel_source);
	}
	return TRIES_CNT;
}

/* What a method needs besides what is missing. */
static const char *
also_needed(const struct probe_feature *missing, enum probe_method method)
{
	if (strcmp(missing->name, "user"))
		return "";
	return method == PROBE_METHOD_PERF ? "; --attach=perf also needs CAP_SYS_ADMIN"
	       : method == PROBE_METHOD_TRACEFS
		       ? "; --attach=tracefs also needs write access to uprobe_events in tracefs"
		       : "";
}

bool
bpf_find_early_obstacle(enum probe_method method, char *reason, size_t reason_sz)
{
	for (size_t i = 0; i < TRIES_CNT; i++) {
		struct probe_feature feature = {.name = tries[i].name};

		/* Opening the files of tracefs is no trial in the kernel either. */
		if (i >= EARLY_CNT && !(method == PROBE_METHOD_TRACEFS && tries[i].try == try_tracefs))
			continue;
		tries[i].try(&feature);
		if (feature.ok)
			continue;
		snprintf(reason, reason_sz, "%s: %s%s", feature.name, feature.detail,
			 also_needed(&feature, method));
		return true;
	}
	return false;
}

static const struct probe_feature *
find_feature(const struct probe_feature *features, const char *name)
{
	size_t i = 0;

	while (i < TRIES_CNT - 1 && strcmp(features[i].name, name))
		i++;
	return &features[i];
}

bool
bpf_find_obstacle(enum probe_method method, char *reason, size_t reason_sz)
{
	struct probe_feature features[PROBE_FEATURES_MAX];
	const struct probe_feature *obstacle = NULL;

	bpf_try_features(features, NULL);
	for (size_t i = 0; i < TRIES_CNT && !obstacle; i++)
		if (features[i].needed && !features[i].ok)
			obstacle = &features[i];
	/* auto takes any of the three. Few machines are set up for tracefs, so perf has the more useful reason. */
	const struct probe_feature *multi = find_feature(features, "attach: multi");
	const struct probe_feature *perf = find_feature(features, "attach: perf");
	const struct probe_feature *tracefs = find_feature(features, "attach: tracefs");
	if (!obstacle && method == PROBE_METHOD_MULTI && !multi->ok)
		obstacle = multi;
	if (!obstacle && method == PROBE_METHOD_TRACEFS && !tracefs->ok)
		obstacle = tracefs;
	if (!obstacle && method == PROBE_METHOD_PERF && !perf->ok)
		obstacle = perf;
	if (!obstacle && method == PROBE_METHOD_AUTO && !multi->ok && !perf->ok && !tracefs->ok)
		obstacle = perf;
	if (obstacle)
		snprintf(reason, reason_sz, "%s: %s%s", obstacle->name, obstacle->detail,
			 also_needed(obstacle, method));
	return obstacle != NULL;
}
