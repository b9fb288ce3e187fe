/* Which tracepoints of a binary a trace shows, and what is known about their arguments.
 *
 * A tracepoint has a row of the contract. A documented one has the row of the binary's release, adapted to the binary's
 * notes: an argument whose width or sign differs is shown as found there, under its documented name. The row of an
 * undocumented one is made from the notes: arg1, arg2, ..., whole numbers by their width and sign. */
#ifndef TPCHECK_TRACE_SELECTION_H
#define TPCHECK_TRACE_SELECTION_H

#include "base/buf.h"
#include "base/diag.h"
#include "contract/contract.h"

enum { SELECTION_MAX = 64 }; /* tracepoints at once: a mask holds them */

struct where_term;

struct selection_opts {
	unsigned release;            /* the binary's */
	const char *const *patterns; /* names or shell patterns like "context:name" */
	size_t patterns_cnt;         /* 0: all documented ones, or all when none is documented */
	uint32_t payload_bytes;      /* of a message's payload at most; 0: it is not read */
	/* All of these must hold; CONDITIONS_MAX at most. A tracepoint without one of their arguments is left out. */
	const struct where_term *where;
	size_t where_cnt;
	/* Arguments that statistics divide by ("pid": by process) and measure. At least one tracepoint must have each of
	 * them. */
	struct argument_names {
		const char *const *items;
		size_t cnt;
	} by, of;
};

struct selection {
	/* The index is the tracepoint's number: enum tracepoint_id for documented ones, which the others follow. NULL:
	 * not shown. */
	struct contract_tracepoint *rows[SELECTION_MAX];
	bool is_documented[SELECTION_MAX];
	struct probe_point *points; /* all locations of what is shown; they borrow the sites */
	size_t points_cnt;
	struct condition *conditions; /* where_cnt for each point */
	struct findings differences;  /* between the document and the notes */
	struct strings {
		char **items;
		size_t cnt;
	} strings; /* borrowed by the rows */
};

/* Sites are borrowed until selection_fini, which is due even after an error. -ENOENT: a pattern matches nothing, and
 * the text lists the tracepoints, or a name is no argument of any of them; -EDOM: a term's argument has no such values,
 * or an argument cannot be used for that purpose; -ENODATA: there is nothing to attach to; -E2BIG: more than
 * SELECTION_MAX. */
int selection_make(struct selection *selection, const struct site *sites, size_t sites_cnt,
		   const struct selection_opts *opts, struct diag *diag);
void selection_fini(struct selection *selection);

/* Lent. */
const struct contract_tracepoint *selection_row(const struct selection *selection, unsigned tracepoint);
/* Whether the argument is shown; only a payload that was not asked for is not. */
bool selection_shows(const struct contract_tracepoint *row, unsigned idx, const struct value *value);

/* Decodes a record; as contract_decode. */
int selection_decode(const struct selection *selection, const void *record, size_t record_sz,
		     struct event *event);

#endif
