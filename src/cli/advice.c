#include "cli/advice.h"

#include "base/buf.h"
#include "base/privileges.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

struct capability {
	unsigned number;
	const char *name; /* as in CAP_... and --cap-add=... */
};
static const struct capability to_trace[] = {{CAP_BPF, "BPF"}, {CAP_PERFMON, "PERFMON"}};
static const struct capability to_isolate[] = {{CAP_SYS_ADMIN, "SYS_ADMIN"}, {CAP_NET_ADMIN, "NET_ADMIN"}};
static const struct capability to_inspect[] = {{CAP_SYS_PTRACE, "SYS_PTRACE"},
					       {CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH"}};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Those of the list that this process does not have, "CAP_BPF and CAP_PERFMON"; "" if it has all. */
static const char *
list_missing(struct buf *out, const struct capability *list, size_t cnt)
{
	buf_reset(out);
	for (size_t i = 0; i < cnt; i++)
		if (!privileges_has(list[i].number))
			buf_printf(out, "%sCAP_%s", out->len ? " and " : "", list[i].name);
	return out->len ? out->data : "";
}

/* The feature of this name, which there is. */
static const struct probe_feature *
find(const struct probe_feature *features, size_t cnt, const char *name)
{
	size_t i = 0;

	while (i + 1 < cnt && strcmp(features[i].name, name))
		i++;
	return &features[i];
}

static bool
is_ok(const struct probe_feature *features, size_t cnt, const char *name)
{
	return find(features, cnt, name)->ok;
}

/* The program that file capabilities belong on: this one, tpcheck-full, not the tpcheck that starts it. */
static void
own_path(char *path, size_t path_sz)
{
	ssize_t n = readlink("/proc/self/exe", path, path_sz - 1);

	path[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		snprintf(path, path_sz, "PATH-OF-TPCHECK-FULL");
}

/* Whether a container's bounding set excludes what tracing needs: it cannot be extended from inside. */
static bool
is_bounded(void)
{
	for (size_t i = 0; i < COUNT(to_trace); i++)
		if (!privileges_has(to_trace[i].number) && !privileges_can_have(to_trace[i].number))
			return true;
	return false;
}

static void
print_cap_add(const struct capability *list, size_t cnt, FILE *out)
{
	for (size_t i = 0; i < cnt; i++)
		if (!privileges_has(list[i].number))
			fprintf(out, " --cap-add=%s", list[i].name);
}

/* Not all capabilities to trace are there. */
static void
print_how_to_give(const char *run_options, FILE *out)
{
	unsigned uid = geteuid(), gid = getegid();
	char path[4096];

	if (is_bounded() || !uid) {
		fputs("    nobody can have it here; start the container with", out);
		print_cap_add(to_trace, COUNT(to_trace), out);
		if (!uid)
			print_cap_add(to_inspect, 1, out);
		fputs("\n", out);
		return;
	}
	own_path(path, sizeof(path));
	fprintf(out,
		"    for one run: sudo setpriv --reuid=%u --regid=%u --init-groups --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon %s run",
		uid, gid, path);
	utf8_print(out, run_options, "\t");
	fprintf(out,
		"\n"
		"    for the users of a group: sudo sh -c 'chgrp GROUP %s && chmod 750 %s && setcap cap_bpf,cap_perfmon+ep %s'\n"
		"    for a systemd service: AmbientCapabilities=CAP_BPF CAP_PERFMON\n",
		path, path, path);
}

/* Whether this is one of the ways to attach, of which one is enough. */
static bool
is_way(const struct probe_feature *feature)
{
	return !strncmp(feature->name, "attach: ", strlen("attach: "));
}

/* The first thing that BPF requires and that is missing, other than a way to attach; NULL if there is none. */
static const struct probe_feature *
find_lack(const struct probe_feature *features, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (!features[i].ok && !is_way(&features[i]))
			return &features[i];
	return NULL;
}

static bool
is_call(const struct probe_feature *feature)
{
	static const char *const calls[] = {"bpf maps", "bpf programs", "bpf rings"};

	for (size_t i = 0; i < COUNT(calls); i++)
		if (!strcmp(feature->name, calls[i]))
			return true;
	return false;
}

/* The capabilities are there. */
static void
print_lack(const struct probe_feature *lack, FILE *out)
{
	if (is_call(lack))
		fputs("system calls that something forbids, although the capabilities are there; in a container, use a seccomp profile that allows bpf() and, before Linux 6.6, perf_event_open()\n",
		      out);
	else
		fprintf(out, "%s: %s\n", lack->name, lack->detail);
}

/* The capabilities and system calls are there, but attaching fails. */
static void
print_how_to_attach(FILE *out)
{
	fprintf(out,
		"CAP_SYS_ADMIN, or tracefs for group %u, because this kernel has no uprobe_multi link (Linux 6.6):\n"
		"    sudo mount -t tracefs -o gid=%u,mode=750 tracefs /sys/kernel/tracing (-o remount,... if it is mounted)\n"
		"    sudo chmod g+w /sys/kernel/tracing/uprobe_events\n",
		(unsigned)getegid(), (unsigned)getegid());
}

/* Prints what BPF requires and is missing, after this text, and how to get it. */
static void
print_bpf(const struct probe_feature *features, size_t cnt, const char *before, const char *run_options,
	  FILE *out)
{
	const struct probe_feature *lack = find_lack(features, cnt);
	bool admin = privileges_has(CAP_SYS_ADMIN);
	struct buf list;

	buf_init(&list, 256);
	if (privileges_are_confined()) {
		fprintf(out,
			"%sa run outside this user namespace (a container started by root, not a rootless one)\n",
			before);
	} else if (!admin && *list_missing(&list, to_trace, COUNT(to_trace))) {
		fprintf(out, "%s%s for user %u\n", before, list.data, (unsigned)geteuid());
		print_how_to_give(run_options, out);
	} else if (lack) {
		fputs(before, out);
		print_lack(lack, out);
	} else if (!is_ok(features, cnt, "attach: multi") && !is_ok(features, cnt, "attach: perf") &&
		   !is_ok(features, cnt, "attach: tracefs")) {
		fputs(before, out);
		print_how_to_attach(out);
	}
	buf_fini(&list);
}

/* Warns of file capabilities that everybody can use. */
static void
print_open_file(FILE *out)
{
	struct stat st;
	char path[4096];

	if (!geteuid() || !getauxval(AT_SECURE) || stat("/proc/self/exe", &st) || !(st.st_mode & S_IXOTH))
		return;
	own_path(path, sizeof(path));
	fprintf(out,
		"  warning: everybody on this machine can execute '%s' and thereby use its capabilities, which are enough to read kernel memory; restrict it to a group (chmod 750), see doc/privileges.md\n",
		path);
}

/* Tracing works. */
static void
print_more(bool can_isolate, FILE *out)
{
	struct buf list;

	buf_init(&list, 256);
	if (!geteuid() && !privileges_has(CAP_SYS_PTRACE))
		fputs("  for a bitcoind that runs as another user than root: also CAP_SYS_PTRACE (--cap-add=SYS_PTRACE)\n",
		      out);
	print_open_file(out);
	if (!can_isolate && *list_missing(&list, to_isolate, COUNT(to_isolate)))
		fprintf(out, "  for scenarios that need a network namespace: also %s\n", list.data);
	if (geteuid() && *list_missing(&list, to_inspect, COUNT(to_inspect)))
		fprintf(out, "  for processes of other users: also %s\n", list.data);
	buf_fini(&list);
}

/* What is in the way of every method; NULL: nothing. */
static const struct probe_feature *
find_common_lack(const struct probe_feature *features, size_t cnt)
{
	static const char *const names[] = {"proc", "machine", "valgrind"};

	for (size_t i = 0; i < cnt; i++)
		for (size_t n = 0; n < COUNT(names); n++)
			if (!features[i].ok && !strcmp(features[i].name, names[n]))
				return &features[i];
	return NULL;
}

/* No method works: first the one that is more easily made to work. */
static void
print_alternatives(const struct probe_feature *features, size_t cnt, const char *run_options, FILE *out)
{
	const struct probe_feature *ptrace = find(features, cnt, "attach: ptrace");

	fputs("Needed: one of these, the nearest first\n", out);
	if (ptrace->needs_boot)
		print_bpf(features, cnt, "  for BPF: ", run_options, out);
	fprintf(out, "  for ptrace: %s\n", ptrace->detail);
	if (!ptrace->needs_boot)
		print_bpf(features, cnt, "  for BPF: ", run_options, out);
}

void
advice_print(const struct probe_feature *features, size_t cnt, const char *bpf_reason, bool can_isolate,
	     const char *run_options, FILE *out)
{
	const struct probe_feature *common = find_common_lack(features, cnt);
	bool has_ptrace = is_ok(features, cnt, "attach: ptrace");

	if (common) {
		fprintf(out, "Needed: %s: %s\n", common->name, common->detail);
	} else if (bpf_reason && !has_ptrace) {
		print_alternatives(features, cnt, run_options, out);
	} else if (bpf_reason) {
		fprintf(out, "Method: ptrace, because BPF cannot be used: %s\n", bpf_reason);
		fputs("Needed: nothing more to trace this user's processes; what has a 'no' above is for BPF\n",
		      out);
		print_bpf(features, cnt,
			  "  for BPF, which most consumers use and which is faster: ", run_options, out);
		print_more(can_isolate, out);
	} else {
		fputs("Method: BPF\nNeeded: nothing more to trace this user's processes\n", out);
		print_more(can_isolate, out);
	}
	fputs("  see doc/privileges.md for all ways, and what each of them gives away\n", out);
}
