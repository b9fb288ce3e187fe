/* Which tracepoints of a binary a trace shows, and what is known of their arguments.
 *
 * A tracepoint has a row of the contract. Where it is documented, that is the document's row of the binary's release,
 * with what the binary's notes say otherwise: an argument of another width or sign is shown as it is there, under its
 * documented name. Where it is not documented, the row is made from the notes: arg1, arg2, ..., whole numbers by
 * their width and sign. */
#ifndef TPCHECK_TRACE_SELECTION_H
#define TPCHECK_TRACE_SELECTION_H

#include "base/buf.h"
#include "base/diag.h"
#include "contract/contract.h"

enum { SELECTION_MAX = 64 }; /* tracepoints at once: a mask holds them */

struct selection_opts {
	unsigned release;            /* of the contract; the binary's */
	const char *const *patterns; /* names or shell patterns of "context:name" */
	size_t patterns_cnt;         /* 0: all documented ones, or all when none is documented */
	uint32_t payload_bytes;      /* most bytes of a message's payload; 0: it is not read */
};

struct selection {
	/* By the tracepoint's number: a documented one has its enum tracepoint_id, the others follow. NULL: not
	 * shown. */
	struct contract_tracepoint *rows[SELECTION_MAX];
	bool is_documented[SELECTION_MAX];
	struct probe_point *points; /* all places of what is shown; they borrow the sites */
	size_t points_cnt;
	struct findings differences; /* between the document and the notes */
	struct strings {
		char **items;
		size_t cnt;
	} strings; /* what the rows borrow */
};

/* Sites are borrowed until selection_fini. -ENOENT: a pattern matches nothing, and the text names what there is;
 * -ENODATA: there is nothing at all to attach to; -E2BIG: more than SELECTION_MAX. selection_fini is due in any
 * case. */
int selection_make(struct selection *selection, const struct site *sites, size_t sites_cnt,
		   const struct selection_opts *opts, struct diag *diag);
void selection_fini(struct selection *selection);

/* "utxocache:add" and its arguments; lent. Beyond what the row names, an argument is called "arg7". */
const struct contract_tracepoint *selection_row(const struct selection *selection, unsigned tracepoint);
const char *selection_arg_name(const struct contract_tracepoint *row, unsigned idx, char room[16]);
/* Whether the argument is shown: payloads that were not asked for are not. */
bool selection_shows(const struct contract_tracepoint *row, unsigned idx, const struct value *value);

/* Decodes a record; as contract_decode. */
int selection_decode(const struct selection *selection, const void *record, size_t record_sz,
		     struct event *event);

#endif
