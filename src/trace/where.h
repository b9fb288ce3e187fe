/* Which events a trace shows, by the values of their arguments: "peer_id=17", "message_type~cmpct*", "fee>=1000". A term
 * becomes a condition (base/condition.h, which defines what it means) for each probe point. */
#ifndef TPCHECK_TRACE_WHERE_H
#define TPCHECK_TRACE_WHERE_H

#include "base/condition.h"
#include "base/diag.h"
#include "contract/contract.h"

struct where_term {
	const char *text; /* as it was given; borrowed */
	char name[64];
	enum condition_operator op;
	const char *value; /* in the text */
};

/* -EINVAL: it is not of the form NAME, operator, VALUE. text is borrowed. */
int where_parse(const char *text, struct where_term *term, struct diag *diag);

/* Whether a place has the term's argument. */
bool where_has_argument(const struct where_term *term, const struct contract_tracepoint *row,
			const struct site *site);
/* Makes the condition for a point that has the argument. -EDOM: the argument has no such values, or cannot be compared
 * so. */
int where_compile(const struct where_term *term, const struct contract_tracepoint *row,
		  const struct probe_point *point, struct condition *out, struct diag *diag);

#endif
