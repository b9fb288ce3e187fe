/* What was found wrong, in the terms of the person who has to act on it. */
#ifndef TPCHECK_BASE_FINDING_H
#define TPCHECK_BASE_FINDING_H

#include <stddef.h>

enum finding_kind {
	FINDING_CONTRACT, /* doc/tracing.md promises it (or the code, where the contract notes the difference) */
	FINDING_DETAIL, /* an implementation detail that a scenario relies on */
};

struct finding {
	enum finding_kind kind;
	char *tracepoint;    /* "utxocache:add", or NULL */
	unsigned argument;   /* from 1, as the document counts; 0: the event as such */
	char *argument_name; /* NULL with argument 0 */
	char *want, *got;    /* NULL where there is nothing to compare */
	char *source;        /* where want comes from; may be NULL */
	char *message;       /* one line, complete without the rest */
	char *context;       /* lines with the events around it, in order; may be NULL */
};

struct findings {
	struct finding *items;
	size_t cnt;
};

/* Appends a finding with copies of the strings given (any but message may be NULL). Lends it. */
struct finding *findings_add(struct findings *findings, enum finding_kind kind, const char *tracepoint,
			     unsigned argument, const char *argument_name, const char *want, const char *got,
			     const char *source, const char *message);
void findings_fini(struct findings *findings);

const char *finding_kind_name(enum finding_kind kind);

#endif
