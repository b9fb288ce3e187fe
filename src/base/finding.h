/* Something that was found wrong, in terms of those who have to act on it. */
#ifndef TPCHECK_BASE_FINDING_H
#define TPCHECK_BASE_FINDING_H

#include <stddef.h>

enum finding_kind {
	FINDING_CONTRACT, /* not as doc/tracing.md says (or the code, where the contract notes a difference) */
	FINDING_DETAIL,   /* not as a scenario expects of an implementation detail */
	FINDING_SANITIZER, /* a sanitizer that is built into the node reported a fault of the node */
};

struct finding {
	enum finding_kind kind;
	char *tracepoint;    /* "utxocache:add", or NULL */
	unsigned argument;   /* from 1, as in the document; 0: the event as a whole */
	char *argument_name; /* NULL with argument 0 */
	char *want, *got;    /* NULL if there is nothing to compare */
	char *source;        /* where want comes from; may be NULL */
	char *message;       /* one line, complete by itself */
	char *context; /* the events around it, or the first lines of the sanitizer's report; may be NULL */
};

struct findings {
	struct finding *items;
	size_t cnt;
};

/* Appends a finding with copies of the strings; all but message may be NULL. Lends it. */
struct finding *findings_add(struct findings *findings, enum finding_kind kind, const char *tracepoint,
			     unsigned argument, const char *argument_name, const char *want, const char *got,
			     const char *source, const char *message);
void findings_remove(struct findings *findings, size_t idx);
void findings_fini(struct findings *findings);

const char *finding_kind_name(enum finding_kind kind);

#endif
