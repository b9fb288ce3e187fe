/* What a file without tracepoints is, and what would help: five mistakes look alike. */
#ifndef TPCHECK_NOTES_ABSENCE_H
#define TPCHECK_NOTES_ABSENCE_H

#include "base/diag.h"
#include "notes/notes.h"

enum absence {
	ABSENCE_NONE,        /* it has tracepoints, or notes that cannot be used */
	ABSENCE_BUILD,       /* Bitcoin Core, as far as can be seen, built without USDT */
	ABSENCE_REMOVED,     /* it was built with them, but the notes were removed */
	ABSENCE_NO_SECTIONS, /* stripped of its section table: it is not known whether it has any */
	ABSENCE_PACKED,      /* by UPX: likewise */
	ABSENCE_LAUNCHER,    /* the program "bitcoin" */
	ABSENCE_OTHER_TOOL,  /* bitcoin-cli and its like */
	ABSENCE_STRANGER,    /* not Bitcoin Core */
};

/* path is the file that notes was read from, label names it in the text (NULL: path). diag gets a complete message, ""
 * with ABSENCE_NONE. */
enum absence notes_find_absence(const struct notes *notes, const char *path, const char *label,
				struct diag *diag);
/* The node that the launcher "bitcoin" at that path starts: bitcoind, else bitcoin-node; the caller frees it. NULL: there
 * is none where it looks (beside it, or in libexec), or the file is not the launcher. */
char *launcher_find_node(const char *path);
/* Whether the file is the launcher. */
bool launcher_is_it(const char *path);
/* Whether the file may have tracepoints that cannot be seen. */
bool absence_is_blind(enum absence absence);

#endif
