#include "notes/absence.h"

#include "base/xmem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Found in what the file loads into memory. Releases before v30 have two blanks in the usage. */
enum mark {
	MARK_LAUNCHER,
	MARK_NODE,
	MARK_QT,
	MARK_CLI,
	MARK_TX,
	MARK_UTIL,
	MARK_WALLET,
	MARK_BITCOIN,
	MARKS_CNT,
};
static const struct {
	const char *text;
	const char *tool; /* the program whose usage it is; NULL */
} marks[MARKS_CNT] = {
	[MARK_LAUNCHER] = {"equivalent to running 'bitcoind [ARGS]'", NULL},
	[MARK_NODE] = {" bitcoind [options]", NULL},
	[MARK_QT] = {" bitcoin-qt [", NULL},
	[MARK_CLI] = {" bitcoin-cli [options]", "bitcoin-cli"},
	[MARK_TX] = {" bitcoin-tx [options]", "bitcoin-tx"},
	[MARK_UTIL] = {" bitcoin-util [options]", "bitcoin-util"},
	[MARK_WALLET] = {" bitcoin-wallet [options]", "bitcoin-wallet"},
	[MARK_BITCOIN] = {"bitcoin", NULL},
};

static bool
on_chunk(void *cookie, const struct chunk *chunk)
{
	unsigned *found = cookie;

	for (int i = 0; i < MARKS_CNT; i++)
		if (!(*found & 1u << i) &&
		    memmem(chunk->bytes, chunk->sz, marks[i].text, strlen(marks[i].text)))
			*found |= 1u << i;
	return true;
}

/* UPX leaves its name in the first bytes. */
static bool
is_packed(int fd)
{
	char head[1024];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	return n > 0 && memmem(head, (size_t)n, "UPX!", 4);
}

static enum absence
classify(const struct notes *notes, int fd, const char **tool)
{
	unsigned found = 0;

	if (!notes_has_sections(notes))
		return is_packed(fd) ? ABSENCE_PACKED : ABSENCE_NO_SECTIONS;
	if (notes_has_base(notes))
		return ABSENCE_REMOVED;
	notes_scan_fd(notes, fd, false, on_chunk, &found, NULL);
	notes_scan_fd(notes, fd, true, on_chunk, &found, NULL);
	if (found == (1u << MARKS_CNT) - 1)
		return ABSENCE_STRANGER; /* this program, which has the list above */
	if (found & 1u << MARK_LAUNCHER)
		return ABSENCE_LAUNCHER;
	for (int i = 0; i < MARKS_CNT && !(found & (1u << MARK_NODE | 1u << MARK_QT)); i++)
		if (marks[i].tool && found & 1u << i) {
			*tool = marks[i].tool;
			return ABSENCE_OTHER_TOOL;
		}
	return found ? ABSENCE_BUILD : ABSENCE_STRANGER;
}

/* As the launcher looks, without PATH. */
static char *
find_program(const char *folder, const char *name)
{
	static const char *const places[] = {"../libexec/", ""};
	size_t len = strlen(folder);
	bool is_bin = len >= 4 && !strcmp(folder + len - 4, "/bin");

	for (size_t i = is_bin ? 0 : 1; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = xasprintf("%s/%s%s", folder, places[i], name), *real = realpath(path, NULL);
		bool is_there = real && !access(real, X_OK);

		free(path);
		if (is_there)
			return real;
		free(real);
	}
	return NULL;
}

static char *
find_node(const char *launcher)
{
	char *folder = realpath(launcher, NULL), *slash = folder ? strrchr(folder, '/') : NULL, *found = NULL;

	if (slash) {
		*slash = '\0';
		found = find_program(folder, "bitcoind");
		if (!found)
			found = find_program(folder, "bitcoin-node");
	}
	free(folder);
	return found;
}

static void
describe_launcher(const char *path, const char *label, struct diag *diag)
{
	char *node = find_node(path);

	if (node)
		diag_fail(diag, -ENODATA,
			  "'%s' has no tracepoints: it is the launcher 'bitcoin'; give what it starts: '%s'",
			  label, node);
	else
		diag_fail(
			diag, -ENODATA,
			"'%s' has no tracepoints: it is the launcher 'bitcoin'; give the bitcoind or bitcoin-node that it starts",
			label);
	free(node);
}

static void
describe(enum absence absence, const char *path, const char *tool, struct diag *diag)
{
	static const char build_it[] =
		"with -DWITH_USDT=ON (before v29: ./configure --enable-usdt), with <sys/sdt.h> installed (Debian, Ubuntu: systemtap-sdt-dev; Fedora: systemtap-sdt-devel)";

	switch (absence) {
	case ABSENCE_NONE:
		break;
	case ABSENCE_BUILD:
		diag_fail(diag, -ENODATA, "'%s' has no tracepoints: it was built without USDT; build it %s",
			  path, build_it);
		break;
	case ABSENCE_REMOVED:
		diag_fail(
			diag, -ENODATA,
			"'%s' has no tracepoints: it was built with them, but its section .note.stapsdt was removed; keep that section (strip does, --remove-section does not), or build it %s",
			path, build_it);
		break;
	case ABSENCE_NO_SECTIONS:
		diag_fail(
			diag, -ENODATA,
			"'%s' has no section table, so its tracepoints cannot be found; give the file from before it was stripped of it",
			path);
		break;
	case ABSENCE_PACKED:
		diag_fail(
			diag, -ENODATA,
			"'%s' is packed by UPX, so its tracepoints cannot be found, nor traced; unpack it (upx -d)",
			path);
		break;
	case ABSENCE_LAUNCHER:
		break; /* describe_launcher */
	case ABSENCE_OTHER_TOOL:
		diag_fail(diag, -ENODATA,
			  "'%s' has no tracepoints: it is %s, not a node; give the path of a bitcoind", path,
			  tool);
		break;
	case ABSENCE_STRANGER:
		diag_fail(diag, -ENODATA,
			  "'%s' has no tracepoints: it is not Bitcoin Core; give the path of a bitcoind",
			  path);
		break;
	}
}

enum absence
notes_find_absence(const struct notes *notes, const char *path, const char *label, struct diag *diag)
{
	const char *tool = NULL;
	enum absence absence = ABSENCE_BUILD;

	diag->text[0] = '\0';
	if (notes_cnt(notes) || notes_problems_cnt(notes))
		return ABSENCE_NONE;
	int fd = notes_open_file(path, diag);
	if (fd >= 0) {
		absence = classify(notes, fd, &tool);
		close(fd);
	}
	if (absence == ABSENCE_LAUNCHER)
		describe_launcher(path, label ? label : path, diag);
	else
		describe(absence, label ? label : path, tool, diag);
	return absence;
}

bool
launcher_is_it(const char *path)
{
	struct notes *notes = NULL;
	struct diag diag;
	bool is_it = !notes_open(&notes, path, NULL) &&
		     notes_find_absence(notes, path, NULL, &diag) == ABSENCE_LAUNCHER;

	notes_free(notes);
	return is_it;
}

char *
launcher_find_node(const char *path)
{
	return launcher_is_it(path) ? find_node(path) : NULL;
}

bool
absence_is_blind(enum absence absence)
{
	return absence == ABSENCE_NO_SECTIONS || absence == ABSENCE_PACKED;
}
