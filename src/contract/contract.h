/* The contract: the tracepoints that Bitcoin Core documents, and their arguments.
 *
 * Source: doc/tracing.md of Bitcoin Core's master (2026-06), section "Tracepoint documentation", and the code where
 * that differs; the row then notes the difference. Everything else in tpcheck follows from these rows: what the probes
 * read, how it is decoded, how a binary's notes are checked, what `list` prints, and which arguments a scenario must
 * expect. */
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
	ARG_HASH,   /* pointer to 32 unsigned chars in wire order, which the document calls little-endian */
	ARG_STRING, /* pointer to a C string */
	ARG_BYTES,  /* pointer to unsigned chars; the length is another argument */
};

struct contract_arg {
	const char *name;
	enum arg_type type;             /* as documented */
	enum arg_type code_type;        /* as the code passes it; where it is not type, difference says so */
	bool is_size;                   /* the code passes a size_t, which is as wide as a pointer */
	bool is_level;                  /* a state, such as a height, of which a sum means nothing */
	bool identifies;                /* says what the event is about: a coin, a peer */
	const char *unit;               /* "sat", "ns", "B", ...; NULL */
	unsigned max_chars;             /* ARG_STRING: documented maximum without NUL; 0: none documented */
	unsigned size_arg;              /* ARG_BYTES: number, from 1, of the argument with the length */
	const char *const *value_names; /* of an enumeration: names of 0, 1, ..., NULL-terminated; NULL */
	const char *meaning;
	const char *difference; /* where document and code differ; NULL */
	unsigned since;         /* first release with the argument; 0: as the tracepoint */
};

struct contract_tracepoint {
	enum tracepoint_id id;
	const char *context, *name; /* provider and name in ELF notes */
	const char *full_name;      /* "context:name" */
	unsigned since;             /* first release with it */
	unsigned release;           /* that this row is about, see contract_at */
	const char *when;           /* when it fires */
	const char *difference;     /* NULL */
	unsigned args_cnt;
	struct contract_arg args[SITE_ARGS_MAX];
};

/* Lends the row of master; id is below TRACEPOINTS_CNT. */
const struct contract_tracepoint *contract_get(enum tracepoint_id id);

/* Releases of Bitcoin Core, by their major version; master is the next one. */
enum {
	RELEASE_FIRST = 23, /* the first with tracepoints */
	RELEASE_MASTER = 32,
	RELEASE_SEMAPHORES = 29, /* the first in which every tracepoint has a semaphore */
};

/* Lends the row of that release: without arguments that were added later, and with others as they were. NULL if the
 * release does not have the tracepoint. */
const struct contract_tracepoint *contract_at(enum tracepoint_id id, unsigned release);

/* Accepts "28", "v28", "28.1", "v28.0rc2" and "master"; 31.99 is master. False unless it is a release with tracepoints. */
bool release_parse(const char *text, unsigned *release);
/* "v28", "master". */
const char *release_name(unsigned release, char buf[16]);

/* What a release changed, other than adding tracepoints and arguments. */
struct contract_change {
	unsigned release; /* the first with it */
	enum tracepoint_id id;
	unsigned argument; /* from 1; 0: the tracepoint as a whole */
	bool breaks;       /* consumers written for the previous release misread or misunderstand something */
	const char *what;  /* one sentence without a full stop */
	const struct contract_arg *before; /* the argument as it was; NULL: as far as the sentence says */
};

/* Change idx, from 0, by release; NULL after the last. */
const struct contract_change *contract_change(size_t idx);
/* The row for the names in a note; NULL if it is not documented. */
const struct contract_tracepoint *contract_find(const char *context, const char *name);

/* "int64", "pointer to C string", ... */
const char *arg_type_name(enum arg_type type);
/* Whether the peer-to-peer protocol, as Bitcoin Core's master knows it, has a message of that type. Peers may send
 * any. */
bool contract_knows_message_type(const uint8_t *type, size_t len);

/* Width in bytes, and signedness, of an operand that passes the type. */
unsigned arg_type_width(enum arg_type type, unsigned pointer_bytes);
bool arg_type_is_signed(enum arg_type type);

/* Width in bytes of an operand that passes the argument. */
unsigned contract_arg_width(const struct contract_arg *arg, unsigned pointer_bytes);

/* Compares a site with its row: number of arguments, width, sign and readability of the operands. An argument may be as
 * documented or, where that is known to differ, as the code passes it. Appends contract findings; returns how many. A
 * row of RELEASE_MASTER allows more arguments than it has. */
size_t contract_check_site(const struct contract_tracepoint *row, const struct site *site,
			   struct findings *findings);
/* The same for those arguments, which a later master has added: a detail that lists them. */
size_t contract_check_new_args(const struct contract_tracepoint *row, const struct site *site,
			       struct findings *findings);
/* "4 bytes, signed". */
void contract_describe_operand(unsigned width_bytes, bool is_signed, char out[32]);
/* "; libbcc reads it as 0, ...", or "". */
const char *contract_bcc_effect(enum operand_bcc bcc);

/* Fills a probe point: how to read each argument of the site. An argument whose operand does not fit its type (a
 * pointer of 4 bytes) is read as a number. point borrows site. */
void contract_plan(const struct contract_tracepoint *row, const struct site *site, struct probe_point *point);

/* The type of argument i, from 0, of an event; also of one that the row does not have. */
enum value_type contract_value_type(const struct contract_tracepoint *row, unsigned i,
				    const struct operand *operand);

/* Decodes a record into an event, which borrows the record's bytes. -EBADMSG: not a record of that point; it is too
 * short, or has lengths beyond its end. */
int contract_decode(const struct contract_tracepoint *row, const struct probe_point *point,
		    const void *record, size_t record_sz, struct event *event);

struct buf;
/* Appends a value as people write it: hashes in display order, quoted strings, names of enumerations, or why it could
 * not be read. arg is NULL for an undocumented argument. */
void contract_format_value(const struct contract_arg *arg, const struct value *value, struct buf *out);
/* The row that the event was decoded with. */
const struct contract_tracepoint *contract_of_event(const struct event *event);
/* "utxocache:add(txid=…, vout=0, …)". */
void contract_format_event(const struct event *event, struct buf *out);
/* The same with some arguments marked, bit 1 << index: "utxocache:add(txid=…, >vout=0<, …)". */
void contract_format_event_marked(const struct event *event, uint64_t marked, struct buf *out);

#endif
