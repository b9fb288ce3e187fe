#include "cli/trace_target.h"

#include "base/buf.h"
#include "contract/contract.h"
#include "node/pid_look.h"
#include "notes/absence.h"
#include "notes/notes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LISTED_MAX = 8 };

bool
trace_target_has_tracepoints(pid_t pid)
{
	struct notes *notes = NULL;
	struct stat its, ours;
	char path[64];
	bool has = false;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	/* tpcheck has them for its specimen. */
	if (stat(path, &its) || stat("/proc/self/exe", &ours) ||
	    (its.st_dev == ours.st_dev && its.st_ino == ours.st_ino) || notes_open(&notes, path, NULL))
		return false;
	for (size_t i = 0; i < notes_cnt(notes) && !has; i++) {
		const struct site *site = notes_site(notes, i);

		has = contract_find(site->provider, site->name) != NULL;
	}
	notes_free(notes);
	return has;
}

static void
keep_traceable(struct pids *pids)
{
	size_t kept = 0;

	for (size_t i = 0; i < pids->cnt; i++)
		if (trace_target_has_tracepoints(pids->items[i]))
			pids->items[kept++] = pids->items[i];
	pids->cnt = kept;
}

/* "12 ('/usr/bin/bitcoind'), 13 ('/usr/bin/bitcoind')" */
static void
list_processes(const struct pids *pids, struct buf *out)
{
	for (size_t i = 0; i < pids->cnt && i < LISTED_MAX; i++) {
		struct pid_look look;

		pid_look(pids->items[i], &look);
		buf_printf(out, "%s%d ('%s')", i ? ", " : "", (int)pids->items[i], look.exe);
	}
	if (pids->cnt > LISTED_MAX)
		buf_puts(out, ", ...");
}

/* Which processes have that number in a container, as the end of a sentence. */
static void
add_containers(pid_t number, struct buf *out)
{
	struct pids pids;

	pid_in_containers(number, &pids);
	keep_traceable(&pids);
	if (pids.cnt) {
		buf_printf(out, "; in a container, %d is the number of process ", (int)number);
		list_processes(&pids, out);
		buf_printf(out, ": use --pid=%d", (int)pids.items[0]);
	}
	pids_fini(&pids);
}

int
trace_target_find(pid_t number, pid_t *pid, struct diag *diag)
{
	struct pid_look look;
	struct buf more;

	*pid = number;
	if (pid_look(number, &look)) {
		*pid = look.process;
		if (!look.has_ended)
			return 0;
		return diag_fail(
			diag, -ESRCH,
			"process %d has ended ('%s'); only its parent, process %d, has not noticed yet",
			(int)number, look.name, (int)look.parent);
	}
	buf_init(&more, sizeof(diag->text));
	add_containers(number, &more);
	int err = diag_fail(diag, -ESRCH, "there is no process %d%s", (int)number,
			    more.len ? more.data : "; list those of bitcoind: pidof bitcoind");
	buf_fini(&more);
	return err;
}

static bool
is_valgrind(const struct pid_look *look)
{
	return strstr(look->exe, "/valgrind/") || strstr(look->exe, "-amd64-linux") ||
	       strstr(look->exe, "-arm64-linux");
}

static bool
is_loader(const struct pid_look *look)
{
	const char *name = strrchr(look->exe, '/');

	return name &&
	       (!strncmp(name, "/ld-", 4) || !strncmp(name, "/ld.so", 6) || !strncmp(name, "/ld64.so", 8));
}

static bool
is_emulator(const struct pid_look *look)
{
	const char *name = strrchr(look->exe, '/');

	return name && !strncmp(name, "/qemu-", 6);
}

/* Adds what the process is, after "process 12 ". False: nothing special. */
static bool
add_kind(const struct pid_look *look, struct buf *out)
{
	if (look->is_kernel)
		buf_printf(out, "is a thread of the kernel ('%s')", look->name);
	else if (is_valgrind(look))
		buf_printf(
			out,
			"runs '%s' under valgrind, which executes a translation of it: traps in the program are never met; run it without valgrind",
			look->program);
	else if (is_emulator(look))
		buf_printf(
			out,
			"runs '%s' in the emulator '%s', which executes a translation of it: traps in the program are never met",
			look->program, look->exe);
	else if (is_loader(look))
		buf_printf(
			out,
			"is the loader '%s', asked to run '%s': then the kernel does not know the program; start the program itself",
			look->exe, look->program);
	else
		return false;
	return true;
}

bool
trace_target_is_loader(pid_t pid)
{
	struct pid_look look;

	return pid_look(pid, &look) && is_loader(&look);
}

/* For a program that has no tracepoints and is nothing special: "runs '/bin/sh', which is not Bitcoin Core". */
static void
add_program(pid_t pid, const struct pid_look *look, const struct diag *why, struct buf *out)
{
	struct notes *notes = NULL;
	struct diag diag;
	char path[64];
	enum absence absence = ABSENCE_NONE;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (!notes_open(&notes, path, &diag))
		absence = notes_find_absence(notes, path, look->exe, &diag);
	notes_free(notes);
	if (absence == ABSENCE_STRANGER)
		buf_printf(out, "runs '%s', which is not Bitcoin Core and has no tracepoints", look->exe);
	else
		buf_printf(out, "runs '%s': %s", look->exe, absence == ABSENCE_NONE ? why->text : diag.text);
	if (*look->library)
		buf_printf(out, "; its library '%s' may have some, but only those of programs are traced",
			   look->library);
}

pid_t
trace_target_explain(pid_t pid, int err, struct diag *diag)
{
	struct pid_look look;
	struct pids below;
	struct buf text;

	if (!pid_look(pid, &look))
		return 0;
	buf_init(&text, sizeof(diag->text));
	buf_printf(&text, "process %d ", (int)pid);
	bool is_special = add_kind(&look, &text);
	if (!is_special)
		add_program(pid, &look, diag, &text);
	pid_descendants(pid, &below);
	keep_traceable(&below);
	if (below.cnt == 1) {
		buf_puts(&text, "; tracing process ");
		list_processes(&below, &text);
		buf_puts(&text, ", which it started");
	} else if (below.cnt) {
		buf_puts(&text, "; use the PID of one of those that it started: process ");
		list_processes(&below, &text);
	} else {
		add_containers(pid, &text);
	}
	diag_fail(diag, err, "%s", text.data);
	buf_fini(&text);
	pid_t started = below.cnt == 1 ? below.items[0] : 0;
	pids_fini(&below);
	return started;
}
