/* A difference between two interfaces, as it concerns those who read the tracepoints. */
#ifndef TPCHECK_BASE_CHANGE_H
#define TPCHECK_BASE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

enum change_kind {
	CHANGE_ADDED,
	CHANGE_REMOVED,
	CHANGE_ARGUMENT_ADDED,
	CHANGE_ARGUMENT_REMOVED,
	CHANGE_RETYPED,
	CHANGE_REORDERED,
	CHANGE_SEMAPHORE,
	CHANGE_MEANING,
};

struct change {
	enum change_kind kind;
	bool breaks;         /* consumers of the old interface no longer get what they expect */
	char *tracepoint;    /* NULL: all of them */
	unsigned argument;   /* from 1, in the new interface; if removed, in the old one; 0: the tracepoint */
	char *argument_name; /* NULL: not known */
	char *before, *after; /* NULL where there is none */
	char *message;        /* one sentence, without the tracepoint and the argument */
};

struct changes {
	struct change *items;
	size_t cnt;
};

/* Appends a change with copies of the strings; all but message may be NULL. Lends it. */
struct change *changes_add(struct changes *changes, const struct change *change);
void changes_fini(struct changes *changes);

const char *change_kind_name(enum change_kind kind); /* "added", "argument removed", ... */

#endif
