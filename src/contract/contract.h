/* The contract: which tracepoints Bitcoin Core documents, and what their arguments are.
 *
 * Source: doc/tracing.md of Bitcoin Core's master (2026-06), section "Tracepoint documentation", and where the
 * code says something else, the code; the difference is noted in the row. Everything else in tpcheck follows
 * from these rows: what the probes read, how it is decoded, the check of a binary's notes, what `list` prints
 * and which arguments a scenario has to expect. */
#ifndef TPCHECK_CONTRACT_CONTRACT_H
#define TPCHECK_CONTRACT_CONTRACT_H

#include "base/event.h"
#include "base/finding.h"
#include "base/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// clang-format off
enum tracepoint_id { /* TP_NET_INBOUND_MESSAGE, ... */
#define TRACEPOINT(id, ...) TP_##id,
#include "contract/tracepoints.def"
#undef TRACEPOINT
	TRACEPOINTS_CNT,
};
// clang-format on

/* A set of tracepoints: bit 1 << id. */
#define TP_BIT(id) (UINT64_C(1) << (id))

enum arg_type {
	ARG_INT64,
	ARG_UINT64,
	ARG_INT32,
	ARG_UINT32,
	ARG_BOOL,
	ARG_HASH, /* pointer to 32 unsigned chars, little-endian as the document calls Bitcoin's wire order */
	ARG_STRING, /* pointer to a C string */
	ARG_BYTES,  /* pointer to unsigned chars; the length is another argument */
};

struct contract_arg {
	const char *name;
	enum arg_type type;      /* as documented */
	enum arg_type code_type; /* as the code passes it: differs from type where difference says so */
	bool is_size;            /* the code passes a size_t, which is as wide as a pointer */
	const char *unit;        /* "sat", "ns", "B", ...; NULL */
	unsigned max_chars;      /* ARG_STRING: documented maximum without NUL; 0: none documented */
	unsigned size_arg;       /* ARG_BYTES: number (from 1) of the argument that holds the length */
	const char *const
		*value_names; /* names of the values 0, 1, ... of an enumeration, NULL-terminated; NULL */
	const char *meaning;
	const char *difference; /* where document and code differ; NULL */
	unsigned since;         /* release that brought the argument in; 0: with the tracepoint */
};

struct contract_tracepoint {
	enum tracepoint_id id;
	const char *context, *name; /* the ELF note's provider and name */
	const char *full_name;      /* "context:name" */
	unsigned since;             /* first release with it */
	unsigned release;           /* of which this row tells: see contract_at */
	const char *when;           /* when it fires */
	const char *difference;     /* NULL */
	unsigned args_cnt;
	struct contract_arg args[SITE_ARGS_MAX];
};

/* Lends the row, as it is on master; id is below TRACEPOINTS_CNT. */
const struct contract_tracepoint *contract_get(enum tracepoint_id id);

/* Releases are Bitcoin Core's, by their first number; master is the one to come. */
enum {
	RELEASE_FIRST = 23, /* the first with tracepoints */
	RELEASE_MASTER = 32,
	RELEASE_SEMAPHORES = 29, /* from here on every tracepoint has a semaphore */
};

/* The row as that release promises it: without the arguments that came later, and with those that were changed
 * since as they were. NULL when the release does not have the tracepoint. Lent. */
const struct contract_tracepoint *contract_at(enum tracepoint_id id, unsigned release);

/* "28", "v28", "28.1", "v28.0rc2" and "master"; false when it is none that has tracepoints. 31.99 is master. */
bool release_parse(const char *text, unsigned *release);
/* "v28", "master". */
const char *release_name(unsigned release, char buf[16]);

/* What a release changed, beside the tracepoints and arguments that it added. */
struct contract_change {
	unsigned release; /* the first with it */
	enum tracepoint_id id;
	unsigned argument; /* from 1; 0: the tracepoint as a whole */
	bool breaks; /* a consumer written for the release before reads or understands something wrongly */
	const char *what;                  /* one sentence without a full stop */
	const struct contract_arg *before; /* the argument as it was; NULL: the sentence says it */
};

/* All of them, by release; idx from 0, NULL behind the last. */
const struct contract_change *contract_change(size_t idx);
/* By the note's names; NULL when it is not documented. */
const struct contract_tracepoint *contract_find(const char *context, const char *name);

/* "int64", "pointer to C-style string", ... as doc/tracing.md writes types. */
const char *arg_type_name(enum arg_type type);
/* Width of the operand that passes the type, in bytes (pointers: 8 on a 64-bit machine), and its sign. */
unsigned arg_type_width(enum arg_type type, unsigned pointer_bytes);
bool arg_type_is_signed(enum arg_type type);

/* Width of the operand that passes the argument, in bytes. */
unsigned contract_arg_width(const struct contract_arg *arg, unsigned pointer_bytes);

/* Compares a site with its row: number of arguments, width, sign, readability of the operands. An argument may be as
 * documented or, where that is known to differ, as the code passes it. Appends contract findings; returns how
 * many. */
size_t contract_check_site(const struct contract_tracepoint *row, const struct site *site,
			   struct findings *findings);
/* "4 bytes, signed". */
void contract_describe_operand(unsigned width_bytes, bool is_signed, char out[32]);
/* "; libbcc gives 0 for it", or "". */
const char *contract_bcc_effect(enum operand_bcc bcc);

/* Fills a probe point: which reader each argument of the site gets. An argument whose operand does not fit
 * its type (a pointer of 4 bytes) is read as a plain number. point borrows site. */
void contract_plan(const struct contract_tracepoint *row, const struct site *site, struct probe_point *point);

/* Decodes a record into an event; the event borrows the record's bytes. -EBADMSG when the record is not one
 * of the point's: too short, or with lengths beyond its end. */
int contract_decode(const struct contract_tracepoint *row, const struct probe_point *point,
		    const void *record, size_t record_sz, struct event *event);

/* Appends to out a value as people write it: hashes in display order, strings quoted, enumeration names,
 * what could not be read said so. arg may be NULL (undocumented argument). */
struct buf;
void contract_format_value(const struct contract_arg *arg, const struct value *value, struct buf *out);
/* The row that the event was decoded by. */
const struct contract_tracepoint *contract_of_event(const struct event *event);
/* "utxocache:add(txid=…, vout=0, …)". */
void contract_format_event(const struct event *event, struct buf *out);

#endif
