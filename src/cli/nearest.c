#include "cli/nearest.h"

#include "base/buf.h"
#include "base/privileges.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

struct capability {
	unsigned number;
	const char *name; /* as in CAP_..., and as --cap-add wants it */
	const char *word; /* as setpriv and setcap want it */
};
static const struct capability to_trace[] = {{CAP_BPF, "BPF", "bpf"}, {CAP_PERFMON, "PERFMON", "perfmon"}};
static const struct capability to_isolate[] = {{CAP_SYS_ADMIN, "SYS_ADMIN", "sys_admin"},
					       {CAP_NET_ADMIN, "NET_ADMIN", "net_admin"}};
static const struct capability to_look[] = {{CAP_SYS_PTRACE, "SYS_PTRACE", "sys_ptrace"},
					    {CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH", "dac_read_search"}};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Those of the list that we do not have, "CAP_BPF and CAP_PERFMON"; "" when we have all. */
static const char *
lacking(struct buf *out, const struct capability *list, size_t cnt)
{
	buf_reset(out);
	for (size_t i = 0; i < cnt; i++)
		if (!privileges_has(list[i].number))
			buf_printf(out, "%sCAP_%s", out->len ? " and " : "", list[i].name);
	return out->len ? out->data : "";
}

static bool
is_ok(const struct probe_feature *features, size_t cnt, const char *name)
{
	for (size_t i = 0; i < cnt; i++)
		if (!strcmp(features[i].name, name))
			return features[i].ok;
	return false;
}

/* Where the capabilities have to be: the front gets nothing from its own file's. */
static void
own_path(char *path, size_t path_sz)
{
	ssize_t n = readlink("/proc/self/exe", path, path_sz - 1);

	path[n > 0 ? n : 0] = '\0';
}

/* A container's set of what there is at all cannot be added to from inside. */
static bool
is_bounded(void)
{
	for (size_t i = 0; i < COUNT(to_trace); i++)
		if (!privileges_has(to_trace[i].number) && !privileges_can_have(to_trace[i].number))
			return true;
	return false;
}

static void
tell_flags(const struct capability *list, size_t cnt, FILE *out)
{
	for (size_t i = 0; i < cnt; i++)
		if (!privileges_has(list[i].number))
			fprintf(out, " --cap-add=%s", list[i].name);
}

/* No capability, or one too few. */
static void
tell_how_to_give(FILE *out)
{
	unsigned uid = geteuid(), gid = getegid();
	char path[4096];

	if (is_bounded() || !uid) {
		fputs("  nobody can have it here; start the container with", out);
		tell_flags(to_trace, COUNT(to_trace), out);
		if (!uid)
			tell_flags(to_look, 1, out);
		fputs("\n", out);
		return;
	}
	own_path(path, sizeof(path));
	fprintf(out,
		"  for one run: sudo setpriv --reuid=%u --regid=%u --init-groups --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon %s run\n"
		"  for the users of a group: sudo sh -c 'chgrp GROUP %s && chmod 750 %s && setcap cap_bpf,cap_perfmon+ep %s'\n"
		"  for a service of systemd: AmbientCapabilities=CAP_BPF CAP_PERFMON\n",
		uid, gid, path, path, path, path);
}

/* The capabilities are there, and still no way to attach. */
static void
tell_how_to_attach(const struct probe_feature *features, size_t cnt, FILE *out)
{
	static const char *const calls[] = {"bpf maps", "bpf programs", "perf rings"};

	for (size_t i = 0; i < COUNT(calls); i++)
		if (!is_ok(features, cnt, calls[i])) {
			fputs("Nearest: the capabilities are there, but something else forbids the system calls; in a container, let its seccomp profile allow bpf() and perf_event_open()\n",
			      out);
			return;
		}
	fprintf(out,
		"Nearest: this kernel has no uprobe_multi link (Linux 6.6), so CAP_SYS_ADMIN, or tracefs for the group %u:\n"
		"  sudo mount -t tracefs -o gid=%u,mode=750 tracefs /sys/kernel/tracing (-o remount,... where it is mounted)\n"
		"  sudo chmod g+w /sys/kernel/tracing/uprobe_events\n",
		(unsigned)getegid(), (unsigned)getegid());
}

/* Of a file that gives capabilities to whoever can execute it. */
static void
tell_open_file(FILE *out)
{
	struct stat st;
	char path[4096];

	if (!geteuid() || !getauxval(AT_SECURE) || stat("/proc/self/exe", &st) || !(st.st_mode & S_IXOTH))
		return;
	own_path(path, sizeof(path));
	fprintf(out,
		"  but everybody on this machine can execute '%s' and has its capabilities, which let one read the memory of the kernel: take that right away (chmod 750), and see doc/privileges.md\n",
		path);
}

static void
tell_more(struct buf *list, FILE *out)
{
	if (!geteuid() && !privileges_has(CAP_SYS_PTRACE))
		fputs("Nearest: bitcoind runs as another user, and looking into it takes CAP_SYS_PTRACE: start the container with --cap-add=SYS_PTRACE, or say --user=root\n",
		      out);
	else
		fputs("Nearest: nothing is lacking to trace what this user runs\n", out);
	tell_open_file(out);
	if (*lacking(list, to_isolate, COUNT(to_isolate)))
		fprintf(out, "  for scenarios that need a network of the node's own: %s, too\n", list->data);
	if (geteuid() && *lacking(list, to_look, COUNT(to_look)))
		fprintf(out, "  for processes of other users: %s, too\n", list->data);
}

void
nearest_tell(const struct probe_feature *features, size_t cnt, FILE *out)
{
	bool admin = privileges_has(CAP_SYS_ADMIN);
	struct buf list;

	buf_init(&list, 256);
	if (privileges_are_confined()) {
		fputs("Nearest: a run outside of this user namespace (a container that root started, not a rootless one)\n",
		      out);
	} else if (!admin && *lacking(&list, to_trace, COUNT(to_trace))) {
		fprintf(out, "Nearest: %s for user %u\n", list.data, (unsigned)geteuid());
		tell_how_to_give(out);
	} else if (!is_ok(features, cnt, "attach: multi") && !is_ok(features, cnt, "attach: perf") &&
		   !is_ok(features, cnt, "attach: tracefs")) {
		tell_how_to_attach(features, cnt, out);
	} else {
		tell_more(&list, out);
	}
	fputs("  doc/privileges.md has all ways, and what each of them gives away\n", out);
	buf_fini(&list);
}
